"""The kinds of days of a soak: which market, which faults, when the venue is away or bans us, how often S4 is killed.

Invariants: neither the second hour nor the last has an outage, so that they compare; what strikes by the clock strikes
at the same minutes of every hour. Nothing strikes once the tape is calm.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextvars import Context
from functools import partial
from http import HTTPStatus
from typing import Any, Final

from chimera.services.strategy.revisions import ACTIVE
from chimera.simulate.door.messages import WireRequest
from chimera.simulate.trouble.faults import Faults, NoFaults, RequestFault, Trouble
from chimera.trading.errors import StoreUnavailable
from chimera.trading.money import Millis
from chimera.trading.value import Value
from chimera.wire.keys import CFG_ACTIVE_REV, CFG_EVENTS, CONFIG_ACTIVE, CONFIG_BUNDLES, STRATEGY_RULES
from world.composed import World
from world.paths import HOUR_S
from world.plan import MOST, Away, Blow, KillAt

KILL_MINUTES: Final = (11, 28, 46)
CHURN_S: Final = 300
CUT_S: Final = 420
BANNED: Final = RequestFault(
    trouble=Trouble.REFUSE,
    code=-1003,
    msg="Way too many requests; IP banned.",
    status=HTTPStatus.IM_A_TEAPOT.value,
    headers={"Retry-After": "30"},
    name="ban",
)


class Day(Value):
    """Stretches are (what share of the day is gone at its begin, seconds). ``s3_every_s`` None: S3 is not asked."""

    path: str
    rates: Mapping[str, float] = {}
    kills_per_h: int = 0
    outages: tuple[tuple[float, int], ...] = ()
    bans: tuple[tuple[float, int], ...] = ()
    cuts: bool = False
    s3_every_s: float | None = None

    @property
    def rough(self) -> bool:
        """Whether its faults have no moments of their own, so that protection has the bound of rough weather."""
        return bool(self.rates)

    def blows(self, hours: int) -> tuple[Blow, ...]:
        """What is placed by hand."""
        kills: list[Blow] = [
            KillAt(at_s=hour * HOUR_S + minute * 60)
            for hour in range(hours)
            for minute in KILL_MINUTES[: self.kills_per_h]
        ]
        return (*kills, *(Away(what="venue", at_s=_at_s(share, hours), for_s=for_s) for share, for_s in self.outages))


def _at_s(share: float, hours: int) -> float:
    return share * hours * HOUR_S


_LIGHT: Final = {name: rate / 5 for name, rate in MOST.items() if name != "stream_stall"}
DAYS: Final[Mapping[str, Day]] = {
    "calm": Day(path="calm"),
    "trend": Day(path="trend"),
    "whipsaw": Day(path="whipsaw"),
    "outage_1h": Day(path="calm", outages=((0.4, 3_600),)),
    "outage_8h": Day(path="trend", outages=((0.3, 28_800),)),
    "ban": Day(path="calm", bans=((0.25, 1_200), (0.5, 180), (0.7, 2_400))),
    "config_churn": Day(path="calm", s3_every_s=40),
    "kill_storm": Day(path="whipsaw", kills_per_h=3, rates={"drop_reply": 0.03, "slow_reply": 0.03, "read_lag": 0.1}),
    "stream_breaks": Day(
        path="whipsaw", cuts=True, rates={"stream_cut": 0.05, "frame_delay": 0.3, "stream_stall": 0.01}
    ),
    "mixed": Day(path="trend", rates=_LIGHT, kills_per_h=1, outages=((0.5, 600),), cuts=True, s3_every_s=60),
}


class Weather:
    """What strikes a day by the clock, beside its blows."""

    def __init__(self, world: World, day: Day) -> None:
        self.day = day
        self._world = world

    def begin(self, hours: int) -> None:
        """Set all of it."""
        for share, for_s in self.day.bans:
            self._later(_at_s(share, hours), self._ban, for_s)
        if self.day.cuts:
            self._later(CUT_S, self._cut)

    def _ban(self, for_s: int) -> None:
        world = self._world
        former, now_us = world.twin.faults, world.loop.now_us
        world.twin.faults = _Banned()
        world.blows.outages.append((now_us, now_us + for_s * 1_000_000))  # nothing can be sent: as good as away
        self._later(for_s, self._pardon, former)

    def _pardon(self, former: Faults) -> None:
        self._world.twin.faults = former

    def _cut(self) -> None:
        if not self._world.tape.calm:
            self._world.venue.cut_all()
            self._later(CUT_S, self._cut)

    def _later(self, after_s: float, callback: Callable[..., None], *args: object) -> None:
        self._world.loop.call_later(after_s, callback, *args, context=Context())


class _Banned(NoFaults):
    """Every request is refused with 418."""

    def on_request(self, request: WireRequest, now_ms: Millis) -> RequestFault | None:
        return BANNED


async def churn(world: World) -> None:
    """Somebody activates another revision every few minutes: two bundles of the same rules, in turn."""
    ledger, bus = world.s3.ledger, world.bus
    active = await _insisted(partial(ledger.get, CONFIG_ACTIVE, ACTIVE))
    first = str(active["bundle_id"])
    bundle = await _insisted(partial(ledger.get, CONFIG_BUNDLES, first))
    second = f"{first}-b"
    for rule in bundle["rules"]:
        document = await _insisted(partial(ledger.get, STRATEGY_RULES, f"{first}:{rule}"))
        await _insisted(partial(ledger.put, STRATEGY_RULES, f"{second}:{rule}", document))
    await _insisted(partial(ledger.put, CONFIG_BUNDLES, second, bundle | {"bundle_id": second}))
    rev = int(active["rev"])
    while not world.tape.calm:
        await asyncio.sleep(CHURN_S)
        rev += 1
        document = active | {"rev": rev, "bundle_id": (first, second)[rev % 2]}
        await _insisted(partial(ledger.put, CONFIG_ACTIVE, ACTIVE, document))
        await _insisted(partial(bus.put, CFG_ACTIVE_REV, str(rev).encode(), ttl_ms=None))
        await _insisted(partial(bus.publish, CFG_EVENTS, f"rev-{rev}", {"rev": str(rev)}))


async def _insisted(deed: Callable[[], Awaitable[Any]]) -> Any:
    while True:
        try:
            return await deed()
        except StoreUnavailable:
            await asyncio.sleep(1)
