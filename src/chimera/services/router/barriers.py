"""What keeps entries back just now, as levels: raised and lowered by whoever watches, each with its moment and its why.

Exits, stops, cancels and questions never ask a barrier. It lives in memory: who raised one looks again after a restart.
What must outlive the process is a kill (``controls``).
"""

from collections.abc import Callable
from typing import Final

import structlog

from chimera.ports.clock import Clock
from chimera.trading.errors import Refused
from chimera.trading.events import Alert, Severity
from chimera.trading.ids import Symbol
from chimera.trading.money import Millis
from chimera.trading.value import Value

log = structlog.get_logger()

HELD_MS: Final = Millis(1_000)  # when an entry that was held back looks again


class Barrier(Value):
    """``symbol`` None: it stands before all of them. ``since_ms`` is UTC."""

    code: str
    why: str
    since_ms: Millis
    symbol: Symbol | None = None


class Barriers:
    """The barriers of one account's router."""

    def __init__(self, clock: Clock, tell: Callable[[Alert], None]) -> None:
        self._clock = clock
        self._tell_all = tell
        self._standing: dict[tuple[str, Symbol | None], Barrier] = {}

    def level(
        self, code: str, why: str | None, *, symbol: Symbol | None = None, severity: Severity = Severity.ERROR
    ) -> None:
        """It stands while there is a ``why``; each change is an alert, a new text alone is none."""
        place = (code, symbol)
        standing = self._standing.get(place)
        if why is None:
            if standing is not None:
                del self._standing[place]
                self._tell(Severity.INFO, f"{code}_OVER", f"{standing.why}: over", symbol)
            return
        if standing is None:
            self._tell(severity, code, why, symbol)
        since_ms = self._clock.now_ms() if standing is None else standing.since_ms
        self._standing[place] = Barrier(code=code, why=why, since_ms=since_ms, symbol=symbol)

    def before(self, symbol: Symbol) -> Refused | None:
        """What keeps an entry in this symbol back, the oldest; None: nothing."""
        for barrier in self._standing.values():
            if barrier.symbol in (None, symbol):
                return Refused(barrier.code, barrier.why, accepted="exits; or later")
        return None

    def shown(self) -> list[dict[str, object]]:
        """Oldest first."""
        return [
            {"code": each.code, "symbol": each.symbol, "why": each.why, "since_ms": each.since_ms}
            for each in self._standing.values()
        ]

    def _tell(self, severity: Severity, code: str, why: str, symbol: Symbol | None) -> None:
        where = "" if symbol is None else f"{symbol}: "
        log.warning("barrier", code=code, why=why, symbol=symbol)
        self._tell_all(Alert(severity=severity, code=code, text=where + why))
