"""Stretches of time and their difference: when a promise counted and when it was excused. Microseconds."""

from collections.abc import Iterable, Sequence

Span = tuple[int, int]  # from, to


def merged(spans: Iterable[Span]) -> list[Span]:
    """The same time as disjoint stretches, in order."""
    result: list[Span] = []
    for begun, ended in sorted(spans):
        if result and begun <= result[-1][1]:
            result[-1] = (result[-1][0], max(result[-1][1], ended))
        else:
            result.append((begun, ended))
    return result


def minus(span: Span, excused: Sequence[Span]) -> list[Span]:
    """What is left of ``span`` outside ``excused``."""
    begun, ended = span
    left = []
    for off, on in merged(excused):
        if off > begun:
            left.append((begun, min(off, ended)))
        begun = max(begun, on)
        if begun >= ended:
            break
    if begun < ended:
        left.append((begun, ended))
    return [(first, last) for first, last in left if last > first]


def stretched(spans: Iterable[Span], by_us: int) -> list[Span]:
    """Each stretch prolonged: an outage, and the time to recover from it."""
    return [(begun, ended + by_us) for begun, ended in spans]
