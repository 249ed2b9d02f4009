"""The market of the worlds: the measured law of prices with fewer events, and livelier."""

from decimal import Decimal
from typing import Final

from chimera.tape.profile import FUT_GAP_TICKS, FUTURES

# A third of the volume, few levels wide apart.
SPARSE: Final = FUTURES.but(
    step_ms=250, depth_every=40, levels=6, gap_ticks=tuple(4 * gap for gap in FUT_GAP_TICKS), runs_per_s=Decimal(2)
)
# Livelier than measured, so that stops and targets are reached within a short run.
MARKET: Final = SPARSE.but(volatility_bps=Decimal(4), jumps_per_hour=Decimal(120), jump_bps=Decimal(25), band_bps=None)
