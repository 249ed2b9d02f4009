"""However many decide, wherever they run and whatever dies: what they promise together stays within the budget."""

import pytest
from budget_house import D, House, Room

pytestmark = [pytest.mark.slow, pytest.mark.req("S3-L0-3")]

TIGHT = {
    "entries": Room(entries=2),
    "margin": Room(margin=D(250)),  # FUT entries of 20, SPOT ones of 100
    "notional": Room(notional=D(900)),  # FUT entries of 400
    "loss": Room(loss=D(20)),  # of 1.2 each at most
}


@pytest.mark.req("S3-PER-2", "I27")
@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("what", TIGHT)
def test_several_at_once_never_overspend(what: str, seed: int) -> None:
    house = House(seed, TIGHT[what], strategies=2 + seed)
    house.play(60)

    assert house.desk.overspent == []
    assert house.opened > 5, "the budget was for something"
    assert house.lives > len(house.ledgers)
