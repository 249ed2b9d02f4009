"""The account's connections to the venue, by the settings: each market's, and the wallets'. Nothing is sent yet."""

import random

from chimera.adapters.binance.account import BinanceFutures, open_futures
from chimera.adapters.binance.hosts import hosts_named
from chimera.adapters.binance.http import AiohttpTransport
from chimera.adapters.binance.sign import signer_for
from chimera.adapters.binance.spot.account import BinanceSpot, open_spot
from chimera.adapters.binance.wallets import BinanceWallets
from chimera.ports.clock import Clock
from chimera.services.router.hosting import Pair, hosts_of
from chimera.services.router.settings import RouterSettings
from chimera.trading.market import Market

Account = BinanceFutures | BinanceSpot


def markets_of(settings: RouterSettings) -> tuple[Market, ...]:
    """Futures, and spot where symbols of it are named."""
    return (Market.FUT, Market.SPOT) if settings.spot_symbols else (Market.FUT,)


def account_of(settings: RouterSettings, market: Market, pair: Pair, clock: Clock) -> Account:
    """One market's, for whoever has the pair."""
    hosts = hosts_of(settings, market)
    opens = open_futures if market is Market.FUT else open_spot
    return opens(
        AiohttpTransport(hosts),
        pair.key,
        pair.secret,
        clock,
        jitter=random.Random(),  # noqa: S311 - spreads reconnections, guards nothing
        orders_by=AiohttpTransport(hosts.of_orders) if settings.orders_by == "socket" else None,
        rate_share=settings.rate_share,
    )


def wallets_of(settings: RouterSettings, account: Account, pair: Pair, clock: Clock) -> BinanceWallets | None:
    """The wallets of the account; none on the demo, which has no ``/sapi``. The simulator's answer at its one door."""
    hosts = hosts_of(settings)
    if hosts.name == "demo":
        return None
    spot = hosts if hosts.name == "sim" else hosts_named(hosts.name, market=Market.SPOT)
    futures = account.records.funds
    wallets = BinanceWallets(AiohttpTransport(spot), pair.key, signer_for(pair.secret), clock, futures=futures)
    wallets.raw.venue_clock = account.raw.venue_clock  # one exchange, one clock
    return wallets
