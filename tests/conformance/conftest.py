"""What all conformance tests share, and what is told of them to whoever asks by an environment variable."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from page import PAGE, Verdict, drawn

RESULTS, DRAW = "CONFORMANCE_RESULTS", "CONFORMANCE_DRAW"  # a file for the verdicts; anything: draw the page anew


@pytest.fixture(scope="session")
def verdicts() -> Iterator[dict[tuple[str, str], Verdict]]:
    """By operation and client, as this run finds them; a test that fails leaves none."""
    found: dict[tuple[str, str], Verdict] = {}
    yield found
    if file := os.environ.get(RESULTS):
        rows = [
            {"operation": name, "client": client, "verdict": each.verdict} for (name, client), each in found.items()
        ]
        Path(file).write_text(json.dumps(rows), encoding="utf-8")


@pytest.fixture
def page() -> str:
    """The committed page."""
    return PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""


@pytest.fixture
def draw(verdicts: dict[tuple[str, str], Verdict]) -> str:
    """The page as this run would have it; written if that was asked for."""
    text = drawn(verdicts)
    if os.environ.get(DRAW):
        PAGE.write_text(text, encoding="utf-8")
    return text
