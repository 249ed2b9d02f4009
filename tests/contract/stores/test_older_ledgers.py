"""The ledgers of earlier versions, as their own programs wrote them: opened, carried up, and traded on.

One dump for each ``schema_version``: ``v1`` by the tree of 19c7933 (layout 1), ``v2`` by the one that added these tests
(layout 3). Each holds a long with its stop, an intent in two slices whose first rests, a claim, and rows of all of it.
Whoever raises ``SCHEMA_VERSION`` writes the next with the program of before.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from chimera.adapters.embedded import schema
from chimera.adapters.embedded.ledger import SqliteLedger
from chimera.ports.ledger import Claim
from chimera.services import copies
from chimera.services.copies import Whose
from chimera.trading.commands import Ask, Place
from chimera.trading.execution import Phase
from chimera.trading.facts import Restarted
from chimera.trading.ids import DEFAULT_ACCOUNT, IntentId
from chimera.trading.order import Role, Status
from chimera.wire import keys
from chimera.wire.codec import SCHEMA_VERSION
from support.desk import KEY, T0, Desk

DUMPS: Final = Path(__file__).resolve().parents[2] / "fixtures" / "ledgers"
VERSIONS: Final = range(1, SCHEMA_VERSION + 1)

pytestmark = pytest.mark.req("LED-3")


@pytest.fixture(params=VERSIONS)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "s4.sqlite"
    with closing(sqlite3.connect(path)) as db:
        db.executescript((DUMPS / f"v{request.param}.sql").read_text(encoding="utf-8"))
    return path


def test_every_version_that_was_released_has_its_ledger_here() -> None:
    assert sorted(path.stem for path in DUMPS.glob("*.sql")) == [f"v{version}" for version in VERSIONS]


async def test_a_ledger_of_then_is_opened_twice_and_read_whole(old: Path) -> None:
    for _ in range(2):
        ledger = await SqliteLedger.open(old)
        stored = await ledger.load(KEY)
        rows = {name: await ledger.page(name, after=0, limit=1_000) for name in keys.COLLECTIONS}
        claim = Claim(id="intent:i1", intent_id=IntentId("other"), body_hash="x", at_ms=T0)
        first = await ledger.claim(claim)
        await ledger.close()

        assert layout_of(old) == len(schema.LAYOUTS)
        assert stored is not None
        assert stored.holding.position.qty > 0
        assert (first.intent_id, first.body_hash) == ("i1", "h")
        assert {row.document["kind"] for row in rows[keys.ORDERS]} == {"PARENT", "CHILD"}
        assert len(rows[keys.FILLS]) == 1


async def test_what_it_holds_is_traded_on(old: Path) -> None:
    """After a start the resting slice is asked for; the stop stands; the second slice leaves at its own time."""
    ledger = await SqliteLedger.open(old)
    stored = await ledger.load(KEY)
    assert stored is not None
    desk = Desk()
    desk.holding = stored.holding
    resting = next(order for order in desk.holding.orders.values() if order.role is Role.MAKER)
    desk.hear(Restarted())

    assert resting.ref in [each.order.ref for each in desk.told if isinstance(each, Ask)]
    assert desk.holding.orders[resting.ref].status in (Status.IN_DOUBT, Status.NEW)
    assert desk.holding.covered_qty == desk.holding.position.qty
    assert not [each for each in desk.told if isinstance(each, Place)]
    assert desk.holding.intents[IntentId("i2")].phase is Phase.WORKING

    fence = await ledger.fence(KEY, "s4-router")
    assert await ledger.save(desk.holding, rev=stored.rev, fence=fence) == stored.rev + 1
    again = await ledger.load(KEY)
    assert again is not None
    assert again.holding == desk.holding
    await ledger.close()


@pytest.mark.req("LED-4")
async def test_a_copy_of_it_is_put_back_by_this_version(old: Path, tmp_path: Path) -> None:
    file, to = tmp_path / "b.tar", tmp_path / "new" / "s4.sqlite"
    whose = Whose(account=DEFAULT_ACCOUNT, environment="sim")
    copies.make(file, {"s4": old}, whose)
    copies.put_back(file, {"s4": to}, whose, confirm=None)
    ledger = await SqliteLedger.open(to)
    stored, row = await ledger.load(KEY), await ledger.get(keys.CONTROLS, keys.restored_row(DEFAULT_ACCOUNT))
    await ledger.close()

    assert stored is not None
    assert row is not None


def layout_of(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute("PRAGMA user_version").fetchone()[0])
