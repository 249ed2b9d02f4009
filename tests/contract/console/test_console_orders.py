"""One order from decision to protection: what is told, in which order, by whose clock, and drawn from what is known."""

from decimal import Decimal
from typing import Any

import httpx2
import pytest
from console_stage import HandClock, Stage, a_decision
from test_console_page import words

from chimera.services.console.charts import HIGH, WIDE, Level, Mark, chart
from chimera.services.console.seen import Spark
from chimera.wire.keys import ORDER_RESULTS, ROUTER_EVENTS

ID = "s3-btc-1800000000000-ab2"
PATH = f"/orders/{ID}"


def an_order(at_ms: int, **changes: Any) -> dict[str, Any]:
    """A long that a second maker bought, with stop and target, as S4 answers."""
    child = {"side": "BUY", "qty": "0.02", "type": "LIMIT", "in_doubt": False, "reduce_only": False}
    leg = child | {"side": "SELL", "leg": "STOP", "type": "STOP_MARKET", "status": "NEW"}
    return {
        "client_order_id": ID, "order_id": ID, "intent_id": "i2", "symbol": "BTCUSDT", "side": "BUY",
        "status": "FILLED", "qty": "0.02", "filled_qty": "0.02", "avg_price": "65800.1", "strategy_id": "s3",
        "mid_at_send": "65799.85", "slip_bps": "0.038", "why": ["maker for 3000 ms, then taker"], "notes": [],
        "accepted_ms": at_ms + 8, "first_ack_ms": at_ms + 31, "done_ms": at_ms + 900,
        "fills": [{"fill_id": "901", "client_order_id": f"{ID}-m2", "price": "65800.1", "qty": "0.02", "fee": "0.3",
                   "fee_asset": "USDT", "maker": True, "timestamp": at_ms + 850, "slip_bps": "-0.01"}],
        "children": [child | {"leg": "MAKER", "client_order_id": f"{ID}-m2", "status": "FILLED", "price": "65800.1"}],
        "legs": [leg | {"client_order_id": f"{ID}-s3", "stop_price": "65742.1"}],
        "timeline": [{"at_ms": at_ms + 8, "what": "accepted"}, {"at_ms": at_ms + 9, "what": f"order {ID}-m2 made"},
                     {"at_ms": at_ms + 850, "what": "fill 901: 0.02 at 65800"}, {"at_ms": at_ms + 900, "what": "done"}],
    } | changes  # fmt: skip


@pytest.fixture
async def told(stage: Stage) -> Stage:
    """It was decided, sent, filled and protected, and the console heard all of it."""
    now = stage.clock.now_ms()
    stage.s3.rows = [a_decision(2, now, client_order_id=ID, signal_id="sig-2")]
    stage.s4.orders[ID] = an_order(now)
    await stage.look()
    await stage.tell_order(f"{ID}-m2", "MAKER", "NEW", side="BUY", price="65800.1", intent_id="i2", at_ms=now + 31)
    await stage.tell_order(f"{ID}-s3", "STOP", "NEW", trigger_price="65742.1", at_ms=now + 895)
    await stage.tell_order("other", "STOP", "NEW", trigger_price="1", at_ms=now + 895)
    for stream in (ROUTER_EVENTS, ORDER_RESULTS):
        for entry in await stage.bus.tail(stream, after="0", count=50, block_ms=0):
            stage.console.watch._keep_raw(stream, entry)
            stage.console.watch._take_event(entry.fields)
    return stage


async def test_its_life_is_told_from_the_decision_to_its_protection(told: Stage) -> None:
    line = words(await told.drawn("timeline", PATH))

    moments = ["decide", "R023 fired", "accepted", "maker BUY 0.02 at 65800.1 is new", "maker fill: 0.02 at 65,800.1",
               "stop SELL 0.02 at 65742.1 is new", "done"]  # fmt: skip
    assert [line.find(moment) for moment in moments] == sorted(line.find(moment) for moment in moments)
    assert -1 not in [line.find(moment) for moment in moments]
    assert line.count("fill") == 2, "S4's own line of a fill is not told beside the venue's"
    assert "venue" in line
    assert "other" not in line


async def test_a_stop_that_fired_since_is_not_shown_as_standing(told: Stage) -> None:
    """S4 keeps the answer as it was when the order was done."""
    assert "stop stop market new" in words(await told.drawn("children", PATH))
    await told.tell_order(f"{ID}-s3", "STOP", "FILLED", seq=9, at_ms=told.clock.now_ms() + 2_000)
    newest = (await told.bus.tail(ROUTER_EVENTS, after="0", count=50, block_ms=0))[-1]
    told.console.watch._take_event(newest.fields)
    drawn = words(await told.drawn("children", PATH))
    assert "stop stop market filled" in drawn
    assert "maker limit filled" in drawn, "what S4 knows to be over stays over"


async def test_how_long_each_part_took(told: Stage) -> None:
    facts = words(await told.drawn("order", PATH))

    for stretch in ("decided to taken 8 ms", "taken to first acknowledged 23 ms", "first fill to stop live 45 ms",
                    "taken to over 892 ms"):  # fmt: skip
        assert stretch in facts
    assert 'href="/decisions/sig-2"' in await told.drawn("order", PATH)
    assert "Cancel" not in facts, "it is over"


async def test_the_price_is_drawn_with_its_fill_and_its_stop(told: Stage) -> None:
    drawn = await told.drawn("chart", PATH)

    assert "stop at 65,742.1" in drawn
    assert "0.02 at 65,800.1" in drawn
    assert "console was not running then" in drawn


@pytest.mark.parametrize(("market", "said"), [("FUT", False), ("SPOT", True)])
async def test_the_line_beside_an_order_on_spot_is_said_to_be_of_futures(told: Stage, market: str, said: bool) -> None:
    spark = told.console.seen.sparks.setdefault("BTCUSDT", Spark())
    for before_ms in (3_000, 1_500, 0):
        spark.take(told.clock.now_ms() - before_ms, Decimal("65800.1"))

    told.s4.orders[ID] |= {"market": market}
    assert ("The line is of its futures" in await told.drawn("chart", PATH)) is said


async def test_what_came_is_shown_as_it_came_without_secrets(told: Stage) -> None:
    token = "chm_" + "a" * 40
    await told.tell_order(f"{ID}-m2", "MAKER", "FILLED", intent_id="i2", refusal=token)
    for entry in (await told.bus.tail(ROUTER_EVENTS, after="0", count=50, block_ms=0))[-1:]:
        told.console.watch._keep_raw(ROUTER_EVENTS, entry)

    raw = await told.drawn("raw", PATH)

    assert f"{ID}-s3" in raw
    assert "other" not in raw
    assert token not in raw
    assert token not in await told.drawn("timeline", PATH)


async def test_an_order_that_nobody_knows_is_said(stage: Stage, client: httpx2.AsyncClient) -> None:
    answer = await client.get("/orders/nobody")

    assert answer.status_code == 200
    assert "S4 knows no order by the name nobody" in words(answer.text)


async def test_a_name_is_found_wherever_it_is(stage: Stage, client: httpx2.AsyncClient) -> None:
    stage.s4.orders["i2"] = an_order(1)
    asked = {"orders": "/orders", "In doubt": "/doubts", "i2": "/orders/i2", "skip": "/decisions/skip"}
    asked["nobody"] = "/orders/nobody"  # which says that there is none

    told = {name: (await client.get("/find", params={"q": name})).headers["location"] for name in asked}

    assert told == asked


def test_a_chart_keeps_everything_inside_its_box() -> None:
    stop = Level(kind="stop", price=Decimal(90), words="stop")
    late = Mark(kind="sell", at_ms=9_999, price=Decimal(130), words="after the end")
    drawn = chart([(0, Decimal(100)), (500, Decimal(110))], [stop], [late], (0, 1_000))

    assert drawn is not None
    ends = [tuple(map(float, point.split(","))) for point in drawn.line.split()]
    assert [x for x, _ in ends] == [0, WIDE / 2]
    assert all(0 <= y <= HIGH for _, y in ends)
    assert (drawn.marks[0].x, 0 < float(drawn.marks[0].y) < float(drawn.levels[0].y) < 100) == ("100.00", True)
    assert chart([], [], [], (0, 1)) is None


def test_the_past_is_coarse_and_the_present_fine() -> None:
    spark = Spark()
    for at_ms in range(0, 600_000, 500):
        spark.take(at_ms, Decimal(at_ms))
    points = spark.between(0, 600_000)

    assert points == sorted(points)
    assert points[1][0] - points[0][0] == 4_000
    assert points[-1][0] - points[-2][0] == 500


async def test_old_orders_do_not_hide_what_still_works(stage: Stage) -> None:
    clock = stage.clock
    assert isinstance(clock, HandClock)
    for number, status in enumerate(["FILLED", "NEW", "IN_DOUBT", "CANCELED"]):
        await stage.tell_order(f"o{number}", "MAKER", status, intent_id=f"i{number}")
    for entry in await stage.bus.tail(ROUTER_EVENTS, after="0", count=10, block_ms=0):
        stage.console.watch._take_event(entry.fields)

    working, over = (
        await stage.drawn("orders", "/orders?state=working"),
        await stage.drawn("orders", "/orders?state=over"),
    )

    assert ["o1" in working, "o2" in working, "o0" in working] == [True, True, False]
    assert ["o0" in over, "o3" in over, "o1" in over] == [True, True, False]
    assert 'data-act="cancel"' in working
    assert 'data-act="cancel"' not in over
