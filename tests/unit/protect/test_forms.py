"""Forms of protection: one that the venue does not take gives way at once, and one without a quantity covers all."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chimera.protect.verdicts import Verdict, takes_form, verdict
from chimera.trading.commands import Place
from chimera.trading.errors import IllegalTransition
from chimera.trading.events import Alert
from chimera.trading.facts import (
    CancelRefused,
    Found,
    NotFound,
    PlaceNotSent,
    PlaceUnanswered,
    Reported,
    Restarted,
    Ticked,
)
from chimera.trading.form import FORMS, Form
from chimera.trading.ids import derived_id, probe_id
from chimera.trading.intent import StopSpec, TargetKind, TargetSpec
from chimera.trading.market import Side
from chimera.trading.money import Millis, Price, Qty
from chimera.trading.order import NewOrder, OrderType, Role, Status
from support.desk import BTC, Desk, a_long, an_intent
from support.refusals import refusal_of, said_no

NOT_TAKEN = -4120
AT_64000 = StopSpec(price=Price(Decimal(64000)))
AT_64500 = StopSpec(price=Price(Decimal(64500)))


def refuse(desk: Desk, order: NewOrder, code: int) -> tuple[object, ...]:
    return desk.hear(said_no(ref=order.ref, code=code, message="no"))


def a_fill_at(desk: Desk, qty: str = "0.01", stop: StopSpec = AT_64000) -> NewOrder:
    """A filled entry; its first stop, not answered yet."""
    desk.submit(an_intent(stop=stop, qty=qty))
    desk.fill(desk.placed(Role.TAKER), qty)
    return desk.placed(Role.STOP)


def a_whole_long(qty: str = "0.01", stop: StopSpec = AT_64000) -> Desk:
    """A long whose stop is a closePosition one, since the venue takes no other first."""
    desk = Desk()
    desk.forms = (Form.WHOLE, Form.QTY, Form.REGULAR)
    desk.ack(a_fill_at(desk, qty, stop))
    return desk


def alerts(desk: Desk) -> list[str]:
    return [event.body.code for event in desk.holding.outbox if isinstance(event.body, Alert)]


# ── the next form ──


@pytest.mark.req("S4-FUT-3")
@pytest.mark.fault("B36")
@pytest.mark.incident(2)
def test_a_form_that_is_not_taken_gives_way_at_once_to_the_next() -> None:
    """Incident 2: in the same step, under a new id, and no try is used up."""
    desk = Desk()
    first = a_fill_at(desk)
    assert (first.form, first.qty) == (Form.QTY, Decimal("0.01"))
    commands = refuse(desk, first, NOT_TAKEN)
    (second,) = [c.order for c in commands if isinstance(c, Place)]
    assert (second.form, second.qty, second.reduce_only) == (Form.WHOLE, Decimal(0), True)
    assert second.ref != first.ref
    assert desk.holding.stop_tries == 0
    desk.ack(second)

    assert desk.holding.covered_qty == Decimal("0.01")
    assert desk.count(Role.EXIT) == 0
    assert "STOP_FORM_REFUSED" in alerts(desk)


def test_only_when_every_form_was_refused_the_position_closes() -> None:
    desk = Desk()
    a_fill_at(desk)
    forms = []
    for _ in FORMS:
        assert desk.count(Role.EXIT) == 0
        forms.append(desk.placed(Role.STOP).form)
        refuse(desk, desk.placed(Role.STOP), NOT_TAKEN)

    assert forms == list(FORMS)
    assert desk.placed(Role.EXIT).qty == Decimal("0.01")
    assert "STOP_REFUSED" in alerts(desk)


def test_an_unknown_refusal_counts_a_try_and_changes_the_form() -> None:
    desk = Desk()
    refuse(desk, a_fill_at(desk), -4999)
    assert desk.count(Role.STOP) == 1, "it may be the place and not the form: not at once"
    desk.later(100).hear(Ticked())
    assert desk.placed(Role.STOP).form is Form.WHOLE
    refuse(desk, desk.placed(Role.STOP), -4999)

    assert desk.count(Role.EXIT) == 1


@pytest.mark.fault("B38")
def test_a_key_that_is_not_taken_closes_nothing_and_is_tried_again() -> None:
    """B38: neither a form nor a close can help, and once the key is back nothing must be closed."""
    desk = Desk()
    stop = a_fill_at(desk)
    for _ in range(10):
        refuse(desk, stop, -2015)
        desk.later(1_000).hear(Ticked())
        stop = desk.placed(Role.STOP)
    desk.ack(stop)

    assert (desk.count(Role.EXIT), stop.form) == (0, Form.QTY)
    assert desk.holding.covered_qty == Decimal("0.01")


@pytest.mark.req("S4-FUT-3")
@pytest.mark.fault("B28")
def test_a_filter_that_has_changed_is_no_reason_to_go_bare() -> None:
    """B28: the rules were read again before this refusal was heard; the next stop fits them, at once, the same form."""
    desk = Desk()
    first = a_fill_at(desk, stop=StopSpec(price=Price(Decimal("64000.1"))))
    desk.rules = BTC.but(tick=Decimal("0.5"), min_price=Price(Decimal("0.5")))
    refuse(desk, first, -4014)
    second = desk.placed(Role.STOP)

    assert (second.trigger_price, second.form) == (Decimal("64000.5"), Form.QTY)
    assert second.ref != first.ref
    assert desk.holding.stop_tries == 0


def test_a_quantity_off_the_new_step_is_left_to_the_form_without_one() -> None:
    desk = Desk()
    first = a_fill_at(desk, qty="0.013")
    desk.rules = BTC.but(step=Decimal("0.01"), min_qty=Qty(Decimal("0.01")))
    refuse(desk, first, -4023)
    assert desk.placed(Role.STOP).form is Form.WHOLE
    refuse(desk, desk.placed(Role.STOP), NOT_TAKEN)

    assert (desk.placed(Role.STOP).form, desk.placed(Role.STOP).qty) == (Form.QTY, Decimal("0.02")), "rounded up"


def test_a_filter_refusal_that_the_rules_do_not_explain_counts() -> None:
    desk = Desk()
    refuse(desk, a_fill_at(desk), -4014)

    assert (desk.holding.stop_tries, desk.count(Role.STOP)) == (1, 1)


def test_a_targets_refusals_never_close_the_position() -> None:
    desk = a_long(target=TargetSpec(kind=TargetKind.PRICE, value=Decimal(66000)))
    desk = Desk()
    desk.submit(an_intent(stop=AT_64000, target=TargetSpec(kind=TargetKind.PRICE, value=Decimal(66000))))
    desk.fill(desk.placed(Role.TAKER), "0.01")
    desk.ack(desk.placed(Role.STOP))
    for _ in FORMS:
        refuse(desk, desk.placed(Role.TARGET), NOT_TAKEN)
    before = desk.count(Role.TARGET)
    desk.later(9_000).hear(Ticked())
    assert desk.count(Role.TARGET) == before
    desk.later(1_000).hear(Ticked())

    assert desk.count(Role.TARGET) == before + 1, "after a while the venue may think otherwise"
    assert desk.count(Role.EXIT) == 0
    assert desk.holding.refused_stop_forms == ()


def test_what_stands_for_a_while_forgets_the_refusals() -> None:
    desk = Desk()
    refuse(desk, a_fill_at(desk), NOT_TAKEN)
    desk.ack(desk.placed(Role.STOP))
    assert desk.holding.refused_stop_forms == (Form.QTY,)
    desk.later(2_000).hear(Ticked())

    assert desk.holding.refused_stop_forms == ()
    assert desk.count(Role.STOP) == 2, "the one that stands is not changed for another"


def test_the_venues_first_choice_is_handed_in() -> None:
    assert a_whole_long().placed(Role.STOP).form is Form.WHOLE


# ── WHOLE ──


@pytest.mark.fault("G10")
@pytest.mark.incident(4)
def test_a_whole_stop_covers_the_position_however_it_grows() -> None:
    """Incident 4: it has no quantity, so coverage is computed; no second one is armed."""
    desk = a_whole_long()
    desk.submit(an_intent("i2", stop=AT_64000))
    desk.fill(desk.placed(Role.TAKER), "0.01")

    assert desk.holding.covered_qty == abs(desk.holding.exposure) == Decimal("0.02")
    assert desk.count(Role.STOP) == 1


def test_a_whole_stop_that_must_move_is_replaced_by_a_quantity_and_goes_last() -> None:
    """-4130: a second one beside it is refused, so that its successor has a quantity, and is live before it goes."""
    desk = a_whole_long()
    whole = desk.placed(Role.STOP)
    desk.submit(an_intent("i2", stop=AT_64500))
    desk.fill(desk.placed(Role.TAKER), "0.01")
    tighter = desk.placed(Role.STOP)
    assert (tighter.form, tighter.qty, tighter.trigger_price) == (Form.QTY, Decimal("0.02"), Decimal(64500))
    assert whole.ref not in desk.canceled()
    assert desk.holding.covered_qty == Decimal("0.02")
    desk.ack(tighter)

    assert desk.canceled() == [whole.ref]


def test_where_nothing_else_is_taken_the_whole_stop_stays_at_its_old_price() -> None:
    """It covers all; cancelling it first would bare the position, and a second one is refused."""
    desk = a_whole_long()
    desk.submit(an_intent("i2", stop=AT_64500))
    desk.fill(desk.placed(Role.TAKER), "0.01")
    for _ in range(2):
        refuse(desk, desk.placed(Role.STOP), NOT_TAKEN)
    count = desk.count(Role.STOP)
    desk.later(9_000).hear(Ticked())

    assert (desk.canceled(), desk.count(Role.EXIT), desk.count(Role.STOP)) == ([], 0, count)
    assert desk.holding.covered_qty == Decimal("0.02")
    desk.later(1_000).hear(Ticked())
    assert desk.placed(Role.STOP).form is Form.QTY, "and is tried again"


def test_an_occupied_place_takes_the_next_form_at_once() -> None:
    """A closePosition stop that is not ours stands there."""
    desk = Desk()
    desk.forms = (Form.WHOLE, Form.QTY)
    refuse(desk, a_fill_at(desk), -4130)

    assert desk.placed(Role.STOP).form is Form.QTY
    assert desk.holding.stop_tries == 0


def test_a_resent_whole_stop_that_meets_itself_is_asked_for() -> None:
    """Its first sending may be what stands there: refused is not dead."""
    desk = Desk()
    desk.forms = (Form.WHOLE, Form.QTY)
    stop = a_fill_at(desk)
    desk.hear(PlaceUnanswered(ref=stop.ref, dead_after_ms=Millis(desk.now + 14_000)))
    refuse(desk, stop, -4130)

    assert desk.holding.orders[stop.ref].status is Status.IN_DOUBT
    desk.ack(stop)
    assert desk.holding.covered_qty == Decimal("0.01")


def test_a_whole_stop_that_fires_in_parts_fills_by_its_childs_size() -> None:
    desk = a_whole_long()
    stop = desk.placed(Role.STOP)
    part = desk.a_fill(stop, "0.004", "63990", "t1")
    child = desk.word(stop, Status.PARTIALLY_FILLED, "0.004").but(qty=Qty(Decimal("0.01")))
    desk.hear(Reported(order=child, fill=part))
    assert desk.holding.orders[stop.ref].status is Status.PARTIALLY_FILLED
    rest = desk.a_fill(stop, "0.006", "63990", "t2")
    desk.hear(Reported(order=child.but(status=Status.FILLED, cum_qty=Qty(Decimal("0.01"))), fill=rest))

    assert desk.holding.position.qty == 0
    assert desk.holding.orders.get(stop.ref) is None or desk.holding.orders[stop.ref].status is Status.FILLED
    assert desk.count(Role.EXIT) == 0


def test_a_whole_stop_that_ends_with_its_position_is_no_refusal() -> None:
    desk = a_whole_long()
    stop = desk.placed(Role.STOP)
    desk.submit(an_intent("out", side=an_intent().side.opposite, reduce_only=True))
    desk.fill(desk.placed(Role.TAKER), "0.01")
    desk.hear(Found(order=desk.word(stop, Status.EXPIRED)))

    assert desk.holding.exposure == 0
    assert desk.holding.stop_tries == 0
    assert "STOP_TRY_REFUSED" not in alerts(desk)


def test_a_whole_stop_of_an_earlier_opening_covers_nothing() -> None:
    """The venue drops it when the position closes: what it said before that is old news."""
    desk = a_whole_long()
    old = desk.placed(Role.STOP)
    desk.submit(an_intent("out", side=an_intent().side.opposite, reduce_only=True))
    desk.fill(desk.placed(Role.TAKER), "0.01")
    desk.hear(CancelRefused(ref=old.ref, code=-2011, message="Unknown order sent."))
    desk.submit(an_intent("i3", stop=AT_64000))
    desk.fill(desk.placed(Role.TAKER), "0.01")

    assert desk.placed(Role.STOP).ref != old.ref
    assert desk.holding.covered_qty == 0
    desk.ack(desk.placed(Role.STOP))
    assert desk.holding.covered_qty == Decimal("0.01")


def test_after_a_restart_a_listed_whole_stop_is_the_one() -> None:
    """Placed and not remembered: adopted with its form, and no second one beside it."""
    desk = a_whole_long()
    stop, before = desk.placed(Role.STOP), desk.holding
    reborn = Desk()
    reborn.holding = before.but(orders={ref: o for ref, o in before.orders.items() if ref != stop.ref}, child_no=0)
    reborn.hear(Restarted())
    reborn.survey(reborn.word(stop, Status.NEW), qty="0.01")

    assert reborn.holding.orders[stop.ref].request.form is Form.WHOLE
    assert reborn.holding.covered_qty == Decimal("0.01")


# ── REGULAR ──


def test_a_stop_of_the_order_endpoint_guards_and_is_asked_for_there() -> None:
    desk = Desk()
    desk.forms = (Form.REGULAR, Form.QTY, Form.WHOLE)
    stop = a_fill_at(desk)
    assert not stop.conditional
    desk.ack(stop)
    assert desk.holding.covered_qty == Decimal("0.01")
    desk.submit(an_intent("out", side=an_intent().side.opposite, reduce_only=True))
    desk.fill(desk.placed(Role.TAKER), "0.01")

    assert desk.canceled() == [stop.ref]


def test_an_algo_orders_child_that_waits_in_the_book_guards_nothing() -> None:
    """The order endpoint knows it: so it has triggered, whatever its status is called."""
    desk = a_long()
    stop = desk.placed(Role.STOP)
    desk.hear(Found(order=desk.word(stop, Status.NEW).but(conditional=False)))

    assert desk.holding.orders[stop.ref].status is Status.TRIGGERING


@pytest.mark.req("S4-FUT-3")
@pytest.mark.parametrize("refused", [NOT_TAKEN, -4130])
def test_what_no_form_can_carry_is_closed_and_not_asked_for_ever(refused: int) -> None:
    """More than one order may hold, and WHOLE is not taken, or somebody's own closePosition stands there."""
    desk = Desk()
    desk.rules = BTC.but(market_max_qty=Qty(Decimal("0.01")))
    desk.submit(an_intent(qty="0.02"), "0.01", "0.01")
    for _ in range(2):
        desk.fill(desk.placed(Role.TAKER), "0.01")
        desk.later(1).hear(Ticked())
    for _ in FORMS:
        stop = desk.placed(Role.STOP)
        refuse(desk, stop, -4005 if stop.qty > desk.rules.market_max_qty else refused)

    assert desk.holding.flattening
    assert desk.count(Role.STOP) <= len(FORMS) + 1, "one for the first slice"


@pytest.mark.req("S4-FUT-3")
def test_a_price_beyond_the_bounds_is_not_asked_for_ever() -> None:
    desk = Desk()
    stop = a_fill_at(desk, stop=AT_64000)
    desk.rules = BTC.but(min_price=Price(Decimal(64_500)))
    for _ in FORMS:
        refuse(desk, desk.placed(Role.STOP), -4013)

    assert desk.holding.flattening
    assert desk.placed(Role.STOP).ref != stop.ref


@pytest.mark.req("S4-FUT-3")
def test_a_probe_that_outlived_its_sender_guards_nothing() -> None:
    """Killed between a probe and its withdrawal; somebody opened by hand meanwhile, as much as the probe closes."""
    desk = Desk()
    probe = NewOrder(
        ref=probe_id(derived_id("cx", "probe")),
        symbol=BTC.symbol,
        side=Side.SELL,
        type=OrderType.STOP_MARKET,
        qty=BTC.min_qty,
        trigger_price=Price(Decimal(62_000)),
        reduce_only=True,
    )
    listed = desk.word(probe, Status.NEW)
    for _ in range(4):
        desk.later(1_000).survey(listed, qty=str(BTC.min_qty))

    assert desk.holding.exposure == BTC.min_qty
    assert desk.holding.covered_qty == 0
    assert desk.placed(Role.STOP).trigger_price == Decimal(64_025), "the default stop"
    desk.ack(desk.placed(Role.STOP))
    assert desk.canceled() == [probe.ref]


# ── whatever the venue says ──

ANSWERS = st.lists(
    st.sampled_from((NOT_TAKEN, -4130, -4509, -2022, -4999, -1111, -2015, -2021, "ack", "lost", "unsent", "wait")),
    max_size=14,
)


@given(ANSWERS, st.permutations(FORMS))
def test_whatever_is_answered_a_stop_is_on_its_way_or_the_position_closes(
    answers: list[int | str], forms: list[Form]
) -> None:
    """After each answer: covered, or a stop asked for, or due at a moment not far off, or being closed."""
    desk = Desk()
    desk.forms = tuple(forms)
    a_fill_at(desk)
    for answer in answers:
        stop = desk.placed(Role.STOP)
        said = answer if desk.holding.orders[stop.ref].status is Status.PENDING_NEW else "wait"
        try:
            _answer(desk, stop, said)
        except IllegalTransition:  # pragma: no cover - the reducer lets none out
            pytest.fail("the reducer raised")
        held = desk.holding
        under_way = any(not order.status.final for order in held.in_role(Role.STOP))
        due = held.stop_retry_at_ms is not None and held.stop_retry_at_ms <= desk.now + 10_000
        assert held.exit is not None or under_way or due
        assert held.exit is not None or held.stop_tries < 2


def _answer(desk: Desk, stop: NewOrder, said: int | str) -> None:
    match said:
        case int():
            refuse(desk, stop, said)
        case "ack":
            desk.ack(stop)
        case "lost":
            desk.hear(PlaceUnanswered(ref=stop.ref, dead_after_ms=desk.now))
            desk.later(50).hear(NotFound(ref=stop.ref, asked_server_ms=desk.now))
        case "unsent":
            desk.hear(PlaceNotSent(ref=stop.ref, reason="refused"))
        case _:
            desk.later(700).hear(Ticked())


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (-4120, Verdict.FORM), (-1106, Verdict.FORM), (-4061, Verdict.FORM), (-4136, Verdict.FORM), (404, Verdict.FORM),
        (-4130, Verdict.OCCUPIED), (-2021, Verdict.CROSSED), (-4509, Verdict.PLACE), (-2022, Verdict.PLACE),
        (-4164, Verdict.RULES), (-1111, Verdict.RULES), (-2015, Verdict.KEY), (-9999, Verdict.UNSURE),
        (-4141, Verdict.STATUS),
    ],
)  # fmt: skip
def test_what_a_refusal_says(code: int, told: Verdict) -> None:
    assert verdict(refusal_of(code)) is told


@pytest.mark.parametrize(("code", "taken"), [(-4120, False), (-4509, True), (-4141, True), (-1111, None), (-9, None)])
def test_what_a_refusal_says_of_the_form(code: int, taken: bool | None) -> None:
    assert takes_form(refusal_of(code)) is taken
