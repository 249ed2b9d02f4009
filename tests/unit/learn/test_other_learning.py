"""What else a table learns: how many slices, and from which share on the rest is chased; by a step, and held out."""

import random
from decimal import Decimal

import pytest

from chimera.learn.chasing import Chase, ThetaFit, chases, fit_theta
from chimera.learn.cutting import Cut, SlicesFit, cuts, fit_slices
from chimera.learn.fit import Bounds, Learned, fit
from chimera.learn.waiting import Rates
from chimera.tca.rows import Rested
from chimera.trading.ids import ClientOrderId, IntentId, Symbol
from chimera.trading.market import Side
from chimera.trading.money import Millis, Price, Qty, Quote
from chimera.trading.routes import RouteTable, Row, Terms, Twap
from support.tca_rows import T0, a_fill, an_intent
from support.wait_regimes import FUTURES

RATES = Rates(maker=2.0, taker=5.0)
BLOCK_MS = 60_000
TOO_FEW = 150


def a_row(slices: int = 1, wait_ms: int = 0) -> Row:
    return Row(notional_usdt_max=Quote(Decimal(5_000)), maker_wait_ms=wait_ms, twap=Twap(slices=slices, gap_ms=2_000))


def a_day(seed: int, slices: int, *, slope: float, drift: float, count: int = 400) -> list[Cut]:
    """Intents of about 3,000, all taken, in so many children: each pays ``slope`` bps for each unit, and some noise."""
    chance, found = random.Random(seed), []
    for number in range(count):
        notional = 3_000 * (0.5 + chance.random())
        size = notional / slices
        slips = sum(size * (slope * size + chance.gauss(0, 0.2)) for _ in range(slices))
        found.append(
            Cut(
                at_ms=Millis(number * 3_000), notional=Decimal(round(notional)), taken=notional,
                squares=slices * size**2, slips=slips, drift_bps=drift * 2 + chance.gauss(0, 0.3), seconds=2.0,
            )
        )  # fmt: skip
    return found


def sliced(found: list[Cut], row: Row) -> SlicesFit:
    return fit_slices(found, row, Terms(), urgency=0.0, most=4, block_ms=BLOCK_MS, resamples=60, seed=1)


@pytest.mark.req("S4-ROUTE-11")
@pytest.mark.parametrize(
    ("slope", "drift", "begins", "best"),
    [
        (0.002, 0.0, 1, 4),  # 6 bps at once, 1.5 in four, and nothing is lost by waiting: as many as are allowed
        (0.002, 0.6, 1, 3),  # 6.5 / n + 0.6 (n - 1): 6.5, 3.85, 3.37, 3.43
        (0.00002, 0.5, 4, 1),  # nothing to be saved by cutting, half a bp for each gap
        (0.0, 0.0, 2, 2),  # nothing either way
    ],
)
def test_day_by_day_slices_come_to_what_costs_least(slope: float, drift: float, begins: int, best: int) -> None:
    row = a_row(begins)
    for day in range(5):
        found = sliced(a_day(day, row.twap.slices, slope=slope, drift=drift), row)
        assert abs(found.proposed - row.twap.slices) <= 1, "one slice a day"
        if found.better:
            row = row.but(twap=found.onto(row.twap))

    assert row.twap.slices == best


def test_slices_of_too_few_intents_or_of_a_size_stay_and_a_wait_gets_its_room() -> None:
    steep = a_day(1, 1, slope=0.002, drift=0.0)
    sized = a_row().but(twap=Twap(slices=1, gap_ms=0, slice_usdt=Quote(Decimal(100))))

    assert not sliced(steep[:TOO_FEW], a_row()).moves
    assert not sliced(steep, sized).moves
    cut = sliced(steep, a_row(wait_ms=3_000))
    assert (cut.proposed, cut.onto(a_row().twap).gap_ms) == (2, 3_500), "else the gap would cut the wait and its chase"


def test_an_intent_tells_what_its_takers_paid_beyond_the_touch_and_what_the_mid_did() -> None:
    """100.10 for 2 that met 100.02, 8 bps; nothing by the maker. The mid rose from 100 to 100.05: 5 bps in a second."""
    made = a_fill("99.99", "1", mid="100", touch="100.02", maker=True)
    took = a_fill("100.10", "2", mid="100.05", touch="100.02")
    (cut,) = cuts([an_intent("BUY", "3", made, took, decided=None, arrived="100")])

    assert (cut.notional, cut.taken, cut.squares) == (300, 200, 40_000)
    assert cut.slips / cut.taken == pytest.approx(7.998, abs=1e-3)
    assert (cut.drift_bps, cut.seconds) == (pytest.approx(5.0), 1.0)
    assert cuts([an_intent("BUY", "3", made, took, decided=None, arrived=None)]) == ()


def some_chases(seed: int, saves: float, share: float, count: int = 200) -> list[Chase]:
    chance = random.Random(seed)
    return [
        Chase(at_ms=Millis(number * 6_000), share=share, saved_bps=saves + chance.gauss(0, 1))
        for number in range(count)
    ]


def threshold(found: list[Chase], terms: Terms) -> ThetaFit:
    return fit_theta(found, terms, block_ms=BLOCK_MS, resamples=60, seed=1)


@pytest.mark.req("S4-ROUTE-11")
@pytest.mark.parametrize(("pays_from", "ends"), [(0.25, "0.2"), (0.75, "0.8")])
def test_day_by_day_theta_comes_to_where_chases_begin_to_pay(pays_from: float, ends: str) -> None:
    """Chases save 2 bps where more than so much had filled before, and cost 2 below."""
    terms = Terms()
    for day in range(8):
        shares = [float(terms.theta) + 0.05, float(terms.theta) + 0.45]
        found = [each for share in shares for each in some_chases(day, 2.0 if share > pays_from else -2.0, share)]
        moved = threshold(sorted(found, key=lambda chase: chase.at_ms), terms)
        assert abs(moved.proposed - terms.theta) <= Decimal("0.1")
        if moved.better:
            terms = terms.but(theta=moved.proposed)

    assert abs(terms.theta - Decimal(ends)) <= Decimal("0.1")


def test_theta_stays_without_chases_at_its_edge_or_where_nothing_chases() -> None:
    assert not threshold(some_chases(1, 2.0, 0.9), Terms()).moves
    assert not threshold(some_chases(1, 2.0, 0.6, count=40), Terms()).moves
    assert not threshold(some_chases(1, 2.0, 0.6), Terms(chase_ms=0)).moves
    assert not threshold(some_chases(1, 2.0, 0.6), Terms(inside_bps=Decimal("0.3"))).moves
    assert threshold(some_chases(1, 2.0, 0.6), Terms()).proposed == Decimal("0.4")


def _rest(name: str, sent: int, ended: int, price: str, made: str, *, beats: bool = False) -> Rested:
    return Rested(
        ref=ClientOrderId(name), intent_id=IntentId("i1"), symbol=Symbol("BTCUSDT"), quote="USDT", side=Side.BUY,
        price=Price(Decimal(price)), qty=Qty(Decimal(2)), sent_ms=Millis(T0 + sent), ended_ms=Millis(T0 + ended),
        first_fill_ms=None, maker_qty=Qty(Decimal(made)), spread_bps=Decimal(2), depth=None,
        mid=Price(Decimal(100)), beats_touch=beats,
    )  # fmt: skip


def test_a_chase_is_held_against_taking_at_once_what_it_held() -> None:
    """A half of 2 at 100.00 as maker, 2 bps; the other taken a basis point higher, 1 + 5. At once: 1 + 5 for both."""
    rests = [_rest("c-m1", 0, 400, "99.99", "2"), _rest("c-m2", 420, 900, "100.00", "1", beats=True)]
    made = a_fill("100.00", "1", mid="100", maker=True).but(ref=ClientOrderId("c-m2"))
    work = an_intent("BUY", "4", made, a_fill("100.01", "1", mid="100"), decided=None, arrived="100")

    (chase,) = chases([work], rests, RATES)

    assert (chase.share, chase.saved_bps) == (0.5, pytest.approx(6 - (2 + 6) / 2))
    assert chases([work], [rests[0]], RATES) == ()
    assert chases([an_intent("BUY", "4", made, decided=None, arrived="100")], rests, RATES) == (), "its rest is unknown"


@pytest.mark.req("S4-ROUTE-11")
def test_slices_and_theta_go_ahead_by_themselves_only_where_held_out_orders_confirm_it() -> None:
    table = RouteTable(rev=4, rows=(a_row(),))
    learned = Learned(cuts=tuple(a_day(1, 1, slope=0.002, drift=0.0)), chases=tuple(some_chases(1, 2.0, 0.6)))
    brief = Bounds(resamples=60, block_ms=10**9)

    sure = fit((), table, FUTURES, Bounds(resamples=60, first_ms=0), learned=learned)
    unsure = fit((), table, FUTURES, brief.but(first_ms=0), learned=learned)

    assert (sure.sure.rows[0].twap.slices, sure.sure.terms.theta, sure.sure.rev) == (2, Decimal("0.4"), 5)
    assert not unsure.sure_moves
    assert any(told.startswith("theta: ") for told in sure.reasons)
