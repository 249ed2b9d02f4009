"""Pictures of the pages: each is there, small, told in words, and shown by a page."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[3] / "docs"
SHOWN = re.compile(r"!\[([^\]]*)\]\(([^)]+\.png)\)")
MOST_BYTES = 150_000
LEAST_WORDS = 6


@pytest.mark.req("OP-1")
def test_each_picture_is_small_has_words_and_is_shown_by_a_page() -> None:
    shown = {
        (page.parent / place).resolve(): words
        for page in DOCS.glob("*.md")
        for words, place in SHOWN.findall(page.read_text("utf-8"))
    }

    assert set(shown) == {path.resolve() for path in DOCS.rglob("*.png")}
    assert all(len(words.split()) >= LEAST_WORDS for words in shown.values())
    assert max(path.stat().st_size for path in shown) < MOST_BYTES
