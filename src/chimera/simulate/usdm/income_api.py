"""What happened to an account's money: income, margin moves, forced orders. Oldest first.

Windows as Binance has them: three months back at most, the last seven days where no time is given.
"""

from typing import Any

from chimera.simulate.door.refusals import Refusal
from chimera.simulate.usdm import payloads
from chimera.simulate.usdm.call import FuturesCall
from chimera.simulate.usdm.cash import Income
from chimera.simulate.usdm.history_api import KEPT_MS, WEEK_MS
from chimera.simulate.usdm.orders import Forced
from chimera.simulate.usdm.settings_api import ADD, REMOVE

MOST_INCOME, MOST_FORCED, MOST_MOVES = 1_000, 100, 500


def _window(call: FuturesCall) -> tuple[int, int]:
    """From and to, both inclusive."""
    params, now = call.params, call.now_ms
    end = params.integer_or("endTime", now)
    start = params.integer_or("startTime", end - WEEK_MS)
    if start > end:
        raise Refusal(-1023)
    return max(start, now - KEPT_MS), end


def income(call: FuturesCall) -> list[dict[str, Any]]:
    """GET income: pages count from the oldest; without ``page`` and ``startTime`` the newest rows are told."""
    params, symbol = call.params, call.maybe_symbol
    kind = params.choice("incomeType", Income, None, -1130) if params.has("incomeType") else None
    start, end = _window(call)
    limit = call.limit(100, MOST_INCOME)
    rows = [
        row
        for row in call.account.income.since(start)
        if kind in (None, row["incomeType"]) and symbol in (None, row["symbol"]) and start <= row["time"] <= end
    ]
    if params.has("page"):
        first = (max(1, params.integer("page")) - 1) * limit
        return rows[first : first + limit]
    return rows[:limit] if params.has("startTime") else rows[-limit:]


def margin_history(call: FuturesCall) -> list[dict[str, Any]]:
    """GET positionMargin/history."""
    symbol, kind = call.listing.symbol, call.params.maybe_integer("type")
    if kind not in (None, ADD, REMOVE):
        raise Refusal(-1130, "type")
    start, end = _window(call)
    rows = [
        row
        for row in call.account.margin_moves.since(start)
        if row["symbol"] == symbol and kind in (None, row["type"]) and start <= row["time"] <= end
    ]
    return rows[-call.limit(MOST_MOVES, MOST_MOVES) :]


def force_orders(call: FuturesCall) -> list[dict[str, Any]]:
    """GET forceOrders: liquidations and auto-deleveragings of the caller."""
    params, symbol = call.params, call.maybe_symbol
    only = params.choice("autoCloseType", Forced, None, -1130) if params.has("autoCloseType") else None
    if only is Forced.SETTLEMENT:
        raise Refusal(-1130, "autoCloseType")
    start, end = _window(call)
    wanted = (Forced.LIQUIDATION, Forced.ADL) if only is None else (only,)
    found = [
        payloads.queried(order)
        for order in call.floor.orders.by_id.values()
        if order.account is call.account
        and order.forced in wanted
        and symbol in (None, order.listing.symbol)
        and start <= order.created_ms <= end
    ]
    return found[-call.limit(50, MOST_FORCED) :]
