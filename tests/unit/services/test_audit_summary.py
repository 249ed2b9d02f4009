"""What the venue's audit tells of a run, set beside hand-made records and beside the world's oracle."""

from decimal import Decimal
from itertools import count
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chimera.services.audit_summary import Tally, VenueFill, compare, report, summarize
from chimera.simulate.venue.audit import AuditRecord, Kind
from world import oracle

D = Decimal


class Log:
    """An audit being written; times in ms."""

    def __init__(self) -> None:
        self.records: list[AuditRecord] = []
        self.position = D(0)
        self._trades = count(1)
        self._algos = count(1)

    def add(self, at_ms: int, kind: Kind, **fields: Any) -> None:
        fields = {"account": "main", "symbol": "BTCUSDT", **fields}
        self.records.append(AuditRecord(seq=len(self.records) + 1, at_us=at_ms * 1_000, kind=kind, **fields))

    def fill(self, at_ms: int, side: str, qty: str, *, pnl: str = "0", fee: str = "0.1", reduce: bool = False) -> None:
        self.position += D(qty) if side == "BUY" else -D(qty)
        self.add(
            at_ms, Kind.FILL, side=side, qty=D(qty), trade_id=next(self._trades), fee=D(fee), realized_pnl=D(pnl),
            position_after=self.position, reduce_only=reduce, order_id=1, client_order_id=f"c{at_ms}",
        )  # fmt: skip

    def stop(self, at_ms: int, side: str, qty: str | None) -> int:
        algo_id = next(self._algos)
        self.add(
            at_ms, Kind.ACCEPT, algo_id=algo_id, type="STOP_MARKET", side=side, reduce_only=qty is not None,
            close_position=qty is None, qty=None if qty is None else D(qty), client_order_id=f"s{algo_id}",
        )  # fmt: skip
        return algo_id

    def gone(self, at_ms: int, kind: Kind, algo_id: int) -> None:
        self.add(at_ms, kind, algo_id=algo_id)


def test_a_position_is_counted_when_it_leaves_flat_and_when_it_is_flat_again() -> None:
    log = Log()
    log.fill(100, "BUY", "0.003")
    log.fill(110, "BUY", "0.004")
    stop = log.stop(130, "SELL", "0.007")
    log.gone(500, Kind.TRIGGER, stop)
    log.fill(500, "SELL", "0.007", pnl="-0.5", fee="0.3", reduce=True)

    summary = summarize(log.records)

    assert (summary.opened, summary.closed, summary.protected, summary.fills) == (1, 1, 1, 3)
    assert summary.max_unprotected_ms == 30
    assert summary.pnl_usdt == D("-1.0")
    assert summary.violations == ()


def test_a_partly_covered_position_is_bare() -> None:
    log = Log()
    log.fill(100, "SELL", "0.010")
    log.stop(101, "BUY", "0.006")
    log.stop(101, "SELL", "0.100")  # of the wrong side
    log.stop(140, "BUY", "0.004")

    summary = summarize(log.records)

    assert (summary.max_unprotected_ms, summary.protected) == (40, 1)


def test_a_stop_that_closes_whatever_is_held_covers_all() -> None:
    log = Log()
    log.stop(90, "SELL", None)
    log.fill(100, "BUY", "0.010")

    assert (summarize(log.records).max_unprotected_ms, summarize(log.records).protected) == (0, 1)


def test_a_flip_closes_one_position_and_opens_the_next() -> None:
    log = Log()
    log.fill(100, "BUY", "0.010")
    log.fill(200, "SELL", "0.030")

    summary = summarize(log.records)

    assert (summary.opened, summary.closed, summary.protected) == (2, 1, 0)


def test_a_position_that_stays_bare_is_a_violation_also_while_it_lasts() -> None:
    log = Log()
    log.fill(100, "BUY", "0.010")
    tally = Tally()
    for record in log.records:
        tally.take(record)

    assert tally.summary().violations == ()
    late = tally.summary(until_us=1_700_000)
    assert late.max_unprotected_ms == 1_600
    assert late.violations == ("I10: BTCUSDT was not wholly covered for 1600 ms",)


def test_the_same_entry_twice_and_a_reduce_only_that_opens_are_violations() -> None:
    log = Log()
    for at_ms in (10, 20):
        log.add(at_ms, Kind.ACCEPT, order_id=at_ms, client_order_id="entry-1", type="LIMIT", side="BUY", qty=D(1))
    log.stop(25, "BUY", None)
    log.fill(30, "SELL", "0.5", reduce=True)

    assert [text.split(":")[0] for text in summarize(log.records).violations] == ["I1", "I12"]


def test_a_position_carried_into_the_audit_counts_from_when_it_is_flat() -> None:
    log = Log()
    log.position = D("0.007")
    log.fill(10_000, "SELL", "0.002", reduce=True)
    log.fill(90_000, "SELL", "0.005", reduce=True)

    summary = summarize(log.records)

    assert (summary.opened, summary.closed, summary.max_unprotected_ms, summary.violations) == (0, 1, 0, ())


def test_what_a_killed_venue_forgot_is_void() -> None:
    log = Log()
    log.fill(100, "BUY", "0.010")
    log.stop(110, "SELL", "0.010")
    log.fill(200, "SELL", "0.010", reduce=True)
    log.add(5_000, Kind.RESTART, account="", symbol="", kept_seq=2)
    log.position = D("0.010")
    log.fill(6_000, "SELL", "0.010", reduce=True)

    summary = summarize(log.records)

    assert (summary.opened, summary.closed, summary.fills, summary.violations) == (1, 1, 2, ())


def test_another_accounts_trades_are_not_ours() -> None:
    log = Log()
    log.fill(100, "BUY", "0.010")

    assert summarize(log.records, account="other").fills == 0


def test_the_ledger_is_compared_trade_by_trade() -> None:
    venue = {
        ("FUT", "BTCUSDT", "1"): VenueFill(qty=D("0.003"), fee=D("0.1")),
        ("FUT", "BTCUSDT", "2"): VenueFill(qty=D("0.004"), fee=D("0.2")),
    }
    row = {"symbol": "BTCUSDT", "at_ms": 50}
    ledger = [
        row | {"trade_id": "0", "qty": "9", "fee": "9"},  # of an earlier run
        row | {"trade_id": "1", "qty": "0.003", "fee": "0.1"},
        row | {"trade_id": "2", "qty": "0.005", "fee": "0.2"},
        row | {"trade_id": "3", "qty": "0.001", "fee": "0.05", "at_ms": 150},  # the venue knows of no such trade
        row | {"market": "SPOT", "trade_id": "1", "qty": "7", "fee": "7"},  # no trade of futures
    ]

    told = compare(venue, ledger, since_ms=100)

    assert (told.fills_venue, told.fills_ledger, told.qty_diff, told.fee_diff) == (2, 3, D("0.002"), D("0.05"))


def test_the_last_line_has_the_names_that_the_proof_reads() -> None:
    log = Log()
    log.fill(100, "BUY", "0.010")

    line = report(summarize(log.records), compare({}, [], 0))

    assert list(line) == [
        "event", "closed", "protected", "max_unprotected_ms", "fills_venue", "fills_ledger", "qty_diff", "fee_diff",
        "pnl_usdt", "violations",
    ]  # fmt: skip


MOVES = st.lists(
    st.tuples(st.sampled_from(["buy", "sell", "stop", "gone"]), st.integers(1, 9), st.integers(0, 400), st.booleans()),
    max_size=30,
)


@given(MOVES)
def test_bare_time_is_what_the_worlds_oracle_says(moves: list[tuple[str, int, int, bool]]) -> None:
    """Two recomputations that share no code agree on every history."""
    log, at_ms, live = Log(), 1_000, list[int]()
    for what, size, later_ms, long in moves:
        at_ms += later_ms
        if what in ("buy", "sell"):
            log.fill(at_ms, what.upper(), f"0.00{size}")
        elif what == "stop":
            live.append(log.stop(at_ms, "SELL" if long else "BUY", f"0.00{size}"))
        elif live:
            log.gone(at_ms, Kind.CANCEL, live.pop(size % len(live)))
    until_us = (at_ms + 50) * 1_000
    tally = Tally()
    for record in log.records:
        tally.take(record)

    longest_us = oracle.longest_us(oracle.uncovered_spans(log.records, until_us))

    assert tally.summary(until_us).max_unprotected_ms == longest_us // 1_000
