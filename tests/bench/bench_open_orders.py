"""What an intent costs while 100 orders are open on the account, and while 10,000 are: processor time of one thread.

One intent goes through what S4 does with it on its own loop: is it known, may it trade, its claim, its plan, the
reducer, the answer. The open orders rest in 100 other positions, each the maker of its own intent. Beside it, for
information: one where 200 orders of its own symbol rest, the most that Binance takes. Requirement RT-4.

Run: ``python tests/bench/bench_open_orders.py``. Prints, asserts nothing; ``measure`` is for the proof.
"""

import asyncio
import gc
import sys
from pathlib import Path
from time import process_time
from typing import Any, Final, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from chimera.adapters.memory.ledger import MemoryLedger
from chimera.admit.admission import objections
from chimera.route.plan import RoutePolicy, plan_for
from chimera.services.clock import SystemClock
from chimera.services.router.intake import Intake
from chimera.services.router.owner import Owner
from chimera.trading.facts import Submitted
from chimera.trading.holding import Holding
from chimera.trading.ids import AccountId, ClientOrderId, IntentId, PositionKey, Symbol
from chimera.trading.order import Role
from support.desk import BTC, KEY, Desk, an_intent
from world.composed import TABLE

POSITIONS: Final = 100
FEW: Final = 100
MANY: Final = 10_000
SAME: Final = 200  # of the intent's own symbol
INTENTS: Final = 20
ROUNDS: Final = 75


class Cost(NamedTuple):
    """Microseconds of one intent, the best of the rounds."""

    few_us: float
    many_us: float
    same_us: float


class Nobody:
    """Takes every command and answers none."""

    async def carry_out(self, *_: Any) -> None: ...


class Account:
    """So many resting makers in 100 positions, and one position for the intents that are measured."""

    def __init__(self, open_orders: int, same: int = 0) -> None:
        """``same``: of them rest in the measured position, which is flat without."""
        self.desk = Desk()
        self.owners: dict[PositionKey, Owner] = {}
        self.intake = Intake(self.owners, MemoryLedger(), SystemClock())
        pattern = _resting(open_orders // POSITIONS)
        for number in range(POSITIONS):
            self._own(_named(pattern, f"a{number}"))
        self._before = _resting(same).but(key=KEY.but(symbol=Symbol("ETHUSDT")))
        self._numbers = iter(range(10**9))

    def _own(self, holding: Holding) -> Owner:
        nobody: Any = Nobody()
        owner = Owner(
            holding, rev=0, fence=0, ledger=nobody, sender=nobody, relay=nobody, clock=SystemClock(),
            scene=lambda _: self.desk.scene,
        )  # fmt: skip
        owner._set_timer = lambda: None  # type: ignore[method-assign]  # the loop's timers are not what is measured
        owner.listeners.append(self.intake.heard)
        self.owners[holding.key] = owner
        return owner

    async def take(self) -> None:
        """The way of ``Accepting.take``."""
        number = next(self._numbers)
        owner = self._own(self._before)
        intent = an_intent(f"own{number}").but(symbol=self._before.key.symbol)
        assert await self.intake.known(intent, "h") is None
        scene = self.desk.scene
        assert not objections(intent, owner.holding, scene)
        assert await self.intake.claim(intent, "h")
        assert not self.intake.lives(intent.intent_id)
        assert scene.near is not None
        plan = plan_for(intent, TABLE, BTC, scene.near, RoutePolicy(), scene.fees, scene.now_ms)
        owner.hear(Submitted(intent=intent, plan=plan, body_hash="h"))
        assert self.intake.row(intent.intent_id, {})
        for task in tuple(owner._tasks):
            task.cancel()


def _resting(count: int) -> Holding:
    """A position with so many post-only entries that rest, each of an intent of its own."""
    desk = Desk()
    for number in range(count):
        desk.submit(an_intent(f"p{number}"), wait_ms=10**6)
        desk.ack(desk.placed(Role.MAKER))
    return desk.holding.but(outbox=())


def _named(pattern: Holding, name: str) -> Holding:
    """The same at another position, its intents and orders under names of its own."""
    works = {
        IntentId(f"{name}-{key}"): work.but(
            intent=work.intent.but(
                intent_id=IntentId(f"{name}-{key}"), client_order_id=ClientOrderId(f"{name}-{work.root}")
            )
        )
        for key, work in pattern.intents.items()
    }
    orders = {
        ClientOrderId(f"{name}-{ref}"): order.but(
            request=order.request.but(ref=ClientOrderId(f"{name}-{ref}")),
            intent_id=IntentId(f"{name}-{order.intent_id}"),
        )
        for ref, order in pattern.orders.items()
    }
    return pattern.but(key=KEY.but(account=AccountId(name)), intents=works, orders=orders)


def measure() -> Cost:
    return asyncio.run(_measure())


async def _measure() -> Cost:
    accounts = {FEW: Account(FEW), MANY: Account(MANY), SAME: Account(FEW, SAME)}
    best = dict.fromkeys(accounts, float("inf"))
    gc.collect()
    gc.freeze()
    for _ in range(ROUNDS):  # in turns, so that what else the machine does meets all
        for count, account in accounts.items():
            began = process_time()
            for _ in range(INTENTS):
                await account.take()
            best[count] = min(best[count], (process_time() - began) / INTENTS * 1e6)
    gc.unfreeze()
    return Cost(best[FEW], best[MANY], best[SAME])


if __name__ == "__main__":
    print(measure())
