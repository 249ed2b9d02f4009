"""S4's process: settings in, a router with its stores, its venue and its HTTP face out.

Here stands what follows from the settings and nothing else: which hosts, which limits, which table. A signed request
goes to the simulator, to Binance's demo or to Binance, and the settings alone say which.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Final

from fastapi import FastAPI

from chimera.adapters.binance.spot.account import BinanceSpot
from chimera.adapters.embedded.ledger import SqliteLedger
from chimera.admit.breaker import BreakerPolicy
from chimera.admit.limits import LimitBook
from chimera.ports.clock import Clock
from chimera.ports.ledger import Leases, Ledger
from chimera.ports.streams import Bus
from chimera.ports.wallets import Wallets
from chimera.services import logs
from chimera.services.access.door import Door, gated
from chimera.services.access.trail import Life, Trail
from chimera.services.build import build
from chimera.services.claimed import ClaimedBus
from chimera.services.clock import SteadyClock, SystemClock
from chimera.services.router import keyring
from chimera.services.router.apart import Apart
from chimera.services.router.common import Common
from chimera.services.router.config import RouterConfig
from chimera.services.router.connecting import Account, account_of, markets_of, wallets_of
from chimera.services.router.hosting import hosts_of, keys_of
from chimera.services.router.house import House
from chimera.services.router.http import build_app
from chimera.services.router.observing import Observing
from chimera.services.router.operating import Operating
from chimera.services.router.policies import duties_of, fit_of, limits_of, routes_of, sweep_of, table_of
from chimera.services.router.receipts import Seal
from chimera.services.router.refused import Refusals
from chimera.services.router.route_desk import RouteDesk
from chimera.services.router.router import Router
from chimera.services.router.seal import seal_at
from chimera.services.router.settings import RouterSettings
from chimera.services.router.standby import StandbyFace
from chimera.services.router.stream_track import StreamTrack, Terms
from chimera.services.router.tenancy import Left, Tenancy
from chimera.services.router.tenancy import Terms as TenancyTerms
from chimera.services.service import Service
from chimera.services.serving import Ready, address_of, listen, serve_app, told_to_look
from chimera.services.setting_kinds import SettingsFault
from chimera.services.stores import open_bus, open_ledger
from chimera.services.tracing import NoCollector, Tracing, tracing_to
from chimera.trading.errors import Refused, StaleWriter, StoreUnavailable
from chimera.trading.ids import DEFAULT_ACCOUNT, Symbol
from chimera.trading.lease import Lease
from chimera.trading.market import Market
from chimera.trading.routes import RouteTable
from chimera.wire.intents import MAX_BODY_BYTES

SERVICE: Final = "s4-router"


async def serve(settings: RouterSettings, *, stop: asyncio.Event, ready: Ready | None = None) -> None:
    """Until ``stop``; raises ``StaleWriter`` (in a group) when another router took over, and what cannot start."""
    table, pair = _table_of(settings), keys_of(settings)
    for market in markets_of(settings):
        hosts_of(settings, market)  # a fault in them is told before anything is opened
    if settings.leases == "on" and not settings.redis_addresses:
        raise SettingsFault("S4_LEASES=on: routers share one Redis; name it in S4_REDIS_ADDRESSES")
    logs.keep_secret(*pair, settings.arango_password)
    door = Door.of(settings).checked(Service.S4)
    seal, tls = _seal_of(settings), door.tls()
    bound = listen(SERVICE, settings.host, settings.port)
    clock = SteadyClock(SystemClock())
    hangup = told_to_look()  # without files to look at, too: a terminal that is closed ends nobody who protects
    ledger, _ = await asyncio.gather(_ledger(settings), asyncio.to_thread(build))  # 60 ms that no loop should stand
    try:
        if isinstance(table, SettingsFault) and not await _has_lived(ledger):
            raise table
        async with (
            open_bus(settings.redis_addresses, settings.ledger_path.parent / "redis") as bus,
            tracing_to(settings.traces_url, SERVICE) as tracing,
        ):
            housed = partial(
                _housed,
                settings,
                table=table if isinstance(table, RouteTable) else None,
                ledger=ledger,
                bus=bus,
                clock=clock,
                seal=seal,
                hangup=hangup,
                tracing=tracing,
            )
            serving = partial(serve_app, bound=bound, stop=stop, ready=ready, tls=tls)
            trail = Trail(ledger, clock)
            gate = partial(gated, service=Service.S4, door=door, clock=clock, trail=trail, body_most=MAX_BODY_BYTES)
            if settings.leases == "on":
                address = address_of(bound, scheme="http" if tls is None else "https")
                face, tenancy = tenancy_of(settings, ledger, housed, address, partial(_begins, trail, settings))
                await serving(gate(face), work=tenancy.run())
                return
            async with housed() as (house, app):
                app.openapi()  # 60 ms of a loop on which nothing hangs yet
                _begins(trail, settings, settings.owner_name)
                await serving(gate(app), work=house.run())
    except NoCollector as missing:
        raise SettingsFault(f"S4_TRACES_URL: {missing}") from missing
    finally:
        bound.close()
        await ledger.close()


def _table_of(settings: RouterSettings) -> RouteTable | SettingsFault:
    """Or why it cannot be read."""
    try:
        return table_of(settings)
    except SettingsFault as missing:
        return missing
    except Refused as wrong:
        return SettingsFault(f"S4_ROUTE_TABLE_PATH: {settings.route_table_path}: {wrong}")


async def _has_lived(ledger: Ledger) -> bool:
    """Whether there may be positions that want a stop. A first start is refused for what a later one says."""
    try:
        return bool(await ledger.keys())
    except StoreUnavailable:
        return True


async def _ledger(settings: RouterSettings) -> Ledger:
    """A file that cannot be opened is another's: no start. A server may be away, and somebody stands in meanwhile."""
    if settings.db_arango_uri is None:
        return await SqliteLedger.open(settings.ledger_path, shared=settings.leases == "on")
    user, password = settings.db_arango_user, settings.arango_password
    try:
        return await open_ledger(settings.ledger_path, settings.db_arango_uri, user, password, waits=True)
    except ValueError as wrong:
        raise SettingsFault(f"S4_DB_ARANGO_URI: {wrong}") from wrong


def tenancy_of(
    settings: RouterSettings,
    leases: Leases,
    housed: Callable[[Left], AbstractAsyncContextManager[tuple[House, FastAPI]]],
    address: str,
    begins: Callable[[str, int], None],
) -> tuple[StandbyFace, Tenancy]:
    """A process that acts while it holds the account's lease, and stands by else; and its HTTP face. ``begins``: hears
    of each time, its owner and its fence.
    """

    @asynccontextmanager
    async def acting(lease: Lease, left: Left) -> AsyncIterator[House]:
        async with housed(left) as (house, app):
            with face.open(app):
                begins(lease.owner, lease.fence)
                try:
                    yield house
                finally:
                    house.retire()

    owner = f"{settings.owner_name}-{secrets.token_hex(4)}"  # of this life alone
    terms = TenancyTerms(name=f"account:{DEFAULT_ACCOUNT}", owner=owner, url=settings.url or address)
    tenancy = Tenancy(terms, leases, SystemClock(), acting)
    face = StandbyFace(lambda: tenancy.holder)
    return face, tenancy


def _begins(trail: Trail, settings: RouterSettings, name: str, fence: int = 0) -> None:
    """To act: from now on what is sent is sent by this build."""
    trail.begins(Life(service=Service.S4, name=name, build=build(), environment=hosts_of(settings).name, fence=fence))


@asynccontextmanager
async def _housed(
    settings: RouterSettings,
    left: Left | None = None,
    *,
    table: RouteTable | None,
    ledger: Ledger,
    bus: Bus,
    clock: Clock,
    seal: Seal,
    hangup: asyncio.Event,
    tracing: Tracing | None,
) -> AsyncIterator[tuple[House, FastAPI]]:
    """The house with its connections to the venue, and its HTTP face. ``left``: of its lease; None: it needs none."""
    pair = keyring.pair_of(settings)
    async with AsyncExitStack() as open_:
        accounts: dict[Market, Account] = {}
        for market in markets_of(settings):
            accounts[market] = account_of(settings, market, pair, clock)
            accounts[market].raw.tenure_ms = left
            open_.push_async_callback(accounts[market].close)
        wallets = wallets_of(settings, accounts[Market.FUT], pair, clock)
        if wallets is not None:
            wallets.raw.tenure_ms = left
            open_.push_async_callback(wallets.close)
        ours = ClaimedBus(bus)
        house = house_of(
            settings,
            accounts,
            table=table,
            ledger=ledger,
            bus=ours,
            voice=bus,
            clock=clock,
            seal=seal,
            wallets=wallets,
            read_table=partial(table_of, settings),
            tracing=tracing,
        )
        observing = Observing(house, DEFAULT_ACCOUNT, rows=ledger, bus=ours, clock=clock, tell=house.tell)
        house.beside("observing", observing.run)
        signed, environment = keyring.Signed(accounts, wallets), hosts_of(settings).name
        apart = Apart(environment, signed.whose, bus, ours.level, house.redis_shared, known=house.claims_by)
        house.beside("apart", apart.run)
        rotating = keyring.rotating_of(settings, pair, signed, clock=clock, tell=house.tell, hurry=hangup)
        if rotating is not None:
            house.beside("rotating", rotating.run)
        desk = RouteDesk(settings.route_table_path, house.routings, ours, clock)
        app = build_app(
            house,
            clock=clock,
            allow_unprotected=settings.allow_unprotected,
            observed=observing.samples,
            operating=Operating(desk, house.breakers),
        )
        yield house, app


def house_of(
    settings: RouterSettings,
    accounts: Mapping[Market, Account],
    *,
    table: RouteTable | None,
    ledger: Ledger,
    bus: Bus,
    clock: Clock,
    seal: Seal,
    voice: Bus | None = None,
    wallets: Wallets | None = None,
    read_table: Callable[[], RouteTable] | None = None,
    tracing: Tracing | None = None,
) -> House:
    """A router for each market, with what they share. ``voice``: where alerts go, if not by ``bus``."""
    records, name = {market: account.records for market, account in accounts.items()}, settings.owner_name
    common = Common(
        DEFAULT_ACCOUNT, name, records, ledger=ledger, bus=bus, clock=clock, seal=seal, tracing=tracing, voice=voice
    )
    routers = {
        market: router_of(
            settings,
            account,
            table=table,
            ledger=ledger,
            bus=bus,
            clock=clock,
            seal=seal,
            common=common,
            market=market,
            wallets=wallets if market is Market.FUT else None,
            read_table=read_table,
        )
        for market, account in accounts.items()
    }
    doors = (*accounts.values(), *(() if wallets is None else (wallets,)))

    def in_flight() -> bool:
        return any(door.raw.in_flight.any() for door in doors)

    return House(routers, common, track_of(settings, common, bus, clock), in_flight=in_flight)


def track_of(settings: RouterSettings, common: Common, bus: Bus, clock: Clock) -> StreamTrack | None:
    """The second track, where it is wanted."""
    if not settings.intent_stream:
        return None
    terms = Terms(settings.owner_name, settings.intent_group, settings.intent_max_age, settings.allow_unprotected)
    return StreamTrack(terms, Refusals(common.rows, bus, clock), bus, clock, common.alarms.tell)


def router_of(
    settings: RouterSettings,
    account: Account,
    *,
    table: RouteTable | None,
    ledger: Ledger,
    bus: Bus,
    clock: Clock,
    seal: Seal,
    common: Common | None = None,
    market: Market = Market.FUT,
    wallets: Wallets | None = None,
    read_table: Callable[[], RouteTable] | None = None,
) -> Router:
    """The router that these settings describe; the virtual-time stage makes it by the same words."""
    symbols = settings.symbols if market is Market.FUT else settings.spot_symbols
    config = RouterConfig(
        symbols=tuple(Symbol(symbol) for symbol in symbols),
        table=table,
        market=market,
        owner_name=settings.owner_name,
        policy=duties_of(settings, len(symbols)),
        route_policy=routes_of(settings),
        breaker=BreakerPolicy(window_ms=settings.cb_error_rate_window, share=settings.cb_error_rate_thresh),
        allow_unprotected=settings.allow_unprotected,
        environment=hosts_of(settings, market).name,
        probe=settings.probe,
        submit_wait_ms=settings.submit_wait_ms,
        maker_fill_ratio_min=settings.maker_fill_ratio_min,
        sweep=sweep_of(settings),
        transfers=settings.transfers,
        fit=fit_of(settings),
    )
    return Router(
        config,
        venue=account.venue,
        records=account.records,
        rulebook=account.rulebook,
        ledger=ledger,
        bus=bus,
        limits=LimitBook(limits_of(settings), None if common is None else common.day_pnl),
        clock=clock,
        seal=seal,
        rates=account.raw,
        wallets=wallets,
        read_table=read_table,
        pairs=account.venue if isinstance(account, BinanceSpot) else None,
        common=common,
    )


def _seal_of(settings: RouterSettings) -> Seal:
    path = settings.receipt_key_path
    try:
        return seal_at(path)
    except OSError as error:
        raise SettingsFault(f"S4_RECEIPT_KEY_PATH: {path}: {error.strerror}") from error
    except ValueError as error:
        raise SettingsFault(f"S4_RECEIPT_KEY_PATH: {error}") from error


def was_deposed(error: BaseException) -> bool:
    """Whether another router took over: not a fault, but this process must not go on."""
    if isinstance(error, BaseExceptionGroup):
        return any(was_deposed(inner) for inner in error.exceptions)
    return isinstance(error, StaleWriter)
