"""Whether anything happened at the venue that no answer accounts for: its audit against the spans of our deeds.

A deed is a request that was answered 2xx and may trade, from its sending until the house is flat again. Outside the
deeds nothing may be asked of the venue but questions; and an entry, inside one or not, is a child of an order whose
submission was answered 2xx.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from chimera.simulate.venue.audit import ASKED, AuditRecord, Kind

_MARKET_MAKES: Final = frozenset({Kind.FUNDING, Kind.OPEN_ACCOUNT, Kind.RESTART})
_CHANGES: Final = frozenset({Kind.ACCEPT, Kind.CANCEL, Kind.AMEND})
_QUESTIONS: Final = ("GET", "")
_HARMLESS: Final = ("listenKey", "userDataStream", "test")  # the user stream is asked for anew where it was silent


class Deed(NamedTuple):
    """``until_us`` inclusive. ``refs``: the children of the orders that it submitted."""

    from_us: int
    until_us: int
    told: str
    refs: frozenset[str] = frozenset()


def leaks(audit: Iterable[AuditRecord], deeds: Sequence[Deed]) -> Iterator[str]:
    """One line for each record that no deed accounts for; ``deeds`` in the order in which they were done."""
    begins = [deed.from_us for deed in deeds]
    refs = frozenset[str]().union(*(deed.refs for deed in deeds))
    for record in audit:
        if not _does(record):
            continue
        place = bisect_right(begins, record.at_us) - 1
        if place < 0 or record.at_us > deeds[place].until_us:
            after = deeds[place].told if place >= 0 else "nothing"
            yield f"{_line(record)}, while nothing was under way; before it: {after}"
        elif _enters(record) and record.client_order_id not in refs:
            yield f"{_line(record)}, of no order that was answered 2xx; meanwhile: {deeds[place].told}"


def moved(audit: Iterable[AuditRecord], from_us: int, until_us: int) -> Iterator[str]:
    """What became of orders that trade, strictly between: what protects follows each fill by itself and is left out."""
    for record in audit:
        if from_us < record.at_us < until_us and record.kind in _CHANGES and record.algo_id is None:
            yield _line(record)


def _does(record: AuditRecord) -> bool:
    """Whether it asks for a change or tells of one."""
    if record.kind in ASKED:
        return record.method not in _QUESTIONS and not any(word in record.path for word in _HARMLESS)
    return record.kind not in _MARKET_MAKES


def _enters(record: AuditRecord) -> bool:
    """Whether it can add exposure: on futures what is not reduce-only, on spot what buys."""
    if record.kind is not Kind.ACCEPT:
        return False
    if record.market:
        return record.side == "BUY"
    return not (record.reduce_only or record.close_position)


def _line(record: AuditRecord) -> str:
    words = (record.kind, record.method, record.path, record.market, record.symbol, record.side, record.client_order_id)
    return f"#{record.seq} " + " ".join(str(word) for word in words if word)
