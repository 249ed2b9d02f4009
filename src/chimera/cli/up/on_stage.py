"""``chimera up`` in virtual time: the whole house on one loop, paced or as fast as it goes."""

import asyncio
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from chimera.cli.codes import Exit
from chimera.cli.up.options import UpOptions
from chimera.cli.up.play import FILLS_MAX, exit_of, plan_of, sum_up
from chimera.cli.up.session import End, Look, Session, Tell
from chimera.ports.streams import Streams
from chimera.services import logs, serving
from chimera.services.audit_summary import Tally
from chimera.services.router import settings as router_settings
from chimera.services.simulator.audit_file import AuditFile
from chimera.services.simulator.market import open_market
from chimera.services.stage.loop import DetLoop
from chimera.services.stage.stage import Stage
from chimera.services.strategy import settings as strategy_settings
from chimera.simulate.venue.audit import AuditRecord
from chimera.trading.market import Side
from chimera.wire.decisions import DecideRequest
from chimera.wire.keys import FILLS


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


def on_stage(options: UpOptions, tell: Tell, look: Look | None) -> Exit:
    """Play the whole market; Ctrl-C and SIGTERM end it between two steps."""
    logs.to_stderr("up", level=30)
    market = open_market(options.market, seed=options.seed, symbol=options.symbol)
    tally = Tally()
    audit = AuditFile(options.audit) if options.audit is not None else None
    loop = DetLoop(options.seed, fifo=True)
    if options.speed is not None:
        loop.watch = _pace(loop, options.speed)

    def hear(record: AuditRecord) -> None:
        tally.take(record)
        if audit is not None:
            audit.write(record)

    s3 = strategy_settings.read_settings({"S3_SYMBOLS": market.symbol, "S3_MAX_HOLD_S": str(options.max_hold_s)})
    s4 = router_settings.load({"S4_FUT_URL": "http://127.0.0.1:9020", "S4_SYMBOLS": market.symbol})
    stage = Stage(loop, market, s3, s4, seed=options.seed, on_audit=hear)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
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
    sum_up(tally, fills, since_ms, tell)
    loop.close()
    return exit_of(end, options)


async def _perform(stage: Stage, options: UpOptions, tell: Tell, look: Look | None) -> End:
    house = StageHouse(stage)
    running = asyncio.create_task(stage.run())
    opening = asyncio.create_task(stage.ready.wait())
    session = Session(house, plan_of(options, stage.symbol), tell, on_look=look)
    try:
        await asyncio.wait({running, opening}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
        tell({"at_ms": house.now_ms(), "event": "ready", "stage": "virtual time", "speed": options.speed or "max"})
        playing = asyncio.create_task(session.run())
        await asyncio.wait({running, playing}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
        return playing.result()
    finally:
        opening.cancel()
        await serving.end(running)


def _pace(loop: DetLoop, speed: float) -> Callable[[], None]:
    """Hold virtual time to ``speed`` times the real one, where the machine can keep up."""
    began = time.monotonic()

    def wait() -> None:
        ahead_s = loop.now_us / 1_000_000 / speed - (time.monotonic() - began)
        if ahead_s > 0:
            time.sleep(ahead_s)

    return wait
