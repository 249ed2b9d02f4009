"""Which values a condition can hold for: what lint knows of contradictions and shadows, and the sieve sifts by.

A factor's region is a set of spans between *cuts*. A cut stands just below a number, ``(5, 0)``, or just above it,
``(5, 1)``: so open and closed ends need no flags, and a span is empty exactly where its low cut is not under its high.
``can_hold`` is sure where it says no. It gives up after ``MOST_STEPS`` boxes and then says yes: lint may miss a
contradiction in a huge condition, and never invents one.
"""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from itertools import combinations
from typing import Final

from chimera.decide.features import SIDE_HINT
from chimera.decide.rules.clause import AllOf, AnyOf, Condition, inverse, leaves
from chimera.decide.rules.compare import INVERSE, Comparison, Limits

Cut = tuple[Decimal, int]
Region = tuple[tuple[Cut, Cut], ...]  # ascending, apart from each other
Box = Mapping[str, Region]
LOWEST: Final[Cut] = (Decimal("-Infinity"), 1)
HIGHEST: Final[Cut] = (Decimal("Infinity"), 0)
MOST_STEPS: Final = 1_000
LOOKED_AT: Final = 50  # comparisons of a dead ``allOf``, for the two to name


def region(op: str, limits: Limits) -> Region:
    """The values for which a comparison holds."""
    match op:
        case "<":
            return ((LOWEST, (limits[0], 0)),)
        case "<=":
            return ((LOWEST, (limits[0], 1)),)
        case "==" | "in":
            return tuple(((limit, 0), (limit, 1)) for limit in sorted(set(limits)))
        case "between":
            return (((limits[0], 0), (limits[1], 1)),)
    return _outside(region(INVERSE[op], limits))


def _outside(spans: Region) -> Region:
    cuts = (LOWEST, *(cut for span in spans for cut in span), HIGHEST)
    return tuple((low, high) for low, high in zip(cuts[::2], cuts[1::2], strict=True) if low < high)


def meet(one: Region, other: Region) -> Region:
    """What is in both; both are ascending, and so is the answer."""
    spans: list[tuple[Cut, Cut]] = []
    i = j = 0
    while i < len(one) and j < len(other):
        low, high = max(one[i][0], other[j][0]), min(one[i][1], other[j][1])
        if low < high:
            spans.append((low, high))
        if one[i][1] <= other[j][1]:
            i += 1
        else:
            j += 1
    return tuple(spans)


def join(regions: Iterable[Region]) -> Region:
    """What is in any of them."""
    spans: list[tuple[Cut, Cut]] = []
    for low, high in sorted(span for spans_of_one in regions for span in spans_of_one):
        if spans and low <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], high))
        else:
            spans.append((low, high))
    return tuple(spans)


def bounding(condition: Condition) -> Box:
    """For each factor, the values for which the condition may hold, the others being what they will.

    A factor that is not in the box may have any value.
    """
    match condition:
        case Comparison(factor=factor, op=op, limits=limits):
            return {factor: region(op, limits)}
        case AllOf(parts=parts):
            inside: dict[str, Region] = {}
            for factor, spans in (item for part in parts for item in bounding(part).items()):
                inside[factor] = meet(inside[factor], spans) if factor in inside else spans
            return inside
        case AnyOf(parts=parts):
            boxes = [bounding(part) for part in parts]
            shared = [factor for factor in boxes[0] if all(factor in box for box in boxes)]
            return {factor: join(box[factor] for box in boxes) for factor in shared}


def is_box(condition: Condition) -> bool:
    """Whether it holds everywhere inside its bounding box, so that the box says all."""
    match condition:
        case Comparison():
            return True
        case AllOf(parts=parts):
            return all(map(is_box, parts))
        case AnyOf():
            return len({leaf.factor for leaf in leaves(condition)}) == 1


KNOWN: Final[Box] = {SIDE_HINT: region("in", (Decimal(-1), Decimal(0), Decimal(1)))}  # what a factor can be at all


def can_hold(*conditions: Condition) -> bool:
    """Whether some values satisfy all of them together."""
    stack: list[tuple[tuple[Condition, ...], Box]] = [(conditions, KNOWN)]
    for _ in range(MOST_STEPS):
        if not stack:
            return False
        wanted, box = stack.pop()
        narrowed = _narrow(wanted, box)
        if narrowed is None:
            continue
        inside, forks = narrowed
        if not forks:
            return True
        stack += [((part, *forks[1:]), inside) for part in reversed(forks[0].parts)]
    return True


def implies(one: Condition, other: Condition) -> bool:
    """Whether ``other`` holds wherever ``one`` does."""
    return not can_hold(one, inverse(other))


def _narrow(wanted: tuple[Condition, ...], box: Box) -> tuple[Box, tuple[AnyOf, ...]] | None:
    """The box inside every comparison, and the alternatives still to be chosen from; None where nothing is inside."""
    inside, forks, left = dict(box), [], list(wanted)
    while left:
        match left.pop():
            case Comparison(factor=factor, op=op, limits=limits):
                spans = region(op, limits)
                inside[factor] = meet(inside[factor], spans) if factor in inside else spans
                if not inside[factor]:
                    return None
            case AllOf(parts=parts):
                left += parts
            case AnyOf() as fork:
                forks.append(fork)
    return inside, tuple(forks)


def dead_ends(condition: Condition) -> Iterator[tuple[str, str]]:
    """The smallest parts that can never hold, as path and sentence. One in an ``anyOf`` counts too: it is no choice."""
    parts = () if isinstance(condition, Comparison) else condition.parts
    inner = [found for part in parts for found in dead_ends(part)]
    if inner:
        yield from inner
    elif not can_hold(condition):
        yield condition.path, f"can never hold: {_quarrel(condition)}"


def _quarrel(condition: Condition) -> str:
    """The first two comparisons that exclude each other, where it is as simple as that."""
    if isinstance(condition, Comparison):
        return f"{condition.words} is no value of it"
    compared = [part for part in condition.parts if isinstance(part, Comparison)][:LOOKED_AT]
    for one, other in combinations(compared, 2):
        if one.factor == other.factor and not can_hold(one, other):
            return f"{one.words} ({one.path}) excludes {other.words} ({other.path})"
    return "its conditions exclude each other"
