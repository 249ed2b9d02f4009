"""The last look before an order leaves: what it hears instead, and in which order it is asked."""

from decimal import Decimal as D

import pytest
from desk import KEY, Desk, a_long, an_intent

from chimera.admit import last_hop
from chimera.admit.last_hop import Seen
from chimera.admit.limits import Exposure, LimitBook, Limits
from chimera.trading.facts import CancelAsked, PlaceNotSent, PlaceRefused
from chimera.trading.holding import Holding
from chimera.trading.money import Millis, Price, Quote
from chimera.trading.order import NewOrder, Role
from chimera.trading.refusal import Refusal
from chimera.trading.standstill import Kill, Scope, Standstill
from support.spot_desk import SpotDesk, buy

NEAR = Price(D("65000.05"))
CLOSED = ("BREAKER_OPEN: too many errors", Millis(700))
KILL = Kill(scope=Scope.GLOBAL, by="me", reason="fire", at_ms=Millis(1))


def a_book(most: int = 5_000) -> LimitBook:
    limits = Limits(
        max_order_notional=Quote(D(most)),
        max_position_notional=Quote(D(most)),
        max_gross_notional=Quote(D(most)),
        max_daily_loss=Quote(D(50)),
        price_collar_bps=D(100),
        max_orders_per_10s=8,
    )
    return LimitBook(limits)


def entering() -> tuple[Desk, NewOrder]:
    desk = Desk()
    desk.submit(an_intent())
    return desk, desk.placed(Role.TAKER)


def seen(desk: Desk, **otherwise: object) -> Seen:
    usual = Seen(desk.now, Exposure.of(desk.holding, NEAR), None, Standstill())
    return usual._replace(**otherwise)  # type: ignore[arg-type]  # a test names what it varies


@pytest.mark.req("S4-LIM-1")
def test_an_entry_that_nothing_speaks_against_is_reserved() -> None:
    desk, order = entering()
    book = a_book(most=651)  # this order once: it is in the exposure already, and is not counted twice
    assert last_hop.entry(order, desk.holding, seen(desk), book) is None
    assert len(book._sent) == 1


@pytest.mark.parametrize(
    ("otherwise", "reason", "wait_ms"),
    [
        ({"now_ms": Millis(2**50)}, last_hop.LATE, None),
        ({"exposure": None}, last_hop.NO_MARKET_DATA, None),
        ({"closed": CLOSED}, CLOSED[0], CLOSED[1]),
    ],
)
@pytest.mark.req("S4-LIM-1")
def test_what_keeps_an_entry_back_for_now_costs_it_no_try(
    otherwise: dict[str, object], reason: str, wait_ms: Millis | None
) -> None:
    desk, order = entering()
    book = a_book()
    no = last_hop.entry(order, desk.holding, seen(desk, **otherwise), book)
    assert no == PlaceNotSent(ref=order.ref, reason=reason, retry_after_ms=wait_ms, held=True)
    assert not book._sent


@pytest.mark.req("S4-LIM-1", "S4-KILL-1")
def test_what_would_say_no_again_ends_it() -> None:
    desk, order = entering()
    killed = last_hop.entry(order, desk.holding, seen(desk, standstill=Standstill(kills=(KILL,))), a_book())
    too_large = last_hop.entry(order, desk.holding, seen(desk), a_book(most=650))
    nobodys = last_hop.entry(order, Holding(key=KEY), seen(desk), a_book())
    desk.hear(CancelAsked(intent_id=an_intent().intent_id, reason="by hand"))
    canceled = last_hop.entry(order, desk.holding, seen(desk), a_book())

    for no, code in (
        (killed, "KILL_SWITCH"),
        (too_large, "LIMIT_ORDER"),
        (nobodys, "LIMIT_PARENT"),
        (canceled, "CANC"),
    ):
        assert isinstance(no, PlaceRefused)
        assert no.message.startswith(code)
        assert (no.code, no.refusal) == (0, Refusal.KEPT_BACK)


@pytest.mark.req("S4-LIM-1")
def test_children_never_come_to_more_than_their_intent() -> None:
    desk, order = entering()
    known = desk.holding.orders[order.ref]
    twin = known.but(request=order.but(ref="s3-btc-i1-t2"))
    working = desk.holding.working_of(known)

    assert last_hop.beyond_parent(working, desk.holding) is None
    assert "come to 0.02, intended 0.01" in (last_hop.beyond_parent(working, desk.holding.with_order(twin)) or "")


@pytest.mark.req("I12")
def test_a_wallet_sells_no_more_than_is_ours() -> None:
    desk = SpotDesk()
    desk.submit(buy())
    order = desk.placed(Role.TAKER)
    desk.ack(order)
    desk.fill(order, "0.01")
    ours = desk.holding.exposure

    assert last_hop.oversold(desk.holding, ours) is None
    no = last_hop.reduction(order.but(ref="s1", reduce_only=True), desk.holding, ours + D("0.00001"), desk.now)
    assert isinstance(no, PlaceRefused)
    assert no.message.startswith("LIMIT_HELD")
    assert last_hop.oversold(a_long("0.01").holding, D(9)) is None  # there the venue sees to it


@pytest.mark.req("I10")
def test_a_stop_is_asked_for_no_moment() -> None:
    desk = a_long("0.01")
    stop = desk.placed(Role.STOP).but(not_after_ms=Millis(1))
    assert last_hop.reduction(stop, desk.holding, D(0), desk.now) is None


@pytest.mark.req("I10")
def test_the_cancel_of_a_stop_does_not_bare_what_is_held() -> None:
    covered, bare = a_long("0.01").holding, a_long("0.01").holding
    bare = bare.but(orders={ref: order for ref, order in bare.orders.items() if order.role is not Role.STOP})

    assert not last_hop.bares(Role.STOP, covered)
    assert last_hop.bares(Role.STOP, bare)
    assert not last_hop.bares(Role.TARGET, bare)
