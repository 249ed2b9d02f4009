"""The pages in a real Chromium: nothing leaves our origin, values move, a dropped stream is said, a close works."""

import asyncio
from urllib.parse import urlsplit

import pytest
from console_stage import Stage, a_decision, a_position, flat, served
from real_browser import DESK, PHONE, moving, needs_chromium, opened, playwright

from chimera.services.clock import SystemClock
from chimera.trading.errors import NotSent

pytestmark = [pytest.mark.slow, needs_chromium]

CUT = """[...document.querySelectorAll('.top *, .rail *')]
    .filter(part => part.getClientRects().length && getComputedStyle(part).display != 'inline'
        && (part.scrollWidth > part.clientWidth + 1 || part.getBoundingClientRect().right > innerWidth + .5))
    .map(part => part.textContent.trim())"""


@pytest.mark.parametrize("width", [1360, 1345, 1110, 1090, 950, 930, 600])
async def test_nothing_sticks_out_of_its_card(chromium: str, width: int) -> None:
    """With what real venues say: marks of eight places, refusals of a sentence."""
    stage = Stage(SystemClock())
    stage.s4.rows = [a_position(mark_price="65821.40937261", exit="USER_REQUEST")]
    await stage.tell_order(
        "s3-btc-1795222573210-sso4oa-m1", "MAKER", "REJECTED", type="LIMIT", price="65746.1",
        refusal="Due to the order could not be executed as maker, the Post Only order will be rejected.",
    )  # fmt: skip
    over = """[...document.querySelectorAll('.card')].flatMap(card => [...card.querySelectorAll('*')]
        .filter(part => !part.closest('.scroll') && !part.closest('svg') && !part.closest('.hidden')
            && part.getBoundingClientRect().right > card.getBoundingClientRect().right)
        .map(part => part.className || part.nodeName))"""
    async with moving(stage), served(stage) as url, opened(chromium, url, {"width": width, "height": 900}) as here:
        await here.shows("[data-section=positions]", "65,821.4")
        assert await here.page.evaluate(over) == []
        assert await here.sideways() == 0
        await here.page.goto(f"{url}/orders")
        await here.shows("[data-section=orders]", "Post Only")
        assert await here.page.evaluate(over) == []
        assert await here.sideways() == 0


async def test_the_page_lives_and_keeps_to_itself(chromium: str) -> None:
    stage = Stage(SystemClock())
    stage.s3.rows = [a_decision(1, stage.clock.now_ms())]
    await stage.tell_fill("901")
    async with moving(stage), served(stage) as url, opened(chromium, url, DESK) as here:
        await here.shows("[data-verdict=trade] .answer", "Yes")
        await here.shows("[data-verdict=guarded] .answer", "Yes, 1 of 1")
        await here.shows("[data-verdict=data] .answer", "Yes")
        before = await here.page.locator("[data-value=mid]").text_content()
        await playwright.expect(here.page.locator("[data-value=mid]")).not_to_have_text(before or "")
        await here.shows("[data-section=decisions]", "R023 fired")
        await here.shows("[data-section=fills]", "65,800.1")

        stage.s4.rows = [a_position(unprotected_ms=730, coverage="0", covered_qty="0", stop=None)]
        await here.shows("[data-verdict=guarded] .answer", "1 of 1 NOT")

        await here.page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
        assert await here.page.locator(".verdict").first.is_visible()
        assert await here.page.evaluate("document.querySelector('.top').getBoundingClientRect().top") == 0
        assert here.said == []
        assert here.origins() == {urlsplit(url).netloc}


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_phone_shows_it_all_without_going_sideways(chromium: str, scheme: str) -> None:
    stage = Stage(SystemClock())
    stage.s4.told["environment"] = "live"
    stage.s4.rows = [a_position(), a_position(symbol="1000PEPEUSDT", qty="-123456789", stop=None, coverage="0")]
    stage.s3.rows = [a_decision(1, stage.clock.now_ms())]
    await stage.tell_order("s3-1000pepe-1800000000000-abcdef-s1", "STOP", "IN_DOUBT", trigger_price="65742.1")
    await stage.tell_fill("901")
    await stage.tell_alert("A_RATHER_LONG_CODE_WITHOUT_A_BREAK", "https://example.invalid/" + "x" * 90)
    async with moving(stage), served(stage) as url, opened(chromium, url, PHONE, scheme=scheme) as here:
        await here.shows("[data-section=alerts]", "A_RATHER_LONG")
        await playwright.expect(here.page.locator("html[data-mode=LIVE]")).to_be_visible()
        await playwright.expect(here.page).to_have_title("LIVE · Protection · Chimera")
        assert await here.sideways() == 0
        assert await here.page.evaluate(CUT) == [], "neither bar is cut"
        await here.page.locator("[data-act=close][data-about='position=BTCUSDT']").click()
        await here.page.wait_for_selector("dialog[open]")
        assert await here.sideways() == 0
        await here.page.keyboard.press("Escape")
        await playwright.expect(here.page.locator("dialog")).not_to_be_visible()
        assert here.said == []


async def test_what_is_old_is_greyed_and_a_dropped_stream_is_said_and_caught_up(chromium: str) -> None:
    stage = Stage(SystemClock())
    async with moving(stage), served(stage) as url:
        port = urlsplit(url).port
        assert port is not None
        async with opened(chromium, url, DESK) as here:
            await here.shows("[data-verdict=guarded] .answer", "Yes")
            stage.s4.error = NotSent("connection refused")
            await here.shows("[data-section=positions] .old", "S4 last answered")
            await here.shows("[data-verdict=guarded] .answer", "Unknown")
            drawn = here.page.locator("[data-section=positions] .body")
            assert "grayscale" in await drawn.evaluate("it => getComputedStyle(it).filter")
            stage.s4.error = None
            await here.shows("[data-verdict=guarded] .answer", "Yes")
            assert await here.page.locator("#dropped").is_hidden()

            stage.console.end()  # the stream ends and none begins: to the page the server is gone
            await here.shows("#dropped", "The event stream dropped")
            answer = "getComputedStyle(document.querySelector('[data-verdict=guarded] .answer'), '::after').content"
            assert await here.page.evaluate(answer) == '"? Unknown"'  # never a remembered yes
            assert "dropped" in (await here.page.locator("body").get_attribute("class") or "")

            stage.s4.rows = [a_position(qty="0.09")]
            stage.console.streams._ended.clear()
            await here.shows("[data-section=positions]", "0.09")
            await playwright.expect(here.page.locator("#dropped")).to_be_hidden(timeout=8_000)
            assert "dropped" not in (await here.page.locator("body").get_attribute("class") or "")


async def test_closing_by_keyboard_alone(chromium: str) -> None:
    stage = Stage(SystemClock())
    async with moving(stage), served(stage) as url, opened(chromium, url, DESK) as here:
        await here.shows("[data-section=positions]", "LONG")
        await here.page.locator("[data-act=close][data-about='position=BTCUSDT']").focus()
        await asyncio.sleep(0.5)  # many updates later the focus is where it was
        await here.page.keyboard.press("Enter")
        await here.shows("dialog", "Close BTCUSDT?")
        submit = here.page.locator("dialog [type=submit]")
        await playwright.expect(submit).to_be_disabled()
        await here.page.keyboard.type("btcusdt")
        await playwright.expect(submit).to_be_enabled()
        await here.page.keyboard.press("Enter")
        await here.shows("dialog", "✓ Taken")
        assert stage.s4.closed == ["BTCUSDT"]
        await here.page.keyboard.press("Enter")
        await playwright.expect(here.page.locator("dialog")).not_to_be_visible()

        stage.s4.rows = [a_position(target=None, exit="USER_REQUEST")]
        await here.shows(".receipt", "✓ target at 65,968.3 is gone")
        stage.s4.rows = [flat(realized_pnl="-0.77", fees="0.97", closed_count=13)]
        await here.shows(".receipt", "Flat.")
        await here.shows("[data-verdict=guarded] .answer", "Flat")
        assert here.said == []
