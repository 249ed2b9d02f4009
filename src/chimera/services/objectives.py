"""Service levels: what is measured of a service, what is promised of it, and whether the promise is kept (DEL-4).

Each level reads one metric of the closed list, the worst of its samples; nothing measured is neither kept nor broken.
Its ``code`` is the alert's in the stream ``alerts``, the rule's in Prometheus and the heading in docs/codes.md. Pure:
samples in, verdicts out. Who looks, how often, and who is told is each service's.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from chimera.services.exposition import Sample, Spread
from chimera.services.metrics import BY_NAME, SWITCH
from chimera.services.service import Service
from chimera.trading.events import Severity

ENOUGH: Final = 20
SYMBOL: Final = "symbol"  # the label of what is measured of each position


class Objective(NamedTuple):
    """``bound``: at most that, or at least that where ``least``. ``where``: labels that a sample must have.

    ``for_s``: how long Prometheus waits before it alerts; the service itself tells at its next look. ``of``: the metric
    that counts of how many it is; fewer than ``ENOUGH`` of one market (of S3: of one kind of decision) say nothing.
    """

    sli: str
    service: Service
    metric: str
    where: tuple[tuple[str, str], ...]
    bound: float
    says: str
    least: bool = False
    for_s: int = 60
    of: str = ""
    severity: Severity = Severity.WARN  # of its alert, the service's own and Prometheus'

    @property
    def code(self) -> str:
        return f"SLI_{self.sli.upper()}"

    @property
    def unit(self) -> str:
        """Empty for what is so or not."""
        unit = BY_NAME[self.metric].unit
        return "" if unit == SWITCH else unit

    def written(self, value: float) -> str:
        """With its unit."""
        return f"{value:g} {self.unit}".rstrip()

    def kept(self, value: float) -> bool:
        return value >= self.bound if self.least else value <= self.bound

    @property
    def promise(self) -> str:
        """In words."""
        return f"{'at least' if self.least else 'at most'} {self.written(self.bound)}"


_P95: Final = (("quantile", "0.95"),)
S3, S4, FEED = Service.S3, Service.S4, Service.FEED

OBJECTIVES: Final[tuple[Objective, ...]] = (
    Objective("submit_latency", S4, "router_submit_latency_ms_recent", _P95, 500, for_s=300,
              of="router_submit_latency_ms",
              says="95 of 100 intents have the venue's first word within half a second (ACC-2)"),
    Objective("order_success", S4, "order_success_rate", (), 0.99, least=True, for_s=300, of="orders_ended",
              says="99 of 100 intents that reach for the venue get an order there (ACC-2)"),
    Objective("cancel_success", S4, "cancel_success_rate", (), 0.95, least=True, for_s=300, of="cancels",
              says="95 of 100 cancels take the order away at the first try"),
    Objective("unprotected", S4, "unprotected_seconds", (), 2, for_s=5, severity=Severity.FATAL,
              says="no position is without a live stop for longer than two seconds"),
    Objective("in_doubt", S4, "in_doubt_oldest_seconds", (), 60, for_s=0, severity=Severity.ERROR,
              says="what became of an order is known within a minute"),
    Objective("exchange", S4, "exchange_up", (), 1, least=True, for_s=30, severity=Severity.ERROR,
              says="the venue answers"),
    Objective("user_stream", S4, "user_stream_up", (), 1, least=True, for_s=30, severity=Severity.ERROR,
              says="the venue's user stream is connected"),
    Objective("ledger_save", S4, "ledger_save_latency_ms_recent", _P95, 250, for_s=300,
              says="95 of 100 saves are durable within a quarter of a second"),
    Objective("loop_lag", S4, "event_loop_lag_ms", (), 250, for_s=30,
              says="the event loop wakes on time"),
    Objective("decide_latency", S3, "strategy_decide_latency_ms_recent", _P95, 500, for_s=300,
              of="strategy_decide_latency_ms_recent_count",
              says="95 of 100 decisions are durable within half a second (ACC-1)"),
    Objective("feed_age", FEED, "feed_event_age_ms", (), 2_000, for_s=30,
              says="the board shows a market no older than two seconds"),
)  # fmt: skip


class Verdict(NamedTuple):
    """``value`` None: nothing was measured. ``where``: of which position alone; empty: of all that was measured."""

    objective: Objective
    value: float | None
    where: str = ""

    @property
    def kept(self) -> bool | None:
        return None if self.value is None else self.objective.kept(self.value)

    @property
    def broken(self) -> str | None:
        """The sentence of an alert, or None."""
        if self.value is None or self.objective.kept(self.value):
            return None
        return f"{self.objective.says}: it is {self.objective.written(self.value)}; promised {self.objective.promise}"


def verdicts(service: Service, samples: Iterable[Sample]) -> tuple[Verdict, ...]:
    """Of every level of this service, in the list's order."""
    ours = [each for each in OBJECTIVES if each.service is service]
    told: dict[str, list[Sample]] = {name: [] for each in ours for name in (each.metric, each.of) if name}
    for sample in samples:
        if sample.name in told:
            told[sample.name].append(sample)
    return tuple(Verdict(each, _worst(each, told[each.metric], _counts(told.get(each.of, ())))) for each in ours)


def alerted(service: Service, samples: Iterable[Sample]) -> tuple[Verdict, ...]:
    """As alerts tell them: a level of positions of each by itself, so that one that is broken hides no other."""
    told = list(samples)
    return tuple(
        each
        for verdict in verdicts(service, told)
        for each in (_apart(verdict.objective, told) if SYMBOL in _labels(verdict.objective) else (verdict,))
    )


def _apart(objective: Objective, samples: Iterable[Sample]) -> Iterator[Verdict]:
    by_place: dict[str, list[Sample]] = {}
    for sample in samples:
        if sample.name == objective.metric:
            by_place.setdefault(" ".join(map(str, sample.labels)), []).append(sample)
    for where, of_it in by_place.items():
        yield Verdict(objective, _worst(objective, of_it, {}), where)


def _labels(objective: Objective) -> tuple[str, ...]:
    return BY_NAME[objective.metric].labels


def shown(found: Iterable[Verdict]) -> Iterator[Sample]:
    """As metrics."""
    for verdict in found:
        labels = (verdict.objective.sli,)
        yield Sample("sli_objective", labels, verdict.objective.bound)
        if verdict.value is not None:
            yield Sample("sli_value", labels, verdict.value)
            yield Sample("sli_met", labels, float(verdict.objective.kept(verdict.value)))


def with_levels(service: Service, samples: Iterable[Sample]) -> list[Sample]:
    """The samples, and what they say of the service's levels."""
    told = list(samples)
    return [*told, *shown(verdicts(service, told))]


def _worst(objective: Objective, samples: Iterable[Sample], counts: Mapping[str, float]) -> float | None:
    names = _labels(objective)
    values = [
        float(sample.value)
        for sample in samples
        if not isinstance(sample.value, Spread)
        and set(objective.where) <= set(zip(names, sample.labels, strict=True))
        and (not objective.of or counts.get(sample.labels[0], 0) >= ENOUGH)
    ]
    if not values:
        return None
    return min(values) if objective.least else max(values)


def _counts(samples: Iterable[Sample]) -> Mapping[str, float]:
    """By the first label: the market, of S3 the kind of decision."""
    counts: Counter[str] = Counter()
    for sample in samples:
        counts[sample.labels[0]] += sum(sample.value.counts) if isinstance(sample.value, Spread) else int(sample.value)
    return counts
