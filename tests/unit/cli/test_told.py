"""What a person reads: positions and orders in lines, refusals with what they held, the picture at any width."""

import io
import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from chimera.cli.bundle import _different
from chimera.cli.codes import Exit, Stop, ended_well
from chimera.cli.failures import stop_for
from chimera.cli.services import record
from chimera.cli.told import figure, kill_told, order_told, position_told
from chimera.cli.up.processes import how_it_ended
from chimera.cli.up.screen import Screen
from chimera.cli.working import _previewed
from chimera.trading.errors import NotSent, Refused

POSITION: Mapping[str, Any] = {
    "symbol": "BTCUSDT", "market": "FUT", "qty": Decimal("-0.007"), "entry_price": Decimal("65784.9"),
    "mark_price": Decimal("65772.3761"),
    "stop": {"price": Decimal(65827), "qty": Decimal("0.007")}, "target": None, "covered_qty": Decimal("0.007"),
    "unrealized_pnl": Decimal("0.09"), "realized_pnl": Decimal("1.85260000000000000000000000000005"),
    "fees": Decimal("2.86006391"), "closed_count": 7, "unprotected_ms": 0, "max_unprotected_ms": 8,
}  # fmt: skip


def test_a_position_takes_one_line_and_a_flat_one_says_so() -> None:
    assert position_told(POSITION).startswith(
        "BTCUSDT FUT -0.007 at 65784.9, mark 65772.3761, stop 65827 x 0.007, target none"
    )
    assert position_told({**POSITION, "qty": Decimal(0)}) == (
        "BTCUSDT FUT flat, closed 7, realised 1.8526, fees 2.86006391"
    )


def test_a_kill_says_where_since_when_by_whom_and_why() -> None:
    kill = {"scope": "GLOBAL", "name": "", "at_ms": 1_767_225_600_007, "by": "ann", "reason": "drill"}

    assert kill_told(kill) == "killed: GLOBAL, since 2026-01-01T00:00:00Z by ann: drill; no entry is taken there"
    assert kill_told(kill | {"scope": "SYMBOL", "name": "BTCUSDT"}).startswith("killed: SYMBOL BTCUSDT, since")


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("65749.40000000000000000000000000003", "65749.4"),
        ("-0.0152068935890017", "-0.01520689"),
        ("1.12345678", "1.12345678"),
        (None, "none"),
        ("MARK_PRICE", "MARK_PRICE"),
        (3, "3"),
    ],
)
def test_a_figure_has_no_more_places_than_a_venue_prices_in(value: object, told: str) -> None:
    assert figure(value) == told


def test_each_guard_has_a_line_under_its_position() -> None:
    guard = {"kind": "STOP", "price": "64000", "qty": "0.007", "gauge": "MARK", "armed_ms": 1_767_225_600_007}

    _, line = position_told({**POSITION, "guards": [guard]}).splitlines()

    assert line == "  guard: S4 watches the stop 64000 x 0.007 by the mark since 00:00:00.007; it covers nothing"


def test_an_order_is_told_with_why_its_parts_and_its_moments() -> None:
    part = {
        "client_order_id": "a-m1",
        "leg": "MAKER",
        "side": "BUY",
        "qty": "0.002",
        "price": "64900",
        "in_doubt": False,
    }
    order = {
        "client_order_id": "a", "side": "BUY", "qty": "0.002", "symbol": "BTCUSDT", "market": "FUT",
        "status": "FILLED",
        "in_doubt": False,
        "filled_qty": "0.002", "avg_price": "64900", "message": "FILLED", "why": ["take at once"],
        "children": [{**part, "status": "REJECTED", "message": "no room"}],
        "legs": [{**part, "leg": "STOP", "client_order_id": "a-s2", "stop_price": "64000", "status": "NEW"}],
        "timeline": [{"at_ms": 1_767_225_600_007, "what": "accepted"}],
    }  # fmt: skip

    assert list(order_told(order)) == [
        "a  BUY 0.002 BTCUSDT FUT  FILLED, filled 0.002 at 64900",
        "  take at once",
        "  maker a-m1  BUY 0.002 at 64900  REJECTED: no room",
        "  stop a-s2  BUY 0.002 at 64000  NEW",
        "  00:00:00.007  accepted",
    ]


def test_a_refusal_names_the_field_what_it_held_and_what_is_accepted(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit), ended_well(as_json=True):
        raise Refused("OUT_OF_RANGE", "qty is too little", field="qty", value="-1", accepted="above 0")

    told = capsys.readouterr()
    assert told.err == "chimera: OUT_OF_RANGE: qty is too little (qty = -1); accepted: above 0\n"
    assert json.loads(told.out) == {
        "result": "FAIL", "code": "OUT_OF_RANGE", "message": "qty is too little",
        "field": "qty", "value": "-1", "accepted": "above 0",
    }  # fmt: skip


def test_who_asks_a_router_that_stands_by_is_told_to_name_them_all() -> None:
    told = str(stop_for(NotSent("STANDBY: this router stands by: b at http://127.0.0.1:8086 acts for the account")))

    assert told.endswith("Name every router, with commas: --s4 or CHIMERA_S4_URL")
    assert str(stop_for(NotSent("GET /positions: nothing answers"))).endswith("`chimera doctor` tells what answers")


def test_a_preview_says_what_the_position_would_be_and_what_each_limit_leaves() -> None:
    answer = {
        "would": "REFUSE", "side": "BUY", "qty": Decimal("0.01"), "symbol": "BTCUSDT", "why": ["take at once"],
        "notes": [], "expected": None, "limits": [{"limit": "S4_MAX_X", "used": Decimal("657.2"), "of": Decimal(1000)}],
        "protection": {"qty": "0.02", "stop_price": "65716", "target_price": None, "working_type": "MARK_PRICE"},
    }  # fmt: skip

    assert list(_previewed(answer)) == [
        "would refuse: BUY 0.01 BTCUSDT",
        "  take at once",
        "  then the position is 0.02, its stop 65716 by MARK_PRICE, its target none",
        "  S4_MAX_X: 657.2 of 1000",
    ]


def test_a_code_is_told_once_where_the_message_begins_with_it() -> None:
    told = stop_for(Refused("LIMIT_ORDER_NOTIONAL", "LIMIT_ORDER_NOTIONAL: 1200 > 1000"))
    assert str(told) == "LIMIT_ORDER_NOTIONAL: 1200 > 1000"


def test_a_fallen_venue_ends_the_house_with_a_sentence() -> None:
    stop = Stop(Exit.FAILED, f"simulator {how_it_ended(-9)}")
    assert stop_for(ExceptionGroup("children", [stop])) is stop
    assert str(stop) == "simulator was ended by SIGKILL"
    assert how_it_ended(7) == "ended with exit code 7"


@pytest.mark.parametrize("width", [60, 80, 117, 118, 160])
def test_the_picture_shows_stop_and_bare_time_whole_at_any_width(width: int) -> None:
    console = Console(file=io.StringIO(), width=width, height=24, force_terminal=False)
    screen = Screen(console)
    screen.look(POSITION)
    screen.look({**POSITION, "market": "SPOT"})
    screen.tell(
        {
            "event": "executed", "at_ms": 0, "side": "BUY", "symbol": "BTCUSDT", "status": "REJECTED",
            "filled_qty": 0, "avg_price": None, "message": "no room",
        }
    )  # fmt: skip
    console.print(screen.picture())

    seen = console.file.getvalue()  # type: ignore[attr-defined]  # a StringIO, given above
    for whole in ("65784.9", "65827 x 0.007", "-1.0075", "0.008 s", "REJECTED: no room", "BTCUSDT spot"):
        assert whole in seen


def test_a_recording_that_heard_nothing_is_no_success(tmp_path: Path) -> None:
    with pytest.raises(Stop, match=r"nothing was heard of NIX on FUT from ws://127\.0\.0\.1:9, no file") as end:
        record("NIX", tmp_path, 0, "sim", "http://127.0.0.1:9", None, as_json=False)
    assert end.value.code is Exit.UNREACHABLE


def test_a_difference_of_bundles_shows_numbers_as_numbers() -> None:
    part = {"path": "$.action.value", "before": Decimal("1.20"), "after": {"low": Decimal("0.5"), "why": "less"}}
    answer = {"added": [], "removed": [], "changed": [{"rule_id": "R-1", "parts": [part]}], "head": []}
    assert list(_different(answer)) == ['~ R-1 $.action.value: 1.20 -> {"low":0.5,"why":"less"}']
