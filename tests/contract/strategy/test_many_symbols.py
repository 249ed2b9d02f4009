"""Several symbols decided at once, both ways and on both markets: each by its own market, none in another's way."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from strategy_world import D, Slow, Stage, a_rule, activate, until

from chimera.adapters.memory.bus import MemoryBus
from chimera.adapters.memory.ledger import MemoryLedger
from chimera.services.strategy.demo import register_instruments
from chimera.trading.intent import Intent
from chimera.trading.market import Market, Side
from chimera.wire.decisions import BatchRequest, DecideRequest
from chimera.wire.registry import Listed, read_listed

pytestmark = pytest.mark.req("S3-API-3", "S3-L0-3", "S3-LOCK-1", "DE-1")

# bid, ask, ATR, quantity at the touch, tick, step
MARKETS = {
    "BTCUSDT": ("65800", "65801", "60", "9", "0.1", "0.001"),
    "ETHUSDT": ("3150.20", "3150.30", "4", "90", "0.01", "0.001"),
    "SOLUSDT": ("140.01", "140.02", "0.2", "900", "0.01", "0.1"),
    "XRPUSDT": ("2.1500", "2.1501", "0.004", "90000", "0.0001", "1"),
    "DOGEUSDT": ("0.16180", "0.16181", "0.0004", "900000", "0.00001", "1"),
}
WISHES = [(symbol, market, side) for symbol in MARKETS for market in Market for side in Side]


@pytest.fixture
async def stage() -> Stage:
    stage = Stage(S3_SYMBOLS="*", S3_CONCURRENT_ENTRIES_PER_MARKET="100")
    stage.ledger = MemoryLedger(faults=Slow(1))
    stage.bus = MemoryBus(stage.clock, faults=Slow(2))
    await stage.show()
    await stage.plenty()
    for symbol, (bid, ask, atr, qty, *_) in MARKETS.items():
        await stage.show_symbol(symbol, bid, ask, atr, qty)
    return stage


async def list_them(stage: Stage) -> None:
    await register_instruments(
        stage.ledger,
        [
            Listed(
                instrument=read_listed(
                    {"symbol": symbol, "market": market.value, "tickSize": tick, "stepSize": step, "minNotional": "5"}
                ).instrument
            )
            for symbol, (*_, tick, step) in MARKETS.items()
            for market in Market
        ],
    )
    await activate(stage, 7, a_rule("ALL", {"type": "size_mult", "value": 1}))


async def decided(stage: Stage, wishes: Sequence[tuple[str, Market, Side]]) -> list[Any]:
    async with stage.process() as strategy:
        await list_them(stage)
        await strategy.config.refresh()
        requests = [DecideRequest(symbol=symbol, market=market, sideHint=side) for symbol, market, side in wishes]
        answers = (await strategy.decide_batch(BatchRequest(requests=requests))).results

        async def delivered() -> bool:
            return strategy._dispatcher.pending == 0

        await until(delivered, turns=100_000)
        return answers


def own_side(intent: Intent) -> None:
    """Its stop and target stand around its own symbol's price, each on its side."""
    bid, ask, *_, tick, step = (D(part) for part in MARKETS[intent.symbol])
    assert intent.stop is not None
    assert intent.stop.price is not None
    assert intent.stop.price % tick == 0
    assert intent.qty % step == 0
    assert D(5) <= intent.qty * ask <= D(400) + step * ask / 2
    distance = (bid - intent.stop.price) if intent.side is Side.BUY else (intent.stop.price - ask)
    assert 0 < distance < ask / 100
    if intent.market is Market.SPOT:
        assert intent.side is Side.BUY
        assert intent.target is not None
        assert ask < intent.target.value < ask * D("1.02")


async def test_each_is_decided_by_its_own_market_both_ways_on_both(stage: Stage) -> None:
    answers = await decided(stage, WISHES)

    for (symbol, market, side), answer in zip(WISHES, answers, strict=True):
        assert (answer["symbol"], answer["market"]) == (symbol, market)
        if market is Market.SPOT and side is Side.SELL:
            assert [reason["code"] for reason in answer["reasons"]] == ["SPOT_LONG_ONLY"]
        else:
            assert answer["decision"] == "open", answer["reason"]
    got = {(str(intent.symbol), intent.market, intent.side): intent for intent in stage.router.got}
    assert set(got) == {wish for wish in WISHES if wish[1:] != (Market.SPOT, Side.SELL)}
    assert len(stage.router.got) == len(got) == len({intent.client_order_id for intent in got.values()})
    for intent in got.values():
        own_side(intent)


async def test_a_symbol_that_cannot_be_decided_stops_none_of_the_others(stage: Stage) -> None:
    """One has no touch, one a locked book, one a factor that is no number, one is not listed."""
    await stage.show_symbol("ETHUSDT", "3150.20", "3150.20", "4", "90")
    await stage.show_symbol("SOLUSDT", "140.01", "140.02", "NaN", "900")
    wishes = [(symbol, Market.FUT, Side.BUY) for symbol in (*MARKETS, "NOSUCH")]

    answers = await decided(stage, wishes)

    told = {answer["symbol"]: [reason["code"] for reason in answer["reasons"]] for answer in answers}
    assert told == {
        "BTCUSDT": [], "ETHUSDT": ["MARKET_CROSSED"], "SOLUSDT": ["FEATURE_INVALID"], "XRPUSDT": [], "DOGEUSDT": [],
        "NOSUCH": ["MARKET_MISSING"],
    }  # fmt: skip
    assert sorted(intent.symbol for intent in stage.router.got) == ["BTCUSDT", "DOGEUSDT", "XRPUSDT"]


async def test_of_all_symbols_at_once_as_many_open_as_the_budget_has_room_for(stage: Stage) -> None:
    """Margin for three: the entries of one market share it, whichever symbols they are of."""
    await stage.budget(remaining_margin_usdt=D(65), remaining_notional_usdt=D(10**9), loss="1000")

    answers = await decided(stage, [(symbol, Market.FUT, Side.SELL) for symbol in MARKETS])

    assert sorted(answer["decision"] for answer in answers) == ["open"] * 3 + ["skip"] * 2
    skipped = [answer for answer in answers if answer["decision"] == "skip"]
    assert all([reason["code"] for reason in answer["reasons"]] == ["BUDGET_MARGIN"] for answer in skipped)
    assert len(stage.router.got) == 3


async def test_the_same_symbol_many_times_at_once_opens_as_often_as_may_be(stage: Stage) -> None:
    stage.settings = stage.settings.model_copy(update={"concurrent_entries_per_market": 2})

    answers = await decided(stage, [("BTCUSDT", Market.FUT, Side.BUY)] * 6 + [("ETHUSDT", Market.FUT, Side.SELL)] * 6)

    assert [answer["decision"] for answer in answers].count("open") == 2
    assert len(stage.router.got) == 2


@pytest.mark.parametrize("seed", range(6))
async def test_of_two_entries_on_spot_by_futures_touch_one_opens_where_there_is_room_for_one(seed: int) -> None:
    """Telling of the touch that was lent comes behind the reserve, else each would be in the other's way."""
    stage = Stage(S3_SYMBOLS="*", S3_CONCURRENT_ENTRIES_PER_MARKET="1")
    stage.bus = MemoryBus(stage.clock, faults=Slow(seed))
    await stage.show()
    await stage.plenty()
    for symbol in ("BTCUSDT", "ETHUSDT"):
        await stage.show_symbol(symbol, *MARKETS[symbol][:4])
    async with stage.process(seed) as strategy:
        await list_them(stage)
        await strategy.config.refresh()
        wishes = [
            DecideRequest(symbol=symbol, sideHint=Side.BUY, market=Market.SPOT) for symbol in ("BTCUSDT", "ETHUSDT")
        ]
        answers = await asyncio.gather(*map(strategy.decide, wishes))

    assert sorted(answer.decision for answer in answers) == ["open", "skip"]


async def test_one_of_a_batch_that_breaks_hides_nothing_of_the_others(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage.process() as strategy:
        await list_them(stage)
        await strategy.config.refresh()
        look = strategy._judge.board.look

        async def breaking(symbol: str) -> Any:
            if symbol == "ETHUSDT":
                raise ArithmeticError("nobody thought of this")
            return await look(symbol)

        monkeypatch.setattr(strategy._judge.board, "look", breaking)
        batch = BatchRequest.model_validate({"symbols": ["BTCUSDT", "ETHUSDT", "SOLUSDT"], "sideHint": "BUY"})
        results = (await strategy.decide_batch(batch)).results

    assert [result.get("decision", result.get("code")) for result in results] == ["open", "INTERNAL", "open"]
