"""The venue's position wins where no trade explains it: the difference is booked, and whose lot it was is guessed.

Called once enough surveys in a row have disagreed; it does not know how many that were, and asks nothing.
"""

from collections.abc import Iterator
from typing import Final

from chimera.execute.hear import lot_for, of_the_next, rooted, stop_entering
from chimera.execute.untold import presumed
from chimera.reconcile.survey import shrinks
from chimera.trading.fill import Fill
from chimera.trading.holding import Holding
from chimera.trading.ids import ClientOrderId, IntentId, TradeId, VenueOrderId
from chimera.trading.intent import StopSpec, TargetKind, TargetSpec
from chimera.trading.market import Side
from chimera.trading.money import ZERO, Price, Qty, Quote
from chimera.trading.order import Role, Status
from chimera.trading.position import ADOPTED, adopted_lot
from chimera.trading.scene import Scene
from chimera.trading.venue import VenuePosition, VenueSnapshot

_NOT_FIRED: Final = (Status.NEW, Status.PENDING_CANCEL, Status.CANCELED)


def believe_position(holding: Holding, snapshot: VenueSnapshot, scene: Scene) -> Holding:
    """What is suspected is booked as an inferred trade, its id a function of what was seen.

    What this reading alone shows beyond that is a suspicion for the next ones to judge. Of a position that shrank, what
    was opened without an intent goes first (a trade that came after it was inferred is counted beside it), then what is
    being closed, or is due to be: that is not closed once more.
    """
    venue = snapshot.position
    believed_qty = holding.position.qty + holding.suspected
    size = abs(holding.suspected)
    inferred = Fill(
        trade_id=TradeId(f"inferred-{venue.updated_ms}-{believed_qty}"),
        ref=ClientOrderId("inferred"),
        venue_id=VenueOrderId(""),
        market=holding.key.market,
        symbol=holding.key.symbol,
        side=Side.BUY if holding.suspected > 0 else Side.SELL,
        price=_price(holding, venue, scene),
        qty=Qty(size),
        fee=ZERO,
        fee_asset="",
        realized_pnl=Quote(ZERO),
        maker=False,
        at_ms=snapshot.asked_ms,
    )
    holding, likely = presumed(holding, inferred.side, inferred.qty)
    lot = adopted_lot(inferred) if likely is None else lot_for(holding, likely, inferred, scene).but(intent_id=ADOPTED)
    stop, target = (_standing(holding, role, inferred.side.opposite) for role in (Role.STOP, Role.TARGET))
    if stop is not None:  # it has one already, of an earlier life of ours: that one serves
        lot = lot.but(stop=StopSpec(price=stop))
    if target is not None:
        lot = lot.but(target=TargetSpec(kind=TargetKind.PRICE, value=target))
    rest = venue.qty - believed_qty
    believed = holding.but(
        position=holding.position.apply(inferred, lot, first=_doubtful(holding, snapshot)),
        strikes=1 if rest else 0,
        suspected=rest,
    )
    if shrinks(holding):
        believed = stop_entering(holding, believed, "UNSEEN")
    wanted = holding.exit
    if wanted is not None and wanted.left_qty is not None and abs(believed_qty) < abs(holding.position.qty):
        believed = believed.but(exit=wanted.but(left_qty=Qty(max(wanted.left_qty - size, ZERO))))
    return rooted(holding, of_the_next(holding, believed), inferred)


def _price(holding: Holding, venue: VenuePosition, scene: Scene) -> Price:
    """What was opened stands at the venue's entry price, and so does what nobody's intent had opened: mostly it was
    inferred itself, and was counted beside its trade. Of an intent's lot nobody told at which price it went, and hardly
    will: no better than it was opened at, than the mark, and than the stop that is gone with it, so that the day's loss
    does not lack it.
    """
    held, suspected = holding.position, holding.suspected
    adopted = sum((lot.qty for lot in held.lots if lot.intent_id == ADOPTED), ZERO)
    closes_ours = held.qty * suspected < 0 and adopted < abs(suspected) <= abs(held.qty)
    if held.entry_px is None or not closes_ours:
        return venue.entry_px or venue.mark_px or held.entry_px or Price(ZERO)
    likely = (held.entry_px, venue.mark_px or scene.near or held.entry_px, *_fired_at(holding))
    return min(likely) if suspected < 0 else max(likely)


def _fired_at(holding: Holding) -> Iterator[Price]:
    """The triggers of this opening's stops that the venue had, and that are over or missing without our doing."""
    for order in holding.in_role(Role.STOP):
        stood = order.venue_id is not None and order.episode == holding.position.closed_count
        if stood and order.status not in _NOT_FIRED and order.request.trigger_price is not None:
            yield order.request.trigger_price


def _doubtful(holding: Holding, snapshot: VenueSnapshot) -> tuple[IntentId, ...]:
    """Whose lots an unseen trade has most likely closed."""
    closing = () if holding.exit is None else holding.exit.lots
    lots = holding.position.lots
    due = (lot.intent_id for lot in lots if lot.close_at_ms is not None and lot.close_at_ms <= snapshot.asked_ms)
    return (ADOPTED, *closing, *due)


def _standing(holding: Holding, role: Role, side: Side) -> Price | None:
    """The price of a live stop or target on the side that would close."""
    live = (
        order.request
        for order in holding.in_role(role)
        if order.live and order.request.side is side and holding.stands(order)
    )
    return next((request.trigger_price for request in live), None)
