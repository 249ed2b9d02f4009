"""How many requests each token and each address may make: a bucket for each, refilled by the monotonic clock.

Bounded: the buckets of those who have not asked for longest are forgotten; a forgotten one would have been full.
It does not know what is asked; whoever asks for what protects or kills is not counted here at all.
"""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Final

from chimera.ports.clock import Clock

BURST_S: Final = 2  # a full bucket is so many seconds of its rate
MOST: Final = 4_096


class Buckets:
    """``per_s`` requests a second for each key, and as many at once as ``BURST_S`` of them."""

    def __init__(self, per_s: int, clock: Clock, most: int = MOST) -> None:
        self._per_s = per_s
        self._full = per_s * BURST_S * 1000  # thousandths of a request, so that nothing is lost by rounding
        self._clock = clock
        self._most = most
        self._left: OrderedDict[Hashable, tuple[int, int]] = OrderedDict()  # thousandths, when

    def take(self, key: Hashable) -> int:
        """One request: 0, or how many ms to wait until there is room for one."""
        mono_ms = self._clock.monotonic_ms()
        left, at_ms = self._left.pop(key, (self._full, mono_ms))
        left = min(self._full, left + (mono_ms - at_ms) * self._per_s)
        wait_ms = 0
        if left >= 1000:
            left -= 1000
        else:
            wait_ms = -(-(1000 - left) // self._per_s)
        self._left[key] = (left, mono_ms)
        if len(self._left) > self._most:
            self._left.popitem(last=False)
        return wait_ms

    def __len__(self) -> int:
        return len(self._left)
