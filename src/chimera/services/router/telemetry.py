"""S4's metrics, a closed list: the requirement's names with dots as underscores, each by market.

Drawn anew at each look from what the router counts anyway; it keeps nothing of its own.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from chimera.trading.market import Market

_RATIOS: Final = {
    "maker_fill_ratio": "Mean filled share of the maker orders that ended in the last hour, 0 to 1",
    "twap_slice_fill_ratio": "Mean filled share of the slices of orders in several that ended in the last hour, 0 to 1",
}


def page(ratios: Mapping[Market, Mapping[str, Decimal]]) -> bytes:
    """Prometheus' text; a ratio that a market does not have is left out."""
    registry = CollectorRegistry()
    for name, text in _RATIOS.items():
        gauge = Gauge(name, text, ["market"], registry=registry)
        for market, told in ratios.items():
            if name in told:
                gauge.labels(str(market)).set(float(told[name]))  # no money: a share for a graph
    return bytes(generate_latest(registry))
