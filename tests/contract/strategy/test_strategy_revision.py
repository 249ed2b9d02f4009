"""A revision of the configuration: compiled once, and what lint only advises is told."""

import pytest
from strategy_world import Stage, a_rule, activate, ask

from chimera.wire.keys import ALERTS


@pytest.fixture
async def stage() -> Stage:
    made = Stage()
    await made.show()
    return made


@pytest.mark.req("S3-CFG-2")
async def test_a_revision_is_compiled_once_however_often_it_is_looked_at(stage: Stage, compiled: list[str]) -> None:
    async with stage.process() as strategy:
        for rev in (1, 2):
            if rev > 1:
                await activate(stage, rev, a_rule("A", {"type": "size_mult", "value": 1}))
            for _ in range(5):
                await strategy.config.refresh()

    assert compiled == ["demo-1", "b2"]


async def test_what_a_bundle_may_not_have_meant_is_told_and_refuses_nothing(stage: Stage) -> None:
    rules = [a_rule("A", {"type": "side", "value": "BUY"}), a_rule("B", {"type": "side", "value": "SELL"})]
    async with stage.process() as strategy:
        await activate(stage, 2, *rules)
        await strategy.config.refresh()
        answer = await strategy.decide(ask())

    assert (answer.config_rev, [reason["code"] for reason in answer.reasons]) == (2, ["SIDE_CONFLICT"])
    (alert,) = await stage.streamed(ALERTS)
    assert (alert["severity"], alert["code"], alert["subject"]) == ("WARN", "CONFIG_ADVICE", "B")
    assert "$.action" in alert["text"]
