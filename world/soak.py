"""A day of virtual time: does what is done cost the same in the last hour as in the second, and does S4 stay small?

Invariants: every hour has the same market and the same intents, so that hours compare; faults come as the profile says,
outages neither in the second nor in the last hour; CPU is measured of this process alone, collections of garbage not
among it. A machine that others use is not always as fast: so the world as it was when the second hour began is kept
asleep, and lives that hour while the last one is lived, part beside part. The venue's log goes to a spool. The oracle
of every other run judges at the end.
"""

import gc
import time
from collections.abc import Callable, Iterator
from contextvars import Context
from pathlib import Path
from random import Random
from statistics import median
from typing import Final

from chimera.services.stage.loop import DetLoop, Stuck
from chimera.services.stage.steps import FenceBroken
from chimera.services.stage.tape import Tape
from chimera.trading.intent import ExecPolicy, MakerThenTaker, MarketNow
from chimera.trading.market import Side
from chimera.trading.money import Qty
from chimera.trading.value import Value
from world import quiet
from world.closed import watched
from world.composed import INSTRUMENT, World
from world.days import DAYS, Weather, churn
from world.fences import fenced
from world.oracle import Violation
from world.paths import HOUR_S, PATHS, day_market
from world.plan import Plan
from world.run import Options, judge
from world.spool import Spool
from world.surroundings import logs
from world.weigh import Weight, weigh
from world.workload import Wish
from world.young import Young

HOURS: Final = 24
EVERY_S: Final = 75.0  # an intent
LAST_WISH_S: Final = 90.0  # before an hour's end nobody begins
LIVENESS_S: Final = 90
HEALED_S: Final = 15  # by then what was killed last has started, and the asker has gone
CPU_MOST: Final = 1.1  # the last hour's by the second's
GROWTH_MOST: Final = 1.1  # of what the router holds: the last hour's by the most after warm-up
WARM_H, EARLY_H = 8, 4  # the last of its caches is full after seven hours; so many hours then count as early
PARTS: Final = 20  # of an hour
_PAGE_MB: Final = 4096 / 2**20


class Hour(Value):
    """``parts``: CPU seconds of each; ``early``, of the last hour: what the second hour's cost, lived beside them.

    ``steps`` of the loop; what S4 held then. ``rss_mb``: of all this, the simulated venue and the stores among it.
    """

    parts: tuple[float, ...]
    rss_mb: float
    steps: int
    weight: Weight
    early: tuple[float, ...] = ()

    @property
    def cpu_s(self) -> float:
        return sum(self.parts)


class Soaked(Value):
    """What came of one."""

    day: str
    seed: int
    hours: tuple[Hour, ...]
    violations: tuple[Violation, ...]
    intents: int
    orders: int
    fills: int
    kills: int
    faults: int

    @property
    def cpu_ratio(self) -> float:
        """The last hour's CPU by the second's; of fewer hours than three nothing is said."""
        return self.hours[-1].cpu_s / self.hours[1].cpu_s if len(self.hours) > 2 else 1.0

    @property
    def cost_ratio(self) -> float:
        """Part by part beside the second hour's, the middle one: equal minutes do equal work, no burst counts."""
        last = self.hours[-1]
        if not last.early:
            return 1.0
        return median(late / early for late, early in zip(last.parts, last.early, strict=True))

    @property
    def good(self) -> bool:
        """No invariant broken, no hour dearer, nothing grown."""
        return not self.violations and self.cost_ratio <= CPU_MOST and self.growth <= GROWTH_MOST

    @property
    def growth(self) -> float:
        """What the router held at the end by the most it held in the first hours after its warm-up."""
        early = self.hours[WARM_H : WARM_H + EARLY_H]
        return self.hours[-1].weight.size / max(hour.weight.size for hour in early) if early else 1.0


def soak(
    day: str,
    seed: int,
    *,
    hours: int = HOURS,
    every_s: float = EVERY_S,
    tell: Callable[[str, Hour], None] | None = None,
) -> Soaked:
    """One day of this kind. ``tell`` hears each hour as it ends."""
    kind, spool = DAYS[day], Spool()
    tape = Tape(f"soak:{day}:{seed}")
    loop = DetLoop(seed, fifo=True)
    plan = Plan(rates=dict(kind.rates), blows=kind.blows(hours), offset_ms=40, restart_ms=(200, 2_000))
    market = day_market(seed, PATHS[kind.path], hours=hours)
    world = World(seed, loop, tape, plan, market, on_audit=spool.add, audit_keep=1)
    weather = Weather(world, kind)
    options = Options(safety_s=hours * HOUR_S, faults=kind.rough, liveness_s=LIVENESS_S)
    violations: list[Violation] = []
    passed: list[Hour] = []
    young: Young | None = None
    with _GarbageByTheHour(), logs(world, None), watched(world.closes, lambda: loop.now_us):
        try:
            _begin(world, weather, hours)
            for hour in range(hours):
                _want(world, hour, seed, every_s)
                if 1 == hour < hours - 1:
                    young = Young(_parts(world))
                passed.append(_hour(world, young if hour == hours - 1 else None))
                if tell is not None:
                    tell(f"{day} {seed} hour {hour + 1}", passed[-1])
            with fenced(loop):
                world.heal()
                loop.run_for(HEALED_S)
                if kind.s3_every_s is not None:  # it is asked too seldom to be sure that the asker comes by
                    loop.outside(world.s3.ask(Side.BUY), name="last ask")
                loop.run_for(LIVENESS_S - HEALED_S)
        except (FenceBroken, Stuck) as error:
            violations.append(Violation(invariant="HARNESS", at_us=loop.now_us, text=repr(error)))
        finally:
            if young is not None:
                young.end()
        with fenced(loop):
            world.power_off()
            kept = loop.run_until_complete(quiet.read(world))
        violations += judge(world, kept, options, spool)
        fired, deaths = len(tape.fired), world.s4.deaths
        loop.close()
    return Soaked(
        day=day,
        seed=seed,
        hours=tuple(passed),
        violations=tuple(violations),
        intents=len(kept.intents),
        orders=spool.accepted,
        fills=len(kept.fills),
        kills=deaths,
        faults=fired,
    )


def _begin(world: World, weather: Weather, hours: int) -> None:
    with fenced(world.loop):
        if weather.day.s3_every_s is not None:
            gap = weather.day.s3_every_s
            world.s3.gap_s = (gap * 0.8, gap * 1.2)
            world.s3.start(side=Side.BUY, until_s=hours * HOUR_S + 12)
            world.loop.outside(churn(world), name="churn")
        world.start(market_s=hours * HOUR_S + LIVENESS_S - 20)
        weather.begin(hours)


def _want(world: World, hour: int, seed: int, every_s: float) -> None:
    """What will be asked in this hour."""
    for wish in hour_of_wishes(seed, hour, every_s):
        world.loop.call_later(wish.at_s, world.callers.want, wish.but(at_s=0.0), context=Context())


def _hour(world: World, beside: Young | None) -> Hour:
    """The next hour, and what it cost; after each of its parts one of ``beside``."""
    gc.collect()
    steps, parts, early = world.loop.steps, [], []
    for cost in _parts(world):
        parts.append(cost)
        if beside is not None:
            early.append(beside.part())
    router = world.router
    assert router is not None  # it was started in the first second
    return Hour(
        parts=tuple(parts),
        rss_mb=round(int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_MB, 1),
        steps=world.loop.steps - steps,
        weight=weigh(router),
        early=tuple(early),
    )


def _parts(world: World) -> Iterator[float]:
    """One more hour, part by part: CPU seconds of each."""
    for _ in range(PARTS):
        began_s = time.process_time()
        with fenced(world.loop):
            world.loop.run_for(HOUR_S / PARTS)
        yield time.process_time() - began_s


def hour_of_wishes(seed: int, hour: int, every_s: float) -> Iterator[Wish]:
    """The same for every hour but for their numbers; moments count from its beginning."""
    chance = Random(f"{seed}:wishes")
    count = int((HOUR_S - LAST_WISH_S) / every_s)
    for place in range(count):
        policy: ExecPolicy = (
            MarketNow(),
            MakerThenTaker(wait_ms=chance.randint(500, 5_000), slices=1, gap_ms=0),
            MakerThenTaker(wait_ms=chance.randint(0, 800), slices=chance.randint(2, 4), gap_ms=2_000),
        )[place % 3]
        yield Wish(
            number=hour * count + place,
            at_s=5.0 + place * every_s,
            side=chance.choice((Side.BUY, Side.SELL)),
            qty=Qty(INSTRUMENT.step * chance.randint(4, 30)),
            policy=policy,
            stop_bps=chance.randint(4, 40),
            target_bps=chance.randint(3, 30) if chance.random() < 0.7 else None,
            hold_s=chance.randint(10, 55),
            cancel_after_s=chance.uniform(0.1, 4) if chance.random() < 0.1 else None,
            close_after_s=chance.uniform(1, 20) if chance.random() < 0.2 else None,
        )


class _GarbageByTheHour:
    """No collection but between hours, where its cost is nobody's."""

    def __enter__(self) -> None:
        self._was_on = gc.isenabled()
        gc.disable()
        gc.collect()
        gc.freeze()

    def __exit__(self, *_: object) -> None:
        gc.unfreeze()
        if self._was_on:
            gc.enable()
        gc.collect()
