"""Signing in and out of the console in a real Chromium, under its own strict policy."""

import shutil
from pathlib import Path

import pytest
from access_doors import TOKENS, Doors, served

from chimera.services.access.door import Door
from chimera.services.service import Service

playwright = pytest.importorskip("playwright.async_api", reason="playwright is not installed: nobody signed in")
CHROMIUM = shutil.which("chromium")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH (apt-get install chromium): nobody signed in"),
]


async def test_somebody_signs_in_sees_and_signs_out(tmp_path: Path) -> None:
    doors = Doors(tmp_path / "tokens.json")
    door = Door(host="127.0.0.1", tokens=doors.path)
    said: list[str] = []
    async with (
        served(doors, door, service=Service.CONSOLE) as address,
        playwright.async_playwright() as tool,
    ):
        browser = await tool.chromium.launch(executable_path=CHROMIUM, args=["--headless", "--no-sandbox"])
        page = await (await browser.new_context(viewport={"width": 390, "height": 844})).new_page()
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("console", lambda message: said.append(message.text) if "Security Policy" in message.text else None)
        await page.goto(address)
        await page.screenshot(path=str(tmp_path / "sign-in.png"))
        await page.fill("#token", "chm_wrong")
        await page.click("button[type=submit]")
        await playwright.expect(page.locator("#said")).to_contain_text("nobody may sign in")
        await page.fill("#token", TOKENS["trade"])
        await page.click("button[type=submit]")
        await playwright.expect(page.locator("#positions")).to_be_visible()
        assert TOKENS["trade"] not in await page.content()
        assert await page.evaluate("document.cookie") == "", "no script sees it"
        await page.click("[data-more]")
        await page.click("[data-sign-out]")
        await page.wait_for_selector("#token")
        await page.goto(address)
        assert page.url.endswith("/login")
        await browser.close()

    assert said == []
