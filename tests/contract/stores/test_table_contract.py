"""What every bus promises of lines beside a snapshot (``ports.streams.Tables``), on each adapter."""

import asyncio
from itertools import pairwise
from typing import Any

import pytest

from chimera.ports.streams import Bus, Table
from chimera.wire import keys

pytestmark = pytest.mark.req("S3-L0-3")

LONG_MS = 60_000


async def test_a_line_stands_beside_its_snapshot_until_it_is_lifted(bus: Bus, fresh: str) -> None:
    assert await bus.table(fresh) == Table(snapshot=None, lines={})
    await bus.put(fresh, b"{}")
    await bus.lay(fresh, {"a": b"1 \x00 \xff", "b": b""}, ttl_ms=LONG_MS)
    table = await bus.lay(fresh, {"a": b"2"}, ttl_ms=LONG_MS)

    assert table == Table(snapshot=b"{}", lines={"a": b"2", "b": b""})
    assert await bus.table(fresh) == table
    await bus.lift(fresh, ["a", "nobody"])
    await bus.lift(fresh, [])
    assert await bus.table(fresh) == Table(snapshot=b"{}", lines={"b": b""})


async def test_a_line_goes_by_itself_unless_it_is_laid_again(line: Any, fresh: str) -> None:
    await line.bus.lay(fresh, {"short": b"s", "kept": b"k"}, ttl_ms=150)
    await line.bus.lay(fresh, {"long": b"l"}, ttl_ms=LONG_MS)
    await line.bus.lay(fresh, {"kept": b"k"}, ttl_ms=LONG_MS)
    await line.wait(200)
    assert (await line.bus.table(fresh)).lines == {"long": b"l", "kept": b"k"}
    await line.bus.lay(fresh, {"short": b"again"}, ttl_ms=LONG_MS)
    assert (await line.bus.table(fresh)).lines == {"long": b"l", "kept": b"k", "short": b"again"}


async def test_the_last_line_takes_the_table_with_it(line: Any, fresh: str) -> None:
    await line.bus.lay(fresh, {"a": b"1"}, ttl_ms=100)
    await line.wait(150)
    assert (await line.bus.table(fresh)).lines == {}


async def test_of_two_who_lay_at_once_the_second_sees_the_first(line: Any, fresh: str) -> None:
    """Any number of writers, any order: their tables are the beginnings of one order."""
    other = line.another()
    names = [f"w{n}" for n in range(12)]
    for bus in (line.bus, other):  # connected, each
        await bus.table(fresh)
    tables = await asyncio.gather(
        *((other if n % 2 else line.bus).lay(fresh, {name: b"x"}, ttl_ms=LONG_MS) for n, name in enumerate(names))
    )

    seen = sorted((set(table.lines) for table in tables), key=len)
    assert [len(each) for each in seen] == list(range(1, 13))
    assert all(fewer < more for fewer, more in pairwise(seen))
    assert all(name in table.lines for name, table in zip(names, tables, strict=True))


async def test_tables_of_two_accounts_are_two(bus: Bus, fresh: str) -> None:
    one, two = keys.risk_budget_key(fresh), keys.risk_budget_key(fresh + "-b")
    await bus.lay(one, {"a": b"1"}, ttl_ms=LONG_MS)
    assert (await bus.table(two)).lines == {}
