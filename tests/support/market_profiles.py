"""Markets to try sources on: as measured, and each harsher or gentler in one thing."""

from decimal import Decimal
from typing import Final

from chimera.tape.profile import FUTURES, SPOT
from world.market import SPARSE

CALM: Final = FUTURES.but(volatility_bps=Decimal("0.33"))
WIDE: Final = FUTURES.but(spread_scale=250)  # 25 USDT at BTCUSDT: 3.8 bps
THIN: Final = FUTURES.but(book_scale=Decimal("0.01"))
JUMPY: Final = FUTURES.but(jumps_per_hour=Decimal(60))
TRENDING: Final = FUTURES.but(trend_bps=Decimal(20))
PROFILES: Final = {
    "futures": FUTURES,
    "spot": SPOT,
    "sparse": SPARSE,
    "calm": CALM,
    "wide": WIDE,
    "thin": THIN,
    "jumpy": JUMPY,
    "trending": TRENDING,
}
