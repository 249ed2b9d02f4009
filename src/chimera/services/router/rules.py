"""The venue's rules of each symbol, kept fresh: read at the start, daily, and when one of our orders broke one.

A stop must not fail on an old filter (B28): the sender hears of the refusal, the rules are read again, and only then
does the reducer hear of it, with the new ones in its scene. Leverage brackets come with them; where they cannot be read
the old ones stay. A symbol that ceased to trade is a barrier, and pages where a position is open in it (B29). One that
is to be traded and is not listed pages, too, and keeps back no other: each of those may have a position. So does a
dated contract, and what is not paid in dollars: its rules are read for what is held in it, and it is never entered.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import structlog

from chimera.ports.venue import Rulebook
from chimera.services.router.ground import Ground
from chimera.trading.errors import ChimeraError, VenueRejected
from chimera.trading.events import Severity
from chimera.trading.ids import Symbol
from chimera.trading.instrument import MarginStep

log = structlog.get_logger()

NOT_TRADING: Final = "SYMBOL_NOT_TRADING"
DAILY_S: Final = 86_400.0
AGAIN_S: Final = 60.0  # after a daily reading failed, and while a symbol that we own does not trade
BRACKETS_PATIENCE_S: Final = 0.4  # positions may be bare while a start waits for them
REREAD_PATIENCE_S: Final = 0.5  # a refused stop waits no longer for the new rules
REREAD_PAUSE_MS: Final = 1_000  # not sooner after the last: a mistake of ours must not become a storm


class Rules:
    """Of one market. What is in ``ground.instruments`` is replaced."""

    def __init__(self, ground: Ground, rulebook: Rulebook, take_over: Callable[[Symbol], Awaitable[None]]) -> None:
        """``take_over``: own a symbol that was not listed as we started, and is now."""
        self.instruments = ground.instruments
        self._take_over = take_over
        self._ground = ground
        self._rulebook = rulebook
        self._read_ms: int | None = None  # monotonic

    async def read(self) -> None:
        """Instruments and brackets; raises what the venue raised about the instruments."""
        listed, steps = await asyncio.gather(self._rulebook.instruments(), self._steps())
        self._read_ms = self._ground.clock.monotonic_ms()
        self.instruments |= {rules.symbol: rules.but(steps=steps.get(rules.symbol, ())) for rules in listed}
        gone = self.instruments.keys() - {rules.symbol for rules in listed} if listed else set()
        self.instruments |= {symbol: self.instruments[symbol].but(trading=False) for symbol in gone}
        self.look()

    async def _steps(self) -> Mapping[Symbol, tuple[MarginStep, ...]]:
        try:
            async with asyncio.timeout(BRACKETS_PATIENCE_S):
                return await self._rulebook.margin_steps()
        except (TimeoutError, ChimeraError) as error:
            log.info("brackets_unread", error=str(error) or "no answer in time")
            return {symbol: rules.steps for symbol, rules in self.instruments.items()}

    async def daily(self) -> None:
        """For ever."""
        while True:
            await asyncio.sleep(AGAIN_S if self._halted() else DAILY_S)
            while True:
                try:
                    await self.read()
                    for symbol in self._ground.symbols:
                        if symbol in self.instruments:
                            await self._take_over(symbol)
                    break
                except ChimeraError as error:
                    log.warning("rules_unread", error=str(error))
                await asyncio.sleep(AGAIN_S)

    async def refused(self, symbol: Symbol, no: VenueRejected) -> None:
        """Before anybody else hears of a refusal that newer rules could explain; never for long."""
        if not no.of_rules:
            return
        if self._read_ms is not None and self._ground.clock.monotonic_ms() < self._read_ms + REREAD_PAUSE_MS:
            return
        try:
            async with asyncio.timeout(REREAD_PATIENCE_S):
                await self.read()
        except (TimeoutError, ChimeraError) as error:
            log.warning("rules_unread", symbol=symbol, code=no.code, error=str(error) or "no answer in time")

    def _held(self, symbol: Symbol) -> bool | None:
        """Whether a position is open in it; None: it is not ours."""
        owner = self._ground.owner_of(symbol)
        return None if owner is None else bool(owner.holding.exposure)

    def _halted(self) -> bool:
        if any(symbol not in self.instruments for symbol in self._ground.symbols):
            return True
        return any(not rules.trading and self._held(symbol) is not None for symbol, rules in self.instruments.items())

    def look(self) -> None:
        """Raise or lower what stands before the symbols that are ours."""
        for symbol in dict.fromkeys([*self._ground.symbols, *self.instruments]):
            held, named = self._held(symbol), symbol in self._ground.symbols
            if held is None and not named:
                continue
            why = self._unfit(symbol, named=named)
            if why is None and held is not None and not self.instruments[symbol].trading:
                self._stands(symbol, f"{symbol} does not trade{'; a position is open' if held else ''}", fatal=held)
            else:
                self._stands(symbol, why, fatal=True)

    def _unfit(self, symbol: Symbol, *, named: bool) -> str | None:
        """Why the settings should not name it."""
        if symbol not in self.instruments:
            return f"the venue does not list {symbol}; the settings name it"
        rules = self.instruments[symbol]
        if named and rules.dated:
            return f"{symbol} is a dated contract: what is held there is protected, and only perpetual ones are entered"
        if named and not rules.in_dollars:
            held = "what is held there is protected, and nothing enters"
            return f"{symbol} is paid in {rules.quote or 'what is not told'}, and limits are in dollars: {held}"
        return None

    def _stands(self, symbol: Symbol, why: str | None, *, fatal: bool) -> None:
        severity = Severity.FATAL if fatal else Severity.WARN
        self._ground.barriers.level(NOT_TRADING, why, symbol=symbol, severity=severity)
