"""``/sim/market``: how the simulated market runs, and changing it: stop, go, speed, a step, a push, wilder, wider.

``GET`` tells; ``POST`` changes what it names and tells. Knobs are of synthetic markets: a capture is what it was.
"""

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from chimera.services.simulator.pace import SPEED_LEAST, SPEED_MOST, STEP_MOST_MS, Pace
from chimera.tape.hand import PUSH_MOST_BPS, SPREAD_MOST, VOLATILITY_MOST, Hand
from chimera.trading.errors import Refused
from chimera.wire import request_json

PATH: Final = "/sim/market"
_KNOBS: Final = ("push_bps", "volatility_pct", "spread_times")
_NAMES: Final = ("symbol", "stopped", "speed", "step_ms", *_KNOBS)


class MarketControl:
    """``hands``: by symbol, of those that are synthetic."""

    def __init__(self, pace: Pace, seed: int, hands: Mapping[str, Hand]) -> None:
        self._pace = pace
        self._seed = seed
        self._hands = hands

    def shown(self) -> dict[str, Any]:
        pace = self._pace
        return {
            "seed": self._seed,
            "stopped": pace.stopped,
            "speed": None if math.isinf(pace.speed) else pace.speed,
            "market_ms": None if pace.market_us is None else pace.market_us // 1_000,
            "symbols": {
                symbol: {"volatility_pct": hand.volatility_pct, "spread_times": hand.spread_times}
                for symbol, hand in self._hands.items()
            },
        }

    def change(self, body: str) -> dict[str, Any]:
        """All of it or nothing. Raises ``Refused`` naming the field."""
        asked = request_json.read_object(body.encode())
        for name in asked:
            if name not in _NAMES:
                raise _no(name, asked[name], ", ".join(_NAMES))
        moved = self._wanted(asked)
        stopped, speed = _flag(asked, "stopped"), _speed(asked)
        step_ms = _whole(asked, "step_ms", 1, STEP_MOST_MS)
        if step_ms is not None and (stopped is False or speed is not None):
            raise _no("step_ms", step_ms, "alone: a step stops the market")
        for hand, push, volatility, spread in moved:
            hand.push(push)
            hand.volatility_pct = hand.volatility_pct if volatility is None else volatility
            hand.spread_times = hand.spread_times if spread is None else spread
        if step_ms is not None:
            self._pace.step(step_ms)
        elif stopped:
            self._pace.stop()
        elif stopped is False or speed is not None:
            self._pace.go(speed)
        return self.shown()

    def _wanted(self, asked: Mapping[str, object]) -> list[tuple[Hand, Decimal, int | None, int | None]]:
        """Whose knobs, and how they are to stand."""
        if not any(name in asked for name in _KNOBS):
            return []
        push = _amount(asked, "push_bps")
        volatility = _whole(asked, "volatility_pct", 0, VOLATILITY_MOST)
        spread = _whole(asked, "spread_times", 1, SPREAD_MOST)
        symbol = asked.get("symbol")
        chosen = [hand for name, hand in self._hands.items() if symbol in (None, name)]
        if not chosen:
            raise _no("symbol", symbol, ", ".join(self._hands) or "none: no market here is synthetic")
        return [(hand, push, volatility, spread) for hand in chosen]


def _flag(asked: Mapping[str, object], name: str) -> bool | None:
    given = asked.get(name)
    if given is not None and not isinstance(given, bool):
        raise _no(name, given, "true or false")
    return given


def _whole(asked: Mapping[str, object], name: str, least: int, most: int) -> int | None:
    if asked.get(name) is None:
        return None
    accepted = f"a whole number from {least} to {most}"
    try:
        value = request_json.whole(asked[name])
    except ValueError as wrong:
        raise _no(name, asked[name], accepted) from wrong
    if not least <= value <= most:
        raise _no(name, value, accepted)
    return value


def _amount(asked: Mapping[str, object], name: str) -> Decimal:
    if asked.get(name) is None:
        return Decimal(0)
    accepted = f"a number from {-PUSH_MOST_BPS} to {PUSH_MOST_BPS}"
    try:
        value = request_json.amount(asked[name])
    except ValueError as wrong:
        raise _no(name, asked[name], accepted) from wrong
    if abs(value) > PUSH_MOST_BPS:
        raise _no(name, value, accepted)
    return value


def _speed(asked: Mapping[str, object]) -> float | None:
    if asked.get("speed") is None:
        return None
    accepted = f"a number from {SPEED_LEAST:g} to {SPEED_MOST:g}"
    try:
        value = float(request_json.amount(asked["speed"]))
    except ValueError as wrong:
        raise _no("speed", asked["speed"], accepted) from wrong
    if not SPEED_LEAST <= value <= SPEED_MOST:
        raise _no("speed", asked["speed"], accepted)
    return value


def _no(field: str, value: object, accepted: str) -> Refused:
    return Refused("MARKET", "the market cannot be run so", field=field, value=value, accepted=accepted)
