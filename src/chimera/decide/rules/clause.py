"""A condition, compiled once into closures: ``allOf``, ``anyOf``, ``not`` over comparisons of a factor with constants.

``holds`` short-circuits. ``explain`` looks at every comparison, with the margin by which each one holds (+) or fails
(-). Both are given all factors the clause names; whether they are present and fresh is asked before.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from chimera.decide.rules.finding import Lint
from chimera.trading.decision import ClauseVerdict

Values = Mapping[str, Decimal]
Test = Callable[[Values], bool]
MAX_DEPTH: Final = 16
JOINTS: Final = ("allOf", "anyOf", "not")
OPS: Final = ("<", "<=", ">", ">=", "==", "!=", "in", "between")


@dataclass(frozen=True, slots=True)
class Comparison:
    """One leaf. ``limits`` has one number, two for ``between`` (both ends inside), any for ``in``."""

    path: str
    factor: str
    op: str
    limits: tuple[Decimal, ...]

    def verdict(self, values: Values) -> ClauseVerdict:
        value = values[self.factor]
        return ClauseVerdict(
            path=self.path,
            factor=self.factor,
            op=self.op,
            limits=self.limits,
            value=value,
            holds=TESTS[self.op](value, self.limits),
            margin=MARGINS[self.op](value, self.limits),
        )


@dataclass(frozen=True, slots=True)
class Clause:
    holds: Test
    comparisons: tuple[Comparison, ...]
    factors: tuple[str, ...]

    def explain(self, values: Values) -> tuple[ClauseVerdict, ...]:
        return tuple(leaf.verdict(values) for leaf in self.comparisons)


Limits = tuple[Decimal, ...]
TESTS: Final[dict[str, Callable[[Decimal, Limits], bool]]] = {
    "<": lambda value, limits: value < limits[0],
    "<=": lambda value, limits: value <= limits[0],
    ">": lambda value, limits: value > limits[0],
    ">=": lambda value, limits: value >= limits[0],
    "==": lambda value, limits: value == limits[0],
    "!=": lambda value, limits: value != limits[0],
    "in": lambda value, limits: value in limits,
    "between": lambda value, limits: limits[0] <= value <= limits[1],
}


def _apart(value: Decimal, limits: Limits) -> Decimal:
    return min(abs(value - limit) for limit in limits)


MARGINS: Final[dict[str, Callable[[Decimal, Limits], Decimal]]] = {
    "<": lambda value, limits: limits[0] - value,
    "<=": lambda value, limits: limits[0] - value,
    ">": lambda value, limits: value - limits[0],
    ">=": lambda value, limits: value - limits[0],
    "==": lambda value, limits: -_apart(value, limits),
    "!=": _apart,
    "in": lambda value, limits: -_apart(value, limits),
    "between": lambda value, limits: min(value - limits[0], limits[1] - value),
}


def compile_clause(node: Any, lint: Lint, known: Collection[str], path: str = "$.when") -> Clause | None:
    """The clause, or None once ``lint`` has been told everything that is wrong with it."""
    leaves: list[Comparison] = []
    test = _compile(node, lint, known, path, leaves, 0)
    if test is None:
        return None
    return Clause(holds=test, comparisons=tuple(leaves), factors=tuple(dict.fromkeys(leaf.factor for leaf in leaves)))


def _compile(
    node: Any, lint: Lint, known: Collection[str], path: str, leaves: list[Comparison], depth: int
) -> Test | None:
    if depth > MAX_DEPTH:
        lint.say(path, f"is nested deeper than {MAX_DEPTH}")
        return None
    if not isinstance(node, Mapping):
        lint.say(path, f"needs a condition, has {node!r}")
        return None
    joints = [key for key in JOINTS if key in node]
    if not joints:
        return _leaf(node, lint, known, path, leaves)
    if len(node) != 1:
        lint.say(path, f"has {', '.join(map(str, node))}; a condition has one of {', '.join(JOINTS)} alone")
        return None
    joint = joints[0]
    inner = f"{path}.{joint}"
    if joint == "not":
        test = _compile(node["not"], lint, known, inner, leaves, depth + 1)
        return None if test is None else lambda values: not test(values)
    parts = node[joint]
    if not isinstance(parts, list) or not parts:
        lint.say(inner, f"needs a list of conditions, has {parts!r}")
        return None
    compiled = [_compile(part, lint, known, f"{inner}[{i}]", leaves, depth + 1) for i, part in enumerate(parts)]
    tests = tuple(test for test in compiled if test is not None)
    if len(tests) != len(compiled):
        return None
    if joint == "allOf":
        return lambda values: all(test(values) for test in tests)
    return lambda values: any(test(values) for test in tests)


def _leaf(
    node: Mapping[str, Any], lint: Lint, known: Collection[str], path: str, leaves: list[Comparison]
) -> Test | None:
    before = len(lint.findings)
    if lint.only(node, path, ("f", "op", "v"), ("f", "op", "v")) is None:
        return None
    factor, op = node["f"], node["op"]
    if not isinstance(factor, str) or factor not in known:
        lint.say(f"{path}.f", f"{factor!r} is not in the factor registry")
    if not isinstance(op, str) or op not in OPS:
        lint.say(f"{path}.op", f"{op!r} is not an operator; known are {' '.join(OPS)}")
        return None
    limits = _limits(op, node["v"], lint, f"{path}.v")
    if limits is None or len(lint.findings) > before:
        return None
    leaves.append(Comparison(path=path, factor=factor, op=op, limits=limits))
    test = TESTS[op]
    return lambda values: test(values[factor], limits)


def _limits(op: str, node: Any, lint: Lint, path: str) -> Limits | None:
    if op not in ("in", "between"):
        number = lint.number(node, path)
        return None if number is None else (number,)
    if not isinstance(node, list) or not node or (op == "between" and len(node) != 2):
        lint.say(path, f"{op} needs {'[low, high]' if op == 'between' else 'a list of numbers'}, has {node!r}")
        return None
    numbers = tuple(lint.number(item, f"{path}[{i}]") for i, item in enumerate(node))
    limits = tuple(number for number in numbers if number is not None)
    if len(limits) != len(numbers):
        return None
    if op == "between" and limits[0] > limits[1]:
        lint.say(path, f"between {limits[0]} and {limits[1]} can never hold")
        return None
    return limits
