"""``chimera replay-routes`` on a capture of its own making: its forms, its bytes, and what it refuses."""

import csv
import io
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from chimera.cli.codes import Exit
from chimera.cli.main import app

RUN = CliRunner()
T0 = 1_700_000_000_000_000_000


def line(at_ms: int, stream: str, data: dict[str, object]) -> str:
    message = {"stream": f"btcusdt@{stream}", "data": data}
    return f"{T0 + at_ms * 1_000_000} {json.dumps(message, separators=(',', ':'))}\n"


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    """Forty seconds: the touch swings by a tick each second, and trades meet it."""
    told = []
    for number in range(400):
        bid = 65_000 + (number // 10 % 2) * 0.1
        book = {"u": number + 1, "s": "BTCUSDT", "b": f"{bid:.1f}", "B": "1.000", "a": f"{bid + 0.1:.1f}", "A": "1.000"}
        told.append(line(number * 100, "bookTicker", book))
        sale = {"s": "BTCUSDT", "p": f"{bid:.1f}", "q": "0.700", "m": True, "X": "MARKET"}
        told.append(line(number * 100 + 50, "trade", sale))
    path = tmp_path / "usdm-btcusdt_x.gz"
    path.write_text("".join(told), encoding="utf-8")
    return path


def asked(capture: Path, *words: str) -> str:
    done = RUN.invoke(
        app, ["replay-routes", str(capture), "--intents", "6", "--way", "maker:3000", "--no-vary", *words]
    )
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_same_seed_prints_the_same_bytes(capture: Path) -> None:
    first = asked(capture, "--json")

    assert asked(capture, "--json") == first
    assert asked(capture, "--json", "--seed", "2") != first


def test_json_csv_and_the_table_tell_one_story(capture: Path) -> None:
    report = json.loads(asked(capture, "--json"))["captures"][0]
    rows = list(csv.DictReader(io.StringIO(asked(capture, "--csv"))))

    assert [row["way"] for row in report["ways"]] == [row["way"] for row in rows] == ["market", "maker:3000"]
    assert [row["cost_bps"]["mean"] for row in report["ways"]] == [float(row["cost_bps"]) for row in rows]
    assert report["ways"][1]["maker_share"] > 0, "sales meet the bids that rest"
    assert "maker:3000" in asked(capture)


@pytest.mark.parametrize(
    ("words", "field"),
    [
        (["--way", "hope"], "--way"),
        (["--maker-bps", "much"], "--maker-bps"),
        (["--table", "/nowhere.json"], "--table"),
        (["--way", "maker:60000"], "FILE"),
        (["--csv", "--json"], "--csv"),
    ],
)
def test_what_is_of_no_use_is_refused_by_its_name(capture: Path, words: list[str], field: str) -> None:
    done = RUN.invoke(app, ["replay-routes", str(capture), *words])

    assert done.exit_code == Exit.REFUSED
    assert field in done.output


def test_of_a_folder_what_is_damaged_or_too_short_is_told_and_the_others_are_replayed(capture: Path) -> None:
    (capture.parent / "usdm-damaged.gz").write_bytes(b"\x1f\x8bnot gzip at all")
    (capture.parent / "usdm-short.gz").write_text("".join(capture.read_text("utf-8").splitlines(keepends=True)[:20]))
    words = ["replay-routes", str(capture.parent), "--intents", "6", "--way", "maker:3000", "--no-vary", "--json"]
    done = RUN.invoke(app, words)

    assert [each["capture"] for each in json.loads(done.stdout)["captures"]] == [capture.name]
    assert [line.split(" is left out")[0] for line in done.stderr.splitlines()] == [
        "chimera: usdm-damaged.gz", "chimera: usdm-short.gz",
    ]  # fmt: skip
    capture.unlink()
    assert RUN.invoke(app, words).exit_code == Exit.REFUSED
