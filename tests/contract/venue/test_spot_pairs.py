"""A target and a stop as one order list of the twin's: how it stands, how it ends, and the trap in between."""

from decimal import Decimal

import pytest

from chimera.simulate.venue.audit import Kind
from chimera.trading.errors import NotSent, VenueRejected
from chimera.trading.ids import ClientOrderId
from chimera.trading.market import Side
from chimera.trading.money import Millis, Qty
from chimera.trading.order import OrderType, Status, TimeInForce
from chimera.trading.refusal import Refusal
from support.spot_bench import SpotBench, a_pair, a_ref
from support.twin_inside import BTC, START

D = Decimal


@pytest.mark.req("S4-SPOT-1")
async def test_a_pair_stands_as_two_orders_of_one_list(bench: SpotBench) -> None:
    target, stop = await bench.pair()
    snapshot = await bench.spot.records.survey(BTC, Millis(START))

    assert (target.ref, target.status, target.type, target.price) == ("a-p1", Status.NEW, OrderType.LIMIT, 61000)
    assert (stop.ref, stop.status, stop.trigger_price) == ("a-s1", Status.NEW, 59000)
    assert target.list_id == stop.list_id is not None
    assert {order.ref: order for order in snapshot.orders} == {"a-p1": target, "a-s1": stop}
    assert [await bench.find(ref) for ref in ("a-p1", "a-s1")] == [target, stop]
    assert bench.spot.raw.uses()[1].used == 2
    assert snapshot.position.qty == D("0.1")  # locked in orders, and held all the same


async def test_a_target_that_fills_ends_the_stop(bench: SpotBench) -> None:
    await bench.pair()
    bench.quote("61000.00", "61000.01")
    bench.trade("61001", "1", Side.BUY)
    await bench.told("a-p1", Status.FILLED)
    gone = await bench.told("a-s1", Status.EXPIRED)

    assert (gone.reason, gone.cum_qty) == ("OCO_TRIGGER", 0)
    assert (await bench.spot.records.survey(BTC, Millis(START))).orders == ()


async def test_a_stop_that_triggers_ends_the_target(bench: SpotBench) -> None:
    await bench.pair()
    bench.quote("58990.00", "58990.01")
    bench.trade("58990", "0.001", Side.SELL)
    sold = await bench.told("a-s1", Status.FILLED)
    gone = await bench.told("a-p1", Status.EXPIRED)

    assert (sold.cum_qty, gone.reason) == (D("0.01"), "OCO_TRIGGER")
    found = await bench.find("a-p1")
    assert found is not None
    assert (found.status, found.reason) == (Status.EXPIRED, "OCO_TRIGGER")


async def test_a_target_that_part_fills_leaves_its_rest_without_a_stop(bench: SpotBench) -> None:
    """The trap: the stop is gone with the first fill. The rest is cancelled by its own name, the list answers."""
    await bench.pair(qty="0.01")
    bench.quote("60999.99", "61000.00")
    bench.trade("61000", "5.004", Side.BUY)  # what stands there before it, and a part of it
    part = await bench.told("a-p1", Status.PARTIALLY_FILLED)
    gone = await bench.told("a-s1", Status.EXPIRED)
    rest = await bench.spot.venue.cancel(a_ref("a-p1"), timeout_ms=2000)

    assert part.cum_qty == D("0.004")
    assert gone.reason == "OCO_TRIGGER"
    assert (rest.ref, rest.status, rest.cum_qty) == ("a-p1", Status.CANCELED, part.cum_qty)
    target, stop = (
        order.but(ref=ClientOrderId(f"b-{number}"), qty=Qty(D("0.006")), group=ClientOrderId("b-l1"))
        for number, order in enumerate(a_pair("61000", "59000"))
    )
    with pytest.raises(VenueRejected) as refused:  # the last price is the target's own: it must stand above it
        await bench.spot.venue.place_pair(target, stop, timeout_ms=2000)
    assert refused.value.refusal is Refusal.BAD_PRICES
    bench.quote("60500.00", "60500.01")
    bench.trade("60500", "0.001", Side.SELL)
    again = await bench.spot.venue.place_pair(target, stop, timeout_ms=2000)
    assert {order.status for order in again} == {Status.NEW}


@pytest.mark.parametrize("leg", ["a-p1", "a-s1"])
async def test_cancelling_a_leg_ends_both(bench: SpotBench, leg: str) -> None:
    await bench.pair()
    word = await bench.spot.venue.cancel(a_ref(leg), timeout_ms=2000)
    for ref in ("a-p1", "a-s1"):
        await bench.told(ref, Status.CANCELED)

    assert (word.ref, word.status) == (leg, Status.CANCELED)
    assert (await bench.spot.records.survey(BTC, Millis(START))).orders == ()


@pytest.mark.parametrize(
    ("target", "stop", "qty", "why"),
    [
        ("59500", "59000", "0.01", Refusal.WOULD_TAKE),
        ("61000", "60500", "0.01", Refusal.BAD_PRICES),
        ("61000", "59000", "0.2", Refusal.LACKS_BALANCE),
    ],
)
async def test_a_pair_is_refused_as_one(bench: SpotBench, target: str, stop: str, qty: str, why: Refusal) -> None:
    with pytest.raises(VenueRejected) as refused:
        await bench.pair(target, stop, qty)

    assert refused.value.refusal in (why, Refusal.BAD_PRICES)
    assert [await bench.find(ref) for ref in ("a-p1", "a-s1")] == [None, None]


async def test_what_is_no_pair_is_never_sent(wired: SpotBench) -> None:
    target, stop = a_pair("61000", "59000")
    wrong = [
        (stop, target),
        (target.but(qty=Qty(D("0.02"))), stop),
        (target.but(side=Side.BUY), stop),
        (target.but(group=None), stop.but(group=None)),
        (target.but(group=target.ref), stop.but(group=target.ref)),
        (target.but(time_in_force=TimeInForce.GTC), stop),
        (target, stop.but(price=None)),
    ]
    for first, second in wrong:
        with pytest.raises(ValueError, match="a-"):
            await wired.spot.venue.place_pair(first, second, timeout_ms=2000)
    with pytest.raises(ValueError, match="other leg"):
        await wired.spot.venue.place(target, timeout_ms=2000)
    with pytest.raises(NotSent):
        await wired.spot.venue.place_pair(target, stop.but(not_after_ms=Millis(START - 1)), timeout_ms=2000)

    assert not [each for each in wired.twin.audit if each.kind is Kind.REQUEST and each.method == "POST"]
