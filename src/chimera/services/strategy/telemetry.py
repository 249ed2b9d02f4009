"""What S3's metrics are counted from: decisions, their rules and reasons. Dry runs are counted, too.

Beside the histogram of latencies, which is for whoever adds up several processes, stand percentiles of the last minutes
by the times themselves: a bucket's bound is no percentile. Names and meanings are the list's (``services.metrics``).
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from typing import Final

import structlog

from chimera.ports.clock import Clock
from chimera.services import exposition
from chimera.services.exposition import Recent, Sample, Spread, percentile
from chimera.services.objectives import verdicts, with_levels
from chimera.services.service import Service
from chimera.services.strategy.alerts import Alerts
from chimera.trading.decision import Open, Skip
from chimera.trading.events import Severity

__all__ = ["RECENT_MAX", "RECENT_MS", "SHARES", "Telemetry", "percentile"]

log = structlog.get_logger(__name__)

LOOK_S: Final = 5.0
RECENT_MS: Final = 300_000
RECENT_MAX: Final = 10_000  # decisions of one kind
SHARES: Final = (0.5, 0.9, 0.95, 0.99, 1.0)  # the last one is the longest
RULES_MAX: Final = 200  # told by name; bundles come and go, and a page must not grow with them
OTHER: Final = "other"
LATENCY: Final = "strategy_decide_latency_ms"


class Telemetry:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._latency: dict[str, Spread] = {}  # by what came of it
        self._recent: dict[str, Recent] = {}
        self._fired: Counter[str] = Counter()
        self._skips: Counter[str] = Counter()

    def decided(self, decision: Open | Skip, took_ms: float) -> None:
        kind = "open" if isinstance(decision, Open) else "skip"
        self._latency.setdefault(kind, Spread(LATENCY)).took(took_ms)
        self._recent.setdefault(kind, Recent(RECENT_MS, RECENT_MAX)).took(took_ms, self._clock.monotonic_ms())
        for rule_id in decision.rules_fired:
            known = rule_id in self._fired or len(self._fired) < RULES_MAX
            self._fired[rule_id if known else OTHER] += 1
        if isinstance(decision, Skip):
            for reason in decision.reasons:
                self._skips[reason.code.value] += 1

    def page(self) -> bytes:
        return exposition.page(Service.S3, with_levels(Service.S3, self.samples()))

    def samples(self) -> Iterator[Sample]:
        """A kind of decision that has not been made of late has no percentiles."""
        yield from (Sample(LATENCY, (kind,), spread) for kind, spread in self._latency.items())
        for kind, recent in self._recent.items():
            count, told = recent.percentiles(SHARES, self._clock.monotonic_ms())
            if count:
                yield Sample(f"{LATENCY}_recent_count", (kind,), count)
            yield from (Sample(f"{LATENCY}_recent", (kind, share), value) for share, value in told.items())
        yield from (Sample("rules_fired_count", (rule_id,), count) for rule_id, count in self._fired.items())
        yield from (Sample("gate_skip_count", (gate,), count) for gate, count in self._skips.items())


class Promised:
    """S3's service levels, told as each is broken (its code) and kept again (``_OVER``)."""

    def __init__(self, telemetry: Telemetry, alerts: Alerts) -> None:
        self._telemetry = telemetry
        self._alerts = alerts
        self._broken: set[str] = set()

    async def run(self) -> None:
        """For ever. A mistake of ours here must not end what decides."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self.look()
            except Exception:  # the last net of one look: logged, and the engine goes on deciding
                log.exception("promises_unseen")

    async def look(self) -> None:
        """Once. Of what is not measured any more nothing is said."""
        for verdict in verdicts(Service.S3, self._telemetry.samples()):
            code, subject = verdict.objective.code, verdict.objective.sli
            if verdict.broken is not None and code not in self._broken:
                self._broken.add(code)
                await self._alerts.say(verdict.objective.severity, code, subject, verdict.broken, lasts=True)
            elif verdict.kept and code in self._broken:
                self._broken.discard(code)
                await self._alerts.say(
                    Severity.INFO, f"{code}_OVER", subject, f"{verdict.objective.says}: it is so again"
                )
