"""Spot answers that are about something else, or say less than was asked: never taken for what was asked."""

import random
from decimal import Decimal
from typing import Any

import pytest

from chimera.adapters.binance.spot.account import BinanceSpot, open_spot
from chimera.trading.errors import OutcomeUnknown, VenueRejected
from chimera.trading.ids import ClientOrderId, Symbol, TradeId
from chimera.trading.market import Side
from chimera.trading.money import Millis, Price, Qty
from chimera.trading.order import NewOrder, OrderType, Status, TimeInForce
from chimera.trading.venue import OrderRef
from support.lookups import Answers, NoonClock

BTC = Symbol("BTCUSDT")
UNKNOWN = {"code": -2013, "msg": "Order does not exist."}
ARCHIVED = {"code": -2026, "msg": "Order was canceled or expired with no executed qty over 90 days ago"}
LEG = {
    "symbol": "BTCUSDT", "orderId": 8, "orderListId": 3, "clientOrderId": "a-p1", "price": "61000", "origQty": "0.01",
    "executedQty": "0", "status": "NEW", "type": "LIMIT_MAKER", "side": "SELL", "workingTime": 5, "transactTime": 5,
}  # fmt: skip
STOP_LEG = LEG | {"orderId": 9, "clientOrderId": "a-s1", "type": "STOP_LOSS_LIMIT", "workingTime": -1}
LIST = {
    "orderListId": 3, "contingencyType": "OCO", "listStatusType": "EXEC_STARTED", "listOrderStatus": "EXECUTING",
    "listClientOrderId": "a-l1", "transactionTime": 5, "symbol": "BTCUSDT", "orderReports": [STOP_LEG, LEG],
}  # fmt: skip
RULES = {"symbols": [
    {"symbol": "BTCUSDT", "status": "TRADING", "baseAsset": "BTC", "quoteAsset": "USDT", "filters": [
        {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000", "tickSize": "0.01"},
        {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000", "stepSize": "0.00001"},
    ]},
    {"symbol": "ETHBTC", "status": 7},
]}  # fmt: skip
TRADE = {
    "symbol": "BTCUSDT", "id": 1, "orderId": 8, "price": "61000", "qty": "0.01", "commission": "0.61",
    "commissionAsset": "USDT", "time": 90, "isBuyer": False, "isMaker": True,
}  # fmt: skip
WALLET = {"canTrade": True, "balances": [{"asset": "BTC", "free": "0.1", "locked": "0"}]}


def opened(**bodies: Any) -> BinanceSpot:
    return open_spot(Answers(**bodies), "key", "secret", NoonClock(), jitter=random.Random(0))


def a_ref(ref: str) -> OrderRef:
    return OrderRef(symbol=BTC, ref=ClientOrderId(ref), conditional=False)


TARGET = NewOrder(
    ref=ClientOrderId("a-p1"), symbol=BTC, side=Side.SELL, type=OrderType.LIMIT, qty=Qty(Decimal("0.01")),
    price=Price(Decimal(61000)), time_in_force=TimeInForce.GTX, group=ClientOrderId("a-l1"),
)  # fmt: skip
STOP = TARGET.but(
    ref=ClientOrderId("a-s1"), type=OrderType.STOP_LOSS_LIMIT, time_in_force=None, trigger_price=TARGET.price
)


async def test_a_pair_as_accepted() -> None:
    target, stop = await opened(oco=LIST).venue.place_pair(TARGET, STOP, timeout_ms=100)

    assert (target.ref, target.status, stop.ref, stop.status) == ("a-p1", Status.NEW, "a-s1", Status.NEW)


@pytest.mark.fault("B33")
@pytest.mark.parametrize(
    "change",
    [
        {"listClientOrderId": "b-l1"},
        {"orderReports": [LEG]},
        {"orderReports": [LEG, LEG]},
        {"orderReports": [STOP_LEG, LEG | {"clientOrderId": "b-p1"}]},
        {"orderReports": [STOP_LEG, LEG, LEG | {"clientOrderId": "b-p1"}]},
        {"orderReports": [STOP_LEG, LEG | {"symbol": "ETHUSDT"}]},
        {"orderReports": [STOP_LEG, LEG | {"status": "PONDERED"}]},
        {"orderReports": [STOP_LEG, LEG | {"executedQty": "-1"}]},
        {"orderReports": None},
    ],
)
async def test_an_answer_that_is_not_about_both_legs_proves_nothing(change: dict[str, Any]) -> None:
    with pytest.raises(OutcomeUnknown):
        await opened(oco=LIST | change).venue.place_pair(TARGET, STOP, timeout_ms=100)


@pytest.mark.fault("B33")
async def test_a_list_that_says_nothing_of_the_cancelled_leg_proves_nothing() -> None:
    gone = {"origClientOrderId": "a-p1", "clientOrderId": "theirs", "status": "CANCELED"}
    told = opened(order=LIST | {"orderReports": [LEG | gone]}).venue

    assert (await told.cancel(a_ref("a-p1"), timeout_ms=100)).status is Status.CANCELED
    with pytest.raises(OutcomeUnknown):
        await told.cancel(a_ref("a-s1"), timeout_ms=100)


@pytest.mark.fault("B33")
@pytest.mark.parametrize("change", [{"clientOrderId": "b-p1"}, {"symbol": "ETHUSDT"}, {"status": None}])
async def test_somebody_elses_order_is_not_ours(change: dict[str, Any]) -> None:
    venue = opened(order=LEG | change).venue
    for call in (
        venue.find(a_ref("a-p1")),
        venue.cancel(a_ref("a-p1"), timeout_ms=100),
        venue.place(TARGET.but(group=None), timeout_ms=100),
    ):
        with pytest.raises(OutcomeUnknown):
            await call


@pytest.mark.parametrize("said", [UNKNOWN, ARCHIVED])
async def test_what_is_not_known_any_more_is_not_found(said: dict[str, Any]) -> None:
    assert await opened(order=said).venue.find(a_ref("a-p1")) is None


async def test_another_refusal_of_a_question_is_told() -> None:
    with pytest.raises(VenueRejected):
        await opened(order={"code": -2015, "msg": "Invalid API-key"}).venue.find(a_ref("a-p1"))


async def test_a_symbol_that_cannot_be_read_hides_no_other() -> None:
    assert [each.symbol for each in await opened(exchangeInfo=RULES).rulebook.instruments()] == [BTC]
    with pytest.raises(OutcomeUnknown):
        await opened(exchangeInfo={"symbols": RULES["symbols"][1:]}).rulebook.instruments()


@pytest.mark.fault("B33")
@pytest.mark.parametrize(
    "bodies",
    [
        {"order": UNKNOWN},  # reads lag: booked under a made-up name it would stay there
        {"order": LEG | {"orderId": 77}},
        {"order": LEG | {"symbol": "ETHUSDT"}},
        {"order": LEG, "myTrades": [TRADE | {"symbol": "ETHUSDT"}]},
        {"order": LEG, "myTrades": [TRADE | {"price": "0"}]},
        {"order": LEG, "openOrders": [LEG | {"symbol": "ETHUSDT"}]},
        {"order": LEG, "account": {"canTrade": True}},
    ],
)
async def test_a_survey_that_is_not_whole_is_none(bodies: dict[str, Any]) -> None:
    whole = {"exchangeInfo": RULES, "openOrders": [], "account": WALLET, "myTrades": [TRADE], "order": LEG}
    told = await opened(**whole).records.survey(BTC, Millis(0))
    assert [(fill.ref, fill.trade_id) for fill in told.trades] == [("a-p1", TradeId("1"))]

    with pytest.raises(OutcomeUnknown):
        await opened(**(whole | bodies)).records.survey(BTC, Millis(0))


async def test_prices_about_another_symbol_are_not_taken() -> None:
    row = {"symbol": "ETHUSDT", "bidPrice": "1", "bidQty": "1", "askPrice": "2", "askQty": "1"}
    for wrong in (row, row | {"symbol": "BTCUSDT", "bidPrice": "2"}):
        with pytest.raises(OutcomeUnknown):
            await opened(bookTicker=wrong).rulebook.touch(BTC)
    told = await opened(bookTicker=[row, row | {"symbol": "BTCUSDT", "askPrice": "1"}]).rulebook.prices()
    assert list(told) == ["ETHUSDT"]
