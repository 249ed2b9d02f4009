"""Factors with their ages. A factor that is needed and is missing, too old or no number is a reason to skip, never a
default. NaN and infinities end here: no comparison ever sees them.

The touch gives two factors of its own, ``spread_bps`` and ``depth_top1_usdt``, and the caller one, ``side_hint``. A
what-if replaces values and makes them fresh. This module does not know which factors anybody needs.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from chimera.trading.decision import Code, Feature, Verdict
from chimera.trading.market import Side, Touch
from chimera.trading.members import BUY, SELL
from chimera.trading.money import ONE, ZERO, Millis, sound
from chimera.trading.value import Value

ATR: Final = "atr"  # quote per base, of the period and bar its producer names
FUNDING: Final = "funding_next_abs"  # |next funding rate|, a fraction of notional
SPREAD: Final = "spread_bps"
DEPTH: Final = "depth_top1_usdt"  # the smaller side of the touch, quote asset
SIDE_HINT: Final = "side_hint"  # what the caller wished: 1 BUY, -1 SELL, 0 nothing
HINTS: Final = {None: ZERO, BUY: ONE, SELL: -ONE}
FROM_TOUCH: Final = (SPREAD, DEPTH)
BUILT_IN: Final = (*FROM_TOUCH, SIDE_HINT)  # known to every bundle, whatever the registry holds


class Ages(Value):
    """How old a factor may be (ms): ``default_ms``, unless the registry names another for it."""

    default_ms: Millis
    by_name: dict[str, Millis] = {}

    def limit(self, name: str) -> Millis:
        return self.by_name.get(name, self.default_ms)


class Features(Value):
    """What is known of one symbol at ``now_ms``."""

    values: dict[str, Feature]
    ages: Ages
    now_ms: Millis

    def usable(self, name: str) -> Decimal | None:
        """The value, where ``need`` has one."""
        feature = self.values.get(name)
        if feature is None or abs(self.now_ms - feature.at_ms) > self.ages.by_name.get(name, self.ages.default_ms):
            return None
        return feature.value if sound(feature.value) else None

    def all_usable(self) -> dict[str, Decimal]:
        """Each factor that ``usable`` has, by name."""
        found = {name: self.usable(name) for name in self.values}
        return {name: value for name, value in found.items() if value is not None}

    def need(self, name: str) -> Decimal | Verdict:
        """The value, or why there is none to use. A time stamp ahead of us is as bad as one behind."""
        feature = self.values.get(name)
        if feature is None:
            return Verdict(code=Code.FEATURE_MISSING, passed=False, name=name, text=f"feature {name} is missing")
        if not sound(feature.value):
            words = f"feature {name} is {feature.value}, which is no number to decide by"
            return Verdict(code=Code.FEATURE_INVALID, passed=False, name=name, text=words)
        age, limit = abs(self.now_ms - feature.at_ms), self.ages.limit(name)
        if age <= limit:
            return feature.value
        return Verdict(
            code=Code.FEATURE_STALE,
            passed=False,
            name=name,
            value=Decimal(age),
            op="<=",
            limit=Decimal(limit),
            margin=Decimal(limit - age),
            text=f"feature {name} is {age} ms old, limit {limit} ms",
        )


def built_in(touch: Touch | None, hint: Side | None, now_ms: Millis) -> dict[str, Feature]:
    """What the caller wished, and of a touch its spread and the thinner side's value in quote asset."""
    wish = Feature(value=HINTS[hint], at_ms=now_ms)
    if touch is None:
        return {SIDE_HINT: wish}
    bid, ask = touch.bid * touch.bid_qty, touch.ask * touch.ask_qty
    return {
        SPREAD: Feature(value=touch.spread_bps, at_ms=touch.at_ms),
        DEPTH: Feature(value=bid if bid < ask else ask, at_ms=touch.at_ms),
        SIDE_HINT: wish,
    }


def supposed(values: Mapping[str, Decimal], now_ms: Millis) -> dict[str, Feature]:
    """A caller's what-if values, true as of now."""
    return {name: Feature(value=value, at_ms=now_ms) for name, value in values.items()}
