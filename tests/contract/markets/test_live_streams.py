"""The live streams: over sockets from our simulator, and on a scripted transport where things go wrong."""

import asyncio
import json
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest
from market_contract import Checked, check

from chimera.adapters.binance.capture_file import lines
from chimera.adapters.binance.hosts import hosts_named
from chimera.adapters.binance.http import AiohttpTransport
from chimera.adapters.binance.market_streams import FaultKind, MarketStreams, StreamFault, StreamLimits, targets
from chimera.adapters.binance.transport import Reply
from chimera.services.feed.record import record
from chimera.services.simulator.server import SimulatorServer
from chimera.services.simulator.settings import SimulatorSettings
from chimera.tape.capture import Capture
from chimera.tape.profile import FUTURES
from chimera.tape.synthetic import Synthetic
from chimera.trading.errors import NotSent
from chimera.trading.market import DepthChanged, Marked, Market, MarketEvent, TopOfBook, Traded

pytestmark = pytest.mark.slow

QUICK = StreamLimits(settle_ms=20, silence_ms=200, first_backoff_ms=5, most_backoff_ms=20, connect_ms=1_000)
PATIENT = QUICK.but(silence_ms=5_000)


@pytest.fixture
async def simulator() -> AsyncIterator[AiohttpTransport]:
    """Our simulator on a free port, its market ten times as fast, and a transport to it."""
    server = SimulatorServer(SimulatorSettings(port=0, speed=10), Synthetic(3, profile=FUTURES))
    await server.start()
    host, port = server.address
    transport = AiohttpTransport(hosts_named("sim", rest=f"http://{host}:{port}", streams=f"ws://{host}:{port}"))
    try:
        yield transport
    finally:
        await transport.close()
        await server.stop()


async def test_the_simulators_streams_keep_the_contract(simulator: AiohttpTransport) -> None:
    faults: list[StreamFault] = []
    streams = MarketStreams(simulator, ["BTCUSDT"], limits=PATIENT, on_fault=faults.append)
    checked = Checked()
    wanted = {TopOfBook, DepthChanged, Traded, Marked}
    async with asyncio.timeout(20), aclosing(streams.events()) as events:
        async for event in events:
            checked.take(event)
            enough = checked.kinds[TopOfBook] > 50 and checked.kinds[DepthChanged] > 10
            if enough and wanted <= checked.kinds.keys() and streams.reader.whole("BTCUSDT"):
                break

    assert (faults, streams.reader.gap_count) == ([], 0)


async def test_a_recording_replays_to_the_events_it_was_made_of(simulator: AiohttpTransport, tmp_path: Path) -> None:
    """Two files, each beginning with a snapshot of its own, each good alone."""
    done = await record(simulator, ["BTCUSDT"], Market.FUT, tmp_path, duration_ms=1_200, rotate_ms=600, limits=PATIENT)

    assert (done.faults, done.gaps) == (0, 0)
    assert len(done.files) >= 2
    assert done.files[0].name.startswith("usdm-btcusdt_")
    captures = [Capture() for _ in done.files]
    replayed = [list(capture.events(lines(path))) for capture, path in zip(captures, done.files, strict=True)]
    assert sum(capture.lines for capture in captures) == done.frames
    assert all(capture.reader.whole("BTCUSDT") for capture in captures[:2])
    for events in replayed[:2]:
        assert check(events).kinds[TopOfBook] > 5


async def test_replay_of_the_recorded_frames_gives_the_same_events(simulator: AiohttpTransport) -> None:
    frames: list[bytes] = []
    streams = MarketStreams(
        simulator, ["BTCUSDT"], limits=PATIENT, on_frame=lambda at_ns, raw: frames.append(b"%d %b\n" % (at_ns, raw))
    )
    live = await _take(streams, 200)

    assert list(Capture().events(frames))[: len(live)] == live


def test_usdm_streams_are_routed_and_spot_streams_are_not() -> None:
    streams = ["bookTicker", "depth@100ms", "aggTrade", "markPrice@1s"]

    assert targets(Market.FUT, ["BTCUSDT"], streams) == {
        "/public/stream?streams=btcusdt@bookTicker/btcusdt@depth@100ms": ("btcusdt@bookTicker", "btcusdt@depth@100ms"),
        "/market/stream?streams=btcusdt@aggTrade/btcusdt@markPrice@1s": ("btcusdt@aggTrade", "btcusdt@markPrice@1s"),
    }
    assert list(targets(Market.SPOT, ["BTCUSDT", "ETHUSDT"], ["aggTrade"])) == [
        "/stream?streams=btcusdt@aggTrade/ethusdt@aggTrade"
    ]


async def test_a_connection_that_is_silent_is_opened_again() -> None:
    faults: list[StreamFault] = []
    transport = _Scripted([[_ticker(1), None], [_ticker(2)]])
    streams = _streams(transport, faults)

    events = await _take(streams, 2)

    assert [type(event) for event in events] == [TopOfBook, DepthChanged]  # the touch, then: what lay behind is void
    assert faults[0].kind is FaultKind.SILENT
    assert transport.connected == 2


async def test_a_connection_that_breaks_or_is_refused_is_opened_again_and_ids_may_restart() -> None:
    faults: list[StreamFault] = []
    transport = _Scripted([[_ticker(900)], NotSent("refused"), [_ticker(5, bid="98")]])

    events = await _take(_streams(transport, faults), 3)

    assert [event.bid for event in events if isinstance(event, TopOfBook)] == [99, 98]
    assert [fault.kind for fault in faults[:2]] == [FaultKind.CLOSED, FaultKind.UNREACHABLE]


@pytest.mark.req("I21")
async def test_a_gap_asks_for_a_new_snapshot() -> None:
    transport = _Scripted([[_ticker(1), _diff(2, 3, 1), _PAUSE, _diff(8, 9, 7), None]])
    streams = _streams(transport, [], snapshots=True)
    snapshots: list[DepthChanged] = []
    async with asyncio.timeout(5), aclosing(streams.events()) as events:
        async for event in events:
            if isinstance(event, DepthChanged) and event.snapshot:
                snapshots.append(event)
            if len(snapshots) == 3 and streams.reader.whole("BTCUSDT"):
                break

    assert streams.reader.gap_count == 1
    assert transport.asked.count("/fapi/v1/depth?symbol=BTCUSDT&limit=1000") >= 2


async def test_a_stream_without_a_first_frame_is_reported() -> None:
    faults: list[StreamFault] = []
    lively: list[bytes | None] = [frame for u in range(1, 100) for frame in (_ticker(u, bid=str(90 + u % 2)), _PAUSE)]
    streams = _streams(_Scripted([lively]), faults)
    async with asyncio.timeout(5), aclosing(streams.events()) as events:
        async for _ in events:
            if faults:
                break

    assert [(fault.kind, fault.where) for fault in faults] == [(FaultKind.STREAM_SILENT, "btcusdt@depth@100ms")]


async def test_a_bad_frame_is_a_fault_and_the_stream_goes_on() -> None:
    faults: list[StreamFault] = []
    events = await _take(_streams(_Scripted([[_ticker(1), b"\xff{", _ticker(2, bid="98"), None]]), faults), 2)

    assert [event.bid for event in events if isinstance(event, TopOfBook)] == [99, 98]
    assert faults[0].kind is FaultKind.BAD_FRAME


async def test_a_mistake_of_ours_raises_instead_of_leaving_silence() -> None:
    with pytest.raises(ZeroDivisionError):
        await _take(_streams(_Scripted([ZeroDivisionError()]), []), 1)


_PAUSE = b""
Script = list[list[bytes | None] | Exception]
_SILENCE: list[bytes | None] = [None]


class _Scripted:
    """A transport: each connection plays one script. None waits for ever, an exception refuses the connection."""

    def __init__(self, scripts: Script) -> None:
        self._scripts = deque(scripts)
        self.connected = 0
        self.asked: list[str] = []
        self._last_id = 0

    @asynccontextmanager
    async def connect(self, target: str) -> AsyncIterator["_ScriptedSocket"]:
        script = self._scripts.popleft() if self._scripts else _SILENCE
        if isinstance(script, Exception):
            raise script
        self.connected += 1
        yield _ScriptedSocket(script, self)

    async def request(
        self, method: str, target: str, *, headers: Mapping[str, str], body: bytes = b"", timeout_ms: int
    ) -> Reply:
        self.asked.append(target)
        answer = {"lastUpdateId": self._last_id, "bids": [["99", "1"], ["98", "1"]], "asks": [["100", "1"]]}
        return Reply(status=200, headers={}, body=json.dumps(answer).encode())

    async def close(self) -> None:
        pass

    def sent(self, frame: bytes) -> None:
        """The snapshot that REST answers is as new as the newest frame."""
        data = json.loads(frame)["data"] if frame.startswith(b"{") else {}
        self._last_id = data.get("u", self._last_id)


class _ScriptedSocket:
    def __init__(self, script: list[bytes | None], transport: _Scripted) -> None:
        self._script = script
        self._transport = transport

    async def frames(self) -> AsyncIterator[bytes]:
        for frame in self._script:
            if frame is None:
                await asyncio.Event().wait()
            elif frame is _PAUSE:
                await asyncio.sleep(0.08)
            else:
                self._transport.sent(frame)
                yield frame

    async def send(self, frame: bytes) -> None:
        pass


def _streams(
    transport: _Scripted,
    faults: list[StreamFault],
    *,
    snapshots: bool = False,
) -> MarketStreams:
    return MarketStreams(
        transport,
        ["BTCUSDT"],
        streams=("bookTicker", "depth@100ms"),
        snapshots=snapshots,
        limits=QUICK,
        on_fault=faults.append,
        now_ns=time.monotonic_ns,
    )


def _ticker(u: int, bid: str = "99") -> bytes:
    return _frame("bookTicker", {"u": u, "s": "BTCUSDT", "b": bid, "B": "1", "a": "100", "A": "1"})


def _diff(first: int, last: int, before: int) -> bytes:
    return _frame("depth@100ms", {"s": "BTCUSDT", "U": first, "u": last, "pu": before, "b": [["98", "2"]], "a": []})


def _frame(stream: str, data: dict[str, object]) -> bytes:
    return json.dumps({"stream": f"btcusdt@{stream}", "data": data}).encode()


async def _take(streams: MarketStreams, count: int) -> list[MarketEvent]:
    taken: list[MarketEvent] = []
    async with asyncio.timeout(10), aclosing(streams.events()) as events:
        async for event in events:
            taken.append(event)
            if len(taken) == count:
                break
    return taken
