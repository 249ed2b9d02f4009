"""What the soak's judge says of bare time around a blow: bounded from the blow on, and told per fill."""

from decimal import Decimal

import pytest

from proofs.soak.blows import HEALTHY_US
from proofs.soak.heirs import BARE_US, TAKEN_OVER_US
from proofs.soak.judge import bare_over
from world.oracle import Uncovered, protected

S = 1_000_000
BLOW_US, READY_US = 10 * S, 13 * S  # it is struck, and each position has the next one's word


def bare(from_s: float, to_s: float) -> Uncovered:
    return Uncovered(symbol="BTCUSDT", from_us=round(from_s * S), to_us=round(to_s * S), qty=Decimal(1))


@pytest.mark.parametrize(
    ("span", "is_well"),
    [
        (bare(9, 13.2), True),  # it filled just before the blow
        (bare(11, 13.2), True),
        (bare(8, 13.2), False),  # for two seconds nobody had disturbed whoever acted
        (bare(11, 14.4), True),
        (bare(11, 14.6), False),  # the next one was ready, and took more than a second and a half
        (bare(20, 21.4), True),
        (bare(20, 21.6), False),
    ],
)
def test_while_one_acts_a_position_is_bare_for_a_second_and_a_half_at_most(span: Uncovered, is_well: bool) -> None:
    assert (protected([span], bound_us=HEALTHY_US, excused=[(BLOW_US, READY_US)]) == []) is is_well


@pytest.mark.parametrize(("to_s", "is_well"), [(16.4, True), (16.6, False)])
def test_a_take_over_excuses_six_seconds_and_a_half_and_no_more_however_late_one_is_ready(
    to_s: float, is_well: bool
) -> None:
    """Five to take over, and what an undisturbed one has: though somebody who froze within a commit is ready later."""
    assert BARE_US == TAKEN_OVER_US + HEALTHY_US
    assert (protected([bare(9, to_s)], bound_us=BARE_US, excused=[(BLOW_US, BLOW_US)]) == []) is is_well


def test_each_fill_that_a_blow_left_bare_is_told_with_all_of_its_time() -> None:
    spans = [bare(5, 6), bare(9.5, 14), bare(11, 13.5), bare(13, 14)]

    assert bare_over(spans, [(BLOW_US, READY_US)]) == [2_500, 4_500]
