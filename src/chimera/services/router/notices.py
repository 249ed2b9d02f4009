"""Alerts that stand for as long as something is so, and keep nothing back: told when it begins and when it is over."""

from collections.abc import Callable

from chimera.trading.events import Alert, Severity


class Notices:
    """Level-triggered, like ``Barriers``; whoever watches says on every look how it stands."""

    def __init__(self, tell: Callable[[Alert], None]) -> None:
        self._tell = tell
        self._standing: dict[str, str] = {}

    def level(self, code: str, why: str | None, severity: Severity = Severity.WARN) -> None:
        """It stands while there is a ``why``; a new text alone is not told."""
        known = self._standing.pop(code, None)
        if why is not None:
            self._standing[code] = why
            if known is None:
                self._tell(Alert(severity=severity, code=code, text=why))
        elif known is not None:
            self._tell(Alert(severity=Severity.INFO, code=f"{code}_OVER", text=f"{known}: over"))

    def shown(self) -> dict[str, str]:
        """What stands, by code."""
        return dict(self._standing)
