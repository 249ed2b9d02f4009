"""What the venue says of one order, in whatever order it reaches us, and however often: one end."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chimera.trading.facts import CancelAsked, CancelUnanswered, Fact, Found, PlaceUnanswered, Reported
from chimera.trading.ids import IntentId
from chimera.trading.money import Millis
from chimera.trading.order import FINAL, NewOrder, Role, Status
from support.desk import Desk, an_intent

S = Status
STEP = Decimal("0.001")
ENDS = (S.FILLED, S.CANCELED, S.EXPIRED)


def history(desk: Desk, order: NewOrder, parts: list[int], end: Status) -> list[Fact]:
    """As the venue lived it: accepted, filled part by part, and ended; what it says of each."""
    told: list[Fact] = [Reported(order=desk.word(order, S.NEW))]
    cum = Decimal(0)
    for number, part in enumerate(parts):
        cum += part * STEP
        word = desk.word(order, S.FILLED if cum == order.qty else S.PARTIALLY_FILLED, str(cum))
        told.append(Reported(order=word, fill=desk.a_fill(order, str(part * STEP), "64999.9", f"t{number}")))
    if end is not S.FILLED:
        told.append(Reported(order=desk.word(order, end, str(cum))))
    return told


@st.composite
def lives(draw: st.DrawFn) -> tuple[list[int], Status]:
    """Steps of each trade of an order of ten, and how it ended."""
    end = draw(st.sampled_from(ENDS))
    parts = draw(st.lists(st.integers(1, 3), max_size=3))
    if end is S.FILLED:
        parts.append(10 - sum(parts))
    return parts, end


def heard(desk: Desk, order: NewOrder) -> tuple[Any, ...]:
    """What is left of it: its status (none where it has left the holding), what of it filled, and the position."""
    known = desk.holding.orders.get(order.ref)
    cum = desk.holding.ended[order.ref].qty if known is None else known.cum_qty
    return cum, known is None or known.status in FINAL, desk.holding.position.qty, desk.holding.position.entry_px


@pytest.mark.req("I5", "I6", "I8")
@pytest.mark.fault("C2", "C3", "C15", "B18")
@given(lives(), st.data())
def test_news_in_any_order_and_number_comes_to_one_end(life: tuple[list[int], Status], data: st.DataObject) -> None:
    """With a cancel of ours on its way or none; the answers to both requests come at any moment, or not at all."""
    parts, end = life
    filled = sum(parts) * STEP
    desk = Desk()
    desk.submit(an_intent(qty="0.01"), wait_ms=60_000)
    order = desk.placed(Role.MAKER)
    news = history(desk, order, parts, end)
    unanswered = PlaceUnanswered(ref=order.ref, dead_after_ms=Millis(desk.now + 14_000))
    answers: list[Fact] = [data.draw(st.sampled_from([Found(order=desk.word(order, S.NEW)), unanswered]))]
    if data.draw(st.booleans()):
        asked = CancelAsked(intent_id=IntentId("i1"), reason="test")
        answered = data.draw(st.sampled_from([CancelUnanswered(ref=order.ref), news[-1]]))
        answers += [asked, answered]
    again = data.draw(st.lists(st.sampled_from(news), max_size=4))
    statuses, cums = [], [Decimal(0)]
    for fact in data.draw(st.permutations([*news, *again, *answers])):
        desk.hear(fact)
        known = desk.holding.orders.get(order.ref)
        if known is not None:
            cums.append(known.cum_qty)
            statuses.append(known.status)

    assert heard(desk, order) == (filled, True, filled, Decimal("64999.9") if filled else None)
    assert cums == sorted(cums)
    ended = [place for place, status in enumerate(statuses) if status in FINAL]
    assert all(status in FINAL for status in statuses[ended[0] if ended else len(statuses) :])
