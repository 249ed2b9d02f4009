"""What happened between two states of a holding, as events in its outbox: the one place where events are made.

States are immutable, so what did not change is the same object and costs nothing to pass over.
"""

from collections.abc import Iterator, Sequence

from chimera.execute import entry, hindered
from chimera.execute.guard_news import news_of_guards
from chimera.execute.list_news import news_of_lists
from chimera.execute.overtaken import STOP_FIRST
from chimera.protect.bracket import bracket_for
from chimera.trading.booking import Booking
from chimera.trading.events import (
    Alert,
    CancelRecorded,
    Event,
    FillRecorded,
    Happening,
    IntentChanged,
    OrderChanged,
    PositionChanged,
    ProtectionArmed,
    Severity,
)
from chimera.trading.execution import CANCELED_BY, UNGUARDABLE, Working
from chimera.trading.fill import Fill
from chimera.trading.form import Form
from chimera.trading.holding import Holding
from chimera.trading.ids import DEFAULT_STRATEGY, IntentId, StrategyId, forced_by
from chimera.trading.intent import OrderList, StopAlone
from chimera.trading.liquidity import slip_bps
from chimera.trading.money import Qty, text
from chimera.trading.order import FIRING, Order, Role, Status
from chimera.trading.position import ADOPTED
from chimera.trading.scene import Scene
from chimera.wire.codec import encode
from chimera.wire.results import done, order_result

CANCEL_TRIES = 3  # sent so often and not gone: it failed (it is sent again all the same)
EXIT_TRIES = 3  # failed in a row: somebody must hear, and it is tried on

CHANGE, DAY = "CHANGE", "DAY"  # why a position is told: it is another, or a UTC day began with it open

_GIVEN_UP = (entry.NO_MARGIN, entry.VENUE_AWAY)


def tell(before: Holding, after: Holding, alerts: tuple[Alert, ...], scene: Scene) -> Holding:
    """``after`` with the events of this step appended to its outbox."""
    happenings: list[Happening] = []
    touched: set[IntentId] = {key for key, work in after.intents.items() if before.intents.get(key) is not work}
    known_of = before.orders.get
    changed = [order for ref, order in after.orders.items() if known_of(ref) is not order]
    for order in changed:
        news = _of_order(known_of(order.ref), order, after)
        happenings += news
        if news and order.intent_id:
            touched.add(order.intent_id)
    touched |= {key for key, work in after.intents.items() if _shows_protection(work)}
    happenings += news_of_lists(before, after, scene)
    happenings += news_of_guards(before, after)
    if before.position is not after.position:
        happenings.append(_of_position(after, CHANGE))
    elif before.day != after.day and after.position.lots:
        happenings.append(_of_position(after, DAY))
    # dict order, not set order: the same run tells the same story
    happenings += [
        _of_intent(after, key) for key in after.intents if key in touched and _newsworthy(before, after, key)
    ]
    happenings += (*_cancels(before, after), *after.closes)
    after, timeouts = _maker_timeouts([order for order in changed if order.ref not in before.orders], after, scene)
    happenings += alerts + timeouts + _alarms(before, after, scene)
    if not happenings:
        return after
    events = tuple(
        Event(seq=after.event_seq + number, at_ms=scene.now_ms, body=body)
        for number, body in enumerate(happenings, start=1)
    )
    return after.but(event_seq=after.event_seq + len(events), outbox=after.outbox + events, booked={}, closes=())


def _of_order(known: Order | None, order: Order, holding: Holding) -> list[Happening]:
    news: list[Happening] = []
    strategy = _strategy(order, holding)
    if known is None and order.fills:
        news.append(_of_stranger(order))
    old_fills = known.fills if known else {}
    if known is None or known.status is not order.status or len(old_fills) != len(order.fills):
        news.append(OrderChanged(order=order, strategy_id=strategy))
    if order.cancels >= CANCEL_TRIES > (known.cancels if known else 0):
        told = f"{order.ref}: cancelled {order.cancels} times and still {known.status if known else order.status}"
        news.append(Alert(severity=Severity.FATAL, code="CANCEL_FAILED", text=told))
    news += [
        _of_fill(fill, order, strategy, holding.booked.get(trade_id))
        for trade_id, fill in order.fills.items()
        if trade_id not in old_fills
    ]
    armed = order.status is Status.NEW and (known is None or known.status in (Status.PENDING_NEW, Status.IN_DOUBT))
    stands_at = order.request.trigger_price or order.request.price  # spot's target is a limit order
    if armed and order.role.protective and stands_at is not None:
        news.append(
            ProtectionArmed(
                ref=order.ref,
                kind=order.role.name,
                side=order.request.side,
                qty=Qty(abs(holding.exposure)) if order.request.form is Form.WHOLE else order.qty,
                trigger_price=stands_at,
                position_qty=holding.position.qty,
            )
        )
    return news


def _of_stranger(order: Order) -> Alert:
    """A trade of an order that this state did not know: the venue's own, somebody else's, or ours and forgotten."""
    deed = forced_by(order.ref)
    fill = next(iter(order.fills.values()))
    told = f"{order.request.symbol} {fill.side} {fill.qty} at {fill.price} by {order.ref}"
    if deed is not None:
        return Alert(severity=Severity.FATAL, code=deed, text=told)
    code = "EXTERNAL_FILL" if order.role is Role.EXTERNAL else "FILL_OF_UNKNOWN_ORDER"
    return Alert(severity=Severity.ERROR, code=code, text=told)


def _of_fill(fill: Fill, order: Order, strategy: StrategyId, booking: Booking | None) -> FillRecorded:
    mid = order.mid_at_send
    return FillRecorded(
        fill=fill,
        intent_id=order.intent_id,
        strategy_id=strategy,
        mid_at_send=mid,
        slippage_bps=None if mid is None else slip_bps(fill.price, mid, fill.side),
        book_top3=order.book_at_send,
        booking=booking,
    )


def _of_position(holding: Holding, why: str) -> PositionChanged:
    position = holding.position
    return PositionChanged(
        qty=position.qty,
        entry_px=position.entry_px,
        realized=position.realized,
        fees=position.fees,
        flat=not position.lots,
        why=why,
    )


def _of_intent(holding: Holding, intent_id: IntentId) -> IntentChanged:
    working = holding.intents[intent_id]
    return IntentChanged(
        intent_id=intent_id,
        client_order_id=working.root,
        row=encode(order_result(holding, intent_id) | {"body_hash": working.body_hash}),
        done=done(holding, intent_id),
    )


def _newsworthy(before: Holding, after: Holding, intent_id: IntentId) -> bool:
    """A row is rewritten for what a reader would see: its end, its slice, its orders; not for a retry timer."""
    known, work = before.intents.get(intent_id), after.intents[intent_id]
    if known is None or known.phase is not work.phase or known.slice_no != work.slice_no:
        return True
    if _shows_protection(work) and _shown(before, intent_id) != _shown(after, intent_id):
        return True
    if known.steps is not work.steps:
        return True
    return before.of_intent(intent_id) != after.of_intent(intent_id)


def _shows_protection(work: Working) -> bool:
    return isinstance(work.intent.policy, OrderList | StopAlone)


def _shown(holding: Holding, intent_id: IntentId) -> tuple[object, ...]:
    """Of an OCO or a stop on its own what a reader waits for: whether it stands, and how it stands there."""
    row = order_result(holding, intent_id)
    return done(holding, intent_id), row["status"], row["legs"]


def _cancels(before: Holding, after: Holding) -> tuple[CancelRecorded, ...]:
    """Cancels that a caller asked for, once each, for the audit trail."""
    newly = [
        (key, work)
        for key, work in after.intents.items()
        if work.canceling and work.reason.startswith(CANCELED_BY) and not _was_canceling(before, key)
    ]
    escalated = after.exit is not None and before.exit is None
    return tuple(
        CancelRecorded(
            intent_id=key, reason=work.reason.removeprefix(CANCELED_BY), escalate=escalated or bool(work.close_as)
        )
        for key, work in newly
    )


def _was_canceling(holding: Holding, intent_id: IntentId) -> bool:
    known = holding.intents.get(intent_id)
    return known is not None and known.canceling


def _maker_timeouts(new: Sequence[Order], after: Holding, scene: Scene) -> tuple[Holding, tuple[Alert, ...]]:
    """A slice whose maker's time is up goes on as taker: each with the running count of its symbol (S4-ALR-1)."""
    alarms: list[Alert] = []
    for order in new:
        work = after.working_of(order) if order.role is Role.TAKER else None
        if work is None or work.maker_until_ms is None or scene.now_ms < work.maker_until_ms:
            continue
        if work.told_late == work.slice_no:  # of this slice it was told; its taker is tried again
            continue
        after = after.but(intents={**after.intents, work.intent_id: work.but(told_late=work.slice_no)})
        number = after.maker_timeouts + len(alarms) + 1
        told = (
            f"{order.intent_id}: {order.qty} of {work.intent.qty} taken after {work.plan.maker.wait_ms} ms of resting"
        )
        alarms.append(Alert(severity=Severity.WARN, code="MAKER_TIMEOUT", text=f"{told}; number {number} here"))
    return after.but(maker_timeouts=after.maker_timeouts + len(alarms)) if alarms else after, tuple(alarms)


def _alarms(before: Holding, after: Holding, scene: Scene) -> tuple[Alert, ...]:
    alarms: list[Alert] = []
    begun = after.exit is not None and (before.exit is None or after.exit.reason != before.exit.reason)
    if begun and after.exit is not None and after.exit.reason in UNGUARDABLE:
        told = f"{after.key}: closing {after.exposure}{_fired_for(after, scene)}"
        alarms.append(Alert(severity=Severity.ERROR, code=after.exit.reason, text=told))
    if len(after.refused_stop_forms) > len(before.refused_stop_forms):
        alarms.append(Alert(severity=Severity.WARN, code="STOP_FORM_REFUSED", text=_of_form(after)))
    if after.stop_tries > before.stop_tries:
        told = f"{after.key}: {_refusal(after)}; standing meanwhile: {_standing_stop(after)}"
        alarms.append(Alert(severity=Severity.ERROR, code="STOP_TRY_REFUSED", text=told))
    alarms += _nearer(before, after, scene)
    if after.exit is not None and after.exit.tries >= EXIT_TRIES > (before.exit.tries if before.exit else 0):
        told = f"{after.key}: {after.exit.tries} closes in a row failed, {after.position.qty} is held; trying on"
        alarms.append(Alert(severity=Severity.FATAL, code="EXIT_FAILING", text=told))
    alarms += hindered.told(before, after)
    for key, work in after.intents.items():
        known = before.intents.get(key)
        if work.intent.reduce_only and work.failures >= EXIT_TRIES > (known.failures if known else 0):
            told = f"{key}: {work.failures} sendings in a row failed, {after.position.qty} is held; trying on"
            alarms.append(Alert(severity=Severity.FATAL, code="EXIT_FAILING", text=told))
        given_up = work.canceling and work.refusal_code in _GIVEN_UP and not (known is not None and known.canceling)
        spent = work.refusal_code == entry.SPENT != (known.refusal_code if known else "")
        if given_up or spent:
            alarms.append(Alert(severity=Severity.ERROR, code=work.refusal_code, text=f"{key}: {work.reason}"))
        if work.canceling and work.reason.startswith(STOP_FIRST) and not (known is not None and known.canceling):
            alarms.append(Alert(severity=Severity.WARN, code=STOP_FIRST, text=f"{key}: {work.reason}"))
    adopted = any(lot.intent_id == ADOPTED for lot in after.position.lots)
    if adopted and not any(lot.intent_id == ADOPTED for lot in before.position.lots):
        told = f"{after.key}: {after.position.qty} held that no intent of ours opened"
        alarms.append(Alert(severity=Severity.ERROR, code="POSITION_ADOPTED", text=told))
    return tuple(alarms)


def _fired_for(holding: Holding, scene: Scene) -> str:
    """How long ago a stop or target fired that has not filled since, or has not fired since its price was passed."""
    moments = [
        order.patience_ms - scene.policy.trigger_patience_ms
        for order in holding.in_role(Role.STOP, Role.TARGET)
        if order.status in FIRING and order.patience_ms is not None
    ]
    if moments:
        return f"; fired {scene.now_ms - min(moments)} ms ago and not filled"
    passed = [order.passed_ms for order in holding.in_role(Role.STOP) if order.live and order.passed_ms is not None]
    return f"; its price was passed {scene.now_ms - min(passed)} ms ago and it has not fired" if passed else ""


def _of_form(holding: Holding) -> str:
    """Which form was refused and how; what stands meanwhile."""
    told = f"{holding.key}: {holding.refused_stop_forms[-1]}: {_refusal(holding)}"
    return f"{told}; standing meanwhile: {_standing_stop(holding)}"


def _refusal(holding: Holding) -> str:
    """The venue's newest word on a stop that it refused."""
    return next((order.refusal for order in reversed(holding.in_role(Role.STOP)) if order.refusal), "")


def _standing_stop(holding: Holding) -> str:
    return next((order.ref for order in holding.in_role(Role.STOP) if order.live), "none")


def _nearer(before: Holding, after: Holding, scene: Scene) -> Iterator[Alert]:
    """Each stop that is sent elsewhere than it belongs (``protect.reach``, ``protect.liquidation``)."""
    sent = [order for order in after.in_role(Role.STOP) if order.ref not in before.orders]
    wanted = bracket_for(after, scene) if sent and after.key.market.reduces_only else None
    if wanted is None or wanted.stop_price is None:
        return
    for order in sent:
        trigger = order.request.trigger_price
        if trigger is not None and (trigger - wanted.stop_price) * wanted.side.sign < 0:
            told = (
                f"{after.key}: the stop belongs at {text(wanted.stop_price)}, beyond the venue's price band; until the"
                f" market comes back it stands at {text(trigger)}"
            )
            yield Alert(severity=Severity.WARN, code="STOP_NEARER", text=told)
        elif trigger is not None and wanted.late_price is not None and after.liquidation_px is not None:
            told = (
                f"{after.key}: the stop belongs at {text(wanted.late_price)}, but the venue liquidates at"
                f" {text(after.liquidation_px)}; it stands at {text(trigger)}"
            )
            yield Alert(severity=Severity.WARN, code="STOP_NEARER", text=told)


def _strategy(order: Order, holding: Holding) -> StrategyId:
    if order.intent_id and order.intent_id in holding.intents:
        return holding.intents[order.intent_id].intent.strategy_id
    return holding.position.lots[0].strategy_id if holding.position.lots else DEFAULT_STRATEGY
