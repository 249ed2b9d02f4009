"""Incident 18: a sale larger than what the fee had left: refused, or made with coins of the user's own."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import count

import pytest

from chimera.services.stage.clock import EPOCH_MS
from chimera.services.stage.tape import Tape
from chimera.simulate.venue.audit import AuditRecord, Kind
from chimera.trading.intent import OrderList
from chimera.trading.market import MarketEvent, Side, TopOfBook
from chimera.trading.money import Price, Qty
from support.incident_stage import without
from world import spot_oracle
from world.plan import CALM
from world.run import CALLERS, Options, Verdict, run
from world.spot_world import BNB, OWN, SPOT_INSTRUMENT
from world.workload import Wish

OPTIONS = Options(spot=True, faults=False, who=CALLERS, fifo=True, safety_s=9, liveness_s=25, market_stops_s=2)
FORGOTTEN = ("chimera.execute.hear", "moved", lambda fill, scene: fill.qty)
BOUGHT, FEE = Decimal("0.01003"), Decimal("0.00001003")


def rising() -> Iterator[MarketEvent]:
    """Flat, and from the sixth second on above the target."""
    size = Qty(Decimal(5))
    for number in range(120):
        bid = Decimal(65_800) if number < 24 else Decimal(66_200)
        yield TopOfBook(
            symbol=SPOT_INSTRUMENT.symbol,
            at_us=EPOCH_MS * 1000 + number * 250_000,
            bid=Price(bid),
            bid_qty=size,
            ask=Price(bid + Decimal("0.01")),
            ask_qty=size,
        )


def story(own: Decimal) -> Verdict:
    """Bought by a list intent, sold by its target; the fee is taken in base."""
    drawn = (seed for seed in count() if Tape(seed).pick("fees", tuple(BNB)) == "in_base")
    seed = next(each for each in drawn if Tape(each).pick("own", OWN) == own)
    wish = Wish(
        number=0, at_s=3.0, side=Side.BUY, qty=Qty(BOUGHT), policy=OrderList(), stop_bps=100, target_bps=40, hold_s=14
    )
    return run(seed, options=OPTIONS, plan=CALM, story=[wish], market=rising(), keep_audit=True)


def of(verdict: Verdict, kind: Kind) -> list[AuditRecord]:
    return [record for record in spot_oracle.of_ours(verdict.audit) if record.kind is kind]


@pytest.mark.req("S4-SPOT-1", "ACC-7", "I12")
@pytest.mark.incident(18)
@pytest.mark.fault("G12", "G13")
@pytest.mark.parametrize("own", [Decimal(0), Decimal(1)])
def test_incident_18_the_list_sells_what_the_fee_has_left_and_not_a_step_more(own: Decimal) -> None:
    verdict = story(own)

    assert verdict.violations == ()
    bought, sold = of(verdict, Kind.FILL)
    assert (bought.side, bought.fee, bought.fee_asset) == ("BUY", FEE, "BTC")
    assert {record.qty for record in of(verdict, Kind.ACCEPT) if record.side == "SELL"} == {Decimal("0.01001")}
    assert (sold.type, sold.qty) == ("LIMIT_MAKER", Decimal("0.01001"))
    assert spot_oracle.net(of(verdict, Kind.FILL), "BTC") == Decimal("0.00000997"), "dust, and told as such"


@pytest.mark.incident(18)
def test_incident_18_where_the_fee_is_forgotten_the_sale_is_refused_or_takes_the_users_coins() -> None:
    with without(FORGOTTEN):
        poor, rich = story(Decimal(0)), story(Decimal(1))
    refused = [record for record in poor.audit if record.kind is Kind.REFUSE and "insufficient" in record.reason]
    assert refused
    assert {violation.invariant for violation in poor.violations}
    assert "I12" in {violation.invariant for violation in rich.violations}
