"""What befalls the processes: SIGKILL at any moment, right after a request, twice in a row; pauses; the venue fails.

Drawn from a seed; when a blow falls is real time, so two runs of one seed are alike and not equal. Spans are in
microseconds of this machine's clock, which is the venue's, too.
"""

import asyncio
import random
import signal
import time
from collections import defaultdict
from typing import Any, Final

from proofs.real import Stage
from proofs.soak.callers import Callers
from world.spans import Span

HEALTHY_US: Final = 1_500_000  # for so long a position may be bare while S4 runs undisturbed
AFTER_A_KILL_US: Final = 10_000_000
SETTLED_S: Final = 1.5  # after it is ready again, before the healthy bound counts
FAULTY_S: Final = (6.0, 14.0)
CLEAN_S: Final = (12.0, 26.0)
HEALING_S: Final = 3.0  # after faults were cleared
CALM_S: Final = 6.0  # between two decks nothing is killed
READY_S: Final = 90.0  # a dozen starts use the venue's minute up: entries wait for the next one, protection does not
GAP_S: Final = (0.3, 3.0)
KILL, KILL_AT_A_POST, KILL_TWICE, PAUSE, KILL_S3 = "kill", "kill at a post", "kill twice", "pause", "kill S3"
DECK: Final = (KILL,) * 4 + (KILL_AT_A_POST,) * 3 + (KILL_TWICE,) + (PAUSE, KILL_S3)  # shuffled, again and again
FAULTS: Final[list[dict[str, Any]]] = [
    {"name": "latency", "params": {"spread": "lognormal", "ms": 40}},
    {"name": "timeout_after", "chance": 0.05},
    {"name": "timeout_before", "chance": 0.04},
    {"name": "unknown_503", "chance": 0.05},
    {"name": "unavailable_503", "chance": 0.04},
    {"name": "late_ack", "chance": 0.1},
    {"name": "frame_drop", "chance": 0.08},
    {"name": "frame_duplicate", "chance": 0.15},
    {"name": "frame_delay", "chance": 0.1},
    {"name": "read_lag", "params": {"ms": 400}, "chance": 0.3},
    {"name": "stop_refused", "params": {"code": -2021}, "chance": 0.03},
    {"name": "stream_cut", "params": {"again_ms": 4000}, "match": {"route": "private"}},
]


class Struck:
    """What befell the processes, for the verdict."""

    def __init__(self, *counted: str) -> None:
        self.after_us = AFTER_A_KILL_US  # how long a position may be bare, counted from a blow
        self.killed_us: list[int] = []
        self.troubles: list[Span] = []  # S4 was down or paused, until it was settled again
        self.rough: list[Span] = []  # faults were at work at the venue
        self.tally = dict.fromkeys(counted, 0)
        self.took_ms: dict[str, list[int]] = defaultdict(list)  # by name
        self.fell: list[str] = []  # ends nobody asked for

    async def run(self) -> None:
        """Until it was struck often enough; all is started, ready and healed then."""
        raise NotImplementedError


class Blows(Struck):
    """``kills`` deaths of S4 by SIGKILL, and what goes with them."""

    def __init__(self, stage: Stage, callers: Callers, seed: int, kills: int, *, s3: bool) -> None:
        super().__init__("kills", "kills_in_recovery", "kills_at_a_post", "pauses", "s3_kills", "faulty")
        self._stage = stage
        self._wanted = kills
        self._s3 = s3
        self._chance = random.Random(f"{seed}:blows")  # noqa: S311 - a seeded plan
        self._posted = asyncio.Event()
        callers.on_post.append(self._posted.set)

    async def run(self) -> None:
        storm = asyncio.create_task(self._weather())
        try:
            while self.tally["kills"] < self._wanted:
                for blow in self._chance.sample(DECK, len(DECK)):
                    await asyncio.sleep(self._chance.uniform(*GAP_S))
                    if self.tally["kills"] < self._wanted:
                        await self._strike(blow)
                await asyncio.sleep(CALM_S)
        finally:
            storm.cancel()
            await asyncio.wait({storm})
        if not storm.cancelled():
            storm.result()

    async def _strike(self, blow: str) -> None:
        if blow == PAUSE:
            await self._pause(self._chance.uniform(0.3, 3.0))
        elif blow == KILL_S3:
            if self._s3:
                await self._stage.s3.kill()
                self.tally["s3_kills"] += 1
                await self._stage.s3.start()
        else:
            await self._kill(at_a_post=blow == KILL_AT_A_POST, again=blow == KILL_TWICE)

    async def _kill(self, *, at_a_post: bool, again: bool) -> None:
        s4, chance = self._stage.s4, self._chance
        if at_a_post:
            self._posted.clear()
            await self._posted.wait()
            await asyncio.sleep(chance.uniform(0, 0.08))
            self.tally["kills_at_a_post"] += 1
        if s4.pid is None:
            self.fell.append(f"S4 ended by itself: {s4.last_words()}")
        began = now_us()
        await self._down()
        if again and self.tally["kills"] < self._wanted:
            await asyncio.sleep(chance.uniform(0.3, 1.8))  # while it starts, loads or surveys
            self.tally["kills_in_recovery"] += 1
            await self._down()
        await self._stage.until_ready(self._stage.s4_url, READY_S)
        self.took_ms["ready_again_ms"].append(round((time.monotonic() - s4.began_s) * 1000))
        self.troubles.append((began, now_us() + us(SETTLED_S)))

    async def _down(self) -> None:
        self.killed_us.append(now_us())
        await self._stage.s4.kill()
        self.tally["kills"] += 1
        await self._stage.s4.start()

    async def _pause(self, for_s: float) -> None:
        began = now_us()
        self._stage.s4.signal(signal.SIGSTOP)
        await asyncio.sleep(for_s)
        self._stage.s4.signal(signal.SIGCONT)
        self.tally["pauses"] += 1
        self.killed_us.append(now_us())  # the clock of "naked after" begins anew
        self.troubles.append((began, now_us() + us(SETTLED_S)))

    async def _weather(self) -> None:
        url = f"{self._stage.venue_url}/sim"
        while True:
            await asyncio.sleep(self._chance.uniform(*CLEAN_S))
            began = now_us()
            status, told = await self._stage.ask("POST", f"{url}/faults", FAULTS)
            assert status == 200, told
            self.tally["faulty"] += 1
            try:
                await asyncio.sleep(self._chance.uniform(*FAULTY_S))
            finally:
                await asyncio.shield(self._stage.ask("DELETE", f"{url}/faults"))
                self.rough.append((began, now_us() + us(HEALING_S)))


def now_us() -> int:
    return time.time_ns() // 1000


def us(seconds: float) -> int:
    return round(seconds * 1_000_000)
