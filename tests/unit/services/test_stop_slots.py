"""Whose conditional orders take places: ours and other people's (what follows from the sum: tests/unit/admit)."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from chimera.services.router.capability import Capability
from chimera.trading.money import Qty
from chimera.trading.order import Role, Status
from support.desk import BTC, SYMBOL, Desk, a_long
from support.grounds import a_ground


def a_capability(*, live: int, others: int = 0, limit: int | None = None) -> Capability:
    """``live`` stops of ours stand in the symbol, and ``others`` conditional orders of somebody else."""
    desk = a_long()
    stop = desk.holding.orders[desk.placed(Role.STOP).ref]
    more = {f"{stop.ref}-{number}": stop for number in range(live - 1)}
    holding = desk.holding.but(orders={**desk.holding.orders, **more})
    word = Desk().word(stop.request, Status.NEW).but(qty=Qty(BTC.step))
    externals = SimpleNamespace(orders={(SYMBOL, str(number)): word for number in range(others)})
    owner = SimpleNamespace(holding=holding)
    ground, nobody, sweeping = a_ground({holding.key: owner}), cast("Any", None), SimpleNamespace(externals=externals)
    capability = Capability(ground, nobody, nobody, nobody, nobody, cast("Any", sweeping), "sim", None, nobody)
    ground.instruments[SYMBOL] = BTC.but(max_conditional=limit)
    return capability


@pytest.mark.req("S4-LIM-2")
@pytest.mark.parametrize(("live", "others", "refused"), [(6, 0, False), (7, 0, True), (6, 1, True)])
def test_ours_and_theirs_take_places(live: int, others: int, refused: bool) -> None:
    refusal = a_capability(live=live, others=others, limit=10).no_slots(SYMBOL)

    assert (refusal is not None) is refused
