"""S4's process: settings in, a router with its stores, its venue and its HTTP face out.

Here stands what follows from the settings and nothing else: which hosts, which limits, which table. A signed request
goes to the simulator, to Binance's demo or to Binance, and the settings alone say which.
"""

import asyncio
import random
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from yarl import URL

from chimera.adapters.binance.account import BinanceFutures, open_futures
from chimera.adapters.binance.hosts import Hosts, environment_of, hosts_named
from chimera.adapters.binance.http import AiohttpTransport
from chimera.adapters.binance.sign import signer_for
from chimera.adapters.binance.wallets import BinanceWallets
from chimera.adapters.embedded.ledger import SqliteLedger
from chimera.admit.breaker import BreakerPolicy
from chimera.admit.limits import LimitBook, Limits
from chimera.ports.clock import Clock
from chimera.ports.ledger import Ledger
from chimera.ports.streams import Bus
from chimera.ports.wallets import Wallets
from chimera.reconcile.sweep import SweepPolicy
from chimera.route.plan import RoutePolicy
from chimera.services import logs
from chimera.services.clock import SteadyClock, SystemClock
from chimera.services.router.http import build_app
from chimera.services.router.receipts import Seal
from chimera.services.router.router import Router, RouterConfig
from chimera.services.router.seal import seal_at
from chimera.services.router.settings import RouterSettings, SettingsError
from chimera.services.serving import Ready, listen, serve_app
from chimera.services.stores import open_bus
from chimera.simulate import ready_key
from chimera.trading.errors import Refused, StaleWriter
from chimera.trading.ids import Symbol
from chimera.trading.market import Market
from chimera.trading.money import Quote
from chimera.trading.routes import RouteTable
from chimera.trading.scene import Policy
from chimera.wire.route_table import DEFAULT, read_route_table

SERVICE: Final = "s4-router"
SURVEY_EVERY_MS: Final = Policy().survey_every_ms
STOP_CHECK_MS: Final = Policy().stop_check_ms
MAKER_CHECK_MS: Final = Policy().maker_check_ms
CHECK_PACE_MS: Final = 100  # for each symbol: a question weighs 1, all of them a quarter of 2,400 a minute
SURVEY_PACE_MS: Final = 3_000  # for each symbol: surveys weigh 12 and may take a tenth of 2,400 a minute
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
_DEFAULT_TABLE: Final = Path(str(RouterSettings.model_fields["route_table_path"].default))


async def serve(settings: RouterSettings, *, stop: asyncio.Event, ready: Ready | None = None) -> None:
    """Until ``stop``; raises ``StaleWriter`` (in a group) when another router took over, and what cannot start."""
    table, hosts, (key, secret) = table_of(settings), hosts_of(settings), keys_of(settings)
    if settings.db_arango_uri is not None:
        raise SettingsError("S4_DB_ARANGO_URI: this build keeps its ledger in SQLite (S4_LEDGER_PATH); unset it")
    logs.keep_secret(key, secret)
    seal = _seal_of(settings)
    bound = listen(SERVICE, settings.host, settings.port)
    clock = SteadyClock(SystemClock())
    ledger = await SqliteLedger.open(settings.ledger_path)
    try:
        async with open_bus(settings.redis_addresses, settings.ledger_path.parent / "redis") as bus:
            jitter = random.Random()  # noqa: S311 - spreads reconnections, guards nothing
            orders_by = AiohttpTransport(hosts.of_orders) if settings.orders_by == "socket" else None
            wires, share = AiohttpTransport(hosts), settings.rate_share
            account = open_futures(wires, key, secret, clock, jitter=jitter, orders_by=orders_by, rate_share=share)
            wallets = wallets_of(settings, account, clock)
            try:
                again = partial(table_of, settings)
                router = router_of(
                    settings,
                    account,
                    table=table,
                    ledger=ledger,
                    bus=bus,
                    clock=clock,
                    seal=seal,
                    wallets=wallets,
                    read_table=again,
                )
                app = build_app(router, clock=clock, allow_unprotected=settings.allow_unprotected)
                await serve_app(app, bound, router.run(), stop=stop, ready=ready)
            finally:
                await account.close()
                if wallets is not None:
                    await wallets.close()
    finally:
        bound.close()
        await ledger.close()


def router_of(
    settings: RouterSettings,
    account: BinanceFutures,
    *,
    table: RouteTable,
    ledger: Ledger,
    bus: Bus,
    clock: Clock,
    seal: Seal,
    wallets: Wallets | None = None,
    read_table: Callable[[], RouteTable] | None = None,
) -> Router:
    """The router that these settings describe; the virtual-time stage makes it by the same words."""
    config = RouterConfig(
        symbols=tuple(Symbol(symbol) for symbol in settings.symbols),
        table=table,
        policy=Policy(
            working_type=settings.working_type,
            default_stop_bps=settings.default_stop_bps,
            survey_every_ms=max(SURVEY_EVERY_MS, SURVEY_PACE_MS * len(settings.symbols)),
            maker_check_ms=max(MAKER_CHECK_MS, CHECK_PACE_MS * len(settings.symbols)),
            guard_ms=settings.guard_ms,
            stop_check_ms=max(STOP_CHECK_MS, CHECK_PACE_MS * len(settings.symbols)),
        ),
        route_policy=RoutePolicy(
            maker_max_wait_ms=settings.maker_max_wait_ms, twap_max_slices=settings.twap_max_slices
        ),
        breaker=BreakerPolicy(window_ms=settings.cb_error_rate_window, share=settings.cb_error_rate_thresh),
        allow_unprotected=settings.allow_unprotected,
        environment=hosts_of(settings).name,
        probe=settings.probe,
        submit_wait_ms=settings.submit_wait_ms,
        maker_fill_ratio_min=settings.maker_fill_ratio_min,
        sweep=sweep_of(settings),
        transfers=settings.transfers,
    )
    return Router(
        config,
        venue=account.venue,
        records=account.records,
        rulebook=account.rulebook,
        ledger=ledger,
        bus=bus,
        limits=LimitBook(limits_of(settings)),
        clock=clock,
        seal=seal,
        rates=account.raw,
        wallets=wallets,
        read_table=read_table,
    )


def wallets_of(settings: RouterSettings, account: BinanceFutures, clock: Clock) -> BinanceWallets | None:
    """The wallets of the account; none on the demo, which has no ``/sapi``. The simulator's answer at its one door."""
    hosts = hosts_of(settings)
    if hosts.name == "demo":
        return None
    spot = hosts if hosts.name == "sim" else hosts_named(hosts.name, market=Market.SPOT)
    key, secret = keys_of(settings)
    futures = account.records.funds
    wallets = BinanceWallets(AiohttpTransport(spot), key, signer_for(secret), clock, futures=futures)
    wallets.raw.venue_clock = account.raw.venue_clock  # one exchange, one clock
    return wallets


def _seal_of(settings: RouterSettings) -> Seal:
    path = settings.receipt_key_path
    try:
        return seal_at(path)
    except OSError as error:
        raise SettingsError(f"S4_RECEIPT_KEY_PATH: {path}: {error.strerror}") from error
    except ValueError as error:
        raise SettingsError(f"S4_RECEIPT_KEY_PATH: {error}") from error


def sweep_of(settings: RouterSettings) -> SweepPolicy:
    """How the account is looked at as a whole."""
    return SweepPolicy(
        every_ms=settings.sweep_every_s * 1000,
        jaccard=settings.sweep_jaccard,
        external=settings.external_orders,
        doubt_alert_ms=settings.doubt_alert_s * 1000,
    )


def limits_of(settings: RouterSettings) -> Limits:
    """The ceilings of the last hop (S4-LIM)."""
    return Limits(
        max_order_notional=Quote(settings.max_order_notional_usdt),
        max_position_notional=Quote(settings.max_position_notional_usdt),
        max_daily_loss=Quote(settings.max_daily_loss_usdt),
        price_collar_bps=settings.price_collar_bps,
        max_orders_per_10s=settings.max_orders_per_10s,
    )


def hosts_of(settings: RouterSettings) -> Hosts:
    """The simulator where ``S4_FUT_URL`` is of this machine, else Binance's demo or the live market."""
    rest, streams = settings.fut_url, settings.fut_ws_url
    if rest is not None and URL(rest).host in _LOOPBACK:
        environment, streams = "sim", streams or _as_socket(rest)
    else:
        environment = "demo" if settings.testnet else "live"
    try:
        return hosts_named(environment, rest=rest, streams=streams)
    except Refused as refused:
        raise SettingsError(_misplaced(settings, environment, refused)) from refused


def _misplaced(settings: RouterSettings, environment: str, refused: Refused) -> str:
    """Which setting names a host of another environment, and how it would be right."""
    name = {"rest": "S4_FUT_URL", "streams": "S4_FUT_WS_URL"}.get(str(refused.field), "S4_FUT_URL")
    if environment == "sim":
        asked = f"S4_FUT_URL={settings.fut_url} asks for the simulator"
        return f"{name}={refused.value}: {asked}; unset {name}, or name both hosts of one environment"
    asked = f"S4_TESTNET={str(settings.testnet).lower()} asks for {environment}"
    fix = f"unset {name}, or set S4_TESTNET={str(not settings.testnet).lower()}"
    whose = environment_of(str(refused.value)) or "nobody's we know"
    return f"{name}={refused.value} ({whose}), and {asked}; {fix}"


def _as_socket(rest: str) -> str:
    url = URL(rest)
    return str(url.with_scheme("wss" if url.scheme == "https" else "ws")).rstrip("/")


def keys_of(settings: RouterSettings) -> tuple[str, str]:
    """Key and secret; against the simulator its ready key will do."""
    if settings.binance_key is not None and settings.binance_secret is not None:
        return settings.binance_key.get_secret_value(), settings.binance_secret.get_secret_value()
    if hosts_of(settings).name == "sim":
        return ready_key.API_KEY, ready_key.SECRET
    raise SettingsError(
        "S4_BINANCE_KEY and S4_BINANCE_SECRET are needed to trade on Binance; for the simulator set"
        " S4_FUT_URL=http://127.0.0.1:9020"
    )


def table_of(settings: RouterSettings) -> RouteTable:
    """The route table of the file, or the built-in one where the default path does not exist."""
    path = settings.route_table_path
    try:
        return read_route_table(path.read_bytes())
    except FileNotFoundError as missing:
        if path == _DEFAULT_TABLE:
            return DEFAULT
        raise SettingsError(f"S4_ROUTE_TABLE_PATH: there is no file {path}") from missing
    except OSError as error:
        raise SettingsError(f"S4_ROUTE_TABLE_PATH: {path}: {error.strerror}") from error


def was_deposed(error: BaseException) -> bool:
    """Whether another router took over: not a fault, but this process must not go on."""
    if isinstance(error, BaseExceptionGroup):
        return any(was_deposed(inner) for inner in error.exceptions)
    return isinstance(error, StaleWriter)
