"""The market a simulated venue runs on: a capture from a file, or the seeded synthetic one.

A capture may be of any symbol and of spot: the venue lists each symbol with the finest price and quantity that the
capture's first events show, so that no fill is smaller than the step on the wire. Bad lines
of a capture are passed over and counted, not guessed.
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import chain, islice
from pathlib import Path
from typing import Final

from chimera.adapters.binance import capture_file
from chimera.simulate.usdm.perpetual import DEMO
from chimera.tape.capture import Capture
from chimera.tape.synthetic import Synthetic
from chimera.trading.errors import Refused
from chimera.trading.ids import Symbol
from chimera.trading.instrument import Instrument
from chimera.trading.market import DepthChanged, Market, MarketEvent, TopOfBook, Traded
from chimera.trading.money import Price, Qty
from chimera.wire.registry import QUOTES

LOOKED_AT: Final = 3_000  # events from which an unknown symbol's tick and step are read
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
    seen: dict[Symbol, list[MarketEvent]] = {}
    for event in head:
        seen.setdefault(Symbol(event.symbol), []).append(event)
    for symbol, events in seen.items():
        listed[symbol] = _as_shown(symbol, events, listed.get(symbol))
    return tuple(listed.values())


def _as_shown(symbol: Symbol, events: Iterable[MarketEvent], known: Instrument | None) -> Instrument:
    """The known instrument, with tick and step no coarser than what was seen; an unknown one with wide limits."""
    tick, step = (known.tick, known.step) if known is not None else (_COARSEST, _COARSEST)
    for event in events:
        prices, sizes = _numbers(event)
        tick = min([tick, *map(_unit, prices)])
        step = min([step, *map(_unit, sizes)])
    if known is not None:
        return known.but(tick=tick, step=step, min_price=Price(tick), min_qty=Qty(step))
    quote = next((quote for quote in QUOTES if symbol.endswith(quote)), "USDT")
    return Instrument(
        symbol=symbol,
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
