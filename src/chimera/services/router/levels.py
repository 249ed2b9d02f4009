"""What is so just now, as levels with a moment and a why; told as each begins (``CODE``) and ends (``CODE_OVER``).

Whoever watches says on every look how it stands; a repetition, or a new text alone, is not told. It lives in memory:
who raised one looks again after a restart. What a level means for others is not known here (``barriers``).
"""

from collections.abc import Callable

import structlog

from chimera.ports.clock import Clock
from chimera.trading.events import Alert, Severity
from chimera.trading.ids import Symbol
from chimera.trading.money import Millis
from chimera.trading.value import Value
from chimera.wire.alerts import OVER

log = structlog.get_logger()


class Level(Value):
    """``symbol`` None: it is about no single one. ``since_ms`` is UTC."""

    code: str
    why: str
    since_ms: Millis
    symbol: Symbol | None = None


class Levels:
    """The levels of one account. Used as they are, they only tell: notices."""

    kind = "notice"
    usual = Severity.WARN

    def __init__(self, clock: Clock, tell: Callable[[Alert], None]) -> None:
        self._clock = clock
        self._tell_all = tell
        self._standing: dict[tuple[str, Symbol | None], Level] = {}

    def level(
        self, code: str, why: str | None, *, symbol: Symbol | None = None, severity: Severity | None = None
    ) -> None:
        """It stands while there is a ``why``. ``severity``: of its beginning, None: the usual one; its end is INFO."""
        place = (code, symbol)
        known = self._standing.get(place)
        if why is None:
            if known is not None:
                del self._standing[place]
                self._tell(Severity.INFO, known.but(code=f"{code}{OVER}", why=f"{known.why}: over"), lasts=False)
            return
        since_ms = self._clock.now_ms() if known is None else known.since_ms
        self._standing[place] = stands = Level(code=code, why=why, since_ms=since_ms, symbol=symbol)
        if known is None:
            self._tell(severity or self.usual, stands, lasts=True)

    @property
    def standing(self) -> tuple[Level, ...]:
        """Oldest first."""
        return tuple(self._standing.values())

    def _tell(self, severity: Severity, level: Level, *, lasts: bool) -> None:
        log.warning(self.kind, code=level.code, why=level.why, symbol=level.symbol)
        self._tell_all(
            Alert(
                severity=severity,
                code=level.code,
                text=level.why if level.symbol is None else f"{level.symbol}: {level.why}",
                subject=level.symbol or "",
                since_ms=level.since_ms,
                lasts=lasts,
            )
        )
