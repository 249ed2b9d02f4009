"""What is SQLite's own: one writer, group commit, deadlines, the file's health."""

import asyncio
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path

import pytest

from chimera.adapters.embedded import schema
from chimera.adapters.embedded.ledger import SqliteLedger, find_statement, span_statement
from chimera.ports.ledger import Claim
from chimera.services.clock import SystemClock
from chimera.services.router.intake import Intake
from chimera.trading.errors import NewerSchema, StoreUnavailable
from chimera.trading.holding import Holding
from chimera.trading.ids import AccountId, IntentId, PositionKey, Symbol
from chimera.trading.market import Market
from chimera.trading.money import Millis
from chimera.wire import keys

pytestmark = pytest.mark.req("DB-2")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
async def sqlite(path: Path) -> AsyncIterator[SqliteLedger]:
    ledger = await SqliteLedger.open(path, deadline_ms=Millis(500))
    yield ledger
    await ledger.close()


class Stall:
    """Holds the writer thread, as a disk does that does not answer."""

    def __init__(self, ledger: SqliteLedger) -> None:
        self._go = threading.Event()
        self._held = threading.Event()
        self._answer = ledger._writer.hand_in(self._hold, durable=False)

    def _hold(self, db: sqlite3.Connection) -> None:
        self._held.set()
        self._go.wait(10)

    async def begin(self) -> None:
        await asyncio.sleep(0)
        await asyncio.to_thread(self._held.wait, 5)

    async def end(self) -> None:
        self._go.set()
        await self._answer


async def test_waiting_writes_share_one_commit(sqlite: SqliteLedger) -> None:
    seen: list[str] = []
    sqlite._writer._connection.set_trace_callback(seen.append)
    stall = Stall(sqlite)
    await stall.begin()
    writes = [asyncio.create_task(sqlite.insert("fills", f"t-{n}", {"n": n})) for n in range(100)]
    await asyncio.sleep(0)
    await stall.end()
    assert await asyncio.gather(*writes) == [True] * 100
    assert seen.count("COMMIT") == 2


@pytest.mark.parametrize(
    ("collection", "synchronous"), [(keys.ORDERS, 2), (keys.FILLS, 2), (keys.SIGNALS, 2), (keys.STRATEGY_EVENTS, 1)]
)
@pytest.mark.fault("E5")
async def test_what_money_depends_on_is_synced(sqlite: SqliteLedger, collection: str, synchronous: int) -> None:
    """2 is FULL: the log is synced before the commit returns; 1 is NORMAL."""
    await sqlite.put(keys.STRATEGY_EVENTS if synchronous == 2 else keys.ORDERS, "other", {})
    await sqlite.put(collection, "k", {})
    assert sqlite._writer._connection.execute("PRAGMA synchronous").fetchone()[0] == synchronous


def put_aside(path: Path, *, another: bool) -> Path:
    """``another``: a copy is left at its name."""
    aside = path.rename(path.with_name("aside"))
    if another:
        path.write_bytes(aside.read_bytes())
    return aside


@pytest.mark.fault("E11")
@pytest.mark.parametrize("by", ["removed", "replaced"])
async def test_a_file_that_lost_its_name_takes_nothing_until_it_has_it_back(
    sqlite: SqliteLedger, path: Path, by: str
) -> None:
    """SQLite writes on to a file without a name, and all of it is gone at the next start."""
    await sqlite.put(keys.ORDERS, "before", {})
    assert await sqlite.get(keys.ORDERS, "before") == {}
    aside = await asyncio.to_thread(put_aside, path, another=by == "replaced")
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match=f"{path} was {by}"):
            await sqlite.put(keys.ORDERS, "meanwhile", {})
    await asyncio.to_thread(aside.replace, path)
    await sqlite.put(keys.ORDERS, "after", {})
    assert await sqlite.get(keys.ORDERS, "meanwhile") is None


async def test_a_claim_is_synced_with_the_save_of_what_it_is_for(sqlite: SqliteLedger) -> None:
    """One log, synced whole: nothing is sent before that save, so a claim that a power cut took was of nothing."""
    key = PositionKey(venue="binance", account=AccountId("a"), market=Market.FUT, symbol=Symbol("BTCUSDT"))
    fence = await sqlite.fence(key, "s4")
    level = lambda: sqlite._writer._connection.execute("PRAGMA synchronous").fetchone()[0]  # noqa: E731 - read thrice
    await sqlite.claim(Claim(id="order:o1", intent_id=IntentId("i1"), body_hash="h", at_ms=Millis(1)))
    assert level() == 1
    await sqlite.save(Holding(key=key), rev=0, fence=fence)
    assert level() == 2
    assert sqlite._writer._connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"


@pytest.mark.req("S4-IDEM-2")
async def test_a_name_that_was_cancelled_before_it_came_is_buried_power_safe(sqlite: SqliteLedger) -> None:
    """No save follows it, and its caller has heard that nothing by that name trades any more."""
    assert await Intake({}, sqlite, SystemClock()).bury("o1")
    assert sqlite._writer._connection.execute("PRAGMA synchronous").fetchone()[0] == 2


async def test_one_synced_write_syncs_its_whole_batch(sqlite: SqliteLedger) -> None:
    stall = Stall(sqlite)
    await stall.begin()
    writes = [
        asyncio.create_task(sqlite.put(name, "k", {})) for name in (keys.STRATEGY_EVENTS, keys.ORDERS, keys.ALERTS)
    ]
    await asyncio.sleep(0)
    await stall.end()
    await asyncio.gather(*writes)
    assert sqlite._writer._connection.execute("PRAGMA synchronous").fetchone()[0] == 2


@pytest.mark.fault("E8")
async def test_an_answer_that_came_while_the_loop_itself_was_away_counts(
    sqlite: SqliteLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered, loop = threading.Event(), asyncio.get_running_loop()
    call, now = sqlite._writer._call, loop.time

    def told(function: Callable[..., None], *given: object) -> None:
        call(function, *given)
        answered.set()

    monkeypatch.setattr(sqlite._writer, "_call", told)
    write = asyncio.create_task(sqlite.insert("fills", "t-1", {"n": 1}))
    await asyncio.sleep(0)
    assert answered.wait(5)  # the loop stands still meanwhile
    monkeypatch.setattr(loop, "time", lambda: now() + 60)
    assert await write


@pytest.mark.fault("E8")
async def test_a_write_that_waits_too_long_is_unavailable_and_never_applied_late(sqlite: SqliteLedger) -> None:
    stall = Stall(sqlite)
    await stall.begin()
    with pytest.raises(StoreUnavailable, match="'put' in 500 ms"):
        await sqlite.put("orders", "late", {"a": 1})
    assert await sqlite.get("orders", "late") is None  # reading goes on meanwhile
    await stall.end()
    await sqlite.ping()
    assert await sqlite.get("orders", "late") is None


async def test_a_cancelled_caller_leaves_its_batch_whole(sqlite: SqliteLedger) -> None:
    stall = Stall(sqlite)
    await stall.begin()
    writes = [asyncio.create_task(sqlite.put("orders", f"o-{n}", {"n": n})) for n in range(10)]
    await asyncio.sleep(0)
    for n in (0, 4, 9):
        writes[n].cancel()
    await asyncio.sleep(0)
    await stall.end()
    answers = await asyncio.gather(*writes, return_exceptions=True)
    assert [type(answer) for answer in answers].count(asyncio.CancelledError) == 3
    assert [row["n"] for row in await sqlite.find("orders")] == [8, 7, 6, 5, 3, 2, 1]


async def test_one_callers_mistake_harms_no_other(sqlite: SqliteLedger) -> None:
    stall = Stall(sqlite)
    await stall.begin()
    good = asyncio.create_task(sqlite.put("orders", "good", {}))
    bad = asyncio.create_task(sqlite.put_newer("orders", "bad", {}, 2**80))
    other = asyncio.create_task(sqlite.put("orders", "other", {}))
    await asyncio.sleep(0)
    await stall.end()
    answers = await asyncio.gather(good, bad, other, return_exceptions=True)
    assert [type(answer) for answer in answers] == [type(None), OverflowError, type(None)]
    assert await sqlite.get("orders", "good") == await sqlite.get("orders", "other") == {}


@pytest.mark.fault("A18", "E7")
async def test_a_full_disk_is_unavailable_and_undoes_the_batch(sqlite: SqliteLedger) -> None:
    db = sqlite._writer._connection
    await sqlite.put("orders", "o", {"a": 1})
    pages = db.execute("PRAGMA page_count").fetchone()[0]
    db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreUnavailable, match="full"):
        await sqlite.put("orders", "big", {"text": "x" * 100_000})
    assert await sqlite.get("orders", "big") is None
    db.execute("PRAGMA max_page_count = 1000000")
    await sqlite.put("orders", "big", {"text": "x" * 100_000})
    assert await sqlite.get("orders", "o") == {"a": 1}


@pytest.mark.fault("E9")
async def test_after_a_failed_sync_nothing_is_believed(sqlite: SqliteLedger) -> None:
    def fail(db: sqlite3.Connection) -> None:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
        raise error

    with pytest.raises(StoreUnavailable, match="I/O"):
        await sqlite._writer.hand_in(fail, durable=True)
    with pytest.raises(StoreUnavailable, match="failed to sync"):
        await sqlite.put("orders", "o", {})
    with pytest.raises(StoreUnavailable, match="failed to sync"):
        await sqlite.ping()


async def test_close_commits_what_waits(path: Path) -> None:
    ledger = await SqliteLedger.open(path)
    writes = [asyncio.create_task(ledger.insert("fills", f"t-{n}", {})) for n in range(500)]
    await asyncio.sleep(0)
    await ledger.close()
    assert await asyncio.gather(*writes) == [True] * 500
    await ledger.close()
    for call in (ledger.put("orders", "o", {}), ledger.get("orders", "o"), ledger.ping()):
        with pytest.raises(StoreUnavailable, match="closed"):
            await call
    again = await SqliteLedger.open(path)
    assert len(await again.find("fills", newest=1000)) == 500
    await again.close()


async def test_a_second_opener_is_refused_by_name(sqlite: SqliteLedger, path: Path) -> None:
    with pytest.raises(StoreUnavailable, match=f"in use by process {os.getpid()}"):
        await SqliteLedger.open(path)
    await sqlite.ping()


@pytest.mark.req("I19")
@pytest.mark.fault("A13")
def test_a_second_process_is_refused_by_name(path: Path) -> None:
    code = (
        "import asyncio, pathlib, sys\n"
        "from chimera.adapters.embedded.ledger import SqliteLedger\n"
        "asyncio.run(SqliteLedger.open(pathlib.Path(sys.argv[1])))\n"
    )

    async def hold() -> str:
        ledger = await SqliteLedger.open(path)
        command = (sys.executable, "-c", code, str(path))
        other = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
        await ledger.close()
        return other.stderr

    assert f"is in use by process {os.getpid()}" in asyncio.run(hold())


def overwrite(path: Path, start: int, junk: bytes) -> None:
    content = bytearray(path.read_bytes() if path.exists() else b"")
    content[start : start + len(junk)] = junk
    path.write_bytes(content)


async def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    overwrite(path, 0, b"not a database at all, but long enough to look at" * 100)
    with pytest.raises(StoreUnavailable, match=r"ledger\.db is damaged or unreadable"):
        await SqliteLedger.open(path)


@pytest.mark.fault("E9")
async def test_a_damaged_file_is_refused(path: Path) -> None:
    ledger = await SqliteLedger.open(path)
    for n in range(200):
        await ledger.put(keys.STRATEGY_EVENTS, f"e-{n}", {"text": "x" * 300})
    await ledger.close()
    overwrite(path, 4096 * 5, b"\xa5" * (4096 * 7))
    with pytest.raises(StoreUnavailable, match="damaged"):
        await SqliteLedger.open(path)


async def test_another_programs_database_is_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE theirs (a)")
    db.close()
    with pytest.raises(StoreUnavailable, match="another program"):
        await SqliteLedger.open(path)


@pytest.mark.req("LED-3")
async def test_a_holding_of_another_form_is_refused_by_name(path: Path) -> None:
    ledger = await SqliteLedger.open(path)
    key = PositionKey(venue="binance", account=AccountId("main"), market=Market.FUT, symbol=Symbol("BTCUSDT"))
    await ledger.save(Holding(key=key), rev=0, fence=await ledger.fence(key, "a"))
    await ledger.close()
    with sqlite3.connect(path) as db:
        db.execute("""UPDATE holdings SET body = replace(body, '"body":{', '"body":{"told":1,')""")
    db.close()

    ledger = await SqliteLedger.open(path)
    with pytest.raises(NewerSchema, match=f"{path.name}: the holding of BTCUSDT .*told"):
        await ledger.load(key)
    await ledger.close()


@pytest.mark.req("LED-3")
@pytest.mark.fault("A20", "E10")
async def test_a_newer_layout_is_refused(path: Path) -> None:
    await (await SqliteLedger.open(path)).close()
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version = {len(schema.LAYOUTS) + 1}")
    db.commit()
    db.close()
    with pytest.raises(NewerSchema, match="layout"):
        await SqliteLedger.open(path)


@pytest.mark.req("LED-3")
async def test_an_older_layout_is_brought_up(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = await SqliteLedger.open(path)
    await ledger.put("orders", "o", {"a": 1})
    await ledger.close()
    monkeypatch.setattr(schema, "LAYOUTS", (*schema.LAYOUTS, ("CREATE TABLE added (a INTEGER) STRICT",)))
    ledger = await SqliteLedger.open(path)
    assert await ledger.get("orders", "o") == {"a": 1}
    assert ledger._reader.execute("SELECT count(*) FROM added").fetchone() == (0,)
    await ledger.close()


@pytest.mark.parametrize("name", schema.INDEXED)
async def test_find_by_the_usual_fields_reads_an_index(sqlite: SqliteLedger, name: str) -> None:
    select, values = find_statement("orders", {name: "x"}, 10)
    plan = str(sqlite._reader.execute(f"EXPLAIN QUERY PLAN {select}", values).fetchall())
    assert f"rows_by_{name} " in plan
    assert "TEMP B-TREE" not in plan


async def test_the_newest_rows_are_found_without_a_sort(sqlite: SqliteLedger) -> None:
    select, values = find_statement("orders", {}, 10)
    plan = str(sqlite._reader.execute(f"EXPLAIN QUERY PLAN {select}", values).fetchall())
    assert "INDEX" in plan
    assert "TEMP B-TREE" not in plan


async def test_the_reading_connection_cannot_write(sqlite: SqliteLedger) -> None:
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        sqlite._reader.execute("DELETE FROM rows")


@pytest.mark.req("LED-1")
def test_the_cash_ledger_is_read_by_time_through_an_index(path: Path) -> None:
    select, values = span_statement("cash", (1, 2), {"symbol": "A"}, 0, False)
    with closing(schema.connect_writer(path)) as db:
        plan = str(db.execute(f"EXPLAIN QUERY PLAN {select}", (*values, 1)).fetchall())
    assert "cash_by_time" in plan
    assert "TEMP B-TREE" not in plan
