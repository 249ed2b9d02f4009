"""What a rule does when it fires, as values; the whitelist of action types is the table at the end."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from chimera.decide.rules.finding import Lint
from chimera.trading.intent import ExecPolicy, MakerThenTaker, MarketNow
from chimera.trading.market import Market, Side
from chimera.trading.money import ZERO
from chimera.trading.value import Value


class SizeMult(Value):
    factor: Decimal


class StopMult(Value):
    factor: Decimal


class TargetMult(Value):
    factor: Decimal


class SkipEntry(Value):
    """Nothing after it runs."""


class GoSide(Value):
    side: Side


class GoMarket(Value):
    market: Market


class Execute(Value):
    policy: ExecPolicy


Action = SizeMult | StopMult | TargetMult | SkipEntry | GoSide | GoMarket | Execute
_MAX_WAIT_MS: Final = 60_000
_MAX_GAP_MS: Final = 60_000
_MAX_SLICES: Final = 100


def read_action(node: Any, lint: Lint, path: str = "$.action") -> Action | None:
    """The action, or None once ``lint`` has been told."""
    if lint.only(node, path, ("type", "value"), ("type",)) is None:
        return None
    kind = node["type"]
    reader = READERS.get(kind) if isinstance(kind, str) else None
    if reader is None:
        lint.say(f"{path}.type", f"{kind!r} is not an action; known are {', '.join(READERS)}")
        return None
    if "value" not in node and kind != "skip_entry":
        lint.say(f"{path}.value", "is missing")
        return None
    return reader(node.get("value"), lint, f"{path}.value")


def _multiplier(make: Callable[[Decimal], Action]) -> Callable[[Any, Lint, str], Action | None]:
    def read(node: Any, lint: Lint, path: str) -> Action | None:
        number = lint.number(node, path)
        if number is None:
            return None
        if number <= ZERO:
            lint.say(path, f"needs a multiplier > 0, has {number}; to stay out there is skip_entry")
            return None
        return make(number)

    return read


def _skip(node: Any, lint: Lint, path: str) -> Action | None:
    if node not in (None, True):
        lint.say(path, f"skip_entry takes no value or true, has {node!r}")
        return None
    return SkipEntry()


def _side(node: Any, lint: Lint, path: str) -> Action | None:
    if node not in ("BUY", "SELL"):
        lint.say(path, f"needs BUY or SELL, has {node!r}")
        return None
    return GoSide(side=Side(node))


def _market(node: Any, lint: Lint, path: str) -> Action | None:
    if node not in ("FUT", "SPOT"):
        lint.say(path, f"needs FUT or SPOT, has {node!r}")
        return None
    return GoMarket(market=Market(node))


def _execute(node: Any, lint: Lint, path: str) -> Action | None:
    """``{"type": "MARKET"}``, or ``{"type": "MakerThenTaker", "maker_wait_ms", "twap": {"slices", "gap_ms"}}``."""
    before = len(lint.findings)
    if lint.only(node, path, ("type", "maker_wait_ms", "twap"), ("type",)) is None:
        return None
    if node["type"] == "MARKET" and len(node) == 1:
        return Execute(policy=MarketNow())
    if node["type"] != "MakerThenTaker":
        lint.say(f"{path}.type", f"needs MARKET alone, or MakerThenTaker, has {node['type']!r}")
        return None
    twap = node.get("twap", {})
    lint.only(twap, f"{path}.twap", ("slices", "gap_ms"))
    if len(lint.findings) > before:
        return None
    wait = _optional(node, "maker_wait_ms", lint, path, 0, _MAX_WAIT_MS)
    slices = _optional(twap, "slices", lint, f"{path}.twap", 1, _MAX_SLICES)
    gap = _optional(twap, "gap_ms", lint, f"{path}.twap", 0, _MAX_GAP_MS)
    if len(lint.findings) > before:
        return None
    return Execute(policy=MakerThenTaker(wait_ms=wait, slices=slices, gap_ms=gap))


def _optional(node: Mapping[str, Any], key: str, lint: Lint, path: str, low: int, high: int) -> int | None:
    return lint.whole(node[key], f"{path}.{key}", low, high) if key in node else None


READERS: Final[dict[str, Callable[[Any, Lint, str], Action | None]]] = {
    "size_mult": _multiplier(lambda factor: SizeMult(factor=factor)),
    "sl_mult": _multiplier(lambda factor: StopMult(factor=factor)),
    "tp_mult": _multiplier(lambda factor: TargetMult(factor=factor)),
    "skip_entry": _skip,
    "side": _side,
    "market": _market,
    "exec_policy": _execute,
}
