"""No entry without a place for its stop: the account's 200, the symbol's own limit, and what others have taken."""

from types import SimpleNamespace
from typing import Any

import pytest

from chimera.adapters.memory.ledger import MemoryLedger
from chimera.services.router.capability import CONDITIONAL_SLOTS, SLOTS_PER_ENTRY, Capability
from chimera.trading.money import Qty
from chimera.trading.order import Role, Status
from support.desk import BTC, SYMBOL, Desk, a_long


def a_capability(*, live: int, others: int = 0, limit: int | None = None) -> Capability:
    """``live`` stops of ours stand in the symbol, and ``others`` conditional orders of somebody else."""
    desk = a_long()
    stop = desk.holding.orders[desk.placed(Role.STOP).ref]
    more = {f"{stop.ref}-{number}": stop for number in range(live - 1)}
    holding = desk.holding.but(orders={**desk.holding.orders, **more})
    word = Desk().word(stop.request, Status.NEW).but(qty=Qty(BTC.step))
    externals = SimpleNamespace(orders={(SYMBOL, str(number)): word for number in range(others)})
    owner = SimpleNamespace(holding=holding)
    router: Any = SimpleNamespace(
        owners={holding.key: owner},
        config=SimpleNamespace(environment="sim", probe=False),
        barriers=None,
        clock=None,
        owner_of=lambda symbol: owner,
        reconciling=SimpleNamespace(sweeping=SimpleNamespace(externals=externals)),
    )
    ledger: Any = MemoryLedger()
    capability = Capability(router, venue=ledger, records=ledger, rulebook=ledger)
    capability.rules.instruments[SYMBOL] = BTC.but(max_conditional=limit)
    return capability


@pytest.mark.req("S4-LIM-2")
@pytest.mark.parametrize(
    ("live", "others", "limit", "refused"),
    [
        (CONDITIONAL_SLOTS - SLOTS_PER_ENTRY, 0, None, False),
        (CONDITIONAL_SLOTS - SLOTS_PER_ENTRY + 1, 0, None, True),
        (CONDITIONAL_SLOTS - SLOTS_PER_ENTRY, 1, None, True),
        (6, 0, 10, False),
        (7, 0, 10, True),
        (6, 1, 10, True),
    ],
)
def test_an_entry_needs_free_places_for_its_stop_and_target(
    live: int, others: int, limit: int | None, refused: bool
) -> None:
    refusal = a_capability(live=live, others=others, limit=limit).no_slots(SYMBOL)

    assert (refusal is not None) is refused
    if refusal is not None:
        assert refusal.code == "NO_STOP_SLOTS"
        assert str(live + others) in refusal.message
