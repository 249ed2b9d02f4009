"""What a run came to, told by the venue's audit alone: positions opened, protected and closed, profit, violations.

Positions, protection and profit are of futures; of spot every fill is set beside the ledger's.

Independent on purpose: it shares no code with S4 nor with the world's oracle, and reads nothing but audit records
(``docs/wire.md``), so its numbers can be set beside the ledger's. Records of one instant count together: between a
trigger and its child's fill no time passes. An audit that begins with a position open (the simulator was restarted
without its audit) does not know that position's stop: it counts from the moment it is flat.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from chimera.simulate.venue.audit import AuditRecord, Kind
from chimera.trading.money import ZERO, text
from chimera.trading.value import Value

BARE_BOUND_MS: Final = 1_500  # I10: longest a position may be without its whole stop in healthy conditions
_FUTURES: Final = "FUT"
_GONE: Final = (Kind.TRIGGER, Kind.CANCEL, Kind.EXPIRE, Kind.REJECT)

FillKey = tuple[str, str, str]  # market, symbol, trade id


class VenueFill(Value):
    """One trade as the venue booked it. ``fee`` is > 0 when we paid."""

    qty: Decimal
    fee: Decimal


class AuditSummary(Value):
    """Counts over all symbols. ``pnl_usdt`` is realised profit less fees; ``violations`` are sentences."""

    opened: int
    closed: int
    protected: int
    max_unprotected_ms: int
    fills: int
    realized_usdt: Decimal
    fees_usdt: Decimal
    violations: tuple[str, ...]

    @property
    def pnl_usdt(self) -> Decimal:
        return self.realized_usdt - self.fees_usdt


class _Held:
    """One symbol of the account, as the records so far leave it."""

    def __init__(self) -> None:
        self.qty = ZERO
        self.known = False  # a fill was seen
        self.carried = False  # open when the audit began, and not flat since
        self.covered = False  # this position had its whole stop at some instant
        self.bare_since_us: int | None = None
        self.stops: dict[int, tuple[str, Decimal | None]] = {}  # algo id: side, quantity; None closes whatever is held

    def bare(self) -> Decimal:
        """How much of the position no live stop covers."""
        exit_side = "SELL" if self.qty > 0 else "BUY"
        left = abs(self.qty)
        for side, qty in self.stops.values():
            if side == exit_side:
                left = ZERO if qty is None else left - qty
        return max(left, ZERO)


class Tally:
    """Folds audit records of ``account`` in their order; ``summary`` may be asked for at any time."""

    def __init__(self, account: str = "main") -> None:
        self.last_seq = 0
        self.fills: dict[FillKey, VenueFill] = {}
        self._account = account
        self._held: dict[str, _Held] = {}
        self._entries: set[str] = set()
        self._opened = self._closed = self._protected = 0
        self._longest_us = 0
        self._realized = self._fees = ZERO
        self._violations: list[str] = []
        self._now_us = 0
        self._touched: dict[str, None] = {}

    def take(self, record: AuditRecord) -> None:
        """One more record; one seen before changes nothing."""
        if record.seq <= self.last_seq:
            return
        self.last_seq = record.seq
        if record.at_us > self._now_us:
            self._settle()
            self._now_us = record.at_us
        if record.account != self._account or not record.symbol:
            return
        if record.market:
            self._of_spot(record)
            return
        held = self._held.setdefault(record.symbol, _Held())
        match record.kind:
            case Kind.FILL:
                self._fill(held, record)
            case Kind.ACCEPT if record.order_id is None and record.algo_id is not None:
                if record.type == "STOP_MARKET" and (record.reduce_only or record.close_position):
                    held.stops[record.algo_id] = (record.side, None if record.close_position else record.qty or ZERO)
            case Kind.ACCEPT:
                self._accepted(record)
            case kind if kind in _GONE and record.order_id is None and record.algo_id in held.stops:
                del held.stops[record.algo_id]
            case _:
                return
        self._touched[record.symbol] = None

    def summary(self, until_us: int | None = None) -> AuditSummary:
        """So far; a position that is bare now counts up to ``until_us``, or to the last record."""
        self._settle()
        now_us = max(self._now_us, until_us or 0)
        open_us = [now_us - held.bare_since_us for held in self._held.values() if held.bare_since_us is not None]
        late = [
            _bare_for(symbol, now_us - held.bare_since_us)
            for symbol, held in self._held.items()
            if held.bare_since_us is not None and now_us - held.bare_since_us > BARE_BOUND_MS * 1_000
        ]
        return AuditSummary(
            opened=self._opened,
            closed=self._closed,
            protected=self._protected,
            max_unprotected_ms=-(-max([self._longest_us, *open_us]) // 1_000),
            fills=len(self.fills),
            realized_usdt=self._realized,
            fees_usdt=self._fees,
            violations=(*self._violations, *late),
        )

    def _accepted(self, record: AuditRecord) -> None:
        """I1: an order that can add exposure is accepted once under its id."""
        if record.reduce_only or record.close_position:
            return
        if record.client_order_id in self._entries:
            self._violations.append(f"I1: {record.client_order_id} was accepted once more")
        self._entries.add(record.client_order_id)

    def _fill(self, held: _Held, record: AuditRecord) -> None:
        qty = record.qty or ZERO
        signed = qty if record.side == "BUY" else -qty
        if not held.known:
            held.known = True
            held.qty = ZERO if record.position_after is None else record.position_after - signed
            held.carried = held.qty != 0
        before, after = held.qty, held.qty + signed
        held.qty = after
        if record.position_after is not None and record.position_after != after:
            told = text(record.position_after)
            self._violations.append(f"I7: {record.symbol} is {text(after)} by its fills, {told} by the venue")
            held.qty = after = record.position_after
        if record.reduce_only and (before * after < 0 or abs(after) > abs(before)):
            self._violations.append(f"I12: {record.client_order_id} took {record.symbol} from {before} to {after}")
        self._counted(record)
        self._realized += record.realized_pnl or ZERO
        self._fees += record.fee or ZERO
        self._count(held, before, after)

    def _of_spot(self, record: AuditRecord) -> None:
        if record.kind is Kind.FILL:
            self._counted(record)
        elif record.kind is Kind.ACCEPT and record.side == "BUY":
            self._accepted(record)

    def _counted(self, record: AuditRecord) -> None:
        key = (record.market or _FUTURES, record.symbol, str(record.trade_id))
        if key in self.fills:
            self._violations.append(f"I6: {record.symbol} trade {record.trade_id} is told twice")
        self.fills[key] = VenueFill(qty=record.qty or ZERO, fee=record.fee or ZERO)

    def _count(self, held: _Held, before: Decimal, after: Decimal) -> None:
        """A fill through zero closes one position and opens the next."""
        flipped = before * after < 0
        if before and (not after or flipped):
            self._closed += 1
            held.carried = False
        if after and (not before or flipped):
            self._opened += 1
            held.covered = False

    def _settle(self) -> None:
        """The instant is over: what is covered now, and since when what is not."""
        for symbol in self._touched:
            held = self._held[symbol]
            bare = ZERO if held.carried else held.bare()
            if held.qty and not bare and not held.covered and not held.carried:
                held.covered = True
                self._protected += 1
            if bare and held.bare_since_us is None:
                held.bare_since_us = self._now_us
            elif not bare and held.bare_since_us is not None:
                lasted_us = self._now_us - held.bare_since_us
                held.bare_since_us = None
                self._longest_us = max(self._longest_us, lasted_us)
                if lasted_us > BARE_BOUND_MS * 1_000:
                    self._violations.append(_bare_for(symbol, lasted_us))
        self._touched.clear()


def _bare_for(symbol: str, lasted_us: int) -> str:
    return f"I10: {symbol} was not wholly covered for {lasted_us // 1_000} ms"


def summarize(records: Iterable[AuditRecord], account: str = "main") -> AuditSummary:
    """The whole audit at once, over every life of the venue that it holds."""
    tally = Tally(account)
    for record in standing(records):
        tally.take(record)
    return tally.summary()


def standing(records: Iterable[AuditRecord]) -> list[AuditRecord]:
    """What still holds: a venue that was killed carries on from what it had kept, and what came after that is void."""
    kept: list[AuditRecord] = []
    for record in records:
        if record.kind is Kind.RESTART and record.kept_seq is not None:
            while kept and kept[-1].seq > record.kept_seq:
                kept.pop()
        kept.append(record)
    return kept


class Comparison(Value):
    """The venue's fills against the ledger's: how many each has, and how far apart they are in all."""

    fills_venue: int
    fills_ledger: int
    qty_diff: Decimal
    fee_diff: Decimal


def compare(venue: Mapping[FillKey, VenueFill], ledger: Iterable[Mapping[str, Any]], since_ms: int) -> Comparison:
    """Trade by trade. Rows of the ledger (collection ``fills``) older than ``since_ms`` count only if the venue's
    record has them too: they are of an earlier run.
    """
    rows: dict[FillKey, VenueFill] = {}
    for row in ledger:
        key = (str(row.get("market", _FUTURES)), str(row["symbol"]), str(row["trade_id"]))
        if key in venue or int(row["at_ms"]) >= since_ms:
            rows[key] = VenueFill(qty=Decimal(row["qty"]), fee=Decimal(row["fee"]))
    none = VenueFill(qty=ZERO, fee=ZERO)
    pairs = [(venue.get(key, none), rows.get(key, none)) for key in {**venue, **rows}]
    return Comparison(
        fills_venue=len(venue),
        fills_ledger=len(rows),
        qty_diff=sum((abs(ours.qty - theirs.qty) for theirs, ours in pairs), ZERO),
        fee_diff=sum((abs(ours.fee - theirs.fee) for theirs, ours in pairs), ZERO),
    )


def report(summary: AuditSummary, comparison: Comparison | None) -> dict[str, Any]:
    """The last line of ``chimera up``; without a ledger to compare with, only what the audit tells."""
    line: dict[str, Any] = {
        "event": "summary",
        "closed": summary.closed,
        "protected": summary.protected,
        "max_unprotected_ms": summary.max_unprotected_ms,
        "fills_venue": summary.fills,
    }
    if comparison is not None:
        line |= {
            "fills_ledger": comparison.fills_ledger,
            "qty_diff": text(comparison.qty_diff),
            "fee_diff": text(comparison.fee_diff),
        }
    return line | {"pnl_usdt": text(summary.pnl_usdt), "violations": len(summary.violations)}
