"""The lease of one account in this process: asked for, renewed, and what is built on it run for as long as it lasts.

A thin shell of ``admit.tenure``, which decides. Invariants: nothing is built without the lease; when it ends, sending
ends first (``Left`` is 0 from then on), then what was built, and only then it is asked for again; a process that
ends gives it back, unless something that it asked of the venue is unanswered: then it runs out, and with it whatever is
under way. A fault of what was built ends the process, as it does without leases.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from functools import partial
from typing import Final, Protocol

import structlog

from chimera.admit import tenure
from chimera.admit.tenure import (
    TTL_MS,
    Command,
    Ended,
    Fact,
    LeaseRefused,
    LeaseTaken,
    Release,
    Renew,
    Renewed,
    RenewFailed,
    Resigned,
    Serve,
    Standby,
    Stop,
    StoreAway,
    Take,
    Tenure,
    Ticked,
)
from chimera.ports.clock import Clock
from chimera.ports.ledger import Leases
from chimera.trading.errors import ChimeraError
from chimera.trading.lease import Holder, Lease
from chimera.trading.money import Millis
from chimera.trading.value import Value

log = structlog.get_logger()

TRY_S: Final = 1.0  # a question to the ledger: a lease outlives two that fail
LEAVE_S: Final = 0.5
SUCCEEDING_S: Final = 2.5  # the longest receive window, and a clock that is half a second wrong
SUCCEEDING: Final = "another router has acted for this account until just now"


class Terms(Value):
    """``owner``: of this life of this process and no other; ``url``: where callers find it."""

    name: str
    owner: str
    url: str
    ttl_ms: Millis = TTL_MS


class Housed(Protocol):
    """What acts for the account."""

    async def run(self) -> None:
        """Until cancelled."""
        ...

    def hold_entries(self, why: str | None) -> None:
        """A barrier before every entry; None: no more."""
        ...

    def asks_nothing(self) -> bool:
        """Whether the venue has answered all that was asked of it."""
        ...


Left = Callable[[], Millis]  # for how long from now on one house may act; 0 for good once it has ended
Build = Callable[[Lease, Left], AbstractAsyncContextManager[Housed]]


class Tenancy:
    """``clock``: counts sleep, and never steps. ``build`` makes what acts; it is left before it is built again."""

    def __init__(self, terms: Terms, leases: Leases, clock: Clock, build: Build) -> None:
        self.tenure: Tenure = Standby(next_ms=clock.monotonic_ms())
        self._terms = terms
        self._leases = leases
        self._clock = clock
        self._build = build
        self._house: asyncio.Task[None] | None = None
        self._housed: Housed | None = None
        self._fault: Exception | None = None
        self._served = 0  # houses so far
        self._answered = True  # all that was asked of the venue, as what had asked was stopped
        self._asking: set[asyncio.Task[None]] = set()
        self._news = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled; raises what ended the house by itself."""
        try:
            while self._fault is None:
                self._hear(Ticked())
                await self._until_due()
            raise self._fault
        finally:
            await self._leave()

    def _left_ms(self, number: int) -> Millis:
        """Of the house of this number: what an earlier one has left behind may not act by the lease of the next."""
        if number != self._served:
            return Millis(0)
        return tenure.left_ms(self.tenure, self._clock.monotonic_ms())

    @property
    def holder(self) -> Holder | None:
        """Who else acts, where that is known."""
        return self.tenure.holder if isinstance(self.tenure, Standby) else None

    def _hear(self, fact: Fact) -> None:
        before = self.tenure
        self.tenure, commands = tenure.advance(before, fact, self._clock.monotonic_ms())
        if type(self.tenure) is not type(before):
            log.warning("tenure", account=self._terms.name, now=type(self.tenure).__name__, by=type(fact).__name__)
        for command in commands:
            self._carry_out(command)
        self._news.set()

    def _carry_out(self, command: Command) -> None:
        match command:
            case Take():
                self._ask(self._take)
            case Renew(lease=lease):
                self._ask(partial(self._renew, lease))
            case Release(lease=lease) if self._answered:
                self._ask(partial(self._release, lease))
            case Release():
                log.warning("lease_runs_out", account=self._terms.name, why="the venue has not answered everything")
            case Serve(lease=lease):
                self._house = asyncio.get_running_loop().create_task(self._serve(lease), name="house")
            case Stop():
                self._answered = self._housed is None or self._housed.asks_nothing()
                if self._house is not None:
                    self._house.cancel()

    # ── the house ──

    async def _serve(self, lease: Lease) -> None:
        try:
            self._served += 1
            async with self._build(lease, partial(self._left_ms, self._served)) as housed:
                self._housed, self._answered = housed, True
                await self._run(housed)
        except Exception as error:  # noqa: BLE001 - whatever it is: ``run`` raises it, and the process ends
            self._answered = False
            self._fault = error
        finally:
            self._house = self._housed = None
            self._hear(Ended())

    async def _run(self, housed: Housed) -> None:
        """Stops and exits go out at once; entries wait until nothing of a predecessor's can arrive any more."""
        housed.hold_entries(SUCCEEDING)
        opening = asyncio.get_running_loop().call_later(SUCCEEDING_S, housed.hold_entries, None)
        try:
            await housed.run()
        finally:
            opening.cancel()

    async def _leave(self) -> None:
        self._hear(Resigned())
        if self._house is not None:
            await asyncio.wait({self._house})
        with suppress(TimeoutError):
            async with asyncio.timeout(LEAVE_S):
                await asyncio.gather(*self._asking)

    # ── the ledger ──

    def _ask(self, question: Callable[[], Awaitable[Fact]]) -> None:
        task = asyncio.get_running_loop().create_task(self._answer(question))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _answer(self, question: Callable[[], Awaitable[Fact]]) -> None:
        fact: Fact = StoreAway()
        try:
            async with asyncio.timeout(TRY_S):
                fact = await question()
        except (ChimeraError, TimeoutError) as error:
            log.warning("lease_unanswered", account=self._terms.name, error=str(error))
        except Exception:  # a mistake of ours: the lease runs out, and is asked for again
            log.exception("lease_fault", account=self._terms.name)
        self._hear(fact)

    async def _take(self) -> Fact:
        terms, asked_ms = self._terms, self._clock.monotonic_ms()
        answer = await self._leases.take(terms.name, terms.owner, url=terms.url, ttl_ms=terms.ttl_ms)
        if isinstance(answer, Holder):
            return LeaseRefused(holder=answer)
        return LeaseTaken(lease=answer, asked_ms=asked_ms)

    async def _renew(self, lease: Lease) -> Fact:
        asked_ms = self._clock.monotonic_ms()
        good = await self._leases.renew(lease)
        return Renewed(lease=lease, asked_ms=asked_ms) if good else RenewFailed(lease=lease)

    async def _release(self, lease: Lease) -> Fact:
        await self._leases.release(lease)
        return Ticked()

    async def _until_due(self) -> None:
        self._news.clear()
        due_ms = tenure.due_ms(self.tenure)
        wait_s = None if due_ms is None else max(due_ms - self._clock.monotonic_ms(), 0) / 1000
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._news.wait()
