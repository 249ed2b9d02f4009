"""The shapes of Binance Spot's user events. A connection wraps them: ``{"subscriptionId": n, "event": {…}}``.

Amounts are JSON strings of eight decimals. A key that stands only under a condition is left out otherwise. Source:
user-data-stream.md.
"""

from collections.abc import Iterable
from decimal import Decimal

from chimera.simulate.spot.accounts import SpotAccount
from chimera.simulate.spot.lists import OrderList
from chimera.simulate.spot.orders import Prevention, SpotFill, SpotOrder
from chimera.simulate.spot.payloads import NOT_YET, NOTHING, Payload, eight
from chimera.simulate.venue.orders import Status

NO_TRADE = -1


def execution_report(
    order: SpotOrder, execution: str, fill: SpotFill | None, cancel_id: str, execution_id: int, now_ms: int
) -> Payload:
    """``executionReport``: on a cancel ``c`` is the cancel's id and ``C`` the order's; on an amendment new and old."""
    client_id, former_id = order.client_id, ""
    if execution == "CANCELED":
        client_id, former_id = cancel_id or order.cancel_id, order.client_id
    elif execution == "REPLACED":
        former_id = order.amendments[-1].old_client_id
    body: Payload = {
        "e": "executionReport",
        "E": now_ms,
        "s": order.listing.symbol,
        "c": client_id,
        "S": order.side,
        "o": order.type,
        "f": order.tif,
        "q": eight(order.qty),
        "p": eight(order.given_price),
        "P": eight(order.stop_price),
        "F": eight(order.iceberg_qty),
        "g": order.list_id,
        "C": former_id,
        "x": execution,
        "X": order.status,
        "r": "NONE",
        "i": order.order_id,
        "l": eight(fill.qty) if fill else NOTHING,
        "z": eight(order.cum_qty),
        "L": eight(fill.price) if fill else NOTHING,
        "n": eight(fill.fee) if fill else "0",
        "N": fill.fee_asset if fill else None,
        "T": now_ms,
        "t": fill.trade_id if fill else NO_TRADE,
        "I": execution_id,
        "w": order.working and order.is_open,
        "m": fill.maker if fill else False,
        "M": False,
        "O": order.created_ms,
        "Z": eight(order.cum_quote),
        "Y": eight(fill.price * fill.qty) if fill else NOTHING,
        "Q": eight(order.quote_qty),
        "V": order.stp,
    }
    return body | _relevant(order, execution)


def _relevant(order: SpotOrder, execution: str) -> Payload:
    body: Payload = {}
    if order.working_ms != NOT_YET:
        body["W"] = order.working_ms
    if order.trailing_delta:
        body |= {"d": order.trailing_delta, "D": order.trailing_ms}
    if order.strategy_id is not None:
        body["j"] = order.strategy_id
    if order.strategy_type is not None:
        body["J"] = order.strategy_type
    if order.peg is not None:
        body["gP"] = order.peg.price_type
        if order.peg.offset_type is not None:
            body |= {"gOT": order.peg.offset_type, "gOV": order.peg.offset_value}
        if order.pegged_price is not None:
            body["gp"] = eight(order.pegged_price)
    if execution == "TRADE_PREVENTION":
        body |= _prevention(order, order.preventions[-1])
    if order.status is Status.EXPIRED and order.expiry != "0":
        body["eR"] = order.expiry
    return body


def _prevention(order: SpotOrder, match: Prevention) -> Payload:
    """What self-trade prevention took; the execution it prevented is at most what either side lost."""
    prevented = min(qty for qty in (match.qty, match.counter_qty) if qty)
    return {
        "v": match.match_id,
        "A": eight(order.prevented_qty),
        "B": eight(match.qty),
        "u": -1,
        "U": match.counter_order_id,
        "Cs": order.listing.symbol,
        "pl": eight(prevented),
        "pL": eight(match.price),
        "pY": eight(prevented * match.price),
    }


def list_status(found: OrderList, now_ms: int) -> Payload:
    """``listStatus``."""
    return {
        "e": "listStatus",
        "E": now_ms,
        "s": found.listing.symbol,
        "g": found.list_id,
        "c": found.contingency,
        "l": found.status_type,
        "L": found.order_status,
        "r": "NONE",
        "C": found.client_id,
        "T": found.updated_ms,
        "O": [{"s": leg.listing.symbol, "i": leg.order_id, "c": leg.client_id} for leg in found.orders],
    }


def account_position(account: SpotAccount, assets: Iterable[str], now_ms: int) -> Payload:
    """``outboundAccountPosition``: what these assets now are, not what changed."""
    return {
        "e": "outboundAccountPosition",
        "E": now_ms,
        "u": account.updated_ms,
        "B": [
            {"a": asset, "f": eight(held.free), "l": eight(held.locked)}
            for asset, held in ((asset, account.balance(asset)) for asset in assets)
        ],
    }


def balance_update(asset: str, delta: Decimal, now_ms: int) -> Payload:
    """``balanceUpdate``: a deposit, a withdrawal or a transfer, signed."""
    return {"e": "balanceUpdate", "E": now_ms, "a": asset, "d": eight(delta), "T": now_ms}
