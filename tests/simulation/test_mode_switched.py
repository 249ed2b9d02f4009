"""Somebody switches the account to hedge mode while S4 runs: it is known from the first word that tells of it.

The venue sends no event for it. S4 asks every ten minutes, and at once where an order is refused as in another mode, or
where the user stream tells of a side.
"""

from decimal import Decimal
from typing import Any, Final

import pytest

from chimera.adapters.binance.raw import CANCEL_ORDER, PLACE_ORDER
from chimera.adapters.binance.signed import Endpoint
from chimera.services.stage.trip import is_entry
from support.incident_stage import BID, SYMBOL, Stage, Story, Told, a_wish, asked, play, without

pytestmark = [pytest.mark.req("S4-LIM-3")]

DUAL: Final = Endpoint(method="POST", path="/fapi/v1/positionSide/dual")
MINE: Final = {"symbol": str(SYMBOL), "newClientOrderId": "web_1", "side": "BUY", "positionSide": "LONG"}
SWITCHED_S, BACK_S = 5.0, 12.0


def switched(hedge: bool) -> Any:
    async def deed(stage: Stage) -> None:
        await stage.raw.sync_clock()
        await stage.raw.call(DUAL, {"dualSidePosition": str(hedge).lower()})

    return deed


async def rests_an_order(stage: Stage) -> None:
    """Of one side, far from the market: it opens nothing."""
    await stage.raw.sync_clock()
    far = {"type": "LIMIT", "timeInForce": "GTC", "quantity": "0.002", "price": str(BID - Decimal(5_000))}
    await stage.raw.call(PLACE_ORDER, MINE | far)


async def takes_it_back(stage: Stage) -> None:
    await stage.raw.sync_clock()
    await stage.raw.call(CANCEL_ORDER, {"symbol": str(SYMBOL), "origClientOrderId": "web_1"})


def modes_asked_s(told: Told) -> list[float]:
    return [at_s for at_s, request in told.requests if request.path == "/fapi/v1/accountConfig" and at_s > SWITCHED_S]


def entries_s(told: Told) -> list[float]:
    """When an entry of S4's reached the venue."""
    ours = (at_s for at_s, request in told.requests if is_entry(request) and "positionSide" not in asked(request))
    return list(ours)


def told_at_s(told: Told, code: str) -> list[float]:
    began_ms = told.stage.world.clock.now_ms() - told.stage.world.clock.monotonic_ms()
    return [(alert["at_ms"] - began_ms) / 1_000 for alert in told.stage.alerts if alert["code"] == code]


def test_an_order_refused_for_the_mode_has_it_looked_at_at_once() -> None:
    """The entries that came later were refused by the venue, one by one, for up to ten minutes."""
    told = play(
        Story(
            wishes=(a_wish(0, 6.0), a_wish(1, 8.0), a_wish(2, 26.0, hold_s=6)),
            hands=((SWITCHED_S, switched(True)), (BACK_S, switched(False))),
            rough_s=34.0,
        )
    )

    assert told.broken == []
    assert [at_s < 7.0 for at_s in told_at_s(told, "ACCOUNT_MODE")] == [True]
    assert [at_s for at_s in entries_s(told) if 7.0 < at_s < BACK_S] == []
    assert told.answers["w-2"] == "FILLED", "it is known soon that it was switched back"


def test_an_order_of_one_side_has_it_looked_at_at_once_and_a_storm_of_them_is_one_look() -> None:
    hands = tuple((6.0 + number / 10, deed) for number, deed in enumerate([rests_an_order, takes_it_back] * 10))
    told = play(Story(wishes=(a_wish(0, 9.0),), hands=((SWITCHED_S, switched(True)), *hands), rough_s=12.0))

    assert [at_s < 7.0 for at_s in told_at_s(told, "ACCOUNT_MODE")] == [True]
    assert told.answers["w-0"] == "GIVEN_UP ACCOUNT_MODE"
    assert entries_s(told) == []
    assert len([at_s for at_s in modes_asked_s(told) if at_s < 10.9]) == 1


def test_without_it_the_second_entry_is_refused_by_the_venue_too() -> None:
    unheard = ("chimera.services.router.capability:Capability", "doubt_modes", lambda *_: None)
    with without(unheard):
        told = play(Story(wishes=(a_wish(0, 6.0), a_wish(1, 8.0)), hands=((SWITCHED_S, switched(True)),), rough_s=12.0))

    assert told_at_s(told, "ACCOUNT_MODE") == []
    assert [at_s for at_s in entries_s(told) if 7.0 < at_s < BACK_S] != []
