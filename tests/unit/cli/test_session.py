"""The demo's trader and watcher against a house of cards."""

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import pytest

from chimera.adapters.memory.bus import MemoryBus
from chimera.cli.up.session import SETTLE_S, End, Event, Session, SessionPlan
from chimera.services.stage.clock import EPOCH_MS, VirtualClock
from chimera.services.stage.loop import DetLoop
from chimera.trading.errors import NotSent
from chimera.trading.market import Side
from chimera.wire.keys import ORDER_RESULTS, ORDERS_EXECUTED, RISK_SL_ARM

STOP = {"client_order_id": "s1", "price": "64800", "qty": "0.007", "rests": "venue"}


def a_row(symbol: str = "BTCUSDT", **known: Any) -> dict[str, Any]:
    return {
        "symbol": symbol, "qty": "0", "entry_price": None, "mark_price": "65800", "unrealized_pnl": "0",
        "realized_pnl": "0", "fees": "0", "stop": None, "target": None, "covered_qty": "0", "unprotected_ms": 0,
        "max_unprotected_ms": 0, "exit": None, "closed_count": 0, **known,
    }  # fmt: skip


class Cards:
    """A house whose positions the test moves by hand."""

    def __init__(self, loop: DetLoop, *rows: dict[str, Any]) -> None:
        self.loop = loop
        self.market_ended = asyncio.Event()
        self.bus = MemoryBus(VirtualClock(loop))
        self.rows = list(rows)
        self.asked: list[tuple[str, Side | None]] = []
        self.answer: dict[str, Any] = {"decision": "skip", "reason": "DEPTH: too thin"}
        self.away = False

    @property
    def streams(self) -> MemoryBus:
        return self.bus

    async def decide(self, symbol: str, side: Side | None) -> dict[str, Any]:
        self.asked.append((symbol, side))
        if self.away:
            raise NotSent("connection refused")
        return self.answer

    async def positions(self) -> Sequence[Mapping[str, Any]]:
        if self.away:
            raise NotSent("connection refused")
        return [dict(row) for row in self.rows]

    def now_ms(self) -> int:
        return EPOCH_MS + self.loop.now_us // 1_000

    async def publish(self, stream: str, **fields: Any) -> None:
        await self.bus.publish(stream, f"e{self.loop.now_us}", {"data": json.dumps(fields)})


@pytest.fixture
def loop() -> Iterator[DetLoop]:
    made = DetLoop(fifo=True)
    yield made
    made.close()


def play(cards: Cards, plan: SessionPlan, *, seconds: float) -> tuple[list[Event], asyncio.Task[End]]:
    told: list[Event] = []
    task = cards.loop.create_task(Session(cards, plan, told.append).run())
    cards.loop.run_for(seconds)
    return told, task


def named(told: list[Event], event: str) -> list[Event]:
    return [each for each in told if each["event"] == event]


PLAN = SessionPlan(symbols=("BTCUSDT",), exit_after=1)


def test_it_decides_while_flat_and_says_why(loop: DetLoop) -> None:
    told, _ = play(cards := Cards(loop, a_row()), PLAN, seconds=10)

    assert len(cards.asked) == 4  # at 0, 3, 6 and 9 s
    assert {each["reason"] for each in named(told, "decision")} == {"DEPTH: too thin"}


def test_it_wishes_for_the_other_side_after_each_open_and_waits_for_what_comes_of_it(loop: DetLoop) -> None:
    cards = Cards(loop, a_row())
    cards.answer = {"decision": "open", "reason": "R-023 fired"}
    play(cards, PLAN, seconds=42)

    assert cards.asked == [("BTCUSDT", Side.BUY), ("BTCUSDT", Side.SELL)]  # 20 s of patience each


def test_an_intent_that_ends_without_a_fill_frees_the_next_decision(loop: DetLoop) -> None:
    cards = Cards(loop, a_row())
    cards.answer = {"decision": "open", "reason": "R-023 fired"}
    loop.call_later(1, lambda: loop.create_task(cards.publish(ORDERS_EXECUTED, symbol="BTCUSDT", filled_qty="0")))
    play(cards, PLAN, seconds=5)

    assert len(cards.asked) == 2


def test_it_asks_for_nothing_while_a_position_is_open_and_ends_once_enough_are_closed(loop: DetLoop) -> None:
    cards = Cards(loop, a_row(qty="0.007", stop=STOP))
    told, task = play(cards, PLAN, seconds=10)
    assert cards.asked == []
    assert named(told, "position")[0]["carried"] is True

    cards.rows[0] = a_row(closed_count=1, realized_pnl="0.5", fees="0.2")
    loop.run_for(1 + SETTLE_S)

    assert task.result() is End.ENOUGH
    assert [(each["closed"], each["pnl_usdt"]) for each in named(told, "closed")] == [(1, "0.3")]


def test_profit_of_a_position_is_counted_from_when_it_was_last_flat(loop: DetLoop) -> None:
    cards = Cards(loop, a_row(realized_pnl="7", fees="1"))
    told, _ = play(cards, PLAN.but(exit_after=9), seconds=1)
    for row in (
        a_row(qty="0.007", stop=STOP, realized_pnl="7", fees="1.2"),
        a_row(closed_count=1, realized_pnl="6.5", fees="1.5"),
    ):
        cards.rows[0] = row
        loop.run_for(1)

    assert [each["pnl_usdt"] for each in named(told, "closed")] == ["-1"]


def test_positions_closed_before_it_came_are_not_its_own(loop: DetLoop) -> None:
    _, task = play(Cards(loop, a_row(closed_count=5)), PLAN, seconds=5)

    assert not task.done()


def test_it_opens_no_more_than_it_may_close(loop: DetLoop) -> None:
    cards = Cards(loop, a_row("BTCUSDT", qty="0.007"), a_row("ETHUSDT"))
    play(cards, SessionPlan(symbols=("BTCUSDT", "ETHUSDT"), exit_after=1), seconds=10)

    assert cards.asked == []


def test_a_market_that_ends_ends_it(loop: DetLoop) -> None:
    cards = Cards(loop, a_row())
    loop.call_later(2, cards.market_ended.set)
    _, task = play(cards, PLAN, seconds=5)

    assert task.result() is End.MARKET_ENDED


def test_services_that_are_away_are_told_and_waited_for(loop: DetLoop) -> None:
    cards = Cards(loop, a_row())
    told, task = play(cards, PLAN, seconds=1)
    cards.away = True
    loop.run_for(5)

    assert named(told, "decision")[-1]["reason"] == "NotSent: connection refused"
    assert not task.done()


def test_fills_and_armed_stops_are_told_as_they_come(loop: DetLoop) -> None:
    cards = Cards(loop, a_row())
    told, _ = play(cards, PLAN, seconds=1)
    fill = {"kind": "FILL", "symbol": "BTCUSDT", "side": "BUY", "price": "65800", "qty": "0.007", "ref": "c-t1"}
    loop.create_task(cards.publish(RISK_SL_ARM, symbol="BTCUSDT", trigger_price="64800", qty="0.007", ref="c-s1"))
    loop.create_task(cards.publish(ORDER_RESULTS, **fill))
    loop.create_task(cards.publish(ORDER_RESULTS, **(fill | {"kind": "CHILD"})))
    loop.run_for(1)

    assert named(told, "protected")[0]["stop"] == "64800"
    assert [Decimal(each["qty"]) for each in named(told, "fill")] == [Decimal("0.007")]
