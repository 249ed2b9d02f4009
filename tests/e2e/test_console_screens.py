"""Every screen in a real Chromium: axe finds nothing, nothing goes sideways, keys work, three clicks are enough."""

from urllib.parse import urlsplit

import pytest
from console_stage import Stage, a_decision, a_position
from console_stage import served as at
from real_browser import AXE, DESK, PHONE, needs_chromium, opened, playwright

from chimera.services.clock import SystemClock

pytestmark = [pytest.mark.slow, needs_chromium]
ID = "s3-btc-1800000000000-ab2"
PATHS = ("/", "/orders", f"/orders/{ID}", "/doubts", "/kill?flatten=yes", "/alerts", "/system", "/why")


async def a_stage() -> Stage:
    """With something on every screen."""
    stage = Stage(SystemClock())
    now = stage.clock.now_ms()
    child = {"side": "BUY", "qty": "0.02", "type": "LIMIT", "leg": "MAKER", "client_order_id": f"{ID}-m1"}
    stage.s4.rows = [a_position(), a_position(symbol="1000PEPEUSDT", qty="-123456789", stop=None, coverage="0")]
    stage.s4.orders[ID] = stage.s4.orders["i2"] = {
        "client_order_id": ID, "intent_id": "i2", "symbol": "BTCUSDT", "side": "BUY", "status": "NEW", "qty": "0.02",
        "accepted_ms": now, "children": [child | {"status": "NEW", "price": "65800"}], "why": ["a maker, then a taker"],
        "mid_at_send": "65799.9", "timeline": [{"at_ms": now, "what": "accepted"}],
    }  # fmt: skip
    stage.s4.in_doubt = [
        {"client_order_id": f"{ID}-m1", "symbol": "BTCUSDT", "role": "MAKER", "about": "OUTCOME", "qty": "1",
         "since_ms": now - 5_000, "settles": "the venue's word", "intent_id": "i2"}
    ]  # fmt: skip
    stage.s4.kills = [{"scope": "SYMBOL", "name": "ETHUSDT", "by": "me", "reason": "fire", "at_ms": now}]
    stage.s3.rows = [a_decision(2, now, client_order_id=ID)]
    await stage.tell_order(f"{ID}-m1", "MAKER", "NEW", side="BUY", price="65800", intent_id="i2")
    await stage.tell_fill("901")
    await stage.tell_alert("MONEY_DRIFT", "the wallet says 10, our books 9")
    await stage.show_tick()
    return stage


@pytest.mark.req("OP-3")
@pytest.mark.parametrize(("viewport", "scheme"), [(DESK, "light"), (DESK, "dark"), (PHONE, "light")])
async def test_every_screen_is_accessible_and_stays_within_its_window(
    chromium: str, viewport: dict[str, int], scheme: str
) -> None:
    stage = await a_stage()
    async with at(stage) as url, opened(chromium, url, viewport, scheme=scheme) as here:
        wrong = []
        for path in PATHS:
            await here.page.goto(url + path)
            await playwright.expect(here.page.locator("[data-verdict=trade] .answer")).to_be_visible()
            assert await here.page.locator(".body [role=alert]").count() == 0, f"{path}: something cannot be drawn"
            assert await here.sideways() == 0, path
            await here.page.evaluate(AXE.read_text())
            found = await here.page.evaluate("axe.run().then(said => said.violations.map(each => each.id + ': ' + "
                                             "each.nodes.slice(0, 3).map(node => node.html).join(' | ')))")  # fmt: skip
            wrong += [f"{path}: {each}" for each in found]
        assert wrong == []
        assert here.said == []
        assert here.origins() == {urlsplit(url).netloc}


@pytest.mark.req("OP-3")
async def test_keys_go_find_and_are_listed(chromium: str) -> None:
    stage = await a_stage()
    async with at(stage) as url, opened(chromium, url, DESK) as here:
        await here.page.keyboard.press("g")
        await here.page.keyboard.press("k")
        await here.page.wait_for_url("**/kill")
        await here.page.keyboard.press("/")
        await here.page.keyboard.type(ID)
        await here.page.keyboard.press("Enter")
        await here.page.wait_for_url(f"**/orders/{ID}")
        await here.page.keyboard.press("?")
        await here.shows("dialog", "In doubt")
        await here.page.keyboard.press("Escape")
        await here.page.keyboard.press("t")
        await playwright.expect(here.page.locator("html[data-theme=light]")).to_be_visible()
        await here.page.reload()
        await playwright.expect(here.page.locator("html[data-theme=light]")).to_be_visible()
        assert here.said == []


@pytest.mark.req("OP-3")
async def test_a_kill_and_its_arming_by_hand(chromium: str) -> None:
    """Home, the panel, the word, one press; arming asks once more."""
    stage = await a_stage()
    stage.s4.kills = []
    async with at(stage) as url, opened(chromium, url, PHONE) as here:
        await here.page.locator(".rail a[data-key=k]").click()
        await here.page.locator(".engage input[name=confirm]").fill("kill")
        await here.page.locator(".engage button").click()
        await here.shows("dialog", "Taken")
        await here.page.keyboard.press("Escape")
        await here.shows("[data-section=deeds]", "Verified: the venue shows nothing")
        await here.page.locator("[data-act=arm]").click()
        await here.page.locator("#confirm").fill("word1234")
        await here.page.locator("dialog [type=submit]").click()
        await here.shows("dialog", "entries are taken again")
        assert [name for name, _ in stage.s4.asked if name == "arm"] == ["arm"]
        assert here.said == []
