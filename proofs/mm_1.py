"""MM-1: a Redis Cluster of six, struck under a desk's whole store work: what callers see, and that nothing is lost.

Every blow comes ``ROUNDS`` times, each under a load of its own with the deadlines that services have. Errors are calls
that ended in ``StoreUnavailable``; the longest wait is that between two answers of one kind of call, whatever it spans.
"""

import asyncio
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from redis.crc import key_slot

from chimera.adapters.embedded.server import find_server
from chimera.adapters.redis.bus import connect
from chimera.wire import keys
from proofs.measured import Measured
from proofs.shards import Shards, shards
from proofs.store_load import STREAMS, Load, Seen

BAR: Final = (
    "nothing lost, doubled or out of order by any blow; planned fail-overs and moved slots: no caller sees an error;"
    " every other: the longest wait of any caller <= 15 s"
)
ROUNDS: Final = 2
NODE_TIMEOUT_MS: Final = 2_000  # as deploy/compose has it
BEHIND_S: Final = 0.5
FROZEN_S: Final = 5.0
STEP_S: Final = 0.1
SLOTS_BESIDE: Final = 200  # moved at once, most of them empty
LONGEST_S: Final = 15.0
CALM_S: Final = 1.0


async def killed(six: Shards) -> None:
    (await six.lose(keys.ROUTER_EVENTS)).start()


async def killed_with_what_only_it_had(six: Shards) -> None:
    (await six.lose(keys.CFG_EVENTS, behind_s=BEHIND_S)).start()


async def planned(six: Shards) -> None:
    for stream in STREAMS:
        await six.fail_over(stream)


async def moved(six: Shards) -> None:
    for stream in STREAMS:
        await six.move_slowly(stream, STEP_S)
    first = key_slot(keys.TWAP_QUEUE.encode()) - SLOTS_BESIDE // 2
    for slot in range(first, first + SLOTS_BESIDE):
        await asyncio.to_thread(six.move_slot, slot)


async def frozen(six: Shards) -> None:
    await six.freeze(keys.ROUTER_EVENTS, FROZEN_S)


BLOWS: Final[dict[str, Callable[[Shards], Awaitable[None]]]] = {
    "a master killed -9": killed,
    "a master killed -9, its replica half a second behind": killed_with_what_only_it_had,
    "CLUSTER FAILOVER of all three": planned,
    f"slots moved: three streams step by step, {SLOTS_BESIDE} more": moved,
    f"a master frozen for {FROZEN_S:g} s, and resumed": frozen,
    "all six killed -9 and started": Shards.restart,
}
GENTLE: Final = (planned, moved)


async def _struck(six: Shards, blow: Callable[[Shards], Awaitable[None]], name: str) -> Seen:
    load = Load(lambda: connect(six.addresses), prefix=f"{name}-")
    try:
        async with load.running():
            await asyncio.sleep(CALM_S)
            await blow(six)
            await six.until_whole()
            await asyncio.sleep(CALM_S)
        return await load.seen()
    finally:
        await load.close()


async def _all(six: Shards) -> dict[str, list[Seen]]:
    return {
        name: [await _struck(six, blow, f"{number}.{again}") for again in range(ROUNDS)]
        for number, (name, blow) in enumerate(BLOWS.items())
    }


def _row(rounds: list[Seen]) -> dict[str, Any]:
    errors, calls = Counter[str](), 0
    for each in rounds:
        errors.update({kind: count for kind, count in each.errors.items() if count})
        calls += sum(each.calls.values())
    return {
        "calls": calls,
        "errors": dict(errors),
        "why": sorted({why for each in rounds for why in each.why.values()})[:5],
        "longest_wait_s": [max(each.longest_wait_s.values()) for each in rounds],
        "told": sum(each.told for each in rounds),
        "heard_again": sum(each.heard_again for each in rounds),
        "late_writes_fenced_off": sum(each.late_writes_fenced_off for each in rounds),
        "ids_granted_twice": sum(each.ids_granted_twice for each in rounds),
        "lost": [name for each in rounds for name in each.lost][:5],
        "doubled": [name for each in rounds for name in each.doubled][:5],
        "disordered": [name for each in rounds for name in each.disordered][:5],
    }


def prove() -> Measured:
    with (
        tempfile.TemporaryDirectory(prefix="mm-1-") as folder,
        shards(Path(folder), node_timeout_ms=NODE_TIMEOUT_MS) as six,
    ):
        seen = asyncio.run(_all(six))
    server = shutil.which("redis-server") or str(find_server())
    version = subprocess.run([server, "--version"], capture_output=True, text=True, check=True).stdout.split(" sha=")[0]
    measured = {"server": version, "blows": {name: _row(rounds) for name, rounds in seen.items()}}
    sound = all(each.sound for rounds in seen.values() for each in rounds)
    gentle = all(not each.why for name, blow in BLOWS.items() if blow in GENTLE for each in seen[name])
    back = all(max(each.longest_wait_s.values()) <= LONGEST_S for rounds in seen.values() for each in rounds)
    return Measured(measured, BAR, passed=sound and gentle and back)
