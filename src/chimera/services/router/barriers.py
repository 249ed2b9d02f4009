"""What keeps entries back just now: levels that admission and the last hop ask before anything may enter (ADR 13).

Exits, stops, cancels and questions never ask a barrier. It lives in memory: who raised one looks again after a restart.
What must outlive the process is a kill (``controls``).
"""

from typing import Final

from chimera.services.router.levels import Levels
from chimera.trading.errors import Refused
from chimera.trading.events import Severity
from chimera.trading.ids import Symbol
from chimera.trading.money import Millis

HELD_MS: Final = Millis(1_000)  # when an entry that was held back looks again


class Barriers(Levels):
    """The barriers of one account's router. One without a symbol stands before all of them."""

    kind = "barrier"
    usual = Severity.ERROR

    def before(self, symbol: Symbol) -> Refused | None:
        """What keeps an entry in this symbol back, the oldest; None: nothing."""
        for level in self.standing:
            if level.symbol in (None, symbol):
                return Refused(level.code, level.why, accepted="exits; or later")
        return None

    def shown(self) -> list[dict[str, object]]:
        """Oldest first."""
        return [
            {"code": each.code, "symbol": each.symbol, "why": each.why, "since_ms": each.since_ms}
            for each in self.standing
        ]
