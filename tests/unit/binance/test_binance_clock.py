"""The venue's clock: offset from half a round trip, and the moment after which a request is dead."""

import pytest

from chimera.adapters.binance.venue_clock import CLOCK_STEP_MS, ENGINE_TIMEOUT_MS, VenueClock
from chimera.trading.money import Millis


@pytest.mark.req("S4-CLOCK-1")
def test_half_the_round_trip_is_taken_off() -> None:
    clock = VenueClock()

    assert clock.measured(server_ms=10_550, sent_ms=Millis(10_000), round_trip_ms=100) == 500
    assert clock.offset_ms == 500
    assert clock.error_ms == 50 + CLOCK_STEP_MS


@pytest.mark.req("S4-RETRY-2")
def test_dead_counts_window_engine_time_and_doubt() -> None:
    clock = VenueClock()
    clock.measured(server_ms=10_550, sent_ms=Millis(10_000), round_trip_ms=100)

    dead_ms = clock.dead_after_ms(Millis(20_000), 2_000)

    assert dead_ms == 20_000 + 500 + 2_000 + ENGINE_TIMEOUT_MS + 50 + CLOCK_STEP_MS


def test_an_older_larger_offset_may_have_stamped_the_request() -> None:
    clock = VenueClock()
    clock.measured(server_ms=900, sent_ms=Millis(0), round_trip_ms=0)
    before = clock.dead_after_ms(Millis(0), 2_000)
    clock.measured(server_ms=-900, sent_ms=Millis(0), round_trip_ms=0)

    assert clock.offset_ms == -900
    assert clock.dead_after_ms(Millis(0), 2_000) >= before
