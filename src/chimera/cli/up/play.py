"""``chimera up`` from its options to its exit code: by wall clock with real processes, or on the virtual-time stage."""

import asyncio
import json
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any, Final

from chimera.cli.codes import Exit
from chimera.cli.up.household import FILLS_MAX, Household
from chimera.cli.up.options import UpOptions
from chimera.cli.up.session import End, Event, Look, Session, SessionPlan, Tell
from chimera.ports.streams import Streams
from chimera.services import logs, serving
from chimera.services.audit_summary import Tally, compare, report
from chimera.services.router import settings as router_settings
from chimera.services.simulator.market import open_market
from chimera.services.simulator.server import AuditFile
from chimera.services.strategy import settings as strategy_settings
from chimera.services.world.loop import DetLoop
from chimera.services.world.stage import Stage
from chimera.trading.market import Side
from chimera.wire.decisions import DecideRequest
from chimera.wire.keys import FILLS

SETTLE_S: Final = 1.0  # after the last close: what S4 tells its ledger is told


def headless(event: Event) -> None:
    """One JSON line."""
    print(json.dumps(event, default=str), flush=True)


def play(options: UpOptions) -> Exit:
    """Runs until enough is closed, the market ends, or somebody stops it."""
    with ExitStack() as stack:
        tell, look = _shown(options, stack)
        if options.speed == 1.0:
            return serving.run(lambda: _by_the_clock(options, tell, look))
        return _on_stage(options, tell, look)


def _shown(options: UpOptions, stack: ExitStack) -> tuple[Tell, Look | None]:
    if options.headless:
        return headless, None
    from chimera.cli.up.screen import Screen

    screen = stack.enter_context(Screen())
    return screen.tell, screen.look


def _plan(options: UpOptions, symbol: str) -> SessionPlan:
    return SessionPlan(symbols=(symbol,), every_s=options.every_s, sides=options.sides, exit_after=options.exit_after)


def _exit(end: End | None, options: UpOptions) -> Exit:
    return Exit.MARKET_ENDED if end is End.MARKET_ENDED and options.exit_after is not None else Exit.OK


def _sum_up(tally: Tally, fills: Sequence[Mapping[str, Any]], since_ms: int, tell: Tell) -> None:
    summary = tally.summary()
    for violation in summary.violations:
        tell({"event": "violation", "text": violation})
    tell(report(summary, compare(tally.fills, fills, since_ms)))


# ── wall time ──


async def _by_the_clock(options: UpOptions, tell: Tell, look: Look | None) -> Exit:
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
                _sum_up(house.tally, await house.fills(), house.started_ms, tell)
        finally:
            house.release()
    return _exit(end, options)


async def _session(
    house: Household, options: UpOptions, tell: Tell, look: Look | None, stop: asyncio.Event
) -> End | None:
    session = Session(house, _plan(options, options.symbol), tell, on_look=look)
    playing = asyncio.create_task(session.run())
    falling = asyncio.create_task(house.failed())
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({playing, falling, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if falling.done():
            falling.result()
        if not playing.done():
            return None
        if playing.result() is End.ENOUGH:
            await asyncio.wait({stopping}, timeout=SETTLE_S)
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


# ── virtual time ──


class StageHouse:
    """``House`` of the session, on the stage."""

    def __init__(self, stage: Stage) -> None:
        self.market_ended = stage.market_ended
        self._stage = stage

    @property
    def streams(self) -> Streams:
        return self._stage.bus

    async def decide(self, symbol: str, side: Side | None) -> dict[str, Any]:
        return await self._stage.decide(DecideRequest(symbol=symbol, sideHint=side))

    async def positions(self) -> Sequence[Mapping[str, Any]]:
        return await self._stage.router.positions()

    def now_ms(self) -> int:
        return self._stage.clock.now_ms()


def _on_stage(options: UpOptions, tell: Tell, look: Look | None) -> Exit:
    logs.to_stderr("up", level=30)
    market = open_market(options.market, seed=options.seed, symbol=options.symbol)
    tally = Tally()
    audit = AuditFile(options.audit) if options.audit is not None else None
    loop = DetLoop(options.seed, fifo=True)
    if options.speed is not None:
        loop.watch = _pace(loop, options.speed)

    def hear(record: Any) -> None:
        tally.take(record)
        if audit is not None:
            audit.write(record)

    s3 = strategy_settings.read_settings({"S3_SYMBOLS": market.symbol, "S3_MAX_HOLD_S": str(options.max_hold_s)})
    s4 = router_settings.load({"S4_FUT_URL": "http://127.0.0.1:9020", "S4_SYMBOLS": market.symbol})
    stage = Stage(loop, market, s3, s4, seed=options.seed, on_audit=hear)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # both end the loop between two steps
    since_ms = stage.clock.now_ms()
    end: End | None = None
    try:
        end = loop.run_until_complete(_perform(stage, options, tell, look))
    except KeyboardInterrupt:
        end = None
    finally:
        if audit is not None:
            audit.close()
    fills = loop.run_until_complete(stage.ledger.find(FILLS, newest=FILLS_MAX))
    _sum_up(tally, fills, since_ms, tell)
    loop.close()
    return _exit(end, options)


async def _perform(stage: Stage, options: UpOptions, tell: Tell, look: Look | None) -> End:
    house = StageHouse(stage)
    running = asyncio.create_task(stage.run())
    opening = asyncio.create_task(stage.ready.wait())
    session = Session(house, _plan(options, stage.symbol), tell, on_look=look)
    try:
        await asyncio.wait({running, opening}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
        tell({"at_ms": house.now_ms(), "event": "ready", "stage": "virtual time", "speed": options.speed or "max"})
        playing = asyncio.create_task(session.run())
        await asyncio.wait({running, playing}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
        end = playing.result()
        if end is End.ENOUGH:
            await asyncio.sleep(SETTLE_S)
        return end
    finally:
        opening.cancel()
        await serving.end(running)


def _pace(loop: DetLoop, speed: float) -> Any:
    """Hold virtual time to ``speed`` times the real one, where the machine can keep up."""
    began = time.monotonic()

    def wait() -> None:
        ahead_s = loop.now_us / 1_000_000 / speed - (time.monotonic() - began)
        if ahead_s > 0:
            time.sleep(ahead_s)

    return wait
