"""Start ``proofs.s3_alone`` as a process of its own, and end it."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from chimera.adapters.embedded.server import dying_with_us
from proofs.real import ROOT


@asynccontextmanager
async def s3_alone(folder: Path, redis: str) -> AsyncIterator[str]:
    """Its address, once it decides."""
    words = ("--folder", str(folder), "--redis", redis, "--swap", str(folder / "swap"))
    command = dying_with_us([sys.executable, "-m", "proofs.s3_alone", *words])
    with (folder / "s3.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, stderr=log, cwd=ROOT)
    assert process.stdout is not None
    try:
        address = ""
        async for line in process.stdout:
            if line.startswith(b"{") and (told := json.loads(line)).get("event") == "ready":
                address = str(told["address"])
                break
        drained = asyncio.create_task(_drained(process.stdout))
        yield address
        drained.cancel()
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _drained(stream: asyncio.StreamReader) -> None:
    while await stream.read(65_536):
        pass
