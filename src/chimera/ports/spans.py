"""Where spans go."""

from typing import Protocol

from chimera.trading.trace import Span


class Spans(Protocol):
    """An order never waits for it: ``keep`` returns at once, and may drop what it is given."""

    def keep(self, span: Span) -> None: ...
