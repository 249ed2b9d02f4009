"""What each setting of S3's decides, by the decision that it changes: one is set, and one figure is another."""

from collections.abc import Mapping
from typing import Any

import pytest
from strategy_world import Stage, a_rule, activate, ask

from chimera.services.strategy.demo import register_instruments
from chimera.trading.decision import Code
from chimera.trading.market import Market
from chimera.wire.keys import risk_budget_key
from chimera.wire.registry import Listed, read_listed

pytestmark = pytest.mark.req("CONF-1")

FIGURES = {"size_mult": "qty", "sl_mult": "sl.price", "tp_mult": "tp.value"}
ETH = {"symbol": "ETHUSDT", "market": "FUT", "tickSize": "0.01", "stepSize": "0.001", "minNotional": "5"}


async def decided(environ: Mapping[str, str], **wishes: Any) -> dict[str, Any]:
    """As a caller is told it; ETHUSDT has no limits of its own."""
    stage = Stage(S3_SYMBOLS="BTCUSDT,ETHUSDT", **environ)
    await register_instruments(stage.ledger, [Listed(instrument=read_listed(ETH).instrument)])
    await stage.show()
    await stage.show_spot("65790.00", "65790.01")
    await stage.show_symbol("ETHUSDT", "3150.20", "3150.30", "4", "90")
    await stage.plenty()
    async with stage.process() as strategy:
        return (await strategy.decide(ask(dry_run=True, **wishes))).model_dump(mode="json")


@pytest.mark.parametrize(
    ("setting", "value", "names", "before", "after"),
    [
        ("S3_LEVERAGE_DEFAULT", "10", "leverage", 20, 10),
        ("S3_MARGIN_BASE_USDT", "40", "qty", "0.007", "0.015"),
        ("S3_MAX_LOSS_USDT", "0.6", "sl.price", "65711", "65782"),
        ("S3_ATR_MULT", "0.5", "sl.price", "65711", "65771"),
        ("S3_TP_ROE", "0.2", "tp.value", "2.4", "4.8"),
        ("S3_MAX_HOLD_S", "7", "max_hold_s", 60, 7),
        ("S3_INTENT_VALID_MS", "1000", "valid_until_ms", 1763000015000, 1763000001000),
        ("S3_STRATEGY_ID", "zz", "strategy_id", "s3", "zz"),
    ],
)
async def test_of_a_futures_entry(setting: str, value: str, names: str, before: Any, after: Any) -> None:
    usual, changed = (await decided({})), (await decided({setting: value}))
    assert (_named(usual["intent"], names), _named(changed["intent"], names)) == (before, after)


@pytest.mark.parametrize(
    ("setting", "value", "names", "before", "after"),
    [
        ("S3_SPOT_QUOTE_BUDGET_USDT", "200", "qty", "0.001", "0.003"),
        ("S3_SPOT_SL_BPS", "100", "exec_policy.sl_price", "65462", "65133"),
        ("S3_SPOT_TP_BPS", "150", "exec_policy.tp_price", "66350", "66844"),
    ],
)
async def test_of_a_spot_entry(setting: str, value: str, names: str, before: Any, after: Any) -> None:
    usual, changed = (await decided({}, market=Market.SPOT)), (await decided({setting: value}, market=Market.SPOT))
    assert (_named(usual["intent"], names), _named(changed["intent"], names)) == (before, after)


@pytest.mark.parametrize(
    ("setting", "value", "code"),
    [
        ("S3_MAX_FUNDING_ABS", "0.00001", Code.FUNDING),
        ("S3_SPREAD_BP_LIMIT_DEFAULT", "0.1", Code.SPREAD),
        ("S3_DEPTH_TOP1_USDT_MIN_DEFAULT", "1000000", Code.DEPTH),
        ("S3_CONCURRENT_ENTRIES_PER_MARKET", "0", Code.CONCURRENT_ENTRIES),
        ("S3_MAX_LOSS_USDT", "2000000000", Code.BUDGET_LOSS),
    ],
)
async def test_of_a_gate(setting: str, value: str, code: Code) -> None:
    assert (await decided({}, symbol="ETHUSDT"))["decision"] == "open"
    reasons = (await decided({setting: value}, symbol="ETHUSDT"))["reasons"]
    assert code in {reason["code"] for reason in reasons}


@pytest.mark.parametrize(
    ("setting", "value", "action", "before", "after"),
    [
        ("S3_SIZE_MULT_MAX", "1", {"type": "size_mult", "value": "8"}, "0.012", "0.006"),
        ("S3_SIZE_MULT_MIN", "0.5", {"type": "size_mult", "value": "0.01"}, "0.002", "0.003"),
        ("S3_SL_MULT_MAX", "2", {"type": "sl_mult", "value": "9"}, "65441", "65621"),
        ("S3_SL_MULT_MIN", "0.5", {"type": "sl_mult", "value": "0.01"}, "65779", "65756"),
        ("S3_TP_MULT_MAX", "2", {"type": "tp_mult", "value": "20"}, "20", "4"),
    ],
)
async def test_of_what_rules_may_ask_for_where_their_bundle_has_no_bounds(
    setting: str, value: str, action: dict[str, str], before: str, after: str
) -> None:
    told = []
    for environ in ({}, {setting: value}):
        stage = Stage(S3_MAX_LOSS_USDT="20", **environ)
        await stage.show()
        async with stage.process() as strategy:
            await activate(stage, 7, a_rule("ALL", action))
            await strategy.config.refresh()
            intent = (await strategy.decide(ask(dry_run=True))).model_dump(mode="json")["intent"]
            told.append(_named(intent, FIGURES[action["type"]]))
    assert told == [before, after]


async def test_of_whose_account_it_is() -> None:
    """The budget is that account's, and so is what is opened."""
    stage = Stage(S3_ACCOUNT_ID="second")
    await stage.show()
    await stage.plenty()  # of the usual account
    async with stage.process() as strategy:
        before = await strategy.decide(ask(dry_run=True))
        document = await stage.bus.get(risk_budget_key("main"))
        assert document is not None
        await stage.bus.put(risk_budget_key("second"), document)
        after = await strategy.decide(ask(dry_run=True))

    assert Code.BUDGET_MISSING in {reason["code"] for reason in before.model_dump(mode="json")["reasons"]}
    told = after.model_dump(mode="json")
    assert (told["decision"], told["intent"]["account_id"]) == ("open", "second")


async def test_the_active_revision_is_looked_for_as_often_as_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    stage, waits = Stage(S3_CONFIG_POLL_SEC="7"), []
    tail = stage.bus.tail

    async def asked(stream: str, **how: Any) -> Any:
        waits.append((stream, how["block_ms"]))
        return await tail(stream, **how)

    monkeypatch.setattr(stage.bus, "tail", asked)
    await stage.show()
    async with stage.process():
        pass
    assert ("cfg:events", 7_000) in waits


def _named(intent: Mapping[str, Any], names: str) -> Any:
    found: Any = intent
    for name in names.split("."):
        found = found[name]
    return found
