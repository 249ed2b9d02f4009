"""The faults placed by hand, carried out: who is struck when, who is away for how long.

Invariants: nothing strikes once the tape is calm; a strike set by an order or a question counts steps of the machine
it strikes, so that the same plan strikes at the same await.
"""

from collections.abc import Callable, Mapping
from contextvars import Context
from functools import partial
from typing import Any, Final

from chimera.adapters.memory.bus import MemoryBus
from chimera.adapters.memory.ledger import MemoryLedger, Snapshot
from chimera.services.stage.clock import VirtualClock
from chimera.services.stage.loop import DetLoop
from chimera.services.stage.network import Venue
from chimera.services.stage.stores import StoreWeather
from chimera.services.stage.tape import Tape
from chimera.services.stage.trip import is_order, is_stop
from chimera.simulate.door.messages import WireRequest
from chimera.trading.ids import DEFAULT_ACCOUNT
from chimera.trading.money import Millis
from chimera.wire import keys
from world.machine import Machine
from world.others import Others
from world.plan import (
    Away,
    Blow,
    ClockStep,
    Deed,
    Failover,
    KillAfterAsk,
    KillAfterOrder,
    KillAt,
    KillAtBirth,
    KillAtStep,
    Pause,
    PutBack,
)
from world.spans import Span
from world.trouble import Spell

WRITTEN_S: Final = 0.4  # less than any restart takes where a ledger is put back
AGAIN_S: Final = 0.3  # until a deed that needs a position looks again
CLOSED: Final = frozenset({"maintenance", "rate_limit_storm", "cancel_only"})  # spells in which no stop can be placed


class Blows:
    """Aims every blow of a plan at the machines, the venue and the stores it is about."""

    def __init__(
        self,
        loop: DetLoop,
        tape: Tape,
        blows: tuple[Blow, ...],
        machines: Mapping[str, Machine],
        venue: Venue,
        weather: Mapping[str, StoreWeather],
        s4_clock: VirtualClock,
        bus: MemoryBus,
        ledger: MemoryLedger,
        others: Others,
        acting: Callable[[], Machine],
    ) -> None:
        """``acting``: the machine of S4 that sends orders just now."""
        self.bus_lost = 0  # changes that the bus had acknowledged
        self.put_back_us: int | None = None
        self.outages: list[Span] = []  # times in which nobody could have protected: the venue away or shut
        self.pauses: list[Span] = []  # S4 stopped
        self.by_hand: list[Span] = []  # moments in which something was opened by hand: it has to be heard of first
        self._loop = loop
        self._tape = tape
        self._blows = blows
        self._machines = machines
        self._venue = venue
        self._weather = weather
        self._s4_clock = s4_clock
        self._right_ms = s4_clock.offset_ms
        self._bus = bus
        self._ledger = ledger
        self._others = others
        self._acting = acting
        self._orders = self._stops = 0

    def aim(self) -> None:
        """Set all that has a moment or a birth; orders and questions are counted as they come."""
        for blow in self._blows:
            match blow:
                case KillAt(at_s=at_s, who=who):
                    self._later(at_s, self._machines[who].kill)
                case KillAtStep(step=step):
                    self._machines["s4"].kill_at(step)
                case Away(at_s=at_s):
                    self._later(at_s, self._go_away, blow)
                case ClockStep(at_s=at_s, by_ms=by_ms):
                    self._later(at_s, self._s4_clock.step, by_ms)
                case KillAtBirth():
                    self._machines[blow.who].on_birth.append(partial(self._strike_newborn, blow))
                case Pause(at_s=at_s):
                    self._later(at_s, self._stop, blow)
                case Failover(at_s=at_s, lose_s=lose_s):
                    self._later(max(at_s - lose_s, 0), self._remember, blow)
                case PutBack(at_s=at_s, back_s=back_s):
                    self._later(max(at_s - back_s, 0), self._copy, blow)
                case Deed(at_s=at_s):
                    self._later(at_s, self._let, blow)
                case Spell(name=name) if name in CLOSED:
                    begun_us = round(blow.at_s * 1_000_000)
                    self.outages.append((begun_us, begun_us + round(blow.for_s * 1_000_000)))
                case KillAfterOrder() | KillAfterAsk() | Spell():
                    pass

    def heal(self) -> None:
        """Who was stopped goes on, and the clock is right again."""
        for machine in self._machines.values():
            machine.go_on()
        self._s4_clock.offset_ms = self._right_ms

    def order_sent(self, request: WireRequest) -> None:
        """S4 let a request go."""
        if not is_order(request):
            return
        self._orders += 1
        self._stops += is_stop(request)
        for blow in self._blows:
            if not isinstance(blow, KillAfterOrder) or (blow.stops and not is_stop(request)):
                continue
            if blow.order_no == (self._stops if blow.stops else self._orders):
                self._strike(self._acting(), blow.steps)

    def asked(self, number: int) -> None:
        """S3 was asked."""
        for blow in self._blows:
            if isinstance(blow, KillAfterAsk) and blow.ask_no == number:
                self._strike(self._machines["s3"], blow.steps)

    def _strike_newborn(self, blow: KillAtBirth) -> None:
        machine = self._machines[blow.who]
        if machine.deaths == blow.death_no:
            self._strike(machine, blow.steps)

    def _strike(self, machine: Machine, steps: int) -> None:
        if not self._tape.calm:
            machine.kill_at(machine.steps + steps)

    def _go_away(self, away: Away) -> None:
        if self._tape.calm:
            return
        if away.what != "venue":
            self._weather[away.what].stall(away.for_s)
            return
        now_us = self._loop.now_us
        self.outages.append((now_us, now_us + round(away.for_s * 1_000_000)))
        self._venue.away = True
        self._venue.cut_all()
        self._later(away.for_s, self._come_back)

    def _stop(self, pause: Pause) -> None:
        if self._tape.calm:
            return
        now_us = self._loop.now_us
        if pause.who == "s4":
            self.pauses.append((now_us, now_us + round(pause.for_s * 1_000_000)))
        machine = self._machines[pause.who]
        machine.stop()
        self._later(pause.for_s, machine.go_on)

    def _remember(self, failover: Failover) -> None:
        """What the bus holds now is what it will hold after the fail-over."""
        kept = self._bus.snapshot()
        self._later(failover.lose_s, self._fail_over, failover, kept)

    def _fail_over(self, failover: Failover, kept: int) -> None:
        if self._tape.calm:
            return
        self.bus_lost += self._bus.rollback(self._bus.snapshot() - kept)
        self._weather["bus"].stall(failover.for_s)

    def _copy(self, blow: PutBack) -> None:
        """What the ledger holds now is what S4 will come back to."""
        kept, at_ms = self._ledger.snapshot(), self._s4_clock.now_ms()
        self._later(min(blow.back_s, blow.at_s), self._die_for_it, kept, at_ms)

    def _die_for_it(self, kept: Snapshot, backup_ms: Millis) -> None:
        if not self._tape.calm:
            self._machines["s4"].kill()
            self._later(WRITTEN_S, self._put_back, kept, backup_ms)  # what it had asked the disk for is done by then

    def _put_back(self, kept: Snapshot, backup_ms: Millis) -> None:
        self.put_back_us = self._loop.now_us
        note = {"at_ms": self._s4_clock.now_ms(), "backup_ms": backup_ms}
        self._ledger.put_back(kept, keys.CONTROLS, keys.restored_row(DEFAULT_ACCOUNT), note)

    def _let(self, deed: Deed) -> None:
        """One that lasts waits for a position."""
        if self._tape.calm:
            return
        did = self._do(deed)
        if did and deed.what in ("flip", "add"):
            self.by_hand.append((self._loop.now_us, self._loop.now_us))
        if deed.for_s and did:
            self._later(deed.for_s, self._do, Deed(what="take_back", at_s=deed.at_s))
        elif deed.for_s:
            self._later(AGAIN_S, self._let, deed)

    def _do(self, deed: Deed) -> bool:
        did = self._others.do(deed)
        self._venue.pump()
        return did

    def _come_back(self) -> None:
        self._venue.away = False

    def _later(self, at_s: float, callback: Callable[..., object], *args: Any) -> None:
        self._loop.call_later(at_s, callback, *args, context=Context())
