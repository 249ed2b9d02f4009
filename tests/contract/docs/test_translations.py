"""A translated page has the English blocks as they are now, and the codes and chapters of the commit it follows."""

import re
import subprocess
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[3]
PAIRS: Final = {
    "README.md": "README.zh-TW.md",
    "docs/quickstart.md": "docs/quickstart.zh-TW.md",
    "docs/runbook.md": "docs/runbook.zh-TW.md",
}
MARK: Final = re.compile(r"<!-- follows: (\S+) at ([0-9a-f]{12}) -->\n")
BLOCK: Final = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
HEADING: Final = re.compile(r"^(#+) ", re.MULTILINE)
IN_CODE: Final = re.compile(r"`([^`\n]+)`")
CHINESE: Final = re.compile(r"[\u4e00-\u9fff]")
MAINLANDS: Final = (
    "止損",
    "止盈",
    "倉位",
    "默認",
    "程序員",
    "訂單",
    "服務器",
    "網絡",
    "數據",
    "賬",
)  # not said so in Taiwan


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def followed(english: str) -> str:
    """The English page as it was when it was translated; skips where there is no history to ask."""
    told = MARK.match(page(PAIRS[english]))
    assert told is not None, "the first line says what it follows"
    assert told[1] == english
    asked = git("show", f"{told[2]}:{english}")
    if asked.returncode and (
        not (ROOT / ".git").exists() or git("rev-parse", "--is-shallow-repository").stdout != "false\n"
    ):
        pytest.skip("no history here: a translation is not compared with the commit that it follows")
    assert asked.returncode == 0, asked.stderr
    return asked.stdout


def git(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=False)


@pytest.mark.parametrize("english", PAIRS)
def test_the_blocks_are_those_of_the_english_page_as_it_is_now(english: str) -> None:
    assert BLOCK.findall(page(PAIRS[english])) == BLOCK.findall(page(english))


@pytest.mark.parametrize("english", PAIRS)
def test_codes_commands_settings_and_chapters_are_those_of_the_page_it_follows(english: str) -> None:
    theirs, ours = (BLOCK.sub("", text) for text in (followed(english), page(PAIRS[english])))

    assert sorted(set(IN_CODE.findall(theirs)) ^ set(IN_CODE.findall(ours))) == []
    assert HEADING.findall(ours) == HEADING.findall(theirs)


@pytest.mark.parametrize("translated", PAIRS.values())
def test_it_is_in_the_chinese_of_taiwan(translated: str) -> None:
    told = page(translated)

    assert len(CHINESE.findall(told)) > 300
    assert [word for word in MAINLANDS if word in told] == []
