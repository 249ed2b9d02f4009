"""S3's process: settings in, a strategy with its stores, its score and its HTTP face out.

A fresh store is given the demo bundle, so that the first decision can be made; a configuration of somebody's own is
never touched.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import structlog

from chimera.adapters.binance.account import open_futures
from chimera.adapters.binance.hosts import hosts_named
from chimera.adapters.binance.http import AiohttpTransport
from chimera.adapters.binance.spot.account import open_spot
from chimera.adapters.scoring import http as model
from chimera.adapters.scoring.constant import ConstantScorer
from chimera.client import RouterClient
from chimera.client.credentials import Credentials, credentials
from chimera.ports.intents import OrderAnswer
from chimera.ports.ledger import Ledger
from chimera.ports.score import Scorer
from chimera.ports.venue import Rulebook
from chimera.services import logs
from chimera.services.access.door import Door, gated
from chimera.services.access.trail import Life, Trail
from chimera.services.build import build
from chimera.services.claimed import ClaimedBus
from chimera.services.clock import SystemClock
from chimera.services.service import Service
from chimera.services.serving import Ready, listen, serve_app
from chimera.services.setting_kinds import SettingsFault
from chimera.services.stores import open_bus, open_ledger
from chimera.services.strategy.apart import Apart
from chimera.services.strategy.demo import ensure_demo_bundle, register_instruments
from chimera.services.strategy.engine import Strategy
from chimera.services.strategy.http import build_app
from chimera.services.strategy.settings import StrategySettings, Track
from chimera.services.strategy.telemetry import Promised
from chimera.services.tracing import NoCollector, tracing_to
from chimera.trading.errors import NotSent, OutcomeUnknown, Refused, VenueRejected
from chimera.trading.instrument import Instrument
from chimera.trading.intent import Intent
from chimera.wire.failures import is_of_the_door
from chimera.wire.registry import Listed

SERVICE: Final = "s3-strategy"
VENUE_TRIES: Final = 20
VENUE_PAUSE_S: Final = 0.25

log = structlog.get_logger(__name__)


class RestSink:
    """``chimera.ports.intents.IntentSink`` over the router's REST face.

    Who is turned away at its door has no word of the router's on the intent: what goes by the stream may be taken.
    """

    def __init__(self, client: RouterClient) -> None:
        self._client = client

    async def submit(self, intent: Intent) -> OrderAnswer:
        try:
            return await self._client.submit(intent, wait_s=0)
        except Refused as no:
            if not is_of_the_door(no.code):
                raise
            raise NotSent(f"{no.code}: {no.message}", code=no.code) from no


async def serve(
    settings: StrategySettings,
    *,
    stop: asyncio.Event,
    venue_url: str | None = None,
    ready: Ready | None = None,
) -> None:
    """Until ``stop``; raises what cannot start. ``venue_url``: where the rules of symbols that the registry does not
    have are read, once; a venue that is away then costs only those.
    """
    logs.keep_secret(settings.db_arango_pass)
    door = Door.of(settings).checked(Service.S3)
    tls = door.tls()
    to_s4 = _credentials(settings)
    bound = listen(SERVICE, settings.host, settings.port)
    try:
        ledger = await open_ledger(
            settings.ledger_path, settings.db_arango_uri, settings.db_arango_user, settings.db_arango_pass
        )
    except ValueError as wrong:
        raise SettingsFault(f"S3_DB_ARANGO_URI: {wrong}") from wrong
    try:
        await ensure_demo_bundle(ledger)
        if venue_url is not None:
            await _learn_instruments(ledger, venue_url, settings.symbols)
        async with (
            open_bus(settings.redis_addresses, settings.ledger_path.parent / "redis") as bus,
            RouterClient(settings.s4_url, timeout_ms=settings.s4_timeout_ms, credentials=to_s4) as client,
            _scorer(settings) as score,
            tracing_to(settings.traces_url, SERVICE) as tracing,
        ):
            ours = ClaimedBus(bus)
            strategy = Strategy(
                ledger=ledger,
                bus=ours,
                clock=SystemClock(),
                score=score,
                router=RestSink(client),
                settings=settings,
                rng=random.SystemRandom(),
                routers=client,
                hears=settings.tracks is not Track.REST,
                tracing=tracing,
                voice=bus,
            )
            waits = settings.tracks is not Track.STREAM
            apart = Apart(bus, client.account, ours.level, strategy.alerts, waits=waits)
            trail = Trail(ledger, SystemClock())
            trail.begins(Life(service=Service.S3, name=SERVICE, build=build()))
            gate = gated(build_app(strategy), Service.S3, door, SystemClock(), trail=trail)
            await serve_app(gate, bound, _all_of(strategy, apart), stop=stop, ready=ready, tls=tls)
    except NoCollector as missing:
        raise SettingsFault(f"S3_TRACES_URL: {missing}") from missing
    finally:
        bound.close()
        await ledger.close()


async def _all_of(strategy: Strategy, apart: Apart) -> None:
    """The engine, who looks at its service levels, and who at whose Redis it uses."""
    async with asyncio.TaskGroup() as group:
        group.create_task(apart.run(), name="apart")
        group.create_task(strategy.run(watching=True), name="strategy")
        group.create_task(Promised(strategy.telemetry, strategy.alerts).run(), name="service levels")


def _credentials(settings: StrategySettings) -> Credentials | None:
    """What S3 shows to S4; raises ``CredentialsFault``."""
    cert, key = settings.s4_cert_path, settings.s4_cert_key_path
    pair = None if cert is None or key is None else (cert, key)
    made = credentials(settings.s4_token_path, settings.s4_ca_path, pair)
    if made is not None:
        logs.keep_secret(made.secret)
    return made


async def _learn_instruments(ledger: Ledger, venue_url: str, symbols: Sequence[str]) -> None:
    """Public data of both markets: no key, nothing signed."""
    for opens in (open_futures, open_spot):
        transport = AiohttpTransport(hosts_named("sim", rest=venue_url))
        account = opens(transport, "", "-", SystemClock(), jitter=random.Random())  # noqa: S311 - public calls
        try:
            listed = await _instruments(account.rulebook)
            wanted = [rules for rules in listed if rules.symbol in symbols and not rules.dated]
            await register_instruments(ledger, [Listed(instrument=rules) for rules in wanted])
        except (NotSent, OutcomeUnknown, VenueRejected) as away:
            log.warning("instruments_not_read", venue=venue_url, why=str(away))
        finally:
            await transport.close()


async def _instruments(rulebook: Rulebook) -> Sequence[Instrument]:
    """A venue that is just starting is given a few seconds."""
    for _ in range(VENUE_TRIES - 1):
        try:
            return await rulebook.instruments()
        except NotSent:
            await asyncio.sleep(VENUE_PAUSE_S)
    return await rulebook.instruments()


@asynccontextmanager
async def _scorer(settings: StrategySettings) -> AsyncIterator[Scorer]:
    if not settings.score_url:
        yield ConstantScorer(settings.score_p, settings.score_size_mult)
        return
    async with model.session() as session:
        yield model.HttpScorer(session, settings.score_url)
