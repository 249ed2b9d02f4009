"""What is told of the routers of ``chimera up``: who acts, and when that is somebody else."""

import io

import pytest
from rich.console import Console

from chimera.cli.up.routers import News, Standing
from chimera.cli.up.screen import Screen

pytestmark = pytest.mark.req("S4-ROUTE-6")

A, S, X, D = Standing.ACTS, Standing.STANDS_BY, Standing.SILENT, Standing.DOWN


def test_each_change_is_told_once_and_a_take_over_with_the_time_since_the_other_acted() -> None:
    news = News(("router-1", "router-2"))
    looks = [((S, S), 0), ((A, S), 100), ((A, S), 200), ((D, S), 300), ((D, S), 400), ((D, A), 3_500), ((S, A), 3_600)]
    told = [news.seen(standings, (1, 2), at_ms) for standings, at_ms in looks]

    assert [[event["event"] for event in events] for events in told] == [
        ["routers"], ["routers"], [], ["routers"], [], ["take_over", "routers"], ["routers"],
    ]  # fmt: skip
    taken = told[5][0]
    assert (taken["acted"], taken["acts"], taken["after_ms"]) == ("router-1", "router-2", 3_300)
    assert told[3][0]["acts"] is None
    assert told[3][0]["routers"][0] == {"name": "router-1", "is": "is down", "pid": 1}


def test_who_is_started_again_in_time_to_succeed_itself_has_taken_over() -> None:
    news = News(("router-1", "router-2"))
    looks = [((A, S), (1, 2), 0), ((D, S), (3, 2), 500), ((A, S), (3, 2), 3_600)]
    told = [news.seen(*look) for look in looks]

    taken = told[2][0]
    assert (taken["event"], taken["acted"], taken["acts"], taken["after_ms"]) == (
        "take_over", "router-1", "router-1", 3_600,
    )  # fmt: skip


def test_who_acts_again_after_a_while_has_taken_over_from_nobody() -> None:
    news = News(("router-1", "router-2"))
    told = [news.seen(standings, (1, 2), 0) for standings in ((A, S), (X, S), (A, S))]

    assert [event["event"] for events in told for event in events] == ["routers"] * 3


def test_a_restart_is_a_change_though_it_stands_as_before() -> None:
    news = News(("router-1", "router-2"))
    news.seen((A, S), (1, 2), 0)

    assert [event["event"] for event in news.seen((A, S), (1, 3), 100)] == ["routers"]


def test_who_hangs_while_another_acts_is_known_after_a_while() -> None:
    news = News(("router-1", "router-2"))
    told = []
    for at_ms, standings in ((0, (X, S)), (5_000, (X, A)), (14_900, (X, A)), (15_000, (X, A)), (15_100, (S, A))):
        news.seen(standings, (1, 2), at_ms)
        told.append(news.hangs("router-1", at_ms))

    assert told == [False, False, False, True, False]
    assert not news.hangs("router-2", 99_000)


def test_the_screen_shows_who_acts_and_that_somebody_took_over() -> None:
    out = io.StringIO()
    screen = Screen(Console(file=out, width=120, height=40))
    news = News(("router-1", "router-2"))
    for standings, at_ms in (((A, S), 0), ((D, A), 3_000)):
        for event in news.seen(standings, (11, 12), at_ms):
            screen.tell({"at_ms": 0, **event})
    Console(file=out, width=120).print(screen.picture())

    told = out.getvalue()
    assert "router-1 is down" in told
    assert "router-2 acts (pid 12)" in told
    assert "TAKE-OVER router-2 acts for the account; router-1 was last seen acting 3.0 s before" in told
