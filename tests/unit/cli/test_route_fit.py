"""``chimera route fit`` on a ledger as S4 leaves it: what rested becomes a table that S4 reads."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from chimera.adapters.embedded.ledger import SqliteLedger
from chimera.cli.main import app
from chimera.wire import keys
from chimera.wire.route_table import read_route_table
from support.tca_rows import T0, book, child, fill, parent

RUN = CliRunner()
ROWS = [
    {"notional_usdt_max": 200, "maker_wait_ms": 1500, "twap": {"slices": 1, "gap_ms": 0}},
    {"notional_usdt_max": 500, "maker_wait_ms": 2000, "twap": {"slices": 2, "gap_ms": 600}},
]


def _intent(number: int) -> list[tuple[str, str, dict[str, Any]]]:
    """Two of three rest for 700 to 1,500 ms and fill; the others are given up at 1,500, and all of it is taken."""
    name, at_ms = f"i{number:03d}", T0 + number * 2_000
    filled, waited = number % 3 > 0, 700 + number * 7 % 800
    over = at_ms + (waited if filled else 1_500)
    told = book("99.99", "100.01")
    of = (
        {"price": "99.99", "maker": True, "ref": f"{name}-m1"}
        if filled
        else {"price": "100.01", "mid_at_send": "100.01"}
    )
    return [
        (keys.ORDERS, name, parent(
            name, accepted_ms=at_ms, done_ms=over, children=[{"client_order_id": f"{name}-m1", "book_top3": told}]
        )),
        (keys.ORDERS, f"{name}-m1", child(
            f"{name}-m1", name, created_ms=at_ms, at_ms=over, price="99.99", status="FILLED" if filled else "CANCELED"
        )),
        (keys.FILLS, f"{name}-f", fill(name, name, at_ms=over, book_top3=told, **of)),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("learned")

    async def written(path: Path) -> None:
        store = await SqliteLedger.open(path)
        try:
            rows = [row for number in range(540) for row in _intent(number)]
            await asyncio.gather(*(store.put(collection, key, document) for collection, key, document in rows))
        finally:
            await store.close()

    asyncio.run(written(folder / "s4.sqlite"))
    return folder / "s4.sqlite"


def asked(ledger: Path, table: Path, *words: str) -> dict[str, Any]:
    files = ["--ledger", str(ledger), "--table", str(table)]
    done = RUN.invoke(app, ["route", "fit", *files, "--days", "100000", "--json", *words])
    assert done.exit_code == 0, done.output
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.mark.req("S4-ROUTE-11")
def test_what_rested_becomes_a_proposal_and_only_what_is_confirmed_goes_ahead(ledger: Path, tmp_path: Path) -> None:
    """Of 540 waits 360 filled, nothing was lost by it, and the last of them late: longer is better."""
    file = tmp_path / "route.json"
    file.write_text(json.dumps(ROWS), encoding="utf-8")
    told = asked(ledger, file)
    small, large = told["fit"]["rows"]

    assert (small["trials"], small["fills"], small["wait_ms"]) == (540, 360, 1_500)
    assert small["proposed_ms"] == 1_900
    assert (large["trials"], large["proposed_ms"]) == (0, 2_000)
    assert not told["in_force"]
    assert json.loads(file.read_bytes()) == ROWS, "S4 goes on with what it has"

    told = asked(ledger, file, "--auto")

    assert (told["in_force"], told["rev"]) == (True, 2)
    table = read_route_table(file.read_bytes())
    assert [row.maker_wait_ms for row in table.rows] == [1_900, 2_000]


def test_orders_of_another_market_are_not_learned_from(ledger: Path, tmp_path: Path) -> None:
    told = asked(ledger, tmp_path / "route.json", "--of", "SPOT", "--maker-bps", "10", "--taker-bps", "10")

    assert [(row["trials"], row["wait_ms"]) for row in told["fit"]["rows"]] == [(0, 0)] * 3, "as the fees say"
    assert not told["moves"]
    assert not told["in_force"]


def test_a_table_without_a_log_has_no_moment(tmp_path: Path) -> None:
    """When it came into force nobody knows: the moment of asking is not it."""
    told = RUN.invoke(app, ["route", "show", "--table", str(tmp_path / "route.json")])

    assert told.stdout.startswith("rev 2  before the log: ")
