"""The alerts' process: the stream in, messages out. It holds no key of the venue and sends no order."""

import asyncio
from typing import Final

import aiohttp

from chimera.ports.clock import Clock
from chimera.services import logs
from chimera.services.access.door import Door, gated
from chimera.services.access.trail import Trail
from chimera.services.alerts.beat import Beat
from chimera.services.alerts.channels import Channel, Telegram, Webhook, signing_key
from chimera.services.alerts.desk import SERVICE, Desk
from chimera.services.alerts.http import MAX_BODY_BYTES, build_app
from chimera.services.alerts.settings import AlertsSettings
from chimera.services.alerts.watch import Watch
from chimera.services.clock import SteadyClock, SystemClock
from chimera.services.service import Service
from chimera.services.serving import Ready, listen, serve_app
from chimera.services.stores import open_bus, open_ledger
from chimera.trading.events import Severity

CONNECTIONS: Final = 10


async def serve(settings: AlertsSettings, *, stop: asyncio.Event, ready: Ready | None = None) -> None:
    """Until ``stop``; raises what cannot start."""
    door = Door.of(settings).checked(Service.ALERTS)
    tls = door.tls()
    bound = listen(SERVICE, settings.host, settings.port)
    clock = SteadyClock(SystemClock())
    ledger = await open_ledger(settings.ledger_path, None, None, None)
    try:
        async with (
            open_bus(settings.redis_addresses, settings.ledger_path.parent / "redis") as bus,
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONNECTIONS)) as session,
        ):
            channels = channels_of(settings, session, clock)
            desk = Desk(rows=ledger, streams=bus, clock=clock, channels=channels, policy=settings.policy)

            def raised(code: str, why: str | None, subject: str, severity: Severity) -> None:
                desk.level(code, why, subject=subject, severity=severity)

            watch = Watch(settings.watched, settings.silent, clock, raised)
            await desk.open()
            app = build_app(desk, watch, clock)
            beats = [] if settings.beat_url is None else [Beat(settings.beat_url, session, desk.mute, raised)]
            logs.keep_secret(settings.beat_url or "")  # whoever knows it can keep the watcher quiet
            gate = gated(app, Service.ALERTS, door, clock, trail=Trail(ledger, clock), body_most=MAX_BODY_BYTES)
            await serve_app(gate, bound, _all(desk, watch, *beats), stop=stop, ready=ready, tls=tls)
    finally:
        bound.close()
        await ledger.close()


def channels_of(settings: AlertsSettings, session: aiohttp.ClientSession, clock: Clock) -> tuple[Channel, ...]:
    """Those that are set; raises ``SettingsFault``. From here on no log has their secrets."""
    made: list[Channel] = []
    if settings.webhook_url is not None:
        secret = settings.secret("webhook_secret_file")
        logs.keep_secret(secret)
        made.append(Webhook(settings.webhook_url, signing_key(secret), session, clock, settings.runbook_url))
    if settings.telegram_chat is not None and settings.telegram_url is not None:
        token = settings.secret("telegram_token_file")
        logs.keep_secret(token)
        made.append(Telegram(settings.telegram_url, token, settings.telegram_chat, session, settings.runbook_url))
    return tuple(made)


async def _all(*parts: Desk | Watch | Beat) -> None:
    async with asyncio.TaskGroup() as tasks:
        for part in parts:
            tasks.create_task(part.run(), name=type(part).__name__.lower())
