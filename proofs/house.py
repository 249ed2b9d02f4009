"""Chimera as a user has it: a fresh clone, ``make run`` or ``chimera up``, its JSON lines, Ctrl-C.

Real processes, wall time, the fixed addresses. Whatever was started is stopped, by its own process group.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.error import URLError
from urllib.request import urlopen

ROOT: Final = Path(__file__).resolve().parents[1]
S3, S4 = "http://127.0.0.1:8083", "http://127.0.0.1:8084"
STOP_S: Final = 10.0


class House:
    """A running Chimera, and the events it has printed, each with the seconds since it was started."""

    def __init__(self, command: Sequence[str], cwd: Path, env: dict[str, str] | None = None) -> None:
        self.began = time.monotonic()
        self.events: list[tuple[float, dict[str, Any]]] = []
        self.process = subprocess.Popen(
            command,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=sys.stderr,
            text=True,
            start_new_session=True,
        )
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            try:
                event = json.loads(line)
            except ValueError:
                print(line, end="", file=sys.stderr)
                continue
            with self._news:
                self.events.append((time.monotonic() - self.began, event))
                self._news.notify_all()

    def wait_event(self, name: str, timeout_s: float) -> tuple[float, dict[str, Any]]:
        """The first event of that name; raises ``TimeoutError``, also where the process ended without it."""
        until = time.monotonic() + timeout_s

        def found() -> tuple[float, dict[str, Any]] | None:
            return next((pair for pair in self.events if pair[1].get("event") == name), None)

        with self._news:
            while (pair := found()) is None:
                left = until - time.monotonic()
                if left <= 0 or (self.process.poll() is not None and not self._reader.is_alive()):
                    seen = [event.get("event") for _, event in self.events][-5:]
                    raise TimeoutError(f"no {name} event; exit {self.process.poll()}, last events {seen}")
                self._news.wait(min(left, 0.5))
        return pair

    def wait_ready(self, timeout_s: float = 60, addresses: Sequence[str] = (S4, S3)) -> None:
        """Until S3 and S4 both say they are ready; where they are elsewhere, ``addresses``."""
        until = time.monotonic() + timeout_s
        for address in addresses:
            while not _answers(f"{address}/ready"):
                if time.monotonic() > until or self.process.poll() is not None:
                    raise TimeoutError(f"{address} is not ready; exit {self.process.poll()}")
                time.sleep(0.1)

    def wait_exit(self, timeout_s: float) -> int:
        code = self.process.wait(timeout_s)
        self._reader.join(5)
        return code

    def stop(self) -> float:
        """Ctrl-C, as a terminal sends it, to the whole group; seconds until the end. Harder if need be."""
        asked = time.monotonic()
        for how in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            if self.process.poll() is None:
                os.killpg(self.process.pid, how)
                try:
                    self.process.wait(STOP_S)
                except subprocess.TimeoutExpired:
                    continue
        took_s = time.monotonic() - asked
        self._reader.join(5)
        return took_s

    def named(self, name: str) -> list[dict[str, Any]]:
        return [event for _, event in self.events if event.get("event") == name]


@contextmanager
def running(command: Sequence[str], cwd: Path, env: dict[str, str] | None = None) -> Iterator[House]:
    house = House(command, cwd, env)
    try:
        yield house
    finally:
        house.stop()


@contextmanager
def fresh_clone() -> Iterator[Path]:
    """What a stranger gets: the last commit, nothing of this tree's state."""
    with tempfile.TemporaryDirectory(prefix="chimera-proof-") as folder:
        clone = Path(folder) / "chimera"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True, stdin=subprocess.DEVNULL)
        yield clone


def needs(*programs: str) -> None:
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        raise FileNotFoundError(f"this proof needs {', '.join(missing)} on PATH")


def _answers(address: str) -> bool:
    try:
        with urlopen(address, timeout=1) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False
