"""One symbol's book from Binance's diffs, ``bookTicker`` and REST snapshots, under Binance's own sequence rules.

Where ``bookTicker`` and diffs disagree, ``bookTicker`` owns the touch and diffs own what lies behind it: both count
updates alike, ``bookTicker`` is at least as fresh, and a diff that empties the touch says nothing about the next level
unless the whole book is known. A level of a diff at or before the touch is *held* until a ``bookTicker`` passes it.
A source without ``bookTicker`` takes its touch from the diffs, once a snapshot made the book whole.

Invariants: nothing crossed is ever yielded; a break in the sequence drops every level that is not the touch.
It does not know receive clocks, streams or files.
"""

from collections import deque
from collections.abc import Iterable
from typing import Final

from chimera.tape.depth import Depth
from chimera.tape.frames import BookTicker, Diff, Snapshot
from chimera.trading.market import DepthChanged, Level, MarketEvent, TopOfBook
from chimera.trading.money import Price, Qty

REMEMBERED_DIFFS: Final = 512  # > 10 s of depth@0ms: a REST snapshot must arrive within them to be of use
Events = list[MarketEvent]


class SequenceBroken(Exception):
    """The diffs no longer follow one another: ``expected`` and ``got`` are update ids."""

    def __init__(self, expected: int, got: int) -> None:
        super().__init__(f"expected update {expected}, got {got}")
        self.expected = expected
        self.got = got


class LocalBook:
    """The state of one symbol. Each method answers with the events that came of its argument."""

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.whole = False  # a snapshot was applied and no diff has been missed since
        self.touch: TopOfBook | None = None
        self._depth = Depth()
        self._ticker_id = 0  # u of the last bookTicker; 0 while there was none
        self._diff_id: int | None = None  # u of the last diff
        self._base_id: int | None = None  # lastUpdateId of a snapshot that is ahead of the diffs
        self._recent: deque[Diff] = deque(maxlen=REMEMBERED_DIFFS)
        self._held_bids: dict[Price, Qty] = {}
        self._held_asks: dict[Price, Qty] = {}
        self._held_id = 0

    def take_ticker(self, at_us: int, ticker: BookTicker) -> Events:
        """A new touch, and the held levels it passed. An older touch than the present one yields nothing."""
        if ticker.u <= self._ticker_id:
            return []
        self._ticker_id = ticker.u
        touch = TopOfBook(
            symbol=self.symbol,
            at_us=at_us,
            bid=Price(ticker.b),
            bid_qty=Qty(ticker.B),
            ask=Price(ticker.a),
            ask_qty=Qty(ticker.A),
        )
        events = self._lead(touch)
        if self._held_bids or self._held_asks:
            events += self._release(touch)
            if ticker.u >= self._held_id:
                self._held_bids.clear()
                self._held_asks.clear()
        return events

    def take_diff(self, at_us: int, diff: Diff) -> Events:
        """Levels changed. Raises SequenceBroken: call ``restart``, then give the same diff again."""
        if self._diff_id is not None and diff.u <= self._diff_id:
            return []
        if self._base_id is not None and diff.u < self._base_id:
            self._recent.append(diff)
            return []
        self._check_sequence(diff)
        self._diff_id, self._base_id = diff.u, None
        self._recent.append(diff)
        self._held_id = diff.u
        if not self._ticker_id or self.touch is None:
            return self._change_without_ticker(at_us, diff)
        return self._behind(self.touch, at_us, diff.b, diff.a, newer=diff.u >= self._ticker_id)

    def take_snapshot(self, at_us: int, snapshot: Snapshot) -> Events | None:
        """The book as of ``lastUpdateId`` with the remembered diffs after it; None when it is too old to join them."""
        last = snapshot.lastUpdateId
        following = [diff for diff in self._recent if diff.u > last]
        if following and not _joins(following[0], last):
            return None
        bids = {level.price: level.qty for level in snapshot.bids}
        asks = {level.price: level.qty for level in snapshot.asks}
        for diff in following:
            bids.update((level.price, level.qty) for level in diff.b)
            asks.update((level.price, level.qty) for level in diff.a)
        if not following:
            self._diff_id, self._base_id = None, last
        self.whole = True
        self._held_bids, self._held_asks = bids, asks
        self._held_id = max(last, self._diff_id or 0)
        return self._replace(at_us)

    def restart(self, at_us: int, *, new_connection: bool = False) -> Events:
        """Forget the sequence and every level but the touch: something was missed.

        After a ``new_connection`` the venue may count from anywhere (a simulator restarts), so the touch's id goes too.
        """
        self.whole = False
        self._diff_id, self._base_id = None, None
        if new_connection:
            self._ticker_id = 0
        self._recent.clear()
        self._held_bids.clear()
        self._held_asks.clear()
        self._depth = Depth()
        if self.touch is None:
            return []
        self._depth.apply(self.touch)
        return [self._image(at_us)]

    def _check_sequence(self, diff: Diff) -> None:
        if self._base_id is not None:
            if not _joins(diff, self._base_id):
                raise SequenceBroken(self._base_id, diff.U)
        elif self._diff_id is not None:
            if diff.pu is not None and diff.pu != self._diff_id:
                raise SequenceBroken(self._diff_id, diff.pu)
            if diff.pu is None and not _joins(diff, self._diff_id):
                raise SequenceBroken(self._diff_id + 1, diff.U)

    def _lead(self, touch: TopOfBook) -> Events:
        before, self.touch = self.touch, touch
        self._depth.apply(touch)
        return [] if before is not None and before.but(at_us=touch.at_us) == touch else [touch]

    def _behind(
        self, touch: TopOfBook, at_us: int, bids: Iterable[Level], asks: Iterable[Level], *, newer: bool
    ) -> Events:
        """Apply what lies behind the touch; hold the rest if it is newer than the touch, else it is past."""
        far_bids, far_asks = [], []
        for level in bids:
            if level.price < touch.bid:
                far_bids.append(level)
            elif newer:
                self._held_bids[level.price] = level.qty
        for level in asks:
            if level.price > touch.ask:
                far_asks.append(level)
            elif newer:
                self._held_asks[level.price] = level.qty
        if not far_bids and not far_asks:
            return []
        changed = DepthChanged(symbol=self.symbol, at_us=at_us, bids=tuple(far_bids), asks=tuple(far_asks))
        self._depth.apply(changed)
        return [changed]

    def _release(self, touch: TopOfBook) -> Events:
        bids = [Level(price=price, qty=qty) for price, qty in self._held_bids.items() if price < touch.bid]
        asks = [Level(price=price, qty=qty) for price, qty in self._held_asks.items() if price > touch.ask]
        for level in bids:
            del self._held_bids[level.price]
        for level in asks:
            del self._held_asks[level.price]
        return self._behind(touch, touch.at_us, bids, asks, newer=False)

    def _replace(self, at_us: int) -> Events:
        """Build the book anew from the held levels and the touch, known or found among them."""
        self._depth = Depth()
        if self._ticker_id and self.touch is not None:
            self._depth.apply(self.touch)
            self._release(self.touch)
            return [self._image(at_us)]
        self._release_all(at_us)
        events = self._lead_from_depth(at_us)
        return [*events, self._image(at_us)] if self.touch is not None else []

    def _change_without_ticker(self, at_us: int, diff: Diff) -> Events:
        self._held_bids.update((level.price, level.qty) for level in diff.b)
        self._held_asks.update((level.price, level.qty) for level in diff.a)
        if not self.whole:
            return []  # an empty level says nothing about the next one until all are known
        self._release_all(at_us)
        led = self._lead_from_depth(at_us)
        touch = self.touch
        if touch is None:
            return []
        bids = tuple(level for level in diff.b if level.price < touch.bid)
        asks = tuple(level for level in diff.a if level.price > touch.ask)
        return [*led, DepthChanged(symbol=self.symbol, at_us=at_us, bids=bids, asks=asks)] if bids or asks else led

    def _release_all(self, at_us: int) -> None:
        bids = tuple(Level(price=price, qty=qty) for price, qty in self._held_bids.items())
        asks = tuple(Level(price=price, qty=qty) for price, qty in self._held_asks.items())
        self._held_bids.clear()
        self._held_asks.clear()
        self._depth.apply(DepthChanged(symbol=self.symbol, at_us=at_us, bids=bids, asks=asks))

    def _lead_from_depth(self, at_us: int) -> Events:
        bid, ask = self._depth.bids.best(), self._depth.asks.best()
        if bid is None or ask is None:
            return []
        if bid.price >= ask.price:
            raise SequenceBroken(self._held_id, self._held_id)
        touch = TopOfBook(
            symbol=self.symbol, at_us=at_us, bid=bid.price, bid_qty=bid.qty, ask=ask.price, ask_qty=ask.qty
        )
        return self._lead(touch)

    def _image(self, at_us: int) -> DepthChanged:
        bids, asks = self._depth.bids, self._depth.asks
        return DepthChanged(
            symbol=self.symbol, at_us=at_us, bids=bids.top(len(bids)), asks=asks.top(len(asks)), snapshot=True
        )


def _joins(diff: Diff, last: int) -> bool:
    """Whether ``diff``, the first to end after ``last``, leaves no update out: spot U <= last + 1, USD-M pu <= last.

    Binance words the USD-M rule ``U <= last <= u``; ids there have holes, and ``pu`` is the true neighbour of ``U``.
    """
    return last >= diff.U - 1 if diff.pu is None else diff.pu <= last
