"""Many surveys at once: one look at the whole account, heard by all who waited for it."""

import asyncio

from chimera.adapters.binance import translate
from chimera.adapters.binance.looking import MANY, SIDE_BY_SIDE, Look, Looking
from chimera.trading.errors import OutcomeUnknown
from chimera.trading.ids import Symbol
from chimera.trading.money import Millis
from chimera.trading.venue import AccountSnapshot


class Venue:
    """Answers when ``go`` is set; counts what it was asked."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.ones: list[str] = []
        self.wholes = 0
        self.fails = False
        self.looking = Looking(self._one, self._whole)

    async def _one(self, symbol: Symbol) -> Look:
        self.ones.append(symbol)
        await self.go.wait()
        return Look(asked_ms=Millis(1), orders=(), position=translate.flat(symbol, Millis(1)), paid=True)

    async def _whole(self) -> AccountSnapshot:
        self.wholes += 1
        await asyncio.sleep(0)
        if self.fails:
            raise OutcomeUnknown("no answer")
        return AccountSnapshot(asked_ms=Millis(2), orders=(), positions=())

    async def asked(self, count: int) -> list[asyncio.Task[Look]]:
        tasks = [asyncio.create_task(self.looking.at(Symbol(f"S{number}"))) for number in range(count)]
        await asyncio.sleep(0)
        return tasks


async def test_few_are_asked_for_one_by_one() -> None:
    venue = Venue()
    tasks = await venue.asked(SIDE_BY_SIDE + MANY - 1)
    venue.go.set()
    looks = await asyncio.gather(*tasks)

    assert (len(venue.ones), venue.wholes) == (SIDE_BY_SIDE + MANY - 1, 0)
    assert {look.position.symbol for look in looks} == set(venue.ones)


async def test_a_hundred_cost_one_look_at_the_account() -> None:
    venue = Venue()
    tasks = await venue.asked(100)
    venue.go.set()
    looks = await asyncio.gather(*tasks)

    assert (len(venue.ones), venue.wholes) == (SIDE_BY_SIDE, 1)
    assert len({look.position.symbol for look in looks}) == 100
    assert sum(look.paid for look in looks) == SIDE_BY_SIDE


async def test_who_comes_while_it_gathers_is_heard_with_the_others() -> None:
    venue = Venue()
    tasks = await venue.asked(30)
    venue.go.set()
    for _ in range(5):
        await asyncio.sleep(0)
    tasks += await venue.asked(40)
    await asyncio.gather(*tasks)

    assert (len(venue.ones), venue.wholes) == (SIDE_BY_SIDE, 1)


async def test_a_look_that_fails_fails_for_all_and_the_next_goes_on() -> None:
    venue = Venue()
    venue.fails = True
    tasks = await venue.asked(100)
    venue.go.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    failed = [each for each in outcomes if isinstance(each, OutcomeUnknown)]

    assert len(failed) == 100 - SIDE_BY_SIDE
    assert (await venue.looking.at(Symbol("S1"))).paid


async def test_whoever_is_stopped_takes_nobodys_turn_along() -> None:
    venue = Venue()
    tasks = await venue.asked(SIDE_BY_SIDE + 3)
    tasks[0].cancel()
    await asyncio.sleep(0)
    tasks[SIDE_BY_SIDE].cancel()  # its turn has come in this very step
    venue.go.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)

    assert sum(isinstance(each, Look) for each in outcomes) == SIDE_BY_SIDE + 1


async def test_the_leader_that_is_stopped_leaves_nobody_waiting() -> None:
    venue = Venue()
    tasks = await venue.asked(100)
    venue.go.set()
    while not venue.wholes:  # noqa: ASYNC110  # one step of the loop at a time
        await asyncio.sleep(0)
    tasks[SIDE_BY_SIDE].cancel()  # the first that waited: it asks for all
    outcomes = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 1)

    assert sum(isinstance(each, OutcomeUnknown) for each in outcomes) == 100 - SIDE_BY_SIDE - 1
