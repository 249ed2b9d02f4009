"""An intent that is accepted while its owner changes."""

from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import AsyncMock, MagicMock

import pytest
from desk import BTC, Desk, an_intent
from standing import StubOwner

from chimera.services.router.router import Router
from chimera.trading.execution import Plan
from chimera.trading.facts import Submitted
from chimera.trading.market import Side
from chimera.trading.money import Millis
from chimera.trading.scene import Policy
from support.grounds import a_ground


@pytest.mark.req("S4-IDEM-1")
async def test_it_goes_to_the_owner_of_the_moment_and_not_to_one_who_was_relieved_meanwhile() -> None:
    """Claimed for ever, and heard by nobody: its caller was told that it is over."""
    intent = an_intent(side=Side.SELL, reduce_only=True, stop=None)
    stand_in, owner = StubOwner(Desk().holding), StubOwner(Desk().holding)
    owners = iter([stand_in, owner])
    plan = Plan(slices=(intent.qty,), gap_ms=0, maker_wait_ms=0, deadline_ms=Millis(1))
    intake = AsyncMock(**{"known.return_value": None, "claim.return_value": True})
    intake.lives, intake.row = MagicMock(return_value=False), MagicMock(return_value={})
    ground = a_ground()
    ground.instruments[intent.symbol] = BTC
    router = SimpleNamespace(
        intake=intake, ground=ground, config=SimpleNamespace(policy=Policy()), market=AsyncMock(),
        watchdogs=MagicMock(), _object=MagicMock(), _prepare=AsyncMock(), _owner_for=lambda _: next(owners),
        _plan=lambda *_: plan,
    )  # fmt: skip
    await Router._submit(cast("Any", router), intent, "h", 0)

    assert stand_in.heard == []
    assert [type(fact) for fact in owner.heard] == [Submitted]
