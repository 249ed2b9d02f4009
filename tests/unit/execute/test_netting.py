"""An entry against the position, where the desk nets: it reduces first, exactly, and only the rest ever opens."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera.admit.admission import objections
from chimera.admit.netting import netted
from chimera.admit.tidying import tidied
from chimera.trading.commands import Command, Place, waits_for_save
from chimera.trading.events import IntentChanged
from chimera.trading.execution import Phase
from chimera.trading.facts import CloseAsked, PlaceRefused, Reported, Ticked
from chimera.trading.holding import Holding
from chimera.trading.ids import ClientOrderId, IntentId
from chimera.trading.intent import Intent, StopSpec
from chimera.trading.market import Market, Side
from chimera.trading.money import Price, Qty, text
from chimera.trading.order import NewOrder, Role, Status
from chimera.trading.refusal import Refusal
from chimera.trading.scene import Scene
from support.desk import BTC, Desk, a_long, an_intent
from support.refusals import said_no

pytestmark = pytest.mark.req("S4-POS-1")

ABOVE = StopSpec(price=Price(Decimal("65500.0")))


def netting(desk: Desk) -> Desk:
    """The same desk, where S4_ON_OPPOSITE is net."""

    class Netting(Desk):
        @property
        def scene(self) -> Scene:
            plain = super().scene
            return plain.but(policy=plain.policy.but(nets_opposite=True))

    desk.__class__ = Netting
    return desk


def a_netting_long(qty: str = "0.01", **wishes: Any) -> Desk:
    return netting(a_long(qty, **wishes))


def a_sell(qty: str, **wishes: Any) -> Intent:
    return an_intent("i2", side=Side.SELL, qty=qty, **({"stop": ABOVE} | wishes))


def refusals(intent: Intent, desk: Desk) -> dict[str, Any]:
    return {no.code: no for no in objections(intent, desk.holding, desk.scene)}


def sent(desk: Desk, role: Role = Role.TAKER) -> list[tuple[str, str, bool]]:
    """Ids, quantities and whether they only reduce, of the second intent's orders."""
    orders = [c.order for c in desk.told if isinstance(c, Place) and c.role is role]
    return [(order.ref, text(order.qty), order.reduce_only) for order in orders if "i2" in order.ref]


# ── taken or refused ──


def test_by_default_it_is_refused_and_where_the_desk_nets_it_is_taken() -> None:
    assert "POSITION_OPPOSED" in refusals(a_sell("0.03"), a_long())
    assert not refusals(a_sell("0.03"), a_netting_long())
    assert not refusals(a_sell("0.004", stop=None, reduce_only=True), a_netting_long())


def test_what_opens_is_judged_by_itself() -> None:
    """Its stop belongs above the market, and it must be worth enough without what reduces."""
    desk = a_netting_long()
    assert "WRONG_SIDE_STOP" in refusals(a_sell("0.03", stop=StopSpec(price=Price(Decimal(64_000)))), desk)
    desk.bid, desk.ask = Decimal("1000.0"), Decimal("1000.1")
    above = StopSpec(price=Price(Decimal("1005.0")))
    assert "MIN_NOTIONAL" in refusals(a_sell("0.014", stop=above), desk)
    assert not refusals(a_sell("0.015", stop=above), desk)
    assert not refusals(a_sell("0.004", stop=above), desk)  # nothing opens


def test_a_position_that_still_grows_is_not_netted() -> None:
    desk = netting(Desk())
    desk.submit(an_intent(qty="0.02"), "0.01", "0.01", gap_ms=5_000)
    desk.fill(desk.placed(Role.TAKER), "0.01")
    assert "POSITION_OPPOSED" in refusals(a_sell("0.03"), desk)


def test_an_entry_against_one_on_its_way_is_not_taken_either() -> None:
    """Nothing is held yet, so nothing would be netted: whichever filled last would turn the position in one order."""
    desk = netting(Desk())
    desk.submit(an_intent(qty="0.01"), wait_ms=5_000)
    desk.ack(desk.placed(Role.MAKER))
    assert "POSITION_OPPOSED" in refusals(a_sell("0.03"), desk)


def test_spot_never_nets() -> None:
    desk = a_netting_long()
    assert netted(a_sell("0.03").but(market=Market.SPOT), desk.holding, desk.scene.policy) == 0


def test_the_answer_says_what_reduces_and_what_opens() -> None:
    desk = a_netting_long()
    _, notes = tidied(a_sell("0.03"), BTC, desk.scene.policy, desk.holding)
    assert "0.01 of it reduces the open position first, reduce-only; then 0.02 opens" in notes


# ── worked ──


def test_it_reduces_exactly_what_is_held_and_then_opens_the_rest_with_a_stop_of_its_own() -> None:
    desk = a_netting_long()
    old_stop = desk.placed(Role.STOP)
    desk.submit(a_sell("0.03"))
    assert sent(desk) == [("s3-btc-i2-t1", "0.01", True)]
    assert waits_for_save(desk.last[-1])
    assert old_stop.ref not in desk.canceled()

    desk.fill(desk.placed(Role.TAKER), "0.010")
    assert desk.holding.position.qty == 0
    assert old_stop.ref in desk.canceled()
    assert sent(desk) == [("s3-btc-i2-t1", "0.01", True), ("s3-btc-i2-t2", "0.02", False)]

    told = desk.fill(desk.placed(Role.TAKER), "0.020")
    [stop] = [c.order for c in told if isinstance(c, Place) and c.role is Role.STOP]
    assert (stop.side, stop.trigger_price) == (Side.BUY, Price(Decimal("65500.0")))
    assert [(lot.side, lot.qty, lot.intent_id) for lot in desk.holding.position.lots] == [
        (Side.SELL, Decimal("0.020"), "i2")
    ]
    work = desk.holding.intents[IntentId("i2")]
    assert (work.phase, work.reason) == (Phase.DONE, "FILLED")
    assert "nets 0.01" in work.steps[0].what


def over(desk: Desk, order: NewOrder) -> bool:
    """It ended; where it has left since, its end is remembered."""
    known = desk.holding.orders.get(order.ref)
    return order.ref in desk.holding.ended if known is None else known.status.final


@pytest.mark.parametrize(("qty", "left"), [("0.004", "0.006"), ("0.010", "0")])
def test_less_than_is_held_reduces_and_opens_nothing(qty: str, left: str) -> None:
    desk = a_netting_long()
    desk.submit(a_sell(qty))
    desk.fill(desk.placed(Role.TAKER), qty)
    assert [(each[2]) for each in sent(desk)] == [True]
    assert desk.holding.position.qty == Decimal(left)
    told = [event.body for event in desk.holding.outbox if isinstance(event.body, IntentChanged)]
    assert '"code":null' in str(told[-1].row), "it did all that was asked"
    assert all(lot.side is Side.BUY for lot in desk.holding.position.lots)


def test_nothing_opens_before_the_end_of_what_reduces_is_known() -> None:
    desk = a_netting_long()
    desk.submit(a_sell("0.03"))
    desk.ack(desk.placed(Role.TAKER))
    desk.fill(desk.placed(Role.TAKER), "0.006")
    desk.later(500).hear(Ticked())
    assert len(sent(desk)) == 1


def test_what_a_stop_closed_meanwhile_is_not_opened_instead() -> None:
    """The stop takes all of the long before the child that was to reduce it; the rest, and no more, opens."""
    desk = a_netting_long()
    stop = desk.placed(Role.STOP)
    desk.submit(a_sell("0.03"))
    reducing = desk.placed(Role.TAKER)
    desk.fill(stop, "0.010", "64000.0")
    desk.hear(said_no(ref=reducing.ref, code=-2022, message="ReduceOnly Order is rejected."))
    desk.later(300).hear(Ticked())
    assert sent(desk)[1:] == [("s3-btc-i2-t2", "0.02", False)]
    desk.fill(desk.placed(Role.TAKER), "0.020")
    work = desk.holding.intents[IntentId("i2")]
    assert (work.phase, work.reason) == (Phase.DONE, "NOTHING_TO_REDUCE")
    assert desk.holding.position.qty == Decimal("-0.020")


def test_a_refusal_to_reduce_asks_the_venue_and_tries_again_under_the_next_id() -> None:
    desk = a_netting_long()
    desk.submit(a_sell("0.03"))
    desk.hear(PlaceRefused(ref=desk.placed(Role.TAKER).ref, code=-2022, message="no", refusal=Refusal.OTHER))
    assert desk.holding.survey_asked_ms == desk.now
    desk.survey(qty="0.010")
    desk.later(300).hear(Ticked())
    assert sent(desk)[1:] == [("s3-btc-i2-t2", "0.01", True)]


def test_a_close_of_everything_ends_it_and_nothing_opens() -> None:
    desk = a_netting_long()
    desk.submit(a_sell("0.03"), wait_ms=800)
    maker = desk.placed(Role.MAKER)
    assert maker.reduce_only
    desk.ack(maker)
    desk.hear(CloseAsked(reason="BY_HAND"))
    assert maker.ref in desk.canceled()
    desk.later(60_000).hear(Ticked())
    assert not any(not reduces for _, _, reduces in sent(desk) + sent(desk, Role.MAKER))


def test_slices_reduce_until_flat_and_open_from_there() -> None:
    desk = a_netting_long()
    desk.submit(a_sell("0.03"), "0.008", "0.008", "0.014", gap_ms=1_000)
    for _ in range(5):
        order = desk.placed(Role.TAKER)
        if desk.holding.orders[order.ref].status.final:
            desk.later(1_000).hear(Ticked())
            order = desk.placed(Role.TAKER)
        if not desk.holding.orders[order.ref].status.final:
            desk.fill(order, text(order.qty))
    assert [(qty, reduces) for _, qty, reduces in sent(desk)] == [
        ("0.008", True), ("0.002", True), ("0.006", False), ("0.014", False),
    ]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    held=st.integers(1, 20), qty=st.integers(1, 40), slices=st.integers(1, 4),
    story=st.lists(st.sampled_from(["fill", "part", "tick", "stop", "refuse", "expire"]), max_size=25),
)  # fmt: skip
def test_whatever_happens_it_never_flips_in_one_order_nor_opens_more_than_the_rest(
    held: int, qty: int, slices: int, story: list[str]
) -> None:
    """The venue fills, refuses and stops in any order; every command is judged as it leaves."""
    desk = a_netting_long(text(Qty(held * BTC.step)))
    stop, rest = desk.placed(Role.STOP), max(qty - held, 0) * BTC.step
    each, more = divmod(qty, slices)
    parts = [text(Qty((each + (1 if number < more else 0)) * BTC.step)) for number in range(slices)]
    opened, live = Decimal(0), dict[str, Any]()

    def take(told: tuple[Command, ...], before: Holding) -> None:
        nonlocal opened
        for order in (c.order for c in told if isinstance(c, Place) and "i2" in c.order.ref and c.role is Role.TAKER):
            assert order.ref not in live
            assert order.reduce_only == (before.exposure > 0)
            assert not order.reduce_only or order.qty <= before.exposure
            opened += 0 if order.reduce_only else order.qty
            assert opened <= rest
            live[order.ref] = order

    def hear(act: Any) -> None:
        seen = len(desk.told)
        act()
        take(tuple(desk.told[seen:]), desk.holding)

    hear(lambda: desk.submit(a_sell(text(Qty(qty * BTC.step))), *[part for part in parts if Decimal(part)], gap_ms=300))
    for what in story:
        order = next((o for o in live.values() if not over(desk, o)), None)
        left = desk.holding.orders[order.ref].leaves_qty if order is not None else Decimal(0)
        if order is not None and order.reduce_only:
            left = min(left, max(desk.holding.position.qty, Decimal(0)))  # the venue takes no more
        if what == "fill" and order is not None and left:
            hear(lambda order=order, left=left: desk.fill(order, text(Qty(left))))
        elif what == "part" and order is not None and left > BTC.step:
            hear(lambda order=order: desk.fill(order, text(Qty(BTC.step))))
        elif what == "stop" and desk.holding.position.qty > 0 and not desk.holding.orders[stop.ref].status.final:
            hear(lambda: desk.fill(stop, text(Qty(desk.holding.position.qty)), "64000.0"))
        elif (
            what == "refuse" and order is not None and order.reduce_only and left == desk.holding.orders[order.ref].qty
        ):
            hear(lambda order=order: desk.hear(said_no(ref=order.ref, code=-2022, message="ReduceOnly")))
        else:
            hear(lambda: desk.later(300).hear(Ticked()))
    assert desk.holding.position.qty >= -rest


def test_what_only_reduces_goes_whatever_stop_was_named() -> None:
    """Its price has been reached already: nothing of it opens, so nothing needs a stop."""
    desk = a_netting_long()
    desk.submit(a_sell("0.004", stop=StopSpec(price=Price(Decimal("64000.0")))))
    assert [(each[2]) for each in sent(desk)] == [True]


def test_more_than_it_was_to_reduce_is_anothers() -> None:
    """By hand the long was made larger meanwhile: once its own part is done it ends, and opens nothing."""
    desk = a_netting_long()
    desk.submit(a_sell("0.03"))
    reducing = desk.placed(Role.TAKER)
    stranger = reducing.but(ref=ClientOrderId("by-hand"), side=Side.BUY, reduce_only=False)
    word = desk.word(stranger, Status.FILLED, "0.005").but(qty=Qty(Decimal("0.005")))
    desk.hear(Reported(order=word, fill=desk.a_fill(stranger, "0.005", "65000.1", "hand-1")))
    desk.fill(reducing, "0.010")
    told = [event.body for event in desk.holding.outbox if isinstance(event.body, IntentChanged)]
    assert desk.holding.position.qty == Decimal("0.005")
    assert (told[-1].intent_id, told[-1].done) == ("i2", True)
    assert "POSITION_OPPOSED: a position of 0.005 stands" in str(told[-1].row)
    assert len(sent(desk)) == 1
