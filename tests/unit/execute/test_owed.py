"""Trades that the venue owes: its word says filled, and the trade itself has not come."""

from decimal import Decimal

import pytest

from chimera.execute.asking import OWED_ASKS, OWED_PATIENCE_MS
from chimera.trading.facts import CloseAsked, Found, Restarted, Ticked
from chimera.trading.intent import StopSpec
from chimera.trading.money import Price, Qty
from chimera.trading.order import Role, Status
from support.desk import Desk, a_long, an_intent


def _owed() -> Desk:
    """A MARKET entry that filled by its answer alone, its stop live."""
    desk = Desk()
    desk.submit(an_intent())
    entry = desk.placed(Role.TAKER)
    desk.hear(Found(order=desk.word(entry, Status.FILLED, cum=str(entry.qty))))
    desk.ack(desk.placed(Role.STOP))
    assert desk.holding.orders[entry.ref].owed
    return desk


@pytest.mark.req("I26")
@pytest.mark.parametrize("down_ms", [OWED_PATIENCE_MS, 3_600_000])
def test_they_are_not_given_up_for_the_time_in_which_nobody_asked(down_ms: int) -> None:
    """World seed 52039: S4 rose after more than a minute by its clock, took the position for flat and the stop away."""
    desk = _owed()
    desk.later(down_ms).hear(Restarted())
    desk.hear(Ticked())
    assert desk.holding.exposure
    assert desk.canceled() == []


@pytest.mark.req("I26")
def test_nor_for_the_time_in_which_the_process_was_stopped() -> None:
    desk = _owed()
    desk.later(OWED_PATIENCE_MS).hear(Ticked())
    assert desk.holding.exposure
    assert desk.canceled() == []


@pytest.mark.req("I7")
def test_they_are_given_up_after_a_minute_of_asking() -> None:
    desk = _owed()
    for _ in range(3 * OWED_ASKS):
        desk.later(5_000).survey(desk.word(desk.placed(Role.STOP), Status.NEW))
    assert not desk.holding.exposure


@pytest.mark.req("S4-EXIT-1")
def test_a_part_whose_trades_never_come_is_not_closed_once_more() -> None:
    desk = a_long("0.03")
    desk.hear(CloseAsked(reason="OPERATOR", qty=Qty(Decimal("0.01"))))
    part = desk.placed(Role.EXIT)
    desk.hear(Found(order=desk.word(part, Status.FILLED, cum="0.01")))
    for _ in range(3 * OWED_ASKS):
        desk.later(5_000).survey(desk.word(desk.placed(Role.STOP), Status.NEW), qty="0.02")
    assert desk.holding.exit is None
    assert desk.count(Role.EXIT) == 1


@pytest.mark.req("S4-FUT-4")
@pytest.mark.parametrize("price", ["64400", "65000"])
def test_an_entry_whose_stop_has_sold_by_the_venues_word_buys_no_more(price: str) -> None:
    """Its trades were not told yet, the price was back above it, and the next slice bought what had been sold."""
    desk = Desk()
    stop = StopSpec(price=Price(Decimal(64500)))
    desk.submit(an_intent(qty="0.03", stop=stop), "0.01", "0.01", "0.01", gap_ms=5_000)
    entry = desk.placed(Role.TAKER)
    desk.ack(entry)
    desk.fill(entry, "0.01")
    desk.ack(desk.placed(Role.STOP))
    desk.bid, desk.ask = Decimal(price), Decimal(price) + desk.rules.tick
    desk.later(4_000).hear(Found(order=desk.word(desk.placed(Role.STOP), Status.FILLED, cum="0.01")))
    desk.later(1_500).hear(Ticked())

    assert desk.count(Role.TAKER) == 1


def test_an_entry_of_which_a_close_has_closed_nothing_goes_on() -> None:
    desk = a_long("0.02", max_hold_s=1)
    desk.submit(an_intent("i2", qty="0.02"), "0.01", "0.01", gap_ms=5_000)
    entry = desk.placed(Role.TAKER)
    desk.ack(entry)
    desk.fill(entry, "0.01")
    desk.later(1_100).hear(Ticked())
    part = desk.placed(Role.EXIT)
    desk.hear(Found(order=desk.word(part, Status.FILLED, cum=str(part.qty))))
    desk.later(5_000).hear(Ticked())

    assert part.qty == Decimal("0.02")
    assert desk.count(Role.TAKER) == 3, "the second slice of the other"
