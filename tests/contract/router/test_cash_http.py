"""The cash ledger over HTTP: what may be asked, what is answered, and what is refused with what would be accepted."""

from typing import Any

import pytest
from router_fake import NOW, FakeRouter

from chimera.client.http import read_plain
from chimera.trading.cash import Account
from chimera.trading.money import DAY_MS
from chimera.wire.cash import CashAsk, read_entry
from chimera.wire.paging import FOREVER

pytestmark = pytest.mark.req("LED-1", "LED-2")


async def test_entries_are_answered_with_exact_amounts_and_a_cursor(client: Any, router: FakeRouter) -> None:
    answer = await client.get("/cash/entries", params={"from": "2026-11-01", "to": str(NOW), "account": "wallet"})
    assert answer.status_code == 200
    document = read_plain(answer.content)
    entry = read_entry(document["entries"][0])
    assert (entry.of, str(entry.postings[0].amount), document["cursor"]) == ("TRANSFER", "12.5", f"{NOW}.1")
    assert b'"amount":12.5' in answer.content
    assert router.cash.asks == [
        ("entries", CashAsk(since_ms=1793491200000, until_ms=NOW, account=Account.WALLET))  # type: ignore[arg-type]  # ms
    ]


async def test_a_cursor_goes_on_and_a_month_is_the_default(client: Any, router: FakeRouter) -> None:
    await client.get("/cash/entries")
    await client.get("/cash/entries", params={"cursor": f"{NOW}.17", "limit": "5"})
    first, second = (ask for _, ask in router.cash.asks)
    assert (first.since_ms, first.until_ms, first.limit) == (NOW - 31 * DAY_MS, FOREVER, 100)
    assert (second.since_ms, second.after, second.limit) == (NOW, 17, 5)


async def test_csv_has_a_line_for_each_posting_and_no_formula(client: Any) -> None:
    answer = await client.get("/cash.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["x-cursor"] == f"{NOW}.1"
    header, wallet, against = answer.text.splitlines()
    assert header.startswith("at,at_ms,entry,kind,of,account_id,market,symbol,position,account,asset,amount")
    assert wallet == (
        "2026-11-18T11:06:40.000Z,1795000000000,main:FUT:income:TRANSFER:7,income,TRANSFER,main,FUT,,,wallet,USDT,12.5"
        ",,,'=1+1"
    )
    assert ",transfers,USDT,-12.5," in against
    further = await client.get("/cash.csv", params={"cursor": f"{NOW}.1"})
    assert len(further.text.splitlines()) == 2
    assert "x-cursor" not in further.headers


async def test_profit_and_loss_by_day_unless_asked_otherwise(client: Any, router: FakeRouter) -> None:
    answer = await client.get("/pnl")
    assert b'"day":"2026-11-18"' in answer.content
    assert b'"net":1.25' in answer.content
    await client.get("/pnl", params={"by": "position"})
    assert [by for by, _ in router.cash.asks] == ["day", "position"]


async def test_balances_are_answered(client: Any) -> None:
    answer = await client.get("/cash/balances")
    assert b'"amount":12.5' in answer.content


@pytest.mark.parametrize(
    ("path", "query", "field", "code"),
    [
        ("/cash/entries", {"from": "yesterday"}, "from", "MALFORMED"),
        ("/cash/entries", {"to": "2026-13-01"}, "to", "MALFORMED"),
        ("/cash/entries", {"from": "2", "to": "1"}, "from", "MALFORMED"),
        ("/cash/entries", {"account": "purse"}, "account", "MALFORMED"),
        ("/cash/entries", {"limit": "0"}, "limit", "MALFORMED"),
        ("/cash/entries", {"limit": "1001"}, "limit", "MALFORMED"),
        ("/cash/entries", {"cursor": "5"}, "cursor", "MALFORMED"),
        ("/cash/entries", {"form": "1"}, "form", "UNKNOWN_FIELD"),
        ("/cash.csv", {"by": "day"}, "by", "UNKNOWN_FIELD"),
        ("/pnl", {"by": "week"}, "by", "MALFORMED"),
    ],
)
async def test_what_cannot_be_read_is_refused(client: Any, path: str, query: Any, field: str, code: str) -> None:
    answer = await client.get(path, params=query)
    told = answer.json()
    assert (answer.status_code, told["code"], told["field"]) == (400, code, field)
    assert told["accepted"]
