"""What repeats for ever fills no disk and crowds out nobody, and what was left out is told."""

import io
import json
import logging

import pytest
import structlog

from chimera.services import logs
from chimera.services.log_volume import ALL_PER_S, BURST_S, CHARS_MOST, EACH_PER_S, NAMES_MOST, OTHERS, Volume, cut

pytestmark = pytest.mark.req("I30")


class Pace:
    """A volume and its time."""

    def __init__(self) -> None:
        self.at_s = 0.0
        self.volume = Volume(lambda: self.at_s)

    def write(self, name: str, level: str = "info") -> dict[str, object] | None:
        """The line; None: it was left out."""
        try:
            return dict(self.volume(None, level, {"event": name, "level": level}))
        except structlog.DropEvent:
            return None

    def many(self, count: int, name: str, level: str = "info") -> int:
        return sum(self.write(name, level) is not None for _ in range(count))


def test_one_name_has_its_burst_and_then_its_rate() -> None:
    pace = Pace()

    assert pace.many(2 * EACH_PER_S * BURST_S, "flood") == EACH_PER_S * BURST_S
    pace.at_s = 1.0
    assert pace.many(1_000, "flood") == EACH_PER_S


def test_a_flood_crowds_out_neither_another_name_nor_an_error() -> None:
    pace = Pace()
    for number in range(5):
        pace.many(EACH_PER_S * BURST_S, f"flood {number}")

    assert pace.write("quiet") is None, "all lines together are bounded"
    assert pace.write("broken", "error") is not None
    assert pace.many(5_000, "broken", "error") == EACH_PER_S * BURST_S - 1, "an error that repeats is bounded, too"
    pace.at_s = 1.0
    assert pace.write("quiet") is not None


def test_the_next_line_says_what_was_left_out_once() -> None:
    pace = Pace()
    pace.many(EACH_PER_S * BURST_S + 7, "flood")

    told, after = pace.write("next"), pace.write("next")

    assert told is not None
    assert after is not None
    assert told["left_out"] == {"flood": 7}
    assert "left_out" not in after


def test_names_that_never_end_share_one() -> None:
    pace = Pace()
    for number in range(3 * NAMES_MOST):
        pace.at_s += 1.0
        pace.write(f"name {number}")

    assert len(pace.volume._each) == NAMES_MOST + 1
    assert OTHERS in pace.volume._each


def test_a_day_of_flood_is_what_the_bound_says() -> None:
    pace, written = Pace(), 0
    for _ in range(3_600):
        pace.at_s += 1.0
        written += sum(pace.many(40, f"flood {number}") for number in range(6))

    assert written <= ALL_PER_S * (3_600 + BURST_S)


def test_a_long_value_keeps_its_beginning_and_its_end() -> None:
    told = cut("a" * 100_000 + "the reason")

    assert told.startswith("aaa")
    assert told.endswith("the reason")
    assert len(told) < CHARS_MOST + 60
    assert cut("a" * CHARS_MOST) == "a" * CHARS_MOST


@pytest.fixture
def lines() -> io.StringIO:
    return io.StringIO()


def test_ours_and_the_libraries_lines_are_both_held_back(lines: io.StringIO) -> None:
    root, before = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    try:
        logs.to_stderr("test", stream=lines)
        for _ in range(2_000):
            structlog.get_logger("x").warning("flood", text="x" * 20_000)
            logging.getLogger("library").warning("flood of theirs")
        structlog.get_logger("x").error("last")
    finally:
        structlog.configure(**before)
        root.handlers[:], root.level = handlers, level
    written = [json.loads(line) for line in lines.getvalue().splitlines()]
    ours = [row for row in written if row["event"] == "flood"]

    assert len(written) < 2 * EACH_PER_S * BURST_S + 200
    assert max(len(row["text"]) for row in ours) < CHARS_MOST + 60
    assert set(written[-1]["left_out"]) == {"flood", "library"}
