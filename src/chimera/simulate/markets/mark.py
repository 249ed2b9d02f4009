"""A mark price for markets that show none, so that triggers on ``MARK_PRICE`` have something to go by.

Derived mark: an average of the mid that moves half way to it each second, 8 decimals like Binance's; index = mark. The
true mark follows an index of several exchanges and differs from this by a few basis points. A symbol's first true
``Marked`` ends derivation for that symbol.
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Final

from chimera.trading.market import Marked, MarketEvent, TopOfBook
from chimera.trading.money import Millis, Price

TYPICAL_FUNDING: Final = Decimal("0.0001")  # per 8 h: Binance's interest component, what a calm market pays
_EVERY_US: Final = 1_000_000
_FUNDING_MS: Final = 8 * 3_600_000  # 00:00, 08:00, 16:00 UTC
_EIGHT_PLACES: Final = Decimal("1E-8")
_MOST_SECONDS: Final = 60  # after a longer silence the old average weighs nothing


def with_mark(events: Iterable[MarketEvent], funding_rate: Decimal = TYPICAL_FUNDING) -> Iterator[MarketEvent]:
    """The same events, and for each symbol without its own mark a derived one at its first touch and then each second.

    Driven by events: in a market that is silent for a minute the mark is, too.
    """
    derived: dict[str, Marked | None] = {}  # None: the source has its own
    for event in events:
        yield event
        match event:
            case Marked():
                derived[event.symbol] = None
            case TopOfBook():
                last = derived.get(event.symbol)
                if event.symbol in derived and (last is None or event.at_us < last.at_us + _EVERY_US):
                    continue
                mark = derived[event.symbol] = _next_mark(last, event, funding_rate)
                yield mark
            case _:
                pass


def next_funding_ms(now_ms: int) -> Millis:
    """The next funding moment after ``now_ms``: every 8 h from midnight UTC."""
    return Millis((now_ms // _FUNDING_MS + 1) * _FUNDING_MS)


def _next_mark(last: Marked | None, touch: TopOfBook, funding_rate: Decimal) -> Marked:
    mid = (touch.bid + touch.ask) / 2
    if last is not None:
        seconds = min((touch.at_us - last.at_us) // _EVERY_US, _MOST_SECONDS)
        mid += (last.mark - mid) / 2**seconds
    mark = Price(mid.quantize(_EIGHT_PLACES))
    return Marked(
        symbol=touch.symbol,
        at_us=touch.at_us,
        mark=mark,
        index=mark,
        funding_rate=funding_rate,
        next_funding_ms=next_funding_ms(touch.at_us // 1_000),
    )
