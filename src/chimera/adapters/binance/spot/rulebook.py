"""Binance Spot as ``ports.Rulebook``: rules, clock, prices. Spot has no mark price, no margin and no leverage.

Known are the pairs against one quote asset, the one that funds are counted in: so an asset of the wallet is one symbol,
and never several positions.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from chimera.adapters.binance import payloads as common
from chimera.adapters.binance.answers import about, answer, understood
from chimera.adapters.binance.payloads import Unreadable
from chimera.adapters.binance.rulebook import rate_limits
from chimera.adapters.binance.signed import SignedAccount
from chimera.adapters.binance.spot import translate
from chimera.adapters.binance.spot.raw import BOOK_TICKER, EXCHANGE_INFO
from chimera.adapters.binance.translate import touch as touch_of
from chimera.trading.errors import OutcomeUnknown, VenueRejected
from chimera.trading.ids import Symbol
from chimera.trading.instrument import Instrument, MarginStep
from chimera.trading.market import Touch
from chimera.trading.money import Price
from chimera.trading.refusal import Refusal

BAD_SYMBOL: Final = -1121


class SpotRulebook:
    """``ports.Rulebook``; also which asset each symbol trades."""

    def __init__(self, raw: SignedAccount, quote: str = "USDT") -> None:
        self._raw = raw
        self._quote = quote
        self._bases: dict[Symbol, str] = {}
        self._all_known = False

    async def instruments(self) -> Sequence[Instrument]:
        """Every pair against our quote asset, trading or not; one that cannot be read is left out."""
        found = await self._listed({})
        self._all_known = True
        return found

    async def bases(self) -> Mapping[Symbol, str]:
        """The base asset of every symbol; asked for once."""
        if not self._all_known:
            await self.instruments()
        return self._bases

    async def base_of(self, symbol: Symbol) -> str:
        """Raises ``VenueRejected`` for a symbol that does not exist, or is traded against another asset."""
        if symbol not in self._bases:
            await self._listed({"symbol": symbol})
        if symbol not in self._bases:
            raise VenueRejected(BAD_SYMBOL, f"{symbol} is not traded against {self._quote}", Refusal.UNSUPPORTED)
        return self._bases[symbol]

    async def margin_steps(self) -> Mapping[Symbol, tuple[MarginStep, ...]]:
        """None."""
        return {}

    async def server_offset_ms(self) -> int:
        """Also what later requests are stamped with."""
        return await self._raw.sync_clock()

    async def touch(self, symbol: Symbol) -> Touch:
        """Dated by us, before the question: spot's ticker carries no time."""
        asked_ms = self._raw.clock.now_ms()
        row = answer(await self._raw.call(BOOK_TICKER, {"symbol": symbol}), common.BookTicker)
        return understood(lambda ticker: touch_of(ticker, asked_ms), about(row, symbol))

    async def mark(self, symbol: Symbol) -> Price:
        """The mid."""
        return (await self.touch(symbol)).mid

    async def prices(self) -> Mapping[Symbol, tuple[Touch | None, Price]]:
        """Touch and mid of every symbol that has both sides."""
        asked_ms = self._raw.clock.now_ms()
        tickers = answer(await self._raw.call(BOOK_TICKER), list[common.BookTicker])
        found: dict[Symbol, tuple[Touch | None, Price]] = {}
        for row in tickers:
            try:
                touch = touch_of(row, asked_ms)
            except Unreadable:
                continue
            found[Symbol(row.symbol)] = touch, touch.mid
        return found

    async def prepare(self, symbol: Symbol, leverage: int, *, change: bool = True) -> int:
        """Nothing to be told: whatever the leverage, spot trades what the wallet holds."""
        return leverage

    async def _listed(self, which: dict[str, str]) -> tuple[Instrument, ...]:
        params = which or {"showPermissionSets": "false"}
        listing = answer(await self._raw.call(EXCHANGE_INFO, params), common.ExchangeInfo)
        self._raw.governor.learn(rate_limits(listing))
        found: list[Instrument] = []
        unread: Unreadable | None = None
        for body in listing.symbols:
            try:
                instrument = translate.instrument(bytes(body))
            except Unreadable as error:
                unread = error
                continue
            if instrument is not None and instrument.quote == self._quote:
                found.append(instrument)
        if unread is not None and not found:
            raise OutcomeUnknown(f"unreadable answer: {unread}") from unread
        self._bases |= {each.symbol: each.base for each in found}
        return tuple(found)
