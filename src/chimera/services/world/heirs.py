"""A world of two S4 processes over one ledger: the one with the lease acts, the other stands by.

Whoever acts is struck now and then, at any of its steps: killed, or stopped (SIGSTOP) for up to a minute and resumed.
Beside all that a world promises, no change of the account is accepted of anyone but the holder of the lease, at a
moment at which the ledger says that it runs (``judge``).
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from contextvars import Context
from functools import partial
from random import Random
from typing import Any, Final, cast

from chimera.adapters.binance.account import open_futures
from chimera.adapters.binance.transport import Reply
from chimera.ports.clock import Clock
from chimera.ports.ledger import Leases
from chimera.services.clock import SteadyClock
from chimera.services.router.common import Common
from chimera.services.router.house import House
from chimera.services.router.standby import HouseEnded, while_open
from chimera.services.router.tenancy import Left, Tenancy, Terms
from chimera.services.world.clock import ProcClock
from chimera.services.world.composed import World
from chimera.services.world.loop import DetLoop
from chimera.services.world.network import Venue, WorldTransport
from chimera.services.world.operator import Operator
from chimera.services.world.oracle import Violation
from chimera.services.world.plan import Plan
from chimera.services.world.proc import Machine, Proc
from chimera.services.world.spans import Span
from chimera.services.world.stores import bus_of, ledger_of
from chimera.services.world.tape import Tape
from chimera.services.world.workload import Request
from chimera.simulate.door.messages import WireRequest, WireResponse
from chimera.simulate.venue.account_spec import READY_ACCOUNT
from chimera.trading.errors import NotSent, OutcomeUnknown
from chimera.trading.ids import DEFAULT_ACCOUNT
from chimera.trading.lease import Lease
from chimera.trading.market import Market, MarketEvent
from chimera.trading.value import Value

LEASE: Final = f"account:{DEFAULT_ACCOUNT}"
FENCE: Final = "x-fence"  # a header that the venue does not read
FIRST_S: Final = 4.0


class Strike(Value):
    """On whoever acts at ``at_s``, so many of its steps later. ``for_s`` None: killed, else stopped for so long."""

    at_s: float
    steps: int
    for_s: float | None


class Reign(Value):
    """One house. ``ended_us`` None: it was killed, or runs. ``recovered_us``: each position had the venue's word."""

    owner: str
    fence: int
    begun_us: int
    recovered_us: int | None = None
    ended_us: int | None = None


def drawn(tape: Tape, last_s: float) -> tuple[Strike, ...]:
    """A few, in a safety phase of ``last_s``."""
    strikes = []
    for number in range(tape.whole("heirs", 2, 5)):
        at_s = tape.between(f"heir_at#{number}", FIRST_S, last_s)
        longest_s = tape.pick(f"heir_longest#{number}", (None, 3.0, 10.0, 60.0))
        for_s = None if longest_s is None else tape.between(f"heir_for#{number}", 0, longest_s)
        steps = tape.whole(f"heir_steps#{number}", 1, 400)
        if tape.event(f"heir#{number}"):
            strikes.append(Strike(at_s=at_s, steps=steps, for_s=for_s))
    return tuple(strikes)


class HeirsWorld(World):
    """Everything of one run. ``strikes``: drawn where it is None."""

    def __init__(
        self,
        seed: int,
        loop: DetLoop,
        tape: Tape,
        plan: Plan,
        market: Iterable[MarketEvent] | None = None,
        *,
        strikes: tuple[Strike, ...] | None = None,
    ) -> None:
        super().__init__(seed, loop, tape, plan, market)
        self.heir = Machine(loop, "s4b", self._s4, restart_ms=lambda: self._restart_ms("heir_restart_ms"))
        self.operator = Operator(
            loop, tape, self.link, self.instrument, self.clock, deaths=lambda: self.s4.deaths + len(self.reigns)
        )
        self.strikes = strikes
        self.reigns: list[Reign] = []
        self.struck_us: list[int] = []
        self.accepted = 0  # changes of the account
        self.usurped: list[Violation] = []
        self._procs: dict[str, Proc] = {}
        self._stopped: list[Span] = []
        self.venue.executed = self._executed

    def start(self, *, market_s: float) -> None:
        super().start(market_s=market_s)
        self.loop.call_later(0.6, self.heir.start, context=Context())
        strikes = drawn(self.tape, 40) if self.strikes is None else self.strikes
        for strike in strikes:
            self.loop.call_later(strike.at_s, self._aim, strike, context=Context())

    @property
    def machines(self) -> tuple[Machine, ...]:
        return self.s4, self.heir, self.s3.machine

    def down_spans(self, until_us: int) -> list[tuple[int, int]]:
        """When no house ran: from the end, death or stop of one to the beginning of the next."""
        begun = [reign.begun_us for reign in self.reigns]
        ends = [*self.s4.died_us, *self.heir.died_us, *self.struck_us]
        ends += [reign.ended_us for reign in self.reigns if reign.ended_us is not None]
        spans = [(end, min((at for at in begun if at > end), default=until_us)) for end in sorted(ends)]
        return sorted([*spans, *self._stopped])

    # ── strikes ──

    def _aim(self, strike: Strike) -> None:
        machine = self._acting()
        if machine is None or machine.proc is None or self.tape.calm:
            return
        left = strike.steps

        def due() -> bool:
            nonlocal left
            left -= 1
            if left or self.tape.calm:
                return False
            self.struck_us.append(self.loop.now_us)
            if strike.for_s is None:
                return True
            machine.stop()
            self._stopped.append((self.loop.now_us, self.loop.now_us + round(strike.for_s * 1_000_000)))
            self.loop.call_later(strike.for_s, machine.go_on, context=Context())
            return False

        machine.proc.strikes = due

    def _acting(self) -> Machine | None:
        newest = self.reigns[-1] if self.reigns else None
        for machine in (self.s4, self.heir):
            proc = machine.proc
            if newest is not None and proc is not None and proc.alive and self._procs.get(newest.owner) is proc:
                return machine
        return None

    # ── the process ──

    async def _s4(self, proc: Proc) -> None:
        clock = SteadyClock(ProcClock(proc, self.s4_clock))
        leases = cast("Leases", ledger_of(proc, self.ledger))
        terms = Terms(name=LEASE, owner=f"{proc.name}-{proc.incarnation}", url=f"http://{proc.name}")
        tenancy = Tenancy(terms, leases, clock, partial(self._housed, proc, clock))
        await tenancy.run()

    @asynccontextmanager
    async def _housed(self, proc: Proc, clock: Clock, lease: Lease, left: Left) -> AsyncIterator[House]:
        door = FencedTransport(self.venue, proc, lease.fence)
        jitter = Random(f"{self._seed}:jitter:{lease.owner}:{lease.fence}")
        account = open_futures(door, READY_ACCOUNT.api_key, READY_ACCOUNT.secret, clock, jitter=jitter)
        account.raw.tenure_ms = left
        stores: dict[str, Any] = {"ledger": ledger_of(proc, self.ledger), "bus": bus_of(proc, self.bus)}
        records = {Market.FUT: account.records}
        common = Common(DEFAULT_ACCOUNT, lease.owner, records, **stores, clock=clock, seal=self._seal)
        router = self._router(proc, clock, account, self.instrument, common=common)
        house = House({Market.FUT: router}, common)
        self.router, place = router, len(self.reigns)
        self.reigns.append(Reign(owner=lease.owner, fence=lease.fence, begun_us=self.loop.now_us))
        self._procs[lease.owner] = proc
        ended = asyncio.Event()

        async def answer(request: Request) -> Any:
            if ended.is_set():
                raise NotSent("STANDBY", code="STANDBY")
            try:
                return await while_open(ended, request(cast("Any", house)))
            except HouseEnded:
                raise OutcomeUnknown("LEASE_LOST") from None

        async def recovered() -> None:
            await router.recovered()
            self.reigns[place] = self.reigns[place].but(recovered_us=self.loop.now_us)

        self.link.serve(proc, answer)
        noting = asyncio.get_running_loop().create_task(recovered(), name="recovered")
        try:
            yield house
        finally:
            ended.set()
            house.retire()
            noting.cancel()
            self.reigns[place] = self.reigns[place].but(ended_us=self.loop.now_us)

    # ── the venue ──

    def _executed(self, request: WireRequest, response: WireResponse) -> None:
        """A change was accepted: of whom, and does the ledger say that he may?"""
        fence = request.header(FENCE)
        if fence is None or request.method == "GET" or response.status != 200 or "signature=" not in request.query:
            return
        self.accepted += 1
        let = self.ledger._lets[LEASE]
        over_ms = self.clock.monotonic_ms() - let.end_ms
        if int(fence) != let.fence or over_ms >= 0:
            text = f"{request.method} {request.path} of lease {fence} was accepted; {let.fence} is the newest"
            text += f", which ended {over_ms} ms ago" if over_ms >= 0 else ""
            self.usurped.append(Violation(invariant="LEASE", at_us=self.loop.now_us, text=text))


class FencedTransport(WorldTransport):
    """Each request says of which lease it is; nobody but the judge reads that."""

    def __init__(self, venue: Venue, proc: Proc, fence: int) -> None:
        super().__init__(venue, proc)
        self._fence = str(fence)

    async def request(
        self, method: str, target: str, *, headers: Mapping[str, str], body: bytes = b"", timeout_ms: int
    ) -> Reply:
        named = {**headers, FENCE: self._fence}
        return await super().request(method, target, headers=named, body=body, timeout_ms=timeout_ms)


def judge(world: HeirsWorld) -> list[Violation]:
    """What was accepted of somebody whose lease had ended."""
    return list(world.usurped)
