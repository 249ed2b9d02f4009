"""What became of order lists and of dust between two states of a holding, as events (spot)."""

from chimera.protect.pairs import mate_of
from chimera.trading.events import DustLeft, Happening, PairArmed, PairResolved
from chimera.trading.holding import Holding
from chimera.trading.money import Quote
from chimera.trading.order import Order, Role
from chimera.trading.scene import Scene


def news_of_lists(before: Holding, after: Holding, scene: Scene) -> list[Happening]:
    """Each list is told once when both its legs stand, and once when it is over and something of it sold."""
    if after.key.market.reduces_only:
        return []
    news: list[Happening] = []
    for stop in after.in_role(Role.STOP):
        target, known = mate_of(after, stop), before.orders.get(stop.ref)
        known_target = mate_of(before, stop)
        if target is None or (known is stop and known_target is target):
            continue
        if stop.live and target.live and not (known and known_target and known.live and known_target.live):
            news += _armed(stop, target, after)
        if _over(stop, target) and not (known and known_target and _over(known, known_target)):
            news += _resolved(stop, target)
    dust = after.position.dust_qty - before.position.dust_qty
    if dust:
        news.append(
            DustLeft(
                qty=dust,
                cost=Quote(after.position.dust_cost - before.position.dust_cost),
                position=before.root or after.root or "",
                base=scene.instrument.base,
                quote=scene.instrument.quote,
            )
        )
    return news


def _armed(stop: Order, target: Order, holding: Holding) -> list[Happening]:
    request, other = stop.request, target.request
    if request.group is None or request.trigger_price is None or request.price is None or other.price is None:
        return []
    return [
        PairArmed(
            group=request.group,
            stop_ref=stop.ref,
            target_ref=target.ref,
            side=request.side,
            qty=stop.qty,
            stop_price=request.trigger_price,
            limit_price=request.price,
            target_price=other.price,
            position_qty=holding.position.qty,
        )
    ]


def _over(stop: Order, target: Order) -> bool:
    return stop.status.final and target.status.final and not (stop.owed or target.owed)


def _resolved(stop: Order, target: Order) -> list[Happening]:
    if not (stop.cum_qty or target.cum_qty):
        return []
    filled, ended = (stop, target) if stop.cum_qty >= target.cum_qty else (target, stop)
    return [
        PairResolved(
            group=filled.request.group or filled.ref,
            filled_ref=filled.ref,
            ended_ref=ended.ref,
            filled_qty=filled.cum_qty,
            ended_as=str(ended.status),
            both=bool(stop.cum_qty and target.cum_qty),
        )
    ]
