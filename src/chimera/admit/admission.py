"""May this intent trade now? Every reason against it, each with its numbers; none means it may.

This is the answer to the caller. The wall is the last hop, which checks the limits in the step that sends
(``admit.limits``).
"""

from decimal import Decimal
from typing import Final

from chimera.admit.netting import growing, netted, opening, opposed
from chimera.trading.errors import Refused
from chimera.trading.holding import Holding
from chimera.trading.instrument import Instrument
from chimera.trading.intent import Intent, IntentKind, OrderList
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
    if scene.near is None:
        found.append(Refused("NO_MARKET_DATA", f"no price of {intent.symbol} is known yet; try again"))
    else:
        found += _prices(*opening(intent, holding, scene.policy), scene.near, scene)
    if isinstance(intent.policy, OrderList):
        found = [_renamed(no, _OF_LIST.get(no.field or "", no.field)) for no in found]
    if not intent.reduce_only and not stop_optional and intent.stop is None:
        found.append(Refused("UNPROTECTED", "an entry needs a stop", field="sl", accepted="a stop, or no sl at all"))
    return tuple(found)


def _stop_alone(intent: Intent, holding: Holding, scene: Scene) -> list[Refused]:
    """A stop on its own: it needs a position of the other side, and its price must stand there."""
    found, near = _position(intent, holding, scene), scene.near
    if holding.exit is not None:
        found.append(Refused("CLOSING", f"{intent.symbol} is being closed ({holding.exit.reason})"))
    if near is None:
        return [*found, Refused("NO_MARKET_DATA", f"no price of {intent.symbol} is known yet; try again")]
    stop, opened = intent.stop.price if intent.stop else None, intent.side.opposite
    if found or stop is None:
        return found
    if _wrong_side(stop, near, opened):
        side = "below" if opened is Side.BUY else "above"
        told = f"a stop of a position opened by {opened} belongs {side} the market"
        found = [Refused("WRONG_SIDE_STOP", told, value=text(stop), accepted=f"{side} {text(near)}")]
    else:
        leverage = max((lot.leverage for lot in holding.position.lots), default=intent.leverage)
        whole = intent.but(side=opened, qty=Qty(ZERO), leverage=leverage)
        found = _stop_in_time(whole, stop, near, holding, scene.instrument)
    return [_renamed(no, "exec_policy.stop_price") for no in found]


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
    held = holding.exposure
    if intent.reduce_only or intent.kind is IntentKind.EXIT:
        if held == 0 or (held > 0) == (intent.side is Side.BUY):
            return [
                Refused(
                    "REDUCE_ONLY_OPENS", f"reduce-only {intent.side} against a position of {text(held)} would open",
                    field="reduce_only", value=True, accepted="a position of the other side",
                )
            ]  # fmt: skip
        return []
    found = []
    if opposed(intent, holding) and not netted(intent, holding, scene.policy):
        found.append(
            Refused(
                "POSITION_OPPOSED", f"{intent.side} against an open position of {text(held)}", field="side",
                value=str(intent.side), accepted="the position's own side, or close it first",
            )
        )  # fmt: skip
    elif not scene.policy.nets_opposite and growing(holding, intent.side.opposite):
        told = f"{intent.side} against an entry of the other side that is on its way"
        accepted = "the other entry's side, or later"
        found.append(Refused("POSITION_OPPOSED", told, field="side", value=str(intent.side), accepted=accepted))
    if any(
        order.status in FIRING and order.episode < holding.position.closed_count for order in holding.in_role(Role.STOP)
    ):
        found.append(
            Refused("STALE_TRIGGER", f"an earlier stop of {intent.symbol} is stuck in its trigger; see the venue")
        )
    if holding.exit is not None:
        found.append(Refused("CLOSING", f"{intent.symbol} is being closed ({holding.exit.reason}); wait until flat"))
    return found


def _prices(intent: Intent, holding: Holding, near: Price, scene: Scene) -> list[Refused]:
    rules = scene.instrument
    found = []
    notional = intent.qty * near
    least = rules.min_notional
    if intent.market is Market.SPOT and not intent.reduce_only:
        found += _sellable(intent, near, scene)
    if notional < least and not intent.reduce_only:
        found.append(
            Refused(
                "MIN_NOTIONAL", f"notional {notional:.2f} is below the venue's minimum", field="qty",
                value=text(intent.qty), accepted=f"notional >= {text(least)}",
            )
        )  # fmt: skip
    stop = intent.stop.price if intent.stop else None
    if stop is not None and not intent.reduce_only and _wrong_side(stop, near, intent.side):
        side = "below" if intent.side is Side.BUY else "above"
        found.append(
            Refused(
                "WRONG_SIDE_STOP", f"a {intent.side}'s stop belongs {side} the market", field="sl.price",
                value=text(stop), accepted=f"{side} {text(near)}",
            )
        )  # fmt: skip
    if intent.stop is not None and not intent.reduce_only:
        default = near * (1 - intent.side.sign * scene.policy.default_stop_bps / BPS)
        asked = default if stop is None else stop
        found += [] if _wrong_side(asked, near, intent.side) else _stop_in_time(intent, asked, near, holding, rules)
    if not intent.reduce_only:
        found += _leverage(intent, near, holding, rules)
    target = intent.target.value if intent.target and intent.target.kind == "price" else None
    if target is not None and not _wrong_side(target, near, intent.side):
        side = "above" if intent.side is Side.BUY else "below"
        found.append(
            Refused(
                "WRONG_SIDE_TARGET", f"a {intent.side}'s target belongs {side} the market", field="tp.value",
                value=text(target), accepted=f"{side} {text(near)}",
            )
        )  # fmt: skip
    return found


def _sellable(intent: Intent, near: Price, scene: Scene) -> list[Refused]:
    """Spot: what the fee leaves must be worth enough at the stop's limit that the venue takes a stop for it."""
    rules, policy = scene.instrument, scene.policy
    stop = intent.stop.price if intent.stop and intent.stop.price else near * (1 - policy.default_stop_bps / BPS)
    lowest = stop * (1 - policy.stop_limit_bps / BPS)
    left = rules.floor_to_step(intent.qty * (1 - scene.fees.taker))
    if left * lowest >= rules.min_notional:
        return []
    needed = rules.ceil_to_step(rules.min_notional / lowest / (1 - scene.fees.taker))
    told = (
        f"after the fee {text(left)} would be worth {left * lowest:.2f} at its stop, too little for the venue to sell"
    )
    return [Refused("MIN_NOTIONAL", told, field="qty", value=text(intent.qty), accepted=f">= {text(needed)}")]


def _after(intent: Intent, holding: Holding) -> Decimal:
    """Base asset of the position that it would make, with what entries under way may still add."""
    return abs(holding.exposure) + holding.open_qty(intent.side) + intent.qty


def _leverage(intent: Intent, near: Price, holding: Holding, rules: Instrument) -> list[Refused]:
    """The larger a position, the less leverage the venue allows it (S4-LIM-2)."""
    notional = _after(intent, holding) * near
    step = rules.step_of(notional)
    if step is None or intent.leverage <= step.max_leverage:
        return []
    return [
        Refused(
            "LEVERAGE_TOO_HIGH", f"the position would come to a notional of {notional:.2f}", field="leverage",
            value=intent.leverage, accepted=f"<= {step.max_leverage}",
        )
    ]  # fmt: skip


def _stop_in_time(intent: Intent, stop: Decimal, near: Price, holding: Holding, rules: Instrument) -> list[Refused]:
    """The venue takes triggers within its price band only, and liquidates before a stop that is too far away.

    What is judged is the position that it would make: what is held at its own entry price, the rest at the market.
    """
    held, qty = abs(holding.exposure), _after(intent, holding)
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
            found = Refused(code, why, field="sl.price", value=text(stop), accepted=f"{side} {text(bound)}")
            return [found]
    return []


def _wrong_side(stop: Decimal, near: Decimal, side: Side) -> bool:
    return (stop - near) * side.sign >= 0
