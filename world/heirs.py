"""A world of several S4 processes over one ledger and one Redis: the one with the lease acts, the others stand by.

Two or three machines, each with a clock of its own that is wrong in its own way. Beside all that befalls any world,
whoever acts, or one that stands by, is killed at any of its steps, stopped (SIGSTOP) for up to a minute and woken,
told to end (SIGTERM), or cut off from the ledger or from Redis while the others are not (``heirs_plan``). Each request
says of which lease it is, which nobody but the judge reads (``heirs_judge``).
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from contextvars import Context
from functools import partial
from random import Random
from typing import Any, Final, cast

from chimera.adapters.binance.account import BinanceFutures, open_futures
from chimera.ports.clock import Clock
from chimera.services.clock import SteadyClock
from chimera.services.router.common import Common
from chimera.services.router.house import House
from chimera.services.router.standby import HouseEnded, while_open
from chimera.services.router.tenancy import Left, Tenancy, Terms
from chimera.services.stage.clock import VirtualClock
from chimera.services.stage.loop import DetLoop
from chimera.services.stage.proc import Proc
from chimera.services.stage.tape import Tape
from chimera.services.stage.trip import is_order
from chimera.simulate.door.messages import WireRequest
from chimera.simulate.venue.account_spec import READY_ACCOUNT
from chimera.simulate.venue.audit import AuditRecord
from chimera.trading.errors import NotSent, OutcomeUnknown
from chimera.trading.ids import DEFAULT_ACCOUNT
from chimera.trading.lease import Lease
from chimera.trading.market import Market, MarketEvent
from world import heirs_judge
from world.composed import World
from world.heirs_judge import Reign
from world.heirs_plan import (
    LEDGER,
    OFFSETS_MS,
    ClockSet,
    CutOff,
    HandOver,
    HeirBlow,
    Strike,
    cuts,
    drawn,
)
from world.machine import Machine, ProcClock
from world.operator import Operator
from world.oracle import Violation
from world.plan import LATE_SENDS, Plan
from world.reach import Reach, bus_of, ledger_of
from world.spans import Span
from world.workload import Request

LEASE: Final = f"account:{DEFAULT_ACCOUNT}"
FENCE: Final = "x-fence"  # a header that the venue does not read
NAMES: Final = ("s4b", "s4c")
LATER_S: Final = 0.1  # between the first starts


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
        strikes: tuple[HeirBlow, ...] | None = None,
    ) -> None:
        names = NAMES[: tape.whole("routers", 1, len(NAMES))]
        self._heirs = tuple(
            Machine(loop, name, self._s4, restart_ms=lambda: self._restart_ms("heir_restart_ms")) for name in names
        )
        super().__init__(seed, loop, tape, plan, market)
        self.operator = Operator(
            loop, tape, self.link, self.instrument, self.clock, deaths=lambda: self.s4.deaths + len(self.reigns)
        )
        self.strikes = strikes
        self.reigns: list[Reign] = []
        self.struck_us: list[int] = []  # whoever acted
        self.standbys_struck = 0
        self.accepted = 0  # changes of the account
        self.usurped: list[Violation] = []
        self._at_order: list[Strike | CutOff] = []  # which the next order calls down
        self._houses: list[tuple[Machine, Proc]] = []  # of each reign
        self._reach = {machine.name: Reach(loop) for machine in self.routers}
        self._clocks = {name: VirtualClock(loop, offset_ms=self._offset_ms(name)) for name in names}
        self._clocks[self.s4.name] = self.s4_clock
        self._right_ms = {name: clock.offset_ms for name, clock in self._clocks.items()}
        self.venue.executed = self._executed

    def start(self, *, market_s: float) -> None:
        super().start(market_s=market_s)
        for number, heir in enumerate(self._heirs, 1):
            self.loop.call_later(0.5 + LATER_S * number, heir.start, context=Context())
        plan = cuts if self.plan.scenario == LATE_SENDS else drawn
        for blow in plan(self.tape, 40) if self.strikes is None else self.strikes:
            self.loop.call_later(blow.at_s, self._befall, blow, context=Context())

    def heal(self) -> None:
        super().heal()
        for name, clock in self._clocks.items():
            clock.offset_ms = self._right_ms[name]
            self._reach[name].heal()

    @property
    def routers(self) -> tuple[Machine, ...]:
        return self.s4, *self._heirs

    @property
    def acting(self) -> Machine:
        return self._acting() or self.s4

    def down_spans(self, until_us: int) -> list[Span]:
        """When nobody acted."""
        stopped = [machine.stops(until_us) for machine, _ in self._houses]
        return heirs_judge.gaps(heirs_judge.acted(self.reigns, stopped, until_us), until_us)

    def judged(self, ledger_is_well: bool) -> list[Violation]:
        """What was done by somebody whose lease had ended, and where nobody took over; for the end of the run."""
        until_us = self.loop.now_us
        if not ledger_is_well:
            return list(self.usurped)
        lives = [
            heirs_judge.life_of(machine, self._reach[machine.name].cuts.get(LEDGER, ()), until_us)
            for machine in self.routers
        ]
        idle = self.down_spans(until_us)
        return [*self.usurped, *heirs_judge.taken_over(idle, lives, self.weather[LEDGER].stalls)]

    def counted(self) -> dict[str, int]:
        """For coverage."""
        took_ms = heirs_judge.take_overs_ms(self.reigns, self.down_spans(self.loop.now_us))
        return {
            "routers": len(self.routers),
            "take_overs": len(took_ms),
            "take_overs_ms": sum(took_ms),
            "longest_take_over_ms": max(took_ms, default=0),
            "hand_overs": sum(router.ended for router in self.routers),
            "standbys_struck": self.standbys_struck,
            "woke_late": self._woke_late(),
            "changes": self.accepted,
        }

    def _woke_late(self) -> int:
        """Houses whose process was stopped, and went on after another had begun."""
        return sum(
            begun < later.begun_us < ended
            for (machine, _), reign, later in zip(self._houses, self.reigns, self.reigns[1:], strict=False)
            for begun, ended in machine.stops(self.loop.now_us)
            if reign.begun_us < begun and later.owner != reign.owner
        )

    def _offset_ms(self, name: str) -> int:
        return self.tape.whole(f"{name}_offset_ms", *self.tape.pick(f"{name}_offsets", OFFSETS_MS))

    # ── blows ──

    def _befall(self, blow: HeirBlow) -> None:
        acting = self._acting()
        standby = isinstance(blow, Strike | CutOff) and blow.standby
        struck = self._standing_by(acting) if standby else acting
        if struck is None or self.tape.calm:
            return
        match blow:
            case Strike(at_order=True) | CutOff(at_order=True):
                self._at_order.append(blow)
            case Strike():
                self._aim(struck, blow)
            case HandOver():
                struck.end()
            case CutOff(store=store, for_s=for_s):
                self._reach[struck.name].lose(store, for_s)
            case ClockSet(by_ms=by_ms):
                self._clocks[struck.name].step(by_ms)

    def _sent(self, request: WireRequest) -> None:
        super()._sent(request)
        acting = self._acting()
        if self._at_order and is_order(request) and acting is not None and not self.tape.calm:
            blow = self._at_order.pop()
            if isinstance(blow, Strike):
                self._aim(acting, blow)
            else:
                self._reach[acting.name].lose(blow.store, blow.for_s)

    def _aim(self, machine: Machine, strike: Strike) -> None:
        assert machine.proc is not None
        left = strike.steps

        def due() -> bool:
            nonlocal left
            left -= 1
            if left or self.tape.calm:
                return False
            if machine is self._acting():
                self.struck_us.append(self.loop.now_us)
            else:
                self.standbys_struck += 1
            if strike.for_s is None:
                return True
            machine.stop()
            self.loop.call_later(strike.for_s, machine.go_on, context=Context())
            return False

        machine.proc.strikes = due

    def _acting(self) -> Machine | None:
        """Whoever has the newest house, while it stands."""
        if not self.reigns or self.reigns[-1].ended_us is not None:
            return None
        machine, proc = self._houses[-1]
        return machine if proc.alive else None

    def _standing_by(self, acting: Machine | None) -> Machine | None:
        here = [each for each in self.routers if each is not acting and each.proc is not None and each.proc.alive]
        return self.tape.pick("heir_which", here) if here else None

    # ── the process ──

    async def _s4(self, proc: Proc) -> None:
        clock = SteadyClock(ProcClock(proc, self._clocks[proc.name]))
        leases = ledger_of(proc, self.ledger, self._reach[proc.name])
        terms = Terms(name=LEASE, owner=f"{proc.name}-{proc.incarnation}", url=f"http://{proc.name}")
        tenancy = Tenancy(terms, leases, clock, partial(self._housed, proc, clock))
        await tenancy.run()

    @asynccontextmanager
    async def _housed(self, proc: Proc, clock: Clock, lease: Lease, left: Left) -> AsyncIterator[House]:
        account = self._opened(proc, clock, lease)
        account.raw.tenure_ms = left
        reach = self._reach[proc.name]
        ledger, bus = ledger_of(proc, self.ledger, reach), bus_of(proc, self.bus, reach)
        stores: dict[str, Any] = {"ledger": ledger, "bus": bus}
        records = {Market.FUT: account.records}
        common = Common(DEFAULT_ACCOUNT, lease.owner, records, **stores, clock=clock, seal=self._seal)
        router = self._router(proc, clock, account, self.instrument, common=common, **stores)
        house = House({Market.FUT: router}, common, in_flight=account.raw.in_flight.any)
        self._forget()
        self.router, place = router, self._begin(proc, lease)
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
            self._over(place)

    def _opened(self, proc: Proc, clock: Clock, lease: Lease) -> BinanceFutures:
        door = self.venue.transport(proc, {FENCE: str(lease.fence)})
        jitter = Random(f"{self._seed}:jitter:{lease.owner}:{lease.fence}")
        orders_by = door if self.plan.by_socket else None
        return open_futures(
            door, READY_ACCOUNT.api_key, READY_ACCOUNT.secret, clock, jitter=jitter, orders_by=orders_by
        )

    def _begin(self, proc: Proc, lease: Lease) -> int:
        """One house more; its number."""
        place = len(self.reigns)
        self.reigns.append(Reign(owner=lease.owner, fence=lease.fence, begun_us=self.loop.now_us))
        machine = next(each for each in self.routers if each.proc is proc)
        self._houses.append((machine, proc))
        proc.on_death.append(partial(self._over, place, died=True))
        return place

    def _over(self, place: int, *, died: bool = False) -> None:
        reign = self.reigns[place]
        if reign.ended_us is None:
            self.reigns[place] = reign.but(ended_us=self.loop.now_us)
            self.died_in_recovery += died and reign.recovered_us is None

    def _born(self) -> None:
        """A process is nobody until it has the lease."""

    def _forget(self) -> None:
        """What the house before knew and the ledger does not tell."""
        known = {str(ref) for owner in self._owners() for ref in owner.holding.orders}
        self.forgotten |= known - self._on_disk()

    # ── the venue ──

    def _executed(self, request: WireRequest, records: Sequence[AuditRecord]) -> None:
        """Something was asked for: was it done, of whom, and does the ledger say that he may?"""
        fence = request.header(FENCE)
        if fence is None or not heirs_judge.changed(request, records):
            return
        self.accepted += 1
        let = self.ledger._lets[LEASE]
        over_ms = self.clock.monotonic_ms() - let.end_ms
        if int(fence) != let.fence or over_ms >= 0:
            text = f"{request.method} {request.path} of lease {fence} was accepted; {let.fence} is the newest"
            text += f", which ended {over_ms} ms ago" if over_ms >= 0 else ""
            self.usurped.append(Violation(invariant="LEASE", at_us=self.loop.now_us, text=text))
