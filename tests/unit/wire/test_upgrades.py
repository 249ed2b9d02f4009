"""Documents of earlier versions, as those versions wrote them, read by this one."""

from decimal import Decimal
from pathlib import Path

import pytest

from chimera.trading.execution import Begun, Maker, Slice
from chimera.trading.holding import Holding
from chimera.trading.ids import IntentId
from chimera.trading.money import Millis, Qty
from chimera.wire.codec import seal, unseal

V1 = Path(__file__).with_name("holding_v1.json").read_bytes()  # written by the tree of 19c7933


@pytest.mark.req("LED-3")
def test_a_holding_of_version_1_keeps_its_plan_and_its_orders() -> None:
    """Two slices, the first resting: what was to be sent when is the same."""
    holding = unseal(V1, Holding)

    plan = holding.intents[IntentId("i1")].plan
    assert plan.slices == (Slice(qty=Qty(Decimal("0.012"))), Slice(qty=Qty(Decimal("0.008")), after_ms=600))
    assert (plan.maker, plan.deadline_ms, plan.liquidity) == (Maker(wait_ms=500), 1_800_000_011_700, None)
    assert holding.intents[IntentId("i1")].begun == (Begun(at_ms=Millis(1_800_000_000_000), filled=Qty(Decimal(0))),)
    assert list(holding.orders) == ["s3-btc-i1-m1"]
    assert unseal(seal(holding), Holding) == holding
