"""S3's metrics, a closed list: the requirement's names with dots as underscores."""

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from chimera.trading.decision import Open, Skip


class Telemetry:
    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._latency = Histogram(
            "strategy_decide_latency_ms",
            "From request to durable answer, milliseconds",
            ["decision"],
            registry=self._registry,
            buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000),
        )
        self._fired = Counter("rules_fired_count", "Rules that fired", ["rule_id"], registry=self._registry)
        self._skips = Counter("gate_skip_count", "Reasons of skips", ["gate"], registry=self._registry)

    def decided(self, decision: Open | Skip, took_ms: int) -> None:
        kind = "open" if isinstance(decision, Open) else "skip"
        self._latency.labels(kind).observe(took_ms)
        for rule_id in decision.rules_fired:
            self._fired.labels(rule_id).inc()
        if isinstance(decision, Skip):
            for reason in decision.reasons:
                self._skips.labels(reason.code.value).inc()

    def page(self) -> bytes:
        return bytes(generate_latest(self._registry))
