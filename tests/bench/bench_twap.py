"""1,000 plans at 25 slices a second: how late a slice leaves its owner.

Real owners, savers, relays and the ticker of the shared queue on a real event loop, over the memory ledger and bus; in
place of the venue a sender that fills at once, so that protection is worked as well. Requirement RT-4.

Run: ``python tests/bench/bench_twap.py``. Prints, asserts nothing; ``measure`` is for the proof.
"""

import asyncio
import gc
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from chimera.adapters.memory.bus import MemoryBus
from chimera.adapters.memory.ledger import MemoryLedger
from chimera.services.clock import SystemClock
from chimera.services.router.owner import Owner
from chimera.services.router.relay import Relay
from chimera.services.router.waking import Waking
from chimera.trading.commands import Command, Place
from chimera.trading.execution import Plan, Slice
from chimera.trading.facts import Fact, Found, Reported, Submitted
from chimera.trading.holding import Holding
from chimera.trading.ids import AccountId, ClientOrderId, IntentId, PositionKey
from chimera.trading.intent import StopSpec
from chimera.trading.money import Millis, Price, Qty, text
from chimera.trading.order import Role, Status
from support.desk import KEY, Desk, an_intent

PLANS: Final = 1_000
POSITIONS: Final = 100
PER_S: Final = 25
LEAD_MS: Final = 20_000  # until all plans are taken and at rest
EACH: Final = Qty(Decimal("0.001"))


class Lateness(NamedTuple):
    """Milliseconds after its moment at which a slice left, of all; ``busy``: share of the time this process worked."""

    late_ms: tuple[float, ...]
    busy: float


class Filling:
    """A venue that takes and fills at once; keeps how late each slice came."""

    def __init__(self) -> None:
        self.late_ms: list[float] = []
        self.due_ms: dict[str, float] = {}
        self._desk = Desk()
        self._trades = 0

    async def carry_out(self, command: Command, holding: Any, near: Any) -> Fact | None:
        if not isinstance(command, Place):
            return None
        order, self._desk.now = command.order, Millis(time.time_ns() // 1_000_000)
        if command.role is not Role.TAKER:
            return Found(order=self._desk.word(order, Status.NEW))
        self.late_ms.append(time.time_ns() / 1e6 - self.due_ms[str(order.ref).rsplit("-", 1)[0]])
        self._trades += 1
        word = self._desk.word(order, Status.FILLED, text(order.qty))
        return Reported(order=word, fill=self._desk.a_fill(order, text(order.qty), "65000.1", f"t{self._trades}"))


def measure(plans: int = PLANS) -> Lateness:
    return asyncio.run(_measure(plans))


async def _measure(plans: int) -> Lateness:
    clock, sender, ledger = SystemClock(), Filling(), MemoryLedger()
    bus, pattern = MemoryBus(clock), Desk()
    owners: dict[PositionKey, Owner] = {}

    def scene(_: Holding) -> Any:
        pattern.now = clock.now_ms()
        return pattern.scene

    for number in range(POSITIONS):
        key = KEY.but(account=AccountId(f"a{number}"))
        holding = Holding(key=key, survey_due_ms=Millis(clock.now_ms() + 10**8))
        owners[key] = Owner(
            holding, rev=0, fence=await ledger.fence(key, "bench"), ledger=ledger, sender=cast("Any", sender),
            relay=Relay(ledger, bus), clock=clock, scene=scene,
        )  # fmt: skip
        owners[key].recovered.set()
    waking = Waking("bench", owners, bus, clock, complete=lambda: True)
    running = [asyncio.create_task(owner.run()) for owner in owners.values()] + [asyncio.create_task(waking.run())]
    first_ms = clock.now_ms() + LEAD_MS
    for number, owner in zip(range(plans), list(owners.values()) * (plans // POSITIONS), strict=True):
        _begin(owner, number, first_ms + number * 1_000 // PER_S, clock.now_ms(), sender)
        await asyncio.sleep(0)
    gc.collect()
    began, worked = time.perf_counter(), time.process_time()
    await asyncio.sleep((first_ms - clock.now_ms()) / 1_000 + plans / PER_S + 1)
    busy = (time.process_time() - worked) / (time.perf_counter() - began)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    return Lateness(tuple(sender.late_ms), busy)


def _begin(owner: Owner, number: int, due_ms: int, now_ms: int, sender: Filling) -> None:
    """A plan whose first slice is at its own moment, and whose others come after the measurement."""
    intent = an_intent(f"i{number}", qty="0.003", stop=StopSpec(price=Price(Decimal(64_000))))
    intent = intent.but(intent_id=IntentId(f"i{number}"), client_order_id=ClientOrderId(f"s3-{number}"))
    parts = tuple(Slice(qty=EACH, after_ms=due_ms - now_ms + gap * 600_000) for gap in range(3))
    sender.due_ms[intent.client_order_id] = due_ms
    owner.hear(Submitted(intent=intent, plan=Plan(slices=parts, deadline_ms=Millis(due_ms + 10**7)), body_hash="h"))


if __name__ == "__main__":
    found = measure(int(sys.argv[1]) if len(sys.argv) > 1 else PLANS)
    late = sorted(found.late_ms)
    print(len(late), late[len(late) // 2], late[int(len(late) * 0.99)], late[-1], found.busy)
