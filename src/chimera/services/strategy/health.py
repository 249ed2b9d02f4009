"""What S3 says of itself: each dependency, and whether what it decides with is what is active."""

import asyncio
from collections.abc import Awaitable
from typing import Any, Final

from chimera.ports.ledger import Ledger
from chimera.ports.streams import Bus
from chimera.services.strategy.config import ConfigWatcher
from chimera.trading.errors import StoreUnavailable
from chimera.wire.keys import S4_ACCOUNT

PING_S: Final = 1.0


async def pings(bus: Bus, ledger: Ledger) -> dict[str, dict[str, Any]]:
    """Both stores, asked at once."""
    redis, stored = await asyncio.gather(_ping(_used(bus)), _ping(ledger.ping()))
    return {"redis": redis, "document_store": stored}


def well(checks: dict[str, dict[str, Any]]) -> bool:
    return all(check["status"] == "ok" for check in checks.values())


def of_config(config: ConfigWatcher) -> dict[str, Any]:
    """``since_ms`` (UTC): since when another revision is active than the loaded one."""
    if config.fault:
        return {"status": "down", "reason": config.fault}
    if config.snapshot is None:
        return {"status": "down"}
    if config.differs_since_ms is not None:
        words = f"revision {config.wanted_rev} is active, {config.snapshot.bundle.rev} is loaded"
        return {"status": "down", "reason": words, "since_ms": config.differs_since_ms}
    return {"status": "ok"}


async def _used(bus: Bus) -> None:
    """It is there, and it is ours (``apart``)."""
    await bus.ping()
    await bus.get(S4_ACCOUNT)


async def _ping(ping: Awaitable[None]) -> dict[str, Any]:
    try:
        async with asyncio.timeout(PING_S):
            await ping
    except (StoreUnavailable, TimeoutError) as away:
        return {"status": "down", "reason": str(away) or f"no answer in {PING_S} s"}
    return {"status": "ok"}
