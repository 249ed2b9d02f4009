"""OP-4: a new user's path by the docs alone, in a fresh clone, on real processes.

``docs/first-hour.md`` is followed to the letter: nothing of it is written here again. ``sh`` blocks are typed as they
stand (one with ``make run`` in a terminal of its own, which Ctrl-C ends where the page says so), ``json NAME.json``
blocks are saved, and of a ``console`` block each command behind ``$`` is typed and what it prints compared: ``...``
stands for anything, ``WORD`` and ``SIGNAL`` for what was printed there, to be typed later. What only looks is asked
again for a minute, as the page tells its reader. Ports are free ones of this machine, by the variables that there are.
"""

import os
import re
import subprocess
import time
from pathlib import Path
from typing import Final

from chimera.adapters.embedded.server import free_port
from proofs.de_4 import Block, Command, blocks, commands
from proofs.house import House, fresh_clone, needs
from proofs.measured import Measured

BAR: Final = (
    "docs/first-hour.md followed to the letter in a fresh clone: run, write a rule, see it shadow, activate it, see why"
    " it skipped, change a limit, roll back, kill, arm again; every line printed is the page's"
)
PAGE: Final = Path("docs") / "first-hour.md"
PATH: Final = (  # the verbs of it, in order
    "make run", "bundle create", "bundle shadow", "bundle differences", "bundle activate", "chimera why SIGNAL",
    "S4_MAX_ORDER_NOTIONAL_USDT", "bundle rollback", "chimera kill", "chimera arm global --confirm WORD",
)  # fmt: skip
NAMES: Final = ("WORD", "SIGNAL")
TYPED_S: Final = 120
AGAIN_S: Final = 60
READY_S: Final = 300  # the first start fetches what it needs
_LOOKS: Final = re.compile(
    r"chimera (show|why|doctor|bundle (status|list|show|history|differences|diff|lint))\b|chimera decide .*--dry-run"
)
_NOTE: Final = re.compile(r"<!-- ([^>]*?) -->\n$")


def prove() -> Measured:
    needs("bash", "git", "make", "python3")
    with fresh_clone() as clone:
        page = (clone / PAGE).read_text(encoding="utf-8")
        reader = Reader(clone)
        try:
            reader.follow(page)
        finally:
            reader.leave()
    whole = in_order(page, PATH)
    measured = {
        "commands": reader.typed, "files": reader.files, "starts": reader.starts, "path": whole,
        "faults": reader.faults,
    }  # fmt: skip
    return Measured(measured, BAR, passed=whole and reader.starts == 2 and not reader.faults)


def in_order(page: str, parts: tuple[str, ...]) -> bool:
    """Whether the page has them all, one after the other."""
    at = 0
    for part in parts:
        at = page.find(part, at)
        if at < 0:
            return False
    return True


class Reader:
    """Somebody with the page and two terminals."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.typed = self.starts = 0
        self.files: list[str] = []
        self.faults: list[str] = []
        self._prelude = ""  # what was typed into the second terminal and lasts
        self._seen: dict[str, str] = {}
        self._house: House | None = None
        ports = {name: free_port() for name in ("SIM", "S3", "S4", "CONSOLE", "ALERTS")}
        own = {"ALERTS_PORT" if name == "ALERTS" else f"CHIMERA_{name}_PORT": str(at) for name, at in ports.items()}
        own |= {f"CHIMERA_{name}_URL": f"http://127.0.0.1:{at}" for name, at in ports.items()}
        self._own = own | {"USER": "reader", "NO_COLOR": "1", "COLUMNS": "500"}
        self._doors = (own["CHIMERA_S4_URL"], own["CHIMERA_S3_URL"])

    def follow(self, page: str) -> None:
        """To its end, or to the first thing that is not as the page says: nothing after it could be."""
        for block in blocks(page):
            try:
                self._do(block, page)
            except (OSError, ValueError, TimeoutError, subprocess.SubprocessError) as wrong:
                self.faults.append(f"line {block.line}: {type(wrong).__name__}: {wrong}")
            if self.faults:
                return

    def leave(self) -> None:
        """Ctrl-C in the first terminal."""
        if self._house is not None:
            self._house.stop()
            self._house = None

    def _do(self, block: Block, page: str) -> None:
        match block.kind.split():
            case ["sh"] if "make run" in block.text:
                before = "".join(page.splitlines(keepends=True)[: block.line - 1])
                if (note := _NOTE.search(before)) and note[1] == "after: Ctrl-C":
                    self.leave()
                self._start(block.text.strip())
            case ["sh"]:
                self._prelude += block.text
            case ["json", name] if re.fullmatch(r"[a-z-]+\.json", name):
                (self.folder / name).write_text(block.text, "utf-8")
                self.files.append(name)
            case ["console"]:
                for command in commands(block):
                    self._type(command)
            case _:
                self.faults.append(f"line {block.line}: nobody types a block of kind {block.kind or 'none'!r}")

    def _start(self, words: str) -> None:
        if self._house is not None:
            raise ValueError("the first terminal is busy: the page does not say Ctrl-C")
        self._house = House(["bash", "-ec", words], self.folder, self._own)
        self._house.wait_ready(READY_S, self._doors)
        self.starts += 1

    def _type(self, command: Command) -> None:
        self.typed += 1
        until = time.monotonic() + AGAIN_S
        while (fault := self._tried(command)) and _LOOKS.search(command.words) and time.monotonic() < until:
            time.sleep(1)
        if fault:
            self.faults.append(f"line {command.line}: {command.words}: {fault}")

    def _tried(self, command: Command) -> str:
        """What is not as the page has it; what it names is kept."""
        words = command.words
        for name, value in self._seen.items():
            words = re.sub(rf"\b{name}\b", value, words)
        done = subprocess.run(
            ["bash", "-c", self._prelude + words], cwd=self.folder, env={**os.environ, **self._own},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=TYPED_S,
            check=False,
        )  # fmt: skip
        printed = done.stdout.rstrip("\n").split("\n") if done.stdout.strip() else []
        if any(line.startswith("chimera:") for line in command.prints) != bool(done.returncode):
            return f"exit {done.returncode}: {done.stdout[-600:]}"
        found = matched(printed, command.prints)
        if found is None:
            return f"prints {printed}, the page has {command.prints}"
        self._seen |= found
        return ""


def matched(printed: list[str], shown: list[str]) -> dict[str, str] | None:
    """What stood where the page has a name; None where a line is not the page's."""
    if len(printed) != len(shown):
        return None
    named: dict[str, str] = {}
    for line, page in zip(printed, shown, strict=True):
        pattern = ".*".join(map(re.escape, page.split("...")))
        for name in NAMES:
            pattern = re.sub(rf"\b{name}\b", rf"(?P<{name}>\\S+)", pattern)
        found = re.fullmatch(pattern, line)
        if found is None:
            return None
        named |= found.groupdict()
    return named
