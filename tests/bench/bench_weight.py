"""What 10,000 intents and 10,000 guards weigh in a router: each with the owner that works for it.

Memory is the process's own (``VmRSS``), before and after 10,000 owners run, each of a holding with an intent that is
being worked, or with a guard that stands watch; each kind in a process of its own, so that neither lies in what the
other left. A holding is read from what a ledger keeps, so that none shares anything with another; it has been told and
saved, and its owner is at rest. Stores and venue take everything and keep nothing.

Run: ``python tests/bench/bench_weight.py intents|guards``. Prints, asserts nothing.
"""

import asyncio
import gc
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import bench_guards

from chimera.services.router.guarding import Guarding
from chimera.services.router.owner import Owner
from chimera.trading.execution import Maker, Plan, Slice
from chimera.trading.facts import Published
from chimera.trading.holding import Holding
from chimera.trading.ids import PositionKey
from chimera.trading.money import Millis
from chimera.trading.order import Role
from chimera.wire.codec import seal, seal_holding, unseal
from chimera.wire.sharing import shared
from support.desk import T0, Desk, an_intent

ROOT: Final = Path(__file__).resolve().parents[2]
COUNT: Final = 10_000
FAR_MS: Final = 10**9  # until anything is due


class Still:
    """A clock on which nothing falls due."""

    def now_ms(self) -> Millis:
        return T0

    def monotonic_ms(self) -> Millis:
        return Millis(0)


class Nobody:
    """Ledger, sender and relay in one."""

    async def save(self, holding: Holding, *, rev: int, fence: int) -> int:
        seal_holding(holding)
        return rev + 1

    async def carry_out(self, *_: object) -> None: ...

    async def keep(self, *_: object) -> tuple[()]:
        return ()

    async def spread(self, _: object) -> None: ...


def apart(kind: str) -> dict[str, float]:
    """``each_bytes`` and ``process_mb``, by a process of its own; ``kind``: intents or guards."""
    command = [sys.executable, __file__, kind]
    asked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=600)
    found: dict[str, float] = json.loads(asked.stdout)
    return found


async def weighed(kind: str, count: int = COUNT) -> dict[str, float]:
    desk = _resting() if kind == "intents" else _guarded()
    sealed = seal(desk.holding)
    nobody: Any = Nobody()
    at_rest = {"ledger": nobody, "sender": nobody, "relay": nobody, "clock": Still(), "scene": lambda _: desk.scene}
    owners: dict[PositionKey, Owner] = {}
    guarding = Guarding(owners, lambda _: desk.holding.key)
    gc.collect()
    before = _rss()
    async with asyncio.TaskGroup() as group:
        running = []
        for number in range(count):
            holding = shared(bench_guards._at(unseal(sealed, Holding), number))
            owner = Owner(holding, rev=0, fence=0, **at_rest)
            owners[owner.holding.key] = owner
            guarding.keep(owner.holding)
            running.append(group.create_task(owner.run()))
            owner.hear(Published(through=0))
            await owner.saved()
            owner._tick_in(None)
        gc.collect()
        after = _rss()
        for task in running:
            task.cancel()
    return {"each_bytes": (after - before) // count, "process_mb": round(after / 1e6, 1)}


def _guarded() -> Desk:
    """A long whose stop was refused once; the world has heard of all of it."""
    desk = bench_guards._refused()
    desk.hear(Published(through=desk.holding.event_seq))
    far = Millis(T0 + FAR_MS)
    desk.holding = desk.holding.but(stop_retry_at_ms=far, survey_due_ms=far, survey_asked_ms=None)
    return desk


def _resting() -> Desk:
    """With one intent whose maker rests."""
    desk, intent = Desk(), an_intent(qty="0.01")
    maker = Maker(wait_ms=FAR_MS)
    desk.work(intent, Plan(slices=(Slice(qty=intent.qty),), deadline_ms=Millis(desk.now + FAR_MS), maker=maker))
    desk.ack(desk.placed(Role.MAKER))
    desk.hear(Published(through=desk.holding.event_seq))
    return desk


def _rss() -> int:
    """Bytes."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) * 1024


if __name__ == "__main__":
    print(json.dumps(asyncio.run(weighed(sys.argv[1]))))
