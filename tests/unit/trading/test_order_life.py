"""Every pair of status and trigger, legal and illegal, and quantities as sums over trades."""

from decimal import Decimal
from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chimera.trading.errors import IllegalTransition
from chimera.trading.fill import Fill
from chimera.trading.ids import ClientOrderId, TradeId, VenueOrderId
from chimera.trading.market import Market, Side
from chimera.trading.money import Price, Qty, Quote
from chimera.trading.order import FINAL, TRANSITIONS, NewOrder, Order, OrderType, Role, Status, Trigger, after
from support.desk import SYMBOL, T0

S, T = Status, Trigger
PAIRS = list(product(Status, Trigger))

# Written out a second time, by hand and from the venue's side: what may follow each trigger, wherever it is legal.
MAY_BECOME = {
    T.ACKED: {S.NEW},
    T.REFUSED: {S.REJECTED, S.IN_DOUBT},
    T.NOT_SENT: {S.REJECTED, S.IN_DOUBT},
    T.TIMED_OUT: {S.IN_DOUBT},
    T.PROVEN_DEAD: {S.REJECTED},
    T.PART_FILLED: {S.PARTIALLY_FILLED},
    T.FILLED: {S.FILLED},
    T.TRIGGERED: {S.TRIGGERING},
    T.CANCEL_SENT: {S.PENDING_CANCEL},
    T.CANCEL_REFUSED: {S.IN_DOUBT},
    T.CANCEL_NOT_SENT: {S.IN_DOUBT},
    T.CANCELED: {S.CANCELED},
    T.EXPIRED: {S.EXPIRED},
    T.RESTARTED: {S.IN_DOUBT},
    T.MISSING: {S.IN_DOUBT},
    T.REVIVED: {S.NEW},
}
# Illegal on purpose: it cannot happen unless we, or the venue, are wrong.
ILLEGAL = {
    S.PENDING_NEW: {T.PROVEN_DEAD, T.CANCEL_SENT, T.CANCEL_REFUSED, T.CANCEL_NOT_SENT, T.REVIVED},
    S.NEW: {T.PROVEN_DEAD, T.CANCEL_REFUSED, T.CANCEL_NOT_SENT, T.REVIVED},
    S.PARTIALLY_FILLED: {T.PROVEN_DEAD, T.REVIVED},
    S.TRIGGERING: {T.PROVEN_DEAD, T.REVIVED},
    S.PENDING_CANCEL: {T.PROVEN_DEAD, T.REVIVED},
    S.IN_DOUBT: {T.REVIVED},
    S.FILLED: {T.CANCEL_SENT},
    S.CANCELED: {T.CANCEL_SENT},
    S.EXPIRED: {T.CANCEL_SENT},
    S.REJECTED: {T.CANCEL_SENT},
}


@pytest.mark.req("I8", "S4-REC-1")
@pytest.mark.parametrize(("status", "trigger"), PAIRS)
def test_every_pair(status: Status, trigger: Trigger) -> None:
    if trigger in ILLEGAL[status]:
        assert (status, trigger) not in TRANSITIONS
        with pytest.raises(IllegalTransition) as told:
            after(status, trigger)
        assert (told.value.status, told.value.trigger) == (status, trigger)
    else:
        assert after(status, trigger) in MAY_BECOME[trigger] | {status}


@pytest.mark.req("I8")
@pytest.mark.parametrize("final", sorted(FINAL))
@pytest.mark.fault("C3")
def test_late_news_never_revives_what_the_venue_ended(final: Status) -> None:
    """Only a rejection, which may be our own wrong proof of death, can turn out to live."""
    news = set(Trigger) - {T.REVIVED}  # the one exception, and it takes the venue's list of open orders to say so
    reached = {after(final, trigger) for trigger in news if (final, trigger) in TRANSITIONS}

    if final is S.REJECTED:
        assert reached == set(Status) - {S.PENDING_NEW, S.PENDING_CANCEL, S.IN_DOUBT}
    else:
        assert reached <= {final, S.FILLED}


@pytest.mark.req("S4-RETRY-2")
def test_an_unknown_outcome_is_never_taken_for_death() -> None:
    for status in (S.PENDING_NEW, S.PENDING_CANCEL, S.IN_DOUBT):
        assert after(status, T.TIMED_OUT) is S.IN_DOUBT
        assert after(status, T.RESTARTED) is S.IN_DOUBT
    assert after(S.IN_DOUBT, T.MISSING) is S.IN_DOUBT
    assert after(S.IN_DOUBT, T.PROVEN_DEAD) is S.REJECTED


def test_a_doubt_can_end_in_every_way() -> None:
    reached = {after(S.IN_DOUBT, trigger) for trigger in Trigger if (S.IN_DOUBT, trigger) in TRANSITIONS}

    assert reached >= {S.NEW, S.PARTIALLY_FILLED, S.TRIGGERING, S.FILLED, S.CANCELED, S.EXPIRED, S.REJECTED}


def an_order(qty: str = "10") -> Order:
    request = NewOrder(
        ref=ClientOrderId("s3-btc-1-m1"), symbol=SYMBOL, side=Side.BUY, type=OrderType.LIMIT, qty=Qty(Decimal(qty))
    )
    return Order(request=request, role=Role.MAKER, intent_id=None, created_ms=T0)


def a_trade(name: str, qty: str, price: str = "100") -> Fill:
    return Fill(
        trade_id=TradeId(name),
        ref=ClientOrderId("s3-btc-1-m1"),
        venue_id=VenueOrderId("1"),
        market=Market.FUT,
        symbol=SYMBOL,
        side=Side.BUY,
        price=Price(Decimal(price)),
        qty=Qty(Decimal(qty)),
        fee=Decimal("0.01"),
        fee_asset="USDT",
        realized_pnl=Quote(Decimal(0)),
        maker=True,
        at_ms=T0,
    )


@pytest.mark.req("I5", "I6", "I8")
@given(st.data())
@pytest.mark.fault("C2", "C3", "C15")
def test_trades_in_any_order_and_number_give_one_order(data: st.DataObject) -> None:
    """Trades may come before the ack, twice, around a cancel, in any order."""
    sizes = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    trades = [a_trade(f"t{index}", str(size)) for index, size in enumerate(sizes)]
    shuffled = data.draw(st.permutations(trades + trades))
    ack_at = data.draw(st.integers(0, len(shuffled)))
    order, seen = an_order(qty=str(sum(sizes))), [Decimal(0)]
    for index, trade in enumerate(shuffled):
        if index == ack_at:
            order = order.after(T.ACKED)
        order = order.with_fill(trade)
        seen.append(order.cum_qty)

    assert all(before <= later for before, later in pairwise(seen))
    assert (order.cum_qty, order.leaves_qty, order.status) == (sum(sizes), 0, S.FILLED)
    assert order.avg_px == 100


@pytest.mark.req("S4-ROUTE-3")
@pytest.mark.fault("B18", "G11")
def test_a_fill_after_the_cancel_counts() -> None:
    order = an_order().after(T.ACKED).after(T.CANCEL_SENT).after(T.CANCELED).with_fill(a_trade("late", "4"))

    assert (order.status, order.cum_qty) == (S.CANCELED, 4)
    assert order.with_fill(a_trade("rest", "6")).status is S.FILLED


def test_mean_price_weighs_by_quantity() -> None:
    order = an_order().with_fill(a_trade("a", "1", "100")).with_fill(a_trade("b", "3", "104"))

    assert order.avg_px == 103
    assert an_order().avg_px is None


@pytest.mark.req("I11")
def test_only_a_live_untouched_order_guards() -> None:
    guarding = {status for status in Status if an_order().but(status=status).live}

    assert guarding == {S.NEW}


@pytest.mark.req("I5")
@pytest.mark.fault("B25")
@pytest.mark.incident(27)
def test_the_venue_may_shrink_a_reduce_only_order() -> None:
    order = an_order().after(T.ACKED).but(venue_qty=Qty(Decimal(4))).with_fill(a_trade("all", "4"))

    assert (order.status, order.leaves_qty) == (S.FILLED, 0)


@pytest.mark.fault("G7")
@pytest.mark.incident(6)
def test_what_is_in_doubt_counts_in_full_and_what_is_final_counts_what_is_owed() -> None:
    doubted = an_order().after(T.TIMED_OUT)
    assert doubted.leaves_qty == 10

    ended = doubted.after(T.CANCELED).but(venue_cum_qty=Qty(Decimal(3)))
    assert (ended.leaves_qty, ended.owed) == (3, True)
    assert not ended.with_fill(a_trade("late", "3")).owed
