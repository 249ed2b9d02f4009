"""Implementation shortfall: sums worked by hand, and what holds for every intent."""

from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chimera.tca.shortfall import EXACT, PARTS, PARTS_SINCE_ARRIVAL, Cost, in_bps, shortfall
from chimera.tca.worked import Traded, Worked
from chimera.trading.market import Side
from chimera.trading.money import Price, Qty
from support.tca_rows import a_fill, an_intent


def amounts(*words: str) -> tuple[Decimal, ...]:
    return tuple(map(Decimal, words))


def test_a_long_as_taker_pays_delay_spread_walk_and_fee() -> None:
    """Decided at 100, sent at 101 with the ask at 102, filled 2 at 102.5, fee 0.2: 5.2 on 200."""
    work = an_intent("BUY", "2", a_fill("102.5", "2", mid="101", touch="102", fee="0.2"), decided="100", arrived="101",
                     status="FILLED")  # fmt: skip
    short = shortfall(work)

    assert short.decided.parts() == amounts("2", "2", "1", "0.2", "0")
    assert (short.decided.total, short.decided.basis) == amounts("5.2", "200")
    assert (short.drift, short.walk) == amounts("0", "1")
    assert short.arrived.parts(PARTS_SINCE_ARRIVAL) == amounts("2", "1", "0.2", "0")
    assert (short.arrived.total, short.arrived.basis) == amounts("3.2", "202")
    assert in_bps(short.decided.parts(), short.decided.basis) == amounts("100", "100", "50", "10", "0")


def test_a_short_costs_where_the_price_falls() -> None:
    """Decided at 100, sent at 99 with the bid at 98, sold 2 at 97.5: as much as the long above, and no fee."""
    work = an_intent("SELL", "2", a_fill("97.5", "2", mid="99", touch="98"), decided="100", arrived="99",
                     status="FILLED")  # fmt: skip
    short = shortfall(work)

    assert short.decided.parts() == amounts("2", "2", "1", "0", "0")
    assert short.decided.total == Decimal(5)


def test_maker_and_taker_mixed_and_a_rest_that_was_given_up() -> None:
    """4 wanted at 100. 1 rests at 99 (mid 100) and fills; 2 are taken at 103 once the mid is 102, ask 102.5; the
    mid ends at 105. Spread -1 + 1; drift 0 + 4; walk 0 + 1; opportunity 1 x 5."""
    work = an_intent(
        "BUY", "4",
        a_fill("99", "1", mid="100", maker=True, fee="-0.01"),
        a_fill("103", "2", mid="102", touch="102.5", fee="0.1"),
        decided="100", arrived="100", ended="105",
    )  # fmt: skip
    short = shortfall(work)

    assert short.decided.parts() == amounts("0", "0", "5", "0.09", "5")
    assert (short.drift, short.walk) == amounts("4", "1")
    assert short.decided.total == Decimal("10.09")
    assert short.decided.basis == Decimal(400)


@pytest.mark.parametrize(("side", "ended", "cost"), [("BUY", "104", "12"), ("SELL", "104", "-12")])
def test_what_never_filled_costs_opportunity_alone(side: str, ended: str, cost: str) -> None:
    work = an_intent(side, "3", decided="100", arrived="101", ended=ended)

    assert shortfall(work).decided.parts() == amounts("0", "0", "0", "0", cost)
    assert shortfall(work).decided.total == Decimal(cost)


def test_an_intent_that_was_never_sent_has_no_arrival_and_its_cost_all_the_same() -> None:
    work = an_intent("BUY", "3", decided="100", arrived=None, ended="104")

    assert shortfall(work).decided.total == Decimal(12)
    assert shortfall(work).arrived.total is None


def test_a_rest_below_the_step_of_a_filled_intent_was_never_an_order() -> None:
    work = an_intent("BUY", "2.0004", a_fill("100", "2", mid="100", touch="100"), decided="100", arrived="100",
                     status="FILLED")  # fmt: skip

    assert shortfall(work).decided.opportunity == 0
    assert shortfall(work).decided.basis == Decimal(200)


def test_what_is_not_known_is_none_and_never_zero() -> None:
    taken = a_fill("102", "1", mid="101", touch="101.5", fee="0.1")
    known = an_intent("BUY", "2", taken, decided="100", arrived="101", ended="103")
    nothing = (None,) * 2

    undecided = shortfall(known.but(decision_mid=None))
    assert (undecided.decided.delay, undecided.decided.opportunity) == nothing
    assert (undecided.decided.total, undecided.decided.basis) == nothing
    assert undecided.arrived.total == Decimal("3.1")

    unarrived = shortfall(known.but(arrival_mid=None)).decided
    assert (unarrived.delay, unarrived.impact) == nothing
    assert unarrived.total == Decimal("5.1")  # it needs no arrival: the division alone is unknown

    assert shortfall(known.but(end_mid=None)).decided.total is None
    touchless = shortfall(known.but(fills=(taken.but(touch=None),))).decided
    assert (touchless.spread, touchless.impact) == nothing
    assert touchless.total == Decimal("5.1")
    midless = shortfall(known.but(fills=(taken.but(mid=None),))).decided
    assert (midless.spread, midless.impact) == nothing
    priceless = shortfall(known.but(fills=(taken.but(fee_quote=None),))).decided
    assert (priceless.fees, priceless.total) == nothing


# ── what holds for every intent ──

PRICES = st.decimals(min_value=1, max_value=200_000, places=8)
QTYS = st.decimals(min_value="0.000000000001", max_value=10**12, places=12)  # 200,000 x 10^12: 40 digits
FEES = st.decimals(min_value=-100, max_value=100, places=10)


@st.composite
def fills(draw: st.DrawFn) -> Traded:
    maker = draw(st.booleans())
    at, mid = draw(PRICES), draw(PRICES)
    touch = None if maker else str(draw(PRICES))
    return a_fill(str(at), str(draw(QTYS)), mid=str(mid), touch=touch, maker=maker, fee=str(draw(FEES)))


@st.composite
def intents(draw: st.DrawFn) -> Worked:
    traded = draw(st.lists(fills(), max_size=6))
    rest = draw(st.one_of(st.just(Decimal(0)), QTYS))
    with localcontext(EXACT):
        qty = sum((one.qty for one in traded), rest)
    mids = [str(draw(PRICES)) for _ in range(3)]
    side = draw(st.sampled_from(["BUY", "SELL"]))
    return an_intent(side, str(qty or Decimal(1)), *traded, decided=mids[0], arrived=mids[1], ended=mids[2])


def summed(cost: Cost, names: tuple[str, ...]) -> Decimal:
    with localcontext(EXACT):
        return sum((part for part in cost.parts(names) if part is not None), Decimal(0))


@given(intents())
def test_the_parts_add_up_to_the_shortfall_exactly(work: Worked) -> None:
    """The total is computed from prices and the mid of the decision alone, the parts from all the others."""
    short = shortfall(work)

    assert None not in short.decided.parts()
    assert summed(short.decided, PARTS) == short.decided.total
    assert summed(short.arrived, PARTS_SINCE_ARRIVAL) == short.arrived.total
    assert (short.drift, short.walk) != (None, None)
    assert Fraction(short.drift or 0) + Fraction(short.walk or 0) == Fraction(short.decided.impact or 0)


@given(intents())
def test_nothing_is_rounded(work: Worked) -> None:
    """Against the definition in fractions."""
    sign, mid, end = work.side.sign, Fraction(work.decision_mid or 0), Fraction(work.end_mid or 0)
    paid = sum(((Fraction(one.price) - mid) * Fraction(one.qty) for one in work.fills), Fraction(0))
    fees = sum((Fraction(one.fee_quote or 0) for one in work.fills), Fraction(0))
    given_up = Fraction(work.qty) - sum((Fraction(one.qty) for one in work.fills), Fraction(0))

    total = shortfall(work).decided.total
    assert total is not None
    assert Fraction(total) == sign * paid + fees + sign * given_up * (end - mid)


@given(intents())
def test_basis_points_add_up_and_stray_by_no_more_than_their_last_digit(work: Worked) -> None:
    short = shortfall(work).decided
    shown = in_bps(short.parts(), short.basis)
    (whole,) = in_bps((short.total,), short.basis)

    assert whole is not None
    assert sum(Fraction(part) for part in shown if part is not None) == Fraction(whole)
    for part, exact in zip(shown, short.parts(), strict=True):
        assert part is not None
        assert exact is not None
        assert short.basis is not None
        assert abs(Fraction(part) - Fraction(exact) / Fraction(short.basis) * 10_000) <= Fraction(1, 10_000)


@given(intents())
def test_the_other_side_in_a_mirrored_market_costs_the_same(work: Worked) -> None:
    """Each price p becomes C - p and BUY becomes SELL."""
    top = Decimal(400_000)

    def over(at: Price | None) -> Price | None:
        return None if at is None else Price(top - at)

    mirrored = work.but(
        side=work.side.opposite,
        decision_mid=over(work.decision_mid),
        arrival_mid=over(work.arrival_mid),
        end_mid=over(work.end_mid),
        fills=tuple(one.but(price=over(one.price), mid=over(one.mid), touch=over(one.touch)) for one in work.fills),
    )
    assert mirrored.side is not work.side
    assert shortfall(mirrored).decided.parts() == shortfall(work).decided.parts()
    assert shortfall(mirrored).decided.total == shortfall(work).decided.total


@given(intents(), st.integers(min_value=2, max_value=5))
def test_a_fill_told_in_pieces_costs_the_same(work: Worked, pieces: int) -> None:
    with localcontext(EXACT):
        small = Decimal(1).scaleb(-pieces)
        parts = tuple(
            one.but(qty=Qty(one.qty * share), fee_quote=(one.fee_quote or Decimal(0)) * share)
            for one in work.fills
            for share in (small, 1 - small)
        )
    assert shortfall(work.but(fills=parts)).decided == shortfall(work).decided


def test_a_buy_above_the_decision_costs_and_below_it_earns() -> None:
    dear = an_intent("BUY", "1", a_fill("101", "1", mid="100", touch="101"), decided="100", arrived="100")
    cheap = an_intent("BUY", "1", a_fill("99", "1", mid="100", maker=True), decided="100", arrived="100")

    assert shortfall(dear).decided.total == 1
    assert shortfall(cheap).decided.total == -1
    assert dear.side is Side.BUY
