"""The pages build into a site strictly: no link is broken, no page missing from the menu, nothing from elsewhere."""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[3]
LOADED: Final = re.compile(r"(?:<(?:script|img|iframe|source)\b[^>]*\bsrc|<link\b[^>]*\bhref)=\"(?!data:)([^\"]+)\"")
FROM_ELSEWHERE: Final = re.compile(r"^(?:[a-z]+:)?//")
WITHIN_S: Final = 60


@pytest.mark.slow
def test_the_site_builds_strictly_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    if importlib.util.find_spec("properdocs") is None:
        pytest.skip("properdocs is not installed: make test fetches it")
    told = subprocess.run(
        [sys.executable, "-m", "properdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )
    assert told.returncode == 0, told.stderr  # --quiet would quieten --strict, too
    pages = {page: page.read_text(encoding="utf-8") for page in (tmp_path / "site").rglob("*.html")}
    sheets = [sheet.read_text(encoding="utf-8") for sheet in (tmp_path / "site").rglob("*.css")]
    found = (tmp_path / "site" / "search-index.js").read_text(encoding="utf-8")
    assert len(pages) > 60
    assert {each for page in pages.values() for each in LOADED.findall(page) if FROM_ELSEWHERE.match(each)} == set()
    assert [sheet for sheet in sheets if "@import" in sheet or "url(" in sheet] == []
    headings = {heading for _, heading, _, _ in json.loads(found.removeprefix("window.pages=").rstrip(";\n"))}
    assert {"Breaker open", "Route table"} <= headings
