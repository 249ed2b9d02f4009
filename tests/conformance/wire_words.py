"""Binance's own field names as ``told`` values: for clients that hand the wire through."""

from decimal import Decimal
from typing import Any

from told import Past, Refused, Rules, Told, ToldAlgo, ToldList, ToldTrade, amount, one_candle


def of_symbol(rows: list[dict[str, Any]], symbol: str) -> dict[str, Any]:
    """The row of one symbol."""
    return next(each for each in rows if each["symbol"] == symbol)


def each_order(rows: list[dict[str, Any]]) -> list[Told | Refused]:
    """The rows of a batch: an order, or why it was refused."""
    return [
        Refused(each["code"], each["msg"]) if each.get("code") not in (None, 200) else told_order(each) for each in rows
    ]


def told_list(told: dict[str, Any]) -> ToldList:
    """A spot order list."""
    return ToldList(
        list_id=str(told["orderListId"]),
        client_id=told["listClientOrderId"],
        status=told["listOrderStatus"],
        orders={each["clientOrderId"]: str(each["orderId"]) for each in told["orders"]},
    )


def told_execution(told: dict[str, Any]) -> Told:
    """An executionReport; after a cancel ``c`` is the cancel's own id and ``C`` the order's."""
    return Told(
        order_id=str(told["i"]),
        client_id=told["C"] or told["c"],
        side=told["S"],
        status=told["X"],
        price=amount(told["p"]),
        qty=amount(told["q"]),
        filled=amount(told["z"]),
    )


def told_order(told: dict[str, Any]) -> Told:
    """An order by Binance's field names; an ACK has only its ids. A spot cancel gives the order's own as ``orig…``."""

    def stated(name: str) -> Decimal | None:
        return amount(told[name]) if name in told else None

    return Told(
        order_id=str(told["orderId"]),
        client_id=told.get("origClientOrderId") or told["clientOrderId"],
        side=told.get("side"),
        status=told.get("status"),
        price=stated("price"),
        qty=stated("origQty"),
        filled=stated("executedQty"),
    )


def told_update(order: dict[str, Any]) -> Told:
    """The ``o`` of an ORDER_TRADE_UPDATE."""
    return Told(
        order_id=str(order["i"]),
        client_id=order["c"],
        side=order["S"],
        status=order["X"],
        price=amount(order["p"]),
        qty=amount(order["q"]),
        filled=amount(order["z"]),
    )


def told_algo(told: dict[str, Any]) -> ToldAlgo:
    """An algo order by Binance's field names."""
    return ToldAlgo(
        algo_id=str(told["algoId"]),
        client_id=told["clientAlgoId"],
        status=told["algoStatus"],
        trigger=amount(told["triggerPrice"]),
    )


def told_trade(told: dict[str, Any]) -> ToldTrade:
    """A row of userTrades."""
    return ToldTrade(
        trade_id=str(told["id"]),
        order_id=str(told["orderId"]),
        price=amount(told["price"]),
        qty=amount(told["qty"]),
        fee=amount(told["commission"]),
        fee_asset=told["commissionAsset"],
        maker=told["maker"] if "maker" in told else told["isMaker"],
    )


def spot_words(client_id: str, terms: dict[str, Any]) -> dict[str, Any]:
    """Our terms of a spot order as Binance's parameters."""
    words = {"symbol": terms["symbol"], "side": terms["side"], "type": terms["type"], "newClientOrderId": client_id}
    named = {"qty": "quantity", "quote_qty": "quoteOrderQty", "price": "price", "stop": "stopPrice"}
    words |= {named[name]: value for name, value in terms.items() if name in named}
    if "LIMIT" in terms["type"] and terms["type"] != "LIMIT_MAKER":
        words["timeInForce"] = terms.get("tif", "GTC")
    return words


def told_balances(rows: list[dict[str, Any]]) -> dict[str, tuple[Decimal, Decimal]]:
    """Free and locked by asset."""
    return {each["asset"]: (amount(each["free"]), amount(each["locked"])) for each in rows}


def told_position(told: dict[str, Any]) -> dict[str, tuple[Decimal, Decimal]]:
    """An outboundAccountPosition: free and locked by asset."""
    return {each["a"]: (amount(each["f"]), amount(each["l"])) for each in told["B"]}


def told_past(klines: list[Any], ticker: dict[str, Any], trades: list[dict[str, Any]]) -> Past:
    """The public past as klines, ticker/24hr and trades show it."""
    return Past(
        candle=one_candle(row[1:] for row in klines),
        last=amount(ticker["lastPrice"]),
        volume=amount(ticker["volume"]),
        trades=[(amount(each["price"]), amount(each["qty"]), not each["isBuyerMaker"]) for each in trades],
    )


def told_candle(told: dict[str, Any]) -> tuple[Decimal, ...]:
    """The ``k`` of a kline event."""
    return one_candle([[told[name] for name in "ohlcv"]])


def told_rules(symbol: dict[str, Any]) -> Rules:
    """The filters of one symbol of exchangeInfo; futures and spot name the notional filter each in its own way."""
    filters = {each["filterType"]: each for each in symbol["filters"]}
    notional = filters["NOTIONAL"]["minNotional"] if "NOTIONAL" in filters else filters["MIN_NOTIONAL"]["notional"]
    return Rules(
        tick=amount(filters["PRICE_FILTER"]["tickSize"]),
        step=amount(filters["LOT_SIZE"]["stepSize"]),
        min_qty=amount(filters["LOT_SIZE"]["minQty"]),
        min_notional=amount(notional),
    )
