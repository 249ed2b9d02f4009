"""Finding and surveying where the two order services disagree or lag: each answer given by the test."""

import random
from typing import Any

import msgspec
import pytest

from chimera.adapters.binance import payloads, translate
from chimera.adapters.binance.account import open_futures
from chimera.adapters.binance.order_names import OrderNames
from chimera.trading.errors import OutcomeUnknown
from chimera.trading.ids import ClientOrderId, Symbol, VenueOrderId, child_of
from chimera.trading.money import Millis
from chimera.trading.order import Status
from chimera.trading.venue import DOUBT_MARGIN_MS, OrderRef
from support.lookups import Answers, NoonClock

BTC = Symbol("BTCUSDT")
STOP = OrderRef(symbol=BTC, ref=ClientOrderId("a-s1"), conditional=True)
UNKNOWN = {"code": -2013, "msg": "Order does not exist."}
ALGO: dict[str, Any] = {
    "algoId": 1000, "clientAlgoId": "a-s1", "algoType": "CONDITIONAL", "orderType": "STOP_MARKET", "symbol": "BTCUSDT",
    "side": "SELL", "quantity": "0.010", "algoStatus": "FINISHED", "triggerPrice": "65000.00", "reduceOnly": True,
    "updateTime": 5, "actualOrderId": "77",
}  # fmt: skip
CHILD: dict[str, Any] = {
    "symbol": "BTCUSDT", "clientOrderId": "a-s1", "orderId": 77, "side": "SELL", "type": "MARKET",
    "origType": "STOP_MARKET", "status": "FILLED", "origQty": "0.010", "executedQty": "0.010", "stopPrice": "65000",
    "reduceOnly": True, "updateTime": 6,
}  # fmt: skip
TRADE: dict[str, Any] = {
    "id": 1, "orderId": 77, "symbol": "BTCUSDT", "side": "SELL", "price": "65000", "qty": "0.010", "commission": "0.1",
    "commissionAsset": "USDT", "realizedPnl": "0", "maker": False, "time": 9,
}  # fmt: skip


class LaterClock(NoonClock):
    """Of the first moment at which a read of the trade's order cannot lag any more."""

    def now_ms(self) -> Millis:
        return Millis(TRADE["time"] + DOUBT_MARGIN_MS + 1)


def opened(venue: Answers, clock: NoonClock | None = None) -> Any:
    return open_futures(venue, "key", "secret", clock or NoonClock(), jitter=random.Random(0))


async def found(venue: Answers) -> Any:
    return await opened(venue).venue.find(STOP)


@pytest.mark.fault("B22")
async def test_the_child_says_how_a_finished_stop_ended() -> None:
    for word, status in (("FILLED", Status.FILLED), ("EXPIRED", Status.EXPIRED), ("NEW", Status.TRIGGERING)):
        venue = Answers(algoOrder=ALGO, order=CHILD | {"status": word, "executedQty": "0.004"})

        order = await found(venue)

        assert (order.status, str(order.cum_qty), order.ref, order.conditional) == (status, "0.004", "a-s1", True)
        assert venue.asked[1][1]["orderId"] == "77"


@pytest.mark.req("I11")
@pytest.mark.parametrize("word", ["FINISHED", "TRIGGERED", "TRIGGERING"])
async def test_a_triggered_stop_whose_child_is_not_seen_is_triggering(word: str) -> None:
    for algo in (ALGO, ALGO | {"actualOrderId": ""}):
        order = await found(Answers(algoOrder=algo | {"algoStatus": word}, order=UNKNOWN))

        assert (order.status, order.cum_qty) == (Status.TRIGGERING, 0)


@pytest.mark.fault("B22")
@pytest.mark.incident(22)
async def test_a_child_is_found_though_the_algo_service_lags() -> None:
    assert (await found(Answers(algoOrder=UNKNOWN, order=CHILD))).status is Status.FILLED
    assert await found(Answers(algoOrder=UNKNOWN, order=UNKNOWN)) is None


@pytest.mark.parametrize(
    "change", [{"orderId": 78}, {"symbol": "ETHUSDT"}, {"status": None}, {"origQty": "-1"}, {"executedQty": "1E+99999"}]
)
@pytest.mark.fault("B33")
async def test_an_answer_about_another_child_is_no_answer(change: dict[str, Any]) -> None:
    with pytest.raises(OutcomeUnknown):
        await found(Answers(algoOrder=ALGO, order=CHILD | change))


@pytest.mark.parametrize("change", [{"clientAlgoId": "a-s2"}, {"symbol": "ETHUSDT"}, {"quantity": "many"}])
@pytest.mark.fault("B33")
async def test_an_answer_about_another_stop_is_no_answer(change: dict[str, Any]) -> None:
    with pytest.raises(OutcomeUnknown):
        await found(Answers(algoOrder=ALGO | change, order=CHILD))


def a_survey(**changes: Any) -> Answers:
    plain: dict[str, Any] = {
        "openAlgoOrders": [], "openOrders": [], "positionRisk": [], "userTrades": [], "order": CHILD,
    }  # fmt: skip
    return Answers(**plain | changes)


async def test_a_stop_that_triggers_between_two_queries_is_one_order() -> None:
    venue = a_survey(
        openAlgoOrders=[ALGO | {"algoStatus": "NEW", "actualOrderId": ""}],
        openOrders=[CHILD | {"status": "PARTIALLY_FILLED", "executedQty": "0.001"}],
    )

    snapshot = await opened(venue).records.survey(BTC, Millis(1))

    (order,) = snapshot.orders
    assert (order.status, str(order.cum_qty), str(order.trigger_price)) == (
        Status.PARTIALLY_FILLED,
        "0.001",
        "65000.00",
    )
    assert [name for name, _ in venue.asked] == ["openAlgoOrders", "openOrders", "positionRisk", "userTrades"]
    assert (snapshot.position.qty, snapshot.asked_ms) == (0, 100)


async def test_a_trade_is_named_by_its_order_once() -> None:
    venue = a_survey(userTrades=[TRADE, TRADE | {"id": 2}])
    books = opened(venue).records

    for _ in range(2):
        snapshot = await books.survey(BTC, Millis(1))
        assert [fill.ref for fill in snapshot.trades] == ["a-s1", "a-s1"]
    assert sum(name == "order" for name, _ in venue.asked) == 1


@pytest.mark.parametrize("order", [UNKNOWN, CHILD | {"orderId": 5}, CHILD | {"symbol": "ETHUSDT"}])
async def test_a_trade_without_its_order_fails_the_survey(order: dict[str, Any]) -> None:
    with pytest.raises(OutcomeUnknown):
        await opened(a_survey(userTrades=[TRADE], order=order)).records.survey(BTC, Millis(1))


@pytest.mark.req("S4-REC-1")
async def test_an_old_trade_of_an_order_that_is_forgotten_is_nobodys_and_hides_no_position() -> None:
    venue = a_survey(userTrades=[TRADE], order=UNKNOWN)

    (trade,) = (await opened(venue, LaterClock()).records.survey(BTC, Millis(1))).trades

    assert (trade.ref, trade.trade_id, child_of(trade.ref)) == ("forgotten-77", "1", None)


@pytest.mark.parametrize(
    "change",
    [
        {"openOrders": [CHILD | {"symbol": "ETHUSDT"}]},
        {"openOrders": {"orders": []}},
        {"userTrades": [TRADE | {"price": "0"}]},
        {"userTrades": [TRADE | {"symbol": "ETHUSDT"}]},
        {"positionRisk": [{"symbol": "BTCUSDT", "positionAmt": "NaN", "entryPrice": "1"}]},
    ],
)
@pytest.mark.fault("B33")
async def test_half_a_picture_is_no_picture(change: dict[str, Any]) -> None:
    with pytest.raises(OutcomeUnknown):
        await opened(a_survey(**change)).records.survey(BTC, Millis(1))


async def test_a_symbol_that_cannot_be_read_hides_no_other() -> None:
    good = {
        "symbol": "BTCUSDT", "status": "TRADING", "contractType": "PERPETUAL", "baseAsset": "BTC", "quoteAsset": "USDT",
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": "0.1", "maxPrice": "9", "tickSize": "0.1"},
            {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "9", "stepSize": "0.001"},
        ],
    }  # fmt: skip
    rules = opened(Answers(exchangeInfo={"symbols": [{"symbol": 5}, good]})).rulebook

    assert [each.symbol for each in await rules.instruments()] == ["BTCUSDT"]
    with pytest.raises(OutcomeUnknown):
        await opened(Answers(exchangeInfo={"symbols": [{"symbol": 5}]})).rulebook.instruments()


def test_remembered_names_are_bounded() -> None:
    names = OrderNames(limit=2)
    for number in range(3):
        names.note(_named(number))

    assert names.of(BTC, VenueOrderId("0")) is None
    assert names.of(BTC, VenueOrderId("2")) == "a-m2"
    assert names.of(Symbol("ETHUSDT"), VenueOrderId("2")) is None


def _named(number: int) -> Any:
    row = msgspec.convert(CHILD | {"orderId": number, "clientOrderId": f"a-m{number}"}, payloads.OrderRow)
    return translate.order(row)


@pytest.mark.fault("C10", "B29")
async def test_a_symbol_whose_book_has_an_empty_side_is_told_with_its_mark_alone() -> None:
    row = {"bidPrice": "1", "bidQty": "1", "askPrice": "2", "askQty": "1"}
    books = [row | {"symbol": "ETHUSDT"}, row | {"symbol": "BTCUSDT", "bidPrice": "0"}, row | {"symbol": "XRPUSDT"}]
    marks = [{"symbol": "ETHUSDT", "markPrice": "1.5"}, {"symbol": "BTCUSDT", "markPrice": "60000"}]

    told = await opened(Answers(bookTicker=books, premiumIndex=marks)).rulebook.prices()

    assert {symbol: (touch is None, str(mark)) for symbol, (touch, mark) in told.items()} == {
        "ETHUSDT": (False, "1.5"),
        "BTCUSDT": (True, "60000"),
    }
