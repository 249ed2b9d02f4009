"""Who signs for an account: the key of the settings' files as they are now, and its change while S4 runs.

A new pair is asked about on connections of its own, by questions that change nothing: is it taken, of the same account,
and may it trade? Only then all connections of the account sign by it, from their next request on. What is under way
ends under the pair that signed it, and what is in doubt is asked about under the new one: orders are the account's,
not the key's. Deliberately unaware of when to look (``rotating``).
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from decimal import Decimal
from typing import Final, NamedTuple

from chimera.adapters.binance.account import BinanceFutures
from chimera.adapters.binance.sign import signer_for
from chimera.adapters.binance.wallets import BinanceWallets
from chimera.ports.clock import Clock
from chimera.services.logs import keep_secret
from chimera.services.router import venue_checks
from chimera.services.router.connecting import Account, account_of
from chimera.services.router.hosting import Pair, hosts_of, keys_of
from chimera.services.router.levels import Levels
from chimera.services.router.rotating import KeyFiles, Rotating
from chimera.services.router.settings import RouterSettings
from chimera.trading.errors import ChimeraError, Refused, VenueRejected
from chimera.trading.events import Alert
from chimera.trading.ids import Symbol, derived_id, probe_id
from chimera.trading.market import Market, Side
from chimera.trading.money import Qty
from chimera.trading.order import NewOrder, OrderType
from chimera.trading.refusal import Refusal

TRIED_WITHIN_S: Final = 10.0
ASK_MS: Final = 2_000


class Signed(NamedTuple):
    """All that signs for the account."""

    accounts: Mapping[Market, Account]
    wallets: BinanceWallets | None

    async def whose(self) -> str:
        """The venue's name of the account."""
        futures = self.accounts[Market.FUT]
        assert isinstance(futures, BinanceFutures)
        return await futures.records.alias()

    def by(self, pair: Pair) -> None:
        """From the next request on; the user streams are made anew, and what they missed is asked for."""
        signer = signer_for(pair.secret)
        for account in self.accounts.values():
            account.raw.sign_as(pair.key, signer)
        if self.wallets is not None:
            self.wallets.raw.sign_as(pair.key, signer)
        for account in self.accounts.values():
            account.venue.reconnect("the key was changed")


class Trial:
    """``opened`` makes a market's connections for a pair; ``symbols``: one of each market."""

    def __init__(
        self,
        signed: Signed,
        opened: Callable[[Market, Pair], Account],
        environment: str,
        symbols: Mapping[Market, Symbol],
    ) -> None:
        self._signed = signed
        self._opened = opened
        self._environment = environment
        self._symbols = symbols
        self._whose = ""  # the venue's name of the account; "" until it was told

    async def learn(self) -> None:
        """Whose the account is, while the key in force can still ask: it may be revoked before the next one comes."""
        if not self._whose:
            with suppress(ChimeraError):
                self._whose = await self._signed.whose()

    async def __call__(self, pair: Pair) -> None:
        """Raises ``Refused`` where it does not trade for the same account, and what the venue raised otherwise."""
        await self.learn()
        async with asyncio.timeout(TRIED_WITHIN_S):
            for market, present in self._signed.accounts.items():
                other = self._opened(market, pair)
                other.raw.venue_clock = present.raw.venue_clock
                try:
                    await self._ask(market, other)
                finally:
                    await other.close()

    async def _ask(self, market: Market, other: Account) -> None:
        modes = await venue_checks.look(other.records, self._environment)
        if isinstance(other, BinanceFutures):  # a key is of one account on every market
            whose = await other.records.alias()
            if not self._whose:
                raise Refused("WRONG_KEY", "whose account the present key trades was never told, so nothing compares")
            if whose != self._whose:
                raise Refused("WRONG_KEY", f"it belongs to another account ({whose or 'of no name'})")
        if not modes.can_trade or not await self._may_trade(market, other):
            raise Refused("WRONG_KEY", f"it may not trade {market}: give it that right, and see its address list")

    async def _may_trade(self, market: Market, other: Account) -> bool:
        """By a test order: a reading key sees the account like any other. What else is wrong with it tells nothing."""
        order = NewOrder(
            ref=probe_id(derived_id("cx", f"key:{market}:{other.raw.server_now_ms()}")),
            symbol=self._symbols[market],
            side=Side.SELL,
            type=OrderType.MARKET,
            qty=Qty(Decimal(1)),
            reduce_only=market is Market.FUT,
        )
        try:
            await other.venue.rehearse(order, timeout_ms=ASK_MS)
        except VenueRejected as error:
            fault = venue_checks.key_fault(error, self._environment)
            return fault is None and error.refusal is not Refusal.NOT_PERMITTED
        return True


def files_of(settings: RouterSettings) -> KeyFiles | None:
    """Where both are files; else nothing can be changed while S4 runs."""
    key, secret = settings.binance_key_file, settings.binance_secret_file
    return None if key is None or secret is None else KeyFiles(key, secret)


def pair_of(settings: RouterSettings) -> Pair:
    """As the files are now: a router that takes over may have been started before the key was changed."""
    files = files_of(settings)
    pair = keys_of(settings)
    if files is not None:
        with suppress(Refused):
            pair = files.read()
    keep_secret(*pair)
    return pair


def rotating_of(
    settings: RouterSettings,
    pair: Pair,
    signed: Signed,
    *,
    clock: Clock,
    tell: Callable[[Alert], None],
    hurry: asyncio.Event,
) -> Rotating | None:
    """None where the pair is not in files. ``hurry``: set by whoever wants them looked at now."""
    files = files_of(settings)
    if files is None:
        return None
    symbols = {Market.FUT: settings.symbols, Market.SPOT: settings.spot_symbols}
    one_each = {market: Symbol(names[0]) for market, names in symbols.items() if names}
    trial = Trial(
        signed, lambda market, new: account_of(settings, market, new, clock), hosts_of(settings).name, one_each
    )
    return Rotating(files, pair, trial, signed.by, Levels(clock, tell), tell, hurry)
