"""An intent is found by either name in whoever holds it now; what is gone, or new, is seen at once."""

from typing import Any, cast

from chimera.adapters.memory.ledger import MemoryLedger
from chimera.services.router.intake import Intake
from chimera.trading.ids import AccountId, IntentId
from support.desk import KEY, Desk, an_intent
from support.standing import CLOCK, StubOwner


def test_it_is_found_by_both_names_as_holdings_change() -> None:
    first, second = Desk(), Desk()
    second.holding = second.holding.but(key=KEY.but(account=AccountId("other")))
    owners = {desk.holding.key: StubOwner(desk.holding) for desk in (first, second)}
    intake = Intake(cast("Any", owners), MemoryLedger(), CLOCK)
    assert intake.find_working("i1") == (None, None)
    for desk, name in ((first, "i1"), (second, "i2")):
        desk.submit(an_intent(name), wait_ms=1_000)
        owners[desk.holding.key].holding = desk.holding
        for each in (name, f"s3-btc-{name}"):
            assert intake.find_working(each) == (owners[desk.holding.key], IntentId(name))
    owners[second.holding.key].holding = second.holding.but(intents={})
    assert intake.find_working("i2") == (None, None)
    owners[first.holding.key] = heir = StubOwner(first.holding)
    assert intake.find_working("s3-btc-i1") == (heir, IntentId("i1"))
