"""What was measured, as Prometheus' text. Names, kinds, labels and meanings come from the closed list (``metrics``).

Invariants: what is not in the list, or not this service's, or has other labels, is a ``ValueError`` and no page; a
metric of which nothing is known is left out, for what is not known is not 0. Counts are told anew at each look from
plain numbers that their owner keeps; a percentile is one of the times themselves, no bucket's bound.
"""

import math
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final, NamedTuple, TypeAlias

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from chimera.services import metrics
from chimera.services.build import build
from chimera.services.metrics import Kind, Metric
from chimera.services.service import Service

MEDIA_TYPE: Final = "text/plain; version=0.0.4"


class Spread:
    """How many took how long, by the list's buckets."""

    def __init__(self, name: str) -> None:
        self.bounds = metrics.BY_NAME[name].buckets
        self.counts = [0] * (len(self.bounds) + 1)  # the last: beyond all bounds
        self.total = 0.0

    def took(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def cumulative(self) -> list[tuple[str, float]]:
        """As Prometheus wants them: how many up to each bound, and all of them at last."""
        told, seen = [], 0
        for bound, count in zip((*self.bounds, math.inf), self.counts, strict=True):
            seen += count
            told.append(("+Inf" if bound == math.inf else f"{bound:g}", float(seen)))
        return told


class Recent:
    """The newest values, at most so many and no older than so long; moments are of the monotonic clock."""

    def __init__(self, span_ms: int, most: int) -> None:
        self._span_ms = span_ms
        self.values: deque[tuple[int, float]] = deque(maxlen=most)

    def took(self, value: float, now_ms: int) -> None:
        self.values.append((now_ms, value))
        self._forget(now_ms)

    def percentiles(self, shares: Sequence[float], now_ms: int) -> tuple[int, dict[str, float]]:
        """Of how many values, and each share's; none where there is no value."""
        self._forget(now_ms)
        ordered = sorted(value for _, value in self.values)
        if not ordered:
            return 0, {}
        return len(ordered), {f"{share:g}": percentile(ordered, share) for share in shares}

    def _forget(self, now_ms: int) -> None:
        while self.values and self.values[0][0] < now_ms - self._span_ms:
            self.values.popleft()


def percentile(ordered: Sequence[float], share: float) -> float:
    """The least of these times that at least this share of them does not exceed (nearest rank)."""
    return ordered[max(math.ceil(share * len(ordered)), 1) - 1]


class Sample(NamedTuple):
    """``labels`` in the list's order. Amounts of money become a graph's ``float`` only on the page."""

    name: str
    labels: tuple[str, ...]
    value: float | Decimal | Spread


Samples: TypeAlias = Iterable[Sample]


def page(service: Service, samples: Samples) -> bytes:
    """With which build tells it. Raises ``ValueError`` for a sample that the list does not have."""
    running = Sample("build_info", (build(),), 1)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Drawn(_families(service, (*samples, running))))
    return bytes(generate_latest(registry))


class _Drawn(Collector):
    def __init__(self, families: Sequence[Family]) -> None:
        self._families = families

    def collect(self) -> Sequence[Family]:
        return self._families


def _families(service: Service, samples: Samples) -> list[Family]:
    told: dict[str, list[Sample]] = {}
    for sample in samples:
        told.setdefault(sample.name, []).append(sample)
    of_service = {metric.name: metric for metric in metrics.of(service)}
    if strange := sorted(told.keys() - of_service.keys()):
        raise ValueError(f"not in the list of {service}'s metrics: {', '.join(strange)}")
    return [_family(metric, told[name]) for name, metric in of_service.items() if name in told]


def _family(metric: Metric, samples: Sequence[Sample]) -> Family:
    for sample in samples:
        if len(sample.labels) != len(metric.labels):
            raise ValueError(f"{metric.name} has the labels {metric.labels}, not the values {sample.labels}")
        if isinstance(sample.value, Spread) is not (metric.kind is Kind.HISTOGRAM):
            raise ValueError(f"{metric.name} is a {metric.kind}; {sample.value!r} is none")
    match metric.kind:
        case Kind.HISTOGRAM:
            histogram = HistogramMetricFamily(metric.name, metric.says, labels=metric.labels)
            for sample in samples:
                assert isinstance(sample.value, Spread)
                histogram.add_metric(sample.labels, sample.value.cumulative(), sample.value.total)
            return histogram
        case Kind.COUNTER:
            of_kind: type[CounterMetricFamily | GaugeMetricFamily] = CounterMetricFamily
        case Kind.GAUGE:
            of_kind = GaugeMetricFamily
    family = of_kind(metric.name, metric.says, labels=metric.labels)
    for sample in samples:
        assert not isinstance(sample.value, Spread)
        family.add_metric(sample.labels, float(sample.value))
    return family
