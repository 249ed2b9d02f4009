"""``chimera up`` in wall time: real processes, until somebody stops them."""

import asyncio

from chimera.cli.codes import Exit
from chimera.cli.up.household import Household
from chimera.cli.up.options import UpOptions
from chimera.cli.up.play import exit_of, plan_of, sum_up
from chimera.cli.up.session import End, Look, Session, Tell
from chimera.services import logs, serving


def by_clock(options: UpOptions, tell: Tell, look: Look | None) -> Exit:
    """Open the house, play in it, close it, sum up."""
    return serving.run(lambda: _live(options, tell, look))


async def _live(options: UpOptions, tell: Tell, look: Look | None) -> Exit:
    logs.to_stderr("up")
    stop = serving.told_to_stop()
    house = Household(options, tell)
    end: End | None = None
    opened = False
    try:
        opening = asyncio.create_task(house.open())
        opened = await _first(opening, stop)
        if opened:
            tell({"at_ms": house.now_ms(), "event": "ready", **house.addresses, "state": str(options.state)})
            end = await _session(house, options, tell, look, stop)
    finally:
        await house.close()
        try:
            if opened:
                sum_up(house.tally, await house.fills(), house.started_ms, tell)
        finally:
            house.release()
    return exit_of(end, options)


async def _session(
    house: Household, options: UpOptions, tell: Tell, look: Look | None, stop: asyncio.Event
) -> End | None:
    session = Session(house, plan_of(options, options.symbol), tell, on_look=look)
    playing = asyncio.create_task(session.run())
    falling = asyncio.create_task(house.failed())
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({playing, falling, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if falling.done():
            falling.result()
        if not playing.done():
            return None
        return playing.result()
    finally:
        for task in (playing, falling, stopping):
            await serving.end(task)


async def _first(opening: asyncio.Task[None], stop: asyncio.Event) -> bool:
    """Whether the opening came to its end before somebody stopped it."""
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({opening, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not opening.done():
            await serving.end(opening)
            return False
        opening.result()
        return True
    finally:
        stopping.cancel()
