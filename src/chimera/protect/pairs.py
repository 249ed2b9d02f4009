"""The duty of protection on spot: order lists that lock what is held, each a stop and a target of which one may fill.

Level-triggered like ``protect.stops``, and unlike it: a balance is locked once, so what must change is cancelled
first and placed anew when its end is known; nothing is reduce-only, so nothing in doubt is sent again. What has come
since gets a list of its own beside the others. While no stop stands the price is watched here, and a price beyond the
stop closes the position.

The two legs of a list share the number in their ids; the venue ends the other when one fills or fires (Binance, order
lists), and a target that has filled in part has no stop beside it: its rest is cancelled and placed anew.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Final, NamedTuple

from chimera.protect.arming import patient
from chimera.protect.crossing import overdue
from chimera.protect.forms import left
from chimera.protect.tries import count_try, strike_form, wait
from chimera.trading.bracket import Bracket
from chimera.trading.commands import NOTHING, Cancel, Command, Place, PlacePair
from chimera.trading.execution import STOP_CROSSED, STOP_REFUSED, STOP_STUCK, TARGET_CROSSED, Exit, Phase, Working
from chimera.trading.facts import PlaceNotSent, PlaceRefused
from chimera.trading.form import Form
from chimera.trading.holding import Holding
from chimera.trading.ids import ClientOrderId, child_id, child_of
from chimera.trading.market import Side
from chimera.trading.money import BPS, ZERO, Millis, Price, Qty
from chimera.trading.order import FIRING, OPEN, NewOrder, Order, OrderType, Role, Status, TimeInForce
from chimera.trading.refusal import Refusal
from chimera.trading.scene import Scene
from chimera.trading.venue import OrderRef

LISTS_MAX: Final = 3  # of one symbol; the venue takes five conditional orders (MAX_NUM_ALGO_ORDERS)
NOT_SENT_MS: Final = 500  # after a list that never left, by a glitch: how long until the next
LACKING_MS: Final = 500  # after one refused for lack of coins: a survey says meanwhile how many there are
LONGEST_NOT_SENT_MS: Final = 2_000  # and by a ban
DEAREST: Final = Decimal("0.001")  # Binance's usual spot fee; the account's own may not be known yet
_LIST: Final = "l"  # the letter of a list's own id
_CROSSED: Final = (Refusal.WOULD_TRIGGER, Refusal.BAD_PRICES)  # the market has passed one of its prices
_OF_PRICE: Final = (Refusal.PRICE_BAND, Refusal.PRICE_RULE, Refusal.TOO_PRECISE)  # of a list: the target's, perhaps
_STANDING: Final = (Status.PENDING_NEW, Status.NEW, Status.IN_DOUBT)
_CANCELABLE: Final = (*OPEN, Status.TRIGGERING)


class Pair(NamedTuple):
    """A stop and its target, or one of them alone."""

    stop: Order | None
    target: Order | None

    @property
    def legs(self) -> tuple[Order, ...]:
        return tuple(leg for leg in self if leg is not None)

    @property
    def alive(self) -> bool:
        return any(not leg.status.final for leg in self.legs)

    @property
    def firing(self) -> bool:
        return self.stop is not None and self.stop.status in FIRING

    @property
    def locked(self) -> Decimal:
        """Base asset that it may still sell; one quantity, whichever leg sells it."""
        if not self.alive:
            return ZERO
        sold = sum((leg.cum_qty + leg.owed_qty for leg in self.legs), ZERO)
        return max(self.legs[0].qty - sold, ZERO)


def pairs_of(holding: Holding) -> tuple[Pair, ...]:
    """The lists that may still sell, oldest first."""
    found: dict[tuple[ClientOrderId, int], dict[Role, Order]] = {}
    for order in holding.in_role(Role.STOP, Role.TARGET):
        child = child_of(order.ref)
        if child is not None:
            found.setdefault((child[0], child[2]), {})[order.role] = order
    pairs = (Pair(stop=legs.get(Role.STOP), target=legs.get(Role.TARGET)) for legs in found.values())
    return tuple(sorted((pair for pair in pairs if pair.alive), key=lambda pair: pair.legs[0].created_ms))


def locked_qty(holding: Holding) -> Decimal:
    """Base asset that orders of ours which sell may still take: lists once, closes and exits in full.

    What they have sold by the venue's word has left what is held already, before its trades are told.
    """
    selling = sum((pair.locked for pair in pairs_of(holding)), ZERO)
    others = (order for order in holding.orders.values() if not order.role.protective)
    sales = (order for order in others if order.request.side is Side.SELL)
    return selling + sum((order.leaves_qty - order.owed_qty for order in sales), ZERO)


def ours_qty(holding: Holding, scene: Scene) -> Decimal:
    """Base asset that is ours to sell: what the wallet holds beyond it is the user's own.

    An answer that tells of a purchase before its trade does says nothing of the fee: until then the dearest rate is
    taken to have gone in base.
    """
    bought = sum((order.owed_qty for order in holding.orders.values() if order.request.side is Side.BUY), ZERO)
    return max(holding.exposure - bought * max(scene.fees.taker, scene.fees.maker, DEAREST), ZERO)


def short_by(holding: Holding) -> Decimal:
    """Base asset that the wallet lacks of ours, by all the surveys that have disagreed: fees may have been taken in the
    very asset, or somebody has spent of it. For whoever was refused: a reading alone may be a mistake (B26).
    """
    return max(-holding.suspected, ZERO) if holding.strikes else ZERO


def protect(holding: Holding, wanted: Bracket | None, scene: Scene) -> tuple[Holding, tuple[Command, ...]]:
    """Lists for all that is held and meant to stay."""
    pairs = pairs_of(holding)
    if wanted is None:
        needed = bool(holding.exposure) or holding.strikes > 0  # no price known yet, or a gap: what stands there stays
        return (holding, NOTHING) if needed else _dismiss(holding, pairs, scene)
    holding = _lose_patience(holding, wanted, scene)
    if holding.unseen:
        return holding, NOTHING  # nothing is sold before the venue is heard: what stands guards it meanwhile
    if holding.flattening or wanted.stop_price is None:
        return _dismiss(holding, pairs, scene)
    form = _form(holding, wanted, scene)
    if form is None:
        return holding, NOTHING
    room = _to_protect(holding, scene)
    kept = _fitting((pair for pair in pairs if _serves(pair, wanted, form)), room)
    lacking = _lacking(holding, _less(room, kept), wanted, scene)
    enough = _placeable(lacking, wanted, scene)
    if kept and not kept[-1].firing and lacking > 0 and (len(kept) >= LISTS_MAX or not (enough or holding.entering)):
        kept = kept[:-1]  # the newest makes way for one that holds its quantity and the rest
        lacking = _lacking(holding, _less(room, kept), wanted, scene)
    holding, commands = _dismiss(holding, (pair for pair in pairs if pair not in kept), scene)
    due = holding.stop_retry_at_ms is None or scene.now_ms >= holding.stop_retry_at_ms
    if enough and due and lacking <= _less(room, pairs):
        holding, more = _place(holding, form, wanted, lacking, scene)
        commands += more
    return holding, commands


def _lacking(holding: Holding, lacking: Qty, wanted: Bracket, scene: Scene) -> Qty:
    """After a refusal no more than the wallet shows, where that is something to guard."""
    if not holding.stop_tries:
        return lacking
    there = scene.instrument.floor_to_step(max(lacking - short_by(holding), ZERO))
    return lacking if _placeable(lacking, wanted, scene) and not _placeable(there, wanted, scene) else there


def _less(room: Qty, pairs: Iterable[Pair]) -> Qty:
    """What these lists leave of it."""
    return Qty(room - sum((pair.locked for pair in pairs), ZERO))


def _to_protect(holding: Holding, scene: Scene) -> Qty:
    """What is held and is not to be sold by something else: whole steps, less the fee where it is not known."""
    wanted = holding.exit
    sold = sum((order.owed_qty for order in holding.in_role(Role.EXIT)), ZERO)  # and held no more
    closing = ZERO if wanted is None or wanted.left_qty is None else max(wanted.left_qty - sold, ZERO)
    leaving = sum((_leaving(holding, work, scene) for work in holding.intents.values()), ZERO)
    return scene.instrument.floor_to_step(max(ours_qty(holding, scene) - closing - leaving, ZERO))


def _leaving(holding: Holding, work: Working, scene: Scene) -> Decimal:
    """What an intent that sells is about to sell; of one that pauses, waits or ends only what may still fill."""
    if not work.intent.reduce_only:
        return ZERO
    orders = holding.of_intent(work.intent_id)
    live = sum((order.leaves_qty - order.owed_qty for order in orders if not order.status.final), ZERO)
    if work.phase is not Phase.WORKING or work.canceling or not work.works_at(scene.now_ms):
        return live
    return max(work.due_qty - sum((order.cum_qty + order.owed_qty for order in orders), ZERO), live)


def _form(holding: Holding, wanted: Bracket, scene: Scene) -> Form | None:
    """A list where there is a target and the venue takes lists; None: it takes nothing."""
    forms = left(holding, Role.STOP, scene)
    if wanted.target_price is not None and Form.OCO in forms:
        return Form.OCO
    return Form.ALONE if Form.ALONE in forms else None


def _serves(pair: Pair, wanted: Bracket, form: Form) -> bool:
    """Whether it is what would be placed now, or on its way to be."""
    stop, target = pair
    if stop is None or stop.status.final or stop.status is Status.PENDING_CANCEL:
        return False
    if stop.status in FIRING:
        return True  # it is doing its work, or patience will run out
    if stop.request.trigger_price != wanted.stop_price:
        return False
    if form is Form.ALONE:
        return target is None
    if target is None or target.status is Status.PENDING_CANCEL or target.cum_qty or target.owed:
        return False
    if target.status.final:  # ended by a stop that fires, of which we have not heard; or else the target is watched
        return True
    return target.status in _STANDING and target.request.price == wanted.target_price


def _fitting(pairs: Iterable[Pair], room: Decimal) -> list[Pair]:
    """The oldest that together sell no more than is held."""
    kept: list[Pair] = []
    for pair in pairs:
        if sum((each.locked for each in kept), pair.locked) <= room:
            kept.append(pair)
    return kept


def _limit(stop_price: Price, scene: Scene) -> Price:
    """How low a stop that fired may sell."""
    return scene.instrument.price_at_or_below(stop_price * (1 - scene.policy.stop_limit_bps / BPS))


def _placeable(qty: Qty, wanted: Bracket, scene: Scene) -> bool:
    """Whether the venue would take a stop of this size."""
    rules = scene.instrument
    if wanted.stop_price is None or qty < rules.min_qty or qty <= 0:
        return False
    return qty * _limit(wanted.stop_price, scene) >= rules.min_notional


def _place(
    holding: Holding, form: Form, wanted: Bracket, qty: Qty, scene: Scene
) -> tuple[Holding, tuple[Command, ...]]:
    stop_price = wanted.stop_price
    assert stop_price is not None  # the caller has checked
    holding, ref = holding.next_child(Role.STOP)
    child = child_of(ref)
    assert child is not None  # it was made a line above
    stop = NewOrder(
        ref=ref,
        symbol=scene.instrument.symbol,
        side=wanted.side,
        type=OrderType.STOP_LOSS_LIMIT,
        qty=qty,
        price=_limit(stop_price, scene),
        trigger_price=stop_price,
        time_in_force=TimeInForce.GTC,
        reduce_only=True,
        form=form,
    )
    if form is Form.ALONE:
        return _with(holding, stop, Role.STOP, scene), (Place(order=stop, role=Role.STOP),)
    group = child_id(child[0], _LIST, child[2])
    stop = stop.but(group=group)
    target = stop.but(
        ref=child_id(child[0], Role.TARGET.value, child[2]),
        type=OrderType.LIMIT,
        price=wanted.target_price,
        trigger_price=None,
        time_in_force=TimeInForce.GTX,
    )
    holding = _with(_with(holding, stop, Role.STOP, scene), target, Role.TARGET, scene)
    return holding, (PlacePair(stop=stop, target=target),)


def _with(holding: Holding, request: NewOrder, role: Role, scene: Scene) -> Holding:
    return holding.with_order(
        Order(
            request=request,
            role=role,
            intent_id=None,
            created_ms=scene.now_ms,
            episode=holding.position.closed_count,
        )
    )


def _dismiss(holding: Holding, pairs: Iterable[Pair], scene: Scene) -> tuple[Holding, tuple[Command, ...]]:
    """Cancel lists by one of their legs, which ends both; what is on its way or in doubt waits for its word."""
    commands: list[Command] = []
    for pair in pairs:
        standing = [leg for leg in pair.legs if leg.status in _CANCELABLE and leg.may_cancel(scene.now_ms)]
        if not standing or any(leg.status is Status.PENDING_NEW for leg in pair.legs):
            continue
        for leg in standing:
            holding = holding.with_order(leg.canceling(scene.now_ms))
        commands.append(Cancel(order=OrderRef.to(standing[0]), role=standing[0].role))
    return holding, tuple(commands)


def _lose_patience(holding: Holding, wanted: Bracket, scene: Scene) -> Holding:
    """A stop that fired and does not fill, or does not fire, or is refused again, a price beyond where one should
    stand: close.
    """
    if holding.flattening:
        return holding
    stuck = any(
        order.status in FIRING and order.patience_ms is not None and scene.now_ms >= order.patience_ms
        for order in holding.in_role(Role.STOP)
    )
    reason = STOP_STUCK if stuck or overdue(holding, scene) else _beyond(holding, wanted, scene)
    refused = holding.stop_tries >= scene.policy.stop_refusals or not left(holding, Role.STOP, scene)
    if reason is None and refused and not patient(holding, scene):
        reason = STOP_REFUSED
    return holding if reason is None else holding.but(exit=Exit(reason=reason, asked_ms=scene.now_ms))


def _beyond(holding: Holding, wanted: Bracket, scene: Scene) -> str | None:
    """Whether the mid price has passed a stop or target that does not stand at the venue."""
    if scene.touch is None:
        return None
    pairs = pairs_of(holding)
    firing = any(leg.status in FIRING for pair in pairs for leg in pair.legs)
    stops = sum((pair.locked for pair in pairs if pair.stop is not None and pair.stop.live), ZERO)
    targets = any(pair.target is not None and not pair.target.status.final for pair in pairs)
    room = _to_protect(holding, scene)
    if firing or not room:
        return None
    if wanted.stop_price is not None and stops < room and scene.touch.mid <= wanted.stop_price:
        return STOP_CROSSED
    if wanted.target_price is not None and not targets and scene.touch.mid >= wanted.target_price:
        return TARGET_CROSSED
    return None


def refused(holding: Holding, order: Order, no: PlaceRefused, scene: Scene) -> Holding:
    """After the venue refused a list or a stop: told of both legs, counted once."""
    if order.role is Role.TARGET and order.request.group is not None:
        return holding
    if no.refusal in _CROSSED and not holding.flattening:
        return holding.but(exit=Exit(reason=STOP_CROSSED, asked_ms=scene.now_ms))
    if no.refusal is Refusal.UNSUPPORTED:
        return strike_form(holding, order).but(stop_retry_at_ms=None)
    if order.request.form is Form.OCO and no.refusal in _OF_PRICE:  # then the stop goes alone, the target is watched
        return count_try(strike_form(holding, order), Role.STOP, scene)
    if no.refusal is Refusal.LACKS_BALANCE:
        return wait(count_try(holding, Role.STOP, scene), Role.STOP, scene, LACKING_MS)
    known = no.refusal not in (None, Refusal.OTHER)
    return count_try(holding if known else strike_form(holding, order), Role.STOP, scene)


def not_sent(holding: Holding, fact: PlaceNotSent, scene: Scene) -> Holding:
    """A list or a stop never left: the next one soon, but not at once. A ban that lasts would be met a thousand times.

    Its moment comes again long before ``retry_after_ms``: what is held is bare, and it may be over sooner.
    """
    pause = min(max(fact.retry_after_ms or 0, NOT_SENT_MS), LONGEST_NOT_SENT_MS)
    due = max(scene.now_ms + pause, holding.stop_retry_at_ms or 0)
    return holding.but(stop_retry_at_ms=Millis(due))


def ended(holding: Holding, order: Order, scene: Scene) -> Holding:
    """The venue ended a leg that nobody cancelled: its mate's doing, or as good as a refusal."""
    mate = mate_of(holding, order)
    worked = mate is not None and (mate.cum_qty or mate.owed or mate.status in FIRING or not mate.status.final)
    if order.role is Role.TARGET or worked:
        return holding
    return count_try(holding, Role.STOP, scene)


def bereft(holding: Holding) -> tuple[Order, ...]:
    """Legs that seem to stand, or to be cancelled still, though the other has ended or fires: their own word is late,
    or lost. A cancel is answered for the leg that it named alone."""
    found: list[Order] = []
    for leg in holding.in_role(Role.STOP, Role.TARGET):
        seems = leg.status in (*_CANCELABLE, Status.PENDING_CANCEL) and leg.request.form is Form.OCO
        mate = mate_of(holding, leg) if seems else None
        if mate is not None and (mate.status.final or mate.status in FIRING):
            found.append(leg)
    return tuple(found)


def mate_of(holding: Holding, order: Order) -> Order | None:
    """The other leg of its list."""
    child = child_of(order.ref)
    other = {Role.STOP: Role.TARGET, Role.TARGET: Role.STOP}.get(order.role)
    if child is None or other is None:
        return None
    return holding.orders.get(child_id(child[0], other.value, child[2]))
