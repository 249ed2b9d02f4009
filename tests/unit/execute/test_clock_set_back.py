"""The wall clock is set back while S4 is dead: moments on disk are then far ahead."""

import pytest

from chimera.trading.commands import Ask
from chimera.trading.facts import PlaceRefused, PlaceUnanswered, Restarted, Ticked
from chimera.trading.money import Millis
from chimera.trading.order import Role, Status
from support.desk import Desk, an_intent

HOUR_MS = 3_600_000


@pytest.mark.req("S4-CLOCK-1")
def test_an_order_in_doubt_is_asked_for_at_once() -> None:
    """World seed 53123: asked for an hour later, by a clock that had been set back in between."""
    desk = Desk()
    desk.submit(an_intent())
    entry = desk.placed(Role.TAKER)
    desk.hear(PlaceUnanswered(ref=entry.ref, dead_after_ms=Millis(desk.now + 5_000)))
    desk.hear(Ticked())
    assert desk.holding.orders[entry.ref].status is Status.IN_DOUBT

    asked = [*desk.later(-HOUR_MS).hear(Restarted()), *desk.hear(Ticked())]

    assert any(isinstance(command, Ask) and command.order.ref == entry.ref for command in asked)


@pytest.mark.req("I10")
def test_a_refused_stop_is_placed_again_at_once() -> None:
    desk = Desk()
    desk.submit(an_intent())
    entry = desk.placed(Role.TAKER)
    desk.fill(entry, str(entry.qty))
    desk.hear(PlaceRefused(ref=desk.placed(Role.STOP).ref, code=-4045, message="Reach max stop order limit."))
    assert desk.holding.stop_retry_at_ms is not None
    stops = desk.count(Role.STOP)

    desk.later(-HOUR_MS).hear(Restarted())
    desk.hear(Ticked())

    assert desk.count(Role.STOP) > stops or desk.holding.exit is not None
