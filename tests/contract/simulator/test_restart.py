"""The simulator stopped, killed and started again: its accounts find everything where they left it."""

import asyncio
import json
import math
import random
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from chimera.adapters.binance.account import BinanceFutures, open_futures
from chimera.adapters.binance.hosts import Hosts
from chimera.adapters.binance.http import AiohttpTransport
from chimera.services.clock import SystemClock
from chimera.services.serving import PortInUse
from chimera.services.simulator.server import SimulatorServer
from chimera.services.simulator.settings import SimulatorSettings
from chimera.services.simulator.state_file import StateFile
from chimera.simulate.keeping.history import HISTORY, LEAP
from chimera.simulate.twin import Twin
from chimera.simulate.venue.audit import AuditRecord, Kind
from chimera.trading.errors import Refused
from chimera.trading.ids import ClientOrderId, Symbol
from chimera.trading.intent import WorkingType
from chimera.trading.market import Marked, MarketEvent, Side, TopOfBook
from chimera.trading.money import Millis, Price, Qty
from chimera.trading.order import NewOrder, OrderType, Status, TimeInForce
from chimera.trading.venue import OrderRef
from chimera.wire import codec

D = Decimal
BTC = Symbol("BTCUSDT")
WAIT_S = 10


def quotes(bid: str, ask: str) -> list[MarketEvent]:
    """A touch and a mark between its sides."""
    size, mid = Qty(D(5)), Price((D(bid) + D(ask)) / 2)
    top = TopOfBook(symbol=BTC, at_us=1, bid=Price(D(bid)), bid_qty=size, ask=Price(D(ask)), ask_qty=size)
    return [top, Marked(symbol=BTC, at_us=1, mark=mid, index=mid, funding_rate=D(0), next_funding_ms=Millis(0))]


QUIET = quotes("65799.9", "65800.0")
ENTRY = NewOrder(ref=ClientOrderId("a-t1"), symbol=BTC, side=Side.BUY, type=OrderType.MARKET, qty=Qty(D("0.010")))
REST = ENTRY.but(ref=ClientOrderId("a-m1"), type=OrderType.LIMIT, price=Price(D(65000)), time_in_force=TimeInForce.GTX)
STOP = ENTRY.but(
    ref=ClientOrderId("a-s1"),
    side=Side.SELL,
    type=OrderType.STOP_MARKET,
    trigger_price=Price(D(65700)),
    working_type=WorkingType.MARK_PRICE,
    reduce_only=True,
)


def a_ref(order: NewOrder) -> OrderRef:
    return OrderRef(symbol=BTC, ref=order.ref, conditional=order is STOP)


def adapter(port: int) -> BinanceFutures:
    hosts = Hosts(name="sim", rest=f"http://127.0.0.1:{port}", streams=f"ws://127.0.0.1:{port}")
    secret = "chimera-sim-secret"
    return open_futures(AiohttpTransport(hosts), "chimera-sim-key", secret, SystemClock(), jitter=random.Random(0))


@pytest.fixture
def told(tmp_path: Path) -> SimulatorSettings:
    return SimulatorSettings(
        limits=False,
        port=0,
        speed=math.inf,
        state_file=tmp_path / "sim" / "state.json",
        audit_file=tmp_path / "audit.jsonl",
    )


@asynccontextmanager
async def running(told: SimulatorSettings, market: list[MarketEvent]) -> AsyncIterator[BinanceFutures]:
    server = SimulatorServer(told, market)
    await server.start()
    futures = adapter(server.address[1])
    try:
        async with asyncio.timeout(WAIT_S):
            await server.market_ended.wait()
            yield futures
    finally:
        await futures.close()
        await server.stop()


def audit(told: SimulatorSettings) -> list[AuditRecord]:
    assert told.audit_file is not None
    return [codec.decode(line, AuditRecord) for line in told.audit_file.read_bytes().splitlines()]


async def place(futures: BinanceFutures, *orders: NewOrder) -> None:
    for order in orders:
        await futures.venue.place(order, timeout_ms=2000)


async def test_position_and_stop_are_still_there_and_the_stop_triggers(told: SimulatorSettings) -> None:
    async with running(told, QUIET) as first:
        await first.rulebook.prepare(BTC, 7)
        await place(first, ENTRY, STOP, REST)
        before = [await first.venue.find(a_ref(each)) for each in (ENTRY, STOP, REST)]
        funds, positions = await first.records.funds(), await first.records.positions()
        survey = await first.records.survey(BTC, Millis(0))

    async with running(told, QUIET) as second:
        assert [await second.venue.find(a_ref(each)) for each in (ENTRY, STOP, REST)] == before
        assert await second.records.positions() == positions
        assert (await second.records.funds()).but(at_ms=0) == funds.but(at_ms=0)
        again = await second.records.survey(BTC, Millis(0))
        assert (again.orders, again.trades) == (survey.orders, survey.trades)

    async with running(told, quotes("65650.0", "65650.1")) as third:
        stop = await third.venue.find(a_ref(STOP))
        assert stop is not None
        assert stop.status is Status.FILLED
        assert await third.records.positions() == ()
        rest = await third.venue.find(a_ref(REST))
        assert rest is not None
        assert rest.status is Status.NEW

    records = audit(told)
    assert [record.seq for record in records] == list(range(1, len(records) + 1))
    restarts = [record for record in records if record.kind is Kind.RESTART]
    assert [record.kept_seq for record in restarts] == [record.seq - 1 for record in restarts]
    assert len(restarts) == 2
    [opened] = [record for record in records if record.kind is Kind.OPEN_ACCOUNT and not record.market]
    fills = [record for record in records if record.kind is Kind.FILL]
    wallet = opened.wallet_after + sum(fill.realized_pnl - fill.fee for fill in fills)
    assert wallet == fills[-1].wallet_after
    assert [(fill.client_order_id, fill.position_after) for fill in fills] == [("a-t1", D("0.010")), ("a-s1", 0)]


async def test_without_a_state_file_the_venue_begins_anew(told: SimulatorSettings) -> None:
    plain = told.but(state_file=None)
    for _ in range(2):
        async with running(plain, QUIET) as futures:
            assert await futures.records.positions() == ()
            await place(futures, ENTRY)
    assert sum(record.kind is Kind.FILL for record in audit(plain)) == 1


_PROCESS = """
import asyncio, math, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_restart import QUIET
from chimera.services.simulator.server import serve
from chimera.services.simulator.settings import SimulatorSettings
files = {"state_file": Path(sys.argv[2]), "audit_file": Path(sys.argv[3])}
told = SimulatorSettings(port=0, speed=math.inf, limits=False, **files)
asyncio.run(serve(told, QUIET, stop=asyncio.Event(), ready=lambda server: print(server.address[1], flush=True)))
"""


MOST_PLACED = 60


async def trade_for(futures: BinanceFutures, ms: int) -> int:
    """A protected position, then orders placed and cancelled; how many."""
    await place(futures, ENTRY, STOP)
    clock, number = SystemClock(), 0
    started_ms = clock.now_ms()
    while clock.now_ms() - started_ms < ms and number < MOST_PLACED:
        await asyncio.sleep(ms / 1000 / MOST_PLACED)  # all along, and no faster than our own governor lets entries go
        number += 1
        again = REST.but(ref=ClientOrderId(f"a-m{number}"))
        await place(futures, again)
        await futures.venue.cancel(a_ref(again), timeout_ms=2000)
    return number


@pytest.mark.slow
async def test_a_kill_loses_at_most_what_came_after_the_last_keeping(told: SimulatorSettings) -> None:
    here = str(Path(__file__).parent)
    command = (sys.executable, "-c", _PROCESS, here, str(told.state_file), str(told.audit_file))
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(3 * WAIT_S):
            futures = adapter(int(await process.stdout.readline()))
            number = await trade_for(futures, 3_500)
    finally:
        process.send_signal(signal.SIGKILL)
        await process.wait()
    await futures.close()
    at_kill = audit(told)

    async with running(told, QUIET) as second:
        [restart] = [record for record in audit(told) if record.kind is Kind.RESTART]
        [position] = await second.records.positions()
        assert position.qty == ENTRY.qty
        stop = await second.venue.find(a_ref(STOP))
        assert stop is not None
        assert stop.status is Status.NEW
        kept = [record for record in at_kill if record.kind is Kind.CANCEL and record.seq <= (restart.kept_seq or 0)]
        kept = kept[-HISTORY:]  # a fast machine ends more orders than are kept
        lost = [
            record
            for record in kept
            if await second.venue.find(a_ref(REST.but(ref=ClientOrderId(record.client_order_id)))) is None
        ]
        assert kept
        assert lost == []
        assert number > 10, "too slow a machine to say anything"
        await place(second, REST.but(ref=ClientOrderId("a-m0")))

    records = audit(told)
    assert [record.seq for record in records] == list(range(1, len(records) + 1))
    [restart] = [record for record in records if record.kind is Kind.RESTART]
    assert restart.seq == at_kill[-1].seq + 1
    assert restart.kept_seq is not None
    assert 0 < restart.kept_seq <= at_kill[-1].seq
    given = [record.order_id for record in at_kill if record.kind is Kind.ACCEPT and record.order_id is not None]
    accepted = [record for record in records if record.kind is Kind.ACCEPT and record.seq > restart.seq]
    assert [record.client_order_id for record in accepted] == ["a-m0"]
    assert max(given) < accepted[0].order_id <= max(given) + LEAP + 1


async def test_a_venue_at_rest_writes_nothing(told: SimulatorSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Any] = []
    keep = StateFile.replace
    monkeypatch.setattr(StateFile, "replace", lambda self, what: (written.append(what), keep(self, what)))
    monkeypatch.setattr("chimera.services.simulator.server.TICK_S", 0.001)
    monkeypatch.setattr("chimera.services.simulator.server.KEEP_S", 0.002)
    async with running(told, QUIET) as futures:
        for _ in range(20):
            await futures.records.positions()
        assert [each.standing.clean for each in written] == [False]
        await place(futures, ENTRY)
        while len(written) == 1:  # noqa: ASYNC110 - the disk tells no event
            await asyncio.sleep(0.001)
    assert [each.standing.clean for each in written] == [False, False, True]


@pytest.mark.parametrize(
    ("document", "says"),
    [
        (b"", "is damaged"),
        (b'{"schema_version":1,"body":{"standing"', "is damaged"),
        (b'{"schema_version":1,"body":{}}', "is damaged"),
        (b'\xff\xfe{"schema_version":1,"body":{}}', "is damaged"),
        (b'{"schema_version":99,"body":{}}', "newer Chimera"),
    ],
)
async def test_a_state_file_of_no_use_is_refused_by_name_and_left_alone(
    told: SimulatorSettings, document: bytes, says: str
) -> None:
    path = told.state_file
    assert path is not None
    path.parent.mkdir()
    path.write_bytes(document)
    with pytest.raises(Refused, match=says) as refused:
        await SimulatorServer(told, QUIET).start()
    assert f"mv {path} {path}.bad" in refused.value.message
    assert refused.value.field == "--state"
    assert path.read_bytes() == document
    assert told.audit_file is not None
    assert not told.audit_file.exists()


async def test_a_state_that_contradicts_itself_is_refused_by_name(told: SimulatorSettings) -> None:
    path = told.state_file
    assert path is not None
    StateFile(path).replace(Twin().keep())
    document = json.loads(path.read_bytes())
    document["body"]["trades"] = {}
    path.write_text(json.dumps(document))
    with pytest.raises(Refused, match="'main'") as refused:
        await SimulatorServer(told, QUIET).start()
    assert str(path) in refused.value.message


async def test_a_second_simulator_on_the_port_touches_no_file_of_the_first(told: SimulatorSettings) -> None:
    server = SimulatorServer(told, QUIET)
    await server.start()
    assert told.audit_file is not None
    before = told.audit_file.read_bytes()
    try:
        with pytest.raises(PortInUse, match=r"in use, and the simulator \(--port\)"):
            await SimulatorServer(told.but(port=server.address[1]), QUIET).start()
        assert told.audit_file.read_bytes() == before
    finally:
        await server.stop()


def test_only_its_owner_reads_it_and_a_failed_write_leaves_the_old_one(tmp_path: Path) -> None:
    file = StateFile(tmp_path / "state.json")
    file.replace(Twin().keep())
    before = file.path.read_bytes()
    assert file.path.stat().st_mode & 0o777 == 0o600
    (tmp_path / "state.json.new").mkdir()
    with pytest.raises(OSError, match=r"state\.json\.new"):
        file.replace(Twin().keep(clean=True))
    assert file.path.read_bytes() == before


async def test_a_torn_last_line_of_the_audit_is_no_record(told: SimulatorSettings) -> None:
    async with running(told, QUIET) as futures:
        await place(futures, ENTRY)
    assert told.audit_file is not None
    with told.audit_file.open("ab") as file:
        file.write(b'{"seq":9999,"at_us":17')
    async with running(told, QUIET):
        pass
    records = audit(told)
    assert [record.seq for record in records] == list(range(1, len(records) + 1))


async def test_another_file_is_not_taken_for_the_audit(told: SimulatorSettings) -> None:
    async with running(told, QUIET):
        pass
    assert told.audit_file is not None
    told.audit_file.write_text("dear diary\n")
    with pytest.raises(Refused, match="no audit"):
        await SimulatorServer(told, QUIET).start()
    assert told.audit_file.read_text() == "dear diary\n"
