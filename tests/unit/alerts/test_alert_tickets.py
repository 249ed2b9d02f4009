"""What becomes of an alert: the same is one ticket, levels end by themselves, errors wait for a person."""

from typing import Any

import pytest
from alert_records import T0, a_record

from chimera.services.alerts import book as book_module
from chimera.services.alerts.book import OLD_MS, Book
from chimera.services.alerts.ticket import COMES_BACK_MS, NEW_LIFE_MS, UNHEARD_MS, State, Ticket, What
from chimera.trading.errors import Refused
from chimera.trading.events import Severity
from chimera.wire.alerts import AlertRecord

pytestmark = pytest.mark.req("S4-ALR-1", "S3-ALR-1")


def hear(book: Book, *records: AlertRecord, at_ms: int = T0) -> Ticket:
    for number, record in enumerate(records, start=1):
        book.hear(record, f"{at_ms}-{number}", at_ms)
    return book.all[-1]


def test_the_same_alert_again_is_one_ticket_with_its_worst_and_its_last_words() -> None:
    book = Book()
    ticket = hear(
        book, a_record(severity=Severity.FATAL), a_record(severity=Severity.WARN, text="still away", at_ms=T0 + 9)
    )

    assert len(book.all) == 1
    assert (ticket.count, ticket.severity, ticket.text, ticket.last_ms) == (2, Severity.FATAL, "still away", T0 + 9)
    assert ticket.state is State.OPEN


def test_what_is_told_twice_by_the_stream_counts_once() -> None:
    """The ticket was saved, and the process killed before it could acknowledge."""
    book = Book()
    book.hear(a_record(), "5-0", T0)
    again = Book(book.all)
    again.hear(a_record(), "5-0", T0)
    assert again.all[0].count == 1
    again.hear(a_record(), "10-0", T0)  # no text's order: 10 is after 5
    assert again.all[0].count == 2


def test_info_opens_nothing_and_an_end_without_a_beginning_neither() -> None:
    book = Book()
    book.hear(a_record("ROUTE_TABLE", Severity.INFO), "1-0", T0)
    book.hear(a_record("CLOCK_OVER", Severity.INFO), "2-0", T0)
    assert book.all == ()


def test_a_level_ends_by_its_own_word_and_by_nobody_elses() -> None:
    book = Book()
    ticket = hear(book, a_record(lasts=True, subject="BTCUSDT"))
    assert ticket.subject == "FUT BTCUSDT"
    with pytest.raises(Refused, match="acknowledge it instead"):
        book.resolve(ticket.id, "anna", "", T0, force=False)
    book.hear(a_record("USER_STREAM_OVER", Severity.INFO, subject="BTCUSDT"), f"{T0}-7", T0 + 5)
    assert book.all[0].state is State.RESOLVED
    assert book.all[0].resolved is not None
    assert book.all[0].resolved.by == "s4-router"


def test_somebody_may_insist_that_a_level_is_over() -> None:
    book = Book()
    ticket = hear(book, a_record(lasts=True))
    assert book.resolve(ticket.id, "anna", "gone", T0, force=True).state is State.RESOLVED


@pytest.mark.parametrize(("begins", "ends"), [("BREAKER_OPEN", "BREAKER_CLOSED"), ("KILLED", "ARMED")])
def test_another_code_may_be_the_end(begins: str, ends: str) -> None:
    book = Book()
    hear(book, a_record(begins, lasts=True), a_record(ends, Severity.WARN, at_ms=T0 + 1))
    assert [ticket.state for ticket in book.all] == [State.RESOLVED]


def test_who_acknowledged_stays_and_it_stands_until_it_is_over() -> None:
    book = Book()
    ticket = hear(book, a_record())
    book.acknowledge(ticket.id, "anna", "looking", T0 + 1)
    after = book.acknowledge(ticket.id, "bert", "me too", T0 + 2)
    assert after.acknowledged is not None
    assert (after.acknowledged.by, after.state, after.stands) == ("anna", State.ACKNOWLEDGED, True)
    with pytest.raises(Refused, match="no such alert"):
        book.acknowledge("nobody", "anna", "", T0)


def test_what_comes_back_soon_is_the_same_ticket_and_later_another() -> None:
    book = Book()
    first = hear(book, a_record(lasts=True), a_record("USER_STREAM_OVER", Severity.INFO))
    soon = hear(book, a_record(lasts=True), at_ms=T0 + COMES_BACK_MS)
    assert (soon.id, soon.count, soon.state) == (first.id, 2, State.OPEN)
    book.hear(a_record("USER_STREAM_OVER", Severity.INFO), f"{T0 + COMES_BACK_MS}-9", T0)
    much_later = T0 + 3 * COMES_BACK_MS
    later = hear(book, a_record(lasts=True, at_ms=much_later), at_ms=much_later)
    assert (later.id != first.id, later.count) == (True, 1)


def test_what_comes_back_or_grows_worse_is_acknowledged_by_nobody() -> None:
    """Who saw a position bare at three, and covered again, has not seen that it is bare once more."""
    book = Book()
    ticket = hear(book, a_record("SLI_UNPROTECTED", Severity.FATAL, lasts=True))
    book.acknowledge(ticket.id, "anna", "looking", T0)
    seen = hear(book, a_record("SLI_UNPROTECTED", Severity.FATAL, lasts=True), at_ms=T0 + 1)
    assert seen.state is State.ACKNOWLEDGED, "it stands as she saw it"
    hear(book, a_record("SLI_UNPROTECTED_OVER", Severity.INFO), at_ms=T0 + 2)
    assert hear(book, a_record("SLI_UNPROTECTED", Severity.FATAL, lasts=True), at_ms=T0 + 3).state is State.OPEN

    warned = hear(book, a_record("X", Severity.WARN))
    book.acknowledge(warned.id, "anna", "in the morning", T0)
    assert hear(book, a_record("X", Severity.ERROR), at_ms=T0 + 1).state is State.OPEN


def test_a_warning_that_only_happened_is_over_when_nobody_hears_it_any_more() -> None:
    book = Book()
    hear(book, a_record("MAKER_TIMEOUT", Severity.WARN), a_record("DOUBT_OLD"), a_record("CLOCK", lasts=True))
    book.age(T0 + UNHEARD_MS - 1, ())
    assert len(book.standing) == 3
    book.age(T0 + UNHEARD_MS, ())
    assert sorted(ticket.code for ticket in book.standing) == ["CLOCK", "DOUBT_OLD"]


def test_what_a_life_held_in_memory_ends_with_it_unless_the_next_says_it_again() -> None:
    """A level that stood when S4 was killed has no end told: it would stand for ever."""
    book = Book()
    for code in ("CLOCK", "USER_STREAM"):
        hear(book, a_record(code, lasts=True, life_ms=T0))
    hear(book, a_record("KILLED", Severity.FATAL, lasts=True))  # on disk: it outlives a process
    book.hear(a_record("CLOCK", lasts=True, life_ms=T0 + 5), f"{T0}-99", T0 + 5)
    book.age(T0 + NEW_LIFE_MS, ())
    assert len(book.standing) == 3
    book.age(T0 + 5 + NEW_LIFE_MS, ())
    assert sorted(ticket.code for ticket in book.standing) == ["CLOCK", "KILLED"]


def test_what_happened_long_ago_and_is_heard_only_now_is_nobodys_news() -> None:
    book = Book()
    book.hear(a_record("DOUBT_OLD"), "1-0", T0 + OLD_MS + 1)
    assert book.all == ()
    book.hear(a_record("CLOCK", lasts=True), "2-0", T0 + OLD_MS + 1)
    assert [ticket.code for ticket in book.all] == ["CLOCK"], "it may stand still"


def test_the_book_is_bounded_and_the_worst_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book_module, "MOST", 3)
    book = Book()
    hear(book, a_record("A", Severity.FATAL), a_record("B"), a_record("C", Severity.WARN), a_record("D"))
    assert sorted(ticket.code for ticket in book.standing) == ["A", "B", "D"]
    assert book.crowded_out == 1


def test_what_is_over_is_forgotten_once_everybody_has_heard() -> None:
    book = Book()
    ticket = hear(book, a_record(lasts=True), a_record("USER_STREAM_OVER", Severity.INFO))
    late = T0 + COMES_BACK_MS + 1
    book.age(late, [ticket.dedupe])
    assert len(book.all) == 1
    book.age(late, ())
    assert book.all == ()


def test_a_record_of_an_older_version_has_a_key_all_the_same() -> None:
    old: dict[str, Any] = {"severity": Severity.ERROR, "code": "X", "text": "t", "account_id": "main"}
    book = Book()
    book.hear(AlertRecord(**old, symbol="BTCUSDT"), "1-0", T0)
    book.hear(AlertRecord(**old, symbol="ETHUSDT"), "2-0", T0)
    assert len(book.all) == 2


def test_a_channel_was_told_of_the_ticket_as_it_was() -> None:
    """It grew worse while the message was on its way: that is still to be told."""
    book = Book()
    ticket = hear(book, a_record(severity=Severity.WARN))
    hear(book, a_record(severity=Severity.FATAL), at_ms=T0 + 1)
    (told,) = book.told(ticket, "webhook", What.OPENED, T0 + 2)
    assert told.told["webhook"].severity is Severity.WARN
