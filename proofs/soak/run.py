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
from proofs.soak.blows import Blows, Struck
from proofs.soak.callers import Callers
from proofs.soak.heirs import Heirs
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
    routers: int = 1,
    say: Callable[[str], None] = print,
    folder: Path | None = None,
) -> Soaked:
    """``folder`` keeps the audit, the ledgers and the logs; without it they go.

    ``kills``: of several ``routers`` so many take-overs, and the weather at the venue is fair.
    """
    with tempfile.TemporaryDirectory(prefix="chimera-soak-") as temporary:
        began = time.monotonic()
        place = folder or Path(temporary)
        async with stage(place, SYMBOLS, routers=routers) as house:
            ask, blows = await _live(house, kills, seed, callers, s3, say)
        verdict = await judge(house, ask, blows)
        return _told(verdict, ask, blows, seed, round(time.monotonic() - began))


async def _live(
    house: Stage, kills: int, seed: int, callers: int, s3: bool, say: Callable[[str], None]
) -> tuple[Callers, Struck]:
    first, *heirs = house.routers
    services = (house.feed, first, house.s3) if s3 else (house.feed, first)
    for together in (services, heirs):
        for service in together:
            await service.start()
        for service in together:
            await service.wait_ready()
    services = (*services, *heirs)
    await house.until_ready(house.s4_url)
    ask = Callers(house, seed, callers, s3=s3)
    blows: Struck = Heirs(house, ask, seed, kills) if heirs else Blows(house, ask, seed, kills, s3=s3)
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
        ask.broken.append(f"not flat, or an order in doubt, {QUIET_S:g} s after the last kill")
    for service in reversed(services):
        code = await service.stop()
        if code:
            blows.fell.append(f"{service.name} told to stop ended with {code}: {service.last_words()}")
    return ask, blows


async def _tell(blows: Struck, ask: Callers, say: Callable[[str], None]) -> None:
    while True:
        await asyncio.sleep(30)
        say(f"{blows.tally}, {len(ask.answers)} intents, {len(ask.broken)} broken promises")


async def _quiet(house: Stage) -> bool:
    """Whether all comes to rest: no position, no order of either kind, nothing in doubt with whoever acts.

    A stop of which nothing is known stays in doubt for as long as the venue could still take it, whatever is held.
    """
    until = time.monotonic() + QUIET_S
    while time.monotonic() < until:
        with suppress(aiohttp.ClientError, TimeoutError):
            _, state = await house.ask("GET", f"{house.venue_url}/sim/state")
            account = state["accounts"]["main"]
            flat = not (account["positions"] or account["open_orders"] or account["open_algos"])
            if flat and await _nothing_in_doubt(house):
                await asyncio.sleep(SETTLE_S)
                return True
        await asyncio.sleep(0.2)
    return False


async def _nothing_in_doubt(house: Stage) -> bool:
    """One that stands by refuses to say."""
    answers = [await house.ask("GET", f"{router.url}/doubts") for router in house.routers]
    told = [body["doubts"] for status, body in answers if status == 200]
    return bool(told) and not any(told)


def _spread(took_ms: list[int]) -> dict[str, int]:
    """Of what is in order."""
    last = len(took_ms) - 1
    told = {"median": last // 2, "p90": last * 9 // 10, "worst": last} if took_ms else {}
    return {"count": last + 1, **{name: took_ms[place] for name, place in told.items()}}


def _told(verdict: Verdict, ask: Callers, blows: Struck, seed: int, seconds: int) -> Soaked:
    told = Soaked(
        **blows.tally,
        **ask.tally,
        intents=len(ask.answers),
        fills=verdict.fills,
        venue_orders=verdict.orders,
        naked_healthy_ms=verdict.naked_healthy_ms,
        naked_after_kill_ms=verdict.naked_after_kill_ms,
        **{name: _spread(sorted(took_ms)) for name, took_ms in blows.took_ms.items()},
        bare_over_a_blow_ms=_spread(verdict.bare_ms),
        violations=[f"{each.invariant}: {each.text}" for each in verdict.violations][:20],
        broken=verdict.broken[:20],
        seconds=seconds,
        seed=seed,
    )
    told.good = verdict.good
    return told
