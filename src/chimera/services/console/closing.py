"""Closing a position from the page: its exact effect before, and afterwards, item by item, how far it has come.

Pure. An ``Effect`` is drawn from the row that S4 shows; its ``token`` names exactly that, so that a confirmation of an
effect that is no longer true is not carried out. Closing is S4's: here it is asked for and watched.
"""

import hashlib
from decimal import Decimal
from enum import StrEnum
from typing import Final

from chimera.services.console.rows import PositionRow, Resting
from chimera.trading.market import Market
from chimera.trading.money import Millis, text
from chimera.trading.value import Value

SHOWN_MS: Final = 60_000  # after its end
GIVEN_UP_MS: Final = 600_000  # a refusal or an unknown answer


class Effect(Value):
    """What a close would do now. ``qty`` is signed base asset; P&L is quote asset, an estimate at the mark."""

    name: str  # of its row
    symbol: str
    market: Market
    qty: Decimal
    mark_price: Decimal | None
    pnl: Decimal
    stop: Resting | None
    target: Resting | None
    closing: str | None
    closed_count: int
    realized: Decimal
    fees: Decimal

    @property
    def side(self) -> str:
        """Of the order that closes."""
        return "SELL" if self.qty > 0 else "BUY"

    @property
    def size(self) -> Decimal:
        return abs(self.qty)

    @property
    def token(self) -> str:
        """Names the quantity and the orders; prices may move under it."""
        orders = [order.client_order_id if order else "-" for order in (self.target, self.stop)]
        named = "|".join([self.name, text(self.qty), *orders])
        return hashlib.sha256(named.encode()).hexdigest()[:16]


def effect_of(row: PositionRow) -> Effect:
    return Effect(
        name=row.name,
        symbol=row.symbol,
        market=Market(row.market),
        qty=row.qty,
        mark_price=row.mark_price,
        pnl=row.unrealized_pnl,
        stop=row.stop,
        target=row.target,
        closing=row.exit,
        closed_count=row.closed_count,
        realized=row.realized_pnl,
        fees=row.fees,
    )


class Answer(StrEnum):
    """What S4 said to it."""

    TAKEN = "TAKEN"
    REFUSED = "REFUSED"
    UNKNOWN = "UNKNOWN"  # no answer: it may have been taken


class Close(Value):
    """One close that was asked for here."""

    close_id: str
    effect: Effect
    asked_ms: Millis
    answer: Answer
    words: str
    target_gone: bool = False
    stop_gone: bool = False
    left: Decimal | None = None  # base asset; None until S4 has been looked at again
    result: Decimal | None = None  # realised less fees, quote asset, once flat
    ended_ms: Millis | None = None

    def follow(self, row: PositionRow | None, now_ms: Millis) -> "Close | None":
        """What the newest row says of it; None once it need not be shown any longer."""
        if self.ended_ms is not None:
            return None if now_ms - self.ended_ms > SHOWN_MS else self
        if self.answer is not Answer.TAKEN and now_ms - self.asked_ms > GIVEN_UP_MS:
            return None
        if row is None or self.answer is Answer.REFUSED:
            return self
        if not row.is_open or row.closed_count > self.effect.closed_count:
            gained = (row.realized_pnl - row.fees) - (self.effect.realized - self.effect.fees)
            return self.but(target_gone=True, stop_gone=True, left=Decimal(0), result=gained, ended_ms=now_ms)
        return self.but(
            target_gone=_gone(self.effect.target, row.target),
            stop_gone=_gone(self.effect.stop, row.stop),
            left=abs(row.qty),
        )


def _gone(before: Resting | None, now: Resting | None) -> bool:
    return before is None or now is None or now.client_order_id != before.client_order_id
