"""The simulator's own files when they cannot be written: the venue answers on, and says what it failed to keep.

Invariants: a failing file never stops a request in hand; what is missing in the audit shows as a gap in its numbers and
is counted here; a state file that failed is tried again until it holds. Failures by fault and by the disk are one.
"""

import errno
import os
from collections.abc import Callable
from typing import Any, Final

from chimera.services.simulator.audit_file import AuditFile
from chimera.simulate.venue.audit import AuditRecord

AUDIT: Final = "audit"
STATE: Final = "state"


class Journal:
    """What is known of both files. ``fails`` tells whether a fault wants a part to fail now; ``clock`` is UTC ms."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self.fails: Callable[[str], bool] = lambda part: False
        self.failing: dict[str, dict[str, Any]] = {}
        self.missing = 0
        self.audit: AuditFile | None = None
        self._clock = clock

    def record(self, record: AuditRecord) -> None:
        """One line of the audit, if it can be written."""
        if self.audit is None:
            return
        try:
            self.check(AUDIT)
            self.audit.write(record)
        except OSError as error:
            self.missing += 1
            self.failed(AUDIT, error)
        else:
            self.written(AUDIT)

    def check(self, part: str) -> None:
        """Raises ``OSError`` where a fault wants ``part`` to fail."""
        if self.fails(part):
            raise OSError(errno.ENOSPC, f"{os.strerror(errno.ENOSPC)} (by fault)")

    def failed(self, part: str, error: OSError) -> None:
        """It could not be written; the first failure in a row gives the time."""
        said = error.strerror or str(error)
        self.failing.setdefault(part, {"since_ms": self._clock()})["error"] = said

    def written(self, part: str) -> None:
        """It can be written."""
        if self.failing:
            self.failing.pop(part, None)

    def picture(self) -> dict[str, Any]:
        """For ``GET /sim/state``: both parts, and how many audit records the file lacks."""
        return {"failing": self.failing, "audit_missing": self.missing}
