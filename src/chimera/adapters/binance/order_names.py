"""Which client order id an order id belongs to: ``userTrades`` rows have no client id.

Bounded: the oldest names fall out and are asked for again. Order ids are unique per symbol only. The venue forgets an
order ninety days after it was made, also one that fills later: such a one is called by its number.
"""

from typing import Final

from chimera.trading.ids import ClientOrderId, Symbol, VenueOrderId
from chimera.trading.venue import VenueOrder

REMEMBERED: Final = 1_000  # of all symbols: trades are pulled minutes after their order


class OrderNames:
    def __init__(self, limit: int = REMEMBERED) -> None:
        self._limit = limit
        self._names: dict[tuple[Symbol, VenueOrderId], ClientOrderId] = {}

    def note(self, order: VenueOrder) -> VenueOrder:
        """Remember the order's name; gives the order back. Algo ids are another space, but of other magnitude."""
        if order.venue_id is not None:
            self._names[order.symbol, order.venue_id] = order.ref
            if len(self._names) > self._limit:
                del self._names[next(iter(self._names))]
        return order

    def of(self, symbol: Symbol, venue_id: VenueOrderId) -> ClientOrderId | None:
        return self._names.get((symbol, venue_id))
