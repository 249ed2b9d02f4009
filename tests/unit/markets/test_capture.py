"""Reading captures: times, sequence rules, what is refused and what is passed over."""

import random
from decimal import Decimal

import pytest
from frames import AT_NS, diff, lines, mark, snapshot, stream, ticker, trade
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera.tape.capture import Capture, CaptureRefused
from chimera.tape.depth import Depth
from chimera.trading.market import DepthChanged, Marked, MarketEvent, Side, TopOfBook, Traded


def test_a_time_is_in_milliseconds_or_finer_by_its_size() -> None:
    nano = list(Capture().events(lines(ticker(1, "99", "100"))))
    micro = list(Capture().events(lines(ticker(1, "99", "100"), at_ns=AT_NS // 1_000)))

    milli = list(Capture().events(lines(ticker(1, "99", "100"), at_ns=AT_NS // 1_000_000)))

    assert nano == micro == milli
    assert nano[0].at_us == AT_NS // 1_000


def test_text_and_bytes_read_alike_and_amounts_stay_exact() -> None:
    raw = lines(ticker(1, "61800.20", "61800.30", "0.001"), trade("61800.30", "0.00000001", buyer_is_maker=False))

    events = list(Capture().events(raw))

    assert events == list(Capture().events([line.decode() for line in raw]))
    touch, traded = events
    assert isinstance(touch, TopOfBook)
    assert isinstance(traded, Traded)
    assert (str(touch.bid), str(touch.bid_qty), str(traded.qty)) == ("61800.20", "0.001", "1E-8")
    assert traded.taker is Side.BUY


def test_nothing_of_a_symbol_comes_before_its_first_touch() -> None:
    capture = Capture()
    raw = lines(trade("100", "1", buyer_is_maker=True), mark("100"), diff(1, 2, [("98", "1")]), ticker(3, "99", "100"))

    events = list(capture.events(raw))

    assert [type(event) for event in events] == [TopOfBook, DepthChanged]
    assert capture.reader.passed_over["before the touch"] == 2


def test_a_clock_that_steps_back_is_held() -> None:
    raw = [*lines(ticker(1, "99", "100")), *lines(ticker(2, "98", "100"), at_ns=AT_NS - 5_000_000_000)]

    first, second = Capture().events(raw)

    assert second.at_us == first.at_us


def test_a_diff_changes_what_is_behind_the_touch_and_holds_the_rest_until_a_touch_passes_it() -> None:
    events = list(
        Capture().events(
            lines(
                ticker(10, "99", "101"),
                diff(11, 12, [("98", "5"), ("99", "0"), ("100", "7")], [("102", "3")]),
                ticker(13, "100.5", "101"),
            )
        )
    )

    assert [_told(event) for event in events] == [
        "touch 99 101",
        "bids 98=5 asks 102=3",
        "touch 100.5 101",
        "bids 99=0 100=7 asks",
    ]


def test_a_diff_older_than_the_touch_says_nothing_about_levels_before_it() -> None:
    raw = lines(ticker(20, "99", "101"), diff(10, 15, [("100", "7"), ("98", "1")]), ticker(21, "100.5", "101"))

    assert [_told(event) for event in Capture().events(raw)] == ["touch 99 101", "bids 98=1 asks", "touch 100.5 101"]


def test_a_held_level_that_a_newer_touch_denied_never_comes_back() -> None:
    raw = lines(
        ticker(10, "99", "101"),
        diff(11, 12, [("100", "7")]),
        ticker(13, "99", "101", bid_qty="2"),  # newer than the diff: there is no bid at 100
        ticker(14, "100.5", "101"),
    )

    assert [_told(event) for event in Capture().events(raw)] == ["touch 99 101", "touch 99 101", "touch 100.5 101"]


def test_a_snapshot_may_name_its_symbol_in_a_recording_of_several() -> None:
    capture = Capture()
    named = {"s": "ETHUSDT", "lastUpdateId": 5, "bids": [["9", "1"], ["8", "4"]], "asks": [["10", "1"]]}
    raw = lines(
        ticker(1, "99", "101"),
        ticker(1, "9", "10", symbol="ETHUSDT"),
        stream("depthSnapshot", named),
        ticker(2, "98", "99"),
    )

    book = _book([event for event in capture.events(raw) if event.symbol == "ETHUSDT"])

    assert _levels(book) == "9=1 8=4 | 10=2"
    assert (capture.reader.whole("ETHUSDT"), capture.reader.whole("BTCUSDT")) == (True, False)


def test_a_snapshot_joins_the_diffs_that_came_before_and_after_it() -> None:
    capture = Capture()
    raw = lines(
        diff(1, 5, [("98", "1")]),
        diff(6, 10, [("97", "0"), ("96", "4")]),
        ticker(11, "99", "101"),
        snapshot(7, [("99", "1"), ("98", "9"), ("97", "3")], [("101", "2"), ("103", "8")]),
        diff(11, 14, [("98", "2")]),
    )

    book = _book(list(capture.events(raw)))

    assert _levels(book) == "99=1 98=2 96=4 | 101=2 103=8"
    assert (capture.reader.whole("BTCUSDT"), capture.reader.gap_count) == (True, 0)


def test_a_snapshot_ahead_of_the_diffs_makes_them_wait_and_then_join() -> None:
    capture = Capture()
    raw = lines(
        ticker(3, "99", "101"),
        diff(1, 5, [("98", "1")], pu=0),
        snapshot(12, [("99", "1"), ("98", "9")], [("101", "2")]),
        diff(6, 10, [("98", "3")], pu=5),
        diff(11, 14, [("97", "6")], pu=10),
    )

    assert _levels(_book(list(capture.events(raw)))) == "99=1 98=9 97=6 | 101=2"
    assert (capture.reader.whole("BTCUSDT"), capture.reader.gap_count) == (True, 0)


def test_a_snapshot_older_than_the_remembered_diffs_is_passed_over() -> None:
    capture = Capture()
    raw = lines(ticker(1, "99", "101"), diff(50, 60, [("98", "1")]), snapshot(40, [("98", "9")], [("101", "1")]))

    assert _levels(_book(list(capture.events(raw)))) == "99=1 98=1 | 101=2"
    assert capture.reader.passed_over["late snapshot"] == 1
    assert not capture.reader.whole("BTCUSDT")


@pytest.mark.req("I21")
@pytest.mark.parametrize("pu", [None, 15], ids=["spot", "usdm"])
def test_a_missed_diff_is_a_gap_and_drops_the_depth_to_the_touch(pu: int | None) -> None:
    capture = Capture()
    raw = lines(
        ticker(1, "99", "101"),
        diff(2, 10, [("98", "1"), ("97", "1")], [("102", "1")], pu=None if pu is None else 1),
        diff(16, 20, [("96", "5")], pu=pu),
    )

    book = _book(list(capture.events(raw)))

    assert _levels(book) == "99=1 96=5 | 101=2"
    [gap] = capture.reader.gaps
    assert (gap.symbol, gap.got) == ("BTCUSDT", pu or 16)


def test_usdm_ids_may_have_holes_as_long_as_pu_follows() -> None:
    capture = Capture()
    raw = lines(ticker(1, "99", "101"), diff(2, 10, [("98", "1")], pu=1), diff(16, 20, [("97", "1")], pu=10))

    assert _levels(_book(list(capture.events(raw)))) == "99=1 98=1 97=1 | 101=2"
    assert capture.reader.gap_count == 0


def test_without_book_ticker_a_snapshot_and_the_diffs_give_the_touch() -> None:
    raw = lines(
        diff(1, 5, [("98", "1")]),
        snapshot(5, [("99", "1"), ("98", "9")], [("101", "2"), ("102", "2")]),
        diff(6, 7, [("99", "0")], [("102", "5")]),
    )

    assert [_told(event) for event in Capture().events(raw)] == [
        "touch 99 101",
        "bids 99=1 98=9 asks 101=2 102=2 snapshot",
        "touch 98 101",
        "bids asks 102=5",
    ]


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (ticker(2, "101", "100"), "one-sided or crossed"),
        (ticker(2, "0.00", "100"), "one-sided or crossed"),
        (ticker(2, "99", "100", bid_qty="0"), "one-sided or crossed"),
        (ticker(1, "98", "100"), "nothing new"),
        (trade("99", "1", buyer_is_maker=True, X="INSURANCE_FUND"), "not market"),
        (trade("99", "1", buyer_is_maker=True, kind="aggTrade"), "second trade stream"),
        (trade("99", "1", buyer_is_maker=True, T=5), "told twice"),
        (stream("kline_1m", {"s": "BTCUSDT"}), "other stream"),
        (b'{"result":null,"id":1}', "control"),
    ],
)
def test_what_is_well_formed_and_of_no_use_is_counted(frame: bytes, reason: str) -> None:
    capture = Capture()
    raw = lines(ticker(1, "99", "100"), trade("99", "1", buyer_is_maker=True, T=5), frame)

    events = list(capture.events(raw))

    assert dict(capture.reader.passed_over) == {reason: 1}
    assert len(events) == 2


@pytest.mark.parametrize(
    "line",
    [
        b"garbage\n",
        b'12345 {"stream":"btcusdt@trade","data":{}}\n',
        b"1723161255000000000 not json\n",
        b'1723161255000000000 {"hello":1}\n',
        b"1723161255000000000 " + ticker(9, "-1", "100"),
        b"1723161255000000000 " + ticker(9, "NaN", "100"),
        b"1723161255000000000 " + diff(1, 2, [("98", "-1")]),
        b"1723161255000000000 " + diff(1, 2, [("Infinity", "1")]),
        b"1723161255000000000 " + trade("0", "1", buyer_is_maker=True),
        b'1723161255000000000 {"stream":"btcusdt@bookTicker","data":{"u":1}}',
    ],
)
def test_garbage_names_its_line_or_is_counted(line: bytes) -> None:
    raw = [*lines(ticker(1, "99", "100")), b"\n", line, *lines(ticker(2, "98", "100"))]

    with pytest.raises(CaptureRefused, match="line 3: ") as refused:
        list(Capture().events(raw))
    lenient = Capture(lenient=True)
    events = list(lenient.events(raw))

    assert refused.value.number == 3
    assert (len(events), lenient.refused, lenient.lines) == (2, 1, 4)
    assert lenient.first_refused is not None


def test_a_snapshot_without_a_symbol_among_several_is_refused() -> None:
    raw = lines(
        ticker(1, "99", "100"), ticker(1, "9", "10", symbol="ETHUSDT"), snapshot(5, [("99", "1")], [("100", "1")])
    )

    with pytest.raises(CaptureRefused, match="line 3: a depth snapshot without a symbol"):
        list(Capture().events(raw))


def test_mark_price_is_read_whole() -> None:
    *_, marked = Capture().events(lines(ticker(1, "99", "100"), mark("99.51234567")))

    assert isinstance(marked, Marked)
    assert (str(marked.mark), marked.funding_rate, marked.next_funding_ms) == (
        "99.51234567",
        Decimal("0.0001"),
        1_723_190_400_000,
    )


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32), usdm=st.booleans(), with_snapshot=st.booleans())
def test_a_random_exchange_is_followed_level_by_level(seed: int, usdm: bool, with_snapshot: bool) -> None:
    """Tickers at once, diffs batched and late, a snapshot at a random moment: never crossed, and true in the end."""
    venue = _Venue(random.Random(seed), usdm=usdm)
    capture = Capture()
    events = list(capture.events(lines(*venue.frames(200, with_snapshot=with_snapshot))))
    book = Depth()
    for event in events:
        if isinstance(event, TopOfBook | DepthChanged):
            book.apply(event)
            assert not book.crossed

    assert capture.reader.gap_count == 0
    assert capture.reader.whole("BTCUSDT") == with_snapshot
    if with_snapshot:
        assert [(level.price, level.qty) for level in book.bids.top(999)] == sorted(venue.bids.items(), reverse=True)
        assert [(level.price, level.qty) for level in book.asks.top(999)] == sorted(venue.asks.items())


class _Venue:
    """An exchange's truth, told the way Binance tells it."""

    def __init__(self, rng: random.Random, *, usdm: bool) -> None:
        self.rng = rng
        self.usdm = usdm
        self.id = 100
        self.bids = {Decimal(price): Decimal(1) for price in range(90, 100)}
        self.asks = {Decimal(price): Decimal(1) for price in range(101, 111)}
        self._told_id = self.id
        self._changed: tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]] = ({}, {})

    def frames(self, count: int, *, with_snapshot: bool) -> list[bytes]:
        snapshot_at = self.rng.randrange(10, count - 30) if with_snapshot else -1
        frames: list[bytes] = []
        pending: bytes | None = None  # a snapshot on its way
        for place in range(count):
            self._move()
            frames.append(self._ticker())
            if self.rng.random() < 0.3 or place == count - 1:
                frames.append(self._diff())
            if place == snapshot_at:
                pending = snapshot(self.id, _pairs(self.bids), _pairs(self.asks))
            if pending is not None and self.rng.random() < 0.3:
                frames.append(pending)
                pending = None
        if pending is not None:
            frames.append(pending)
        return [*frames, self._ticker()]

    def _move(self) -> None:
        """Change a level, or eat a touch and let the other side follow."""
        side, changed = self.rng.choice([(self.bids, self._changed[0]), (self.asks, self._changed[1])])
        best = max(self.bids) if side is self.bids else min(self.asks)
        if len(side) > 3 and self.rng.random() < 0.3:
            price, qty = best, Decimal(0)
        else:
            low, high = max(self.bids), min(self.asks)
            price = Decimal(self.rng.randrange(85, 115))
            price = min(price, high - 1) if side is self.bids else max(price, low + 1)
            qty = Decimal(self.rng.randrange(1, 9))
        if qty:
            side[price] = qty
        else:
            del side[price]
        changed[price] = qty
        self.id += self.rng.randrange(1, 4) if self.usdm else 1

    def _ticker(self) -> bytes:
        bid, ask = max(self.bids), min(self.asks)
        return ticker(self.id, str(bid), str(ask), str(self.bids[bid]), str(self.asks[ask]))

    def _diff(self) -> bytes:
        frame = diff(
            self._told_id + 1,
            self.id,
            _pairs(self._changed[0]),
            _pairs(self._changed[1]),
            pu=self._told_id if self.usdm else None,
        )
        self._told_id, self._changed = self.id, ({}, {})
        return frame


def _pairs(levels: dict[Decimal, Decimal]) -> list[tuple[str, str]]:
    return [(str(price), str(qty)) for price, qty in levels.items()]


def _book(events: list[MarketEvent]) -> Depth:
    book = Depth()
    for event in events:
        if isinstance(event, TopOfBook | DepthChanged):
            book.apply(event)
            assert not book.crossed
    return book


def _levels(book: Depth) -> str:
    sides = (" ".join(f"{level.price}={level.qty}" for level in side.top(99)) for side in (book.bids, book.asks))
    return " | ".join(sides)


def _told(event: MarketEvent) -> str:
    match event:
        case TopOfBook():
            return f"touch {event.bid} {event.ask}"
        case DepthChanged():
            bids, asks = ([f"{level.price}={level.qty}" for level in side] for side in (event.bids, event.asks))
            return " ".join(["bids", *bids, "asks", *asks, *(["snapshot"] if event.snapshot else [])])
        case _:
            return type(event).__name__
