"""Revisions of the route table: proposed, approved, gone back from; and the file that S4 reads."""

from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from chimera.cli.codes import Exit
from chimera.cli.main import app
from chimera.learn.revisions import Log, WrongRevision, approve, begun, propose, roll_back, seen
from chimera.services import route_files
from chimera.trading.money import Millis, Quote
from chimera.trading.routes import Curves, Measures, Point, RouteTable, Row, Twap
from chimera.wire.codec import encode
from chimera.wire.route_table import DEFAULT, read_curves, read_route_table

NOW = Millis(1_795_290_732_000)
CURVES = Curves(rev=9, by=Measures(spread_bps=(Point(at=Decimal(1), factor=Decimal(2)),)))


def a_proposal(wait_ms: int = 2_500) -> RouteTable:
    whole = Twap(slices=1, gap_ms=0)
    return RouteTable(rev=3, rows=(Row(notional_usdt_max=Quote(Decimal(200)), maker_wait_ms=wait_ms, twap=whole),))


def test_nothing_is_in_force_because_it_was_proposed() -> None:
    log = propose(begun(DEFAULT, NOW), a_proposal(), ("why",), NOW)

    assert log.in_force == DEFAULT


@pytest.mark.req("S4-ROUTE-11")
def test_approved_is_the_next_revision_and_back_is_one_more() -> None:
    log = approve(propose(begun(DEFAULT, NOW), a_proposal(), ("why",), NOW, curves=CURVES), "ops", NOW)
    back = roll_back(log, 2, "ops", NOW)

    assert (log.in_force.rev, log.revisions[-1].by, log.revisions[-1].why) == (3, "ops", ("why",))
    assert log.curves == CURVES.but(rev=3)
    assert (back.in_force.rev, back.in_force.rows) == (4, DEFAULT.rows)
    assert back.curves == Curves(rev=4, by=Measures()), "those of the table it went back to: none"
    assert [each.table.rev for each in back.revisions] == [2, 3, 4], "nothing is forgotten"


def test_what_cannot_be_says_why() -> None:
    log = begun(DEFAULT, NOW)
    with pytest.raises(WrongRevision, match="nothing is proposed"):
        approve(log, "ops", NOW)
    with pytest.raises(WrongRevision, match="not in the log"):
        roll_back(log, 7, "ops", NOW)
    with pytest.raises(WrongRevision, match="is in force"):
        roll_back(log, 2, "ops", NOW)
    with pytest.raises(WrongRevision, match="another table of that number"):
        seen(log, a_proposal().but(rev=2), NOW)


def test_a_table_changed_by_hand_is_taken_up_and_what_was_proposed_over_another_is_void() -> None:
    log = propose(begun(DEFAULT, NOW), a_proposal(), (), NOW)

    after = seen(log, a_proposal(100).but(rev=12), NOW)

    assert (after.in_force.rev, after.revisions[-1].by, after.proposed) == (12, "hand", None)
    assert seen(after, after.in_force, NOW) == after


@pytest.mark.req("S4-ROUTE-11")
def test_the_command_line_puts_a_proposal_in_the_file_that_s4_reads_and_takes_it_back(tmp_path: Path) -> None:
    path = tmp_path / "route.json"
    before = route_files.read(path, NOW)
    route_files.write(path, propose(before, a_proposal(), ("it pays",), NOW), before)
    assert not path.exists(), "S4 goes on with the built-in table"

    def asked(*words: str) -> str:
        done = CliRunner().invoke(app, ["route", *words, "--table", str(path)])
        assert done.exit_code == 0, done.output
        return done.stdout

    assert "proposed over rev 2" in asked("show")
    assert "rev 3 is in force" in asked("approve", "--by", "ops")
    assert read_route_table(path.read_bytes()) == a_proposal()
    assert "rev 4 is in force" in asked("rollback", "2")
    assert read_route_table(path.read_bytes()).rows == DEFAULT.rows
    assert not list(tmp_path.glob(".route*")), "no half file is left"


def test_the_command_line_refuses_with_a_reason(tmp_path: Path) -> None:
    for words in (["approve"], ["rollback", "5"], ["fit", "--ledger", str(tmp_path / "none.sqlite")]):
        done = CliRunner().invoke(app, ["route", *words, "--table", str(tmp_path / "route.json")])

        assert done.exit_code == Exit.REFUSED, done.output


def test_a_log_that_was_not_finished_writing_is_taken_up_by_the_table(tmp_path: Path) -> None:
    """The table is written first: after a crash it is in force, and its number is not given again."""
    path = tmp_path / "route.json"
    log = propose(begun(DEFAULT, NOW), a_proposal(), (), NOW)
    route_files.write(path, log, begun(DEFAULT, NOW))
    approved = approve(log, "ops", NOW)
    route_files.write(path, approved, log)
    route_files.log_of(path).write_bytes(_encoded(log))

    found = route_files.read(path, NOW)

    assert found.in_force == approved.in_force
    assert [each.table.rev for each in found.revisions] == [2, 3]


def test_curves_of_a_revision_are_what_the_router_reads() -> None:
    log = approve(propose(begun(DEFAULT, NOW), a_proposal(), (), NOW, curves=CURVES), "ops", NOW)

    assert read_curves(_encoded(log.curves)) == CURVES.but(rev=3)


def _encoded(value: Log | Curves) -> bytes:
    return encode(value)
