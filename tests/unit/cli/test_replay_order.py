"""``chimera replay-order`` on a ledger and captures: what it was, what it would have been, and what is not known."""

import asyncio
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from chimera.cli.codes import Exit
from chimera.cli.main import app
from chimera.wire import keys
from support.tca_rows import T0, book, child, fill, parent, written

RUN = CliRunner()


def _line(at_ms: int, stream: str, data: dict[str, object]) -> str:
    return f"{(T0 + at_ms) * 1_000_000} {json.dumps({'stream': f'btcusdt@{stream}', 'data': data})}\n"


def a_capture(path: Path, from_ms: int, until_ms: int) -> None:
    """The touch is 65000.0 to 65000.1, with 5 to sell into; a sale of 5.004 comes half a second after T0."""
    told = []
    for number, at_ms in enumerate(range(from_ms, until_ms, 100), 1):
        told.append(
            _line(
                at_ms,
                "bookTicker",
                {"u": number, "s": "BTCUSDT", "b": "65000.0", "B": "5", "a": "65000.1", "A": str(5 + number % 2)},
            )
        )
        if at_ms == 500:
            told.append(
                _line(at_ms + 1, "trade", {"s": "BTCUSDT", "p": "65000.0", "q": "5.004", "m": True, "X": "MARKET"})
            )
    path.write_text("".join(told), encoding="utf-8")


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ledger with an order of 0.01 that took, one that works, one with a fee in BNB; and a folder of captures."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("S4_LEDGER_PATH", raising=False)
    children = [{"client_order_id": "a-t1", "book_top3": book("65000.0", "65000.1", ask_qty="5")}]
    asked = {"qty": "0.01", "filled_qty": "0.01", "mid_at_send": "65000.05"}
    took = {"price": "65000.1", "qty": "0.01", "fee": "0.325"}
    rates = {"maker": "0.0001", "taker": "0.0004"}
    place = {"schema_version": 2, "account_id": "main", "market": "FUT", "symbol": "BTCUSDT"}
    rows = [
        (keys.ORDERS, "a", parent("a", **asked, children=children, why=["policy MARKET: take at once"])),
        (keys.ORDERS, "a-t1", child("a-t1", "a", role="TAKER", status="FILLED")),
        (keys.FILLS, "1", fill("1", "a", **took)),
        (keys.ORDERS, "bnb", parent("bnb", **asked)),
        (keys.FILLS, "2", fill("2", "bnb", **took | {"fee": "0.001", "fee_asset": "BNB"})),
        (keys.ORDERS, "part", parent("part", **asked | {"filled_qty": "0.004", "status": "CANCELED"})),
        (keys.FILLS, "3", fill("3", "part", **took | {"qty": "0.004"})),
        (keys.ORDERS, "on", parent("on", done=False, status="NEW")),
        (keys.FEE_RATES, "r", {**place, "rates": rates}),
    ]
    asyncio.run(written(tmp_path / "var" / "s4.sqlite", rows))
    folder = tmp_path / "captures"
    folder.mkdir()
    a_capture(folder / "usdm-btcusdt_1.gz", -90_000, -30_000)
    a_capture(folder / "usdm-btcusdt_2.gz", -20_000, 30_000)
    a_capture(folder / "usdm-btcusdt_3.gz", 30_000, 60_000)
    a_capture(folder / "spot-btcusdt_2.gz", -10_000, 30_000)
    return tmp_path


def told(*words: str) -> dict[str, Any]:
    done = RUN.invoke(app, ["replay-order", *words, "--json"])
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_what_it_was_stands_beside_what_it_would_have_been(house: Path) -> None:
    """The recording of its moment is found in the folder, of its own market; the fees are the account's own."""
    again = told("a", "--market", "captures", "--way", "maker:3000")

    assert again["missing"] is None
    assert again["recording"]["capture"] == "usdm-btcusdt_2.gz"
    assert (again["mid"], again["mid_at_send"], again["missing"]) == ("65000.05", "65000.05", None)
    assert again["was"]["cost"] == {"price_bps": "0.0077", "fees_bps": "5", "cost_bps": "5.0077"}
    assert again["at_once"] == {"price_bps": "0.0077", "fees_bps": "4", "cost_bps": "4.0077"}
    rows = {(row["way"], row["queue"]): row for row in again["ways"]}
    assert list(rows) == [
        ("market", "trades"),
        ("maker:3000", "trades"),
        ("market", "strict"),
        ("maker:3000", "strict"),
    ]
    assert rows["market", "trades"]["cost"]["cost_bps"] == "4.0077"
    maker = rows["maker:3000", "trades"]
    assert (maker["steps"][-1]["what"], maker["maker_share"]) == ("0.006 fills at 65000.1 as taker", "0.4")
    assert [step["what"] for step in maker["steps"]][:2] == [
        "post-only BUY 0.01 at 65000 rests behind 5", "0.004 fills at 65000 as maker",
    ]  # fmt: skip


def test_the_same_files_print_the_same_bytes_by_either_name(house: Path) -> None:
    words = ["--market", "captures", "--way", "table"]

    assert told("a", *words) == told("a-intent", *words)
    printed = RUN.invoke(app, ["replay-order", "a", "--steps", *words]).stdout
    for line in (
        "why: policy MARKET",
        "it came to 5.0077 bps",
        "all of it at once",
        "usdm-btcusdt_2.gz",
        "table",
        "rests",
    ):
        assert line in printed


@pytest.mark.parametrize(
    ("market", "missing"),
    [
        ([], "no recording was named"),
        (["--market", "captures/usdm-btcusdt_1.gz"], "usdm-btcusdt_1.gz does not cover"),
        (["--market", "captures/usdm-btcusdt_3.gz"], "no recording of BTCUSDT FUT began before"),
        (["--market", "captures/spot-btcusdt_2.gz"], "no recording of BTCUSDT FUT began before"),
    ],
)
def test_without_a_recording_of_its_moment_only_what_the_ledger_kept_is_told(
    house: Path, market: list[str], missing: str
) -> None:
    again = told("a", *market)

    assert missing in again["missing"]
    assert (again["ways"], again["recording"], again["complete"]) == ([], None, False)
    assert again["was"]["cost"]["cost_bps"] == "5.0077"
    assert again["at_once"]["cost_bps"] == "4.0077"
    assert missing in RUN.invoke(app, ["replay-order", "a", *market]).stdout


def test_a_damaged_capture_of_the_folder_is_told_and_the_others_are_used(house: Path) -> None:
    """One refused every replay from the folder."""
    (house / "captures" / "usdm-btcusdt_4.gz").write_bytes(b"\x1f\x8bnot gzip at all")
    words = ["a", "--market", "captures", "--way", "market"]
    again, shown = told(*words), RUN.invoke(app, ["replay-order", *words])

    assert again["recording"]["capture"] == "usdm-btcusdt_2.gz"
    assert [line.partition(":")[0] for line in again["left_out"]] == ["usdm-btcusdt_4.gz is left out"]
    assert "usdm-btcusdt_4.gz is left out" in shown.stdout
    for good in (house / "captures").glob("*_[123].gz"):
        good.unlink()
    assert "usdm-btcusdt_4.gz" in RUN.invoke(app, ["replay-order", *words]).output


def test_a_fee_in_an_asset_nobody_priced_leaves_the_cost_unknown(house: Path) -> None:
    again = told("bnb")

    assert again["was"]["cost"] == {"price_bps": "0.0077", "fees_bps": None, "cost_bps": None}
    assert again["at_once"] is None, "no book was kept of it"
    assert "it came to ? bps (price 0.0077, fees ?)" in RUN.invoke(app, ["replay-order", "bnb"]).stdout


def test_an_order_that_filled_in_part_says_so_beside_ways_that_trade_all_of_it(house: Path) -> None:
    assert "for the 0.004 of 0.01 that filled" in RUN.invoke(app, ["replay-order", "part"]).stdout
    assert "that filled" not in RUN.invoke(app, ["replay-order", "a"]).stdout


def test_fees_can_be_named(house: Path) -> None:
    again = told("a", "--taker-bps", "10", "--market", "captures", "--way", "market")

    assert Decimal(again["ways"][0]["cost"]["fees_bps"]) == Decimal(10)
    assert again["maker_bps"] == "1"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nobody"], "the ledger has no such order"),
        (["a-t1"], "the ledger has no such order"),
        (["on"], "still working"),
        (["a", "--way", "hope"], "--way"),
        (["a", "--maker-bps", "much"], "--maker-bps"),
        (["a", "--ledger", "nowhere.sqlite"], "there is no such file"),
        (["a", "--market", "nowhere"], "neither a file nor a folder"),
        (["a", "--market", "var"], "neither a file nor a folder"),
    ],
)
def test_what_is_of_no_use_is_refused(house: Path, words: list[str], said: str) -> None:
    done = RUN.invoke(app, ["replay-order", *words])

    assert done.exit_code == Exit.REFUSED
    assert said in done.output
