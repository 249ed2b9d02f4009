"""One symbol as the feed knows it: folds market events, answers with the three documents of the board.

Pure. Bars and means are of the mid, which has no bounce between bid and ask and exists without trades.
A feature that is not known yet is absent, and each carries the time of the event that made it. Books and marks come
over two connections, and neither makes the other young: a tick and what is made of touches are of their book's moment,
and a tick has no mark that is old.
"""

from decimal import Decimal
from typing import Final

from chimera.services.feed.settings import FeedSettings
from chimera.tape.depth import Depth
from chimera.tape.indicators import Bars, RealisedVolatility, TimeMean, WilderAtr
from chimera.trading.decision import Feature
from chimera.trading.market import DepthChanged, Marked, MarketEvent, TopOfBook, Traded
from chimera.trading.money import BPS, Millis, Price
from chimera.wire.board import DepthBoard, FeatureBoard, TickBoard

MARK_MS: Final = 5_000  # a mark comes each second; one that is older than this, when the newest event came, is none
_SIX_PLACES: Final = Decimal("1E-6")


class SymbolFeed:
    """All that is kept of one symbol."""

    def __init__(self, symbol: str, settings: FeedSettings) -> None:
        self.symbol = symbol
        self.at_ms = Millis(0)  # of the newest event
        self._settings = settings
        self._depth = Depth()
        self._depth_at_ms = Millis(0)
        self._touch: TopOfBook | None = None
        self._last: Price | None = None
        self._marked: Marked | None = None
        self._bars = Bars(settings.atr_bar_ms)
        self._atr = WilderAtr(settings.atr_period, settings.atr_warmup_bars)
        self._volatility = RealisedVolatility(settings.rv_bars, settings.atr_bar_ms)
        self._bar_at_ms = Millis(0)  # when the newest bar closed
        self._spread_mean = TimeMean(settings.mean_window_ms)
        self._depth_mean = TimeMean(settings.mean_window_ms)

    def take(self, event: MarketEvent) -> None:
        self.at_ms = Millis(event.at_us // 1_000)
        match event:
            case TopOfBook():
                self._take_touch(event)
            case DepthChanged():
                self._depth.apply(event)
                self._depth_at_ms = self.at_ms
            case Traded():
                self._last = event.price
            case Marked():
                self._marked = event

    def tick(self) -> TickBoard | None:
        """None before the first touch."""
        touch = self._touch
        if touch is None:
            return None
        marked = self._marked
        if marked is not None and self.at_ms - marked.at_us // 1_000 > MARK_MS:
            marked = None
        return TickBoard(
            symbol=self.symbol,
            at_ms=self._depth_at_ms,
            bid=touch.bid,
            bid_qty=touch.bid_qty,
            ask=touch.ask,
            ask_qty=touch.ask_qty,
            mid=_mid(touch),
            spread_bps=_spread_bps(touch),
            last=self._last,
            mark=marked.mark if marked else None,
            index=marked.index if marked else None,
        )

    def depth(self) -> DepthBoard | None:
        """None before the first touch."""
        if self._touch is None:
            return None
        return DepthBoard(
            symbol=self.symbol,
            at_ms=self._depth_at_ms,
            bids=self._depth.bids.top(self._settings.depth_levels),
            asks=self._depth.asks.top(self._settings.depth_levels),
            depth_top1_usdt=_top1_usdt(self._touch),
        )

    def features(self) -> FeatureBoard:
        settings = self._settings
        features = {name: Feature(value=value, at_ms=self.at_ms) for name, value in settings.constants.items()}
        if self._touch is not None:
            features |= self._book_features(self._touch)
        if self._atr.value is not None:
            features["atr"] = Feature(value=self._atr.value.quantize(_SIX_PLACES), at_ms=self._bar_at_ms)
        if self._volatility.value is not None:
            features["rv"] = Feature(value=Decimal(f"{self._volatility.value:.6f}"), at_ms=self._bar_at_ms)
        if self._marked is not None:
            marked_ms = Millis(self._marked.at_us // 1_000)
            features["funding_rate"] = Feature(value=self._marked.funding_rate, at_ms=marked_ms)
            features["funding_next_abs"] = Feature(value=abs(self._marked.funding_rate), at_ms=marked_ms)
        return FeatureBoard(
            symbol=self.symbol,
            at_ms=self.at_ms,
            features=features,
            about={
                "atr_period": settings.atr_period,
                "atr_bar_ms": settings.atr_bar_ms,
                "atr_bars_seen": self._atr.bars,
                "rv_bars": settings.rv_bars,
                "mean_window_ms": settings.mean_window_ms,
            },
        )

    def _take_touch(self, touch: TopOfBook) -> None:
        self._touch = touch
        self._depth.apply(touch)
        self._depth_at_ms = self.at_ms
        self._spread_mean.take(self.at_ms, _spread_bps(touch))
        self._depth_mean.take(self.at_ms, _top1_usdt(touch))
        closed = self._bars.take(self.at_ms, _mid(touch))
        if closed is not None:
            self._bar_at_ms = Millis(closed.start_ms + self._bars.bar_ms)
            self._atr.take(closed)
            self._volatility.take(closed.close)

    def _book_features(self, touch: TopOfBook) -> dict[str, Feature]:
        at_ms = self._depth_at_ms
        found = {
            "spread_bps": _spread_bps(touch),
            "depth_top1_usdt": _top1_usdt(touch),
            "spread_bps_mean_1h": self._spread_mean.mean(at_ms),
            "depth_top1_usdt_mean_1h": self._depth_mean.mean(at_ms),
        }
        return {
            name: Feature(value=value.quantize(_SIX_PLACES), at_ms=at_ms)
            for name, value in found.items()
            if value is not None
        }


def _mid(touch: TopOfBook) -> Price:
    return Price((touch.bid + touch.ask) / 2)


def _spread_bps(touch: TopOfBook) -> Decimal:
    """Of the mid, to the nearest sixth place."""
    return ((touch.ask - touch.bid) / _mid(touch) * BPS).quantize(_SIX_PLACES)


def _top1_usdt(touch: TopOfBook) -> Decimal:
    """The notional at the thinner of the two touches: what either side can surely trade at once."""
    return min(touch.bid * touch.bid_qty, touch.ask * touch.ask_qty)
