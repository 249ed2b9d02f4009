"""From a rule in the document store to the body that S4 reads: market, policy, limits, fees."""

import json
from pathlib import Path
from typing import Any

import pytest
from strategy_world import D, Stage, a_rule, activate, ask, until

from chimera.trading.intent import ExecPolicy, Intent, MakerThenTaker, MarketNow, OrderList, TargetKind
from chimera.trading.market import Market, Side
from chimera.trading.routes import Shape
from chimera.trading.venue import FeeRates
from chimera.wire import bodies, request_json, requests, shape
from chimera.wire.decisions import DecisionAnswer
from chimera.wire.keys import ALERTS, INSTRUMENT_REGISTRY, ORDERS_INTENT
from chimera.wire.registry import read_listed

R023 = Path(__file__).parents[2] / "fixtures" / "rule_r023.json"
BUY, SPOT = {"type": "side", "value": "BUY"}, {"type": "market", "value": "SPOT"}


def by(kind: str, **terms: Any) -> dict[str, Any]:
    return {"type": "exec_policy", "value": {"type": kind, **terms}}


@pytest.fixture
async def stage() -> Stage:
    made = Stage()
    await made.show()
    return made


async def decided(stage: Stage, *rules: dict[str, Any], **wishes: Any) -> DecisionAnswer:
    """By these rules alone, and delivered where it opened."""
    async with stage.process() as strategy:
        await activate(stage, 2, *rules)
        await strategy.config.refresh()
        answer = await strategy.decide(ask(**{"sideHint": None} | wishes))
        if answer.intent is not None and not answer.dry_run:
            await until(lambda: _settled(stage))
    return answer


async def _settled(stage: Stage) -> bool:
    return all(row["delivery"] != "PENDING" for row in await stage.rows())


async def as_s4_reads(stage: Stage, body: Any) -> Intent:
    """By S4's own parser, from bytes."""
    document = request_json.read_object(json.dumps(body).encode())
    shape.fit(document, bodies.OrderIntentBody)
    listed = {
        market: read_listed((await stage.ledger.get(INSTRUMENT_REGISTRY, f"{market}:BTCUSDT")) or {})
        for market in Market
    }
    return requests.order_intent(
        document, instruments=lambda market, symbol: listed[market].instrument, now_ms=stage.clock.now_ms()
    )


SLICED = by("MakerThenTaker", maker_wait_ms=800, twap={"slices": 3, "gap_ms": 600, "curve": "sqrt"})
IN_SLICES = MakerThenTaker(wait_ms=800, slices=3, gap_ms=600, shape=Shape.SQRT)
SIZED = by("MakerThenTaker", maker_wait_ms=0, twap={"slice_usdt": "60.5", "gap_ms": 100})
OF_A_SIZE = MakerThenTaker(wait_ms=0, slice_usdt=D("60.5"), gap_ms=100)  # type: ignore[arg-type]  # a quote amount
WAYS: list[tuple[list[dict[str, Any]], Market, ExecPolicy]] = [
    ([BUY], Market.FUT, MakerThenTaker()),
    ([BUY, by("MARKET")], Market.FUT, MarketNow()),
    ([BUY, SLICED], Market.FUT, IN_SLICES),
    ([BUY, SIZED], Market.FUT, OF_A_SIZE),
    ([BUY, SPOT], Market.SPOT, OrderList()),
    ([BUY, SPOT, by("OCO")], Market.SPOT, OrderList()),
    ([BUY, SPOT, by("MARKET")], Market.SPOT, MarketNow()),
    ([BUY, SPOT, SLICED], Market.SPOT, IN_SLICES),
]


@pytest.mark.req("S3-L1-3", "S3-INT-1", "S3-SLTP-3", "S3-SIZE-2")
@pytest.mark.parametrize(("actions", "market", "policy"), WAYS, ids=[f"{w[1]} {w[0][-1]}" for w in WAYS])
async def test_market_and_policy_of_a_rule_reach_s4_as_they_were_meant(
    stage: Stage, actions: list[dict[str, Any]], market: Market, policy: ExecPolicy
) -> None:
    answer = await decided(stage, a_rule("W", actions))

    (intent,) = stage.router.got
    assert (intent.market, intent.side, intent.policy) == (market, Side.BUY, policy)
    (record,) = await stage.streamed(ORDERS_INTENT)
    for body in (answer.intent, json.loads(record["body"])):
        assert await as_s4_reads(stage, body) == intent
    assert intent.stop is not None
    assert intent.stop.price is not None
    assert intent.target is not None
    assert intent.target.kind is (TargetKind.NET_PROFIT_USDT if market is Market.FUT else TargetKind.PRICE)


@pytest.mark.req("S3-L1-3")
async def test_a_list_on_futures_is_a_skip_that_says_so(stage: Stage) -> None:
    answer = await decided(stage, a_rule("W", [BUY, by("OCO")]))

    assert [reason["code"] for reason in answer.reasons] == ["POLICY_CONFLICT"]
    assert stage.router.got == []


@pytest.mark.req("S3-L1-3", "S3-SIZE-2")
async def test_a_rule_that_moves_the_entry_to_spot_trades_at_spot_s_own_touch(stage: Stage) -> None:
    await stage.show_spot("60000", "60001")

    answer = await decided(stage, a_rule("W", [BUY, SPOT]))

    assert answer.explanation["sizing"]["price"] == "60001"
    assert answer.intent is not None
    assert answer.intent["qty"] == "0.001"  # floor(100 / 60001)
    assert answer.intent["exec_policy"]["sl_price"] == "59701"  # 60001 - 50 bps = 59700.995, up
    assert answer.intent["leverage"] == 1


async def test_a_spot_entry_by_futures_touch_says_so(stage: Stage) -> None:
    """RD-1 names one tick of a symbol; where nobody writes spot's own, that one counts, and somebody hears of it."""
    assert (await decided(stage, a_rule("W", [BUY, SPOT]))).intent is not None
    told = [alert for alert in await stage.streamed(ALERTS) if alert["code"] == "SPOT_BY_FUTURES"]
    assert [(alert["subject"], alert["severity"]) for alert in told] == [("BTCUSDT", "WARN")]


@pytest.mark.parametrize("way", [[BUY], [BUY, SPOT]], ids=["futures", "spot by its own"])
async def test_nothing_is_told_of_a_market_that_has_its_own_touch(stage: Stage, way: list[Any]) -> None:
    if SPOT in way:
        await stage.show_spot("60000", "60001")
    await decided(stage, a_rule("W", way))
    assert "SPOT_BY_FUTURES" not in [alert["code"] for alert in await stage.streamed(ALERTS)]


async def test_a_touch_of_spot_that_cannot_be_read_is_not_made_up_for_by_futures(stage: Stage) -> None:
    await stage.show_spot("NaN", "60001")
    answer = await decided(stage, a_rule("W", [BUY, SPOT]))
    assert [reason["code"] for reason in answer.reasons] == ["MARKET_MISSING"]


async def test_the_gates_of_the_market_that_a_rule_moves_to_are_judged_by_its_touch(stage: Stage) -> None:
    await stage.show_spot("60000", "60100")

    answer = await decided(stage, a_rule("W", [BUY, SPOT]))

    assert (answer.market, [reason["code"] for reason in answer.reasons]) == (Market.SPOT, ["SPREAD"])


@pytest.mark.req("S3-L1-1", "S3-SIZE-1")
async def test_the_requirement_s_rule_decides_from_the_document_store(stage: Stage) -> None:
    """R-023 as it is written there; S3 keeps amounts exact."""
    rule = json.loads(R023.read_text(), parse_float=D)

    answer = await decided(stage, rule, sideHint="BUY")

    assert (answer.decision, answer.rules_fired) == ("open", ["R-023"])
    assert answer.explanation["sizing"]["size_mult"] == "1.2"
    first, second = answer.explanation["rules"][0]["clauses"]
    assert (first["factor"], first["value"], first["limits"], first["margin"]) == (
        "rv_pctile_30d", "0.2", ["0.25"], "0.05",
    )  # fmt: skip
    assert second["path"] == "$.when.allOf[1]"


@pytest.mark.req("S3-L0-2")
@pytest.mark.parametrize(
    ("own", "code"),
    [({}, None), ({"spread_bp_limit": "0.1"}, "SPREAD"), ({"depth_top1_usdt_min": "65801"}, "DEPTH")],
    ids=["as wide as it is", "a narrower spread", "a deeper touch"],
)
async def test_the_registry_s_limits_hold_instead_of_the_environment_s(
    stage: Stage, own: dict[str, str], code: str | None
) -> None:
    async with stage.process() as strategy:
        before = await stage.ledger.get(INSTRUMENT_REGISTRY, "FUT:BTCUSDT")
        await stage.ledger.put(INSTRUMENT_REGISTRY, "FUT:BTCUSDT", {**(before or {}), **own})
        await strategy.config.refresh()
        answer = await strategy.decide(ask(dry_run=True))

    assert [reason["code"] for reason in answer.reasons] == ([] if code is None else [code])
    if code is not None:
        assert answer.reasons[0]["limit"] == next(iter(own.values()))


@pytest.mark.req("S3-SLTP-1", "S3-SLTP-2")
async def test_levels_are_reckoned_with_the_fee_rates_that_s4_publishes(stage: Stage) -> None:
    free = FeeRates(maker=D(0), taker=D(0))
    found = []
    for fees in ({}, {"fees_of": {"BTCUSDT": free}}):
        await stage.budget(**fees)
        answer = await decided(stage, a_rule("W", BUY), dry_run=True)
        found.append(answer.explanation["levels"])

    charged, uncharged = found
    assert D(charged["fees_at_stop"]) > 0
    assert D(uncharged["fees_at_stop"]) == 0
    assert D(uncharged["d_cap"]) > D(charged["d_cap"])
    assert D(uncharged["target_price"]) < D(charged["target_price"])


@pytest.mark.req("S3-L1-5")
async def test_no_rule_that_counts_now_is_a_skip_and_an_alert(stage: Stage) -> None:
    answer = await decided(stage, a_rule("W", BUY, valid_until="2024-01-01T00:00:00Z"))

    assert [reason["code"] for reason in answer.reasons] == ["NO_RULE"]
    assert "NO_USABLE_RULE" in [alert["code"] for alert in await stage.streamed("alerts")]
