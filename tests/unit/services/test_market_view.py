"""S4's view of the market: what the feed's board says is believed only while it can be true."""

import asyncio
import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, cast
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chimera.ports.clock import Clock
from chimera.ports.streams import Snapshots
from chimera.ports.venue import Rulebook
from chimera.services.router import market
from chimera.services.router.market import STALE_MS, MarketView
from chimera.trading.errors import NotSent, OutcomeUnknown, StoreUnavailable
from chimera.trading.ids import Symbol
from chimera.trading.liquidity import Book
from chimera.trading.market import Market, Touch
from chimera.trading.money import Millis, Price, Qty

SYMBOL = Symbol("BTCUSDT")
NOW_MS = 1_000_000


class Hand:
    """A clock whose two hands are set apart."""

    def __init__(self) -> None:
        self.utc, self.steady = Millis(NOW_MS), Millis(50)

    def now_ms(self) -> Millis:
        return self.utc

    def monotonic_ms(self) -> Millis:
        return self.steady


class Board:
    """The feed's, and a venue that answers nothing."""

    def __init__(self, document: bytes | None) -> None:
        self.document = document

    async def get_many(self, keys: Sequence[str]) -> Sequence[bytes | None]:
        return [self.document] * len(keys)

    async def touch(self, symbol: Symbol) -> Any:
        raise NotSent("away")

    mark = touch


def a_tick(**changes: Any) -> bytes:
    tick = {"bid": "100.0", "bid_qty": "1", "ask": "100.1", "ask_qty": "1", "at_ms": NOW_MS, "mark": "100.0"}
    return json.dumps(tick | changes).encode()


def looked(document: bytes | None, clock: Hand | None = None) -> MarketView:
    board = Board(document)
    view = MarketView(cast("Snapshots", board), cast("Rulebook", board), cast("Clock", clock or Hand()))
    asyncio.run(view.refresh(SYMBOL))
    return view


@pytest.mark.req("I21")
@pytest.mark.fault("C10", "C12")
@pytest.mark.parametrize(
    "document",
    [
        a_tick(at_ms=NOW_MS + STALE_MS + 1),
        a_tick(at_ms=NOW_MS - STALE_MS - 1),
        a_tick(at_ms=0),
        a_tick(bid="100.2"),
        a_tick(bid="100.1"),
        a_tick(bid="0", ask="0.1"),
        a_tick(mark="0"),
        a_tick(mark="NaN"),
        a_tick(mark="Infinity"),
        a_tick(bid="NaN"),
        a_tick(ask="Infinity"),
        a_tick(ask="1E+999999"),
        a_tick(bid_qty="NaN"),
        a_tick(ask_qty="-1"),
        a_tick()[:-4],
        b"<html>",
        None,
    ],
    ids=[
        "future",
        "past",
        "epoch",
        "crossed",
        "locked",
        "zero",
        "mark zero",
        "mark NaN",
        "mark endless",
        "NaN",
        "endless",
        "huge",
        "no size",
        "short of size",
        "torn",
        "not json",
        "nothing",
    ],
)
def test_what_cannot_be_true_is_no_market(document: bytes | None) -> None:
    view = looked(document)
    assert view.touch(SYMBOL) is None
    assert view.mark(SYMBOL) is None


@pytest.mark.req("I21")
@pytest.mark.parametrize("worst", [["NaN", "1"], ["100.2", "NaN"], ["Infinity", "1"], ["100.2", "1E+999999"]])
def test_a_book_that_cannot_be_reckoned_with_is_none(worst: list[str]) -> None:
    def depth(*asks: list[str]) -> bytes:
        told = {"symbol": SYMBOL, "at_ms": NOW_MS, "bids": [["100.0", "1"]], "asks": asks, "depth_top1_usdt": "100"}
        return json.dumps(told).encode()

    class Deep(Board):
        async def get_many(self, keys: Sequence[str]) -> Sequence[bytes | None]:
            return [self.document if "depth" in key else a_tick() for key in keys]

    def book(document: bytes) -> Book | None:
        board = Deep(document)
        view = MarketView(cast("Snapshots", board), cast("Rulebook", board), cast("Clock", Hand()))
        asyncio.run(view.refresh(SYMBOL))
        assert view.touch(SYMBOL) is not None
        return view.book(SYMBOL)

    assert book(depth(["100.1", "1"], ["100.2", "1"])) is not None
    assert book(depth(["100.1", "1"], worst)) is None


class Shards(Board):
    """A feed's board on two servers, of which one is away; counts what it was asked."""

    asked = 0

    async def get_many(self, keys: Sequence[str]) -> Sequence[bytes | None]:
        self.asked += 1
        if any("ETHUSDT" in key for key in keys):
            raise StoreUnavailable("a shard is away")
        return await super().get_many(keys)


@pytest.mark.req("RD-1")
def test_all_are_asked_for_at_once_and_what_is_away_holds_up_only_its_own() -> None:
    there, away = [Symbol("BTCUSDT"), Symbol("SOLUSDT")], Symbol("ETHUSDT")
    board = Shards(a_tick())
    view = MarketView(cast("Snapshots", board), cast("Rulebook", board), cast("Clock", Hand()))
    asyncio.run(view.refresh_all(there))
    assert board.asked == 1
    asyncio.run(view.refresh_all([away, *there]))
    assert [view.touch(symbol) is None for symbol in (*there, away)] == [False, False, True]
    assert board.asked == 2 + 3 + 1, "of one question, of each by itself, and of the one that the venue was asked for"


@pytest.mark.req("I21", "I29")
@pytest.mark.fault("C10", "C12", "A15")
def test_its_age_counts_by_the_steady_clock_alone() -> None:
    clock = Hand()
    view = looked(a_tick(), clock)
    clock.utc = Millis(NOW_MS + 3_600_000)
    assert view.touch(SYMBOL) is not None
    clock.utc, clock.steady = Millis(NOW_MS), Millis(clock.steady + STALE_MS + 1)
    assert view.touch(SYMBOL) is None


@pytest.mark.req("S4-SPOT-4")
def test_each_look_is_heard_with_the_mark_as_fresh_as_it_is() -> None:
    heard: list[tuple[str, str | None, str | None]] = []
    board, clock = Board(a_tick()), Hand()
    view = MarketView(cast("Snapshots", board), cast("Rulebook", board), cast("Clock", clock))
    view.listeners.append(
        lambda symbol, touch, mark: heard.append((symbol, touch and str(touch.bid), mark and str(mark)))
    )
    asyncio.run(view.refresh(SYMBOL))
    clock.steady, clock.utc = Millis(clock.steady + 60_000), Millis(clock.utc + 60_000)
    board.document = a_tick(at_ms=clock.utc, bid="99.0", mark=None)
    asyncio.run(view.refresh(SYMBOL))

    assert heard == [(SYMBOL, "100.0", "100.0"), (SYMBOL, "99.0", None)]


class Marks(Board):
    """A venue that answers, and says what it was asked."""

    def __init__(self, document: bytes) -> None:
        super().__init__(document)
        self.asked: list[str] = []

    async def touch(self, symbol: Symbol) -> Touch:
        self.asked.append("touch")
        bid, qty = Price(Decimal(90)), Qty(Decimal(1))
        return Touch(bid=bid, bid_qty=qty, ask=Price(bid + 1), ask_qty=qty, at_ms=Millis(0))

    async def mark(self, symbol: Symbol) -> Price:
        self.asked.append("mark")
        return Price(Decimal(98))


@pytest.mark.fault("C10")
@pytest.mark.req("I21")
def test_where_the_feed_has_a_touch_and_no_mark_the_venue_is_asked_for_that() -> None:
    """The day's loss and what is watched by the mark were blind for as long as the feed had none."""
    clock = Hand()
    board = Marks(a_tick(at_ms=NOW_MS + 1, mark=None))
    view = MarketView(cast("Snapshots", board), cast("Rulebook", board), cast("Clock", clock))
    asyncio.run(view.refresh_all([SYMBOL]))

    touch = view.touch(SYMBOL)
    assert touch is not None
    assert (str(touch.bid), str(view.mark(SYMBOL))) == ("100.0", "98")
    assert board.asked == ["mark", "touch"]
    asyncio.run(view.refresh_all([SYMBOL]))  # while it is fresh nobody is asked again
    assert len(board.asked) == 2


@pytest.mark.req("S4-LIM-1")
def test_a_position_is_worth_the_mid_where_the_mark_is_old() -> None:
    """The loss of the day went by the last mark, however old, while the market fell before our eyes."""
    board, clock = Board(a_tick()), Hand()
    view = MarketView(cast("Snapshots", board), cast("Rulebook", board), cast("Clock", clock))
    asyncio.run(view.refresh(SYMBOL))
    assert view.worth(SYMBOL) == Decimal(100)
    clock.steady, clock.utc = Millis(clock.steady + 60_000), Millis(clock.utc + 60_000)
    assert view.worth(SYMBOL) == Decimal(100), "nothing newer is known"
    board.document = a_tick(at_ms=clock.utc, bid="80", ask="82", mark=None)
    asyncio.run(view.refresh(SYMBOL))
    assert view.worth(SYMBOL) == Decimal(81)


class OneSided(Marks):
    """The book of a symbol that is halted, or falls with no bid left; its mark goes on."""

    px = Decimal(98)

    async def touch(self, symbol: Symbol) -> Touch:
        raise OutcomeUnknown("unreadable answer: an empty or crossed book")

    async def mark(self, symbol: Symbol) -> Price:
        return Price(self.px)

    async def prices(self) -> Any:
        return {Symbol(f"C{number}"): (None, Price(self.px)) for number in range(6)}


@pytest.mark.req("S4-LIM-1")
@pytest.mark.fault("B29", "C10")
@pytest.mark.parametrize("symbols", [1, 6])
def test_what_is_held_in_a_book_without_a_bid_goes_on_losing(symbols: int) -> None:
    """It stood at the last mark, or after a restart at none at all: the loss of the day did not see it fall, nor did
    whatever is watched by the mark.
    """
    heard: list[Decimal | None] = []
    board, clock, names = OneSided(a_tick()), Hand(), [Symbol(f"C{number}") for number in range(symbols)]
    view = MarketView(cast("Snapshots", board), cast("Rulebook", board), cast("Clock", clock))
    view.listeners.append(lambda symbol, touch, mark: heard.append(mark) if symbol == names[0] else None)
    asyncio.run(view.refresh_all(names))
    assert view.worth(names[0]) == Decimal(100)
    board.document, board.px = None, Decimal(60)
    clock.steady, clock.utc = Millis(clock.steady + STALE_MS + 1), Millis(clock.utc + STALE_MS + 1)
    asyncio.run(view.refresh_all(names))

    assert (view.touch(names[0]), view.worth(names[0])) == (None, Decimal(60))
    assert heard == [Decimal(100), Decimal(60)]
    begun_anew = MarketView(cast("Snapshots", board), cast("Rulebook", board), cast("Clock", clock))
    asyncio.run(begun_anew.refresh_all(names))
    assert begun_anew.worth(names[0]) == Decimal(60)


class Sights(Board):
    """Feed and venue, each with a price that is the moment it shows."""

    def __init__(self) -> None:
        super().__init__(None)
        self.now_ms = NOW_MS

    def feed(self, at_ms: int) -> None:
        self.document = a_tick(at_ms=at_ms, bid=str(at_ms), ask=str(at_ms + 2), mark=None)

    async def touch(self, symbol: Symbol) -> Touch:
        """Unchanged for a minute, so that its date is old; it is the market of now."""
        bid, qty = Price(Decimal(self.now_ms)), Qty(Decimal(1))
        return Touch(bid=bid, bid_qty=qty, ask=Price(bid + 2), ask_qty=qty, at_ms=Millis(self.now_ms - 60_000))

    async def mark(self, symbol: Symbol) -> Price:
        return (await self.touch(symbol)).mid


@pytest.mark.req("I21")
@given(
    looks=st.lists(
        st.tuples(st.integers(0, STALE_MS // 10), st.none() | st.integers(0, STALE_MS)), min_size=1, max_size=9
    )
)
def test_the_newest_look_counts_whoever_came_last(looks: list[tuple[int, int | None]]) -> None:
    """An older snapshot of the feed's took the place of what the venue had just shown; on spot an old mid outlived it.

    Each look: how long after the one before, and how old the feed's word is then; None: the feed is away.
    """
    board, clock = Sights(), Hand()
    who = cast("Snapshots", board), cast("Rulebook", board), cast("Clock", clock)
    view = MarketView(*who, Market.SPOT)
    newest = 0
    for pause_ms, age_ms in looks:
        clock.utc, clock.steady = Millis(clock.utc + pause_ms), Millis(clock.steady + pause_ms)
        board.now_ms, board.document = clock.utc, None
        if age_ms is not None:
            board.feed(clock.utc - age_ms)
        newest = max(newest, clock.utc - (age_ms or 0))
        with mock.patch.multiple(market, FEED_WITHIN_S=60.0, WITHIN_S=60.0):  # a busy machine is no feed that is away
            asyncio.run(view.refresh(SYMBOL))
        touch = view.touch(SYMBOL)
        assert touch is not None
        assert touch.bid == newest
        assert view.mark(SYMBOL) == touch.mid
