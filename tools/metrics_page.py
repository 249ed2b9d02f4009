"""Write ``docs/metrics.md`` from the closed list of metrics and the service levels (``make docs``)."""

import sys
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from chimera.services.metrics import LABELS, METRICS, Metric
from chimera.services.objectives import OBJECTIVES
from chimera.services.service import Service

PAGE = Path(__file__).resolve().parents[1] / "docs" / "metrics.md"
INTRO = """# Metrics and service levels

Written by `tools/metrics_page.py` from the one list that every exporter takes its names from; do not edit by hand.

S3, S4 and the console serve `GET /metrics` on the port of their HTTP face; the feed does where `--port` (`FEED_PORT`)
names one. What is not known is absent, not 0: a ratio of the last hour in which nothing ended has no sample. Counters
(`_total`) begin anew with the process. `_recent` are percentiles of the times themselves; the histogram beside them is
for whoever adds up several processes.

Two of them are also in Redis, as JSON `{value, unit, at_ms}`, written every 5 s and gone a minute after S4:
`metrics:events:s4.router_p95` (the 95th percentile of `router_submit_latency_ms_recent`, null before the first order
ended) and `metrics:events:s4.maker_timeout_count` (`maker_timeouts_total` of all markets).
"""
NAMES = {
    Service.S3: "S3",
    Service.S4: "S4",
    Service.FEED: "The feed",
    Service.CONSOLE: "The console",
    Service.ALERTS: "The alerts",
}
LEVELS = """
## Service levels

Each is measured by one metric, the worst over markets and symbols, and promised in the table. Shares and percentiles of
fewer than 20 orders, cancels or decisions say nothing. S4 and S3 look every 5 s; one that is broken is told in the
stream `alerts` as its code, and `CODE_OVER` when it is kept again ([codes](codes.md#service-levels)). `sli_value`,
`sli_objective` and `sli_met` show them all, `chimera sli` prints them. Nothing is kept back because of a broken level:
what must be is a barrier.

| level | promise | measured by | service | code |
| --- | --- | --- | --- | --- |
"""

WATCHING = """
## Watching

`deploy/observability/` has what a Prometheus and a Grafana need, drawn from the same list by `tools/observability.py`:
`prometheus.yml` (where to scrape), `alerts.yml` (every level, every barrier, the breaker, kills, a service that is
gone), `alerts_test.yml` (what `promtool test rules` checks of them) and `dashboards/`. Each alert names the chapter of
the [runbook](runbook.md#index-by-code) for its code.
"""


def page() -> str:
    return INTRO + "".join(map(_service, Service)) + _labels() + LEVELS + _levels() + WATCHING


def _service(service: Service) -> str:
    ours = [metric for metric in METRICS if metric.services == (service,)]
    parts = (_group(group, found) for group, found in groupby(ours, key=lambda metric: metric.group))
    return f"\n## {NAMES[service]}\n" + "".join(parts)


def _group(group: str, found: Iterable[Metric]) -> str:
    rows = "".join(
        f"| `{each.shown}` | {each.kind} | {each.unit} | {', '.join(each.labels) or 'none'} | {each.says}. |\n"
        for each in found
    )
    return f"\n### {group.capitalize()}\n\n{_table('name', 'kind', 'unit', 'labels', 'meaning')}{rows}"


def _labels() -> str:
    rows = "".join(f"| `{name}` | {bound} |\n" for name, bound in LABELS.items())
    told = "None is an id of an order, intent or trade: each has a bound."
    return f"\n## Labels\n\n{told}\n\n{_table('label', 'values')}{rows}"


def _table(*heads: str) -> str:
    return f"| {' | '.join(heads)} |\n|{' --- |' * len(heads)}\n"


def _levels() -> str:
    rows = (
        (
            f"`{each.sli}`: {each.says}",
            each.promise,
            f"`{each.metric}`{_where(each.where)}",
            each.service,
            f"`{each.code}`",
        )
        for each in OBJECTIVES
    )
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _where(where: Iterable[tuple[str, str]]) -> str:
    return "".join(f", {name} {value}" for name, value in where)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.exit(0)
