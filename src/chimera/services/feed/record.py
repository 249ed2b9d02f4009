"""``chimera record``: the live streams written as captures that replay (``chimera.tape.capture``).

Each file begins within a second or two of a depth snapshot, so each replays alone. Files are named
``{market}-{symbols}_{UTC start}.gz``. A recording that is killed keeps all but about its last second.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from chimera.adapters.binance.capture_file import CaptureFile
from chimera.adapters.binance.hosts import Hosts
from chimera.adapters.binance.http import AiohttpTransport
from chimera.adapters.binance.market_streams import MarketStreams, StreamFault, StreamLimits
from chimera.adapters.binance.transport import Transport
from chimera.trading.market import Market
from chimera.trading.value import Value

ROTATE_MS: Final = 3_600_000
_MARKET_WORDS: Final = {Market.FUT: "usdm", Market.SPOT: "spot"}


class Recorded(Value):
    """What a recording came to. ``unheard``: of each market that nothing was heard of, why."""

    files: tuple[Path, ...]
    frames: int
    events: int
    gaps: int
    faults: int
    unheard: tuple[str, ...] = ()


class Written(Value):
    """A market that is to be recorded, and where its streams are."""

    hosts: Hosts
    symbols: tuple[str, ...]
    market: Market


class Recorder:
    """Writes frames, a new file every ``rotate_ms`` of receive time. Makes the directory."""

    def __init__(self, directory: Path, name: str, rotate_ms: int) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.files: list[Path] = []
        self.frames = 0
        self._directory = directory
        self._name = name
        self._rotate_ns = rotate_ms * 1_000_000
        self._began_ns = 0
        self._file: CaptureFile | None = None

    def take(self, received_ns: int, frame: bytes) -> None:
        if self._file is None:
            self._file = self._begin(received_ns)
        elif received_ns - self._began_ns >= self._rotate_ns:
            self._file.close()
            self._file = self._begin(received_ns)
        self._file.write(received_ns, frame)
        self.frames += 1

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _begin(self, received_ns: int) -> CaptureFile:
        self._began_ns = received_ns
        start = datetime.fromtimestamp(received_ns // 1_000_000_000, UTC)
        stem = f"{self._name}_{start:%Y%m%dT%H%M%SZ}"
        path = self._directory / f"{stem}.gz"
        if path.exists():  # a second file within one second
            path = self._directory / f"{stem}-{received_ns % 1_000_000_000:09d}.gz"
        self.files.append(path)
        return CaptureFile(path)


async def record_each(wanted: Sequence[Written], directory: Path, duration_ms: int | None) -> Recorded:
    """Several markets beside each other, each to files of its own. ``record`` says when it ends."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_record(each, directory, duration_ms)) for each in wanted]
    done = [task.result() for task in tasks]
    return Recorded(
        files=tuple(path for each in done for path in each.files),
        frames=sum(each.frames for each in done),
        events=sum(each.events for each in done),
        gaps=sum(each.gaps for each in done),
        faults=sum(each.faults for each in done),
        unheard=tuple(why for each in done for why in each.unheard),
    )


async def _record(wanted: Written, directory: Path, duration_ms: int | None) -> Recorded:
    transport = AiohttpTransport(wanted.hosts)
    faults: deque[StreamFault] = deque(maxlen=1)  # the last one is the reason where nothing comes
    try:
        done = await record(
            transport, wanted.symbols, wanted.market, directory, duration_ms=duration_ms, on_fault=faults.append
        )
    finally:
        await transport.close()
    if done.files:
        return done
    why = "is there such a symbol?" if not faults else f"{faults[-1].kind}: {faults[-1].detail}"
    where = f"{', '.join(wanted.symbols)} on {wanted.market} from {wanted.hosts.streams}"
    return done.but(unheard=(f"nothing was heard of {where}, no file is written; {why}",))


async def record(
    transport: Transport,
    symbols: Sequence[str],
    market: Market,
    directory: Path,
    *,
    duration_ms: int | None = None,
    rotate_ms: int = ROTATE_MS,
    streams: Sequence[str] | None = None,
    limits: StreamLimits | None = None,
    on_fault: Callable[[StreamFault], None] | None = None,
    now_ns: Callable[[], int] = time.time_ns,
) -> Recorded:
    """Record until ``duration_ms`` is over, or until cancelled; the last file is closed whole either way."""
    name = f"{_MARKET_WORDS[market]}-{'-'.join(symbol.lower() for symbol in symbols)}"
    recorder = Recorder(directory, name, rotate_ms)
    source = MarketStreams(
        transport,
        symbols,
        market,
        streams=streams,
        limits=limits,
        on_frame=recorder.take,
        on_fault=on_fault,
        now_ns=now_ns,
    )
    events, files = 0, 1
    try:
        async with (
            asyncio.timeout(None if duration_ms is None else duration_ms / 1_000) as over,
            aclosing(source.events()) as market_events,
        ):
            async for _ in market_events:
                events += 1
                if len(recorder.files) > files:  # each file needs a snapshot of its own
                    files = len(recorder.files)
                    source.refresh_depth()
    except TimeoutError:
        if not over.expired():
            raise
    finally:
        recorder.close()
    return Recorded(
        files=tuple(recorder.files),
        frames=recorder.frames,
        events=events,
        gaps=source.reader.gap_count,
        faults=source.faults,
    )
