"""Orderings of late, stale and lost words that a second hunt found, one test each."""

from decimal import Decimal

import pytest

from chimera.execute.asking import OWED_ASKS
from chimera.trading.commands import Cancel, Survey
from chimera.trading.events import Alert, IntentChanged
from chimera.trading.facts import (
    CancelRefused,
    CloseAsked,
    Found,
    Gapped,
    NotFound,
    PlaceUnanswered,
    Reported,
    Ticked,
)
from chimera.trading.facts import Surveyed as Heard
from chimera.trading.fill import Fill
from chimera.trading.ids import IntentId
from chimera.trading.market import Side
from chimera.trading.money import Millis, Price, Qty
from chimera.trading.order import Role, Status
from chimera.trading.venue import VenueOrder, VenuePosition, VenueSnapshot
from support.desk import SYMBOL, Desk, a_long, an_intent
from support.refusals import said_no


def survey(desk: Desk, *orders: VenueOrder, asked_ms: int, qty: str, trades: tuple[Fill, ...] = ()) -> None:
    """A survey that was asked earlier than it is heard."""
    desk.hear(
        Heard(
            snapshot=VenueSnapshot(
                symbol=SYMBOL,
                asked_ms=Millis(asked_ms),
                orders=orders,
                position=VenuePosition(
                    symbol=SYMBOL,
                    qty=Decimal(qty),
                    entry_px=Price(desk.bid),
                    mark_px=Price(desk.bid),
                    liquidation_px=None,
                    updated_ms=desk.now,
                ),
                trades=trades,
                trades_since_ms=Millis(0),
            )
        )
    )


def two_lots() -> Desk:
    """i1 holds 0.01 for a second, i2 holds 0.02 for ever; i2's is the older."""
    desk = a_long("0.02")
    desk.later(10).submit(an_intent("i2", qty="0.01", max_hold_s=1))
    entry = desk.placed(Role.TAKER)
    desk.ack(entry)
    desk.fill(entry, "0.01")
    desk.ack(desk.placed(Role.STOP))
    return desk


@pytest.mark.req("S4-FUT-3")
def test_a_listing_from_before_a_stop_was_refused_does_not_make_it_guard_again() -> None:
    """The position would have been bare until the next survey, which is half a minute."""
    desk = a_long()
    stop = desk.placed(Role.STOP)
    asked = desk.later(3_000).now
    desk.later(5).hear(Reported(order=desk.word(stop, Status.TRIGGERING)))
    desk.later(15).hear(Reported(order=desk.word(stop, Status.REJECTED)))
    survey(desk, desk.word(stop, Status.NEW), asked_ms=asked, qty="0.01")
    assert desk.holding.covered_qty == 0
    desk.later(200).hear(Ticked())

    assert desk.placed(Role.STOP).ref != stop.ref


def test_what_calls_for_a_survey_while_one_is_under_way_gets_its_own() -> None:
    desk = a_long()
    desk.later(3_000).hear(Gapped())
    asked = desk.now
    desk.later(20).hear(CloseAsked(reason="OPERATOR"))
    desk.hear(said_no(ref=desk.placed(Role.EXIT).ref, code=-2022, message="no position"))
    survey(desk, desk.word(desk.placed(Role.STOP), Status.NEW), asked_ms=asked, qty="0.01")

    assert any(isinstance(command, Survey) for command in desk.last)


def test_a_survey_that_is_never_answered_is_asked_again() -> None:
    desk = a_long()
    desk.later(3_000).hear(Gapped())
    desk.later(4_999).hear(Ticked())
    assert not any(isinstance(command, Survey) for command in desk.last)
    desk.later(1).hear(Ticked())

    assert any(isinstance(command, Survey) for command in desk.last)


def test_a_position_read_before_its_surveys_own_trades_is_no_strike() -> None:
    """A stop that fills in parts while the stream is away: the position of each survey is one trade behind."""
    desk = a_long("0.010")
    stop = desk.placed(Role.STOP)
    desk.later(3_000).hear(Ticked())
    for part in range(1, 5):
        asked = desk.now
        trade = desk.later(50).a_fill(stop, "0.001", "64000", f"s{part}")
        survey(desk, asked_ms=asked, qty=str(Decimal("0.011") - Decimal("0.001") * part), trades=(trade,))
        desk.later(200).hear(Ticked())

    assert desk.holding.position.qty == Decimal("0.006")


def test_a_trade_that_comes_after_it_was_inferred_leaves_its_intents_lot() -> None:
    """Counted twice for a minute; what goes is the lot that nobody asked for, not the one with a stop and an end."""
    desk = Desk()
    desk.submit(an_intent(max_hold_s=3_600))
    entry = desk.placed(Role.TAKER)
    desk.hear(PlaceUnanswered(ref=entry.ref, dead_after_ms=Millis(desk.now + 14_000)))
    trade = desk.a_fill(entry, "0.01", "65000.1", "77")
    for _ in range(3):
        desk.later(200).survey(qty="0.01")
    desk.later(100).hear(Found(order=desk.word(entry, Status.FILLED, cum="0.01")))
    desk.later(500).survey(qty="0.01", trades=(trade,))
    for _ in range(30):
        desk.later(3_000).survey(qty="0.01")

    assert [(lot.intent_id, lot.qty) for lot in desk.holding.position.lots] == [(IntentId("i1"), Decimal("0.01"))]


@pytest.mark.req("S4-EXIT-1")
def test_a_lot_that_was_closed_without_trades_is_not_closed_once_more_out_of_anothers() -> None:
    desk = two_lots()
    desk.later(1_100).hear(Ticked())
    part = desk.placed(Role.EXIT)
    desk.hear(Found(order=desk.word(part, Status.FILLED, cum="0.01")))
    for _ in range(3 * OWED_ASKS):
        desk.later(5_000).hear(Ticked())
    for _ in range(25):
        desk.later(3_000).survey(desk.word(desk.placed(Role.STOP), Status.NEW), qty="0.02")
    desk.later(1_000).hear(Ticked())

    assert desk.count(Role.EXIT) == 1
    assert [(lot.intent_id, lot.qty) for lot in desk.holding.position.lots] == [(IntentId("i1"), Decimal("0.02"))]


@pytest.mark.req("S4-EXIT-1")
def test_a_part_that_was_asked_for_while_the_venue_showed_less_counts_what_is_gone() -> None:
    desk = a_long("0.03")
    desk.later(3_000).survey(desk.word(desk.placed(Role.STOP), Status.NEW), qty="0.02")
    assert desk.holding.strikes
    desk.hear(CloseAsked(reason="OPERATOR", qty=Qty(Decimal("0.01"))))
    for _ in range(25):
        desk.later(3_000).survey(desk.word(desk.placed(Role.STOP), Status.NEW), qty="0.02")
    desk.later(1_000).hear(Ticked())

    assert desk.holding.position.qty == Decimal("0.02")
    assert not desk.count(Role.EXIT)


@pytest.mark.req("S4-FUT-3")
def test_a_stop_stays_where_the_trades_of_its_entry_never_came() -> None:
    """The venue's word was "filled": until its position has said otherwise, the only stop is not taken away."""
    desk = Desk()
    desk.submit(an_intent())
    entry = desk.placed(Role.TAKER)
    desk.hear(Found(order=desk.word(entry, Status.FILLED, cum="0.01")))
    stop = desk.placed(Role.STOP)
    desk.ack(stop)
    while desk.holding.orders[entry.ref].owed:
        desk.later(5_000).survey(desk.word(stop, Status.NEW), qty="0.01")
    assert not desk.holding.exposure, "they were given up"
    assert desk.canceled() == []
    for _ in range(3):
        desk.later(200).survey(desk.word(stop, Status.NEW), qty="0.01")

    assert desk.holding.position.qty == Decimal("0.01")
    assert desk.holding.covered_qty == Decimal("0.01")
    assert desk.canceled() == []


def test_a_refused_entry_that_is_listed_after_all_is_asked_for() -> None:
    """Its proof of death came after the listing was asked for: neither is believed."""
    desk = Desk()
    desk.submit(an_intent(), wait_ms=1_500)
    maker = desk.placed(Role.MAKER)
    desk.hear(PlaceUnanswered(ref=maker.ref, dead_after_ms=Millis(desk.now + 100)))
    desk.later(20_000).survey()
    asked = desk.later(1).now
    desk.later(1).hear(NotFound(ref=maker.ref, asked_server_ms=desk.now))
    survey(desk, desk.word(maker, Status.NEW), asked_ms=asked, qty="0")
    assert [type(command).__name__ for command in desk.last] == ["Ask"]
    desk.hear(Found(order=desk.word(maker, Status.NEW)))

    assert desk.canceled() == [maker.ref]


def test_a_cancel_that_comes_too_late_for_a_stop_that_fires_is_no_riddle() -> None:
    """It woke somebody: ILLEGAL_TRANSITION, for what happens whenever a stop triggers as it is replaced."""
    desk = a_long()
    desk.submit(an_intent("i2"))
    entry = desk.placed(Role.TAKER)
    desk.ack(entry)
    desk.fill(entry, "0.01")
    desk.ack(desk.placed(Role.STOP))
    [cancel] = [command for command in desk.last if isinstance(command, Cancel)]
    first = desk.holding.orders[cancel.order.ref].request
    desk.hear(Reported(order=desk.word(first, Status.TRIGGERING)))
    desk.hear(CancelRefused(ref=first.ref, code=-2011, message="Unknown order sent."))

    assert desk.holding.orders[first.ref].status is Status.TRIGGERING
    assert [event.body for event in desk.holding.outbox if isinstance(event.body, Alert)] == []


@pytest.mark.req("S4-EXIT-1")
def test_what_was_to_reduce_one_position_does_not_reduce_the_next() -> None:
    """A reduce-only schedule outlived the stop of its position and sold out of the one that came after."""
    desk = a_long("0.02")
    reducing = an_intent("i2", side=Side.SELL, qty="0.02", reduce_only=True, stop=None)
    desk.submit(reducing, "0.01", "0.01", gap_ms=1_000)
    desk.ack(desk.placed(Role.TAKER))
    desk.fill(desk.placed(Role.TAKER), "0.01", "65000")
    desk.fill(desk.placed(Role.STOP), "0.01", "64000")
    assert reducing.intent_id not in desk.holding.intents
    desk.submit(an_intent("i3", qty="0.03"))
    desk.fill(desk.placed(Role.TAKER), "0.03")
    desk.later(1_500).hear(Ticked())

    assert desk.placed(Role.TAKER).side is Side.BUY


def test_a_reduce_only_intent_that_closes_all_is_filled() -> None:
    desk = a_long("0.02")
    desk.submit(an_intent("i2", side=Side.SELL, qty="0.02", reduce_only=True, stop=None))
    desk.hear(Found(order=desk.word(desk.placed(Role.TAKER), Status.FILLED, cum="0.02")))
    assert not desk.holding.exposure
    desk.fill(desk.placed(Role.TAKER), "0.02", "65000")
    rows = [event.body.row for event in desk.holding.outbox if isinstance(event.body, IntentChanged)]

    assert b'"status":"FILLED"' in rows[-1]
