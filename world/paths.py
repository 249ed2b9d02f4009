"""Markets for a whole day: few events, the same hour over and over, each hour ending where it began.

An hour that repeats makes hours comparable: what the second costs, the last must cost. A second brings the touch, now
and then a trade or two of about the displayed size, and a mark price where it moved. Nothing here is drawn anew after
the first hour.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from random import Random
from typing import Final

from chimera.services.stage.clock import EPOCH_MS
from chimera.trading.market import Marked, MarketEvent, Side, TopOfBook, Traded, next_funding_ms
from chimera.trading.money import Millis, Price, Qty
from chimera.trading.value import Value
from world.composed import INSTRUMENT

HOUR_S: Final = 3_600
SHOWN: Final = Qty(Decimal(1))  # on either side
START_TICKS: Final = 658_000
MARK_EVERY_S: Final = 3  # at least
TRADE_SHARE: Final = 0.5  # of the seconds, on either side


class Path(Value):
    """``noise_ticks``: sd of a second's step; ``trend_ticks`` per second, turning every ``turn_s`` seconds."""

    noise_ticks: float
    trend_ticks: float = 0
    turn_s: int = 900


# A tick is 0.015 bps: noise 40 is about 0.6 bps per root second, a trend of 90 about 80 bps per minute.
PATHS: Final[Mapping[str, Path]] = {
    "calm": Path(noise_ticks=25),
    "trend": Path(noise_ticks=40, trend_ticks=9),
    "whipsaw": Path(noise_ticks=60, trend_ticks=90, turn_s=20),
}


def day_market(seed: int, path: Path, *, hours: float) -> Iterator[MarketEvent]:
    """Events of ``hours`` from the epoch of the world on."""
    mids = _hour(seed, path)
    chance = Random(f"{seed}:trades")
    trades = [(chance.random() < TRADE_SHARE, chance.random() < TRADE_SHARE, chance.randint(1, 18)) for _ in mids]
    marked = 0
    for second in range(round(hours * HOUR_S)):
        place = second % HOUR_S
        mid, (sold, bought, tenths) = mids[place], trades[place]
        at_us = EPOCH_MS * 1000 + second * 1_000_000
        yield _touch(at_us, mid)
        for happened, taker, ticks in ((sold, Side.SELL, mid), (bought, Side.BUY, mid + 1)):
            if happened:
                qty = Qty(Decimal(tenths) / 10)
                yield Traded(symbol=INSTRUMENT.symbol, at_us=at_us + 300_000, price=_price(ticks), qty=qty, taker=taker)
        if second >= marked + MARK_EVERY_S or mid != mids[place - 1]:
            marked = second
            yield _mark(at_us + 500_000, mid)


def _hour(seed: int, path: Path) -> list[int]:
    """Bids in ticks, second by second: half an hour of walking, and the same way back."""
    chance = Random(f"{seed}:path")
    ticks, there = float(START_TICKS), []
    for second in range(HOUR_S // 2):
        sign = 1 if second // path.turn_s % 2 == 0 else -1
        ticks += chance.gauss(0, path.noise_ticks) + sign * path.trend_ticks
        there.append(round(ticks))
    return there + there[::-1]


def _touch(at_us: int, bid_ticks: int) -> TopOfBook:
    return TopOfBook(
        symbol=INSTRUMENT.symbol,
        at_us=at_us,
        bid=_price(bid_ticks),
        bid_qty=SHOWN,
        ask=_price(bid_ticks + 1),
        ask_qty=SHOWN,
    )


def _mark(at_us: int, ticks: int) -> Marked:
    funding_ms = next_funding_ms(Millis(at_us // 1000))
    price, rate = _price(ticks), Decimal("0.0001")
    return Marked(
        symbol=INSTRUMENT.symbol, at_us=at_us, mark=price, index=price, funding_rate=rate, next_funding_ms=funding_ms
    )


def _price(ticks: int) -> Price:
    return Price(INSTRUMENT.tick * ticks)
