"""The console's process: three addresses in, a page on loopback out. It keeps nothing; stop it whenever you like."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from chimera.client import RouterClient, StrategyClient
from chimera.services.clock import SystemClock
from chimera.services.console.app import Console, build_app
from chimera.services.serving import Ready, end, listen, serve_app
from chimera.services.stores import open_bus

SERVICE: Final = "console"
HOST: Final = "127.0.0.1"
PORT: Final = 8080  # CHIMERA_CONSOLE_PORT
TIMEOUT_MS: Final = 2_000  # below the age at which the page calls an answer stale


async def serve(
    *,
    s3_url: str,
    s4_url: str,
    redis_addresses: Sequence[str],
    embedded_dir: Path,
    stop: asyncio.Event,
    host: str = HOST,
    port: int = PORT,
    mode: str = "SIM",
    symbols: Sequence[str] = (),
    ready: Ready | None = None,
) -> None:
    """Until ``stop``; raises ``PortInUse``. ``mode`` is SIM, TESTNET or LIVE; S3, S4 and Redis may come later."""
    bound = listen(SERVICE, host, port)
    try:
        async with (
            open_bus(redis_addresses, embedded_dir) as bus,
            RouterClient(s4_url, timeout_ms=TIMEOUT_MS) as router,
            StrategyClient(s3_url, timeout_ms=TIMEOUT_MS) as strategy,
        ):
            app = build_app(
                router=router,
                strategy=strategy,
                bus=bus,
                clock=SystemClock(),
                mode=mode,
                symbols=tuple(symbols),
                hosts=(host,),
            )
            console: Console = app.state.console
            ending = asyncio.create_task(_end_streams(console, stop), name="end of streams")
            try:
                await serve_app(app, bound, console.keep_watching(), stop=stop, ready=ready)
            finally:
                await end(ending)
    finally:
        bound.close()


async def _end_streams(console: Console, stop: asyncio.Event) -> None:
    """uvicorn waits for open streams, so they end before it begins to."""
    await stop.wait()
    console.end()
