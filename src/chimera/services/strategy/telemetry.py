"""S3's metrics, a closed list: the requirement's names with dots as underscores.

Beside the histogram of latencies, which is for whoever adds up several processes, stand percentiles of the last minutes
by the times themselves: a bucket's bound is no percentile. Dry runs are counted, too.
"""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from chimera.ports.clock import Clock
from chimera.trading.decision import Open, Skip

RECENT_MS: Final = 300_000
RECENT_MAX: Final = 10_000  # decisions of one kind
SHARES: Final = (0.5, 0.9, 0.95, 0.99, 1.0)  # the last one is the longest
LATENCY: Final = "strategy_decide_latency_ms"


class Telemetry:
    def __init__(self, clock: Clock) -> None:
        self._registry = CollectorRegistry()
        self._latency = Histogram(
            LATENCY,
            "From request to durable answer, milliseconds",
            ["decision"],
            registry=self._registry,
            buckets=(0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000),
        )
        self._fired = Counter("rules_fired_count", "Rules that fired", ["rule_id"], registry=self._registry)
        self._skips = Counter("gate_skip_count", "Reasons of skips", ["gate"], registry=self._registry)
        self._recent = _Recent(clock)
        self._registry.register(self._recent)

    def decided(self, decision: Open | Skip, took_ms: float) -> None:
        kind = "open" if isinstance(decision, Open) else "skip"
        self._latency.labels(kind).observe(took_ms)
        self._recent.took(kind, took_ms)
        for rule_id in decision.rules_fired:
            self._fired.labels(rule_id).inc()
        if isinstance(decision, Skip):
            for reason in decision.reasons:
                self._skips.labels(reason.code.value).inc()

    def page(self) -> bytes:
        return bytes(generate_latest(self._registry))


class _Recent(Collector):
    """Percentiles of the newest decisions, no older than ``RECENT_MS``, by what came of them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._times: dict[str, deque[tuple[int, float]]] = {}  # decision -> (when, how long), ms

    def took(self, kind: str, took_ms: float) -> None:
        times = self._times.setdefault(kind, deque(maxlen=RECENT_MAX))
        times.append((self._clock.monotonic_ms(), took_ms))

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """A kind without a recent decision is left out."""
        quantiles = GaugeMetricFamily(
            f"{LATENCY}_recent", "The same, percentiles of the last 5 minutes", labels=["decision", "quantile"]
        )
        counts = GaugeMetricFamily(f"{LATENCY}_recent_count", "Of how many decisions", labels=["decision"])
        oldest_ms = self._clock.monotonic_ms() - RECENT_MS
        for kind, times in self._times.items():
            while times and times[0][0] < oldest_ms:
                times.popleft()
            ordered = sorted(took_ms for _, took_ms in times)
            if not ordered:
                continue
            counts.add_metric([kind], len(ordered))
            for share in SHARES:
                quantiles.add_metric([kind, f"{share:g}"], percentile(ordered, share))
        yield quantiles
        yield counts


def percentile(ordered: Sequence[float], share: float) -> float:
    """The least of these times that at least this share of them does not exceed (nearest rank)."""
    return ordered[max(math.ceil(share * len(ordered)), 1) - 1]
