"""Every market source through the one contract; real captures where they are at hand."""

import gzip
import json
import sys
from collections.abc import Iterator
from decimal import Decimal
from itertools import islice
from pathlib import Path
from types import FrameType

import pytest
from market_contract import check
from market_profiles import PROFILES

from chimera.adapters.binance.capture_file import CaptureFile, lines
from chimera.tape.capture import Capture
from chimera.tape.depth import Depth
from chimera.tape.synthetic import Synthetic
from chimera.trading.market import DepthChanged, MarketEvent, TopOfBook, Traded

CAPTURES = Path("/work/shared/data")
NAMES = ["usdm-btcusdt_20240808", "spot-btcusdt_20240808", "usdm-btcusdt_20230405", "spot-btcusdt_20230405"]


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("seed", range(3))
def test_a_synthetic_market(name: str, seed: int) -> None:
    checked = check(islice(Synthetic(seed, profile=PROFILES[name]), 5_000))

    assert {TopOfBook, DepthChanged, Traded} <= checked.kinds.keys()


@pytest.mark.parametrize("name", ["wide", "thin", "jumpy"])
def test_a_harsh_synthetic_market_of_large_steps(name: str) -> None:
    profile = PROFILES[name].but(step_ms=5_000, volatility_bps=Decimal(20))

    check(islice(Synthetic(1, profile=profile), 5_000))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_real_capture(name: str) -> None:
    """Whole, gapless, and a line costs no more at its end than at its begin."""
    raw = list(lines(_capture(name)))
    capture, fifth = Capture(), len(raw) // 5
    first, early = _read(capture, raw[:fifth])
    middle, _ = _read(capture, raw[fifth:-fifth])
    last, late = _read(capture, raw[-fifth:])
    checked = check([*first, *middle, *last])

    assert (capture.refused, capture.reader.gap_count) == (0, 0)
    assert checked.kinds[TopOfBook] + checked.kinds[Traded] > capture.lines * 0.7
    assert checked.kinds[DepthChanged] > 3_000
    assert capture.reader.whole("BTCUSDT") == ("2024" in name)
    assert late < early * 1.5


@pytest.mark.slow
def test_a_real_capture_against_a_plain_reading_of_its_diffs() -> None:
    """The snapshot and the diffs applied naively give the same levels behind the touch."""
    path = _capture("usdm-btcusdt_20240808")
    book, naive, checks = Depth(), _Naive(), 0
    capture = Capture()
    for line in lines(path):
        for event in capture.events([line]):
            if isinstance(event, TopOfBook | DepthChanged):
                book.apply(event)
        if naive.take(json.loads(line.partition(b" ")[2], parse_float=Decimal)) and naive.last_id % 97 == 0:
            checks += 1
            for mine, theirs in ((book.bids, naive.bids), (book.asks, naive.asks)):
                best = mine.best()
                assert best is not None
                behind = {level.price: level.qty for level in mine.top(60)[1:]}
                wrong = [price for price, qty in behind.items() if theirs.get(price) != qty]
                assert len(wrong) <= 3, "only levels a newer bookTicker passed may differ"
    assert checks > 30


def test_a_file_is_read_gzipped_plain_or_cut_off(tmp_path: Path) -> None:
    written = [b"1723161255000000000 {}\n", b"1723161255000000001 {}\n"]
    (tmp_path / "plain").write_bytes(b"".join(written) + b"172316125")
    (tmp_path / "zipped.gz").write_bytes(gzip.compress(b"".join(written)))
    killed = CaptureFile(tmp_path / "killed.gz")
    for place in range(5):
        killed.write(1_723_161_255_000_000_000 + place * 1_100_000_000, b"{}")
    (tmp_path / "cut.gz").write_bytes((tmp_path / "killed.gz").read_bytes())
    killed.close()

    assert list(lines(tmp_path / "plain")) == [*written, b"172316125"]  # no message: whoever reads it says so
    assert list(lines(tmp_path / "zipped.gz")) == written
    cut: list[None] = []
    assert len(list(lines(tmp_path / "cut.gz", lambda: cut.append(None)))) == 5
    assert cut
    assert len(list(lines(tmp_path / "killed.gz"))) == 5


def _read(capture: Capture, some: list[bytes]) -> tuple[list[MarketEvent], int]:
    """The events, and how many calls it took to read them: what a slow machine leaves the same."""
    calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        return list(capture.events(some)), calls
    finally:
        sys.setprofile(None)


class _Naive:
    """Two dictionaries: the snapshot, and every diff after it."""

    def __init__(self) -> None:
        self.bids: dict[Decimal, Decimal] = {}
        self.asks: dict[Decimal, Decimal] = {}
        self.last_id = 0
        self.early: list[dict[str, object]] = []

    def take(self, message: dict[str, object]) -> bool:
        """Whether the book is whole and just changed."""
        if "lastUpdateId" in message:
            self._apply(message["bids"], message["asks"])
            self.last_id = int(str(message["lastUpdateId"]))
            for diff in self.early:
                self._diff(diff)
            return True
        data = message["data"]
        assert isinstance(data, dict)
        if "depth" not in str(message["stream"]):
            return False
        if not self.last_id:
            self.early.append(data)
            return False
        self._diff(data)
        return True

    def _diff(self, data: dict[str, object]) -> None:
        if int(str(data["u"])) > self.last_id:
            self.last_id = int(str(data["u"]))
            self._apply(data["b"], data["a"])

    def _apply(self, bids: object, asks: object) -> None:
        for side, levels in ((self.bids, bids), (self.asks, asks)):
            assert isinstance(levels, list)
            for price, qty in _pairs(levels):
                side[price] = qty
                if not qty:
                    del side[price]


def _pairs(levels: list[list[str]]) -> Iterator[tuple[Decimal, Decimal]]:
    return ((Decimal(price), Decimal(qty)) for price, qty in levels)


def _capture(name: str) -> Path:
    path = CAPTURES / f"{name}.gz"
    if not path.exists():
        pytest.skip(f"NOT PROVED: no capture {path} on this machine")
    return path
