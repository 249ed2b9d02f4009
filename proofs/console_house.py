"""What the console shows, as real processes: venue, S4, feed, S3, alerts, a recorder beside them, and the console."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote

from chimera.adapters.binance.capture_file import lines
from chimera.adapters.embedded.server import free_port
from proofs.real import READY_S, Service, Stage, stage

_POLL_S: Final = 0.05


class ConsoleHouse(NamedTuple):
    """``url`` is the console's."""

    house: Stage
    console: Service
    url: str

    async def enter(self, name: str) -> str:
        """A small long under this name, filled; the name."""
        order = {"market": "FUT", "symbol": "BTCUSDT", "side": "BUY", "qty": "0.003", "client_order_id": name,
                 "exec_policy": {"type": "MARKET"}}  # fmt: skip
        status, told = await self.house.ask("POST", f"{self.house.s4_url}/orders", order)
        assert (status, told.get("status")) == (200, "FILLED"), told
        return name

    async def flatten(self) -> None:
        status, told = await self.house.ask("POST", f"{self.house.s4_url}/positions/BTCUSDT/close", {})
        assert status in (200, 202), told

    async def decided(self) -> str:
        """A decision of S3's; its address on the page."""
        status, told = await self.house.ask("POST", f"{self.house.s3_url}/decide", {"symbol": "BTCUSDT"})
        assert status == 200, told
        return f"/decisions/{quote(told['signal_id'], safe='')}"


@asynccontextmanager
async def console_house(folder: Path) -> AsyncIterator[ConsoleHouse]:
    """All of it runs, S4 takes entries, and the market is being recorded."""
    captures = folder / "captures"
    async with stage(folder) as house:
        alerts_url, url = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        keeping = {
            "ALERTS_PORT": alerts_url.rpartition(":")[2], "ALERTS_REDIS_ADDRESSES": house.redis_address,
            "ALERTS_LEDGER_PATH": str(house.ledger_path("alerts")),
        }  # fmt: skip
        words = ["console", "--port", url.rpartition(":")[2], "--s3", house.s3_url, "--s4", house.s4_url]
        words += ["--sim", house.venue_url, "--redis", house.redis_address, "--alerts", alerts_url]
        words += ["--ledger", str(house.ledger_path("s4")), "--signals", str(house.ledger_path("s3"))]
        words += ["--captures", str(captures)]
        alerts, console = house.service(["alerts", "serve"], keeping), house.service(words, {})
        recorder = house.service(["record", "BTCUSDT", "--url", house.venue_url, "--out", str(captures)], {})
        running = (house.s4, house.feed, house.s3, alerts, console)
        try:
            await asyncio.gather(*(each.start() for each in (recorder, *running)))
            await asyncio.gather(*(each.wait_ready() for each in running))
            await house.until_open()
            await house.until_ready(house.s3_url)
            async with asyncio.timeout(READY_S):
                while not _records(captures):  # noqa: ASYNC110 - another process tells no event
                    await asyncio.sleep(_POLL_S)
            yield ConsoleHouse(house, console, url)
        finally:
            await asyncio.gather(*(each.stop() for each in (alerts, console, recorder)))


def _records(captures: Path) -> bool:
    """Whether something has been written."""
    return any(True for path in captures.glob("*.gz") for _ in lines(path))
