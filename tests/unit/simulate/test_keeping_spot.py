"""The spot market's second life: what is kept of it, and that it goes on as if it had never been away."""

import dataclasses
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from spot_desk import START_MS, D, Heard, SpotDesk
from test_spot_properties import OWNERS, STEPS, STPS, Walk, checked

from chimera.simulate.keeping import history
from chimera.simulate.keeping.spot import (
    KeptList,
    KeptPair,
    KeptSpot,
    KeptSpotAccount,
    KeptSpotOrder,
    SpotKeeping,
)
from chimera.simulate.keeping.whole import Kept
from chimera.simulate.spot.accounts import SpotAccount
from chimera.simulate.spot.admission import SpotTicket
from chimera.simulate.spot.exchange import SpotExchange
from chimera.simulate.spot.lists import OrderList
from chimera.simulate.spot.orders import OrderType, SpotOrder
from chimera.simulate.spot.pair import SPOT_DEMO, Pair, PairStatus
from chimera.simulate.spot.streams import SpotPublisher
from chimera.simulate.twin import Twin
from chimera.simulate.venue.audit import Audit
from chimera.simulate.venue.orders import Status
from chimera.trading.market import Side
from chimera.wire import codec

WALKS = st.lists(st.tuples(STEPS, OWNERS, STPS), min_size=5, max_size=40)


def kept_of(exchange: SpotExchange, publisher: SpotPublisher | None = None) -> KeptSpot:
    """As written and read again."""
    return codec.unseal(codec.seal(SpotKeeping(exchange, publisher or SpotPublisher()).write()), KeptSpot)


def next_life(desk: SpotDesk, *, clean: bool = True) -> SpotDesk:
    """A desk at a market that carries on from what ``desk``'s kept."""
    other = SpotDesk.__new__(SpotDesk)
    other.audit, other.heard, other.count = Audit(), Heard(), desk.count
    other.exchange = SpotExchange(SPOT_DEMO, 7, other.audit, other.heard)
    other.floor = other.exchange.floor
    other.floor.now_ms = desk.floor.now_ms
    SpotKeeping(other.exchange, SpotPublisher()).restore(kept_of(desk.exchange), clean=clean)
    other.me, other.other = other.floor.accounts["me"], other.floor.accounts["other"]
    return other


def walked(steps: list[Any]) -> Walk:
    walk = Walk()
    take(walk, steps)
    return walk


def take(walk: Walk, steps: list[Any]) -> None:
    for step, mine, stp in steps:
        walk.desk.floor.now_ms += 700
        walk.step(step, mine, stp)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(before=WALKS, after=WALKS)
def test_it_goes_on_as_if_it_had_never_been_away(before: list[Any], after: list[Any]) -> None:
    stayed = walked(before)
    gone = Walk()
    gone.desk, gone.lists = next_life(stayed.desk), stayed.lists
    assert kept_of(gone.desk.exchange) == kept_of(stayed.desk.exchange)
    checked(gone.desk)
    for pair in stayed.desk.floor.listings.values():
        pair.go_dark()
    heard = len(stayed.desk.heard.said)
    for walk in (stayed, gone):
        walk.desk.top("59999.99", "60000.01")
        take(walk, after)
        checked(walk.desk)
    assert gone.desk.heard.said == stayed.desk.heard.said[heard:]
    assert kept_of(gone.desk.exchange) == kept_of(stayed.desk.exchange)


def test_every_field_is_kept_or_left_out_on_purpose() -> None:
    def fields(kind: type) -> set[str]:
        return {each.name for each in dataclasses.fields(kind)}

    by_reference = {"listing", "hold", "earmark", "order_list", "resting", "fills"}
    assert fields(SpotOrder) - by_reference == set(KeptSpotOrder.__struct_fields__) - {"symbol", "held", "queued"}
    assert fields(OrderList) - {"listing"} == set(KeptList.__struct_fields__) - {"symbol"}
    assert fields(SpotAccount) - {"trades"} == set(KeptSpotAccount.__struct_fields__)
    of_the_market = {"symbol", "book", "queues", "traded", "dark", "price_places", "qty_places", "triggers", "trailing"}
    of_the_market |= {"_prints", "_quote", "_base", "rules", "prints"}
    assert set(vars(Pair(SPOT_DEMO[0]))) - of_the_market == set(KeptPair.__struct_fields__) - {"update_id"}


def _quiet() -> SpotDesk:
    desk = SpotDesk()
    desk.top("59999.99", "60000.01")
    desk.trade("60000")
    return desk


def test_an_amended_order_keeps_its_place_over_a_restart() -> None:
    """Not the order of ids: a stop-limit that triggered later stands behind a younger order."""
    desk = _quiet()
    stop = desk.place("SELL", "STOP_LOSS_LIMIT", "0.01", price="60500", stop_price="59000")
    young = desk.limit("SELL", "0.01", "60500")
    desk.trade("59000", "0.001", Side.SELL)
    desk.exchange.amend(young, D("0.005"))
    line = next_life(desk).pair.queues[Side.SELL].in_order()
    assert [order.order_id for order in line] == [young.order_id, stop.order_id]


def test_a_list_is_whole_after_a_restart() -> None:
    """One whose working order is long filled, and one that is still funded by it."""
    desk = _quiet()
    desk.place_list(
        "OPOCO",
        desk.ticket("BUY", "LIMIT", "0.1", price="59000"),
        desk.ticket("SELL", "LIMIT_MAKER", price="61000"),
        desk.ticket("SELL", "STOP_LOSS", stop_price="58000"),
    )
    desk.floor.lists.by_id[1].orders[0].ahead = D(0)
    desk.trade("59000", "0.06", Side.SELL)
    again = next_life(desk)
    assert again.money("BTC") == desk.money("BTC")
    again.top("58999", "59000.5")
    again.trade("58999", "1", Side.SELL)
    held = again.floor.lists.by_id[1]
    assert [str(order.status) for order in held.orders] == ["FILLED", "NEW", "NEW"]
    last = next_life(again)
    last.top("58999", "59000.5")
    last.trade("57999", "1", Side.SELL)
    held = last.floor.lists.by_id[1]
    assert [str(order.status) for order in held.orders] == ["FILLED", "FILLED", "EXPIRED"]
    assert last.money("BTC")[1] == 0


def test_a_trailing_stop_remembers_its_best_price() -> None:
    desk = _quiet()
    order = desk.place("SELL", "STOP_LOSS", "0.01", trailing_delta=100)
    desk.trade("62000")
    again = next_life(desk)
    again.top("61399", "61401")
    assert again.floor.orders.by_id[order.order_id].status is Status.NEW
    again.trade("61380")
    assert again.floor.orders.by_id[order.order_id].status is Status.FILLED


def test_ids_leap_after_a_crash_and_a_status_stays() -> None:
    desk = _quiet()
    desk.oco()
    desk.exchange.set_status(desk.pair, PairStatus.HALT)
    again = next_life(desk, clean=False)
    assert again.pair.status is PairStatus.HALT
    again.exchange.set_status(again.pair, PairStatus.TRADING)
    assert again.floor.next_order_id() > desk.floor.order_id + 1_000
    assert again.floor.next_list_id() > desk.floor.list_id + 1_000
    assert again.floor.next_execution_id() > desk.floor.execution_id + 1_000


def test_no_more_than_the_newest_history_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "HISTORY", 20)
    monkeypatch.setattr(history, "PAGE", 8)
    desk = _quiet()
    keeping = SpotKeeping(desk.exchange, SpotPublisher())
    for _ in range(40):
        desk.exchange.cancel_list(desk.oco("0.01"))
        desk.exchange.cancel(desk.limit("BUY", "0.01", "50000"))
        keeping.write()
    kept = codec.unseal(codec.seal(keeping.write()), KeptSpot)
    assert 20 <= len(kept.ended_orders) <= 28
    assert 20 <= len(kept.ended_lists) <= 28
    assert kept.ended_orders[-1].order_id == desk.floor.order_id
    assert kept.ended_lists[-1].list_id == 40


def test_an_order_without_its_account_contradicts_itself() -> None:
    desk = _quiet()
    desk.limit("BUY", "0.01", "50000")
    kept = kept_of(desk.exchange)
    broken = kept.but(standing=kept.standing.but(accounts=kept.standing.accounts[1:]))
    with pytest.raises(KeyError):
        SpotKeeping(SpotExchange(SPOT_DEMO, 7, Audit(), Heard()), SpotPublisher()).restore(broken, clean=True)


def test_the_twin_keeps_both_markets_in_one_document() -> None:
    """And a document from before there was a spot market opens an empty account."""
    first = Twin(now_ms=START_MS)
    me = first.spot.floor.accounts["main"]
    pair = first.spot.floor.listings["BTCUSDT"]
    first.spot.place(
        SpotTicket(
            account=me, pair=pair, side=Side.SELL, type=OrderType.LIMIT, client_id="kept", qty=D("0.1"), price=D(90_000)
        )
    )
    kept = codec.unseal(codec.seal(first.keep(clean=True)), Kept)
    second = Twin(now_ms=START_MS, kept=kept).spot.floor
    found = second.orders.find(second.accounts["main"], "BTCUSDT", None, "kept")
    assert found is not None
    assert found.resting
    assert second.accounts["main"].balance("BTC").locked == D("0.1")
    old = Twin(now_ms=START_MS, kept=kept.but(spot=None)).spot.floor
    assert old.accounts["main"].balances == {}
