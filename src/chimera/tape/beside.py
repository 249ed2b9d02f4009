"""Several tapes as one: markets and symbols side by side, in time order.

Invariants: ``at_us`` of the whole never runs backwards, the events of one tape keep their order, and at equal times the
tape named first goes first; so the same tapes in the same order are the same whole.

Tapes that start within ``TOGETHER_US`` of the first are of one recording and keep their own times, so what one market
did before the other stays so. A tape of another day is moved to the start of the first.
"""

from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from typing import Final

from chimera.trading.market import Market, MarketEvent
from chimera.trading.value import Value

TOGETHER_US: Final = 60_000_000

Placed = tuple[Market, MarketEvent]


class Tape(Value):
    """One market's events from ``start_us``, the time of the first, on."""

    market: Market
    start_us: int
    events: Iterable[MarketEvent]


def side_by_side(tapes: Sequence[Tape]) -> Iterator[Placed]:
    """Every tape's events, each with its market, on the clock of the first tape."""
    if not tapes:
        return iter(())
    return merge(*(_placed(tape, tapes[0].start_us) for tape in tapes), key=_at)


def start_of(tapes: Sequence[Tape]) -> int:
    """The time of the whole's first event, UTC µs."""
    first = tapes[0].start_us
    return min(tape.start_us + _shift(tape, first) for tape in tapes)


def in_time_order(sources: Sequence[Iterable[Placed]]) -> Iterator[Placed]:
    """Sources that carry their markets with them and share a clock."""
    return merge(*sources, key=_at)


def _placed(tape: Tape, first_us: int) -> Iterator[Placed]:
    by_us, market = _shift(tape, first_us), tape.market
    for event in tape.events:
        yield market, event if by_us == 0 else event.but(at_us=event.at_us + by_us)


def _shift(tape: Tape, first_us: int) -> int:
    return 0 if abs(tape.start_us - first_us) <= TOGETHER_US else first_us - tape.start_us


def _at(placed: Placed) -> int:
    return placed[1].at_us
