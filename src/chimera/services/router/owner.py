"""The owner of one position key: the only place where its holding changes.

``hear`` is synchronous: a fact is folded into the state and what is urgent starts at once. A saver follows with the
disk: what can increase exposure, closes a part, or removes a stop, waits until the state that ordered it is durable;
stops, targets, whole closes, entry-cancels and questions never wait. On spot, where nothing is reduce-only, what sells
waits, too: protection and whole closes for a moment, then they go all the same. A relay follows the saver and tells the
world, a moment later where something is under way. Neither can hold up protection, however long a store is away.
"""

import asyncio
from bisect import bisect_right
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from contextvars import copy_context

import structlog
from structlog.contextvars import bound_contextvars

from chimera.execute.advance import advance
from chimera.execute.due import next_due_ms
from chimera.execute.hear import ENTRIES
from chimera.ports.clock import Clock
from chimera.ports.ledger import Holdings
from chimera.services.router.at_rest import Errand, Moment
from chimera.services.router.barriers import HELD_MS
from chimera.services.router.covering import Cover
from chimera.services.router.patience import STATE_AGAIN_S, STORE_AGAIN_S
from chimera.services.router.relay import News, Relay
from chimera.services.router.traced import Carrier, ref_of
from chimera.trading.commands import URGENT_MS, Command, Place, Survey, hurries, waits_for_save
from chimera.trading.errors import StaleWriter, StoreUnavailable
from chimera.trading.events import Alert, Event, IntentChanged
from chimera.trading.facts import Fact, PlaceNotSent, Published, Surveyed, Ticked
from chimera.trading.holding import Holding
from chimera.trading.ids import IntentId
from chimera.trading.money import Millis
from chimera.trading.scene import Scene
from chimera.trading.trace import intent_behind, trace_behind, trace_of

log = structlog.get_logger()

SAVE_PATIENCE_S = 3.0  # how long an answer waits for the disk before it says "in doubt"
LINGERS_S = 0.005  # news for which nobody waits: they are saved together with those of the next moment
RELAYED_AT_ONCE = 64  # events whose rows are written together
GIVES_WAY_S, GIVES_WAY_TIMES = 0.005, 20  # the relay, to what is under way at the venue: never for longer than that
RETRY_FAULT_S = 1.0  # after a mistake of ours: how soon the duties look again though nothing happens


class Owner:
    """State, saver, relay and timer of one position key."""

    def __init__(
        self,
        holding: Holding,
        *,
        rev: int,
        fence: int,
        ledger: Holdings,
        sender: Carrier,
        relay: Relay,
        clock: Clock,
        scene: Callable[[Holding], Scene],
    ) -> None:
        self.holding = holding
        self.recovered = Moment()  # the venue has been asked once since we took over
        self.cover = Cover(clock)
        self.faults = 0  # facts we could not fold in: our own mistakes
        self.deposed = False  # a newer owner exists: this one sends nothing more
        self.ledger_away: str | None = None  # why the last save failed; it is being tried again
        self._rev = rev
        self._fence = fence
        self._ledger = ledger
        self._sender = sender
        self._relay = relay
        self._clock = clock
        self._scene = scene
        self._version = 0  # of the state in memory
        self._saved = 0  # newest version on disk
        self._saving_since: Millis | None = None  # monotonic: a save is under way
        self._saved_seq = holding.event_seq  # newest event on disk
        self._ahead_seq = holding.event_seq  # newest event that was an alert and was told before it was on disk
        self._awaited = 0  # callers who wait for the disk
        self._held: list[tuple[int, Command]] = []  # commands waiting for their version to be saved
        self._hurry = Moment()  # while a save lingers somebody begins to wait for it: a command, or whoever is answered
        self._on_disk = Moment()
        self._saving = Errand(self._save_all, "save")
        self._relaying = Errand(self._relay_all, "relay")
        self._together = RELAYED_AT_ONCE  # events told at once; one, where that failed: others need not wait for it
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self.listeners: list[Callable[[tuple[Event, ...]], None]] = []

    async def run(self) -> None:
        """Save and relay until cancelled, or until there is a newer owner."""
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        try:
            context = copy_context()
            if self.holding.outbox:
                self._relaying.want()
            self._saving.begin(over, context)
            self._relaying.begin(over, context)
            await over
        finally:
            await self._saving.end()
            await self._relaying.end()
            if self._timer is not None:
                self._timer.cancel()
            for task in self._tasks:
                task.cancel()

    def hear(self, fact: Fact) -> None:
        """Fold one fact in and start what it calls for; never waits."""
        if self.deposed:
            return
        before = self.holding
        try:
            scene = self._scene(before)
            after, commands = advance(before, fact, scene)
        except Exception:  # a mistake of ours freezes this fact alone: what protects stays as it is
            log.exception("advance_fault", key=str(before.key), fact=type(fact).__name__)
            self.faults += 1
            self._tick_in(RETRY_FAULT_S)  # what is due stays due: the timer that brought it here is used up
            return
        if after is not before:
            self.holding = after
            self.cover.look(after, scene.instrument.step)
            self._version += 1
            self._saving.want()
        for command in commands:
            if waits_for_save(command):
                self._hold(command)
            else:
                self._start(command)
        fresh = after.outbox[bisect_right(after.outbox, before.event_seq, key=lambda event: event.seq) :]
        if fresh:
            self._tell_listeners(fresh)
        self._set_timer()

    def _tell_listeners(self, fresh: tuple[Event, ...]) -> None:
        """Whoever fails to hear of it must not cost us the next look at the time."""
        for listener in self.listeners:
            try:
                listener(fresh)
            except Exception:  # the last net of one listener, which waits for nothing: logged, and counted in /health
                log.exception("listener_fault", key=str(self.holding.key))
                self.faults += 1

    async def saved(self) -> None:
        """Wait until what is known now is on disk."""
        version = self._version
        if self._saved >= version:
            return
        self._awaited += 1
        self._hurry.pulse()
        try:
            while self._saved < version:
                await self._on_disk.wait()
        finally:
            self._awaited -= 1

    async def saved_soon(self) -> bool:
        """Whether what is known now is on disk before patience runs out."""
        try:
            async with asyncio.timeout(SAVE_PATIENCE_S):
                await self.saved()
        except TimeoutError:
            return False
        return True

    def _hold(self, command: Command) -> None:
        """Until it is on disk; what protects or closes everything on spot for a moment only."""
        held = (self._version, command)
        self._held.append(held)
        self._hurry.pulse()
        if hurries(command):
            asyncio.get_running_loop().call_later(URGENT_MS / 1000, self._let_go, held)

    def _let_go(self, held: tuple[int, Command]) -> None:
        if held in self._held and not self.deposed:
            self._held.remove(held)
            log.warning("sent_unsaved", key=str(self.holding.key), command=type(held[1]).__name__)
            self._start(held[1])

    def _start(self, command: Command) -> None:
        task = asyncio.get_running_loop().create_task(self._carry_out(command))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry_out(self, command: Command) -> None:
        fact: Fact | None = self._too_early(command)
        if fact is None:
            with self._named_in_log(command):
                fact = await self._sender.carry_out(
                    command, lambda: self.holding, lambda: self._scene(self.holding).near
                )
        if fact is not None:
            self.hear(fact)
            if isinstance(fact, Surveyed):
                self.recovered.set()

    def _named_in_log(self, command: Command) -> AbstractContextManager[None]:
        """What is logged while it is carried out says of which trace it is; timers that follow from it do not."""
        if isinstance(command, Survey):
            return nullcontext()
        ref = ref_of(command)
        order = self.holding.orders.get(ref)
        work = intent_behind(self.holding, ref, None if order is None else order.intent_id)
        return nullcontext() if work is None else bound_contextvars(trace_id=trace_of(work.intent))

    def _too_early(self, command: Command) -> PlaceNotSent | None:
        """After a start protection comes first: a child of a resumed plan waits for the venue's word, also one that
        reduces: what it was to reduce may be gone, and another opened by hand.
        """
        if self.recovered.is_set() or not isinstance(command, Place) or command.role not in ENTRIES:
            return None
        why = "RECOVERING: the venue has not been heard since the start"
        return PlaceNotSent(ref=command.order.ref, reason=why, retry_after_ms=HELD_MS, held=True)

    def _set_timer(self) -> None:
        due = next_due_ms(self.holding, self._clock.now_ms())
        self._tick_in(None if due is None else max(due - self._clock.now_ms(), 1) / 1000)

    def _tick_in(self, delay_s: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if delay_s is not None:
            self._timer = asyncio.get_running_loop().call_later(delay_s, self.hear, Ticked())

    async def _save_all(self) -> None:
        while self._version != self._saved:
            await self._linger()
            await self._save(self.holding, self._version)

    async def _linger(self) -> None:
        """An answer and the trade's own report come in one breath: one save for both, where nobody waits for either."""
        if self._held or self._awaited:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGERS_S):
                await self._hurry.wait()

    async def _save(self, holding: Holding, version: int) -> None:
        """Until it is on disk; then what waited for it goes out."""
        self._saving_since = self._clock.monotonic_ms()
        while True:
            try:
                self._rev = await self._ledger.save(holding, rev=self._rev, fence=self._fence)
                break
            except StoreUnavailable as error:
                self.ledger_away = str(error)
                log.warning("ledger_away", key=str(holding.key), error=str(error))
                await self._tell_ahead()
                await asyncio.sleep(STATE_AGAIN_S)
            except StaleWriter:
                self.deposed = True
                log.critical("deposed", key=str(holding.key), fence=self._fence)
                raise
        self.ledger_away, self._saving_since = None, None
        self._saved_seq = holding.event_seq
        due = [command for held, command in self._held if held <= version]
        self._held = [(held, command) for held, command in self._held if held > version]
        for command in due:
            self._start(command)
        self._saved = version
        self._on_disk.pulse()
        if holding.outbox:
            self._relaying.want()

    async def _tell_ahead(self) -> None:
        """Alerts that would wait for a ledger that is away: somebody may be needed now. They are told again with it."""
        for event in self.holding.outbox:
            if event.seq <= self._ahead_seq or not isinstance(event.body, Alert):
                continue
            try:
                await self._relay.ahead(self.holding.key, event)
            except StoreUnavailable as error:
                log.warning("relay_waits", key=str(self.holding.key), events=1, error=str(error))
                return
            except Exception:  # as in ``_told``: it must not end what saves
                log.exception("relay_fault", key=str(self.holding.key))
                self.faults += 1
            self._ahead_seq = event.seq

    async def _relay_all(self) -> None:
        more = True
        while more:
            await self._give_way()
            outbox = self.holding.outbox
            saved = bisect_right(outbox, self._saved_seq, key=lambda event: event.seq)
            ready = outbox[: min(saved, self._together)]
            if not ready:
                return
            told = await self._told(ready)
            if told:
                self.hear(Published(through=told))
            whole = told == ready[-1].seq
            more = not whole or len(ready) == self._together
            self._together = min(2 * self._together, RELAYED_AT_ONCE) if whole else 1
            if not whole:
                await asyncio.sleep(STORE_AGAIN_S)

    async def _told(self, ready: tuple[Event, ...]) -> int:
        """Their rows, then their news; the number of the last event of which all is told, 0: of none."""
        told = 0
        try:
            news, fault = _before_fault(await self._kept(ready))
            await self._relay.spread([each for of_event in news for each in of_event])
            told = ready[len(news) - 1].seq if news else 0
            if fault is not None:
                raise fault
        except StoreUnavailable as error:
            log.warning("relay_waits", key=str(self.holding.key), events=len(ready), error=str(error))
        except Exception:  # an event we cannot tell must not end what protects: it waits, loudly
            log.exception("relay_fault", key=str(self.holding.key))
            self.faults += 1
        return told

    async def _give_way(self) -> None:
        """Rows and streams take the disk and the loop from what protects: it goes first, for a moment."""
        for _ in range(GIVES_WAY_TIMES):
            if not (self._tasks or self._held or self._awaited):
                return
            await asyncio.sleep(GIVES_WAY_S)

    async def _kept(self, events: tuple[Event, ...]) -> list[tuple[News, ...] | BaseException]:
        """The rows of all of them at once, so that the disk is asked once for many; what is to be spread of each."""
        holding = self.holding
        keeping = (self._relay.keep(holding.key, event, trace_behind(holding, event.body)) for event in events)
        return await asyncio.gather(*keeping, return_exceptions=True)

    def untold(self, intent_id: IntentId) -> bool:
        """Whether the latest news of this intent is not on disk yet."""
        return any(
            event.seq > self._saved_seq and isinstance(event.body, IntentChanged) and event.body.intent_id == intent_id
            for event in self.holding.outbox
        )

    @property
    def held(self) -> int:
        """Commands that wait for the disk."""
        return len(self._held)

    @property
    def under_way(self) -> int:
        """Commands that the venue has not answered yet."""
        return len(self._tasks)

    def unsaved_ms(self) -> int:
        """How long the save that is under way has taken; 0 where none is."""
        return 0 if self._saving_since is None else self._clock.monotonic_ms() - self._saving_since


def _before_fault(
    kept: list[tuple[News, ...] | BaseException],
) -> tuple[list[tuple[News, ...]], BaseException | None]:
    """What may be spread: the news of the events before the first whose rows are not kept; and what went wrong."""
    good: list[tuple[News, ...]] = []
    for each in kept:
        if isinstance(each, BaseException):
            return good, each
        good.append(each)
    return good, None
