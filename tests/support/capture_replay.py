"""A real capture through everything that keeps a book: what must never happen is counted, not assumed.

Four readers of one file: the raw diffs' own sequence numbers, the tape's ``Depth``, the venue's ``Book``, and whoever
listens to the simulated exchange that the capture drives.
"""

from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from chimera.adapters.binance.capture_file import lines
from chimera.services.simulator.market import files_named, open_captures
from chimera.simulate.door.messages import PUBLIC, SPOT
from chimera.simulate.twin import Twin
from chimera.simulate.venue.book import Book
from chimera.tape.capture import Capture
from chimera.tape.depth import Depth
from chimera.tape.reader import MarketReader
from chimera.trading.market import DepthChanged, Market, MarketEvent, TopOfBook
from chimera.trading.money import ZERO, Millis

FORBIDDEN = (
    "bad lines", "crossed tape book", "crossed venue book", "size not above zero", "best is not the touch",
    "lost in the capture", "lost by the tape", "lost on our own stream", "crossed on our own stream",
)  # fmt: skip
_EVERY = 5_000


def replay(path: Path) -> Counter[str]:
    """Everything counted over one capture; all of ``FORBIDDEN`` must be 0."""
    counts = Counter(dict.fromkeys(FORBIDDEN, 0))
    capture = Capture(lenient=True)
    [file] = files_named(str(path))
    listed = open_captures([file])
    rules = listed.spot if file.market is Market.SPOT else listed.instruments
    twin = Twin(listed.instruments, spot=listed.spot, now_ms=listed.start_us // 1_000)
    served = Served(twin, listed.symbol, file.market, counts)
    tape, venue = Depth(), Book(next(each.tick for each in rules if each.symbol == listed.symbol))
    sequence = Sequence(counts)
    for line in lines(path):
        sequence.take(line)
        for event in capture.events([line]):
            counts["events"] += 1
            twin.market(event, Millis(event.at_us // 1_000), file.market)
            served.drain(event.at_us)
            if isinstance(event, TopOfBook | DepthChanged):
                keep(event, tape, venue, counts)
    served.compare()
    counts["lines"] = capture.lines
    counts["bad lines"] = capture.refused
    counts["lost by the tape"] = capture.reader.gap_count
    return counts


def keep(event: TopOfBook | DepthChanged, tape: Depth, venue: Book, counts: Counter[str]) -> None:
    """One event into both books."""
    tape.apply(event)
    if isinstance(event, TopOfBook):
        venue.apply_top(event)
    else:
        venue.apply_depth(event)
    counts["crossed tape book"] += tape.crossed
    bid, ask = venue.bids.best, venue.asks.best
    counts["crossed venue book"] += bid is not None and ask is not None and bid >= ask
    for ladder in (venue.bids, venue.asks):
        counts["size not above zero"] += sum(ladder.shown.get(price, 1) <= ZERO for price in ladder.changed)
    if isinstance(event, TopOfBook):
        ours = (event.bid, event.bid_qty, event.ask, event.ask_qty)
        best_bid, best_ask = tape.bids.best(), tape.asks.best()
        assert best_bid is not None and best_ask is not None  # noqa: PT018  # the touch was just applied
        theirs = (best_bid.price, best_bid.qty, best_ask.price, best_ask.qty)
        counts["best is not the touch"] += venue.touch != ours or theirs != ours


class Sequence:
    """Update ids of the raw diffs: spot ``U`` follows ``u``, USD-M ``pu`` is ``u``. Reads the JSON by itself."""

    def __init__(self, counts: Counter[str]) -> None:
        self.counts = counts
        self.last: int | None = None

    def take(self, line: bytes) -> None:
        if b'"depthUpdate"' not in line:
            return
        data: dict[str, Any] = msgspec.json.decode(line.partition(b" ")[2])["data"]
        self.counts["diffs"] += 1
        if self.last is not None:
            follows = data["pu"] == self.last if "pu" in data else data["U"] == self.last + 1
            self.counts["lost in the capture"] += not follows
        self.last = data["u"]


class Served:
    """Somebody who listens to the venue's own depth and touch, by Binance's rules."""

    def __init__(self, twin: Twin, symbol: str, market: Market, counts: Counter[str]) -> None:
        self.twin = twin
        self.route = SPOT if market is Market.SPOT else PUBLIC
        listings: Any = twin.spot.floor.listings if market is Market.SPOT else twin.usdm.floor.listings
        self.listing = listings[symbol]
        self.counts = counts
        self.reader = MarketReader()
        self.book = Depth()
        for stream in ("depth@100ms", "bookTicker"):
            assert twin.subscribe(self.route, f"{symbol.lower()}@{stream}")

    def drain(self, at_us: int) -> None:
        """Hear what the venue says now."""
        for frame in self.twin.drain():
            if frame.route != self.route:
                continue
            self.counts["frames"] += 1
            wrapped = b'{"stream":"%b","data":%b}' % (frame.channel.encode(), frame.payload)
            for event in self.reader.take(at_us, wrapped):
                self._keep(event)
        if self.counts["events"] % _EVERY == 0:
            self.compare()

    def _keep(self, event: MarketEvent) -> None:
        if isinstance(event, TopOfBook | DepthChanged):
            self.book.apply(event)
            self.counts["crossed on our own stream"] += self.book.crossed

    def compare(self) -> None:
        """Where the served touch is not the venue's, something was lost on the way."""
        touch, book = self.listing.book.touch, self.book
        bid, ask = book.bids.best(), book.asks.best()
        heard = None if bid is None or ask is None else (bid.price, bid.qty, ask.price, ask.qty)
        self.counts["lost on our own stream"] += heard != touch
        self.counts["lost on our own stream"] += self.reader.gap_count
