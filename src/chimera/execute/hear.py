"""Taking in the venue's word: an order's state and its trades, whoever brought them, in whatever order they come.

Words may be late, repeated or contradictory. Filled quantity only grows; the position is the sum of our trades; a
trade counts once by its id. What the order table does not allow raises ``IllegalTransition`` to the caller.
"""

from decimal import Decimal
from typing import Final

from chimera.execute.entry import NOTHING_LEFT, pointless
from chimera.execute.untold import presumed
from chimera.execute.wallet import by_hand, moved, nobodys
from chimera.trading.booking import Booking, effects_of, shares_of
from chimera.trading.execution import Phase
from chimera.trading.fill import Fill
from chimera.trading.form import Form
from chimera.trading.holding import Holding
from chimera.trading.ids import (
    ClientOrderId,
    IntentId,
    child_of,
    derived_id,
    forced_by,
    is_forgotten,
    stands_in,
    stem_of,
)
from chimera.trading.money import ZERO, Millis, Qty, Quote
from chimera.trading.order import FIRING, OPEN, NewOrder, Order, OrderType, Role, Status, TimeInForce, Trigger
from chimera.trading.position import ADOPTED, Lot, adopted_lot
from chimera.trading.scene import Scene
from chimera.trading.venue import VenueOrder

LOOK_SOON_MS = 2_000
CLOSING: Final = (Role.STOP, Role.TARGET, Role.EXIT)
ENTRIES: Final = (Role.MAKER, Role.TAKER)
NONE: Final = Qty(ZERO)
MARKET_CHECK_MS = 500  # one that does not rest is over by then, and its fill bare while nobody told of it
OWED_ASK_MS = 200  # how long the stream may take to bring a trade that a reply has told of

_TRIGGERS: Final = {
    Status.PENDING_NEW: Trigger.ACKED,
    Status.NEW: Trigger.ACKED,
    Status.PENDING_CANCEL: Trigger.ACKED,
    Status.PARTIALLY_FILLED: Trigger.PART_FILLED,
    Status.TRIGGERING: Trigger.TRIGGERED,
    Status.FILLED: Trigger.FILLED,
    Status.CANCELED: Trigger.CANCELED,
    Status.EXPIRED: Trigger.EXPIRED,
    Status.REJECTED: Trigger.REFUSED,
    Status.IN_DOUBT: Trigger.MISSING,
}


def hear(order: Order, word: VenueOrder, scene: Scene) -> Order:
    """The order after the venue's word on it. An older word (less filled than we know) moves nothing but its end."""
    order = _as_it_stands(order, word) if order.role.protective else order
    known = max(order.told_qty, order.venue_cum_qty)
    trigger = _TRIGGERS[word.status]
    if trigger is Trigger.ACKED and order.request.conditional and not word.conditional:
        trigger = Trigger.TRIGGERED  # the order endpoint knows it: that is its child, and nothing waits for a price now
    filled = max(known, word.cum_qty)
    heard = order.but(
        venue_id=word.venue_id or order.venue_id,
        venue_cum_qty=filled,
        untold_qty=order.untold_qty if order.status.final else NONE,  # its own word outranks what was presumed
        venue_qty=word.qty if word.qty and word.qty != order.request.qty else order.venue_qty,
    )
    stale = word.cum_qty < known and not word.status.final
    if stale or (trigger is Trigger.ACKED and order.status is Status.TRIGGERING):
        return heard
    return settle(heard.after(trigger), order, scene)


def _as_it_stands(order: Order, word: VenueOrder) -> Order:
    """By the venue's terms, where they are others: an earlier life of ours has sent it under this id, and died."""
    asked = order.request
    price = asked.price and (word.price or asked.price)
    trigger = asked.trigger_price and (word.trigger_price or asked.trigger_price)
    whole = word.close_position and asked.form is not Form.WHOLE
    if (word.side, price, trigger, whole) == (asked.side, asked.price, asked.trigger_price, False):
        return order
    stands = asked.but(side=word.side, price=price, trigger_price=trigger)
    return order.but(request=stands.but(form=Form.WHOLE, qty=NONE) if whole else stands)


def settle(order: Order, before: Order, scene: Scene) -> Order:
    """Set the moments that follow from a status: when to ask again, when a firing stop is stuck, when it ended."""
    now = scene.now_ms
    if order.status.final:
        order = order if order.ended_ms is not None else order.but(ended_ms=now)
    elif order.ended_ms is not None:
        order = order.but(ended_ms=None)
    if order.status is not Status.IN_DOUBT:
        order = order.but(doubted_ms=None) if order.doubted_ms is not None else order
    elif before.status is not Status.IN_DOUBT:
        return order.but(ask_at_ms=now, asks=0, doubted_ms=now)
    if order.role.protective and order.status in FIRING and order.patience_ms is None:
        patience = Millis(now + scene.policy.trigger_patience_ms)
        order = order.but(patience_ms=patience, ask_at_ms=order.ask_at_ms or patience)
    if order.owed:
        return order if before.owed and order.ask_at_ms else order.but(ask_at_ms=Millis(now + OWED_ASK_MS), asks=0)
    firing = order.status in FIRING and order.patience_ms is not None
    if firing or order.status in (Status.IN_DOUBT, Status.PENDING_NEW):
        return order
    return order.but(ask_at_ms=_check_at(order, scene), asks=0, resends=0, patience_ms=None)


def _check_at(order: Order, scene: Scene) -> Millis | None:
    """When to ask for an order that is open as far as we know: news of its end may have been lost on the way."""
    if order.status not in OPEN or order.role in (Role.TARGET, Role.EXTERNAL):
        return None
    if order.role is Role.STOP:
        return Millis(scene.now_ms + scene.policy.stop_check_ms) if order.live else None
    asked = order.request
    at_once = asked.type is OrderType.MARKET or asked.time_in_force is TimeInForce.IOC
    pause = MARKET_CHECK_MS if at_once else scene.policy.maker_check_ms
    return Millis(scene.now_ms + pause)


def take_fill(holding: Holding, fill: Fill, scene: Scene, *, before_qty: Qty = NONE) -> Holding:
    """Count a trade once: into its order, into the position, into the ids we have seen.

    ``before_qty``: what the venue says had filled of this order before this trade, for an order we do not know.
    """
    confirmed = holding.trades_confirmed_ms - scene.policy.trades_overlap_ms
    if fill.trade_id in holding.seen_trades or fill.at_ms < confirmed:
        return holding
    if nobodys(fill, holding):
        return by_hand(holding, fill, scene)
    order = opener = holding.orders.get(fill.ref) or _stranger(fill, before_qty, holding, scene)
    if is_forgotten(fill.ref):
        holding, likely = presumed(holding, fill.side, fill.qty)
        opener = likely or order
    first = _whose(holding, order)
    net = fill.but(qty=moved(fill, scene))
    after = holding.but(
        position=holding.position.apply(
            net, lot_for(holding, opener, net, scene), first=first, fee=_fee_in_quote(fill, scene)
        ),
        seen_trades={**holding.seen_trades, fill.trade_id: fill.at_ms},
        filled_ms=scene.now_ms,
    )
    after = after.with_order(settle(order.with_fill(fill), order, scene))
    return _booked(holding, _turned(holding, after, order, fill, scene), fill, scene)


def _whose(holding: Holding, order: Order) -> tuple[IntentId, ...]:
    """Whose lots it closes before the oldest. Who closes by hand closes what he opened by hand."""
    if order.role is Role.EXTERNAL:
        return () if forced_by(order.ref) else (ADOPTED,)
    return holding.exit.lots if holding.exit is not None and order.role is Role.EXIT else ()


def _booked(before: Holding, after: Holding, fill: Fill, scene: Scene) -> Holding:
    """For the cash ledger: of which opening the trade is, and what it did to whose lots."""
    booking = Booking(
        position=(before.root if before.position.lots else after.root) or "",
        base=scene.instrument.base,
        quote=scene.instrument.quote,
        effects=effects_of(before.position, after.position, fill),
        held=shares_of(after.position),
    )
    return after.but(booked={**after.booked, fill.trade_id: booking})


def _turned(before: Holding, after: Holding, order: Order, fill: Fill, scene: Scene) -> Holding:
    """What a trade that opened, closed or turned the position means for the rest of the holding."""
    after = _counted_on(rooted(before, after, fill), fill.ref)
    after = of_the_next(before, after)
    flat = bool(before.position.lots) and not after.position.lots
    if flat or order.role is Role.EXTERNAL:  # what still rests; where the venue would liquidate what others opened
        after = after.but(survey_due_ms=Millis(min(after.survey_due_ms, scene.now_ms + LOOK_SOON_MS)))
    if not before.position.lots:  # from now on as often as what is held
        usual = Millis(scene.now_ms + scene.policy.survey_every_ms)
        after = after.but(survey_due_ms=min(after.survey_due_ms, usual))
    elif after.position.side is not before.position.side:
        after = after.but(liquidation_px=None)  # of another position; for a larger one it goes on as a bound
    if order.role in (*CLOSING, Role.EXTERNAL):  # by hand, or by the venue: a liquidation is not bought back
        after = stop_entering(before, after, order.role.name)
    if after.exit is not None and after.exit.left_qty is not None and order.role is Role.EXIT:
        after = after.but(exit=after.exit.but(left_qty=Qty(max(after.exit.left_qty - fill.qty, ZERO))))
    return after


def of_the_next(before: Holding, after: Holding) -> Holding:
    """Where the position is over, flat or turned: what was refused to it says nothing of the next one's, nor is that
    closed or reduced for it, though its trade came in the same breath. The close of everything goes on while something
    of ours may still fill.
    """
    if not before.position.lots or before.position.side is after.position.side:
        return after
    wanted = after.exit
    if after.position.lots and wanted is not None and wanted.left_qty is None:
        wanted = None
    elif wanted is not None and (wanted.left_qty is not None or not (after.exposure or after.entering)):
        wanted = wanted.but(qty=wanted.qty or NONE, left_qty=NONE)  # it stays while an order of it is in doubt
    return _reducing_no_more(after).but(
        exit=wanted,
        stop_tries=0,
        stop_retry_at_ms=None,
        refused_stop_forms=(),
        target_tries=0,
        target_retry_at_ms=None,
        refused_target_forms=(),
    )


def _reducing_no_more(holding: Holding) -> Holding:
    """What was to reduce it and has not is over."""
    stopped = {
        key: work.but(canceling=True, reason=NOTHING_LEFT)
        for key, work in holding.intents.items()
        if work.phase is Phase.WORKING and not work.canceling and pointless(work, holding.of_intent(key), holding)
    }
    return holding.but(intents={**holding.intents, **stopped}) if stopped else holding


def _counted_on(holding: Holding, ref: ClientOrderId) -> Holding:
    """No protective id is given out again that the venue has seen: its first sending may have outrun our saving."""
    child = child_of(ref)
    if child is None or not holding.root or child[0] != stem_of(holding.root):
        return holding
    if Role(child[1]) not in CLOSING or child[2] <= holding.child_no:
        return holding
    return holding.but(child_no=child[2])


def out_of_turn(holding: Holding, fill: Fill, order: VenueOrder) -> bool:
    """Whether an entry's trade would close lots that a close has closed by the venue's word, its own trades to come:
    booked first, it would take the close's place, and what the close then opened would be nobody's."""
    lots = holding.position.lots
    if order.reduce_only or not lots or lots[0].side is fill.side:
        return False
    return any(
        each.owed and each.request.reduce_only and each.request.side is fill.side and each.ref != fill.ref
        for each in holding.orders.values()
    )


def stop_entering(before: Holding, after: Holding, by: str) -> Holding:
    """Whoever's lot somebody else than its intent has just reduced buys no more: its view was wrong, or is over."""
    left = {lot.intent_id: lot.qty for lot in after.position.lots}
    return _entering_no_more(
        after, {lot.intent_id for lot in before.position.lots if left.get(lot.intent_id, ZERO) < lot.qty}, by
    )


def closed_by_word(holding: Holding, order: Order) -> Holding:
    """Likewise whose lot this order has closed by the venue's word, before its trades are told."""
    if order.role not in (*CLOSING, Role.EXTERNAL) or order.request.side is holding.position.side:
        return holding
    first = holding.exit.lots if holding.exit is not None and order.role is Role.EXIT else ()
    closed: set[IntentId] = set()
    left: Decimal = order.owed_qty
    for lot in holding.position.in_turn(first):
        if left > 0:
            closed.add(lot.intent_id)
        left -= lot.qty
    return _entering_no_more(holding, closed, order.role.name)


def _entering_no_more(holding: Holding, intents: set[IntentId], by: str) -> Holding:
    stopped = {
        key: work.but(canceling=True, reason=f"CLOSED_BY_{by}")
        for key, work in holding.intents.items()
        if key in intents and work.phase is Phase.WORKING and not work.canceling
    }
    return holding.but(intents={**holding.intents, **stopped}) if stopped else holding


def _fee_in_quote(fill: Fill, scene: Scene) -> Quote:
    """The fee in quote asset; one paid in another asset (BNB) counts as the taker rate would, which is no less."""
    if fill.fee_asset in ("", scene.instrument.quote):
        return Quote(fill.fee)
    if fill.fee_asset == scene.instrument.base and not scene.instrument.market.reduces_only:
        return Quote(fill.fee * fill.price)
    return Quote(fill.price * fill.qty * scene.fees.taker)


def adopt(holding: Holding, word: VenueOrder, scene: Scene) -> Holding:
    """An open order under one of our ids that this state does not know: its sending outran our saving."""
    child = child_of(word.ref)
    if child is None or word.type is None:
        return holding
    root, letter, number = child
    futures = holding.key.market.reduces_only
    request = NewOrder(
        ref=word.ref,
        symbol=word.symbol,
        side=word.side,
        type=word.type,
        qty=word.qty,
        price=word.price,
        trigger_price=word.trigger_price,
        reduce_only=word.reduce_only or word.close_position or (not futures and Role(letter) in CLOSING),
        time_in_force=TimeInForce.GTX if Role(letter) is Role.TARGET and not futures else None,
        form=_form_of(word) if futures else Form.OCO if word.list_id else Form.ALONE,
    )
    order = Order(
        request=request,
        role=Role(letter),
        intent_id=_forgotten_of(child, holding),
        created_ms=scene.now_ms,
        before_qty=word.cum_qty,
        episode=holding.position.closed_count,
    )
    known = holding.with_order(hear(order, word, scene))
    if holding.root and root == stem_of(holding.root) and Role(letter) in CLOSING:
        known = known.but(child_no=max(known.child_no, number))
    return known


def _forgotten_of(child: tuple[ClientOrderId, str, int] | None, holding: Holding) -> IntentId | None:
    """Whose entry it is. None of ours leaves before it is saved: only a ledger that was put back has forgotten one."""
    if child is None or not holding.restored_ms or Role(child[1]) not in ENTRIES:
        return None
    return next((name for name, work in holding.intents.items() if stem_of(work.root) == child[0]), None)


def _form_of(word: VenueOrder) -> Form:
    if word.close_position:
        return Form.WHOLE
    waits = word.type is not None and word.type.conditional and not word.conditional
    return Form.REGULAR if waits else Form.QTY


def _stranger(fill: Fill, before_qty: Qty, holding: Holding, scene: Scene) -> Order:
    """The order of a trade that we did not send, or forgot: by hand, a liquidation, or news from long ago."""
    child = child_of(fill.ref)
    qty = Qty(fill.qty + before_qty)
    request = NewOrder(ref=fill.ref, symbol=fill.symbol, side=fill.side, type=OrderType.MARKET, qty=qty)
    return Order(
        request=request,
        role=Role(child[1]) if child else Role.EXTERNAL,
        intent_id=_forgotten_of(child, holding),
        created_ms=scene.now_ms,
        venue_id=fill.venue_id,
        before_qty=before_qty,
        episode=holding.position.closed_count,
    )


def lot_for(holding: Holding, order: Order, fill: Fill, scene: Scene) -> Lot:
    """Who this fill opens for, should it open."""
    working = holding.working_of(order)
    here_ms = min(fill.at_ms - scene.venue_now_ms + scene.now_ms, scene.now_ms)  # the trade's moment by our clock
    blank = adopted_lot(fill).but(stop_named_ms=Millis(here_ms))
    if working is None:
        return blank
    intent = working.intent
    hold = intent.max_hold_s
    return blank.but(
        intent_id=intent.intent_id,
        strategy_id=intent.strategy_id,
        stop=intent.stop,
        target=intent.target,
        leverage=intent.leverage,
        close_at_ms=None if hold is None else Millis(here_ms + hold * 1000),
    )


def rooted(before: Holding, after: Holding, fill: Fill) -> Holding:
    """Where it opened or turned the position: protective ids hang under its first intent, or under the trade itself.

    Never under the key alone, whose ids an earlier life may have used: a ledger that was lost counts from one again.
    A stand-in keeps the root he was given: the trade's would be another life's, too.
    """
    if after.root is not None and stands_in(after.root):
        return after
    if before.position.side is after.position.side or not after.position.lots:
        return after
    working = after.intents.get(after.position.lots[0].intent_id)
    if working is not None and after.named(working):
        return after.but(root=working.root)
    if after.restored_ms:  # the life that is forgotten may have used the names of its intents and trades
        return after.but(root=derived_id("rs", f"{after.key}:{after.restored_ms}:{fill.trade_id}"))
    return after.but(root=derived_id("cx", f"{after.key}:{fill.trade_id}"))
