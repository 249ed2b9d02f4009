"""FL-6: a stranger follows the README literally.

Every ``sh`` block of the README is run in a fresh clone, in order, each line as written. A block that begins with
``make run`` stays open in its own terminal until the last one is done, and then gets Ctrl-C; the others must end with
exit 0 and without a FAIL in what they print. Over a block may stand ``<!-- needs: NAME -->``: it is left out, and
named; or ``<!-- after: Ctrl-C -->``: what is open is stopped first.
"""

import os
import re
import signal
import subprocess
from pathlib import Path
from typing import Any, Final

from proofs.house import ROOT, House, fresh_clone, needs
from proofs.measured import Measured

BAR: Final = "every sh block of the README works as written in a fresh clone"
BLOCK: Final = re.compile(r"(?:<!-- (?P<note>[^>]*?) -->\n)?```sh\n(?P<lines>.*?)```", re.DOTALL)
BLOCK_S: Final = 900


def blocks(readme: str) -> list[tuple[str, str]]:
    """(what stands over it, lines) of each block."""
    return [(found["note"] or "", found["lines"].strip()) for found in BLOCK.finditer(readme)]


def prove() -> Measured:
    needs("bash", "git", "make", "python3", "curl")
    told: list[dict[str, Any]] = []
    stopped: list[float] = []
    open_terminals: list[House] = []
    with fresh_clone() as clone:
        try:
            for note, lines in blocks((clone / "README.md").read_text(encoding="utf-8")):
                if note.startswith("needs:"):
                    told.append({"block": lines.splitlines()[0], "left_out": note})
                    continue
                if note == "after: Ctrl-C":
                    stopped += [round(house.stop(), 2) for house in open_terminals if house.process.poll() is None]
                if lines.startswith("make run"):
                    house = House(["bash", "-ec", f"exec {lines}"], clone)
                    open_terminals.append(house)
                    house.wait_ready(120)
                    told.append({"block": lines, "exit": "runs"})
                else:
                    told.append(_run(lines, clone))
        finally:
            stopped += [round(house.stop(), 2) for house in open_terminals if house.process.poll() is None]
    good = [row.get("exit") in (0, "runs") and not row.get("fail") for row in told if "left_out" not in row]
    measured = {"blocks": told, "ctrl_c_s": stopped, "readme": str(ROOT / "README.md")}
    return Measured(measured, BAR, passed=len(good) >= 3 and all(good) and bool(open_terminals))


def _run(lines: str, clone: Path) -> dict[str, Any]:
    process = subprocess.Popen(
        ["bash", "-e", "-o", "pipefail", "-c", lines],
        cwd=clone,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=BLOCK_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        said, _ = process.communicate()
    return {
        "block": lines.splitlines()[0][:80],
        "exit": process.returncode,
        "fail": '"FAIL"' in said,
        "last": said.strip().splitlines()[-1:],
    }
