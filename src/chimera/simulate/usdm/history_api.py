"""What was: orders, conditional orders, their changes, trades; as long as Binance keeps them, in windows of a week.

Retention by the documentation, judged when asked: what ended without a fill is gone three days after it was made,
everything after ninety days.
"""

from typing import Any, Final

from chimera.simulate.door.refusals import Refusal
from chimera.simulate.usdm import payloads
from chimera.simulate.usdm.algos import Algo
from chimera.simulate.usdm.call import FuturesCall
from chimera.simulate.usdm.orders import FuturesOrder
from chimera.trading.money import DAY_MS, text

UNFILLED_MS: Final = 3 * DAY_MS
KEPT_MS: Final = 90 * DAY_MS
WEEK_MS: Final = 7 * DAY_MS
_ROWS, _ROWS_MAX = 500, 1_000

Row = dict[str, Any]


def lasts(order: FuturesOrder, now_ms: int) -> bool:
    """Whether the venue still knows the order."""
    age = now_ms - order.created_ms
    return age <= KEPT_MS and (order.is_open or bool(order.cum_qty) or age <= UNFILLED_MS)


def algo_lasts(algo: Algo, now_ms: int) -> bool:
    """Whether the venue still knows the conditional order."""
    age, filled = now_ms - algo.created_ms, algo.child is not None and bool(algo.child.cum_qty)
    return age <= KEPT_MS and (algo.is_open or filled or age <= UNFILLED_MS)


def window(call: FuturesCall) -> tuple[int, int]:
    """``startTime`` and ``endTime``, a week at most; one alone reaches a week, none means the last one."""
    start, end = call.period(WEEK_MS)
    if start is not None:
        return start, start + WEEK_MS if end is None else end
    end = call.now_ms if end is None else end
    return end - WEEK_MS, end


def _part(call: FuturesCall, rows: list[Row], *, first: bool) -> list[Row]:
    """The oldest ``limit`` rows where a beginning was given, else the newest."""
    limit = call.limit(_ROWS, _ROWS_MAX)
    return rows[:limit] if first else rows[-limit:]


def orders(call: FuturesCall) -> list[Row]:
    """GET allOrders."""
    symbol, first = call.maybe_symbol, call.params.maybe_integer("orderId")
    bounded = first is None or call.params.has("startTime") or call.params.has("endTime")
    start, end = window(call) if bounded else (0, call.now_ms)
    rows = [
        payloads.queried(order) | {"pair": order.listing.symbol, "cumBase": text(order.cum_qty)}
        for order in call.floor.orders.by_id.values()
        if order.account is call.account
        and symbol in (None, order.listing.symbol)
        and order.order_id >= (first or 0)
        and start <= order.created_ms <= end
        and lasts(order, call.now_ms)
    ]
    return _part(call, rows, first=first is not None or call.params.has("startTime"))


def algos(call: FuturesCall) -> list[Row]:
    """GET allAlgoOrders."""
    symbol, first = call.listing.symbol, call.params.maybe_integer("algoId")
    bounded = first is None or call.params.has("startTime") or call.params.has("endTime")
    start, end = window(call) if bounded else (0, call.now_ms)
    rows = [
        payloads.algo_queried(algo)
        for algo in call.floor.algos.by_id.values()
        if algo.account is call.account
        and algo.listing.symbol == symbol
        and algo.algo_id >= (first or 0)
        and start <= algo.created_ms <= end
        and algo_lasts(algo, call.now_ms)
    ]
    page, limit = max(1, call.params.integer_or("page", 1)), call.limit(_ROWS, _ROWS_MAX)
    if call.params.has("page"):
        return rows[(page - 1) * limit : page * limit]
    return _part(call, rows, first=first is not None or call.params.has("startTime"))


def trades(call: FuturesCall) -> list[Row]:
    """GET userTrades, oldest first."""
    params, symbol = call.params, call.listing.symbol
    order_id, from_id = params.maybe_integer("orderId"), params.maybe_integer("fromId")
    timed = params.has("startTime") or params.has("endTime")
    if from_id is not None and timed:
        raise Refusal(-1128)
    start, end = window(call) if timed or from_id is None else (0, call.now_ms)
    start = max(start, call.now_ms - KEPT_MS)
    rows = [
        row
        for row in call.account.trades.since(start)
        if row["symbol"] == symbol
        and order_id in (None, row["orderId"])
        and row["id"] >= (from_id or 0)
        and start <= row["time"] <= end
    ]
    return _part(call, rows, first=from_id is not None or params.has("startTime"))


def changes_of(call: FuturesCall, order: FuturesOrder) -> list[Row]:
    """GET orderAmendment: every change of one order, newest first, for three months."""
    start = max(call.params.integer_or("startTime", 0), call.now_ms - KEPT_MS)
    end = call.params.integer_or("endTime", call.now_ms)
    if start > end:
        raise Refusal(-1023)
    rows = [
        payloads.amendment(order, count, done)
        for count, done in enumerate(order.amendments, 1)
        if start <= done.at_ms <= end
    ]
    return rows[::-1][: call.limit(50, 100)]
