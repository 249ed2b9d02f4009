"""A machine that slept: the loop's timers stood still with it, and the clocks went on. What is over by then is over."""

import time
from typing import Any

import pytest
from test_routes_worked import a_market, an_order, submit

from chimera.services.clock import SteadyClock, SystemClock
from chimera.services.stage.clock import VirtualClock
from chimera.simulate.venue.audit import Kind
from chimera.trading.intent import MakerThenTaker
from chimera.trading.money import Millis
from support.incident_stage import Stage, Story, Told, play, steps, without

pytestmark = [pytest.mark.req("I16", "I29"), pytest.mark.fault("A11")]

SENT_S, WOKEN_S = 10.7, 11.3
SLEPT_MS = 3_600_000
GAP_MS = 5_000


class Sleeper(VirtualClock):
    """Of a machine that can sleep; nothing else in the world does."""

    slept_ms = 0

    def now_ms(self) -> Millis:
        return Millis(super().now_ms() + self.slept_ms)

    def monotonic_ms(self) -> Millis:
        return Millis(super().monotonic_ms() + self.slept_ms)


def the_venues_went_on_too(stage: Stage) -> None:
    """Nothing else sleeps in this world: as S4 knows the venue's clock, it is as far from its own as it was."""
    router: Any = stage.world.router
    raw = router.sender._venue._raw
    raw.venue_clock.measured(raw.server_now_ms() - SLEPT_MS, raw.clock.now_ms(), 0)
    router.ground.venue_clock.offset_ms -= SLEPT_MS


def slept_through() -> Told:
    """A schedule of four begins; S4's machine sleeps for an hour after the first, which is to be held for 14 s."""

    def sleepy(stage: Stage) -> None:
        stage.world.s4_clock = Sleeper(stage.world.loop, offset_ms=stage.world.plan.offset_ms)

    async def send(stage: Stage) -> None:
        await submit(stage, an_order(stage, MakerThenTaker(wait_ms=0, slices=4, gap_ms=GAP_MS), qty=steps(40)))

    async def sleep(stage: Stage) -> None:
        clock = stage.world.s4_clock
        assert isinstance(clock, Sleeper)
        clock.slept_ms = SLEPT_MS
        the_venues_went_on_too(stage)

    return play(Story(hands=((SENT_S, send), (WOKEN_S, sleep)), touch=a_market(), extra=(sleepy,)))


def closed_s(told: Told) -> float:
    return next(each.at_us / 1e6 for each in told.only(Kind.FILL, "x"))


def test_nothing_that_is_over_is_entered_after_waking_and_what_is_late_is_done_at_once() -> None:
    told = slept_through()

    assert told.broken == []
    assert [each.at_us / 1e6 < WOKEN_S for each in told.entries] == [True]
    assert closed_s(told) < WOKEN_S + 0.5, "held for 14 s, it was to be closed while nobody was awake"


def test_without_the_look_at_waking_a_close_waits_for_a_timer_that_has_slept() -> None:
    with without(("chimera.services.router.watchdogs:Watchdogs", "_woken", lambda _: None)):
        told = slept_through()

    assert closed_s(told) > WOKEN_S + 1


def test_the_machines_second_hand_counts_its_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    awake_ns = time.clock_gettime_ns

    def slept(which: int) -> int:
        return awake_ns(which) + (SLEPT_MS * 1_000_000 if which == time.CLOCK_BOOTTIME else 0)

    clock = SteadyClock(SystemClock())
    before_ms = clock.now_ms()
    monkeypatch.setattr(time, "clock_gettime_ns", slept)

    assert clock.now_ms() - before_ms >= SLEPT_MS
