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
from chimera.services.console.replaying import Replays
from chimera.services.service import Service
from chimera.services.serving import Ready, end, listen, serve_app
from chimera.services.stores import open_bus
from chimera.trading.value import Value

SERVICE: Final = "console"
LOOPBACK: Final = Door(host="127.0.0.1")
PORT: Final = 8080  # CHIMERA_CONSOLE_PORT
LONG_MS: Final = 10_000  # skips of hours are counted, bundles are linted
TIMEOUT_MS: Final = 2_000  # below the age at which the page calls an answer stale


class Addresses(Value):
    """Of those it asks. ``sim``: a simulated exchange's, by whose control API it is run; ``alerts``: of who keeps the
    alerts; ``docs``: where the site of the pages is. Each of the three may be none: empty."""

    s3: str
    s4: str
    sim: str = ""
    alerts: str = ""
    docs: str = ""


class Files(Value):
    """Of which it computes what trading cost and would have. Where the ledger is, the house is, and the doctor looks at
    it whole. ``captures``: a folder is for orders replayed alone, since costs are computed each minute of all files.
    """

    ledger: Path | None = None
    signals: Path | None = None
    captures: str = ""


async def serve(
    at: Addresses,
    files: Files,
    *,
    redis_addresses: Sequence[str],
    embedded_dir: Path,
    stop: asyncio.Event,
    door: Door = LOOPBACK,
    port: int = PORT,
    symbols: Sequence[str] = (),
    hosts: Sequence[str] = (),
    ready: Ready | None = None,
) -> None:
    """Until ``stop``; raises ``PortInUse``, ``DoorFault``. S3, S4 and Redis may come later.

    ``hosts``: names that it is reached under besides the door's own.
    """
    clock, tls = SystemClock(), door.checked(Service.CONSOLE).tls()
    book = door.book(clock)
    signed = None if book is None else Signed(book, clock)
    bound = listen(SERVICE, door.host, port)
    try:
        async with (
            open_bus(redis_addresses, embedded_dir) as bus,
            RouterClient(at.s4, timeout_ms=TIMEOUT_MS) as router,
            StrategyClient(at.s3, timeout_ms=TIMEOUT_MS) as strategy,
            ExplainClient(at.s3, timeout_ms=LONG_MS) as explain,
            BundleClient(at.s3, timeout_ms=LONG_MS) as bundles,
            AlertsClient(at.alerts, timeout_ms=TIMEOUT_MS) as alerts,
        ):
            app = build_app(
                router=router,
                strategy=strategy,
                explain=explain,
                bundles=bundles,
                bus=bus,
                clock=clock,
                simulator=SimulatorClient(at.sim) if at.sim else None,
                costs=None if files.ledger is None else _costs(clock, files.ledger, files),
                alerts=alerts if at.alerts else None,
                doctor=_doctor(clock, at, files),
                replays=None if files.ledger is None else Replays(clock, files.ledger, files.captures),
                symbols=tuple(symbols),
                hosts=(door.host, *hosts),
                signed=signed,
                urls={"s3": at.s3, "s4": at.s4, "sim": at.sim, "alerts": at.alerts},
                docs_url=at.docs,
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


def _costs(clock: SystemClock, ledger: Path, files: Files) -> Costs:
    of_files = "" if Path(files.captures).is_dir() else files.captures
    return Costs(clock, ledger, files.signals, of_files)


def _doctor(clock: SystemClock, at: Addresses, files: Files) -> Doctor:
    state = None if files.ledger is None else files.ledger.parent
    return Doctor(clock, s3_url=at.s3, s4_url=at.s4, alerts_url=at.alerts, sim_url=at.sim, state=state)


async def _end_streams(console: Console, stop: asyncio.Event) -> None:
    """uvicorn waits for open streams, so they end before it begins to."""
    await stop.wait()
    console.end()
