"""ACC-1: a thousand decisions in all weathers, one revision after the other. What they take is DE-2's to measure."""

import random
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from strategy_world import FEATURES, D, Stage, a_rule, activate, ask

from chimera.trading.decision import Code
from chimera.trading.ids import DEFAULT_ACCOUNT
from chimera.trading.money import Quote
from chimera.wire.keys import ORDERS_INTENT, position_lock_key, risk_budget_key, tick_key

DECISIONS = 1_000
EACH_REVISION = 40
FAIR = "fair"

Weather = Callable[[Stage], Awaitable[object]]


def touch(**changes: Any) -> Weather:
    return lambda stage: stage.show(**changes)


def factor(name: str, value: str, age_ms: int = 0) -> Weather:
    told = {each: (known, 0) for each, known in FEATURES.items()} | {name: (value, age_ms)}
    return lambda stage: stage.features(**told)


def without(name: str) -> Weather:
    told = {each: (known, 0) for each, known in FEATURES.items() if each != name}
    return lambda stage: stage.features(**told)


def budget(loss: str = "50", **changes: Any) -> Weather:
    return lambda stage: stage.budget(loss, **changes)


def gone(key: str) -> Weather:
    async def blow(stage: Stage) -> None:
        await stage.bus.put(key, b"{}", ttl_ms=1)
        stage.clock.ms += 1

    return blow


def held_elsewhere(stage: Stage) -> Awaitable[bool]:
    return stage.bus.acquire(position_lock_key("BTCUSDT"), "another", 3_000)


async def late(stage: Stage) -> None:
    """Everything is told again but the touch."""
    stage.clock.ms += 2_001
    await factor("atr", "60")(stage)
    await stage.budget()


async def forgotten(stage: Stage) -> None:
    """Everything is told again but the budget."""
    tick = await stage.bus.get(risk_budget_key(DEFAULT_ACCOUNT))
    assert tick is not None
    stage.clock.ms += 5_001
    await stage.show()
    await stage.bus.put(risk_budget_key(DEFAULT_ACCOUNT), tick)


WEATHERS: dict[str, Weather] = {
    FAIR: touch(),
    Code.SPREAD: touch(ask=D(65_900), spread_bps=D("15.2")),
    Code.DEPTH: touch(ask_qty=D("0.001")),
    Code.MARKET_CROSSED: touch(bid=D(65_802)),
    Code.MARKET_MISSING: gone(tick_key("BTCUSDT")),
    Code.MARKET_STALE: late,
    Code.FUNDING: factor("funding_next_abs", "0.01"),
    Code.FEATURE_MISSING: without("atr"),
    Code.FEATURE_STALE: factor("atr", "60", 60_001),
    Code.FEATURE_INVALID: factor("atr", "NaN"),
    Code.BUDGET_MISSING: gone(risk_budget_key(DEFAULT_ACCOUNT)),
    Code.BUDGET_STALE: forgotten,
    Code.BUDGET_LOSS: budget("0.01"),
    Code.BUDGET_MARGIN: budget(remaining_margin_usdt=Quote(D(1))),
    Code.BUDGET_NOTIONAL: budget(remaining_notional_usdt=Quote(D(1))),
    Code.CONCURRENT_ENTRIES: budget(open_symbols=("BTCUSDT",)),
    Code.LOCKED: held_elsewhere,
}


@pytest.mark.slow
@pytest.mark.req("ACC-1", "S3-L0-3", "S3-PER-2", "S3-CFG-3")
async def test_each_has_its_revision_each_gate_its_turn_and_each_intent_goes_once_by_both_tracks() -> None:
    stage, rng = Stage(), random.Random(1)
    met: Counter[str] = Counter()
    revisions: dict[str, int] = {}
    await stage.show()
    async with stage.process() as strategy:
        for number in range(DECISIONS):
            if number % EACH_REVISION == 0:
                rev = 2 + number // EACH_REVISION
                await activate(stage, rev, a_rule("A", {"type": "size_mult", "value": 1}))
                await strategy.config.refresh()
            name = rng.choice([*WEATHERS, FAIR])
            await stage.show()
            await WEATHERS[name](stage)
            answer = await strategy.decide(ask())
            codes = {reason["code"] for reason in answer.reasons}
            assert answer.config_rev == rev
            assert (answer.decision, name in codes or name == FAIR) == ("open" if name == FAIR else "skip", True), codes
            met[name] += 1
            revisions[str(answer.signal_id)] = rev
            if name == Code.LOCKED:
                await stage.bus.release(position_lock_key("BTCUSDT"), "another")
            if name == FAIR:
                await stage.settle(strategy)

    rows = await stage.ledger.find("signals", newest=DECISIONS)
    assert {str(row["signal_id"]): row["config_rev"] for row in rows} == revisions
    assert min(met[name] for name in WEATHERS) >= 20
    opened = [str(row["intent_id"]) for row in rows if row["decision"] == "open"]
    by_stream = [record["intent_id"] for record in await stage.streamed(ORDERS_INTENT)]
    assert sorted(opened) == sorted(by_stream) == sorted(intent.intent_id for intent in stage.router.got)
    assert len(opened) == met[FAIR]
