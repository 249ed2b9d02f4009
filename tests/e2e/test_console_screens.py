"""Every screen in a real Chromium: axe finds nothing, nothing goes sideways, keys work, three clicks are enough."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from console_filled import ORDER, SCREENS, filled
from console_stage import served as at
from console_tasks import MOST, TASKS, do
from real_browser import DESK, needs_chromium, opened, playwright

from proofs.console_house import console_house
from proofs.op_3 import MODES, catches_up, examined, faults, replays

pytestmark = [pytest.mark.slow, needs_chromium]


@pytest.mark.req("OP-3")
async def test_every_screen_is_accessible_and_stays_within_its_window(chromium: str) -> None:
    """Light on a desk and dark on a phone; ``make proof ID=OP-3`` has dark on a desk and the dialogs, too."""
    stage = await filled()
    async with at(stage) as url, examined(chromium, url) as here:
        wrong = [line for path in SCREENS for line in await faults(here, url + path, (MODES[0], MODES[2]))]
        assert wrong == []
        assert here.said == []
        assert here.origins() == {urlsplit(url).netloc}


@pytest.mark.req("OP-3")
async def test_each_task_takes_three_clicks_at_most(chromium: str) -> None:
    stage = await filled()
    async with at(stage) as url, opened(chromium, url, DESK) as here:
        for task in TASKS:
            assert task.clicks <= MOST, task.name
            await do(here, task, url)
        assert here.said == []

    clicks = {task.name: task.clicks for task in TASKS}
    assert clicks["kill panel: engage"] + 1 == clicks["kill panel: re-arm"], "killing takes one step fewer"
    assert [kind for kind, *_ in stage.bundles.done] == ["ACTIVATE", "ROLLBACK", "SHADOW", "END_TRIAL"]
    assert [what for what, _ in stage.s4.steered] == ["pause", "resume", "finish"]
    assert [what for what, *_ in stage.alerts.done] == ["acknowledge", "resolve"]
    assert list(dict.fromkeys(name for name, _ in stage.s4.asked if name in ("arm", "kill"))) == ["arm", "kill"]
    assert (stage.s4.closed, len(stage.s4.tables)) == (["BTCUSDT"], 1)
    assert (len(stage.s4.replaced), len(stage.s4.retried), len(stage.sim.changes)) == (1, 1, 1)


@pytest.mark.req("OP-3")
async def test_keys_go_find_and_are_listed(chromium: str) -> None:
    stage = await filled()
    async with at(stage) as url, opened(chromium, url, DESK) as here:
        await here.page.keyboard.press("g")
        await here.page.keyboard.press("k")
        await here.page.wait_for_url("**/kill")
        await here.page.keyboard.press("/")
        await here.page.keyboard.type(ORDER)
        await here.page.keyboard.press("Enter")
        await here.page.wait_for_url(f"**/orders/{ORDER}")
        await here.page.keyboard.press("?")
        await here.shows("dialog", "In doubt")
        await here.page.keyboard.press("Escape")
        await here.page.keyboard.press("t")
        await playwright.expect(here.page.locator("html[data-theme=light]")).to_be_visible()
        await here.page.reload()
        await playwright.expect(here.page.locator("html[data-theme=light]")).to_be_visible()
        assert here.said == []


@pytest.mark.req("OP-3")
async def test_a_console_stopped_and_started_under_an_open_page_catches_up_and_replays(
    tmp_path: Path, chromium: str
) -> None:
    """Real processes, a market recorded beside them; ``make proof ID=OP-3`` walks every screen of the same house."""
    async with console_house(tmp_path) as house, opened(chromium, house.url, DESK) as here:
        order = await catches_up(house, here)
        await replays(house, here, order)
        assert here.said == []
        assert here.origins() == {urlsplit(house.url).netloc}
