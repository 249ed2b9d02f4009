"""Which instruments a venue lists for a market from a file: no fill may be smaller than the step on the wire."""

import gzip
import json
import re
from decimal import Decimal
from itertools import islice
from pathlib import Path

import pytest

from chimera.services.simulator.market import LOOKED_AT, files_named, open_captures, open_market, open_synthetic
from chimera.simulate.spot.pair import SPOT_DEMO
from chimera.simulate.usdm.perpetual import DEMO
from chimera.tape.synthetic import Synthetic
from chimera.trading.errors import Refused
from chimera.trading.ids import Symbol
from chimera.trading.market import Market, MarketEvent, Traded

BTC = DEMO[0]


def a_capture(path: Path, symbol: str, bid: str, ask: str, qty: str, *, after_s: int = 0) -> Path:
    """Three looks, a millisecond apart."""
    lines = []
    for step in range(after_s * 1_000, after_s * 1_000 + 3):
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
    with pytest.raises(
        Refused, match="has no market event: of 1 lines 1 are of no use, the first is line 1: it begins"
    ):
        open_market(tmp_path / "c", seed=1)


LINES = [  # a second apart
    b'1723161255000000 {"stream":"btcusdt@bookTicker","data":{"u":7,"s":"BTCUSDT","b":"99","B":"1","a":"100","A":2}}\n',
    b'1723161256000000 {"stream":"btcusdt@depth","data":'
    b'{"e":"depthUpdate","s":"BTCUSDT","U":8,"u":9,"pu":7,"b":[["98","3"]],"a":[]}}\n',
    b'1723161257000000 {"stream":"btcusdt@trade","data":'
    b'{"e":"trade","T":1723161257000,"s":"BTCUSDT","t":5,"p":"100","q":"1","X":"MARKET","m":false}}\n',
    b'1723161258000000 {"stream":"btcusdt@depth","data":'
    b'{"e":"depthUpdate","s":"BTCUSDT","U":10,"u":11,"pu":9,"b":[["97","3"]],"a":[]}}\n',
]
TOUCH = LINES[0].replace(b"61255", b"61259").replace(b":7", b":12").replace(b"99", b"98")
BARE = [re.sub(rb'\{"stream":"[^"]*","data":(.*)\}\n', rb"\1\n", line) for line in LINES]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"".join(LINES), []),
        (b"".join(LINES).removesuffix(b"\n"), []),
        (b"".join(LINES).replace(b"\n", b"\r\n"), []),
        (b"\xef\xbb\xbf" + b"".join(LINES), []),
        (gzip.compress(b"\xef\xbb\xbf" + b"".join(LINES)), []),
        (b"".join(LINES).replace(b"000000 {", b"000 {"), []),
        (b"".join(LINES).replace(b"000000 {", b"000000000 {"), []),
        (b"".join(BARE), []),
        (b"".join(line for line in LINES for _ in "12"), ["trades told twice, passed over: 1"]),
        (b"".join([*LINES, b"receive,message\n"]), ["line 5: it begins 'rec", "lines passed over: 1 of 5"]),
        (b"".join([*LINES, LINES[3][:-9]]), ["line 5: ", "lines passed over: 1 of 5"]),
        (gzip.compress(b"".join(LINES))[:-4], ["it is cut off"]),
        (b"".join([*LINES, TOUCH.replace(b"3161259", b"3247658")]), ["line 5: a hole of 86400 s"]),
        (b"".join([*LINES, TOUCH.replace(b"3161259", b"3161155")]),
         ["line 5: a receive time is 103 s before one above it", "receive times before one above them: 1"]),
        (b"".join([*LINES, TOUCH.replace(b"98", b"101")]), ["touches one-sided or crossed"]),
        (b"".join([*LINES, LINES[2].replace(b"61257", b"61259").replace(b'"q":"1"', b'"q":"0"')]),
         ["line 5: quantity 0 is not possible", "lines passed over: 1 of 5"]),
        (b"".join([*LINES, LINES[3].replace(b'"pu":9', b'"pu":12').replace(b":11", b":13")]), ["gaps in the depth"]),
        (b"".join([*LINES, TOUCH.replace(b"bookTicker", b"kline_1m")]), ["messages of other streams"]),
        (b"".join(LINES).replace(b'"pu":7,', b"").replace(b'"pu":9,', b""), ["it is read as fut, but its"]),
    ],
)  # fmt: skip
def test_a_capture_of_another_vendor_or_day_is_read_and_what_is_not_is_told(
    tmp_path: Path, content: bytes, told: list[str]
) -> None:
    (tmp_path / "usdm-a").write_bytes(content)
    heard: list[str] = []

    events = [event for _, event in open_captures(files_named(str(tmp_path / "usdm-a")), heard.append).events]

    assert [each.removeprefix("usdm-a: ")[: len(told[n])] for n, each in enumerate(heard)] == told
    assert [type(event).__name__ for event in events][:4] == ["TopOfBook", "DepthChanged", "Traded", "DepthChanged"]
    assert [event.at_us for event in events][:4] == [1_723_161_255_000_000 + second * 10**6 for second in range(4)]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "it is empty"),
        (gzip.compress(b"", mtime=0), "it is empty"),
        (b"PK\x03\x04anything", "packed as zip; gzip and plain text are read, so unpack it first"),
        (b"\x28\xb5\x2f\xfdanything", "packed as zstd"),
        (
            b"agg_trade_id,price\n1,57000.1\n",
            "of 2 lines 2 are of no use, the first is line 1: it begins 'agg_trade_id",
        ),
        (b"".join(line.partition(b" ")[2] for line in LINES), 'line 1: it begins \'{"stream"'),
        (LINES[2], r"in 1 lines no touch was shown \(1 before the touch\): a touch comes from bookTicker"),
        (LINES[1], r"no touch was shown \(depth without a snapshot\)"),
    ],
)
def test_what_is_no_capture_is_refused_by_what_it_is(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "usdm-a").write_bytes(content)
    with pytest.raises(Refused, match=f"usdm-a.*{why}") as no:
        open_captures(files_named(str(tmp_path / "usdm-a")))
    assert (no.value.field, (no.value.accepted or "")[:12]) == ("--market", "[fut:|spot:]")


def test_a_symbol_that_comes_too_late_to_be_listed_is_told(tmp_path: Path) -> None:
    ticks = [LINES[0].replace(b":7", b":%d" % n).replace(b'"1"', b'"%d"' % n) for n in range(1, LOOKED_AT + 2)]
    renamed = LINES[0].replace(b"btcusdt", b"1000btcusdt").replace(b"BTCUSDT", b"1000BTCUSDT")
    (tmp_path / "usdm-a").write_bytes(b"".join([*ticks, renamed, renamed.replace(b":7", b":8")]))
    heard: list[str] = []

    market = open_captures(files_named(str(tmp_path / "usdm-a")), heard.append)

    assert {event.symbol for _, event in market.events} == {"BTCUSDT"}
    assert heard == ["usdm-a: 1000BTCUSDT is left out: it is not among the first 3000 events"]


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
        "usdm-a.gz is left out", "usdm-b.gz is left out", "usdm-c.gz is left out", "usdm-e.gz is left out",
        "spot-f.gz is left out from where it is damaged",
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


def test_recordings_of_one_symbol_follow_each_other_in_order_of_time(tmp_path: Path) -> None:
    """As `chimera record` writes them, a file an hour; the night between two is left out, on both markets alike."""
    night_s = 8 * 3_600
    for name, futures_s, spot_s in (("b", 0, 1), ("a", 30, 29), ("c", 40 + night_s, 42 + night_s)):
        bid = f"618{futures_s % 97:02}.20"
        a_capture(tmp_path / f"usdm-{name}.gz", "BTCUSDT", bid, "61900.30", "2.500", after_s=futures_s)
        a_capture(tmp_path / f"spot-{name}.gz", "BTCUSDT", bid, "61900.31", "0.00042", after_s=spot_s)
    told: list[str] = []
    market = open_captures(files_named(str(tmp_path), told.append), told.append)

    moments = [(side.value, (event.at_us - market.start_us) // 1_000_000) for side, event in market.events]
    assert moments == [("FUT", 0), ("SPOT", 1), ("SPOT", 29), ("FUT", 30), ("FUT", 32), ("SPOT", 34)]
    assert told == []


def test_of_two_that_overlap_the_later_joins_where_the_earlier_ends(tmp_path: Path) -> None:
    for name in ("usdm-a", "usdm-b"):
        a_capture(tmp_path / name, "BTCUSDT", "61800.20", "61800.30", "2.500")
    a_capture(tmp_path / "usdm-c", "BTCUSDT", "61800.20", "61800.40", "2.500", after_s=1)
    told: list[str] = []
    market = open_captures(files_named(f"{tmp_path}/usdm-a,{tmp_path}/usdm-b,{tmp_path}/usdm-c"), told.append)

    assert [event.at_us - market.start_us for _, event in market.events] == [0, 1_000_000]
    assert told == ["usdm-b is left out as far as the file before it shows the same"]


def test_two_that_share_some_symbols_are_refused_by_name(tmp_path: Path) -> None:
    lone = a_capture(tmp_path / "usdm-a", "BTCUSDT", "61800.20", "61800.30", "2.500")
    both = a_capture(tmp_path / "usdm-b", "BTCUSDT", "61800.20", "61800.30", "2.500", after_s=9)
    both.write_text(both.read_text() + a_capture(tmp_path / "e", "ETHUSDT", "3500.01", "3500.02", "1").read_text())
    with pytest.raises(Refused, match=rf"{lone} and {both} both show BTCUSDT of FUT"):
        open_captures(files_named(f"{lone},{both}"))


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
