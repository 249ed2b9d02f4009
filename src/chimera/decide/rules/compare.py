"""Operators between a factor and constants: the test, the margin, the inverse.

``margin`` is + by how much the comparison holds and - by how much it fails; where equality decides it may be 0 either
way. ``not in`` and ``outside`` have no spelling of their own in a rule: they are what ``not`` makes of their inverses.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from chimera.trading.decision import ClauseVerdict

Values = Mapping[str, Decimal]
Limits = tuple[Decimal, ...]
OPS: Final = ("<", "<=", ">", ">=", "==", "!=", "in", "between")  # what a rule may say
_PAIRS: Final = (("<", ">="), (">", "<="), ("==", "!="), ("in", "not in"), ("between", "outside"))
INVERSE: Final = {one: other for pair in _PAIRS for one, other in (pair, pair[::-1])}

TESTS: Final[dict[str, Callable[[Decimal, Limits], bool]]] = {
    "<": lambda value, limits: value < limits[0],
    "<=": lambda value, limits: value <= limits[0],
    ">": lambda value, limits: value > limits[0],
    ">=": lambda value, limits: value >= limits[0],
    "==": lambda value, limits: value == limits[0],
    "!=": lambda value, limits: value != limits[0],
    "in": lambda value, limits: value in limits,
    "not in": lambda value, limits: value not in limits,
    "between": lambda value, limits: limits[0] <= value <= limits[1],
    "outside": lambda value, limits: not limits[0] <= value <= limits[1],
}


def _apart(value: Decimal, limits: Limits) -> Decimal:
    return min(abs(value - limit) for limit in limits)


def _inside(value: Decimal, limits: Limits) -> Decimal:
    return min(value - limits[0], limits[1] - value)


MARGINS: Final[dict[str, Callable[[Decimal, Limits], Decimal]]] = {
    "<": lambda value, limits: limits[0] - value,
    "<=": lambda value, limits: limits[0] - value,
    ">": lambda value, limits: value - limits[0],
    ">=": lambda value, limits: value - limits[0],
    "==": lambda value, limits: -_apart(value, limits),
    "!=": _apart,
    "in": lambda value, limits: -_apart(value, limits),
    "not in": _apart,
    "between": _inside,
    "outside": lambda value, limits: -_inside(value, limits),
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """One leaf. ``limits`` has one number, two for ``between`` (both ends inside), any for ``in``."""

    path: str
    factor: str
    op: str
    limits: Limits

    @property
    def words(self) -> str:
        shown = [format(limit, "f") for limit in self.limits]
        return f"{self.factor} {self.op} {shown[0] if len(shown) == 1 else '[' + ', '.join(shown) + ']'}"

    def inverse(self) -> "Comparison":
        return Comparison(self.path, self.factor, INVERSE[self.op], self.limits)

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
