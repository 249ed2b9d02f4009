"""What one position in and out, one guard, one decision costs, in processor time and bytes: docs/capacity.md.

Real processes as a user starts them, and the kernel's own account of each (``/proc``): what else the machine does is
not in it, but that it makes memory slower. A turn is a position in and out: a market order of 0.003 BTC, its stop, and
the close. Decisions are asked of S3 beside a router that says no (``proofs.s3_alone``), so that none stands in the next
one's way.

Run: ``python tests/bench/bench_capacity.py [TURNS]``. Prints, asserts nothing; about a minute.
"""

import asyncio
import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any, Final, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import aiohttp
import bench_guards

from chimera.adapters.embedded.server import EmbeddedRedis
from chimera.simulate.venue.audit import AuditRecord, Kind
from chimera.trading.ids import ClientOrderId, child_of
from proofs.alone import s3_alone
from proofs.real import Stage, stage

TURNS: Final = 60
DECISIONS: Final = 300
IDLE_S: Final = 5.0
TICK_S: Final = 1 / os.sysconf("SC_CLK_TCK")
SYMBOL: Final = "BTCUSDT"


class Cost(NamedTuple):
    """Of a process since it began: seconds of processor time, bytes handed to the kernel, bytes that reached a disk."""

    cpu_s: float
    written: int
    to_disk: int

    def since(self, before: "Cost", count: float) -> dict[str, float]:
        """For each of ``count``."""
        return {
            "cpu_ms": round(1000 * (self.cpu_s - before.cpu_s) / count, 2),
            "bytes_written": round((self.written - before.written) / count),
            "bytes_to_disk": round((self.to_disk - before.to_disk) / count),
        }


def cost_of(pid: int) -> Cost:
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    io = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text(encoding="ascii").splitlines())
    return Cost((int(stat[11]) + int(stat[12])) * TICK_S, int(io["wchar"]), int(io["write_bytes"]))


def resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main(turns: int) -> None:
    with tempfile.TemporaryDirectory(prefix="chimera-capacity-") as folder:
        rooms = [Path(folder) / name for name in ("s4", "s3")]
        for room in rooms:
            room.mkdir()
        told = {"turn": asyncio.run(of_turns(rooms[0], turns)), "decision": asyncio.run(of_decisions(rooms[1]))}
    found = bench_guards.measure()
    told["guard"] = {"close_cpu_ms": round(found.cpu_ms / found.fired, 3), "bytes": found.bytes_each}
    print(json.dumps(told, indent=2))


async def of_turns(folder: Path, count: int) -> dict[str, Any]:
    async with stage(folder, limits=False) as house:
        await house.feed.start()
        await house.s4.start()
        await house.until_open()
        redis = house.redis.pid
        pids = {"s4": house.s4.pid, "feed": house.feed.pid, "redis": redis}
        named = {name: pid for name, pid in pids.items() if pid is not None}
        idle = await counted(named, lambda: asyncio.sleep(IDLE_S), IDLE_S)
        await turn(house, "warm")
        begun, orders, size = monotonic(), len(house.audit()), ledger_bytes(house)

        async def work() -> None:
            for number in range(count):
                await turn(house, f"c{number}")

        busy = await counted(named, work, count)
        took_s = monotonic() - begun
        audit = house.audit()[orders:]
        without_idle(busy, idle, took_s / count)
        return {
            "each": busy,
            "idle_a_second": idle,
            "ledger_bytes": round((ledger_bytes(house) - size) / count),
            "orders_at_venue": {role: number / count for role, number in sorted(roles_of(audit).items())},
            "requests": sum(each.kind == "request" for each in audit) / count,
            "resident_mb": {name: round(resident(pid) / 1e6) for name, pid in named.items()},
        }


async def turn(house: Stage, name: str) -> None:
    """In and out; asked again where a busy disk kept the ledger waiting."""
    body = {"client_order_id": name, "market": "FUT", "symbol": SYMBOL, "side": "BUY", "qty": "0.003"}
    body |= {"intent_id": f"i-{name}", "exec_policy": {"type": "MARKET"}}  # type: ignore[dict-item]  # a document
    async with asyncio.timeout(60):
        while (await house.ask("POST", f"{house.s4_url}/orders", body))[0] != 200:  # noqa: ASYNC110 - as below
            await asyncio.sleep(1)
        await house.ask("POST", f"{house.s4_url}/positions/{SYMBOL}/close", {})
        while await held(house):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.02)


def roles_of(audit: Sequence[AuditRecord]) -> Counter[str]:
    """Orders that the venue accepted, by what they are: m maker, t taker, s stop, p target, x exit."""
    children = (child_of(ClientOrderId(each.client_order_id)) for each in audit if each.kind is Kind.ACCEPT)
    return Counter("other" if child is None else child[1] for child in children)


async def held(house: Stage) -> bool:
    rows = (await house.ask("GET", f"{house.s4_url}/positions"))[1]["positions"]
    return any(float(row["qty"]) for row in rows)


async def of_decisions(folder: Path) -> dict[str, Any]:
    redis = await EmbeddedRedis.start(folder / "redis")
    try:
        async with s3_alone(folder, redis.unix_address) as address, aiohttp.ClientSession(address) as http:
            assert redis.pid is not None
            pids = {"s3": pid_of(str(folder)), "redis": redis.pid}
            await decide(http, 20)
            idle = await counted(pids, lambda: asyncio.sleep(IDLE_S), IDLE_S)
            begun, size = monotonic(), (folder / "s3.sqlite").stat().st_size
            busy = await counted(pids, lambda: decide(http, DECISIONS), DECISIONS)
            took_s = monotonic() - begun
            without_idle(busy, idle, took_s / DECISIONS)
            return {
                "each": busy,
                "idle_a_second": idle,
                "ledger_bytes": round(((folder / "s3.sqlite").stat().st_size - size) / DECISIONS),
                "resident_mb": round(resident(pids["s3"]) / 1e6),
            }
    finally:
        await redis.stop()


async def decide(http: aiohttp.ClientSession, count: int) -> None:
    done = 0
    while done < count:
        async with http.post("/decide", json={"symbol": SYMBOL}) as answer:
            told = await answer.json()
            done += answer.status == 200 and told["decision"] == "open"


def pid_of(word: str) -> int:
    """Of the process that was started with this word beside ``proofs.s3_alone``."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = path.read_bytes().decode().split("\0")
            if word in words and "proofs.s3_alone" in words and "-c" not in words:
                return int(path.parent.name)
    raise RuntimeError("proofs.s3_alone does not run")


def without_idle(busy: dict[str, dict[str, float]], idle: dict[str, dict[str, float]], seconds: float) -> None:
    """Less what each would have used in that time anyway."""
    for name, each in busy.items():
        for what in each:
            each[what] = round(max(each[what] - idle[name][what] * seconds, 0), 2)


def ledger_bytes(house: Stage) -> int:
    path = house.ledger_path("s4")
    return sum(each.stat().st_size for each in (path,) if each.exists())


async def counted(
    pids: dict[str, int], work: Callable[[], Awaitable[None]], count: float
) -> dict[str, dict[str, float]]:
    before = {name: cost_of(pid) for name, pid in pids.items()}
    await work()
    return {name: cost_of(pid).since(before[name], count) for name, pid in pids.items()}


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else TURNS)
