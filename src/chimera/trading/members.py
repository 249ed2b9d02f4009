"""Members that every decision compares with, a dozen times: reading one off its enumeration takes 50 ns here."""

from typing import Final

from chimera.trading.market import Market, Side

FUT: Final = Market.FUT
SPOT: Final = Market.SPOT
BUY: Final = Side.BUY
SELL: Final = Side.SELL
