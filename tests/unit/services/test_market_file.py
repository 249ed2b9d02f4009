"""Which instruments a venue lists for a market from a file: no fill may be smaller than the step on the wire."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from chimera.services.simulator.market import open_market
from chimera.simulate.usdm.perpetual import DEMO
from chimera.trading.errors import Refused

BTC = DEMO[0]


def a_capture(path: Path, symbol: str, bid: str, ask: str, qty: str) -> Path:
    lines = []
    for step in range(3):
        book = {"u": step + 1, "s": symbol, "b": bid, "B": qty, "a": ask, "A": "2"}
        book |= {"e": "bookTicker", "T": 1_700_000_000_000 + step, "E": 1_700_000_000_000 + step}
        frame = {"stream": f"{symbol.lower()}@bookTicker", "data": book}
        lines.append(f"{1_700_000_000_000_000 + step * 1000} {json.dumps(frame)}\n")
    path.write_text("".join(lines))
    return path


def test_a_known_symbol_keeps_its_rules_where_the_capture_is_no_finer(tmp_path: Path) -> None:
    market = open_market(a_capture(tmp_path / "c", "BTCUSDT", "61800.20", "61800.30", "2.500"), seed=1)

    assert (market.symbol, market.start_us) == ("BTCUSDT", 1_700_000_000_000_000)
    assert market.instruments == DEMO


def test_a_finer_capture_makes_a_finer_listing(tmp_path: Path) -> None:
    """A spot book has sizes of 0.00001; on a step of 0.001 its fills would be told as 0.000."""
    market = open_market(a_capture(tmp_path / "c", "BTCUSDT", "61800.21", "61800.22", "0.00042"), seed=1)

    listed = next(instrument for instrument in market.instruments if instrument.symbol == "BTCUSDT")
    assert (listed.tick, listed.step, listed.min_qty) == (Decimal("0.01"), Decimal("0.00001"), Decimal("0.00001"))
    assert listed.max_qty == BTC.max_qty


def test_an_unknown_symbol_is_listed_as_it_is_shown(tmp_path: Path) -> None:
    market = open_market(a_capture(tmp_path / "c", "DOGEUSDC", "0.12345", "0.12346", "1500"), seed=1)

    listed = next(instrument for instrument in market.instruments if instrument.symbol == "DOGEUSDC")
    assert (listed.base, listed.quote, listed.tick, listed.step) == ("DOGE", "USDC", Decimal("0.00001"), Decimal(1))
    assert [event.symbol for _, event in market.events] == ["DOGEUSDC"]  # told once: it did not change


def test_a_file_without_events_is_refused(tmp_path: Path) -> None:
    (tmp_path / "c").write_text("hello\n")
    with pytest.raises(Refused, match="is it a capture"):
        open_market(tmp_path / "c", seed=1)
