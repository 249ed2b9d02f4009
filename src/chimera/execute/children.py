"""The next child of a slice: rest, chase, take, or wait; at which price and how much of what is left.

One slice goes through it in this order: post-only at the passive touch while its wait lasts, following a touch that
moves away a bounded number of times; then, where enough of it has filled, once as a limit order a tick nearer; then
at market, or cut and bounded where the market is poor (``route.probe``). No child is priced beyond the plan's worst.
"""

from decimal import Decimal
from typing import Final

from chimera.route.by_fees import resting_price
from chimera.route.probe import Go, Wait, judge
from chimera.trading.execution import Working
from chimera.trading.market import Touch
from chimera.trading.money import ZERO, Price, Qty, text
from chimera.trading.order import OPEN, Order, OrderType, Role, TimeInForce
from chimera.trading.scene import Scene
from chimera.trading.value import Value

REPRICE_EVERY_MS: Final = 250  # a maker stands at least so long before it follows the touch
PATIENCE: Final = 6  # and at least this part, one in so many, of the wait that was left when it was placed
BOUNDED_PAUSE_MS: Final = 500  # between children that only a worst price bounds


class Child(Value):
    """What to send. ``pause_ms``: how long the next one waits at least. ``why``: empty where nothing is to be told."""

    role: Role
    type: OrderType
    qty: Qty
    price: Price | None = None
    time_in_force: TimeInForce | None = None
    chases: bool = False
    shrunk: bool = False
    pause_ms: int = 0
    why: str = ""


def next_child(working: Working, left: Qty, filled: Decimal, scene: Scene) -> Child | Wait:
    """``left``: of what is due by this slice; ``filled``: of the whole intent. Both base asset."""
    touch = scene.touch
    if touch is not None and _patient(working, scene):
        return _rest(working, left, touch, scene)
    if touch is not None and _chases(working, filled, scene):
        return _chase(working, left, touch, scene)
    return _take(working, left, scene)


def rest_over(working: Working, scene: Scene) -> bool:
    """Whether a child that rests has stood long enough, by its wait, its chase, or somebody's word."""
    until = working.rests_until_ms
    late = until is not None and scene.now_ms >= until
    stopped = working.canceling or working.finishing or working.paused_ms is not None or working.next_plan is not None
    return late or stopped or scene.now_ms >= working.ends_ms(scene.now_ms)


def follows(working: Working, order: Order, scene: Scene) -> bool:
    """Whether this maker leaves its price because the touch moved away from it: only the better side of one tick.

    A touch often comes back: who has half a minute can wait for it longer than who has a second.
    """
    if order.status not in OPEN or order.request.time_in_force is not TimeInForce.GTX or scene.touch is None:
        return False
    if working.reprices >= working.plan.maker.reprices or scene.now_ms < order.created_ms + _stands_ms(working, order):
        return False
    wanted = _held_to(working, scene.touch.passive(order.request.side))
    return order.request.price is not None and (wanted - order.request.price) * order.request.side.sign > 0


def _stands_ms(working: Working, order: Order) -> int:
    left_ms = 0 if working.maker_until_ms is None else working.maker_until_ms - order.created_ms
    return max(REPRICE_EVERY_MS, left_ms // PATIENCE)


def _patient(working: Working, scene: Scene) -> bool:
    waited = working.maker_until_ms is not None and scene.now_ms >= working.maker_until_ms
    tries = working.maker_tries - working.reprices
    rests = working.plan.maker.wait_ms > 0 and not working.finishing
    return rests and not waited and tries < scene.policy.maker_tries


def _chases(working: Working, filled: Decimal, scene: Scene) -> bool:
    """Once a slice, after its wait, where the maker got at least theta of it."""
    until, maker = working.maker_until_ms, working.plan.maker
    if until is None or scene.now_ms < until or working.chase_until_ms is not None or working.finishing:
        return False
    if not maker.chase_ms:
        return False
    before = working.begun[-1].filled if working.slice_begun else ZERO
    return filled - before >= maker.theta * (working.due_qty - before)


def _rest(working: Working, left: Qty, touch: Touch, scene: Scene) -> Child | Wait:
    side = working.intent.side
    if not working.slice_begun:
        found = _judged(working, left, scene, taking=False)
        if isinstance(found, Wait):
            return found
    return Child(
        role=Role.MAKER,
        type=OrderType.LIMIT,
        qty=min(left, scene.instrument.max_qty),
        price=_held_to(working, resting_price(touch, side, scene.instrument.tick, working.plan.maker.inside_bps)),
        time_in_force=TimeInForce.GTX,
    )


def _chase(working: Working, left: Qty, touch: Touch, scene: Scene) -> Child:
    side = working.intent.side
    price = _held_to(working, Price(touch.passive(side) + side.sign * scene.instrument.tick))
    return Child(
        role=Role.MAKER,  # it rests, and can be cancelled
        type=OrderType.LIMIT,
        qty=min(left, scene.instrument.max_qty),
        price=price,
        time_in_force=TimeInForce.GTC,
        chases=True,
        why=f"chases at {text(price)} for {working.plan.maker.chase_ms} ms",
    )


def _take(working: Working, left: Qty, scene: Scene) -> Child | Wait:
    """At market, or bounded: then what does not fill is given back at once, and tried again a little later."""
    found = _judged(working, left, scene, taking=True)
    if isinstance(found, Wait):
        return found
    if found.limit is None:
        return Child(role=Role.TAKER, type=OrderType.MARKET, qty=min(found.qty, scene.instrument.market_max_qty))
    terms = working.plan.liquidity
    return Child(
        role=Role.TAKER,
        type=OrderType.LIMIT,
        qty=min(found.qty, scene.instrument.max_qty),
        price=found.limit,
        time_in_force=TimeInForce.IOC,
        shrunk=found.qty < left,
        pause_ms=terms.shrink_pause_ms if terms is not None else BOUNDED_PAUSE_MS,
        why=found.why,
    )


def _judged(working: Working, qty: Qty, scene: Scene, *, taking: bool) -> Go | Wait:
    """By the plan's terms; who is told to finish now is held to nothing but the worst price."""
    plan = working.plan.but(liquidity=None) if working.finishing else working.plan
    book = scene.seen
    if book is None:
        return Go(qty=qty, limit=plan.worst_price)
    return judge(
        working.intent.side,
        qty,
        book,
        plan,
        scene.instrument,
        taking=taking,
        waited_ms=working.waited_ms,
        shrunk=working.shrunk,
    )


def _held_to(working: Working, price: Price) -> Price:
    """No further than the plan's worst price."""
    worst = working.plan.worst_price
    if worst is None:
        return price
    return min(price, worst) if working.intent.side.sign > 0 else max(price, worst)
