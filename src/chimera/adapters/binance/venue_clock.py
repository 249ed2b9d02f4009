"""The venue's clock as we know it: an offset to ours, how sure we are, and when a request is past accepting."""

from collections import deque
from typing import Final

from chimera.trading.money import Millis

ENGINE_TIMEOUT_MS: Final = 10_000  # Binance's own processing limit, error -1007
CLOCK_STEP_MS: Final = 250  # our clock against itself between two measurements: NTP slew, a small step
_REMEMBERED: Final = 8


class VenueClock:
    """Holds the newest offset for stamping; the largest recent one for proofs, since an older one may have stamped."""

    def __init__(self) -> None:
        self._measured: deque[tuple[int, int]] = deque(maxlen=_REMEMBERED)  # offset, half round trip

    @property
    def offset_ms(self) -> int:
        """Venue minus ours; 0 before the first measurement."""
        return self._measured[-1][0] if self._measured else 0

    @property
    def is_known(self) -> bool:
        """Whether it was measured at all."""
        return bool(self._measured)

    @property
    def error_ms(self) -> int:
        """How far off the offset may be: half the widest round trip it was measured in, and our clock's own steps."""
        return max((half for _, half in self._measured), default=0) + CLOCK_STEP_MS

    def measured(self, server_ms: int, sent_ms: Millis, round_trip_ms: int) -> int:
        """Take one answer of ``/time``: the venue stamped it half way. Returns the offset."""
        offset = server_ms - (sent_ms + round_trip_ms // 2)
        self._measured.append((offset, round_trip_ms - round_trip_ms // 2))
        return offset

    def dead_after_ms(self, sent_ms: Millis, recv_window_ms: int) -> Millis:
        """Venue clock past which a request stamped ``sent_ms`` (ours) can no longer be accepted.

        Inference, not documentation: no Binance page names such a moment (reference 7.4).
        """
        offset = max((offset for offset, _ in self._measured), default=0)
        return Millis(sent_ms + offset + recv_window_ms + ENGINE_TIMEOUT_MS + self.error_ms)
