"""The life of a lease in one process: nothing is sent without it, and never by two at a time."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera.admit import tenure
from chimera.admit.tenure import (
    EVERY_MS,
    TTL_MS,
    Command,
    Ended,
    Ending,
    Fact,
    Gone,
    Held,
    LeaseRefused,
    LeaseTaken,
    Release,
    Renew,
    Renewed,
    RenewFailed,
    Resigned,
    Serve,
    Standby,
    Stop,
    StoreAway,
    Take,
    Tenure,
    Ticked,
    advance,
    due_ms,
    left_ms,
)
from chimera.trading.lease import Holder, Lease
from chimera.trading.money import Millis

pytestmark = pytest.mark.req("S4-ROUTE-6")

LEASE = Lease(name="account:main", owner="a", fence=1, ttl_ms=TTL_MS)
OTHER = Holder(owner="b", url="http://b", left_ms=Millis(1_700))
FRESH = Standby(next_ms=Millis(0))


def ms(value: int) -> Millis:
    return Millis(value)


def after(*facts: tuple[int, Fact], begin: Tenure = FRESH) -> tuple[Tenure, tuple[Command, ...]]:
    """The last state, and the commands of the last fact."""
    state, commands = begin, tuple[Command, ...]()
    for at_ms, fact in facts:
        state, commands = advance(state, fact, ms(at_ms))
    return state, commands


HELD = after((0, Ticked()), (20, LeaseTaken(lease=LEASE, asked_ms=ms(0))))[0]


def test_a_stand_by_asks_at_once_then_as_often_as_a_holder_renews() -> None:
    assert after((0, Ticked()))[1] == (Take(),)
    assert after((0, Ticked()), (10, Ticked()))[1] == ()
    refused = after((0, Ticked()), (10, LeaseRefused(holder=OTHER)))[0]
    assert isinstance(refused, Standby)
    assert refused.holder == OTHER
    assert due_ms(refused) == 10 + EVERY_MS
    soon = after((0, Ticked()), (10, LeaseRefused(holder=OTHER.but(left_ms=ms(30)))))[0]
    assert due_ms(soon) == 40


def test_what_is_granted_is_counted_from_before_it_was_asked_for() -> None:
    state, commands = after((0, Ticked()), (900, LeaseTaken(lease=LEASE, asked_ms=ms(0))))
    assert commands == (Serve(lease=LEASE),)
    assert left_ms(state, ms(900)) == TTL_MS - 900
    assert left_ms(state, ms(TTL_MS)) == 0


def test_a_grant_that_comes_too_late_is_asked_for_anew() -> None:
    state, commands = after((0, Ticked()), (TTL_MS, LeaseTaken(lease=LEASE, asked_ms=ms(0))))
    assert commands == ()
    assert advance(state, Ticked(), TTL_MS)[1] == (Take(),)


def test_it_is_renewed_twice_a_second_and_one_question_at_a_time() -> None:
    state, commands = after((519, Ticked()), begin=HELD)
    assert commands == ()
    state, commands = advance(state, Ticked(), ms(520))
    assert commands == (Renew(lease=LEASE),)
    assert advance(state, Ticked(), ms(1_500))[1] == ()
    state, commands = advance(state, Renewed(lease=LEASE, asked_ms=ms(520)), ms(530))
    assert left_ms(state, ms(530)) == TTL_MS - 10
    assert due_ms(state) == 520 + EVERY_MS


@pytest.mark.parametrize("end", [(TTL_MS, Ticked()), (TTL_MS + 60_000, StoreAway()), (700, RenewFailed(lease=LEASE))])
def test_where_it_ends_all_is_stopped_and_nothing_may_be_sent(end: tuple[int, Fact]) -> None:
    state, commands = after(end, begin=HELD)
    assert commands == (Stop(),)
    assert left_ms(state, ms(0)) == 0
    assert due_ms(state) is None
    late = after((end[0], Renewed(lease=LEASE, asked_ms=ms(2_900))), begin=state)
    assert late == (state, ())


def test_it_is_asked_for_again_when_what_it_carried_has_ended() -> None:
    state, commands = after((TTL_MS, Ticked()), (TTL_MS + 800, Ended()), begin=HELD)
    assert commands == ()
    assert after((TTL_MS + 800 + EVERY_MS, Ticked()), begin=state)[1] == (Take(),)


def test_who_resigns_ends_all_first_and_gives_it_back_then() -> None:
    state, commands = after((700, Resigned()), begin=HELD)
    assert (commands, left_ms(state, ms(700))) == ((Stop(),), 0)
    assert after((900, Ended()), begin=state) == (Gone(), (Release(lease=LEASE),))
    assert after((0, Resigned())) == (Gone(), ())
    ending = after((TTL_MS, Ticked()), begin=HELD)[0]
    assert after((3_100, Resigned()), (3_200, Ended()), begin=ending) == (Gone(), ())


def test_what_fell_over_by_itself_gives_the_lease_back() -> None:
    state, commands = after((900, Ended()), begin=HELD)
    assert commands == (Release(lease=LEASE),)
    assert isinstance(state, Standby)


def test_an_answer_about_another_lease_says_nothing() -> None:
    old = LEASE.but(fence=0)
    assert after((400, Renewed(lease=old, asked_ms=ms(390))), begin=HELD) == (HELD, ())
    assert after((400, RenewFailed(lease=old)), begin=HELD) == (HELD, ())


# ── two of them over one ledger, which loses answers and takes its time ──


@dataclass
class Book:
    """The ledger's side, by its own clock."""

    owner: str = ""
    fence: int = 0
    end_ms: int = 0

    def take(self, owner: str, now_ms: int) -> Lease | Holder:
        runs = now_ms < self.end_ms
        if runs and self.owner != owner:
            return Holder(owner=self.owner, url="", left_ms=ms(self.end_ms - now_ms))
        self.fence += not runs
        self.owner, self.end_ms = owner, now_ms + TTL_MS
        return Lease(name="n", owner=owner, fence=self.fence, ttl_ms=TTL_MS)

    def renew(self, lease: Lease, now_ms: int) -> bool:
        good = (lease.owner, lease.fence) == (self.owner, self.fence) and now_ms < self.end_ms
        if good:
            self.end_ms = now_ms + TTL_MS
        return good

    def release(self, lease: Lease) -> None:
        if (lease.owner, lease.fence) == (self.owner, self.fence):
            self.end_ms = 0


@dataclass
class Router:
    """One process: its clock began elsewhere, and it takes no step before ``asleep_ms``."""

    owner: str
    apart_ms: int
    state: Tenure = FRESH
    asleep_ms: int = 0
    house: bool = False
    answers: list[tuple[int, Fact]] = field(default_factory=list)  # when each is there, true time
    writes: list[tuple[int, Command, int]] = field(default_factory=list)  # when the ledger has each, and asked when

    def may_send(self, now_ms: int) -> bool:
        return left_ms(self.state, ms(now_ms + self.apart_ms)) > 0


STEP_MS = 50
turns = st.tuples(
    st.sampled_from(["run", "run", "run", "run", "sleep", "resign", "lost", "away"]),
    st.integers(0, 1),
    st.integers(0, 5_000),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(turns, max_size=60), st.integers(0, 10**6), st.integers(0, 10**6), st.data())
def test_never_may_two_send_at_a_time(
    script: list[tuple[str, int, int]], one: int, two: int, data: st.DataObject
) -> None:
    book, routers = Book(), [Router("a", one), Router("b", two)]
    now_ms = 0
    for what, who, span_ms in script:
        router = routers[who]
        if what == "sleep":
            router.asleep_ms = now_ms + span_ms
        elif what == "resign" and now_ms >= router.asleep_ms:
            feed(router, Resigned(), now_ms, data)
        elif what == "lost":
            router.answers = [(at_ms, StoreAway()) for at_ms, _ in router.answers]
        elif what == "away":
            router.writes = [(at_ms + span_ms, *rest) for at_ms, *rest in router.writes]  # type: ignore[misc]  # mypy: unpacked
        for _ in range(1 + span_ms // 500):
            now_ms += STEP_MS
            for each in routers:
                step(each, book, now_ms, data)
            assert sum(each.may_send(now_ms) for each in routers) <= 1
            for each in routers:
                if each.may_send(now_ms):
                    assert book.owner == each.owner
                    assert book.end_ms >= now_ms + left_ms(each.state, ms(now_ms + each.apart_ms))


def step(router: Router, book: Book, now_ms: int, data: st.DataObject) -> None:
    for at_ms, command, asked_ms in [write for write in router.writes if write[0] <= now_ms]:
        router.writes.remove((at_ms, command, asked_ms))
        fact = told(book, router, command, asked_ms, now_ms)
        if fact is not None:
            router.answers.append((now_ms + data.draw(st.sampled_from([0, 50, 400, 2_500])), fact))
    if now_ms < router.asleep_ms:
        return
    for at_ms, fact in [answer for answer in router.answers if answer[0] <= now_ms]:
        router.answers.remove((at_ms, fact))
        feed(router, fact, now_ms, data)
    feed(router, Ticked(), now_ms, data)


def told(book: Book, router: Router, command: Command, asked_ms: int, now_ms: int) -> Fact | None:
    match command:
        case Take():
            answer = book.take(router.owner, now_ms)
            if isinstance(answer, Holder):
                return LeaseRefused(holder=answer)
            return LeaseTaken(lease=answer, asked_ms=ms(asked_ms))
        case Renew(lease=lease):
            good = book.renew(lease, now_ms)
            return Renewed(lease=lease, asked_ms=ms(asked_ms)) if good else RenewFailed(lease=lease)
        case Release(lease=lease):
            book.release(lease)
    return None


def feed(router: Router, fact: Fact, now_ms: int, data: st.DataObject) -> None:
    mine = ms(now_ms + router.apart_ms)
    router.state, commands = advance(router.state, fact, mine)
    for command in commands:
        match command:
            case Serve():
                assert not router.house
                router.house = True
            case Stop():
                assert router.house
                router.house = False
                router.answers.append((now_ms + data.draw(st.sampled_from([0, 50, 1_500])), Ended()))
            case _:
                assert not (isinstance(command, Take) and router.house)
                router.writes.append((now_ms + data.draw(st.sampled_from([0, 50, 1_000])), command, mine))


def test_a_dead_holders_name_is_free_within_its_time_and_one_question() -> None:
    book = Book()
    lease = book.take("a", 0)
    assert isinstance(lease, Lease)
    assert book.renew(lease, 400)  # and dies
    state: Tenure = FRESH
    for now_ms in range(450, 5_000, 10):
        state, commands = advance(state, Ticked(), ms(now_ms))
        if commands:
            answer = book.take("b", now_ms)
            state, _ = advance(
                state,
                LeaseRefused(holder=answer)
                if isinstance(answer, Holder)
                else LeaseTaken(lease=answer, asked_ms=ms(now_ms)),
                ms(now_ms),
            )
        if isinstance(state, Held):
            break
    assert now_ms - 400 <= TTL_MS + EVERY_MS
    assert isinstance(tenure.advance(state, Resigned(), ms(now_ms))[0], Ending)
