"""OP-3: the console in a real Chromium, on every screen.

On a stage where each screen has something to show and each act something to do: axe-core finds nothing, light, dark and
at 390 px, nor in the dialogs of acts; nothing goes sideways; no request leaves our origin; every task of an operator
takes three clicks at most, counted. Then in a house of real processes (``console_house``): a console that is stopped
and started under an open page, an order replayed on the market recorded beside it, and every screen once more.
"""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from proofs.console_house import ConsoleHouse, console_house
from proofs.measured import Measured
from proofs.real import ROOT

sys.path.append(str(ROOT / "tests" / "support"))

from console_filled import SCREENS, filled
from console_stage import served
from console_tasks import MOST, TASKS, do
from real_browser import AXE, DESK, PHONE, Opened, moving, opened, playwright, started

BAR: Final = (
    "axe-core finds nothing on any screen nor in any dialog, light, dark and at 390 px, on a stage and in a house;"
    " nothing goes sideways; no request leaves our origin; each task in 3 clicks at most; a console stopped and started"
    " catches up; an order is replayed on its recorded market"
)
Mode = tuple[str, dict[str, int]]
MODES: Final[tuple[Mode, ...]] = (("light", DESK), ("dark", DESK), ("dark", PHONE))
PATIENCE_MS: Final = 45_000  # a replay is asked for again after half a minute
OF_A_HOUSE: Final = (
    "/", "/orders", "/doubts", "/kill", "/working", "/why", "/whatif?symbol=BTCUSDT", "/execution", "/config", "/venue",
    "/alerts", "/system", "/doctor", "/simulator",
)  # fmt: skip
_FINDINGS: Final = """axe.run({resultTypes: ['violations']}).then(said => said.violations.map(each =>
    each.id + ': ' + each.nodes.slice(0, 3).map(node => node.html).join(' | ')))"""


def prove() -> Measured:
    measured = asyncio.run(_proved())
    return Measured(measured, BAR, passed=stands(measured))


def stands(measured: dict[str, Any]) -> bool:
    clean = not any(measured[name] for name in ("wrong", "said", "elsewhere"))
    return clean and max(measured["clicks"].values()) <= MOST


async def _proved() -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="chimera-op3-") as folder, started(Path(folder) / "chromium") as chromium:
        staged = await _on_a_stage(chromium)
        (Path(folder) / "house").mkdir()
        async with console_house(Path(folder) / "house") as house, examined(chromium, house.url) as here:
            real = await _in_a_house(house, here)
    found = {name: [*staged[name], *real[name]] for name in ("wrong", "said", "elsewhere")}
    return {
        "screens": len(SCREENS), "modes": len(MODES), "of_a_house": len(OF_A_HOUSE) + 3, "clicks": staged["clicks"],
        **found,
    }  # fmt: skip


# ── on a stage ──


async def _on_a_stage(chromium: str) -> dict[str, Any]:
    clicks: dict[str, int] = {}
    wrong: list[str] = []
    full = await filled()
    async with moving(full), served(full) as url, examined(chromium, url) as here:
        for path in SCREENS:
            wrong += await faults(here, url + path)
        await wear(here, MODES[0])
        for task in TASKS:

            async def look(name: str = task.name) -> None:
                wrong.extend(f"{name}, before the last step: {each}" for each in await here.page.evaluate(_FINDINGS))

            try:
                await do(here, task, url, look=look)
            except (playwright.Error, AssertionError) as stuck:
                wrong.append(f"{task.name}: {str(stuck).splitlines()[0]}")
            clicks[task.name] = task.clicks
        return {"clicks": clicks, "wrong": wrong, **_heard(here, url)}


@asynccontextmanager
async def examined(chromium: str, url: str) -> AsyncIterator[Opened]:
    """A page that has axe at hand whatever it opens."""
    async with opened(chromium, "about:blank", DESK) as here:
        await here.page.add_init_script(path=AXE)
        await here.page.goto(url)
        yield here


async def faults(here: Opened, url: str, modes: Sequence[Mode] = MODES) -> list[str]:
    """What is wrong with one screen, in any of the modes."""
    await here.page.goto(url)
    await playwright.expect(here.page.locator("[data-verdict=trade] .answer")).to_be_visible()
    path = url.partition("//")[2].partition("/")[2]
    undrawn = await here.page.locator("main .body [role=alert]").count()
    wrong = [f"/{path}: {undrawn} parts cannot be drawn"] if undrawn else []
    for mode in modes:
        await wear(here, mode)
        if over := await here.sideways():
            wrong.append(f"/{path} {mode[0]} {mode[1]['width']}: {over} px too wide")
        found = await here.page.evaluate(_FINDINGS)
        wrong += [f"/{path} {mode[0]} {mode[1]['width']}: {each}" for each in found]
    return wrong


async def wear(here: Opened, mode: Mode) -> None:
    await here.page.set_viewport_size(mode[1])
    await here.page.emulate_media(color_scheme=mode[0], reduced_motion="reduce")


def _heard(here: Opened, url: str) -> dict[str, list[str]]:
    """What the pages complained of, and whom they asked beside us."""
    return {"said": here.said[:20], "elsewhere": sorted(here.origins() - {urlsplit(url).netloc, ""})}


# ── in a house of real processes ──


async def _in_a_house(house: ConsoleHouse, here: Opened) -> dict[str, Any]:
    wrong: list[str] = []
    try:
        order = await catches_up(house, here)
        await house.enter("op3-2")  # something is held while its screens are walked
        paths = (*OF_A_HOUSE, f"/orders/{order}", await house.decided(), await replays(house, here, order))
        wrong = [line for path in paths for line in await faults(here, house.url + path, MODES[2:])]
    except AssertionError as untrue:
        wrong.append(str(untrue).splitlines()[0])
    return {"wrong": wrong, **_heard(here, house.url)}


async def catches_up(house: ConsoleHouse, here: Opened) -> str:
    """What happened while the console was away is on the page that was open all the time; raises ``AssertionError``.

    The order that it was about. What a browser says of a server that is gone is no complaint.
    """
    order = await house.enter("op3-1")
    await here.page.goto(house.url)
    positions, dropped = here.page.locator("[data-section=positions]"), here.page.locator("#dropped")
    await playwright.expect(positions).to_contain_text("LONG", timeout=PATIENCE_MS)
    await here.page.evaluate("window.loaded = 'once'")
    heard = len(here.said)
    await house.console.stop()
    await playwright.expect(dropped).to_contain_text("stream dropped", timeout=PATIENCE_MS)
    await house.flatten()
    await (await house.console.start()).wait_ready()
    await playwright.expect(positions).to_contain_text("1 closed", timeout=PATIENCE_MS)
    await playwright.expect(dropped).to_be_hidden(timeout=PATIENCE_MS)
    assert await here.page.evaluate("window.loaded") == "once", "the page was loaded anew"
    del here.said[heard:]
    return order


async def replays(house: ConsoleHouse, here: Opened, order: str) -> str:
    """From the order's page to what it would have cost at once; its address there. Raises ``AssertionError``."""
    await here.page.goto(f"{house.url}/orders/{order}")
    await here.page.locator("main a[href^='/replays/']").click(timeout=PATIENCE_MS)
    path = f"/replays/{order}?way=market"
    await here.page.goto(house.url + path)
    answer = here.page.locator("[data-section=answer]")
    for line in ("as it was", "◌ market"):
        await playwright.expect(answer).to_contain_text(line, timeout=PATIENCE_MS)
    return path
