"""Binance Spot as ``ports.Records``: what the venue knows of one account.

A position here is a balance: all that the wallet has of the base asset, ours or the user's, with no entry price. A
survey asks for open orders first and for trades last, so that no fill in the balance is missing from them.
"""

from collections.abc import Collection, Sequence
from typing import Final

from chimera.adapters.binance.answers import about, answer, understood
from chimera.adapters.binance.looking import Look, Looking
from chimera.adapters.binance.order_names import OrderNames
from chimera.adapters.binance.outcomes import NO_SUCH_ORDER
from chimera.adapters.binance.placed import in_windows
from chimera.adapters.binance.signed import SignedAccount
from chimera.adapters.binance.spot import payloads, translate
from chimera.adapters.binance.spot.raw import ACCOUNT, ALL_ORDERS, COMMISSION, GET_ORDER, MY_TRADES, OPEN_ORDERS
from chimera.adapters.binance.spot.rulebook import SpotRulebook
from chimera.trading.errors import OutcomeUnknown, VenueRejected
from chimera.trading.fill import Fill
from chimera.trading.ids import ClientOrderId, Symbol, TradeId, VenueOrderId
from chimera.trading.money import DAY_MS, Millis
from chimera.trading.rates import Lane
from chimera.trading.venue import (
    AccountModes,
    AccountSnapshot,
    FeeRates,
    Funds,
    Income,
    VenueOrder,
    VenuePosition,
    VenueSnapshot,
)

PAGE: Final = 1000  # myTrades' largest
KEPT_MS: Final = 89 * DAY_MS  # no further back than futures: older trades are the ledger's
SURVEY_WEIGHT: Final = OPEN_ORDERS.weight + ACCOUNT.weight + MY_TRADES.weight
WHOLE_WEIGHT: Final = 80 + ACCOUNT.weight
MANY: Final = 4  # surveys at once from which the whole account is cheaper: it weighs 100, one symbol's look 26
LATELY: Final = 100  # orders


class SpotRecords:
    """``ports.Records``. ``quote`` is the asset of ``funds``."""

    def __init__(self, raw: SignedAccount, names: OrderNames, rulebook: SpotRulebook, quote: str = "USDT") -> None:
        self._raw = raw
        self._names = names
        self._rulebook = rulebook
        self._quote = quote
        self._looking = Looking(self._look, self._whole, many=MANY)

    async def survey(
        self, symbol: Symbol, trades_since_ms: Millis, *, booked: Collection[TradeId] = ()
    ) -> VenueSnapshot:
        """Trades are at most 89 days old, ``trades_since_ms`` says from when; those in ``booked`` are left out."""
        await self._rulebook.base_of(symbol)
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

    async def whole(self) -> AccountSnapshot:
        """Orders of every symbol; balances as positions of the pairs against our quote asset."""
        return await self._whole(Lane.QUERY)

    async def _whole(self, lane: Lane | None = None) -> AccountSnapshot:
        asked_ms = self._raw.clock.now_ms()
        orders = await self._open_orders({}, pays=WHOLE_WEIGHT, lane=lane)
        positions = await self._positions(await self._account(weight=0), asked_ms)
        return AccountSnapshot(asked_ms=asked_ms, orders=orders, positions=positions)

    async def placed_lately(self, symbol: Symbol) -> Sequence[VenueOrder]:
        """The newest, however old."""
        return await self._placed(symbol, {"limit": str(LATELY)})

    async def placed_since(self, symbol: Symbol, since_ms: Millis) -> Sequence[VenueOrder]:
        until_ms = int(self._raw.server_now_ms())
        since_ms = Millis(max(since_ms, until_ms - KEPT_MS))
        return await in_windows(lambda span: self._placed(symbol, span), since_ms, until_ms, widest_ms=DAY_MS)

    async def _placed(self, symbol: Symbol, which: dict[str, str]) -> list[VenueOrder]:
        body = await self._raw.call(ALL_ORDERS, {"symbol": symbol, **which})
        placed = [understood(translate.order, row) for row in answer(body, list[payloads.OrderRow])]
        for order in placed:
            about(order, symbol)
        return placed

    async def positions(self) -> Sequence[VenuePosition]:
        """What the wallet holds, as positions of the pairs against our quote asset."""
        asked_ms = self._raw.clock.now_ms()
        return await self._positions(await self._account(), asked_ms)

    async def funds(self) -> Funds:
        asked_ms = self._raw.clock.now_ms()
        return translate.funds(await self._account(lane=Lane.OPEN), self._quote, asked_ms)

    async def fee_rates(self, symbol: Symbol) -> FeeRates:
        row = answer(await self._raw.call(COMMISSION, {"symbol": symbol}), payloads.Commission)
        about(row, symbol)
        return translate.fee_rates(row)

    async def modes(self) -> AccountModes:
        return translate.modes(await self._account())

    async def income(self, since_ms: Millis, *, kind: str | None = None) -> Sequence[Income]:
        """None: spot keeps no such list. Fees and results are in the trades, transfers in the wallet's history."""
        return ()

    async def _look(self, symbol: Symbol) -> Look:
        asked_ms = self._raw.clock.now_ms()
        base = await self._rulebook.base_of(symbol)
        orders = await self._open_orders({"symbol": symbol}, pays=SURVEY_WEIGHT)
        for order in orders:
            about(order, symbol)
        position = translate.held(await self._account(weight=0), base, symbol, asked_ms)
        return Look(asked_ms=asked_ms, orders=orders, position=position, paid=True)

    async def _positions(self, account: payloads.Account, asked_ms: Millis) -> tuple[VenuePosition, ...]:
        holding = {row.asset for row in account.balances if row.free or row.locked}
        bases = await self._rulebook.bases()
        return tuple(
            translate.held(account, base, symbol, asked_ms) for symbol, base in bases.items() if base in holding
        )

    async def _account(self, *, weight: int | None = None, lane: Lane | None = None) -> payloads.Account:
        body = await self._raw.call(ACCOUNT, {"omitZeroBalances": "true"}, weight=weight, lane=lane)
        return answer(body, payloads.Account)

    async def _open_orders(self, of: dict[str, str], *, pays: int, lane: Lane | None = None) -> tuple[VenueOrder, ...]:
        """``pays``: the weight of all that is asked together, booked by the first: half an answer would be lost."""
        rows = answer(await self._raw.call(OPEN_ORDERS, of, weight=pays, lane=lane), list[payloads.OrderRow])
        return tuple(self._names.note(understood(translate.order, row)) for row in rows)

    async def _trades(
        self, symbol: Symbol, since_ms: Millis, booked: Collection[TradeId], *, paid: bool
    ) -> tuple[Fill, ...]:
        """Every trade from ``since_ms`` on (venue clock) but those in ``booked``, oldest first, each once.

        The newest page comes first: a page that is not full, or reaches back far enough, is all there is. Days are
        asked for one by one only where it is full and does not.
        """
        newest = await self._page(symbol, {}, weight=0 if paid else None)
        rows = {row.id: row for row in newest}
        oldest_ms = min((row.time for row in newest), default=0)
        if len(newest) >= PAGE and oldest_ms >= since_ms:
            rows |= await self._between(symbol, since_ms, oldest_ms)
        fresh = [row for trade, row in sorted(rows.items()) if row.time >= since_ms and str(trade) not in booked]
        return tuple([await self._fill(symbol, row) for row in fresh])

    async def _between(self, symbol: Symbol, since_ms: int, until_ms: int) -> dict[int, payloads.TradeRow]:
        """Day by day up to the first full page (a window is 24 hours at most), from there on by trade id."""
        found: dict[int, payloads.TradeRow] = {}
        start, page = since_ms, list[payloads.TradeRow]()
        while start <= until_ms and len(page) < PAGE:
            page = await self._page(symbol, {"startTime": str(start), "endTime": str(start + DAY_MS - 1)})
            found |= {row.id: row for row in page}
            start += DAY_MS
        while len(page) >= PAGE and max(row.time for row in page) <= until_ms:
            page = await self._page(symbol, {"fromId": str(max(row.id for row in page) + 1)})
            found |= {row.id: row for row in page}
        return found

    async def _page(
        self, symbol: Symbol, which: dict[str, str], *, weight: int | None = None
    ) -> list[payloads.TradeRow]:
        params = {"symbol": symbol, **which, "limit": str(PAGE)}
        return answer(await self._raw.call(MY_TRADES, params, weight=weight), list[payloads.TradeRow])

    async def _fill(self, symbol: Symbol, row: payloads.TradeRow) -> Fill:
        about(row, symbol)
        ref = await self._name(symbol, VenueOrderId(str(row.order_id)))
        return understood(lambda trade: translate.fill(trade, ref), row)

    async def _name(self, symbol: Symbol, venue_id: VenueOrderId) -> ClientOrderId:
        """The order's client id. A trade whose order is not found (reads lag) fails the survey: booked under a made-up
        name it would stay there.
        """
        known = self._names.of(symbol, venue_id)
        if known is not None:
            return known
        try:
            body = await self._raw.call(GET_ORDER, {"symbol": symbol, "orderId": venue_id})
        except VenueRejected as error:
            if error.code == NO_SUCH_ORDER:
                raise OutcomeUnknown(f"a trade of order {venue_id}, which is not found yet") from error
            raise
        order = understood(translate.order, answer(body, payloads.OrderRow))
        if (order.symbol, order.venue_id) != (symbol, venue_id):
            raise OutcomeUnknown(f"asked for order {venue_id} of {symbol}, heard of {order.venue_id}")
        return self._names.note(order).ref
