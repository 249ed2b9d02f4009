"""The score of one opportunity, from the port or from what stands in for it; and whether it stands in just now.

A model that is late, away or talks nonsense costs its time-out at most, and the decision says so. That it fails is a
level: told when it begins and when it ends, from the background, shown at ``/health`` in between. A dry run changes no
level, for it leaves nothing behind.
"""

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from chimera.decide import score as scores
from chimera.ports.clock import Clock
from chimera.ports.score import Scorer
from chimera.services.strategy.alerts import Alerts
from chimera.trading.decision import Score
from chimera.trading.errors import NotSent
from chimera.trading.events import Severity
from chimera.trading.ids import Symbol
from chimera.trading.money import Millis


class Scoring:
    """``timeout_ms`` for one question; ``most``: the largest size multiplier that is believed."""

    def __init__(self, scorer: Scorer, alerts: Alerts, clock: Clock, *, timeout_ms: int, most: Decimal) -> None:
        self._scorer = scorer
        self._alerts = alerts
        self._clock = clock
        self._timeout_ms = timeout_ms
        self._most = most
        self._why = ""  # of the newest fallback in a row; empty: the newest score was the port's
        self._since_ms: Millis | None = None
        self._changed = asyncio.Event()

    async def of(self, symbol: Symbol, features: Mapping[str, Decimal], *, leaves_trace: bool) -> Score:
        """Never raises for the model's sake."""
        try:
            score = scores.checked(await self._scorer.score(symbol, features, timeout_ms=self._timeout_ms), self._most)
        except NotSent as late:
            score = scores.fallback(late.reason)
        if leaves_trace:
            self._note(score.fallback)
        return score

    async def run(self) -> None:
        """For ever: tells when it begins and when it ends."""
        told = False
        while True:
            await self._changed.wait()
            self._changed.clear()
            why = self._why
            if bool(why) is told:
                continue
            told = bool(why)
            if why:
                words = f"scored by the constant: {why}"
                await self._alerts.say(Severity.WARN, "SCORE_FALLBACK", "score", words, lasts=True)
            else:
                await self._alerts.say(Severity.INFO, "SCORE_FALLBACK_OVER", "score", "the model scores again")

    def health(self) -> dict[str, Any]:
        """``since_ms`` UTC. What was not asked yet is well."""
        if not self._why:
            return {"status": "ok"}
        return {"status": "down", "reason": self._why, "since_ms": self._since_ms}

    def _note(self, why: str) -> None:
        if bool(why) is not bool(self._why):
            self._since_ms = self._clock.now_ms() if why else None
            self._changed.set()
        self._why = why
