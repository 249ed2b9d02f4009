"""Where stop and target belong: one pair for the whole position, from its lots' own wishes.

Equations as solved, for a long (a short is the mirror), Q the quantity, P the mean entry, F a fee rate:

    net_profit(T) = (T - P) Q - fees_in - F T Q   =>   T = (value / Q + P + fees_in / Q) / (1 - F)
    roe: value = ROE x margin, margin = P Q / leverage
"""

from collections.abc import Sequence
from decimal import Decimal

from chimera.protect.asked import asked_stop
from chimera.protect.liquidation import before_liquidation
from chimera.trading.bracket import Bracket
from chimera.trading.execution import Phase, Working
from chimera.trading.holding import Holding
from chimera.trading.intent import StopSpec, TargetKind, WorkingType
from chimera.trading.market import Side
from chimera.trading.money import BPS, ZERO, Price, Qty, Quote
from chimera.trading.order import Order, Role
from chimera.trading.position import ADOPTED, Lot
from chimera.trading.scene import Scene


def bracket_for(holding: Holding, scene: Scene) -> Bracket | None:
    """What should stand guard now; None when there is nothing to guard.

    The tightest stop and the nearest target of all lots serve the whole position. A stop asked for on its own stands in
    for those of the lots that were there when it was asked for, tighter or not. Where a fill is known and its trade is
    not, the intent's own stop serves already; a default one is measured from where its order met the book.
    """
    exposure = holding.exposure
    if not exposure:
        return None
    entry_side = Side.BUY if exposure > 0 else Side.SELL
    lots = tuple(lot for lot in holding.position.lots if lot.side is entry_side)
    near = None if lots else _near(holding, entry_side, scene)
    if not lots and near is None:
        return None
    wishes = lots if near is None else _expected_lots(holding, Qty(abs(exposure)), entry_side, scene, near)
    asked = asked_stop(holding)
    stops = [stop_price(lot, scene) for lot in wishes if lot.stop is not None and not overruled(lot, asked)]
    if asked is not None and asked.stop_price is not None:
        stops.append(asked.stop_price)
    targets = [price for lot in lots if (price := target_price(lot, holding, scene)) is not None]
    nearest = max if entry_side is Side.BUY else min  # a long's tightest stop is the highest
    closest = min if entry_side is Side.BUY else max
    wished = nearest(stops) if stops else None
    placed = None if wished is None else _in_time(wished, holding, entry_side, scene)
    return Bracket(
        side=entry_side.opposite,
        qty=Qty(abs(exposure)),
        stop_price=placed,
        late_price=None if placed == wished else wished,
        working_type=_working_type(lots, asked, scene),
        target_price=closest(targets) if targets else None,
    )


def _in_time(price: Price, holding: Holding, entry_side: Side, scene: Scene) -> Price:
    bounded = before_liquidation(price, holding, entry_side)
    return price if bounded == price else scene.instrument.stop_toward_entry(bounded, entry_side.opposite)


def overruled(lot: Lot, asked: Working | None) -> bool:
    """Whether a stop asked for on its own came later than this lot and its stop's price, and stands in for it."""
    return asked is not None and (lot.stop_named_ms or lot.opened_ms) <= asked.accepted_ms


def _working_type(lots: tuple[Lot, ...], asked: Working | None, scene: Scene) -> WorkingType:
    wishes = [] if asked is None else [asked.intent.stop]
    wishes += [lot.stop for lot in lots]
    named = (wish.working_type for wish in wishes if wish is not None and wish.working_type is not None)
    return next(named, scene.policy.working_type)


def stop_price(lot: Lot, scene: Scene) -> Price:
    """The lot's own stop, or the default distance from its entry; rounded toward the entry."""
    exit_side = lot.side.opposite
    wanted = lot.stop.price if lot.stop and lot.stop.price is not None else default_stop(lot.entry_px, lot.side, scene)
    return scene.instrument.stop_toward_entry(wanted, exit_side)


def default_stop(entry_px: Decimal, side: Side, scene: Scene) -> Price:
    """``default_stop_bps`` of the entry price on the losing side, not rounded."""
    return Price(entry_px * (1 - side.sign * scene.policy.default_stop_bps / BPS))


def target_price(lot: Lot, holding: Holding, scene: Scene) -> Price | None:
    """The lot's target, rounded toward more profit; None where it asked for none.

    A profit in USDT is meant for the whole intent: while it is still being filled, its full quantity counts.
    """
    if lot.target is None:
        return None
    working = holding.intents.get(lot.intent_id)
    size = max(lot.qty, working.intent.qty) if working and working.phase is Phase.WORKING else lot.qty
    match lot.target.kind:
        case TargetKind.PRICE:
            wanted = lot.target.value
        case TargetKind.ATR:
            wanted = Price(lot.entry_px + lot.side.sign * lot.target.value)
        case TargetKind.NET_PROFIT_USDT:
            wanted = _price_of_profit(lot.target.value, size, lot, scene)
        case TargetKind.ROE:
            margin = lot.entry_px * size / lot.leverage
            wanted = _price_of_profit(lot.target.value * margin, size, lot, scene)
    return scene.instrument.target_away(wanted, lot.side.opposite)


def _price_of_profit(value: Decimal, size: Decimal, lot: Lot, scene: Scene) -> Decimal:
    sign, rate = lot.side.sign, scene.fees.taker
    fees_in = lot.entry_fees / lot.qty  # per base unit
    return (lot.entry_px + sign * (value / size + fees_in)) / (1 - sign * rate)


def _near(holding: Holding, side: Side, scene: Scene) -> Price | None:
    """The market's price; where it is out of sight, that which it had when what has filled was sent."""
    if scene.near is not None:
        return scene.near
    filled = (order for order in holding.orders.values() if order.owed and order.request.side is side)
    return next((px for order in filled if (px := order.mid_at_send or order.request.price) is not None), None)


def _expected_lots(holding: Holding, qty: Qty, side: Side, scene: Scene, near: Price) -> tuple[Lot, ...]:
    """What the trades to come will open, as far as it is known: whose it is, and about where."""
    wishes = [
        (work.intent.stop, _expected_px(holding.of_intent(work.intent_id), side, scene, near))
        for work in holding.opening()
    ]
    return tuple(
        Lot(intent_id=ADOPTED, side=side, qty=qty, cost=Quote(px * qty), opened_ms=scene.now_ms, stop=stop)
        for stop, px in wishes or [(StopSpec(), near)]
    )


def _expected_px(orders: Sequence[Order], side: Side, scene: Scene, near: Price) -> Price:
    """About where the first of them whose trades are to come has filled; mostly right: then one stop is placed.

    What rested filled at its price. What took, took the levels that were seen when it was sent. The market's price
    ``near`` where neither is known, and where it has gone from there by more than half a stop's distance: then the book
    was old, or the stop might stand on the wrong side of the market, and the trade, once it comes, says better.
    """
    order = next((each for each in orders if each.owed and each.request.side is side), None)
    if order is None:
        return near
    px = order.request.price if order.role is Role.MAKER else _taken_px(order)
    return near if px is None or abs(px - near) * 2 * BPS > near * scene.policy.default_stop_bps else px


def _taken_px(order: Order) -> Price | None:
    """The mean of the levels seen when it was sent; what is beyond the last of them, at its price."""
    if order.book_at_send is None:
        return None
    left, cost, px = order.owed_qty, ZERO, Price(ZERO)
    for px, shown in order.book_at_send.levels(order.request.side):
        taken = min(left, shown)
        left, cost = Qty(left - taken), cost + taken * px
    return Price((cost + left * px) / order.owed_qty)
