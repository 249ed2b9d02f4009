"""A desk's whole store work at once on a bus, while somebody strikes at its servers: what callers see, what is lost.

As S4 and S3 do it: outboxes told until they are acknowledged, groups that acknowledge what they have done, locks with a
fence from the ledger, claims of an id, the queue of slices with its owner's second telling, guards, curves, revisions,
ticks. Whoever calls counts his errors and his longest wait. Afterwards everything told must have been heard, no stream
may hold a record twice or before an older one of its writer, and of each key the newest document must stand.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from chimera.ports.streams import Bus, Latest, Record
from chimera.trading.errors import StoreUnavailable
from chimera.trading.money import Millis
from chimera.wire import keys

PACE_S: Final = 0.01  # between two turns of one caller
PAUSE_S: Final = 0.1  # after an error, as the relay has it
STREAMS: Final = (keys.ORDERS_EXECUTED, keys.CFG_EVENTS, keys.ROUTER_EVENTS)  # each in another third of the slots
GROUP: Final = "proof"
SYMBOLS: Final = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "BNBUSDT", "ADAUSDT")
LOCK_MS: Final = 3_000
CLAIM_MS: Final = 5_000
QUIET_S: Final = 30.0  # by then all that was told is heard
PAGE: Final = 2_000


@dataclass
class Tally:
    """Of one kind of call."""

    calls: int = 0
    errors: int = 0
    why: str = ""  # the newest of them
    longest_s: float = 0.0  # between two answers
    answered_s: float | None = None

    def answer(self, now_s: float) -> None:
        self.calls += 1
        if self.answered_s is not None:
            self.longest_s = max(self.longest_s, now_s - self.answered_s)
        self.answered_s = now_s


@dataclass
class Seen:
    """``lost``, ``doubled`` and ``disordered`` must be empty; the rest is measured."""

    errors: dict[str, int]
    calls: dict[str, int]
    longest_wait_s: dict[str, float]
    why: dict[str, str]
    told: int = 0
    heard_again: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    disordered: list[str] = field(default_factory=list)
    late_writes_fenced_off: int = 0  # a lock that a fail-over forgot has two holders: the fence takes the later
    ids_granted_twice: int = 0  # likewise: the ledger's unique row takes one

    @property
    def sound(self) -> bool:
        return not (self.lost or self.doubled or self.disordered)


class Load:
    """Two processes' worth of callers, each with a bus of its own; ``begin``, strike, ``end``."""

    def __init__(self, connect: Callable[[], Bus], prefix: str = "") -> None:
        self._buses = [connect(), connect()]
        self._prefix = prefix
        self._tallies: dict[str, Tally] = {}
        self._over = False
        self._relaying = 0
        self._tasks: list[asyncio.Task[None]] = []
        self._told: dict[str, list[str]] = {stream: [] for stream in STREAMS}
        self._heard: dict[str, Counter[str]] = {stream: Counter() for stream in STREAMS}
        self._shown: dict[str, bytes] = {}
        self._due: dict[str, Millis] = {}
        self._done: Counter[str] = Counter()
        self._fence = self._fenced_off = self._granted_twice = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        for number, bus in enumerate(self._buses):
            self._start(self._relay(bus, number), self._lock(bus, number), self._queue(bus, number))
            self._start(*(self._consume(bus, stream, number) for stream in STREAMS))
        first, second = self._buses
        self._start(self._claim_ids(first, second), self._publish_board(first), self._read_board(second))
        self._start(self._own_queue(first))
        await asyncio.sleep(0.3)
        yield
        self._over = True
        await asyncio.gather(*self._tasks)

    async def close(self) -> None:
        for bus in self._buses:
            await bus.close()

    async def seen(self) -> Seen:
        """Once it is over."""
        seen = Seen(
            errors={name: tally.errors for name, tally in sorted(self._tallies.items())},
            calls={name: tally.calls for name, tally in sorted(self._tallies.items())},
            longest_wait_s={name: round(tally.longest_s, 3) for name, tally in sorted(self._tallies.items())},
            why={name: tally.why for name, tally in sorted(self._tallies.items()) if tally.why},
            told=sum(map(len, self._told.values())),
            heard_again=sum(count - 1 for heard in self._heard.values() for count in heard.values()),
            late_writes_fenced_off=self._fenced_off,
            ids_granted_twice=self._granted_twice,
        )
        for bus in self._buses:
            await _in_the_end(bus.ping)
        for stream, told in self._told.items():
            seen.lost += [f"{stream}: {name}" for name in told if not self._heard[stream][name]]
            await self._judge(stream, seen)
        there = await self._buses[0].get_many(list(self._shown))
        seen.lost += [key for key, found in zip(self._shown, there, strict=True) if found != self._shown[key]]
        seen.lost += [f"slice {name}" for name in self._due if not self._done[name]]
        return seen

    # ── what callers do ──

    async def _relay(self, bus: Bus, number: int) -> None:
        """As S4's: what is not acknowledged is told again, with what came since."""
        outbox: list[Record | Latest] = []
        sequence = 0
        self._relaying += 1
        while not self._over or outbox:
            if not self._over:
                sequence += 1
                stream, name = STREAMS[sequence % len(STREAMS)], f"{self._prefix}w{number}:{sequence}"
                outbox.append(Record(stream=stream, event_id=name, fields={"event_id": name, "n": str(sequence)}))
                symbol = SYMBOLS[sequence % len(SYMBOLS)]
                outbox.append(self._show(keys.position_key(f"a{number}", "FUT", symbol), sequence))
                outbox.append(self._show(keys.guard_key(symbol, f"{self._prefix}i{number}"), sequence))
            with self._counted("tell"):
                await bus.tell(outbox)
                for each in outbox:
                    if isinstance(each, Record):
                        self._told[each.stream].append(each.event_id)
                outbox = []
            await asyncio.sleep(PAUSE_S if outbox else PACE_S)
        self._relaying -= 1

    async def _consume(self, bus: Bus, stream: str, number: int) -> None:
        """Until all that was told is heard."""
        name, taken_over_s, until_s = f"c{number}", 0.0, float("inf")
        while not (self._all_told and (self._all_heard() or time.monotonic() > until_s)):
            until_s = min(until_s, time.monotonic() + QUIET_S) if self._all_told else until_s
            with self._counted("read"):
                entries = list(await bus.read(stream, GROUP, name, count=50, block_ms=200))
                if time.monotonic() - taken_over_s > 1:
                    entries += await bus.reclaim(stream, GROUP, name, idle_ms=2_000, count=50)
                    taken_over_s = time.monotonic()
                self._heard[stream].update(entry.fields["event_id"] for entry in entries)
                with self._counted("ack"):
                    await bus.ack(stream, GROUP, [entry.id for entry in entries])

    async def _lock(self, bus: Bus, number: int) -> None:
        """Two who want the same position; what they write goes by the ledger's fence."""
        key = keys.position_lock_key(f"{self._prefix}BTCUSDT")
        turn = 0
        while not self._over:
            turn += 1
            token = f"{number}:{turn}"
            with self._counted("lock"):
                if await bus.acquire(key, token, LOCK_MS):
                    self._fence = fence = self._fence + 1
                    await asyncio.sleep(PACE_S)
                    self._fenced_off += fence < self._fence
                    await bus.release(key, token)
            await asyncio.sleep(PACE_S)

    async def _claim_ids(self, first: Bus, second: Bus) -> None:
        """Two who claim the same id at once: one is told that it is his; whatever both are told, the ledger decides."""
        number = 0
        while not self._over:
            number += 1
            key = keys.idempotency_key(f"{self._prefix}o{number}")
            with self._counted("claim an id"):
                found = await asyncio.gather(
                    first.remember(key, "a", 60_000), second.remember(key, "b", 60_000), return_exceptions=True
                )
                for each in found:
                    if isinstance(each, BaseException):
                        raise each
                self._granted_twice += found.count(None) > 1
            await asyncio.sleep(PACE_S)

    async def _own_queue(self, bus: Bus) -> None:
        """As ``waking`` does it: a second telling of all that is not done, for the queue may have been lost."""
        number, told_s = 0, 0.0
        while not self._over or any(not self._done[name] for name in self._due):
            now_ms = Millis(int(time.time() * 1000))
            if not self._over:
                number += 1
                name = f"{self._prefix}binance:main:FUT:BTCUSDT#i{number}"
                self._due[name] = now_ms
                with self._counted("queue"):
                    await bus.schedule(keys.TWAP_QUEUE, {name: now_ms})
            if time.monotonic() - told_s > 1:
                left = {name: due for name, due in self._due.items() if not self._done[name]}
                with self._counted("queue"):
                    await bus.schedule(keys.TWAP_QUEUE, left)
                told_s = time.monotonic()
            await asyncio.sleep(5 * PACE_S)

    async def _queue(self, bus: Bus, number: int) -> None:
        """Who finds a slice due has it sent; its owner sends it once."""
        while not self._over or any(not self._done[name] for name in self._due):
            now_ms = Millis(int(time.time() * 1000))
            with self._counted("queue"):
                found = await bus.claim(keys.TWAP_QUEUE, now_ms=now_ms, until_ms=Millis(now_ms + CLAIM_MS), count=20)
                self._done.update(task.name for task in found)
                await bus.drop(keys.TWAP_QUEUE, [task.name for task in found])
            await asyncio.sleep((2 + number) * PACE_S)

    async def _publish_board(self, bus: Bus) -> None:
        number = 0
        while not self._over:
            number += 1
            for key in self._board():
                latest = self._show(key, number)
                with self._counted("put"):
                    await bus.put(key, latest.document)
            await asyncio.sleep(PACE_S)
        for key in self._board():  # the last word of each: a put that failed is repeated by nobody
            await _in_the_end(partial(bus.put, key, self._shown[key]))

    async def _read_board(self, bus: Bus) -> None:
        while not self._over:
            with self._counted("get"):
                await bus.get_many(self._board())
            with self._counted("ping"):
                await bus.ping()
            await asyncio.sleep(PACE_S)

    def _board(self) -> list[str]:
        names = (*map(keys.tick_key, SYMBOLS), keys.ROUTE_CURVES, keys.CFG_ACTIVE_REV)
        return [f"{name}{self._prefix}" for name in names]

    # ── how ──

    def _start(self, *callers: Coroutine[Any, Any, None]) -> None:
        self._tasks += [asyncio.create_task(each) for each in callers]

    @contextmanager
    def _counted(self, kind: str) -> Iterator[None]:
        tally = self._tallies.setdefault(kind, Tally())
        try:
            yield
        except StoreUnavailable as error:
            tally.errors += 1
            tally.why = str(error)
        else:
            tally.answer(time.monotonic())

    def _show(self, key: str, number: int) -> Latest:
        document = str(number).encode()
        self._shown[key] = document
        return Latest(key=key, document=document)

    @property
    def _all_told(self) -> bool:
        return self._over and not self._relaying

    def _all_heard(self) -> bool:
        return all(self._heard[stream].keys() >= set(told) for stream, told in self._told.items())

    async def _judge(self, stream: str, seen: Seen) -> None:
        """The stream itself: each record once, those of a writer in their order."""
        names: list[str] = []
        after = "0"
        while page := await self._buses[0].tail(stream, after=after, count=PAGE, block_ms=0):
            names += [entry.fields["event_id"] for entry in page if entry.fields["event_id"].startswith(self._prefix)]
            after = page[-1].id
        seen.doubled += [f"{stream}: {name}" for name, count in Counter(names).items() if count > 1]
        newest: Counter[str] = Counter()
        for name in names:
            writer, _, number = name.rpartition(":")
            if int(number) < newest[writer]:
                seen.disordered.append(f"{stream}: {name}")
            newest[writer] = max(newest[writer], int(number))


async def _in_the_end(call: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Until it is done, within reason."""
    async with asyncio.timeout(QUIET_S):
        while True:
            try:
                return await call()
            except StoreUnavailable:
                await asyncio.sleep(PAUSE_S)
