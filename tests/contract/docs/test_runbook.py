"""The runbook has a chapter for each alert and barrier that the code can raise, with all that one needs at night."""

import re
from pathlib import Path
from typing import Final

import pytest
from told_codes import OVER, told_codes

from chimera.trading.decision import Code
from chimera.wire.failures import STATUSES

ROOT: Final = Path(__file__).resolve().parents[3]
PAGE: Final = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
PARTS: Final = ("See", "Means", "By itself", "Do", "Over")
WITHOUT_PARTS: Final = ("The first minute", "Where to look", "Index by code")
ROW: Final = re.compile(r"^\| `([A-Z_]+)` \| \[(.+)\]\(#([\w-]+)\) \|$", re.MULTILINE)
A_CODE: Final = re.compile(r"`([A-Z][A-Z_]{3,})`")
CODES_PAGE: Final = frozenset(A_CODE.findall((ROOT / "docs" / "codes.md").read_text(encoding="utf-8")))
WORDS: Final = {
    "BUILDS_DIFFER",  # Prometheus alone sees it
    "CODE",
    "GUARD_ARMED",
    "GUARD_DISARMED",
    "CHIMERA_TOKEN_PATH",
}  # written like a code, and said by no alert and no answer


def chapters() -> dict[str, str]:
    return {each.partition("\n")[0]: each for each in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]}


def anchor(title: str) -> str:
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


@pytest.mark.req("DEL-5")
def test_every_code_that_the_code_raises_is_in_the_index_and_no_other() -> None:
    rows = [code for code, _, _ in ROW.findall(PAGE)]

    assert len(told_codes()) > 90, "the walk finds them"
    assert sorted(rows) == sorted(told_codes())


@pytest.mark.req("DEL-5")
def test_each_code_leads_to_a_chapter_whose_first_words_name_it() -> None:
    rows, there = ROW.findall(PAGE), chapters()

    assert [link for _, title, link in rows if link != anchor(title)] == []
    assert [code for code, title, _ in rows if f"`{code}`" not in there[title].partition("**Means:**")[0]] == []


@pytest.mark.req("DEL-5")
@pytest.mark.parametrize("title", [title for title in chapters() if title not in WITHOUT_PARTS])
def test_a_chapter_says_what_one_sees_what_it_means_what_to_do_and_when_it_is_over(title: str) -> None:
    assert re.findall(r"^\*\*([A-Z][a-z ]+):\*\*", chapters()[title], re.MULTILINE) == list(PARTS)


def test_no_word_looks_like_a_code_and_is_none() -> None:
    named = {word.removesuffix(OVER) for word in A_CODE.findall(PAGE)}

    assert named - {*told_codes(), *STATUSES, *map(str, Code), *CODES_PAGE, *WORDS} == set()


@pytest.mark.req("DEL-5")
def test_what_the_requirement_names_has_its_chapter() -> None:
    assert {"Breaker open", "Guards", "A cancel-and-replace that failed half way"} <= chapters().keys()
    assert {"A change of configuration that went wrong", "Kill and re-arm", "Lost ledger"} <= chapters().keys()
