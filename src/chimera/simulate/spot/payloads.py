"""Binance Spot's shapes for orders, trades and accounts, as plain dictionaries, field by field.

Amounts are JSON strings of eight decimals, ids and times integers. A field that stands only "when relevant" is left out
otherwise. Sources: rest-api.md ("Conditional fields in Order Responses"), faqs/order_amend_keep_priority.md.
"""

from decimal import Decimal
from hashlib import sha256
from typing import Any, Final

from chimera.simulate.spot.accounts import SpotAccount
from chimera.simulate.spot.lists import ListOrderStatus, ListStatus, OrderList
from chimera.simulate.spot.orders import Amendment, Prevention, SpotFill, SpotOrder
from chimera.simulate.venue.orders import Status
from chimera.trading.market import Side

Payload = dict[str, Any]

NOT_YET: Final = -1
NOTHING: Final = "0.00000000"


def eight(amount: Decimal) -> str:
    """Any amount of the spot wire: eight decimals."""
    return f"{amount:.8f}"


# ── orders ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def ack(order: SpotOrder, now_ms: int) -> Payload:
    """The shortest answer to a placement."""
    return {
        "symbol": order.listing.symbol,
        "orderId": order.order_id,
        "orderListId": order.list_id,
        "clientOrderId": order.client_id,
        "transactTime": now_ms,
    }


def result(order: SpotOrder, now_ms: int) -> Payload:
    """The answer with the order's state."""
    return ack(order, now_ms) | _state(order) | {"workingTime": order.working_ms} | _stp(order) | relevant(order)


def full(order: SpotOrder, now_ms: int) -> Payload:
    """The answer with what it filled on entry."""
    return result(order, now_ms) | {"fills": [_fill(each) for each in order.fills]}


def _state(order: SpotOrder) -> Payload:
    body = {
        "price": eight(order.given_price),
        "origQty": eight(order.qty),
        "executedQty": eight(order.cum_qty),
        "origQuoteOrderQty": eight(order.quote_qty),
        "cummulativeQuoteQty": eight(order.cum_quote),
        "status": order.status,
        "timeInForce": order.tif,
        "type": order.type,
        "side": order.side,
    }
    if order.pending and not order.qty:
        del body["origQty"]
    return body


def _stp(order: SpotOrder) -> Payload:
    return {"selfTradePreventionMode": order.stp}


def relevant(order: SpotOrder) -> Payload:
    """The fields that appear only where they say something."""
    body = _terms(order)
    if order.status is Status.EXPIRED and order.expiry != "0":
        body["expiryReason"] = order.expiry
    if order.preventions:
        body["preventedMatchId"] = order.preventions[-1].match_id
        body["preventedQuantity"] = eight(order.prevented_qty)
    return body


def _terms(order: SpotOrder) -> Payload:
    body: Payload = {}
    if order.stop_price:
        body["stopPrice"] = eight(order.stop_price)
    if order.iceberg_qty:
        body["icebergQty"] = eight(order.iceberg_qty)
    if order.trailing_delta:
        body["trailingDelta"] = order.trailing_delta
        body["trailingTime"] = order.trailing_ms
    if order.strategy_id is not None:
        body["strategyId"] = order.strategy_id
    if order.strategy_type is not None:
        body["strategyType"] = order.strategy_type
    return body | _peg(order)


def _peg(order: SpotOrder) -> Payload:
    if order.peg is None:
        return {}
    body: Payload = {"pegPriceType": order.peg.price_type}
    if order.peg.offset_type is not None:
        body |= {"pegOffsetType": order.peg.offset_type, "pegOffsetValue": order.peg.offset_value}
    if order.pegged_price is not None:
        body["peggedPrice"] = eight(order.pegged_price)
    return body


def _fill(fill: SpotFill) -> Payload:
    return {
        "price": eight(fill.price),
        "qty": eight(fill.qty),
        "commission": eight(fill.fee),
        "commissionAsset": fill.fee_asset,
        "tradeId": fill.trade_id,
    }


def canceled(order: SpotOrder, cancel_id: str, now_ms: int) -> Payload:
    """The answer to a cancel: ``clientOrderId`` is the cancel's own."""
    return {
        "symbol": order.listing.symbol,
        "origClientOrderId": order.client_id,
        "orderId": order.order_id,
        "orderListId": order.list_id,
        "clientOrderId": cancel_id,
        "transactTime": now_ms,
        **_state(order),
        **_stp(order),
        **relevant(order),
    }


def queried(order: SpotOrder) -> Payload:
    """A row of the order queries."""
    return {
        "symbol": order.listing.symbol,
        "orderId": order.order_id,
        "orderListId": order.list_id,
        "clientOrderId": order.client_id,
        **_state(order),
        "stopPrice": eight(order.stop_price),
        "icebergQty": eight(order.iceberg_qty),
        "time": order.created_ms,
        "updateTime": order.updated_ms,
        "isWorking": order.working,
        "workingTime": order.working_ms,
        **_stp(order),
        **relevant(order),
    }


def amended(order: SpotOrder, old_client_id: str) -> Payload:
    """``amendedOrder``: here the quantities have other names, and one is spelt right."""
    body = {
        "symbol": order.listing.symbol,
        "orderId": order.order_id,
        "orderListId": order.list_id,
        "origClientOrderId": old_client_id,
        "clientOrderId": order.client_id,
        "price": eight(order.given_price),
        "qty": eight(order.qty),
        "executedQty": eight(order.cum_qty),
        "preventedQty": eight(order.prevented_qty),
        "quoteOrderQty": eight(order.quote_qty),
        "cumulativeQuoteQty": eight(order.cum_quote),
        "status": order.status,
        "timeInForce": order.tif,
        "type": order.type,
        "side": order.side,
    }
    if order.working_ms != NOT_YET:
        body["workingTime"] = order.working_ms
    return body | _stp(order) | _terms(order)


def trade(order: SpotOrder, fill: SpotFill, now_ms: int) -> Payload:
    """A row of ``myTrades``."""
    return {
        "symbol": order.listing.symbol,
        "id": fill.trade_id,
        "orderId": order.order_id,
        "orderListId": order.list_id,
        "price": eight(fill.price),
        "qty": eight(fill.qty),
        "quoteQty": eight(fill.price * fill.qty),
        "commission": eight(fill.fee),
        "commissionAsset": fill.fee_asset,
        "time": now_ms,
        "isBuyer": order.side is Side.BUY,
        "isMaker": fill.maker,
        "isBestMatch": True,
    }


def amendment(order: SpotOrder, made: Amendment) -> Payload:
    """A row of ``order/amendments``."""
    return {
        "symbol": order.listing.symbol,
        "orderId": order.order_id,
        "executionId": made.execution_id,
        "origClientOrderId": made.old_client_id,
        "newClientOrderId": made.new_client_id,
        "origQty": eight(made.old_qty),
        "newQty": eight(made.new_qty),
        "time": made.at_ms,
    }


def prevented(order: SpotOrder, match: Prevention) -> Payload:
    """A row of ``myPreventedMatches``: what each of the two orders lost."""
    own, other = (order.order_id, match.qty), (match.counter_order_id, match.counter_qty)
    (taker_id, taker_qty), (maker_id, maker_qty) = (own, other) if match.taker else (other, own)
    body: Payload = {
        "symbol": order.listing.symbol,
        "preventedMatchId": match.match_id,
        "takerOrderId": taker_id,
        "makerSymbol": order.listing.symbol,
        "makerOrderId": maker_id,
        "tradeGroupId": -1,
        "selfTradePreventionMode": order.stp,
        "price": eight(match.price),
    }
    if taker_qty:
        body["takerPreventedQuantity"] = eight(taker_qty)
    if maker_qty:
        body["makerPreventedQuantity"] = eight(maker_qty)
    return body | {"transactTime": order.updated_ms}


# ── order lists ─────────────────────────────────────────────────────────────────────────────────────────────────────
def order_list(found: OrderList) -> Payload:
    """An order list without its reports."""
    return {
        "orderListId": found.list_id,
        "contingencyType": found.contingency,
        "listStatusType": found.status_type,
        "listOrderStatus": found.order_status,
        "listClientOrderId": found.client_id,
        "transactionTime": found.updated_ms,
        "symbol": found.listing.symbol,
        "orders": legs(found),
    }


def started(found: OrderList, now_ms: int) -> Payload:
    """The answer to a placement: what followed at once is not in it yet."""
    began = {"listStatusType": ListStatus.EXEC_STARTED, "listOrderStatus": ListOrderStatus.EXECUTING}
    return order_list(found) | began | {"transactionTime": now_ms}


def list_state(found: OrderList) -> Payload:
    """``listStatus`` of an amendment's answer."""
    return {
        "orderListId": found.list_id,
        "contingencyType": found.contingency,
        "listOrderStatus": found.order_status,
        "listClientOrderId": found.client_id,
        "symbol": found.listing.symbol,
        "orders": legs(found),
    }


def legs(found: OrderList) -> list[Payload]:
    """Who belongs to it."""
    return [
        {"symbol": leg.listing.symbol, "orderId": leg.order_id, "clientOrderId": leg.client_id} for leg in found.orders
    ]


# ── the account ─────────────────────────────────────────────────────────────────────────────────────────────────────
def account(owner: SpotAccount, omit_zero: bool) -> Payload:
    """GET account."""
    maker, taker = owner.maker_rate, owner.taker_rate
    held = [(asset, held) for asset, held in owner.balances.items() if held.free or held.locked or not omit_zero]
    return {
        "makerCommission": int(maker * 10_000),
        "takerCommission": int(taker * 10_000),
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": {"maker": eight(maker), "taker": eight(taker), "buyer": NOTHING, "seller": NOTHING},
        "canTrade": True,
        "canWithdraw": True,
        "canDeposit": True,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": owner.updated_ms,
        "accountType": "SPOT",
        "balances": [{"asset": asset, "free": eight(held.free), "locked": eight(held.locked)} for asset, held in held],
        "permissions": ["SPOT"],
        "uid": _uid(owner),
    }


def _uid(owner: SpotAccount) -> int:
    """A number of its own for each account, the same in every life."""
    return int(sha256(owner.name.encode()).hexdigest()[:7], 16)
