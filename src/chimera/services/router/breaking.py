"""The breaker at the last hop: hears how every call about an order ended, and says whether an entry may leave.

Each change of its state is an alert. It lives in memory: after a restart the venue has its chance again.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

import structlog

from chimera.admit.breaker import Breaker, BreakerPolicy, State
from chimera.ports.clock import Clock
from chimera.trading.errors import Refused
from chimera.trading.events import Alert, Severity
from chimera.trading.money import Millis
from chimera.trading.value import Value
from chimera.wire.codec import plain

log = structlog.get_logger()

CODE: Final = "BREAKER_OPEN"
HISTORY: Final = 20

_SEVERITY: Final = {State.OPEN: Severity.ERROR, State.HALF_OPEN: Severity.INFO, State.CLOSED: Severity.INFO}
_SENTENCE: Final = {
    State.OPEN: "no new positions; exits and protection go on",
    State.HALF_OPEN: "one entry may try",
    State.CLOSED: "entries are taken again",
}


class Change(Value, tag=False, omit_defaults=False):
    """``at_ms`` is UTC."""

    at_ms: Millis
    state: State
    why: str


class Breaking:
    """The breaker of one account on one market."""

    def __init__(self, policy: BreakerPolicy, clock: Clock, tell: Callable[[Alert], None]) -> None:
        self._breaker = Breaker(policy=policy)
        self._clock = clock
        self._tell = tell
        self._history: deque[Change] = deque(maxlen=HISTORY)

    @property
    def now(self) -> Breaker:
        """As it stands at this moment."""
        self._become(self._breaker.at(self._clock.monotonic_ms()))
        return self._breaker

    def objection(self) -> tuple[str, Millis] | None:
        """Why no entry may leave (``CODE``), and how long to wait; None: it may."""
        breaker = self.now
        if breaker.lets_enter():
            return None
        if breaker.state is State.HALF_OPEN:
            return "one entry is trying whether the venue works", Millis(breaker.policy.pause_ms)
        wait_ms = Millis(max(breaker.until_ms - self._clock.monotonic_ms(), 1))
        return f"{breaker.why}; next try in {wait_ms} ms", wait_ms

    def retry(self) -> None:
        """Let one entry try at once. Raises ``Refused`` where none is kept back by an open breaker."""
        if self.now.state is not State.OPEN:
            raise Refused("BREAKER_NOT_OPEN", f"the breaker is {self._breaker.state}: nothing waits for it")
        self._become(self._breaker.retried(self._clock.monotonic_ms()))

    def shown(self) -> dict[str, object]:
        """For ``GET /health``. ``history``: its newest changes, the newest first, since the start."""
        breaker = self.now
        good, bad = breaker.counted
        wait_ms = breaker.until_ms - self._clock.monotonic_ms() if breaker.state is State.OPEN else None
        return {
            "state": str(breaker.state),
            "why": breaker.why,
            "next_try_in_ms": wait_ms,
            "good": good,
            "bad": bad,
            "window_ms": breaker.policy.window_ms,
            "share": str(breaker.policy.share),
            "failed_entries": breaker.failed_entries,
            "in_a_row": breaker.policy.in_a_row,
            "history": [plain(change) for change in reversed(self._history)],
        }

    def entering(self) -> None:
        """An entry leaves in this step."""
        self._become(self._breaker.entering(self._clock.monotonic_ms()))

    def held_back(self) -> None:
        """An entry that was to leave was kept back after all."""
        self._become(self._breaker.held_back())

    def ended(self, *, entry: bool, good: bool) -> None:
        """A call about an order ended."""
        self._become(self.now.ended(entry=entry, good=good, now_ms=self._clock.monotonic_ms()))

    def _become(self, after: Breaker) -> None:
        before, self._breaker = self._breaker, after
        if after.state is before.state:
            return
        self._history.append(Change(at_ms=self._clock.now_ms(), state=after.state, why=after.why))
        text = f"{after.why}: {_SENTENCE[after.state]}" if after.why else _SENTENCE[after.state]
        opened = after.state is State.OPEN
        log.warning("breaker", state=after.state, why=after.why)
        self._tell(Alert(severity=_SEVERITY[after.state], code=f"BREAKER_{after.state}", text=text, lasts=opened))
