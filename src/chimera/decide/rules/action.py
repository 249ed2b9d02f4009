"""What a rule does when it fires, as values; the whitelist of action types is the table at the end."""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from chimera.decide.rules.finding import Lint
from chimera.trading.intent import ExecPolicy, MakerThenTaker, MarketNow, OrderList
from chimera.trading.market import Market, Side
from chimera.trading.money import ONE, ZERO, Quote, text
from chimera.trading.routes import Shape
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
MAX_WAIT_MS: Final = 60_000
MAX_GAP_MS: Final = 60_000
MAX_SLICES: Final = 100


def read_actions(node: Any, lint: Lint, path: str = "$.action") -> dict[str, Action] | None:
    """One action, or a list of them: each by its JSON path, in order. None once ``lint`` has been told.

    A rule says a thing once, and says nothing beside ``skip_entry``.
    """
    if not isinstance(node, list):
        only = read_action(node, lint, path)
        return None if only is None else {path: only}
    if not node:
        lint.say(path, "needs an action or a list of them, has []")
        return None
    read = {f"{path}[{i}]": read_action(item, lint, f"{path}[{i}]") for i, item in enumerate(node)}
    actions = {place: action for place, action in read.items() if action is not None}
    if len(actions) != len(read):
        return None
    said: dict[type[Action], str] = {}
    for place, action in actions.items():
        first = said.setdefault(type(action), place)
        if first != place:
            lint.say(place, f"says again what {first} says")
    if SkipEntry in said and len(said) > 1:
        lint.say(said[SkipEntry], "skip_entry stands alone: nothing after it runs")
    return actions


class Effect(Value):
    """What a rule's actions come to, read once: a rule says a thing once. A multiplier it does not name is 1."""

    size: Decimal = ONE
    stop: Decimal = ONE
    target: Decimal = ONE
    side: Side | None = None
    market: Market | None = None
    policy: ExecPolicy | None = None
    skips: bool = False


def effect_of(actions: Iterable[Action]) -> Effect:
    effect = Effect()
    for action in actions:
        match action:
            case SizeMult(factor=factor):
                effect = effect.but(size=factor)
            case StopMult(factor=factor):
                effect = effect.but(stop=factor)
            case TargetMult(factor=factor):
                effect = effect.but(target=factor)
            case GoSide(side=side):
                effect = effect.but(side=side)
            case GoMarket(market=market):
                effect = effect.but(market=market)
            case Execute(policy=policy):
                effect = effect.but(policy=policy)
            case SkipEntry():
                effect = effect.but(skips=True)
    return effect


def describe(action: Action) -> str:
    """Type and value, as a trace shows them."""
    match action:
        case SizeMult(factor=factor):
            return f"size_mult {text(factor)}"
        case StopMult(factor=factor):
            return f"sl_mult {text(factor)}"
        case TargetMult(factor=factor):
            return f"tp_mult {text(factor)}"
        case SkipEntry():
            return "skip_entry"
        case GoSide(side=side):
            return f"side {side}"
        case GoMarket(market=market):
            return f"market {market}"
        case Execute(policy=policy):
            return f"exec_policy {_described(policy)}"


def _described(policy: ExecPolicy) -> str:
    if not isinstance(policy, MakerThenTaker):
        return "OCO" if isinstance(policy, OrderList) else "MARKET"
    terms = {
        "maker_wait_ms": policy.wait_ms,
        "slices": policy.slices,
        "slice_usdt": None if policy.slice_usdt is None else text(policy.slice_usdt),
        "gap_ms": policy.gap_ms,
        "curve": policy.shape,
    }
    return " ".join(["MakerThenTaker", *(f"{name} {value}" for name, value in terms.items() if value is not None)])


def read_action(node: Any, lint: Lint, path: str) -> Action | None:
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
    if node is not None and node is not True:
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
    """Spelt as in an order's body, less its prices: these are the decision's.

    ``{"type": "MARKET"}`` and ``{"type": "OCO"}`` stand alone; ``{"type": "MakerThenTaker"}`` may have
    ``maker_wait_ms`` and ``twap``. What it leaves out the router's table decides.
    """
    before = len(lint.findings)
    if lint.only(node, path, ("type", "maker_wait_ms", "twap"), ("type",)) is None:
        return None
    kind = node["type"]
    if kind in ("MARKET", "OCO") and len(node) == 1:
        return Execute(policy=MarketNow() if kind == "MARKET" else OrderList())
    if kind != "MakerThenTaker":
        lint.say(f"{path}.type", f"needs MARKET or OCO alone, or MakerThenTaker, has {kind!r}")
        return None
    wait = _optional(node, "maker_wait_ms", lint, path, 0, MAX_WAIT_MS)
    policy = MakerThenTaker(wait_ms=wait)
    if "twap" in node:
        policy = _twap(node["twap"], policy, lint, f"{path}.twap")
    return Execute(policy=policy) if len(lint.findings) == before else None


def _twap(node: Any, policy: MakerThenTaker, lint: Lint, path: str) -> MakerThenTaker:
    """So many slices, or slices of a size; ``gap_ms`` apart; equal, or growing along a curve."""
    if lint.only(node, path, ("slices", "slice_usdt", "gap_ms", "curve")) is None:
        return policy
    size = lint.number(node["slice_usdt"], f"{path}.slice_usdt") if "slice_usdt" in node else None
    if size is not None and size <= ZERO:
        lint.say(f"{path}.slice_usdt", f"needs a notional > 0, has {size}")
    if "slices" in node and "slice_usdt" in node:
        lint.say(f"{path}.slice_usdt", "is one way to say how many; slices is the other")
    curve = node.get("curve")
    if "curve" in node and curve not in list(Shape):
        lint.say(f"{path}.curve", f"needs {' or '.join(Shape)}, has {curve!r}")
        curve = None
    return policy.but(
        slices=_optional(node, "slices", lint, path, 1, MAX_SLICES),
        gap_ms=_optional(node, "gap_ms", lint, path, 0, MAX_GAP_MS),
        slice_usdt=None if size is None else Quote(size),
        shape=None if curve is None else Shape(curve),
    )


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
