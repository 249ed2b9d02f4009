"""How a synthetic market behaves: knobs, and the measured numbers behind their defaults.

Measured with ``tests/bench/measure_captures.py`` on the captures of 2024-08-08 (BTCUSDT near 61,700; 345 s), each
table the middles of sixteen equal shares, the last the mean of its share so that a fat tail keeps its weight:
USD-M ``usdm-btcusdt_20240808``: volatility 1.19 / 1.18 / 1.05 bps per root second over 1 / 5 / 30 s bars, 61.8 trades/s
in 6.31 runs/s of one taker side. Spot ``spot-btcusdt_20240808``: 1.16 / 1.09 / 1.10 bps, 28.2 trades/s in 2.99 runs/s.
(The calm captures of 2023-04-05 have a quarter of that volatility: 0.26 to 0.39 bps.)
"""

from decimal import Decimal
from typing import Final

from chimera.trading.value import Value

MEASURED_PRICE: Final = Decimal(61_700)  # sizes are scaled to keep their notional at another price

FUT_SPREAD_TICKS: Final = (1,) * 15 + (4,)
FUT_TOP_SIZES: Final = "0.078 0.357 0.762 1.12 1.615 2.121 2.566 2.948 3.302 3.597 3.965 4.429 5.121 5.894 7.449 14.784"
FUT_RUN_SIZES: Final = "0.002 0.003 0.006 0.01 0.018 0.029 0.04 0.056 0.09 0.129 0.188 0.292 0.5 0.903 1.799 13.594"
FUT_BEHIND_SIZES: Final = (
    "0.002 0.002 0.002 0.002 0.003 0.006 0.019 0.046 0.081 0.102 0.13 0.15 0.192 0.334 0.746 5.095"
)
FUT_GAP_TICKS: Final = (1, 1, 1, 1, 1, 2, 2, 3, 3, 4, 5, 6, 7, 9, 11, 18)

SPOT_SPREAD_TICKS: Final = (1,) * 15 + (39,)
SPOT_TOP_SIZES: Final = (
    "0.058 0.179 0.320 0.505 0.794 1.157 1.508 1.840 2.202 2.577 2.931 3.327 3.713 4.164 4.687 5.943"
)
SPOT_RUN_SIZES: Final = (
    "0.00013 0.00026 0.00055 0.00133 0.0026 0.0049 0.009 0.0138 0.02 0.0231 0.0344 0.0533 0.1046 0.1841 0.4039 2.397"
)
SPOT_BEHIND_SIZES: Final = (
    "0.00009 0.00013 0.00032 0.00086 0.0029 0.0239 0.0455 0.0647 0.0866 0.0897 0.0971 0.1436 0.2298 0.2893 0.3240 1.108"
)
SPOT_GAP_TICKS: Final = (1, 1, 1, 1, 2, 5, 10, 14, 21, 29, 39, 50, 63, 82, 108, 181)


class Profile(Value):
    """Knobs of a synthetic market. Sizes are base asset at ``MEASURED_PRICE``; tables have sixteen entries each."""

    tick: Decimal = Decimal("0.1")
    step: Decimal = Decimal("0.001")
    step_ms: int = 200  # between two looks at the market; an event is yielded only where something changed
    depth_every: int = 5  # depth is told every so many steps, and at once when half of a side is gone
    levels: int = 10  # behind and including the touch, each side
    volatility_bps: Decimal = Decimal("1.15")  # per root second
    drift_bps: Decimal = Decimal(0)  # per minute, for ever
    trend_bps: Decimal = Decimal(0)  # per minute while a trend lasts, its direction drawn
    trend_mean_s: int = 120  # how long a trend, or the pause after it, lasts on average
    jumps_per_hour: Decimal = Decimal(0)
    jump_bps: Decimal = Decimal(20)  # either way, on top of volatility
    reversion_s: int = 3_600  # time constant of the pull to the start price; 0 for none
    band_bps: tuple[int, int] | None = (130, 160)  # below and above the start price, reflecting; None for no band
    spread_ticks: tuple[int, ...] = FUT_SPREAD_TICKS
    spread_scale: int = 1  # > 1: a wide spread
    top_sizes: str = FUT_TOP_SIZES
    behind_sizes: str = FUT_BEHIND_SIZES
    gap_ticks: tuple[int, ...] = FUT_GAP_TICKS
    book_scale: Decimal = Decimal(1)  # < 1: a thin book
    run_sizes: str = FUT_RUN_SIZES
    runs_per_s: Decimal = Decimal("6.3")  # takers of one side in a row, told as one trade
    marks: bool = True  # a mark price each second (USD-M)
    funding_rate: Decimal = Decimal("0.0001")  # per 8 h


FUTURES: Final = Profile()
SPOT: Final = Profile(
    tick=Decimal("0.01"),
    step=Decimal("0.00001"),
    volatility_bps=Decimal("1.1"),
    spread_ticks=SPOT_SPREAD_TICKS,
    top_sizes=SPOT_TOP_SIZES,
    behind_sizes=SPOT_BEHIND_SIZES,
    gap_ticks=SPOT_GAP_TICKS,
    run_sizes=SPOT_RUN_SIZES,
    runs_per_s=Decimal("3.0"),
    marks=False,
)
