"""A night of eight hours in virtual time: intents all along, scheduled trouble, and all that S4 told meanwhile.

The real router on the twin (``world``), nothing drawn but the market and the intents. What happens stands in
``schedule`` before anything moves; what was told is read afterwards, as anybody reads it: the records of the stream
``alerts``, and every few seconds S4's own word on what keeps entries back. Whether they agree is ``op_1``'s to say.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import Context
from functools import partial
from typing import Any, Final

from chimera.client.levels import levels_of
from chimera.services.router.router import Router
from chimera.services.stage.clock import EPOCH_MS
from chimera.services.stage.loop import DetLoop
from chimera.services.stage.tape import Tape
from chimera.trading.errors import ChimeraError
from chimera.trading.standstill import Kill, Scope
from chimera.trading.value import Value
from chimera.wire.answers import encode_answer
from chimera.wire.keys import ALERTS, ORDER_RESULTS
from world import quiet
from world.closed import watched
from world.composed import World
from world.fences import fenced
from world.oracle import Violation
from world.paths import HOUR_S, PATHS, day_market
from world.plan import Away, Failover, KillAt, Plan
from world.run import Options, judge
from world.soak import hour_of_wishes
from world.spool import Spool
from world.surroundings import logs
from world.trouble import Spell

HOURS: Final = 8.0
EVERY_S: Final = 75.0  # an intent; a short night has them more often
LEAST_S: Final = 12.0
LOOK_S: Final = 5.0
QUIET_S: Final = 90.0  # at the end nobody begins anything
LIVENESS_S: Final = 90.0
TAIL_S: Final = 200.0  # a breaker waits two minutes at most, and the next intent comes in a little more than one
CLOCKS_S: Final = 0.2  # by which the clocks of S4 and of its operator differ
CALL_MS: Final = 4_000
ALL: Final = 100_000


class Trouble(Value):
    """What happens, and when, in seconds of the night. ``tells``: codes that must be told; ``may``: others that can.

    ``tail_s``: what it does is felt for so long after it. ``silent``: S4 itself is away.
    """

    name: str
    at_s: float
    for_s: float
    tail_s: float
    tells: tuple[str, ...]
    may: tuple[str, ...] = ()
    silent: bool = False

    def covers(self, at_s: float) -> bool:
        return self.at_s - CLOCKS_S <= at_s <= self.at_s + self.for_s + self.tail_s


class Told(Value):
    """One record of ``alerts``; moments in seconds of the night."""

    code: str
    severity: str
    at_s: float
    since_s: float
    lasts: bool
    text: str
    row: Mapping[str, Any] = {}  # the whole record


class Look(Value):
    """What S4 said at one moment keeps entries back: code and since when (s). None: it did not answer.

    ``answers``: amid a trouble or just before it, ``health``, ``killed`` and ``positions`` for a page.
    """

    at_s: float
    levels: tuple[tuple[str, float | None], ...] | None
    answers: Mapping[str, Any] = {}


class Night(Value):
    """Everything of one."""

    hours: float
    troubles: tuple[Trouble, ...]
    told: tuple[Told, ...]
    looks: tuple[Look, ...]
    violations: tuple[Violation, ...]
    intents: int
    fills: int
    results: tuple[Mapping[str, str], ...] = ()  # of ``ord:{results}``, each trade and each end


def schedule(hours: float) -> tuple[Trouble, ...]:
    """Seven troubles, one after the other; a shorter night has shorter ones."""
    slot_s = hours * HOUR_S / 8

    def trouble(number: int, name: str, most_s: float, *tells: str, may: tuple[str, ...] = ()) -> Trouble:
        for_s = min(most_s, slot_s * 0.45)
        return Trouble(
            name=name, at_s=number * slot_s, for_s=for_s, tail_s=min(TAIL_S, slot_s * 0.5), tells=tells,
            may=(*may, *_FAILING),
        )  # fmt: skip

    return (
        trouble(1, "overloaded", 600, "BREAKER_OPEN", may=("RATE_GOVERNOR",)),
        trouble(2, "exchange down", 900, "USER_STREAM", may=("CLOCK_UNKNOWN", "SWEEP_UNANSWERED", "BREAKER_OPEN")),
        trouble(3, "stop refused", 600, "STOP_CROSSED", may=("STOP_TRY_REFUSED", "TARGET_CROSSED")),
        trouble(4, "redis fails over", 30, "BUS_AWAY"),
        trouble(5, "ledger stalled", 90, *_FAILING, may=("LEDGER_AWAY", "LEDGER_SLOW", "DOUBT_OLD")),
        trouble(6, "killed and armed", 600, "KILLED", may=("ARMED",)),
        trouble(7, "S4 killed with -9", 2, "PROBING", "LEDGER_UNCHECKED").but(silent=True),
    )


_FAILING: Final = ("ORDERS_FAILING",)


def play(seed: int, hours: float = HOURS) -> Night:
    """The whole of it."""
    troubles = schedule(hours)
    at = {each.name: each for each in troubles}
    overloaded, refused = at["overloaded"], at["stop refused"]
    down, redis, ledger = at["exchange down"], at["redis fails over"], at["ledger stalled"]
    plan = Plan(
        rates={},
        blows=(
            Spell(name="throttled_503", at_s=overloaded.at_s, for_s=overloaded.for_s),
            Away(what="venue", at_s=down.at_s, for_s=down.for_s),
            Spell(name="stop_refused", at_s=refused.at_s, for_s=refused.for_s),
            Failover(at_s=redis.at_s, for_s=redis.for_s, lose_s=2),
            Away(what="ledger", at_s=ledger.at_s, for_s=ledger.for_s),
            KillAt(at_s=at["S4 killed with -9"].at_s),
        ),
        offset_ms=40,
        restart_ms=(2_000, 4_000),
    )
    tape, loop, spool = Tape(f"night:{seed}"), DetLoop(seed, fifo=True), Spool()
    market = day_market(seed, PATHS["calm"], hours=hours + 1)
    world = World(seed, loop, tape, plan, market, on_audit=spool.add, audit_keep=1)
    asked = _Asked(world, troubles)
    with logs(world, None), watched(world.closes, lambda: loop.now_us):
        with fenced(loop):
            world.start(market_s=hours * HOUR_S + LIVENESS_S - 20)
            _want(world, seed, hours)
            loop.outside(asked.look_on(), name="looker")
            loop.outside(asked.kill_and_arm(at["killed and armed"]), name="operator")
            loop.run_for(hours * HOUR_S)
            world.heal()
            loop.run_for(LIVENESS_S)
            records = loop.run_until_complete(world.bus.tail(ALERTS, after="0-0", count=ALL, block_ms=0))
            told = tuple(_told(json.loads(entry.fields["data"])) for entry in records)
            results = loop.run_until_complete(world.bus.tail(ORDER_RESULTS, after="0-0", count=ALL, block_ms=0))
            world.power_off()
            kept = loop.run_until_complete(quiet.read(world))
        options = Options(safety_s=hours * HOUR_S, faults=False, liveness_s=LIVENESS_S)
        violations = judge(world, kept, options, spool)
        loop.close()
    return Night(
        hours=hours, troubles=troubles, told=told, looks=tuple(asked.looks), violations=tuple(violations),
        intents=len(kept.intents), fills=len(kept.fills), results=tuple(entry.fields for entry in results),
    )  # fmt: skip


def _want(world: World, seed: int, hours: float) -> None:
    """What callers will ask, all night."""
    every_s = max(LEAST_S, min(EVERY_S, hours * EVERY_S / HOURS))
    for hour in range(int(hours) + 1):
        for wish in hour_of_wishes(seed, hour, every_s):
            at_s = hour * HOUR_S + wish.at_s
            if at_s < hours * HOUR_S - QUIET_S:
                world.loop.call_later(at_s, world.callers.want, wish.but(at_s=0.0), context=Context())


class _Asked:
    """Whoever looks on, and the operator: both over the link, as callers are."""

    def __init__(self, world: World, troubles: Sequence[Trouble]) -> None:
        self.looks: list[Look] = []
        self._world = world
        self._troubles = troubles

    async def look_on(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            at_s = self._world.loop.time()
            try:
                answers = {
                    "health": await self._ask(_health), "killed": await self._ask(_killed),
                    "positions": await self._ask(lambda router: router.positions()),
                }  # fmt: skip
            except ChimeraError:
                self.looks.append(Look(at_s=at_s, levels=None))
                continue
            plain = json.loads(encode_answer(answers))
            levels = tuple(
                (each.code, None if each.since_ms is None else _s(each.since_ms))
                for each in levels_of(plain["health"], plain["killed"])
            )
            amid = any(-LOOK_S <= at_s - each.at_s <= each.for_s for each in self._troubles)
            self.looks.append(Look(at_s=at_s, levels=levels, answers=plain if amid else {}))

    async def kill_and_arm(self, trouble: Trouble) -> None:
        """In two steps, as anybody arms."""
        await asyncio.sleep(trouble.at_s)
        now_ms = self._world.clock.now_ms()
        kill = Kill(scope=Scope.GLOBAL, name="", by="night", reason="rehearsal", at_ms=now_ms, flatten=True)
        await self._ask(lambda router: router.kill(kill, wait_ms=500))
        await asyncio.sleep(trouble.for_s)
        first = await self._ask(partial(_arm, confirm=None))
        await self._ask(partial(_arm, confirm=first["confirm"]))

    async def _ask(self, question: Callable[[Router], Awaitable[Any]]) -> Any:
        return await self._world.link.call(None, question, timeout_ms=CALL_MS)  # type: ignore[arg-type]  # awaited there


async def _arm(router: Router, *, confirm: str | None) -> dict[str, object]:
    return await router.arm(Scope.GLOBAL, "", by="night", reason="rehearsed", confirm=confirm)


async def _health(router: Router) -> dict[str, object]:
    return router.health()


async def _killed(router: Router) -> dict[str, object]:
    return router.killed()


def _told(row: Mapping[str, Any]) -> Told:
    since_ms = row.get("since_ms")
    at_s = _s(row["at_ms"])
    return Told(
        code=row["code"], severity=row["severity"], at_s=at_s, since_s=at_s if since_ms is None else _s(since_ms),
        lasts=bool(row.get("lasts")), text=row["text"], row=row,
    )  # fmt: skip


def _s(at_ms: Any) -> float:
    return (int(at_ms) - EPOCH_MS) / 1_000
