"""A candidate beside what is active: whose turn, what differs, when it must end; and the log's steps."""

from decimal import Decimal

import pytest
from decide_cases import a_bundle, a_case, a_rule
from hypothesis import given
from hypothesis import strategies as some

from chimera.decide.decision import decide
from chimera.decide.revisions import (
    Kind,
    Signature,
    Standing,
    Trial,
    activated,
    rolled_back,
    trial_ended,
    tried,
)
from chimera.decide.trial import Limit, Metric, Tally, answered, broken, candidates_turn, counted, differences
from chimera.trading.errors import Refused
from chimera.trading.money import Millis

D = Decimal
BY = Signature(who="ann", why="y", at_ms=Millis(1))
shares = some.decimals(0, 1, places=3)


@given(signal=some.uuids(), one=shares, other=shares)
def test_a_larger_share_keeps_what_a_smaller_one_had_and_the_ends_are_all_and_nothing(
    signal: object, one: Decimal, other: Decimal
) -> None:
    name, (low, high) = str(signal), sorted((one, other))
    assert candidates_turn(name, high) or not candidates_turn(name, low)
    assert candidates_turn(name, D(1))
    assert not candidates_turn(name, D(0))


def test_the_share_is_what_was_asked_for_and_stable() -> None:
    turns = [candidates_turn(f"signal-{number}", D("0.1")) for number in range(20_000)]
    assert 0.09 < sum(turns) / len(turns) < 0.11
    assert turns[:20] == [candidates_turn(f"signal-{number}", D("0.1")) for number in range(20)]


def test_two_decisions_differ_where_they_would_have_done_another_thing() -> None:
    buys = a_bundle(a_rule("B", action={"type": "side", "value": "BUY"}))
    sells = a_bundle(a_rule("S", action={"type": "side", "value": "SELL"}))
    skips = a_bundle(a_rule("K", action={"type": "skip_entry"}))
    case = a_case(side_hint=None)
    bought, sold, skipped = decide(buys, case), decide(sells, case), decide(skips, case)

    assert differences(bought, decide(buys.__class__(**{**_fields(buys), "rev": 99}), case)) == ()
    assert {part.what for part in differences(bought, sold)} >= {"side", "stop", "rules_fired"}
    against = {part.what: (part.active, part.candidate) for part in differences(bought, skipped)}
    assert against["decision"] == ("open", "skip")
    assert against["reasons"][1].startswith("SKIP_ENTRY")


def test_a_policy_is_told_without_what_it_leaves_to_the_route_table() -> None:
    sliced = {"type": "MakerThenTaker", "maker_wait_ms": 1500, "twap": {"slices": 2, "gap_ms": 600}}
    buys = {"type": "side", "value": "BUY"}
    plain = a_bundle(a_rule("B", action=buys))
    other = a_bundle(a_rule("B", action=[buys, {"type": "exec_policy", "value": sliced}]))
    case = a_case(side_hint=None)

    (part,) = (part for part in differences(decide(plain, case), decide(other, case)) if part.what == "policy")
    assert (part.active, part.candidate) == ("MakerThenTaker", "MakerThenTaker(wait_ms=1500, slices=2, gap_ms=600)")


def _fields(bundle: object) -> dict[str, object]:
    return {name: getattr(bundle, name) for name in bundle.__slots__}  # type: ignore[attr-defined]  # a slotted dataclass


@pytest.mark.parametrize(
    ("metric", "tally"),
    [
        (Metric.DIFFER_SHARE, Tally(compared=10, differed=6)),
        (Metric.OPEN_SHARE, Tally(own=10, own_opens=6)),
        (Metric.SKIP_SHARE, Tally(own=10, own_opens=4)),
        (Metric.REFUSED_SHARE, Tally(answered=10, refused=6)),
    ],
)
def test_a_limit_is_broken_above_it_from_enough_cases_on(metric: Metric, tally: Tally) -> None:
    assert broken(Limit(metric=metric, most=D("0.5"), after=10), tally) == f"{metric} is 6 of 10, more than 0.5"
    assert broken(Limit(metric=metric, most=D("0.6"), after=10), tally) is None
    assert broken(Limit(metric=metric, most=D("0.5"), after=11), tally) is None


def test_a_tally_counts_what_is_the_candidate_s_own_apart() -> None:
    opened = decide(a_bundle(a_rule("B", action={"type": "side", "value": "BUY"})), a_case(side_hint=None))
    tally = counted(counted(Tally(), differs=True, own=opened), differs=False, own=None)
    assert answered(tally, refused=True) == Tally(compared=2, differed=1, own=1, own_opens=1, answered=1, refused=1)


@given(some.lists(some.sampled_from(["activate", "back", "try", "end"]), max_size=12))
def test_revisions_only_grow_and_each_says_the_whole_standing(steps: list[str]) -> None:
    standing = Standing()
    for step in steps:
        before = standing
        try:
            if step == "activate":
                line = activated(standing, "a", "d", BY)
            elif step == "back" and standing.active is not None:
                line = rolled_back(standing, standing.active, BY)
            elif step == "try":
                line = tried(standing, Trial(rev=0, bundle_id="c", share=D("0.5")), BY)
            else:
                line = trial_ended(standing, BY)
        except Refused:
            continue  # nothing is active, something is on trial already, or nothing is
        standing = line.standing
        assert standing.rev == line.rev == before.rev + 1
        if line.kind in (Kind.ACTIVATE, Kind.ROLLBACK):
            assert (line.before, standing.trial, standing.active and standing.active.rev) == (
                before.active, None, line.rev,
            )  # fmt: skip
        else:
            assert standing.active == before.active
            assert (standing.trial is not None) == (line.kind is Kind.CANARY)
