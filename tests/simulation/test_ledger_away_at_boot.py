"""S4 comes back and its ledger does not: what the venue shows is protected, nothing enters, and nothing is twice."""

from decimal import Decimal
from typing import Any

import pytest

from chimera.services.router import standing_in
from chimera.services.router.router import Router
from chimera.simulate.venue.audit import Kind
from chimera.trading.errors import StoreUnavailable
from chimera.trading.ids import DEFAULT_ACCOUNT, ClientOrderId, child_of, stands_in
from chimera.trading.market import Side
from chimera.trading.standstill import Kill, Scope
from chimera.wire import keys
from support.incident_stage import Stage, Story, Told, a_wish, play, steps, without
from support.story_deeds import asking, close, dying_with_its_entry, killed
from world.plan import KillAt

AWAY_S = 20.0
LOOK_S = 9.0  # in the middle of the ledger's absence
ROUGH_S = 40.0  # before that it is back, and what it knows has been compared
LONGEST_BARE_S = 4.0  # down for half a second, patient with the ledger for one and a half, and two answers of the venue


def losing_the_ledger_with_its_life(stage: Stage) -> None:
    """From S4's first death on nothing answers for so long."""
    world = stage.world

    def born() -> None:
        if world.s4.deaths == 1:
            world.weather["ledger"].stall(AWAY_S)

    world.s4.on_birth.append(born)


async def health(router: Router) -> Any:
    barriers = [str(each["code"]) for each in router.barriers.shown()]
    return {"ready": router.ready(), "barriers": barriers, "ledger": router.health()["checks"]["ledger"]}  # type: ignore[index]


async def kill_flat(router: Router) -> Any:
    kill = Kill(scope=Scope.GLOBAL, by="me", reason="test", at_ms=router.clock.now_ms(), flatten=True)
    return await router.kill(kill, wait_ms=3_000)


def stand_ins(told: Told, at_s: float) -> list[str]:
    """Stops of stand-ins that wait at a moment."""
    return [ref for ref in told.live(at_s, "s") if of_a_stand_in(ref)]


def of_a_stand_in(ref: str) -> bool:
    child = child_of(ClientOrderId(ref))
    return child is not None and stands_in(child[0])


def a_story(**more: Any) -> Story:
    between_fill_and_stop = (dying_with_its_entry, losing_the_ledger_with_its_life)
    wishes = (a_wish(0, 3.0, hold_s=45),)
    return Story(
        **({"wishes": wishes, "extra": between_fill_and_stop, "rough_s": ROUGH_S, "bare_s": LONGEST_BARE_S} | more)
    )


@pytest.mark.req("S4-REC-1")
@pytest.mark.fault("E1")
def test_killed_between_fill_and_stop_with_the_ledger_away_the_position_gets_a_stop_all_the_same() -> None:
    """And once the ledger is back the intent's own stop takes that one's place, with no moment in between."""
    told = play(
        a_story(
            wishes=(a_wish(0, 3.0, hold_s=45), a_wish(1, 10.0, hold_s=5)),
            hands=((LOOK_S, asking("health", health)), (35.0, asking("after", health))),
        )
    )
    assert told.broken == []
    assert told.longest_bare_ms <= LONGEST_BARE_S * 1000
    assert told.position(LOOK_S) == steps(10)
    assert len(stand_ins(told, LOOK_S)) == len(told.live(LOOK_S, "s")) == 1
    assert told.stage.answers["health"]["ready"] is False
    assert told.stage.answers["health"]["ledger"] == "down"
    assert standing_in.CODE in told.stage.answers["health"]["barriers"]
    assert told.stage.answers["after"] == {"ready": True, "barriers": [], "ledger": "ok"}
    first, second = told.entries
    assert (first.client_order_id, second.client_order_id) == ("s3-w0-t1", "s3-w1-t1")
    assert second.at_us / 1e6 > AWAY_S  # its caller asked again and again
    [stop] = told.live(35.0, "s")
    assert stop.startswith("s3-w0-s")
    assert {standing_in.CODE, f"{standing_in.CODE}_OVER"} <= set(told.alerts)
    assert "LEDGER_LOST" not in str(told.stage.alerts)
    assert "POSITION_ADOPTED" not in told.alerts, "he only does not remember whose it is"


@pytest.mark.req("S4-REC-1")
def test_a_stop_and_a_target_that_stand_are_kept_by_who_stands_in() -> None:
    told = play(
        a_story(
            wishes=(a_wish(0, 3.0, hold_s=45, target_bps=60),),
            blows=(KillAt(at_s=6.0),),
            extra=(losing_the_ledger_with_its_life,),
        )
    )
    assert told.broken == []
    before = told.live(6.0)
    assert len(before) == 2
    for at_s in (8.0, LOOK_S, 15.0, 25.0, 35.0):
        assert told.live(at_s) == before
    assert told.longest_bare_ms < 200


@pytest.mark.req("S4-REC-1")
def test_two_deaths_while_the_ledger_is_away_share_no_id() -> None:
    """The second finds the first one's stop gone and places its own; the third, in other circumstances, keeps it."""

    async def clear(stage: Stage) -> None:
        stage.world.s4.kill()
        stage.cancel_all_algos()

    async def kill(stage: Stage) -> None:
        stage.world.s4.kill()

    told = play(a_story(hands=((8.0, clear), (15.0, kill))))
    assert told.broken_but("BARED") == []  # by the hand at the venue
    first, second, third = stand_ins(told, 7.9), stand_ins(told, 14.9), stand_ins(told, 21.0)
    assert len(first) == len(second) == 1
    assert first != second
    assert third == second
    assert len(told.entries) == 1
    placed = [ref for each in told.only(Kind.ACCEPT) if of_a_stand_in(ref := each.client_order_id)]
    assert len(placed) == len(set(placed)) == 2
    assert [ref for ref in told.live(38.0, "s") if not ref.startswith("s3-w0-s")] == []


@pytest.mark.req("S4-REC-1")
def test_while_the_ledger_is_away_a_close_works_and_is_not_made_twice() -> None:
    told = play(a_story(hands=((LOOK_S, asking("close", close)), (16.0, asking("again", close)))))
    assert told.broken == []
    assert told.stage.answers["close"]["status"] == "CLOSING"
    assert told.stage.answers["again"]["status"] == "FLAT"
    assert told.position(10.0) == 0
    assert told.live(35.0) == []
    assert told.position(39.0) == 0
    assert len(told.entries) == 1


@pytest.mark.req("S4-REC-1")
def test_who_takes_over_counts_trades_of_before_and_does_not_take_the_stream_for_deaf() -> None:
    async def more(stage: Stage) -> None:
        for number in range(3):
            await stage.place(f"web_{number}", Side.BUY, steps(2))

    told = play(a_story(hands=((LOOK_S, more), (12.0, asking("close", close)))))
    assert told.broken_but("I4 entry web_") == []
    assert told.position(14.0) == 0
    assert "STREAM_DEAF" not in told.alerts


@pytest.mark.req("S4-REC-1")
@pytest.mark.incident(26)
@pytest.mark.fault("B26")
def test_a_stand_in_who_was_shown_a_zero_looks_again() -> None:
    """At his first look the venue says that there is nothing, and no stream tells of what is older."""
    zeros = {
        "name": "zero_balance_read",
        "match": {"method": "GET", "path": "/fapi/*/positionRisk"},
        "when": {"from_ms": 3_000, "to_ms": 6_500},
        "count": 100,
    }
    told = play(a_story(faults=(zeros,), bare_s=6.0))
    assert told.broken == []
    assert told.live(5.9, "s") == []
    assert len(stand_ins(told, LOOK_S)) == 1


@pytest.mark.req("S4-REC-1", "S4-KILL-1")
def test_while_the_ledger_is_away_a_kill_flattens_and_is_still_there_when_it_is_back() -> None:
    told = play(
        a_story(wishes=(a_wish(0, 3.0, hold_s=45), a_wish(1, 30.0)), hands=((LOOK_S, asking("kill", kill_flat)),))
    )
    assert told.broken == []
    assert told.position(LOOK_S + 3) == 0
    assert told.stage.answers["kill"]["durable"] is False
    assert told.answers["w-1"] == "REFUSED KILL_SWITCH"


@pytest.mark.req("S4-REC-1", "S4-REC-2")
@pytest.mark.parametrize("close_s", [5.0, 20.0])
def test_a_ledger_that_was_away_and_is_empty_has_lost_nothing(close_s: float) -> None:
    """The first start ever, beside a position made by hand: the only order of ours is a stand-in's stop."""

    def away(stage: Stage) -> None:
        stage.world.weather["ledger"].stall(10)

    async def by_hand(stage: Stage) -> None:
        await stage.place("web_now", Side.BUY, steps(5))

    told = play(
        Story(
            hands=((0.2, by_hand), (14.0, asking("killed", killed)), (close_s, asking("close", close))),
            extra=(away,),
            bare_s=LONGEST_BARE_S,
        )
    )
    assert told.broken_but("I4 entry web_") == []
    assert len(stand_ins(told, 4.9)) == 1
    assert told.live(15.0) == (stand_ins(told, 4.9) if close_s > 15 else [])
    assert told.stage.answers["killed"]["kills"] == []
    assert told.position(23.0) == 0


@pytest.mark.req("S4-KILL-1")
def test_nobody_enters_before_the_kills_on_disk_are_known() -> None:
    """All the rest of the ledger answers."""

    def untold(stage: Stage) -> None:
        world, get = stage.world, stage.world.ledger.get

        async def slow(collection: str, key: str) -> Any:
            if (collection, key) == (keys.CONTROLS, DEFAULT_ACCOUNT) and 5.0 < world.loop.time() < 15.0:
                raise StoreUnavailable("not that one")
            return await get(collection, key)

        world.ledger.get = slow  # type: ignore[method-assign]  # this document alone is away

    async def stand_still(router: Router) -> Any:
        return await router.kill(
            Kill(scope=Scope.GLOBAL, by="me", reason="test", at_ms=router.clock.now_ms()), wait_ms=0
        )

    told = play(
        Story(
            wishes=(a_wish(0, 7.0),),
            hands=((3.0, asking("kill", stand_still)), (14.0, asking("health", health))),
            blows=(KillAt(at_s=5.0),),
            extra=(untold,),
        )
    )
    assert told.broken == []
    assert told.stage.answers["health"]["ledger"] == "down"
    assert (told.entries, told.answers["w-0"]) == ([], "REFUSED KILL_SWITCH")


@pytest.mark.req("S4-REC-1")
def test_without_stand_ins_the_position_is_bare_for_as_long_as_the_ledger_is_away() -> None:
    """The net above catches something."""
    with without(("chimera.services.router.standing_in", "PATIENCE_S", 1_000.0)):
        told = play(a_story())
    assert Decimal(told.longest_bare_ms) > 15_000
