"""Child processes: started, heard, started again when they fall, stopped by pid.

Invariants: a child never outlives this process (the kernel ends it with us); it hears no Ctrl-C of the terminal, we
stop it in our own order; what it prints on stdout are JSON lines for us, its log goes to a file.
"""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from chimera.adapters.embedded.server import dying_with_us, end
from chimera.cli.codes import Exit, Stop

READY_S: Final = 30.0
STOP_S: Final = 1.4  # then by force; a service needs a quarter of a second
AGAIN_S: Final = 0.3  # before a fallen child starts again; twice as long each time
LONGEST_AGAIN_S: Final = 10.0
STEADY_S: Final = 60.0  # alive this long, and its falls are forgotten
FALLS_MAX: Final = 10  # in a row
LAST_WORDS: Final = 6  # lines of its log

Line = dict[str, Any]


class Child:
    """One service: ``chimera <verb> ...``. ``vital``: its end is ours."""

    def __init__(
        self,
        name: str,
        words: Sequence[str],
        environ: Mapping[str, str],
        log_path: Path,
        *,
        vital: bool = False,
        on_line: Callable[[Line], None] | None = None,
        on_fall: Callable[[str, int], None] | None = None,
    ) -> None:
        self.name = name
        self.ready = asyncio.Event()
        self.address = ""
        self.falls = 0
        self._command = [sys.executable, "-m", "chimera.cli.main", *words]
        self._environ = {**environ, "PYTHONUNBUFFERED": "1"}
        self._log_path = log_path
        self._vital = vital
        self._on_line = on_line
        self._on_fall = on_fall
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._stopping = False

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    def start(self) -> None:
        """Start it and keep it running."""
        self._keeper = asyncio.create_task(self._keep(), name=self.name)

    async def wait_ready(self) -> None:
        """Until it says so; raises ``Stop`` with its last words when it cannot."""
        assert self._keeper is not None
        waiting = asyncio.create_task(self.ready.wait())
        try:
            await asyncio.wait({waiting, self._keeper}, timeout=READY_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        if self.ready.is_set():
            return
        if self._keeper.done():
            self._keeper.result()
        raise Stop(Exit.CANNOT_START, f"{self.name} is not ready after {READY_S:g} s. {self.last_words()}")

    async def failed(self) -> None:
        """Waits for ever; raises ``Stop`` when it fell for good."""
        assert self._keeper is not None
        await asyncio.shield(self._keeper)

    def kill(self) -> None:
        """SIGKILL, for one that hangs; it is started again."""
        if self.pid is not None:
            os.kill(self.pid, signal.SIGKILL)

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL for one that does not heed it."""
        self._stopping = True
        if self._process is not None:
            await end(self._process, STOP_S)
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait({self._keeper})

    def last_words(self) -> str:
        """The end of its log."""
        try:
            lines = self._log_path.read_text("utf-8", "replace").splitlines()[-LAST_WORDS:]
        except OSError:
            return ""
        said = next((at for at in reversed(range(len(lines))) if not lines[at].startswith(" ")), 0)
        if lines and lines[said].startswith("chimera: "):
            faults = "; ".join(line.strip() for line in lines[said + 1 :])
            return f"{lines[said].removeprefix('chimera: ')} {faults}".rstrip()
        if not lines:
            return f"Its log ({self._log_path}) is empty."
        return f"Its log ({self._log_path}) ends: " + " | ".join(line.strip()[:300] for line in lines)

    async def _keep(self) -> None:
        while not self._stopping:
            began_s = time.monotonic()
            code = await self._run_once()
            if self._stopping:  # while it ran
                return  # type: ignore[unreachable]  # mypy holds that an await changes no attribute
            self.falls = 1 + (self.falls if time.monotonic() - began_s < STEADY_S else 0)
            if code == Exit.CANNOT_START or self._vital or self.falls >= FALLS_MAX:
                raise Stop(Exit(code) if code in set(Exit) and code else Exit.FAILED, self._epitaph(code))
            if self._on_fall is not None:
                self._on_fall(self.name, code)
            await asyncio.sleep(again_s(self.falls))

    async def _run_once(self) -> int:
        with os.fdopen(os.open(self._log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as log:
            self._process = process = await asyncio.create_subprocess_exec(
                *dying_with_us(self._command),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env=self._environ,
                start_new_session=True,
            )
        assert process.stdout is not None
        async for raw in process.stdout:
            self._hear(raw)
        return await process.wait()

    def _hear(self, raw: bytes) -> None:
        try:
            line = json.loads(raw)
        except ValueError:
            return  # a library that prints
        if line.get("event") == "ready":
            self.address = str(line.get("address", ""))
            self.ready.set()
        if self._on_line is not None:
            self._on_line(line)

    def _epitaph(self, code: int) -> str:
        return f"{self.name} {how_it_ended(code)}. {self.last_words()}"


def again_s(falls: int) -> float:
    """How long a child rests after so many falls in a row: a crash loop must not cost the venue's limits."""
    return min(AGAIN_S * 2.0 ** (falls - 1), LONGEST_AGAIN_S)


def how_it_ended(code: int) -> str:
    """In words; asyncio gives an ending by signal as its negative number."""
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
