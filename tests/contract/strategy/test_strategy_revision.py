"""A revision of the configuration: compiled once, and what lint only advises is told."""

from typing import Any

import pytest
from strategy_world import Stage, a_rule, activate, ask

from chimera.decide.rules import bundle
from chimera.services.strategy import compiling
from chimera.wire.keys import ALERTS


@pytest.fixture
async def stage() -> Stage:
    made = Stage()
    await made.show()
    return made


@pytest.mark.req("S3-CFG-2")
async def test_a_revision_is_compiled_once_however_often_it_is_looked_at(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    real = bundle.compiling

    def counted(*rules: Any, **how: Any) -> Any:
        made.append(how["bundle_id"])
        return real(*rules, **how)

    monkeypatch.setattr(compiling, "compiling", counted)
    async with stage.process() as strategy:
        for rev in (1, 2):
            if rev > 1:
                await activate(stage, rev, a_rule("A", {"type": "size_mult", "value": 1}))
            for _ in range(5):
                await strategy.config.refresh()

    assert made == ["demo-1", "b2"]


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
