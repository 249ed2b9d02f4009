"""Size, stop and target: what holds for every input."""

from decimal import Decimal
from typing import Any

import pytest
from decide_cases import D, a_budget, a_bundle, a_case, a_policy, a_rule, a_share, a_touch, fixture, some_features
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera.decide.decision import Case, Terms, decide
from chimera.trading.decision import Code, Open, Skip
from chimera.trading.instrument import Instrument
from chimera.trading.intent import TargetKind
from chimera.trading.market import Market, Side
from chimera.trading.venue import FeeRates
from chimera.wire.registry import read_listed


@st.composite
def cases(draw: Any, fee: Decimal | None = None) -> Case:
    tick = draw(st.sampled_from([D("0.1"), D("0.01"), D(1), D("0.5")]))
    step = draw(st.sampled_from([D("0.001"), D("0.01"), D(1)]))
    bid = draw(st.integers(1_000, 900_000)) * tick
    ask = bid + draw(st.integers(1, 3)) * tick
    taker = draw(st.sampled_from([D(0), D("0.0004"), D("0.0005")])) if fee is None else fee
    rules = read_listed(
        fixture("instrument_btcusdt.json")
        | {"tickSize": tick, "stepSize": step, "minNotional": draw(st.sampled_from([5, 100]))}
    ).instrument
    limits = next(iter(a_case().terms.values())).gates.but(spread_bp_limit=D(10_000), depth_top1_usdt_min=D(0))
    base = a_policy(
        max_loss_usdt=draw(st.decimals("0.5", "20", places=1)), atr_mult=draw(st.decimals("0.5", "3", places=1))
    )
    sizes = base.sizes.but(margin_base_usdt=draw(st.decimals(5, 500, places=0)))
    share = a_share(
        fees=FeeRates(maker=taker, taker=taker), remaining_margin_usdt=D(10**9), remaining_notional_usdt=D(10**9)
    )
    return a_case(
        touch=a_touch(str(bid), str(ask), "100000"),
        features=some_features(atr=bid * draw(st.decimals("0.0001", "0.01", places=4))),
        terms={market: Terms(instrument=rules.but(market=market), gates=limits) for market in Market},
        policy=base.but(sizes=sizes),
        budget=a_budget(remaining_loss_usdt=D(10**6), markets=dict.fromkeys(Market, share)),
        side_hint=draw(st.sampled_from(Side)),
    )


def net(side: Side, qty: Decimal, entry: Decimal, exit_: Decimal, fee: Decimal) -> Decimal:
    """The naive oracle: profit after both fees."""
    return (exit_ - entry) * qty * side.sign - qty * entry * fee - qty * exit_ * fee


@pytest.mark.req("S3-SIZE-1", "S3-SLTP-1", "S3-SLTP-2")
@settings(max_examples=200, deadline=None)
@given(cases())
def test_every_open_obeys_filters_loss_and_profit(case: Case) -> None:
    decision = decide(a_bundle(), case)
    if isinstance(decision, Skip):
        assert decision.reasons
        return
    rules: Instrument = case.terms[Market.FUT].instrument
    fee = case.budget.markets[Market.FUT].fees.taker  # type: ignore[union-attr]  # every case has one
    bars, qty, side = decision.levels, decision.qty, decision.side
    entry = case.touches[Market.FUT].aggressive(side)

    assert rules.on_step(qty)
    assert qty >= rules.step
    assert qty * entry >= rules.min_notional
    assert rules.on_tick(bars.stop_price)
    assert rules.on_tick(bars.target_price)
    assert -net(side, qty, entry, bars.stop_price, fee) <= case.policy.levels.max_loss_usdt
    assert abs(entry - bars.stop_price) <= bars.d_wanted
    margin = case.policy.sizes.margin_base_usdt * decision.sizing.size_mult
    assert net(side, qty, entry, bars.target_price, fee) >= case.policy.levels.roe * margin
    assert net(side, qty, entry, bars.target_price, fee) >= case.policy.levels.roe * qty * entry / decision.leverage
    assert decision.stop.price == bars.stop_price
    assert decision.target.kind is TargetKind.NET_PROFIT_USDT


@pytest.mark.req("S3-SLTP-1")
@settings(max_examples=100, deadline=None)
@given(cases(fee=Decimal(0)))
def test_short_is_the_mirror_of_long(case: Case) -> None:
    """Without fees, around one price: the touch is moved so that both sides would take the same."""
    touch, tick = case.touches[Market.FUT], case.terms[Market.FUT].instrument.tick
    price = touch.ask
    around = {Side.BUY: touch.but(bid=price - tick), Side.SELL: touch.but(bid=price, ask=price + tick)}
    long, short = (
        decide(a_bundle(), case.but(side_hint=side, touches={Market.FUT: at})) for side, at in around.items()
    )

    assert type(long) is type(short)
    if isinstance(long, Open) and isinstance(short, Open):
        assert long.qty == short.qty
        assert price - long.levels.stop_price == short.levels.stop_price - price
        assert long.levels.target_price - price == price - short.levels.target_price


@pytest.mark.req("S3-SIZE-1", "S3-L2-1")
def test_the_requirement_s_arithmetic_by_hand() -> None:
    """20 x 1.2 x 20 = 480 USDT at 65801 is 0.00729..., nearest step 0.007."""
    decision = decide(a_bundle(), a_case())

    assert isinstance(decision, Open)
    assert (decision.qty, decision.leverage, decision.sizing.margin_usdt) == (D("0.007"), 20, D(24))
    assert decision.why.score is not None
    assert (decision.why.score.p, decision.why.score.size_mult_ml) == (D("0.65"), D(1))
    bars = decision.levels
    # d_atr = 90; d_cap = (1.2 / 0.007 - 2 x 65801 x 0.0005) / 0.9995 = 105.68; so 65801 - 90
    assert bars.d_wanted == D(90)
    assert bars.d_cap.quantize(D("0.01")) == D("105.68")
    assert bars.stop_price == D(65711)
    assert bars.profit_wanted == D("2.4")


@pytest.mark.req("S3-SLTP-1")
def test_max_loss_caps_the_stop_and_rounding_is_toward_the_entry() -> None:
    wide = some_features(atr=1000)

    long = decide(a_bundle(), a_case(features=wide))
    short = decide(a_bundle(), a_case(features=wide, side_hint=Side.SELL))

    assert isinstance(long, Open)
    assert isinstance(short, Open)
    assert long.levels.stop_price == D(65696)  # 65801 - 105.68 = 65695.32, up
    assert short.levels.stop_price == D(65905)  # 65800 + 105.57 = 65905.57, down


SKIPS = [
    ({"policy": a_policy(max_loss_usdt=D("0.4"))}, Code.MAX_LOSS),
    ({"features": some_features(atr="0.5")}, Code.STOP_INSIDE_SPREAD),
    ({"policy": a_policy().but(sizes=a_policy().sizes.but(margin_base_usdt=D(1)))}, Code.BELOW_STEP),
]


@pytest.mark.req("S3-SIZE-1", "S3-SLTP-1")
@pytest.mark.parametrize(("changes", "code"), SKIPS)
def test_what_cannot_be_sized_or_stopped_is_a_skip(changes: Any, code: Code) -> None:
    decision = decide(a_bundle(), a_case(**changes))

    assert isinstance(decision, Skip)
    assert [reason.code for reason in decision.reasons] == [code]


@pytest.mark.req("S3-SLTP-1")
@pytest.mark.parametrize(
    ("side", "max_price", "stop", "edge"),
    [(Side.BUY, None, D(-84199), D(1)), (Side.SELL, 100_000, D(215800), D(100_000))],
)
def test_a_stop_where_no_price_is_says_so(side: Side, max_price: int | None, stop: Decimal, edge: Decimal) -> None:
    """1.5 x 100,000 from the entry: no market would trigger it, and none takes it."""
    case = a_case(
        policy=a_policy(max_loss_usdt=D(100_000)), features=some_features(atr=100_000), side_hint=side,
        budget=a_budget(remaining_loss_usdt=D(10) ** 6),
    )  # fmt: skip
    if max_price is not None:
        terms = {m: t.but(instrument=t.instrument.but(max_price=D(max_price))) for m, t in case.terms.items()}
        case = case.but(terms=terms)

    decision = decide(a_bundle(), case)

    assert isinstance(decision, Skip)
    (reason,) = decision.reasons
    assert (reason.name, reason.value, reason.limit) == ("stop_price", stop, edge)
    assert reason.margin is not None
    assert reason.margin < 0
    assert "the venue takes none there" in reason.text


@pytest.mark.req("S3-SIZE-1")
def test_under_the_minimum_notional_is_a_skip() -> None:
    terms = {m: t.but(instrument=t.instrument.but(min_notional=D(1000))) for m, t in a_case().terms.items()}

    decision = decide(a_bundle(), a_case(terms=terms))

    assert isinstance(decision, Skip)
    assert (decision.reasons[0].code, decision.reasons[0].limit) == (Code.MIN_NOTIONAL, D(1000))


def test_the_budget_is_judged_again_with_what_the_entry_really_uses() -> None:
    budget = a_budget(markets={Market.FUT: a_share(remaining_margin_usdt=D(22))})  # enough for 20, not for 24

    decision = decide(a_bundle(), a_case(budget=budget))

    assert isinstance(decision, Skip)
    assert (decision.reasons[0].code, decision.reasons[0].margin) == (Code.BUDGET_MARGIN, D(-2))


@pytest.mark.req("S3-SIZE-2", "S3-SLTP-3")
def test_spot_spends_its_budget_and_has_both_exits() -> None:
    decision = decide(a_bundle(), a_case(asked_market=Market.SPOT))

    assert isinstance(decision, Open)
    assert decision.qty == D("0.003")  # floor(200 / 65801)
    assert decision.leverage == 1
    assert decision.stop.price == D(65538)  # 65801 - 40 bps = 65537.8, up
    assert decision.target.kind is TargetKind.PRICE
    assert net(Side.BUY, decision.qty, D(65801), decision.target.value, D("0.0005")) >= decision.qty * D(65801) * D(
        "0.0075"
    )


def test_stop_and_target_multipliers_reach_the_levels() -> None:
    both = a_bundle(
        a_rule("A", action={"type": "sl_mult", "value": D("0.5")}),
        a_rule("B", action={"type": "tp_mult", "value": D(2)}),
    )

    decision = decide(both, a_case())

    assert isinstance(decision, Open)
    assert decision.levels.stop_price == D(65756)  # 65801 - 45
    assert decision.levels.profit_wanted == D(4)  # 2 x 10 % of 20


@pytest.mark.req("LED-2")
def test_levels_are_reckoned_with_the_symbols_own_fee_rates() -> None:
    def levels_at(share: Any) -> Any:
        decision = decide(a_bundle(), a_case(budget=a_budget(markets=dict.fromkeys(Market, share))))
        assert isinstance(decision, Open)
        return decision.levels

    cheap = FeeRates(maker=D("0.0001"), taker=D("0.0002"))
    case = a_case()
    own = levels_at(a_share(fees_of={case.symbol: cheap}))
    assert own == levels_at(a_share(fees=cheap))
    assert own != levels_at(a_share())
