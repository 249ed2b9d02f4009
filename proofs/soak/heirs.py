"""What befalls several routers of one account: whoever acts is killed or frozen, over and over, and somebody succeeds.

A take-over is timed from the blow until another process, or the killed one's next life, acts, and until it has heard:
each position has the venue's word. Who was killed is started again at once, as by a supervisor; who was frozen wakes
with all it had begun, while another acts; it must do no harm. While nobody acts nobody can protect, but for how long
that may be is bounded: a position that a blow found or left bare has its stop within ``BARE_US`` of the blow.
"""

import asyncio
import random
import signal
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Final, NamedTuple

import aiohttp

from chimera.cli.codes import Exit
from proofs.real import Service, Stage
from proofs.soak.blows import GAP_S, HEALTHY_US, READY_S, Struck, now_us
from proofs.soak.callers import Callers

LOOK_S: Final = 0.05
PATIENCE: Final = aiohttp.ClientTimeout(total=1)
FROZEN_S: Final = (4.0, 9.0)  # longer than a lease
TAKEN_OVER_US: Final = 5_000_000  # from a blow until another acts
BARE_US: Final = TAKEN_OVER_US + HEALTHY_US  # and it has as long to protect as whoever acts undisturbed
SHORT_S: Final = (0.2, 1.5)  # shorter: nobody succeeds
KILL, KILL_AT_A_POST, FREEZE, BOTH = "kill", "kill at a post", "freeze", "freeze a stand-by and kill"
PAUSE, HAND_OVER, KILL_HEIR = "pause", "hand over", "kill a stand-by"
DECK: Final = (KILL,) * 2 + (KILL_AT_A_POST,) * 2 + (FREEZE,) * 4 + (BOTH, PAUSE, HAND_OVER, KILL_HEIR)


class Look(NamedTuple):
    """At all routers but the frozen ones: who acts, whether each position has the venue's word there (``heard``), and
    whether entries are taken, too (``ready``): that waits for the venue's weight where many have just begun."""

    began_us: int = 0
    acting: Service | None = None
    heard: bool = False
    ready: bool = False


class Heirs(Struck):
    """``wanted`` take-overs, and what goes with them."""

    def __init__(self, stage: Stage, callers: Callers, seed: int, wanted: int) -> None:
        counted = ("take_overs", "kills", "freezes", "pauses", "hand_overs", "heirs_struck", "deposed", "unasked")
        super().__init__(*counted)
        self.after_us = BARE_US
        self._stage = stage
        self._wanted = wanted
        self._chance = random.Random(f"{seed}:heirs")  # noqa: S311 - a seeded plan
        self._posted = asyncio.Event()
        callers.on_post.append(self._posted.set)
        self._frozen: set[Service] = set()
        self._striking = False
        self._look = Look()
        self._looked = asyncio.Condition()

    async def run(self) -> None:
        watching = asyncio.create_task(self._watch())
        try:
            while self.tally["take_overs"] < self._wanted:
                for blow in self._chance.sample(DECK, len(DECK)):
                    await asyncio.sleep(self._chance.uniform(*GAP_S))
                    if self.tally["take_overs"] < self._wanted:
                        await self._strike(blow)
            await self._all_up()
        finally:
            watching.cancel()
            await asyncio.wait({watching})
        if not watching.cancelled():
            watching.result()

    async def _strike(self, blow: str) -> None:
        acting = await self._all_up()
        heir = self._chance.choice([router for router in self._stage.routers if router is not acting])
        if blow == KILL_AT_A_POST:
            self._posted.clear()
            await self._posted.wait()
            await asyncio.sleep(self._chance.uniform(0, 0.08))
        if blow == KILL_HEIR:
            self.tally["heirs_struck"] += 1
            await heir.kill()
            await heir.start()
            return
        self._striking = True
        if blow == FREEZE:
            await self._freeze(acting, FROZEN_S, "frozen")
        elif blow == PAUSE:
            await self._freeze(acting, SHORT_S)
        elif blow == HAND_OVER:
            await self._hand_over(acting)
        else:
            await self._kill(acting, [heir] if blow == BOTH else [])
        self._striking = False

    # ── blows ──

    async def _kill(self, acting: Service, frozen: Collection[Service]) -> None:
        for heir in frozen:
            self.tally["heirs_struck"] += 1
            self._freezes(heir)
        began_us = self._begin("kills")
        await acting.kill()
        await acting.start()
        await self._succeeded("killed", began_us)
        for heir in frozen:
            self._thaws(heir)

    async def _freeze(self, acting: Service, span_s: tuple[float, float], name: str = "") -> None:
        began_us = self._begin("freezes" if name else "pauses")
        self._freezes(acting)
        succeeding = asyncio.create_task(self._succeeded(name, began_us))
        await asyncio.sleep(self._chance.uniform(*span_s))
        self._thaws(acting)
        await succeeding

    async def _hand_over(self, acting: Service) -> None:
        began_us = self._begin("hand_overs")
        if await acting.stop():
            self.fell.append(f"a router told to stop did not end well: {acting.last_words()}")
        await acting.start()
        await self._succeeded("handed_over", began_us)

    def _begin(self, name: str) -> int:
        """The clock of "naked after" begins anew."""
        self.tally[name] += 1
        self.killed_us.append(now_us())
        return self.killed_us[-1]

    def _freezes(self, router: Service) -> None:
        self._frozen.add(router)
        router.signal(signal.SIGSTOP)

    def _thaws(self, router: Service) -> None:
        router.signal(signal.SIGCONT)
        self._frozen.remove(router)

    # ── who acts ──

    async def _succeeded(self, name: str, began_us: int) -> None:
        """Until somebody acts and has heard of all; how long that took is kept under ``name``, where it has one."""
        since_us = now_us()
        for word, good in (("acting", lambda look: look.acting is not None), ("heard", lambda look: look.heard)):
            await self._until(lambda look, good=good: look.began_us >= since_us and good(look))  # type: ignore[misc]
            if name:
                self.took_ms[f"{name}_to_{word}_ms"].append((now_us() - began_us) // 1000)
        if name in ("killed", "frozen"):
            self.tally["take_overs"] += 1

    async def _until(self, good: Callable[[Look], bool]) -> Look:
        async with asyncio.timeout(READY_S), self._looked:
            await self._looked.wait_for(lambda: good(self._look))
            return self._look

    async def _watch(self) -> None:
        """Looks at them all the time; a stretch in which none had heard of all is one blow's, asked for or not."""
        had_heard_us = now_us()
        down = False
        while True:
            self._look = await self._all_looked_at()
            if self._look.heard and down:
                self.troubles.append((had_heard_us, now_us()))
            elif not self._look.heard and not down and not self._striking:
                self.tally["unasked"] += 1
                self.killed_us.append(had_heard_us)
            down = not self._look.heard
            if self._look.heard:
                had_heard_us = self._look.began_us
            async with self._looked:
                self._looked.notify_all()
            await asyncio.sleep(LOOK_S)

    async def _all_looked_at(self) -> Look:
        began_us = now_us()
        asked = [router for router in self._stage.routers if router not in self._frozen]
        told = await asyncio.gather(*map(self._standing, asked))
        for router, (acts, heard, ready) in zip(asked, told, strict=True):
            if acts and router not in self._frozen:
                return Look(began_us, router, heard, ready)
        return Look(began_us)

    async def _standing(self, router: Service) -> tuple[bool, bool, bool]:
        with suppress(aiohttp.ClientError, TimeoutError, OSError, ValueError):
            status, told = await self._stage.ask("GET", f"{router.url}/health", timeout=PATIENCE)
            if status == 200 and told["status"] != "standby":
                status, held = await self._stage.ask("GET", f"{router.url}/positions", timeout=PATIENCE)
                heard = status == 200 and all(row["heard"] for row in held["positions"])
                return True, heard, told["checks"]["recovered"] is True
        return False, False, False

    async def _all_up(self) -> Service:
        """Whoever has ended runs again; the one that acts, once it is ready."""
        for router in self._stage.routers:
            if router.pid is None:
                if await router.wait() == Exit.DEPOSED:  # it woke within a save, and the ledger was another's by then
                    self.tally["deposed"] += 1
                else:
                    self.fell.append(f"a router ended by itself: {router.last_words()}")
                await router.start()
        for router in self._stage.routers:
            await router.wait_ready()
        since_us = now_us()
        acting = (await self._until(lambda look: look.ready and look.began_us >= since_us)).acting
        assert acting is not None
        return acting
