"""What goes out and when: FATAL at any hour, a storm in few messages, the rest in a digest."""

from zoneinfo import ZoneInfo

import pytest
from alert_records import T0, a_record
from hypothesis import given
from hypothesis import strategies as st

from chimera.services.alerts.book import Book
from chimera.services.alerts.telling import AGAIN_MS, PARTS_MOST, Kind, Message, Pace, Policy, Quiet, due, untold
from chimera.services.alerts.ticket import What
from chimera.services.alerts.words import document, lines
from chimera.services.logs import keep_secret
from chimera.trading.events import Severity

pytestmark = pytest.mark.req("S4-ALR-1")

HOUR = 3_600_000
NIGHT = Quiet(22 * 60, 7 * 60, ZoneInfo("Asia/Taipei"))  # T0 is 8 in the morning there
AT_NIGHT = T0 + 15 * HOUR
FRESH = Pace((), T0)


class Told:
    """A channel that takes everything."""

    def __init__(self, policy: Policy = Policy()) -> None:  # noqa: B008 - a tuple
        self.book, self.policy = Book(), policy
        self.sent: list[Message] = []
        self.digested = T0
        self.entry = 0

    def hear(self, code: str, severity: Severity = Severity.ERROR, at_ms: int = T0, **more: object) -> None:
        self.entry += 1
        self.book.hear(a_record(code, severity, at_ms=at_ms, **more), f"{self.entry}-0", at_ms)

    def look(self, at_ms: int = T0) -> Message | None:
        pace = Pace([message.at_ms for message in self.sent], self.digested)
        message = due(self.book.all, "c", self.policy, pace, at_ms)
        if message is not None:
            self.sent.append(message)
            self.digested = at_ms if message.kind is Kind.DIGEST else self.digested
            for part in (*message.parts, *message.more):
                self.book.told(part.ticket, "c", part.what, at_ms)
        return message


def codes(message: Message | None) -> list[tuple[str, What]]:
    return [] if message is None else [(part.ticket.code, part.what) for part in message.parts]


def test_an_error_goes_at_once_and_once() -> None:
    told = Told()
    told.hear("DOUBT_OLD")
    assert codes(told.look()) == [("DOUBT_OLD", What.OPENED)]
    assert told.look(T0 + 1) is None


def test_a_warning_waits_for_the_digest() -> None:
    told = Told()
    told.hear("MAKER_TIMEOUT", Severity.WARN)
    assert told.look(T0 + HOUR - 1) is None
    message = told.look(T0 + HOUR)
    assert message is not None
    assert (message.kind, message.silent, codes(message)) == (Kind.DIGEST, True, [("MAKER_TIMEOUT", What.OPENED)])
    told.hear("SWEEP_X", Severity.WARN, T0 + HOUR)
    assert told.look(T0 + 2 * HOUR - 1) is None


def test_what_is_below_the_least_is_told_nowhere() -> None:
    told = Told(Policy(least=Severity.ERROR))
    told.hear("MAKER_TIMEOUT", Severity.WARN)
    assert told.look(T0 + 9 * HOUR) is None
    assert untold(told.book.all, "c", told.policy, T0) == ()


def test_at_night_fatal_alone_goes_out_and_the_rest_in_the_morning() -> None:
    told = Told(Policy(quiet=NIGHT))
    told.hear("DOUBT_OLD", at_ms=AT_NIGHT)
    assert told.look(AT_NIGHT) is None
    told.hear("EXIT_FAILING", Severity.FATAL, AT_NIGHT)
    assert codes(told.look(AT_NIGHT)) == [("EXIT_FAILING", What.OPENED)]
    told.book.acknowledge(next(each.id for each in told.book.all if each.code == "EXIT_FAILING"), "a", "", AT_NIGHT)
    assert told.look(T0 + 23 * HOUR - 1) is None
    assert codes(told.look(T0 + 23 * HOUR)) == [("DOUBT_OLD", What.OPENED)]


def test_quiet_hours_may_span_midnight_or_not_and_are_of_their_zone() -> None:
    assert [NIGHT.holds(T0 + hour * HOUR) for hour in (0, 13, 14, 22, 23)] == [False, False, True, True, False]
    noon = Quiet(12 * 60, 13 * 60, ZoneInfo("UTC"))
    assert [noon.holds(T0 + hour * HOUR) for hour in (11, 12, 13)] == [False, True, False]


def test_an_end_is_told_to_whoever_was_told_of_the_beginning() -> None:
    told = Told()
    told.hear("CLOCK", lasts=True)
    told.look()
    told.hear("CLOCK_OVER", Severity.INFO, T0 + 5)
    message = told.look(T0 + 5)
    assert codes(message) == [("CLOCK", What.RESOLVED)]
    assert message is not None
    assert message.silent
    assert told.look(T0 + 9 * HOUR) is None


def test_one_that_grew_worse_is_told_again() -> None:
    told = Told()
    told.hear("X", Severity.ERROR)
    told.look()
    told.hear("X", Severity.FATAL, T0 + 1)
    assert codes(told.look(T0 + 1)) == [("X", What.OPENED)]


def test_a_fatal_one_is_repeated_until_somebody_acknowledges() -> None:
    told = Told()
    told.hear("EXIT_FAILING", Severity.FATAL)
    told.look()
    later = T0 + told.policy.remind_ms
    assert told.look(later - 1) is None
    assert codes(told.look(later)) == [("EXIT_FAILING", What.REMINDER)]
    told.book.acknowledge(told.book.all[0].id, "anna", "", later)
    assert told.look(later * 2) is None


def test_what_was_acknowledged_rings_again_when_it_comes_back() -> None:
    told = Told()
    told.hear("SLI_UNPROTECTED", Severity.FATAL, lasts=True)
    told.look()
    told.book.acknowledge(told.book.all[0].id, "anna", "", T0)
    told.hear("SLI_UNPROTECTED_OVER", Severity.INFO, T0 + 1)
    assert codes(told.look(T0 + 1)) == [("SLI_UNPROTECTED", What.RESOLVED)]
    back = T0 + 300_000
    told.hear("SLI_UNPROTECTED", Severity.FATAL, back, lasts=True)
    assert codes(told.look(back)) == [("SLI_UNPROTECTED", What.OPENED)]


def test_one_that_flutters_does_not_ring_each_time() -> None:
    told = Told()
    for turn in range(20):
        at_ms = T0 + turn * 10_000
        told.hear("CLOCK", at_ms=at_ms, lasts=True)
        told.look(at_ms)
        told.hear("CLOCK_OVER", Severity.INFO, at_ms + 5_000)
        told.look(at_ms + 5_000)
    assert len(told.sent) == 2  # it began, it was over
    told.hear("CLOCK", at_ms=T0 + AGAIN_MS + 5_000, lasts=True)
    assert codes(told.look(T0 + AGAIN_MS + 5_000)) == [("CLOCK", What.OPENED)]


def test_a_storm_is_a_few_messages_and_leaves_room_for_the_worst() -> None:
    told = Told()
    for number in range(500):
        told.hear("DOUBT_OLD", subject=f"order-{number}", at_ms=T0 + number)
        told.look(T0 + number)
    assert len(told.sent) == told.policy.most_per_minute - told.policy.kept_for_fatal
    told.hear("EXIT_FAILING", Severity.FATAL, T0 + 600)
    message = told.look(T0 + 600)
    assert codes(message)[0] == ("EXIT_FAILING", What.OPENED)
    assert message is not None
    assert len(message.parts) == PARTS_MOST
    assert len(message.parts) + len(message.more) == 500 - 4 + 1, "all that was held back is in it"
    assert told.look(T0 + 120_000) is None, "and nothing is told twice"


@given(
    st.lists(
        st.tuples(
            st.integers(0, 59_999), st.sampled_from(("A", "B", "C")), st.sampled_from(list(Severity)), st.booleans()
        ),
        max_size=80,
    )
)
def test_no_minute_has_more_messages_than_it_may_whatever_happens(
    happened: list[tuple[int, str, Severity, bool]],
) -> None:
    told = Told(Policy(most_per_minute=5, digest_ms=0, remind_ms=1_000))
    for after_ms, code, severity, over in sorted(happened):
        told.hear(f"{code}_OVER" if over else code, Severity.INFO if over else severity, T0 + after_ms, lasts=not over)
        told.look(T0 + after_ms)
    assert len(told.sent) <= 5


def test_the_same_news_has_the_same_id_and_other_news_another() -> None:
    told = Told()
    told.hear("CLOCK", lasts=True)
    first = due(told.book.all, "c", told.policy, FRESH, T0)
    again = due(told.book.all, "c", told.policy, FRESH, T0 + 5)
    assert first is not None
    assert again is not None
    assert first.id == again.id
    assert first.id != due(told.book.all, "d", told.policy, FRESH, T0).id  # type: ignore[union-attr]  # there is one
    told.look()
    told.hear("CLOCK_OVER", Severity.INFO, T0 + 9)
    assert first.id != due(told.book.all, "c", told.policy, FRESH, T0 + 9).id  # type: ignore[union-attr]  # likewise


def test_a_message_says_what_since_when_and_where_to_read_and_no_secret() -> None:
    keep_secret("s3cr3t-canary")
    told = Told()
    told.hear("USER_STREAM", Severity.FATAL, subject="BTCUSDT", text="silent, key s3cr3t-canary", lasts=True)
    message = told.look()
    assert message is not None
    ticket = message.parts[0].ticket
    assert lines(message, "https://wiki.example/run").splitlines() == [
        "FATAL: USER_STREAM FUT BTCUSDT",
        "  silent, key ***",
        f"  s4-router, since 01-01 00:00:00 UTC, id {ticket.id}",
        "  https://wiki.example/run#user-stream-silent-listen-key",
    ]
    row = document(message, "docs/runbook.md")["alerts"][0]
    assert (row["what"], row["text"], row["runbook"]) == (
        "OPENED", "silent, key ***", "docs/runbook.md#user-stream-silent-listen-key",
    )  # fmt: skip
