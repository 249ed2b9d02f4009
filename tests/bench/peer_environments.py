"""Environments of their own for other people's engines: their dependencies contradict ours, and none of them is ours.

Made on demand below ``build/peers`` by uv, one for each pinned release, and kept; ``make clean`` removes them. Our own
environment and lock file know nothing of them.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parents[2]
PLACE: Final = ROOT / "build" / "peers"
WITHIN_S: Final = 1_200  # some 600 MB each


class Engine(NamedTuple):
    """``driver`` beside this file; ``release`` as an installer takes it."""

    driver: str
    release: str


ENGINES: Final = {
    "NautilusTrader": Engine("peer_nautilus.py", "nautilus_trader==1.221.0"),  # the last for Python 3.11
    "Freqtrade": Engine("peer_freqtrade.py", "freqtrade==2026.9"),
}


class Unavailable(Exception):
    """It cannot be had here, and why."""


def python_of(engine: Engine, place: Path = PLACE) -> Path:
    """The interpreter that has the release, made if need be. Raises ``Unavailable``."""
    folder = place / engine.release.replace("==", "-")
    python, ready = folder / "bin" / "python", folder / "ready"
    if not ready.exists():
        uv = _uv()
        _run(uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder))
        _run(uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(python), engine.release)
        ready.touch()
    return python


def _uv() -> str:
    """The Makefile's, beside this tree or beside the environment that runs us; or anybody's."""
    for home in (ROOT, Path(sys.prefix).parent):
        if (found := home / ".tools" / "bin" / "uv").exists():
            return str(found)
    if (known := shutil.which("uv")) is None:
        raise Unavailable("no uv to make an environment with")
    return known


def _run(*command: str) -> None:
    try:
        told = subprocess.run(
            command, capture_output=True, text=True, timeout=WITHIN_S, check=False, env=bare_environ()
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{' '.join(command[1:3])} took longer than {WITHIN_S} s") from None
    if told.returncode:
        raise Unavailable(" ".join(told.stderr.split())[-300:] or f"{command[1]} ended with {told.returncode}")


def bare_environ() -> dict[str, str]:
    """Ours, without what would bring our packages or settings into theirs."""
    ours = ("PYTHON", "VIRTUAL_ENV", "S3_", "S4_", "CHIMERA_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}
