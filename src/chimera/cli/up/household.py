"""The house in wall time: embedded Redis and the services as processes of their own, on one state directory.

Stopping takes the customers first and the venue last, so that what S4 does while it stops still reaches the venue. A
second start on the same directory finds the ledger, the streams and the simulated venue as they were.
"""

import asyncio
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import aiohttp
import msgspec

from chimera.adapters.embedded.ledger import SqliteLedger
from chimera.adapters.embedded.lock import ProcessLock
from chimera.adapters.embedded.server import EmbeddedRedis, free_port
from chimera.adapters.redis.bus import RedisBus, connect
from chimera.cli.codes import Exit, Stop
from chimera.cli.up.options import Ports, UpOptions
from chimera.cli.up.play import FILLS_MAX
from chimera.cli.up.processes import Child, Line, how_it_ended
from chimera.cli.up.routers import Routers
from chimera.cli.up.session import Tell
from chimera.client import RouterClient, StrategyClient
from chimera.ports.streams import Streams
from chimera.services.audit_summary import Tally
from chimera.services.clock import SystemClock
from chimera.services.serving import listen
from chimera.simulate.venue.account_spec import READY_ACCOUNT
from chimera.simulate.venue.audit import AuditRecord
from chimera.trading.errors import ChimeraError
from chimera.trading.market import Side
from chimera.wire.codec import plain
from chimera.wire.keys import FILLS

HOST: Final = "127.0.0.1"
AUDIT_EVERY_S: Final = 1.0
AUDIT_WAIT_S: Final = 0.5
READY_POLL_S: Final = 0.05
READY_S: Final = 30.0
LOOKERS_ON: Final = ("console", "alerts", "recorder")  # nobody trades less without them
_DECODE: Final = msgspec.json.Decoder(AuditRecord).decode


class Household:
    """``House`` of the session. ``open``, use, ``close``."""

    def __init__(self, options: UpOptions, tell: Tell) -> None:
        self.market_ended = asyncio.Event()
        self.tally = Tally()
        self.started_ms = self.now_ms()
        self.ports = _chosen(options.ports)
        self._options = options
        self._tell = tell
        self._state = options.state.absolute()
        self._lock: ProcessLock | None = None
        self._redis: EmbeddedRedis | None = None
        self._bus: RedisBus | None = None
        self._venue: Child | None = None
        self._others: list[Child] = []
        self._s3 = StrategyClient(self._at(self.ports.s3))
        self._s4_ports = _s4_ports(options, self.ports.s4)
        self._s4 = RouterClient(self.addresses["s4"])
        self._http: aiohttp.ClientSession | None = None
        self._watching: list[asyncio.Task[None]] = []

    # ── the session's view ──

    @property
    def streams(self) -> Streams:
        assert self._bus is not None
        return self._bus

    def now_ms(self) -> int:
        return SystemClock().now_ms()

    async def decide(self, symbol: str, side: Side | None) -> dict[str, Any]:
        decided = plain(await self._s3.decide(symbol, side_hint=side))
        assert isinstance(decided, dict)
        return decided

    async def positions(self) -> Sequence[Mapping[str, Any]]:
        rows: list[dict[str, Any]] = plain(await self._s4.positions())  # digits, as on the stage
        return rows

    @property
    def addresses(self) -> dict[str, str]:
        """By service."""
        ports = self.ports
        named = {"s3": ports.s3, "simulator": ports.simulator}
        if self._trades_spot:
            named["simulator_spot"] = self._spot_port
        named["alerts"] = ports.alerts
        if self._options.console:
            named["console"] = ports.console
        return {name: self._at(port) for name, port in named.items()} | {"s4": ",".join(map(self._at, self._s4_ports))}

    # ── life ──

    async def open(self) -> None:
        """Everything up and ready, in order; raises ``Stop`` or an error of ours, and then ``close`` is still due."""
        self._prepare()
        self._http = aiohttp.ClientSession()
        self._venue = self._simulator()
        self._venue.start()
        self._redis = await EmbeddedRedis.start(self._state / "redis")
        self._bus = connect(self._redis.unix_address)
        routers = self._made_routers()
        self._others = self._services(routers)
        for child in self._others:  # they take a second to load, so they begin beside the venue
            if child not in routers.heirs:
                child.start()
        await self._venue.wait_ready()
        self._watching.append(asyncio.create_task(self._follow_audit()))
        await routers.first.wait_ready()
        for child in routers.heirs:  # whether they stand by yet holds nobody up
            child.start()
        for child in self._others:
            if child.name not in LOOKERS_ON and child not in routers.heirs:
                await child.wait_ready()
        await self._until_ready("S4", self._s4)
        await self._until_ready("S3", self._s3)
        if routers.heirs:
            self._watching.append(asyncio.create_task(routers.watch(self._tell, self.now_ms)))

    async def failed(self) -> None:
        """Waits for ever; raises when a child fell for good (who only looks on may)."""
        everyone = (self._venue, *self._others)
        async with asyncio.TaskGroup() as group:
            for child in everyone:
                if child is not None:
                    group.create_task(self._missed(child) if child.name in LOOKERS_ON else child.failed())

    async def close(self) -> None:
        """Everything down within three seconds: customers, then venue and Redis."""
        for watching in self._watching:  # what stops is no news
            watching.cancel()
        await asyncio.gather(*(child.stop() for child in self._others))
        if self._watching:
            with suppress(ChimeraError, aiohttp.ClientError, OSError):
                await self._read_audit()
        if self._bus is not None:
            await self._bus.close()
        ending = [part.stop() for part in (self._venue, self._redis) if part is not None]
        await asyncio.gather(*ending)
        await self._s3.close_session()
        await self._s4.close_session()
        if self._http is not None:
            await self._http.close()

    async def _until_ready(self, name: str, client: RouterClient | StrategyClient) -> None:
        asking = asyncio.create_task(_ready(client))
        falling = asyncio.create_task(self.failed())
        try:
            done, _ = await asyncio.wait({asking, falling}, timeout=READY_S, return_when=asyncio.FIRST_COMPLETED)
            if falling in done:
                falling.result()
            if asking not in done:
                logs = self._state / "log"
                raise Stop(Exit.CANNOT_START, f"{name} does not get ready in {READY_S:g} s; its log is in {logs}")
        finally:
            asking.cancel()
            falling.cancel()
            await asyncio.gather(asking, falling, return_exceptions=True)

    async def fills(self) -> Sequence[Mapping[str, Any]]:
        """S4's ledger rows; only once S4 has stopped, for it owns the file."""
        ledger = await SqliteLedger.open(self._ledger_path("s4"))
        try:
            return await ledger.find(FILLS, newest=FILLS_MAX)
        finally:
            await ledger.close()

    def release(self) -> None:
        """Let the next one have the state directory."""
        if self._lock is not None:
            self._lock.release()

    # ── how ──

    def _prepare(self) -> None:
        self._state.mkdir(parents=True, exist_ok=True, mode=0o700)
        (self._state / "log").mkdir(exist_ok=True, mode=0o700)
        self._lock = ProcessLock.take(self._state / "up.lock", guards=f"the state directory {self._state} (--state)")
        ports = self.ports
        wanted = {"the simulator (--sim-port)": ports.simulator, "S3 (--s3-port)": ports.s3}
        for number, port in enumerate(self._s4_ports):
            wanted["S4 (--s4-port)" if not number else f"router {number + 1} ({number} above --s4-port)"] = port
        wanted["the alerts (--alerts-port)"] = ports.alerts
        wanted["the simulator's spot (one above --sim-port)"] = self._spot_port
        if self._options.console:
            wanted["the console (--console-port)"] = ports.console
        for name, port in wanted.items():
            listen(name, HOST, port).close()

    def _simulator(self) -> Child:
        options = self._options
        words = ["sim", "--port", str(self.ports.simulator), "--spot-port", str(self._spot_port)]
        words += ["--seed", str(options.seed), "--symbol", options.symbol]
        words += ["--state", str(self._state / "venue.json"), "--markets", "both" if self._trades_spot else "fut"]
        if options.market is not None:
            words += ["--market", f"fut:{options.market.absolute()}"]
        if options.audit is not None:
            words += ["--audit", str(options.audit.absolute())]
        return self._child("simulator", words, {}, vital=True)

    def _made_routers(self) -> Routers:
        assert self._redis is not None
        spot = {"S4_SPOT_SYMBOLS": self._options.symbol, "S4_SPOT_URL": self._at(self._spot_port)}
        common = {
            "S4_FUT_URL": self._at(self.ports.simulator),
            "S4_BINANCE_KEY": READY_ACCOUNT.api_key,
            "S4_BINANCE_SECRET": READY_ACCOUNT.secret,
            "S4_SYMBOLS": self._options.symbol,
            "S4_REDIS_ADDRESSES": self._redis.unix_address,
            "S4_LEDGER_PATH": str(self._ledger_path("s4")),
            "S4_RECEIPT_KEY_PATH": str(self._state / "s4-receipt.key"),
            **(spot if self._trades_spot else {}),
        }
        return Routers([self._at(port) for port in self._s4_ports], common, self._child)

    def _services(self, routers: Routers) -> list[Child]:
        ports, symbol, venue = self.ports, self._options.symbol, self._at(self.ports.simulator)
        assert self._redis is not None
        redis = self._redis.unix_address
        spot = ["--spot-symbols", symbol, "--spot-url", self._at(self._spot_port)] if self._trades_spot else []
        feeding = ["feed", "--url", venue, "--symbols", symbol, "--redis", redis, *spot]
        s3 = {
            "S3_SYMBOLS": symbol,
            "S3_S4_URL": routers.one_address,
            "S3_REDIS_ADDRESSES": redis,
            "S3_LEDGER_PATH": str(self._ledger_path("s3")),
            "S3_MAX_HOLD_S": str(self._options.max_hold_s),
            "PORT": str(ports.s3),
        }
        feed = self._child("feed", feeding, {})
        children = [feed, *routers.children, self._child("s3", ["s3", "--venue", venue], s3)]
        alerts = {
            "ALERTS_PORT": str(ports.alerts),
            "ALERTS_REDIS_ADDRESSES": redis,
            "ALERTS_LEDGER_PATH": str(self._ledger_path("alerts")),
            "ALERTS_S4_URL": routers.one_address,
            "ALERTS_S3_URL": self._at(ports.s3),
        }
        children.append(self._child("alerts", ["alerts", "serve"], alerts))
        if self._options.console:
            words = ["console", "--port", str(ports.console), "--s3", self._at(ports.s3), "--s4", routers.one_address]
            words += ["--sim", venue, "--ledger", str(self._ledger_path("s4"))]
            words += ["--signals", str(self._ledger_path("s3")), "--redis", redis]
            words += ["--alerts", self._at(ports.alerts)]
            words += [] if self._captures is None else ["--captures", self._captures]
            children.append(self._child("console", words, {}))
        if self._captures is not None:
            recording = ["record", symbol, "--url", venue, "--out", self._captures, *spot]
            children.append(self._child("recorder", recording, {}))
        return children

    @property
    def _captures(self) -> str | None:
        """The folder of the market as it is recorded."""
        return None if self._options.record is None else str(self._options.record.absolute())

    @property
    def _trades_spot(self) -> bool:
        """A capture is of futures alone."""
        return self._options.market is None

    @property
    def _spot_port(self) -> int:
        assert self.ports.spot is not None  # chosen with the others
        return self.ports.spot

    def _child(self, name: str, words: Sequence[str], own: Mapping[str, str], *, vital: bool = False) -> Child:
        log_path = self._state / "log" / f"{name}.log"
        environ = _passed_on(os.environ, own)
        return Child(name, words, environ, log_path, vital=vital, on_line=self._heard, on_fall=self._fell)

    async def _missed(self, child: Child) -> None:
        """Who only looks on may fall for good; whoever relies on it hears so."""
        try:
            await child.failed()
        except Stop as fell:
            self._tell_fallen(f"{str(fell).rstrip('.')}; everything else goes on without it")

    def _heard(self, line: Line) -> None:
        if line.get("event") == "market_ended":
            self.market_ended.set()

    def _fell(self, name: str, code: int) -> None:
        self._tell_fallen(f"{name} {how_it_ended(code)} and is started again; its log is in {self._state / 'log'}")

    def _tell_fallen(self, text: str) -> None:
        self._tell({"at_ms": self.now_ms(), "event": "alert", "severity": "ERROR", "code": "FELL", "text": text})

    async def _follow_audit(self) -> None:
        while True:
            with suppress(aiohttp.ClientError, TimeoutError, OSError):
                await self._read_audit()
            await asyncio.sleep(AUDIT_EVERY_S)

    async def _read_audit(self) -> None:
        assert self._http is not None
        url = f"{self._at(self.ports.simulator)}/sim/audit?since={self.tally.last_seq}"
        async with asyncio.timeout(AUDIT_WAIT_S), self._http.get(url) as answer:
            lines = (await answer.read()).splitlines()
        for line in lines:
            self.tally.take(_DECODE(line))

    def _ledger_path(self, service: str) -> Path:
        return self._state / f"{service}.sqlite"

    @staticmethod
    def _at(port: int) -> str:
        return f"http://{HOST}:{port}"


def _chosen(ports: Ports) -> Ports:
    """Port 0 is any free one; spot's is the next after the simulator's, where that is a given one."""
    given = {name: getattr(ports, name) for name in ports.__struct_fields__}
    if ports.spot is None and ports.simulator:
        given["spot"] = ports.simulator + 1
    return Ports(**{name: port or free_port() for name, port in given.items()})


def _s4_ports(options: UpOptions, first: int) -> list[int]:
    """Of every router: the next after a given one, else any free ones."""
    more = range(1, options.routers)
    return [first, *(first + number if options.ports.s4 else free_port() for number in more)]


def _passed_on(environ: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """Our environment with what this house decides on top: it trades with its own venue and nobody's keys."""
    dropped = ("S4_BINANCE_", "S4_FUT_", "S4_SPOT_", "S4_TESTNET", "S4_DB_ARANGO", "S3_DB_ARANGO", "PORT")
    return {name: value for name, value in environ.items() if not name.startswith(dropped)} | dict(own)


async def _ready(client: RouterClient | StrategyClient) -> None:
    while True:
        with suppress(ChimeraError):
            if await client.ready():
                return
        await asyncio.sleep(READY_POLL_S)
