"""A command of ``chimera`` in a process of its own, at the lowest priority: it must not hold up a page.

One that takes too long is ended, and so is one that nobody waits for any longer.
"""

import asyncio
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, NamedTuple

from chimera.trading.errors import NotSent

NICE: Final = 19
WORDS_MOST: Final = 300


class Ended(NamedTuple):
    """``said`` is its standard output, ``complaint`` the end of the other one."""

    code: int
    said: bytes
    complaint: str


async def run(words: Sequence[str], *, timeout_s: float) -> Ended:
    """Raises ``NotSent`` where it took longer than ``timeout_s``."""
    command = [sys.executable, "-m", "chimera.cli.main", *words]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe, stdin=asyncio.subprocess.DEVNULL)
    try:
        with suppress(ProcessLookupError):  # it has ended already
            os.setpriority(os.PRIO_PROCESS, process.pid, NICE)
        async with asyncio.timeout(timeout_s):
            said, complaint = await process.communicate()
    except TimeoutError as late:
        raise NotSent(f"it took more than {timeout_s:g} s; ask for it by hand: chimera {words[0]}") from late
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    told = complaint.decode("utf-8", "replace").strip()[-WORDS_MOST:]
    return Ended(process.returncode or 0, said, told or f"exit {process.returncode}")
