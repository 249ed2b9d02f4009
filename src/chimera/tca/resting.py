"""How often what rests in the book is filled: against waiting time, notional, spread, depth and hour.

A child order that rested and is over is one trial. ``filled_share`` of a group is the notional that filled as maker
over the notional that rested; ``touched`` and ``filled`` count orders of which something, or all, filled as maker.

Waiting is another question, since most orders are taken back before they fill: how likely is a first fill within w?
It is answered by the product-limit estimate (Kaplan and Meier, JASA 53, 1958): an order that was taken back
unfilled after w counts as waiting until then and as unknown after it. ``at_risk``: orders that had neither filled nor
ended just before w. Where nobody waited that long, nothing is known. Shares are exact fractions, shown to 1e-4.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Final

from chimera.tca.rows import Rested
from chimera.trading.money import ZERO, text
from chimera.trading.value import Value

WAITS_MS: Final = (100, 250, 500, 1_000, 2_000, 3_000, 5_000, 10_000, 30_000)
NOTIONALS: Final = tuple(map(Decimal, (100, 500, 1_000, 5_000, 20_000)))  # quote asset
SPREADS: Final = tuple(map(Decimal, ("0.1", "0.5", "1", "2", "5", "10")))  # bps of the mid
DEPTHS: Final = tuple(map(Decimal, (1_000, 5_000, 20_000, 100_000, 500_000)))  # quote asset at the touch joined
_UNKNOWN: Final = "unknown"


class Share(Value, tag=False):
    """Orders of one group, the share of their notional that filled as maker, None of none."""

    group: str
    orders: int
    touched: int
    filled: int
    filled_share: Decimal | None


class Waited(Value, tag=False):
    """The chance of a first fill within ``wait_ms``; None where no order waited so long."""

    wait_ms: int
    at_risk: int
    chance: Decimal | None


class Resting(Value, tag=False):
    all: Share
    by_wait: tuple[Waited, ...]
    by_notional: tuple[Share, ...]
    by_spread_bps: tuple[Share, ...]
    by_depth: tuple[Share, ...]
    by_hour: tuple[Share, ...]  # UTC, of the sending


def resting(rests: Sequence[Rested]) -> Resting:
    """Of orders whose notionals are one quote asset's. Groups without an order are left out."""
    return Resting(
        all=_share("all", rests),
        by_wait=by_wait(rests),
        by_notional=_grouped(rests, _binned(NOTIONALS, lambda rest: rest.price * rest.qty)),
        by_spread_bps=_grouped(rests, _binned(SPREADS, lambda rest: rest.spread_bps)),
        by_depth=_grouped(rests, _binned(DEPTHS, lambda rest: rest.depth)),
        by_hour=_grouped(rests, _hour),
    )


def by_wait(rests: Iterable[Rested], waits: Sequence[int] = WAITS_MS) -> tuple[Waited, ...]:
    """The product-limit estimate at these waits. An order that fills and ends at one moment has filled."""
    trials = sorted(_trial(rest) for rest in rests)
    survives = Fraction(1)
    told: list[Waited] = []
    number = 0
    for wait in waits:
        while number < len(trials) and trials[number][0] <= wait:
            if not trials[number][1]:
                survives *= 1 - Fraction(1, len(trials) - number)
            number += 1
        left = sum(lasted >= wait for lasted, _ in trials)
        known = left > 0 or (bool(trials) and survives == 0)
        told.append(Waited(wait_ms=wait, at_risk=left, chance=_shown(1 - survives) if known else None))
    return tuple(told)


def _trial(rest: Rested) -> tuple[int, bool]:
    """How long it waited for its first fill, and whether it never came; fills before ends at the same moment."""
    if rest.first_fill_ms is None:
        return rest.ended_ms - rest.sent_ms, True
    return max(rest.first_fill_ms - rest.sent_ms, 0), False


def _share(group: str, rests: Sequence[Rested]) -> Share:
    posted = sum((rest.price * rest.qty for rest in rests), ZERO)
    made = sum((rest.price * min(rest.maker_qty, rest.qty) for rest in rests), ZERO)
    return Share(
        group=group,
        orders=len(rests),
        touched=sum(rest.maker_qty > 0 for rest in rests),
        filled=sum(rest.maker_qty >= rest.qty for rest in rests),
        filled_share=_shown(Fraction(made) / Fraction(posted)) if posted else None,
    )


def _grouped(rests: Sequence[Rested], group: Callable[[Rested], tuple[int, str]]) -> tuple[Share, ...]:
    groups: dict[tuple[int, str], list[Rested]] = {}
    for rest in rests:
        groups.setdefault(group(rest), []).append(rest)
    return tuple(_share(name, groups[number, name]) for number, name in sorted(groups))


def _binned(
    edges: Sequence[Decimal], measure: Callable[[Rested], Decimal | None]
) -> Callable[[Rested], tuple[int, str]]:
    """Bins from an edge on up to below the next."""
    names = [f"< {text(edges[0])}"]
    names += [f"{text(low)} - {text(high)}" for low, high in pairwise(edges)]
    names.append(f">= {text(edges[-1])}")

    def bin_of(rest: Rested) -> tuple[int, str]:
        value = measure(rest)
        if value is None:
            return len(names), _UNKNOWN
        place = bisect_right(edges, value)
        return place, names[place]

    return bin_of


def _hour(rest: Rested) -> tuple[int, str]:
    hour = datetime.fromtimestamp(rest.sent_ms / 1_000, UTC).hour
    return hour, f"{hour:02d}"


def _shown(share: Fraction) -> Decimal:
    return Decimal(round(share * 10_000)).scaleb(-4)
