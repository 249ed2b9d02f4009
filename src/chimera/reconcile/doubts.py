"""The inbox of doubt: every order whose outcome, cancel or trades we do not know yet, and what would settle it.

Pure: holdings in, rows out. It settles nothing; asking is each owner's duty (``execute.asking``).
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from enum import StrEnum

from chimera.trading.holding import Holding
from chimera.trading.ids import ClientOrderId, IntentId, Symbol
from chimera.trading.market import Market
from chimera.trading.money import ZERO, Millis, Price, text
from chimera.trading.order import Order, Status
from chimera.trading.value import Value


class About(StrEnum):
    """What is not known."""

    OUTCOME = "OUTCOME"  # whether it lives
    CANCEL = "CANCEL"  # whether it is gone
    TRADES = "TRADES"  # at what price it filled


class Doubt(Value):
    """One row. Quantities base asset; ``counted`` is the notional that the limits hold against us meanwhile."""

    ref: ClientOrderId
    intent_id: IntentId | None
    market: Market
    symbol: Symbol
    role: str
    about: About
    qty: Decimal
    since_ms: Millis
    asks: int
    dead_after_ms: Millis | None  # venue clock
    counted: Decimal | None  # quote asset; None: no price is known
    settles: str


def doubts(holdings: Iterable[Holding], near: dict[Symbol, Price | None]) -> tuple[Doubt, ...]:
    """Oldest first. ``near``: what one unit is worth now, per symbol."""
    found = [each for holding in holdings for each in _of(holding, near.get(holding.key.symbol))]
    return tuple(sorted(found, key=lambda each: (each.since_ms, each.ref)))


def row(doubt: Doubt) -> dict[str, object]:
    """As ``GET /doubts`` shows it; amounts as plain digits."""
    return {
        "client_order_id": doubt.ref,
        "intent_id": doubt.intent_id,
        "market": doubt.market.value,
        "symbol": doubt.symbol,
        "role": doubt.role,
        "about": str(doubt.about),
        "qty": text(doubt.qty),
        "since_ms": doubt.since_ms,
        "asks": doubt.asks,
        "dead_after_ms": doubt.dead_after_ms,
        "notional_counted": None if doubt.counted is None else text(doubt.counted),
        "settles": doubt.settles,
    }


def _of(holding: Holding, near: Price | None) -> Iterator[Doubt]:
    for order in holding.orders.values():
        about = _about(order)
        if about is not None:
            yield Doubt(
                ref=order.ref,
                intent_id=order.intent_id,
                market=holding.key.market,
                symbol=order.request.symbol,
                role=order.role.name,
                about=about,
                qty=order.owed_qty if about is About.TRADES else order.leaves_qty,
                since_ms=_since(order, about),
                asks=order.asks,
                dead_after_ms=order.dead_after_ms if about is About.OUTCOME else None,
                counted=_counted(order, near),
                settles=_settles(order, about),
            )


def _about(order: Order) -> About | None:
    if order.status is Status.PENDING_CANCEL or (order.status is Status.IN_DOUBT and order.cancels):
        return About.CANCEL
    if order.status is Status.IN_DOUBT:
        return About.OUTCOME
    return About.TRADES if order.owed else None


def _since(order: Order, about: About) -> Millis:
    """Of a cancel on its way the last attempt's moment: the order itself may have stood for hours."""
    if order.doubted_ms is not None:
        return order.doubted_ms
    if about is About.CANCEL and order.cancel_sent_ms is not None:
        return order.cancel_sent_ms
    if about is About.TRADES and order.ended_ms is not None:
        return order.ended_ms
    return order.created_ms


def _counted(order: Order, near: Price | None) -> Decimal | None:
    """What may still add exposure counts in full; what can only reduce counts nothing."""
    if order.request.reduce_only:
        return ZERO
    price = order.request.price or near
    return None if price is None else order.leaves_qty * price


def _settles(order: Order, about: About) -> str:
    if about is About.TRADES:
        return "its trades, by the user stream or a survey; without them, on futures, the venue's position decides"
    if about is About.CANCEL:
        return "the venue's word that it is gone or filled; it is asked for, and cancelled again while it stands"
    resent = "; meanwhile it is sent again under the same id" if order.resendable and order.request.reduce_only else ""
    dead = "" if order.dead_after_ms is None else "; not found counts once the venue can no longer take it"
    return f"the venue's word on it, by the user stream or a query{dead}{resent}"
