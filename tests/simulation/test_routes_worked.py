"""Plans worked by S4 against the simulated exchange: a preview leaves no trace, a poor market slows or bounds."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from chimera.simulate.venue.audit import Kind
from chimera.trading.ids import ClientOrderId, IntentId, stem_of
from chimera.trading.intent import ExecPolicy, Intent, MakerThenTaker, MarketNow, StopSpec
from chimera.trading.market import Market, Side
from chimera.trading.money import Millis, Price, Qty
from support.incident_stage import SYMBOL, Stage, Story, play, steps
from world.plan import KillAt

MID = 65_800


def an_order(stage: Stage, policy: ExecPolicy, *, qty: Qty, name: str = "r") -> Intent:
    return Intent(
        intent_id=IntentId(name),
        client_order_id=ClientOrderId(f"s3-{name}"),
        market=Market.FUT,
        symbol=SYMBOL,
        side=Side.BUY,
        qty=qty,
        policy=policy,
        created_ms=Millis(stage.world.clock.now_ms()),
        stop=StopSpec(price=Price(Decimal(65_000))),
        max_hold_s=14,
    )


def a_market(*, wide_s: tuple[float, float] = (0, 0), half: str = "40", thin_from_s: float = 10**6) -> Any:
    """A tick from the middle to each touch, ``half`` within ``wide_s``; 5 BTC stand there, later 0.006."""

    def touch(at_s: float) -> tuple[Price, Price, Qty]:
        apart = Decimal(half) if wide_s[0] <= at_s < wide_s[1] else Decimal("0.1")
        return Price(MID - apart), Price(MID + apart), Qty(Decimal("0.006" if at_s >= thin_from_s else 5))

    return touch


async def submit(stage: Stage, order: Intent, *, wait_ms: int = 0) -> Any:
    """As S3 would; the oracle is told what was meant."""
    stage.world.callers.intended[stem_of(order.client_order_id)] = order.qty
    return await stage.ask_s4("sent", lambda router: router.submit(order, "body", wait_ms=wait_ms))


async def row_of(stage: Stage, name: str) -> dict[str, Any]:
    found = await stage.ask_s4("row", lambda router: router.order(name))
    assert found is not None
    return dict(found)


@pytest.mark.req("S4-PREV-1")
def test_a_preview_leaves_neither_ledger_nor_venue_changed() -> None:
    """The same order is previewed twice and then sent: it is new to S4, and does what was foretold."""
    seen: dict[str, Any] = {}

    def state(stage: Stage) -> Any:
        ledger = stage.world.ledger
        seats = {key: (seat.rev, seat.body) for key, seat in ledger._seats.items()}
        rows = {name: repr(vars(held)) for name, held in ledger._collections.items()}
        return seats, dict(ledger._claims), rows, len(stage.world.twin.audit)

    def changing(stage: Stage) -> int:
        return sum(request.method != "GET" for _, request in stage.requests)

    async def look(stage: Stage) -> None:
        order = an_order(stage, MakerThenTaker(wait_ms=500, slices=2, gap_ms=900), qty=steps(20))
        before, sent = state(stage), changing(stage)
        for name in ("first", "again"):
            await stage.ask_s4(name, lambda router: router.preview(order))
        seen["same"] = state(stage) == before and changing(stage) == sent
        outcome = await submit(stage, order)
        seen["row"] = outcome.row

    told = play(Story(hands=((5.0, look),), touch=a_market()))

    assert told.broken == []
    assert seen["same"]
    preview, again = told.stage.answers["first"], told.stage.answers["again"]
    assert preview["would"] == "ACCEPT"
    assert preview["plan"]["slices"] == again["plan"]["slices"]
    assert [(each["qty"], each["after_ms"]) for each in preview["plan"]["slices"]] == [
        (each["qty"], each["due_ms"] - seen["row"]["accepted_ms"]) for each in seen["row"]["slices"]
    ]
    assert preview["protection"]["stop_price"] == "65000"
    assert {limit["limit"] for limit in preview["limits"]} >= {"S4_MAX_ORDER_NOTIONAL_USDT"}
    assert Decimal(preview["expected"]["cost_bps"]) > 0
    assert told.bought == steps(20)


@pytest.mark.req("ACC-3", "S4-ROUTE-7", "S4-ROUTE-9")
def test_in_a_wide_market_an_order_waits_and_goes_once_it_is_over() -> None:
    async def send(stage: Stage) -> None:
        order = an_order(stage, MakerThenTaker(wait_ms=300, slices=1, gap_ms=0), qty=steps(20))
        await submit(stage, order)
        await asyncio.sleep(8)
        await row_of(stage, "r")

    told = play(Story(hands=((5.0, send),), touch=a_market(wide_s=(4.0, 9.0), half="400")))

    assert told.broken == []
    assert told.bought == steps(20)
    assert min(each.at_us for each in told.entries) > 9.0e6
    assert any("postponed 5000 ms" in step["what"] for step in told.stage.answers["row"]["timeline"])


@pytest.mark.req("ACC-3", "S4-ROUTE-9")
def test_in_a_market_that_stays_wide_market_orders_are_bounded_and_fill_at_the_touch() -> None:
    async def send(stage: Stage) -> None:
        order = an_order(stage, MarketNow(), qty=steps(20))
        await submit(stage, order, wait_ms=3_000)

    told = play(Story(hands=((5.0, send),), touch=a_market(wide_s=(4.0, 60.0), half="400")))

    assert told.broken == []
    assert told.bought == steps(20)
    assert {each.type for each in told.entries} == {"LIMIT"}


@pytest.mark.req("ACC-3", "S4-ROUTE-7", "S4-ROUTE-8")
def test_in_a_thin_market_an_order_is_split_into_what_the_touch_holds() -> None:
    """By then S4 has seen what is usual: a tenth of it is more than stands there now."""

    async def send(stage: Stage) -> None:
        await submit(stage, an_order(stage, MarketNow(), qty=steps(20)), wait_ms=5_000)

    told = play(Story(hands=((23.0, send),), touch=a_market(thin_from_s=21), rough_s=30))

    assert told.broken == []
    assert told.bought == steps(20)
    assert [str(each.qty) for each in told.entries] == ["0.006", "0.006", "0.006", "0.002"]


@pytest.mark.req("S4-ROUTE-5")
@pytest.mark.fault("A7")
def test_a_schedule_that_lost_its_router_keeps_its_distances_and_its_sum() -> None:
    """Dead for six seconds in the middle: what is left comes slice by slice, none too soon after the one before."""

    async def send(stage: Stage) -> None:
        order = an_order(stage, MakerThenTaker(wait_ms=0, slices=4, gap_ms=1_500), qty=steps(40), name="s")
        await submit(stage, order)

    told = play(Story(hands=((5.0, send),), touch=a_market(), blows=(KillAt(at_s=6.9),), down_ms=6_000))

    assert told.broken == []
    assert told.bought == steps(40)
    moments = [each.at_us for each in told.entries]
    assert len(moments) == 4
    assert moments[3] - moments[2] > 1_300_000


def test_a_pause_outlives_the_router_and_finishing_takes_the_rest() -> None:
    async def story(stage: Stage) -> None:
        order = an_order(stage, MakerThenTaker(wait_ms=0, slices=4, gap_ms=2_000), qty=steps(40))
        await submit(stage, order)
        await asyncio.sleep(1)
        await stage.ask_s4("paused", lambda router: router.steer("r", "pause"))

    async def finish(stage: Stage) -> None:
        await row_of(stage, "r")
        await stage.ask_s4("finished", lambda router: router.steer("r", "finish"))

    told = play(Story(hands=((5.0, story), (14.0, finish)), touch=a_market(), blows=(KillAt(at_s=8.0),), down_ms=1_000))

    assert told.broken == []
    assert (told.stage.answers["row"]["paused"], told.stage.answers["row"]["status"]) == (True, "PARTIALLY_FILLED")
    assert told.bought == steps(40)
    moments = sorted(each.at_us / 1e6 for each in told.entries)
    assert len(moments) == 2
    assert moments[1] > 14
    assert told.only(Kind.FILL)
