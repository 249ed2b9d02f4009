"""OP-3: the console in a real Chromium, on every screen.

On a stage where each screen has something to show and each act something to do: axe-core finds nothing, light, dark and
at 390 px, nor in the dialogs of acts; nothing goes sideways; no request leaves our origin; every task of an operator
takes three clicks at most, counted. That a page catches up after a dropped stream is ``tests/e2e/test_console.py``'s.
"""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from proofs.measured import Measured
from proofs.real import ROOT

sys.path.append(str(ROOT / "tests" / "support"))

from console_filled import SCREENS, filled
from console_stage import served
from console_tasks import MOST, TASKS, do
from real_browser import AXE, DESK, PHONE, Opened, moving, opened, playwright, started

BAR: Final = (
    "axe-core finds nothing on any screen nor in any dialog, light, dark and at 390 px; nothing goes sideways; no"
    " request leaves our origin; each task in 3 clicks at most"
)
Mode = tuple[str, dict[str, int]]
MODES: Final[tuple[Mode, ...]] = (("light", DESK), ("dark", DESK), ("dark", PHONE))
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
    return {"screens": len(SCREENS), "modes": len(MODES), **staged}


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
