"""Trades that come in an order of their own: nothing is booked in another's place, no id is given out twice."""

from decimal import Decimal

from chimera.trading.facts import CloseAsked, Found, Reported, Restarted
from chimera.trading.market import Side
from chimera.trading.order import Role, Status
from support.desk import Desk, a_long, an_intent


def test_an_entrys_trade_does_not_take_the_place_of_a_close_whose_own_is_to_come() -> None:
    """Seed 3543: what the close's trade then opened was nobody's, and was held for ever."""
    desk = a_long()
    desk.hear(CloseAsked(reason="HAND"))
    out = desk.placed(Role.EXIT)
    desk.hear(Found(order=desk.word(out, Status.FILLED, "0.01")))  # by its answer; its trade is lost on the way
    assert not desk.holding.exposure
    desk.submit(an_intent("i2", side=Side.SELL))
    entry = desk.placed(Role.TAKER)
    trade = desk.a_fill(entry, "0.01", "65000", "8")
    desk.hear(Reported(order=desk.word(entry, Status.FILLED, "0.01"), fill=trade))
    assert desk.holding.exposure == Decimal("-0.01"), "it is protected by the venue's word"
    assert desk.placed(Role.STOP).side is Side.BUY
    closing = desk.a_fill(out, "0.01", "65000", "7")
    desk.later(1).survey(desk.word(desk.placed(Role.STOP), Status.NEW), qty="-0.01", trades=(closing, trade))

    [lot] = desk.holding.position.lots
    assert (lot.intent_id, lot.side, lot.qty) == ("i2", Side.SELL, Decimal("0.01"))


def test_an_id_whose_trade_was_heard_before_its_sending_was_saved_is_not_given_out_again() -> None:
    """Seed 3211: a target that we sent and had not saved fired while we were dead; the next target took its id."""
    desk = a_long()
    stop = desk.placed(Role.STOP)
    unsaved = stop.but(ref=stop.ref.replace("-s1", "-p2"), trigger_price=None)
    desk.hear(Restarted())
    trade = desk.a_fill(unsaved, "0.004", "65000", "9")
    desk.later(10).survey(desk.word(stop, Status.NEW), qty="0.006", trades=(trade,))

    assert desk.holding.position.qty == Decimal("0.006")
    used = {order.ref for order in desk.holding.orders.values()}
    assert unsaved.ref in used
    _, ref = desk.holding.next_child(Role.TARGET)
    assert ref not in used


def test_a_trade_in_its_turn_is_booked_at_once() -> None:
    desk = Desk()
    desk.submit(an_intent())
    entry = desk.placed(Role.TAKER)
    desk.hear(Reported(order=desk.word(entry, Status.FILLED, "0.01"), fill=desk.a_fill(entry, "0.01", "65000", "1")))

    assert desk.holding.position.qty == Decimal("0.01")
