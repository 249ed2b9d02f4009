"""Photograph a night: what OP-1 rehearses, as the console shows it, into ``docs/night``.

    python tools/night_pages.py [PICTURE ...] [--hours HOURS] [--seed SEED]

Two halves that exist already are put together. ``proofs.night`` plays the night and keeps what S4 answered and what the
alerts told; ``console_stage`` is a console over an S4 that says what it is told. A picture is a screen at one moment of
a trouble, with the time, the alerts and the market of that moment. It needs Chromium, so ``make docs`` leaves it out.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence, Set
from contextlib import asynccontextmanager, nullcontext
from itertools import takewhile
from pathlib import Path
from typing import Any, Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

from console_stage import Stage, served  # noqa: E402  (found by the line above)
from real_browser import PHONE, opened, playwright, started  # noqa: E402  (found by the line above)

from chimera.adapters.memory.faults import NoFaults  # noqa: E402  (found by the line above)
from chimera.services.alerts.ticket import Ticket, heard, key_of, shown  # noqa: E402  (found by the line above)
from chimera.services.clock import SystemClock  # noqa: E402  (found by the line above)
from chimera.services.stage.clock import EPOCH_MS  # noqa: E402  (found by the line above)
from chimera.trading.errors import NotSent, StoreUnavailable  # noqa: E402  (found by the line above)
from chimera.trading.market import TopOfBook  # noqa: E402  (found by the line above)
from chimera.trading.money import Millis, Price  # noqa: E402  (found by the line above)
from chimera.wire import codec  # noqa: E402  (found by the line above)
from chimera.wire.alerts import rank, read_alert  # noqa: E402  (found by the line above)
from chimera.wire.board import TickBoard  # noqa: E402  (found by the line above)
from chimera.wire.keys import ALERTS, ORDER_RESULTS, tick_key  # noqa: E402  (found by the line above)
from proofs.night import LOOK_S, Look, Night, Told, play  # noqa: E402  (found by the line above)
from proofs.op_1 import FIXED  # noqa: E402  (found by the line above)
from world.paths import PATHS, day_market  # noqa: E402  (found by the line above)

FOLDER: Final = ROOT / "docs" / "night"
HOURS: Final = 0.5
SETTLED_S: Final = 4.0  # what a page needs to be drawn with everything
PAST_S: Final = 120  # of the market, before the moment
MOST_BYTES: Final = 150_000
SHORT_DESK: Final = {"width": 1180, "height": 760}
SMALL_DESK: Final = {"width": 1180, "height": 640}

MARKET, REDIS, S4 = "the market", "Redis", "S4"

Answers = Mapping[str, Any]


class Picture(NamedTuple):
    """``best``: of all looks amid the trouble the first of those where this is largest; it is given what S4 answered
    and the codes that the trouble has been told by. ``away``: who answers the console no longer. ``foot``: the end of
    the page is to be seen.
    """

    name: str
    trouble: str
    path: str
    best: Callable[[Answers, Set[str]], Any]
    scheme: str = "light"
    window: Mapping[str, int] = SHORT_DESK
    away: str = ""
    foot: bool = False


def _held(answers: Answers) -> bool:
    return any(float(row["qty"]) for row in answers["positions"])


def _kept_out(answers: Answers) -> tuple[int, bool]:
    """By how much, and whether something is held meanwhile."""
    return len(answers["health"]["barriers"]), _held(answers)


PICTURES: Final = (
    Picture("breaker", "overloaded", "/venue", lambda answers, _: answers["health"]["circuit_breaker"] == "OPEN"),
    Picture("exchange-down", "exchange down", "/", lambda answers, _: _kept_out(answers), "dark",
            away=MARKET),
    Picture("stop-refused", "stop refused", "/alerts", lambda _, codes: "STOP_CROSSED" in codes, window=SMALL_DESK),
    Picture("redis", "redis fails over", "/", lambda answers, _: _kept_out(answers), window=SMALL_DESK, away=REDIS),
    Picture("ledger", "ledger stalled", "/", lambda answers, _: _kept_out(answers), window=SMALL_DESK),
    Picture(
        "killed", "killed and armed", "/kill", lambda answers, _: len(answers["killed"]["kills"]), "dark", PHONE,
        foot=True,
    ),
    Picture("s4-gone", "S4 killed with -9", "/", lambda answers, _: _held(answers), "dark", SMALL_DESK, away=S4),
)  # fmt: skip


class NightClock(SystemClock):
    """Now is so many seconds into the night, and goes on from there."""

    def __init__(self, at_s: float) -> None:
        super().__init__()
        self._ahead_ms = EPOCH_MS + round(at_s * 1_000) - time.time_ns() // 1_000_000

    def now_ms(self) -> Millis:
        return Millis(time.time_ns() // 1_000_000 + self._ahead_ms)


class Away(NoFaults):
    """A store that is not there."""

    async def before(self, operation: str, key: str) -> None:
        raise StoreUnavailable(f"{operation} {key}: connection refused")


# ── the stage at one moment ──


def chosen(night: Night, picture: Picture) -> Look:
    """The look that tells most of its trouble."""
    trouble = next(each for each in night.troubles if each.name == picture.trouble)
    before_s, after_s = (LOOK_S, 0.0) if picture.away == S4 else (0.0, trouble.for_s)  # who is gone answered before it
    amid = [look for look in night.looks if look.answers and -before_s <= look.at_s - trouble.at_s <= after_s]

    def told(look: Look) -> frozenset[str]:
        return frozenset(each.code for each in night.told if trouble.at_s <= each.at_s <= look.at_s)

    return max(amid, key=lambda look: picture.best(look.answers, told(look)))


async def as_it_was(night: Night, look: Look, seed: int) -> Stage:
    """A console's others as S4, the alerts and the market were then."""
    stage = Stage(NightClock(look.at_s))
    stage.s4.told, stage.s4.rows = look.answers["health"], look.answers["positions"]
    stage.s4.kills = look.answers["killed"]["kills"]
    told = [each for each in night.told if each.at_s <= look.at_s]
    stage.alerts.rows = {row["id"]: row for row in tickets(told)}
    for number, each in enumerate(told):
        fields = {name: str(value) for name, value in each.row.items() if value is not None}
        await stage.bus.publish(ALERTS, str(number), fields)
    for number, row in enumerate(row for row in night.results if int(row["at_ms"]) <= stage.clock.now_ms()):
        await stage.bus.publish(ORDER_RESULTS, str(number), row)
    for tick in _market(seed, look.at_s):
        stage.console.seen.take_tick(tick)
    return stage


def tickets(told: Sequence[Told]) -> list[dict[str, Any]]:
    """What stands after these records, as whoever keeps the alerts answers it: the worst first."""
    kept: dict[str, Ticket] = {}
    for number, each in enumerate(told):
        record = read_alert({name: str(value) for name, value in each.row.items() if value is not None})
        ticket = heard(kept.get(key_of(record)), record, f"{record.at_ms}-{number}", record.at_ms)
        if ticket is not None:
            kept[key_of(record)] = ticket
    standing = [each for each in kept.values() if each.stands]
    return [shown(each) for each in sorted(standing, key=lambda each: (-rank(each.severity), -each.last_ms))]


def _market(seed: int, at_s: float) -> list[TickBoard]:
    """The last minutes before the moment, second by second."""
    events = day_market(seed, PATHS["calm"], hours=at_s / 3_600 + 1)
    until_us = (EPOCH_MS + round(at_s * 1_000)) * 1_000
    touches = (event for event in events if isinstance(event, TopOfBook))
    lately = takewhile(lambda touch: touch.at_us <= until_us, touches)
    return [_tick(touch) for touch in lately if touch.at_us > until_us - PAST_S * 1_000_000]


def _tick(touch: TopOfBook) -> TickBoard:
    mid = Price((touch.bid + touch.ask) / 2)
    return TickBoard(
        symbol=touch.symbol, at_ms=Millis(touch.at_us // 1_000), bid=touch.bid, bid_qty=touch.bid_qty, ask=touch.ask,
        ask_qty=touch.ask_qty, mid=mid, spread_bps=(touch.ask - touch.bid) / mid * 10_000, last=touch.bid, mark=mid,
    )  # fmt: skip


@asynccontextmanager
async def ticking(stage: Stage) -> AsyncIterator[None]:
    """The market stands at its last price, and is heard."""

    async def go_on() -> None:
        last = max(stage.console.seen.ticks.values(), key=lambda tick: tick.at_ms)
        while True:
            now = last.but(at_ms=stage.clock.now_ms())
            await stage.bus.put(tick_key(last.symbol), codec.encode(now))
            await asyncio.sleep(0.5)

    task = asyncio.create_task(go_on())
    try:
        yield
    finally:
        task.cancel()


# ── pictures ──


async def photograph(night: Night, seed: int, names: Sequence[str]) -> None:
    """Those named; all where none is."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="chimera-night-") as profile, started(Path(profile)) as chromium:
        for picture in (each for each in PICTURES if not names or each.name in names):
            look = chosen(night, picture)
            stage = await as_it_was(night, look, seed)
            heard_of = nullcontext() if picture.away in (MARKET, REDIS) else ticking(stage)
            path = FOLDER / f"{picture.name}.png"
            async with served(stage) as url, heard_of:
                await _taken(chromium, url, picture, path, stage)
            print(f"{path.relative_to(ROOT)}: {path.stat().st_size} bytes, {look.at_s:.0f} s into the night")


async def _taken(chromium: str, url: str, picture: Picture, path: Path, stage: Stage) -> None:
    """Raises ``RuntimeError`` where the page complains, or the picture is too large to be kept."""
    async with opened(chromium, url + picture.path, dict(picture.window), scheme=picture.scheme) as here:
        await playwright.expect(here.page.locator("[data-verdict=trade] .answer")).to_be_visible()
        if picture.away == S4:
            stage.s4.error = NotSent("connection refused")
        elif picture.away == REDIS:
            stage.bus.faults = Away()
        await asyncio.sleep(SETTLED_S)
        if picture.foot:
            await here.page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
        size = len(await here.page.screenshot(path=path))
        if here.said or size > MOST_BYTES:
            raise RuntimeError(f"{picture.name}: {size} bytes; the page said {here.said}")


def main(hours: float, seed: int, names: Sequence[str]) -> None:
    asyncio.run(photograph(play(seed, hours), seed, names))


if __name__ == "__main__":
    asked = argparse.ArgumentParser(description="Photograph a night.")
    asked.add_argument("names", nargs="*", metavar="PICTURE", help="which; all, unless named")
    asked.add_argument("--hours", type=float, default=HOURS)
    asked.add_argument("--seed", type=int, default=FIXED)
    given = asked.parse_args()
    main(given.hours, given.seed, given.names)
