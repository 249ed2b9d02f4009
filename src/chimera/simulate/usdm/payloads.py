"""Binance USD-M's shapes, as plain dictionaries: REST answers and user events, field by field.

Amounts are JSON strings, ids and times integers. Sources: connector models and the user-data-stream pages.
"""

from decimal import Decimal
from typing import Any

from chimera.simulate.usdm.accounts import ASSET, Account, Position, Terms
from chimera.simulate.usdm.algos import Algo, AlgoStatus
from chimera.simulate.usdm.floor import Fill
from chimera.simulate.usdm.orders import FuturesOrder, OrderType
from chimera.simulate.usdm.perpetual import Perpetual
from chimera.simulate.venue.orders import Status
from chimera.trading.market import Side
from chimera.trading.money import ZERO, text

Payload = dict[str, Any]


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
        "priceProtect": False,
        "origType": order.orig_type,
        "priceMatch": "NONE",
        "selfTradePreventionMode": order.stp,
        "goodTillDate": 0,
        "updateTime": order.created_ms if before_matching else order.updated_ms,
    }


def queried(order: FuturesOrder) -> Payload:
    """The answer of the order queries."""
    listing = order.listing
    return placed(order) | {
        "avgPrice": listing.p(order.avg_px),
        "cumQuote": text(order.cum_quote),
        "time": order.created_ms,
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
        "timeInForce": "GTE_GTC" if order.close_position else "GTC",
        "quantity": q(order.qty),
        "algoStatus": order.status,
        "triggerPrice": p(order.trigger_price),
        "price": p(ZERO),
        "icebergQuantity": None,
        "selfTradePreventionMode": order.stp,
        "workingType": order.working,
        "priceMatch": "NONE",
        "closePosition": order.close_position,
        "priceProtect": order.price_protect,
        "reduceOnly": order.reduce_only,
        "activatePrice": "",
        "callbackRate": "",
        "createTime": order.created_ms,
        "updateTime": order.updated_ms,
        "triggerTime": order.triggered_ms,
        "goodTillDate": 0,
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
        "o": order.type,
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
        "pP": False,
        "si": 0,
        "ss": 0,
        "V": order.stp,
        "pm": "NONE",
        "gtd": 0,
        "er": order.expiry,
    }
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


def account_update(account: Account, held: Position, mark: Decimal, now_ms: int) -> Payload:
    """``ACCOUNT_UPDATE`` after a fill."""
    return {
        "e": "ACCOUNT_UPDATE",
        "E": now_ms,
        "T": now_ms,
        "a": {
            "m": "ORDER",
            "B": [{"a": ASSET, "wb": cash(account.wallet), "cw": cash(account.cross_wallet), "bc": "0"}],
            "P": [
                {
                    "s": held.symbol,
                    "pa": text(held.qty),
                    "ep": text(held.entry),
                    "bep": text(held.break_even),
                    "cr": text(held.realized),
                    "up": text(held.profit(mark)),
                    "mt": "isolated" if held.isolated else "cross",
                    "iw": text(held.isolated_wallet),
                    "ps": held.side,
                    "ma": ASSET,
                }
            ],
        },
    }


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
        "f": "GTE_GTC" if order.close_position else "GTC",
        "q": "0" if order.close_position else order.listing.q(order.qty),
        "X": order.status,
        "ai": "" if child is None else str(child.order_id),
        "ap": text(child.avg_px) if child else "0",
        "aq": text(child.cum_qty) if child else "0",
        "act": "" if child is None else child.type,
        "tp": text(order.trigger_price),
        "p": "0",
        "V": order.stp,
        "wt": order.working,
        "pm": "NONE",
        "cp": order.close_position,
        "pP": order.price_protect,
        "R": order.reduce_only,
        "tt": order.triggered_ms,
        "gtd": 0,
        "rm": order.reason if order.status is AlgoStatus.REJECTED else "",
    }
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
    """A row of ``income``."""
    return {
        "symbol": order.listing.symbol,
        "incomeType": kind,
        "income": cash(amount),
        "asset": ASSET,
        "time": now_ms,
        "info": str(fill.trade_id),
        "tranId": fill.trade_id * 10 + (kind == "COMMISSION"),
        "tradeId": str(fill.trade_id),
    }


def position_risk(account: Account, held: Position, listing: Perpetual) -> Payload:
    """A row of v3 ``positionRisk``: no leverage, no marginType."""
    mark = listing.mark if listing.mark is not None else held.entry
    notional, rate = held.qty * mark, listing.instrument.maint_margin_rate
    maint = abs(notional) * rate
    return {
        "symbol": held.symbol,
        "positionSide": held.side,
        "positionAmt": listing.q(held.qty),
        "entryPrice": text(held.entry),
        "breakEvenPrice": text(held.break_even),
        "markPrice": cash(mark),
        "unRealizedProfit": cash(held.profit(mark)),
        "liquidationPrice": text(held.liquidation(account.cross_wallet, mark, rate).quantize(Decimal("0.00000001"))),
        "isolatedMargin": cash(held.isolated_wallet + held.profit(mark)) if held.isolated else "0",
        "notional": cash(notional),
        "marginAsset": ASSET,
        "isolatedWallet": text(held.isolated_wallet),
        "initialMargin": cash(held.margin(mark)),
        "maintMargin": cash(maint),
        "positionInitialMargin": cash(held.position_margin(mark)),
        "openOrderInitialMargin": cash(held.margin(mark) - held.position_margin(mark)),
        "adl": 1 if held.qty else 0,
        "bidNotional": text(held.bids),
        "askNotional": text(held.asks),
        "updateTime": held.updated_ms,
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
        "status": "TRADING" if rules.trading else "TRADING_HALT",
        "baseAsset": rules.base,
        "quoteAsset": rules.quote,
        "marginAsset": ASSET,
        "pricePrecision": listing.price_places,
        "quantityPrecision": listing.qty_places,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": ["PoW"],
        "triggerProtect": "0.0500",
        "liquidationFee": "0.012500",
        "marketTakeBound": text(rules.price_up - 1),
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "orderTypes": [*OrderType, "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD"],
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
