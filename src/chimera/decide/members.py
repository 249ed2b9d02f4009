"""Members that a decision compares with, a dozen times: reading one off its enumeration costs 50 ns on Python 3.11."""

from typing import Final

from chimera.trading.market import Market, Side

FUT: Final = Market.FUT
SPOT: Final = Market.SPOT
BUY: Final = Side.BUY
SELL: Final = Side.SELL
