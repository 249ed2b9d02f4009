"""The queue of slices that are due, shared by all routers: who finds a task of ours due has its owner look again.

Which slice is due the holding says, and its owner's own timer is there to the millisecond. The queue is a second alarm
beside it, and a list for whoever takes a position over; nothing is read from it but a name. So a queue that is away,
lost, late or wrong changes no order, and a task that is claimed twice or of nobody costs a look.

Level-triggered: each look brings what stands in the queue into step with the holdings. A task of a position that is not
ours goes back to be found by its owner; only the owner drops one.
"""

import asyncio
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

import structlog

from chimera.execute.due import next_slice_ms
from chimera.ports.clock import Clock
from chimera.ports.streams import Queues, Task
from chimera.trading.errors import StoreUnavailable
from chimera.trading.facts import Ticked
from chimera.trading.holding import Holding
from chimera.trading.ids import PositionKey
from chimera.trading.money import Millis
from chimera.wire import keys

log = structlog.get_logger()

LOOK_S: Final = 1.0
APART_MS: Final = 500  # the looks of two routers are as far apart at most, by their names: they must not fall together
CLAIM_MS: Final = 5_000  # a router that died with a claim holds up its tasks for so long
OVERDUE_MS: Final = 1_000  # a slice that is due and cannot go yet is looked at again
ALL_AGAIN_MS: Final = 10_000  # so long a queue that was lost stays empty
AT_ONCE: Final = 500  # tasks of one call

Moments = dict[str, Millis]


class Owning(Protocol):
    """An owner, as far as waking needs one."""

    @property
    def holding(self) -> Holding: ...

    @property
    def deposed(self) -> bool: ...

    def hear(self, fact: Ticked) -> None: ...


class Waking:
    """Of the process of that name. ``complete``: whether its owners know what the ledger knows; before, it rests."""

    def __init__(
        self,
        name: str,
        owners: Mapping[PositionKey, Owning],
        queues: Queues,
        clock: Clock,
        *,
        complete: Callable[[], bool],
    ) -> None:
        self._every_s = LOOK_S + zlib.crc32(name.encode()) % APART_MS / 1000
        self._owners = owners
        self._queues = queues
        self._clock = clock
        self._complete = complete
        self._told: dict[PositionKey, tuple[Holding, Moments]] = {}
        self._all_told_ms: Millis | None = None  # monotonic
        self._away = False

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.look()
                self._away = False
            except StoreUnavailable as error:
                if not self._away:
                    log.warning("twap_queue_away", error=str(error), why="owners go by their own timers")
                self._away = True
            await asyncio.sleep(self._every_s)

    async def look(self) -> None:
        """Tell what our plans wait for, then wake whoever is due. Raises ``StoreUnavailable``."""
        if not self._complete():
            return
        await self._tell(self._changed())
        until_ms = Millis(self._clock.now_ms() + CLAIM_MS)
        await self._wake(await self._due(until_ms), until_ms)

    async def _due(self, until_ms: Millis) -> list[Task]:
        """All that is due, claimed: however many there are of others, ours come behind them."""
        now_ms, found = self._clock.now_ms(), list[Task]()
        while True:
            some = await self._queues.claim(keys.TWAP_QUEUE, now_ms=now_ms, until_ms=until_ms, count=AT_ONCE)
            found += some
            if len(some) < AT_ONCE:
                return found

    def _changed(self) -> list[PositionKey]:
        """Positions of ours of which the queue may not hold what is so now; all of them, now and then."""
        ours = {key: owner for key, owner in self._owners.items() if not owner.deposed}
        for key in self._told.keys() - ours.keys():
            del self._told[key]
        now_ms = self._clock.monotonic_ms()
        if self._all_told_ms is None or now_ms - self._all_told_ms >= ALL_AGAIN_MS:
            self._all_told_ms = now_ms
            return [key for key, owner in ours.items() if owner.holding.intents or key in self._told]
        return [key for key, owner in ours.items() if key not in self._told or self._told[key][0] is not owner.holding]

    async def _tell(self, changed: Sequence[PositionKey]) -> None:
        """What is due when, of these positions; what waits for no moment any more goes."""
        told, due, over = {}, Moments(), []
        for key in changed:
            holding = self._owners[key].holding
            wanted = self._moments(holding)
            told[key] = holding, wanted
            due |= wanted
            over += [name for name in self._told.get(key, (None, Moments()))[1] if name not in wanted]
        await self._queues.schedule(keys.TWAP_QUEUE, due)
        await self._queues.drop(keys.TWAP_QUEUE, over)
        self._told |= told  # only now: after a failure all of it is told again

    def _moments(self, holding: Holding) -> Moments:
        soonest = self._clock.now_ms() + OVERDUE_MS
        found = ((work.intent_id, next_slice_ms(work)) for work in holding.intents.values())
        position = str(holding.key)
        return {
            keys.slices_task(position, intent_id): Millis(due_ms if due_ms > self._clock.now_ms() else soonest)
            for intent_id, due_ms in found
            if due_ms is not None
        }

    async def _wake(self, tasks: Sequence[Task], until_ms: Millis) -> None:
        """Each owner once, by his earliest task; then his tasks stand as his holding says, or not at all.

        What is another's goes back as it was: between two looks of ours he looks, too.
        """
        ours = {str(key): owner for key, owner in self._owners.items() if not owner.deposed} if tasks else {}
        woken: dict[PositionKey, Owning] = {}
        back, orphans = Moments(), []
        for task in tasks:
            owner = ours.get(keys.position_of_task(task.name))
            if owner is None:
                back[task.name] = task.due_ms
                continue
            if owner.holding.key not in woken:
                woken[owner.holding.key] = owner
                owner.hear(Ticked())
            if task.name not in self._moments(owner.holding):
                orphans.append(task.name)
        await self._queues.hand_back(keys.TWAP_QUEUE, back, claimed_until_ms=until_ms)
        await self._queues.drop(keys.TWAP_QUEUE, orphans)
        await self._tell(list(woken))
