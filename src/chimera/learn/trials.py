"""What a route table is learned from: each wait of a maker, how long it was, and what came of it.

A wait goes on while its orders follow the touch: to end it with each of them would take for independent what the market
did by moving away. A wait that filled is worth its price less what the mid did just after (``markout_bps``); of one
that was taken back nobody knows when it would have filled: it is censored at its end. Without captures there are no
markouts; then what the mid did until the rest was taken (``drift_bps``) stands in, see ``waiting``. Figures are floats:
none becomes an order.
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import groupby
from typing import Final, Protocol, TypeVar

from chimera.tca.markouts import adverse
from chimera.tca.quotes import Quotes
from chimera.tca.rows import Rested
from chimera.tca.worked import Worked
from chimera.trading.ids import IntentId
from chimera.trading.money import BPS, Millis
from chimera.trading.value import Value


class Sized(Protocol):
    @property
    def at_ms(self) -> Millis: ...
    @property
    def notional(self) -> Decimal: ...


S = TypeVar("S", bound=Sized)

HORIZON_MS: Final = 5_000  # after a fill: when the mid has answered
APART_MS: Final = 1_000  # between two orders of one wait at most


class Trial(Value, tag=False):
    """One wait. ``waited_ms``: until its first fill, or until it was given up unfilled. Above 0 costs."""

    at_ms: Millis
    notional: Decimal  # of its intent, quote asset: what chooses the row
    waited_ms: int
    filled: bool
    markout_bps: float | None = None  # of its fills as maker
    drift_bps: float | None = None  # of the mid against us while it rested unfilled
    spread_bps: float | None = None


def asked_for(works: Iterable[Worked], quotes: Quotes) -> None:
    """Ask for every mid that trials need, before recordings are heard."""
    for work in works:
        for fill in work.fills:
            if fill.maker:
                quotes.ask(work.market, work.symbol, Millis(fill.at_ms + HORIZON_MS))


def trials(works: Iterable[Worked], rests: Iterable[Rested], quotes: Quotes) -> tuple[Trial, ...]:
    """In order of time."""
    found = [_trial(work, chain, quotes) for work, chain in waits_of(works, rests)]
    return tuple(sorted(found, key=lambda trial: trial.at_ms))


def waits_of(works: Iterable[Worked], rests: Iterable[Rested]) -> Iterator[tuple[Worked, Sequence[Rested]]]:
    """Each wait's orders, the first first, beside its intent."""
    by_id = {work.intent_id: work for work in works}
    of_intent: dict[IntentId, list[Rested]] = {}
    for rest in sorted(rests, key=lambda rest: (rest.sent_ms, rest.ref)):
        if rest.intent_id in by_id:
            of_intent.setdefault(rest.intent_id, []).append(rest)
    for intent_id, all_of_it in of_intent.items():
        for chain in _waits(by_id[intent_id], all_of_it):
            yield by_id[intent_id], chain


def _waits(work: Worked, rests: Iterable[Rested]) -> Iterator[list[Rested]]:
    """Orders of one intent by wait: one ends where something is taken, or where nothing rests for a while."""
    taken = [fill.at_ms for fill in work.fills if not fill.maker]
    chain: list[Rested] = []
    for rest in rests:
        last_ms = chain[-1].ended_ms if chain else rest.sent_ms
        if chain and (rest.sent_ms - last_ms > APART_MS or any(last_ms <= at <= rest.sent_ms for at in taken)):
            yield chain
            chain = []
        chain.append(rest)
    if chain:
        yield chain


def by_row(found: Iterable[S], limits: Iterable[Decimal]) -> Mapping[int, tuple[S, ...]]:
    """By number of the route table's row that covers each; the last covers what is larger."""
    ascending = list(limits)

    def row(sample: S) -> int:
        return next((number for number, most in enumerate(ascending) if sample.notional <= most), len(ascending) - 1)

    ordered = sorted(found, key=lambda sample: (row(sample), sample.at_ms))
    return {number: tuple(group) for number, group in groupby(ordered, key=row)}


def _trial(work: Worked, chain: Sequence[Rested], quotes: Quotes) -> Trial:
    first, fills = chain[0], [rest.first_fill_ms for rest in chain if rest.first_fill_ms is not None]
    mid = work.arrival_mid
    return Trial(
        at_ms=first.sent_ms,
        notional=work.qty * (first.price if mid is None else mid),
        waited_ms=max(min(fills, default=chain[-1].ended_ms) - first.sent_ms, 0),
        filled=bool(fills),
        markout_bps=_markout(work, {rest.ref for rest in chain}, quotes) if fills else None,
        drift_bps=None if fills else _drift(work, first, chain[-1].ended_ms),
        spread_bps=None if first.spread_bps is None else float(first.spread_bps),
    )


def _markout(work: Worked, refs: Container[str], quotes: Quotes) -> float | None:
    """Of these orders' fills as maker whose mid is known, by notional."""
    cost, notional = Decimal(0), Decimal(0)
    for fill in work.fills:
        mid = quotes.mid(work.market, work.symbol, Millis(fill.at_ms + HORIZON_MS))
        if fill.ref in refs and fill.maker and mid is not None:
            cost += adverse(work, fill, mid)
            notional += fill.price * fill.qty
    return float(cost / notional * BPS) if notional else None


def _drift(work: Worked, first: Rested, ended_ms: Millis) -> float | None:
    """From the mid of the first sending to that of the taking; the ledger alone knows both."""
    taken = next((fill for fill in work.fills if not fill.maker and fill.at_ms >= ended_ms), None)
    if taken is None or taken.mid is None or first.spread_bps is None:
        return None
    moved = (taken.mid - first.price) / first.price * BPS * work.side.sign
    return float(moved - first.spread_bps / 2)
