"""A schedule as it is worked, beside the schedule as it was drawn: outages, deadlines, kills and cancels between (I16).

The naive version says what should leave and when: slice k at its moment, no sooner than its gap after slice k-1 began,
while S4 lives, until the deadline moved by the lag, or until somebody stops it.
"""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chimera.execute.due import next_due_ms, next_slice_ms
from chimera.route.schedule import Spread, schedule
from chimera.trading.commands import Command, Place
from chimera.trading.execution import Phase, Plan, Slice
from chimera.trading.facts import CancelAsked, Fact, Restarted, Submitted, Ticked
from chimera.trading.ids import IntentId
from chimera.trading.money import Millis, Price, Qty, text
from chimera.trading.order import Role
from chimera.trading.routes import Shape
from chimera.trading.standstill import Kill, Scope, Standstill
from support.desk import BTC, T0, Desk, an_intent

TOTAL = Qty(Decimal("0.2"))
SLACK_MS = 20_000
MARGIN_MS = 10_000  # from the last slice to the deadline
QUIET_MS = 600_000  # once all must be over: nothing leaves any more
Sent = tuple[int, Decimal]  # ms after acceptance, base asset


def naive(slices: tuple[Slice, ...], outage: tuple[int, int], stopped_ms: int | None) -> list[Sent]:
    """What leaves: written as plainly as it can be said."""
    deadline, sent, lag = slices[-1].after_ms + MARGIN_MS, list[Sent](), 0
    for number, part in enumerate(slices):
        moment = part.after_ms
        if number:
            moment = max(moment, sent[-1][0] + part.after_ms - slices[number - 1].after_ms)
        if outage[0] <= moment < outage[1]:
            moment = outage[1]
        lag = max(lag, moment - part.after_ms)
        if moment >= deadline + min(lag, SLACK_MS) or (stopped_ms is not None and moment >= stopped_ms):
            break
        sent.append((moment, part.qty))
    return sent


class Worked(Desk):
    """A desk whose owner looks at exactly the moments that are due, at a venue that fills at once."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[Sent] = []

    def follow(self, fact: Fact) -> None:
        told: list[Command] = list(self.hear(fact))
        while told:
            command = told.pop(0)
            if isinstance(command, Place) and command.role is Role.TAKER:
                self.sent.append((self.now - T0, command.order.qty))
                told += self.fill(command.order, text(command.order.qty))

    def live(self, until_ms: int) -> None:
        """By its own timer, to that moment."""
        while (due := next_due_ms(self.holding, self.now)) is not None and due < T0 + until_ms:
            self.now = due
            self.follow(Ticked())
        self.now = Millis(max(self.now, T0 + until_ms))

    def come_back(self) -> None:
        self.follow(Restarted())
        self.follow_survey()

    def follow_survey(self) -> None:
        held = self.holding.position.qty
        for command in self.survey(qty=text(held)):
            assert not isinstance(command, Place) or command.role is not Role.TAKER
        self.follow(Ticked())


SCHEDULES = st.builds(
    Spread,
    slices=st.integers(2, 12),
    gap_ms=st.integers(200, 8_000),
    shape=st.sampled_from(Shape),
    time_jitter=st.decimals(0, "0.5", places=2),
    size_jitter=st.decimals(0, "0.5", places=2),
)
STOPS = st.one_of(st.none(), st.tuples(st.sampled_from(["kill", "cancel"]), st.integers(1, 90_000)))


@pytest.mark.req("I16", "S4-ROUTE-5")
@settings(max_examples=150, deadline=None)
@given(
    spread=SCHEDULES, down_at=st.integers(1, 60_000), down_ms=st.integers(0, 600_000), stop=STOPS,
    seed=st.text(min_size=1, max_size=8),
)  # fmt: skip
@example(spread=Spread(slices=8, gap_ms=2_000), down_at=5_000, down_ms=7_000, stop=None, seed="i")
@example(spread=Spread(slices=8, gap_ms=2_000), down_at=5_000, down_ms=600_000, stop=None, seed="i")
@example(spread=Spread(slices=8, gap_ms=2_000), down_at=5_000, down_ms=9_000, stop=("cancel", 16_000), seed="i")
def test_what_leaves_is_what_the_schedule_says_whatever_lies_between(
    spread: Spread, down_at: int, down_ms: int, stop: Any, seed: str
) -> None:
    slices = schedule(TOTAL, spread, BTC, Price(Decimal(65_000)), seed=seed, reduces=False)
    up_at = down_at + down_ms
    if stop is not None and down_at <= stop[1] <= up_at:
        stop = (stop[0], up_at + 1)  # nobody can ask while S4 is dead
    desk = Worked()
    deadline = Millis(T0 + slices[-1].after_ms + MARGIN_MS)
    plan = Plan(slices=slices, deadline_ms=deadline, slack_ms=SLACK_MS)
    desk.follow(Submitted(intent=an_intent(qty=text(TOTAL), stop=None), plan=plan, body_hash="h"))
    moments: list[tuple[int, str]] = [(down_at, "down"), (up_at, "up")]
    moments += [(stop[1], stop[0])] if stop is not None else []
    for at_ms, what in sorted(moments, key=lambda each: each[0]):
        if what == "up":
            desk.now = Millis(T0 + at_ms)
            desk.come_back()
            continue
        desk.live(at_ms)
        if what == "kill":
            kill = Kill(scope=Scope.GLOBAL, by="me", reason="fire", at_ms=desk.now)
            desk.standstill = Standstill(kills=(kill,))
            desk.follow(Ticked())
        elif what == "cancel":
            desk.follow(CancelAsked(intent_id=IntentId("i1"), reason="asked", escalate=False, cascade=False))
    desk.live(max(up_at, slices[-1].after_ms) + MARGIN_MS + SLACK_MS + QUIET_MS)

    assert desk.sent == naive(slices, (down_at, up_at), None if stop is None else stop[1])
    assert sum(qty for _, qty in desk.sent) <= TOTAL
    work = desk.holding.intents.get(IntentId("i1"))
    assert work is None or work.phase is Phase.DONE
    assert work is None or next_slice_ms(work) is None
