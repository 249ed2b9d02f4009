"""Plans: the caller's policy over the table's and its curves, all capped, slices legal and summing exactly; and why."""

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chimera.route.by_fees import resting_price
from chimera.route.plan import RoutePolicy, Sight, plan_for
from chimera.trading.errors import Refused
from chimera.trading.execution import Plan
from chimera.trading.intent import ExecPolicy, Intent, MakerThenTaker, MarketNow
from chimera.trading.liquidity import Book, Hour
from chimera.trading.market import Level, Market, Side, Touch
from chimera.trading.money import Millis, Price, Qty, Quote
from chimera.trading.routes import Curves, Measures, Point, RouteTable, Row, Shape, Terms, Twap
from chimera.trading.venue import FeeRates
from chimera.wire.route_table import DEFAULT, read_route_table
from support.desk import BTC, T0, an_intent

PRICE = Price(Decimal(65000))
EXACT = Terms(time_jitter=Decimal(0), size_jitter=Decimal(0))
POLICY = RoutePolicy()
FEES = FeeRates(maker=Decimal("0.0002"), taker=Decimal("0.0005"))
EQUAL = FeeRates(maker=Decimal("0.001"), taker=Decimal("0.001"))
TABLE = read_route_table(
    b'[{"notional_usdt_max": 200, "maker_wait_ms": 1500, "twap": {"slices": 1, "gap_ms": 0}},'
    b'{"notional_usdt_max": 500, "maker_wait_ms": 2000, "twap": {"slices": 2, "gap_ms": 600}}]'
)
CURVES = Curves(
    rev=4,
    by=Measures(
        notional_usdt=(Point(at=Decimal(0), factor=Decimal("0.5")), Point(at=Decimal(1_000), factor=Decimal("1.5"))),
        spread_bps=(Point(at=Decimal(1), factor=Decimal(1)), Point(at=Decimal(3), factor=Decimal(2))),
    ),
)


def plan(intent: Intent, terms: Terms = EXACT, policy: RoutePolicy = POLICY, **more: object) -> Plan:
    table = TABLE.but(terms=terms)
    return plan_for(intent, table, BTC, PRICE, policy, FEES, T0, **more)  # type: ignore[arg-type]  # forwarded


def a_book(*, bid: str = "64999.9", ask: str = "65000.1", qty: str = "5") -> Book:
    levels = [(Level(price=Price(Decimal(price)), qty=Qty(Decimal(qty))),) for price in (bid, ask)]
    return Book(bids=levels[0], asks=levels[1], at_ms=T0)


def shown(made: Plan) -> tuple[int, list[str], list[int]]:
    return made.maker.wait_ms, [str(part.qty) for part in made.slices], [part.after_ms for part in made.slices]


@pytest.mark.req("S4-ROUTE-1")
@pytest.mark.parametrize(
    ("qty", "expected"),
    [
        ("0.003", (1500, ["0.003"], [0])),
        ("0.004", (600, ["0.002", "0.002"], [0, 600])),
        ("0.1", (600, ["0.050", "0.050"], [0, 600])),
    ],
)
def test_the_table_decides_by_notional_and_its_last_row_holds_for_larger(
    qty: str, expected: tuple[int, list[str], list[int]]
) -> None:
    made = plan(an_intent(qty=qty, policy=MakerThenTaker()))
    assert shown(made) == expected
    assert "route table rev 1" in made.why[0]


@pytest.mark.req("S4-ROUTE-2")
def test_the_requests_own_policy_wins_over_table_and_curves_and_is_capped() -> None:
    asked = MakerThenTaker(wait_ms=9_000, slices=9, gap_ms=5_000)
    made = plan(an_intent(qty="0.1", policy=asked), sight=Sight(book=a_book()), curves=CURVES)
    assert (made.maker.wait_ms, len(made.slices), made.gap_ms(1)) == (3_000, 4, 5_000)
    assert any("maker_wait_ms 9000 capped to 3000" in why for why in made.why)
    assert any("slices 9 capped to 4" in why for why in made.why)
    assert not any("curves rev" in why for why in made.why)


@pytest.mark.req("S4-ROUTE-2")
def test_curves_refine_the_tables_wait_and_the_cap_holds_over_them() -> None:
    """195 USDT: 0.5 + 0.195; a spread of 2 bps: 1.5. 1500 x 0.695 x 1.5 = 1563.75."""
    book = a_book(bid="64993.5", ask="65006.5")
    made = plan(an_intent(qty="0.003", policy=MakerThenTaker()), sight=Sight(book=book), curves=CURVES)
    assert made.maker.wait_ms == 1564
    assert any(why.startswith("curves rev 4: maker wait 1500 ms becomes 1564 ms") for why in made.why)

    short = POLICY.but(maker_max_wait_ms=1_000)
    capped = plan(an_intent(qty="0.003", policy=MakerThenTaker()), policy=short, sight=Sight(book=book), curves=CURVES)
    assert capped.maker.wait_ms == 1_000


@pytest.mark.req("S4-ROUTE-2")
def test_without_a_book_only_the_notional_refines() -> None:
    made = plan(an_intent(qty="0.003", policy=MakerThenTaker()), curves=CURVES)
    assert made.maker.wait_ms == 1042  # 1500 x 0.695, half to even


def test_market_takes_at_once_and_is_never_delayed() -> None:
    made = plan(an_intent(policy=MarketNow()))
    assert shown(made) == (0, ["0.01"], [0])
    assert made.liquidity is not None
    assert made.liquidity.postpone_ms == 0


@pytest.mark.req("S4-ROUTE-5")
@pytest.mark.parametrize(("slice_usdt", "slices"), [("200", 4), ("260", 3), ("649", 2), ("650", 1), ("10000", 1)])
def test_a_slice_size_gives_as_many_slices_as_the_notional_holds_rounded_up(slice_usdt: str, slices: int) -> None:
    """N = 650, n = ceil(N / s)."""
    asked = MakerThenTaker(slice_usdt=Quote(Decimal(slice_usdt)), gap_ms=1_000)
    made = plan(an_intent(qty="0.01", policy=asked))
    assert len(made.slices) == slices


@pytest.mark.req("S4-ROUTE-5")
def test_the_table_may_size_slices_too_and_a_given_number_wins() -> None:
    twap = Twap(slices=1, gap_ms=500, slice_usdt=Quote(Decimal(200)), shape=Shape.SQRT)
    table = RouteTable(rev=2, rows=(Row(notional_usdt_max=Quote(Decimal(1)), maker_wait_ms=0, twap=twap),), terms=EXACT)
    sized, counted = (
        plan_for(an_intent(qty="1", policy=policy), table, BTC, PRICE, POLICY.but(twap_max_slices=400), FEES, T0)
        for policy in (MakerThenTaker(shape=Shape.EQUAL), MakerThenTaker(slices=3))
    )
    assert len(sized.slices) == 325  # 65000 / 200
    assert len(counted.slices) == 3
    assert counted.slices[0].qty < counted.slices[1].qty < counted.slices[2].qty  # sqrt


@pytest.mark.req("S4-ROUTE-5")
@given(
    steps=st.integers(1, 5_000),
    policy=st.builds(
        MakerThenTaker,
        wait_ms=st.integers(0, 5_000),
        slices=st.integers(1, 60),
        gap_ms=st.integers(0, 5_000),
        shape=st.sampled_from(Shape),
    ),
    price=st.integers(100, 100_000),
    side=st.sampled_from(Side),
    reduces=st.booleans(),
    name=st.text("abc123", min_size=1, max_size=8),
)
@pytest.mark.fault("F12")
def test_any_plan_is_legal_exact_in_order_and_the_same_again(
    steps: int, policy: ExecPolicy, price: int, side: Side, reduces: bool, name: str
) -> None:
    intent = an_intent(name, qty=str(steps * BTC.step), policy=policy, side=side, reduce_only=reduces)
    rules = RoutePolicy(twap_max_slices=50)
    made, again, mirrored = (
        plan_for(each, TABLE, BTC, Price(Decimal(price)), rules, FEES, T0)
        for each in (intent, intent, intent.but(side=side.opposite))
    )
    assert made.total == intent.qty
    assert all(part.qty % BTC.step == 0 and part.qty >= BTC.min_qty for part in made.slices)
    if len(made.slices) > 1 and not reduces:
        assert min(part.qty for part in made.slices) * price >= BTC.min_notional
    moments = [part.after_ms for part in made.slices]
    assert moments[0] == 0
    assert moments == sorted(moments)
    assert len(made.slices) <= 50
    if len(made.slices) > 1:
        shortest = min(later - sooner for sooner, later in pairwise(moments))
        assert made.maker.wait_ms + made.maker.chase_ms <= shortest or not made.maker.wait_ms
    assert made == again == mirrored


def test_the_deadline_covers_the_schedule_and_never_passes_the_intents_own() -> None:
    asked = MakerThenTaker(wait_ms=1_000, slices=3, gap_ms=4_000)
    made = plan(an_intent(qty="0.1", policy=asked))
    assert made.deadline_ms == T0 + 8_000 + 1_000 + EXACT.chase_ms + POLICY.patience_ms
    ends = Millis(T0 + 5_000)
    assert plan(an_intent(qty="0.1", policy=asked).but(valid_until_ms=ends)).deadline_ms == ends


@pytest.mark.req("I18")
def test_what_reduces_is_given_its_time_however_late_it_came() -> None:
    """It was taken, and nothing of it was sent: past its ``valid_until_ms`` only entries are over."""
    late = an_intent(qty="0.1", side=Side.SELL, reduce_only=True).but(valid_until_ms=Millis(T0 - 1))
    assert plan(late).deadline_ms == T0 + POLICY.patience_ms


@pytest.mark.req("S4-ROUTE-8")
def test_the_probe_sets_the_plans_terms_from_the_last_hour() -> None:
    hour = Hour(spread_bps=Decimal(3), depth=Quote(Decimal(200_000)))
    made = plan(an_intent(policy=MakerThenTaker()), sight=Sight(book=a_book(), hour=hour))
    assert made.liquidity is not None
    assert made.liquidity.spread_max_bps == 6  # twice its mean
    assert made.liquidity.depth_min == 20_000
    assert any(why.startswith("probe: spread 0.03 bps (its hour's mean 3.00, bound 6.00)") for why in made.why)


@pytest.mark.req("S4-ROUTE-9")
def test_the_bound_on_the_spread_holds_over_a_wide_hour() -> None:
    hour = Hour(spread_bps=Decimal(80), depth=Quote(Decimal(1)))
    made = plan(an_intent(policy=MakerThenTaker()), sight=Sight(book=a_book(), hour=hour))
    assert made.liquidity is not None
    assert made.liquidity.spread_max_bps == EXACT.spread_max_bps


def test_what_reduces_has_no_terms_and_no_band() -> None:
    hour = Hour(spread_bps=Decimal(3), depth=Quote(Decimal(1)))
    banded = EXACT.but(band_bps=Decimal(10))
    made = plan(an_intent(reduce_only=True, side=Side.SELL), banded, sight=Sight(book=a_book(), hour=hour))
    assert (made.liquidity, made.worst_price) == (None, None)


@pytest.mark.req("S4-SPOT-2", "I10")
@given(
    wait_ms=st.integers(0, 60_000),
    slices=st.integers(1, 4),
    gap_ms=st.integers(0, 20_000),
    chase_ms=st.integers(0, 60_000),
)
def test_a_sale_on_spot_rests_a_second_at_most_for_what_rests_has_no_stop(
    wait_ms: int, slices: int, gap_ms: int, chase_ms: int
) -> None:
    asked = MakerThenTaker(wait_ms=wait_ms, slices=slices, gap_ms=gap_ms)
    policy, terms = RoutePolicy(maker_max_wait_ms=60_000), EXACT.but(chase_ms=chase_ms)
    sale = an_intent(qty="0.1", side=Side.SELL, policy=asked, reduce_only=True)

    made = plan(sale.but(market=Market.SPOT), terms, policy).maker
    assert made.wait_ms <= min(wait_ms, 1_000)
    assert made.wait_ms + made.chase_ms <= 1_000
    by_venue = plan(sale, terms, policy).maker
    assert by_venue.wait_ms >= made.wait_ms, "futures' stop stands beside what rests"


@pytest.mark.req("S4-SPOT-2")
def test_the_plan_tells_why_a_sale_on_spot_rests_no_longer() -> None:
    sale = an_intent(qty="0.1", side=Side.SELL, policy=MakerThenTaker(wait_ms=3_000, slices=1), reduce_only=True)
    told = "maker_wait_ms 3000 capped to 1000: on spot what rests to be sold has no stop meanwhile"

    on_spot = plan(sale.but(market=Market.SPOT))
    assert (on_spot.maker.wait_ms, on_spot.maker.chase_ms) == (1_000, 0)
    assert told in on_spot.why
    assert plan(sale).maker.wait_ms == 3_000
    assert told not in plan(sale).why
    bought = plan(sale.but(market=Market.SPOT, side=Side.BUY, reduce_only=False))
    assert bought.maker.wait_ms == 3_000


@pytest.mark.parametrize(("side", "worst"), [(Side.BUY, "65065.0"), (Side.SELL, "64935.0")])
def test_a_price_band_is_the_worst_price_of_every_child(side: Side, worst: str) -> None:
    made = plan(an_intent(side=side), EXACT.but(band_bps=Decimal(10)))
    assert made.worst_price == Decimal(worst)


@pytest.mark.parametrize(
    "document",
    [b'[{"notional_usdt_max":200}]', b"{",
     b'[{"notional_usdt_max":200,"maker_wait_ms":1,"twap":{"slices":0,"gap_ms":0}}]',
     b'[{"notional_usdt_max":200,"maker_wait_ms":1,"twap":{"slices":1,"gap_ms":0,"slice_usdt":0}}]',
     b'[{"notional_usdt_max":200,"maker_wait_ms":1,"twap":{"slices":1,"gap_ms":0,"shape":"cube"}}]',
     b'{"rev":1,"rows":[{"notional_usdt_max":200,"maker_wait_ms":1,"twap":{"slices":1,"gap_ms":0}}],'
     b'"terms":{"theta":"1.01"}}',
     b'[{"notional_usdt_max":200,"maker_wait_ms":1,"twap":{"slices":1,"gap_ms":0}},'
     b'{"notional_usdt_max":100,"maker_wait_ms":1,"twap":{"slices":1,"gap_ms":0}}]'],
)  # fmt: skip
def test_a_bad_table_is_refused_by_name(document: bytes) -> None:
    with pytest.raises(Refused) as refused:
        read_route_table(document)
    assert refused.value.field == "S4_ROUTE_TABLE_PATH"


def test_terms_read_with_the_table() -> None:
    document = (
        b'{"rev":9,"rows":[{"notional_usdt_max":200,"maker_wait_ms":1,"twap":{"slices":1,"gap_ms":0}}],'
        b'"terms":{"theta":0.25,"band_bps":"30","reprices":1}}'
    )
    terms = read_route_table(document).terms
    assert (terms.theta, terms.band_bps, terms.reprices) == (Decimal("0.25"), 30, 1)


def test_a_list_of_rows_is_revision_1_and_without_rows_the_fees_decide() -> None:
    assert (TABLE.rev, len(TABLE.rows)) == (1, 2)
    assert read_route_table(b'{"rev":2,"rows":[]}') == DEFAULT


@pytest.mark.req("S4-ROUTE-1")
def test_without_a_table_what_the_account_pays_decides_whether_it_waits() -> None:
    intent = an_intent(qty="0.1", policy=MakerThenTaker())
    rests, equal, dearer = (
        plan_for(intent, DEFAULT, BTC, PRICE, POLICY, fees, T0)
        for fees in (FEES, EQUAL, FeeRates(maker=Decimal("0.001"), taker=Decimal("0.0009")))
    )

    assert shown(rests) == (3_000, ["0.1"], [0])
    assert (rests.maker.reprices, rests.maker.chase_ms, rests.maker.inside_bps) == (20, 0, Decimal("0.3"))
    assert "the fees decide: a maker pays 2 bps, a taker 5: rest up to 3000 ms to save 3" in rests.why[1]
    assert shown(equal) == shown(dearer) == (0, ["0.1"], [0])
    assert any("nothing is saved by waiting" in why for why in equal.why)


def test_the_fees_wait_as_long_as_is_allowed_and_the_request_still_wins() -> None:
    patient = plan_for(
        an_intent(policy=MakerThenTaker()), DEFAULT, BTC, PRICE, POLICY.but(maker_max_wait_ms=30_000), FEES, T0
    )
    asked = MakerThenTaker(wait_ms=700, slices=2, gap_ms=5_000)
    own = plan_for(an_intent(qty="0.1", policy=asked), DEFAULT, BTC, PRICE, POLICY, EQUAL, T0)

    assert patient.maker.wait_ms == 30_000
    assert (own.maker.wait_ms, len(own.slices)) == (700, 2)


@pytest.mark.req("S4-ROUTE-1")
def test_a_row_wins_over_the_fees_on_its_own_market_alone() -> None:
    whole = Twap(slices=1, gap_ms=0)
    row = Row(notional_usdt_max=Quote(Decimal(200)), maker_wait_ms=900, twap=whole, market=Market.FUT)
    table = RouteTable(rev=5, rows=(row, row.but(maker_wait_ms=400, market=Market.SPOT)))
    of_one = RouteTable(rev=5, rows=(row,))
    intent = an_intent(policy=MakerThenTaker())

    def waits(of: RouteTable, market: Market) -> int:
        return plan_for(intent.but(market=market), of, BTC, PRICE, POLICY, EQUAL, T0).maker.wait_ms

    assert [waits(table, market) for market in Market] == [900, 400]
    assert [waits(of_one, market) for market in Market] == [900, 0]


TICK = Decimal("0.1")


@pytest.mark.parametrize(
    ("bid", "ask", "buys_at", "sells_at"),
    [
        ("65000.0", "65000.1", "65000.0", "65000.1"),  # one tick: there is no room inside
        ("65000.0", "65000.4", "65000.3", "65000.1"),  # four: first in the queue, 0.05 bps dearer
        ("65000.0", "65002.0", "65001.9", "65000.1"),  # 0.29 bps dearer
        ("65000.0", "65002.2", "65000.0", "65002.2"),  # 0.32: the spread is worth more than the queue
    ],
)
def test_a_maker_rests_first_inside_a_spread_that_costs_little_of_what_it_saves(
    bid: str, ask: str, buys_at: str, sells_at: str
) -> None:
    book = a_book(bid=bid, ask=ask)
    touch = Touch(
        bid=book.bids[0].price, bid_qty=book.bids[0].qty, ask=book.asks[0].price, ask_qty=book.asks[0].qty, at_ms=T0
    )
    found = [resting_price(touch, side, TICK, Decimal("0.3")) for side in Side]

    assert found == [Decimal(buys_at), Decimal(sells_at)]
    assert [resting_price(touch, side, TICK, Decimal(0)) for side in Side] == [touch.bid, touch.ask]
