"""The book of forms, and the order that asks for one: want of an answer keeps nothing back, and asking does nothing."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chimera.protect.rehearsal import FormBook, question, quiet
from chimera.trading.events import Severity
from chimera.trading.form import FORMS, Form
from chimera.trading.ids import child_of
from chimera.trading.market import Side
from chimera.trading.money import Millis, Price
from chimera.trading.order import Role
from support.desk import BTC, KEY, T0, Desk, a_long, an_intent
from support.refusals import rejected

MARK = Price(Decimal(65_000))
NOT_TAKEN, FLAT, NO_KEY = -4120, -4509, -2015


def heard(*lessons: tuple[Form, bool | None]) -> FormBook:
    book = FormBook()
    for form, works in lessons:
        book = book.learned(form, works, "by a test", T0)
    return book


def test_what_nobody_could_say_is_not_given_up() -> None:
    assert FormBook().forms == FORMS
    assert not FormBook().sure
    assert heard((Form.QTY, None)).forms == FORMS
    assert heard((Form.QTY, False)).forms == (Form.WHOLE, Form.REGULAR)


@given(st.dictionaries(st.sampled_from(FORMS), st.sampled_from([True, False, None])))
def test_only_what_is_refused_is_left_out_and_none_left_says_why(lessons: dict[Form, bool | None]) -> None:
    book = heard(*lessons.items())
    assert book.forms == tuple(form for form in FORMS if lessons.get(form) is not False)
    assert (book.none_left is None) is bool(book.forms)


@pytest.mark.incident(2)
@pytest.mark.parametrize(
    ("code", "works"), [(NOT_TAKEN, False), (FLAT, True), (NO_KEY, None)], ids=["form", "flat", "key"]
)
def test_a_refusal_of_a_question_is_read_as_what_it_says_of_the_form(code: int, works: bool | None) -> None:
    assert FormBook().answered(Form.WHOLE, rejected(code), T0).works(Form.WHOLE) is works


def test_a_real_stop_teaches_and_an_entry_does_not() -> None:
    desk = a_long()
    stop, entry = (desk.holding.in_role(role)[0].request for role in (Role.STOP, Role.TAKER))
    refused = FormBook().refused(stop, rejected(NOT_TAKEN, "not supported"), T0)
    assert refused.works(stop.form) is False
    assert FormBook().refused(stop, rejected(FLAT, "no position"), T0) == FormBook()
    assert FormBook().refused(entry, rejected(NOT_TAKEN, "not supported"), T0) == FormBook()
    assert FormBook().took(entry, T0) == FormBook()
    taken = refused.took(stop, Millis(T0 + 5))
    assert taken.works(stop.form) is True
    assert taken.took(stop, Millis(T0 + 9)) == taken, "since when, not when again"


def test_only_the_loss_of_the_first_choice_and_its_return_are_news() -> None:
    fresh, lost, back = FormBook(), heard((Form.QTY, False)), heard((Form.QTY, False), (Form.QTY, True))
    assert heard((Form.QTY, True)).news(fresh) is None
    assert heard((Form.WHOLE, False)).news(fresh) is None
    assert lost.news(lost) is None
    told, over = lost.news(fresh), back.news(lost)
    assert told is not None
    assert (told.severity, told.code) == (Severity.WARN, "PROTECTIVE_FORM_REFUSED")
    assert told.text.endswith("left: WHOLE, REGULAR")
    assert over is not None
    assert (over.severity, over.code) == (Severity.INFO, "PROTECTIVE_FORM_TAKEN")


def test_a_symbol_is_quiet_only_where_an_order_could_do_nothing() -> None:
    working = Desk()
    working.submit(an_intent())
    assert quiet(Desk().holding, BTC)
    assert not quiet(Desk().holding, BTC.but(trading=False))
    assert not quiet(a_long().holding, BTC)
    assert not quiet(working.holding, BTC)


@pytest.mark.parametrize("form", FORMS)
def test_a_question_can_do_nothing_but_ask(form: Form) -> None:
    order = question(KEY, form, MARK, BTC, now_ms=T0, number=1)
    assert (order.form, order.reduce_only, order.side) == (form, True, Side.SELL)
    assert order.qty == (0 if form is Form.WHOLE else max(BTC.min_qty, BTC.step))
    assert order.trigger_price is not None
    assert MARK * BTC.price_down <= order.trigger_price < MARK
    assert BTC.on_tick(order.trigger_price)
    assert child_of(order.ref) is not None, "what a crash leaves behind is known for ours"
    assert order.ref != question(KEY, form, MARK, BTC, now_ms=T0, number=2).ref
