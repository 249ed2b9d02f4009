"""The duty of protection on futures: whatever just happened, bring the live stop and target to what the position needs.

Level-triggered: it compares what should stand with what is live or on its way, so a crash, a lost answer and a normal
fill take the same path. A stop is placed at once and for the whole position; the old one goes only when the new one is
live. A form that the venue does not take gives way to the next at once, under a new id; when none is left, or a stop is
refused again for another reason, what is bare is closed: it is never left without either. Where a stop that stands
covers all of it, another place for it is asked for again and again, and nothing is closed for that.
"""

from chimera.protect.arming import patient
from chimera.protect.crossing import overdue, passed
from chimera.protect.forms import DOUBT_MS, covers, fits, left, mendable, next_form, request_for
from chimera.protect.reach import placed_at, stands_in
from chimera.protect.tries import at_once, count_try, forget_forms, moved_lately, strike_form, wait
from chimera.protect.verdicts import Verdict, verdict
from chimera.trading.bracket import Bracket
from chimera.trading.commands import NOTHING, Cancel, Command, Place
from chimera.trading.execution import STOP_CROSSED, STOP_REFUSED, STOP_STUCK, TARGET_CROSSED, Exit
from chimera.trading.facts import PlaceRefused
from chimera.trading.form import Form
from chimera.trading.holding import Holding
from chimera.trading.ids import child_of
from chimera.trading.money import Price
from chimera.trading.order import FIRING, Order, Role, Status
from chimera.trading.scene import Scene
from chimera.trading.venue import OrderRef

CALM_MS = 2_000
NO_FORM_MS = 10_000  # after every form was refused: how long until they are tried anew
KEY_MS = 1_000
CROSSED_MS = 2_500  # longer than a close gives way to a stop that was held back (adapters.binance.governor)
_PROTECTIVE = (Role.STOP, Role.TARGET)


def protect(holding: Holding, wanted: Bracket | None, scene: Scene) -> tuple[Holding, tuple[Command, ...]]:
    """Stop first, then target, then whatever stands in excess."""
    if wanted is None:
        # No price known yet, or the venue shows a position that we cannot explain yet: what stands there stays.
        needed = bool(holding.exposure) or holding.strikes > 0
        return (holding, NOTHING) if needed else _dismiss(holding, holding.in_role(Role.STOP, Role.TARGET), scene)
    holding = _lose_patience(holding, scene)
    stop: tuple[Command, ...] = NOTHING
    if wanted.stop_price is not None:
        holding, stop = _keep_one(holding, Role.STOP, wanted, wanted.stop_price, scene)
    if holding.exit is not None or wanted.target_price is None:  # a close keeps its stop; a target would block it
        holding, rest = _dismiss(holding, holding.in_role(Role.TARGET), scene)
    else:
        holding, rest = _keep_one(holding, Role.TARGET, wanted, wanted.target_price, scene)
    return holding, stop + rest


def _keep_one(
    holding: Holding, role: Role, wanted: Bracket, price: Price, scene: Scene
) -> tuple[Holding, tuple[Command, ...]]:
    """Exactly one order of this role, right in quantity and price; others leave once it is live."""
    standing = sorted((order for order in holding.in_role(role) if not order.status.final), key=_age)
    if any(_fires(order, holding) for order in standing):
        return holding, NOTHING  # it is doing its work, or patience will run out
    right = [order for order in standing if _serves(order, wanted, price, holding, scene)]
    live = next((order for order in reversed(right) if order.live), None)  # the newest: an older word may be late
    if live is not None:
        if live.request.trigger_price == price:  # what only stands in for it has proved nothing
            holding = _calm(holding, live, scene)
        return _dismiss(holding, tuple(order for order in standing if order is not live), scene)
    coming = next((o for o in right if o.status is Status.PENDING_NEW or o.resendable), None)
    if coming is not None:
        return _resend(holding, coming, scene) if coming.resendable else (holding, NOTHING)
    if any(order.status is Status.IN_DOUBT for order in right):  # it lived once: its word is awaited, not for long
        doubted = max((order.doubted_ms or 0 for order in right), default=0)
        if scene.now_ms < doubted + DOUBT_MS:
            return holding, NOTHING
        holding, another = _place(holding, role, wanted, price, scene)
        return (count_try(holding, role, scene) if another else holding), another
    return _place(holding, role, wanted, price, scene)


def _serves(order: Order, wanted: Bracket, price: Price, holding: Holding, scene: Scene) -> bool:
    """Whether it is where it belongs, or as near to it as the venue lets a stop stand now."""
    if not covers(order, wanted, holding):
        return False
    trigger, tries = order.request.trigger_price, holding.stop_tries
    return trigger == price or (order.role is Role.STOP and stands_in(trigger, price, wanted.side, tries, scene))


def _fires(order: Order, holding: Holding) -> bool:
    """Whether it is closing this position now. Of one that was turned over in one trade it closes nothing any more."""
    closes = order.request.side.sign * holding.exposure < 0
    return order.status in FIRING and closes and order.episode == holding.position.closed_count


def _age(order: Order) -> tuple[int, int]:
    """Oldest first: by opening, then by number."""
    child = child_of(order.ref)
    return order.episode, child[2] if child else 0


def _place(
    holding: Holding, role: Role, wanted: Bracket, price: Price, scene: Scene
) -> tuple[Holding, tuple[Command, ...]]:
    retry_at = holding.stop_retry_at_ms if role is Role.STOP else holding.target_retry_at_ms
    if (retry_at is not None and scene.now_ms < retry_at) or (role is Role.STOP and moved_lately(holding, scene)):
        return holding, NOTHING
    if holding.flattening and passed(price, wanted.side, wanted.working_type, scene):
        return holding, NOTHING  # the venue would refuse it, and under a limit on haste the close would wait behind it
    form = next_form(holding, role, wanted, scene)
    if form is None:  # what still stands stays; after a while the venue may think otherwise
        return wait(forget_forms(holding, role), role, scene, NO_FORM_MS), NOTHING
    if role is Role.STOP:
        price = placed_at(price, wanted.side, holding.stop_tries, scene)
    holding, ref = holding.next_child(role)
    request = request_for(form, ref, role, wanted, price, scene)
    order = Order(
        request=request,
        role=role,
        intent_id=None,
        created_ms=scene.now_ms,
        episode=holding.position.closed_count,
    )
    return holding.with_order(order), (Place(order=request, role=role),)


def _resend(holding: Holding, order: Order, scene: Scene) -> tuple[Holding, tuple[Command, ...]]:
    """An exit may be sent again at once under its own id: it can only reduce, and "duplicate" proves it lives."""
    if scene.now_ms < order.resend_due_ms:
        return holding, NOTHING
    again = order.but(resends=order.resends + 1, created_ms=scene.now_ms)
    return holding.with_order(again), (Place(order=order.request, role=order.role),)


def _dismiss(holding: Holding, orders: tuple[Order, ...], scene: Scene) -> tuple[Holding, tuple[Command, ...]]:
    """Cancel what stands and is not needed; what is on its way is cancelled once it has arrived."""
    commands: list[Command] = []
    for order in orders:
        if order.status is Status.NEW and order.may_cancel(scene.now_ms):
            holding = holding.with_order(order.canceling(scene.now_ms))
            commands.append(Cancel(order=OrderRef.to(order), role=order.role))
    return holding, tuple(commands)


def _lose_patience(holding: Holding, scene: Scene) -> Holding:
    """A stop that triggered and does not fill, that does not trigger, or that the venue keeps refusing, is not a stop:
    close the position.

    The close of a part, which may be in doubt for long, does not stand in for that.
    """
    if holding.flattening:
        return holding
    stuck = any(
        _fires(order, holding) and order.patience_ms is not None and scene.now_ms >= order.patience_ms
        for order in holding.in_role(Role.STOP, Role.TARGET)
    )
    if stuck or overdue(holding, scene):
        return holding.but(exit=Exit(reason=STOP_STUCK, asked_ms=scene.now_ms))
    refused = holding.stop_tries >= scene.policy.stop_refusals or not left(holding, Role.STOP, scene)
    if refused and not holding.covered and not patient(holding, scene):
        return holding.but(exit=Exit(reason=STOP_REFUSED, asked_ms=scene.now_ms))
    return holding


def _calm(holding: Holding, live: Order, scene: Scene) -> Holding:
    """One has been live for a while: refusals are forgotten. (One that dies at once would be placed for ever.)"""
    if scene.now_ms < live.created_ms + CALM_MS:
        return holding
    holding = forget_forms(holding, live.role)
    if live.role is Role.STOP:
        return holding.but(stop_tries=0, stop_retry_at_ms=None) if holding.stop_tries else holding
    return holding.but(target_tries=0, target_retry_at_ms=None) if holding.target_tries else holding


def ended(holding: Holding, order: Order, scene: Scene) -> Holding:
    """The venue ended a stop or target that nobody cancelled: as good as a refusal.

    A WHOLE one ends with its position, and may say so before the trade that closed it does: that is no refusal.
    """
    closing = holding.exit is not None or any(other.status in FIRING for other in holding.in_role(*_PROTECTIVE))
    if order.request.form is Form.WHOLE and (closing or not holding.exposure):
        return holding
    return count_try(holding, order.role, scene)


def refused(holding: Holding, order: Order, no: PlaceRefused, scene: Scene) -> Holding:
    """After the venue refused a stop or target; the duty that runs next acts on it. Of no position the survey tells."""
    role = order.role
    match verdict(no.refusal):
        case Verdict.CROSSED if not holding.flattening:
            reason = STOP_CROSSED if role is Role.STOP else TARGET_CROSSED
            return holding.but(exit=Exit(reason=reason, asked_ms=scene.now_ms))
        case Verdict.FORM | Verdict.OCCUPIED:
            return at_once(strike_form(holding, order), role)
        case Verdict.RULES if not fits(order.request, scene.instrument):
            anew = mendable(order.request, scene.instrument)  # the rules have changed since it was made
            return at_once(holding if anew else strike_form(holding, order), role)
        case Verdict.KEY:
            return wait(holding, role, scene, KEY_MS)
        case Verdict.RULES | Verdict.UNSURE:
            return count_try(strike_form(holding, order), role, scene)
        case Verdict.CROSSED:  # what we see of the market may be late: the close goes before the next try
            return wait(count_try(holding, role, scene), role, scene, CROSSED_MS)
        case Verdict.PLACE | Verdict.STATUS:
            return count_try(holding, role, scene)
