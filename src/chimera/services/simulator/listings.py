"""What a simulated venue lists for a market it is given: known instruments as they are, others made to measure.

A symbol nobody described gets a price of the size its real one has had (or 100), a tick of about a basis point of it
and a step worth about a tenth of a quote unit; spot steps are a tenth of those. A symbol of a capture gets the finest
price and quantity that the capture's first events show, so that no fill is smaller than the step on the wire.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from chimera.simulate.spot.pair import SPOT_DEMO
from chimera.simulate.usdm.perpetual import DEMO
from chimera.tape.profile import FUTURES, SPOT, Profile
from chimera.trading.ids import Symbol
from chimera.trading.instrument import Instrument
from chimera.trading.market import DepthChanged, Market, MarketEvent, TopOfBook, Traded
from chimera.trading.money import Price, Qty
from chimera.wire.registry import QUOTES

_STARTS: Final = {
    "BTC": "65800", "ETH": "3500", "BNB": "600", "SOL": "150", "XRP": "2", "ADA": "0.5", "DOGE": "0.2", "LTC": "90",
}  # fmt: skip
_ANY_START: Final = "100"
_MANY: Final = Decimal(1_000_000)
KNOWN: Final = {(instrument.market, instrument.symbol): instrument for instrument in (*DEMO, *SPOT_DEMO)}


def start_price(symbol: str) -> Decimal:
    """Where a synthetic market of ``symbol`` begins, quote per base."""
    return Decimal(_STARTS.get(_parts(symbol)[0], _ANY_START))


def rules_of(symbol: str, market: Market) -> Instrument:
    """The instrument a synthetic market of ``symbol`` trades."""
    known = KNOWN.get((market, Symbol(symbol)))
    if known is not None:
        return known
    digits = start_price(symbol).adjusted()
    tick, step = Decimal(1).scaleb(digits - 4), Decimal(1).scaleb(-digits - 1)
    if market is Market.SPOT:
        step /= 10
    return _made(symbol, market, tick, step)


def profile_of(instrument: Instrument) -> Profile:
    """How a synthetic market of this instrument behaves: in its own ticks and steps."""
    kind = SPOT if instrument.market is Market.SPOT else FUTURES
    return kind.but(tick=instrument.tick, step=instrument.step)


def shown(symbol: str, market: Market, events: Iterable[MarketEvent]) -> Instrument:
    """The known instrument with tick and step no coarser than what was seen; an unknown one with wide limits."""
    known = KNOWN.get((market, Symbol(symbol)))
    tick, step = (known.tick, known.step) if known is not None else (Decimal(1), Decimal(1))
    for event in events:
        prices, sizes = _numbers(event)
        tick = min([tick, *map(_unit, prices)])
        step = min([step, *map(_unit, sizes)])
    if known is not None:
        return known.but(tick=tick, step=step, min_price=Price(tick), min_qty=Qty(step))
    return _made(symbol, market, tick, step)


def _made(symbol: str, market: Market, tick: Decimal, step: Decimal) -> Instrument:
    base, quote = _parts(symbol)
    return Instrument(
        symbol=Symbol(symbol),
        market=market,
        base=base,
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


def _parts(symbol: str) -> tuple[str, str]:
    quote = next((quote for quote in QUOTES if symbol.endswith(quote)), "USDT")
    return symbol.removesuffix(quote), quote


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
