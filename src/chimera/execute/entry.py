"""The duty of entering: work each intent by its plan, slice by slice, maker first where the plan waits, then taker.

What may be sent is computed from what is filled and what may still fill, unknown orders counted in full, so that

    filled + leaves + next <= intended

at every instant (the control that Knight Capital lacked). An order in doubt is asked for, never resent: while it may
be alive the intent waits, and past its deadline it sends nothing more.
"""

import zlib
from collections.abc import Sequence
from decimal import Decimal

from chimera.admit.netting import opposed
from chimera.execute.changing import taken_up
from chimera.execute.children import Child, follows, next_child, rest_over
from chimera.execute.cut_off import asking, hears_first
from chimera.execute.netting import gone_qty, to_reduce
from chimera.execute.overtaken import STOP_FIRST, overtaken
from chimera.protect.pairs import locked_qty, ours_qty
from chimera.route.probe import Wait
from chimera.trading.commands import NOTHING, Cancel, Command, Place
from chimera.trading.execution import Phase, Working
from chimera.trading.facts import PlaceNotSent, PlaceRefused
from chimera.trading.holding import Holding
from chimera.trading.ids import CHILDREN_MAX, child_id
from chimera.trading.money import ZERO, Millis, Qty, text
from chimera.trading.order import OPEN, NewOrder, Order, Role, TimeInForce
from chimera.trading.refusal import Refusal
from chimera.trading.scene import Scene
from chimera.trading.venue import MARGIN_SHARE, OrderRef

KILLED = "KILL_SWITCH"  # begins the reason of an intent that a kill ended
NOTHING_LEFT = "NOTHING_TO_REDUCE"
OPPOSED = "POSITION_OPPOSED"
SPENT = "IDS_SPENT"
NO_MARGIN = "INSUFFICIENT_BALANCE"
VENUE_AWAY = "VENUE_UNAVAILABLE"
REDUCE_AGAIN_MS = 3_000  # cut off from the venue: from one try to the next
REPRICE_MS = 100  # after a post-only refusal: the touch is moving
RETRY_MS = 200  # after a sending that failed: so much, and up to as much again, drawn from the order's id


def work_entries(holding: Holding, scene: Scene) -> tuple[Holding, tuple[Command, ...]]:
    """One step of every intent that is still being worked."""
    holding, commands = _dismiss_orphans(holding, scene)
    for working in tuple(holding.intents.values()):
        if working.phase is Phase.WORKING:
            holding, more = _work(holding, working, scene)
            commands += more
    return holding, commands


def _dismiss_orphans(holding: Holding, scene: Scene) -> tuple[Holding, tuple[Command, ...]]:
    """A maker whose intent is over, or unknown, must not rest: nobody would work it."""
    commands: list[Command] = []
    for order in holding.in_role(Role.MAKER):
        working = holding.working_of(order)
        if working is None or working.phase is Phase.DONE:
            holding, cancel = _cancel(holding, order, scene)
            commands += cancel
    return holding, tuple(commands)


def _cancel(holding: Holding, order: Order, scene: Scene) -> tuple[Holding, tuple[Command, ...]]:
    if order.status not in OPEN or not order.may_cancel(scene.now_ms):
        return holding, NOTHING
    return holding.with_order(order.canceling(scene.now_ms)), (Cancel(order=OrderRef.to(order), role=order.role),)


def _work(holding: Holding, working: Working, scene: Scene) -> tuple[Holding, tuple[Command, ...]]:
    kill = None if working.intent.reduce_only else scene.standstill.over(holding.key, working.intent.strategy_id)
    if kill is not None and not working.canceling:
        working = working.but(canceling=True, reason=f"{KILLED}: {kill.told}", refusal_code=KILLED)
        holding = _put(holding, working)
    orders = holding.of_intent(working.intent_id)
    if not working.canceling and _opposed(working, orders, holding):
        told = f"{OPPOSED}: a position of {text(Qty(abs(holding.exposure)))} stands on the other side by now"
        working = working.but(canceling=True, reason=told, refusal_code=OPPOSED)
        holding = _put(holding, working)
    if working.failures and _taken(working, orders):
        working = working.but(failures=0, refusal_code="")
        holding = _put(holding, working)
    alive = [order for order in orders if not order.status.final or order.owed]
    filled = sum((order.cum_qty for order in orders), ZERO)
    if not working.canceling and pointless(working, orders, holding):
        working = working.but(canceling=True, reason=NOTHING_LEFT)
        holding = _put(holding, working)
    opens = filled < working.plan.total and working.nets < working.plan.total  # what only reduces needs no stop
    if opens and not any(order.role is Role.TAKER for order in alive):
        holding, working = _stop_first(holding, working, scene)
    if alive:
        return _tend(holding, working, alive, scene)
    if working.next_plan is not None and not working.canceling:
        working = taken_up(working, filled, scene.now_ms)
        holding = _put(holding, working)
    done = filled + gone_qty(working, orders, holding)
    if working.canceling or done >= working.plan.total or scene.now_ms >= working.ends_ms(scene.now_ms):
        return _finish(holding, working, filled, scene), NOTHING
    if not _may_send(working, scene):
        return holding, NOTHING
    if working.child_no >= CHILDREN_MAX:
        told = f"{SPENT}: {working.child_no} orders were made for it, and no id is left"
        return _finish(holding, working.but(reason=told, refusal_code=SPENT), filled, scene), NOTHING
    left = Qty(working.due_qty - done)
    reduces = working.intent.reduce_only or bool(to_reduce(working, orders, holding))
    if left <= 0 or _hopeless(working, left, scene, reduces=reduces):
        return _next_slice(holding, working, filled, scene)
    return _send(holding, working, left, filled, scene)


def _stop_first(holding: Holding, working: Working, scene: Scene) -> tuple[Holding, Working]:
    """Its own stop's price came first: it enters no more. A taker under way is over before a cancel could reach it."""
    why = overtaken(working, holding, scene)
    if why is None:
        return holding, working
    working = working.but(canceling=True, reason=why).noting(f"enters no more: {why}", scene.now_ms)
    return _put(holding, working), working


def _may_send(working: Working, scene: Scene) -> bool:
    """Neither paused, nor to try again later, nor before the slice's time."""
    later = working.retry_at_ms is not None and scene.now_ms < working.retry_at_ms
    return not later and working.works_at(scene.now_ms)


def _taken(working: Working, orders: Sequence[Order]) -> bool:
    """Whether the venue took the newest child, though it may be over by now."""
    newest = {child_id(working.root, role.value, working.child_no) for role in (Role.MAKER, Role.TAKER)}
    return any(order.ref in newest and order.venue_id is not None for order in orders)


def _opposed(working: Working, orders: Sequence[Order], holding: Holding) -> bool:
    """What it would open closes another's position: that came while this one waited, or was opened by hand."""
    intent = working.intent
    if sum((order.cum_qty for order in orders), ZERO) >= working.plan.total:
        return False  # all of it was to reduce, and has: nothing is left to open
    if not intent.market.reduces_only or intent.reduce_only or not opposed(intent, holding):
        return False
    return not to_reduce(working, orders, holding)


def pointless(working: Working, orders: Sequence[Order], holding: Holding) -> bool:
    """What it was to reduce is gone, by a stop or by hand: the next position is not meant."""
    if not working.intent.reduce_only or holding.exposure * working.intent.side.sign < 0:
        return False
    return sum((order.cum_qty + order.owed_qty for order in orders), ZERO) < working.plan.total


def _tend(holding: Holding, working: Working, alive: list[Order], scene: Scene) -> tuple[Holding, tuple[Command, ...]]:
    """Something of it may still fill: cancel a maker whose time is up, or which the touch has left; otherwise wait."""
    over = rest_over(working, scene)
    commands: list[Command] = []
    for order in alive:
        if order.role is not Role.MAKER:  # a taker is over before a cancel could reach it
            continue
        moves = not over and follows(working, order, scene)
        if not (over or moves):
            continue
        holding, cancel = _cancel(holding, order, scene)
        commands += cancel
        if moves and cancel:
            working = working.but(reprices=working.reprices + 1)
            holding = _put(holding, working)
    return holding, tuple(commands)


def _send(
    holding: Holding, working: Working, left: Qty, filled: Decimal, scene: Scene
) -> tuple[Holding, tuple[Command, ...]]:
    """The slice's next child, or a wait where the market is too poor for one."""
    intent = working.intent
    if scene.touch is None and not intent.reduce_only:
        return holding, NOTHING
    since_ms = working.retry_at_ms or working.slice_due_ms
    if intent.reduce_only and hears_first(holding, since_ms, scene, pause_ms=REDUCE_AGAIN_MS):
        return asking(holding, scene), NOTHING
    if intent.reduce_only and not holding.key.market.reduces_only:
        ours = ours_qty(holding, scene)
        left = scene.instrument.floor_to_step(Qty(min(left, ours)))  # as a venue that knows reduce-only would
        free = max(ours - locked_qty(holding), ZERO)
        if not left or free < left or holding.unseen:  # protection is making room for it
            return holding, NOTHING
    first = to_reduce(working, holding.of_intent(working.intent_id), holding)
    child = next_child(working, min(left, first) if first else left, filled, scene)
    if isinstance(child, Wait):
        later = Millis(scene.now_ms + child.ms)
        waiting = working.but(waited_ms=working.waited_ms + child.ms, retry_at_ms=later)
        return _put(holding, waiting.noting(_of_slice(working, child.why), scene.now_ms)), NOTHING
    number = working.child_no + 1
    request = NewOrder(
        ref=child_id(working.root, child.role.value, number),
        symbol=intent.symbol,
        side=intent.side,
        type=child.type,
        qty=child.qty,
        price=child.price,
        time_in_force=child.time_in_force,
        reduce_only=intent.reduce_only or bool(first),
        not_after_ms=Millis(min(scene.now_ms + scene.policy.send_within_ms, working.ends_ms(scene.now_ms))),
    )
    order = Order(
        request=request,
        role=child.role,
        intent_id=intent.intent_id,
        created_ms=scene.now_ms,
        mid_at_send=scene.mid,
        book_at_send=scene.top,
        episode=holding.position.closed_count,
    )
    sent = _sent(working.beginning(filled, scene.now_ms), child, number, scene).but(
        mid_at_send=working.mid_at_send or scene.mid
    )
    return _put(holding.with_order(order), sent), (Place(order=request, role=child.role),)


def _sent(working: Working, child: Child, number: int, scene: Scene) -> Working:
    """What this child uses up: a try, the one chase, a cut; and when the next may follow."""
    now_ms = scene.now_ms
    posts = child.role is Role.MAKER and not child.chases
    until = working.maker_until_ms
    if posts and until is None:
        until = Millis(now_ms + working.plan.maker.wait_ms)
    after = working.but(
        child_no=number,
        maker_tries=working.maker_tries + (1 if posts else 0),
        taker_tries=working.taker_tries + (1 if child.role is Role.TAKER and not child.shrunk else 0),
        shrunk=working.shrunk + (1 if child.shrunk else 0),
        maker_until_ms=until,
        chase_until_ms=Millis(now_ms + working.plan.maker.chase_ms) if child.chases else working.chase_until_ms,
        retry_at_ms=Millis(now_ms + child.pause_ms) if child.pause_ms else None,
    )
    return after.noting(_of_slice(working, child.why), now_ms) if child.why else after


def _of_slice(working: Working, why: str) -> str:
    return f"slice {working.slice_no + 1} of {len(working.plan.slices)}: {why}"


def _hopeless(working: Working, left: Qty, scene: Scene, *, reduces: bool = False) -> bool:
    """Too small for the venue by itself, or refused often enough: this slice sends no more."""
    if working.taker_tries >= scene.policy.taker_tries:
        return True
    near = scene.near
    too_small = near is not None and not reduces and left * near < scene.instrument.min_notional
    return too_small or left < scene.instrument.min_qty


def _next_slice(
    holding: Holding, working: Working, filled: Decimal, scene: Scene
) -> tuple[Holding, tuple[Command, ...]]:
    """What this slice left over rides with the next, which starts at its own time."""
    following = working.slice_no + 1
    if following >= len(working.plan.slices):
        return _finish(holding, working, filled, scene), NOTHING
    moved = working.beginning(filled, scene.now_ms).turning_to(following)
    holding = _put(holding, moved)
    return _work(holding, moved, scene) if scene.now_ms >= moved.slice_due_ms else (holding, NOTHING)


def _finish(holding: Holding, working: Working, filled: Decimal, scene: Scene) -> Holding:
    reason = working.reason
    if not reason or (filled >= working.plan.total and reason.startswith(STOP_FIRST)):  # it filled before the cancel
        if filled >= working.plan.total:
            reason = "FILLED" if filled >= working.intent.qty else f"REDUCED: {NO_MARGIN}"
        elif gone_qty(working, holding.of_intent(working.intent_id), holding) + filled >= working.plan.total:
            reason = NOTHING_LEFT
        elif scene.now_ms >= working.ends_ms(scene.now_ms):
            reason = "DEADLINE"
        else:
            reason = "LEFT_OVER"
    ended = working.but(
        phase=Phase.DONE, reason=reason, refused=not filled and bool(working.refusal_code), done_ms=scene.now_ms
    )
    return _put(holding, ended)


def refused(holding: Holding, order: Order, no: PlaceRefused, scene: Scene) -> Holding:
    """An entry the venue or our last hop said no to. Where the touch moved, try again; otherwise the intent ends."""
    working = holding.working_of(order)
    if working is None or working.canceling:
        return holding
    if no.refusal is Refusal.WOULD_TAKE:
        return _put(holding, working.but(retry_at_ms=Millis(scene.now_ms + REPRICE_MS)))
    if order.request.reduce_only and not working.intent.reduce_only:  # what it was to net may be gone: the survey tells
        return _put(holding.but(survey_due_ms=scene.now_ms), working.but(retry_at_ms=Millis(scene.now_ms + RETRY_MS)))
    if no.refusal is Refusal.LACKS_BALANCE:
        return _put(holding, _reduced(holding, working, order, no.message, scene))
    name = no.message.split(":", 1)[0] if no.code == 0 else f"VENUE_{no.code}"
    return _put(holding, working.but(canceling=True, reason=no.message, refusal_code=name))


def _reduced(holding: Holding, working: Working, order: Order, message: str, scene: Scene) -> Working:
    """The margin did not suffice: once more with what it suffices for, or half where nobody knows; then no more."""
    filled = sum((child.cum_qty for child in holding.of_intent(working.intent_id)), ZERO)
    known = _affordable(working, scene)
    smaller = scene.instrument.floor_to_step(Qty(order.qty / 2) if known is None or known >= order.qty else known)
    if working.reductions >= scene.policy.reductions or not smaller or _hopeless(working, smaller, scene):
        return working.but(canceling=True, reason=message, refusal_code=NO_MARGIN)
    told = f"reduced from {text(order.qty)} to {text(smaller)}: {message}"
    plan = working.plan.cut(Qty(filled + smaller)).but(notes=(*working.plan.notes, told))
    return working.but(
        plan=plan,
        reductions=working.reductions + 1,
        refusal_code=NO_MARGIN,
        retry_at_ms=Millis(scene.now_ms + RETRY_MS),
        taker_tries=0,
        maker_tries=0,
    )


def _affordable(working: Working, scene: Scene) -> Qty | None:
    """Base asset that the margin left would carry at the intent's leverage; None where it is not known."""
    if scene.available is None or scene.near is None:
        return None
    leverage = working.intent.leverage if scene.instrument.market.reduces_only else 1
    return Qty(max(scene.available, ZERO) * MARGIN_SHARE * leverage / scene.near)


def not_sent(holding: Holding, order: Order, fact: PlaceNotSent, scene: Scene) -> Holding:
    """It never left: try again after the wait, while the plan lasts; a try that never left does not count.

    What the venue failed to take is tried ``entry_retries`` times more in a row; what we held back ourselves, and what
    reduces, for ever.
    """
    working = holding.working_of(order)
    if working is None:
        return holding
    failures = working.failures if fact.held else working.failures + 1
    if failures > scene.policy.entry_retries and not working.intent.reduce_only:
        given_up = f"{VENUE_AWAY}: {failures} sendings in a row failed, the last: {fact.reason}"
        return _put(holding, working.but(canceling=True, failures=failures, reason=given_up, refusal_code=VENUE_AWAY))
    taker = 1 if order.role is Role.TAKER else 0
    posted = 1 if order.request.time_in_force is TimeInForce.GTX else 0  # a chase counts for nothing
    pause = RETRY_MS + zlib.crc32(order.ref.encode()) % RETRY_MS
    pause *= 2 ** min(max(failures - scene.policy.entry_retries, 0), 4)  # for ever, but not by thousands
    again = working.but(
        retry_at_ms=Millis(max(scene.now_ms + max(fact.retry_after_ms or 0, pause), working.retry_at_ms or 0)),
        taker_tries=max(working.taker_tries - taker, 0),
        maker_tries=max(working.maker_tries - posted, 0),
        failures=failures,
        refusal_code="NOT_SENT",
    )
    return _put(holding, again)


def proven_dead(holding: Holding, order: Order, scene: Scene) -> Holding:
    """Its outcome was open for long, and it never lived: one more sending that the venue failed to take."""
    working = holding.working_of(order)
    if working is None or working.canceling:
        return holding
    fact = PlaceNotSent(ref=order.ref, reason="no answer, and the venue never had it")
    after = not_sent(holding, order, fact, scene)
    return _put(after, after.intents[working.intent_id].but(refusal_code=VENUE_AWAY))


def _put(holding: Holding, working: Working) -> Holding:
    return holding.but(intents={**holding.intents, working.intent_id: working})
