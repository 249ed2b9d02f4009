"""The market that reaches a stop or a target as S4 cancels it: each answer meets an order that is at its work."""

import pytest

from chimera.trading.order import Status, Trigger
from world.crossing import CROSSED
from world.plan import CALM
from world.run import Options, run
from world.sometimes import edge

AT_WORK = (
    (Status.TRIGGERING, Trigger.CANCEL_REFUSED),
    (Status.TRIGGERING, Trigger.CANCEL_NOT_SENT),
    (Status.PARTIALLY_FILLED, Trigger.CANCEL_REFUSED),
    (Status.PARTIALLY_FILLED, Trigger.CANCEL_NOT_SENT),
)


@pytest.mark.req("I10", "I14")
def test_a_cancel_that_comes_too_late_or_not_at_all_finds_its_order_at_work_and_nothing_breaks() -> None:
    counts = dict.fromkeys(AT_WORK, 0)
    for seed in (0, 1, 5):
        verdict = run(seed, options=Options(scenario="crossed"))
        assert [f"{each.invariant}: {each.text}" for each in verdict.violations] == []
        for pair in AT_WORK:
            counts[pair] += verdict.counters.get(edge(*pair), 0)
    assert all(counts.values()), counts


def test_each_crossing_fires_what_was_to_be_cancelled() -> None:
    """By the mark alone, in a market that does not go there by itself within the step."""
    plan = CALM.but(rates={CROSSED: 0.999999})
    crossed, plain = (run(3, options=Options(faults=False, who="callers"), plan=each) for each in (plan, CALM))
    assert crossed.counters[f"fault_{CROSSED}"] > 0
    assert plain.counters.get(f"fault_{CROSSED}", 0) == 0
    assert crossed.counters["venue_trigger"] >= crossed.counters[f"fault_{CROSSED}"]
