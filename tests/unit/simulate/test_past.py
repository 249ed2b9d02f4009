"""The venue's history from a moment on: the same rows as reading all of it, whatever the clock did."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chimera.simulate.venue.past import Past


def rows(times: list[int]) -> list[dict[str, Any]]:
    return [{"id": number, "time": time} for number, time in enumerate(times)]


@given(
    st.lists(st.integers(-50, 200), max_size=60), st.lists(st.integers(-50, 200), max_size=20), st.integers(-60, 210)
)
def test_no_row_from_that_moment_on_is_missed_also_where_the_clock_went_back(
    kept: list[int], came: list[int], asked: int
) -> None:
    past = Past(rows(kept))
    for row in rows(came):
        past.append(row)

    assert list(past) == rows(kept) + rows(came)
    assert [row for row in past.since(asked) if row["time"] >= asked] == [row for row in past if row["time"] >= asked]


def test_what_is_older_is_not_read() -> None:
    past = Past(rows(list(range(1_000))))

    assert past.since(998) == rows(list(range(1_000)))[998:]
    assert past.since(0) == list(past)
    assert past.since(1_000) == []
