"""What the site needs beside its pages: the pages of the repository's root, a list of decisions, an index to search.

Links are as GitHub reads them in the repository; here those between root and docs/ are made to meet, and one to a file
that is no page (a test, a proof) becomes its text. Everything else stays as it is, so that the strict build judges it.
"""

import json
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any, Final

from properdocs.structure.files import File, Files
from properdocs.structure.pages import Page

ROOT: Final = Path(__file__).resolve().parents[2]
ROOT_PAGES: Final = ("README.md", "README.zh-TW.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md")
DECISIONS: Final = "adr.md"  # drawn here: the folder has no list of its own
LINK: Final = re.compile(r"(?<!!)\[([^\]]*)\]\((?!https?:|#)([^)#\s]+)(#[^)]*)?\)")
SECTION: Final = re.compile(r"<h([12]) id=\"([^\"]+)\">(.*?)</h\1>(.*?)(?=<h[12] |\Z)", re.DOTALL)
TAG: Final = re.compile(r"<a class=\"headerlink\".*?</a>|<[^>]+>", re.DOTALL)
CODE: Final = re.compile(r"<code>([^<]{3,60})</code>")

_found: list[list[str]] = []  # of this build: [page, heading, address, the codes beneath it]


def on_config(config: Any) -> Any:
    """A page that nobody has put into the menu yet stands at its end, rather than nowhere."""
    listed = set(_pages(config["nav"]))
    there = [*(ROOT / "docs").glob("*.md"), *(ROOT / name for name in ROOT_PAGES)]
    also = sorted(path.name for path in there if path.exists() and path.name not in listed)
    if also:
        config["nav"].append({"Also": also})
    return config


def _pages(nav: Any) -> Iterator[str]:
    match nav:
        case str():
            yield nav
        case list() | tuple():
            for each in nav:
                yield from _pages(each)
        case dict():
            yield from _pages(list(nav.values()))


def on_pre_build(config: Any) -> None:
    _found.clear()


def on_files(files: Files, config: Any) -> Files:
    for name in ROOT_PAGES:
        if (ROOT / name).exists():
            files.append(File.generated(config, name, content=(ROOT / name).read_text(encoding="utf-8")))
    files.append(File.generated(config, DECISIONS, content=_decisions()))
    return files


def _decisions() -> str:
    rows = [
        "# Decisions",
        "",
        "One page for each decision that would be expensive to change, with what lost and why.",
        "",
    ]
    for path in sorted((ROOT / "docs" / "adr").glob("*.md")):
        title = path.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")
        rows.append(f"- [{title}](adr/{path.name})")
    return "\n".join(rows) + "\n"


def on_page_markdown(markdown: str, page: Page, config: Any, files: Files) -> str:
    """Links as they are in the repository, to where the site has them."""
    source = page.file.src_uri
    here = ROOT / source if source in ROOT_PAGES else ROOT / "docs" / source

    def meet(found: re.Match[str]) -> str:
        text, link, anchor = found[1], found[2], found[3] or ""
        meant = (here.parent / link).resolve()
        if not meant.exists():
            return found[0]  # drawn by the site, or a fault that the strict build names
        if meant == ROOT / "docs" / "adr":
            return f"[{text}]({_up(source)}{DECISIONS})"
        if meant.suffix != ".md":
            return text
        place = meant.name if meant.parent == ROOT else meant.relative_to(ROOT / "docs").as_posix()
        return f"[{text}]({_up(source)}{place}{anchor})"

    return LINK.sub(meet, markdown)


def _up(source: str) -> str:
    return "../" * source.count("/")


def on_page_content(html: str, page: Page, config: Any, files: Files) -> str:
    for _, anchor, heading, beneath in SECTION.findall(html):
        words = " ".join(dict.fromkeys(unescape(code) for code in CODE.findall(beneath)))
        _found.append([str(page.title), unescape(TAG.sub("", heading)).strip(), f"{page.url}#{anchor}", words])
    return html


def on_post_build(config: Any) -> None:
    """A script and no JSON: a page that was opened from disk may fetch nothing."""
    target = Path(config["site_dir"]) / "search-index.js"
    target.write_text(f"window.pages={json.dumps(_found, ensure_ascii=False)};\n", encoding="utf-8")
