"""The screens of why, config, execution, TWAP, venue and simulator in a real Chromium, each action pressed once."""

import pytest
from console_others import a_schedule, recorded
from console_stage import Stage, a_decision, a_position, a_skip, served
from real_browser import DESK, PHONE, Opened, needs_chromium, opened, playwright

from chimera.services.clock import SystemClock

pytestmark = [pytest.mark.slow, needs_chromium]

GUARD = {"kind": "TARGET", "price": "66100", "qty": "0.02", "gauge": "TOUCH", "armed_ms": 1, "rests": "chimera"}
PATHS = (
    "/why", "/decisions/skip", "/compare?a=skip&b=open", "/whatif?symbol=BTCUSDT", "/config", "/config/calm-2",
    "/execution", "/working", "/venue", "/simulator",
)  # fmt: skip


@pytest.fixture
async def stage() -> Stage:
    made = Stage(SystemClock())
    now_ms = made.clock.now_ms()
    health = recorded("health")
    for told in (health, *health["markets"].values()):
        told["circuit_breaker"], told["breaker"]["next_try_in_ms"] = "OPEN", 4_000
    made.s4.told = health
    made.s4.rows = [a_position(guards=[GUARD])]
    made.s4.orders["i1"] = made.s4.orders["twap-1"] = a_schedule(now_ms)
    made.s3.rows = [a_skip(2, now_ms - 3_000), a_decision(1, now_ms - 9_000)]
    made.explain.hours = [
        {"hour_ms": now_ms // 3_600_000 * 3_600_000, "decisions": 9, "skips": 4, "codes": {"SPREAD": 4}}
    ]
    await made.look()
    return made


async def press(here: Opened, act: str, word: str = "", **fields: str) -> None:
    """The button, what is filled in, the word, and the confirmation; then back to the page."""
    await here.page.locator(f"[data-act={act}]").first.click()
    await here.page.wait_for_selector("dialog[open] form")
    for name, value in fields.items():
        await here.page.fill(f"dialog [name='{name.replace('__', '.')}']", value)
    if word:
        await here.page.fill("#confirm", word)
    await here.page.locator("dialog [type=submit]").click()
    await here.shows("dialog", "Taken")
    await here.page.keyboard.press("Escape")


async def test_every_screen_fits_a_phone_and_complains_of_nothing(stage: Stage, chromium: str) -> None:
    async with served(stage) as url, opened(chromium, url + PATHS[0], PHONE, scheme="dark") as here:
        for path in PATHS:
            await here.page.goto(url + path)
            await here.page.wait_for_selector("[data-section]")
            assert await here.sideways() == 0, path
            assert "cannot be drawn" not in await here.page.locator("main").inner_text(), path
        assert here.said == []
        assert here.origins() == {url.removeprefix("http://")}


async def test_from_a_blocker_to_a_what_if_to_two_decisions(stage: Stage, chromium: str) -> None:
    row = {"symbol": "BTCUSDT", "asked": {"market": None, "side_hint": "BUY"}, "decision": "skip",
           "looked_ms": 1, "blocked": True, "blockers": [
               {"code": "SPREAD", "kind": "gate", "text": "too wide", "since_ms": stage.clock.now_ms() - 65_000,
                "for_ms": 1, "market": "FUT", "name": ""}]}  # fmt: skip
    stage.explain.blocked = {"now_ms": 1, "symbols": [row]}
    skip = stage.explain.traces["skip"]
    stage.explain.traces |= {"sig-1": stage.explain.traces["open"], skip["signal_id"]: skip}
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
        await here.page.select_option("#with", "sig-1")
        await here.page.locator("[data-section=decision] [type=submit]").click()
        await here.shows("[data-section=compared]", "differ")
        assert here.said == []


async def test_each_action_once(stage: Stage, chromium: str) -> None:
    async with served(stage) as url, opened(chromium, url + "/config", DESK) as here:
        await press(here, "try-bundle", why="look")
        await here.shows("[data-section=trial]", "shadow")
        await press(here, "end-trial", why="seen")
        await here.shows("[data-section=trial]", "No candidate")
        await press(here, "activate", "calm-2", why="tried")
        await here.shows("[data-section=active]", "calm-2")
        await press(here, "roll-back", "back", why="no")
        await here.shows("[data-section=active]", "demo-1")

        await here.page.goto(url + "/execution")
        await press(here, "approve-routes", "approve")
        await here.page.locator("[data-section=routes] summary").click()
        await press(here, "roll-back-routes", "back")

        await here.page.goto(url + "/working")
        await press(here, "pause-order")
        paused = a_schedule(stage.clock.now_ms(), paused=True)
        stage.s4.orders = {"i1": paused, "twap-1": paused}
        await here.shows("[data-section=plans]", "paused")
        await press(here, "resume-order")
        await press(here, "finish-order", "BTCUSDT")
        await press(here, "disarm", "BTCUSDT")

        await here.page.goto(url + "/venue")
        await press(here, "retry-breaker", "FUT", reason="it works")

        await here.page.goto(url + "/simulator")
        await press(here, "arm-fault")
        await here.shows("[data-section=armed]", "at work")
        await press(here, "clear-fault")
        await here.shows("[data-section=armed]", "the exchange behaves")
        await press(here, "turn-market", push_bps="-10")
        await press(here, "move-market")
        await here.shows("[data-section=knobs]", "stands still")
        assert here.said == []

    assert [kind for kind, *_ in stage.bundles.done] == ["SHADOW", "END_TRIAL", "ACTIVATE", "ROLLBACK"]
    assert [what for what, *_ in stage.s4.tables] == ["approve", "rollback"]
    assert [what for what, _ in stage.s4.steered] == ["pause", "resume", "finish"]
    assert (len(stage.s4.replaced), len(stage.s4.retried), len(stage.sim.changes)) == (1, 1, 2)


async def test_real_money_has_no_simulator(stage: Stage, chromium: str) -> None:
    stage.s4.told["environment"] = "live"
    async with served(stage) as url, opened(chromium, url, DESK) as here:
        await playwright.expect(here.page.locator("html[data-mode=LIVE]")).to_be_visible()
        await here.page.reload()
        assert await here.page.locator(".rail a[href='/simulator']").count() == 0
