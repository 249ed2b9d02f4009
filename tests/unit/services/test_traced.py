"""What S4 tells of an intent: one span for each thing that was done, whatever came of it, and none for what was not."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from structlog.contextvars import get_contextvars

from chimera.services.router.owner import Owner
from chimera.services.router.traced import Admissions, Carrier, Heard, TracedCarrier, admitted
from chimera.services.tracing import Tracing, called_by
from chimera.trading.commands import Ask, Cancel, Command, Place, Survey
from chimera.trading.errors import Refused
from chimera.trading.events import Event
from chimera.trading.facts import CancelNotSent, Fact, Found, PlaceNotSent, PlaceRefused, PlaceUnanswered
from chimera.trading.holding import Holding
from chimera.trading.ids import ClientOrderId
from chimera.trading.money import Millis, Price
from chimera.trading.order import Role, Status
from chimera.trading.trace import Span, SpanId, trace_of
from chimera.trading.venue import OrderRef
from chimera.wire.traceparent import Caller
from support.desk import KEY, Desk, a_long, an_intent
from support.standing import CLOCK


class Told:
    """``Spans``, and the clock of who tells them."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.now_ns = 1_000
        self.tracing = Tracing(self, lambda: self.now_ns)

    def keep(self, span: Span) -> None:
        self.spans.append(span)


class Venue:
    """``Carrier`` that answers as it is told."""

    def __init__(self, told: Told, fact: Fact | None) -> None:
        self._told = told
        self._fact = fact

    async def carry_out(
        self, command: Command, holding: Callable[[], Holding], near: Callable[[], Price | None]
    ) -> Fact | None:
        self._told.now_ns += 500
        return self._fact


def carried(command: Command, fact: Fact | None, desk: Desk) -> list[Span]:
    told = Told()
    carrier: Carrier = TracedCarrier(Venue(told, fact), told.tracing)
    assert asyncio.run(carrier.carry_out(command, lambda: desk.holding, lambda: None)) is fact
    return told.spans


def entering() -> tuple[Desk, Place]:
    desk = Desk()
    desk.submit(an_intent())
    return desk, next(command for command in desk.told if isinstance(command, Place))


def test_a_call_to_the_venue_is_a_span_as_long_as_it_took() -> None:
    desk, place = entering()
    [span] = carried(place, Found(order=desk.word(place.order, Status.NEW)), desk)

    work = next(iter(desk.holding.intents.values()))
    assert (span.name, span.trace_id, span.parent_id) == ("send", trace_of(work.intent), admitted(work))
    assert (span.began_ns, span.ended_ns, span.asks, span.fault) == (1_000, 1_500, True, "")
    about = {name.removeprefix("chimera."): value for name, value in span.attributes.items()}
    assert (about["command"], about["role"], about["outcome"]) == ("place", "TAKER", "NEW")
    assert (about["client_order_id"], about["qty"], about["side"]) == (place.order.ref, "0.01", "BUY")
    assert "price" not in about, "a market order has none"


@pytest.mark.parametrize(
    ("outcome", "fault"),
    [
        (lambda ref: PlaceRefused(ref=ref, code=-2019, message="Margin is insufficient."), "-2019: Margin is"),
        (lambda ref: PlaceUnanswered(ref=ref, dead_after_ms=Millis(1)), "it may have happened"),
        (lambda ref: PlaceNotSent(ref=ref, reason="429"), "429"),
    ],
)
def test_what_went_wrong_is_the_spans_fault(outcome: Callable[[str], Fact], fault: str) -> None:
    desk, place = entering()
    [span] = carried(place, outcome(place.order.ref), desk)
    assert fault in span.fault


def test_a_mistake_in_a_span_does_not_cost_the_venues_answer() -> None:
    """It is of money, and a span is not: without it the order would be asked for, or its stop be late."""
    desk, place = entering()
    told, fact = Told(), Found(order=desk.word(place.order, Status.NEW))

    def mistaken() -> Holding:
        raise ZeroDivisionError

    carrier = TracedCarrier(Venue(told, fact), told.tracing)
    assert asyncio.run(carrier.carry_out(place, mistaken, lambda: None)) is fact
    unspeakable = cast("Any", SimpleNamespace(intent_id="i"))
    with pytest.raises(Refused, match="killed by alice"), Admissions(told.tracing).asked(unspeakable):
        raise Refused("KILL_SWITCH", "killed by alice")
    assert told.spans == []


def test_what_we_keep_back_ourselves_is_no_call() -> None:
    desk, place = entering()
    ref = OrderRef(symbol=place.order.symbol, ref=place.order.ref, conditional=False)
    assert carried(place, PlaceNotSent(ref=ref.ref, reason="RATE_GOVERNOR", held=True), desk) == []
    assert carried(Cancel(order=ref, role=Role.STOP), CancelNotSent(ref=ref.ref, reason="BARE"), desk) == []
    assert carried(Survey(trades_since_ms=Millis(0)), None, desk) == []
    stranger = OrderRef(symbol=place.order.symbol, ref=ClientOrderId("somebody-elses"), conditional=False)
    assert carried(Ask(order=stranger), Found(order=desk.word(place.order, Status.NEW)), desk) == []


def test_trades_and_the_stop_that_follows_them_are_told_by_events() -> None:
    desk, told = a_long(), Told()
    told.now_ns = (desk.now + 40) * 1_000_000
    Heard(KEY, lambda: desk.holding, told.tracing)(desk.holding.outbox)

    fill, armed = told.spans
    assert (fill.name, fill.attributes["chimera.qty"]) == ("fill", "0.01")
    assert (armed.name, armed.attributes["chimera.qty"]) == ("stop armed", "0.01")
    assert armed.began_ns == fill.began_ns == desk.now * 1_000_000, "bare since the trade"
    assert armed.ended_ns - armed.began_ns == 40_000_000
    assert {span.parent_id for span in told.spans} == {admitted(next(iter(desk.holding.intents.values())))}


def test_one_admission_is_told_whoever_asked_and_however_often() -> None:
    told, intent = Told(), an_intent()
    admissions, caller = Admissions(told.tracing), Caller(trace_of(intent), SpanId("00f067aa0ba902b7"))
    with called_by(caller), admissions.asked(intent):
        told.now_ns += 70
        with admissions.asked(intent):  # by the other track
            pass
        admissions.taken(intent)
    with admissions.asked(intent):
        pass

    [span] = told.spans
    assert (span.name, span.parent_id, span.ended_ns - span.began_ns) == ("admit", caller.span_id, 70)


def test_a_refusal_is_told_with_its_code_each_time() -> None:
    told, intent = Told(), an_intent()
    for _ in range(2):
        told.now_ns += 1
        with pytest.raises(Refused), Admissions(told.tracing).asked(intent):
            raise Refused("KILL_SWITCH", "killed by alice")
    assert [span.fault for span in told.spans] == ["KILL_SWITCH: killed by alice"] * 2
    assert len({span.span_id for span in told.spans}) == 2


def test_without_a_collector_nothing_is_noted() -> None:
    admissions, intent = Admissions(None), an_intent()
    with admissions.asked(intent):
        admissions.taken(intent)
    assert vars(admissions) == {"_tracing": None, "_began_ns": {}}


async def test_lines_of_a_command_name_its_trace_and_what_follows_from_it_does_not() -> None:
    """A timer that is made in a context keeps it: somebody else's next command would be in this trace."""
    desk, place = entering()
    told: list[tuple[str, object]] = []
    done = asyncio.Event()

    class Logging:
        async def carry_out(self, *_: object) -> Fact:
            told.append(("carried out", get_contextvars().get("trace_id")))
            return Found(order=desk.word(place.order, Status.NEW))

    def heard(_: tuple[Event, ...]) -> None:
        told.append(("heard", get_contextvars().get("trace_id")))
        done.set()

    parts = cast("Any", {"ledger": None, "sender": Logging(), "relay": None})
    owner = Owner(desk.holding, rev=1, fence=1, clock=CLOCK, scene=lambda _: desk.scene, **parts)
    owner.listeners.append(heard)
    owner.recovered.set()
    owner._start(place)
    async with asyncio.timeout(5):
        await done.wait()

    assert told == [("carried out", trace_of(an_intent())), ("heard", None)]
