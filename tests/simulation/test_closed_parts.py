"""Closes of a part: what the check sees, and that the world finds exits which close more than was asked."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from chimera.execute import closing
from chimera.simulate.venue.audit import AuditRecord, Kind
from world.closed import Begun, no_more_than_asked
from world.run import CAMPAIGN, run
from world.workload import WORKLOAD

PARTS = CAMPAIGN.but(part_share=1, socket_share=0)
S = 1_000_000


def record(at_s: float, kind: Kind, ref: str, qty: str, side: str = "SELL") -> AuditRecord:
    return AuditRecord(
        seq=1, at_us=round(at_s * S), kind=kind, symbol="BTCUSDT", client_order_id=ref, qty=Decimal(qty), side=side
    )


def begun(at_s: float, qty: str | None, reason: str = WORKLOAD) -> Begun:
    told = None if qty is None else Decimal(qty)
    return Begun(at_us=round(at_s * S), symbol="BTCUSDT", reason=reason, qty=told)


def exit_of(at_s: float, ref: str, qty: str) -> list[AuditRecord]:
    return [record(at_s, Kind.ACCEPT, ref, qty), record(at_s, Kind.FILL, ref, qty)]


OPENED = [record(1, Kind.FILL, "a-t1", "5", "BUY")]


def told(audit: list[AuditRecord], closes: list[Begun], asked: str = "100") -> list[int]:
    return [each.at_us // S for each in no_more_than_asked(audit, closes, Decimal(asked))]


def test_a_part_is_closed_once() -> None:
    once = [*OPENED, *exit_of(2, "a-x1", "2")]
    assert told(once, [begun(1.5, "2")]) == []
    assert told([*once, *exit_of(3, "a-x2", "1")], [begun(1.5, "2")]) == [3]
    assert told([*once, *exit_of(3, "a-x2", "1")], [begun(1.5, "2"), begun(2.5, "1", "MAX_HOLD")]) == []
    assert told(once, [begun(2.5, "2")]) == [2], "nobody had begun"


def test_stops_and_whatever_else_closes_are_no_part() -> None:
    assert told([*OPENED, *exit_of(2, "a-s1", "2"), *exit_of(2, "web_x", "1")], []) == []


def test_all_of_it_is_no_bound_until_let_go_and_flat_nor_for_exits_taken_by_then() -> None:
    split = [*OPENED, *exit_of(2, "a-x1", "2"), record(2.5, Kind.ACCEPT, "a-x2", "3"), *exit_of(3, "a-x3", "3")]
    over = Begun(at_us=3 * S, symbol="BTCUSDT", over=True)
    assert told(split, [begun(1.5, None), over]) == []
    again = [*split, record(4, Kind.FILL, "b-t1", "3", "BUY")]
    assert told([*again, record(5, Kind.FILL, "a-x2", "1")], [begun(1.5, None), over]) == []
    assert told([*again, *exit_of(5, "b-x1", "1")], [begun(1.5, None), over]) == [5]
    assert told([*again, *exit_of(5, "b-x1", "1")], [begun(1.5, None)]) == [], "it waited for what was entering"
    early = over.but(at_us=round(2.7 * S))
    assert told(split, [begun(1.5, None), early]) == [], "let go, and the rest under way"


def test_a_request_stamped_by_a_clock_that_is_wrong_moves_nothing() -> None:
    """World seed 877: the door's clock was two seconds ahead, so a close seemed let go before its exit was taken."""
    over = Begun(at_us=3 * S, symbol="BTCUSDT", over=True)
    asked_at_1 = record(3, Kind.REQUEST, "a-t1", "0")
    assert told([asked_at_1, *OPENED, *exit_of(2.9, "a-x1", "5")], [begun(1.5, None), over]) == []


def test_s4_begins_no_more_than_callers_asked_for() -> None:
    assert told([*OPENED, *exit_of(2, "a-x1", "2")], [begun(1.5, "2")], asked="1") == [2]


def _twice(real: Callable[..., Any]) -> Callable[..., Any]:
    """An exit of a part has twice its size."""
    return lambda holding, wanted, scene: real(
        holding, wanted if wanted.left_qty is None else wanted.but(left_qty=wanted.left_qty * 2), scene
    )


def _again(real: Callable[..., Any]) -> Callable[..., Any]:
    """A part in doubt goes out again, as a close of everything may."""
    return lambda holding, order, wanted, scene: real(holding, order, wanted.but(qty=None), scene)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "broken", "seeds"),
    [("_place", _twice, (510_005, 510_008)), ("_resend", _again, (5, 6))],
)
def test_an_exit_that_closes_more_is_found(
    name: str, broken: Callable[[Any], Any], seeds: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(seeds[0], options=PARTS).good
    monkeypatch.setattr(closing, name, broken(getattr(closing, name)))
    assert any("CLOSED" in {each.invariant for each in run(seed, options=PARTS).violations} for seed in seeds)


@pytest.mark.slow
def test_callers_close_parts_in_a_run() -> None:
    assert run(510_008, options=PARTS).counters["parts_begun"] > 0
    assert run(510_008, options=PARTS.but(part_share=0)).counters["parts_begun"] == 0
