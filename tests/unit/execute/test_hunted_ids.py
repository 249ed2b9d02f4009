"""What is held back for hours: its ids are not endless, and the holding must not grow with it. Found by a hunt."""

from decimal import Decimal

import pytest

from chimera.execute.pruning import CROWD
from chimera.trading.events import Alert
from chimera.trading.facts import PlaceNotSent, Ticked
from chimera.trading.ids import CHILDREN_MAX, IntentId
from chimera.trading.market import Side
from chimera.trading.money import Millis
from chimera.trading.order import Role
from support.desk import Desk, a_long, an_intent

TWO = IntentId("i2")
HOURS_MS = 36_000_000


def kept_back(desk: Desk, *, held: bool = True) -> None:
    """Whatever of it is about to leave does not."""
    for order in desk.holding.of_intent(TWO):
        if not order.status.final:
            desk.hear(PlaceNotSent(ref=order.ref, reason="USER_STREAM", retry_after_ms=Millis(1_000), held=held))


def a_schedule() -> Desk:
    """Beside a position that is held, two slices hours apart."""
    desk = a_long("0.01")
    desk.later(10).submit(an_intent("i2", qty="0.02"), "0.01", "0.01", gap_ms=HOURS_MS)
    return desk


@pytest.mark.req("S4-FUT-3")
def test_an_entry_without_ids_ends_and_does_not_freeze_what_protects() -> None:
    """The ten-thousandth child had no name: from then on every fact failed, and nothing of the symbol was protected."""
    desk = a_schedule()
    work = desk.holding.intents[TWO].but(child_no=CHILDREN_MAX - 1)
    desk.holding = desk.holding.but(intents={**desk.holding.intents, TWO: work})
    for _ in range(3):
        kept_back(desk)
        desk.later(2_000).hear(Ticked())

    assert not desk.holding.entering
    assert [e.body.code for e in desk.holding.outbox if isinstance(e.body, Alert)] == ["IDS_SPENT"]
    desk.fill(desk.placed(Role.STOP), "0.01", "64000")
    assert not desk.holding.position.lots


def test_what_came_to_nothing_does_not_pile_up_while_it_is_held_back() -> None:
    """An hour of a silent stream left 3,600 orders in the document that is saved at every step."""
    desk = a_schedule()
    for _ in range(3 * CROWD):
        kept_back(desk)
        desk.later(1_500).hear(Ticked())

    assert desk.holding.entering
    assert desk.holding.intents[TWO].child_no > 2 * CROWD
    assert len(desk.holding.orders) <= CROWD + 2


def test_what_reduces_is_tried_for_ever_at_a_pace_that_slows_down() -> None:
    """Three a second for an hour of an outage used up its ids."""
    desk = a_long("0.01")
    reducing = an_intent("i2", side=Side.SELL, qty="0.01", stop=None, reduce_only=True)
    desk.later(10).submit(reducing, "0.005", "0.005", gap_ms=HOURS_MS)
    for _ in range(600_000 // 200):
        for order in desk.holding.of_intent(TWO):
            if not order.status.final:
                desk.hear(PlaceNotSent(ref=order.ref, reason="connection refused"))
        desk.later(200).hear(Ticked())

    assert desk.holding.position.qty == Decimal("0.01")
    assert 60 <= desk.holding.intents[TWO].child_no <= 250
