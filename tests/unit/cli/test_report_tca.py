"""``chimera report tca`` on files as S3 and S4 leave them: every form of the report, and every wrong argument."""

import asyncio
import csv
import gzip
import io
import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from chimera.cli import tca_page, tca_told
from chimera.cli.main import app
from chimera.tca.report import report
from chimera.tca.rows import Ledger, Wanted
from chimera.trading.money import Millis
from chimera.wire import keys
from support.tca_rows import T0, book, child, fill, parent, signal, unfilled, written

HOSTILE = '<script>alert("x")</script>&\'"'


def _frames(path: Path, *mids: tuple[int, int]) -> Path:
    """A capture of touches two wide; each (ms after T0, mid)."""
    with gzip.open(path, "wt") as out:
        for number, (after, mid) in enumerate(mids, 1):
            ticker = {"u": number, "s": "BTCUSDT", "b": str(mid - 1), "B": "5", "a": str(mid + 1), "A": "5"}
            frame = {"stream": "btcusdt@bookTicker", "data": ticker}
            out.write(f"{(T0 + after) * 1_000_000} {json.dumps(frame)}\n")
    return path


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory as services leave it: ledgers in ``var``, and a capture. Two intents, one of them unfilled."""
    monkeypatch.chdir(tmp_path)
    for name in ("S4_LEDGER_PATH", "S3_LEDGER_PATH"):
        monkeypatch.delenv(name, raising=False)
    children = [{"client_order_id": "a-m1", "book_top3": book("99", "101", bid_qty="20")}]
    s4 = [
        (keys.ORDERS, "a", parent("a", children=children)),
        (keys.ORDERS, "a-m1", child("a-m1", "a")),
        (keys.ORDERS, "b", unfilled("b", side="SELL", strategy_id=HOSTILE)),
        (keys.FILLS, "1", fill("1", "a")),
    ]
    s3 = [(keys.SIGNALS, "a", signal("a")), (keys.SIGNALS, "b", signal("b"))]
    asyncio.run(written(tmp_path / "var" / "s4.sqlite", s4))
    asyncio.run(written(tmp_path / "var" / "s3.sqlite", s3))
    _frames(tmp_path / "usdm-btcusdt.gz", (-100, 99), (1_900, 98), (7_000, 97), (9_000, 97))
    return tmp_path


def printed(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["report", "tca", *words])
    assert result.exit_code == code, result.output
    return result.output


def test_the_report_as_json_is_exact_and_the_same_again(files: Path) -> None:
    """b: 2 were to be sold at 99 and were given up at 98: 2."""
    told = json.loads(printed("--market", "usdm-btcusdt.gz", "--json"))
    by_name = {row["client_order_id"]: row for row in told["orders"]}

    assert by_name["a"]["cost"]["total"] == "4.1"
    assert by_name["b"]["cost"] == {
        "delay": "0", "spread": "0", "impact": "0", "fees": "0", "opportunity": "2", "total": "2",
    }  # fmt: skip
    assert told["markouts"][0]["all"][0]["cost"] == "6"
    assert told["markouts"][0]["all"][1] == {
        "horizon_ms": 5_000, "known": 1, "unknown": 0, "cost": "6", "bps": "297.0297",
    }  # fmt: skip
    assert printed("--market", "usdm-btcusdt.gz", "--json") == printed("--market", "usdm-btcusdt.gz", "--json")


def test_without_a_capture_what_it_would_tell_is_null_and_counted(files: Path) -> None:
    told = json.loads(printed("--json"))

    assert told["unknown"]["end_mid"] == 1
    assert told["unknown"]["markout_1000_ms"] == 1
    assert [row["cost"]["opportunity"] for row in told["orders"]] == ["0", None]
    assert "1 intents that did not fill whole, without the mid at their end" in printed()


def test_a_terminal_shows_parts_markouts_and_what_is_not_known(files: Path) -> None:
    told = printed("--market", "usdm-btcusdt.gz")

    assert "2 intents, 1 fills; bps of the notional, above 0 is a cost" in told
    assert "since the decision: 154.0404 bps (6.1 USDT): delay 50.5051, spread 50.505, impact 0" in told
    assert "markouts as taker, USDT: 1 s 297.0297 bps (1 of 1), 5 s 297.0297 bps (1 of 1), 60 s unknown" in told
    assert "rested, USDT: 1 orders, 0.00 % of their notional filled as maker" in told
    assert "unknown: 1 fills without a mid 60 s later" in told


def test_csv_has_a_line_for_each_intent_and_nothing_where_nothing_is_known(files: Path) -> None:
    one, other = csv.DictReader(io.StringIO(printed("--csv")))

    assert (one["client_order_id"], one["total_cost"], one["total_bps"], one["markout_1000_ms_bps"]) == (
        "a", "4.1", "207.0707", "",
    )  # fmt: skip
    assert (other["opportunity_cost"], other["total_cost"], other["spread_bps"]) == ("", "", "0")
    assert other["strategy_id"] == HOSTILE


def test_the_page_is_whole_escaped_and_needs_nothing_else(files: Path) -> None:
    printed("--market", "usdm-btcusdt.gz", "--html", "costs.html")
    page = (files / "costs.html").read_text()
    root = ElementTree.fromstring(page.removeprefix("<!DOCTYPE html>\n"))  # noqa: S314 - our own page

    assert len(root.findall(".//svg[@role='img']")) == 8
    assert not root.findall(".//script")
    assert not re.findall(r"https?:|//[a-z]|@import|url\(|src=|href=", page)
    assert HOSTILE not in page
    assert [cell.text for cell in root.iter("td") if cell.text == HOSTILE]
    assert "prefers-color-scheme:dark" in page
    assert 'content="width=device-width, initial-scale=1"' in page
    assert "<p>2 intents, 1 fills." in page
    printed("--market", "usdm-btcusdt.gz", "--html", "again.html")
    assert (files / "again.html").read_text() == page


def hostile(node: Any, name: str = "") -> Any:
    """The report with every word in it that is no figure replaced."""
    match node:
        case dict():
            return {key: hostile(value, key) for key, value in node.items()}
        case list():
            return [hostile(value, name) for value in node]
        case str() if name in (
            "client_order_id",
            "symbol",
            "market",
            "name",
            "quote",
            "side",
            "status",
            "group",
            "sign",
        ):
            return HOSTILE
        case _:
            return node


def test_no_word_of_a_row_is_markup_in_tables_and_plots(files: Path) -> None:
    told = hostile(json.loads(printed("--market", "usdm-btcusdt.gz", "--json")))
    page = tca_page.page(told)

    ElementTree.fromstring(page.removeprefix("<!DOCTYPE html>\n"))  # noqa: S314 - our own page
    assert "<script" not in page
    assert page.count("&lt;script&gt;") > 10


def test_a_page_of_nothing_is_a_page(files: Path) -> None:
    printed("--symbol", "ethusdt", "--html", "costs.html")
    page = (files / "costs.html").read_text()

    ElementTree.fromstring(page.removeprefix("<!DOCTYPE html>\n"))  # noqa: S314 - our own page
    assert "Nothing of it is known." in page
    assert printed("--symbol", "ethusdt").strip() == "no intent is over"


def test_only_what_is_asked_for(files: Path) -> None:
    def names(*words: str) -> list[str]:
        return [row["client_order_id"] for row in json.loads(printed("--json", *words))["orders"]]

    assert names("--strategy", "s3") == ["a"]
    assert names("--symbol", "btcusdt") == ["a", "b"]
    assert names("--from", "2027-01-01") == []
    assert names("--to", str(T0)) == []
    assert names("--from", str(T0)) == ["a", "b"]


def test_fees_are_priced_by_hand(files: Path) -> None:
    rows = [(keys.ORDERS, "a", parent("a")), (keys.FILLS, "1", fill("1", "a", fee="0.01", fee_asset="BNB"))]
    asyncio.run(written(files / "bnb.sqlite", rows))

    def fees(*words: str) -> str | None:
        told = json.loads(printed("--ledger", "bnb.sqlite", "--json", *words))
        found: str | None = told["orders"][0]["cost"]["fees"]
        return found

    assert fees() is None
    assert fees("--price", "BNBUSDT=612.5") == "6.125"


@pytest.mark.parametrize(
    ("words", "field", "value", "accepted"),
    [
        (["--ledger", "no.sqlite"], "--ledger", "no.sqlite", "S4_LEDGER_PATH"),
        (["--signals", "no.sqlite"], "--signals", "no.sqlite", "S3_LEDGER_PATH"),
        (["--market", "no.gz"], "--market", None, "[fut:|spot:]FILE[,FILE...]"),
        (["--price", "BNB"], "--price", "BNB", "BNBUSDT=612.5"),
        (["--price", "BNBUSDT=0"], "--price", "BNBUSDT=0", "BNBUSDT=612.5"),
        (["--price", "BNBUSDT=NaN"], "--price", "BNBUSDT=NaN", "BNBUSDT=612.5"),
        (["--price", "=3"], "--price", "=3", "BNBUSDT=612.5"),
        (["--from", "yesterday"], "from", "yesterday", "a UTC date"),
        (["--from", "20", "--to", "20"], "to", "20", "later than from, 20"),
        (["--html", "no/where.html"], "--html", "no/where.html", "a file that can be written"),
    ],
)
def test_a_wrong_argument_is_named_with_what_is_accepted(
    files: Path, words: list[str], field: str, value: str | None, accepted: str
) -> None:
    refused = json.loads(printed("--json", *words, code=4).splitlines()[0])

    assert refused["field"] == field
    assert refused["value"] == value
    assert accepted in refused["accepted"]


def test_one_form_at_a_time(files: Path) -> None:
    refused = json.loads(printed("--json", "--csv", code=4).splitlines()[0])

    assert (refused["field"], refused["accepted"]) == ("--csv", "--csv or --json")


def test_a_file_that_is_no_ledger_and_a_capture_that_is_none(files: Path) -> None:
    (files / "text.sqlite").write_text("not a database, and long enough to be seen as none")
    (files / "text.gz").write_bytes(b"\x1f\x8bnot gzip at all")

    assert "cannot be read" in printed("--ledger", "text.sqlite", code=7)
    assert "--market" in printed("--market", "text.gz", code=4)


def test_of_a_folder_what_is_damaged_is_told_and_the_others_are_read(files: Path) -> None:
    alone = json.loads(printed("--json", "--market", "usdm-btcusdt.gz"))
    (files / "usdm-text.gz").write_bytes(b"\x1f\x8bnot gzip at all")
    done = CliRunner().invoke(app, ["report", "tca", "--json", "--market", "."])

    assert done.stderr.startswith("chimera: usdm-text.gz is left out")
    assert json.loads(done.stdout) == alone


def test_every_count_has_its_words() -> None:
    empty = report(Ledger().told(Wanted(since_ms=Millis(0), until_ms=Millis(1))), (), {})

    assert set(empty["unknown"]) == set(tca_told.UNKNOWN)
    assert tca_page.page(empty)
    assert Decimal(empty["intents"]) == 0
