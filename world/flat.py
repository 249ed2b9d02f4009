"""A market that stands still: the same touch, over and over, and the trades that a scripted story needs.

Whatever happens in such a story was wanted by it; nothing here is drawn.
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Final

from chimera.services.stage.clock import EPOCH_MS
from chimera.trading.market import Marked, MarketEvent, Side, TopOfBook, Traded
from chimera.trading.money import Millis, Price, Qty
from world.composed import INSTRUMENT

BID, ASK = Price(Decimal("65800.0")), Price(Decimal("65800.1"))
SHOWN: Final = Qty(Decimal(5))  # on either side: what stands before a maker who joins
QUOTE_EVERY_S: Final = 0.25
_SYMBOL: Final = INSTRUMENT.symbol


def against(maker: Side, at_s: float, qty: Qty) -> Traded:
    """A taker meets makers of that side, after ``at_s`` of virtual time."""
    price = BID if maker is Side.BUY else ASK
    return Traded(symbol=_SYMBOL, at_us=_us(at_s), price=price, qty=qty, taker=maker.opposite)


def flat_market(trades: Iterable[Traded], *, until_s: float) -> Iterator[MarketEvent]:
    """In order of time; a mark price each second."""
    events: list[MarketEvent] = list(trades)
    for number in range(round(until_s / QUOTE_EVERY_S)):
        at_us = _us(number * QUOTE_EVERY_S)
        events.append(TopOfBook(symbol=_SYMBOL, at_us=at_us, bid=BID, bid_qty=SHOWN, ask=ASK, ask_qty=SHOWN))
        if number % 4 == 0:
            funding_ms = Millis(EPOCH_MS + 28_800_000)
            rate = Decimal("0.0001")
            events.append(
                Marked(symbol=_SYMBOL, at_us=at_us, mark=BID, index=BID, funding_rate=rate, next_funding_ms=funding_ms)
            )
    yield from sorted(events, key=lambda event: event.at_us)


def _us(at_s: float) -> int:
    return EPOCH_MS * 1000 + round(at_s * 1e6)
