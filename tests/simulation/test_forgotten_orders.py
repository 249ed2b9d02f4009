"""An order that the venue has forgotten fills while S4 is down: after ninety days nobody tells whose it is."""

import pytest

from chimera.simulate.usdm.history_api import KEPT_MS
from chimera.trading.errors import OutcomeUnknown
from chimera.trading.market import Side
from chimera.trading.money import Price
from chimera.trading.order import OrderType, TimeInForce
from support.incident_stage import BID, Stage, Story, Told, play, steps, without
from world.plan import KillAt

pytestmark = pytest.mark.req("S4-REC-1", "I14")

FILLED_S, SOLD_S = 9.0, 40.0
BY_HAND = ("I4 entry web_",)  # a person's entry has no intent


async def placed_long_ago(stage: Stage) -> None:
    terms = {"type": OrderType.LIMIT, "price": Price(BID - 60), "time_in_force": TimeInForce.GTC}
    await stage.place("web_old", Side.BUY, steps(5), **terms)
    orders = stage.world.twin.usdm.floor.orders.by_id.values()
    next(each for each in orders if each.client_id == "web_old").created_ms -= KEPT_MS


async def sold(stage: Stage) -> None:
    await stage.place("web_sold", Side.SELL, steps(5))


def down_while_it_fills(*, down_ms: int, bare_s: float) -> Told:
    story = Story(
        hands=((3.0, placed_long_ago), (SOLD_S, sold)), moves=((FILLED_S, -20),), blows=(KillAt(at_s=8.0),),
        down_ms=down_ms, rough_s=30.0, bare_s=bare_s,
    )  # fmt: skip
    return play(story)


@pytest.mark.parametrize(("back_s", "guarded_s"), [(24.0, 25.0), (10.0, 24.0)])
def test_what_it_filled_is_somebody_elses_and_is_protected(back_s: float, guarded_s: float) -> None:
    """Its trade named no order, so every survey failed and nobody saw the position: bare for ever.

    Of a trade of a moment ago the order may only not be readable yet: it is asked for, for fourteen seconds.
    """
    told = down_while_it_fills(down_ms=round((back_s - 8) * 1_000), bare_s=guarded_s - FILLED_S)

    assert told.broken_but(*BY_HAND) == []
    assert told.position(guarded_s) == steps(5)
    assert told.live(guarded_s, "s")
    assert {row["ref"].partition("-")[0] for row in told.stage.fills} == {"forgotten", "web_sold"}
    assert "EXTERNAL_FILL" in told.alerts


def test_where_it_is_asked_for_for_ever_the_position_stays_bare() -> None:
    def never(_: object) -> str:
        raise OutcomeUnknown("not found yet")

    with without(("chimera.adapters.binance.records", "forgotten", never)):
        told = down_while_it_fills(down_ms=16_000, bare_s=1.5)

    assert not told.live(SOLD_S - 1, "s")
