"""An intent that is accepted while its owner changes."""

from typing import Any
from unittest.mock import AsyncMock, MagicMock

import pytest
from desk import BTC, Desk, an_intent
from standing import StubOwner

from chimera.services.router.accepting import Accepting
from chimera.trading.execution import Plan, Slice
from chimera.trading.facts import Submitted
from chimera.trading.market import Side
from chimera.trading.money import Millis
from support.grounds import a_ground


@pytest.mark.req("S4-IDEM-1")
async def test_it_goes_to_the_owner_of_the_moment_and_not_to_one_who_was_relieved_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Claimed for ever, and heard by nobody: its caller was told that it is over."""
    intent = an_intent(side=Side.SELL, reduce_only=True, stop=None)
    stand_in, owner = StubOwner(Desk().holding), StubOwner(Desk().holding)
    owners = iter([stand_in, owner])
    plan = Plan(slices=(Slice(qty=intent.qty),), deadline_ms=Millis(1))
    intake = AsyncMock(**{"known.return_value": None, "claim.return_value": True})
    intake.lives, intake.row = MagicMock(return_value=False), MagicMock(return_value={})
    ground = a_ground()
    ground.instruments[intent.symbol] = BTC
    preparing = MagicMock(prepare=AsyncMock())
    others: Any = preparing, AsyncMock(), *[MagicMock()] * 5
    accepting = Accepting(ground, intake, *others, routing=MagicMock(), stop_optional=True, asked=lambda: True)
    monkeypatch.setattr(accepting, "_owner_for", lambda _: next(owners))
    monkeypatch.setattr(accepting, "_object", lambda *_: None)
    monkeypatch.setattr(accepting, "_plan", lambda *_: plan)
    await accepting.take(intent, "h", 0)

    assert stand_in.heard == []
    assert [type(fact) for fact in owner.heard] == [Submitted]
