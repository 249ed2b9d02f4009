"""The kill panel: what stands still, what a kill would do just now, and arming again."""

from collections.abc import Mapping
from typing import Any, Final

from chimera.services.console.acting.kill import ARM, KILL, effect_of
from chimera.services.console.others import Others
from chimera.services.console.rows import KillRow, read_row
from chimera.services.console.same import Same
from chimera.services.console.screen import Badge, Group, Look, Params, Screen, Section, Shown, Span
from chimera.services.console.seen import Seen
from chimera.services.console.verdicts import Tone
from chimera.trading.errors import Refused
from chimera.trading.standstill import Scope


async def _killed(others: Others, _: Params) -> dict[str, Any]:
    told = await others.router.killed()
    return {"durable": bool(told.get("durable")), "kills": tuple(read_row(row, KillRow) for row in told["kills"])}


def _standing(shown: Shown) -> Mapping[str, object]:
    return {"killed": shown.looked["killed"]}


def _engage(shown: Shown) -> Mapping[str, object]:
    seen, flatten = shown.seen, shown.params.get("flatten") == "yes"
    scope = shown.params.get("scope") or Scope.GLOBAL.value
    try:
        effect = effect_of(seen, scope, flatten=flatten)
    except Refused:
        scope = Scope.GLOBAL.value
        effect = effect_of(seen, scope, flatten=flatten)
    about = {"scope": scope, "flatten": "yes" if flatten else "no"}
    return {"act": KILL, "effect": effect, "about": about, "places": _places(seen), "flatten": flatten}


def _places(seen: Seen) -> list[tuple[str, str]]:
    """What may be chosen: value and words."""
    markets = sorted({row.market for row in seen.positions})
    symbols = sorted({row.symbol for row in seen.positions} or set(seen.symbols))
    strategies = sorted({name for row in seen.positions for name in row.strategy_ids})
    return [
        ("GLOBAL", "everything"),
        *((f"MARKET:{market}", f"market {market}") for market in markets if len(markets) > 1),
        *((f"SYMBOL:{symbol}", symbol) for symbol in symbols),
        *((f"STRATEGY:{name}", f"strategy {name}") for name in strategies),
    ]


def _badge(seen: Seen) -> Badge | None:
    return Badge(text="on", tone=Tone.BAD) if seen.health.get("kill_switch") else None


SCREEN: Final = Screen(
    name="kill",
    title="Kill",
    path="/kill",
    key="k",
    says="Stop every entry now. Exits, stops and closes go on.",
    group=Group.NOW,
    thumb=True,
    asks=("scope", "flatten"),
    badge=_badge,
    acts=(KILL, ARM),
    looks=(Look("killed", 1.0, _killed),),
    sections=(
        Section(
            "engage",
            "Kill",
            reads=("positions", "orders"),
            content=_engage,
            span=Span.WIDE,
        ),
        Section(
            "standing",
            "What stands still",
            reads=("killed",),
            content=_standing,
            span=Span.SIDE,
            same=lambda _: (Same(path="/killed", cli="chimera show"),),
        ),
    ),
)
