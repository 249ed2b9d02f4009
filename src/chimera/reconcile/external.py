"""Orders on the account that are not ours by their id: a person's, another program's, or the venue's own.

Whatever the policy, what they may still add counts against the limits, what they fill is protected like anything else,
and nothing of theirs is cancelled or changed but what keeps a whole position from being closed (``execute.hindered``).
Knows nothing of barriers, alerts or stores.
"""

from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum

from chimera.trading.ids import ClientOrderId, Symbol, child_of, forced_by
from chimera.trading.market import Side
from chimera.trading.money import ZERO, Millis, Price, text
from chimera.trading.value import Value
from chimera.trading.venue import AccountSnapshot, VenueOrder

Name = tuple[Symbol, ClientOrderId]


class ExternalOrders(StrEnum):
    """What their presence means for our own entries in that symbol."""

    ADOPT = "adopt"  # nothing more than the limits they use up
    ISOLATE = "isolate"  # none, while they stand


class Externals(Value):
    """Those that may still fill, by symbol and id; ``heard_ms``: when, for those heard of singly."""

    orders: dict[Name, VenueOrder] = {}
    heard_ms: dict[Name, Millis] = {}

    def heard(self, order: VenueOrder, now_ms: Millis) -> "Externals":
        """After the user stream's word on one order; one of ours changes nothing."""
        if not external(order):
            return self
        name = order.symbol, order.ref
        kept = {each: known for each, known in self.orders.items() if each != name}
        if not order.status.final:
            kept[name] = order
        return Externals(orders=kept, heard_ms={**self.heard_ms, name: now_ms})

    def looked(self, snapshot: AccountSnapshot) -> "Externals":
        """After a look at the whole account; what was heard since it was asked for stands as it was heard."""
        younger = {name: at_ms for name, at_ms in self.heard_ms.items() if at_ms >= snapshot.asked_ms}
        listed = {(order.symbol, order.ref): order for order in snapshot.orders if external(order)}
        orders = {name: order for name, order in listed.items() if name not in younger}
        return Externals(
            orders=orders | {name: order for name, order in self.orders.items() if name in younger}, heard_ms=younger
        )

    def since(self, earlier: "Externals") -> tuple[VenueOrder, ...]:
        """Those that were not there."""
        return tuple(order for name, order in self.orders.items() if name not in earlier.orders)

    def of(self, symbol: Symbol) -> tuple[VenueOrder, ...]:
        return tuple(order for order in self.orders.values() if order.symbol == symbol) if self.orders else ()

    def open_qty(self, symbol: Symbol, side: Side) -> Decimal:
        """Base asset that they may still add on one side: like open entries of ours at the last hop."""
        return sum((_leaves(order) for order in self.of(symbol) if order.side is side and _adds(order)), ZERO)


def external(order: VenueOrder) -> bool:
    """Whether no program of our making gave it its id."""
    return child_of(order.ref) is None


def told(order: VenueOrder) -> str:
    """One line for people."""
    at: Price | None = order.price or order.trigger_price
    what = forced_by(order.ref) or "not ours"
    size = "all" if order.close_position else text(_leaves(order))
    reducing = ", reduce-only" if order.reduce_only and not order.close_position else ""
    price = "" if at is None else f" at {text(at)}"
    return f"{order.symbol} {order.side} {size}{price}{reducing}: {order.ref} ({what})"


def row(order: VenueOrder) -> dict[str, object]:
    """As ``GET /positions`` shows it; amounts as plain digits."""
    return {
        "client_order_id": order.ref,
        "symbol": order.symbol,
        "side": str(order.side),
        "type": None if order.type is None else str(order.type),
        "status": str(order.status),
        "qty": text(order.qty),
        "filled_qty": text(order.cum_qty),
        "price": None if order.price is None else text(order.price),
        "stop_price": None if order.trigger_price is None else text(order.trigger_price),
        "reduce_only": order.reduce_only,
        "close_position": order.close_position,
        "forced": forced_by(order.ref),
    }


def rows(orders: Iterable[VenueOrder]) -> list[dict[str, object]]:
    return [row(order) for order in orders]


def _adds(order: VenueOrder) -> bool:
    return not (order.reduce_only or order.close_position)


def _leaves(order: VenueOrder) -> Decimal:
    return max(order.qty - order.cum_qty, ZERO)
