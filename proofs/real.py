"""Real processes as a user starts them, on free ports of this machine: the venue, S4, the feed, S3.

Embedded Redis is this process's own; everything lives in one folder. Whatever was started is stopped, by its own pid,
and the kernel ends it with us.
"""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final, Self

import aiohttp
import msgspec

from chimera.adapters.embedded.ledger import SqliteLedger
from chimera.adapters.embedded.server import EmbeddedRedis, dying_with_us, free_port
from chimera.ports.ledger import Ledger
from chimera.simulate.venue.audit import AuditRecord

ROOT: Final = Path(__file__).resolve().parents[1]
READY_S: Final = 60.0
STOP_S: Final = 12.0
SHARED_LIMIT_USDT: Final = 600  # largest position of several routers' account: one that load reaches
_POLL_S: Final = 0.01
_DROPPED: Final = ("S3_", "S4_", "CHIMERA_", "PORT")
_DECODE: Final = msgspec.json.Decoder(AuditRecord).decode
_QUICK: Final = aiohttp.ClientTimeout(total=1)

Document = dict[str, Any]


class Service:
    """One process, ``chimera <verb> ...``, that can be started again and again. ``pid`` None: it does not run."""

    def __init__(
        self, words: Sequence[str], environ: Mapping[str, str], log_path: Path, module: str = "chimera.cli.main"
    ) -> None:
        self.name = words[0]
        self.url = f"http://127.0.0.1:{environ['PORT']}" if "PORT" in environ else ""
        self.words = tuple(words)
        self.began_s = 0.0  # monotonic, of the newest start
        self.ready = asyncio.Event()
        self._command = [sys.executable, "-m", module, *words]
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_DROPPED)}
        self._environ = {**kept, **environ, "PYTHONUNBUFFERED": "1"}
        self._log_path = log_path
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    async def start(self) -> Self:
        """Begin it; does not wait until it is ready."""
        assert self.pid is None, f"{self.name} runs already"
        self.ready.clear()
        self.began_s = time.monotonic()
        with self._log_path.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *dying_with_us(self._command),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env=self._environ,
                cwd=ROOT,
                start_new_session=True,
            )
        self._reader = asyncio.create_task(self._read(self._process), name=f"read {self.name}")
        return self

    async def wait_ready(self, within_s: float = READY_S) -> Self:
        """Until it says so on stdout; raises ``RuntimeError`` with its last words where it ends instead."""
        assert self._process is not None
        ending = asyncio.create_task(self._process.wait())
        saying = asyncio.create_task(self.ready.wait())
        try:
            await asyncio.wait({ending, saying}, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (ending, saying):
                task.cancel()
        if not self.ready.is_set():
            raise RuntimeError(f"{self.name} is not ready (exit {self._process.returncode}): {self.last_words()}")
        return self

    def signal(self, number: signal.Signals) -> None:
        """Harmless where it has ended."""
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def wait(self, within_s: float = STOP_S) -> int:
        """Its exit code; a signal's is negative."""
        assert self._process is not None
        async with asyncio.timeout(within_s):
            code = await self._process.wait()
        if self._reader is not None:
            await self._reader
        return code

    async def kill(self) -> None:
        """SIGKILL, and gone."""
        self.signal(signal.SIGKILL)
        await self.wait()

    async def stop(self) -> int:
        """SIGTERM; by force where that is not heeded."""
        if self.pid is not None:
            self.signal(signal.SIGTERM)
            try:
                return await self.wait()
            except TimeoutError:
                await self.kill()
        return self._process.returncode or 0 if self._process is not None else 0

    def last_words(self) -> str:
        with suppress(OSError):
            return " | ".join(self._log_path.read_text("utf-8", "replace").splitlines()[-6:])[-2_000:]
        return ""

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for raw in process.stdout:
            with suppress(ValueError):
                if json.loads(raw).get("event") == "ready" and process is self._process:
                    self.ready.set()


class Stage:
    """The venue with an audit, and what trades on it. Made by ``stage``."""

    def __init__(
        self,
        folder: Path,
        redis: EmbeddedRedis | str,
        symbols: Sequence[str],
        limits: bool,
        spot: Sequence[str] = (),
        more: Sequence[str] = (),
        venue: str = "chimera.cli.main",
        routers: int = 1,
    ) -> None:
        self.folder = folder
        self.symbols = tuple(symbols)
        self.spot_symbols = tuple(spot)
        self.http = aiohttp.ClientSession()
        self.audit_path = folder / "audit.jsonl"
        ports = (f"http://127.0.0.1:{free_port()}" for _ in range(4))
        self.venue_url, self.s4_url, self.s3_url, self.spot_url = ports
        self.redis_address = redis if isinstance(redis, str) else redis.unix_address
        self._redis = redis
        markets = "both" if spot else "fut"
        words = ["sim", "--port", _port(self.venue_url), "--spot-port", _port(self.spot_url), "--markets", markets]
        words += ["--symbols", ",".join(symbols), "--audit", str(self.audit_path), *more]
        words += ["--limits" if limits else "--no-limits"]
        self.venue = Service(words, {}, folder / "sim.log", venue)
        names = ",".join(symbols)
        feeding = ["feed", "--url", self.venue_url, "--symbols", names, "--redis", self.redis_address]
        if spot:
            feeding += ["--spot-url", self.spot_url, "--spot-symbols", ",".join(spot)]
        self.feed = self.service(feeding, {})
        self.routers = tuple(map(self._heir, range(routers))) if routers > 1 else (self.router(),)
        self.s4 = self.routers[0]
        self.s3 = self.strategy()

    def router(self, name: str = "s4", **changes: str) -> Service:
        """S4 with these settings changed (``S4_…``, ``PORT``); ``name`` is its log's."""
        settings = {
            "S4_FUT_URL": self.venue_url,
            "S4_SYMBOLS": ",".join(self.symbols),
            "S4_REDIS_ADDRESSES": self.redis_address,
            "S4_LEDGER_PATH": str(self.ledger_path("s4")),
            "S4_RECEIPT_KEY_PATH": str(self.folder / "receipt.key"),
            "S4_MAX_DAILY_LOSS_USDT": "9000",
            "PORT": _port(self.s4_url),
        }
        if self.spot_symbols:
            settings |= {"S4_SPOT_URL": self.spot_url, "S4_SPOT_SYMBOLS": ",".join(self.spot_symbols)}
        return Service(["s4"], settings | changes, self.folder / f"{name}.log")

    def _heir(self, number: int) -> Service:
        """One of several routers, of which one acts."""
        name = f"router-{number + 1}"
        port = str(free_port()) if number else _port(self.s4_url)
        limits = dict.fromkeys(("S4_MAX_ORDER_NOTIONAL_USDT", "S4_MAX_POSITION_NOTIONAL_USDT"), str(SHARED_LIMIT_USDT))
        return self.router(name, PORT=port, S4_LEASES="on", S4_OWNER_NAME=name, **limits)

    def strategy(self, **changes: str) -> Service:
        """S3 with these settings changed (``S3_…``, ``PORT``)."""
        settings = {
            "S3_SYMBOLS": ",".join(self.symbols),
            "S3_S4_URL": ",".join(router.url for router in self.routers),
            "S3_REDIS_ADDRESSES": self.redis_address,
            "S3_LEDGER_PATH": str(self.ledger_path("s3")),
            "S3_MAX_HOLD_S": "5",
            "PORT": _port(self.s3_url),
        }
        return self.service(["s3", "--venue", self.venue_url], settings | changes)

    @property
    def redis(self) -> EmbeddedRedis:
        """The server, which begins anew by itself when it ends; there is none where somebody else's is used."""
        assert isinstance(self._redis, EmbeddedRedis)
        return self._redis

    def ledger_path(self, service: str) -> Path:
        return self.folder / f"{service}.sqlite"

    async def ask(self, method: str, url: str, body: object = None, **words: Any) -> tuple[int, Any]:
        """Status and JSON; raises aiohttp's errors and ``TimeoutError``."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json", **words.pop("headers", {})}
        async with self.http.request(method, url, data=data, headers=headers, **words) as answer:
            return answer.status, json.loads(await answer.read() or b"null")

    async def is_ready(self, url: str) -> bool:
        with suppress(aiohttp.ClientError, TimeoutError, OSError):
            return (await self.ask("GET", f"{url}/ready", timeout=_QUICK))[0] == 200
        return False

    async def until_ready(self, url: str, within_s: float = READY_S) -> None:
        """Until the service there takes orders."""
        async with asyncio.timeout(within_s):
            while not await self.is_ready(url):  # noqa: ASYNC110  # another process tells no event
                await asyncio.sleep(_POLL_S)

    async def until_open(self, within_s: float = READY_S) -> None:
        """Until S4 takes entries: ready, and nothing keeps them back."""
        await self.until_ready(self.s4_url, within_s)
        async with asyncio.timeout(within_s):
            while (await self.ask("GET", f"{self.s4_url}/health"))[1]["barriers"]:  # noqa: ASYNC110 - another process
                await asyncio.sleep(_POLL_S)

    async def close(self) -> None:
        """Customers first, the venue and Redis last."""
        await asyncio.gather(*(service.stop() for service in {self.s3, self.s4, *self.routers, self.feed}))
        await self.http.close()
        await self.venue.stop()
        if isinstance(self._redis, EmbeddedRedis):
            await self._redis.stop()

    def audit(self, accounts: Collection[str] = ("main",)) -> list[AuditRecord]:
        """What the venue says has happened to these accounts."""
        lines = self.audit_path.read_bytes().splitlines()
        return [record for record in map(_DECODE, lines) if not record.account or record.account in accounts]

    def service(self, words: Sequence[str], own: Mapping[str, str]) -> Service:
        """Another process of the house, with a log of its own."""
        return Service(words, own, self.folder / f"{words[0]}.log")


def _port(url: str) -> str:
    return url.rpartition(":")[2]


@asynccontextmanager
async def stage(
    folder: Path,
    symbols: Sequence[str] = ("BTCUSDT",),
    *,
    limits: bool = True,
    spot: Sequence[str] = (),
    more: Sequence[str] = (),
    venue: str = "chimera.cli.main",
    routers: int = 1,
    redis: str = "",
) -> AsyncIterator[Stage]:
    """Redis and the venue run; the rest is for the caller to start.

    ``more``: words for the venue's command line; ``venue``: the module that is the venue; ``routers``: of the account,
    over one ledger: the first is to be started, and up, before the others. ``redis``: addresses of somebody else's.
    """
    made = Stage(
        folder, redis or await EmbeddedRedis.start(folder / "redis"), symbols, limits, spot, more, venue, routers
    )
    try:
        await (await made.venue.start()).wait_ready()
        yield made
    finally:
        await made.close()


@asynccontextmanager
async def ledger_of(path: Path) -> AsyncIterator[Ledger]:
    """A ledger's file, once its service has stopped."""
    ledger = await SqliteLedger.open(path)
    try:
        yield ledger
    finally:
        await ledger.close()
