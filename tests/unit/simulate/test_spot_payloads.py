"""Every spot payload shape of binance.md, field by field: exactly its keys, of their JSON type, the same after a round
trip. The shapes are written out here; ``d`` is a decimal in a string, ``s`` text, ``i`` an integer, ``b`` a boolean."""

import json
import re
from typing import Any

import msgspec
import pytest
from spot_counter import LIMIT, OCO, OTO, OTOCO, START_MS, Counter, D

from chimera.trading.market import Side

_DECIMAL = re.compile(r"-?\d+\.\d{8}")


def kind(value: Any) -> str:
    match value:
        case bool():
            return "b"
        case int():
            return "i"
        case None:
            return "n"
        case str() if _DECIMAL.fullmatch(value):
            return "d"
        case str():
            return "s"
        case list():
            return "l"
        case _:
            return "o"


def shape(text: str) -> dict[str, str]:
    """``"i orderId,updateTime d price"`` names the keys by kind."""
    words = text.split()
    return {name: kind for kind, names in zip(words[::2], words[1::2], strict=True) for name in names.split(",")}


def is_of(payload: dict[str, Any], *shapes: str) -> None:
    wanted: dict[str, str] = {}
    for each in shapes:
        wanted |= shape(each)
    assert {name: kind(value) for name, value in payload.items()} == wanted
    assert msgspec.json.decode(msgspec.json.encode(payload)) == payload == json.loads(json.dumps(payload))


# ── 3.1 placing ─────────────────────────────────────────────────────────────────────────────────────────────────────
ACK = "s symbol,clientOrderId i orderId,orderListId,transactTime"
STATE = "d price,origQty,executedQty,origQuoteOrderQty,cummulativeQuoteQty s status,timeInForce,type,side"
STP = "s selfTradePreventionMode"
RESULT = f"{ACK} {STATE} {STP} i workingTime"
FILL = "d price,qty,commission s commissionAsset i tradeId"


@pytest.fixture
def counter() -> Counter:
    return Counter()


@pytest.mark.req("TW-2")
class TestPlacing:
    def test_the_documented_market_order(self, counter: Counter) -> None:
        """binance.md 3.1 gives this very answer."""
        answer = counter.market("BUY", "0.01", newClientOrderId="rt-7f3a-1")
        is_of(answer, RESULT, "l fills")
        is_of(answer["fills"][0], FILL)
        assert answer | {"orderId": 28} == {
            "symbol": "BTCUSDT",
            "orderId": 28,
            "orderListId": -1,
            "clientOrderId": "rt-7f3a-1",
            "transactTime": START_MS,
            "price": "0.00000000",
            "origQty": "0.01000000",
            "executedQty": "0.01000000",
            "origQuoteOrderQty": "0.00000000",
            "cummulativeQuoteQty": "600.00000000",
            "status": "FILLED",
            "timeInForce": "GTC",
            "type": "MARKET",
            "side": "BUY",
            "workingTime": START_MS,
            "selfTradePreventionMode": "EXPIRE_MAKER",
            "fills": [
                {
                    "price": "60000.00000000",
                    "qty": "0.01000000",
                    "commission": "0.00001000",
                    "commissionAsset": "BTC",
                    "tradeId": 1,
                }
            ],
        }

    def test_by_response_type(self, counter: Counter) -> None:
        is_of(counter.limit("BUY", "0.01", "50000", newOrderRespType="ACK"), ACK)
        is_of(counter.limit("BUY", "0.01", "50000", newOrderRespType="RESULT"), RESULT)
        is_of(counter.limit("BUY", "0.01", "50000"), RESULT, "l fills")
        maker = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT_MAKER", "quantity": "0.01", "price": "50000"}
        is_of(counter.ok("POST", "order", **maker), ACK)

    def test_what_is_relevant(self, counter: Counter) -> None:
        stop = {"symbol": "BTCUSDT", "side": "SELL", "type": "STOP_LOSS", "quantity": "0.01", "stopPrice": "59000"}
        more = {"newOrderRespType": "RESULT", "strategyId": 7, "strategyType": 1_000_000}
        answer = counter.ok("POST", "order", **stop, **more)
        is_of(answer, RESULT, "d stopPrice i strategyId,strategyType")
        assert (answer["status"], answer["workingTime"]) == ("NEW", -1)
        trails = stop | {"type": "TAKE_PROFIT", "trailingDelta": 100, "stopPrice": "61000"}
        is_of(
            counter.ok("POST", "order", **trails, **more),
            RESULT,
            "d stopPrice",
            "i trailingDelta,trailingTime",
            "i strategyId,strategyType",
        )
        iceberg = counter.limit("BUY", "0.1", "50000", icebergQty="0.01", newOrderRespType="RESULT")
        is_of(iceberg, RESULT, "d icebergQty")
        pegged = counter.ok("POST", "order", **LIMIT, side="BUY", quantity="0.01", pegPriceType="PRIMARY_PEG")
        is_of(pegged, RESULT, "l fills s pegPriceType d peggedPrice")
        assert (pegged["price"], pegged["peggedPrice"]) == ("0.00000000", "59999.99000000")
        offset = {"pegOffsetType": "PRICE_LEVEL", "pegOffsetValue": 0}
        far = counter.ok("POST", "order", **LIMIT, side="BUY", quantity="0.01", pegPriceType="PRIMARY_PEG", **offset)
        is_of(far, RESULT, "l fills s pegPriceType,pegOffsetType i pegOffsetValue d peggedPrice")

    def test_why_it_expired(self, counter: Counter) -> None:
        gone = counter.limit("BUY", "0.01", "50000", timeInForce="IOC")
        is_of(gone, RESULT, "l fills s expiryReason")
        assert (gone["status"], gone["expiryReason"]) == ("EXPIRED", "UNFILLED_IOC_QUANTITY_EXPIRED")
        assert counter.order(gone["clientOrderId"])["expiryReason"] == "UNFILLED_IOC_QUANTITY_EXPIRED"

    def test_what_self_trade_prevention_took(self, counter: Counter) -> None:
        counter.limit("SELL", "0.01", "60000")
        counter.top("59999.99", "60010.00")
        taker = counter.limit("BUY", "0.01", "60000", selfTradePreventionMode="EXPIRE_TAKER")
        is_of(taker, RESULT, "l fills i preventedMatchId d preventedQuantity")
        assert (taker["status"], taker["preventedQuantity"]) == ("EXPIRED_IN_MATCH", "0.01000000")
        (row,) = counter.ok("GET", "myPreventedMatches", symbol="BTCUSDT", orderId=taker["orderId"])
        is_of(
            row,
            "s symbol,makerSymbol,selfTradePreventionMode i preventedMatchId,takerOrderId,makerOrderId,tradeGroupId",
            "d price,takerPreventedQuantity i transactTime",
        )

    def test_a_test_order(self, counter: Counter) -> None:
        terms = LIMIT | {"side": "BUY", "quantity": "0.01", "price": "50000"}
        assert counter.ok("POST", "order/test", **terms) == {}
        rates = counter.ok("POST", "order/test", **terms, computeCommissionRates="true")
        parts = ("standardCommissionForOrder", "specialCommissionForOrder", "taxCommissionForOrder")
        is_of(rates, f"o {','.join(parts)},discount")
        for part in parts:
            is_of(rates[part], "d maker,taker")
        is_of(rates["discount"], "b enabledForAccount,enabledForSymbol s discountAsset d discount")


# ── 3.2 cancel, replace, amend ──────────────────────────────────────────────────────────────────────────────────────
CANCELED = f"s origClientOrderId {ACK} {STATE} {STP}"
LIST = (
    "i orderListId,transactionTime s contingencyType,listStatusType,listOrderStatus,listClientOrderId,symbol l orders"
)
LEG = "s symbol,clientOrderId i orderId"
REPLACED = "s cancelResult,newOrderResult o cancelResponse,newOrderResponse"


@pytest.mark.req("TW-2")
class TestChanging:
    def test_a_cancel(self, counter: Counter) -> None:
        counter.limit("BUY", "0.01", "50000", newClientOrderId="mine")
        gone = counter.ok("DELETE", "order", symbol="BTCUSDT", origClientOrderId="mine", newClientOrderId="its-cancel")
        is_of(gone, CANCELED)
        assert (gone["origClientOrderId"], gone["clientOrderId"], gone["status"]) == ("mine", "its-cancel", "CANCELED")

    def test_cancel_all_mixes_orders_and_lists(self, counter: Counter) -> None:
        counter.limit("BUY", "0.01", "50000")
        counter.ok("POST", "orderList/oco", **OCO)
        order, group = counter.ok("DELETE", "openOrders", symbol="BTCUSDT")
        is_of(order, CANCELED)
        is_of(group, LIST, "l orderReports")
        for report in group["orderReports"]:
            stop = "" if report["type"] == "LIMIT_MAKER" else "d stopPrice"
            is_of(report, CANCELED, stop)

    def test_a_replacement(self, counter: Counter) -> None:
        old = counter.limit("BUY", "0.01", "50000")
        terms = LIMIT | {"side": "BUY", "quantity": "0.02", "price": "51000", "cancelReplaceMode": "STOP_ON_FAILURE"}
        both = counter.ok("POST", "order/cancelReplace", **terms, cancelOrderId=old["orderId"])
        is_of(both, REPLACED)
        is_of(both["cancelResponse"], CANCELED)
        is_of(both["newOrderResponse"], RESULT, "l fills")

    def test_an_amendment(self, counter: Counter) -> None:
        counter.limit("BUY", "0.02", "50000", newClientOrderId="mine")
        done = counter.ok("PUT", "order/amend/keepPriority", symbol="BTCUSDT", origClientOrderId="mine", newQty="0.01")
        is_of(done, "i transactTime,executionId o amendedOrder")
        order = (
            "s symbol,origClientOrderId,clientOrderId,status,timeInForce,type,side i orderId,orderListId,workingTime "
            "d price,qty,executedQty,preventedQty,quoteOrderQty,cumulativeQuoteQty"
        )
        is_of(done["amendedOrder"], order, STP)
        assert done["amendedOrder"]["origClientOrderId"] == "mine" != done["amendedOrder"]["clientOrderId"]
        (row,) = counter.ok("GET", "order/amendments", symbol="BTCUSDT", orderId=done["amendedOrder"]["orderId"])
        is_of(row, "s symbol,origClientOrderId,newClientOrderId i orderId,executionId,time d origQty,newQty")
        assert row["executionId"] == done["executionId"]

    def test_an_amendment_in_a_list(self, counter: Counter) -> None:
        group = counter.ok("POST", "orderList/oto", **OTO)
        pending = group["orders"][1]["orderId"]
        done = counter.ok("PUT", "order/amend/keepPriority", symbol="BTCUSDT", orderId=pending, newQty="0.05")
        is_of(done, "i transactTime,executionId o amendedOrder,listStatus")
        assert "workingTime" not in done["amendedOrder"]
        state = "i orderListId s contingencyType,listOrderStatus,listClientOrderId,symbol l orders"
        is_of(done["listStatus"], state)


# ── 3.3 lists ───────────────────────────────────────────────────────────────────────────────────────────────────────
def legs(group: dict[str, Any]) -> list[tuple[str, str, int]]:
    return [(leg["type"], leg["status"], leg["workingTime"]) for leg in group["orderReports"]]


@pytest.mark.req("TW-2")
class TestLists:
    def test_an_oco(self, counter: Counter) -> None:
        group = counter.ok("POST", "orderList/oco", **OCO)
        is_of(group, LIST, "l orderReports")
        for leg in group["orders"]:
            is_of(leg, LEG)
        stop, maker = group["orderReports"]
        is_of(stop, RESULT, "d stopPrice")
        is_of(maker, RESULT)
        assert legs(group) == [("STOP_LOSS_LIMIT", "NEW", -1), ("LIMIT_MAKER", "NEW", START_MS)]
        plain = counter.ok("GET", "orderList", orderListId=group["orderListId"])
        is_of(plain, LIST)
        assert counter.ok("GET", "openOrderList") == [plain] == counter.ok("GET", "allOrderList")
        assert counter.ok("GET", "orderList", origClientOrderId=group["listClientOrderId"]) == plain

    def test_a_canceled_list(self, counter: Counter) -> None:
        group = counter.ok("POST", "orderList/oco", **OCO)
        gone = counter.ok("DELETE", "orderList", symbol="BTCUSDT", orderListId=group["orderListId"])
        is_of(gone, LIST, "l orderReports")
        assert (gone["listStatusType"], gone["listOrderStatus"]) == ("ALL_DONE", "ALL_DONE")
        assert [report["status"] for report in gone["orderReports"]] == ["CANCELED", "CANCELED"]

    def test_the_old_oco(self, counter: Counter) -> None:
        old = {"symbol": "BTCUSDT", "side": "SELL", "quantity": "0.1", "price": "61000", "stopPrice": "59000"}
        group = counter.ok("POST", "order/oco", **old)
        is_of(group, LIST, "l orderReports")
        assert legs(group) == [("STOP_LOSS", "NEW", -1), ("LIMIT_MAKER", "NEW", START_MS)]
        limited = {"stopLimitPrice": "58900", "stopLimitTimeInForce": "GTC"}
        group = counter.ok("POST", "order/oco", **old, **limited)
        assert [leg["type"] for leg in group["orderReports"]] == ["STOP_LOSS_LIMIT", "LIMIT_MAKER"]

    def test_oto_and_otoco_report_oto(self, counter: Counter) -> None:
        oto, otoco = counter.ok("POST", "orderList/oto", **OTO), counter.ok("POST", "orderList/otoco", **OTOCO)
        assert oto["contingencyType"] == otoco["contingencyType"] == "OTO"
        assert legs(oto) == [("LIMIT", "NEW", START_MS), ("MARKET", "PENDING_NEW", -1)]
        assert sorted(legs(otoco)) == [
            ("LIMIT", "NEW", START_MS),
            ("LIMIT_MAKER", "PENDING_NEW", -1),
            ("STOP_LOSS", "PENDING_NEW", -1),
        ]

    def test_a_pending_leg_still_shows_as_pending_where_the_working_order_filled_at_once(
        self, counter: Counter
    ) -> None:
        group = counter.ok("POST", "orderList/otoco", **OTOCO | {"workingPrice": "60000"})
        assert [status for _, status, _ in legs(group)] == ["FILLED", "PENDING_NEW", "PENDING_NEW"]
        assert (group["listStatusType"], group["listOrderStatus"]) == ("EXEC_STARTED", "EXECUTING")
        opened = counter.ok("GET", "openOrders", symbol="BTCUSDT")
        assert [order["status"] for order in opened] == ["NEW", "NEW"]

    def test_the_pending_quantity_of_an_opo_is_not_known_yet(self, counter: Counter) -> None:
        opo = {name: value for name, value in OTO.items() if name != "pendingQuantity"}
        working, pending = counter.ok("POST", "orderList/opo", **opo)["orderReports"]
        is_of(working, RESULT)
        assert "origQty" not in pending
        opoco = {name: value for name, value in OTOCO.items() if name != "pendingQuantity"}
        group = counter.ok("POST", "orderList/opoco", **opoco | {"workingPrice": "60000"})
        sizes = {
            order["origQty"]
            for order in counter.ok("GET", "openOrders")
            if order["orderListId"] == group["orderListId"]
        }
        assert sizes == {"0.10000000"}, "the commission came out of what was free"


# ── 3.4 queries ─────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.req("TW-2")
class TestQueries:
    def test_orders(self, counter: Counter) -> None:
        counter.limit("BUY", "0.01", "50000", newClientOrderId="mine")
        order = counter.order("mine")
        is_of(
            order,
            "s symbol,clientOrderId i orderId,orderListId,time,updateTime,workingTime b isWorking",
            "d stopPrice,icebergQty",
            STATE,
            STP,
        )
        assert counter.ok("GET", "openOrders") == [order] == counter.ok("GET", "allOrders", symbol="BTCUSDT")

    def test_trades(self, counter: Counter) -> None:
        counter.market("SELL", "0.01")
        (trade,) = counter.ok("GET", "myTrades", symbol="BTCUSDT")
        is_of(
            trade,
            "s symbol,commissionAsset i id,orderId,orderListId,time d price,qty,quoteQty,commission",
            "b isBuyer,isMaker,isBestMatch",
        )
        assert (trade["commission"], trade["commissionAsset"]) == ("0.59999990", "USDT")

    def test_the_account(self, counter: Counter) -> None:
        account = counter.ok("GET", "account")
        is_of(
            account,
            "i makerCommission,takerCommission,buyerCommission,sellerCommission,updateTime,uid o commissionRates",
            "b canTrade,canWithdraw,canDeposit,brokered,requireSelfTradePrevention,preventSor s accountType",
            "l balances,permissions",
        )
        is_of(account["commissionRates"], "d maker,taker,buyer,seller")
        is_of(account["balances"][0], "s asset d free,locked")
        assert [row["asset"] for row in account["balances"]] == ["USDT", "BTC", "BNB"]
        some = counter.ok("GET", "account", omitZeroBalances="true")
        assert [row["asset"] for row in some["balances"]] == ["USDT", "BTC"]

    def test_commission_counts_and_filters(self, counter: Counter) -> None:
        rates = counter.ok("GET", "account/commission", symbol="BTCUSDT")
        is_of(rates, "s symbol o standardCommission,specialCommission,taxCommission,discount")
        for part in ("standardCommission", "specialCommission", "taxCommission"):
            is_of(rates[part], "d maker,taker,buyer,seller")
        for row in counter.ok("GET", "rateLimit/order"):
            is_of(row, "s rateLimitType,interval i intervalNum,limit,count")
        counter.floor.asset_limits["BTC"] = D(3)
        filters = counter.ok("GET", "myFilters", symbol="BTCUSDT")
        is_of(filters, "l exchangeFilters,symbolFilters,assetFilters")
        assert filters["assetFilters"] == [{"filterType": "MAX_ASSET", "asset": "BTC", "limit": "3.00000000"}]


# ── 3.5 rules ───────────────────────────────────────────────────────────────────────────────────────────────────────
FILTERS = {
    "PRICE_FILTER": "d minPrice,maxPrice,tickSize",
    "LOT_SIZE": "d minQty,maxQty,stepSize",
    "MARKET_LOT_SIZE": "d minQty,maxQty,stepSize",
    "NOTIONAL": "d minNotional,maxNotional b applyMinToMarket,applyMaxToMarket i avgPriceMins",
    "PERCENT_PRICE_BY_SIDE": ("s bidMultiplierUp,bidMultiplierDown,askMultiplierUp,askMultiplierDown i avgPriceMins"),
    "ICEBERG_PARTS": "i limit",
    "TRAILING_DELTA": ("i minTrailingAboveDelta,maxTrailingAboveDelta,minTrailingBelowDelta,maxTrailingBelowDelta"),
    "MAX_NUM_ORDERS": "i maxNumOrders",
    "MAX_NUM_ALGO_ORDERS": "i maxNumAlgoOrders",
    "MAX_NUM_ORDER_LISTS": "i maxNumOrderLists",
    "MAX_NUM_ORDER_AMENDS": "i maxNumOrderAmends",
    "MAX_NUM_ICEBERG_ORDERS": "i maxNumIcebergOrders",
    "MAX_POSITION": "d maxPosition",
}


@pytest.mark.req("TW-2")
class TestRules:
    def test_exchange_info(self, counter: Counter) -> None:
        counter.pair.rules = counter.pair.rules.but(max_position=D(100), max_iceberg_orders=10)
        info = counter.public("exchangeInfo", symbol="BTCUSDT")
        is_of(info, "s timezone i serverTime l rateLimits,exchangeFilters,symbols")
        limits = [(row["rateLimitType"], row["interval"], row["limit"]) for row in info["rateLimits"]]
        assert ("REQUEST_WEIGHT", "MINUTE", 6000) in limits
        assert ("RAW_REQUESTS", "MINUTE", 300_000) in limits
        (symbol,) = info["symbols"]
        is_of(
            symbol,
            "s symbol,status,baseAsset,quoteAsset,defaultSelfTradePreventionMode",
            "i baseAssetPrecision,quotePrecision,quoteAssetPrecision,baseCommissionPrecision,quoteCommissionPrecision",
            "b icebergAllowed,ocoAllowed,otoAllowed,opoAllowed,quoteOrderQtyMarketAllowed,allowTrailingStop",
            "b cancelReplaceAllowed,amendAllowed,pegInstructionsAllowed,isSpotTradingAllowed,isMarginTradingAllowed",
            "l orderTypes,filters,permissions,permissionSets,allowedSelfTradePreventionModes",
        )
        assert {each["filterType"] for each in symbol["filters"]} == set(FILTERS)
        for each in symbol["filters"]:
            is_of(each, "s filterType", FILTERS[each["filterType"]])

    def test_which_pairs(self, counter: Counter) -> None:
        def symbols(**params: Any) -> list[str]:
            return [each["symbol"] for each in counter.public("exchangeInfo", **params)["symbols"]]

        everything = ["BTCUSDT", "ETHUSDT", "BNBUSDT"]
        assert symbols() == symbols(permissions="SPOT") == symbols(permissions='["SPOT","MARGIN"]') == everything
        assert symbols(symbols='["ETHUSDT","BTCUSDT"]') == ["ETHUSDT", "BTCUSDT"]
        assert symbols(permissions="LEVERAGED") == symbols(symbolStatus="HALT") == []
        (bare, *_) = counter.public("exchangeInfo", showPermissionSets="false")["symbols"]
        assert bare["permissionSets"] == []

    def test_market_data(self, counter: Counter) -> None:
        book = counter.public("depth", symbol="BTCUSDT", limit=5)
        is_of(book, "i lastUpdateId l bids,asks")
        assert book["bids"] == [["59999.99000000", "5.00000000"]]
        is_of(counter.public("ticker/bookTicker", symbol="BTCUSDT"), "s symbol d bidPrice,bidQty,askPrice,askQty")
        assert counter.public("ticker/price", symbols='["BTCUSDT"]') == [
            {"symbol": "BTCUSDT", "price": "59999.99500000"}
        ]
        is_of(counter.public("avgPrice", symbol="BTCUSDT"), "i mins,closeTime d price")
        assert (counter.public("ping"), counter.public("time")) == ({}, {"serverTime": START_MS})

    def test_times_in_microseconds(self, counter: Counter) -> None:
        fine = {"X-MBX-TIME-UNIT": "microsecond"}
        assert counter.raw("GET", "time", headers=fine).json() == {"serverTime": START_MS * 1_000}
        terms = LIMIT | {"side": "SELL", "quantity": "0.01", "price": "60000", "newOrderRespType": "RESULT"}
        order = counter.send("POST", "order", fine, **terms).json()
        assert (order["transactTime"], order["workingTime"]) == (START_MS * 1_000, START_MS * 1_000)
        stop = {"symbol": "BTCUSDT", "side": "SELL", "type": "STOP_LOSS", "quantity": "0.01", "stopPrice": "59000"}
        assert counter.send("POST", "order", fine, **stop, newOrderRespType="RESULT").json()["workingTime"] == -1


# ── 3.7 events ──────────────────────────────────────────────────────────────────────────────────────────────────────
REPORT = "s e,s,c,S,o,f,C,x,X,r,V i E,g,i,T,t,I,O b w,m,M d q,p,P,F,l,z,L,Z,Y,Q"
NO_FEE = "s n n N"  # "0" and null


@pytest.mark.req("TW-2")
class TestEvents:
    def test_the_life_of_an_order(self, counter: Counter) -> None:
        counter.market("BUY", "0.01", newClientOrderId="mine")
        new, fill, position = counter.events()
        is_of(new, REPORT, NO_FEE, "i W")
        is_of(fill, REPORT, "d n s N i W")
        assert (new["x"], new["X"], new["w"], new["t"], new["C"]) == ("NEW", "NEW", True, -1, "")
        assert (fill["x"], fill["X"], fill["w"], fill["n"], fill["N"]) == (
            "TRADE",
            "FILLED",
            False,
            "0.00001000",
            "BTC",
        )
        assert fill["I"] == new["I"] + 1
        is_of(position, "s e i E,u l B")
        assert position["B"] == [
            {"a": "USDT", "f": "99400.00000000", "l": "0.00000000"},
            {"a": "BTC", "f": "1.00999000", "l": "0.00000000"},
        ]

    def test_a_cancel_goes_by_its_own_id(self, counter: Counter) -> None:
        counter.limit("BUY", "0.01", "50000", newClientOrderId="mine")
        counter.ok("DELETE", "order", symbol="BTCUSDT", origClientOrderId="mine", newClientOrderId="its-cancel")
        gone = counter.events("executionReport")[-1]
        assert (gone["x"], gone["X"], gone["c"], gone["C"]) == ("CANCELED", "CANCELED", "its-cancel", "mine")

    def test_an_amendment_tells_new_and_old_id(self, counter: Counter) -> None:
        counter.limit("BUY", "0.02", "50000", newClientOrderId="mine")
        terms = {"origClientOrderId": "mine", "newQty": "0.01", "newClientOrderId": "less"}
        done = counter.ok("PUT", "order/amend/keepPriority", symbol="BTCUSDT", **terms)
        told = counter.events("executionReport")[-1]
        assert (told["x"], told["c"], told["C"], told["q"]) == ("REPLACED", "less", "mine", "0.01000000")
        assert told["I"] == done["executionId"]

    def test_conditional_keys(self, counter: Counter) -> None:
        stop = {"symbol": "BTCUSDT", "side": "SELL", "type": "TAKE_PROFIT", "quantity": "0.01", "trailingDelta": 100}
        counter.ok("POST", "order", **stop, strategyId=7, strategyType=1_000_000)
        counter.ok("POST", "order", **LIMIT, side="BUY", quantity="0.01", pegPriceType="PRIMARY_PEG")
        trailing, pegged = counter.events("executionReport")
        is_of(trailing, REPORT, NO_FEE, "i d,D,j,J")
        is_of(pegged, REPORT, NO_FEE, "i W s gP d gp")
        counter.limit("BUY", "0.01", "50000", timeInForce="FOK")
        expired = counter.events("executionReport")[-1]
        is_of(expired, REPORT, NO_FEE, "i W s eR")
        assert (expired["x"], expired["eR"]) == ("EXPIRED", "UNFILLED_FOK_ORDER_EXPIRED")

    def test_self_trade_prevention(self, counter: Counter) -> None:
        maker = counter.limit("SELL", "0.02", "60000")
        counter.top("59999.99", "60010.00")
        counter.events()
        counter.limit("BUY", "0.01", "60000", selfTradePreventionMode="EXPIRE_TAKER")
        told = next(each for each in counter.events() if each.get("x") == "TRADE_PREVENTION")
        is_of(told, REPORT, NO_FEE, "i W,v,u,U s Cs d A,B,pl,pL,pY")
        assert (told["X"], told["U"], told["B"]) == ("EXPIRED_IN_MATCH", maker["orderId"], "0.01000000")

    def test_a_list(self, counter: Counter) -> None:
        group = counter.ok("POST", "orderList/oco", **OCO)
        told = counter.events("listStatus")
        is_of(told[0], "s e,s,c,l,L,r,C i E,g,T l O")
        is_of(told[0]["O"][0], "s s,c i i")
        counter.trade("58999", "0.001", Side.SELL)
        reports = {each["i"]: each for each in counter.events("executionReport")}
        maker = reports[group["orders"][1]["orderId"]]
        assert (maker["x"], maker["X"], maker["eR"]) == ("EXPIRED", "EXPIRED", "OCO_TRIGGER")

    def test_a_transfer(self, counter: Counter) -> None:
        counter.floor.credit(counter.floor.accounts["main"], "USDT", D("-12.5"))
        moved, position = counter.events()
        is_of(moved, "s e,a d d i E,T")
        assert (moved["e"], moved["d"]) == ("balanceUpdate", "-12.50000000")
        assert position["B"] == [{"a": "USDT", "f": "99987.50000000", "l": "0.00000000"}]


# ── 5 public streams ────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.req("TW-2")
class TestPublicStreams:
    def heard(self, counter: Counter, *kinds: str) -> dict[str, Any]:
        for each in kinds:
            counter.wire.publisher.want(f"btcusdt@{each}")
        counter.top("59999.98", "60000.00")
        counter.trade("59999.98", "0.5", Side.SELL)
        return {frame.channel.partition("@")[2]: frame.json() for frame in counter.frames() if frame.route == "spot"}

    def test_shapes(self, counter: Counter) -> None:
        heard = self.heard(counter, "bookTicker", "depth@100ms", "depth5@100ms", "aggTrade", "trade")
        is_of(heard["bookTicker"], "i u s s d b,B,a,A")
        is_of(heard["depth@100ms"], "s e,s i E,U,u l b,a")
        is_of(heard["depth5@100ms"], "i lastUpdateId l bids,asks")
        is_of(heard["aggTrade"], "s e,s i E,a,f,l,T d p,q b m,M")
        is_of(heard["trade"], "s e,s i E,t,T d p,q b m,M")
        assert heard["trade"]["m"] is True, "the buyer was the maker: an aggressive sell"

    def test_a_depth_stream_without_a_speed_is_a_second_apart(self, counter: Counter) -> None:
        counter.wire.publisher.want("btcusdt@depth")
        counter.top("59999.98", "60000.00")
        assert len(counter.frames()) == 1
        counter.later(999)
        counter.top("59999.97", "60000.00")
        assert counter.frames() == []
        counter.later(1)
        counter.wire.publisher.tick(counter.pair, counter.now)
        (frame,) = counter.frames()
        assert {level[0] for level in frame.json()["b"]} == {"59999.98000000", "59999.97000000"}
