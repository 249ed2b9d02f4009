"""S4 comes back to a copy of its ledger: exits only until the venue's trades agree, nothing twice, nothing bare."""

from decimal import Decimal
from typing import Any

import pytest

from chimera.services.router.restoring import Restoring
from chimera.services.router.router import Router
from chimera.services.stage.clock import EPOCH_MS
from chimera.simulate.venue.audit import Kind
from chimera.trading.errors import Refused
from chimera.trading.execution import Working
from chimera.trading.market import Side
from chimera.trading.money import Millis
from chimera.wire import codec, keys
from support.incident_stage import Deed, Stage, Story, Told, a_wish, play, policy_of, steps, without
from support.story_deeds import asking, close, killed
from world.plan import RESTORED, PutBack
from world.run import CALLERS, Options, run

DEAD_S, CATCHING_UP_S, AGREED_S = 9.0, 11.0, 14.0
LESS: dict[str, Any] = {"reduce_only": True, "side": Side.SELL, "stop": None, "max_hold_s": None}
# What was placed meanwhile is not told before 12 s: entries are held back for long enough to see it.
UNTOLD = {
    "name": "unavailable_503", "match": {"path": "/fapi/v1/allOrders", "method": "GET"},
    "when": {"from_ms": 9_000, "to_ms": 12_000},
}  # fmt: skip


def the_same_again(number: int, name: str, **changes: Any) -> Deed:
    """A caller that never heard an answer sends the same intent again, and says that it has only just made it."""

    async def deed(stage: Stage) -> None:
        now_ms = Millis(EPOCH_MS + round(stage.world.loop.time() * 1000))
        intent = stage.world.callers._intent(a_wish(number)).but(created_ms=now_ms, **changes)

        async def submit(router: Router) -> Any:
            try:
                return await router.submit(intent, f"hash-{intent.intent_id}", wait_ms=1_000)
            except Refused as error:
                return error.code

        await stage.ask_s4(name, submit)

    return deed


async def barriers(router: Router) -> Any:
    return [level.code for level in router.barriers.standing]


def entries(told: Told) -> list[str]:
    return [each.client_order_id for each in told.entries]


# An intent before the copy, another after it, one while entries wait, one when they are taken again.
STORY = Story(
    wishes=(a_wish(0, 3.0, hold_s=60), a_wish(1, 6.5, hold_s=60), a_wish(3, 16.0, hold_s=5)),
    blows=(PutBack(at_s=DEAD_S, back_s=3.5),),
    faults=(UNTOLD,),
    hands=(
        (CATCHING_UP_S, the_same_again(5, "less", **LESS)),
        (CATCHING_UP_S, asking("barriers", barriers)),
        (CATCHING_UP_S, the_same_again(2, "new")),
        (AGREED_S, asking("barriers after", barriers)),
        (15.0, the_same_again(1, "again")),
        (22.0, asking("close", close)),
    ),
)


@pytest.mark.req("LED-4", "S4-REC-1", "S4-IDEM-1")
def test_what_was_forgotten_is_found_by_the_venues_word_and_entries_are_taken_again() -> None:
    told = play(STORY)
    assert told.broken == []
    assert told.position(DEAD_S) == told.position(AGREED_S) == steps(20)
    assert told.stage.answers["barriers"] == ["LEDGER_RESTORED"]
    assert told.stage.answers["barriers after"] == []
    assert told.stage.answers["new"] == "LEDGER_RESTORED"
    assert told.answers["w-3"] == "FILLED"
    assert told.stage.answers["again"] == "DUPLICATE_ID"
    assert entries(told) == ["s3-w0-t1", "s3-w1-t1", "s3-w3-t1"]
    assert told.live(12.0, "s"), "the forgotten half is protected, too"
    assert told.longest_bare_ms < 200
    assert told.stage.answers["less"] == "RECOVERING", "no intent at all before the names are claimed"
    assert "LEDGER_RESTORED_OVER" in told.alerts
    assert "STOP_TRY_REFUSED" not in told.alerts, "the stop of the copy was cancelled by ourselves"
    assert "LEDGER_LOST" not in str(told.stage.alerts)
    assert told.position(30.0) == 0


def test_without_the_claims_the_forgotten_intent_is_traded_twice() -> None:
    """The net above catches something."""

    async def forget(restoring: Restoring, owner: object) -> None:
        return

    with without(("chimera.services.router.restoring:Restoring", "_claim_spent", forget)):
        told = play(STORY)
    assert entries(told).count("s3-w1-t1") == 2
    assert {"I1", "NAMED_ONCE"} <= {violation.invariant for violation in told.violations}


# Four slices, the copy made after the first: the others filled in the life that is forgotten.
SLICES = Story(
    wishes=(a_wish(0, 3.0, hold_s=60, policy=policy_of(wait_ms=200, slices=4, gap_ms=1_500), qty=steps(40)),),
    blows=(PutBack(at_s=7.0, back_s=2.5),),
    down_ms=500,
    hands=((20.0, asking("close", close)),),
)


@pytest.mark.req("LED-4", "S4-REC-1")
def test_an_intent_that_was_being_worked_sends_nothing_more_and_its_forgotten_slices_are_its_own() -> None:
    told = play(SLICES)
    assert told.broken == []
    assert len(entries(told)) == len(set(entries(told)))
    assert not [each for each in told.entries if each.at_us > 7_000_000]
    [row] = [each for each in told.stage.orders if each.get("intent_id") == "w-0" and each["kind"] == "PARENT"]
    assert Decimal(str(row["filled_qty"])) == told.bought
    assert str(row["message"]).startswith("LEDGER_RESTORED")


def test_without_that_end_its_children_would_be_named_a_second_time() -> None:
    def goes_on(work: Working) -> Working:
        return work

    with without(
        ("chimera.execute.putting_back", "_ended", goes_on),
        ("chimera.services.router.restoring:Restoring", "_bar", lambda self, why: None),
    ):
        told = play(SLICES)
    assert "NAMED_ONCE" in {violation.invariant for violation in told.violations}


@pytest.mark.req("LED-4", "S4-REC-1")
def test_a_position_that_was_closed_since_and_opened_again_is_protected_under_names_of_its_own() -> None:
    """Opened before the copy; its stop was placed anew twice since, closed, and another position opened."""
    story = Story(
        wishes=tuple(a_wish(number, at_s, hold_s=60) for number, at_s in enumerate((3.0, 6.0, 7.0, 8.7))),
        blows=(PutBack(at_s=10.0, back_s=5.5),),
        hands=((8.0, asking("closed", close)), (20.0, asking("close", close))),
    )
    told = play(story)
    assert told.broken == []
    assert told.position(10.0) == told.position(15.0) == steps(10)
    assert told.live(12.0, "s")
    assert len(told.live(15.0, "s")) == 1
    accepted = [each.client_order_id for each in told.audit if each.kind is Kind.ACCEPT]
    assert len(accepted) == len(set(accepted))


@pytest.mark.req("LED-4")
def test_what_the_venue_does_not_show_keeps_entries_back_until_a_person_looks() -> None:
    """A ledger of another account: a trade that it has on record is unknown to the venue."""

    def foreign(stage: Stage) -> None:
        world = stage.world
        row = {"symbol": "BTCUSDT", "market": "FUT", "trade_id": "77", "qty": "1", "price": "1"}
        row |= {"at_ms": EPOCH_MS + 3_600}

        def write() -> None:
            if world.blows.put_back_us is not None:
                world.ledger._rows(keys.FILLS).write("FUT:BTCUSDT:77", row, codec.seal(row))

        world.s4.on_birth.append(write)

    told = play(
        Story(
            wishes=(a_wish(0, 3.0, hold_s=60), a_wish(1, 30.0)),
            blows=(PutBack(at_s=6.0, back_s=2.0),),
            hands=(
                (20.0, asking("barriers", barriers)),
                (85.0, asking("killed", killed)),
                (88.0, asking("close", close)),
            ),
            extra=(foreign,),
            rough_s=90.0,
        )
    )
    assert told.stage.answers["barriers"] == ["LEDGER_RESTORED"]
    assert told.answers["w-1"] == "GIVEN_UP LEDGER_RESTORED"
    assert len(told.entries) == 1
    [kill] = told.stage.answers["killed"]["kills"]
    assert (kill["by"], kill["scope"], kill["flatten"]) == ("LEDGER_RESTORED", "GLOBAL", False)


@pytest.mark.slow
@pytest.mark.req("LED-4", "I1", "I10")
@pytest.mark.parametrize(("seed", "spot"), [(2, False), (11, False), (3, True)])
def test_seeds_in_which_the_ledger_is_put_back(seed: int, spot: bool) -> None:
    verdict = run(seed, options=Options(scenario=RESTORED, who=CALLERS, spot=spot))
    assert verdict.violations == ()
