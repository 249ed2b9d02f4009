"""10,000 guards on one symbol: a look at the market that touches none, one that touches 100, and what each weighs.

The guards stand in holdings of as many accounts, as the router keeps them; those that fire have real owners, whose
closes are queued on the event loop when the look returns. Requirement RT-4.

Run: ``python tests/bench/bench_guards.py``. Prints, asserts nothing; ``measure`` is for the proof.
"""

import asyncio
import gc
import sys
import tracemalloc
from decimal import Decimal
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, Final, NamedTuple, cast

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from chimera.services.clock import SystemClock
from chimera.services.router.guarding import Guarding
from chimera.services.router.owner import Owner
from chimera.trading.guard import GuardRef
from chimera.trading.holding import Holding
from chimera.trading.ids import AccountId, PositionKey
from chimera.trading.intent import StopSpec
from chimera.trading.market import Touch
from chimera.trading.money import Price
from chimera.trading.order import Role
from support.desk import SYMBOL, Desk, an_intent
from support.refusals import said_no

GUARDS: Final = 10_000
FIRED: Final = 100
LOOKS: Final = 20_000
REST_S: Final = 0.25  # a router rests between two looks, and comes to the second with a whole slice of its processor
_NEAREST, _TICK = Decimal("64000.0"), Decimal("0.1")


class Found(NamedTuple):
    """``idle_us`` one look that touches none; ``queued_ms`` from the look that touches ``fired`` to the last queued."""

    idle_us: float
    queued_ms: float
    cpu_ms: float  # of it, what this process worked: where it is less, others had the processor
    bytes_each: int
    fired: int
    queued: int


def measure() -> Found:
    return asyncio.run(_measure())


async def _measure() -> Found:
    desk = _refused()
    owners: dict[PositionKey, Owner] = {}
    guarding = Guarding(cast("Any", owners), lambda symbol: desk.holding.key)
    bytes_each = _arm(guarding, desk.holding, owners, desk)
    gc.collect()
    gc.freeze()
    touch, quiet = desk.scene.touch, Price(_NEAREST + _TICK)
    idle_us = _idle(guarding, touch, quiet)
    armed = guarding.armed
    await asyncio.sleep(REST_S)
    began, worked = perf_counter(), process_time()
    guarding.looked(SYMBOL, touch, Price(_NEAREST - (FIRED - 1) * _TICK))
    queued_ms, cpu_ms = (perf_counter() - began) * 1e3, (process_time() - worked) * 1e3
    queued = sum(owner.under_way for owner in owners.values())
    await asyncio.sleep(0)
    for owner in owners.values():
        owner._set_timer()
        owner._tick_in(None)
    gc.unfreeze()
    return Found(idle_us, queued_ms, cpu_ms, bytes_each, armed - guarding.armed, queued)


def _refused() -> Desk:
    """A long whose stop was refused once."""
    desk = Desk()
    desk.submit(an_intent(stop=StopSpec(price=Price(_NEAREST))))
    desk.fill(desk.placed(Role.TAKER), "0.01")
    desk.hear(said_no(ref=desk.placed(Role.STOP).ref, code=-4045, message="no"))
    return desk


def _arm(guarding: Guarding, pattern: Holding, owners: dict[PositionKey, Owner], desk: Desk) -> int:
    """One guard for each of as many positions, a tick apart; bytes that each takes, holdings not counted."""
    holdings = [_at(pattern, number) for number in range(GUARDS)]
    bare = [holding.but(guards=()) for holding in holdings]
    for holding in bare[:1]:
        guarding.keep(holding)
    tracemalloc.start()
    began = tracemalloc.get_traced_memory()[0]
    for number, holding in enumerate(bare):
        guarding.keep(_at(holding.but(guards=pattern.guards), number))
    taken = tracemalloc.get_traced_memory()[0] - began
    tracemalloc.stop()
    for holding in holdings[:FIRED]:
        owners[holding.key] = _owner(holding, desk)
    return taken // GUARDS


def _at(holding: Holding, number: int) -> Holding:
    key = holding.key.but(account=AccountId(f"a{number}"))
    price = Price(_NEAREST - number * _TICK)
    lots = tuple(lot.but(stop=StopSpec(price=price)) for lot in holding.position.lots)
    guards = tuple(guard.but(ref=GuardRef(f"{key}:STOP"), price=price) for guard in holding.guards)
    return holding.but(key=key, position=holding.position.but(lots=lots), guards=guards)


class Nobody:
    """Takes every command and answers none."""

    async def carry_out(self, *_: Any) -> None: ...


def _owner(holding: Holding, desk: Desk) -> Owner:
    nobody: Any = Nobody()
    scene = desk.scene
    return Owner(
        holding,
        rev=0,
        fence=0,
        ledger=nobody,
        sender=nobody,
        relay=nobody,
        clock=SystemClock(),
        scene=lambda _: scene,
    )


def _idle(guarding: Guarding, touch: Touch | None, mark: Price) -> float:
    began = perf_counter()
    for _ in range(LOOKS):
        guarding.looked(SYMBOL, touch, mark)
    return (perf_counter() - began) / LOOKS * 1e6


if __name__ == "__main__":
    print(measure())
