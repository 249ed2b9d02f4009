"""Ledgers in one file and back: of one moment while they run, whole or refused, and never where they do not belong."""

import asyncio
import json
import os
import sqlite3
import stat
import tarfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from chimera.adapters.embedded import schema
from chimera.adapters.embedded.ledger import SqliteLedger
from chimera.cli.main import app
from chimera.services import copies
from chimera.services.copies import Whose
from chimera.trading.errors import NewerSchema, Refused, StoreUnavailable
from chimera.trading.ids import DEFAULT_ACCOUNT
from chimera.wire import keys

pytestmark = [pytest.mark.slow, pytest.mark.req("LED-4")]

SIM = Whose(account=DEFAULT_ACCOUNT, environment="sim")


@pytest.fixture
def ledgers(tmp_path: Path) -> dict[str, Path]:
    return {name: tmp_path / f"{name}.sqlite" for name in copies.ORDER}


async def filled(path: Path, *rows: str) -> None:
    ledger = await SqliteLedger.open(path)
    for row in rows:
        await ledger.put(keys.ORDERS, row, {"n": row})
    await ledger.close()


async def rows_of(path: Path, collection: str = keys.ORDERS) -> list[Any]:
    ledger = await SqliteLedger.open(path)
    try:
        return [row.document for row in await ledger.page(collection, after=0, limit=100_000)]
    finally:
        await ledger.close()


@pytest.fixture
async def backup(tmp_path: Path, ledgers: dict[str, Path]) -> Path:
    """Of both, with one order each."""
    for path in ledgers.values():
        await filled(path, "a")
    file = tmp_path / "backup.tar"
    copies.make(file, ledgers, SIM)
    return file


async def test_nothing_to_copy_is_no_backup(tmp_path: Path, ledgers: dict[str, Path]) -> None:
    """From another folder the settings name files that are not there: an empty copy would say that all is well."""
    file = tmp_path / "b.tar"
    with pytest.raises(Refused, match="nothing here to copy") as no:
        copies.make(file, ledgers, SIM)
    assert (no.value.field, "s4.sqlite" in str(no.value.value), "S4_LEDGER_PATH" in str(no.value.accepted)) == (
        "ledgers", True, True,
    )  # fmt: skip
    assert not file.exists()
    with pytest.raises(StoreUnavailable, match="there is no file"):
        copies.check(file)


async def test_a_ledger_that_is_not_there_is_named(tmp_path: Path, ledgers: dict[str, Path]) -> None:
    await filled(ledgers["s4"], "a")
    told = CliRunner().invoke(app, ["backup", str(tmp_path / "b.tar"), "--state", str(tmp_path)])
    assert told.exit_code == 0
    assert f"s3: not in it, there is no ledger at {tmp_path / 's3.sqlite'}" in told.stdout


@pytest.mark.parametrize("shared", [False, True])
async def test_a_copy_of_a_ledger_that_is_being_written_is_of_one_moment(tmp_path: Path, shared: bool) -> None:
    """Rows are numbered as they are written: whatever is in it, everything before that is, too."""
    path, file = tmp_path / "s4.sqlite", tmp_path / "b.tar"
    ledger = await SqliteLedger.open(path, shared=shared)
    await ledger.put(keys.ORDERS, "o-0", {"n": 0})
    writing = asyncio.create_task(write_on(ledger))
    manifest = await asyncio.to_thread(copies.make, file, {"s4": path}, SIM)
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    total = len(await ledger.page(keys.ORDERS, after=0, limit=100_000))
    await ledger.close()
    copies.put_back(file, {"s4": tmp_path / "other" / "s4.sqlite"}, SIM, confirm=None)
    numbers = [row["n"] for row in await rows_of(tmp_path / "other" / "s4.sqlite")]

    assert 0 < len(numbers) <= total
    assert numbers == list(range(len(numbers)))
    assert [copy.service for copy in manifest.copies] == ["s4"]


async def write_on(ledger: SqliteLedger) -> None:
    for number in range(1, 100_000):
        await ledger.put(keys.ORDERS, f"o-{number}", {"n": number})


def test_what_it_says_of_itself_has_no_secret_and_is_for_its_owner_alone(
    backup: Path, ledgers: dict[str, Path]
) -> None:
    with tarfile.open(backup) as tar:
        names = tar.getnames()
        told = tar.extractfile("manifest.json").read()  # type: ignore[union-attr]  # it is a file
    manifest = json.loads(told)

    assert names == ["manifest.json", "s4.sqlite", "s3.sqlite"]
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert manifest["whose"] == {"account": "main", "environment": "sim"}
    assert [copy["layout"] for copy in manifest["copies"]] == [len(schema.LAYOUTS)] * 2
    assert copies.key_mark("secret-key") not in ("", "secret-key")
    assert copies.key_mark("") == ""
    with pytest.raises(StoreUnavailable, match="there already"):
        copies.make(backup, ledgers, SIM)


@pytest.mark.parametrize("where", ["a byte of a ledger", "its end", "its beginning", "another program's"])
def test_a_file_that_is_not_as_it_was_written_is_refused(backup: Path, ledgers: dict[str, Path], where: str) -> None:
    content = bytearray(backup.read_bytes())
    with tarfile.open(backup) as tar:
        begins = tar.getmember("s4.sqlite").offset_data
    if where == "a byte of a ledger":
        content[begins + 5_000] ^= 1
    elif where == "its end":
        del content[begins + 5_000 :]
    elif where == "its beginning":
        content[:4] = b"oops"
    else:
        content[:] = b"not a tar at all"
    backup.write_bytes(content)
    before = {path: path.read_bytes() for path in ledgers.values()}

    with pytest.raises(StoreUnavailable):
        copies.check(backup)
    with pytest.raises(StoreUnavailable):
        copies.put_back(backup, ledgers, SIM, confirm="x")
    assert {path: path.read_bytes() for path in ledgers.values()} == before


def test_a_file_of_a_newer_program_is_refused(backup: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "FORMAT", 0)
    with pytest.raises(NewerSchema):
        copies.check(backup)


async def test_over_a_ledger_it_wants_a_word_and_keeps_what_was_there(backup: Path, ledgers: dict[str, Path]) -> None:
    await filled(ledgers["s4"], "b")
    with pytest.raises(Refused) as first:
        copies.put_back(backup, ledgers, SIM, confirm=None)
    assert first.value.code == "CONFIRM"
    assert "s4's ledger" in first.value.message
    with pytest.raises(Refused):
        copies.put_back(backup, ledgers, SIM, confirm="guess")
    manifest, kept = copies.put_back(backup, ledgers, SIM, confirm=str(first.value.accepted))

    assert [row["n"] for row in await rows_of(ledgers["s4"])] == ["a"]
    assert [row["n"] for row in await rows_of(Path(kept[str(ledgers["s4"])]))] == ["a", "b"]
    [note] = [row for row in await rows_of(ledgers["s4"], keys.CONTROLS) if "backup_ms" in row]
    assert note["backup_ms"] == manifest.at_ms < note["at_ms"]  # type: ignore[operator]  # both are numbers
    assert await rows_of(ledgers["s3"], keys.CONTROLS) == []


async def test_a_word_for_a_ledger_that_was_written_since_is_another(backup: Path, ledgers: dict[str, Path]) -> None:
    with pytest.raises(Refused) as first:
        copies.put_back(backup, ledgers, SIM, confirm=None)
    await filled(ledgers["s4"], "c")
    os.utime(ledgers["s4"], ns=(1, 1))
    with pytest.raises(Refused):
        copies.put_back(backup, ledgers, SIM, confirm=str(first.value.accepted))


async def test_never_under_a_process_that_has_it(backup: Path, ledgers: dict[str, Path]) -> None:
    ledger = await SqliteLedger.open(ledgers["s4"])
    with pytest.raises(StoreUnavailable, match="in use by process"):
        copies.put_back(backup, ledgers, SIM, confirm="any")
    await ledger.close()


@pytest.mark.parametrize("other", [SIM.but(environment="live"), SIM.but(account="second"), SIM.but(environment="demo")])
def test_never_into_another_account_or_environment(backup: Path, tmp_path: Path, other: Whose) -> None:
    with pytest.raises(Refused) as no:
        copies.put_back(backup, {"s4": tmp_path / "new" / "s4.sqlite"}, other, confirm="x")
    assert no.value.code == "OTHER_ACCOUNT"


async def test_another_key_of_the_account_wants_a_word(tmp_path: Path, ledgers: dict[str, Path]) -> None:
    await filled(ledgers["s4"], "a")
    file = tmp_path / "k.tar"
    copies.make(file, {"s4": ledgers["s4"]}, SIM.but(key_mark=copies.key_mark("one")))
    to = {"s4": tmp_path / "new" / "s4.sqlite"}
    with pytest.raises(Refused, match="API key"):
        copies.put_back(file, to, SIM.but(key_mark=copies.key_mark("two")), confirm=None)
    copies.put_back(file, to, SIM.but(key_mark=copies.key_mark("one")), confirm=None)
    assert to["s4"].exists()


def test_an_older_layout_is_brought_up_as_it_is_put_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / "s4.sqlite"
    with monkeypatch.context() as before:
        before.setattr(schema, "LAYOUTS", schema.LAYOUTS[:1])
        schema.connect_writer(old).close()
    file, to = tmp_path / "b.tar", {"s4": tmp_path / "new" / "s4.sqlite"}
    manifest = copies.make(file, {"s4": old}, SIM)
    copies.put_back(file, to, SIM, confirm=None)

    assert manifest.copies[0].layout == 1
    with closing(sqlite3.connect(to["s4"])) as db:
        assert db.execute("PRAGMA user_version").fetchone()[0] == len(schema.LAYOUTS)


async def test_the_two_verbs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S4_FUT_URL", "http://127.0.0.1:9020")
    state, file = tmp_path / "state", tmp_path / "b.tar"
    await filled(state / "s4.sqlite", "a")

    def run(*words: str) -> tuple[int, Any]:
        result = CliRunner().invoke(app, [*words, "--json"])
        return result.exit_code, json.loads(result.stdout.splitlines()[0]) if result.stdout else None

    made = await asyncio.to_thread(run, "backup", str(file), "--state", str(state))
    looked = await asyncio.to_thread(run, "backup", "--check", str(file))
    first = await asyncio.to_thread(run, "restore", str(file), "--state", str(state), "--only", "s4")
    words = ("restore", str(file), "--state", str(state), "--only", "s4", "--confirm", str(first[1]["accepted"]))
    second = await asyncio.to_thread(run, *words)
    neither = await asyncio.to_thread(run, "restore")

    assert made[0] == looked[0] == second[0] == 0
    assert made[1]["manifest"] == looked[1]["manifest"]
    assert (first[0], first[1]["code"]) == (4, "CONFIRM")
    assert second[1]["restored"] == ["s4"]
    assert neither[0] == 4


async def test_a_ledger_that_another_tool_put_back_is_marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "s4.sqlite"
    monkeypatch.setenv("S4_LEDGER_PATH", str(path))
    told = await asyncio.to_thread(CliRunner().invoke, app, ["restore", "--dumped-at", "2026-11-22T01:00:00Z"])
    wrong = await asyncio.to_thread(CliRunner().invoke, app, ["restore", "--dumped-at", "yesterday"])

    assert (told.exit_code, wrong.exit_code) == (0, 4)
    [note] = await rows_of(path, keys.CONTROLS)
    assert note["backup_ms"] == 1_795_309_200_000
