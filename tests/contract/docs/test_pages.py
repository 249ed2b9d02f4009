"""Pages that are drawn from the code are current, and no page points at nothing."""

import json
import re
import sys
from decimal import Decimal
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tools"))

import fault_matrix  # noqa: E402  (found by the line above)
import faults_page  # noqa: E402  (found by the line above)
import incidents_page  # noqa: E402  (found by the line above)
import metrics_page  # noqa: E402  (found by the line above)
import openapi  # noqa: E402  (found by the line above)
import order_life  # noqa: E402  (found by the line above)
import rule_schema  # noqa: E402  (found by the line above)
import security_page  # noqa: E402  (found by the line above)
import settings_page  # noqa: E402  (found by the line above)
from requirement_rows import read_rows  # noqa: E402  (found by the line above)

from chimera.decide.features import BUILT_IN  # noqa: E402  (found by the line above)
from chimera.decide.rules.bundle import read_rule  # noqa: E402  (found by the line above)
from world.heirs_plan import Kind  # noqa: E402  (found by the line above)
from world.plan import MISHAPS, MOST  # noqa: E402  (found by the line above)
from world.rows import ROWS  # noqa: E402  (found by the line above)

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")
CODE_PATH = re.compile(r"`((?:src|tests|docs|tools|proofs|world)/[\w./-]*\w)`")


@pytest.mark.parametrize(
    "drawn",
    [
        order_life,
        settings_page,
        openapi,
        rule_schema,
        faults_page,
        incidents_page,
        fault_matrix,
        security_page,
        metrics_page,
    ],
    ids=[
        "order-life",
        "settings",
        "openapi",
        "rule-schema",
        "faults",
        "incidents",
        "fault-matrix",
        "security",
        "metrics",
    ],
)
def test_drawn_pages_are_current(drawn: object) -> None:
    """Run ``make docs`` when this fails."""
    assert drawn.PAGE.read_text(encoding="utf-8") == drawn.page()  # type: ignore[attr-defined]  # two modules of one shape


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_links_and_paths_exist(page: Path) -> None:
    told = page.read_text(encoding="utf-8")
    gone = [link for link in LINK.findall(told) if not (page.parent / link).exists()]
    gone += [path for path in CODE_PATH.findall(told) if not (ROOT / path).exists()]

    assert not gone


def test_no_row_of_the_fault_matrix_and_no_incident_claims_what_nothing_plays() -> None:
    assert fault_matrix.faults() == []
    assert incidents_page.faults() == []


def test_the_faults_that_the_matrix_names_are_the_worlds() -> None:
    assert set(ROWS) <= {*MOST, *MISHAPS, *Kind}


def test_the_rules_on_the_rules_page_are_rules() -> None:
    told = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
    rules = [json.loads(block, parse_float=Decimal) for block in re.findall(r"```json rule\n(.*?)```", told, re.DOTALL)]
    factors = ("rv_pctile_30d", "rho_usdttwd_14", *BUILT_IN)

    assert len(rules) > 1
    assert [read_rule(rule, factors)[1] for rule in rules] == [()] * len(rules)


def test_requirement_rows_are_well_formed() -> None:
    rows = read_rows()

    assert len(rows) > 150
    assert all(row.says for row in rows.values())
