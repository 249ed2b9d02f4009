"""I27: recovering what was recovered changes nothing, and a recovery that died is repeated under the same ids."""

from collections.abc import Callable
from typing import NamedTuple

import pytest

from chimera.trading.commands import Command, Place
from chimera.trading.facts import CloseAsked, Found, PlaceUnanswered, Restarted
from chimera.trading.fill import Fill
from chimera.trading.holding import Holding
from chimera.trading.money import Millis
from chimera.trading.order import NewOrder, Role, Status
from chimera.trading.venue import VenueOrder
from support.desk import T0, Desk, a_long, an_intent


class Crash(NamedTuple):
    """What was on disk, and what the venue shows: open orders, position, trades."""

    saved: Holding
    orders: tuple[VenueOrder, ...]
    qty: str
    trades: tuple[Fill, ...] = ()


def at_rest() -> Crash:
    desk = a_long()
    return Crash(desk.holding, (desk.word(desk.placed(Role.STOP), Status.NEW),), "0.01")


def between_fill_and_stop() -> Crash:
    """Incident 1. The entry was saved before it left, its fill was not."""
    desk = Desk()
    desk.submit(an_intent())
    entry = desk.placed(Role.TAKER)
    return Crash(desk.holding, (), "0.01", (desk.a_fill(entry, "0.01", "65000.1", "7"),))


def stop_outran_its_saving() -> Crash:
    desk = Desk()
    desk.submit(an_intent())
    saved, entry = desk.holding, desk.placed(Role.TAKER)
    desk.fill(entry, "0.01")
    stop = desk.word(desk.placed(Role.STOP), Status.NEW)
    return Crash(saved, (stop,), "0.01", (desk.a_fill(entry, "0.01", "65000.1", "1"),))


def close_in_doubt() -> Crash:
    desk = a_long()
    stop = desk.word(desk.placed(Role.STOP), Status.NEW)
    desk.hear(CloseAsked(reason="TEST"))
    desk.hear(PlaceUnanswered(ref=desk.placed(Role.EXIT).ref, dead_after_ms=Millis(T0 + 14_000)))
    return Crash(desk.holding, (stop,), "0.01")


def ledger_lost() -> Crash:
    return Crash(Desk().holding, (), "0.01")


CRASHES = (at_rest, between_fill_and_stop, stop_outran_its_saving, close_in_doubt, ledger_lost)


def recovered(crash: Crash) -> tuple[Desk, tuple[Command, ...]]:
    """Loaded, and told the venue's word until a difference would be believed; what was ordered meanwhile."""
    desk = Desk()
    desk.holding = crash.saved
    desk.later(2_000).hear(Restarted())
    for _ in range(3):
        desk.later(300).survey(*crash.orders, qty=crash.qty, trades=crash.trades)
    return desk, tuple(desk.told)


def placed(commands: tuple[Command, ...]) -> list[NewOrder]:
    return [command.order for command in commands if isinstance(command, Place)]


def core(holding: Holding) -> object:
    """All but the moments at which things were asked or are due, and those by our clock, which is set back here."""
    orders = {
        ref: (order.request.but(not_after_ms=None), order.status, order.fills) for ref, order in holding.orders.items()
    }
    phases = {name: work.phase for name, work in holding.intents.items()}
    lots = tuple(lot.but(stop_named_ms=Millis(0)) for lot in holding.position.lots)
    return holding.position.but(lots=lots), holding.root, holding.child_no, holding.seen_trades, orders, phases


@pytest.mark.req("I27", "S4-REC-1")
@pytest.mark.parametrize("crash", CRASHES)
def test_a_recovery_that_died_is_repeated_request_by_request(crash: Callable[[], Crash]) -> None:
    (first, one), (second, other) = recovered(crash()), recovered(crash())
    assert one == other
    assert core(first.holding) == core(second.holding)


@pytest.mark.req("I27", "S4-REC-1")
@pytest.mark.parametrize("crash", CRASHES)
def test_what_a_dead_recovery_left_on_the_venue_is_taken_up_and_not_placed_again(crash: Callable[[], Crash]) -> None:
    """It died before it saved anything, after its stop had gone live."""
    left = crash()
    desk, commands = recovered(left)
    stops = {order.ref: order for order in placed(commands) if order.reduce_only and order.type.conditional}
    live = tuple(desk.word(order, Status.NEW) for order in stops.values())
    again, more = recovered(left._replace(orders=(*left.orders, *live)))
    assert {order.ref for order in placed(more) if order.type.conditional} <= set(stops)
    assert again.holding.covered_qty == abs(again.holding.exposure) != 0
    assert len([order for order in again.holding.in_role(Role.STOP) if order.live]) == 1


@pytest.mark.req("I27")
@pytest.mark.parametrize("crash", CRASHES)
def test_recovering_what_was_recovered_changes_nothing(crash: Callable[[], Crash]) -> None:
    left = crash()
    desk, commands = recovered(left)
    live = []
    for order in {order.ref: order for order in placed(commands) if order.type.conditional}.values():
        word = desk.word(order, Status.NEW)
        desk.hear(Found(order=word))
        live.append(word)
    settled = left._replace(saved=desk.holding, orders=(*left.orders, *live))
    again, more = recovered(settled)
    assert core(again.holding) == core(desk.holding)
    assert [order for order in placed(more) if order.type.conditional] == []
    assert not [order for order in placed(more) if not order.reduce_only]
