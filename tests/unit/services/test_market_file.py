"""Which instruments a venue lists for a market from a file: no fill may be smaller than the step on the wire."""

import gzip
import json
from decimal import Decimal
from itertools import islice
from pathlib import Path

import pytest

from chimera.services.simulator.market import files_named, open_captures, open_market, open_synthetic
from chimera.simulate.spot.pair import SPOT_DEMO
from chimera.simulate.usdm.perpetual import DEMO
from chimera.tape.synthetic import Synthetic
from chimera.trading.errors import Refused
from chimera.trading.ids import Symbol
from chimera.trading.market import Market, MarketEvent, Traded

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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One that is good, and each way in which another may be of no use."""
    good = a_capture(tmp_path / "good", "BTCUSDT", "61800.20", "61800.30", "2.500").read_bytes()
    whole = gzip.compress(good * 50)
    (tmp_path / "usdm-a.gz").write_bytes(b"\x1f\x8bnot gzip at all")
    (tmp_path / "usdm-b.gz").write_bytes(gzip.compress(b"hello\n"))
    (tmp_path / "usdm-c.gz").write_bytes(b"")
    (tmp_path / "usdm-d.gz").write_bytes(gzip.compress(good))
    (tmp_path / "usdm-e.gz").write_bytes(gzip.compress(b"1700000000000000 {}\n"))
    (tmp_path / "spot-f.gz").write_bytes(whole[:-4] + b"0000")  # as it ends its length is another
    return tmp_path


def test_what_is_damaged_in_a_folder_is_told_and_left_out(folder: Path) -> None:
    told: list[str] = []
    market = open_captures(files_named(str(folder), told.append), told.append)
    events = list(market.events)

    assert [line.partition(": ")[0] for line in told] == [
        "usdm-a.gz is left out", "usdm-b.gz is left out", "usdm-c.gz is left out",
        "spot-f.gz is left out from where it is damaged", "usdm-e.gz is left out",
    ]  # fmt: skip
    assert {market for market, _ in events} == {Market.FUT, Market.SPOT}


def test_one_that_was_named_and_a_folder_with_nothing_else_are_refused(folder: Path) -> None:
    for name in ("usdm-d.gz", "spot-f.gz"):
        (folder / name).unlink()
    with pytest.raises(Refused, match=r"usdm-e.gz has no market event"):
        open_captures(files_named(str(folder)))
    (folder / "usdm-e.gz").unlink()
    with pytest.raises(Refused, match=r"usdm-c.gz has no line"):
        files_named(str(folder))
    with pytest.raises(Refused, match=r"usdm-a.gz"):
        open_captures(files_named(str(folder / "usdm-a.gz")))


@pytest.mark.parametrize("torn", [b"0000", None])
def test_one_that_was_named_is_refused_where_its_damage_begins(folder: Path, torn: bytes | None) -> None:
    """Its check sum, or what it was packed into: the latter ended in a traceback."""
    path = folder / "spot-f.gz"
    if torn is None:
        whole = path.read_bytes()
        path.write_bytes(whole[:40] + bytes(20) + whole[60:])
    with pytest.raises(Refused, match=r"spot-f\.gz: "):
        list(open_captures(files_named(str(path))).events)


def test_a_files_market_is_its_tag_else_its_name_else_futures(tmp_path: Path) -> None:
    for name in ("spot-btcusdt_x", "usdm-btcusdt_x", "mine"):
        a_capture(tmp_path / name, "BTCUSDT", "61800.20", "61800.30", "2.500")
    words = f"{tmp_path}/spot-btcusdt_x, {tmp_path}/usdm-btcusdt_x,{tmp_path}/mine,SPOT:{tmp_path}/mine"
    words += f",fut:{tmp_path}/spot-btcusdt_x"

    assert [file.market for file in files_named(words)] == [
        Market.SPOT, Market.FUT, Market.FUT, Market.SPOT, Market.FUT,
    ]  # fmt: skip
    with pytest.raises(Refused, match="neither a file nor a folder"):
        files_named("fut:/nowhere")


def test_captures_run_side_by_side_and_each_market_lists_its_own(tmp_path: Path) -> None:
    futures = a_capture(tmp_path / "usdm-a", "BTCUSDT", "61800.20", "61800.30", "2.500")
    spot = a_capture(tmp_path / "spot-a", "BTCUSDT", "61800.21", "61800.22", "0.00042")
    ether = a_capture(tmp_path / "usdm-b", "ETHUSDT", "3500.01", "3500.02", "1")
    market = open_captures(files_named(f"{futures},{spot},{ether}"))

    assert [(side.value, event.symbol) for side, event in market.events] == [
        ("FUT", "BTCUSDT"), ("SPOT", "BTCUSDT"), ("FUT", "ETHUSDT"),
    ]  # fmt: skip
    assert market.symbols == ("BTCUSDT", "ETHUSDT")
    assert market.instruments == DEMO
    assert market.spot == SPOT_DEMO


def test_one_symbol_of_one_market_in_two_files_is_refused(tmp_path: Path) -> None:
    for name in ("usdm-a", "usdm-b"):
        a_capture(tmp_path / name, "BTCUSDT", "61800.20", "61800.30", "2.500")
    with pytest.raises(Refused, match="so has a file before it"):
        open_captures(files_named(f"{tmp_path}/usdm-a,{tmp_path}/usdm-b"))


def test_a_synthetic_market_of_several_symbols_on_both_markets() -> None:
    """Each in the ticks and steps of its own instrument, which the venue lists."""
    market = open_synthetic(["BTCUSDT", "ETHUSDT", "PEPEUSDT"], seed=4)
    rules = {(each.market, each.symbol): each for each in (*market.instruments, *market.spot)}
    seen, at_us = set(), 0
    for side, event in islice(market.events, 6_000):
        assert event.at_us >= at_us
        at_us = event.at_us
        rule = rules[side, Symbol(event.symbol)]
        seen.add((side, event.symbol))
        if isinstance(event, Traded):
            assert event.price % rule.tick == event.qty % rule.step == 0
            assert event.qty >= rule.min_qty
    assert len(seen) == 6


def test_the_first_symbols_futures_are_the_seeds_and_the_others_their_names() -> None:
    def futures_of(symbols: list[str], symbol: str) -> list[MarketEvent]:
        events = open_synthetic(symbols, seed=4).events
        return list(islice((event for side, event in events if side is Market.FUT and event.symbol == symbol), 200))

    assert futures_of(["BTCUSDT"], "BTCUSDT") == list(islice(Synthetic(4), 200))
    assert futures_of(["BTCUSDT", "ETHUSDT"], "ETHUSDT") == futures_of(["BTCUSDT", "SOLUSDT", "ETHUSDT"], "ETHUSDT")
    assert futures_of(["BTCUSDT", "ETHUSDT"], "BTCUSDT") == futures_of(["BTCUSDT"], "BTCUSDT")


def test_one_market_alone() -> None:
    spot = open_synthetic(["BTCUSDT"], seed=4, markets=[Market.SPOT])
    assert {side for side, _ in islice(spot.events, 100)} == {Market.SPOT}
    with pytest.raises(Refused, match="needs a symbol"):
        open_synthetic([], seed=1)
