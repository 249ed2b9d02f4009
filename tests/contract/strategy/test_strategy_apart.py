"""Two accounts on one Redis: the S3 whose S4 did not claim it decides nothing, writes nothing, and says why."""

from typing import Any

import pytest
from strategy_world import Stage, ask

from chimera.adapters.memory.bus import MemoryBus
from chimera.services.claimed import WHY, ClaimedBus
from chimera.services.strategy.apart import Apart
from chimera.services.strategy.engine import Strategy
from chimera.trading.errors import NotSent, StoreUnavailable
from chimera.wire.keys import ALERTS, ORDERS_INTENT, S4_ACCOUNT, risk_budget_key

pytestmark = pytest.mark.req("S3-PER-2")


class Away(MemoryBus):
    """A Redis that is not there."""

    async def get(self, key: str) -> bytes | None:
        raise StoreUnavailable("connection refused")


class Neighbours:
    """An S3 whose S4 is ``ours``, in a Redis that somebody has claimed, or nobody."""

    def __init__(self, **environ: str) -> None:
        self.stage = Stage(S3_CONCURRENT_ENTRIES_PER_MARKET="9", **environ)
        self.ours: str | None = "sim:theirs"
        self.is_away = False
        self.used = self.stage.used = ClaimedBus(self.stage.bus, patience_s=0)
        self.used.level(None)

    async def account(self) -> str | None:
        if self.is_away:
            raise NotSent("nobody listens")
        return self.ours

    def apart(self, strategy: Strategy, *, waits: bool = True) -> Apart:
        return Apart(self.stage.bus, self.account, self.used.level, strategy.alerts, waits=waits)

    async def claimed_by(self, name: str) -> None:
        await self.stage.bus.put(S4_ACCOUNT, name.encode())

    async def codes(self) -> list[str]:
        return [fields["code"] for fields in await self.stage.streamed(ALERTS)]


async def test_the_second_account_s_s3_leaves_the_database_alone_until_it_is_ours() -> None:
    they = Neighbours()
    async with they.stage.process() as strategy:
        apart = they.apart(strategy)
        await apart.look()
        await they.stage.show()
        assert (await strategy.decide(ask())).decision == "open", "nothing is claimed: nobody to keep out"
        await they.stage.settle(strategy)
        sent = len(await they.stage.streamed(ORDERS_INTENT))

        await they.claimed_by("sim:mine")
        await apart.look()
        await they.stage.show()
        table = await they.stage.bus.table(risk_budget_key("main"))
        no = await strategy.decide(ask())
        assert (no.decision, WHY in no.reason) == ("skip", True), no.reason
        tried = await strategy.decide(ask(dry_run=True))
        assert (tried.decision, WHY in tried.reason) == ("skip", True), "it would go by another's budget"
        assert len(await they.stage.streamed(ORDERS_INTENT)) == sent
        assert await they.stage.bus.table(risk_budget_key("main")) == table
        health: Any = await strategy.health()
        assert health["checks"]["redis"] == {"status": "down", "reason": WHY}
        assert not await strategy.ready()
        assert await they.codes() == ["REDIS_SHARED"]

        await they.claimed_by("sim:theirs")
        await apart.look()
        await they.stage.show()
        assert (await strategy.decide(ask())).decision == "open"
        assert await they.codes() == ["REDIS_SHARED", "REDIS_SHARED_OVER"]


@pytest.mark.parametrize(("waits", "decision"), [(True, "skip"), (False, "open")])
async def test_who_never_could_ask_and_finds_a_claim_waits_unless_it_goes_by_the_stream_alone(
    waits: bool, decision: str
) -> None:
    they = Neighbours()
    they.is_away = True
    async with they.stage.process() as strategy:
        await they.claimed_by("sim:mine")
        apart = they.apart(strategy, waits=waits)
        await apart.look()
        await they.stage.show()
        assert (await strategy.decide(ask())).decision == decision

        they.is_away, they.ours = False, "sim:mine"
        await apart.look()
        await they.stage.settle(strategy)
        assert (await strategy.decide(ask())).decision == "open"

        they.is_away = True  # what it knows it goes on by
        await apart.look()
        await they.stage.settle(strategy)
        assert (await strategy.decide(ask())).decision == "open"


async def test_a_redis_that_is_away_is_no_word_on_whose_it_is() -> None:
    they = Neighbours()
    async with they.stage.process() as strategy:
        apart = Apart(Away(they.stage.clock), they.account, they.used.level, strategy.alerts, waits=True)
        await apart.look()
        await they.stage.show()
        assert "connection refused" in (await strategy.decide(ask())).reason
        assert await they.codes() == []
