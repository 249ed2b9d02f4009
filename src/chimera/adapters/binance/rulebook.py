"""Binance USD-M futures as ``ports.Rulebook``: rules, clock, prices, and the settings made before trading."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

from chimera.adapters.binance import payloads, translate
from chimera.adapters.binance.answers import about, answer, understood
from chimera.adapters.binance.outcomes import NO_NEED_TO_CHANGE_MARGIN
from chimera.adapters.binance.payloads import Unreadable
from chimera.adapters.binance.raw import (
    BOOK_TICKER,
    EXCHANGE_INFO,
    LEVERAGE_BRACKET,
    PREMIUM_INDEX,
    SET_LEVERAGE,
    SET_MARGIN_TYPE,
    SYMBOL_CONFIG,
    RawFutures,
)
from chimera.trading.errors import OutcomeUnknown, VenueRejected
from chimera.trading.ids import Symbol
from chimera.trading.instrument import Instrument, MarginStep
from chimera.trading.market import Touch
from chimera.trading.money import DAY_MS, MINUTE_MS, Price
from chimera.trading.rates import Metered, RateLimit

PRICES_WEIGHT: Final = 5 + 10  # the book tickers and the marks of all symbols
_METERED: Final = {"REQUEST_WEIGHT": Metered.WEIGHT, "ORDERS": Metered.ORDERS}
_UNIT_MS: Final = {"SECOND": 1_000, "MINUTE": MINUTE_MS, "DAY": DAY_MS}


class FuturesRulebook:
    """``ports.Rulebook``."""

    def __init__(self, raw: RawFutures) -> None:
        self._raw = raw

    async def instruments(self) -> Sequence[Instrument]:
        """Every contract, trading or not. A symbol that cannot be read is left out; none readable is an error."""
        listing = answer(await self._raw.call(EXCHANGE_INFO), payloads.ExchangeInfo)
        self._raw.governor.learn(rate_limits(listing))
        found: list[Instrument] = []
        unread: Unreadable | None = None
        for body in listing.symbols:
            try:
                instrument = translate.instrument(bytes(body))
            except Unreadable as error:
                unread = error
                continue
            if instrument is not None:
                found.append(instrument)
        if unread is not None and not found:
            raise OutcomeUnknown(f"unreadable answer: {unread}") from unread
        return tuple(found)

    async def margin_steps(self) -> Mapping[Symbol, tuple[MarginStep, ...]]:
        rows = answer(await self._raw.call(LEVERAGE_BRACKET), list[payloads.Brackets])
        return {Symbol(row.symbol): translate.margin_steps(row) for row in rows}

    async def server_offset_ms(self) -> int:
        """Also what later requests are stamped with."""
        return await self._raw.sync_clock()

    async def touch(self, symbol: Symbol) -> Touch:
        asked_ms = self._raw.clock.now_ms()
        row = answer(await self._raw.call(BOOK_TICKER, {"symbol": symbol}), payloads.BookTicker)
        return understood(lambda ticker: translate.touch(ticker, asked_ms), about(row, symbol))

    async def mark(self, symbol: Symbol) -> Price:
        row = about(answer(await self._raw.call(PREMIUM_INDEX, {"symbol": symbol}), payloads.PremiumIndex), symbol)
        if row.mark_price <= 0:
            raise OutcomeUnknown(f"mark price {row.mark_price}")
        return Price(row.mark_price)

    async def prices(self) -> Mapping[Symbol, tuple[Touch | None, Price]]:
        """Two requests of weight 15 together, which is cheaper than asking for each from the sixth symbol on."""
        marks = answer(await self._raw.call(PREMIUM_INDEX, weight=PRICES_WEIGHT), list[payloads.PremiumIndex])
        asked_ms = self._raw.clock.now_ms()
        tickers = answer(await self._raw.call(BOOK_TICKER, weight=0), list[payloads.BookTicker])
        known = {Symbol(row.symbol): Price(row.mark_price) for row in marks if row.mark_price > 0}
        found: dict[Symbol, tuple[Touch | None, Price]] = {symbol: (None, mark) for symbol, mark in known.items()}
        for row in tickers:
            symbol = Symbol(row.symbol)
            with suppress(Unreadable):
                if symbol in known:
                    found[symbol] = translate.touch(row, asked_ms), known[symbol]
        return found

    async def prepare(self, symbol: Symbol, leverage: int, *, change: bool = True) -> int:
        """Change only what is not so yet: with a position open, Binance refuses even to look (-4047, -4048, -4161).

        It takes a higher leverage under an open position, though, whose ``change`` is the asker's to decide.
        """
        rows = answer(await self._raw.call(SYMBOL_CONFIG, {"symbol": symbol}), list[payloads.SymbolConfig])
        now = next((row for row in rows if row.symbol == symbol), None)
        if now is None or now.margin_type != "ISOLATED":
            await self._isolate(symbol)
        if now is not None and (now.leverage == leverage or not change):
            return now.leverage
        if not change:
            raise OutcomeUnknown(f"nothing was said of the leverage of {symbol}")
        params = {"symbol": symbol, "leverage": str(leverage)}
        row = about(answer(await self._raw.call(SET_LEVERAGE, params), payloads.Leverage), symbol)
        if row.leverage != leverage:
            raise OutcomeUnknown(f"asked for leverage {leverage}, heard {row.leverage}")
        return row.leverage

    async def _isolate(self, symbol: Symbol) -> None:
        try:
            await self._raw.call(SET_MARGIN_TYPE, {"symbol": symbol, "marginType": "ISOLATED"})
        except VenueRejected as error:
            if error.code != NO_NEED_TO_CHANGE_MARGIN:
                raise


def rate_limits(listing: payloads.ExchangeInfo) -> tuple[RateLimit, ...]:
    """The limits that can be read; one of a new kind or shape is left out, and what we went by stays."""
    found: list[RateLimit] = []
    for body in listing.rate_limits:
        try:
            row = payloads.decoded(bytes(body), payloads.RateLimitRow)
        except Unreadable:
            continue
        counts, unit_ms = _METERED.get(row.rate_limit_type), _UNIT_MS.get(row.interval)
        if counts is not None and unit_ms is not None:
            found.append(RateLimit(counts=counts, span_ms=unit_ms * row.interval_num, most=row.limit))
    return tuple(found)
