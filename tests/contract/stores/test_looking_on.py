"""A ledger's file read beside its owner: one moment of it, nothing written, nothing of another program believed."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from chimera.adapters.embedded import schema
from chimera.adapters.embedded.ledger import SqliteLedger
from chimera.adapters.embedded.looking_on import AT_A_TIME, LookingOn
from chimera.trading.errors import NewerSchema, StoreUnavailable


async def test_rows_are_read_in_order_while_the_owner_writes(tmp_path: Path) -> None:
    path = tmp_path / "s4.sqlite"
    owner = await SqliteLedger.open(path)
    try:
        for number in range(AT_A_TIME + 5):
            await owner.put("signals" if number else "fills", f"k{number}", {"number": number})
        with LookingOn(path) as ledger:
            first = [row["number"] for row in ledger.documents("signals")]
            await owner.put("signals", "later", {"number": -1})
            again = [row["number"] for row in ledger.documents("signals")]
        with LookingOn(path) as ledger:
            assert sum(1 for _ in ledger.documents("signals")) == len(first) + 1
            assert list(ledger.documents("fills")) == [{"number": 0}]
    finally:
        await owner.close()

    assert first == again == list(range(1, AT_A_TIME + 5))


async def test_a_ledger_that_was_closed_is_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "s4.sqlite"
    owner = await SqliteLedger.open(path)
    await owner.put("signals", "k", {"number": 1})
    await owner.close()
    before = path.read_bytes()

    with LookingOn(path) as ledger:
        assert list(ledger.documents("signals")) == [{"number": 1}]
        with pytest.raises(sqlite3.OperationalError):
            ledger._db.execute("DELETE FROM rows")
    assert path.read_bytes() == before


def test_what_is_no_ledger_of_ours_is_refused(tmp_path: Path) -> None:
    other, newer = tmp_path / "other.sqlite", tmp_path / "newer.sqlite"
    for path, pragma in ((other, "user_version = 1"), (newer, f"application_id = {schema.APPLICATION_ID}")):
        with sqlite3.connect(path) as db:
            db.execute(f"PRAGMA {pragma}")
            db.execute("CREATE TABLE rows (number INTEGER)")
    with sqlite3.connect(newer) as db:
        db.execute(f"PRAGMA user_version = {len(schema.LAYOUTS) + 1}")

    with pytest.raises(StoreUnavailable, match="not a Chimera ledger"):
        LookingOn(other)
    with pytest.raises(NewerSchema, match="newer than"):
        LookingOn(newer)
    with pytest.raises(StoreUnavailable, match="cannot be read"):
        LookingOn(tmp_path / "nowhere.sqlite")


async def test_who_looks_on_keeps_no_router_that_shares_the_ledger_from_writing(tmp_path: Path) -> None:
    """Such a file has no write-ahead log: for as long as a report or the daily fit read, no entry could leave."""
    path = tmp_path / "s4.sqlite"
    ledger = await SqliteLedger.open(path, shared=True)
    await asyncio.gather(*(ledger.put("fills", f"f{number}", {"number": number}) for number in range(AT_A_TIME + 5)))
    with LookingOn(path) as looking:
        found = looking.documents("fills")
        seen = [next(found)["number"]]
        await ledger.put("fills", "meanwhile", {"number": -1})
        seen += [row["number"] for row in found]
    await ledger.close()

    assert seen == [*range(AT_A_TIME + 5), -1]
