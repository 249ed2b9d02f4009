"""ACC-2 and ACC-6 with S3, S4 and the venue as they are: many intents, a poor market, a venue that fails."""

from itertools import pairwise
from typing import Any

import pytest

from chimera.trading.ids import ClientOrderId, child_of, stem_of
from chimera.trading.market import Side
from chimera.trading.money import Price, Qty
from support.incident_stage import BID, SHOWN, STEP, TICK, Kind, Stage, Story, Told, a_wish, asked, play, steps

USUAL, TWICE = TICK * 132, TICK * 264  # 2 and 4 bps; S3_SPREAD_BP_LIMIT_DEFAULT is 3
POOR_S = (12.0, 18.0)
ENTRY = {"path": "/fapi/v1/order", "method": "POST"}
FAILS_MS = (5_000, 30_000)
TOLD = {"ORDERS_FAILING", "ORDERS_FAILING_OVER", "BREAKER_OPEN", "BREAKER_CLOSED"}


def usual(at_s: float) -> tuple[Price, Price, Qty]:
    """It swings a little, so that the average true range leaves room for a stop."""
    bid = Price(BID + (0, 40, 0, -40)[round(at_s * 4) % 4])
    return bid, Price(bid + USUAL), SHOWN


def poor_for_a_while(at_s: float) -> tuple[Price, Price, Qty]:
    """The spread is twice its mean, and hardly anything stands at the touch."""
    bid, ask, shown = usual(at_s)
    if POOR_S[0] <= at_s < POOR_S[1]:
        return bid, Price(bid + TWICE), Qty(STEP * 2)
    return bid, ask, shown


def asking_s3(until_s: float = 42.0) -> tuple[Any, ...]:
    def begin(stage: Stage) -> None:
        stage.world.s3.start(side=Side.BUY, until_s=until_s)

    return (begin,)


def parent(ref: str) -> ClientOrderId:
    """The stem that a child's id begins with."""
    child = child_of(ClientOrderId(ref))
    assert child is not None, ref
    return child[0]


def entries_sent(told: Told) -> list[tuple[float, ClientOrderId]]:
    """Every try of an entry: when it reached the venue, and whose it was."""
    return [
        (at_s, parent(asked(request)["newClientOrderId"]))
        for at_s, request in told.requests
        if (request.path, request.method) == (ENTRY["path"], "POST") and asked(request).get("reduceOnly") != "true"
    ]


def ends(told: Told) -> dict[ClientOrderId, tuple[str, str]]:
    """What S4 answered for each intent in the end: result and status."""
    rows = (row for row in told.stage.orders if row["kind"] == "PARENT")
    return {stem_of(row["client_order_id"]): (row["result"], row["status"]) for row in rows}


@pytest.mark.req("ACC-6", "S3-L0-2")
def test_acc_6_at_twice_the_usual_spread_and_a_thin_touch_s3_skips_and_s4_hears_nothing() -> None:
    told = play(Story(touch=poor_for_a_while, extra=asking_s3(30.0), rough_s=26.0))
    heard = told.stage.world.s3.heard
    skipped = [{each["code"] for each in answer.reasons} for answer in heard if answer.decision == "skip"]

    assert told.broken == []
    assert skipped
    assert all(codes >= {"SPREAD", "DEPTH"} for codes in skipped)
    assert [heard[0].decision, heard[-1].decision] == ["open", "open"]
    assert [at_s for at_s, _ in entries_sent(told) if POOR_S[0] + 0.5 < at_s < POOR_S[1]] == []
    assert [at_s for at_s, _ in entries_sent(told) if at_s > POOR_S[1]]


def failing(fault: str, **params: Any) -> Story:
    """The venue takes no entry for a while, and says so in this way."""
    trouble = {"name": fault, "match": ENTRY, "when": {"from_ms": FAILS_MS[0], "to_ms": FAILS_MS[1]}, "params": params}
    return Story(touch=usual, faults=(trouble,), extra=asking_s3(58.0), rough_s=48.0)


@pytest.mark.req("ACC-6", "S4-RETRY-1", "S4-CB-1", "S4-ALR-1")
@pytest.mark.parametrize("fault", ["unavailable_503", "throttled_503"])
def test_acc_6_an_exchange_that_answers_5xx_is_tried_again_answered_fail_and_told(fault: str) -> None:
    told = play(failing(fault))
    sent, (_, first) = entries_sent(told), entries_sent(told)[0]

    assert told.broken == []
    tries = [at_s for at_s, stem in sent if stem == first]
    assert 2 <= len(tries) <= 5, tries
    assert all(later - earlier >= 0.1 for earlier, later in pairwise(tries))
    assert ends(told)[first] == ("FAIL", "REJECTED")
    assert set(told.alerts) >= TOLD
    assert ("OK", "FILLED") in ends(told).values()  # once the venue is well


@pytest.mark.req("ACC-6", "S4-RETRY-2", "S4-CB-1", "S4-ALR-1")
@pytest.mark.parametrize("story", [failing("internal_503"), failing("unknown_503", executed=0)])
def test_acc_6_a_5xx_of_open_outcome_is_asked_for_not_sent_again_and_told(story: Story) -> None:
    told = play(story)
    sent, (first_s, first) = entries_sent(told), entries_sent(told)[0]

    assert told.broken == []
    questions = [at_s for at_s, each in told.requests if (each.path, each.method) == (ENTRY["path"], "GET")]
    assert min(at_s for at_s in questions if at_s > first_s) < first_s + 0.5
    assert [stem for _, stem in sent].count(first) == 1  # its intent's time was over before it was provably dead
    assert first not in {parent(each.client_order_id) for each in told.only(Kind.ACCEPT, "m")}
    assert set(told.alerts) >= TOLD
    assert ("OK", "FILLED") in ends(told).values()


@pytest.mark.req("ACC-6", "S4-RETRY-1", "S4-ALR-1", "I23")
@pytest.mark.parametrize(("retry_ms", "end"), [(2_000, ("OK", "FILLED")), (25_000, ("FAIL", "REJECTED"))])
def test_acc_6_a_429_is_waited_for_and_where_it_lasts_the_intent_fails_and_is_told(
    retry_ms: int, end: tuple[str, str]
) -> None:
    storm = {
        "name": "rate_limit_storm",
        "params": {"retry_ms": retry_ms, "patience": 5},
        "match": ENTRY,
        "when": {"from_ms": FAILS_MS[0]},
        "count": 1,
    }
    told = play(Story(touch=usual, faults=(storm,), extra=asking_s3(), rough_s=32.0))
    sent, (first_s, first) = entries_sent(told), entries_sent(told)[0]

    assert told.broken == []
    assert [at_s for at_s, _ in sent if first_s < at_s < first_s + retry_ms / 1000 - 0.1] == []
    assert ends(told)[first] == end
    assert "RATE_GOVERNOR" in told.alerts
    assert "VENUE_BAN" not in told.alerts
    assert ("OK", "FILLED") in ends(told).values()


@pytest.mark.slow
@pytest.mark.req("ACC-2")
def test_acc_2_of_a_thousand_intents_in_a_row_at_least_99_in_100_are_placed() -> None:
    """A hundred a minute, each with its own stop, end and books, within the venue's limits and our own.

    Placed means that the venue took it. How fast is the benchmarks' to say: here no second is a real one.
    """
    wishes = tuple(a_wish(number, 3.0 + number * 0.6, hold_s=3, qty=steps(8)) for number in range(1_000))
    told = play(Story(wishes=wishes, rough_s=605.0, calm_s=20.0))
    placed = {parent(each.client_order_id) for each in told.entries}

    assert told.broken == []
    assert len(told.answers) == 1_000
    assert len(placed) >= 990, {name: end for name, end in told.answers.items() if end != "FILLED"}
    assert told.bought == STEP * 8 * len(placed)
