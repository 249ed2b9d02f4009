"""A running ``chimera up`` as its user has it: its JSON lines, its signals, its family of processes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeVar

ENTRY: Final = (sys.executable, "-m", "chimera.cli.main")
FREE_PORTS: Final = ("--sim-port", "0", "--s3-port", "0", "--s4-port", "0", "--console-port", "0", "--alerts-port", "0")
PATIENCE_S: Final = 90.0
STOP_S: Final = 3.0
BETWEEN_S: Final = 0.05
Event = dict[str, Any]
T = TypeVar("T")


class Up:
    """A running ``chimera up --headless`` and what it has said."""

    def __init__(self, *words: str) -> None:
        self.events: list[Event] = []
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("S3_", "S4_"))}
        self.process = subprocess.Popen(
            (*ENTRY, "up", "--headless", *words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environ,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        os.set_blocking(self.process.stdout.fileno(), False)
        self._rest = b""

    def read(self) -> None:
        assert self.process.stdout is not None
        got = self.process.stdout.read()
        *lines, self._rest = (self._rest + (got or b"")).split(b"\n")
        self.events += [json.loads(line) for line in lines]

    def named(self, name: str) -> list[Event]:
        return [event for event in self.events if event["event"] == name]

    def wait_for(self, name: str, **fields: Any) -> Event:
        """The first event of that name and these fields; raises ``AssertionError`` once it can come no more."""

        def seen() -> tuple[Event | None, int | None]:
            ended = self.process.poll()
            self.read()
            return next((event for event in self.named(name) if fields.items() <= event.items()), None), ended

        event: Event | None = None
        with suppress(TimeoutError):
            event, _ = until(seen, lambda told: told != (None, None))
        if event is not None:
            return event
        raise AssertionError(
            f"no {name} {fields} (exit {self.process.poll()}): {self.events[-5:]}, {self.complaints()}"
        )

    def wait(self) -> int:
        """Its exit code; everything it said is read."""
        code = self.process.wait(PATIENCE_S)
        self.read()
        return code

    def stop(self, how: signal.Signals = signal.SIGINT) -> float:
        """Seconds from the signal to the end."""
        asked = time.monotonic()
        self.process.send_signal(how)
        self.wait()
        return time.monotonic() - asked

    def complaints(self) -> str:
        if self.process.poll() is None or self.process.stderr is None:
            return ""
        return self.process.stderr.read().decode()[-2_000:]

    def family(self) -> dict[int, str]:
        """Every descendant: pid and when it was born."""
        born: dict[int, tuple[int, str]] = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    fields = (entry / "stat").read_text().rpartition(")")[2].split()
                except OSError:
                    continue
                born[int(entry.name)] = (int(fields[1]), fields[19])
        family = {self.process.pid}
        while True:
            more = {pid for pid, (parent, _) in born.items() if parent in family} - family
            if not more:
                return {pid: born[pid][1] for pid in family if pid in born and pid != self.process.pid}
            family |= more


def alive(family: dict[int, str]) -> list[int]:
    """Those that still run (a pid that was given anew is another's)."""
    still = []
    for pid, born in family.items():
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[19] == born and fields[0] != "Z":
            still.append(pid)
    return still


def gone(family: dict[int, str], within_s: float = STOP_S) -> bool:
    try:
        until(lambda: alive(family), lambda still: not still, within_s)
    except TimeoutError:
        return False
    return True


def until(ask: Callable[[], T], good: Callable[[T], bool], within_s: float = PATIENCE_S) -> T:
    """Asked again until it is good; raises ``TimeoutError`` with what was told last."""
    deadline = time.monotonic() + within_s
    while not good(told := ask()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not in {within_s:g} s; the last was {told}")
        time.sleep(BETWEEN_S)
    return told


@contextmanager
def up(*words: str) -> Iterator[Up]:
    house = Up(*words)
    try:
        yield house
    finally:
        if house.process.poll() is None:
            house.stop(signal.SIGTERM)
        for stream in (house.process.stdout, house.process.stderr):
            if stream is not None:
                stream.close()


def ask(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run((*ENTRY, *words), capture_output=True, text=True, check=False, timeout=PATIENCE_S)
