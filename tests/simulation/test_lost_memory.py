"""S4 without its memory, or beside somebody else: what the venue shows is protected, nothing enters, nothing twice."""

from decimal import Decimal
from typing import Any
from unittest import mock

import pytest

from chimera.adapters.memory.ledger import MemoryLedger
from chimera.services.router.config import RouterConfig
from chimera.services.router.remembering import Remembering
from chimera.services.router.router import Router
from chimera.services.stage.clock import EPOCH_MS
from chimera.simulate.venue.account_spec import READY_ACCOUNT
from chimera.simulate.venue.audit import Kind
from chimera.trading.errors import NewerSchema, Refused
from chimera.trading.ids import PositionKey, Symbol
from chimera.trading.intent import PositionSide
from chimera.trading.market import Side
from chimera.trading.money import Millis
from chimera.trading.order import OrderType, TimeInForce
from chimera.trading.standstill import Scope
from support.incident_stage import BID, SYMBOL, Deed, Stage, Story, Told, a_wish, play, steps, without
from support.story_deeds import asking, close, dying_with_its_entry, killed
from world import composed
from world.plan import KillAt

KILL_S, LOST_S = 6.0, 6.5
OLD_LIFE = "I6"  # the fills of before went with the ledger


def losing_everything(stage: Stage) -> None:
    """The disk is gone when S4 comes back: holdings, rows, claims and kills."""
    world = stage.world

    def empty() -> None:
        if world.s4.deaths == 1:
            world.ledger = MemoryLedger(faults=world.weather["ledger"])

    world.s4.on_birth.append(empty)


def the_same_again(number: int, name: str) -> Deed:
    """A caller that never heard an answer sends the same intent again."""

    async def deed(stage: Stage) -> None:
        intent = stage.world.callers._intent(a_wish(number)).but(created_ms=Millis(EPOCH_MS + 3_000))

        async def submit(router: Router) -> Any:
            try:
                return await router.submit(intent, f"hash-{intent.intent_id}", wait_ms=1_000)
            except Refused as error:
                return error.code

        await stage.ask_s4(name, submit)

    return deed


async def arm(router: Router) -> Any:
    told = await router.arm(Scope.GLOBAL, "", by="me", reason="looked", confirm=None)
    return await router.arm(Scope.GLOBAL, "", by="me", reason="looked", confirm=str(told["confirm"]))


def of_ours(told: Told) -> list[str]:
    """What was broken, but that nobody told the oracle of what a person meant to buy."""
    return [story for story in told.broken if not story.startswith("I4 entry web_")]


LOST = Story(
    wishes=(a_wish(0, 3.0, hold_s=60), a_wish(1, 10.0), a_wish(2, 20.0, hold_s=4)),
    blows=(KillAt(at_s=KILL_S),),
    hands=(
        (9.0, the_same_again(0, "again")),
        (12.0, asking("killed", killed)),
        (14.0, asking("close", close)),
        (18.0, asking("arm", arm)),
        (19.0, the_same_again(0, "again when armed")),
    ),
    extra=(losing_everything,),
)


@pytest.mark.req("S4-REC-1", "S4-REC-2", "I14")
@pytest.mark.incident(1, 26)
def test_with_the_ledger_lost_the_position_stays_protected_and_nobody_enters_until_armed() -> None:
    """The stop that stands is adopted and kept; the same intent again is refused, not traded a second time."""
    told = play(LOST)
    assert {violation.invariant for violation in told.violations} == {OLD_LIFE}
    [stop] = told.live(KILL_S, "s")
    for at_s in (LOST_S, 8.0, 10.0, 13.9):
        assert told.live(at_s, "s") == [stop]
    assert told.longest_bare_ms < 200
    [kill] = told.stage.answers["killed"]["kills"]
    assert (kill["by"], kill["scope"], kill["flatten"]) == ("LEDGER_LOST", "GLOBAL", False)
    assert told.stage.answers["again"] == "STALE_INTENT"
    assert told.stage.answers["again when armed"] == "STALE_INTENT"
    assert told.answers["w-1"] == "REFUSED KILL_SWITCH"
    assert [each.client_order_id for each in told.entries] == ["s3-w0-t1", "s3-w2-t1"]
    assert told.answers["w-2"] == "FILLED"
    assert "POSITION_ADOPTED" in told.alerts
    assert told.position(19.0) == 0


def test_without_that_question_at_the_start_the_same_intent_is_traded_twice() -> None:
    """The net above catches something."""

    async def forget(memory: Remembering, traces: object) -> None:
        return

    with without(("chimera.services.router.remembering:Remembering", "_latch", forget)):
        told = play(LOST)
    assert [each.client_order_id for each in told.entries].count("s3-w0-t1") == 2
    assert "I1" in {violation.invariant for violation in told.violations}


@pytest.mark.req("S4-REC-1", "I14")
def test_with_the_ledger_lost_and_the_stop_too_the_position_gets_one_before_anything_else() -> None:
    """Killed between the fill and its stop, and the disk is gone."""
    told = play(
        Story(
            wishes=(a_wish(0, 3.0, hold_s=60),),
            hands=((20.0, asking("close", close)),),
            extra=(dying_with_its_entry, losing_everything),
            bare_s=4.0,
        )
    )
    assert {violation.invariant for violation in told.violations} <= {OLD_LIFE}
    entry = told.entries[0]
    [stop] = told.live(10.0, "s")
    assert told.position(10.0) == steps(10)
    assert [each.client_order_id for each in told.entries] == [entry.client_order_id]
    assert stop.startswith("cx-")


@pytest.mark.req("S4-REC-1")
@pytest.mark.incident(26)
def test_a_holding_that_cannot_be_read_is_left_alone_and_its_position_protected() -> None:
    """Killed between the fill and its stop; the version that starts then is older than the one that wrote."""

    def unreadable(stage: Stage) -> None:
        world, load = stage.world, stage.world.ledger.load

        async def newer(key: PositionKey) -> Any:
            if world.s4.deaths == 1 and world.s4.proc is not None and world.s4.proc.alive:
                raise NewerSchema("start the version that wrote it")
            return await load(key)

        world.ledger.load = newer  # type: ignore[method-assign]  # the world's ledger forgets nothing by itself

    told = play(
        Story(
            wishes=(a_wish(0, 3.0, hold_s=60), a_wish(1, 9.0)),
            blows=(KillAt(at_s=20.0),),
            hands=((12.0, asking("killed", killed)), (16.0, asking("close", close))),
            extra=(dying_with_its_entry, unreadable),
            bare_s=4.0,
        )
    )
    assert told.broken == []
    assert told.live(8.0, "s")
    assert told.position(8.0) == steps(10)
    assert [(each["scope"], each["name"], each["by"]) for each in told.stage.answers["killed"]["kills"]] == [
        ("SYMBOL", SYMBOL, "UNREADABLE")
    ]
    assert told.position(19.0) == 0  # a close of everything needs no disk
    assert len(told.entries) == 1


@pytest.mark.req("S4-REC-1")
@pytest.mark.fault("D1", "D18")
def test_it_recovers_from_the_ledger_alone_while_redis_answers_to_nobody() -> None:
    def no_bus(stage: Stage) -> None:
        world = stage.world
        world.s4.on_birth.append(lambda: world.weather["bus"].stall(15) if world.s4.deaths == 1 else None)

    told = play(
        Story(
            wishes=(a_wish(0, 3.0, hold_s=12),),
            extra=(dying_with_its_entry, no_bus),
        )
    )
    assert told.broken == []
    assert told.position(9.0) == steps(10)
    assert told.live(6.0, "s")
    assert len(told.entries) == 1
    assert "BUS_AWAY" in told.alerts


@pytest.mark.req("S4-REC-2")
@pytest.mark.fault("B32", "C13")
def test_a_persons_order_is_told_counted_and_left_alone_and_what_it_fills_is_protected() -> None:

    async def by_hand(stage: Stage) -> None:
        price = {"type": OrderType.LIMIT, "time_in_force": TimeInForce.GTC}
        await stage.place("web_far", Side.BUY, steps(5), price=BID - 1000, **price)
        await stage.place("web_now", Side.BUY, steps(5))

    async def done(stage: Stage) -> None:
        await stage.cancel("web_far", conditional=False)

    async def positions(router: Router) -> Any:
        return router.external()

    told = play(
        Story(
            hands=(
                (3.0, by_hand),
                (8.0, asking("external", positions)),
                (12.0, asking("close", close)),
                (20.0, done),
                (22.0, asking("external after", positions)),
            )
        )
    )
    assert of_ours(told) == []
    assert told.alerts.count("EXTERNAL_ORDER") >= 1
    assert [each["client_order_id"] for each in told.stage.answers["external"]] == ["web_far"]
    assert told.stage.answers["external after"] == []
    assert told.live(4.0, "s")
    assert [each.client_order_id for each in told.only(Kind.CANCEL, conditional=False)] == ["web_far"]
    assert told.position(19.0) == 0


@pytest.mark.req("S4-REC-2", "I14")
def test_a_position_on_a_symbol_that_s4_does_not_trade_is_taken_over_protected_and_not_entered() -> None:
    elsewhere = Symbol("ETHUSDT")

    def config(**given: Any) -> RouterConfig:
        return RouterConfig(**(given | {"symbols": (elsewhere,)}))

    async def by_hand(stage: Stage) -> None:
        await stage.place("web_now", Side.SELL, steps(5))

    with mock.patch.object(composed, "RouterConfig", config):
        told = play(
            Story(
                wishes=(a_wish(0, 9.0),),
                blows=(KillAt(at_s=4.0),),  # the first look after a start is at once, the next a minute later
                hands=((3.0, by_hand), (14.0, asking("close", close))),
                bare_s=6.0,
            )
        )
    assert told.answers["w-0"].endswith("UNKNOWN_SYMBOL")
    assert "POSITION_WITHOUT_OWNER" in told.alerts
    assert told.live(8.0, "s")
    assert told.entries == []
    assert told.position(19.0) == 0
    assert of_ours(told) == []


@pytest.mark.fault("B30")
def test_a_deleveraging_by_the_venue_is_fatal_news_and_the_ledger_follows() -> None:

    async def deleverage(stage: Stage) -> None:
        world = stage.world
        account = world.twin.usdm.floor.accounts[READY_ACCOUNT.name]
        world.twin.usdm.deleverage(account, SYMBOL, PositionSide.BOTH, Decimal(steps(4)))
        world.venue.pump()

    told = play(Story(wishes=(a_wish(0, 3.0),), hands=((6.0, deleverage),)))
    assert told.broken == []
    assert told.position(7.0) == steps(6)
    [alert] = [each for each in told.stage.alerts if each["code"] == "AUTO_DELEVERAGING"]
    assert alert["severity"] == "FATAL"
    assert "adl_autoclose" in alert["text"]
