"""Which form the next stop or target takes, and what is sent then; whether one that stands still serves.

Never leaves a position for want of a form: what is believed to work comes first, the others are tried before anyone
gives up. A WHOLE order cannot stand beside another of its kind (-4130), so it is never moved: what replaces it has a
quantity, and where the venue takes no other form the old one stays, at its old price.
"""

from typing import Final

from chimera.trading.bracket import Bracket
from chimera.trading.form import FORMS, SPOT_FORMS, Form
from chimera.trading.holding import Holding
from chimera.trading.ids import ClientOrderId
from chimera.trading.instrument import Instrument
from chimera.trading.money import ZERO, Price, Qty
from chimera.trading.order import NewOrder, Order, OrderType, Role
from chimera.trading.scene import Scene

DOUBT_MS: Final = 500  # how long a stop that lived once may be in doubt before another is placed

_TYPES: Final = {Role.STOP: OrderType.STOP_MARKET, Role.TARGET: OrderType.TAKE_PROFIT_MARKET}


def left(holding: Holding, role: Role, scene: Scene) -> tuple[Form, ...]:
    """Forms that the venue has not refused to this holding, the likeliest first."""
    refused = holding.refused_stop_forms if role is Role.STOP else holding.refused_target_forms
    every = FORMS if holding.key.market.reduces_only else SPOT_FORMS
    likely = (*scene.forms, *(form for form in every if form not in scene.forms))
    return tuple(form for form in likely if form not in refused)


def next_form(holding: Holding, role: Role, wanted: Bracket, scene: Scene) -> Form | None:
    """The first that can carry this quantity by the rules, else the first; None: there is none to place now."""
    occupied = any(_occupies(order, wanted, holding, scene) for order in holding.in_role(role))
    free = [form for form in left(holding, role, scene) if not (occupied and form is Form.WHOLE)]
    return next((form for form in free if _carries(form, wanted.qty, scene.instrument)), free[0] if free else None)


def _occupies(order: Order, wanted: Bracket, holding: Holding, scene: Scene) -> bool:
    """Whether the venue would refuse a second WHOLE order beside it: unless it is gone, or long in doubt."""
    lost = order.doubted_ms is not None and scene.now_ms >= order.doubted_ms + DOUBT_MS
    whole = order.request.form is Form.WHOLE and order.request.side is wanted.side
    return whole and not order.status.final and not lost and holding.stands(order)


def _carries(form: Form, qty: Qty, rules: Instrument) -> bool:
    """Whether the venue's rules let an order of this form close this quantity."""
    if form is Form.WHOLE:
        return True
    return rules.on_step(qty) and rules.min_qty <= qty <= rules.market_max_qty


def request_for(form: Form, ref: ClientOrderId, role: Role, wanted: Bracket, price: Price, scene: Scene) -> NewOrder:
    """Sized by the rules as they are now: rounded up, since it can only reduce."""
    rules = scene.instrument
    qty = Qty(ZERO) if form is Form.WHOLE else _sized(wanted.qty, rules)
    return NewOrder(
        ref=ref,
        symbol=rules.symbol,
        side=wanted.side,
        type=_TYPES[role],
        qty=qty,
        trigger_price=price,
        working_type=wanted.working_type,
        reduce_only=True,
        form=form,
    )


def _sized(qty: Qty, rules: Instrument) -> Qty:
    return Qty(max(rules.ceil_to_step(qty), rules.min_qty))


def covers(order: Order, wanted: Bracket, holding: Holding) -> bool:
    """Whether it is right in side, gauge and quantity, wherever it stands, and of a position that is still there."""
    request = order.request
    gauged = request.working_type in (None, wanted.working_type)  # None: of an earlier life of ours; nobody knows
    right = request.side is wanted.side and gauged
    return right and holding.stands(order) and order.closes(wanted.qty) >= wanted.qty


def fits(request: NewOrder, rules: Instrument) -> bool:
    """Whether the venue's rules, as we know them now, take this price and this quantity."""
    trigger = request.trigger_price
    if trigger is not None and not (rules.on_tick(trigger) and rules.min_price <= trigger <= rules.max_price):
        return False
    return _carries(request.form, request.qty, rules)


def mendable(request: NewOrder, rules: Instrument) -> bool:
    """Whether the same, made anew by these rules, would pass them: rounding cures neither a size nor a bound."""
    trigger = request.trigger_price
    within = trigger is None or rules.min_price <= trigger <= rules.max_price
    if request.form is Form.WHOLE:
        return within
    anew = _sized(request.qty, rules)
    return within and rules.on_step(anew) and anew <= rules.market_max_qty
