"""May this intent trade now? Every reason against it, each with its numbers; none means it may.

This is the answer to the caller. The wall is the last hop, which checks the limits in the step that sends
(``admit.limits``).
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Final, NamedTuple

from chimera.admit.limits import Exposure
from chimera.admit.netting import growing, netted, opening, opposed
from chimera.trading.errors import Refused
from chimera.trading.holding import Holding
from chimera.trading.instrument import Instrument
from chimera.trading.intent import Intent, IntentKind, OrderList, TargetKind
from chimera.trading.market import Market, Side
from chimera.trading.money import BPS, ZERO, Price, Qty, text
from chimera.trading.order import FIRING, Role
from chimera.trading.scene import Scene

_OF_LIST: Final = {"sl.price": "exec_policy.sl_price", "tp.value": "exec_policy.tp_price"}  # where an OCO names them


def objections(intent: Intent, holding: Holding, scene: Scene, *, stop_optional: bool = False) -> tuple[Refused, ...]:
    """Why the intent may not trade, most telling first."""
    rules = scene.instrument
    if intent.kind is IntentKind.PROTECT:
        return tuple(_stop_alone(intent, holding, scene))
    found = [*_killed(intent, scene), *_shape(intent, rules), *_time(intent, scene), *_position(intent, holding, scene)]
    if scene.near is None and not intent.reduce_only:  # what only lowers a risk is not kept back for want of one
        found.append(no_price(intent))
    elif scene.near is not None:
        found += _prices(*opening(intent, holding, scene.policy), scene.near, scene)
    if isinstance(intent.policy, OrderList):
        found = [_renamed(no, _OF_LIST.get(no.field or "", no.field)) for no in found]
    if not intent.reduce_only and not stop_optional and intent.stop is None:
        found.append(Refused("UNPROTECTED", "an entry needs a stop", field="sl", accepted="a stop, or no sl at all"))
    return tuple(found)


def no_price(intent: Intent) -> Refused:
    """The market of its symbol is not seen now."""
    return Refused("NO_MARKET_DATA", f"no price of {intent.symbol} is known yet; try again")


def _stop_alone(intent: Intent, holding: Holding, scene: Scene) -> list[Refused]:
    """A stop on its own: it needs a position of the other side, and its price must stand there."""
    found, near = _position(intent, holding, scene), scene.near
    if holding.exit is not None:
        found.append(Refused("CLOSING", f"{intent.symbol} is being closed ({holding.exit.reason})"))
    if near is None:
        return [*found, no_price(intent)]
    stop, opened = intent.stop.price if intent.stop else None, intent.side.opposite
    if found or stop is None:
        return found
    if _wrong_side(stop, near, opened):
        side = "below" if opened is Side.BUY else "above"
        told = f"a stop of a position opened by {opened} belongs {side} the market"
        no: Refused | None = Refused("WRONG_SIDE_STOP", told, value=text(stop), accepted=f"{side} {text(near)}")
    else:
        leverage = max((lot.leverage for lot in holding.position.lots), default=intent.leverage)
        whole = intent.but(side=opened, qty=Qty(ZERO), leverage=leverage)
        no = _stop_in_time(whole, stop, near, holding, scene.instrument)
    return [] if no is None else [_renamed(no, "exec_policy.stop_price")]


def _renamed(no: Refused, field: str | None) -> Refused:
    return Refused(no.code, no.message, field=field, value=no.value, accepted=no.accepted)


def _killed(intent: Intent, scene: Scene) -> list[Refused]:
    kill = None if intent.reduce_only else scene.standstill.over(intent.key, intent.strategy_id)
    return [] if kill is None else [Refused("KILL_SWITCH", kill.told, accepted="exits; or arm again first")]


def _shape(intent: Intent, rules: Instrument) -> list[Refused]:
    found = []
    if not rules.trading:
        found.append(Refused("SYMBOL_NOT_TRADING", f"{intent.symbol} is not trading on the venue", field="symbol"))
    qty, least = text(intent.qty), max(rules.step, rules.min_qty)
    if intent.qty < least:
        accepted = f">= {text(least)}"
        found.append(Refused("BELOW_STEP", "qty below one step", field="qty", value=qty, accepted=accepted))
    if intent.qty > rules.max_qty:
        accepted = f"<= {text(rules.max_qty)}"
        found.append(Refused("OUT_OF_RANGE", "qty too large", field="qty", value=qty, accepted=accepted))
    if intent.stop is not None and intent.stop.price is not None and not rules.on_tick(intent.stop.price):
        accepted = f"a multiple of {text(rules.tick)}"
        found.append(
            Refused("OFF_TICK", "stop off tick", field="sl.price", value=text(intent.stop.price), accepted=accepted)
        )
    return found


def _time(intent: Intent, scene: Scene) -> list[Refused]:
    latest = intent.valid_until_ms
    if latest is None or scene.now_ms < latest or intent.reduce_only:
        return []
    now = f"> {scene.now_ms}"
    return [Refused("STALE_INTENT", "the intent expired", field="valid_until_ms", value=latest, accepted=now)]


def _position(intent: Intent, holding: Holding, scene: Scene) -> list[Refused]:
    """By what is held: a reduction needs a position of the other side, an entry one that nothing speaks against."""
    reduces = intent.reduce_only or intent.kind is IntentKind.EXIT
    return _reduction(intent, holding.exposure) if reduces else _entry(intent, holding, scene)


def _reduction(intent: Intent, held: Decimal) -> list[Refused]:
    if held and (held > 0) != (intent.side is Side.BUY):
        return []
    told = f"reduce-only {intent.side} against a position of {text(Qty(held))} would open"
    accepted = "a position of the other side"
    return [Refused("REDUCE_ONLY_OPENS", told, field="reduce_only", value=True, accepted=accepted)]


def _entry(intent: Intent, holding: Holding, scene: Scene) -> list[Refused]:
    found = []
    if opposed(intent, holding) and not netted(intent, holding, scene.policy):
        told = f"{intent.side} against an open position of {text(Qty(holding.exposure))}"
        accepted = "the position's own side, or close it first"
        found.append(Refused("POSITION_OPPOSED", told, field="side", value=str(intent.side), accepted=accepted))
    elif growing(holding, intent.side.opposite):  # where the desk nets, too: what there will be to reduce is not known
        told = f"{intent.side} against an entry of the other side that is on its way"
        accepted = "the other entry's side, or later"
        found.append(Refused("POSITION_OPPOSED", told, field="side", value=str(intent.side), accepted=accepted))
    episode = holding.position.closed_count
    if any(stop.status in FIRING and stop.episode < episode for stop in holding.in_role(Role.STOP)):
        told = f"an earlier stop of {intent.symbol} is stuck in its trigger; see the venue"
        found.append(Refused("STALE_TRIGGER", told))
    if holding.exit is not None:
        found.append(Refused("CLOSING", f"{intent.symbol} is being closed ({holding.exit.reason}); wait until flat"))
    return found


class _Priced(NamedTuple):
    """What of an intent opens, onto what is held, and the price by which it is judged."""

    intent: Intent
    holding: Holding
    scene: Scene
    near: Price

    @property
    def stop(self) -> Price | None:
        """The stop's price, where the intent names one."""
        return self.intent.stop.price if self.intent.stop else None


def _prices(intent: Intent, holding: Holding, near: Price, scene: Scene) -> list[Refused]:
    checks = _OF_REDUCTION if intent.reduce_only else _OF_ENTRY
    asked = _Priced(intent, holding, scene, near)
    return [no for check in checks if (no := check(asked)) is not None]


def _sellable(asked: _Priced) -> Refused | None:
    """Spot: what the fee leaves must be worth enough at the stop's limit that the venue takes a stop for it."""
    intent, rules, policy, fee = asked.intent, asked.scene.instrument, asked.scene.policy, asked.scene.fees.taker
    if intent.market is not Market.SPOT:
        return None
    stop = asked.stop or asked.near * (1 - policy.default_stop_bps / BPS)
    lowest = stop * (1 - policy.stop_limit_bps / BPS)
    left = rules.floor_to_step(Qty(intent.qty * (1 - fee)))
    if left * lowest >= rules.min_notional:
        return None
    needed = rules.ceil_to_step(rules.min_notional / lowest / (1 - fee))
    worth = f"{left * lowest:.2f} at its stop, too little for the venue to sell"
    told = f"after the fee {text(left)} would be worth {worth}"
    return Refused("MIN_NOTIONAL", told, field="qty", value=text(intent.qty), accepted=f">= {text(needed)}")


def _worth(asked: _Priced) -> Refused | None:
    notional, least = asked.intent.qty * asked.near, asked.scene.instrument.min_notional
    if notional >= least:
        return None
    told, accepted = f"notional {notional:.2f} is below the venue's minimum", f"notional >= {text(least)}"
    return Refused("MIN_NOTIONAL", told, field="qty", value=text(asked.intent.qty), accepted=accepted)


def _stop_side(asked: _Priced) -> Refused | None:
    opened, stop = asked.intent.side, asked.stop
    if stop is None or not _wrong_side(stop, asked.near, opened):
        return None
    side = "below" if opened is Side.BUY else "above"
    told, accepted = f"a {opened}'s stop belongs {side} the market", f"{side} {text(asked.near)}"
    return Refused("WRONG_SIDE_STOP", told, field="sl.price", value=text(stop), accepted=accepted)


def _stop_reach(asked: _Priced) -> Refused | None:
    intent, near = asked.intent, asked.near
    default = near * (1 - intent.side.sign * asked.scene.policy.default_stop_bps / BPS)
    stop = default if asked.stop is None else asked.stop
    if intent.stop is None or _wrong_side(stop, near, intent.side):
        return None
    return _stop_in_time(intent, stop, near, asked.holding, asked.scene.instrument)


def _leverage(asked: _Priced) -> Refused | None:
    """The larger a position, the less leverage the venue allows it (S4-LIM-2)."""
    leverage, notional = asked.intent.leverage, _after(asked.intent, asked.holding, asked.near) * asked.near
    step = asked.scene.instrument.step_of(notional)
    if step is None or leverage <= step.max_leverage:
        return None
    told, accepted = f"the position would come to a notional of {notional:.2f}", f"<= {step.max_leverage}"
    return Refused("LEVERAGE_TOO_HIGH", told, field="leverage", value=leverage, accepted=accepted)


def _target_side(asked: _Priced) -> Refused | None:
    intent = asked.intent
    target = intent.target.value if intent.target and intent.target.kind is TargetKind.PRICE else None
    if target is None or _wrong_side(target, asked.near, intent.side):
        return None
    side = "above" if intent.side is Side.BUY else "below"
    told, accepted = f"a {intent.side}'s target belongs {side} the market", f"{side} {text(asked.near)}"
    return Refused("WRONG_SIDE_TARGET", told, field="tp.value", value=text(target), accepted=accepted)


_Check = Callable[[_Priced], Refused | None]
_OF_ENTRY: Final[tuple[_Check, ...]] = (_sellable, _worth, _stop_side, _stop_reach, _leverage, _target_side)
_OF_REDUCTION: Final[tuple[_Check, ...]] = (_target_side,)  # what only lowers a risk is kept back by nothing else


def _after(intent: Intent, holding: Holding, near: Price) -> Decimal:
    """Base asset of the position that it would make, with what entries under way may still add."""
    return Exposure.of(holding, near).and_open(intent.side, intent.qty).reach(intent.side)


def _stop_in_time(intent: Intent, stop: Decimal, near: Price, holding: Holding, rules: Instrument) -> Refused | None:
    """The venue takes triggers within its price band only, and liquidates before a stop that is too far away.

    What is judged is the position that it would make: what is held at its own entry price, the rest at the market.
    """
    held, qty = abs(holding.exposure), _after(intent, holding, near)
    if not qty:
        return None
    entry = (held * (holding.position.entry_px or near) + (qty - held) * near) / qty
    edge = near * (rules.price_down if intent.side is Side.BUY else rules.price_up)
    bounds = [("STOP_OUT_OF_BAND", edge, "the venue takes no trigger so far from the mark price")]
    if intent.market.reduces_only:  # spot is not liquidated
        furthest = rules.liquidation_px(intent.side, qty, entry, intent.leverage)
        why = f"at leverage {intent.leverage} the position is liquidated before it"
        bounds.insert(0, ("STOP_BEYOND_LIQUIDATION", furthest, why))
    for code, limit, why in bounds:
        if (stop - limit) * intent.side.sign <= 0:
            side = "above" if intent.side is Side.BUY else "below"
            bound = rules.stop_toward_entry(limit, intent.side.opposite)
            return Refused(code, why, field="sl.price", value=text(stop), accepted=f"{side} {text(bound)}")
    return None


def _wrong_side(stop: Decimal, near: Decimal, side: Side) -> bool:
    return (stop - near) * side.sign >= 0
