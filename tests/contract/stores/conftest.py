"""Every adapter of the two store ports, behind one fixture each: ``ledger`` and ``bus``."""

import asyncio
import itertools
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from redis import Redis, RedisError

from chimera.adapters.embedded.ledger import SqliteLedger
from chimera.adapters.embedded.server import dying_with_us, find_server, free_port
from chimera.adapters.memory.bus import MemoryBus
from chimera.adapters.memory.ledger import MemoryLedger
from chimera.adapters.redis.bus import STREAM_MAX, RedisBus, connect
from chimera.ports.ledger import Ledger
from chimera.ports.streams import Bus
from chimera.trading.money import Millis
from proofs.shards import Shards, shards

_numbers = itertools.count(1)
SHORT = 100


class HandClock:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.ms = 1_760_000_000_000

    def now_ms(self) -> Millis:
        return Millis(self.ms)

    def monotonic_ms(self) -> Millis:
        return Millis(self.ms)


@dataclass
class Shelf:
    """A ledger and how its next process opens it."""

    ledger: Ledger
    reopen: Callable[[], Awaitable[Ledger]]


@pytest.fixture(params=["sqlite", "memory", "arango-wire", "arango"])
async def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Shelf]:
    if request.param.startswith("arango"):
        pytest.importorskip("arangoasync", reason="ArangoDB's driver is not installed (chimera[arango])")
        from arango_homes import arango_shelf  # noqa: PLC0415 - the driver is an extra

        async with arango_shelf(real=request.param == "arango") as (opened_there, once):
            yield Shelf(opened_there, once)
        return
    if request.param == "memory":
        ledger = MemoryLedger()

        async def same() -> Ledger:
            return ledger

        yield Shelf(ledger, same)
        return
    opened = [await SqliteLedger.open(tmp_path / "ledger.db")]

    async def again() -> Ledger:
        await opened[-1].close()
        opened.append(await SqliteLedger.open(tmp_path / "ledger.db"))
        return opened[-1]

    yield Shelf(opened[0], again)
    await opened[-1].close()


@pytest.fixture
def ledger(shelf: Shelf) -> Ledger:
    return shelf.ledger


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    yield from _server(tmp_path_factory.mktemp("valkey"))


@pytest.fixture(scope="session")
def valkey_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One node that is a whole Cluster: it refuses what would cross slots."""
    yield from _server(
        tmp_path_factory.mktemp("cluster"), "--cluster-enabled", "yes", "--cluster-port", str(free_port())
    )


@pytest.fixture(scope="session")
def six_nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shards]:
    """A Cluster of three shards, each with a replica."""
    with shards(tmp_path_factory.mktemp("six")) as running:
        yield running


@pytest.fixture
def forgetful_cluster(tmp_path: Path) -> Iterator[Callable[[], str]]:
    """Started at each call, at one address, with nothing of what it held: as a replica that was told nothing."""
    options = ("--cluster-enabled", "yes", "--cluster-port", str(free_port()))
    port, running = free_port(), ExitStack()

    def start() -> str:
        running.close()
        return running.enter_context(contextmanager(_server)(tmp_path, *options, port=port))

    with running:
        yield start


@pytest.fixture
def locked_valkey(tmp_path: Path) -> Iterator[str]:
    """One that wants the password ``p:/,@1``, or the user ``desk`` with ``p2``."""
    for address in _server(tmp_path):
        with Redis(port=int(address.rpartition(":")[2])) as client:
            client.execute_command("ACL", "SETUSER", "desk", "on", ">p2", "~*", "&*", "+@all")
            client.config_set("requirepass", "p:/,@1")
        yield address


def _server(directory: Path, *options: str, port: int | None = None) -> Iterator[str]:
    port = port or free_port()
    where = ("--dir", str(directory), "--bind", "127.0.0.1", "--port", str(port), "--logfile", str(directory / "log"))
    command = (str(find_server()), *where, "--save", "", "--appendonly", "no", *options)
    with subprocess.Popen(dying_with_us(command)) as process:
        try:
            with Redis(port=port) as client:
                _until(client.ping)
                if options:
                    if client.execute_command("CLUSTER INFO")["cluster_slots_assigned"] == "0":
                        client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
                    _until(lambda: client.execute_command("CLUSTER INFO")["cluster_state"] == "ok")
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(5)


def _until(true: Callable[[], Any]) -> None:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        with suppress(RedisError):  # not listening yet, or loading
            if true():
                return
        time.sleep(0.02)
    raise AssertionError("the server did not get ready")


@dataclass
class Line:
    """A bus, how time passes for it, and how another process connects to the same store.

    ``short``: a bus that keeps about a hundred records of a stream.
    """

    bus: Bus
    wait: Callable[[int], Awaitable[None]]
    another: Callable[[], Bus]
    short: Callable[[], Bus]


@pytest.fixture(params=["memory", "valkey", pytest.param("cluster", marks=pytest.mark.slow)])
async def line(request: pytest.FixtureRequest) -> AsyncIterator[Line]:
    if request.param == "memory":
        clock = HandClock()
        memory = MemoryBus(clock)

        async def turn(ms: int) -> None:
            clock.ms += ms
            await asyncio.sleep(0)

        yield Line(memory, turn, lambda: memory, lambda: MemoryBus(clock, stream_max=SHORT))
        return
    if request.param == "cluster":
        address = request.getfixturevalue("six_nodes").addresses
    else:
        address = request.getfixturevalue("valkey")
    opened: list[RedisBus] = []

    def another(stream_max: int = STREAM_MAX) -> Bus:
        opened.append(connect(address, stream_max=stream_max))
        return opened[-1]

    async def wait(ms: int) -> None:
        await asyncio.sleep(ms / 1000)

    yield Line(another(), wait, another, partial(another, SHORT))
    for bus in opened:
        await bus.close()


@pytest.fixture
def bus(line: Line) -> Bus:
    return line.bus


@pytest.fixture
def fresh() -> str:
    """A name that no other test uses: servers are shared by the session."""
    return f"t{next(_numbers)}"
