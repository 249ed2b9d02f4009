"""``chimera report``: pages are asked for to the end, and profit and loss of several pages is added up."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from typer.testing import CliRunner

from chimera.cli.main import app
from chimera.client import RouterClient
from chimera.reconcile.cash import of_income
from chimera.reconcile.pnl import By, Line
from chimera.services.router.cash_desk import line_row
from chimera.trading.ids import AccountId
from chimera.trading.market import Market
from chimera.trading.money import Millis
from chimera.trading.venue import Income
from chimera.wire.answers import exact
from chimera.wire.cash import entry_document

pytestmark = pytest.mark.req("LED-2")

T0 = Millis(1_795_000_000_000)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, str]]]:
    """Two pages of each."""
    seen: list[tuple[str, dict[str, str]]] = []

    async def report(client: RouterClient, path: str, query: Mapping[str, str]) -> dict[str, Any]:
        seen.append((path, dict(query)))
        first = "cursor" not in query
        row = Income(id=f"TRANSFER:{len(seen)}", kind="TRANSFER", amount=Decimal("1.5"), asset="USDT", at_ms=T0)
        entry = of_income(AccountId("main"), Market.FUT, row)
        line = Line(
            key="s3", asset="USDT", market=Market.FUT, realized=Decimal("1.25"), fees=Decimal("-0.5"), trades=2,
            first_ms=Millis(T0 + len(seen)), last_ms=Millis(T0 + len(seen)),
        )  # fmt: skip
        answer = {
            "entries": [entry_document(entry)],
            "lines": [line_row(By.STRATEGY, line)],
            "cursor": "1.1" if first else None,
        }
        return exact(answer)  # type: ignore[no-any-return]  # as read off the wire

    monkeypatch.setattr(RouterClient, "report", report)
    return seen


def printed(*words: str) -> str:
    result = CliRunner().invoke(app, ["report", *words])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_every_page_of_the_entries_is_printed(asked: list[Any]) -> None:
    table = printed("cash", "--from", "2026-11-01", "--account", "wallet")
    assert asked[1] == (
        "/cash/entries",
        {"from": "2026-11-01", "account": "wallet", "limit": "1000", "cursor": "1.1"},
    )
    assert table.splitlines()[0] == ("2026-11-18T11:06:40.000Z income TRANSFER: wallet 1.5 USDT, transfers -1.5 USDT")
    assert len(table.splitlines()) == 2


def test_csv_names_its_columns_once(asked: list[Any]) -> None:
    header, *lines = printed("cash", "--csv").splitlines()
    assert header.startswith("at,at_ms,entry,")
    assert len(lines) == 4
    assert lines[0].endswith("wallet,USDT,1.5,,,")


def test_profit_and_loss_of_two_pages_is_one(asked: list[Any]) -> None:
    [line] = json.loads(printed("pnl", "--by", "strategy", "--json"))["lines"]
    assert (line["strategy"], line["net"], line["trades"]) == ("s3", 1.5, 4)
    assert (line["first_ms"], line["last_ms"]) == (T0 + 1, T0 + 2)
    assert printed("pnl", "--by", "strategy") == ("s3 FUT 4 trades: realized 2.5, fees -1, net 1.5 USDT\n")
    header, row = printed("pnl", "--by", "strategy", "--csv").splitlines()
    assert header.split(",")[:4] == ["strategy", "market", "asset", "realized"]
    assert row.split(",")[:4] == ["s3", "FUT", "USDT", "2.5"]
