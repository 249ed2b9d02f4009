"""A revision of the configuration: compiled once, and what lint only advises is told."""

import pytest
from strategy_world import Stage, a_rule, activate, ask

from chimera.adapters.memory.faults import NoFaults
from chimera.services.strategy.engine import Strategy
from chimera.wire.decisions import DecideRequest
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


class Flipping(NoFaults):
    """Another revision is active from the ``at``-th access to a store on."""

    def __init__(self, stage: Stage, strategy: Strategy, rev: int, at: int) -> None:
        self.left = at
        self._stage, self._strategy, self._rev = stage, strategy, rev

    async def before(self, operation: str, key: str) -> None:
        self.left -= 1
        if self.left == 0:
            self._stage.bus.faults = self._stage.ledger.faults = NoFaults()
            await activate(self._stage, self._rev, a_rule(f"R{self._rev}", {"type": "size_mult", "value": 1}))
            await self._strategy.config.refresh()


@pytest.mark.fault("G1")
@pytest.mark.req("S3-CFG-3", "I20")
@pytest.mark.parametrize("hint", ["BUY", None])
async def test_whenever_the_revision_changes_inside_a_decision_one_of_them_made_all_of_it(
    stage: Stage, hint: str | None
) -> None:
    rev, at, revs = 2, 0, set()
    async with stage.process() as strategy:
        await activate(stage, rev, a_rule(f"R{rev}", {"type": "size_mult", "value": 1}))
        await strategy.config.refresh()
        while True:
            rev, at = rev + 1, at + 1
            flipping = Flipping(stage, strategy, rev, at)
            stage.bus.faults = stage.ledger.faults = flipping
            answer = await strategy.decide(ask(sideHint=hint) if hint else DecideRequest(symbol="BTCUSDT"))
            stage.bus.faults = stage.ledger.faults = NoFaults()
            if flipping.left > 0:
                break
            revs.add(rev - answer.config_rev)
            row = await stage.ledger.get("signals", str(answer.signal_id))
            assert row is not None
            assert (row["config_rev"], row["bundle_id"]) == (answer.config_rev, f"b{answer.config_rev}")
            assert answer.rules_fired == [f"R{answer.config_rev}"]
            assert strategy.config.snapshot is not None
            assert strategy.config.snapshot.bundle.rev == rev
            await stage.settle(strategy)

    assert at > 3
    assert revs == {1}, "it is loaded before the first access"
