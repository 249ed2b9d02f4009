"""The market a simulated venue runs on: a capture from a file, or the seeded synthetic one.

A capture may be of any symbol: one that the venue does not list by default is listed by what the capture shows (the
finest price and quantity in its first events). Bad lines of a capture are passed over and counted, not guessed.
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import chain, islice
from pathlib import Path
from typing import Final

from chimera.adapters.binance import capture_file
from chimera.simulate.listing import DEMO
from chimera.simulate.markets.capture import Capture
from chimera.simulate.markets.synthetic import Synthetic
from chimera.trading.errors import Refused
from chimera.trading.ids import Symbol
from chimera.trading.instrument import Instrument
from chimera.trading.market import DepthChanged, Market, MarketEvent, TopOfBook, Traded
from chimera.trading.money import Price, Qty

LOOKED_AT: Final = 3_000  # events from which an unknown symbol's tick and step are read
_QUOTES: Final = ("USDT", "USDC", "BUSD", "FDUSD", "BTC", "ETH")
_MANY: Final = Decimal(1_000_000)
_COARSEST: Final = Decimal(1)


class OpenedMarket:
    """``events`` may be run once. ``start_us`` is the time of the first."""

    def __init__(self, events: Iterator[MarketEvent], start_us: int, symbol: Symbol, known: tuple[Instrument, ...]):
        self.events = events
        self.start_us = start_us
        self.symbol = symbol
        self.instruments = known


def open_market(path: Path | None, *, seed: int, symbol: str = "BTCUSDT") -> OpenedMarket:
    """The capture at ``path``, or the synthetic market of ``seed``. Raises ``Refused`` for a file of no use."""
    if path is None:
        market = Synthetic(seed, symbol)
        return OpenedMarket(iter(market), market.start_us, Symbol(symbol), DEMO)
    events = _capture(path)
    head = list(islice(events, LOOKED_AT))
    if not head:
        raise Refused("MARKET_FILE", f"{path} has no market event: is it a capture?", field="--market")
    first = head[0]
    return OpenedMarket(chain(head, events), first.at_us, Symbol(first.symbol), _listing(head))


def _capture(path: Path) -> Iterator[MarketEvent]:
    try:
        yield from Capture(lenient=True).events(capture_file.lines(path))
    except OSError as error:  # gzip.BadGzipFile is one
        raise Refused("MARKET_FILE", f"{path}: {error.strerror or error}", field="--market") from error


def _listing(head: Iterable[MarketEvent]) -> tuple[Instrument, ...]:
    listed = {instrument.symbol: instrument for instrument in DEMO}
    seen: dict[str, list[MarketEvent]] = {}
    for event in head:
        if event.symbol not in listed:
            seen.setdefault(event.symbol, []).append(event)
    return (*DEMO, *(_as_shown(symbol, events) for symbol, events in seen.items()))


def _as_shown(symbol: str, events: Iterable[MarketEvent]) -> Instrument:
    """An instrument whose tick and step are the finest that were seen; limits as wide as the demo's."""
    tick = step = _COARSEST
    for event in events:
        prices, sizes = _numbers(event)
        tick = min([tick, *map(_unit, prices)])
        step = min([step, *map(_unit, sizes)])
    quote = next((quote for quote in _QUOTES if symbol.endswith(quote)), "USDT")
    return Instrument(
        symbol=Symbol(symbol),
        market=Market.FUT,
        base=symbol.removesuffix(quote),
        quote=quote,
        tick=tick,
        step=step,
        min_price=Price(tick),
        max_price=Price(tick * _MANY * _MANY),
        min_qty=Qty(step),
        max_qty=Qty(step * _MANY * 10),
        market_max_qty=Qty(step * _MANY),
        min_notional=Decimal(5),
    )


def _numbers(event: MarketEvent) -> tuple[list[Decimal], list[Decimal]]:
    match event:
        case TopOfBook():
            return [event.bid, event.ask], [event.bid_qty, event.ask_qty]
        case Traded():
            return [event.price], [event.qty]
        case DepthChanged():
            levels = [*event.bids, *event.asks]
            return [level.price for level in levels], [level.qty for level in levels if level.qty]
        case _:
            return [], []


def _unit(amount: Decimal) -> Decimal:
    """The last decimal place that is in use: 0.01 of 61800.20 is 0.1."""
    exponent = amount.normalize().as_tuple().exponent
    return Decimal(1).scaleb(min(0, exponent if isinstance(exponent, int) else 0))
