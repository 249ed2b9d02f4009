"""An entry rests, and the price of its own stop comes first, in the virtual-time world, on both markets (S4-SPOT-3)."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

import pytest

from chimera.services.stage.clock import EPOCH_MS
from chimera.simulate.venue.audit import AuditRecord, Kind
from chimera.trading.ids import ClientOrderId, child_of
from chimera.trading.intent import MakerThenTaker
from chimera.trading.market import Marked, MarketEvent, Side, TopOfBook
from chimera.trading.money import Millis, Price, Qty
from support.incident_stage import without
from world.composed import INSTRUMENT
from world.plan import CALM, KillAt, Plan
from world.run import CALLERS, Options, Verdict, run
from world.spot_world import SPOT_INSTRUMENT
from world.workload import Wish

pytestmark = pytest.mark.req("S4-SPOT-3")

OPTIONS: Final = Options(faults=False, who=CALLERS, fifo=True, safety_s=9, liveness_s=25, market_stops_s=2)
BID: Final = Decimal(65_800)
WANTED_S, TURNS_S = 3.0, 4.5
APART, THROUGH = "apart", "through"  # the touch opens and nobody sells to the maker; or the market falls through it
BOTH = pytest.mark.parametrize("spot", [False, True])


def market(spot: bool, how: str) -> Iterator[MarketEvent]:
    """Flat; from ``TURNS_S`` on one per cent lower, by mark and mid, where the stop is half a per cent away."""
    size, symbol = Qty(Decimal(5)), (SPOT_INSTRUMENT if spot else INSTRUMENT).symbol
    for number in range(136):
        at_us, turned = EPOCH_MS * 1000 + number * 250_000, number * 0.25 >= TURNS_S
        bid = BID - 660 * (2 if how == APART else 1) if turned else BID
        ask = BID + 1 if turned and how == APART else bid + Decimal("0.1")
        yield TopOfBook(symbol=symbol, at_us=at_us, bid=Price(bid), bid_qty=size, ask=Price(ask), ask_qty=size)
        if not spot:
            mark, funding_ms = Price(bid), Millis(EPOCH_MS + 28_800_000)
            yield Marked(
                symbol=symbol, at_us=at_us, mark=mark, index=mark, funding_rate=Decimal(0), next_funding_ms=funding_ms
            )


def story(spot: bool, how: str, plan: Plan = CALM) -> Verdict:
    rests = MakerThenTaker(wait_ms=3_000, slices=1, gap_ms=0)
    wish = Wish(
        number=0,
        at_s=WANTED_S,
        side=Side.BUY,
        qty=Qty(Decimal("0.01")),
        policy=rests,
        stop_bps=50,
        target_bps=None,
        hold_s=14,
    )
    return run(1, options=OPTIONS.but(spot=spot), plan=plan, story=[wish], market=market(spot, how), keep_audit=True)


def of_entry(verdict: Verdict, kind: Kind) -> list[AuditRecord]:
    made = (each for each in verdict.audit if each.kind is kind and each.side == "BUY")
    return [each for each in made if child_of(ClientOrderId(each.client_order_id))]


@BOTH
def test_the_entry_is_cancelled_and_nothing_else_is_sent(spot: bool) -> None:
    verdict = story(spot, APART)

    assert verdict.violations == ()
    assert verdict.answers == {"w-0": "CANCELED"}
    assert len(of_entry(verdict, Kind.ACCEPT)) == 1, "no taker followed it"
    (gone,) = of_entry(verdict, Kind.CANCEL)
    assert TURNS_S * 1e6 <= gone.at_us - EPOCH_MS * 1000 <= (TURNS_S + 0.5) * 1e6, "and not when its wait was over"
    assert [each for each in verdict.audit if each.kind is Kind.FILL] == []


@BOTH
def test_without_the_duty_it_rests_on_until_its_wait_is_over(spot: bool) -> None:
    with without(("chimera.execute.entry", "overtaken", lambda *_: None)):
        verdict = story(spot, APART)
    (gone,) = of_entry(verdict, Kind.CANCEL)
    assert gone.at_us - EPOCH_MS * 1000 > (WANTED_S + 3) * 1e6
    assert verdict.answers["w-0"] != "CANCELED", (
        "and goes on at market: bought to be closed, or refused at the last hop"
    )


@BOTH
@pytest.mark.parametrize("dies", [False, True])
def test_what_fills_before_the_cancel_comes_is_closed_at_once(spot: bool, dies: bool) -> None:
    """Killed in the very moment, too: the exchange knows what S4 has forgotten."""
    plan = CALM.but(blows=(KillAt(at_s=TURNS_S + 0.05),), restart_ms=(300, 300)) if dies else CALM
    verdict = story(spot, THROUGH, plan)

    assert verdict.violations == ()
    assert verdict.counters["kills"] == dies
    assert len(of_entry(verdict, Kind.ACCEPT)) == 1
    assert {each.side for each in verdict.audit if each.kind is Kind.FILL} == {"BUY", "SELL"}


@BOTH
def test_a_death_between_seeing_it_and_the_cancel_changes_nothing(spot: bool) -> None:
    plan = CALM.but(blows=(KillAt(at_s=TURNS_S + 0.1),), restart_ms=(300, 300))
    verdict = story(spot, APART, plan)

    assert verdict.violations == ()
    assert verdict.counters["kills"] == 1
    assert len(of_entry(verdict, Kind.ACCEPT)) == 1
    assert of_entry(verdict, Kind.FILL) == []
