"""Builders: a case that opens, to be changed in one place per test."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from chimera.decide.decision import Case, Policy, Terms
from chimera.decide.features import Ages, Features
from chimera.decide.gates import GateLimits
from chimera.decide.rules.bundle import Bound, Bounds, Bundle, compile_bundle
from chimera.decide.score import DEFAULT_P, DEFAULT_SIZE_MULT
from chimera.decide.sizing import SizePolicy
from chimera.decide.sltp import LevelPolicy
from chimera.trading.budget import MarketBudget, RiskBudget
from chimera.trading.decision import Feature, Score
from chimera.trading.ids import DEFAULT_ACCOUNT, Symbol
from chimera.trading.market import Market, Side, Touch
from chimera.trading.money import Millis, Price, Qty, Quote
from chimera.trading.venue import FeeRates
from chimera.wire.registry import read_listed

FIXTURES = Path(__file__).parents[2] / "fixtures"
NOW = Millis(1_763_000_000_000)
BTC = Symbol("BTCUSDT")
FACTORS = ("rv_pctile_30d", "rho_usdttwd_14", "spread_bps", "depth_top1_usdt", "side_hint", "x", "y")
D = Decimal


def fixture(name: str) -> Any:
    return json.loads((FIXTURES / name).read_text(), parse_float=Decimal)


def bounds(low: str = "0.5", high: str = "1.5") -> Bounds:
    return Bounds(
        size_mult=Bound(low=D(low), high=D(high)),
        sl_mult=Bound(low=D("0.5"), high=D(2)),
        tp_mult=Bound(low=D(1), high=D(3)),
    )


def a_rule(rule_id: str, when: Any = None, action: Any = None, **other: Any) -> dict[str, Any]:
    always = {"f": "x", "op": ">=", "v": 0}
    return {
        "rule_id": rule_id,
        "priority": 50,
        "applies": {"symbols": ["*"]},
        "when": when or always,
        "action": action or {"type": "size_mult", "value": 1},
        "status": "ENABLED",
    } | other


def a_bundle(*rules: dict[str, Any], rev: int = 7) -> Bundle:
    documents = rules or (fixture("rule_r023.json"),)
    return compile_bundle(documents, bundle_id="b", rev=rev, bounds=bounds(), factors=FACTORS)


def some_features(**changes: Any) -> Features:
    values = {
        "atr": D(60),
        "funding_next_abs": D("0.0001"),
        "rv_pctile_30d": D("0.2"),
        "rho_usdttwd_14": D("-0.4"),
        "x": D(1),
        "y": D(1),
    } | {name: D(str(value)) for name, value in changes.items()}
    return Features(
        values={name: Feature(value=value, at_ms=NOW) for name, value in values.items()},
        ages=Ages(default_ms=Millis(60_000)),
        now_ms=NOW,
    )


def a_touch(bid: str = "65800", ask: str = "65801", qty: str = "1") -> Touch:
    return Touch(bid=Price(D(bid)), bid_qty=Qty(D(qty)), ask=Price(D(ask)), ask_qty=Qty(D(qty)), at_ms=NOW)


def a_share(**changes: Any) -> MarketBudget:
    return MarketBudget(
        fees=FeeRates(maker=D("0.0002"), taker=D("0.0005")),
        remaining_margin_usdt=Quote(D(1000)),
        remaining_notional_usdt=Quote(D(20_000)),
    ).but(**changes)


def a_budget(**changes: Any) -> RiskBudget:
    both = dict.fromkeys(Market, a_share())
    return RiskBudget(account_id=DEFAULT_ACCOUNT, at_ms=NOW, remaining_loss_usdt=Quote(D(50)), markets=both).but(
        **changes
    )


def some_limits(**changes: Any) -> GateLimits:
    return GateLimits(
        max_funding_abs=D("0.0005"),
        spread_bp_limit=D(3),
        depth_top1_usdt_min=D(200),
        concurrent_entries=1,
        budget_max_age_ms=Millis(5_000),
    ).but(**changes)


def a_policy(**levels: Any) -> Policy:
    return Policy(
        sizes=SizePolicy(margin_base_usdt=D(20), leverage=20, spot_quote_budget_usdt=D(200)),
        levels=LevelPolicy(
            max_loss_usdt=D("1.2"), atr_mult=D("1.5"), roe=D("0.1"), spot_stop_bps=D(40), spot_target_bps=D(75)
        ).but(**levels),
        touch_max_age_ms=Millis(2_000),
    )


def a_case(**changes: Any) -> Case:
    """``touch`` is that of both markets, ``touches`` each one's."""
    touch = changes.pop("touch", a_touch())
    rules = read_listed(fixture("instrument_btcusdt.json") | {"base": "BTC"}).instrument
    terms = {market: Terms(instrument=rules.but(market=market), gates=some_limits()) for market in Market}
    return Case(
        symbol=BTC,
        asked_market=None,
        side_hint=Side.BUY,
        features=some_features(),
        touches={} if touch is None else dict.fromkeys(Market, touch),
        terms=terms,
        policy=a_policy(),
        budget=a_budget(),
        reserved=(),
        score=Score(p=DEFAULT_P, size_mult_ml=DEFAULT_SIZE_MULT, source="constant"),
    ).but(**changes)
