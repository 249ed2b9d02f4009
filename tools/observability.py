"""Write ``deploy/observability/``: what Prometheus scrapes, its alert rules with their tests, and Grafana's dashboards.

Everything follows from the list of metrics, the service levels, the queues' bounds and the runbook's index (``make
docs``); a test keeps it current and has promtool check it.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from boards import BOARDS, board

from chimera.admit.vigil import BOUNDS
from chimera.services.metrics import BY_NAME, Kind
from chimera.services.objectives import ENOUGH, OBJECTIVES, Objective

ROOT: Final = Path(__file__).resolve().parents[1]
HOME: Final = ROOT / "deploy" / "observability"
RUNBOOK: Final = "docs/runbook.md"
JOBS: Final = {
    "chimera-s3": 8083,
    "chimera-s4": 8084,
    "chimera-feed": 8085,
    "chimera-alerts": 8090,
    "chimera-console": 8080,
}
SCRAPE_S: Final = 5
STEP: Final = f"{SCRAPE_S}s"
DRAWN: Final = "Written by tools/observability.py from the list of metrics (docs/metrics.md); do not edit by hand."
_INDEX: Final = re.compile(r"^\| `([A-Z_]+)` \| \[.+\]\(#([\w-]+)\) \|$", re.MULTILINE)

# Those that stand for a moment at each start are waited for; what lasts is told by S4 itself at once.
BARRIERS: Final = {
    "ACCOUNT_CANNOT_TRADE": ("FATAL", 0), "ACCOUNT_MODE": ("FATAL", 0), "BUS_AWAY": ("ERROR", 30),
    "CLOCK": ("ERROR", 30), "CLOCK_UNKNOWN": ("ERROR", 30), "KEY_REFUSED": ("FATAL", 0), "LEDGER_AWAY": ("ERROR", 10),
    "LEDGER_AWAY_AT_BOOT": ("ERROR", 10), "LEDGER_RESTORED": ("ERROR", 120), "LEDGER_UNCHECKED": ("WARN", 120),
    "LOOP_LAG": ("ERROR", 30), "MARKET_STALE": ("ERROR", 30), "NO_PROTECTIVE_FORM": ("FATAL", 0),
    "PROBING": ("WARN", 120), "QUEUE_FULL": ("ERROR", 10), "RATE_GOVERNOR": ("WARN", 60),
    "SYMBOL_ISOLATED": ("WARN", 60), "SYMBOL_NOT_TRADING": ("ERROR", 60), "USER_STREAM": ("ERROR", 30),
    "VENUE_BAN": ("FATAL", 0),
}  # fmt: skip
NOTICES: Final = {
    "CLOCK_OFFSET": "WARN", "INSUFFICIENT_BALANCE_OFTEN": "WARN", "LOOP_SLOW": "WARN", "MAKER_FILL_RATIO_LOW": "WARN",
    "ORDERS_FAILING": "ERROR",
}  # fmt: skip


class Series(NamedTuple):
    """One of a rule's test: its name with labels, and the value at which the alert comes, or does not."""

    name: str
    bad: float
    good: float


class Rule(NamedTuple):
    """``chapter``: the runbook's anchor. ``labels``: those that the alert has from its series."""

    alert: str
    expr: str
    for_s: int
    severity: str
    summary: str
    chapter: str
    series: Series
    labels: dict[str, str]


def index() -> dict[str, str]:
    """The runbook's chapter of each code."""
    return dict(_INDEX.findall((ROOT / RUNBOOK).read_text(encoding="utf-8")))


# ── rules ──


def rules() -> dict[str, list[Rule]]:
    """By group, in the order of the file."""
    at = index()
    at["SLI_FEED_AGE"] = at["MARKET_STALE"]  # told by Prometheus alone
    return {
        "service levels": [_of_level(each, at[each.code]) for each in OBJECTIVES],
        "levels": [*_of_state(at), *(_of_barrier(code, at[code]) for code in BARRIERS), _any_barrier()],
        "notices": [_of_notice(code, at[code]) for code in NOTICES],
        "room": [*(_of_queue(name, at) for name in BOUNDS.__struct_fields__), _of_rates(at)],
        "services": _of_services(at),
    }


def _of_level(level: Objective, chapter: str) -> Rule:
    own = dict(level.where)
    labels = {name: _EXAMPLE[name] for name in _labels_of(level.metric)} | own
    sign = "<" if level.least else ">"
    unit = f" {level.unit}".rstrip()
    bad = level.bound - 0.5 if level.least else level.bound * 2 + 1
    return Rule(
        alert=level.code,
        expr=f"{_selected(level.metric, own)} {sign} {level.bound:g}{_of_enough(level)}",
        for_s=level.for_s,
        severity=level.severity.value,
        summary=f"Promised: {level.says}. It is {{{{ $value }}}}{unit}; {level.promise}.",
        chapter=chapter,
        series=Series(_selected(level.metric, labels), bad, level.bound),
        labels=labels,
    )


def _of_enough(level: Objective) -> str:
    """The same bound below which the service itself says nothing."""
    if not level.of:
        return ""
    group = BY_NAME[level.of].labels[0]
    return f" and on ({group}) sum by ({group}) ({_counting(level.of)}) >= {ENOUGH}"


def _counting(name: str) -> str:
    metric = BY_NAME[name]
    return f"{name}_count" if metric.kind is Kind.HISTOGRAM else metric.shown


def _beside(level: Objective) -> str:
    """The series that counts, in a rule's test."""
    return _selected(_counting(level.of), {label: _EXAMPLE[label] for label in BY_NAME[level.of].labels})


def _of_state(at: dict[str, str]) -> list[Rule]:
    opened = {"market": "FUT", "state": "OPEN"}
    return [
        Rule(
            "BREAKER_OPEN", 'breaker_state{state="OPEN"} == 1', 0, "ERROR",
            "The breaker of {{ $labels.market }} is open: nothing new is entered.", at["BREAKER_OPEN"],
            Series(_selected("breaker_state", opened), 1, 0), opened,
        ),
        Rule(
            "KILLED", "kill_active == 1", 0, "WARN", "Entries are killed, until somebody arms.", at["KILLED"],
            Series("kill_active", 1, 0), {},
        ),
    ]  # fmt: skip


def _of_barrier(code: str, chapter: str) -> Rule:
    severity, for_s = BARRIERS[code]
    labels = {"market": "FUT", "code": code}
    told = f"{code} keeps entries on {{{{ $labels.market }}}} back ({{{{ $value }}}} symbols or all)."
    expr = f'barrier{{code="{code}"}} > 0'
    return Rule(code, expr, for_s, severity, told, chapter, Series(_selected("barrier", labels), 1, 0), labels)


def _any_barrier() -> Rule:
    """One that a later version raises and this list does not know."""
    labels = {"market": "FUT", "code": "SOMETHING_NEW"}
    return Rule(
        "BARRIER", f'barrier{{code!~"{"|".join(BARRIERS)}"}} > 0', 60, "WARN",
        "{{ $labels.code }} keeps entries on {{ $labels.market }} back.", "index-by-code",
        Series(_selected("barrier", labels), 1, 0), labels,
    )  # fmt: skip


def _of_notice(code: str, chapter: str) -> Rule:
    labels = {"market": "FUT", "code": code}
    told = f"{code} on {{{{ $labels.market }}}}; the numbers stand in the alert of S4."
    series = Series(_selected("notice", labels), 1, 0)
    return Rule(code, f'notice{{code="{code}"}} == 1', 60, NOTICES[code], told, chapter, series, labels)


def _of_queue(name: str, at: dict[str, str]) -> Rule:
    labels, bound = {"market": "FUT", "queue": name}, getattr(BOUNDS, name)
    return Rule(
        f"{name.upper()}_FILLING", f'queue_depth{{queue="{name}"}} > {bound * 4 // 5}', 30, "WARN",
        f"{{{{ $value }}}} wait in {name}; at {bound} entries stop (QUEUE_FULL).", at["QUEUE_FULL"],
        Series(_selected("queue_depth", labels), bound, bound * 4 // 5), labels,
    )  # fmt: skip


def _of_rates(at: dict[str, str]) -> Rule:
    labels = {"market": "FUT", "counts": "WEIGHT", "span_s": "60"}
    return Rule(
        "RATE_NEARLY_USED", "rate_used_share > 0.8", 60, "WARN",
        "{{ $value | humanizePercentage }} of the venue's {{ $labels.counts }} in {{ $labels.span_s }} s is used.",
        at["RATE_GOVERNOR"], Series(_selected("rate_used_share", labels), 0.9, 0.8), labels,
    )  # fmt: skip


def _of_services(at: dict[str, str]) -> list[Rule]:
    gone = {"job": "chimera-s4", "instance": "127.0.0.1:8084"}
    away = {"market": "FUT"}
    return [
        Rule(
            "SERVICE_DOWN", 'up{job=~"(chimera-)?(s3|s4|feed|alerts|console)"} == 0', 15, "FATAL",
            "{{ $labels.job }} does not answer.", "s4-is-down-or-does-not-start",
            Series(_selected("up", gone), 0, 1), gone,
        ),
        Rule(
            "ROUTER_NOT_READY", "router_ready == 0", 120, "ERROR",
            "S4 has not had the venue's word on every position of {{ $labels.market }} for two minutes.",
            at["LEDGER_UNCHECKED"], Series(_selected("router_ready", away), 0, 1), away,
        ),
        Rule(
            "FEED_WRITES_FAILING", "increase(feed_failed_writes_total[1m]) > 10", 30, "ERROR",
            "Redis takes nothing from the feed.", at["BUS_AWAY"],
            Series(_selected("feed_failed_writes_total", away), 5, 0), away,
        ),
        Rule(
            "BUILDS_DIFFER", "count(count by (build) (build_info == 1)) > 1", 600, "WARN",
            "Services of different builds run beside each other: finish the rollout.", "services-of-different-builds",
            Series(_selected("build_info", {"build": "another"}), 1, 0), {},
        ),
        Rule(
            "CONSOLE_FAULT", "console_fault == 1", 30, "WARN", "The console has stopped looking.", "where-to-look",
            Series("console_fault", 1, 0), {},
        ),
    ]  # fmt: skip


_EXAMPLE: Final = {"market": "FUT", "symbol": "BTCUSDT", "quantile": "0.95", "decision": "open", "outcome": "filled"}


def _labels_of(metric: str) -> tuple[str, ...]:
    return BY_NAME[metric].labels


def _selected(name: str, labels: dict[str, str]) -> str:
    told = ", ".join(f'{label}="{value}"' for label, value in labels.items())
    return f"{name}{{{told}}}" if told else name


# ── files ──


def alerts() -> str:
    groups = [
        {"name": f"chimera: {group}", "rules": [_rule(rule) for rule in found]} for group, found in rules().items()
    ]
    return _yaml({"groups": groups})


def _rule(rule: Rule) -> dict[str, Any]:
    waits = {"for": f"{rule.for_s}s"} if rule.for_s else {}
    told = {"labels": {"severity": rule.severity}, "annotations": _annotations(rule)}
    return {"alert": rule.alert, "expr": rule.expr, **waits, **told}


def _annotations(rule: Rule) -> dict[str, str]:
    return {"summary": rule.summary, "runbook": f"{RUNBOOK}#{rule.chapter}"}


def rule_tests() -> str:
    """Two worlds, each once: all in trouble, where each alert comes after its time and no sooner; and all well."""
    everything = [rule for found in rules().values() for rule in found]
    latest_s = max(due_s for rule in everything for due_s, _ in _moments(rule))
    tests = [
        {
            "name": "trouble",
            "interval": STEP,
            "input_series": [*(_values(rule, rule.series.bad) for rule in everything), *_enough()],
            "alert_rule_test": [_looked(rule, at_s, due=due) for rule in everything for at_s, due in _moments(rule)],
        },
        {
            "name": "all is well",
            "interval": STEP,
            "input_series": [*(_values(rule, rule.series.good) for rule in everything), *_enough()],
            "alert_rule_test": [_looked(rule, latest_s, due=False) for rule in everything],
        },
    ]
    return _yaml({"rule_files": ["alerts.yml"], "evaluation_interval": STEP, "tests": tests})


def _enough() -> list[dict[str, str]]:
    """What stands beside the series of the rules: counts that suffice, and the build that runs."""
    counts = [{"series": _beside(each), "values": f"{ENOUGH}+0x80"} for each in OBJECTIVES if each.of]
    return [*counts, {"series": _selected("build_info", {"build": "one"}), "values": "1+0x80"}]


def _values(rule: Rule, value: float) -> dict[str, str]:
    """One series that stays at this value; a counter that grows by it each time."""
    begin, step = (0.0, value) if _counts(rule) else (value, 0.0)
    return {"series": rule.series.name, "values": f"{begin:g}+{step:g}x80"}


def _looked(rule: Rule, at_s: int, *, due: bool) -> dict[str, Any]:
    told = {"summary": _filled(rule), "runbook": f"{RUNBOOK}#{rule.chapter}"}
    fires = {"exp_labels": {"severity": rule.severity, **rule.labels}, "exp_annotations": told}
    return {"eval_time": f"{at_s}s", "alertname": rule.alert, "exp_alerts": [fires] if due else []}


def _moments(rule: Rule) -> list[tuple[int, bool]]:
    """When the alert is looked for: just before it is due, where it waits, and then."""
    early = [(rule.for_s - SCRAPE_S, False)] if rule.for_s > SCRAPE_S else []
    return [*early, (rule.for_s + (60 if _counts(rule) else 0) + 2 * SCRAPE_S, True)]


def _counts(rule: Rule) -> bool:
    return "_total" in rule.series.name


def _filled(rule: Rule) -> str:
    """The summary as Prometheus fills it in."""
    text = rule.summary.replace("{{ $value | humanizePercentage }}", f"{rule.series.bad * 100:g}%")
    for label, value in rule.labels.items():
        text = text.replace(f"{{{{ $labels.{label} }}}}", value)
    return text.replace("{{ $value }}", f"{rule.series.bad:g}")


def scraping() -> str:
    jobs = [{"job_name": job, "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]} for job, port in JOBS.items()]
    times = {"scrape_interval": STEP, "scrape_timeout": "4s", "evaluation_interval": STEP}
    return _yaml({"global": times, "rule_files": ["alerts.yml"], "scrape_configs": jobs}) + _TOKENS


_TOKENS: Final = """# Where a service asks for tokens (docs/security.md), each job gets one that may read, from a file:
#   authorization: {credentials_file: /etc/prometheus/chimera-read.token}
# The feed has a face only where it is given a port: chimera feed --port 8085.
"""


def _yaml(document: dict[str, Any]) -> str:
    return "\n".join((f"# {DRAWN}", *_lines(document), ""))


def _lines(node: Any) -> Iterator[str]:
    """YAML of mappings, lists and scalars; a scalar is written as JSON writes it, which YAML reads alike."""
    if isinstance(node, dict):
        for name, value in node.items():
            if _nested(value):
                yield f"{name}:"
                yield from (f"  {line}" for line in _lines(value))
            else:
                yield f"{name}: {json.dumps(value, ensure_ascii=False)}"
        return
    for value in node:
        first, *rest = _lines(value) if _nested(value) else (json.dumps(value, ensure_ascii=False),)
        yield f"- {first}"
        yield from (f"  {line}" for line in rest)


def _nested(value: object) -> bool:
    return isinstance(value, dict | list) and bool(value)


def files() -> dict[Path, str]:
    """Everything, by where it stands."""
    drawn = {"prometheus.yml": scraping(), "alerts.yml": alerts(), "alerts_test.yml": rule_tests()}
    boards = {f"dashboards/{uid}.json": json.dumps(board(uid), indent=1) + "\n" for uid in BOARDS}
    return {HOME / name: told for name, told in (drawn | boards).items()}


if __name__ == "__main__":
    for path, told in files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(told, encoding="utf-8")
    sys.exit(0)
