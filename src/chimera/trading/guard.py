"""A guard: a price that S4 itself watches over a position, where the venue holds no order at it.

Only the armed state is here. It lies in the holding, so it is as durable as the position; but it protects only while S4
lives and sees the market, so no guard ever counts as cover.
"""

from decimal import Decimal
from enum import StrEnum
from typing import NewType

from chimera.trading.ids import IntentId
from chimera.trading.market import Side, Touch
from chimera.trading.money import Millis, Price, Qty
from chimera.trading.order import Role
from chimera.trading.value import Value

GuardRef = NewType("GuardRef", str)  # unique among all guards of an account


class Gauge(StrEnum):
    """By which price a guard judges: the futures' mark, or the middle of the book."""

    MARK = "MARK"
    MID = "MID"

    def read(self, touch: Touch | None, mark: Price | None) -> Price | None:
        """The price now; a mark that is not known gives way to the mid. None: the guard is blind."""
        mid = None if touch is None else touch.mid
        return mid if self is Gauge.MID or mark is None else mark


class Guard(Value):
    """``side`` is of the order that goes out when it fires; ``qty`` base asset; ``intent_id`` the oldest lot's."""

    ref: GuardRef
    role: Role  # STOP or TARGET
    side: Side
    price: Price
    qty: Qty
    gauge: Gauge
    armed_ms: Millis
    intent_id: IntentId | None = None

    @property
    def falling(self) -> bool:
        """Whether it fires at its price or below: a long's stop and a short's target."""
        return (self.role is Role.STOP) is (self.side is Side.SELL)

    def touched_by(self, price: Decimal) -> bool:
        return price <= self.price if self.falling else price >= self.price
