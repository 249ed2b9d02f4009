"""The venue's lists lag behind its engine for longer than an order can be on its way: what filled is not bought again.

In each story the user stream loses what happens to the first slice of a plan; the second comes two minutes later.
"""

from typing import Any

import pytest

from support.incident_stage import Story, Told, a_wish, play, policy_of, steps

pytestmark = pytest.mark.req("I4", "S4-RETRY-2")

ORDER = "/fapi/v1/order"
DEAF = {"name": "frame_drop", "when": {"from_ms": 2_900, "to_ms": 6_000}}
UNANSWERED = {"name": "timeout_after", "match": {"path": ORDER, "method": "POST"}, "count": 1}


def unread(to_ms: int) -> dict[str, Any]:
    """No question for a regular order finds it, by whichever id."""
    fault = {"name": "refused", "params": {"code": -2013}, "match": {"path": ORDER, "method": "GET"}}
    return fault | {"when": {"from_ms": 2_900, "to_ms": to_ms}}


def late_trades(ms: int) -> dict[str, Any]:
    return {"name": "trades_lag", "params": {"ms": ms}, "when": {"from_ms": 2_900, "to_ms": 95_000}}


def a_plan(*faults: dict[str, Any]) -> Told:
    policy = policy_of(wait_ms=0, slices=2, gap_ms=120_000)
    wish = a_wish(qty=steps(40), hold_s=132, policy=policy)
    return play(Story(wishes=(wish,), faults=(DEAF, *faults), rough_s=140, calm_s=110, bare_s=20))


@pytest.mark.fault("B16")
@pytest.mark.parametrize(
    "faults",
    [
        (UNANSWERED, unread(40_000)),  # its trade is told, and nobody can say of which order
        (UNANSWERED, unread(40_000), late_trades(35_000)),  # its position alone
        (late_trades(70_000),),  # its answer alone, for longer than its trades are waited for
    ],
)
def test_a_slice_that_the_venue_cannot_name_yet_is_not_bought_again(faults: tuple[dict[str, Any], ...]) -> None:
    told = a_plan(*faults)

    assert told.bought == steps(40)
    assert len(told.entries) == 2
    assert told.position(130) == steps(40)
    assert told.live(130, "s")
    assert told.broken == []


def test_nor_is_one_whose_trades_cannot_be_asked_for() -> None:
    silent = {
        "name": "timeout_before", "match": {"path": "/fapi/v1/userTrades", "method": "GET"},
        "when": {"from_ms": 2_900, "to_ms": 95_000},
    }  # fmt: skip
    told = a_plan(silent)

    assert told.bought == steps(40)
    assert told.broken == []
