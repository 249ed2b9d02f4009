"""A real Chromium: one process for a whole run, a fresh context for each page, all that it says or asks for."""

import asyncio
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from console_stage import Stage

playwright = pytest.importorskip("playwright.async_api", reason="playwright is not installed: no page was opened")
CHROMIUM = shutil.which("chromium")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1360, "height": 900}
AXE = Path(__file__).parents[1] / "fixtures" / "axe" / "axe.min.js"

needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium on PATH (apt-get install chromium): no page was opened"
)


@contextmanager
def started(profile: Path) -> Iterator[str]:
    """Chromium with a door for its driver; the door's address."""
    assert CHROMIUM is not None
    command = [CHROMIUM, *FLAGS, "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    told = profile / "DevToolsActivePort"
    try:
        deadline = time.monotonic() + 30
        while not (told.exists() and told.read_text().count("\n")):
            assert process.poll() is None, "chromium ended at its start"
            assert time.monotonic() < deadline, "chromium opened no door"
            time.sleep(0.05)
        yield f"http://127.0.0.1:{told.read_text().splitlines()[0]}"
    finally:
        process.terminate()
        process.wait(10)


@dataclass
class Opened:
    """A page, and what it complained of and asked for."""

    page: Any
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    async def shows(self, selector: str, text: str) -> None:
        await playwright.expect(self.page.locator(selector)).to_contain_text(text, timeout=8_000)

    async def sideways(self) -> int:
        """Pixels by which the page is wider than the window."""
        over: int = await self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        return over

    def origins(self) -> set[str]:
        """Whom it asked for anything."""
        return {urlsplit(request).netloc for request in self.asked if not request.startswith("data:")}


@asynccontextmanager
async def opened(chromium: str, url: str, viewport: dict[str, int], *, scheme: str = "light") -> AsyncIterator[Opened]:
    async with playwright.async_playwright() as tool:
        browser = await tool.chromium.connect_over_cdp(chromium)
        context = await browser.new_context(viewport=viewport, color_scheme=scheme)
        here = Opened(await context.new_page())
        here.page.on("console", lambda message: here.said.append(f"{message.type}: {message.text}"))
        here.page.on("pageerror", lambda error: here.said.append(str(error)))
        here.page.on("request", lambda request: here.asked.append(request.url))
        await here.page.goto(url)
        yield here
        await context.close()
        await browser.close()


@asynccontextmanager
async def moving(stage: Stage) -> AsyncIterator[None]:
    """A market that ticks."""

    async def tick() -> None:
        for number in range(100_000):
            await stage.show_tick(f"{65_820 + number % 50}.05")
            await asyncio.sleep(0.1)

    ticking = asyncio.create_task(tick())
    try:
        yield
    finally:
        ticking.cancel()
