"""The simulated exchange on the wire: two ports, futures' and spot's, and a market released in wall time.

REST of both markets answers on both ports; they differ in what ``/ws`` and ``/stream`` mean (``sockets``).
All of it runs in one event loop, so the twin needs no lock: a request, a market event and a tick each run to their end.
Requests reach the twin byte for byte as sent (the signature covers those bytes). Stops within a second.

With a state file the venue outlives the process: what changed is on the disk within ``KEEP_S`` and at the stop, and
the next start carries on from there. A file that cannot be written while we run stops nobody (``journal``); at the stop
it is told. No file is touched before the port is ours.
"""

import asyncio
import contextlib
import errno
import ipaddress
import socket
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Mapping
from typing import Final

from aiohttp import web

from chimera.services.serving import PortInUse
from chimera.services.simulator import market_control
from chimera.services.simulator.audit_file import AuditFile
from chimera.services.simulator.hub import Hub
from chimera.services.simulator.journal import STATE, Journal
from chimera.services.simulator.market_control import MarketControl
from chimera.services.simulator.pace import Pace
from chimera.services.simulator.settings import SimulatorSettings
from chimera.services.simulator.sockets import FUTURES_API_PATH, SPOT_API_PATH, Sockets
from chimera.services.simulator.state_file import StateFile
from chimera.simulate.door.messages import WireRequest
from chimera.simulate.twin import Twin
from chimera.tape.beside import Placed
from chimera.tape.hand import Hand
from chimera.trading.errors import Refused
from chimera.trading.market import Market, MarketEvent
from chimera.trading.money import Millis

TICK_S = 0.1
KEEP_S = 1.0  # between two writes of the state file, at least
EVENTS_PER_TURN = 200  # market events handled before requests get a turn
STOP_S = 0.5
_BODY_MAX = 1 << 20
_CONTROL: Final = "/sim/"

Told = MarketEvent | Placed  # a bare event is of the futures market
MarketSource = Iterable[Told] | AsyncIterable[Told]


def wall_ms() -> int:
    """UTC, milliseconds."""
    return time.time_ns() // 1_000_000


class SimulatorServer:
    """One twin behind HTTP and WebSocket. A ``twin`` that is given is its giver's to keep: no file is used for it."""

    def __init__(
        self,
        settings: SimulatorSettings,
        market: MarketSource,
        *,
        twin: Twin | None = None,
        clock: Callable[[], int] = wall_ms,
        hands: Mapping[str, Hand] | None = None,
    ) -> None:
        """``hands``: on the synthetic markets among it, by symbol."""
        self.settings = settings
        self._pace = Pace(settings.speed)
        self._control = MarketControl(self._pace, settings.seed, hands or {})
        self.market_ended = asyncio.Event()
        self._clock = clock
        self._market = market
        self._given = twin
        self._journal = Journal(clock)
        self._state: StateFile | None = None
        self._kept: tuple[int, int] | None = None  # ``Twin.changes`` as last kept
        self._keeping: asyncio.Future[None] | None = None
        self.twin: Twin
        self.hub: Hub
        self._sockets: Sockets
        self._runners: list[web.AppRunner] = []
        self._tasks: list[asyncio.Task[None]] = []
        self.address = ("", 0)
        self.spot_address = ("", 0)

    def _open(self) -> Twin:
        """The venue as it was kept, or a new one. Raises ``Refused`` where its state file is of no use."""
        told = self.settings
        state = StateFile(told.state_file) if told.state_file is not None else None
        kept = state.read() if state is not None else None
        audit = None
        if told.audit_file is not None:
            audit = self._journal.audit = AuditFile(told.audit_file, append=kept is not None)
        try:
            twin = Twin(
                told.instruments,
                spot=told.spot,
                seed=told.seed,
                now_ms=self._clock(),
                accounts=told.accounts,
                on_audit=self._journal.record if audit is not None else None,
                audit_keep=told.audit_keep,
                limits=told.limits,
                countdown_takes_algos=told.countdown_takes_algos,
                queue_share=told.queue_share,
                kept=kept,
                audit_seq=audit.last_seq if audit is not None else 0,
            )
        except ValueError as error:
            if state is None or kept is None:
                raise
            raise state.unusable(error) from error
        if state is not None:
            state.replace(twin.keep())  # a crash from here on must not find a file that says it was closed
            self._kept = twin.changes
        self._state = state
        return twin

    def _join_files(self) -> None:
        """Let the venue speak of our files, and its faults reach them."""
        self.twin.journal = self._journal.picture
        self._journal.fails = lambda part: self.twin.faults.journal_fails(part, Millis(self._clock()))

    def _app(self, *, spot: bool) -> web.Application:
        app, sockets = web.Application(client_max_size=_BODY_MAX), self._sockets
        for path in (FUTURES_API_PATH, SPOT_API_PATH):
            app.router.add_get(path, sockets.api)
        hears = sockets.spot_streams if spot else sockets.futures_streams
        for path in ("/{route:ws|stream}", *(() if spot else ("/{route:public|market|private}/{form:ws|stream}",))):
            app.router.add_get(path, hears)
            app.router.add_get(path + "/{streams:.*}", hears)
        app.router.add_route("*", "/{path:.*}", self._request)
        return app

    async def start(self) -> None:
        """Take the ports, carry on or begin, listen, then let the market run."""
        bound = _bind_both(self.settings.host, self.settings.port, self.settings.spot_port)
        try:
            self.twin = self._given if self._given is not None else self._open()
            self._join_files()
            self.hub = Hub(self.twin)
            self._sockets = Sockets(self.twin, self.hub, self._clock)
            self.address, self.spot_address = [
                await self._listen(each, spot=spot) for each, spot in zip(bound, (False, True), strict=True)
            ]
        except BaseException:  # a start that is cancelled, too, leaves no port taken and no file open
            for runner in self._runners:
                await runner.cleanup()
            for each in bound:
                each.close()
            self._close_audit()
            raise
        loops = [self._run_market(), self._run_ticks(), *([self._run_keeping()] if self._state is not None else [])]
        self._tasks = [asyncio.create_task(loop) for loop in loops]

    async def _listen(self, bound: socket.socket, *, spot: bool) -> tuple[str, int]:
        runner = web.AppRunner(self._app(spot=spot), access_log=None, shutdown_timeout=STOP_S)
        await runner.setup()
        self._runners.append(runner)
        await web.SockSite(runner, bound).start()
        host, port = runner.addresses[0][:2]
        return host, port

    async def wait(self) -> None:
        """Until a loop of ours fails; raises what it raised."""
        await asyncio.gather(*self._tasks)

    async def stop(self) -> None:
        """Close every connection, keep the venue as it then is, close the audit file."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._sockets.close(), STOP_S)
        for runner in self._runners:
            await runner.cleanup()
        try:
            await self._keep(clean=True)
        finally:
            self._close_audit()

    def _close_audit(self) -> None:
        if self._journal.audit is not None:
            self._journal.audit.close()

    # ── keeping ─────────────────────────────────────────────────────────────────────────────────────────────────────
    async def _run_keeping(self) -> None:
        """Keep what changed within a tick, but no more than once in ``KEEP_S``."""
        while True:
            await asyncio.sleep(TICK_S)
            if self.twin.changes != self._kept:
                await self._keep()
                await asyncio.sleep(KEEP_S - TICK_S)

    async def _keep(self, *, clean: bool = False) -> None:
        """Write the state file; the loop only gathers what changed, a thread encodes and writes it."""
        if self._keeping is not None:
            await asyncio.gather(self._keeping, return_exceptions=True)  # one that outlived its loop; we write anew
        if self._state is None:
            return
        changes, written = self.twin.changes, self.twin.keep(clean=clean)
        try:
            self._journal.check(STATE)
            self._keeping = asyncio.ensure_future(asyncio.to_thread(self._state.replace, written))
            await asyncio.shield(self._keeping)
        except OSError as error:
            self._journal.failed(STATE, error)
            if clean and not self._journal.fails(STATE):
                raise
        else:
            self._journal.written(STATE)
            self._kept = changes

    # ── the market ──────────────────────────────────────────────────────────────────────────────────────────────────
    async def _run_market(self) -> None:
        """Release each event when it is due."""
        pace, turn = self._pace, 0
        async for market, event in _each(self._market):
            wait = pace.wait_s(event.at_us)
            if wait is None or wait > 0:
                self.hub.pump()
                await pace.due(event.at_us)
                turn = 0
            pace.released(event.at_us)
            self.twin.market(event, Millis(self._clock()), market)
            turn += 1
            if turn >= EVENTS_PER_TURN:
                self.hub.pump()
                await asyncio.sleep(0)
                turn = 0
        self.hub.pump()
        self.market_ended.set()

    async def _run_ticks(self) -> None:
        while True:
            now_ms = Millis(self._clock())
            self.twin.tick(now_ms)
            self.hub.pump()
            self.hub.tick(now_ms)
            await asyncio.sleep(TICK_S)

    # ── requests ────────────────────────────────────────────────────────────────────────────────────────────────────
    async def _request(self, request: web.Request) -> web.StreamResponse:
        path, _, query = request.raw_path.partition("?")
        if path.startswith(_CONTROL) and not _is_near(request.remote):
            return web.json_response(
                {"code": "LOOPBACK_ONLY", "msg": "the control API is for this machine"}, status=403
            )
        body = (await request.read()).decode("utf-8", "replace")
        if path == market_control.PATH:
            return self._market_request(request.method, body)
        wire = WireRequest(
            method=request.method,
            path=path,
            query=query,
            headers=dict(request.headers),
            body=body,
            origin=request.remote or "",
        )
        lag_ms = self.twin.lag_ms(wire, Millis(self._clock()))
        if lag_ms:
            await asyncio.sleep(lag_ms / 1000)
        answer = self.twin.handle(wire, Millis(self._clock()))
        self.hub.pump()
        if answer.delay_ms:
            await asyncio.sleep(answer.delay_ms / 1000)
        if answer.dropped:
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=500)  # goes nowhere: the connection is gone
        return web.Response(status=answer.status, headers=answer.headers, body=answer.body)

    def _market_request(self, method: str, body: str) -> web.StreamResponse:
        try:
            if method == "GET":
                return web.json_response(self._control.shown())
            if method == "POST":
                return web.json_response(self._control.change(body))
        except Refused as refused:
            about = {"field": refused.field, "value": str(refused.value), "accepted": refused.accepted}
            return web.json_response({"code": refused.code, "msg": refused.message, **about}, status=400)
        return web.json_response({"code": "NOT_OFFERED", "msg": f"{method} is not offered here"}, status=405)


def _is_near(remote: str | None) -> bool:
    """Whether an address is this machine's loopback: accounts, keys and faults are nobody else's to make."""
    try:
        return remote is not None and ipaddress.ip_address(remote).is_loopback
    except ValueError:
        return False


def _bind(name: str, host: str, port: int) -> socket.socket:
    """A listening socket of ours, or ``PortInUse``: before any file of a simulator that runs there is touched."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(name, host, port) from error
        raise


def _bind_both(host: str, port: int, spot_port: int | None) -> tuple[socket.socket, socket.socket]:
    """Both ports or neither. The spot one is the next after the futures one if none is told."""
    futures = _bind("the simulator (--port)", host, port)
    try:
        spot = spot_port if spot_port is not None else port and port + 1
        return futures, _bind("the simulator's spot streams (--spot-port)", host, spot)
    except BaseException:  # whatever it was, nobody else would close the first
        futures.close()
        raise


async def _each(source: MarketSource) -> AsyncIterator[Placed]:
    if isinstance(source, AsyncIterable):
        async for told in source:
            yield _placed(told)
    else:
        for told in source:
            yield _placed(told)


def _placed(told: Told) -> Placed:
    return told if isinstance(told, tuple) else (Market.FUT, told)


async def serve(
    settings: SimulatorSettings,
    market: MarketSource,
    *,
    stop: asyncio.Event,
    ready: Callable[[SimulatorServer], None] | None = None,
    twin: Twin | None = None,
    clock: Callable[[], int] = wall_ms,
    hands: Mapping[str, Hand] | None = None,
) -> None:
    """Run until ``stop`` is set; ``ready`` is told once it listens. A market that ends leaves the venue open."""
    server = SimulatorServer(settings, market, twin=twin, clock=clock, hands=hands)
    await server.start()
    stopping = asyncio.create_task(stop.wait())
    running = asyncio.create_task(server.wait())
    try:
        if ready is not None:
            ready(server)
        await asyncio.wait({stopping, running}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
    finally:
        stopping.cancel()
        running.cancel()
        await server.stop()
