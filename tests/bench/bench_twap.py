"""1,000 plans at 25 slices a second: how late a slice leaves its owner.

Real owners, savers, relays and the ticker of the shared queue on an event loop, over the memory ledger and bus; in
place of the venue a sender that fills at once, so that protection is worked as well. Measured by the wall, and by the
time that the work itself takes (``own_time``). Requirement RT-4.

Run: ``python tests/bench/bench_twap.py [plans] [symbols] [wall]``. Asserts nothing; ``measure`` is for the proof.
"""

import asyncio
import gc
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from own_time import OwnTime, run_in_own_time

from chimera.adapters.memory.bus import MemoryBus
from chimera.adapters.memory.ledger import MemoryLedger
from chimera.ports.clock import Clock
from chimera.services.clock import SystemClock
from chimera.services.router.owner import Owner
from chimera.services.router.relay import Relay
from chimera.services.router.waking import Waking
from chimera.trading.commands import Cancel, Command, Place
from chimera.trading.execution import Plan, Slice
from chimera.trading.facts import Fact, Found, Reported, Submitted
from chimera.trading.holding import Holding
from chimera.trading.ids import ClientOrderId, IntentId, PositionKey, Symbol
from chimera.trading.intent import StopSpec
from chimera.trading.money import Millis, Price, Qty, text
from chimera.trading.order import Role, Status
from support.desk import KEY, Desk, an_intent

PLANS: Final = 1_000
SYMBOLS: Final = 50
PER_S: Final = 25
LEAD_MS: Final = 10_000  # at least, until the first slice: all plans are taken and at rest by then
EACH: Final = Qty(Decimal("0.001"))


class Lateness(NamedTuple):
    """Milliseconds after its moment at which a slice left, of all, sorted."""

    late_ms: tuple[float, ...]
    cpu_ms: float  # of this process, for each slice, all in
    steps: float  # of the reducer, for each slice
    saves: float  # of a holding, for each slice

    def at(self, share: float) -> float:
        return self.late_ms[min(int(len(self.late_ms) * share), len(self.late_ms) - 1)]


class Filling:
    """A venue that takes, fills and cancels at once; keeps how late each slice came."""

    def __init__(self, clock: Clock) -> None:
        self.late_ms: list[float] = []
        self.due_ms: dict[str, float] = {}
        self._desk, self._clock = Desk(), clock
        self._trades = 0

    async def carry_out(self, command: Command, holding: Any, near: Any) -> Fact | None:
        self._desk.now = self._clock.now_ms()
        if isinstance(command, Cancel):
            return Found(order=self._desk.word(holding().orders[command.order.ref].request, Status.CANCELED))
        if not isinstance(command, Place):
            return None
        order = command.order
        if command.role is not Role.TAKER:
            return Found(order=self._desk.word(order, Status.NEW))
        self.late_ms.append(_exactly_ms(self._clock) - self.due_ms[str(order.ref).rsplit("-", 1)[0]])
        self._trades += 1
        word = self._desk.word(order, Status.FILLED, text(order.qty))
        return Reported(order=word, fill=self._desk.a_fill(order, text(order.qty), "65000.1", f"t{self._trades}"))


class Counted(MemoryLedger):
    """A ledger that counts saves."""

    saves = 0

    async def save(self, holding: Holding, *, rev: int, fence: int) -> int:
        self.saves += 1
        return await super().save(holding, rev=rev, fence=fence)


class Trader(Owner):
    """An owner that counts what it hears."""

    heard = 0

    def hear(self, fact: Fact) -> None:
        Trader.heard += 1
        super().hear(fact)


def measure(plans: int = PLANS, symbols: int = SYMBOLS, *, wall: bool = False) -> Lateness:
    """``wall``: takes the minute that it lasts, and is late by whatever else the machine does, too."""
    work = _measure(plans, symbols)
    return asyncio.run(work) if wall else run_in_own_time(work)


async def _measure(plans: int, symbols: int) -> Lateness:
    loop = asyncio.get_running_loop()
    clock: Clock = loop if isinstance(loop, OwnTime) else SystemClock()
    sender, ledger, bus = Filling(clock), Counted(), MemoryBus(clock)
    owners = await _owners(symbols, clock, sender, ledger, Relay(ledger, bus))
    waking = Waking("bench", owners, bus, clock, complete=lambda: True)
    running = [asyncio.create_task(owner.run()) for owner in owners.values()] + [asyncio.create_task(waking.run())]
    everyone = list(owners.values())
    begins = clock.now_ms()
    first_ms = begins + LEAD_MS + plans * plans // symbols // 10
    for number in range(plans):
        owner = everyone[number % symbols]
        _begin(owner, number, first_ms + number * 1_000 // PER_S, clock.now_ms(), sender)
        await asyncio.sleep(0.001)
    await asyncio.sleep((first_ms - clock.now_ms()) / 1_000 - 1)
    gc.collect()
    gc.freeze()
    began, saved, heard = time.process_time(), ledger.saves, Trader.heard
    await asyncio.sleep(1 + plans / PER_S + 1)
    count = len(sender.late_ms)
    cpu_ms = (time.process_time() - began) * 1_000 / count
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    gc.unfreeze()
    return Lateness(
        tuple(sorted(sender.late_ms)), cpu_ms, (Trader.heard - heard) / count, (ledger.saves - saved) / count
    )


async def _owners(
    symbols: int, clock: Clock, sender: Filling, ledger: MemoryLedger, relay: Relay
) -> dict[PositionKey, Owner]:
    owners: dict[PositionKey, Owner] = {}
    pattern = Desk()

    def scene(_: Holding) -> Any:
        pattern.now = clock.now_ms()
        return pattern.scene

    for number in range(symbols):
        key = KEY.but(symbol=Symbol(f"C{number}USDT"))
        holding = Holding(key=key, survey_due_ms=Millis(clock.now_ms() + 10**8))
        owners[key] = Trader(
            holding, rev=0, fence=await ledger.fence(key, "bench"), ledger=ledger, sender=cast("Any", sender),
            relay=relay, clock=clock, scene=scene,
        )  # fmt: skip
        owners[key].recovered.set()
    return owners


def _begin(owner: Owner, number: int, due_ms: int, now_ms: int, sender: Filling) -> None:
    """A plan whose first slice is at its own moment, and whose others come after the measurement."""
    intent = an_intent(f"i{number}", qty="0.003", stop=StopSpec(price=Price(Decimal(64_000))))
    intent = intent.but(intent_id=IntentId(f"i{number}"), client_order_id=ClientOrderId(f"s3-{number}"))
    intent = intent.but(symbol=owner.holding.key.symbol)
    parts = tuple(Slice(qty=EACH, after_ms=due_ms - now_ms + gap * 600_000) for gap in range(3))
    sender.due_ms[intent.client_order_id] = due_ms
    owner.hear(Submitted(intent=intent, plan=Plan(slices=parts, deadline_ms=Millis(due_ms + 10**7)), body_hash="h"))


def _exactly_ms(clock: Clock) -> float:
    return clock.exactly_ms() if isinstance(clock, OwnTime) else time.time_ns() / 1e6


if __name__ == "__main__":
    asked = [int(word) for word in sys.argv[1:3]]
    found = measure(*asked, wall="wall" in sys.argv)
    print(len(found.late_ms), *(round(found.at(share), 2) for share in (0.5, 0.99, 1)), found[1:])
