"""Binance USD-M futures as ``ports.Records``: what the venue knows of one account.

A survey asks for what can move in the direction it moves: conditional orders before the regular ones (a trigger between
the two shows in both, never in neither), trades last (so that no fill in the position is missing from them).
"""

from collections.abc import Collection, Sequence
from typing import Final

from chimera.adapters.binance import payloads, translate
from chimera.adapters.binance.answers import about, answer, understood
from chimera.adapters.binance.looking import Look, Looking
from chimera.adapters.binance.order_names import OrderNames
from chimera.adapters.binance.outcomes import NO_SUCH_ORDER
from chimera.adapters.binance.placed import in_windows
from chimera.adapters.binance.raw import (
    ACCOUNT_CONFIG,
    ALL_ORDERS,
    BALANCE,
    COMMISSION_RATE,
    FEE_BURN,
    GET_ORDER,
    INCOME,
    OPEN_ALGOS,
    OPEN_ORDERS,
    POSITION_RISK,
    USER_TRADES,
    RawFutures,
)
from chimera.trading.errors import OutcomeUnknown, VenueRejected
from chimera.trading.fill import Fill
from chimera.trading.ids import ClientOrderId, Symbol, TradeId, VenueOrderId, forgotten
from chimera.trading.money import DAY_MS, Millis
from chimera.trading.rates import Lane
from chimera.trading.venue import (
    DOUBT_MARGIN_MS,
    AccountModes,
    AccountSnapshot,
    FeeRates,
    Funds,
    Income,
    VenueOrder,
    VenuePosition,
    VenueSnapshot,
)

PAGE: Final = 1000  # userTrades' and income's largest
WINDOW_MS: Final = 7 * DAY_MS  # userTrades' widest
KEPT_MS: Final = 89 * DAY_MS  # userTrades reaches back three months (since 2026-08-26)
SURVEY_WEIGHT: Final = OPEN_ALGOS.weight + OPEN_ORDERS.weight + POSITION_RISK.weight + USER_TRADES.weight
WHOLE_WEIGHT: Final = 40 + 40 + POSITION_RISK.weight  # the two lists without a symbol
BURN_KNOWN_MS: Final = 300_000
LATELY: Final = 100  # orders; allOrders without times answers the newest of seven days


class FuturesRecords:
    """``ports.Records``. ``quote`` is the asset of ``funds``."""

    def __init__(self, raw: RawFutures, names: OrderNames, quote: str = "USDT") -> None:
        self._raw = raw
        self._names = names
        self._quote = quote
        self._burns: tuple[int, bool] | None = None  # when it was read, monotonic; and what
        self._looking = Looking(self._look, self._whole)

    async def survey(
        self, symbol: Symbol, trades_since_ms: Millis, *, booked: Collection[TradeId] = ()
    ) -> VenueSnapshot:
        """Trades are at most 89 days old, as far as the venue keeps them: ``trades_since_ms`` says from when.

        A trade names its order by the venue's id alone, and after a restart each name is a question of its own: those
        in ``booked`` are not asked about.
        """
        look = await self._looking.at(symbol)
        since_ms = Millis(max(trades_since_ms, look.asked_ms - KEPT_MS))
        return VenueSnapshot(
            symbol=symbol,
            asked_ms=look.asked_ms,
            orders=look.orders,
            position=look.position,
            trades=await self._trades(symbol, since_ms, booked, paid=look.paid),
            trades_since_ms=since_ms,
        )

    async def _look(self, symbol: Symbol) -> Look:
        asked_ms = self._raw.clock.now_ms()
        orders = await self._open_orders({"symbol": symbol}, pays=SURVEY_WEIGHT)
        for order in orders:
            about(order, symbol)
        held = {each.symbol: each for each in await self._positions({"symbol": symbol}, weight=0)}
        position = held.get(symbol) or translate.flat(symbol, asked_ms)
        return Look(asked_ms=asked_ms, orders=orders, position=position, paid=True)

    async def whole(self) -> AccountSnapshot:
        return await self._whole(Lane.QUERY)

    async def _whole(self, lane: Lane | None = None) -> AccountSnapshot:
        asked_ms = self._raw.clock.now_ms()
        orders = await self._open_orders({}, pays=WHOLE_WEIGHT, lane=lane)
        return AccountSnapshot(asked_ms=asked_ms, orders=orders, positions=await self._positions({}, weight=0))

    async def placed_lately(self, symbol: Symbol) -> Sequence[VenueOrder]:
        return await self._placed(symbol, {"limit": str(LATELY)})

    async def placed_since(self, symbol: Symbol, since_ms: Millis) -> Sequence[VenueOrder]:
        until_ms = int(self._raw.server_now_ms())
        since_ms = Millis(max(since_ms, until_ms - KEPT_MS))
        return await in_windows(lambda span: self._placed(symbol, span), since_ms, until_ms, widest_ms=WINDOW_MS)

    async def _placed(self, symbol: Symbol, which: dict[str, str]) -> list[VenueOrder]:
        body = await self._raw.call(ALL_ORDERS, {"symbol": symbol, **which})
        placed = [understood(translate.order, row) for row in answer(body, list[payloads.OrderRow])]
        for order in placed:
            about(order, symbol)
        return placed

    async def positions(self) -> Sequence[VenuePosition]:
        return await self._positions({})

    async def funds(self) -> Funds:
        asked_ms = self._raw.clock.now_ms()
        rows = answer(await self._raw.call(BALANCE), list[payloads.BalanceRow])
        return translate.funds(rows, self._quote, asked_ms)

    async def alias(self) -> str:
        """The venue's name of the account, whichever key asks; empty where it is not told."""
        rows = answer(await self._raw.call(BALANCE), list[payloads.BalanceRow])
        return rows[0].account_alias if rows else ""

    async def fee_rates(self, symbol: Symbol) -> FeeRates:
        row = answer(await self._raw.call(COMMISSION_RATE, {"symbol": symbol}), payloads.CommissionRate)
        about(row, symbol)
        return translate.fee_rates(row, burns=await self._fees_burn())

    async def _fees_burn(self) -> bool:
        """Of the account, not of a symbol: not asked again for each."""
        now_ms = self._raw.clock.monotonic_ms()
        if self._burns is None or now_ms - self._burns[0] >= BURN_KNOWN_MS:
            told = answer(await self._raw.call(FEE_BURN), payloads.FeeBurn)
            self._burns = (now_ms, told.fee_burn)
        return self._burns[1]

    async def modes(self) -> AccountModes:
        return translate.modes(answer(await self._raw.call(ACCOUNT_CONFIG), payloads.AccountConfig))

    async def income(self, since_ms: Millis, *, kind: str | None = None) -> Sequence[Income]:
        """Pages by time, which the venue fills from the oldest row where ``startTime`` is given; weight 30 each."""
        found: dict[str, Income] = {}
        start = int(since_ms)
        only = {} if kind is None else {"incomeType": kind}
        while True:
            params = {"startTime": str(start), "limit": str(PAGE), **only}
            rows = answer(await self._raw.call(INCOME, params), list[payloads.IncomeRow])
            page = {row.id: row for row in (understood(translate.income, row) for row in rows)}
            fresh = page.keys() - found.keys()
            found |= page
            if len(rows) < PAGE:
                return sorted(found.values(), key=lambda row: row.at_ms)
            if not fresh:
                raise OutcomeUnknown(f"more than {PAGE} rows of income in one ms: what follows cannot be asked for")
            start = max(row.at_ms for row in page.values())

    async def _positions(self, params: dict[str, str], *, weight: int | None = None) -> tuple[VenuePosition, ...]:
        body = await self._raw.call(POSITION_RISK, params, weight=weight)
        return translate.positions(answer(body, list[payloads.PositionRow]))

    async def _open_orders(self, of: dict[str, str], *, pays: int, lane: Lane | None = None) -> tuple[VenueOrder, ...]:
        """Both services as one list; a triggered conditional order and its child are one order.

        ``pays``: the weight of all that is asked together, booked by the first: half an answer would be thrown away.
        """
        algos = answer(await self._raw.call(OPEN_ALGOS, of, weight=pays, lane=lane), list[payloads.AlgoRow])
        rows = answer(await self._raw.call(OPEN_ORDERS, of, weight=0), list[payloads.OrderRow])
        waiting = {(row.symbol, row.client_algo_id): understood(translate.algo, row) for row in algos}
        regular = [self._names.note(understood(translate.order, row)) for row in rows]
        merged = []
        for order in regular:
            parent = waiting.pop((order.symbol, order.ref), None) if order.type and order.type.conditional else None
            merged.append(order if parent is None else translate.triggered(parent, order))
        return (*waiting.values(), *merged)

    async def _trades(
        self, symbol: Symbol, since_ms: Millis, booked: Collection[TradeId], *, paid: bool
    ) -> tuple[Fill, ...]:
        """Every trade from ``since_ms`` on (venue clock) but those in ``booked``, oldest first, each once."""
        rows: dict[int, payloads.TradeRow] = {}
        weight = 0 if paid else None  # of the first page
        start, until = int(since_ms), int(self._raw.server_now_ms())
        while True:
            last = start + WINDOW_MS > until
            span = {"startTime": str(start)} | ({} if last else {"endTime": str(start + WINDOW_MS - 1)})
            end_ms = None if last else start + WINDOW_MS - 1
            rows |= await self._window(symbol, span, end_ms=end_ms, weight=weight)
            weight = None
            if last:
                break
            start += WINDOW_MS
        fresh = [row for trade, row in sorted(rows.items()) if str(trade) not in booked]
        return tuple([await self._fill(symbol, row) for row in fresh])

    async def _window(
        self, symbol: Symbol, span: dict[str, str], *, end_ms: int | None, weight: int | None
    ) -> dict[int, payloads.TradeRow]:
        """One window of trades by id; full pages go on by ``fromId``, which the venue takes only without times."""
        found: dict[int, payloads.TradeRow] = {}
        params = {"symbol": symbol, **span, "limit": str(PAGE)}
        while True:
            page = answer(await self._raw.call(USER_TRADES, params, weight=weight), list[payloads.TradeRow])
            weight = None
            fresh = {row.id: row for row in page if row.id not in found and (end_ms is None or row.time <= end_ms)}
            found |= fresh
            if len(page) < PAGE or not fresh:
                return found
            params = {"symbol": symbol, "fromId": str(max(row.id for row in page) + 1), "limit": str(PAGE)}

    async def _fill(self, symbol: Symbol, row: payloads.TradeRow) -> Fill:
        about(row, symbol)
        ref = await self._name(symbol, row)
        return understood(lambda trade: translate.fill(trade, ref), row)

    async def _name(self, symbol: Symbol, trade: payloads.TradeRow) -> ClientOrderId:
        """The order's client id; a child's is its conditional order's.

        A new trade whose order is not found (reads lag) fails the survey: booked under a made-up name it would stay
        there. Of an older one the order is forgotten: it must not keep the position from being seen and protected.
        """
        venue_id = VenueOrderId(str(trade.order_id))
        known = self._names.of(symbol, venue_id)
        if known is not None:
            return known
        try:
            body = await self._raw.call(GET_ORDER, {"symbol": symbol, "orderId": venue_id})
        except VenueRejected as error:
            if error.code != NO_SUCH_ORDER:
                raise
            if self._raw.server_now_ms() <= trade.time + DOUBT_MARGIN_MS:
                raise OutcomeUnknown(f"a trade of order {venue_id}, which is not found yet") from error
            return forgotten(venue_id)
        row = answer(body, payloads.OrderRow)
        about(row, symbol)
        if str(row.order_id) != venue_id:
            raise OutcomeUnknown(f"asked for order {venue_id}, heard of {row.order_id}")
        return self._names.note(understood(translate.order, row)).ref
