"""I21 at S3's side: what cannot be a market is a skip with its reason, and nothing goes to the router."""

import asyncio
import json
from typing import Any

import pytest
from strategy_world import START, D, HandClock, Stage, ask, until

from chimera.trading.ids import DEFAULT_ACCOUNT
from chimera.trading.money import Millis, Price, Qty, Quote
from chimera.wire.keys import ALERTS, features_key, risk_budget_key, tick_key


@pytest.mark.req("I21", "S3-FEAT-1")
@pytest.mark.fault("C10", "C12")
@pytest.mark.parametrize(
    ("shown", "reason"),
    [
        ({"bid": Price(D(65_900))}, "MARKET_CROSSED"),
        ({"bid": Price(D(65_801))}, "MARKET_CROSSED"),
        ({"bid": Price(D("NaN"))}, "MARKET_MISSING"),
        ({"ask": Price(D("Infinity"))}, "MARKET_MISSING"),
        ({"bid_qty": Qty(D("sNaN"))}, "MARKET_MISSING"),
        ({"ask_qty": Qty(D("1E+999999999"))}, "MARKET_MISSING"),
        ({"bid": Price(D(0))}, "MARKET_MISSING"),
        ({"ask_qty": Qty(D(-1))}, "MARKET_MISSING"),
        ({"bid_qty": Qty(D(0))}, "DEPTH"),
        ({"at_ms": START - 2_001}, "MARKET_STALE"),
        ({"at_ms": START + 2_001}, "MARKET_STALE"),
    ],
    ids=[
        "crossed",
        "locked",
        "no number",
        "endless",
        "a trap",
        "a gigabyte of digits",
        "zero",
        "negative size",
        "empty",
        "old",
        "of the future",
    ],
)
async def test_a_market_that_cannot_be_is_a_skip_and_reaches_nobody(shown: dict[str, Any], reason: str) -> None:
    stage = Stage()
    await stage.show(**shown)
    async with stage.process() as strategy:
        answer = await strategy.decide(ask())

    assert answer.decision == "skip"
    assert [each["code"] for each in answer.reasons] == [reason]
    assert stage.router.got == []


@pytest.mark.req("I21", "S3-FEAT-1", "S3-L1-5")
@pytest.mark.parametrize("wrong", ["NaN", "sNaN", "-Infinity", "1E+999999999", "1E-999999999"])
async def test_a_factor_on_the_board_that_is_no_number_is_named_told_and_stored(wrong: str) -> None:
    """The fixture rule needs it; the factors beside it are as good as ever."""
    stage = Stage()
    await stage.show()
    await stage.features(
        atr=("60", 0),
        funding_next_abs=("0.0001", 0),
        rv_pctile_30d=(wrong, 0),
        unneeded=("NaN", 0),
        funding_rate=("0.0001", 0),
    )
    async with stage.process() as strategy:
        answer = await strategy.decide(ask())

    assert [(each["code"], each["name"]) for each in answer.reasons] == [
        ("FEATURE_INVALID", "rv_pctile_30d"),
        ("FEATURE_MISSING", "rho_usdttwd_14"),
    ]
    assert {alert["code"] for alert in await stage.streamed(ALERTS)} == {"FEATURE_INVALID", "FEATURE_MISSING"}
    [row] = await stage.rows()
    assert row["features"]["rv_pctile_30d"]["value"] == "NaN"  # type: ignore[index]
    assert stage.router.got == []

    await stage.bus.put(features_key("BTCUSDT"), b"", ttl_ms=0)
    async with stage.process(seed=2) as strategy:  # the newest signal's features, which are the same
        answer = await strategy.decide(ask())
    assert [each["code"] for each in answer.reasons] == ["FEATURE_INVALID", "FEATURE_MISSING"]


@pytest.mark.req("I21", "S3-FEAT-1")
@pytest.mark.parametrize(
    ("name", "decision", "reason"),
    [("unneeded", "open", []), ("rho_usdttwd_14", "skip", ["FEATURE_INVALID"])],
)
@pytest.mark.parametrize("wrong", [b'"oops"', b'{"value": [], "at_ms": 1}', b'{"value": "1"}'])
async def test_a_damaged_factor_is_lost_alone_and_told_whatever_is_decided(
    wrong: bytes, name: str, decision: str, reason: list[str]
) -> None:
    """It took all the others with it, and an entry by the newest signal's factors instead said nothing of it."""
    stage = Stage()
    await stage.show()
    key = features_key("BTCUSDT")
    board = json.loads(await stage.bus.get(key) or b"")
    board["features"][name] = "HERE"
    await stage.bus.put(key, json.dumps(board).encode().replace(b'"HERE"', wrong))
    async with stage.process() as strategy:
        answer = await strategy.decide(ask())

    assert (answer.decision, [each["code"] for each in answer.reasons]) == (decision, reason)
    bad = [alert for alert in await stage.streamed(ALERTS) if alert["code"] == "BAD_DOCUMENT"]
    assert [alert["text"].startswith(f"{key}: {name} cannot be read") for alert in bad] == [True]


@pytest.mark.req("I21", "S3-L0-3")
@pytest.mark.parametrize("part", ["remaining_margin_usdt", "remaining_notional_usdt"])
async def test_a_budget_that_is_no_number_is_no_budget(part: str) -> None:
    stage = Stage()
    await stage.show()
    await stage.budget(**{part: Quote(D("NaN"))})
    async with stage.process() as strategy:
        answer = await strategy.decide(ask())

    assert [each["code"] for each in answer.reasons] == ["BUDGET_MISSING"]
    assert [alert["code"] for alert in await stage.streamed(ALERTS)] == ["BAD_DOCUMENT"]


@pytest.mark.req("I21", "S3-FEAT-1", "S3-L0-3")
@pytest.mark.parametrize(
    ("key", "reasons"),
    [
        (tick_key("BTCUSDT"), {"MARKET_MISSING"}),
        (features_key("BTCUSDT"), {"FEATURE_MISSING"}),
        (risk_budget_key(DEFAULT_ACCOUNT), {"BUDGET_MISSING"}),
    ],
)
async def test_what_is_of_another_symbol_or_account_than_its_key_is_not_there(key: str, reasons: set[str]) -> None:
    stage = Stage()
    await stage.show()
    there = await stage.bus.get(key)
    assert there is not None
    other = there.replace(b'"BTCUSDT"', b'"ETHUSDT"').replace(f'"{DEFAULT_ACCOUNT}"'.encode(), b'"another"')
    assert other != there
    await stage.bus.put(key, other)
    async with stage.process() as strategy:
        answer = await strategy.decide(ask())

    assert {each["code"] for each in answer.reasons} == reasons
    assert "BAD_DOCUMENT" in {alert["code"] for alert in await stage.streamed(ALERTS)}
    assert stage.router.got == []


class SteppingClock(HandClock):
    """The wall's hand may be turned; the other goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.step_ms = 0

    def now_ms(self) -> Millis:
        return Millis(self.ms + self.step_ms)


@pytest.mark.req("I21", "I29")
@pytest.mark.fault("C12")
@pytest.mark.parametrize("step_ms", [3_600_000, -3_600_000, 5_000, -5_000])
async def test_a_step_of_the_wall_makes_nothing_old_and_nothing_fresh(step_ms: int) -> None:
    """Stamps of market and router go on as they were; so does S3, which tells an old touch from a fresh one."""
    stage = Stage()
    stage.clock = clock = SteppingClock()
    await stage.show()
    async with stage.process() as strategy:
        clock.step_ms = step_ms
        assert (await strategy.decide(ask(dry_run=True))).decision == "open"
        clock.ms += 2_001
        stale = await strategy.decide(ask(dry_run=True))
        clock.step_ms = -step_ms
        assert (await strategy.decide(ask(dry_run=True))).reason == stale.reason
        clock.step_ms = 0
        await stage.show()
        clock.step_ms = step_ms
        answer = await strategy.decide(ask())
        await until(lambda: asyncio.sleep(0, bool(stage.router.got)))

    assert "touch.age_ms 2001 is not <= 2000" in stale.reason
    assert answer.decision == "open"
    assert stage.router.got[0].created_ms == clock.ms
    assert stage.router.got[0].valid_until_ms == clock.ms + 15_000
