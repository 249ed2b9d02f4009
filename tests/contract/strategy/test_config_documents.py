"""Configuration documents as others may write them: what cannot be read never loosens a limit and never ends S3."""

from typing import Any

import pytest
from strategy_world import Stage, a_rule, activate, ask

from chimera.services.strategy.bundles import Offered
from chimera.services.strategy.revisions import ACTIVE
from chimera.trading.errors import Refused
from chimera.wire.keys import (
    ALERTS,
    CONFIG_ACTIVE,
    CONFIG_BUNDLES,
    FACTOR_REGISTRY,
    INSTRUMENT_REGISTRY,
    STRATEGY_RULES,
)

BUY = a_rule("B-1", {"type": "side", "value": "BUY"})
HEAD = {"bundle_id": "b7", "rules": ["B-1"]}
SEVEN = {"rev": 7, "bundle_id": "b7"}
LISTED = {"symbol": "BTCUSDT", "tickSize": "0.1", "stepSize": "0.001"}
TRIAL = {"rev": 7, "bundle_id": "b7"}


@pytest.fixture
async def stage() -> Stage:
    made = Stage()
    await made.show()
    return made


async def refused_codes(stage: Stage) -> set[str]:
    return {alert["code"] for alert in await stage.streamed(ALERTS)}


@pytest.mark.parametrize(
    ("collection", "key", "document"),
    [
        (CONFIG_BUNDLES, "b7", HEAD | {"flag": {"entries": False}}),
        (CONFIG_BUNDLES, "b7", HEAD | {"Bounds": {}}),
        (CONFIG_BUNDLES, "b7", HEAD | {"bounds": [1]}),
        (CONFIG_BUNDLES, "b7", HEAD | {"bounds": {"size_mult": {"low": "NaN", "high": 1}}}),
        (CONFIG_ACTIVE, ACTIVE, SEVEN | {"schema_version": "x"}),
        (CONFIG_ACTIVE, ACTIVE, SEVEN | {"schema_version": None}),
        (CONFIG_ACTIVE, ACTIVE, SEVEN | {"trial": TRIAL | {"share": "NaN"}}),
        (CONFIG_ACTIVE, ACTIVE, SEVEN | {"trial": TRIAL | {"share": "7"}}),
        (CONFIG_ACTIVE, ACTIVE, SEVEN | {"digest": "of something else"}),
        (FACTOR_REGISTRY, "atr", {"f": "atr", "max_age_ms": "half a second"}),
        (FACTOR_REGISTRY, "atr", {"f": "atr", "max_age_ms": True}),
        (FACTOR_REGISTRY, "atr", {"f": "atr", "max_age_ms": -1}),
        (INSTRUMENT_REGISTRY, "FUT:BTCUSDT", LISTED | {"tickSize": "1E-999999"}),
        (INSTRUMENT_REGISTRY, "FUT:BTCUSDT", LISTED | {"base": 7}),
        (INSTRUMENT_REGISTRY, "FUT:BTCUSDT", LISTED | {"quote": 7}),
    ],
    ids=str,
)
@pytest.mark.req("S3-CFG-2")
async def test_what_cannot_be_read_leaves_what_is_loaded_and_is_told(
    stage: Stage, collection: str, key: str, document: Any
) -> None:
    async with stage.process() as strategy:
        await activate(stage, 7, BUY)
        await stage.ledger.put(collection, key, document)
        await strategy.config.refresh()
        answer = await strategy.decide(ask(dry_run=True))

    assert (answer.decision, answer.config_rev) == ("open", 1)
    assert "CONFIG_REFUSED" in await refused_codes(stage)


@pytest.mark.req("S3-CFG-2")
async def test_whatever_breaks_while_it_is_read_does_not_end_the_strategy(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage.process() as strategy:

        async def broken() -> Any:
            raise AttributeError("a document of a shape that nobody thought of")

        monkeypatch.setattr(strategy.config.revisions, "look", broken)
        await strategy.config.refresh()
        answer = await strategy.decide(ask(dry_run=True))

    assert (answer.decision, answer.config_rev) == ("open", 1)
    assert "AttributeError" in strategy.config.fault
    assert "CONFIG_REFUSED" in await refused_codes(stage)


@pytest.mark.parametrize("age", [500, "500"])
@pytest.mark.req("S3-FEAT-1")
async def test_a_factor_s_own_age_holds_as_a_number_and_as_its_text(stage: Stage, age: Any) -> None:
    async with stage.process() as strategy:
        await stage.ledger.put(FACTOR_REGISTRY, "atr", {"f": "atr", "max_age_ms": age})
        await strategy.config.refresh()
        stage.clock.ms += 501
        answer = await strategy.decide(ask(dry_run=True))

    assert [(reason["code"], reason["name"]) for reason in answer.reasons] == [("FEATURE_STALE", "atr")]


@pytest.mark.req("S3-CFG-2", "S3-CFG-4")
async def test_another_content_under_the_name_that_is_active_does_not_decide_and_does_not_come_back(
    stage: Stage,
) -> None:
    async with stage.process() as strategy:
        by = strategy.bundles.signed("ann", "a test")
        for name in ("one", "two"):
            await strategy.bundles.create(Offered(name, [BUY]), by)
        first = await strategy.bundles.activate("one", by)
        sold = [a_rule("B-1", {"type": "side", "value": "SELL"})]
        await stage.ledger.put(STRATEGY_RULES, "one:B-1", sold[0])
        content, _ = await strategy.bundles._content(Offered("one", sold))
        await stage.ledger.put(CONFIG_BUNDLES, "one", dict(content.head))
        await strategy.config.refresh()
        side = (await strategy.decide(ask(dry_run=True, sideHint=None))).intent
        fault = strategy.config.fault
        await strategy.bundles.activate("two", by)
        with pytest.raises(Refused) as no:
            await strategy.bundles.roll_back(by, first.rev)

    assert side is not None
    assert side["side"] == "BUY"
    assert "is not what was made active" in fault
    assert no.value.code == "BUNDLE_REFUSED"
