"""Spot payloads as Binance's pages and captures show them, into our values."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from chimera.adapters.binance.payloads import Unreadable, decoded
from chimera.adapters.binance.reconnecting import Lost
from chimera.adapters.binance.spot import payloads, translate
from chimera.adapters.binance.spot.stream import read_frame
from chimera.adapters.binance.spot.venue import order_params, pair_params
from chimera.ports.venue import Loss, OrderReport
from chimera.trading.ids import ClientOrderId, Symbol
from chimera.trading.market import Side
from chimera.trading.money import Millis, Price, Qty
from chimera.trading.order import NewOrder, OrderType, Status, TimeInForce
from chimera.trading.venue import VenueOrder

D = Decimal
PLACED: dict[str, Any] = {
    "symbol": "BTCUSDT", "orderId": 28, "orderListId": -1, "clientOrderId": "rt-7f3a-1", "transactTime": 1763635200123,
    "price": "0.00000000", "origQty": "0.01000000", "executedQty": "0.01000000", "origQuoteOrderQty": "0.00000000",
    "cummulativeQuoteQty": "912.34000000", "status": "FILLED", "timeInForce": "GTC", "type": "MARKET", "side": "BUY",
    "workingTime": 1763635200123, "selfTradePreventionMode": "EXPIRE_MAKER",
}  # fmt: skip
STOP: dict[str, Any] = PLACED | {
    "clientOrderId": "a-s1", "type": "STOP_LOSS_LIMIT", "side": "SELL", "status": "NEW", "executedQty": "0.00000000",
    "price": "58900.00000000", "stopPrice": "59000.00000000", "orderListId": 7, "workingTime": -1,
}  # fmt: skip
EVENT: dict[str, Any] = {
    "e": "executionReport", "E": 1499405658658, "s": "ETHBTC", "c": "mUvoqJxFIILMdfAW5iGSOW", "S": "BUY", "o": "LIMIT",
    "f": "GTC", "q": "1.00000000", "p": "0.10264410", "P": "0.00000000", "F": "0.00000000", "g": -1, "C": "",
    "x": "NEW", "X": "NEW", "r": "NONE", "i": 4293153, "l": "0.00000000", "z": "0.00000000", "L": "0.00000000",
    "n": "0", "N": None, "T": 1499405658657, "t": -1, "v": 3, "I": 8641984, "w": True, "m": False, "M": False,
    "O": 1499405658657, "Z": "0.00000000", "Y": "0.00000000", "Q": "0.00000000", "W": 1499405658657, "V": "NONE",
}  # fmt: skip
SYMBOL: dict[str, Any] = {
    "symbol": "BTCUSDT", "status": "TRADING", "baseAsset": "BTC", "quoteAsset": "USDT", "ocoAllowed": True,
    "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT"], "isSpotTradingAllowed": True,
    "filters": [
        {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000", "tickSize": "0.01"},
        {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000", "stepSize": "0.00001"},
        {"filterType": "MARKET_LOT_SIZE", "minQty": "0", "maxQty": "71.1", "stepSize": "0"},
        {"filterType": "NOTIONAL", "minNotional": "5", "applyMinToMarket": True, "maxNotional": "9000000"},
        {"filterType": "PERCENT_PRICE_BY_SIDE", "bidMultiplierUp": "5", "bidMultiplierDown": "0.2",
         "askMultiplierUp": "5", "askMultiplierDown": "0.2", "avgPriceMins": 5},
        {"filterType": "TRAILING_DELTA", "minTrailingAboveDelta": 10, "maxTrailingAboveDelta": 2000},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": 5},
        {"filterType": "NEWLY_MADE", "limit": "many"},
    ],
}  # fmt: skip


def order_of(row: dict[str, Any]) -> VenueOrder:
    return translate.order(decoded(msgspec.json.encode(row), payloads.OrderRow))


def heard(event: dict[str, Any]) -> OrderReport:
    found = read_frame(msgspec.json.encode({"subscriptionId": 0, "event": event}))
    assert isinstance(found, OrderReport)
    return found


def test_a_placed_order() -> None:
    found = order_of(PLACED)

    assert (found.ref, found.venue_id, found.type, found.status) == ("rt-7f3a-1", "28", OrderType.MARKET, Status.FILLED)
    assert (found.qty, found.cum_qty, found.price, found.trigger_price) == (D("0.01"), D("0.01"), None, None)
    assert (found.updated_ms, found.list_id, found.conditional) == (1763635200123, None, False)


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ({}, Status.NEW),
        ({"isWorking": False, "workingTime": -1}, Status.NEW),
        ({"isWorking": True, "workingTime": -1}, Status.NEW),  # it does not say since when: not believed
        ({"isWorking": True, "workingTime": 1763635200124}, Status.TRIGGERING),
        ({"workingTime": 1763635200124}, Status.TRIGGERING),
        ({"status": "PARTIALLY_FILLED", "workingTime": 1763635200124}, Status.PARTIALLY_FILLED),
        ({"status": "EXPIRED", "expiryReason": "OCO_TRIGGER"}, Status.EXPIRED),
        ({"status": "PENDING_NEW"}, Status.IN_DOUBT),
        ({"type": "LIMIT_MAKER", "workingTime": 1763635200124}, Status.NEW),
    ],
)
def test_a_stop_guards_until_it_is_on_the_book(told: dict[str, Any], status: Status) -> None:
    found = order_of(STOP | told)

    assert found.status is status
    assert (found.trigger_price, found.price, found.list_id) == (D(59000), D(58900), "7")
    assert found.reason == {"EXPIRED": "OCO_TRIGGER", "PENDING_NEW": "unknown status 'PENDING_NEW'"}.get(
        told.get("status", ""), ""
    )


def test_a_cancelled_order_keeps_its_own_name() -> None:
    row = STOP | {"status": "CANCELED", "origClientOrderId": "a-s1", "clientOrderId": "kP3dYHwxyfVI9jcSmTBjfy"}

    assert (order_of(row).ref, order_of(row).status) == ("a-s1", Status.CANCELED)


def test_a_foreign_order_of_a_strange_kind_hides_no_other() -> None:
    """The pending leg of an OPO has no quantity before what it sells was bought."""
    row = {name: value for name, value in PLACED.items() if name != "origQty"}
    found = order_of(row | {"type": "TAKE_PROFIT_LIMIT", "status": "PENDING_NEW", "executedQty": "0.00000000"})

    assert (found.type, found.qty, found.status) == (None, 0, Status.IN_DOUBT)


def test_the_events_of_a_life() -> None:
    new = heard(EVENT)
    part = heard(
        EVENT | {"x": "TRADE", "X": "PARTIALLY_FILLED", "l": "0.4", "z": "0.4", "L": "0.10264410", "t": 0, "m": True}
        | {"n": "0.0004", "N": "ETH"}
    )  # fmt: skip
    gone = heard(
        EVENT | {"x": "CANCELED", "X": "CANCELED", "c": "theirs", "C": "mUvoqJxFIILMdfAW5iGSOW", "z": "0.4", "w": False}
    )

    assert new.fill is None
    assert {each.order.ref for each in (new, part, gone)} == {"mUvoqJxFIILMdfAW5iGSOW"}
    assert [each.order.status for each in (new, part, gone)] == [
        Status.NEW,
        Status.PARTIALLY_FILLED,
        Status.CANCELED,
    ]
    fill = part.fill
    assert fill is not None
    assert (fill.trade_id, fill.qty, fill.price) == ("0", D("0.4"), D("0.1026441"))
    assert (fill.fee, fill.fee_asset) == (D("0.0004"), "ETH")
    assert (fill.market, fill.symbol, fill.maker, fill.realized_pnl) == ("SPOT", "ETHBTC", True, 0)
    assert gone.fill is None
    assert heard(EVENT | {"C": "null", "x": "CANCELED", "X": "CANCELED"}).order.ref == "mUvoqJxFIILMdfAW5iGSOW"


@pytest.mark.parametrize(
    ("told", "status", "reason"),
    [
        ({"o": "STOP_LOSS_LIMIT", "w": False, "W": -1, "P": "0.1"}, Status.NEW, ""),
        ({"o": "STOP_LOSS_LIMIT", "w": True, "P": "0.1"}, Status.TRIGGERING, ""),
        ({"x": "EXPIRED", "X": "EXPIRED", "eR": "OCO_TRIGGER"}, Status.EXPIRED, "OCO_TRIGGER"),
        ({"x": "REJECTED", "X": "REJECTED", "r": "OCO_BAD_PRICES"}, Status.REJECTED, "OCO_BAD_PRICES"),
        ({"x": "TRADE_PREVENTION", "X": "EXPIRED_IN_MATCH"}, Status.EXPIRED, ""),
        ({"X": "HALTED"}, Status.IN_DOUBT, "unknown status 'HALTED'"),
    ],
)
def test_what_an_event_says_of_an_order(told: dict[str, Any], status: Status, reason: str) -> None:
    order = heard(EVENT | told).order

    assert (order.status, order.reason) == (status, reason)


@pytest.mark.parametrize(
    "kind", ["listStatus", "outboundAccountPosition", "balanceUpdate", "externalLockUpdate", "new"]
)
def test_other_events_are_let_by(kind: str) -> None:
    assert read_frame(msgspec.json.encode({"subscriptionId": 0, "event": {"e": kind, "E": 1}})) is None
    assert read_frame(b'{"id":"1","status":200,"result":{}}') is None


@pytest.mark.parametrize(
    ("frame", "cause"),
    [
        (b'{"subscriptionId":0,"event":{"e":"eventStreamTerminated","E":1}}', Loss.KEY_EXPIRED),
        (b'{"event":{"e":"serverShutdown","E":1}}', Loss.CLOSED),
        (b'{"id":null,"status":401,"error":{"code":-2015,"msg":"Invalid API-key"}}', Loss.KEY_REFUSED),
    ],
)
def test_what_ends_a_stream(frame: bytes, cause: Loss) -> None:
    with pytest.raises(Lost) as lost:
        read_frame(frame)

    assert lost.value.cause is cause


@pytest.mark.parametrize(
    "frame",
    [
        b"nothing",
        b'{"subscriptionId":0,"event":{"E":1}}',
        b'{"subscriptionId":0,"event":{"e":"executionReport","E":1}}',
        msgspec.json.encode({"event": EVENT | {"q": "1E+999"}}),
        msgspec.json.encode({"event": EVENT | {"q": "-1"}}),
        msgspec.json.encode({"event": EVENT | {"x": "TRADE", "t": 5, "l": "1", "L": "0"}}),
    ],
)
def test_what_cannot_be_read_is_said_to_be_so(frame: bytes) -> None:
    with pytest.raises(Unreadable):
        read_frame(frame)


def test_a_trade_row() -> None:
    row = b"""{"symbol":"BNBBTC","id":28457,"orderId":100234,"orderListId":-1,"price":"4.00000100","qty":"12.00000000",
     "quoteQty":"48.000012","commission":"10.10000000","commissionAsset":"BNB","time":1499865549590,"isBuyer":false,
     "isMaker":false,"isBestMatch":true}"""
    fill = translate.fill(decoded(row, payloads.TradeRow), ClientOrderId("a-t1"))

    assert (fill.trade_id, fill.side, fill.qty, fill.fee, fill.fee_asset) == (
        "28457",
        Side.SELL,
        D(12),
        D("10.1"),
        "BNB",
    )


def test_rules_of_a_pair() -> None:
    found = translate.instrument(msgspec.json.encode(SYMBOL))

    assert found is not None
    assert (found.market, found.base, found.quote) == ("SPOT", "BTC", "USDT")
    assert (found.trading, found.takes_pairs) == (True, True)
    assert (found.tick, found.step, found.min_qty, found.max_qty) == (D("0.01"), D("0.00001"), D("0.00001"), D(9000))
    assert (found.market_max_qty, found.min_notional, found.max_conditional) == (D("71.1"), D(5), 5)
    assert (found.price_up, found.price_down) == (D(5), D("0.2"))


@pytest.mark.parametrize(
    ("told", "trading", "pairs"),
    [
        ({"status": "CANCEL_ONLY"}, False, True),
        ({"isSpotTradingAllowed": False}, False, True),
        ({"ocoAllowed": False}, True, False),
        ({"orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"]}, True, False),
    ],
)
def test_what_a_pair_allows(told: dict[str, Any], trading: bool, pairs: bool) -> None:
    found = translate.instrument(msgspec.json.encode(SYMBOL | told))

    assert found is not None
    assert (found.trading, found.takes_pairs) == (trading, pairs)


def test_older_filters_and_a_coarser_market_step() -> None:
    filters = [
        *SYMBOL["filters"][:2],
        {"filterType": "MARKET_LOT_SIZE", "minQty": "0.001", "maxQty": "0", "stepSize": "0.001"},
        {"filterType": "MIN_NOTIONAL", "minNotional": "10", "applyToMarket": True},
        {"filterType": "PERCENT_PRICE", "multiplierUp": "1.3", "multiplierDown": "0.7"},
    ]
    found = translate.instrument(msgspec.json.encode(SYMBOL | {"filters": filters}))

    assert found is not None
    assert (found.step, found.min_qty, found.market_max_qty) == (D("0.001"), D("0.001"), D(9000))
    assert (found.min_notional, found.price_up, found.price_down) == (D(10), D("1.3"), D("0.7"))
    assert translate.instrument(msgspec.json.encode(SYMBOL | {"filters": filters[1:]})) is None


def test_fees_are_all_three_commissions_of_the_dearer_side() -> None:
    row = b"""{"symbol":"BTCUSDT","standardCommission":{"maker":"0.001","taker":"0.002","buyer":"0","seller":"0.0001"},
     "specialCommission":{"maker":"0.0001","taker":"0.0001","buyer":"0","seller":"0"},
     "taxCommission":{"maker":"0.0003","taker":"0.0004","buyer":"0.0002","seller":"0"},
     "discount":{"enabledForAccount":true,"enabledForSymbol":true,"discountAsset":"BNB","discount":"0.75000000"}}"""
    rates = translate.fee_rates(decoded(row, payloads.Commission))

    assert (rates.maker, rates.taker, rates.discount_asset) == (D("0.0016"), D("0.0027"), "BNB")
    off = translate.fee_rates(decoded(row.replace(b'ForSymbol":true', b'ForSymbol":false'), payloads.Commission))
    assert off.discount_asset is None


def test_a_balance_is_what_is_free_and_what_is_locked() -> None:
    body = b"""{"canTrade":true,"updateTime":5,"balances":[{"asset":"BTC","free":"0.1","locked":"0.02"},
     {"asset":"USDT","free":"70","locked":"30"}]}"""
    account = decoded(body, payloads.Account)
    held = translate.held(account, "BTC", Symbol("BTCUSDT"), Millis(9))
    none = translate.held(account, "ETH", Symbol("ETHUSDT"), Millis(9))
    funds = translate.funds(account, "USDT", Millis(9))

    assert (held.qty, held.entry_px, held.updated_ms) == (D("0.12"), None, 5)
    assert none.qty == 0
    assert (funds.wallet, funds.available) == (D(100), D(70))
    assert translate.funds(account, "EUR", Millis(9)).wallet == 0


# ── what is sent ────────────────────────────────────────────────────────────────────────────────────────────────────
ENTRY = NewOrder(
    ref=ClientOrderId("a-m1"), symbol=Symbol("BTCUSDT"), side=Side.BUY, type=OrderType.LIMIT, qty=Qty(D("0.010")),
    price=Price(D("60000.10")), time_in_force=TimeInForce.GTX,
)  # fmt: skip
GROUP = ClientOrderId("a-l1")
TARGET = ENTRY.but(ref=ClientOrderId("a-p1"), side=Side.SELL, group=GROUP, price=Price(D(61000)))
STOPPED = TARGET.but(
    ref=ClientOrderId("a-s1"), type=OrderType.STOP_LOSS_LIMIT, time_in_force=None, price=Price(D(58900)),
    trigger_price=Price(D(59000)),
)  # fmt: skip


def test_the_words_of_each_order() -> None:
    plain = {"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.01", "newClientOrderId": "a-m1"}
    plain |= {"newOrderRespType": "RESULT", "selfTradePreventionMode": "EXPIRE_MAKER"}
    alone = STOPPED.but(group=None)

    assert order_params(ENTRY) == plain | {"type": "LIMIT_MAKER", "price": "60000.1"}
    assert order_params(ENTRY.but(time_in_force=TimeInForce.IOC, reduce_only=True)) == plain | {
        "type": "LIMIT", "price": "60000.1", "timeInForce": "IOC",
    }  # fmt: skip
    assert order_params(ENTRY.but(type=OrderType.MARKET, price=None)) == plain | {"type": "MARKET"}
    assert order_params(alone) == plain | {
        "side": "SELL", "newClientOrderId": "a-s1", "type": "STOP_LOSS_LIMIT", "price": "58900", "stopPrice": "59000",
        "timeInForce": "GTC",
    }  # fmt: skip
    for wrong in (ENTRY.but(price=None), alone.but(trigger_price=None), ENTRY.but(type=OrderType.STOP_MARKET)):
        with pytest.raises(ValueError, match="a-"):
            order_params(wrong)


def test_the_legs_of_a_pair_stand_on_their_sides_of_the_market() -> None:
    sold = pair_params(TARGET, STOPPED)
    bought = pair_params(TARGET.but(side=Side.BUY), STOPPED.but(side=Side.BUY))

    assert (sold["aboveType"], sold["belowType"], sold["belowStopPrice"]) == ("LIMIT_MAKER", "STOP_LOSS_LIMIT", "59000")
    assert (sold["aboveClientOrderId"], sold["belowClientOrderId"]) == ("a-p1", "a-s1")
    assert sold["listClientOrderId"] == "a-l1"
    assert (sold["belowTimeInForce"], "aboveTimeInForce" in sold) == ("GTC", False)
    assert (bought["aboveType"], bought["belowType"]) == ("STOP_LOSS_LIMIT", "LIMIT_MAKER")
