"""L0: each gate alone, and all of them reported."""

from typing import Any

import pytest
from decide_cases import BTC, NOW, D, a_budget, a_bundle, a_case, a_share, a_touch, some_features
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera.decide.decision import Trail, decide
from chimera.decide.gates import failed
from chimera.trading.budget import Reserve
from chimera.trading.decision import Code, Open, Skip
from chimera.trading.ids import IntentId
from chimera.trading.market import Market
from chimera.trading.money import Quote


def fut(**changes: Any) -> Any:
    return a_budget(markets={Market.FUT: a_share(**changes)})


def a_reserve(intent_id: str = "i-1") -> Reserve:
    return Reserve(
        intent_id=IntentId(intent_id),
        market=Market.FUT,
        symbol=BTC,
        margin_usdt=Quote(D(20)),
        notional_usdt=Quote(D(400)),
        loss_usdt=Quote(D("1.2")),
    )


CASES = {
    "funding": ({"features": some_features(funding_next_abs="0.0006")}, Code.FUNDING, "-0.0001"),
    "funding with its sign": ({"features": some_features(funding_next_abs="-0.01")}, Code.FUNDING, "-0.0095"),
    "spread": ({"touch": a_touch("65780", "65802")}, Code.SPREAD, None),
    "depth": ({"touch": a_touch(qty="0.003")}, Code.DEPTH, "-2.6"),
    "no budget": ({"budget": None}, Code.BUDGET_MISSING, None),
    "no budget for the market": ({"budget": a_budget(markets={Market.SPOT: a_share()})}, Code.BUDGET_MISSING, None),
    "old budget": ({"budget": a_budget(at_ms=NOW - 5_001)}, Code.BUDGET_STALE, "-1"),
    "loss": ({"budget": a_budget(remaining_loss_usdt=D(1))}, Code.BUDGET_LOSS, "-0.2"),
    "margin": ({"budget": fut(remaining_margin_usdt=D(19))}, Code.BUDGET_MARGIN, "-1"),
    "notional": ({"budget": fut(remaining_notional_usdt=D(399))}, Code.BUDGET_NOTIONAL, "-1"),
    "open position": ({"budget": fut(open_symbols=(BTC,))}, Code.CONCURRENT_ENTRIES, "-1"),
    "in flight": ({"budget": fut(inflight={"i": BTC})}, Code.CONCURRENT_ENTRIES, "-1"),
    "our own": ({"reserved": (a_reserve(),)}, Code.CONCURRENT_ENTRIES, "-1"),
    "no touch": ({"touch": None}, Code.MARKET_MISSING, None),
    "old touch": ({"touch": a_touch().but(at_ms=NOW - 2_001)}, Code.MARKET_STALE, "-1"),
    "not listed": ({"terms": {}}, Code.NOT_LISTED, None),
}


@pytest.mark.req("S3-SIZE-1")
@pytest.mark.parametrize(("market", "quote"), [(Market.FUT, "BTC"), (Market.SPOT, "ETH"), (Market.SPOT, "")])
def test_what_is_not_paid_in_dollars_is_not_sized_in_them(market: Market, quote: str) -> None:
    """100 to spend at a price of 0.05 is 2,000 ETH where the price is in BTC."""
    case = a_case(asked_market=market)
    instrument = case.terms[market].instrument.but(quote=quote)
    skip = decide(a_bundle(), case.but(terms={market: case.terms[market].but(instrument=instrument)}))

    assert isinstance(skip, Skip)
    assert [(reason.code, reason.name) for reason in skip.reasons] == [(Code.NOT_LISTED, "quote")]


@pytest.mark.req("S3-L0-2")
def test_a_quotient_is_told_as_a_reader_reads_it_and_kept_as_it_is() -> None:
    """And a difference that rounding would hide is told whole."""
    skip = decide(a_bundle(), a_case(touch=a_touch("65780", "65802")))
    assert isinstance(skip, Skip)
    (spread,) = skip.reasons
    assert spread.text == "spread_bps 3.34392242 is not <= 3: off by 0.34392242"
    assert str(spread.value).startswith("3.34392242099")

    close = decide(a_bundle(), a_case(budget=fut(remaining_margin_usdt=D("19.999999999"))))
    assert "20 is not" not in close.reason
    assert "19.999999999 is not >= 20: off by 0.000000001" in close.reason


@pytest.mark.req("S3-L0-1", "S3-L0-2", "S3-L0-3")
@pytest.mark.parametrize("name", CASES)
def test_each_gate_skips_and_says_by_how_much(name: str) -> None:
    changes, code, margin = CASES[name]

    decision = decide(a_bundle(), a_case(**changes))

    assert isinstance(decision, Skip)
    assert [reason.code for reason in decision.reasons] == [code]
    assert not decision.reasons[0].passed
    if margin is not None:
        assert decision.reasons[0].margin == D(margin)


@pytest.mark.parametrize("changes", [{}, {"touch": a_touch("65800", "65819.74")}])
def test_at_the_limit_the_gate_is_open(changes: Any) -> None:
    features = some_features(funding_next_abs="0.0005")

    assert isinstance(decide(a_bundle(), a_case(features=features, **changes)), Open)


@pytest.mark.req("S3-L0-4")
@pytest.mark.incident(28)
def test_every_failed_gate_is_reported_with_its_numbers() -> None:
    case = a_case(
        features=some_features(funding_next_abs="0.001"),
        touch=a_touch("65000", "66000", "0.001"),
        budget=fut(remaining_margin_usdt=D(0), open_symbols=(BTC,)),
    )

    decision = decide(a_bundle(), case)

    assert isinstance(decision, Skip)
    found = {reason.code: reason for reason in decision.reasons}
    assert set(found) == {Code.FUNDING, Code.SPREAD, Code.DEPTH, Code.BUDGET_MARGIN, Code.CONCURRENT_ENTRIES}
    assert (found[Code.FUNDING].value, found[Code.FUNDING].op, found[Code.FUNDING].limit) == (
        D("0.001"), "<=", D("0.0005"),
    )  # fmt: skip
    assert "off by 0.0005" in found[Code.FUNDING].text


@pytest.mark.req("S3-FEAT-1", "I21")
@pytest.mark.parametrize("name", ["atr", "funding_next_abs"])
@pytest.mark.fault("C10")
def test_a_missing_or_stale_feature_that_a_gate_needs_is_a_skip(name: str) -> None:
    whole = some_features()
    missing = whole.but(values={key: value for key, value in whole.values.items() if key != name})
    stale = whole.but(values=whole.values | {name: whole.values[name].but(at_ms=NOW - 60_001)})

    for features, code in ((missing, Code.FEATURE_MISSING), (stale, Code.FEATURE_STALE)):
        decision = decide(a_bundle(), a_case(features=features))
        assert isinstance(decision, Skip)
        assert [(reason.code, reason.name) for reason in decision.reasons] == [(code, name)]


def test_an_intent_the_router_already_counts_is_not_counted_twice() -> None:
    limits = {
        market: terms.but(gates=terms.gates.but(concurrent_entries=2)) for market, terms in a_case().terms.items()
    }
    case = a_case(budget=fut(inflight={"i-1": BTC}), reserved=(a_reserve("i-1"),), terms=limits)

    assert isinstance(decide(a_bundle(), case), Open)
    assert isinstance(decide(a_bundle(), case.but(reserved=(a_reserve("i-2"),))), Skip)


@pytest.mark.req("S3-L0-1")
def test_spot_has_no_funding_gate() -> None:
    case = a_case(features=some_features(funding_next_abs="1"), asked_market=Market.SPOT)

    assert isinstance(decide(a_bundle(), case), Open)


def test_a_what_if_replaces_features_and_touch() -> None:
    case = a_case(supposed={"spread_bps": D(9)})

    decision = decide(a_bundle(), case)

    assert isinstance(decision, Skip)
    assert [reason.code for reason in decision.reasons] == [Code.SPREAD]


around = {  # each figure just inside its limit, at it, and just outside
    "funding_next_abs": ["0.0004", "0.0005", "0.00050001"],
    "ask": ["64001", "64019.20", "64019.21", "66000"],
    "qty": ["1", "0.0031251", "0.003125", "0.003"],
    "budget_age_ms": [0, 5_000, 5_001, -5_001],
    "loss": ["50", "1.2", "1.1999"],
    "margin": ["1000", "20", "19.99"],
    "notional": ["20000", "400", "399.99"],
    "open": [(), (BTC,)],
    "reserved": [(), (a_reserve(),)],
    "atr_age_ms": [0, 60_000, 60_001],
    "market": [None, Market.SPOT],
}


@pytest.mark.req("DE-1", "S3-L0-1", "S3-L0-2", "S3-L0-3", "S3-L0-4")
@settings(max_examples=500, deadline=None)
@given(st.fixed_dictionaries({name: st.sampled_from(values[:1] * 4 + values) for name, values in around.items()}))
def test_asking_whether_all_gates_are_open_is_what_their_verdicts_say(at: dict[str, Any]) -> None:
    told = some_features(funding_next_abs=at["funding_next_abs"])
    values = told.values | {"atr": told.values["atr"].but(at_ms=NOW - at["atr_age_ms"])}
    share = a_share(
        remaining_margin_usdt=D(at["margin"]), remaining_notional_usdt=D(at["notional"]), open_symbols=at["open"]
    )
    case = a_case(
        asked_market=at["market"],
        features=told.but(values=values),
        touch=a_touch("64000", at["ask"], at["qty"]),
        budget=a_budget(
            at_ms=NOW - at["budget_age_ms"], remaining_loss_usdt=D(at["loss"]), markets=dict.fromkeys(Market, share)
        ),
        reserved=at["reserved"],
    )

    decision = decide(a_bundle(), case)

    assert isinstance(decision.trace, Trail)
    (view,) = decision.trace.entered
    assert view.is_open == (not failed(view.gates()))
    assert decision.why.gates == view.gates()
    if not view.is_open:
        assert isinstance(decision, Skip)
        assert decision.reasons == failed(view.gates())
