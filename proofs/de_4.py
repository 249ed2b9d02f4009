"""DE-4: every code block of the rules page is run, on S3 as it runs, and what the page prints is what is printed.

Three kinds of block, told by what stands behind the fence: ``json rule`` is linted, made active in a bundle of its own
and judged in a decision; ``json NAME.json`` is written to the reader's folder; ``console`` has commands behind ``$``,
each with what it prints (``...`` for what is otherwise each time). A block of any other kind is one that nobody runs,
and a fault. S3 is ``proofs.s3_alone``: its market stands still, so that numbers can be compared.
"""

import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.request import Request, urlopen

from chimera.adapters.embedded.server import EmbeddedRedis
from proofs.alone import s3_alone
from proofs.measured import Measured
from proofs.real import ROOT

BAR: Final = (
    "every code block of docs/rules.md runs and prints what the page prints; three rules of a stranger's among them"
)
PAGE: Final = ROOT / "docs" / "rules.md"
WORKED: Final = ("nested.json", "several.json", "season.json")
PUBLISHED: Final = "http://127.0.0.1:8083"  # where the page says that S3 answers
PATIENCE_S: Final = 120
_FENCE: Final = re.compile(r"^```(?P<kind>[^\n`]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """``line`` of the page, from 1."""

    line: int
    kind: str
    text: str


class Command(NamedTuple):
    line: int
    words: str
    prints: list[str]


def prove(page: str | None = None) -> Measured:
    """``page``: another text instead of the page's."""
    told = PAGE.read_text("utf-8") if page is None else page
    measured = asyncio.run(_staged(told))
    whole = set(WORKED) <= set(measured["files"]) and measured["rules"] > 0
    return Measured(measured, BAR, passed=whole and not measured["faults"])


def blocks(page: str) -> list[Block]:
    """Every fenced block, in order."""
    return [Block(page.count("\n", 0, at.start()) + 1, at["kind"].strip(), at["text"]) for at in _FENCE.finditer(page)]


def commands(block: Block) -> list[Command]:
    """Of a console: each command with the lines that it prints."""
    found: list[Command] = []
    for number, line in enumerate(block.text.splitlines(), block.line + 1):
        if line.startswith("$ "):
            found.append(Command(number, line[2:], []))
        elif found:
            found[-1].prints.append(line)
    return found


def like(printed: str, shown: str) -> bool:
    """Whether a line is what the page shows; ``...`` there stands for anything."""
    return re.fullmatch(".*".join(map(re.escape, shown.split("..."))), printed) is not None


async def _staged(page: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="chimera-de4-") as temporary:
        folder = Path(temporary)
        redis = await EmbeddedRedis.start(folder / "redis")
        try:
            async with s3_alone(folder, redis.unix_address) as s3:
                return await asyncio.to_thread(Reader(folder / "desk", s3).read, page)
        finally:
            await redis.stop()


class Reader:
    """Somebody with the page, a fresh folder and the command line."""

    def __init__(self, folder: Path, s3: str) -> None:
        folder.mkdir()
        self.folder, self.s3 = folder, s3
        self.files: list[str] = []
        self.rules = self.commands = 0
        self.faults: list[str] = []
        self._environ = {**os.environ, "CHIMERA_S3_URL": s3, "USER": "reader", "NO_COLOR": "1", "COLUMNS": "500"}
        self._environ["PATH"] = f"{self._chimera()}{os.pathsep}{os.environ['PATH']}"

    def read(self, page: str) -> dict[str, Any]:
        for block in blocks(page):
            try:
                self._do(block)
            except (ValueError, OSError, subprocess.SubprocessError) as wrong:
                self.faults.append(f"line {block.line}: {type(wrong).__name__}: {wrong}")
        return {
            "blocks": len(blocks(page)),
            "rules": self.rules,
            "files": self.files,
            "commands": self.commands,
            "faults": self.faults,
        }

    def _do(self, block: Block) -> None:
        match block.kind.split():
            case ["json", "rule"]:
                self._rule(block, json.loads(block.text))
            case ["json", name] if re.fullmatch(r"[a-z-]+\.json", name):
                json.loads(block.text)
                (self.folder / name).write_text(block.text, "utf-8")
                self.files.append(name)
            case ["console"]:
                for command in commands(block):
                    self._command(command)
            case _:
                self.faults.append(f"line {block.line}: nobody runs a block of kind {block.kind or 'none'!r}")

    def _rule(self, block: Block, rule: dict[str, Any]) -> None:
        """Linted without a word, active, and judged."""
        self.rules += 1
        bundle = {"bundle_id": f"rule-{self.rules}", "rules": [rule]}
        by = {"who": "reader", "why": "the page shows it"}
        linted = self._post("/bundles/lint", bundle)
        if not linted["ok"] or linted["advice"]:
            self.faults.append(f"line {block.line}: lint says {linted['findings'] or linted['advice']}")
            return
        self._post("/bundles", bundle | by)
        self._post("/config/activate", {"bundle_id": bundle["bundle_id"], **by})
        decided = self._post("/decide", {"symbol": "BTCUSDT", "sideHint": "BUY", "dry_run": True})
        judged = [told["rule_id"] for told in decided["explanation"]["rules"]]
        if judged != [rule["rule_id"]] or decided["decision"] != "open":
            self.faults.append(f"line {block.line}: judged {judged}: {decided['decision']}, {decided['reason']}")

    def _command(self, command: Command) -> None:
        """Its lines are the page's, and it ends well where the page shows no word of ``chimera:``."""
        self.commands += 1
        done = subprocess.run(
            ["/bin/sh", "-c", command.words.replace(PUBLISHED, self.s3)],
            cwd=self.folder, env=self._environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=PATIENCE_S, check=False,
        )  # fmt: skip
        printed = done.stdout.rstrip("\n").split("\n")
        refused = any(line.startswith("chimera:") for line in command.prints)
        if refused != bool(done.returncode):
            self.faults.append(f"line {command.line}: {command.words}: exit {done.returncode}: {done.stdout[-600:]}")
        self.faults.extend(_unlike(command, printed))

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        asked = Request(self.s3 + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urlopen(asked, timeout=PATIENCE_S) as answer:
            row: dict[str, Any] = json.loads(answer.read())
            return row

    def _chimera(self) -> Path:
        """A folder with the command in it, as an installation would have."""
        place = self.folder.parent / "bin"
        place.mkdir()
        script = place / "chimera"
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m chimera.cli.main "$@"\n', "ascii")
        script.chmod(0o755)
        return place


def _unlike(command: Command, printed: list[str]) -> Iterator[str]:
    if len(printed) != len(command.prints):
        yield f"line {command.line}: {command.words}: prints {len(printed)} lines: {printed}"
        return
    for line, shown in zip(printed, command.prints, strict=True):
        if not like(line, shown):
            yield f"line {command.line}: {command.words}: prints {line!r}, the page has {shown!r}"
