"""What the checklist of ``docs/security.md`` says is proved, is proved by a test that there is."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
NAMED = re.compile(r"`(test_\w+)::(test_\w+)`")


def test_every_row_names_a_test_that_there_is_or_says_not_yet() -> None:
    page = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (SEC\d+) \|.*$", page, re.MULTILINE)
    files = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")}
    gone = [f"{module}::{name}" for module, name in NAMED.findall(page) if f"def {name}(" not in files.get(module, "")]

    assert rows == [f"SEC{number}" for number in range(1, 32)]
    assert gone == []
