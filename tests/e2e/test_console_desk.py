"""What one goes on to from the screens of why and the simulator, in a real Chromium."""

import pytest
from console_filled import filled
from console_stage import served
from real_browser import DESK, needs_chromium, opened, playwright

pytestmark = [pytest.mark.slow, needs_chromium]


async def test_from_a_blocker_to_a_what_if_to_two_decisions(chromium: str) -> None:
    stage = await filled()
    async with served(stage) as url, opened(chromium, url + "/why", DESK) as here:
        await here.shows("[data-section=blockers]", "SPREAD")
        await here.shows("[data-section=blockers] .since", "1 min")
        await here.page.locator("[data-section=blockers] a").click()
        await here.page.fill("#suppose", "spread_bps=3.5")
        await here.page.locator("[data-section=wish] [type=submit]").click()
        await here.shows("[data-section=answer]", "first to fail")
        assert "suppose=spread_bps" in here.page.url

        await here.page.goto(url + "/decisions/skip")
        await here.shows("[data-section=needed]", "concurrent_entries 2 → 1")
        await here.page.select_option("#with", "sig-2")
        await here.page.locator("[data-section=decision] [type=submit]").click()
        await here.shows("[data-section=compared]", "differ")
        assert here.said == []


async def test_real_money_has_no_simulator(chromium: str) -> None:
    stage = await filled()
    stage.s4.told["environment"] = "live"
    async with served(stage) as url, opened(chromium, url, DESK) as here:
        await playwright.expect(here.page.locator("html[data-mode=LIVE]")).to_be_visible()
        await here.page.reload()
        assert await here.page.locator(".rail a[href='/simulator']").count() == 0
