"""Desks that look at the time only when they are woken: positions whose owners have no timer but the shared queue."""

from typing import Any, cast

from chimera.execute.due import next_slice_ms
from chimera.ports.streams import Queues
from chimera.services.router.waking import Waking
from chimera.trading.commands import Command, Place
from chimera.trading.execution import Phase, Plan, Slice
from chimera.trading.facts import Fact, Submitted
from chimera.trading.holding import Holding
from chimera.trading.ids import AccountId
from chimera.trading.money import Millis, Qty, text
from chimera.trading.order import Role
from support.desk import KEY, T0, Desk, an_intent

GAP_MS = 2_500
EACH = Qty(an_intent(qty="0.01").qty)


class HandClock:
    """Moves when told."""

    def __init__(self, at_ms: int = T0) -> None:
        self.ms = at_ms

    def now_ms(self) -> Millis:
        return Millis(self.ms)

    def monotonic_ms(self) -> Millis:
        return Millis(self.ms)


class WokenDesk:
    """An owner of one position at a venue that fills at once; ``sent`` are the moments of its entries."""

    def __init__(self, name: str, clock: HandClock, holding: Holding | None = None) -> None:
        self.desk = Desk()
        self.desk.holding = holding or self.desk.holding.but(key=KEY.but(account=AccountId(name)))
        self.desk._trades = len(self.desk.holding.seen_trades)
        self.deposed = False
        self.sent: list[tuple[str, int]] = []
        self.woken = 0
        self._clock = clock

    @property
    def holding(self) -> Holding:
        return self.desk.holding

    @property
    def done(self) -> bool:
        return all(work.phase is Phase.DONE for work in self.holding.intents.values())

    def hear(self, fact: Fact) -> None:
        self.woken += 1
        self._hear(fact)

    def begin(self, name: str, slices: int) -> None:
        """A TWAP of so many slices, the first of them at once."""
        parts = tuple(Slice(qty=EACH, after_ms=number * GAP_MS) for number in range(slices))
        intent = an_intent(name, qty=text(EACH * slices), stop=None)
        deadline_ms = Millis(self._clock.ms + 10**8)
        self._hear(Submitted(intent=intent, plan=Plan(slices=parts, deadline_ms=deadline_ms), body_hash="h"))

    def _hear(self, fact: Fact) -> None:
        self.desk.now = self._clock.now_ms()
        told: list[Command] = list(self.desk.hear(fact))
        while told:
            command = told.pop(0)
            if not isinstance(command, Place):
                continue
            if command.role is Role.TAKER:
                self.sent.append((str(command.order.ref), self._clock.ms))
                told += self.desk.fill(command.order, text(command.order.qty))
            else:
                told += self.desk.ack(command.order)


def a_router(queues: Queues, clock: HandClock, *desks: WokenDesk, complete: bool = True) -> Waking:
    """What wakes these and no others."""
    owners = {desk.holding.key: desk for desk in desks}
    return Waking("s4-1", cast("Any", owners), queues, clock, complete=lambda: complete)


def due_of(desk: WokenDesk) -> list[int | None]:
    """When each of its plans is due next."""
    return [next_slice_ms(work) for work in desk.holding.intents.values()]
