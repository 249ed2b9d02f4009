"""Each invariant on hand-made audit logs: one that keeps it, and one for each way to break it."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chimera.simulate.venue.audit import AuditRecord, Kind
from chimera.trading.ids import ClientOrderId
from world import ceilings, oracle
from world.spans import merged, minus, stretched

MS = 1_000


def log(*happenings: tuple[int, Kind, dict[str, Any]]) -> list[AuditRecord]:
    return [
        AuditRecord(seq=number, at_us=at_ms * MS, kind=kind, **({"symbol": "BTCUSDT", "account": "main"} | fields))
        for number, (at_ms, kind, fields) in enumerate(happenings, start=1)
    ]


def accept(ref: str, order_id: int, qty: str, side: str = "BUY", **more: Any) -> tuple[Kind, dict[str, Any]]:
    return Kind.ACCEPT, {"client_order_id": ref, "order_id": order_id, "qty": Decimal(qty), "side": side, **more}


def fill(ref: str, order_id: int, trade: int, qty: str, side: str = "BUY", **more: Any) -> tuple[Kind, dict[str, Any]]:
    fields = {"client_order_id": ref, "order_id": order_id, "trade_id": trade, "qty": Decimal(qty), "side": side}
    return Kind.FILL, fields | more


def stop(
    algo_id: int, qty: str, side: str = "SELL", kind: Kind = Kind.ACCEPT, **more: Any
) -> tuple[Kind, dict[str, Any]]:
    fields = {"algo_id": algo_id, "qty": Decimal(qty), "side": side, "type": "STOP_MARKET", "reduce_only": True}
    return kind, fields | more


def at(ms: int, happening: tuple[Kind, dict[str, Any]]) -> tuple[int, Kind, dict[str, Any]]:
    return ms, *happening


# ── I1 ──


@pytest.mark.req("I1")
def test_an_entry_accepted_twice_is_seen_even_after_the_first_is_done() -> None:
    once = [at(1, accept("a-t1", 1, "1")), at(2, fill("a-t1", 1, 7, "1")), at(3, accept("a-t2", 2, "1"))]
    assert oracle.entered_once(log(*once)) == []
    twice = oracle.entered_once(log(*once, at(9, accept("a-t1", 3, "1"))))
    assert [(found.invariant, found.at_us) for found in twice] == [("I1", 9 * MS)]


@pytest.mark.req("I1")
def test_a_stop_and_its_child_may_share_an_id() -> None:
    same = [at(1, accept("a-s1", 1, "1", reduce_only=True)), at(2, accept("a-s1", 2, "1", reduce_only=True))]
    assert oracle.entered_once(log(*same)) == []


# ── I4 ──

INTENDED = {ClientOrderId("a"): Decimal(2)}


@pytest.mark.req("I4")
def test_children_may_replace_each_other_but_never_exceed_their_parent() -> None:
    maker = [
        at(1, accept("a-m1", 1, "2")),
        at(2, fill("a-m1", 1, 7, "0.5")),
        at(3, (Kind.CANCEL, accept("a-m1", 1, "2")[1])),
        at(4, accept("a-t2", 2, "1.5")),
        at(4, fill("a-t2", 2, 8, "1.5")),
    ]
    assert oracle.within_parents(log(*maker), INTENDED) == []
    early = [maker[0], maker[1], maker[3]]  # the taker before the maker was cancelled
    assert [found.invariant for found in oracle.within_parents(log(*early), INTENDED)] == ["I4"]
    more = [*maker, at(5, accept("a-t3", 3, "0.1"))]
    assert "2.1 of 2 intended" in oracle.within_parents(log(*more), INTENDED)[0].text


@pytest.mark.req("I4")
@pytest.mark.parametrize("ref", ["b-t1", "a-s1", "by-hand"])
def test_an_entry_nobody_intended_is_seen(ref: str) -> None:
    assert len(oracle.within_parents(log(at(1, accept(ref, 1, "1"))), INTENDED)) == 1
    assert oracle.within_parents(log(at(1, accept(ref, 1, "1", reduce_only=True))), INTENDED) == []


# ── I22, second lives ──


@pytest.mark.req("I22")
def test_a_position_above_its_limit_is_seen_at_the_fill_that_makes_it() -> None:
    price = {"price": Decimal(100)}
    audit = log(at(1, fill("a-t1", 1, 7, "2", **price)), at(2, fill("b-t1", 2, 8, "3", **price)))
    assert ceilings.within_limits(audit, Decimal(500)) == []
    assert [found.at_us for found in ceilings.within_limits(audit, Decimal(400))] == [2 * MS]
    out = log(
        at(1, fill("a-t1", 1, 7, "5", **price)), at(2, fill("a-x1", 2, 8, "1", "SELL", reduce_only=True, **price))
    )
    assert len(ceilings.within_limits(out, Decimal(400))) == 1, "an exit is no breach"


@pytest.mark.req("I22")
def test_all_positions_together_are_judged_over_symbols_and_markets() -> None:
    price = {"price": Decimal(100)}
    audit = log(
        at(1, fill("a-t1", 1, 7, "2", **price)),
        at(2, fill("b-t1", 2, 8, "3", "SELL", symbol="ETHUSDT", **price)),
        at(3, fill("c-t1", 3, 9, "1", market="SPOT", **price)),
        at(4, fill("b-x1", 4, 10, "1", reduce_only=True, symbol="ETHUSDT", price=Decimal(200))),
    )
    assert ceilings.within_gross(audit, Decimal(600)) == []
    assert [found.at_us for found in ceilings.within_gross(audit, Decimal(450))] == [2 * MS, 3 * MS], "an exit is none"


def test_a_stop_may_be_taken_anew_while_it_guards_and_not_once_it_fired_and_all_is_flat() -> None:
    named = {"client_order_id": "a-s1"}
    guarding = [at(1, fill("a-t1", 1, 7, "2")), at(2, stop(5, "2", **named)), at(3, stop(6, "2", **named))]
    closed = at(4, fill("a-s1", 3, 8, "2", "SELL", reduce_only=True))
    again = at(5, stop(7, "2", **named))
    assert oracle.lived_once(log(*guarding)) == []
    assert oracle.lived_once(log(*guarding, closed, again)) == [], "it did not fire: a resend met its own cancel"
    fired = at(4, stop(6, "2", kind=Kind.TRIGGER, **named))
    assert [found.at_us for found in oracle.lived_once(log(*guarding, fired, closed, again))] == [5 * MS]
    assert oracle.lived_once(log(*guarding, fired, closed, again), {"a-s1"}) == [], "S4 could not know that it lived"


def test_each_fill_is_covered_when_stops_hold_what_it_left() -> None:
    audit = log(
        at(100, fill("a-m1", 1, 7, "1")),
        at(110, fill("a-m1", 1, 8, "1")),
        at(120, stop(5, "1")),
        at(130, stop(6, "2")),
        at(200, fill("b-t1", 2, 9, "1")),
    )  # the last one's 3 are more than any single stop holds
    assert [cover.took_us for cover in oracle.covers(audit)] == [20 * MS, 20 * MS, None]


# ── I10 ──


@pytest.mark.req("I10")
def test_bare_time_runs_from_fill_to_stop() -> None:
    audit = log(at(100, fill("a-t1", 1, 7, "2")), at(160, stop(5, "1.5")), at(190, stop(6, "0.5")))
    spans = oracle.uncovered_spans(audit, 1_000 * MS)
    assert [(span.from_us, span.to_us, span.qty) for span in spans] == [(100 * MS, 190 * MS, Decimal(2))]
    assert oracle.longest_us(spans) == 90 * MS


@pytest.mark.req("I10", "I11")
@pytest.mark.parametrize(
    "ending", [stop(5, "2", kind=Kind.CANCEL), stop(5, "2", kind=Kind.EXPIRE), stop(5, "2", kind=Kind.TRIGGER)]
)
def test_a_stop_that_is_gone_or_triggered_covers_nothing(ending: tuple[Kind, dict[str, Any]]) -> None:
    audit = log(at(100, fill("a-t1", 1, 7, "2")), at(100, stop(5, "2")), at(300, ending))
    spans = oracle.uncovered_spans(audit, 1_000 * MS)
    assert [(span.from_us, span.to_us) for span in spans] == [(300 * MS, 1_000 * MS)]


@pytest.mark.req("I10")
def test_a_trigger_whose_child_fills_at_once_leaves_nothing_bare() -> None:
    audit = log(
        at(100, fill("a-t1", 1, 7, "2")),
        at(100, stop(5, "2")),
        at(300, stop(5, "2", kind=Kind.TRIGGER)),
        at(300, fill("a-s1", 2, 8, "2", "SELL", reduce_only=True)),
    )
    assert oracle.uncovered_spans(audit, 1_000 * MS) == []


@pytest.mark.req("I10")
@pytest.mark.parametrize(
    "useless",
    [
        stop(5, "2", "BUY"),
        stop(5, "2", type="TAKE_PROFIT_MARKET"),
        stop(5, "2", reduce_only=False),
        stop(5, "2", symbol="ETHUSDT"),
    ],
)
def test_only_a_stop_of_the_closing_side_covers(useless: tuple[Kind, dict[str, Any]]) -> None:
    audit = log(at(100, fill("a-t1", 1, 7, "2")), at(110, useless))
    assert oracle.longest_us(oracle.uncovered_spans(audit, 1_000 * MS)) == 900 * MS


@pytest.mark.req("I10")
def test_a_short_is_covered_by_a_buy_stop_and_close_position_covers_all() -> None:
    audit = log(at(100, fill("a-t1", 1, 7, "2", "SELL")), at(140, stop(5, "0", "BUY", close_position=True)))
    assert oracle.longest_us(oracle.uncovered_spans(audit, 1_000 * MS)) == 40 * MS


@pytest.mark.req("I10")
def test_the_bound_counts_outside_excused_time_and_starts_again_after_it() -> None:
    bare = [oracle.Uncovered(symbol="BTCUSDT", from_us=0, to_us=1_000 * MS, qty=Decimal(1))]
    assert oracle.protected(bare, bound_us=1_000 * MS, excused=[]) == []
    assert len(oracle.protected(bare, bound_us=500 * MS, excused=[])) == 1
    down = [(100 * MS, 600 * MS)]
    assert oracle.protected(bare, bound_us=400 * MS, excused=down) == []
    late = oracle.protected(bare, bound_us=399 * MS, excused=down)
    assert [found.at_us for found in late] == [600 * MS]
    assert oracle.protected(bare, bound_us=300 * MS, excused=stretched(down, 200 * MS)) == []


# ── I12 ──


@pytest.mark.req("I12")
def test_a_reduce_only_fill_never_opens_or_flips() -> None:
    opened = at(1, fill("a-t1", 1, 7, "2"))
    assert oracle.never_flips(log(opened, at(2, fill("a-x1", 2, 8, "2", "SELL", reduce_only=True)))) == []
    flips = oracle.never_flips(log(opened, at(2, fill("a-x1", 2, 8, "3", "SELL", reduce_only=True))))
    assert "from 2 to -1" in flips[0].text
    grows = oracle.never_flips(log(opened, at(2, fill("a-x1", 2, 8, "1", "BUY", reduce_only=True))))
    assert [found.invariant for found in grows] == ["I12"]
    assert oracle.never_flips(log(opened, at(2, fill("b-t1", 2, 8, "3", "SELL")))) == []


# ── I6, I7 ──


@pytest.mark.req("I6")
def test_fills_lost_or_doubled_are_seen() -> None:
    audit = log(at(1, fill("a-t1", 1, 7, "1")), at(2, fill("a-t1", 1, 8, "1")))
    seven, eight, nine = ("BTCUSDT", "7"), ("BTCUSDT", "8"), ("BTCUSDT", "9")
    assert oracle.fills_agree(audit, [eight, seven]) == []
    assert "1 fills lost: BTCUSDT trade 8" in oracle.fills_agree(audit, [seven])[0].text
    assert "too often: BTCUSDT trade 7" in oracle.fills_agree(audit, [seven, seven, eight])[0].text
    assert len(oracle.fills_agree(audit, [seven, nine])) == 2


@pytest.mark.req("I7")
def test_positions_that_differ_are_seen() -> None:
    audit = log(
        at(1, fill("a-t1", 1, 7, "2", position_after=Decimal(2))),
        at(2, fill("a-x1", 2, 8, "0.5", "SELL", position_after=Decimal("1.5"))),
    )
    assert oracle.positions_agree(audit, {"BTCUSDT": Decimal("1.5")}) == []
    assert "ledger 2" in oracle.positions_agree(audit, {"BTCUSDT": Decimal(2)})[0].text
    assert len(oracle.positions_agree(audit, {})) == 1
    wrong = [*audit[:1], audit[1].but(position_after=Decimal(9))]
    assert "venue 9" in oracle.positions_agree(wrong, {"BTCUSDT": Decimal("1.5")})[0].text
    assert oracle.positions_agree([], {"BTCUSDT": Decimal(0)}) == []
    assert oracle.positions_agree([], {"BTCUSDT": Decimal(1)}, {"BTCUSDT": Decimal(1)}) == []


# ── spans ──

SPANS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 10)).map(lambda pair: (pair[0], pair[0] + pair[1])))


@given(SPANS, st.integers(0, 30), st.integers(0, 20))
def test_a_span_minus_others_is_what_no_other_covers(excused: list[tuple[int, int]], begun: int, size: int) -> None:
    def points(spans: list[tuple[int, int]]) -> set[int]:
        return {point for first, last in spans for point in range(first, last)}

    assert points(minus((begun, begun + size), excused)) == points([(begun, begun + size)]) - points(excused)
    assert points(merged(excused)) == points(excused)
