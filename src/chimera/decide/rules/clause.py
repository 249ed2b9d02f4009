"""A condition: ``allOf``, ``anyOf`` and ``not`` over comparisons, read into a tree and compiled once into closures.

Reading pushes every ``not`` down to the comparisons, so that each one is judged as it counts: under a ``not``,
``x < 5`` is ``x >= 5`` and its margin says how far *that* holds or fails. ``holds`` short-circuits; ``explain`` looks
at every comparison. Both are given all factors the clause names; whether they are present and fresh is asked before.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from chimera.decide.rules.compare import OPS, TESTS, Comparison, Limits, Values
from chimera.decide.rules.finding import Lint
from chimera.trading.decision import ClauseVerdict

Test = Callable[[Values], bool]
MAX_DEPTH: Final = 16
MAX_LISTED: Final = 1_000  # conditions of one joint, numbers of one ``in``
NAMED_MAX: Final = 20
JOINTS: Final = ("allOf", "anyOf", "not")


@dataclass(frozen=True, slots=True)
class AllOf:
    path: str
    parts: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True)
class AnyOf:
    path: str
    parts: "tuple[Condition, ...]"


Condition = Comparison | AllOf | AnyOf


@dataclass(frozen=True, slots=True)
class Clause:
    """``comparisons`` in the order in which they are written."""

    condition: Condition
    holds: Test
    comparisons: tuple[Comparison, ...]
    factors: tuple[str, ...]

    def explain(self, values: Values) -> tuple[ClauseVerdict, ...]:
        return tuple(leaf.verdict(values) for leaf in self.comparisons)


def compile_clause(node: Any, lint: Lint, known: Collection[str], path: str = "$.when") -> Clause | None:
    """The clause, or None once ``lint`` has been told everything that is wrong with it."""
    condition = _read(node, lint, known, path, 0)
    if condition is None:
        return None
    found = tuple(leaves(condition))
    return Clause(
        condition=condition,
        holds=_compile(condition),
        comparisons=found,
        factors=tuple(dict.fromkeys(leaf.factor for leaf in found)),
    )


def inverse(condition: Condition) -> Condition:
    """What holds exactly where ``condition`` does not."""
    match condition:
        case Comparison():
            return condition.inverse()
        case AllOf(path=path, parts=parts):
            return AnyOf(path, tuple(inverse(part) for part in parts))
        case AnyOf(path=path, parts=parts):
            return AllOf(path, tuple(inverse(part) for part in parts))


def leaves(condition: Condition) -> Iterator[Comparison]:
    """Its comparisons, in the order in which they are written."""
    if isinstance(condition, Comparison):
        yield condition
        return
    for part in condition.parts:
        yield from leaves(part)


def _compile(condition: Condition) -> Test:
    if isinstance(condition, Comparison):
        test, factor, limits = TESTS[condition.op], condition.factor, condition.limits
        return lambda values: test(values[factor], limits)
    tests = tuple(_compile(part) for part in condition.parts)
    if isinstance(condition, AllOf):
        return lambda values: all(test(values) for test in tests)
    return lambda values: any(test(values) for test in tests)


def _read(node: Any, lint: Lint, known: Collection[str], path: str, depth: int) -> Condition | None:
    if depth > MAX_DEPTH:
        lint.say(path, f"is nested deeper than {MAX_DEPTH}")
        return None
    if not isinstance(node, Mapping):
        lint.say(path, f"needs a condition, has {node!r}")
        return None
    joints = [key for key in JOINTS if key in node]
    if not joints:
        return _leaf(node, lint, known, path)
    if len(node) != 1:
        lint.say(path, f"has {', '.join(map(str, node))}; a condition has one of {', '.join(JOINTS)} alone")
        return None
    joint = joints[0]
    inner = f"{path}.{joint}"
    if joint == "not":
        told = _read(node["not"], lint, known, inner, depth + 1)
        return None if told is None else inverse(told)
    parts = node[joint]
    if not isinstance(parts, list) or not 0 < len(parts) <= MAX_LISTED:
        lint.say(inner, f"needs a list of 1 to {MAX_LISTED} conditions, has {_shown(parts)}")
        return None
    read = [_read(part, lint, known, f"{inner}[{i}]", depth + 1) for i, part in enumerate(parts)]
    whole = tuple(part for part in read if part is not None)
    if len(whole) != len(read):
        return None
    return AllOf(inner, whole) if joint == "allOf" else AnyOf(inner, whole)


def _leaf(node: Mapping[str, Any], lint: Lint, known: Collection[str], path: str) -> Comparison | None:
    before = len(lint.findings)
    if lint.only(node, path, ("f", "op", "v"), ("f", "op", "v")) is None:
        return None
    factor, op = node["f"], node["op"]
    if not isinstance(factor, str) or factor not in known:
        lint.say(f"{path}.f", f"{factor!r} is not in the factor registry; known are {_named(known)}")
    if not isinstance(op, str) or op not in OPS:
        lint.say(f"{path}.op", f"{op!r} is not an operator; known are {' '.join(OPS)}")
        return None
    limits = _limits(op, node["v"], lint, f"{path}.v")
    if limits is None or len(lint.findings) > before:
        return None
    return Comparison(path=path, factor=factor, op=op, limits=limits)


def _named(known: Collection[str]) -> str:
    """By their names, so many as a line bears."""
    names = sorted(known)
    return ", ".join(names[:NAMED_MAX]) + (f" and {len(names) - NAMED_MAX} more" if len(names) > NAMED_MAX else "")


def _limits(op: str, node: Any, lint: Lint, path: str) -> Limits | None:
    if op not in ("in", "between"):
        number = lint.number(node, path)
        return None if number is None else (number,)
    fits = isinstance(node, list) and (len(node) == 2 if op == "between" else 0 < len(node) <= MAX_LISTED)
    if not fits:
        wants = "[low, high]" if op == "between" else f"a list of 1 to {MAX_LISTED} numbers"
        lint.say(path, f"{op} needs {wants}, has {_shown(node)}")
        return None
    numbers = tuple(lint.number(item, f"{path}[{i}]") for i, item in enumerate(node))
    limits = tuple(number for number in numbers if number is not None)
    if len(limits) != len(numbers):
        return None
    if op == "between" and limits[0] > limits[1]:
        lint.say(path, f"between {limits[0]} and {limits[1]} can never hold")
        return None
    return limits


def _shown(node: Any) -> str:
    return f"{len(node)} of them" if isinstance(node, list) and node else repr(node)
