"""The console's process: three addresses in, a page on loopback out. It keeps nothing; stop it whenever you like."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from chimera.client import AlertsClient, RouterClient, StrategyClient
from chimera.client.bundles import BundleClient
from chimera.client.explain import ExplainClient
from chimera.client.simulator import SimulatorClient
from chimera.services.access.door import Door, gated
from chimera.services.clock import SystemClock
from chimera.services.console.app import Console, build_app
from chimera.services.console.costs import Costs
from chimera.services.console.doctoring import Doctor
from chimera.services.console.guard import BODY_MOST
from chimera.services.console.login import Signed
from chimera.services.service import Service
from chimera.services.serving import Ready, end, listen, serve_app
from chimera.services.stores import open_bus

SERVICE: Final = "console"
LOOPBACK: Final = Door(host="127.0.0.1")
PORT: Final = 8080  # CHIMERA_CONSOLE_PORT
LONG_MS: Final = 10_000  # skips of hours are counted, bundles are linted
TIMEOUT_MS: Final = 2_000  # below the age at which the page calls an answer stale


async def serve(
    *,
    s3_url: str,
    s4_url: str,
    redis_addresses: Sequence[str],
    embedded_dir: Path,
    stop: asyncio.Event,
    door: Door = LOOPBACK,
    port: int = PORT,
    symbols: Sequence[str] = (),
    hosts: Sequence[str] = (),
    sim_url: str = "",
    ledger: Path | None = None,
    signals: Path | None = None,
    captures: str = "",
    alerts_url: str = "",
    docs_url: str = "",
    ready: Ready | None = None,
) -> None:
    """Until ``stop``; raises ``PortInUse``, ``DoorFault``. S3, S4 and Redis may come later.

    ``hosts``: names that it is reached under besides the door's own. ``sim_url``: of a simulated exchange, by whose
    control API it is run. ``ledger``, ``signals``, ``captures``: files of which it computes what trading cost; where
    the ledger is, the house is, and the doctor looks at this machine too. ``alerts_url``: of who keeps the alerts.
    """
    clock, tls = SystemClock(), door.checked(Service.CONSOLE).tls()
    book = door.book(clock)
    signed = None if book is None else Signed(book, clock)
    bound = listen(SERVICE, door.host, port)
    try:
        async with (
            open_bus(redis_addresses, embedded_dir) as bus,
            RouterClient(s4_url, timeout_ms=TIMEOUT_MS) as router,
            StrategyClient(s3_url, timeout_ms=TIMEOUT_MS) as strategy,
            ExplainClient(s3_url, timeout_ms=LONG_MS) as explain,
            BundleClient(s3_url, timeout_ms=LONG_MS) as bundles,
            AlertsClient(alerts_url, timeout_ms=TIMEOUT_MS) as alerts,
        ):
            state = None if ledger is None else ledger.parent
            doctor = Doctor(clock, s3_url=s3_url, s4_url=s4_url, alerts_url=alerts_url, sim_url=sim_url, state=state)
            app = build_app(
                router=router,
                strategy=strategy,
                explain=explain,
                bundles=bundles,
                bus=bus,
                clock=clock,
                simulator=SimulatorClient(sim_url) if sim_url else None,
                costs=None if ledger is None else Costs(clock, ledger, signals, captures),
                alerts=alerts if alerts_url else None,
                doctor=doctor,
                symbols=tuple(symbols),
                hosts=(door.host, *hosts),
                signed=signed,
                urls={"s3": s3_url, "s4": s4_url, "sim": sim_url, "alerts": alerts_url},
                docs_url=docs_url,
            )
            console: Console = app.state.console
            gate = gated(app, Service.CONSOLE, door, clock, book=book, sessions=signed, body_most=BODY_MOST)
            ending = asyncio.create_task(_end_streams(console, stop), name="end of streams")
            try:
                await serve_app(gate, bound, console.keep_watching(), stop=stop, ready=ready, tls=tls)
            finally:
                await end(ending)
    finally:
        bound.close()


async def _end_streams(console: Console, stop: asyncio.Event) -> None:
    """uvicorn waits for open streams, so they end before it begins to."""
    await stop.wait()
    console.end()
