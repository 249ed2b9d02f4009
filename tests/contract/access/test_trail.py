"""What operators did is written, in one chain; and whatever is done to the chain is found."""

import asyncio
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from access_doors import Doors, bearer
from arango_homes import address_at, stub_with_layout
from arango_stub import PASSWORD, USER
from console_stage import HandClock
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from chimera.adapters.arango.ledger import ArangoLedger
from chimera.adapters.embedded.ledger import SqliteLedger
from chimera.adapters.memory.ledger import MemoryLedger
from chimera.cli import trail as trail_verb
from chimera.cli.main import app as cli
from chimera.services.access import trail as trails
from chimera.services.access.table import ENDPOINTS
from chimera.services.access.trail import Life, Trail
from chimera.services.service import Service
from chimera.trading.errors import StoreUnavailable
from chimera.wire import keys
from chimera.wire.trail import Head, key_of, linked, verify

KILL = {"scope": "global", "name": "", "by": "me", "reason": "drill", "flatten": False}
Entries = list[dict[str, Any]]


def a_chain(length: int) -> tuple[Entries, Head]:
    made, head = [], Head()
    for number in range(length):
        entry, head = linked({"id": f"e{number}", "who": "alice", "status": 200}, head)
        made.append(entry)
    return made, head


class Shaky(MemoryLedger):
    """A ledger that goes away, before it writes or after."""

    def __init__(self) -> None:
        super().__init__()
        self.away = self.lost = False

    async def insert(self, collection: str, key: str, document: Any) -> bool:
        if self.away:
            raise StoreUnavailable("away")
        done = await super().insert(collection, key, document)
        if self.lost:
            self.lost = False
            raise StoreUnavailable("its answer was lost")
        return done


async def all_written(trail: Trail) -> None:
    """Nobody is told when it is."""
    while trail.waiting:  # noqa: ASYNC110 - as above
        await asyncio.sleep(0)


async def written(ledger: Any) -> Entries:
    return [row.document for row in await ledger.page(keys.AUDIT, after=0, limit=1_000)]


@pytest.mark.req("I31")
async def test_who_did_what_when_from_where_and_how_it_was_answered(doors: Doors) -> None:
    ledger = MemoryLedger()
    async with doors.client(Service.S4, trail=Trail(ledger, doors.clock)) as client:
        answer = await client.post("/kill", json=KILL, headers=bearer("trade"))
        await client.post("/arm", json={}, headers=bearer("admin"))
        await client.post("/orders", json={}, headers=bearer("trade"))
        await client.post("/orders", json={}, headers=bearer("s3"))
        await client.post("/kill", json=KILL, headers=bearer("read"))
        await client.get("/positions", headers=bearer("read"))
    entries = await written(ledger)

    killed = entries[0]
    assert {name: killed[name] for name in ("who", "role", "act", "path", "from", "service", "status", "at_ms")} == {
        "who": "trade", "role": "trade", "act": "kill", "path": "/kill", "from": "127.0.0.1", "service": "s4",
        "status": answer.status_code, "at_ms": doors.clock.now_ms(),
    }  # fmt: skip
    assert json.loads(killed["body"]) == KILL
    assert [(each["act"], each["stage"], each["who"]) for each in entries] == [
        ("kill", "answered", "trade"), ("arm", "asked", "admin"), ("arm", "answered", "admin"),
        ("submit", "asked", "trade"), ("submit", "answered", "trade"),
    ]  # fmt: skip
    assert verify(entries).faults == ()
    assert entries[2]["id"] == entries[1]["id"]


@pytest.mark.parametrize("endpoint", [each for each in ENDPOINTS if each.act], ids=lambda each: each.act)
async def test_every_act_is_written(doors: Doors, endpoint: Any) -> None:
    ledger, path = MemoryLedger(), endpoint.path.replace("{name}", "x").replace("{symbol}", "BTCUSDT")
    async with doors.client(endpoint.service, trail=Trail(ledger, doors.clock)) as client:
        await client.request(endpoint.method, path, content=b"{}", headers=bearer("admin"))

    told = {(each["service"], each["act"]) for each in await written(ledger)}
    assert told == {(endpoint.service.value, endpoint.act)}


def test_whatever_changes_something_is_an_act_unless_it_only_asks() -> None:
    """S3's decisions have their own rows; previews and lint keep nothing; what the console asks for is S3's and S4's to
    write, and a simulator's trouble nobody's.
    """
    posted = {(each.service, each.path) for each in ENDPOINTS if each.method == "POST" and not each.act}
    none = {(service, path) for service, path in posted if (service, path[:6]) != (Service.CONSOLE, "/acts/")}

    assert none == {
        (Service.S4, "/orders/preview"), (Service.S3, "/decide"), (Service.S3, "/decide/batch"),
        (Service.S3, "/bundles/lint"), (Service.CONSOLE, "/login"), (Service.CONSOLE, "/logout"),
    }  # fmt: skip


async def test_on_loopback_without_tokens_acts_are_written_and_orders_are_not(doors: Doors) -> None:
    ledger = Shaky()
    ledger.away = True
    async with doors.client(Service.S4, book=None, trail=Trail(ledger, doors.clock)) as client:
        answer = await client.post("/arm", json={"scope": "global", "name": "", "by": "me", "reason": "x"})
        ledger.away = False
        await client.post("/kill", json=KILL)
        await client.post("/orders", json={})
    entries = await written(ledger)

    assert answer.status_code != 503, "nothing waits for the trail there"
    assert [(each["act"], each["who"]) for each in entries] == [("arm", "loopback"), ("kill", "loopback")]


async def test_a_kill_waits_for_no_ledger_and_arming_does(doors: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trails, "AGAIN_S", 0.0)
    ledger = Shaky()
    trail = Trail(ledger, doors.clock)
    ledger.away = True
    monkeypatch.setattr(doors.router, "arm", None)  # asked all the same, it would be an error of ours
    async with doors.client(Service.S4, trail=trail) as client:
        killed = await client.post("/kill", json=KILL, headers=bearer("trade"))
        armed = await client.post(
            "/arm", json={"scope": "global", "name": "", "by": "me", "reason": "x"}, headers=bearer("admin")
        )
    ledger.away = False
    await all_written(trail)
    entries = await written(ledger)

    assert killed.status_code < 300
    assert (armed.status_code, armed.json()["code"]) == (503, "STORE_DOWN")
    assert [(each["act"], each["status"]) for each in entries] == [("kill", killed.status_code)]


async def test_what_was_sent_does_nothing_to_a_terminal(
    doors: Doors, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = await SqliteLedger.open(tmp_path / "s4.sqlite")
    async with doors.client(Service.S4, trail=Trail(ledger, doors.clock)) as client:
        await client.post("/orders/%1b[2J/pause", headers=bearer("trade"))
    await ledger.close()

    trail_verb.show([tmp_path / "s4.sqlite"], 10, "", False)
    said = capsys.readouterr().out

    assert "/orders/?[2J/pause" in said
    assert "\x1b" not in said


async def test_an_entry_whose_answer_was_lost_is_written_once(doors: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trails, "AGAIN_S", 0.0)
    ledger = Shaky()
    trail = Trail(ledger, doors.clock)
    async with doors.client(Service.S4, trail=trail) as client:
        ledger.lost = True
        await client.post("/kill", json=KILL, headers=bearer("trade"))
        await client.post("/kill", json=KILL, headers=bearer("admin"))
    await all_written(trail)

    entries = await written(ledger)
    assert [each["who"] for each in entries] == ["trade", "admin"]
    assert verify(entries).faults == ()


async def test_an_entry_that_cannot_be_written_holds_up_no_other(doors: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = MemoryLedger()
    insert, broken = ledger.insert, [True]

    async def inserting(collection: str, key: str, document: Any) -> bool:
        if broken:
            broken.pop()
            raise ValueError("nobody thought of this")
        return await insert(collection, key, document)

    monkeypatch.setattr(ledger, "insert", inserting)
    async with doors.client(Service.S4, trail=Trail(ledger, doors.clock)) as client:
        told = [
            (await client.post("/kill", json=KILL, headers=bearer(word))).status_code for word in ("trade", "operate")
        ]
    entries = await written(ledger)

    assert told == [told[0]] * 2
    assert [each["who"] for each in entries] == ["operate"]
    assert verify(entries).faults == ()


async def test_the_chain_goes_on_after_a_restart(doors: Doors) -> None:
    ledger = MemoryLedger()
    for _ in range(3):
        async with doors.client(Service.S4, trail=Trail(ledger, doors.clock)) as client:
            await client.post("/kill", json=KILL, headers=bearer("trade"))
    entries = await written(ledger)

    assert [each["seq"] for each in entries] == [1, 2, 3]
    assert verify(entries).faults == ()


# ── what may be done to it ──


@pytest.mark.req("I31")
@given(st.data())
def test_any_change_removal_or_reordering_is_found(data: st.DataObject) -> None:
    entries, head = a_chain(data.draw(st.integers(2, 8)))
    at = data.draw(st.integers(0, len(entries) - 1))
    other = data.draw(st.integers(0, len(entries) - 1).filter(lambda found: found != at))

    def changed(rows: Entries) -> Entries:
        name = data.draw(st.sampled_from(sorted(rows[at])))
        value = "0" * 64 if isinstance(rows[at][name], str) else rows[at][name] + 1
        if value == rows[at][name]:  # what the first has before it
            value = "1" * 64
        return [*rows[:at], {**rows[at], name: value}, *rows[at + 1 :]]

    def removed(rows: Entries) -> Entries:
        return [*rows[:at], *rows[at + 1 :]]

    def swapped(rows: Entries) -> Entries:
        rows = rows[:]
        rows[at], rows[other] = rows[other], rows[at]
        return rows

    def doubled(rows: Entries) -> Entries:
        return [*rows[:at], rows[at], *rows[at:]]

    def put_in(rows: Entries) -> Entries:
        return [*rows[:at], {**rows[at], "who": "mallory"}, *rows[at:]]

    def less(rows: Entries) -> Entries:
        return [*rows[:at], {name: value for name, value in rows[at].items() if name != "who"}, *rows[at + 1 :]]

    def forged(rows: Entries) -> Entries:
        """One alone, with a hash that is right for what it says now."""
        content = {name: value for name, value in rows[at].items() if name not in ("seq", "prev", "hash")}
        before = Head(seq=at, hash=rows[at]["prev"])
        return [*rows[:at], linked({**content, "who": "mallory"}, before)[0], *rows[at + 1 :]]

    does: Callable[[Entries], Entries] = data.draw(
        st.sampled_from([changed, removed, swapped, doubled, put_in, less, forged])
    )
    assert verify(entries, head).faults == ()
    assert verify(does(entries), head).faults != ()


def test_a_chain_made_anew_is_found_by_a_head_that_was_kept() -> None:
    entries, head = a_chain(4)
    forged, now = [], Head()
    for entry in entries:
        content = {name: value for name, value in entry.items() if name not in ("seq", "prev", "hash")}
        made, now = linked({**content, "who": "nobody"}, now)
        forged.append(made)

    assert verify(forged).faults == ()
    assert verify(forged, head).faults != ()
    assert verify(entries[:3]).faults == ()
    assert verify(entries[:3], head).faults != ()
    assert verify([*entries, linked({"id": "later"}, head)[0]], head).faults == (), "a head of before is still in it"


# ── the verb, on a real ledger ──


@pytest.fixture
def ledger_file(tmp_path: Path, doors: Doors) -> Path:
    path = tmp_path / "s4.sqlite"

    async def fill() -> None:
        ledger = await SqliteLedger.open(path)
        async with doors.client(Service.S4, trail=Trail(ledger, HandClock())) as client:
            for word in ("trade", "admin", "operate"):
                await client.post("/kill", json=KILL, headers=bearer(word))
        await ledger.close()

    asyncio.run(fill())
    return path


def verified(path: Path | None = None, *more: str) -> tuple[int, dict[str, Any]]:
    """Of this file, else of what the settings name."""
    of = [] if path is None else ["--ledger", str(path)]
    done = CliRunner().invoke(cli, ["audit", "verify", *of, "--json", *more])
    return done.exit_code, json.loads(done.stdout.splitlines()[0])


@pytest.mark.req("I31")
@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE rows SET body = replace(body, 'admin', 'nobody') WHERE collection = 'audit'",
        "DELETE FROM rows WHERE collection = 'audit' AND key = '000000000002'",
        "DELETE FROM rows WHERE collection = 'audit' AND key = '000000000003'",
        "UPDATE rows SET number = 1000 - number WHERE collection = 'audit'",
        "DELETE FROM rows WHERE collection = 'audit'",
    ],
    ids=["changed", "one-taken-out", "the-last-cut-off", "reordered", "emptied"],
)
def test_what_was_done_to_a_ledgers_file_is_found_by_the_verb(ledger_file: Path, sql: str) -> None:
    code, whole = verified(ledger_file)
    assert (code, whole["whole"], whole["ledgers"][0]["entries"]) == (0, True, 3)
    with sqlite3.connect(ledger_file) as db:
        assert db.execute(sql).rowcount
    db.close()

    code, broken = verified(ledger_file)

    assert (code, broken["whole"]) == (1, False)
    assert broken["ledgers"][0]["faults"]


@pytest.mark.req("I31")
async def test_a_life_that_begins_is_in_the_chain_before_what_was_done_in_it(
    doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the ledger was away then: whoever protects did not wait for it."""
    monkeypatch.setattr(trails, "AGAIN_S", 0)
    ledger = Shaky()
    ledger.away = True
    trail = Trail(ledger, doors.clock)
    trail.begins(Life(service=Service.S4, name="s4-1f", build="0.1.0+aa", environment="sim", fence=7))
    async with doors.client(Service.S4, trail=trail) as client:
        await client.post("/kill", json=KILL, headers=bearer("trade"))
        assert await written(ledger) == []
        ledger.away = False
        await all_written(trail)
    began, killed = await written(ledger)

    assert [began[name] for name in ("service", "who", "act", "build", "environment", "fence")] == [
        "s4", "s4-1f", "began", "0.1.0+aa", "sim", 7,
    ]  # fmt: skip
    assert killed["act"] == "kill"
    assert verify([began, killed]).faults == ()
    assert trail_verb._line(began).endswith("s4 s4-1f began to act on sim: build 0.1.0+aa, fence 7")


@pytest.mark.req("I31")
async def test_the_chain_in_a_database_that_the_settings_name_is_read_too(
    doors: Doors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # no ledger of a file is here
    async with stub_with_layout() as stub:
        ledger = await ArangoLedger.open(address_at(stub))
        async with doors.client(Service.S4, trail=Trail(ledger, doors.clock)) as client:
            for word in ("trade", "admin", "operate"):
                await client.post("/kill", json=KILL, headers=bearer(word))
        for name, value in {"URI": f"{stub.url}/chimera", "USER": USER, "PASS": PASSWORD}.items():
            monkeypatch.setenv(f"S4_DB_ARANGO_{name}", value)

        code, whole = await asyncio.to_thread(verified)
        assert (code, whole["whole"], whole["ledgers"][0]["entries"]) == (0, True, 3)
        assert PASSWORD not in json.dumps(whole)
        shown = await asyncio.to_thread(CliRunner().invoke, cli, ["audit", "show", "--newest", "1"])
        assert shown.stdout.count("kill /kill") == 1

        [second] = (await ledger.page(keys.AUDIT, after=0, limit=3))[1:2]
        await ledger.put(keys.AUDIT, key_of(2), second.document | {"who": "nobody"})
        code, broken = await asyncio.to_thread(verified)
        await ledger.close()

    assert (code, broken["whole"]) == (1, False)
    assert "entry 2 was changed after it was written" in broken["ledgers"][0]["faults"]


def test_a_head_kept_elsewhere_is_asked_for(ledger_file: Path) -> None:
    head = verified(ledger_file)[1]["ledgers"][0]["head"]

    assert verified(ledger_file, "--head", head)[0] == 0
    assert verified(ledger_file, "--head", head[:-1] + ("0" if head[-1] != "0" else "1"))[0] == 1


def test_the_trail_is_shown_and_a_runs_summary_is_still_a_files(ledger_file: Path, tmp_path: Path) -> None:
    shown = CliRunner().invoke(cli, ["audit", "show", "--ledger", str(ledger_file), "--who", "admin"])
    assert shown.exit_code == 0
    assert "s4 admin from 127.0.0.1: kill /kill -> 20" in shown.stdout
    empty = tmp_path / "audit.jsonl"
    empty.write_text("")
    for words in ([str(empty)], ["summary", str(empty)], ["--json", str(empty)], [str(empty), "--json"]):
        assert CliRunner().invoke(cli, ["audit", *words]).exit_code == 0, words
