"""Parameter curves: the table's maker wait refined by notional, spread and depth (S4-ROUTE-2).

    T_wait = clamp(table wait x f(notional) x g(spread) x h(depth), least, most)

Each factor is piecewise linear, level beyond its first and last point, and 1 where there is no curve or no reading.
"""

from decimal import ROUND_HALF_EVEN, Decimal
from itertools import pairwise

from chimera.trading.money import ONE, text
from chimera.trading.routes import Curves, Point


def factor(points: tuple[Point, ...], at: Decimal | None) -> Decimal:
    """What the curve says at this value; 1 without points or without a value."""
    if not points or at is None:
        return ONE
    if at <= points[0].at:
        return points[0].factor
    for left, right in pairwise(points):
        if at <= right.at:
            return left.factor + (right.factor - left.factor) * (at - left.at) / (right.at - left.at)
    return points[-1].factor


def refined_wait(
    wait_ms: int, curves: Curves, *, notional: Decimal, spread_bps: Decimal | None, depth: Decimal | None
) -> tuple[int, str]:
    """Milliseconds, half to even, and the sentence for the plan's ``why``.

    A wait of 0 in the table means to take at once, and stays. ``spread_bps`` and ``depth`` None: not seen.
    """
    if not wait_ms:
        return 0, f"curves rev {curves.rev}: the table's maker wait is 0 and stays"
    factors = {
        "notional": factor(curves.by.notional_usdt, notional),
        "spread": factor(curves.by.spread_bps, spread_bps),
        "depth": factor(curves.by.depth_usdt, depth),
    }
    exact = Decimal(wait_ms)
    for share in factors.values():
        exact *= share
    found = max(int(exact.to_integral_value(ROUND_HALF_EVEN)), curves.least_ms)
    if curves.most_ms is not None:
        found = min(found, curves.most_ms)
    told = ", ".join(f"{name} x {text(share.quantize(Decimal('0.0001')))}" for name, share in factors.items())
    return found, f"curves rev {curves.rev}: maker wait {wait_ms} ms becomes {found} ms ({told})"
