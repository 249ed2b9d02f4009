"""A survey that we kept back ourselves, or that the venue asked to wait with."""

import pytest

from chimera.execute.advance import SURVEY_RETRY_MS
from chimera.trading.commands import Survey
from chimera.trading.facts import SurveyUnanswered, Ticked
from chimera.trading.money import Millis
from chimera.trading.order import Role
from support.desk import Desk, a_long, an_intent


@pytest.mark.req("S4-RETRY-1")
@pytest.mark.parametrize(
    ("told_ms", "waits_ms"), [(None, SURVEY_RETRY_MS), (1, SURVEY_RETRY_MS), (6_000, 6_000), (10**9, 30_000)]
)
def test_it_is_asked_again_after_the_wait_and_never_later_than_usual(told_ms: int | None, waits_ms: int) -> None:
    desk = a_long()
    desk.holding = desk.holding.but(survey_due_ms=desk.now)
    assert any(isinstance(command, Survey) for command in desk.hear(Ticked()))

    desk.hear(SurveyUnanswered(retry_after_ms=None if told_ms is None else Millis(told_ms)))

    early = desk.later(waits_ms - 1).hear(Ticked())
    assert not any(isinstance(command, Survey) for command in early)
    due = desk.later(1).hear(Ticked())
    assert any(isinstance(command, Survey) for command in due)


@pytest.mark.req("S4-REC-1")
def test_what_has_just_been_opened_is_looked_at_as_often_as_what_is_held() -> None:
    """Flat, its symbol was surveyed every five minutes, and so was the position for the first of them: a margin that
    somebody took out, and a trade of which nobody told, were not seen before.
    """
    desk = Desk()
    desk.survey(qty="0")
    every_ms = desk.scene.policy.survey_every_ms
    assert desk.holding.survey_due_ms - desk.now > every_ms
    desk.later(1_000).submit(an_intent())
    entry = desk.placed(Role.TAKER)
    desk.ack(entry)
    desk.fill(entry, "0.01")

    assert desk.holding.survey_due_ms == desk.now + every_ms
