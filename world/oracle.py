"""What must hold, judged by the venue's own log alone (reliability 2, by its numbers).

Invariants of the oracle itself: it reads audit records and what the harness hands in (intended quantities, the
ledger's fills and positions, when the router was down), never the router's memory; every check is one pass and says
when, where and by how much. Only the account under test is looked at.
"""

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Final

from chimera.simulate.venue.audit import AuditRecord, Kind
from chimera.trading.ids import ClientOrderId, child_of
from chimera.trading.money import ZERO, text
from chimera.trading.order import Role
from chimera.trading.value import Value
from world.spans import Span, minus

FillKey = tuple[str, str]  # symbol, trade id

_ENDS: Final = frozenset({Kind.CANCEL, Kind.EXPIRE})
_ENTRY_ROLES: Final = frozenset({Role.MAKER.value, Role.TAKER.value})

BY_HAND: Final = "web_"  # how the ids begin of what the account's owner orders himself
_NOT_OURS: Final = ("autoclose-", "adl_autoclose", "settlement_autoclose-", BY_HAND)

FIRST_TRIES: Final = 5  # three in a row open a breaker; more may be under way by then
PAUSE_US: Final = 4_900_000  # its shortest


class Violation(Value):
    """An invariant that did not hold: its number, when (us of the venue's clock), and the story."""

    invariant: str
    at_us: int
    text: str


class Uncovered(Value):
    """A stretch of time in which part of a position had no live stop. ``qty`` is the most that was bare."""

    symbol: str
    from_us: int
    to_us: int
    qty: Decimal


def is_entry(record: AuditRecord) -> bool:
    """Whether it may add exposure of ours. What the venue closes by itself (liquidation, ADL, settlement) never does,
    and what the account's owner opens is his."""
    return not (record.reduce_only or record.close_position or record.client_order_id.startswith(_NOT_OURS))


def signed(record: AuditRecord) -> Decimal:
    """By how much a fill moves its position, base asset."""
    qty = record.qty or ZERO
    return qty if record.side == "BUY" else -qty


def entered_once(audit: Iterable[AuditRecord]) -> list[Violation]:
    """I1: at most one accepted exposure-increasing order per client id, over all time."""
    seen: set[str] = set()
    found = []
    for record in audit:
        if record.kind is Kind.ACCEPT and is_entry(record):
            if record.client_order_id in seen:
                found.append(
                    Violation(
                        invariant="I1", at_us=record.at_us, text=f"{record.client_order_id} was accepted once more"
                    )
                )
            seen.add(record.client_order_id)
    return found


def stands_still(sent_us: Iterable[int], windows: Iterable[Span]) -> list[Violation]:
    """I17: while a kill is in force no order leaves that could add exposure.

    ``sent_us``: when each such order left S4; ``windows``: from a durable receipt to the beginning of arming.
    """
    spans = tuple(windows)
    return [
        Violation(invariant="I17", at_us=at_us, text="an entry left while killed")
        for at_us in sent_us
        if any(start <= at_us < end for start, end in spans)
    ]


def lived_once(audit: Iterable[AuditRecord], forgotten: Container[str] = ()) -> list[Violation]:
    """No stop or target that fired is accepted again while there is nothing for it to guard.

    Not in the reference's list. A stop leaves before it is saved, so after a crash the same step may use its id again,
    and that is well while it guards; sent again after it fired, it waits for a position that is no more. S4 may do so
    with an id it has ``forgotten``, as it protects before it knows all (slow_disk, seed 31; seed 3163 of a campaign). A
    resend that crosses its own cancel is a race of the wire and no part of this (seed 858).
    """
    fired: set[str] = set()
    positions: dict[str, Decimal] = defaultdict(Decimal)
    found = []
    for record in audit:
        if record.kind is Kind.FILL:
            positions[record.symbol] += signed(record)
        elif record.order_id is not None or record.algo_id is None:
            continue
        elif record.kind is Kind.TRIGGER:
            fired.add("" if record.client_order_id in forgotten else record.client_order_id)
        elif record.kind is Kind.ACCEPT and record.client_order_id in fired and not positions[record.symbol]:
            story = f"{record.client_order_id} fired and was accepted once more, with nothing to guard"
            found.append(Violation(invariant="LIVED_ONCE", at_us=record.at_us, text=story))
    return found


def within_parents(audit: Iterable[AuditRecord], intended: Mapping[ClientOrderId, Decimal]) -> list[Violation]:
    """I4: of each parent, filled + leaves of all its entry children never exceed what was intended, at any instant.

    ``intended`` is by the stem of the parent's children (``trading.ids.stem_of``).
    """
    live: dict[int, tuple[ClientOrderId, Decimal]] = {}  # by order id: parent, leaves
    total: dict[ClientOrderId, Decimal] = defaultdict(Decimal)
    found = []
    for record in audit:
        order_id = record.order_id
        if order_id is None or not is_entry(record):
            continue
        if record.kind is Kind.ACCEPT:
            child = child_of(ClientOrderId(record.client_order_id))
            parent = child[0] if child is not None and child[1] in _ENTRY_ROLES else None
            if parent is None or parent not in intended:
                found.append(_orphan(record))
                continue
            live[order_id] = (parent, record.qty or ZERO)
            total[parent] += record.qty or ZERO
            if total[parent] > intended[parent]:
                found.append(
                    Violation(
                        invariant="I4",
                        at_us=record.at_us,
                        text=f"{record.client_order_id}: {text(total[parent])} of {text(intended[parent])} intended",
                    )
                )
        elif order_id in live:
            parent, leaves = live[order_id]
            if record.kind is Kind.FILL:
                live[order_id] = (parent, leaves - (record.qty or ZERO))  # from leaves to filled: the sum stays
            elif record.kind in _ENDS:
                total[parent] -= leaves
                del live[order_id]
    return found


def _orphan(record: AuditRecord) -> Violation:
    return Violation(invariant="I4", at_us=record.at_us, text=f"entry {record.client_order_id} has no known parent")


class _Guarded:
    """Positions and live stops of one account, record by record."""

    def __init__(self) -> None:
        self.positions: dict[str, Decimal] = defaultdict(Decimal)
        self._stops: dict[int, AuditRecord] = {}

    def take(self, record: AuditRecord) -> bool:
        """Whether the record could change what is covered. Only a stop that waits for its price is live (I11)."""
        algo_id = record.algo_id
        match record.kind:
            case Kind.FILL:
                self.positions[record.symbol] += signed(record)
            case Kind.ACCEPT if record.order_id is None and algo_id is not None and record.type == "STOP_MARKET":
                if not is_entry(record):
                    self._stops[algo_id] = record
            case Kind.TRIGGER | Kind.CANCEL | Kind.EXPIRE | Kind.REJECT if algo_id in self._stops:
                if record.order_id is None:
                    del self._stops[algo_id]
            case _:
                return False
        return True

    def largest(self, symbol: str) -> Decimal:
        """What the largest single live stop of the closing side would close of the position."""
        position = self.positions[symbol]
        exit_side = "SELL" if position > 0 else "BUY"
        mine = [stop for stop in self._stops.values() if stop.symbol == symbol and stop.side == exit_side]
        return max((abs(position) if stop.close_position else stop.qty or ZERO for stop in mine), default=ZERO)

    def uncovered(self, symbol: str) -> Decimal:
        """max(0, |position| - live stop quantity of the closing side)."""
        position = self.positions[symbol]
        if not position:
            return ZERO
        exit_side = "SELL" if position > 0 else "BUY"
        bare = abs(position)
        for stop in self._stops.values():
            if stop.symbol == symbol and stop.side == exit_side:
                bare = ZERO if stop.close_position else bare - (stop.qty or ZERO)
        return max(bare, ZERO)


def uncovered_spans(audit: Iterable[AuditRecord], until_us: int) -> list[Uncovered]:
    """When part of a position had no live stop, in order; one still open ends at ``until_us``."""
    guarded = _Guarded()
    open_: dict[str, tuple[int, Decimal]] = {}
    found = []
    for at_us, group in by_instant(audit):
        touched = {record.symbol for record in group if guarded.take(record)}
        for symbol in sorted(touched):
            bare = guarded.uncovered(symbol)
            began = open_.get(symbol)
            if bare and began is None:
                open_[symbol] = (at_us, bare)
            elif bare and began is not None:
                open_[symbol] = (began[0], max(began[1], bare))
            elif began is not None:
                found.append(Uncovered(symbol=symbol, from_us=began[0], to_us=at_us, qty=began[1]))
                del open_[symbol]
    found += [
        Uncovered(symbol=symbol, from_us=began, to_us=until_us, qty=bare) for symbol, (began, bare) in open_.items()
    ]
    return found


def by_instant(audit: Iterable[AuditRecord]) -> Iterator[tuple[int, list[AuditRecord]]]:
    """Records of one instant together: between a trigger and its child's fill no time passes."""
    group: list[AuditRecord] = []
    for record in audit:
        if group and record.at_us != group[0].at_us:
            yield group[0].at_us, group
            group = []
        group.append(record)
    if group:
        yield group[0].at_us, group


def protected(spans: Iterable[Uncovered], *, bound_us: int, excused: Sequence[Span]) -> list[Violation]:
    """I10: no stretch of bare position outlasts the bound; time inside ``excused`` does not count, and restarts it."""
    found = []
    for span in spans:
        for begun, ended in minus((span.from_us, span.to_us), excused):
            if ended - begun > bound_us:
                found.append(
                    Violation(
                        invariant="I10",
                        at_us=begun,
                        text=f"{span.symbol}: up to {text(span.qty)} had no stop for {(ended - begun) // 1000} ms",
                    )
                )
    return found


def never_bared(audit: Iterable[AuditRecord]) -> list[Violation]:
    """In fair weather no cancel takes away the stop that alone held a position.

    A successor lives before its predecessor goes, and a close keeps its stop until the position is flat.
    """
    guarded = _Guarded()
    found = []
    for at_us, group in by_instant(audit):
        canceled = {record.symbol for record in group if record.kind is Kind.CANCEL and record.type == "STOP_MARKET"}
        held = {symbol: guarded.positions[symbol] for symbol in sorted(canceled) if not guarded.uncovered(symbol)}
        for record in group:
            guarded.take(record)
        for symbol, before in held.items():
            bare = guarded.uncovered(symbol)
            if before and bare:
                story = f"{symbol}: a stop was cancelled and {text(bare)} of {text(before)} is bare"
                found.append(Violation(invariant="BARED", at_us=at_us, text=story))
    return found


def few_while_down(sent_us: Iterable[int], windows: Iterable[Span]) -> list[Violation]:
    """I18: in a stretch in which the venue takes no entry, after ``FIRST_TRIES`` one at a time, ``PAUSE_US`` apart."""
    found = []
    for start, end in windows:
        tries = [at_us for at_us in sent_us if start <= at_us < end][FIRST_TRIES:]
        for one, next_one in pairwise(tries):
            if next_one - one < PAUSE_US:
                story = f"an entry left {(next_one - one) // 1000} ms after another, though none gets in"
                found.append(Violation(invariant="I18", at_us=next_one, text=story))
    return found


class Cover(Value):
    """How an entry fill came to be covered. ``took_us`` None: it never was, or the position was closed before."""

    client_order_id: str
    trade_id: int | None
    fill_us: int
    took_us: int | None


def covers(audit: Iterable[AuditRecord]) -> list[Cover]:
    """Of each entry fill: how long until one live stop held the whole position that it left, or what is left of it.

    Older stops that are still live do not count towards it: together they may hold more than any of them was meant to.
    """
    guarded = _Guarded()
    waiting: list[tuple[AuditRecord, Decimal]] = []
    found = []
    for at_us, group in by_instant(audit):
        for record in group:
            guarded.take(record)
            if record.kind is Kind.FILL and is_entry(record):
                waiting.append((record, abs(guarded.positions[record.symbol])))
        still = []
        for fill, wanted in waiting:
            held = abs(guarded.positions[fill.symbol])
            if held and guarded.largest(fill.symbol) < min(wanted, held):
                still.append((fill, wanted))
                continue
            found.append(_covered(fill, at_us - fill.at_us if held else None))
        waiting = still
    return sorted([*found, *(_covered(fill, None) for fill, _ in waiting)], key=lambda each: each.fill_us)


def _covered(fill: AuditRecord, took_us: int | None) -> Cover:
    return Cover(client_order_id=fill.client_order_id, trade_id=fill.trade_id, fill_us=fill.at_us, took_us=took_us)


def never_flips(audit: Iterable[AuditRecord]) -> list[Violation]:
    """I12: a reduce-only order never opens a position nor crosses zero."""
    positions: dict[str, Decimal] = defaultdict(Decimal)
    found = []
    for record in audit:
        if record.kind is not Kind.FILL:
            continue
        before = positions[record.symbol]
        after = positions[record.symbol] = before + signed(record)
        if not (is_entry(record) or record.client_order_id.startswith(BY_HAND)) and (
            before * after < 0 or abs(after) > abs(before)
        ):
            found.append(
                Violation(
                    invariant="I12",
                    at_us=record.at_us,
                    text=f"{record.client_order_id} took {record.symbol} from {text(before)} to {text(after)}",
                )
            )
    return found


def fills_agree(audit: Sequence[AuditRecord], ledger: Iterable[FillKey]) -> list[Violation]:
    """I6, at quiesce: the ledger's fills are the venue's, none lost and none twice."""
    at_us = audit[-1].at_us if audit else 0
    venue = Counter((record.symbol, str(record.trade_id)) for record in audit if record.kind is Kind.FILL)
    ours = Counter(ledger)
    found = []
    for story, difference in (("lost", venue - ours), ("counted too often", ours - venue)):
        if difference:
            few = ", ".join(f"{symbol} trade {trade}" for symbol, trade in sorted(difference)[:5])
            found.append(Violation(invariant="I6", at_us=at_us, text=f"{difference.total()} fills {story}: {few}"))
    return found


def positions_agree(
    audit: Sequence[AuditRecord], ledger: Mapping[str, Decimal], opening: Mapping[str, Decimal] | None = None
) -> list[Violation]:
    """I7, at quiesce: opening position + signed fills = the venue's position = the ledger's, per symbol."""
    summed: dict[str, Decimal] = defaultdict(Decimal, opening or {})
    told: dict[str, Decimal] = dict(opening or {})
    at_us = 0
    for record in audit:
        at_us = record.at_us
        if record.kind is Kind.FILL:
            summed[record.symbol] += signed(record)
            if record.position_after is not None:
                told[record.symbol] = record.position_after
    found = []
    for symbol in sorted({*summed, *ledger}):
        three = (summed[symbol], told.get(symbol, ZERO), ledger.get(symbol, ZERO))
        if len(set(three)) > 1:
            story = f"{symbol}: fills {text(three[0])}, venue {text(three[1])}, ledger {text(three[2])}"
            found.append(Violation(invariant="I7", at_us=at_us, text=story))
    return found


def longest_us(spans: Iterable[Uncovered]) -> int:
    """The longest stretch of bare position."""
    return max((span.to_us - span.from_us for span in spans), default=0)
