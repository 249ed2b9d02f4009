"""docs/codes.md has words for every code that an answer, a barrier, a skip or an alert of ours can carry."""

import re
from pathlib import Path
from typing import Final

import pytest
from told_codes import told_codes

from chimera.trading.decision import Code
from chimera.wire.failures import STATUSES

ROOT: Final = Path(__file__).resolve().parents[3]
PAGE: Final = frozenset(re.findall(r"`([A-Z][A-Z_]+)`", (ROOT / "docs/codes.md").read_text(encoding="utf-8")))


def test_alerts_are_found_by_word_by_constant_and_where_they_are_computed() -> None:
    told = told_codes()
    assert {"DOUBT_OLD", "LEDGER_AWAY", "PROBING", "VENUE_BAN", "SCORE_FALLBACK", "BREAKER_OPEN", "STOP_STUCK"} <= told


@pytest.mark.parametrize("code", sorted({*STATUSES, *map(str, Code), *told_codes()}))
def test_a_code_has_words(code: str) -> None:
    assert code in PAGE
