"""Calls about one intent, and intents about one name: nobody hears of another's order, or is refused by his own."""

import asyncio
from collections.abc import Callable
from typing import Any, cast
from unittest.mock import AsyncMock, MagicMock

import pytest
from desk import BTC, KEY, Desk, a_long, an_intent

from chimera.adapters.memory.ledger import MemoryLedger
from chimera.services.clock import SystemClock
from chimera.services.router import intake
from chimera.services.router.accepting import Accepting
from chimera.trading.errors import Refused
from chimera.trading.execution import Plan, Slice
from chimera.trading.facts import Submitted
from chimera.trading.ids import ClientOrderId, IntentId, Symbol
from chimera.trading.intent import Intent
from chimera.trading.market import Side
from chimera.trading.money import Millis
from chimera.trading.order import Role
from support.grounds import a_ground

pytestmark = pytest.mark.req("S4-IDEM-1", "I3")


class DeskOwner:
    """An owner whose state is a desk's, on disk at once."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.recovered = asyncio.Event()
        self.recovered.set()
        self.heard: Callable[[Any], None] = lambda events: None

    @property
    def holding(self) -> Any:
        return self.desk.holding

    def hear(self, fact: Submitted) -> None:
        before = len(self.desk.holding.outbox)
        self.desk.hear(fact)
        self.heard(self.desk.holding.outbox[before:])

    async def saved_soon(self) -> bool:
        return True

    def untold(self, intent_id: str) -> bool:
        return False


class Market:
    """A feed that shows a fresh price once it is let."""

    def __init__(self) -> None:
        self.shows = asyncio.Event()
        self.shows.set()

    async def glance(self, symbol: Symbol) -> bool:
        await self.shows.wait()
        return True


class Counter:
    """The door for intents, of one owner, with a ledger in memory."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.market = desk, Market()
        self.owner = DeskOwner(desk)
        owners: Any = {KEY: self.owner}
        self.intake = intake.Intake(owners, MemoryLedger(), SystemClock())
        self.owner.heard = self.intake.heard
        ground = a_ground(owners=owners, scene=lambda holding: desk.scene)._replace(symbols=(BTC.symbol,))
        ground.instruments[BTC.symbol] = desk.rules
        self.accepting = Accepting(
            ground,
            self.intake,
            cast("Any", MagicMock(prepare=AsyncMock())),
            cast("Any", self.market),
            cast("Any", MagicMock(**{"objection.return_value": None})),
            cast("Any", MagicMock(**{"no_slots.return_value": None})),
            MagicMock(),
            MagicMock(),
            cast("Any", MagicMock(**{"at.return_value": False})),
            routing=cast("Any", MagicMock(plan=self._plan)),
            stop_optional=True,
            asked=lambda: True,
        )

    def _plan(self, intent: Intent, *_: object) -> Plan:
        return Plan(slices=(Slice(qty=intent.qty),), deadline_ms=Millis(self.desk.now + 10_000))

    async def take(self, intent: Intent) -> str:
        try:
            outcome = await self.accepting.take(intent, f"hash of {intent.symbol} {intent.qty}", 0)
        except Refused as no:
            return no.code
        return str(outcome.row["intent_id"])


def reducing() -> Intent:
    return an_intent("i2", side=Side.SELL, reduce_only=True, stop=None)


async def test_a_repeat_on_its_way_while_the_first_is_worked_is_not_judged_against_it() -> None:
    """POST and the stream bring the same exit at once. One is worked and fills while the other still reads the feed:
    judged by what is held then, it was refused, though it had just been carried out."""
    counter = Counter(a_long())
    reads = counter.market.shows = asyncio.Event()
    second = asyncio.create_task(counter.take(reducing()))
    await asyncio.sleep(0.01)  # it has asked for the id: nobody knows it
    counter.market.shows = asyncio.Event()
    counter.market.shows.set()
    assert await counter.take(reducing()) == "i2"
    counter.desk.fill(counter.desk.placed(Role.TAKER), "0.01")
    assert not counter.desk.holding.exposure

    reads.set()

    assert await second == "i2"
    assert counter.desk.count(Role.TAKER) == 2, "the entry, and the exit once"


async def test_an_id_that_is_the_order_name_of_another_is_taken_like_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """It took itself for taken already, and asked again for as long as the other lived."""
    monkeypatch.setattr(intake, "ORPHAN_POLL_S", 0)
    counter = Counter(a_long())
    other = IntentId(an_intent().client_order_id)

    async with asyncio.timeout(3):
        assert await counter.take(an_intent("i2").but(intent_id=other)) == other


async def test_an_id_at_work_on_one_symbol_is_no_answer_to_the_same_id_on_another() -> None:
    counter = Counter(Desk())
    assert await counter.take(an_intent()) == "i1"
    elsewhere = an_intent().but(symbol=Symbol("ETHUSDT"), client_order_id=ClientOrderId("s3-eth-i1"))

    with pytest.raises(Refused) as refused:
        await counter.intake.known(elsewhere, "hash of another body")

    assert refused.value.code == "DUPLICATE_ID"
