"""Transfers: what the policy lets move, and one transfer through every answer, silence and crash."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chimera.admit.transfer_policy import (
    BUSY,
    LIMIT,
    OFF,
    UNDECIDED,
    UNKNOWN_ASSET,
    Present,
    TransferPolicy,
    Wish,
    amount_of,
    objection,
)
from chimera.admit.transfers import (
    LAG_MS,
    Asked,
    AskHistory,
    Command,
    Declined,
    Fact,
    Published,
    Restarted,
    Send,
    Settled,
    Shown,
    Taken,
    Ticked,
    Unanswered,
    advance,
    due_ms,
)
from chimera.trading.events import Alert
from chimera.trading.money import DAY_MS, ZERO, Millis
from chimera.trading.transfer import Landing, Moved, Route, Stage, TransferRequest, TransferResponse, Transfers
from chimera.wire.codec import seal, unseal

D = Decimal
NOON = 20_000 * DAY_MS + DAY_MS // 2
ON = TransferPolicy(enabled=True)
pytestmark = pytest.mark.req("S4-XFER-1")


def at(now_ms: int = NOON, policy: TransferPolicy = ON) -> Present:
    return Present(now_ms=Millis(now_ms), venue_now_ms=Millis(now_ms), policy=policy)


def a_wish(amount: Any = 50, *, free: Any = 1_000, exact: bool = True, **more: Any) -> Wish:
    base: dict[str, Any] = {"route": Route.SPOT_TO_FUT, "asset": "USDT", "why": "test"}
    return Wish(**(base | {"amount": D(amount), "free": D(free), "exact": exact} | more))


def begun(amount: Any = 50, policy: TransferPolicy = ON) -> Transfers:
    state, commands = advance(Transfers(), Asked(wish=a_wish(amount)), at(policy=policy))
    assert [type(command) for command in commands] == [Send]
    return state


def through(state: Transfers, *facts: Fact, now_ms: int = NOON) -> Transfers:
    for fact in facts:
        state, _ = advance(state, fact, at(now_ms))
    return state


def a_row(tran_id: str = "1", *, amount: Any = 50, at_ms: int = NOON, landing: Landing = Landing.CONFIRMED) -> Moved:
    return Moved(
        tran_id=tran_id, route=Route.SPOT_TO_FUT, asset="USDT", amount=D(amount), at_ms=Millis(at_ms), landing=landing
    )


def shown(asked_ms: int, *rows: Moved) -> Shown:
    return Shown(number=1, asked_venue_ms=Millis(asked_ms), rows=rows)


# ── the policy ──


def refusal(wish: Wish, state: Transfers | None = None, policy: TransferPolicy = ON) -> str | None:
    refused = objection(state or Transfers(), wish, at(policy=policy))
    return None if refused is None else refused.code


def test_transfers_are_off_unless_they_are_switched_on() -> None:
    assert refusal(a_wish(), policy=TransferPolicy()) == OFF
    assert advance(Transfers(), Asked(wish=a_wish()), at(policy=TransferPolicy()))[1] == ()


def test_only_named_assets_move() -> None:
    assert refusal(a_wish(asset="BTC")) == UNKNOWN_ASSET


@pytest.mark.parametrize(
    ("amount", "free", "code"),
    [
        (100, 1_000, None),
        ("100.00000001", 1_000, LIMIT),
        (90, 100, None),
        ("90.00000001", 100, LIMIT),
        (0, 100, LIMIT),
        (10**40, 1_000, LIMIT),  # more digits than arithmetic has
    ],
)
def test_a_callers_amount_moves_whole_or_not_at_all(amount: Any, free: Any, code: str | None) -> None:
    """At most 100 at once, and 10 stay behind."""
    assert refusal(a_wish(amount, free=free)) == code


def test_an_amount_finer_than_the_venue_counts_is_refused() -> None:
    assert refusal(a_wish("1.000000001")) == "OUT_OF_RANGE"


@pytest.mark.parametrize(("need", "free", "moves"), [(30, 1_000, 30), (500, 1_000, 100), (80, 50, 40), ("0.2", 50, 1)])
def test_a_need_is_met_as_far_as_the_bounds_go(need: Any, free: Any, moves: Any) -> None:
    wish = a_wish(need, free=free, exact=False)

    assert refusal(wish) is None
    assert amount_of(Transfers(), wish, at()) == D(moves)


def test_where_less_than_the_least_may_move_nothing_does() -> None:
    assert refusal(a_wish(30, free="10.99", exact=False)) == LIMIT


def test_what_is_under_way_counts_for_the_day_and_keeps_the_next_back() -> None:
    state = begun(100)

    assert state.moved == {"USDT": 100}
    assert refusal(a_wish(), state) == BUSY
    assert refusal(a_wish(), through(state, Unanswered(number=1, dead_after_ms=Millis(NOON)))) == UNDECIDED


def test_the_days_ceiling_holds_over_many_and_ends_with_the_day() -> None:
    state = Transfers()
    for number in (1, 2, 3):
        state = through(state, Asked(wish=a_wish(100)), Taken(number=number, tran_id=str(number)))
        state = through(state, Shown(number=number, asked_venue_ms=Millis(NOON), rows=(a_row(str(number)),)))

    assert [each.stage for each in state.ended] == [Stage.DONE] * 3
    assert refusal(a_wish(1), state) == LIMIT
    assert objection(state, a_wish(1), at(NOON + DAY_MS)) is None
    assert advance(state, Ticked(), at(NOON + DAY_MS))[0].moved == {}


def test_what_never_happened_gives_the_day_its_room_back() -> None:
    assert through(begun(100), Declined(number=1, reason="-5013")).moved == {"USDT": 0}


def test_what_is_under_way_at_midnight_counts_for_the_new_day() -> None:
    state = through(begun(100), Ticked(), now_ms=NOON + DAY_MS)

    assert state.moved == {"USDT": 100}


# ── the history decides ──


def doubtful(dead_after_ms: int = NOON + 3_000) -> Transfers:
    return through(begun(), Unanswered(number=1, dead_after_ms=Millis(dead_after_ms)))


LATE = NOON + 3_000 + LAG_MS + 1


def test_no_history_decides_before_the_last_moment_has_passed() -> None:
    state = through(doubtful(), shown(LATE - 1, a_row()), shown(LATE - 1), shown(LATE - 1), shown(LATE - 1))

    assert state.present is not None
    assert state.present.stage is Stage.IN_DOUBT


def test_the_one_that_fits_is_ours() -> None:
    state = through(doubtful(), shown(LATE, a_row("7"), a_row("8", amount=49)))

    assert (state.present, state.ended[-1].stage, state.ended[-1].tran_id) == (None, Stage.DONE, "7")


@pytest.mark.parametrize(
    "row",
    [
        a_row(amount="50.00000001"),
        a_row(at_ms=NOON - 5_001),
        a_row(at_ms=NOON + 3_000 + 5_001),
        a_row().but(asset="BNB"),
        a_row().but(route=Route.FUT_TO_SPOT),
    ],
    ids=["amount", "before", "after", "asset", "direction"],
)
def test_one_that_does_not_fit_is_not_ours(row: Moved) -> None:
    state = through(doubtful(), *[shown(LATE, row)] * 3)

    assert (state.ended[-1].stage, state.moved) == (Stage.FAILED, {"USDT": 0})


def test_absence_must_be_seen_three_times() -> None:
    twice = through(doubtful(), shown(LATE), shown(LATE))

    assert twice.present is not None
    assert through(twice, shown(LATE)).ended[-1].stage is Stage.FAILED
    assert through(twice, shown(LATE, a_row())).ended[-1].stage is Stage.DONE


def test_an_earlier_transfer_of_ours_is_not_taken_for_this_one() -> None:
    """The same amount twice within seconds: the first has a name, so only the other can be the second."""
    state = through(begun(), Taken(number=1, tran_id="7"), shown(NOON, a_row("7")), Asked(wish=a_wish()))
    state = through(state, Unanswered(number=2, dead_after_ms=Millis(NOON + 3_000)))
    rows = (a_row("7"), a_row("8"))
    state = through(state, Shown(number=2, asked_venue_ms=Millis(LATE), rows=rows))

    assert [(each.stage, each.tran_id) for each in state.ended] == [(Stage.DONE, "7"), (Stage.DONE, "8")]


def test_two_that_fit_stop_everything_until_somebody_says() -> None:
    state = through(doubtful(), shown(LATE, a_row("7"), a_row("8")))

    assert state.present is not None
    assert state.present.stage is Stage.AMBIGUOUS
    assert [event.body.code for event in state.outbox if isinstance(event.body, Alert)] == ["TRANSFER_AMBIGUOUS"]
    assert refusal(a_wish(), state) == UNDECIDED
    assert through(state, Ticked(), Restarted(), shown(LATE, a_row("7")), now_ms=NOON + DAY_MS).present is not None
    happened, not_ = (through(state, Settled(happened=word, by="me")) for word in (True, False))
    assert (happened.ended[-1].stage, happened.moved) == (Stage.DONE, {"USDT": 50})
    assert (not_.ended[-1].stage, not_.moved) == (Stage.FAILED, {"USDT": 0})
    assert refusal(a_wish(), happened) is None


def test_nobody_settles_what_the_history_will_decide() -> None:
    assert through(doubtful(), Settled(happened=False, by="me")).present is not None


def test_one_that_is_named_is_followed_until_it_lands() -> None:
    state = through(
        begun(), Taken(number=1, tran_id="7"), shown(NOON, a_row("7", landing=Landing.PENDING)), shown(NOON)
    )
    assert state.present is not None
    assert state.present.stage is Stage.TAKEN

    assert through(state, shown(NOON, a_row("7"))).ended[-1].stage is Stage.DONE
    back = through(state, shown(NOON, a_row("7", landing=Landing.FAILED)))
    assert (back.ended[-1].stage, back.moved) == (Stage.FAILED, {"USDT": 0})


def test_one_that_does_not_arrive_is_heard_of_once() -> None:
    state = through(begun(), Taken(number=1, tran_id="7"))
    for later in range(0, 300_000, 1_000):
        state, _ = advance(state, Ticked(), at(NOON + later))

    assert [event.body.code for event in state.outbox if isinstance(event.body, Alert)] == ["TRANSFER_OVERDUE"]


def test_an_answer_to_another_transfer_changes_nothing() -> None:
    state = begun()
    assert through(state, Taken(number=2, tran_id="7"), Declined(number=0, reason="")) == state


def test_the_state_is_its_own_document() -> None:
    state = doubtful()

    assert unseal(seal(state), Transfers) == state


# ── every crash ──


class Fate(Enum):
    """What becomes of the one request."""

    ANSWERED = "answered"
    ANSWER_LOST = "answer lost"
    NEVER_ARRIVED = "never arrived"
    REFUSED = "refused"
    SLOW = "accepted at the last moment of its window, unanswered"


WINDOW_MS = 5_000
STEP_MS = 700


class CrashedError(Exception):
    """The process dies here."""


@dataclass
class Life:
    """The shell, its disk and the venue, in steps; a crash at any of them forgets all but the disk and the venue."""

    fate: Fate
    crash_at: int
    now_ms: int = NOON
    disk: Transfers = field(default_factory=Transfers)
    told: dict[int, Any] = field(default_factory=dict)  # events by seq, as the world has them
    accepted: list[Moved] = field(default_factory=list)
    sent: int = 0
    steps: Iterator[int] = field(default_factory=count)

    def step(self) -> None:
        if next(self.steps) == self.crash_at:
            raise CrashedError

    def hear(self, fact: Fact) -> None:
        state, commands = advance(self.disk, fact, at(self.now_ms))
        self.step()
        self.disk = unseal(seal(state), Transfers)
        self.step()
        for event in self.disk.outbox:
            self.told[event.seq] = event.body
            self.step()
        if self.disk.outbox:
            self.disk, _ = advance(self.disk, Published(through=self.disk.outbox[-1].seq), at(self.now_ms))
        for command in commands:
            self.carry_out(command)

    def carry_out(self, command: Command) -> None:
        if isinstance(command, AskHistory):
            rows = tuple(row for row in self.accepted if row.at_ms <= self.now_ms - LAG_MS)  # it lags
            asked = self.now_ms
            self.step()
            return self.hear(Shown(number=command.number, asked_venue_ms=Millis(asked), rows=rows))
        if self.now_ms > command.transfer.not_after_ms:
            return self.hear(Declined(number=command.transfer.number, reason="LATE"))
        self.step()
        self.sent += 1
        number = command.transfer.number
        dead_after = Millis(self.now_ms + WINDOW_MS)
        if self.fate in (Fate.ANSWERED, Fate.ANSWER_LOST, Fate.SLOW):
            arrived = self.now_ms + (WINDOW_MS if self.fate is Fate.SLOW else 0)
            self.accepted.append(a_row("7", amount=command.transfer.amount, at_ms=arrived))
        self.step()
        match self.fate:
            case Fate.ANSWERED:
                return self.hear(Taken(number=number, tran_id="7"))
            case Fate.REFUSED:
                return self.hear(Declined(number=number, reason="-5013"))
            case Fate.ANSWER_LOST | Fate.NEVER_ARRIVED | Fate.SLOW:
                return self.hear(Unanswered(number=number, dead_after_ms=dead_after))

    def live(self, first: Callable[[], Fact]) -> None:
        fact: Fact | None = first()
        while True:
            try:
                if fact is not None:
                    self.hear(fact)
                if self.disk.present is None or self.now_ms > NOON + 600_000:
                    return
                self.now_ms += STEP_MS
                fact = Ticked()
            except CrashedError:
                self.now_ms += STEP_MS
                fact = Restarted()


@pytest.mark.parametrize("fate", Fate)
def test_wherever_it_dies_money_moves_once_and_is_known_of(fate: Fate) -> None:
    """Every step of every fate: before and after the disk, the request, the answer and each event."""
    deaths = 0
    for crash_at in count():
        life = Life(fate, crash_at)
        life.live(lambda: Asked(wish=a_wish()))
        accepted = sum((row.amount for row in life.accepted), ZERO)
        assert life.sent <= 1, crash_at
        assert life.disk.present is None, (crash_at, life.disk.present)
        assert life.disk.moved.get("USDT", ZERO) == accepted, crash_at
        stages = [each.stage for each in life.disk.ended]
        if life.disk.last:
            assert stages == [Stage.DONE if accepted else Stage.FAILED], crash_at
            bodies = [life.told[seq] for seq in sorted(life.told)]
            assert sorted(life.told) == list(range(1, life.disk.event_seq + 1)), crash_at
            assert isinstance(bodies[0], TransferRequest)
            assert isinstance(bodies[-1], TransferResponse)
        else:
            assert crash_at == 0  # it died before anything was on disk: nobody has promised anything
        if next(life.steps) <= crash_at:
            break
        deaths += 1
    assert deaths >= 8


@given(st.lists(st.integers(0, 60), max_size=6), st.sampled_from(Fate))
def test_however_often_it_dies(deaths: list[int], fate: Fate) -> None:
    life = Life(fate, -1)
    dying, steps = set(deaths), count()

    def step() -> None:
        if next(steps) in dying:
            raise CrashedError

    life.step = step  # type: ignore[method-assign]  # many crashes instead of one
    life.live(lambda: Asked(wish=a_wish()))

    assert life.sent <= 1
    assert life.disk.present is None
    assert life.disk.moved.get("USDT", ZERO) == sum((row.amount for row in life.accepted), ZERO)


def test_it_is_due_when_it_asks_and_not_else() -> None:
    assert due_ms(Transfers()) is None
    assert due_ms(doubtful()) == LATE
