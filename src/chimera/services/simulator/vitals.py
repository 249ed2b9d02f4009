"""How long one WebSocket connection may live, and what it must do to live that long.

The venue pings in a rhythm, with a payload; a pong that repeats it must come in time. A connection that says too much
in a second, or is a day old, ends. Sources: Binance web-socket-streams and web-socket-api of both markets. Whether a
second is a fixed or a sliding one is nowhere said: here it is fixed. Knows no socket and no clock.
"""

from enum import StrEnum
from typing import Final

from chimera.trading.value import Value

LIFE_MS: Final = 24 * 60 * 60_000


class Cadence(Value):
    """One market's rhythm. ``inbound``: frames per second from the client (``None``: as many as it likes)."""

    ping_ms: int
    pong_ms: int
    inbound: int | None


FUTURES_STREAMS: Final = Cadence(ping_ms=180_000, pong_ms=600_000, inbound=10)
SPOT_STREAMS: Final = Cadence(ping_ms=20_000, pong_ms=60_000, inbound=5)
FUTURES_API: Final = FUTURES_STREAMS.but(inbound=None)  # requests have a weight instead
SPOT_API: Final = SPOT_STREAMS.but(inbound=None)


class End(StrEnum):
    """Why a connection ends, as its close frame says."""

    AGE = "Connection is 24 hours old"
    NO_PONG = "Pong timeout"
    TOO_MANY = "Too many requests"


class Vitals:
    """One connection's."""

    def __init__(self, cadence: Cadence, now_ms: int) -> None:
        self._cadence = cadence
        self._born_ms = self._pinged_ms = now_ms
        self._unanswered: dict[bytes, int] = {}  # payload -> when it was sent, oldest first
        self._second = (0, 0)  # which one, frames in it

    def heard(self, now_ms: int) -> End | None:
        """The client sent a frame, whatever it is."""
        second, count = self._second
        now = now_ms // 1_000
        self._second = (now, count + 1 if now == second else 1)
        most = self._cadence.inbound
        return End.TOO_MANY if most is not None and self._second[1] > most else None

    def pong(self, payload: bytes) -> None:
        """A pong; one that repeats no payload of ours is not wanted and does not help."""
        if payload in self._unanswered:
            for sent in tuple(self._unanswered):
                del self._unanswered[sent]
                if sent == payload:
                    break

    def due(self, now_ms: int) -> End | bytes | None:
        """What time asks for: the payload of a ping, the end, or nothing."""
        if now_ms - self._born_ms >= LIFE_MS:
            return End.AGE
        oldest = next(iter(self._unanswered.values()), now_ms)
        if now_ms - oldest >= self._cadence.pong_ms:
            return End.NO_PONG
        if now_ms - self._pinged_ms < self._cadence.ping_ms:
            return None
        self._pinged_ms = now_ms
        payload = str(now_ms).encode()
        self._unanswered[payload] = now_ms
        return payload
