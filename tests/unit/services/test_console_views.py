"""What the console makes of the others' documents: trees, ways, comparisons, hours, costs, schedules, health. Pure."""

from decimal import Decimal
from typing import Any

import pytest
from console_others import a_schedule, recorded
from hypothesis import given
from hypothesis import strategies as st

from chimera.services.console import costing, deciding, health, scheduling
from chimera.services.console.verdicts import Tone
from chimera.trading.errors import Refused

NOW = 1_800_000_000_000
HOUR = 3_600_000


# ── one decision ──


def test_the_first_check_that_failed_is_marked_and_no_other() -> None:
    lines = deciding.tree(recorded("skip")["explanation"])

    assert [line.name for line in lines if line.first] == ["CONCURRENT_ENTRIES"]
    first = deciding.first_failing({"decision": "skip"}, lines)
    assert deciding.first_failing({"decision": "open"}, lines) is None
    assert first is not None
    assert (first.value, first.limit, first.room) == ("2", "<= 1", "\N{MINUS SIGN}1")
    assert [line.name for line in lines if not line.passed] == ["CONCURRENT_ENTRIES"]


def test_clauses_stand_under_their_groups_and_a_fired_rule_has_no_first_failure() -> None:
    lines = deciding.tree(recorded("open")["explanation"])
    of_rules = [(line.depth, line.kind, line.name, line.first) for line in lines if line.kind != "gate"]

    assert of_rules[of_rules.index((0, "rule", "D-020", False)) :][:4] == [
        (0, "rule", "D-020", False),
        (1, "group", "all of", False),
        (2, "clause", "side_hint", True),
        (2, "clause", "funding_rate", False),
    ]
    fired = of_rules[of_rules.index((0, "rule", "R-023", False)) :]
    assert not any(first for *_, first in fired)


def test_groups_in_groups_are_named_once_and_indented() -> None:
    def clause(path: str, holds: bool = True) -> dict[str, Any]:
        return {
            "path": path,
            "factor": path[-6:],
            "op": "<",
            "limits": ["1"],
            "value": "0",
            "holds": holds,
            "margin": "1",
        }

    rule = {
        "rule_id": "R", "fired": False, "action": "x",
        "clauses": [clause("$.when.anyOf[0].allOf[0]"), clause("$.when.anyOf[0].allOf[1]", holds=False),
                    clause("$.when.anyOf[1].not")],
    }  # fmt: skip
    lines = deciding.tree({"rules": [rule]})[1:]

    assert [(line.depth, line.name) for line in lines if line.kind == "group"] == [
        (1, "any of"),
        (2, "all of"),
        (2, "not"),
    ]
    assert [line.depth for line in lines if line.kind == "clause"] == [3, 3, 3]
    assert [line.first for line in lines if line.kind == "clause"] == [False, True, False]


@pytest.mark.parametrize(
    ("given_", "shown"),
    [("0.06085575360722479506824972767050261", "0.060856"), ("65800", "65,800"), (Decimal("1E+3"), "1,000"),
     ("0.5000", "0.5"), (None, ""), ("constant", "constant"), ("-0.0000001", "0")],
)  # fmt: skip
def test_a_figure_is_short_and_exact_where_it_can_be(given_: object, shown: str) -> None:
    assert deciding.figure(given_) == shown


def test_what_would_have_changed_it_can_be_tried() -> None:
    (way,) = deciding.needed(recorded("needed")).single

    assert way.changes == ("concurrent_entries 2 → 1",)
    assert deciding.supposed(way.suppose) == {"concurrent_entries": Decimal(1)}
    together = deciding.needed(recorded("whatif")["needed"]).together
    assert together is not None
    assert deciding.supposed(together.suppose) == {"spread_bps": Decimal(3), "concurrent_entries": Decimal(1)}
    assert deciding.needed(None) == deciding.Needed()


@pytest.mark.parametrize(
    "words", ["spread_bps", "=3", "a=b", "a=NaN", "a=1, b", ", ".join(f"n{n}=1" for n in range(17))]
)
def test_what_cannot_be_supposed_is_refused(words: str) -> None:
    with pytest.raises(Refused):
        deciding.supposed(words)


def test_two_decisions_part_by_part_what_differs_first() -> None:
    skip, opened = recorded("skip"), recorded("open")
    parts = deciding.compared(skip, opened)

    assert [part.same for part in parts] == sorted(part.same for part in parts)
    told = {part.what: part for part in parts}
    assert (told["decision"].one, told["decision"].other) == ("skip", "open")
    assert told["sizing qty"].one == ""
    assert told["bundle_id"].same
    assert all(part.same for part in deciding.compared(skip, skip))


# ── skips by hour ──


@given(st.dictionaries(st.integers(-20, 3), st.dictionaries(st.sampled_from("ABCDEFGHIJKL"), st.integers(0, 999))))
def test_a_grid_counts_what_it_shows_and_shades_by_the_most(hours: dict[int, dict[str, int]]) -> None:
    last = NOW // HOUR * HOUR
    told = {last + place * HOUR: {"decisions": 9, "skips": 4, "codes": codes} for place, codes in hours.items()}
    grid = deciding.grid(told, NOW)

    assert (len(grid.hours), grid.hours[-1]) == (deciding.HOURS, last)
    assert grid.decisions == 9 * sum(hour in told for hour in grid.hours)
    for row in grid.rows:
        assert row.total == sum(cell.count for cell in row.cells)
        assert all((cell.level == 0) == (cell.count == 0) for cell in row.cells)
        assert all(0 <= cell.level <= deciding.LEVELS for cell in row.cells)
    assert [row.total for row in grid.rows] == sorted((row.total for row in grid.rows), reverse=True)


# ── costs ──


def test_parts_stand_on_one_scale_with_its_nought() -> None:
    whole = costing.parts(recorded("tca")["groups"][0])
    assert whole is not None
    bars = {bar.name: bar for bar in whole.bars}

    assert (whole.total, whole.intents) == (Decimal("3.5103"), 7)
    assert (bars["fees"].tone, bars["impact"].tone, bars["opportunity"].tone) == ("cost", "gain-bar", "even")
    zero = Decimal(whole.zero)
    assert Decimal(bars["fees"].left) == zero
    assert abs(Decimal(bars["impact"].left) + Decimal(bars["impact"].wide) - zero) <= Decimal("0.02")
    assert max(Decimal(bar.left) + Decimal(bar.wide) for bar in whole.bars) <= Decimal("100.02")
    assert costing.parts(None) is None


def test_what_is_not_known_stays_unknown() -> None:
    group = recorded("tca")["groups"][0]
    group["decided"]["bps"]["delay"] = None
    told = costing.parts(group)
    assert told is not None
    assert told.bars[0].bps is None
    marks = costing.marks(recorded("tca")["markouts"][0])
    assert [(mark.seconds, mark.maker, mark.known) for mark in marks] == [(1, None, 0), (5, None, 0), (60, None, 0)]
    curve = costing.curve(recorded("tca")["resting"][0])
    assert (len(curve.points), len(curve.line.split())) == (9, 3), "no line where nothing is known"


def test_two_tables_row_by_row() -> None:
    def row(up_to: str, wait_ms: int, slices: int = 1) -> dict[str, Any]:
        twap = {"slices": slices, "gap_ms": 600}
        return {"notional_usdt_max": up_to, "maker_wait_ms": wait_ms, "twap": twap}

    pairs = costing.side_by_side(
        {"rows": [row("200", 1500), row("500", 2000, 2)]}, {"rows": [row("200", 900), row("900", 1)]}
    )

    assert [(pair.up_to, pair.now_ms, pair.then_ms, pair.same) for pair in pairs] == [
        ("200", 1500, 900, False), ("500", 2000, None, False), ("900", None, 1, False),
    ]  # fmt: skip
    assert (pairs[1].now_slices, costing.side_by_side(None, None)) == ("2 by 600 ms", ())


# ── schedules and guards ──


def test_a_schedule_against_what_is_done() -> None:
    (order,) = scheduling.working([a_schedule(NOW), a_schedule(NOW, done_ms=NOW), None], NOW)

    assert (order.due, order.done, order.behind) == (Decimal("0.5"), Decimal("0.325"), True)
    assert (order.next_ms, order.next_qty) == (NOW + 20_000, Decimal("0.01"))
    assert [part.state for part in order.slices] == ["filled", "working", "waits", "waits"]
    assert [part.left for part in order.slices] == ["0.00", "25.00", "50.00", "75.00"]
    assert order.last_word == "slice 2 began"


def test_what_has_no_schedule_is_worked_all_the_same() -> None:
    (order,) = scheduling.working([a_schedule(NOW, slices=[], timeline=[])], NOW)
    assert (order.next_ms, order.slices, order.done) == (None, (), Decimal("0.325"))


def test_guards_of_all_positions() -> None:
    guard = {"kind": "STOP", "price": "64000", "qty": "0.01", "gauge": "MARK", "armed_ms": 5}
    rows = [{"symbol": "BTCUSDT", "market": "SPOT", "guards": [guard], "intents": ["i1"]}, {"symbol": "ETHUSDT"}]
    (armed,) = scheduling.armed(rows)
    assert (armed.position, armed.role, armed.price, armed.intents) == (
        "BTCUSDT:SPOT",
        "STOP",
        Decimal(64_000),
        ("i1",),
    )


# ── health ──


def test_a_market_s_health() -> None:
    futures, spot = health.pictures(recorded("health"))

    assert (futures.market, spot.market) == ("FUT", "SPOT")
    assert {check.name: check.tone for check in futures.checks}["clock"] is Tone.GOOD
    weight = futures.budgets[0]
    assert (weight.name, weight.used, weight.most, weight.open_at) == ("weight in 60 s", 353, 2400, Decimal("0.6"))
    assert weight.lanes[0] == ("protect", 0, 2400)
    assert [budget.name for budget in spot.budgets][-1] == "orders in 24 h"
    assert (futures.breaker.state, futures.breaker.tone, len(futures.breaker.history)) == ("CLOSED", Tone.GOOD, 3)
    assert futures.refusals[0] == ("-5022", 4)


@pytest.mark.parametrize(
    ("changes", "name", "tone"),
    [
        ({"clock_offset_ms": -1_001}, "clock", Tone.BAD),
        ({"clock_offset_ms": 501}, "clock", Tone.CAUTION),
        ({"checks": {"exchange": "silent"}}, "exchange", Tone.BAD),
        ({"watchdogs": {"polling": True}}, "positions", Tone.CAUTION),
    ],
)
def test_what_is_out_of_bounds_says_so(changes: dict[str, Any], name: str, tone: Tone) -> None:
    (picture,) = health.pictures({"checks": {}, **changes})
    assert {check.name: check.tone for check in picture.checks}[name] is tone


@pytest.mark.parametrize(
    ("good", "bad", "share"), [(4, 1, Decimal("0.1")), (8, 2, Decimal("0.2")), (30, 10, Decimal("0.25")), (0, 0, 0)]
)
def test_a_breaker_is_as_near_as_its_calls_bring_it(good: int, bad: int, share: Decimal) -> None:
    """One failure of five opens nothing, though that is a fifth: it takes ten calls."""
    counts = {"good": good, "bad": bad, "share": "0.2", "window_ms": 60_000}
    (picture,) = health.pictures({"checks": {}, "breaker": counts, "circuit_breaker": "CLOSED"})
    assert picture.breaker.share == share


def test_before_s4_has_spoken_there_is_nothing() -> None:
    assert health.pictures({}) == ()
    assert health.pictures({"status": "standby", "checks": {"lease": "unknown"}})[0].breaker.state == "unknown"
