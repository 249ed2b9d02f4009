"""Binance USD-M's shapes, as plain dictionaries: REST answers and user events, field by field.

Amounts are JSON strings, ids and times integers. Sources: connector models and the user-data-stream pages.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from chimera.simulate.usdm.accounts import ASSET, Account, Position, Terms
from chimera.simulate.usdm.algos import Algo, AlgoStatus, AlgoType
from chimera.simulate.usdm.floor import Fill
from chimera.simulate.usdm.orders import MAX_AMENDMENTS, Amendment, Forced, FuturesOrder, OrderType
from chimera.simulate.usdm.perpetual import LIQUIDATION_FEE, TRIGGER_PROTECT, Perpetual
from chimera.simulate.venue.orders import Status, Tif
from chimera.trading.market import Side
from chimera.trading.money import ZERO, text

Payload = dict[str, Any]
LIQUIDATION = "LIQUIDATION"  # a forced order's type in the stream; queries call it LIMIT


def cash(amount: Decimal) -> str:
    """A wallet amount: eight decimals."""
    return f"{amount:.8f}"


def placed(order: FuturesOrder, before_matching: bool = False) -> Payload:
    """The answer to place and cancel (connector 14.0.0: no avgPrice, no cumQuote)."""
    p, q = order.listing.p, order.listing.q
    done = ZERO if before_matching else order.cum_qty
    return {
        "orderId": order.order_id,
        "symbol": order.listing.symbol,
        "status": Status.NEW if before_matching else order.status,
        "clientOrderId": order.client_id,
        "price": p(order.price),
        "origQty": q(order.qty),
        "executedQty": q(done),
        "cumQty": q(done),
        "timeInForce": order.tif,
        "type": order.type,
        "reduceOnly": order.reduce_only,
        "closePosition": order.close_position,
        "side": order.side,
        "positionSide": order.position_side,
        "stopPrice": p(order.algo.trigger_price if order.algo else ZERO),
        "workingType": order.algo.working if order.algo else "CONTRACT_PRICE",
        "priceProtect": order.algo.price_protect if order.algo else False,
        "origType": order.orig_type,
        "priceMatch": order.price_match,
        "selfTradePreventionMode": order.stp,
        "goodTillDate": order.good_till_ms,
        "updateTime": order.created_ms if before_matching else order.updated_ms,
    }


def queried(order: FuturesOrder) -> Payload:
    """The answer of the order queries."""
    listing = order.listing
    answer = placed(order) | {
        "avgPrice": listing.p(order.avg_px),
        "cumQuote": text(order.cum_quote),
        "time": order.created_ms,
    }
    if order.algo is not None and order.algo.trails:
        answer |= {"activatePrice": listing.p(order.algo.activate_price), "priceRate": text(order.algo.callback_rate)}
    return answer


def modified(order: FuturesOrder, modify_id: int | None) -> Payload:
    """The answer to a change."""
    echo = {} if modify_id is None else {"modifyId": modify_id}
    return placed(order) | {"pair": order.listing.symbol} | echo


def amendment(order: FuturesOrder, count: int, done: Amendment) -> Payload:
    """A row of ``orderAmendment``; ``count`` is the how-manieth change of this order it was."""
    p, q = order.listing.p, order.listing.q
    body: Payload = {
        "price": {"before": p(done.price_before), "after": p(done.price_after)},
        "origQty": {"before": q(done.qty_before), "after": q(done.qty_after)},
        "count": count,
    }
    if done.modify_id is not None:
        body["modifyId"] = done.modify_id
    return {
        "amendmentId": order.order_id * MAX_AMENDMENTS + count,
        "symbol": order.listing.symbol,
        "pair": order.listing.symbol,
        "orderId": order.order_id,
        "clientOrderId": order.client_id,
        "time": done.at_ms,
        "amendment": body,
    }


def algo(order: Algo) -> Payload:
    """The answer to placing a conditional order."""
    p, q = order.listing.p, order.listing.q
    return {
        "algoId": order.algo_id,
        "clientAlgoId": order.client_id,
        "algoType": "CONDITIONAL",
        "orderType": order.type,
        "symbol": order.listing.symbol,
        "side": order.side,
        "positionSide": order.position_side,
        "timeInForce": order.tif,
        "quantity": q(order.qty),
        "algoStatus": order.status,
        "triggerPrice": p(order.trigger_price),
        "price": p(order.price),
        "icebergQuantity": None,
        "selfTradePreventionMode": order.stp,
        "workingType": order.working,
        "priceMatch": order.price_match,
        "closePosition": order.close_position,
        "priceProtect": order.price_protect,
        "reduceOnly": order.reduce_only,
        "activatePrice": p(order.activate_price) if order.trails else "",
        "callbackRate": text(order.callback_rate) if order.trails else "",
        "createTime": order.created_ms,
        "updateTime": order.updated_ms,
        "triggerTime": order.triggered_ms,
        "goodTillDate": order.good_till_ms,
    }


def algo_queried(order: Algo) -> Payload:
    """The answer of the conditional-order queries: with the child."""
    child = order.child
    return algo(order) | {
        "actualOrderId": "" if child is None else str(child.order_id),
        "actualPrice": order.listing.p(child.avg_px if child else ZERO),
        "actualQty": order.listing.q(child.cum_qty if child else ZERO),
        "actualType": "" if child is None else child.type,
    }


def order_update(order: FuturesOrder, execution: str, fill: Fill | None, now_ms: int) -> Payload:
    """``ORDER_TRADE_UPDATE``."""
    listing, child_of = order.listing, order.algo
    p, q = listing.p, listing.q
    held = order.account.position(listing.symbol, order.position_side)
    body: Payload = {
        "s": listing.symbol,
        "c": order.client_id,
        "S": order.side,
        "o": LIQUIDATION if order.forced is Forced.LIQUIDATION else order.type,
        "f": order.tif,
        "q": q(order.qty),
        "p": p(order.price),
        "ap": text(order.avg_px),
        "sp": p(child_of.trigger_price if child_of else ZERO),
        "x": execution,
        "X": order.status,
        "i": order.order_id,
        "l": q(fill.qty if fill else ZERO),
        "z": q(order.cum_qty),
        "L": p(fill.price if fill else ZERO),
        "T": now_ms,
        "t": fill.trade_id if fill else 0,
        "b": text(held.bids),
        "a": text(held.asks),
        "m": fill.maker if fill else False,
        "R": order.reduce_only,
        "wt": child_of.working if child_of else "CONTRACT_PRICE",
        "ot": order.orig_type,
        "ps": order.position_side,
        "cp": order.close_position,
        "rp": text(fill.realized) if fill else "0",
        "pP": child_of.price_protect if child_of else False,
        "si": 0,
        "ss": 0,
        "V": order.stp,
        "pm": order.price_match,
        "gtd": order.good_till_ms,
        "er": order.expiry,
    }
    if child_of is not None and child_of.trails:
        body |= {"AP": p(child_of.activate_price), "cr": text(child_of.callback_rate)}
    if execution == "AMENDMENT" and order.amendments[-1].modify_id is not None:
        body["M"] = order.amendments[-1].modify_id
    if fill is not None:
        body["n"] = text(fill.fee)
        body["N"] = ASSET
    return {"e": "ORDER_TRADE_UPDATE", "E": now_ms, "T": now_ms, "o": body}


def trade_lite(order: FuturesOrder, fill: Fill, now_ms: int) -> Payload:
    """``TRADE_LITE``."""
    p, q = order.listing.p, order.listing.q
    return {
        "e": "TRADE_LITE",
        "E": now_ms,
        "T": now_ms,
        "s": order.listing.symbol,
        "q": q(order.qty),
        "p": p(order.price),
        "m": fill.maker,
        "c": order.client_id,
        "S": order.side,
        "L": p(fill.price),
        "l": q(fill.qty),
        "t": fill.trade_id,
        "i": order.order_id,
    }


def account_update(
    account: Account, reason: str, positions: Iterable[tuple[Position, Decimal]], change: str, now_ms: int
) -> Payload:
    """``ACCOUNT_UPDATE``. ``change``: of the balance, profit and commission aside. Positions come with their mark."""
    balance = {"a": ASSET, "wb": cash(account.wallet), "cw": cash(account.cross_wallet), "bc": change}
    rows = [_changed(held, mark) for held, mark in positions]
    body: Payload = {"m": reason, "B": [balance], "P": rows}
    return {"e": "ACCOUNT_UPDATE", "E": now_ms, "T": now_ms, "a": body}


def _changed(held: Position, mark: Decimal) -> Payload:
    return {
        "s": held.symbol,
        "pa": text(held.qty),
        "ep": text(held.entry),
        "bep": text(held.break_even),
        "cr": text(held.realized),
        "up": text(held.profit(mark)),
        "mt": "isolated" if held.isolated else "cross",
        "iw": text(held.set_aside),
        "ps": held.side,
        "ma": ASSET,
    }


def margin_call(account: Account, positions: Iterable[tuple[Position, Decimal, Decimal]], now_ms: int) -> Payload:
    """``MARGIN_CALL``: each position with its mark and maintenance margin; ``cw`` with cross positions only."""
    rows, cross = [], False
    for held, mark, kept in positions:
        cross = cross or not held.isolated
        rows.append(
            {
                "s": held.symbol,
                "ps": held.side,
                "pa": text(held.qty),
                "mt": "ISOLATED" if held.isolated else "CROSSED",
                "iw": text(held.set_aside),
                "mp": cash(mark),
                "up": cash(held.profit(mark)),
                "mm": cash(kept),
            }
        )
    head: Payload = {"e": "MARGIN_CALL", "E": now_ms}
    return head | ({"cw": cash(account.cross_wallet)} if cross else {}) | {"p": rows}


def algo_update(order: Algo, now_ms: int) -> Payload:
    """``ALGO_UPDATE``; ``ai`` is empty before the trigger."""
    child = order.child
    body: Payload = {
        "caid": order.client_id,
        "aid": order.algo_id,
        "at": "CONDITIONAL",
        "o": order.type,
        "s": order.listing.symbol,
        "S": order.side,
        "ps": order.position_side,
        "f": order.tif,
        "q": "0" if order.close_position else order.listing.q(order.qty),
        "X": order.status,
        "ai": "" if child is None else str(child.order_id),
        "ap": text(child.avg_px) if child else "0",
        "aq": text(child.cum_qty) if child else "0",
        "act": "" if child is None else child.type,
        "tp": text(order.trigger_price),
        "p": text(order.price),
        "V": order.stp,
        "wt": order.working,
        "pm": order.price_match,
        "cp": order.close_position,
        "pP": order.price_protect,
        "R": order.reduce_only,
        "tt": order.triggered_ms,
        "gtd": order.good_till_ms,
        "rm": order.reason if order.status is AlgoStatus.REJECTED else "",
    }
    if order.trails:
        body |= {"AP": text(order.activate_price), "cr": text(order.callback_rate), "ia": order.active}
    return {"e": "ALGO_UPDATE", "T": now_ms, "E": now_ms, "o": body}


def leverage_update(terms: Terms, now_ms: int) -> Payload:
    """``ACCOUNT_CONFIG_UPDATE``."""
    return {"e": "ACCOUNT_CONFIG_UPDATE", "E": now_ms, "T": now_ms, "ac": {"s": terms.symbol, "l": terms.leverage}}


def user_trade(order: FuturesOrder, fill: Fill, now_ms: int) -> Payload:
    """A row of ``userTrades``: no client id."""
    return {
        "symbol": order.listing.symbol,
        "id": fill.trade_id,
        "orderId": order.order_id,
        "side": order.side,
        "price": order.listing.p(fill.price),
        "qty": order.listing.q(fill.qty),
        "realizedPnl": cash(fill.realized),
        "quoteQty": text(fill.price * fill.qty),
        "baseQty": text(fill.qty),
        "commission": cash(fill.fee),
        "commissionAsset": ASSET,
        "marginAsset": ASSET,
        "time": now_ms,
        "positionSide": order.position_side,
        "buyer": order.side is Side.BUY,
        "maker": fill.maker,
        "pair": order.listing.symbol,
    }


def income(kind: str, amount: Decimal, order: FuturesOrder, fill: Fill, now_ms: int) -> Payload:
    """The next row of the account's ``income``. Trade numbers are a symbol's; a ``tranId`` is told once by kind."""
    return {
        "symbol": order.listing.symbol,
        "incomeType": kind,
        "income": cash(amount),
        "asset": ASSET,
        "time": now_ms,
        "info": str(fill.trade_id),
        "tranId": len(order.account.income) + 1,
        "tradeId": str(fill.trade_id),
    }


def symbol_info(listing: Perpetual) -> Payload:
    """A symbol of ``exchangeInfo``."""
    rules, p = listing.instrument, listing.p
    return {
        "symbol": listing.symbol,
        "pair": listing.symbol,
        "contractType": "PERPETUAL",
        "deliveryDate": 4133404800000,
        "onboardDate": 1569398400000,
        "status": listing.status,
        "baseAsset": rules.base,
        "quoteAsset": rules.quote,
        "marginAsset": ASSET,
        "pricePrecision": listing.price_places,
        "quantityPrecision": listing.qty_places,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": ["PoW"],
        "settlePlan": 0,
        "triggerProtect": f"{TRIGGER_PROTECT:.4f}",
        "liquidationFee": f"{LIQUIDATION_FEE:.6f}",
        "marketTakeBound": f"{rules.price_up - 1:.2f}",
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "orderTypes": [*OrderType, *AlgoType],
        "timeInForce": [*Tif],
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": p(rules.min_price),
                "maxPrice": p(rules.max_price),
                "tickSize": p(rules.tick),
            },
            _lot("LOT_SIZE", listing, rules.max_qty),
            _lot("MARKET_LOT_SIZE", listing, rules.market_max_qty),
            {"filterType": "MAX_NUM_ORDERS", "limit": 200},
            {"filterType": "MIN_NOTIONAL", "notional": text(rules.min_notional)},
            {
                "filterType": "PERCENT_PRICE",
                "multiplierUp": f"{rules.price_up:.4f}",
                "multiplierDown": f"{rules.price_down:.4f}",
                "multiplierDecimal": "4",
            },
            {"filterType": "POSITION_RISK_CONTROL", "positionControlSide": "NONE"},
        ],
    }


def _lot(name: str, listing: Perpetual, most: Decimal) -> Payload:
    rules, q = listing.instrument, listing.q
    return {"filterType": name, "minQty": q(rules.min_qty), "maxQty": q(most), "stepSize": q(rules.step)}
