"""No entry without a place for its stop: the account's 200, the symbol's own limit, and what others have taken."""

import pytest

from chimera.admit.places import MOST, OF_ENTRY, no_place
from chimera.trading.ids import Symbol
from support.desk import SYMBOL

ETH = Symbol("ETHUSDT")


@pytest.mark.req("S4-LIM-2", "I22")
@pytest.mark.parametrize(
    ("here", "elsewhere", "most", "told"),
    [
        (MOST - OF_ENTRY, 0, None, None),
        (MOST - OF_ENTRY + 1, 0, None, "197 stops and targets stand; the venue takes 200"),
        (1, MOST - OF_ENTRY - 1, None, None),
        (0, MOST - OF_ENTRY + 1, None, "197 stops and targets stand; the venue takes 200"),
        (6, 0, 10, None),
        (7, 0, 10, "7 stops and targets stand; BTCUSDT takes 10"),
        (6, 50, 10, None),
    ],
)
def test_an_entry_needs_free_places_for_its_stop_and_target(
    here: int, elsewhere: int, most: int | None, told: str | None
) -> None:
    refusal = no_place(SYMBOL, {SYMBOL: here, ETH: elsewhere}, most)

    assert (None if refusal is None else (refusal.code, refusal.message)) == (
        None if told is None else ("NO_STOP_SLOTS", told)
    )
