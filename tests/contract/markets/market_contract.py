"""The one contract of every market source (``chimera.tape``), checked event by event."""

from collections import Counter
from collections.abc import Iterable

from chimera.tape.depth import Depth
from chimera.trading.market import DepthChanged, Marked, MarketEvent, TopOfBook, Traded


class Checked:
    """Counts by kind, and the book of each symbol as a reader of the events has it."""

    def __init__(self) -> None:
        self.kinds: Counter[type] = Counter()
        self.books: dict[str, Depth] = {}
        self.touches: dict[str, TopOfBook] = {}
        self.at_us = 0

    def take(self, event: MarketEvent) -> None:
        assert event.at_us >= self.at_us, "time ran backwards"
        self.at_us = event.at_us
        self.kinds[type(event)] += 1
        if isinstance(event, TopOfBook):
            assert event.bid < event.ask, "crossed touch"
            assert min(event.bid, event.bid_qty, event.ask_qty) > 0
            self.touches[event.symbol] = event
        assert event.symbol in self.touches, "something came before the first touch"
        book, touch = self.books.setdefault(event.symbol, Depth()), self.touches[event.symbol]
        match event:
            case TopOfBook():
                book.apply(event)
            case DepthChanged():
                self._take_depth(book, touch, event)
            case Traded():
                assert min(event.price, event.qty) > 0
            case Marked():
                assert event.mark > 0
                assert event.next_funding_ms > 0
        best_bid, best_ask = book.bids.best(), book.asks.best()
        assert best_bid is not None
        assert best_ask is not None
        assert (best_bid.price, best_ask.price) == (touch.bid, touch.ask), "the book's best is not the touch"

    def _take_depth(self, book: Depth, touch: TopOfBook, event: DepthChanged) -> None:
        assert all(level.price > 0 and level.qty >= 0 for level in event.bids + event.asks)
        if not event.snapshot:
            assert all(level.price < touch.bid for level in event.bids), "a bid at or before the touch"
            assert all(level.price > touch.ask for level in event.asks), "an ask at or before the touch"
        book.apply(event)


def check(events: Iterable[MarketEvent]) -> Checked:
    checked = Checked()
    for event in events:
        checked.take(event)
    return checked
