"""What is promised outlives the process, and Redis; what others promised and cannot be read keeps entries back."""

import asyncio
from typing import Any

import pytest
from strategy_world import D, Stage, ask

from chimera.adapters.memory.bus import MemoryBus
from chimera.adapters.memory.faults import NoFaults
from chimera.decide.promises import SHOWN_MS
from chimera.services.strategy.dispatch import Item
from chimera.services.strategy.engine import Strategy
from chimera.services.strategy.signals import Track, read_undelivered
from chimera.trading.errors import Refused, StoreUnavailable
from chimera.trading.ids import DEFAULT_ACCOUNT, IntentId, Symbol
from chimera.wire.budget import read_promise
from chimera.wire.keys import ALERTS, risk_budget_key

pytestmark = pytest.mark.req("S3-L0-3")

KEY = risk_budget_key(DEFAULT_ACCOUNT)
BTC = Symbol("BTCUSDT")


@pytest.fixture
async def stage() -> Stage:
    made = Stage(S3_CONCURRENT_ENTRIES_PER_MARKET="100")
    await made.show()
    return made


async def opened(stage: Stage, strategy: Strategy) -> str:
    answer = await strategy.decide(ask())
    assert answer.decision == "open", answer.reason
    await stage.settle(strategy)
    return str((await stage.rows())[0]["intent_id"])


async def codes(strategy: Strategy, **wishes: Any) -> list[str]:
    return [reason["code"] for reason in (await strategy.decide(ask(**wishes))).reasons]


@pytest.mark.req("I27")
@pytest.mark.parametrize("is_held", [False, True])
async def test_after_a_restart_and_a_lost_redis_the_ledger_says_what_is_promised(stage: Stage, is_held: bool) -> None:
    """In flight it takes notional, and loss as long as it is held; the loss of one more would be too much."""
    async with stage.process() as strategy:
        intent_id = await opened(stage, strategy)
    stage.bus = MemoryBus(stage.clock)
    await stage.show()
    shown: dict[str, Any] = {"open_symbols": (BTC,)} if is_held else {"inflight": {intent_id: BTC}}

    async def tell(**share: Any) -> None:
        await stage.show()
        await stage.budget(loss="2", remaining_notional_usdt=D(700), **share)

    await tell(**shown)
    async with stage.process(seed=2) as strategy:
        promises = strategy._dispatcher.promises
        assert await codes(strategy) == ["BUDGET_LOSS", "BUDGET_NOTIONAL"]
        await promises.look()
        table = await stage.bus.table(KEY)
        assert {read_promise(line).intent_id for line in table.lines.values()} == {intent_id}  # told anew
        stage.clock.ms += SHOWN_MS
        await tell(**shown)
        await promises.look()
        assert await codes(strategy) == (["BUDGET_LOSS"] if is_held else ["BUDGET_LOSS", "BUDGET_NOTIONAL"])
        stage.clock.ms += 1
        await tell()
        await promises.look()
        assert await codes(strategy) == []


async def test_a_dry_run_counts_what_others_have_promised_and_promises_nothing(stage: Stage) -> None:
    async with stage.process() as one:
        await one.decide(ask())
        await stage.budget(loss="2")
        lines = (await stage.bus.table(KEY)).lines
        stage.ledger = type(stage.ledger)()
        async with stage.process(seed=2) as other:
            assert await codes(other, dry_run=True) == ["BUDGET_LOSS"]
            assert (await stage.bus.table(KEY)).lines == lines
            assert await codes(other) == ["BUDGET_LOSS"]
    assert len(lines) == 1


@pytest.mark.parametrize("line", [b"no document", b'{"schema_version": 99, "body": {}}'])
async def test_a_promise_that_cannot_be_read_keeps_entries_back_and_is_told(stage: Stage, line: bytes) -> None:
    await stage.bus.lay(KEY, {"somebody": line}, ttl_ms=60_000)
    async with stage.process() as strategy:
        assert await codes(strategy) == ["BUDGET_MISSING"]
        assert [alert["code"] for alert in await stage.streamed(ALERTS)] == ["BAD_DOCUMENT"]
        await stage.bus.lift(KEY, ["somebody"])
        assert await codes(strategy) == []
    assert len(stage.router.got) <= 1


async def test_an_entry_that_cannot_be_announced_is_not_made(stage: Stage) -> None:
    class NoTable(NoFaults):
        async def before(self, operation: str, key: str) -> None:
            if operation == "lay":
                raise StoreUnavailable("the table is away")

    async with stage.process() as strategy:
        stage.bus.faults = NoTable()
        assert await codes(strategy) == ["BUS_AWAY"]
        stage.bus.faults = NoFaults()
        assert await codes(strategy) == []
    assert [row["delivery"] for row in await stage.rows() if row["decision"] == "skip"] == ["NONE"]


async def test_one_that_was_taken_by_the_other_track_keeps_its_room(stage: Stage) -> None:
    """Both answered: the stream's copy stands at the venue, whatever REST said a moment later."""
    async with stage.process() as strategy:
        intent_id = await opened(stage, strategy)
        dispatcher = strategy._dispatcher
        row = (await stage.rows())[0]
        item = Item(row["signal_id"], row, *_parts(row))
        item.tracks = item.tracks.but(rest=Track.REFUSED, stream=Track.TAKEN)
        dispatcher._tell_promises(item)
        assert intent_id in {each.intent_id for each in dispatcher.promises.counted()}
        item.tracks = item.tracks.but(stream=Track.PUBLISHED)
        dispatcher._tell_promises(item)
        assert intent_id not in {each.intent_id for each in dispatcher.promises.counted()}


def _parts(row: dict[str, Any]) -> tuple[Any, Any, Any]:
    found = read_undelivered(row)
    return found.intent, found.tracks, found.reserve


async def test_a_refused_intent_gives_its_room_back_at_once(stage: Stage) -> None:
    stage.router.script.append(Refused("BREAKER_OPEN", "no"))
    async with stage.process() as strategy:
        await strategy.decide(ask())
        await stage.settle(strategy)
        assert (await stage.bus.table(KEY)).lines == {}
        assert strategy._dispatcher.promises.counted() == ()


class LateAnswer(NoFaults):
    """The first reading of the table is answered once it may be; what it shows is older then."""

    def __init__(self) -> None:
        self.read = asyncio.Event()
        self.may_answer = asyncio.Event()

    async def after(self, operation: str, key: str) -> None:
        if operation == "lay" and not self.read.is_set():
            self.read.set()
            await self.may_answer.wait()
        await super().after(operation, key)


async def test_a_line_of_ours_that_is_lifted_while_it_is_read_is_no_other_s(stage: Stage) -> None:
    """Else S3 would believe that another process opens the symbol, and skip."""
    async with stage.process() as strategy:
        first = await opened(stage, strategy)
        found = read_undelivered((await stage.rows())[0])
        promises = strategy._dispatcher.promises
        promises.keep(found.reserve, found.intent)
        await promises.announce(found.intent.intent_id)
        second = found.reserve.but(intent_id=IntentId("the-second"))
        promises.keep(second, found.intent)
        stage.bus.faults = late = LateAnswer()
        reading = asyncio.create_task(promises.announce(second.intent_id))
        await late.read.wait()
        promises.drop(found.intent.intent_id)
        await promises.look()  # lifts it
        late.may_answer.set()
        told = await reading

    assert first not in {promise.intent_id for promise in told.reserved}
    assert told.others == ()
