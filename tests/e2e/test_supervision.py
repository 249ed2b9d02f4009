"""A crash loop rests longer each time and keeps its words; a process that hangs is ended hard."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from chimera.cli.codes import Stop
from chimera.cli.up import processes
from chimera.cli.up.processes import Child, again_s

pytestmark = pytest.mark.slow

HANGS: Final = """
import asyncio, contextlib
from chimera.services import serving
serving.HARD_EXIT_S = 0.2

async def main():
    stop = serving.told_to_stop()
    print("up", flush=True)
    await stop.wait()
    while True:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)

serving.run(main)
"""


@pytest.mark.req("I26")
@pytest.mark.fault("A10")
def test_who_does_not_heed_sigterm_is_ended_hard() -> None:
    """A10."""
    process = subprocess.Popen((sys.executable, "-c", HANGS), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    process.terminate()
    _, told = process.communicate(timeout=30)

    assert process.returncode == 1
    assert "ended hard" in told


@pytest.mark.req("I26")
@pytest.mark.fault("A17")
def test_each_fall_in_a_row_rests_longer() -> None:
    """A17."""
    rests = [again_s(falls) for falls in range(1, 11)]

    assert rests[:4] == [0.3, 0.6, 1.2, 2.4]
    assert rests == sorted(rests)
    assert max(rests) == processes.LONGEST_AGAIN_S


@pytest.mark.req("I26")
@pytest.mark.fault("A17")
async def test_a_crash_loop_rests_as_it_says_and_ends_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A17: a child that cannot come up; it is tried so often, each fall is told, then somebody must look."""
    rested: list[int] = []
    falls: list[int] = []

    def rest(count: int) -> float:
        rested.append(count)
        return 0

    monkeypatch.setattr(processes, "again_s", rest)
    monkeypatch.setattr(processes, "FALLS_MAX", 4)
    child = Child(
        "nobody", ["no-such-verb"], dict(os.environ), tmp_path / "log", on_fall=lambda _, code: falls.append(code)
    )
    child.start()
    with pytest.raises(Stop) as stopped:
        async with asyncio.timeout(60):
            await child.failed()
    await child.stop()

    assert rested == [1, 2, 3]
    assert falls == [2, 2, 2]
    assert "ended with exit code 2" in str(stopped.value)
