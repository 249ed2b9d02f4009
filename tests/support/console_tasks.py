"""What an operator does from the console, each task as clicks from its home.

Typing is no click; choosing from a list is one. A task ends where the page says that it was done.
"""

from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from real_browser import Opened

MOST: Final = 3


class Click(NamedTuple):
    selector: str


class Type(NamedTuple):
    selector: str
    text: str


class Task(NamedTuple):
    """``says``: what is seen at its end, and where."""

    name: str
    steps: tuple[Click | Type, ...]
    says: tuple[str, str]

    @property
    def clicks(self) -> int:
        return sum(isinstance(step, Click) for step in self.steps)


TAKEN: Final = ("dialog", "Taken")
CONFIRM: Final = Click("dialog [type=submit]")


def _go(key: str) -> Click:
    """The screen, from the navigation."""
    return Click(f".rail a[data-key={key}]")


def _act(name: str, about: str = "") -> Click:
    return Click(f"main [data-act='{name}']" + (f"[data-about*='{about}']" if about else ""))


def _word(text: str) -> Type:
    return Type("#confirm", text)


def _filled(field: str, text: str) -> Type:
    return Type(f"dialog [name='{field}']", text)


TASKS: Final = (
    Task("protection: re-arm", (_act("survey", "BTCUSDT"), CONFIRM), TAKEN),
    Task("protection: flatten", (_act("close", "BTCUSDT"), _word("BTCUSDT"), CONFIRM), TAKEN),
    Task("orders: query the exchange now", (_go("o"), _act("survey"), CONFIRM), TAKEN),
    Task("orders: cancel", (_go("o"), _act("cancel"), _word("BTCUSDT"), CONFIRM), TAKEN),
    Task("order: copy raw", (Click("main a.id[href^='/orders/']"), Click("[data-section=raw] summary"),
                             Click("[data-section=raw] details[open] [data-copy]")), ("#said", "Copied")),
    Task("order: replay in the simulator", (_go("o"), Click("main a.id[href='/orders/i9']"),
                                            Click("main a[href^='/replays/']")), ("main", "as it was")),
    Task("in doubt: resolve an order", (_go("d"), _act("survey"), CONFIRM), TAKEN),
    Task("in doubt: resolve a transfer", (_go("d"), _act("settle", "yes"), _word("USDT"), CONFIRM), TAKEN),
    Task("in doubt: cancel", (_go("d"), _act("cancel"), _word("BTCUSDT"), CONFIRM), TAKEN),
    Task("why not: what if", (_go("w"), Click("[data-section=blockers] a"), Type("#suppose", "spread_bps=3.5"),
                              Click("[data-section=wish] [type=submit]")), ("[data-section=answer]", "supposed")),
    Task("why not: compare two", (Click("main .decision.skip a[href^='/decisions/']"),
                                  Click("[data-section=decision] [type=submit]")), ("main", "Beside one another")),
    Task("why not: export as a test", (Click("main .decision.skip a[href^='/decisions/']"),
                                       Click("[data-section=fixture] [data-copy]")), ("#said", "Copied")),
    Task("config: activate", (_go("c"), _act("activate", "calm-2"), _filled("why", "tried"), _word("calm-2"), CONFIRM),
         TAKEN),
    Task("config: roll back", (_go("c"), _act("roll-back"), _filled("why", "no"), _word("back"), CONFIRM), TAKEN),
    Task("config: try beside", (_go("c"), _act("try-bundle", "calm-2"), _filled("why", "look"), CONFIRM), TAKEN),
    Task("config: end the trial", (_go("c"), _act("end-trial"), _filled("why", "seen"), CONFIRM), TAKEN),
    Task("execution: approve a table", (_go("e"), _act("approve-routes"), _word("approve"), CONFIRM), TAKEN),
    Task("TWAP: pause", (_go("t"), _act("pause-order"), CONFIRM), TAKEN),
    Task("TWAP: resume", (_go("t"), _act("resume-order"), CONFIRM), TAKEN),
    Task("TWAP: finish", (_go("t"), _act("finish-order"), _word("BTCUSDT"), CONFIRM), TAKEN),
    Task("guards: disarm", (_go("t"), _act("disarm"), _word("BTCUSDT"), CONFIRM), TAKEN),
    Task("venue: reset the breaker", (_go("v"), _act("retry-breaker"), _filled("reason", "it works"), _word("FUT"),
                                      CONFIRM), TAKEN),
    Task("alerts: acknowledge", (_go("a"), _act("acknowledge"), CONFIRM), TAKEN),
    Task("alerts: resolve", (_go("a"), _act("resolve-alert"), CONFIRM), TAKEN),
    Task("system: run the doctor", (_go("s"), Click("main a[href='/doctor']")), ("[data-section=found]", "python")),
    Task("simulator: inject", (_go("x"), _act("arm-fault"), CONFIRM), TAKEN),
    Task("simulator: clear", (_go("x"), _act("clear-fault"), CONFIRM), TAKEN),
    Task("simulator: step time", (_go("x"), _act("move-market", "step-1"), CONFIRM), TAKEN),
    Task("kill panel: re-arm", (_go("k"), _act("arm"), _word("word1234"), CONFIRM), TAKEN),
    Task("kill panel: engage", (_go("k"), Type(".engage [name=confirm]", "kill"), Click(".engage button")), TAKEN),
)  # fmt: skip


async def do(here: Opened, task: Task, home: str, *, look: Callable[[], Awaitable[None]] | None = None) -> None:
    """From home to its end; raises where the page does not come along. ``look``: before the last step."""
    await here.page.goto(home)
    for step in task.steps:
        if look is not None and step is task.steps[-1]:
            await look()
        match step:
            case Click(selector):
                await here.page.locator(selector).first.click()
            case Type(selector, text):
                await here.page.locator(selector).first.fill(text)
    await here.shows(*task.says)
