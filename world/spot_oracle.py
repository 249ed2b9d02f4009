"""What must hold on spot, by the venue's log: no coin of the user's is sold, no list sells twice, nothing is bare.

Spot's log says neither "reduce only" nor "position": what is ours is what orders of ours bought, less the fees taken
in base, less what they sold. Invariants of the oracle itself: those of ``oracle``.
"""

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Final

from chimera.simulate.venue.audit import AuditRecord, Kind
from chimera.trading.ids import ClientOrderId, child_of
from chimera.trading.instrument import Instrument
from chimera.trading.money import ZERO, text
from world.oracle import Uncovered, Violation, by_instant

SIBLING_US: Final = 500_000  # I15: by then the other leg is over
SPOT: Final = "SPOT"
_STOP: Final = "STOP_LOSS_LIMIT"
_ENDS: Final = (Kind.CANCEL, Kind.EXPIRE, Kind.REJECT)


def of_ours(audit: Iterable[AuditRecord]) -> list[AuditRecord]:
    """S4's own orders on spot, in the words of ``oracle``: what sells reduces only."""
    return [
        record.but(reduce_only=record.side == "SELL")
        for record in audit
        if record.market == SPOT and record.order_id is not None and _is_ours(record)
    ]


def _is_ours(record: AuditRecord) -> bool:
    return child_of(ClientOrderId(record.client_order_id)) is not None


def moved(record: AuditRecord, base: str) -> Decimal:
    """By how much a fill moves what is ours, base asset: a fee taken in it is gone, whoever paid."""
    qty = record.qty or ZERO
    fee = (record.fee or ZERO) if record.fee_asset == base else ZERO
    return (qty if record.side == "BUY" else -qty) - fee


def net(audit: Iterable[AuditRecord], base: str) -> Decimal:
    """What is ours in the end."""
    return sum((moved(record, base) for record in audit if record.kind is Kind.FILL), ZERO)


def never_oversold(audit: Iterable[AuditRecord], base: str) -> list[Violation]:
    """I12: no more is sold than was bought, net of fees, at any instant; the rest of the wallet is the user's."""
    held: Decimal = ZERO
    found = []
    for record in audit:
        if record.kind is Kind.FILL:
            held += moved(record, base)
            if held < 0 and record.side == "SELL":
                story = f"{record.client_order_id} sold {text(-held)} of the user's own"
                found.append(Violation(invariant="I12", at_us=record.at_us, text=story))
    return found


def taken_once(audit: Iterable[AuditRecord], forgotten: Container[str] = ()) -> list[Violation]:
    """I1: no id is accepted twice, a seller's as little as a buyer's: spot takes a used one a second time.

    What protects may leave before it is saved. Where S4 was killed then, has ``forgotten`` its id, and somebody had
    ended it with nothing sold, the same step may use the id again: one seller lives, and it guards (seed 600993).
    """
    seen: set[str] = set()
    sold: set[str] = set()
    found = []
    for record in audit:
        ref = record.client_order_id
        if record.kind is Kind.FILL:
            sold.add(ref)
        elif record.kind is Kind.ACCEPT:
            if ref in seen:
                found.append(Violation(invariant="I1", at_us=record.at_us, text=f"{ref} was accepted once more"))
            seen.add(ref)
        elif record.kind in _ENDS and record.side == "SELL" and ref in forgotten and ref not in sold:
            seen.discard(ref)
    return found


def one_leg(audit: Sequence[AuditRecord]) -> list[Violation]:
    """I15: of a list one leg sells, no more than the list's quantity, and the other is over soon after it began."""
    sold: dict[int, dict[str, Decimal]] = defaultdict(dict)
    sizes: dict[int, Decimal] = {}
    begun: dict[int, int] = {}
    live: dict[int, set[str]] = defaultdict(set)
    found = []
    for record in audit:
        number, ref = record.list_id, record.client_order_id
        if number is None:
            continue
        match record.kind:
            case Kind.ACCEPT:
                sizes[number] = record.qty or ZERO
                live[number].add(ref)
            case Kind.FILL:
                begun.setdefault(number, record.at_us)
                legs = sold[number]
                legs[ref] = legs.get(ref, ZERO) + (record.qty or ZERO)
                if len(legs) > 1 or sum(legs.values()) > sizes.get(number, ZERO):
                    story = f"list {number} sold {', '.join(f'{leg} {text(qty)}' for leg, qty in legs.items())}"
                    found.append(Violation(invariant="I15", at_us=record.at_us, text=story))
                if record.status == "FILLED":
                    live[number].discard(ref)
            case Kind.CANCEL | Kind.EXPIRE | Kind.REJECT:
                late = record.at_us - begun.get(number, record.at_us) > SIBLING_US and ref not in sold[number]
                if late:
                    story = f"{ref} lived on for {(record.at_us - begun[number]) // 1000} ms beside the other's fill"
                    found.append(Violation(invariant="I15", at_us=record.at_us, text=story))
                live[number].discard(ref)
            case _:
                pass
    for number, refs in live.items():
        if number in begun and (left := refs - sold[number].keys()):
            story = f"{', '.join(sorted(left))} lives on beside the other's fill"
            found.append(Violation(invariant="I15", at_us=begun[number], text=story))
    return found


class _Cover:
    """What is ours, and what live stops of ours would sell."""

    def __init__(self, base: str) -> None:
        self.held: Decimal = ZERO
        self.price: Decimal = ZERO
        self._base = base
        self._stops: dict[int, Decimal] = {}  # what each may still sell, by order id

    def take(self, record: AuditRecord) -> None:
        assert record.order_id is not None  # of an order of ours
        if record.kind is Kind.FILL:
            self.held += moved(record, self._base)
            self.price = record.price or self.price
        elif record.kind is Kind.ACCEPT and record.type == _STOP:
            self._stops[record.order_id] = record.qty or ZERO
        elif record.kind is Kind.TRIGGER or record.kind in _ENDS:
            self._stops.pop(record.order_id, None)

    @property
    def bare(self) -> Decimal:
        return max(self.held - sum(self._stops.values(), ZERO), ZERO)


def uncovered_spans(
    audit: Iterable[AuditRecord], until_us: int, rules: Instrument, dust: Sequence[tuple[int, Decimal]] = ()
) -> list[Uncovered]:
    """When part of what is ours, and could be sold, had no live stop at the venue.

    ``dust``: what was written off, in the base asset, and when: what each close leaves is ours no more, though the sum
    of many could be sold.
    """
    cover, began, found = _Cover(rules.base), None, []
    most: Decimal = ZERO
    for at_us, group in by_instant(audit):
        for record in group:
            cover.take(record)
        gone = sum((qty for off_us, qty in dust if off_us <= at_us), ZERO)
        bare = rules.floor_to_step(max(cover.bare - gone, ZERO))
        sellable = bare >= rules.min_qty and bare * cover.price >= rules.min_notional
        if sellable:
            began, most = (at_us, bare) if began is None else (began, max(most, bare))
        elif began is not None:
            found.append(Uncovered(symbol=str(rules.symbol), from_us=began, to_us=at_us, qty=most))
            began = None
    if began is not None:
        found.append(Uncovered(symbol=str(rules.symbol), from_us=began, to_us=until_us, qty=most))
    return found


def fired_spans(audit: Iterable[AuditRecord], until_us: int) -> Iterator[tuple[int, int]]:
    """From a stop's trigger to its end: it sells by its limit, or does not."""
    firing: dict[int, int] = {}
    for record in audit:
        number = record.order_id or 0
        if record.kind is Kind.TRIGGER and record.type == _STOP:
            firing[number] = record.at_us
        elif number in firing and (record.kind in _ENDS or record.status == "FILLED"):
            yield firing.pop(number), record.at_us
    yield from ((begun, until_us) for begun in firing.values())


def ends_flat(audit: Sequence[AuditRecord], base: str, position: Decimal, dust: Decimal) -> list[Violation]:
    """I7 and I14: nothing of ours is left but what was told as dust, by the ledger and by the venue; nothing rests."""
    at_us = audit[-1].at_us if audit else 0
    ours = net(audit, base)
    found = []
    if ours != position + dust:
        story = f"ours by the venue {text(ours)}, by the ledger {text(position)} and dust of {text(dust)}"
        found.append(Violation(invariant="I7", at_us=at_us, text=story))
    if position:
        found.append(Violation(invariant="I14", at_us=at_us, text=f"{text(position)} {base} is left"))
    live: dict[int, str] = {}
    for record in audit:
        if record.kind is Kind.ACCEPT:
            live[record.order_id or 0] = record.client_order_id
        elif record.kind in _ENDS or (record.kind is Kind.FILL and record.status == "FILLED"):
            live.pop(record.order_id or 0, None)
    return [
        *found,
        *(Violation(invariant="I14", at_us=at_us, text=f"order {ref} is still live") for ref in live.values()),
    ]


def own_untouched(wallet: Decimal, own: Decimal, ours: Decimal, at_us: int) -> list[Violation]:
    """What the wallet holds is the user's own, to the last digit, and what is ours."""
    if wallet == own + ours:
        return []
    story = f"the wallet holds {text(wallet)}, where {text(own)} is the user's and {text(ours)} ours"
    return [Violation(invariant="OWN", at_us=at_us, text=story)]
