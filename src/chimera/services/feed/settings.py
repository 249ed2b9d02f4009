"""What the feed computes and how often it writes."""

from decimal import Decimal
from typing import Final

from chimera.trading.value import Value

# The factors of the demo rules that no one market shows. Made up, so that a market of play money trades.
FIXTURE_FACTORS: Final = {"rv_pctile_30d": Decimal("0.20"), "rho_usdttwd_14": Decimal("-0.40")}
MADE_UP_IN: Final = ("sim", "demo")


class FeedSettings(Value):
    """The default bars let a market of five minutes trade: the first ATR comes after three bars, 15 to 20 s."""

    atr_period: int = 14  # bars
    atr_bar_ms: int = 5_000
    atr_warmup_bars: int = 3  # from here to atr_period bars, ATR is the mean of the true ranges so far
    rv_bars: int = 60  # returns between the same bars
    mean_window_ms: int = 3_600_000
    depth_levels: int = 20  # each side
    write_every_ms: int = 100  # least time between two writes of one key
    put_timeout_ms: int = 500
    constants: dict[str, Decimal] = {}  # factors given by configuration, always fresh


SERVED: Final = FeedSettings(constants=FIXTURE_FACTORS)


def served(environment: str) -> FeedSettings:
    """What ``chimera feed`` runs with. Nothing is made up where money is real: rules that need such a factor skip."""
    return SERVED if environment in MADE_UP_IN else FeedSettings()
