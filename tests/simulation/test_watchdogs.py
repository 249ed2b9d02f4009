"""Watchdogs in the world: what each keeps back, what it never touches, and what it tells."""

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from chimera.admit import vigil
from chimera.trading.errors import Refused
from chimera.trading.ids import IntentId
from chimera.trading.market import Market, Side
from chimera.trading.money import Qty
from support.incident_stage import Kind, Stage, Story, Told, a_wish, asked, play, steps, without
from world.plan import Away, ClockStep

ORDERS = {"path": "/fapi/v1/order", "method": "POST"}
SECOND = a_wish(1, 8.0, hold_s=10)


def entered_s(told: Told, number: int) -> list[float]:
    """When entries of this wish were accepted."""
    return [each.at_us / 1e6 for each in told.entries if each.client_order_id.startswith(f"s3-w{number}-")]


def asked_s(told: Told, path: str, method: str = "GET") -> list[float]:
    return [at_s for at_s, request in told.requests if request.path == path and request.method == method]


async def close(stage: Stage, qty: Qty | None = None) -> None:
    await stage.ask_s4("close", lambda router: router.close(Market.FUT, "BTCUSDT", qty, "HAND"))


async def health(stage: Stage) -> None:
    async def look(router: Any) -> Any:
        return router.health()

    await stage.ask_s4("health", look)


def barriers(told: Told) -> list[str]:
    return [each["code"] for each in told.stage.answers["health"]["barriers"]]


def refuses_streams(from_s: float, to_s: float) -> tuple[tuple[float, Callable[[Stage], Any]], ...]:
    """Connections are made and end at once, as often as they are tried (fault C8)."""

    async def away(stage: Stage) -> None:
        stage.world.venue.cut_all()
        stage.world.venue.join = lambda connection: connection.cut()  # type: ignore[method-assign]

    async def back(stage: Stage) -> None:
        del stage.world.venue.join

    return ((from_s, away), (to_s, back))


async def deafen(stage: Stage) -> None:
    """Open and mute: no frame of this connection ever comes again."""
    for connections in stage.world.venue._streams.values():
        for connection in connections:
            connection.deaf = True


# ── the user stream ──


@pytest.mark.incident(23)
@pytest.mark.fault("C8")
@pytest.mark.req("S4-NET-1", "I10")
def test_without_a_user_stream_nothing_enters_and_positions_are_polled() -> None:
    hands = (*refuses_streams(5.0, 15.0), (10.0, health))
    below_the_fall = SECOND.but(stop_bps=200)  # so that it may still enter once the stream is back
    told = play(Story(wishes=(a_wish(), below_the_fall), hands=hands, moves=((11.0, -80),)))

    assert told.broken == []
    assert barriers(told) == ["USER_STREAM"]
    assert told.stage.answers["health"]["watchdogs"]["polling"] is True
    assert min(entered_s(told, 1)) > 15
    assert len(asked_s(told, "/fapi/v3/positionRisk")) >= 5
    assert [code for code in told.alerts if code.startswith("USER_STREAM")] == ["USER_STREAM", "USER_STREAM_OVER"]
    assert told.position(11.5) == 0  # the venue's stop had fired
    assert len(told.stage.fills) >= 2  # the ledger has the stop's trade, too


@pytest.mark.fault("C8")
def test_the_barrier_of_the_stream_holds_up_no_close() -> None:
    told = play(Story(wishes=(a_wish(),), hands=(*refuses_streams(5.0, 15.0), (10.0, close))))

    assert told.broken == []
    assert told.position(10.5) == 0


@pytest.mark.incident(20)
@pytest.mark.fault("C5")
@pytest.mark.req("I10")
def test_incident_20_a_stream_that_is_open_and_deaf_is_found_out_and_made_anew() -> None:
    second = a_wish(1, 5.0, hold_s=8)
    story = Story(wishes=(a_wish(hold_s=30), second), hands=((4.0, deafen),), rough_s=34.0)
    told = play(story)

    assert told.broken == []
    assert told.alerts.count("STREAM_DEAF") == 1
    assert len(asked_s(told, "/fapi/v1/listenKey", "POST")) == 2
    assert told.stage.fills
    with without(("chimera.admit.vigil:Hearing", "deaf", None)):
        assert "STREAM_DEAF" not in play(story).alerts


@pytest.mark.incident(20)
def test_incident_20_one_lost_frame_is_polled_for_and_ends_no_connection() -> None:
    lost = {"name": "frame_drop", "match": {"event": "ORDER_TRADE_UPDATE"}, "count": 2}
    told = play(Story(wishes=(a_wish(),), faults=(lost,)))

    assert told.broken == []
    assert told.bought == steps(10)
    assert "STREAM_DEAF" not in told.alerts
    assert len(asked_s(told, "/fapi/v1/listenKey", "POST")) == 1


@pytest.mark.incident(23)
@pytest.mark.fault("C6")
def test_incident_23_a_listen_key_that_expires_is_told_and_replaced() -> None:
    gone = {"name": "listen_key_lost", "when": {"from_ms": 6_000}, "count": 1}
    told = play(Story(wishes=(a_wish(), SECOND), faults=(gone,)))

    assert told.broken == []
    assert "LISTEN_KEY_EXPIRED" in told.alerts
    assert len(asked_s(told, "/fapi/v1/listenKey", "POST")) == 2
    assert told.answers == {"w-0": "FILLED", "w-1": "FILLED"}


# ── clocks and the loop ──


@pytest.mark.fault("A15")
@pytest.mark.req("S4-CLOCK-1", "I29")
@pytest.mark.parametrize("by_ms", [3_600_000, -3_600_000, 5_000])
def test_a_step_of_the_wall_clock_changes_nothing(by_ms: int) -> None:
    """Not one order comes earlier or later, and nobody is told: what is timed is timed by the monotonic clock."""
    story = Story(wishes=(a_wish(), SECOND), moves=((11.0, -80),))
    plain, stepped = (
        play(story),
        play(Story(wishes=story.wishes, moves=story.moves, blows=(ClockStep(at_s=6.0, by_ms=by_ms),))),
    )

    assert stepped.broken == []
    assert [(each.at_us, each.kind, each.client_order_id) for each in stepped.audit] == [
        (each.at_us, each.kind, each.client_order_id) for each in plain.audit
    ]
    assert "CLOCK" not in stepped.alerts


@pytest.mark.fault("A16")
@pytest.mark.req("S4-CLOCK-1", "I29")
@pytest.mark.parametrize(
    ("ms", "expected", "bars"), [(700, ["CLOCK_OFFSET"], False), (6_000, ["CLOCK", "CLOCK_OFFSET"], True)]
)
def test_a_venue_whose_clock_is_off_is_told_at_half_a_second_and_barred_beyond_one(
    ms: int, expected: list[str], bars: bool
) -> None:
    skew = {"name": "clock_skew", "when": {"from_ms": 4_500, "to_ms": 24_000}, "params": {"ms": ms}}
    late = a_wish(1, 17.0, hold_s=5)
    told = play(Story(wishes=(a_wish(), late), faults=(skew,), hands=((18.0, close),), rough_s=26.0))

    assert told.broken == []
    assert sorted(code for code in told.alerts if code in ("CLOCK", "CLOCK_OFFSET")) == expected
    assert any(17 <= at_s < 24 for at_s in entered_s(told, 1)) is not bars
    assert told.position(19.0) == 0  # the close went through at once, whatever the clock


@pytest.mark.fault("A12")
@pytest.mark.req("I10", "I30")
def test_a_loop_that_hung_takes_nothing_until_it_was_calm_and_goes_on_protecting() -> None:
    async def hang(stage: Stage) -> None:
        async def block(_: Any) -> None:
            stage.world.loop.now_us += 2_000_000  # two seconds in which nobody runs

        await stage.ask_s4("hang", block)

    told = play(Story(wishes=(a_wish(), SECOND), hands=((6.0, hang), (9.0, health), (10.0, close))))

    assert told.broken == []
    assert barriers(told) == ["LOOP_LAG"]
    assert told.stage.answers["health"]["watchdogs"]["loop_worst_lag_ms"] >= 1_900
    assert [code for code in told.alerts if "LOOP" in code] == [
        "LOOP_LAG", "LOOP_SLOW", "LOOP_LAG_OVER", "LOOP_SLOW_OVER",
    ]  # fmt: skip
    assert told.position(10.5) == 0
    assert min(entered_s(told, 1)) > 18


# ── stores and queues ──


@pytest.mark.fault("D13")
@pytest.mark.req("I24")
def test_while_redis_is_away_entries_are_refused_at_once_and_exits_work() -> None:
    async def knock(stage: Stage) -> None:
        intent = stage.world.callers._intent(a_wish(7))
        began = stage.world.loop.time()
        with pytest.raises(Refused) as no:
            await stage.ask_s4("knock", lambda router: router.submit(intent, "hash", wait_ms=0))
        stage.answers["refused"] = (no.value.code, stage.world.loop.time() - began)
        stage.answers["why"] = no.value.message

    away = Away(what="bus", at_s=5.0, for_s=60.0)
    hands = ((9.0, health), (11.0, knock), (12.0, close))
    second = a_wish(1, 55.0, hold_s=20)  # a caller gives up after some time
    told = play(Story(wishes=(a_wish(hold_s=90), second), blows=(away,), hands=hands, rough_s=70.0))

    assert told.broken == []
    code, took_s = told.stage.answers["refused"]
    assert (code, took_s < 0.1) == ("BUS_AWAY", True), took_s
    assert told.stage.answers["why"].startswith("Redis has taken nothing for more than 2000 ms: "), "and what it said"
    assert barriers(told) == ["BUS_AWAY"]
    assert min(entered_s(told, 1)) > 65
    assert told.position(12.5) == 0
    assert [code for code in told.alerts if "BUS" in code] == ["BUS_AWAY", "BUS_AWAY_OVER"]


@pytest.mark.req("I24")
@pytest.mark.fault("E1")
def test_while_the_ledger_is_away_entries_are_refused_and_exits_work() -> None:
    away = Away(what="ledger", at_s=4.0, for_s=16.0)
    told = play(Story(wishes=(a_wish(hold_s=60), SECOND), blows=(away,), hands=((5.0, close), (9.0, health))))

    assert told.broken == []
    assert "LEDGER_AWAY" in barriers(told)
    assert told.position(5.5) == 0
    assert min(entered_s(told, 1)) > 20
    assert [code for code in told.alerts if "LEDGER_AWAY" in code] == ["LEDGER_AWAY", "LEDGER_AWAY_OVER"]


@pytest.mark.fault("G18", "C11")
@pytest.mark.req("I30")
def test_queues_beyond_their_bounds_take_no_entry_and_hold_up_no_exit() -> None:
    """An entry's own burst is 9 events at most; two parts closed and the rest, which nobody relays, are twice that."""
    away = Away(what="bus", at_s=3.5, for_s=9.0)
    hands = ((4.5, partial(close, qty=steps(3))), (5.0, partial(close, qty=steps(3))), (5.5, close), (9.0, health))
    story = Story(wishes=(a_wish(2, 3.0, hold_s=60), SECOND), blows=(away,), hands=hands)
    with without(("chimera.admit.vigil", "BOUNDS", vigil.BOUNDS.but(outbox=12))):
        told = play(story)

    assert told.broken == []
    assert "QUEUE_FULL" in barriers(told)
    assert [told.position(at_s) for at_s in (4.4, 4.9, 5.4, 5.9)] == [steps(10), steps(7), steps(4), 0]
    assert [code for code in told.alerts if "QUEUE" in code] == ["QUEUE_FULL", "QUEUE_FULL_OVER"]
    assert min(entered_s(told, 1)) > 12


@pytest.mark.fault("C10")
@pytest.mark.req("I21")
def test_a_market_that_nobody_has_seen_for_a_while_is_no_market() -> None:
    """The feed is away and the venue does not answer for prices; a stop goes out all the same."""
    away = Away(what="bus", at_s=5.0, for_s=8.0)
    mute = {
        "name": "timeout_before",
        "match": {"method": "GET", "path": "/fapi/v1/ticker/bookTicker"},
        "when": {"from_ms": 5_000, "to_ms": 13_000},
    }
    told = play(Story(wishes=(a_wish(), SECOND), blows=(away,), faults=(mute,), hands=((9.5, health), (10.0, close))))

    assert told.broken == []
    assert "MARKET_STALE" in barriers(told)
    assert [code for code in told.alerts if "MARKET" in code] == ["MARKET_STALE", "MARKET_STALE_OVER"]
    assert told.position(10.5) == 0
    assert min(entered_s(told, 1)) > 13


@pytest.mark.fault("C10")
@pytest.mark.req("I21", "I18")
def test_an_order_that_only_reduces_needs_no_price() -> None:
    """It was refused with NO_MARKET_DATA for as long as the market was away, though nothing of it is judged by one."""

    async def reduce(stage: Stage) -> None:
        intent = stage.world.callers._intent(a_wish(7)).but(
            side=Side.SELL, qty=Qty(steps(4)), reduce_only=True, stop=None, target=None, max_hold_s=None
        )
        await stage.ask_s4("reduced", lambda router: router.submit(intent, "hash", wait_ms=2_000))
        previewed = intent.but(intent_id=IntentId("preview"))
        with pytest.raises(Refused) as no:
            await stage.ask_s4("seen", lambda router: router.preview(previewed))
        stage.answers["preview"] = no.value.code

    away = Away(what="bus", at_s=5.0, for_s=20.0)
    mute = tuple(
        {
            "name": "timeout_before",
            "match": {"method": "GET", "path": path},
            "when": {"from_ms": 5_000, "to_ms": 25_000},
        }
        for path in ("/fapi/v1/ticker/bookTicker", "/fapi/v1/premiumIndex")
    )
    told = play(Story(wishes=(a_wish(hold_s=22),), blows=(away,), faults=mute, hands=((18.0, reduce),), rough_s=30.0))

    assert told.broken == []
    assert told.stage.answers["reduced"].row["status"] == "FILLED"
    assert told.position(19.5) == steps(6)
    assert told.stage.answers["preview"] == "NO_MARKET_DATA"


# ── the account's alerts ──


@pytest.mark.req("S4-ALR-1")
@pytest.mark.parametrize(("cut", "told_of"), [(False, 1), (True, 0)])
def test_orders_that_fail_three_times_in_a_row_are_told_once_and_not_for_a_barrier(cut: bool, told_of: int) -> None:
    """``cut``: the user stream ends with it, and entries wait behind its barrier, which has an alert of its own."""
    gone = {"name": "maintenance", "match": ORDERS, "when": {"from_ms": 2_000, "to_ms": 14_000}, "params": {"cut": cut}}
    wishes = tuple(a_wish(number, 3.0 + number, hold_s=6) for number in range(4))
    told = play(Story(wishes=wishes, faults=(gone,)))

    assert told.broken == []
    assert told.alerts.count("ORDERS_FAILING") == told_of
    assert told.alerts.count("USER_STREAM") >= cut


@pytest.mark.req("S4-ALR-1")
def test_lack_of_balance_three_times_in_ten_minutes_is_told_once() -> None:
    poor = {"name": "balance_too_low", "when": {"from_ms": 2_000, "to_ms": 14_000}}
    wishes = tuple(a_wish(number, 3.0 + number, hold_s=6) for number in range(4))
    told = play(Story(wishes=wishes, faults=(poor,)))

    assert told.broken == []
    assert told.alerts.count("INSUFFICIENT_BALANCE_OFTEN") == 1


@pytest.mark.incident(21)
@pytest.mark.req("I10", "I11")
def test_incident_21_a_stop_that_fires_and_never_fills_is_told_and_the_position_closed() -> None:
    stuck = {"name": "stuck_triggering", "when": {"from_ms": 4_000, "to_ms": 20_000}}
    told = play(Story(wishes=(a_wish(),), faults=(stuck,), moves=((6.0, -60),), bare_s=4.0))

    assert "STOP_STUCK" in told.alerts
    assert told.position(9.5) == Decimal(0)
    assert told.only(Kind.FILL, "x")
    assert asked(told.requests[0][1]) is not None
