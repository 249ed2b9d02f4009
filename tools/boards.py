"""Grafana's dashboards from the list of metrics: a row for each group, a panel for each metric. No panel by hand."""

from typing import Any, Final

from chimera.services.metrics import METRICS, SWITCH, Kind, Metric

BOARDS: Final = {
    "chimera-trading": ("Chimera: trading", ("service levels", "protection", "orders", "execution", "decisions")),
    "chimera-operations": (
        "Chimera: operations",
        ("connections", "levels", "room", "feed", "console", "alerts", "every service"),
    ),
}
UNITS: Final = {"ms": "ms", "s": "s", "share": "percentunit", SWITCH: "bool_on_off", "USDT": "none", "bps": "none"}
WIDTH: Final = 12
HEIGHT: Final = 8
SOURCE: Final = {"type": "prometheus", "uid": "${source}"}
SHARES: Final = (0.5, 0.95, 0.99)


def board(uid: str) -> dict[str, Any]:
    """One dashboard; ``market`` and ``source`` are chosen at its top."""
    title, groups = BOARDS[uid]
    panels: list[dict[str, Any]] = []
    top = 0
    for group in groups:
        panels.append(_row(group, len(panels) + 1, top))
        top += 1
        found = [metric for metric in METRICS if metric.group == group]
        for number, metric in enumerate(found):
            at = {"x": WIDTH * (number % 2), "y": top + HEIGHT * (number // 2), "w": WIDTH, "h": HEIGHT}
            panels.append(_panel(metric, len(panels) + 1, at))
        top += HEIGHT * ((len(found) + 1) // 2)
    return {
        "uid": uid,
        "title": title,
        "description": "Drawn by tools/observability.py from docs/metrics.md.",
        "tags": ["chimera"],
        "editable": False,
        "schemaVersion": 39,
        "version": 1,
        "refresh": "10s",
        "time": {"from": "now-3h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": [_source(), _market()]},
        "annotations": {"list": []},
        "panels": panels,
    }


def queries(metric: Metric) -> list[tuple[str, str]]:
    """Expression and legend of each line."""
    chosen = '{market=~"$market"}' if "market" in metric.labels else ""
    legend = " ".join(f"{{{{{label}}}}}" for label in metric.labels) or metric.name
    match metric.kind:
        case Kind.GAUGE:
            return [(f"{metric.shown}{chosen}", legend)]
        case Kind.COUNTER:
            return [(f"rate({metric.shown}{chosen}[$__rate_interval])", legend)]
        case Kind.HISTOGRAM:
            by = ", ".join(("le", *metric.labels))
            counted = f"sum by ({by}) (rate({metric.name}_bucket{chosen}[$__rate_interval]))"
            return [(f"histogram_quantile({share:g}, {counted})", f"p{share * 100:g} {legend}") for share in SHARES]


def _panel(metric: Metric, number: int, at: dict[str, int]) -> dict[str, Any]:
    switched = metric.unit == SWITCH
    unit = UNITS.get(metric.unit, "short")
    per_s = f"{metric.unit}/s" if metric.kind is Kind.COUNTER else unit
    return {
        "id": number,
        "type": "state-timeline" if switched else "timeseries",
        "title": metric.shown,
        "description": f"{metric.says}. Unit: {metric.unit}.",
        "datasource": SOURCE,
        "gridPos": at,
        "fieldConfig": {"defaults": {"unit": per_s, **({} if switched else {"min": _floor(metric)})}, "overrides": []},
        "options": {} if switched else {"legend": {"displayMode": "list", "placement": "bottom"}},
        "targets": [
            {"refId": chr(ord("A") + place), "expr": expr, "legendFormat": legend, "datasource": SOURCE}
            for place, (expr, legend) in enumerate(queries(metric))
        ],
    }


def _floor(metric: Metric) -> int | None:
    """Where the axis begins: what may be negative has no floor."""
    return None if metric.name in ("slippage_bps", "clock_offset_ms") else 0


def _row(group: str, number: int, top: int) -> dict[str, Any]:
    at = {"x": 0, "y": top, "w": 2 * WIDTH, "h": 1}
    return {"id": number, "type": "row", "title": group.capitalize(), "collapsed": False, "gridPos": at, "panels": []}


def _source() -> dict[str, Any]:
    return {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus", "hide": 0}


def _market() -> dict[str, Any]:
    return {
        "name": "market",
        "label": "Market",
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": "label_values(exchange_up, market)", "refId": "market"},
        "includeAll": True,
        "multi": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
        "refresh": 2,
        "hide": 0,
    }
