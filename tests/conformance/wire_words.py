"""Binance's own field names as ``told`` values: for clients that hand the wire through."""

from typing import Any

from told import Refused, Told, ToldAlgo, ToldTrade, amount


def of_symbol(rows: list[dict[str, Any]], symbol: str) -> dict[str, Any]:
    """The row of one symbol."""
    return next(each for each in rows if each["symbol"] == symbol)


def each_order(rows: list[dict[str, Any]]) -> list[Told | Refused]:
    """The rows of a batch: an order, or why it was refused."""
    return [
        Refused(each["code"], each["msg"]) if each.get("code") not in (None, 200) else told_order(each) for each in rows
    ]


def told_order(told: dict[str, Any]) -> Told:
    """An order by Binance's field names."""
    return Told(
        order_id=str(told["orderId"]),
        client_id=told["clientOrderId"],
        side=told["side"],
        status=told["status"],
        price=amount(told["price"]),
        qty=amount(told["origQty"]),
        filled=amount(told["executedQty"]),
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
        maker=told["maker"],
    )
