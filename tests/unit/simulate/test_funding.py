"""When funding is due."""

from chimera.trading.market import next_funding_ms


def test_funding_is_at_midnight_eight_and_sixteen() -> None:
    midnight = 1_767_225_600_000

    assert next_funding_ms(midnight) == midnight + 8 * 3_600_000
    assert next_funding_ms(midnight - 1) == midnight
