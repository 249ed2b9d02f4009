"""The one reducer of the router: ``(holding, fact, scene) -> (holding, commands)``.

A fact is absorbed into orders, fills and wishes; then every duty looks at the whole and does what is missing:
protect, close, enter, ask. The duties are level-triggered, so a restart is this same function fed ``Restarted`` and
``Surveyed``; there is no second recovery path. Nothing here waits, asks the time or logs; what happened is told by
``telling`` as events in the holding's outbox.
"""

from chimera.execute import closing, entry, hindered, netting
from chimera.execute.asking import ask, confirmed_ms, next_survey_ms
from chimera.execute.believing import believe_position
from chimera.execute.changing import change, without_list
from chimera.execute.dust import left_over
from chimera.execute.hear import adopt, closed_by_word, hear, out_of_turn, settle, take_fill
from chimera.execute.proving import asked_again, in_doubt, look_elsewhere, no_later, not_found, restarted
from chimera.execute.pruning import forget_trades, prune
from chimera.execute.putting_back import lent, put_back
from chimera.execute.setback import rebased
from chimera.execute.steering import steer
from chimera.execute.telling import tell
from chimera.execute.wallet import looked
from chimera.protect import arming, asked, pairs
from chimera.protect.bracket import bracket_for
from chimera.protect.duty import duty_on
from chimera.protect.liquidation import seen
from chimera.reconcile.survey import LISTING_LAG_MS, compare, needed, shrinks, suspecting
from chimera.trading.commands import Command
from chimera.trading.errors import IllegalTransition
from chimera.trading.events import Alert, CloseTaken, Severity
from chimera.trading.execution import CANCELED_BY, Exit, Phase, Working
from chimera.trading.facts import (
    CancelAsked,
    CancelNotSent,
    CancelRefused,
    CancelUnanswered,
    ChangeAsked,
    CloseAsked,
    Fact,
    FinishAsked,
    Found,
    Gapped,
    NotFound,
    PairAnswered,
    PauseAsked,
    PlaceNotSent,
    PlaceRefused,
    PlaceUnanswered,
    Published,
    Reported,
    Restarted,
    Restored,
    ResumeAsked,
    Submitted,
    Surveyed,
    SurveyUnanswered,
    Ticked,
    Touched,
)
from chimera.trading.holding import Holding
from chimera.trading.intent import IntentKind, OrderList
from chimera.trading.money import DAY_MS, ZERO, Millis, Qty, Quote
from chimera.trading.order import Order, Role, Status, Trigger
from chimera.trading.refusal import Refusal
from chimera.trading.scene import Scene
from chimera.trading.venue import VenueOrder, VenueSnapshot

SURVEY_RETRY_MS = 500
GAP_LOOK_MS = 200  # how soon a position that the venue shows differently is looked at again
SHRUNK_LOOK_MS = 3_000  # ... where ours would become smaller: many looks over a while, for zeros that pass
PUZZLED_MS = 1_000  # an answer that the table does not allow: when to ask again, then more slowly


def advance(holding: Holding, fact: Fact, scene: Scene) -> tuple[Holding, tuple[Command, ...]]:
    """The next state and what to do about it. Each fact, whatever it tells, does what is due by now."""
    if isinstance(fact, PairAnswered):
        holding, first = advance(holding, fact.stop, scene)
        holding, second = advance(holding, fact.target, scene)
        return holding, first + second
    alerts: tuple[Alert, ...] = ()
    try:
        heard = absorb(_turn_day(holding, scene), fact, scene)
    except IllegalTransition as error:
        heard, alerts = _reconcile_instead(holding, fact, error, scene)
    heard, scraps = closing.without_scrap(heard, scene)
    worked, commands = _duties(closing.due_lots(heard, scene), scene)
    told = tell(holding, worked, alerts + scraps, scene)
    return prune(told, scene), commands


def _turn_day(holding: Holding, scene: Scene) -> Holding:
    """The loss limit counts from UTC midnight."""
    today = scene.now_ms // DAY_MS
    if holding.day == today:
        return holding
    return holding.but(day=today, day_start_net=Quote(holding.position.realized - holding.position.fees))


def _duties(holding: Holding, scene: Scene) -> tuple[Holding, tuple[Command, ...]]:
    """Protection first, always."""
    holding = asked.settled(left_over(holding, scene), scene)
    wanted = bracket_for(holding, scene)
    holding, protecting = duty_on(holding.key.market).protect(holding, wanted, scene)
    holding = arming.watched(holding, wanted, scene)
    holding, leaving = closing.close_out(holding, scene)
    holding, entering = entry.work_entries(holding, scene)
    holding, asking = ask(holding, scene)
    return holding, protecting + leaving + entering + asking


def absorb(holding: Holding, fact: Fact, scene: Scene) -> Holding:
    """The holding that knows this fact; acts on nothing."""
    match fact:
        case Submitted(intent=intent, plan=plan, body_hash=body_hash):
            if intent.intent_id in holding.intents:
                return holding
            working = Working(intent=intent, plan=plan, body_hash=body_hash, accepted_ms=scene.now_ms)
            working = netting.begun(working, holding, scene)
            if intent.kind is IntentKind.PROTECT:
                working = working.but(phase=Phase.STANDING, episode=holding.position.closed_count)
            return holding.but(intents={**holding.intents, intent.intent_id: working})
        case CloseAsked(reason=reason, qty=qty, lots=lots, name=name):
            if name is not None:
                taken = CloseTaken(name=name, held=holding.exposure, qty=qty, reason=reason)
                holding = holding.but(closes=(*holding.closes, taken))
            wanted = Exit(reason=reason, asked_ms=scene.now_ms, qty=qty, left_qty=qty, lots=lots, name=name)
            return closing.begin(holding, wanted) if holding.exposure or qty is None else holding
        case CancelAsked():
            return _cancel_intent(holding, fact, scene)
        case PauseAsked() | ResumeAsked() | FinishAsked():
            return steer(holding, fact, scene)
        case ChangeAsked():
            return change(holding, fact, scene)
        case Found(order=word):
            return _hear(holding, word, scene)
        case Reported(order=word, fill=fill):
            before = Qty(max(word.cum_qty - fill.qty, ZERO)) if fill is not None else Qty(ZERO)
            if fill is not None and out_of_turn(holding, fill, word):
                holding, fill = holding.but(survey_due_ms=scene.now_ms), None
            known = holding if fill is None else take_fill(holding, fill, scene, before_qty=before)
            return _hear(known, word, scene)
        case Surveyed(snapshot=snapshot):
            return _absorb_survey(holding, snapshot, scene)
        case SurveyUnanswered(retry_after_ms=wait):
            pause = min(max(wait or 0, SURVEY_RETRY_MS), scene.policy.survey_every_ms)
            return holding.but(survey_asked_ms=None, survey_due_ms=Millis(scene.now_ms + pause))
        case Restarted():
            return _restarted(rebased(holding, scene.now_ms), scene)
        case Restored():
            return put_back(holding, fact)
        case Published(through=through):
            return holding.but(outbox=tuple(event for event in holding.outbox if event.seq > through))
        case Gapped():
            return holding.but(survey_due_ms=scene.now_ms, survey_asked_ms=None)
        case Touched():
            return arming.touched(holding, fact, scene)
        case Ticked() | PairAnswered():  # the latter is heard leg by leg
            return holding
        case (
            NotFound(ref=ref)
            | PlaceRefused(ref=ref)
            | PlaceNotSent(ref=ref)
            | PlaceUnanswered(ref=ref)
            | CancelRefused(ref=ref)
            | CancelUnanswered(ref=ref)
            | CancelNotSent(ref=ref)
        ):
            order = holding.orders.get(ref)
            return holding if order is None else _answer(holding, order, fact, scene)


def _restarted(holding: Holding, scene: Scene) -> Holding:
    """Whatever was pending is in doubt, and no pause of the life before holds anything up."""
    return holding.but(
        orders={ref: restarted(order, scene) for ref, order in holding.orders.items()},
        unseen=not holding.key.market.reduces_only,
        exit=closing.restarted(holding, scene),
        survey_due_ms=scene.now_ms,
        survey_asked_ms=None,
        stop_retry_at_ms=no_later(holding.stop_retry_at_ms, scene),
        target_retry_at_ms=no_later(holding.target_retry_at_ms, scene),
    )


def _answer(
    holding: Holding,
    order: Order,
    fact: NotFound | PlaceRefused | PlaceNotSent | PlaceUnanswered | CancelRefused | CancelUnanswered | CancelNotSent,
    scene: Scene,
) -> Holding:
    """What an answer, or the lack of one, means for the order it was about."""
    match fact:
        case PlaceRefused(message=message):
            if _lives(order, fact.refusal):
                return holding.with_order(in_doubt(order, scene))
            after = holding.with_order(settle(order.after(Trigger.REFUSED).but(refusal=message), order, scene))
            return _after_refusal(after, order, fact, scene)
        case PlaceNotSent():
            if _may_resend(order, holding):  # under its own id, so that an outage uses up no ids
                again = holding.with_order(settle(order.after(Trigger.TIMED_OUT), order, scene))
                return closing.not_sent(again) if order.role is Role.EXIT else again
            after = holding.with_order(settle(order.after(Trigger.NOT_SENT), order, scene))
            if order.role is Role.EXIT:
                return closing.failed(after, scene)
            if order.role.protective:
                return after if order.status.final else pairs.not_sent(after, fact, scene)
            return entry.not_sent(after, order, fact, scene) if order.intent_id else after
        case PlaceUnanswered(dead_after_ms=dead_after_ms):
            doubted = order.after(Trigger.TIMED_OUT).but(dead_after_ms=dead_after_ms)
            return holding.with_order(settle(doubted, order, scene))
        case NotFound(asked_server_ms=asked):
            return _unknown(holding, order, asked, scene)
        case CancelRefused():
            return holding.with_order(settle(order.after(Trigger.CANCEL_REFUSED), order, scene))
        case CancelUnanswered():
            return holding.with_order(settle(order.after(Trigger.TIMED_OUT), order, scene))
        case CancelNotSent():
            return holding.with_order(settle(order.after(Trigger.CANCEL_NOT_SENT), order, scene))


def _unknown(holding: Holding, order: Order, asked_server_ms: Millis, scene: Scene) -> Holding:
    """A query does not know it. What is dead by that has failed, as what was refused has."""
    after = holding.with_order(not_found(holding, order, asked_server_ms, scene))
    if after.orders[order.ref].status is Status.REJECTED and order.status is not Status.REJECTED:
        return entry.proven_dead(after, order, scene) if order.intent_id else after
    return look_elsewhere(after, order, scene)


def _lives(order: Order, refusal: Refusal | None) -> bool:
    """Whether the refusal proves that an order of this id is there: its own first sending."""
    return refusal is Refusal.DUPLICATE or (bool(order.resends) and refusal is Refusal.OCCUPIED)


def _may_resend(order: Order, holding: Holding) -> bool:
    """Protection and a whole close may go out again and again where they can only reduce."""
    return holding.key.market.reduces_only and (
        order.role.protective or (order.role is Role.EXIT and holding.flattening)
    )


def _after_refusal(holding: Holding, order: Order, no: PlaceRefused, scene: Scene) -> Holding:
    if not holding.orders[order.ref].status.final:
        return holding  # it had been acknowledged before: asked for, not believed dead
    if order.role.protective:
        after = duty_on(holding.key.market).refused(holding, order, no, scene)
        return after.but(survey_due_ms=scene.now_ms)
    if order.role is Role.EXIT:
        return closing.failed(holding, scene, no.refusal)
    return entry.refused(holding, order, no, scene)


def _cancel_intent(holding: Holding, fact: CancelAsked, scene: Scene) -> Holding:
    working = holding.intents.get(fact.intent_id)
    if working is None:
        return holding
    if working.phase is not Phase.DONE:
        stopped = working.but(canceling=True, reason=working.reason or f"{CANCELED_BY}{fact.reason}")
        holding = holding.but(intents={**holding.intents, fact.intent_id: stopped})
    elif fact.cascade and isinstance(working.intent.policy, OrderList):
        holding = without_list(holding, working, f"{CANCELED_BY}{fact.reason}")
    if fact.escalate and fact.intent_id in holding.engaged and (holding.exposure or holding.entering):
        holding = closing.give_up(holding, fact.intent_id, f"CANCEL_{fact.reason}", scene)
    return holding


def _hear(holding: Holding, word: VenueOrder, scene: Scene) -> Holding:
    order = holding.orders.get(word.ref)
    if order is None:
        return _hear_late(holding, word, scene)
    heard = hear(order, word, scene)
    holding = holding.with_order(heard)
    if heard.owed_qty > order.owed_qty:
        holding = closed_by_word(holding, heard)
    working = holding.working_of(order)
    if working is not None and working.first_ack_ms is None:
        acked = working.but(first_ack_ms=scene.now_ms)
        holding = holding.but(intents={**holding.intents, working.intent_id: acked})
    if heard.status is Status.REJECTED and order.status is not Status.REJECTED:
        no = PlaceRefused(ref=word.ref, code=0, message=word.reason or "REJECTED", refusal=Refusal.ENDED)
        return _after_refusal(holding, order, no, scene)
    if heard.status.final and not order.status.final and not heard.cum_qty and not heard.owed:
        return _ended_unfilled(holding, order, scene)
    return holding


def _hear_late(holding: Holding, word: VenueOrder, scene: Scene) -> Holding:
    """News of an order that this state does not have: it left, having ended, its sending outran our saving, or it is
    somebody else's. What has filled of it beyond what we know, its trade untold, is looked for.
    """
    end = holding.ended.get(word.ref)
    theirs = end is None and not holding.key.market.reduces_only  # on spot the user's own
    if not theirs and word.cum_qty > (ZERO if end is None else end.qty):
        holding = holding.but(survey_due_ms=scene.now_ms)
    return holding if end is not None or word.status.final else adopt(holding, word, scene)


def _ended_unfilled(holding: Holding, order: Order, scene: Scene) -> Holding:
    """The venue ended something of ours that did nothing: what is placed instead comes a little later each time.

    What a copy of the ledger knows may have been ended by ourselves, since.
    """
    if order.role is Role.EXIT:
        return closing.failed(holding, scene)
    if order.role.protective and not order.cancels and order.created_ms > holding.restored_ms:
        return duty_on(holding.key.market).ended(holding, order, scene)
    return holding


def _absorb_survey(holding: Holding, snapshot: VenueSnapshot, scene: Scene) -> Holding:
    """Trades first, then orders, then the position; an unexplained difference must stay before it counts."""
    known_ms = holding.surveyed_ms
    for fill in snapshot.trades:
        holding = take_fill(holding, fill, scene)
    outdated = snapshot.asked_ms <= max(holding.filled_ms, known_ms)  # its position is older than our news, or its own
    found = compare(holding, snapshot)
    for word in found.known:
        holding = _hear_listed(holding, word, snapshot.asked_ms, scene)
    for word in found.strange:
        holding = adopt(holding, word, scene)
    for ref in found.missing:
        holding = holding.with_order(holding.orders[ref].but(ask_at_ms=scene.now_ms))
    holding = lent(holding) if holding.restored_ms else holding
    holding = holding.but(
        unseen=False,
        exit=hindered.looked(closing.heard(holding, found.missing, snapshot.asked_ms), snapshot),
        survey_asked_ms=None,
        survey_due_ms=Millis(min(holding.survey_due_ms, next_survey_ms(holding, scene))),
        surveyed_ms=Millis(max(holding.surveyed_ms, snapshot.asked_ms)),
        trades_confirmed_ms=confirmed_ms(holding, snapshot.asked_ms, scene),
    )
    holding = forget_trades(holding, scene)
    if not outdated:
        holding = looked(seen(holding, snapshot.position), snapshot)
    if not found.gap or any(order.owed for order in holding.orders.values()):
        return asked_again(holding.but(strikes=0, suspected=ZERO), scene)
    if outdated:
        return holding.but(survey_due_ms=Millis(scene.now_ms + GAP_LOOK_MS))
    holding = suspecting(holding, found.gap)
    if holding.strikes >= needed(holding, scene.policy):
        holding = believe_position(holding, snapshot, scene)
    if not holding.strikes:
        return holding
    pause = SHRUNK_LOOK_MS if shrinks(holding) else GAP_LOOK_MS
    return holding.but(survey_due_ms=Millis(scene.now_ms + pause))


def _hear_listed(holding: Holding, word: VenueOrder, asked_ms: Millis, scene: Scene) -> Holding:
    """One order of a survey; one that makes no sense must not cost us the rest of it.

    What was refused after the question was asked is listed as it was before: it guards nothing, and is asked for.
    """
    known = holding.orders[word.ref]
    if known.status is Status.REJECTED and known.ended_ms is not None and known.ended_ms > asked_ms:
        return holding.with_order(known.but(ask_at_ms=scene.now_ms))
    try:
        return _hear(_revive(holding, word, asked_ms), word, scene)
    except IllegalTransition:
        order = holding.orders[word.ref]
        return holding.with_order(order.but(ask_at_ms=Millis(scene.now_ms + SURVEY_RETRY_MS)))


def _revive(holding: Holding, word: VenueOrder, asked_ms: Millis) -> Holding:
    """An order that ended well before the survey began and is listed as open lives a second time under its id.

    A protective order resent after its first life had ended, unseen, does that (the venue refuses ids of open orders
    only). It must be known again, or it would rest there for ever and fire into a later position.
    """
    order = holding.orders[word.ref]
    over = order.status.final and order.ended_ms is not None and order.ended_ms + LISTING_LAG_MS <= asked_ms
    if not over or word.status.final or not order.role.protective:
        return holding
    return holding.with_order(order.after(Trigger.REVIVED).but(ended_ms=None, venue_id=word.venue_id))


def _reconcile_instead(
    holding: Holding, fact: Fact, error: IllegalTransition, scene: Scene
) -> tuple[Holding, tuple[Alert, ...]]:
    """An answer that the table does not allow is not patched in: the order is asked for, and somebody is told."""
    ref = fact.order.ref if isinstance(fact, Found | Reported) else getattr(fact, "ref", None)
    order = holding.orders.get(ref) if ref else None
    alert = Alert(severity=Severity.ERROR, code="ILLEGAL_TRANSITION", text=f"{ref}: {error}")
    if isinstance(fact, Reported) and fact.fill is not None:
        holding = take_fill(holding, fact.fill, scene)
    if order is not None:
        puzzling = holding.orders[order.ref]
        pause = PUZZLED_MS * 2 ** min(puzzling.asks, 5)  # the same answer may come again and again
        holding = holding.with_order(puzzling.but(ask_at_ms=Millis(scene.now_ms + pause), asks=puzzling.asks + 1))
    return holding.but(survey_due_ms=Millis(scene.now_ms + PUZZLED_MS)), (alert,)
