"""When market events are due: at a speed, stood still, stepped, and gone on from where it was."""

import asyncio
import math

from chimera.services.simulator.pace import Pace

SECOND = 1_000_000


class Hand:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def a_pace(speed: float = 1.0) -> tuple[Pace, Hand]:
    clock = Hand()
    return Pace(speed, clock), clock


def test_events_wait_for_their_time_over_the_speed() -> None:
    pace, clock = a_pace(speed=2.0)
    assert pace.wait_s(7 * SECOND) == 0, "the first is due at once"
    assert pace.wait_s(9 * SECOND) == 1
    clock.now_s += 1.5
    assert pace.wait_s(9 * SECOND) == -0.5
    assert Pace(math.inf).wait_s(10**15) == 0


def test_stopped_nothing_is_due_and_it_goes_on_from_where_it_is() -> None:
    pace, clock = a_pace()
    pace.wait_s(0)
    pace.released(0)
    pace.stop()
    assert pace.wait_s(1) is None
    clock.now_s += 60
    pace.go()
    assert pace.wait_s(5 * SECOND) == 0, "the minute that it stood is no market time"
    assert pace.wait_s(6 * SECOND) == 1


def test_steps_add_up_and_stop_it() -> None:
    pace, _ = a_pace()
    pace.released(10 * SECOND)
    pace.step(500)
    assert (pace.stopped, pace.wait_s(10 * SECOND + 500_000), pace.wait_s(10 * SECOND + 500_001)) == (True, 0, None)
    pace.step(500)
    assert (pace.wait_s(11 * SECOND), pace.wait_s(11 * SECOND + 1)) == (0, None)


async def test_whoever_waits_hears_of_a_change() -> None:
    pace, _ = a_pace()
    pace.stop()
    waiting = asyncio.create_task(pace.due(5))
    await asyncio.sleep(0)
    pace.released(0)
    pace.step(1)
    async with asyncio.timeout(5):
        await waiting
    pace.go(speed=3.0)
    assert (pace.speed, pace.stopped) == (3.0, False)
