"""A moment is an event without a queue; an errand is a task only while there is work."""

import asyncio
from contextvars import ContextVar, copy_context

import pytest

from chimera.services.router.at_rest import Errand, Moment

pytestmark = pytest.mark.req("FC-2")
WHOSE: ContextVar[str] = ContextVar("WHOSE", default="nobody")


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


class Work:
    """Counts how often it was done; waits for ``gate`` each time."""

    def __init__(self, fails: bool = False) -> None:
        self.gate = asyncio.Event()
        self.begun: list[str] = []
        self.fails = fails
        self.errand = Errand(self.work, "work")
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def work(self) -> None:
        self.begun.append(WHOSE.get())
        await self.gate.wait()
        if self.fails:
            raise ValueError("broken")


async def test_a_moment_wakes_all_who_wait_and_lets_later_ones_through_once_it_is_set() -> None:
    moment, woken = Moment(), list[int]()

    async def wait(number: int) -> None:
        await moment.wait()
        woken.append(number)

    waiting = [asyncio.create_task(wait(number)) for number in range(3)]
    await turns()
    assert (woken, moment.is_set()) == ([], False)
    moment.set()
    await turns()
    await moment.wait()
    assert (woken, moment.is_set(), all(each.done() for each in waiting)) == ([0, 1, 2], True, True)


async def test_a_pulse_is_for_those_who_wait_now() -> None:
    moment = Moment()
    now = asyncio.create_task(moment.wait())
    await turns()
    moment.pulse()
    await turns()
    later = asyncio.create_task(moment.wait())
    await turns()
    assert (now.done(), later.done(), moment.is_set()) == (True, False, False)
    later.cancel()


async def test_nothing_is_kept_of_who_waited_and_was_cancelled() -> None:
    moment = Moment()
    waiting = [asyncio.create_task(moment.wait()) for _ in range(2)]
    await turns()
    for each in waiting:
        each.cancel()
    await turns()
    assert moment._waiters is None
    moment.pulse()


async def test_an_errand_is_done_again_for_what_was_wanted_meanwhile_and_leaves_no_task() -> None:
    work = Work()
    work.errand.want()
    await turns()
    assert work.begun == [], "it has not begun"
    work.errand.begin(work.over, copy_context())
    await turns()
    for _ in range(3):
        work.errand.want()
    work.gate.set()
    await turns()
    assert (len(work.begun), work.errand._task) == (2, None)
    work.errand.want()
    await turns()
    assert (len(work.begun), work.errand._task, work.over.done()) == (3, None, False)


async def test_an_errand_works_as_who_began_it_whoever_wants_it() -> None:
    work = Work()
    work.gate.set()
    WHOSE.set("owner")
    work.errand.want()
    work.errand.begin(work.over, copy_context())
    WHOSE.set("caller")
    await turns()
    work.errand.want()
    await turns()
    assert work.begun == ["owner", "owner"]


async def test_what_an_errand_raises_ends_who_began_it() -> None:
    work = Work(fails=True)
    work.gate.set()
    work.errand.want()
    work.errand.begin(work.over, copy_context())
    with pytest.raises(ValueError, match="broken"):
        await work.over


async def test_an_errand_that_was_ended_is_not_wanted_again() -> None:
    work = Work()
    work.errand.want()
    work.errand.begin(work.over, copy_context())
    await turns()
    await work.errand.end()
    work.errand.want()
    await turns()
    assert (len(work.begun), work.errand._task, work.over.done()) == (1, None, False)
