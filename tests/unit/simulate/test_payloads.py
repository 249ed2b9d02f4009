"""Answers and user events field by field: the names Binance documents, no more and no fewer."""

from decimal import Decimal

from chimera.simulate.door.messages import WireRequest

D = Decimal
PLACED = {
    "clientOrderId",
    "cumQty",
    "executedQty",
    "orderId",
    "origQty",
    "price",
    "reduceOnly",
    "side",
    "positionSide",
    "status",
    "stopPrice",
    "closePosition",
    "symbol",
    "timeInForce",
    "type",
    "origType",
    "updateTime",
    "workingType",
    "priceProtect",
    "priceMatch",
    "selfTradePreventionMode",
    "goodTillDate",
}
ALGO = {
    "algoId",
    "clientAlgoId",
    "algoType",
    "orderType",
    "symbol",
    "side",
    "positionSide",
    "timeInForce",
    "quantity",
    "algoStatus",
    "triggerPrice",
    "price",
    "icebergQuantity",
    "selfTradePreventionMode",
    "workingType",
    "priceMatch",
    "closePosition",
    "priceProtect",
    "reduceOnly",
    "activatePrice",
    "callbackRate",
    "createTime",
    "updateTime",
    "triggerTime",
    "goodTillDate",
}
RISK = {
    "symbol",
    "positionSide",
    "positionAmt",
    "entryPrice",
    "breakEvenPrice",
    "markPrice",
    "unRealizedProfit",
    "liquidationPrice",
    "isolatedMargin",
    "notional",
    "marginAsset",
    "isolatedWallet",
    "initialMargin",
    "maintMargin",
    "positionInitialMargin",
    "openOrderInitialMargin",
    "adl",
    "bidNotional",
    "askNotional",
    "updateTime",
}
TRADE = {
    "id",
    "orderId",
    "price",
    "qty",
    "quoteQty",
    "baseQty",
    "commission",
    "commissionAsset",
    "marginAsset",
    "realizedPnl",
    "side",
    "positionSide",
    "buyer",
    "maker",
    "symbol",
    "pair",
    "time",
}


def test_the_answer_to_place_is_the_documented_example(desk):
    desk.mark("90000")
    desk.top("89999.9", "90000.1")
    answer = desk.ok(
        "POST",
        "v1/order",
        symbol="BTCUSDT",
        side="BUY",
        type="LIMIT",
        timeInForce="GTX",
        quantity="0.010",
        price="90000.00",
        newClientOrderId="rt-91c-1",
    )
    assert answer == {
        "clientOrderId": "rt-91c-1",
        "cumQty": "0.000",
        "executedQty": "0.000",
        "orderId": answer["orderId"],
        "origQty": "0.010",
        "price": "90000.00",
        "reduceOnly": False,
        "side": "BUY",
        "positionSide": "BOTH",
        "status": "NEW",
        "stopPrice": "0.00",
        "closePosition": False,
        "symbol": "BTCUSDT",
        "timeInForce": "GTX",
        "type": "LIMIT",
        "origType": "LIMIT",
        "updateTime": desk.now,
        "workingType": "CONTRACT_PRICE",
        "priceProtect": False,
        "priceMatch": "NONE",
        "selfTradePreventionMode": "EXPIRE_MAKER",
        "goodTillDate": 0,
    }


def test_key_sets_of_rest_answers(desk):
    desk.market("BUY", "0.1", newClientOrderId="a")
    desk.stop("SELL", "65700", closePosition="true", clientAlgoId="s")
    assert set(desk.limit("BUY", "0.1", "65000")) == PLACED
    assert set(desk.order("a")) == PLACED | {"avgPrice", "cumQuote", "time"}
    assert set(desk.ok("GET", "v1/allOrders", symbol="BTCUSDT")[0]) == PLACED | {
        "avgPrice",
        "cumQuote",
        "time",
        "pair",
        "cumBase",
    }
    children = {"actualOrderId", "actualPrice", "actualType", "actualQty"}
    assert set(desk.algo("s")) == ALGO | children
    assert set(desk.ok("GET", "v1/openAlgoOrders", symbol="BTCUSDT")[0]) == ALGO | children
    assert set(desk.ok("GET", "v1/allAlgoOrders", symbol="BTCUSDT")[0]) == ALGO | children
    assert set(desk.ok("GET", "v3/positionRisk")[0]) == RISK
    assert set(desk.ok("GET", "v1/userTrades", symbol="BTCUSDT")[0]) == TRADE
    assert "leverage" not in desk.ok("GET", "v3/account")["positions"][0]


def test_algo_update_is_the_documented_example(desk):
    desk.mark("65800")
    desk.listen()
    desk.market("BUY", "0.01")
    terms = {"quantity": "0.010", "reduceOnly": "true", "workingType": "MARK_PRICE", "clientAlgoId": "rt-sl-1"}
    placed = desk.stop("SELL", "65700", **terms)
    desk.now += 5
    desk.mark("65699")
    triggered = next(e for e in desk.events("ALGO_UPDATE") if e["o"]["X"] == "TRIGGERED")
    assert triggered == {
        "e": "ALGO_UPDATE",
        "T": desk.now,
        "E": desk.now,
        "o": {
            "caid": "rt-sl-1",
            "aid": placed["algoId"],
            "at": "CONDITIONAL",
            "o": "STOP_MARKET",
            "s": "BTCUSDT",
            "S": "SELL",
            "ps": "BOTH",
            "f": "GTC",
            "q": "0.010",
            "X": "TRIGGERED",
            "ai": desk.algo("rt-sl-1")["actualOrderId"],
            "ap": "0",
            "aq": "0",
            "act": "MARKET",
            "tp": "65700",
            "p": "0",
            "V": "EXPIRE_MAKER",
            "wt": "MARK_PRICE",
            "pm": "NONE",
            "cp": False,
            "pP": False,
            "R": True,
            "tt": desk.now,
            "gtd": 0,
            "rm": "",
        },
    }


def test_close_position_algos_live_under_gte_gtc(desk):
    desk.listen()
    desk.market("BUY", "0.1")
    assert desk.stop("SELL", "65700", closePosition="true")["timeInForce"] == "GTE_GTC"
    event = desk.events("ALGO_UPDATE")[0]["o"]
    assert (event["f"], event["q"], event["R"], event["cp"]) == ("GTE_GTC", "0", True, True)


def test_the_events_of_a_fill(desk):
    desk.listen()
    desk.market("BUY", "0.1", newClientOrderId="a")
    desk.top("65900.0", "65900.1")
    desk.now += 7
    desk.market("SELL", "0.04", newClientOrderId="b")
    lite, account, order = desk.events()[-3:]
    trade_id = order["o"]["t"]
    assert set(lite) == {"e", "E", "T", "s", "q", "p", "m", "c", "S", "L", "l", "t", "i"}
    assert (lite["e"], lite["t"], lite["L"], lite["l"]) == ("TRADE_LITE", trade_id, "65900.00", "0.040")

    realized, fee = D("4.0"), D("0.04") * D("65900") * D("0.0005")
    assert account["a"]["m"] == "ORDER"
    balance, position = account["a"]["B"][0], account["a"]["P"][0]
    assert set(balance) == {"a", "wb", "cw", "bc"}
    assert D(balance["wb"]) == 100_000 + realized - fee - D("3.29")
    assert set(position) == {"s", "pa", "ep", "bep", "cr", "up", "mt", "iw", "ps", "ma"}
    assert (position["pa"], position["ep"], position["mt"]) == ("0.06", "65800", "cross")

    body = order["o"]
    expected = "s c S o f q p ap sp x X i l z L n N T t b a m R wt ot ps cp rp pP si ss V pm gtd er"
    assert set(body) == set(expected.split())
    assert (body["x"], body["X"], D(body["rp"]), D(body["n"]), body["N"]) == ("TRADE", "FILLED", realized, fee, "USDT")
    assert (body["m"], body["er"], body["T"]) == (False, "0", desk.now)


def test_an_order_that_only_rests_has_no_commission_and_no_account_event(desk):
    desk.listen()
    desk.limit("BUY", "0.1", "65000", newClientOrderId="r")
    desk.ok("DELETE", "v1/order", symbol="BTCUSDT", origClientOrderId="r")
    new, canceled = desk.events()
    assert ("n" in new["o"], "N" in new["o"]) == (False, False)
    assert [(e["e"], e["o"]["x"], e["o"]["X"]) for e in (new, canceled)] == [
        ("ORDER_TRADE_UPDATE", "NEW", "NEW"),
        ("ORDER_TRADE_UPDATE", "CANCELED", "CANCELED"),
    ]


def test_changing_leverage_is_told(desk):
    desk.listen()
    assert desk.ok("POST", "v1/leverage", symbol="BTCUSDT", leverage=7) == {
        "leverage": 7,
        "maxNotionalValue": "230000000",
        "symbol": "BTCUSDT",
    }
    assert desk.events() == [
        {"e": "ACCOUNT_CONFIG_UPDATE", "E": desk.now, "T": desk.now, "ac": {"s": "BTCUSDT", "l": 7}}
    ]
    assert desk.ok("GET", "v1/symbolConfig", symbol="BTCUSDT")[0]["leverage"] == 7


def test_rules_say_what_the_filters_enforce(desk):
    info = desk.raw("GET", "/fapi/v1/exchangeInfo")[1]
    symbol = info["symbols"][0]
    filters = {each["filterType"]: each for each in symbol["filters"]}
    assert (symbol["symbol"], symbol["status"], symbol["contractType"]) == ("BTCUSDT", "TRADING", "PERPETUAL")
    assert (filters["PRICE_FILTER"]["tickSize"], filters["LOT_SIZE"]["stepSize"]) == ("0.10", "0.001")
    assert filters["MIN_NOTIONAL"]["notional"] == "5"


def test_public_prices(desk):
    desk.mark("65812.5")
    premium = desk.raw("GET", "/fapi/v1/premiumIndex", "symbol=BTCUSDT")[1]
    assert (premium["markPrice"], premium["nextFundingTime"]) == ("65812.50000000", desk.now + 1000)
    assert len(desk.raw("GET", "/fapi/v1/premiumIndex")[1]) == 2
    ticker = desk.raw("GET", "/fapi/v1/ticker/bookTicker", "symbol=BTCUSDT")[1]
    assert (ticker["bidPrice"], ticker["askQty"]) == ("65799.90", "5.000")
    book = desk.raw("GET", "/fapi/v1/depth", "symbol=BTCUSDT&limit=5")[1]
    assert (book["bids"], book["asks"]) == ([["65799.90", "5.000"]], [["65800.00", "5.000"]])


def test_weights_and_order_counts_are_in_the_headers(desk):
    def headers(query):
        return desk.twin.handle(WireRequest(method="GET", path="/fapi/v1/depth", query=query), desk.now).headers

    assert headers("symbol=BTCUSDT")["X-MBX-USED-WEIGHT-1M"] == "10"
    assert headers("symbol=BTCUSDT")["X-MBX-USED-WEIGHT-1M"] == "20"
    desk.now += 60_000
    assert headers("symbol=BTCUSDT")["X-MBX-USED-WEIGHT-1M"] == "10"


def test_queries_answer(desk):
    """The rest of the read-only calls, by the values a caller relies on."""
    desk.market("BUY", "0.1")
    desk.market("SELL", "0.1")
    assert desk.ok("GET", "v1/positionSide/dual") == {"dualSidePosition": False}
    assert desk.ok("GET", "v1/multiAssetsMargin") == {"multiAssetsMargin": False}
    assert desk.ok("GET", "v1/accountConfig")["canTrade"] is True
    assert desk.ok("GET", "v1/commissionRate", symbol="BTCUSDT")["takerCommissionRate"] == "0.0005"
    assert desk.ok("GET", "v1/leverageBracket")[0]["brackets"][0]["initialLeverage"] == 150
    assert [row["limit"] for row in desk.ok("GET", "v1/rateLimit/order")] == [300, 1200]
    assert desk.ok("GET", "v3/positionRisk") == []
    kinds = [row["incomeType"] for row in desk.ok("GET", "v1/income")]
    assert kinds == ["COMMISSION", "REALIZED_PNL", "COMMISSION"]
    trades = desk.ok("GET", "v1/userTrades", symbol="BTCUSDT")
    assert desk.ok("GET", "v1/userTrades", symbol="BTCUSDT", fromId=trades[1]["id"]) == trades[1:]
    assert desk.ok("GET", "v1/userTrades", symbol="BTCUSDT", limit=1) == trades[1:]
    assert desk.ok("GET", "v1/userTrades", symbol="BTCUSDT", orderId=trades[0]["orderId"]) == trades[:1]
