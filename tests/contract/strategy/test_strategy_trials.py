"""A candidate at work: a shadow that orders nothing, a canary with its share, and its end by hand or by a limit."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from strategy_world import Stage, a_rule, ask, until

from chimera.decide.trial import Limit, Metric, candidates_turn
from chimera.services.strategy.bundles import Offered
from chimera.services.strategy.engine import Strategy
from chimera.trading.errors import Refused
from chimera.wire.keys import ALERTS, CONFIG_DIFFERENCES

D = Decimal
SELL = Offered("sells", [a_rule("S-1", {"type": "side", "value": "SELL"})])
SAME = Offered("same", [a_rule("B-1", {"type": "side", "value": "BUY"})])
BUY = Offered("buys", [a_rule("B-1", {"type": "side", "value": "BUY"})])


@pytest.fixture
async def stage() -> Stage:
    made = Stage(S3_CONCURRENT_ENTRIES_PER_MARKET="1000")
    await made.show()
    return made


async def tried(strategy: Strategy, candidate: Offered, share: str = "0", limit: Limit | None = None) -> int:
    by = strategy.bundles.signed("ann", "a test")
    for offered in (BUY, candidate):
        await strategy.bundles.create(offered, by)
    await strategy.bundles.activate("buys", by)
    return (await strategy.bundles.begin_trial(candidate.bundle_id, D(share), limit, by)).rev


async def decided(stage: Stage, strategy: Strategy, times: int) -> list[Any]:
    answers = []
    for _ in range(times):
        stage.clock.ms += 1
        await stage.show()
        answers.append(await strategy.decide(ask(sideHint=None)))
        for _ in range(20):
            await asyncio.sleep(0)  # S4 answers, and its figures include it
    return answers


async def compared(strategy: Strategy, cases: int) -> None:
    await until(lambda: asyncio.sleep(0, strategy.trials.tally.compared >= cases))


async def test_a_shadow_orders_nothing_and_what_differs_is_recorded(stage: Stage) -> None:
    async with stage.process() as strategy:
        rev = await tried(strategy, SELL)
        answers = await decided(stage, strategy, 3)
        await strategy.decide(ask(dry_run=True, sideHint=None))  # leaves nothing here either
        await compared(strategy, 3)
        rows = await strategy.trials.different(10, trial=rev)
        tally = strategy.trials.tally

    assert [(answer.config_rev, answer.intent["side"]) for answer in answers] == [(2, "BUY")] * 3
    assert [intent.side for intent in stage.router.got] == ["BUY"] * 3
    assert (tally.compared, tally.differed, tally.own) == (3, 3, 0)
    assert {row["signal_id"] for row in rows} == {answer.signal_id for answer in answers}
    parts = {part["what"]: part for part in rows[0]["differences"]}  # type: ignore[attr-defined]  # plain JSON
    assert (parts["side"]["active"], parts["side"]["candidate"]) == ("BUY", "SELL")
    assert rows[0]["decided_by"] == "active"


async def test_a_candidate_that_decides_alike_leaves_no_difference(stage: Stage) -> None:
    async with stage.process() as strategy:
        await tried(strategy, SAME)
        await decided(stage, strategy, 2)
        await compared(strategy, 2)

    assert await stage.ledger.find(CONFIG_DIFFERENCES) == []


async def test_a_canary_decides_its_share_by_the_signal_s_id_under_its_own_revision(stage: Stage) -> None:
    async with stage.process() as strategy:
        rev = await tried(strategy, SELL, "0.5")
        answers = await decided(stage, strategy, 40)
        await compared(strategy, 40)
        tally = strategy.trials.tally

    own = [answer for answer in answers if answer.config_rev == rev]
    assert 5 < len(own) < 35
    for answer in answers:
        theirs = candidates_turn(str(answer.signal_id), D("0.5"))
        assert (answer.config_rev, answer.intent["side"]) == ((rev, "SELL") if theirs else (2, "BUY"))
    assert (tally.own, tally.own_opens, tally.differed) == (len(own), len(own), 40)


async def test_a_canary_beyond_its_limit_decides_nothing_more_and_the_history_says_why(stage: Stage) -> None:
    async with stage.process() as strategy:
        rev = await tried(strategy, SELL, "1", Limit(metric=Metric.DIFFER_SHARE, most=D("0.2"), after=3))
        first = await decided(stage, strategy, 3)
        await until(lambda: asyncio.sleep(0, strategy.config.loaded.on_trial is None))  # type: ignore[union-attr]  # loaded
        later = await decided(stage, strategy, 3)
        history = await strategy.config.revisions.history(1)

    assert [answer.config_rev for answer in first] == [rev] * 3
    assert [answer.config_rev for answer in later] == [2] * 3
    assert (history[0].kind, history[0].who) == ("END_TRIAL", "chimera")
    assert history[0].why == "differ_share is 3 of 3, more than 0.2"
    assert [alert["code"] for alert in await stage.streamed(ALERTS)] == ["CANARY_ROLLED_BACK"]


async def test_s4_s_refusals_of_the_candidate_s_own_intents_count(stage: Stage) -> None:
    stage.router.script = [Refused("LIMIT_X", "no")] * 2
    async with stage.process() as strategy:
        await tried(strategy, SELL, "1", Limit(metric=Metric.REFUSED_SHARE, most=D("0.5"), after=2))
        await decided(stage, strategy, 2)
        await until(lambda: ended(strategy))
        history = await strategy.config.revisions.history(1)

    assert history[0].why == "refused_share is 2 of 2, more than 0.5"


async def ended(strategy: Strategy) -> bool:
    """In the ledger, which hears of it after it decides nothing any more."""
    return (await strategy.config.revisions.standing()).trial is None


async def test_a_tally_goes_on_after_a_restart(stage: Stage) -> None:
    async with stage.process() as strategy:
        rev = await tried(strategy, SELL)
        await decided(stage, strategy, 2)
        await until(lambda: _stored(strategy, rev))
    async with stage.process(seed=2) as strategy:
        assert strategy.config.loaded is not None
        assert strategy.config.loaded.on_trial is not None
        await decided(stage, strategy, 1)
        await compared(strategy, 3)
        assert strategy.trials.tally.compared == 3


async def _stored(strategy: Strategy, rev: int) -> bool:
    row = await strategy._ledger.get("config_tallies", str(rev))
    return row is not None and row["tally"]["compared"] == 2  # type: ignore[index]  # plain JSON
