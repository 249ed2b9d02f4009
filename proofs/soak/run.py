"""One soak: everything started as a user starts it, load, blows, healing, quiet, the verdict."""

import asyncio
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import aiohttp

from proofs.real import Stage, stage
from proofs.soak.blows import Blows
from proofs.soak.callers import Callers
from proofs.soak.judge import Verdict, judge

SYMBOLS: Final = ("BTCUSDT", "ETHUSDT")
QUIET_S: Final = 90.0
SETTLE_S: Final = 1.5  # the last events and rows are told


class Soaked(dict[str, Any]):
    """What is printed; ``good`` is the verdict."""

    good: bool = False


async def soak(
    kills: int,
    seed: int = 1,
    *,
    callers: int = 4,
    s3: bool = True,
    say: Callable[[str], None] = print,
    folder: Path | None = None,
) -> Soaked:
    """``folder`` keeps the audit, the ledgers and the logs; without it they go."""
    with tempfile.TemporaryDirectory(prefix="chimera-soak-") as temporary:
        began = time.monotonic()
        place = folder or Path(temporary)
        async with stage(place, SYMBOLS) as house:
            ask, blows = await _live(house, kills, seed, callers, s3, say)
        verdict = await judge(house, ask, blows)
        return _told(verdict, ask, blows, seed, round(time.monotonic() - began))


async def _live(
    house: Stage, kills: int, seed: int, callers: int, s3: bool, say: Callable[[str], None]
) -> tuple[Callers, Blows]:
    services = (house.feed, house.s4, house.s3) if s3 else (house.feed, house.s4)
    for service in services:
        await service.start()
    for service in services:
        await service.wait_ready()
    await house.until_ready(house.s4_url)
    ask = Callers(house, seed, callers, s3=s3)
    blows = Blows(house, ask, seed, kills, s3=s3)
    calling = asyncio.create_task(ask.run())
    striking = asyncio.create_task(blows.run())
    telling = asyncio.create_task(_tell(blows, ask, say))
    try:
        await asyncio.wait({calling, striking}, return_when=asyncio.FIRST_COMPLETED)
        ask.finish()
        await striking
        async with asyncio.timeout(QUIET_S):
            await calling
    finally:
        for task in (calling, striking, telling):
            task.cancel()
        await asyncio.wait({calling, striking, telling})
    if not await _quiet(house):
        ask.broken.append(f"the account was not flat {QUIET_S:g} s after the last kill")
    for service in reversed(services):
        code = await service.stop()
        if code:
            blows.fell.append(f"{service.name} told to stop ended with {code}: {service.last_words()}")
    return ask, blows


async def _tell(blows: Blows, ask: Callers, say: Callable[[str], None]) -> None:
    while True:
        await asyncio.sleep(30)
        say(f"{blows.tally['kills']} kills, {len(ask.answers)} intents, {len(ask.broken)} broken promises")


async def _quiet(house: Stage) -> bool:
    """Whether the account comes to rest: no position, no order of either kind."""
    until = time.monotonic() + QUIET_S
    while time.monotonic() < until:
        with suppress(aiohttp.ClientError, TimeoutError):
            _, state = await house.ask("GET", f"{house.venue_url}/sim/state")
            account = state["accounts"]["main"]
            if not (account["positions"] or account["open_orders"] or account["open_algos"]):
                await asyncio.sleep(SETTLE_S)
                return True
        await asyncio.sleep(0.2)
    return False


def _told(verdict: Verdict, ask: Callers, blows: Blows, seed: int, seconds: int) -> Soaked:
    recovered = sorted(blows.recovered_ms)
    told = Soaked(
        **blows.tally,
        **ask.tally,
        intents=len(ask.answers),
        fills=verdict.fills,
        venue_orders=verdict.orders,
        naked_healthy_ms=verdict.naked_healthy_ms,
        naked_after_kill_ms=verdict.naked_after_kill_ms,
        ready_again_ms={"median": recovered[len(recovered) // 2], "worst": recovered[-1]} if recovered else {},
        violations=[f"{each.invariant}: {each.text}" for each in verdict.violations][:20],
        broken=verdict.broken[:20],
        seconds=seconds,
        seed=seed,
    )
    told.good = verdict.good
    return told
