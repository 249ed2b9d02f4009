"""The account as a whole against all holdings: what does not fit is named, and never on the word of a single look."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chimera.reconcile.sweep import Seen, Sweep, SweepPolicy, compare
from chimera.trading.ids import ClientOrderId, Symbol
from chimera.trading.intent import MakerThenTaker
from chimera.trading.market import Side
from chimera.trading.money import Millis, Price, Qty
from chimera.trading.order import OrderType, Role, Status
from chimera.trading.venue import AccountSnapshot, VenueOrder, VenuePosition
from support.desk import SYMBOL, T0, Desk, a_long, an_intent

ETH = Symbol("ETHUSDT")
POLICY = SweepPolicy()


def resting(ref: str, *, symbol: Symbol = SYMBOL, status: Status = Status.NEW, **more: object) -> VenueOrder:
    order = VenueOrder(
        symbol=symbol, ref=ClientOrderId(ref), conditional=True, venue_id=None, side=Side.SELL,
        type=OrderType.STOP_MARKET, status=status, qty=Qty(Decimal("0.01")), updated_ms=T0, reduce_only=True,
    )  # fmt: skip
    return order.but(**more)


def held(qty: str, symbol: Symbol = SYMBOL) -> VenuePosition:
    price = Price(Decimal(65000))
    return VenuePosition(
        symbol=symbol, qty=Decimal(qty), entry_px=price, mark_px=price, liquidation_px=None, updated_ms=T0
    )


def swept(
    desk: Desk, *orders: VenueOrder, positions: tuple[VenuePosition, ...] = (), asked_after_ms: int = 1_000
) -> Sweep:
    """Asked so long after what the desk last did, and nothing happened meanwhile."""
    snapshot = AccountSnapshot(asked_ms=Millis(desk.now + asked_after_ms), orders=orders, positions=positions)
    return compare({SYMBOL: desk.holding}, {SYMBOL: desk.holding}, snapshot, POLICY)


def of(desk: Desk) -> tuple[VenueOrder, ...]:
    """What the venue would list of it."""
    return tuple(desk.word(o.request, o.status) for o in desk.holding.orders.values() if not o.status.final)


def test_an_account_as_it_should_be_asks_nobody() -> None:
    desk = a_long()
    found = swept(desk, *of(desk), positions=(held("0.01"),))
    assert (found.jaccard, found.compared, found.ask, found.tick) == (1, 1, (), ())
    assert Seen().after(found)[1] == ()


@pytest.mark.req("S4-REC-2")
def test_nothing_on_either_side_is_full_agreement() -> None:
    assert swept(Desk()).jaccard == 1


@pytest.mark.req("S4-REC-2", "I14")
def test_an_order_of_ours_that_nobody_knows_is_an_orphan_and_its_owner_asks() -> None:
    """Incident 3: the other leg of a pair rests on after a restart."""
    desk = a_long()
    found = swept(desk, *of(desk), resting("s3-btc-old-p2"), positions=(held("0.01"),))
    assert [order.ref for order in found.orphans] == ["s3-btc-old-p2"]
    assert found.jaccard == Decimal("0.5")
    assert found.ask == (SYMBOL,)


@pytest.mark.req("S4-REC-2", "I14")
@pytest.mark.incident(3)
def test_what_the_owner_then_hears_adopts_the_orphan_and_cancels_it_never_the_stop() -> None:
    desk = a_long()
    stop = desk.placed(Role.STOP)
    desk.survey(*of(desk), resting("s3-btc-old-p2"), qty="0.01")
    assert desk.canceled() == ["s3-btc-old-p2"]
    assert desk.holding.orders[stop.ref].live


@pytest.mark.req("S4-REC-2")
def test_an_order_that_ended_and_is_listed_as_open_long_after_is_an_orphan_too() -> None:
    desk = a_long()
    stop = desk.placed(Role.STOP)
    desk.fill(stop, "0.01")
    assert swept(desk, resting(stop.ref), asked_after_ms=999).orphans == ()  # a listing may lag
    assert [order.ref for order in swept(desk, resting(stop.ref)).orphans] == [stop.ref]


@pytest.mark.req("S4-REC-2")
def test_what_we_think_rests_and_is_not_listed_is_asked_for() -> None:
    """B31: the venue has cancelled all conditional orders, and the stream did not tell."""
    desk = a_long()
    found = swept(desk, positions=(held("0.01"),))
    assert found.missing == ((SYMBOL, desk.placed(Role.STOP).ref),)
    assert found.ask == (SYMBOL,)


@pytest.mark.req("S4-REC-2")
def test_news_younger_than_the_question_count_neither_way() -> None:
    desk = a_long()
    before = desk.holding
    asked_ms = Millis(desk.now + 1)
    stop = desk.placed(Role.STOP)
    desk.later(100).submit(an_intent("i2"), wait_ms=2_000)
    desk.ack(desk.placed(Role.MAKER))  # it may be listed already, or not yet
    desk.fill(stop, "0.01")  # and the stop is gone since
    listed = (desk.word(stop, Status.NEW), desk.word(desk.placed(Role.MAKER), Status.NEW))
    snapshot = AccountSnapshot(asked_ms=asked_ms, orders=listed, positions=(held("0.01"),))
    found = compare({SYMBOL: before}, {SYMBOL: desk.holding}, snapshot, POLICY)
    assert found.jaccard == 1
    assert [found.orphans, found.missing, found.gaps, found.ask] == [(), (), (), ()]


@pytest.mark.fault("B26")
def test_one_flat_reading_only_sends_the_owner_to_ask() -> None:
    """B26, 10 October 2025: a zero is no order to do anything; the owner's surveys judge it."""
    desk = a_long()
    found = swept(desk, *of(desk))
    assert found.gaps == (SYMBOL,)
    assert found.ask == (SYMBOL,)
    assert Seen().after(found)[1] == ()


@pytest.mark.req("I14")
def test_a_position_that_nobody_owns_is_found_at_the_first_look() -> None:
    found = swept(Desk(), positions=(held("2", ETH),))
    assert [each.symbol for each in found.ownerless] == [ETH]
    [alert] = Seen().after(found)[1]
    assert (alert.code, alert.text) == ("POSITION_WITHOUT_OWNER", "ETHUSDT")


@pytest.mark.req("S4-REC-2")
def test_a_maker_past_its_time_has_its_owner_look_at_the_time() -> None:
    desk = Desk()
    desk.submit(an_intent(policy=MakerThenTaker(wait_ms=1_000, slices=1, gap_ms=0)), wait_ms=1_000)
    maker = desk.placed(Role.MAKER)
    desk.ack(maker)
    desk.later(3_000)
    assert swept(desk, *of(desk)).expired == ()
    desk.later(3_000)
    found = swept(desk, *of(desk))
    assert found.expired == ((SYMBOL, maker.ref),)
    assert (found.ask, found.tick) == ((), (SYMBOL,))


@pytest.mark.req("S4-REC-2")
@pytest.mark.incident(11)
def test_stops_that_pile_up_are_counted_and_told_when_they_stay() -> None:
    """Incident 11. Two for a moment, while one replaces the other, are no news."""
    desk = a_long()
    first = desk.placed(Role.STOP)
    second = first.but(ref=ClientOrderId(f"{first.ref[:-1]}9"))
    twice = desk.holding.with_order(desk.holding.orders[first.ref].but(request=second))
    desk.holding = twice
    found = swept(desk, *of(desk), positions=(held("0.01"),))
    assert found.doubles == ((SYMBOL, second.ref),)
    seen, alerts = Seen().after(found)
    assert alerts == ()
    seen, alerts = seen.after(found)
    assert [alert.code for alert in alerts] == ["SECOND_STOP"]
    assert seen.after(found)[1] == ()


@pytest.mark.req("S4-REC-2")
def test_below_the_threshold_every_owner_asks_and_it_is_told_once() -> None:
    desk = a_long()
    strange = tuple(resting(f"s3-old-s{number}") for number in range(1, 6))
    found = swept(desk, *of(desk), *strange, positions=(held("0.01"),))
    assert found.low
    assert found.jaccard == Decimal(1) / 6
    seen, [alert] = Seen().after(found)
    assert alert.code == "JACCARD_LOW"
    assert "0.17 over 6 orders: 5 not known here, 0 not listed there" in alert.text
    assert [each.code for each in seen.after(found)[1]] == ["ORPHAN_ORDER"]
    assert Seen().after(swept(desk, *of(desk)))[0].after(found)[1] != ()  # gone and back: told again


@pytest.mark.req("S4-REC-2")
def test_a_few_orders_are_no_share() -> None:
    desk = a_long()
    assert not swept(desk, *of(desk), resting("s3-old-s1")).low


@given(
    both=st.integers(0, 30), ours=st.integers(0, 30), theirs=st.integers(0, 30), others=st.integers(0, 5)
)  # fmt: skip
def test_the_share_is_that_of_the_sets(both: int, ours: int, theirs: int, others: int) -> None:
    """Against the sets counted naively; what is not ours by its id is in neither."""
    desk = a_long()
    model = desk.holding.orders[desk.placed(Role.STOP).ref]
    known = {f"a-s{n}" for n in range(both)} | {f"b-s{n}" for n in range(ours)}
    listed = {f"a-s{n}" for n in range(both)} | {f"c-s{n}" for n in range(theirs)}
    orders = {ClientOrderId(ref): model.but(request=model.request.but(ref=ClientOrderId(ref))) for ref in known}
    desk.holding = desk.holding.but(orders=orders)
    found = swept(desk, *map(resting, sorted(listed)), *(resting(f"web_{n}") for n in range(others)))
    assert found.compared == len(known | listed)
    share = Fraction(len(known & listed), len(known | listed)) if known | listed else 1
    assert abs(Fraction(found.jaccard) - share) < Fraction(1, 10**20)


def test_an_order_that_was_on_its_way_as_we_asked_may_be_listed_or_not() -> None:
    desk = Desk()
    desk.submit(an_intent(policy=MakerThenTaker(wait_ms=1_000, slices=1, gap_ms=0)), wait_ms=1_000)
    before = desk.holding
    desk.later(5).ack(desk.placed(Role.MAKER))
    for listed in ((), of(desk)):
        snapshot = AccountSnapshot(asked_ms=T0, orders=listed, positions=())
        found = compare({SYMBOL: before}, {SYMBOL: desk.holding}, snapshot, POLICY)
        assert (found.compared, found.ask) == (0, ())


def test_a_trade_counted_while_we_asked_is_no_difference() -> None:
    desk = a_long()
    before, asked_ms = desk.holding, desk.now
    desk.later(5).fill(desk.placed(Role.STOP), "0.004")
    snapshot = AccountSnapshot(asked_ms=asked_ms, orders=of(desk), positions=(held("0.01"),))
    assert compare({SYMBOL: before}, {SYMBOL: desk.holding}, snapshot, POLICY).gaps == ()
