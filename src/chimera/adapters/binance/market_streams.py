"""The live public streams of Binance, or of anything that speaks like it, as market events.

USD-M streams are routed: ``/public`` carries books, ``/market`` trades and mark prices; a stream asked for on the wrong
route connects, pings and stays silent. So there is one connection per route, and silence is a fault:
a connection without a frame for ``silence_ms`` is dropped and opened again, a stream without a first frame is reported.
Depth is made whole by a REST snapshot after each connection and each gap. ``at_us`` is our receive time.

Invariants: events in time order under the contract of ``chimera.tape``; a bounded queue, so a slow reader
slows the socket and memory stays. It decides nothing and knows no hosts (the transport does).
"""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from enum import StrEnum
from typing import Final

from chimera.adapters.binance.transport import Transport
from chimera.tape import frames
from chimera.tape.reader import SNAPSHOT_STREAM, FrameRefused, MarketReader
from chimera.trading.errors import NotSent, OutcomeUnknown
from chimera.trading.market import Market, MarketEvent
from chimera.trading.value import Value

QUEUED_FRAMES: Final = 10_000  # seconds of the busiest symbol; beyond it the socket waits
FUTURES_STREAMS: Final = ("bookTicker", "depth@100ms", "aggTrade", "markPrice@1s")
SPOT_STREAMS: Final = ("bookTicker", "depth@100ms", "aggTrade")
_DEPTH_TARGET: Final = {
    Market.FUT: "/fapi/v1/depth?symbol={symbol}&limit=1000",
    Market.SPOT: "/api/v3/depth?symbol={symbol}&limit=1000",
}
FrameHook = Callable[[int, bytes], None]


class FaultKind(StrEnum):
    """What was wrong with a connection or what came over it."""

    CLOSED = "CLOSED"
    UNREACHABLE = "UNREACHABLE"
    SILENT = "SILENT"
    STREAM_SILENT = "STREAM_SILENT"
    BAD_FRAME = "BAD_FRAME"
    NO_SNAPSHOT = "NO_SNAPSHOT"


class StreamFault(Value):
    """Something the shell logs and counts; the streams mend themselves."""

    kind: FaultKind
    where: str  # target, stream or symbol
    detail: str = ""


class StreamLimits(Value):
    """Waits in ms. ``backoff`` doubles from first to most and starts anew once a connection lasted ``stable_ms``."""

    connect_ms: int = 10_000
    silence_ms: int = 15_000
    first_backoff_ms: int = 1_000  # Binance: at most 300 connections in 5 minutes per address
    most_backoff_ms: int = 30_000
    stable_ms: int = 60_000
    settle_ms: int = 1_000  # diffs gathered before a snapshot is asked for, or after, before it is judged
    rest_ms: int = 5_000


class _Opened(Value):
    """A connection was made, for these streams."""

    received_ns: int
    streams: tuple[str, ...]


class _Frame(Value):
    received_ns: int
    raw: bytes


class MarketStreams:
    """One set of symbols of one market. ``events`` may be run once.

    ``on_frame(received_ns, raw)`` sees every frame in the order of the events, snapshots included: what a recording
    is made of. Both hooks are called in the loop and must not block or raise.
    """

    def __init__(
        self,
        transport: Transport,
        symbols: Sequence[str],
        market: Market = Market.FUT,
        *,
        streams: Sequence[str] | None = None,
        snapshots: bool = True,
        limits: StreamLimits | None = None,
        on_frame: FrameHook | None = None,
        on_fault: Callable[[StreamFault], None] | None = None,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.reader = MarketReader()
        self.faults = 0
        self._transport = transport
        self._symbols = tuple(symbol.upper() for symbol in symbols)
        self._market = market
        self._streams = tuple(streams or (FUTURES_STREAMS if market is Market.FUT else SPOT_STREAMS))
        self._snapshots = snapshots and any(stream.startswith("depth") for stream in self._streams)
        self._limits = limits or StreamLimits()
        self._on_frame = on_frame
        self._on_fault = on_fault
        self._now_ns = now_ns
        self._queue: asyncio.Queue[_Frame | _Opened] = asyncio.Queue(QUEUED_FRAMES)
        self._tasks: set[asyncio.Task[None]] = set()
        self._joining: dict[str, asyncio.Task[None]] = {}
        self._awaited: set[str] = set()

    async def events(self) -> AsyncGenerator[MarketEvent, None]:
        """Market events for ever. Close it (``aclosing``) to end the connections."""
        for target, streams in targets(self._market, self._symbols, self._streams).items():
            self._start(self._keep_open(target, streams))
        try:
            while True:
                for event in self._take(await self._next()):
                    yield event
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def refresh_depth(self) -> None:
        """Ask for a new snapshot of every symbol: a recording's next file starts with one."""
        for symbol in self._symbols:
            self._join(symbol)

    async def _next(self) -> _Frame | _Opened:
        """The next item; a task of ours that died by a mistake raises here instead of leaving silence."""
        if not self._queue.empty():
            return self._queue.get_nowait()
        getting = asyncio.ensure_future(self._queue.get())
        try:
            while True:
                done, _ = await asyncio.wait({getting, *self._tasks}, return_when=asyncio.FIRST_COMPLETED)
                for task in done & self._tasks:
                    self._tasks.discard(task)
                    task.result()
                if getting in done:
                    return getting.result()
        finally:
            getting.cancel()

    def _take(self, item: _Frame | _Opened) -> Sequence[MarketEvent]:
        if isinstance(item, _Opened):
            return self._begin(item)
        if self._on_frame is not None:
            self._on_frame(item.received_ns, item.raw)
        gaps = self.reader.gap_count
        try:
            events = self.reader.take(item.received_ns // 1_000, item.raw)
        except FrameRefused as refused:
            self._report(FaultKind.BAD_FRAME, self._market, str(refused))
            return []
        if self._awaited:
            self._awaited.discard(frames.combined.decode(item.raw).stream)
        if self.reader.gap_count > gaps:
            self._join(self.reader.gaps[-1].symbol)
        return events

    def _begin(self, opened: _Opened) -> Sequence[MarketEvent]:
        self._awaited.update(opened.streams)
        self._start(self._watch_first(opened.streams))
        if not any("@depth" in stream for stream in opened.streams):
            return []
        self.refresh_depth()
        return self.reader.reconnected(opened.received_ns // 1_000, self._symbols)

    async def _keep_open(self, target: str, streams: tuple[str, ...]) -> None:
        limits = self._limits
        backoff_ms = limits.first_backoff_ms
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                kind, detail = await self._listen(target, streams)
            except (NotSent, OutcomeUnknown, OSError) as away:  # a TimeoutError is an OSError
                kind, detail = FaultKind.UNREACHABLE, f"{type(away).__name__}: {away}"
            self._report(kind, target, detail)
            if (loop.time() - began) * 1_000 >= limits.stable_ms:
                backoff_ms = limits.first_backoff_ms
            await asyncio.sleep(backoff_ms / 1_000)
            backoff_ms = min(2 * backoff_ms, limits.most_backoff_ms)

    async def _listen(self, target: str, streams: tuple[str, ...]) -> tuple[FaultKind, str]:
        limits = self._limits
        async with AsyncExitStack() as connection:
            async with asyncio.timeout(limits.connect_ms / 1_000):
                socket = await connection.enter_async_context(self._transport.connect(target))
            await self._queue.put(_Opened(received_ns=self._now_ns(), streams=streams))
            frames = socket.frames()
            while True:
                try:
                    async with asyncio.timeout(limits.silence_ms / 1_000):
                        raw = await anext(frames, None)
                except TimeoutError:
                    return FaultKind.SILENT, f"no frame for {limits.silence_ms} ms"
                if raw is None:
                    return FaultKind.CLOSED, ""
                await self._queue.put(_Frame(received_ns=self._now_ns(), raw=raw))

    async def _watch_first(self, streams: tuple[str, ...]) -> None:
        await asyncio.sleep(self._limits.silence_ms / 1_000)
        for stream in streams:
            if stream in self._awaited:
                self._awaited.discard(stream)
                self._report(FaultKind.STREAM_SILENT, stream, "connected, and not one frame: is it on another route?")

    def _join(self, symbol: str) -> None:
        """Make the symbol's depth whole, unless that is already being done."""
        running = self._joining.get(symbol)
        if self._snapshots and (running is None or running.done()):
            self._joining[symbol] = self._start(self._join_depth(symbol))

    async def _join_depth(self, symbol: str) -> None:
        limits = self._limits
        wait_ms = limits.settle_ms
        while True:
            await asyncio.sleep(wait_ms / 1_000)
            refusal = await self._fetch_depth(symbol)
            if refusal is None:
                await asyncio.sleep(limits.settle_ms / 1_000)
                if self.reader.whole(symbol):
                    return
                refusal = "the snapshot does not join the diffs"
            self._report(FaultKind.NO_SNAPSHOT, symbol, refusal)
            wait_ms = min(2 * wait_ms, limits.most_backoff_ms)

    async def _fetch_depth(self, symbol: str) -> str | None:
        """Queue the answer as a frame; or why there was none."""
        target = _DEPTH_TARGET[self._market].format(symbol=symbol)
        try:
            reply = await self._transport.request("GET", target, headers={}, timeout_ms=self._limits.rest_ms)
        except (NotSent, OutcomeUnknown) as away:
            return f"{type(away).__name__}: {away}"
        if reply.status != 200:
            return f"HTTP {reply.status}"
        raw = reply.body
        if len(self._symbols) > 1:  # a bare snapshot does not say whose it is
            raw = b'{"stream":%b,"data":%b}' % (json.dumps(f"{symbol.lower()}@{SNAPSHOT_STREAM}").encode(), raw)
        await self._queue.put(_Frame(received_ns=self._now_ns(), raw=raw))
        return None

    def _start(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        return task

    def _report(self, kind: FaultKind, where: str, detail: str) -> None:
        self.faults += 1
        if self._on_fault is not None:
            self._on_fault(StreamFault(kind=kind, where=where, detail=detail))


def targets(market: Market, symbols: Sequence[str], streams: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
    """Paths to connect to, each with the streams it carries: USD-M by route, spot all on one."""
    routes: dict[str, list[str]] = {}
    for stream in streams:
        names = routes.setdefault(_route(market, stream.partition("@")[0]), [])
        names += [f"{symbol.lower()}@{stream}" for symbol in symbols]
    return {f"{route}/stream?streams={'/'.join(names)}": tuple(names) for route, names in routes.items()}


def _route(market: Market, kind: str) -> str:
    if market is Market.SPOT:
        return ""
    return "/public" if kind == "bookTicker" or kind.startswith("depth") else "/market"
