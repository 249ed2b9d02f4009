"""Ways to lose money on spot that a third hunt found, one test each."""

from decimal import Decimal

import pytest

from chimera.execute.due import next_due_ms
from chimera.trading.commands import PlacePair
from chimera.trading.facts import PairAnswered, PlaceNotSent, Ticked
from chimera.trading.guard import Guard
from chimera.trading.money import Millis
from chimera.trading.order import Role, Status
from support.spot_desk import SpotDesk, buy


def kept_back(pair: PlacePair, retry_after_ms: int | None) -> PairAnswered:
    """A list that never left: a ban, the governor, or nobody to talk to."""
    wait = None if retry_after_ms is None else Millis(retry_after_ms)
    stop, target = (
        PlaceNotSent(ref=leg.ref, reason="418: banned", retry_after_ms=wait, held=wait is not None)
        for leg in (pair.stop, pair.target)
    )
    return PairAnswered(stop=stop, target=target)


@pytest.mark.incident(24)
@pytest.mark.parametrize("wait_ms", [None, 0, 120_000])
def test_a_list_that_never_left_does_not_go_again_at_once(wait_ms: int | None) -> None:
    """It was made anew as fast as the disk could save: until a ban ended, all kept for a minute."""
    desk = SpotDesk().bought(buy())
    until = desk.now + 10_000
    while desk.now < until and len(desk.pairs()) <= 21:
        if desk.holding.orders[desk.pairs()[-1].stop.ref].status is Status.PENDING_NEW:
            desk.hear(kept_back(desk.pairs()[-1], wait_ms))
        desk.later(2).hear(Ticked())
    assert 5 <= len(desk.pairs()) <= 21
    assert desk.holding.exit is None, "nobody refused a stop"


def test_meanwhile_the_price_is_watched_and_the_next_list_is_due() -> None:
    desk = SpotDesk().bought(buy())
    desk.hear(kept_back(desk.pairs()[-1], 120_000))
    [stop] = [guard for guard in desk.holding.guards if guard.role is Role.STOP]
    assert isinstance(stop, Guard)
    assert stop.qty == Decimal("0.00999")
    due = next_due_ms(desk.holding, desk.now)
    assert due is not None
    assert due <= desk.now + 2_000
    before = len(desk.pairs())
    desk.later(2_000).hear(Ticked())
    assert len(desk.pairs()) == before + 1
