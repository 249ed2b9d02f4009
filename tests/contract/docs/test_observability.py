"""What Prometheus and Grafana are given follows from the list of metrics, is current, and holds before promtool."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tools"))

import boards  # noqa: E402  (found by the line above)
import observability  # noqa: E402

from chimera.services.metrics import BY_NAME, METRICS, Kind  # noqa: E402
from chimera.services.objectives import OBJECTIVES  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.req("DEL-4")]

PROMTOOL: Final = shutil.which("promtool")
with_promtool = pytest.mark.skipif(
    PROMTOOL is None,
    reason="no promtool on PATH (apt-get install prometheus): alert rules and dashboards were not checked",
)
SELECTOR: Final = re.compile(r"\b([a-z][a-z0-9_]*)\b(?!\s*\()(?:\{([^}]*)\})?")
WORDS: Final = {"by", "le", "m", "and", "on"}
SHOWN: Final = {metric.shown: metric for metric in METRICS} | {
    f"{metric.name}_{part}": metric
    for metric in METRICS
    if metric.kind is Kind.HISTOGRAM
    for part in ("bucket", "count")
}


def expressions() -> Iterator[tuple[str, str]]:
    """Of every rule and every panel, with where it stands."""
    for found in observability.rules().values():
        yield from ((rule.alert, rule.expr) for rule in found)
    for uid in boards.BOARDS:
        for panel in boards.board(uid)["panels"]:
            yield from ((f"{uid}: {panel['title']}", target["expr"]) for target in panel.get("targets", ()))


def used(expr: str) -> Iterator[tuple[str, set[str]]]:
    """The metrics that an expression reads, each with the labels that it asks for."""
    bare = re.sub(r"(?:by|on) \([^)]*\)|\[[^\]]*\]", " ", expr)
    for name, selector in SELECTOR.findall(re.sub(r'"[^"]*"', '""', bare)):
        if name not in WORDS:
            yield name, set(re.findall(r"(\w+)(?:=~|!~|!=|=)", selector))


@pytest.mark.parametrize("path", sorted(observability.files()), ids=lambda path: path.name)
def test_files_are_current(path: Path) -> None:
    """Run ``make docs`` when this fails."""
    assert path.read_text(encoding="utf-8") == observability.files()[path]


def test_what_rules_and_panels_read_is_listed() -> None:
    read = [(where, name, labels) for where, expr in expressions() for name, labels in used(expr)]
    assert len(read) > len(METRICS)
    assert [(where, name) for where, name, _ in read if name not in SHOWN and name != "up"] == []
    assert [where for where, name, labels in read if name != "up" and not labels <= set(SHOWN[name].labels)] == []


def test_each_metric_has_a_panel_and_each_level_a_rule() -> None:
    titles = [panel["title"] for uid in boards.BOARDS for panel in boards.board(uid)["panels"] if "targets" in panel]
    assert sorted(titles) == sorted(metric.shown for metric in METRICS)
    assert {each.code for each in OBJECTIVES} <= {
        rule.alert for found in observability.rules().values() for rule in found
    }


@pytest.mark.parametrize("uid", boards.BOARDS)
def test_panels_stand_beside_each_other(uid: str) -> None:
    panels = json.loads((observability.HOME / "dashboards" / f"{uid}.json").read_text(encoding="utf-8"))["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [panel["gridPos"] for panel in panels]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    assert [pair for pair in combinations(places, 2) if _overlap(*pair)] == []


def _overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    return all(
        one[at] < other[at] + other[size] and other[at] < one[at] + one[size] for at, size in (("x", "w"), ("y", "h"))
    )


def test_each_rule_leads_to_a_chapter_of_the_runbook() -> None:
    page = (ROOT / observability.RUNBOOK).read_text(encoding="utf-8")
    titles = re.findall(r"^## (.+)$", page, re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
    everything = [rule for found in observability.rules().values() for rule in found]

    assert len({rule.alert for rule in everything}) == len(everything)
    assert [rule.alert for rule in everything if rule.chapter not in anchors] == []


def test_the_series_of_a_rules_test_has_the_labels_of_its_metric() -> None:
    for found in observability.rules().values():
        for rule in found:
            [(name, labels)] = used(rule.series.name)
            assert name == "up" or labels == set(SHOWN[name].labels), rule.alert


def promtool(*words: str) -> None:
    assert PROMTOOL is not None
    done = subprocess.run([PROMTOOL, *words], cwd=observability.HOME, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@with_promtool
def test_promtool_takes_what_is_scraped_and_the_rules() -> None:
    promtool("check", "config", "prometheus.yml")


@with_promtool
def test_each_alert_comes_in_trouble_after_its_time_and_not_while_all_is_well() -> None:
    promtool("test", "rules", "alerts_test.yml")


@with_promtool
def test_promtool_takes_what_the_panels_ask(tmp_path: Path) -> None:
    recorded: list[dict[str, Any]] = [
        {"record": f"panel:{number}", "expr": expr.replace("$market", "FUT").replace("$__rate_interval", "1m")}
        for number, (_, expr) in enumerate(expressions())
    ]
    rules = tmp_path / "panels.yml"
    rules.write_text(json.dumps({"groups": [{"name": "panels", "rules": recorded}]}), encoding="utf-8")
    promtool("check", "rules", str(rules))


def test_a_label_that_a_metric_does_not_have_and_a_name_that_is_not_listed_are_found() -> None:
    assert list(used('sum by (le) (rate(stop_latency_ms_bucket{market=~"$market", id!="7"}[5m])) > 0')) == [
        ("stop_latency_ms_bucket", {"market", "id"})
    ]
    assert [name for name, _ in used("increase(made_up_total[1m]) > 10")] == ["made_up_total"]
    assert "made_up_total" not in SHOWN
    assert BY_NAME["stop_latency_ms"].labels == ("market",)
