"""The breaker against a machine of thirty lines, and each of its rules by hand."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chimera.admit.breaker import Breaker, BreakerPolicy, State
from chimera.trading.money import Millis

POLICY = BreakerPolicy(
    window_ms=10_000, share=Decimal("0.5"), least=4, in_a_row=3, pause_ms=1_000, longest_pause_ms=4_000
)
ROW_ONLY = POLICY.but(least=1_000)


def at(ms: int) -> Millis:
    return Millis(ms)


def told(*steps: tuple[int, bool, bool], breaker: Breaker | None = None) -> Breaker:
    """Calls as (moment, is an entry, went well)."""
    breaker = breaker or Breaker(policy=POLICY)
    for ms, entry, good in steps:
        breaker = breaker.at(at(ms)).ended(entry=entry, good=good, now_ms=at(ms))
    return breaker


@pytest.mark.req("S4-CB-1", "I18")
def test_three_failed_entries_in_a_row_open_it() -> None:
    two = told((1, True, False), (2, True, False), breaker=Breaker(policy=ROW_ONLY))
    assert two.state is State.CLOSED
    assert told((3, True, True), (4, True, False), breaker=two).state is State.CLOSED
    opened = told((3, True, False), breaker=two)
    assert (opened.state, opened.why) == (State.OPEN, "3 entries in a row failed")
    assert not opened.lets_enter()


@pytest.mark.req("S4-CB-1", "I18")
def test_the_share_of_failures_in_the_window_opens_it() -> None:
    half = told((1, False, True), (2, False, False), (3, False, True))
    assert half.state is State.CLOSED, "too few calls to say anything"
    assert told((4, False, False), breaker=half).why == "2 of 4 calls failed in 10 s"
    assert told((12_000, False, False), breaker=half).state is State.CLOSED, "what is older does not count"


@pytest.mark.req("S4-CB-1", "I18")
@pytest.mark.fault("G8")
def test_after_the_pause_exactly_one_entry_tries_and_decides() -> None:
    opened = told((1, True, False), (2, True, False), (3, True, False))
    assert opened.at(at(1_002)).state is State.OPEN
    half = opened.at(at(1_003))
    assert half.state is State.HALF_OPEN
    assert half.lets_enter()
    trying = half.entering(at(1_004))
    assert not trying.lets_enter(), "one at a time"
    assert told((1_010, False, False), breaker=trying).state is State.HALF_OPEN, "an exit's failure is no verdict"
    closed = told((1_020, True, True), breaker=trying)
    assert (closed.state, closed.lets_enter(), closed.slots) == (State.CLOSED, True, ())
    again = told((1_020, True, False), breaker=trying)
    assert again.state is State.OPEN
    assert again.until_ms == 1_020 + 2_000, "the pause doubles"


@pytest.mark.req("S4-CB-1")
def test_an_attempt_nobody_heard_of_makes_room_for_the_next() -> None:
    trying = told((1, True, False), (2, True, False), (3, True, False)).at(at(2_000)).entering(at(2_000))
    assert not trying.at(at(2_001)).lets_enter()
    assert trying.at(at(2_000 + POLICY.attempt_ms)).lets_enter()


def test_what_it_remembers_does_not_grow_with_the_traffic() -> None:
    busy = told(*((ms, False, True) for ms in range(0, 60_000, 7)))
    assert len(busy.slots) <= 60
    assert sum(slot.good for slot in busy.slots) >= 1_400


class Reference:
    """The same machine, told plainly."""

    def __init__(self) -> None:
        self.state, self.calls, self.row, self.openings, self.since, self.trying = "CLOSED", [], 0, 0, 0, None

    def time(self, now: int) -> None:
        if self.state == "OPEN" and now >= self.since + min(1_000 * 2 ** (self.openings - 1), 4_000):
            self.state, self.trying = "HALF_OPEN", None
        if self.trying is not None and now >= self.trying + POLICY.attempt_ms:
            self.trying = None

    def may(self) -> bool:
        return self.state == "CLOSED" or (self.state == "HALF_OPEN" and self.trying is None)

    def end(self, now: int, entry: bool, good: bool) -> None:
        slot = now * 60 // 10_000  # a window is sixty slots, the present one among them
        self.calls = [call for call in self.calls if call[0] > slot - 60] + [(slot, good)]
        if entry:
            self.row = 0 if good else self.row + 1
        bad = sum(not ok for _, ok in self.calls)
        if self.state == "HALF_OPEN" and entry and good:
            self.__init__()  # type: ignore[misc]
        elif (self.state == "HALF_OPEN" and entry) or (
            self.state == "CLOSED" and (self.row >= 3 or (len(self.calls) >= 4 and bad * 2 >= len(self.calls)))
        ):
            self.state, self.since, self.trying, self.openings = "OPEN", now, None, self.openings + 1


@pytest.mark.req("S4-CB-1", "I18")
@given(st.lists(st.tuples(st.integers(1, 3_000), st.booleans(), st.sampled_from([True, False, None])), max_size=60))
def test_it_is_the_plain_machine(steps: list[tuple[int, bool, bool | None]]) -> None:
    """``good`` is None for what was kept back after all: as if it had never been asked for."""
    breaker, plain, now = Breaker(policy=POLICY), Reference(), 0
    for wait, entry, good in steps:
        now += wait
        breaker = breaker.at(at(now))
        plain.time(now)
        assert breaker.lets_enter() is plain.may()
        if entry and plain.may():
            breaker = breaker.entering(at(now))
            plain.trying = now if plain.state == "HALF_OPEN" else plain.trying
        elif entry:
            continue  # it did not leave, so it does not end
        if good is None:
            breaker = breaker.held_back() if entry else breaker
            plain.trying = None if entry else plain.trying
            continue
        breaker = breaker.ended(entry=entry, good=good, now_ms=at(now))
        plain.end(now, entry, good)
        assert breaker.state == plain.state


@pytest.mark.req("S4-CB-1")
def test_an_open_one_that_is_told_to_try_waits_no_longer_and_lets_one_through() -> None:
    opened = told((1, True, False), (2, True, False), (3, True, False))
    trying = opened.retried(at(4))
    assert (trying.state, trying.lets_enter()) == (State.HALF_OPEN, True)
    assert not trying.entering(at(4)).lets_enter()
    failed = told((5, True, False), breaker=trying.entering(at(4)))
    assert (failed.state, failed.until_ms) == (State.OPEN, 2_005), "its pause has doubled, as after any attempt"
    assert told((1, True, True)).retried(at(2)).state is State.CLOSED
