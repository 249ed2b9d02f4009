"""Trace and span ids: functions of what is there anyway, so that nobody has to remember them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chimera.trading.events import FillRecorded, OrderChanged, PositionChanged, ProtectionArmed
from chimera.trading.ids import ClientOrderId, IntentId
from chimera.trading.order import Role
from chimera.trading.trace import intent_behind, span_id, trace_behind, trace_named, trace_of
from chimera.wire.intents import intent_record
from chimera.wire.traceparent import TRACEPARENT, Caller, read
from support.desk import a_long, an_intent

HEX = "0af7651916cd43dd8448eb211c80319c"


@pytest.mark.parametrize("name", [HEX, "0af76519-16cd-43dd-8448-eb211c80319c", HEX.upper()])
def test_a_trace_id_and_a_uuid_stay_what_they_are(name: str) -> None:
    assert trace_named(name) == HEX


@given(st.text(min_size=1, max_size=80))
def test_every_other_name_has_a_trace_id_of_its_own_and_always_the_same(name: str) -> None:
    trace = trace_named(name)
    assert re.fullmatch("[0-9a-f]{32}", trace)
    assert trace.strip("0")
    assert trace_named(trace) == trace == trace_named(name)


def test_nothing_is_not_a_trace() -> None:
    """All zeros are invalid by the standard."""
    assert trace_named("0" * 32) != "0" * 32


def test_an_intent_is_traced_by_its_own_id_where_nobody_named_its_trace() -> None:
    plain = an_intent()
    assert trace_of(plain) == trace_named(plain.intent_id)
    assert trace_of(plain.but(trace_id=HEX)) == HEX
    assert span_id(trace_of(plain), "admit", "a") != span_id(trace_of(plain), "admit", "b")


def test_a_record_says_who_asks_in_the_words_of_the_standard() -> None:
    intent = an_intent().but(trace_id=HEX)
    line = intent_record(intent)[TRACEPARENT]
    assert re.fullmatch(f"00-{HEX}-[0-9a-f]{{16}}-01", line)
    assert read(line) == Caller(trace_of(intent), span_id(trace_of(intent), "intent", intent.intent_id))


@pytest.mark.parametrize(
    "line",
    [
        "", "00", f"00-{HEX}-00f067aa0ba902b7", f"ff-{HEX}-00f067aa0ba902b7-01", f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-{HEX}-{'0' * 16}-01", f"00-{HEX.upper()}-00f067aa0ba902b7-01", f"00-{HEX}-00f067aa0ba902b7-01-more",
    ],
)  # fmt: skip
def test_what_is_no_caller_is_passed_over(line: str) -> None:
    assert read(line) is None
    assert read(None) is None


def test_a_later_version_of_the_standard_may_say_more() -> None:
    assert read(f"01-{HEX}-00f067aa0ba902b7-01-more") == Caller(trace_named(HEX), "00f067aa0ba902b7")  # type: ignore[arg-type]


def test_orders_trades_and_stops_belong_to_the_intent_that_opened_the_position() -> None:
    desk = a_long()
    intent = an_intent()
    holding, bodies = desk.holding, [event.body for event in desk.holding.outbox]
    orders = [body for body in bodies if isinstance(body, OrderChanged)]
    fill = next(body for body in bodies if isinstance(body, FillRecorded))
    armed = next(body for body in bodies if isinstance(body, ProtectionArmed))

    assert {body.order.role for body in orders} >= {Role.TAKER, Role.STOP}
    assert {trace_behind(holding, body) for body in (*orders, fill, armed)} == {trace_of(intent)}
    assert trace_behind(holding, next(body for body in bodies if isinstance(body, PositionChanged))) is None
    assert intent_behind(holding, ClientOrderId("somebody-elses"), None) is None
    assert intent_behind(holding, armed.ref, IntentId("forgotten")) is None
