"""The nearest value that would do: of one comparison, and of a whole condition with its other factors as they are.

Regions are ``rules.reach``'s, so a nearest point is exact: either the end of a span or, where the end itself is
outside, one step past it: one in the last place of the finer of the value and the end, or in the end's fourth digit.
What a condition needs when one factor alone cannot help (``repair``) is a choice among its alternatives: the fewest,
smallest changes.
"""

from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal
from typing import Final

from chimera.decide.rules.clause import AllOf, AnyOf, Condition, leaves
from chimera.decide.rules.compare import TESTS, Comparison
from chimera.decide.rules.reach import HIGHEST, KNOWN, LOWEST, Cut, Region, join, meet, region
from chimera.trading.money import ZERO, text, told
from chimera.trading.value import Value

ANYWHERE: Final[Region] = ((LOWEST, HIGHEST),)
DIGITS: Final = 26  # of a number beside its step, two fewer than are calculated with


class Change(Value, tag=False, omit_defaults=False):
    """A figure and the value it would need; ``value`` None: it is not there. ``difference`` is signed.

    ``about``: found by probing, not by a bound. ``fresh``: its value would do, it is too old.
    """

    name: str
    needed: Decimal
    value: Decimal | None = None
    difference: Decimal | None = None
    about: bool = False
    fresh: bool = False

    @property
    def words(self) -> str:
        if self.fresh:
            return f"{self.name} {text(self.needed)}, fresh"
        found = "missing" if self.value is None else told(self.value)
        return f"{self.name} {found} -> {'about ' if self.about else ''}{text(self.needed)}"

    @property
    def share(self) -> Decimal:
        """How far, as a part of the larger of both: 0 is nothing, 2 is from one side of zero to the other."""
        if self.value is None or self.difference is None:
            return Decimal(2)
        largest = max(abs(self.value), abs(self.needed))
        return abs(self.difference) / largest if largest else ZERO


def changed(name: str, value: Decimal | None, needed: Decimal, *, about: bool = False) -> Change:
    difference = None if value is None else needed - value
    return Change(name=name, needed=needed, value=value, difference=difference, about=about)


def nearest(spans: Region, value: Decimal) -> Decimal | None:
    """The point of the region that is nearest to the value; the value itself where it is inside, None of no region."""
    best: Decimal | None = None
    for low, high in spans:
        point = _nearest_of(low, high, value)
        if best is None or abs(point - value) < abs(best - value):
            best = point
    return best


def passing(name: str, op: str, limits: tuple[Decimal, ...], value: Decimal) -> Change | None:
    """The smallest change under which a comparison holds."""
    needed = nearest(meet(region(op, limits), KNOWN.get(name, ANYWHERE)), value)
    return None if needed is None or not TESTS[op](needed, limits) else changed(name, value, needed)


def alone(condition: Condition, factor: str, values: Mapping[str, Decimal]) -> Change | None:
    """The smallest change of this one factor under which the condition holds."""
    spans = meet(_region_of(condition, factor, values), KNOWN.get(factor, ANYWHERE))
    needed = nearest(spans, values[factor])
    return None if needed is None else changed(factor, values[factor], needed)


def repair(
    condition: Condition, values: Mapping[str, Decimal], fixed: Collection[str] = ()
) -> tuple[Change, ...] | None:
    """Changes of as many factors as it takes, none of them ``fixed``; None where there is no such choice."""
    spans = _chosen(condition, values, fixed)
    if spans is None:
        return None
    found = []
    for factor, inside in spans.items():
        needed = nearest(meet(inside, KNOWN.get(factor, ANYWHERE)), values[factor])
        if needed is None:
            return None
        if needed != values[factor]:
            found.append(changed(factor, values[factor], needed))
    return tuple(found)


def breakpoints(condition: Condition, factor: str, value: Decimal) -> Iterator[Decimal]:
    """Values at which, or next to which, a comparison of this factor changes its answer."""
    for leaf in leaves(condition):
        if leaf.factor == factor:
            for limit in leaf.limits:
                step = _step(limit, value)
                yield from (limit, limit - step, limit + step)


def _region_of(condition: Condition, factor: str, values: Mapping[str, Decimal]) -> Region:
    match condition:
        case Comparison(factor=own, op=op, limits=limits):
            if own == factor:
                return region(op, limits)
            return ANYWHERE if TESTS[op](values[own], limits) else ()
        case AllOf(parts=parts):
            inside = ANYWHERE
            for part in parts:
                inside = meet(inside, _region_of(part, factor, values))
            return inside
        case AnyOf(parts=parts):
            return join(_region_of(part, factor, values) for part in parts)


def _chosen(condition: Condition, values: Mapping[str, Decimal], fixed: Collection[str]) -> dict[str, Region] | None:
    """Spans of each factor inside which the condition holds, one alternative of each ``anyOf`` being chosen."""
    match condition:
        case Comparison(factor=factor, op=op, limits=limits):
            if factor in fixed:
                return {} if TESTS[op](values[factor], limits) else None
            return {factor: region(op, limits)}
        case AllOf(parts=parts):
            spans: dict[str, Region] = {}
            for part in parts:
                inner = _chosen(part, values, fixed)
                if inner is None:
                    return None
                for factor, inside in inner.items():
                    spans[factor] = meet(spans[factor], inside) if factor in spans else inside
            return spans if all(spans.values()) else None
        case AnyOf(parts=parts):
            options = [chosen for part in parts if (chosen := _chosen(part, values, fixed)) is not None]
            return min(options, key=lambda chosen: _cost(chosen, values), default=None)


def _cost(spans: Mapping[str, Region], values: Mapping[str, Decimal]) -> tuple[int, Decimal]:
    changes = [
        changed(factor, values[factor], needed)
        for factor, inside in spans.items()
        if (needed := nearest(inside, values[factor])) is not None and needed != values[factor]
    ]
    return len(changes), sum((change.share for change in changes), ZERO)


def _nearest_of(low: Cut, high: Cut, value: Decimal) -> Decimal:
    """Of one span, which is never empty. A cut at 0 stands just below its number, at 1 just above it."""
    if (value, 1) <= low:
        return _inside(low[0] if low[1] == 0 else low[0] + _step(low[0], value), low, high)
    if (value, 0) >= high:
        return _inside(high[0] if high[1] == 1 else high[0] - _step(high[0], value), low, high)
    return value


def _inside(point: Decimal, low: Cut, high: Cut) -> Decimal:
    """A span narrower than a step is met in its middle."""
    return point if low <= (point, 0) and (point, 1) <= high else (low[0] + high[0]) / 2


def _step(limit: Decimal, value: Decimal) -> Decimal:
    """One in the last place of the finer of both, or in the fourth digit; but such that limit and sum are two."""
    finest = min(_exponent(limit), _exponent(value), limit.adjusted() - 3)
    return Decimal(1).scaleb(max(finest, limit.adjusted() - DIGITS))


def _exponent(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    return min(exponent, 0) if isinstance(exponent, int) else 0
