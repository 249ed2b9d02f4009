"""Bundles through their whole life: made, active, taken back, refused; and decisions while all of that happens."""

import asyncio
import gc
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from strategy_world import Slow, Stage, a_rule, activate, ask, until

from chimera.adapters.memory.faults import NoFaults
from chimera.adapters.memory.ledger import MemoryLedger
from chimera.decide.rules.finding import LintFailed
from chimera.services.strategy import compiling
from chimera.services.strategy.alerts import Alerts
from chimera.services.strategy.bundles import Offered
from chimera.services.strategy.config import ConfigWatcher
from chimera.services.strategy.engine import Strategy
from chimera.services.strategy.settings import read_settings
from chimera.trading.errors import Refused
from chimera.wire.keys import ALERTS, CFG_ACTIVE_REV, CFG_EVENTS, CONFIG_ACTIVE, CONFIG_BUNDLES, STRATEGY_RULES

BUY = Offered("buys", [a_rule("B-1", {"type": "side", "value": "BUY"})], flags={"short": False})
SELL = Offered("sells", [a_rule("S-1", {"type": "side", "value": "SELL"})], flags={"long": False})
BAD = Offered("bad", [a_rule("X-1", {"type": "explode"})])


@pytest.fixture
async def stage() -> Stage:
    made = Stage()
    await made.show()
    return made


async def create(strategy: Strategy, *offered: Offered) -> None:
    for each in offered:
        await strategy.bundles.create(each, strategy.bundles.signed("ann", "a test"))


async def activated(strategy: Strategy, bundle_id: str) -> int:
    return (await strategy.bundles.activate(bundle_id, strategy.bundles.signed("ann", "now"))).rev


def codes(alerts: list[dict[str, str]]) -> list[str]:
    return [alert["code"] for alert in alerts]


@pytest.mark.req("S3-CFG-1", "S3-CFG-2")
async def test_a_bundle_is_made_activated_and_taken_back_as_a_new_revision(stage: Stage) -> None:
    async with stage.process() as strategy:
        await create(strategy, BUY, SELL)
        first, second = await activated(strategy, "buys"), await activated(strategy, "sells")
        sold = await strategy.decide(ask(dry_run=True, sideHint=None))
        back = await strategy.bundles.roll_back(strategy.bundles.signed("bob", "it lost"), None)
        bought = await strategy.decide(ask(dry_run=True, sideHint=None))
        history = await strategy.config.revisions.history(10)

    assert (first, second, back.rev, back.back_to) == (2, 3, 4, 2)
    assert (sold.config_rev, sold.rules_fired) == (3, ["S-1"])
    assert (bought.config_rev, bought.rules_fired) == (4, ["B-1"])
    assert [(line.who, line.why, line.bundle_id) for line in history] == [
        ("bob", "it lost", "buys"), ("ann", "now", "sells"), ("ann", "now", "buys"),
    ]  # fmt: skip
    assert await stage.bus.get(CFG_ACTIVE_REV) == b"4"


async def test_what_was_written_by_hand_before_the_first_revision_can_come_back(stage: Stage) -> None:
    async with stage.process() as strategy:
        await create(strategy, BUY)
        await activated(strategy, "buys")
        back = await strategy.bundles.roll_back(strategy.bundles.signed("bob", "no"), None)

    assert back.active is not None
    assert (back.active.bundle_id, back.back_to) == ("demo-1", 1)


@pytest.mark.req("S3-CFG-2")
async def test_a_bundle_that_fails_lint_leaves_nothing_behind(stage: Stage) -> None:
    async with stage.process() as strategy:
        with pytest.raises(Refused) as no:
            await create(strategy, BAD)

    assert (no.value.code, no.value.field) == ("BUNDLE_REFUSED", "rules[X-1].action.type")
    assert await stage.ledger.get(CONFIG_BUNDLES, "bad") is None
    assert await stage.ledger.get(STRATEGY_RULES, "bad:X-1") is None


@pytest.mark.parametrize(("flags", "path"), [({"moon": True}, "$.flags.moon"), ({"long": "no"}, "$.flags.long")])
@pytest.mark.req("S3-CFG-2")
async def test_flags_are_linted(stage: Stage, flags: Any, path: str) -> None:
    async with stage.process() as strategy:
        found = (await strategy.bundles.lint(replace(BUY, flags=flags))).findings

    assert [finding.path for finding in found] == [path]


@pytest.mark.parametrize(
    "bounds",
    [
        {"size_mul": {"low": "1", "high": "1"}},
        {"size_mult": {"low": "1", "high": "Infinity"}},
        {"size_mult": {"low": "NaN", "high": "2"}},
        {"size_mult": {"low": "1"}},
        {"tp_mult": {"low": "0.5", "high": "2"}},
    ],
    ids=str,
)
@pytest.mark.req("S3-CFG-2", "S3-L1-3")
async def test_bounds_that_would_hold_nothing_back_are_refused(stage: Stage, bounds: Any) -> None:
    async with stage.process() as strategy:
        (found,) = (await strategy.bundles.lint(replace(BUY, bounds=bounds))).findings

    assert found.message.startswith(f"bounds.{next(iter(bounds))}")


@pytest.mark.req("S3-CFG-2")
async def test_a_flag_of_the_bundle_keeps_an_entry_back_with_its_whole_explanation(stage: Stage) -> None:
    async with stage.process() as strategy:
        await create(strategy, replace(BUY, flags={"long": False}))
        await activated(strategy, "buys")
        answer = await strategy.decide(ask())

    assert [(reason["code"], reason["name"]) for reason in answer.reasons] == [("FLAG_OFF", "long")]
    assert answer.explanation["levels"]
    assert stage.router.got == []


async def test_making_the_same_bundle_again_changes_nothing_and_another_under_its_name_is_refused(stage: Stage) -> None:
    async with stage.process() as strategy:
        await create(strategy, BUY, BUY)
        with pytest.raises(Refused) as no:
            await create(strategy, replace(BUY, rules=[a_rule("B-2", {"type": "side", "value": "BUY"})]))
        with pytest.raises(Refused) as same_rule:
            await create(strategy, replace(BUY, rules=[a_rule("B-1", {"type": "side", "value": "SELL"})]))

    assert no.value.code == same_rule.value.code == "BUNDLE_EXISTS"


@pytest.mark.req("S3-CFG-2")
async def test_a_bundle_whose_rules_were_changed_in_the_ledger_is_refused(stage: Stage) -> None:
    async with stage.process() as strategy:
        await create(strategy, BUY)
        await activated(strategy, "buys")
        await stage.ledger.put(STRATEGY_RULES, "buys:B-1", {**SELL.rules[0], "rule_id": "B-1"})
    watcher = ConfigWatcher(stage.ledger, stage.bus, Alerts(stage.bus, stage.clock, "a"), stage.settings)

    await watcher.refresh()  # another process, which has nothing compiled

    assert watcher.loaded is None
    assert "is not what it was" in watcher.fault


@pytest.mark.req("S3-CFG-2")
async def test_a_refused_bundle_is_compiled_once_however_often_it_is_looked_at(
    stage: Stage, compiled: list[str]
) -> None:
    async with stage.process() as strategy:
        await activate(stage, 2, *map(dict, BAD.rules))
        for _ in range(5):
            await strategy.config.refresh()
        assert "X-1" in strategy.config.fault
        await activate(stage, 3, *(a_rule(f"X-{number}", {"type": "explode"}) for number in range(100)))
        await strategy.config.refresh()
        assert strategy.config.fault.endswith("; and 80 more")

    assert compiled == ["demo-1", "b2", "b3"]


@pytest.mark.req("S3-CFG-4", "S3-ALR-1")
async def test_an_alert_stands_while_the_active_and_the_loaded_revision_differ(stage: Stage) -> None:
    async with stage.process() as strategy:
        await activate(stage, 2, *map(dict, BAD.rules))
        for _ in range(3):
            await strategy.config.refresh()
        health = await strategy.health()
        stage.clock.ms += 60_000
        await strategy.config.refresh()  # it still stands a minute later
        during = await stage.streamed(ALERTS)
        await activate(stage, 3, *map(dict, BUY.rules))
        await strategy.config.refresh()
        after = await stage.streamed(ALERTS)
        healed = await strategy.health()

    told = [alert["text"] for alert in during if alert["code"] == "CONFIG_REV_DIFFERS"]
    assert len(told) == 2
    assert "active rev 2, loaded rev 1" in told[0]
    assert "X-1" in told[0]
    assert health["checks"]["config"]["status"] == "down"  # type: ignore[index]  # plain JSON
    assert codes(after)[-1] == "CONFIG_REV_DIFFERS_OVER"
    assert healed["checks"]["config"] == {"status": "ok"}  # type: ignore[index]  # plain JSON


@pytest.mark.req("S3-CFG-4")
async def test_redis_that_knows_of_a_newer_revision_is_a_difference_too(stage: Stage) -> None:
    async with stage.process() as strategy:
        await stage.bus.put(CFG_ACTIVE_REV, b"9")
        for _ in range(3):
            await strategy.config.refresh()
        health = await strategy.health()

    (alert,) = await stage.streamed(ALERTS)
    assert (alert["code"], alert["severity"]) == ("CONFIG_REV_DIFFERS", "ERROR")
    assert health["config_rev_active"] == 9
    assert health["checks"]["config"]["since_ms"] == stage.clock.ms  # type: ignore[index]  # plain JSON


@pytest.mark.req("S3-CFG-3")
async def test_ten_thousand_rules_are_compiled_while_the_loop_goes_on(stage: Stage) -> None:
    rules = [a_rule(f"R-{number}", {"type": "size_mult", "value": 1}, applies={"symbols": [f"S{number}"]})
             for number in range(400)]  # fmt: skip
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with stage.process() as strategy:
        content = compiling.Content("many", {"rules": []}, rules)
        other = asyncio.create_task(others())
        made = await strategy.config.compiler.made(content, await strategy.config.names())
        other.cancel()

    assert len(made.bundle.rules) == 400
    assert turns >= 400 // compiling.AT_ONCE


@pytest.mark.req("S3-CFG-3", "I20")
@pytest.mark.parametrize("seed", range(6))
async def test_a_decision_is_of_one_revision_however_the_configuration_moves_meanwhile(seed: int) -> None:
    """Each bundle forbids by its flag what the other one does: half of one and half of the other would be a skip."""
    stage = Stage(S3_CONCURRENT_ENTRIES_PER_MARKET="1000", S3_SYMBOLS="*")
    stage.ledger = MemoryLedger(faults=Slow(seed))
    await stage.show()
    swaps = 0

    async def swap(strategy: Strategy) -> None:
        nonlocal swaps
        for number in range(30):
            await activated(strategy, ("buys", "sells")[number % 2])
            swaps += 1
            if number % 5 == 4:
                by = strategy.bundles.signed("ann", "try")
                await strategy.bundles.begin_trial(("sells", "buys")[number % 2], Decimal("0.5"), None, by)

    async with stage.process() as strategy:
        await create(strategy, BUY, SELL)
        await activated(strategy, "sells")
        swapping = asyncio.create_task(swap(strategy))
        while not swapping.done():
            stage.clock.ms += 1
            await stage.show()
            await stage.plenty()
            await strategy.decide(ask(sideHint=None))
        await swapping
        bundles = {line.rev: line.bundle_id for line in await strategy.config.revisions.history(100)}
        rows = await stage.ledger.find("signals", newest=10_000)

    assert {bundles[int(str(row["config_rev"]))] for row in rows} == {"buys", "sells"}
    assert len({row["config_rev"] for row in rows}) > swaps / 4
    for row in rows:
        rule, side = {"buys": ("B-1", "BUY"), "sells": ("S-1", "SELL")}[bundles[int(str(row["config_rev"]))]]
        assert row["rules_fired"] == [rule]
        assert "FLAG_OFF" not in str(row["reason"])
        assert row["decision"] == "skip" or row["intent"]["side"] == side  # type: ignore[index]  # plain JSON


@pytest.mark.req("DE-2", "S3-CFG-3")
async def test_while_many_rules_are_read_no_collector_walks_over_them_nor_afterwards() -> None:
    """Each walk is a time in which nobody decides; of few rules nothing is kept back."""
    walks: list[int] = []

    def heard(phase: str, told: dict[str, int]) -> None:
        if phase == "start" and told["generation"] == 2:
            walks.append(told["generation"])

    compiler, before, factors = compiling.Compiler(read_settings({})), gc.get_freeze_count(), frozenset({"atr"})
    sizes = (10, compiling.UNCOLLECTED_FROM)
    few, many = ([a_rule(f"R{n}", {"type": "side", "value": "BUY"}) for n in range(size)] for size in sizes)
    gc.callbacks.append(heard)
    try:
        await compiler.made(compiling.Content("few", {}, few), factors)
        assert gc.get_freeze_count() == before
        walks.clear()
        made = await compiler.made(compiling.Content("many", {}, many), factors)
        assert walks == []
        assert gc.get_freeze_count() > before + compiling.UNCOLLECTED_FROM
        with pytest.raises(LintFailed):
            await compiler.made(compiling.Content("wrong", {}, [*many, {"rule_id": "?"}]), factors)
        assert gc.isenabled()
    finally:
        gc.callbacks.remove(heard)
        gc.unfreeze()
    assert len(made.bundle.rules) == compiling.UNCOLLECTED_FROM


IN_A_STEP, IN_A_LOOK = 2, 3  # reads of config_active: its standing and what is shown; where it is by hand, and both


class Reads(NoFaults):
    """Counts them, by collection."""

    def __init__(self) -> None:
        self.of: Counter[str] = Counter()

    async def before(self, operation: str, key: str) -> None:
        self.of[key.partition("/")[0]] += operation == "get"
        await super().before(operation, key)


@pytest.mark.req("S3-CFG-1", "S3-CFG-2")
async def test_a_bundle_that_is_compiled_is_activated_without_its_rules(stage: Stage) -> None:
    async with stage.process() as strategy:
        await create(strategy, BUY, SELL)
        stage.ledger.faults = reads = Reads()
        for bundle_id in ("buys", "sells", "buys"):
            await activated(strategy, bundle_id)
        decided = await strategy.decide(ask(dry_run=True, sideHint=None))

    assert decided.rules_fired == ["B-1"]
    assert reads.of[CONFIG_BUNDLES]
    assert not reads.of[STRATEGY_RULES]


@pytest.mark.req("S3-CFG-1")
async def test_s3_looks_once_at_its_own_word_and_again_at_another_s(stage: Stage) -> None:
    async with stage.process() as strategy:
        await create(strategy, BUY)
        stage.ledger.faults = reads = Reads()
        rev = await activated(strategy, "buys")
        for _ in range(50):
            await asyncio.sleep(0)
        looked = reads.of[CONFIG_ACTIVE]
        assert looked == IN_A_STEP + IN_A_LOOK
        await stage.bus.publish(CFG_EVENTS, "by hand", {"rev": str(rev)})
        await until(lambda: asyncio.sleep(0, reads.of[CONFIG_ACTIVE] > looked))
