"""Making trouble at the simulated exchange, and running its market by hand: not there where money is real."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from chimera.services.console.acts import Act, Desk, Effect, Field, Given, Step
from chimera.services.console.others import SimulatorSource
from chimera.services.console.screen import Params
from chimera.services.console.seen import Seen
from chimera.trading.errors import Refused

HOLDS: Final = (("", "until it is cleared"), ("10000", "10 s"), ("60000", "1 min"), ("300000", "5 min"))
COUNTS: Final = (("", "each time"), ("1", "once"), ("3", "three times"), ("10", "ten times"))


def at_hand(seen: Seen) -> bool:
    """By S4's own word; UNKNOWN is not simulated."""
    return seen.mode == "SIM"


def simulator(desk: Desk) -> SimulatorSource:
    """Raises ``Refused`` where there is none, or the money is not simulated."""
    found = desk.others.simulator
    if found is None or not at_hand(desk.seen):
        raise Refused("NOT_SIMULATED", "there is no simulated exchange here")
    return found


# ── faults ──


async def _arming(desk: Desk, params: Params) -> Effect | None:
    told = await simulator(desk).faults()
    entry = next((each for each in told["catalogue"] if each["name"] == params["name"]), None)
    if entry is None:
        return None
    return Effect(
        about=params["name"],
        title=f"{params['name'].replace('_', ' ')}?",
        lead="From now on the simulated exchange will:",
        steps=(Step(str(entry["does"])), Step(f"be seen as: {entry['seen']}")),
        button="Make it happen",
        leave="Leave it",
        note=f"What Binance says of it: {entry['documented']}",
        fields=(
            Field("count", "How often", COUNTS, "1" if _lasts(entry) else "", required=False),
            Field("hold", "For how long", HOLDS, "60000", required=False),
            *(_field(param) for param in entry.get("params") or ()),
        ),
        grave=False,
        basis=entry,
    )


def _lasts(entry: Mapping[str, Any]) -> bool:
    return str(entry.get("on")) == "conditional"


def _field(param: Mapping[str, Any]) -> Field:
    words = tuple(param.get("words") or (("true", "false") if isinstance(param["default"], bool) else ()))
    default = param["default"]
    value = str(default).lower() if isinstance(default, bool) else str(default)
    label = f"{param['name']}: {param['what']}"
    return Field(f"param.{param['name']}", label, tuple((word, word) for word in words), value, required=False)


async def _arm(desk: Desk, effect: Effect, given: Given) -> str:
    params = {
        param["name"]: _value(given.fields[name], param["default"])
        for param in effect.basis.get("params") or ()
        if given.fields.get(name := f"param.{param['name']}", "") != ""
    }
    fault: dict[str, Any] = {"name": effect.basis["name"], "params": params}
    if given.fields.get("count"):
        fault["count"] = _whole("count", given.fields["count"])
    if given.fields.get("hold"):
        fault["when"] = {"from_ms": 0, "to_ms": _whole("hold", given.fields["hold"])}
    return "armed as " + ", ".join(await simulator(desk).arm(fault))


def _value(words: str, default: object) -> object:
    """Of the kind that the default has."""
    if isinstance(default, bool):
        return words == "true"
    if isinstance(default, int):
        return _whole("parameter", words)
    return words


def _whole(field: str, words: str) -> int:
    if not words.removeprefix("-").isdecimal():
        raise Refused("FAULT", f"{words} is no whole number", field=field)
    return int(words)


async def _clearing(desk: Desk, params: Params) -> Effect | None:
    armed = (await simulator(desk).faults())["armed"]
    chosen = [each for each in armed if params["id"] in ("", each["id"])]
    if not chosen:
        return None
    return Effect(
        about=params["id"] or "all",
        title="Let it be over?" if params["id"] else f"Let all {len(chosen)} be over?",
        lead="From now on the simulated exchange will do no longer:",
        steps=tuple(Step(str(each["name"]), str(each["id"])) for each in chosen),
        button="Clear",
        leave="Leave it",
        rests_on=tuple(str(each["id"]) for each in chosen),
        grave=False,
        basis=params["id"] or None,
    )


async def _clear(desk: Desk, effect: Effect, _: Given) -> str:
    return "cleared " + (", ".join(await simulator(desk).clear(effect.basis)) or "nothing")


# ── the market ──


_MOVES: Final[Mapping[str, tuple[str, str, dict[str, object]]]] = {
    "stop": ("Stop the market", "let no market event happen until it goes on", {"stopped": True}),
    "go": ("Let it go on", "let the market run on from where it stands", {"stopped": False}),
    "step-1": ("Step a second", "let one second of market time pass, and stop", {"step_ms": 1_000}),
    "step-10": ("Step ten seconds", "let ten seconds of market time pass, and stop", {"step_ms": 10_000}),
}


async def _moving(desk: Desk, params: Params) -> Effect | None:
    simulator(desk)
    found = _MOVES.get(params["move"])
    if found is None:
        return None
    title, does, change = found
    return Effect(
        about="the market",
        title=f"{title}?",
        lead="The simulated exchange will:",
        steps=(Step(does),),
        button=title,
        note="Everybody sees a market that stands still as old, and S4 keeps entries back." if "stop" in does else "",
        grave=False,
        basis=change,
    )


async def _move(desk: Desk, effect: Effect, _: Given) -> str:
    return _stands(await simulator(desk).run_market(effect.basis))


async def _turning(desk: Desk, params: Params) -> Effect | None:
    told = await simulator(desk).market()
    knobs = told["symbols"].get(params["symbol"])
    if knobs is None:
        return None
    return Effect(
        about=params["symbol"],
        title=f"Turn the knobs of {params['symbol']}?",
        lead="The simulated market will take this from its next step on:",
        steps=(
            Step(
                f"volatility {knobs['volatility_pct']} %, {knobs['spread_times']} times the spread,"
                f" speed {told['speed'] or 'as fast as it goes'} now"
            ),
        ),
        button="Turn them",
        leave="Leave them",
        fields=(
            Field("push_bps", "Push the price by, bps (below 0: down)", value="0", required=False),
            Field("volatility_pct", "Volatility, % of its usual", value=str(knobs["volatility_pct"]), required=False),
            Field("spread_times", "Spread, times its usual", value=str(knobs["spread_times"]), required=False),
            Field("speed", "Speed, market seconds a second", value=str(told["speed"] or ""), required=False),
        ),
        grave=False,
        basis=(params["symbol"], told["speed"]),
    )


async def _turn(desk: Desk, effect: Effect, given: Given) -> str:
    symbol, speed = effect.basis
    change: dict[str, object] = {"symbol": symbol}
    for name in ("volatility_pct", "spread_times"):
        if given.fields.get(name):
            change[name] = _whole(name, given.fields[name])
    push, fast = given.fields.get("push_bps", ""), given.fields.get("speed", "")
    if _number("push_bps", push):
        change["push_bps"] = push
    if fast and _number("speed", fast) != _number("speed", str(speed or "")):
        change["speed"] = fast
    return _stands(await simulator(desk).run_market(change))


def _number(field: str, words: str) -> Decimal:
    try:
        return Decimal(words or "0")
    except InvalidOperation as wrong:
        raise Refused("MARKET", f"{words} is no number", field=field) from wrong


def _stands(told: Mapping[str, Any]) -> str:
    return (
        "the market stands still"
        if told["stopped"]
        else f"the market runs, {told['speed'] or 'as fast as it goes'} a second"
    )


ARM: Final = Act(name="arm-fault", asks=("name",), effect=_arming, do=_arm)
CLEAR: Final = Act(name="clear-fault", asks=("id",), effect=_clearing, do=_clear)
MOVE: Final = Act(name="move-market", asks=("move",), effect=_moving, do=_move)
TURN: Final = Act(name="turn-market", asks=("symbol",), effect=_turning, do=_turn)
