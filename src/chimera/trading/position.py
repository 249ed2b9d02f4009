"""A position as lots by intent: the venue nets per symbol, we remember who opened what, at which price.

Fills against the position close lots first-in first-out; what exceeds them opens a lot of the other side, which is
``ADOPTED`` because no intent asked for it. The position's quantity is the sum of its lots, never a field of its own.
"""

from decimal import Decimal
from typing import Final

from chimera.trading.fill import Fill
from chimera.trading.ids import DEFAULT_STRATEGY, IntentId, StrategyId
from chimera.trading.intent import StopSpec, TargetSpec
from chimera.trading.market import Side
from chimera.trading.money import ZERO, Millis, Price, Qty, Quote
from chimera.trading.value import Value

GRAIN: Final = Decimal("1e-12")  # of cost and fees, in quote asset
ADOPTED: Final = IntentId("adopted")


class Lot(Value):
    """What one intent holds: open quantity (base asset, > 0), mean entry price, and its own stop and target wishes."""

    intent_id: IntentId
    side: Side
    qty: Qty
    cost: Quote  # sum of price x quantity of what is open: exact, as a mean price is not
    opened_ms: Millis
    strategy_id: StrategyId = DEFAULT_STRATEGY
    entry_fees: Quote = Quote(ZERO)  # of the open quantity, in quote asset
    stop: StopSpec | None = None
    target: TargetSpec | None = None
    leverage: int = 20
    close_at_ms: Millis | None = None  # max_hold_s, as a moment
    stop_named_ms: Millis = Millis(0)  # when its stop began to count, or was named anew, by our clock; 0: as it opened

    @property
    def entry_px(self) -> Price:
        """Mean entry price of what is open."""
        return Price(self.cost / self.qty)

    def without(self, qty: Decimal) -> "Lot":
        """What stays when ``qty`` of it is closed. Cost and fees are cut to ``GRAIN``; the closed part has the rest."""
        kept = self.qty - qty
        return self.but(
            qty=Qty(kept),
            cost=Quote((self.cost * kept / self.qty).quantize(GRAIN)),
            entry_fees=Quote((self.entry_fees * kept / self.qty).quantize(GRAIN)),
        )


def adopted_lot(fill: Fill) -> Lot:
    """What a fill opens that no intent of ours asked for."""
    return Lot(
        intent_id=ADOPTED,
        side=fill.side,
        qty=fill.qty,
        cost=Quote(fill.price * fill.qty),
        opened_ms=fill.at_ms,
        stop=StopSpec(),
    )


class Position(Value):
    """All lots of one symbol, oldest first, all of one side; ``realized`` is quote asset before fees."""

    lots: tuple[Lot, ...] = ()
    realized: Quote = Quote(ZERO)
    fees: Quote = Quote(ZERO)
    closed_count: int = 0  # times it went back to flat
    dust_qty: Decimal = ZERO  # all that ever left unsold (spot), and what it had cost
    dust_cost: Quote = Quote(ZERO)

    @property
    def qty(self) -> Decimal:
        """Base asset, + long, - short."""
        return sum((lot.qty * lot.side.sign for lot in self.lots), ZERO)

    @property
    def side(self) -> Side | None:
        """The side that opened it; None when flat."""
        return self.lots[0].side if self.lots else None

    @property
    def entry_px(self) -> Price | None:
        """Mean entry price of what is open."""
        size = sum((lot.qty for lot in self.lots), ZERO)
        return Price(sum((lot.cost for lot in self.lots), ZERO) / size) if size else None

    def without_dust(self) -> "Position":
        """Flat, though something is left that nobody can sell; it goes at what it cost."""
        cost = sum((lot.cost for lot in self.lots), ZERO)
        return self.but(
            lots=(),
            closed_count=self.closed_count + 1,
            dust_qty=self.dust_qty + self.qty,
            dust_cost=Quote(self.dust_cost + cost),
        )

    def in_turn(self, first: tuple[IntentId, ...]) -> list[Lot]:
        """The lots in the order in which a fill against them closes them."""
        return sorted(self.lots, key=lambda lot: (lot.intent_id not in first, lot.opened_ms))

    def apply(
        self, fill: Fill, opened_as: Lot, *, first: tuple[IntentId, ...] = (), fee: Quote | None = None
    ) -> "Position":
        """Close lots of the other side, those of ``first`` before the oldest; the rest grows ``opened_as``'s lot.

        ``opened_as`` carries who and with which wishes; its quantity and price are taken from the fill. ``fee``: what
        it cost in quote asset, where that is not the fill's own figure.
        """
        paid = Quote(fill.fee) if fee is None else fee
        left, realized = Decimal(fill.qty), Decimal(self.realized)
        lots = self.in_turn(first)
        while left and lots and lots[0].side is not fill.side:
            oldest = lots.pop(0)
            closed = min(left, oldest.qty)
            kept = oldest.without(closed) if closed < oldest.qty else None
            spent = oldest.cost - (kept.cost if kept else ZERO)
            realized += (fill.price * closed - spent) * oldest.side.sign
            left -= closed
            if kept is not None:
                lots.insert(0, kept)
        if left:
            lots = _grow(lots, opened_as, fill, Qty(left), paid)
        return self.but(
            lots=tuple(lots),
            realized=Quote(realized),
            fees=Quote(self.fees + paid),
            closed_count=self.closed_count + (1 if self.lots and not lots else 0),
        )


def _grow(lots: list[Lot], opened_as: Lot, fill: Fill, qty: Qty, paid: Quote) -> list[Lot]:
    share = Quote(paid * qty / fill.qty)
    for index, lot in enumerate(lots):
        if lot.intent_id == opened_as.intent_id:
            size = lot.qty + qty
            cost = Quote(lot.cost + fill.price * qty)
            grown = lot.but(qty=Qty(size), cost=cost, entry_fees=Quote(lot.entry_fees + share))
            return [*lots[:index], grown, *lots[index + 1 :]]
    return [*lots, opened_as.but(side=fill.side, qty=qty, cost=Quote(fill.price * qty), entry_fees=share)]
