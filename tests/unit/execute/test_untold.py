"""What filled by the venue's word, by its position, or by a trade that names nobody: nothing is sent in its place."""

from decimal import Decimal
from typing import Any

import pytest

from chimera.execute.asking import OWED_ASKS
from chimera.trading.commands import Survey
from chimera.trading.events import IntentChanged
from chimera.trading.facts import CloseAsked, Found, NotFound, PlaceUnanswered, Ticked
from chimera.trading.fill import Fill
from chimera.trading.ids import IntentId, VenueOrderId, forgotten
from chimera.trading.intent import StopSpec
from chimera.trading.money import Millis, Price
from chimera.trading.order import NewOrder, Role, Status
from chimera.trading.position import ADOPTED
from chimera.wire.codec import decode
from support.desk import Desk, an_intent
from support.spot_desk import SpotDesk, a_spot_long, buy

pytestmark = pytest.mark.req("I4", "S4-RETRY-2")

LONG_MS = 600_000  # between two slices
DEAD_MS = 14_000
STOP = StopSpec(price=Price(Decimal("64500.0")))


def a_plan(*slices: str, **wishes: Any) -> tuple[Desk, NewOrder]:
    """The first of two slices is on its way; the plan lasts for long."""
    desk, parts = Desk(), slices or ("0.01", "0.01")
    desk.submit(an_intent(qty=str(sum(map(Decimal, parts))), **wishes), *parts, gap_ms=LONG_MS)
    return desk, desk.placed(Role.TAKER)


def in_doubt(**wishes: Any) -> tuple[Desk, NewOrder]:
    desk, entry = a_plan(**wishes)
    desk.hear(PlaceUnanswered(ref=entry.ref, dead_after_ms=Millis(desk.now + DEAD_MS)))
    return desk, entry


def looked(desk: Desk, entry: NewOrder, seconds: int, qty: str = "0.01", trades: tuple[Fill, ...] = ()) -> None:
    """Each second a survey, and a question for the entry that finds nothing."""
    for _ in range(seconds):
        desk.later(1_000).survey(qty=qty, trades=trades)
        desk.hear(NotFound(ref=entry.ref, asked_server_ms=desk.now))


def of_nobody(desk: Desk, entry: NewOrder) -> Fill:
    """Its trade, of which the venue cannot name the order."""
    return desk.a_fill(entry, "0.01", "65000.1", "77").but(ref=forgotten(VenueOrderId("77")))


def told(desk: Desk) -> dict[str, Any]:
    rows = (event.body.row for event in desk.holding.outbox if isinstance(event.body, IntentChanged))
    return decode(list(rows)[-1], dict[str, Any])


def test_an_entry_whose_position_has_come_is_not_proved_dead_by_lists_that_lag() -> None:
    """Neither order nor trade is found for half a minute, and the position is there: it was bought a second time."""
    desk, entry = in_doubt(stop=STOP)
    looked(desk, entry, 30)

    assert desk.count(Role.TAKER) == 1
    [lot] = desk.holding.position.lots
    assert (lot.intent_id, lot.qty, lot.stop) == (ADOPTED, Decimal("0.01"), STOP), "as its intent wants it"
    assert told(desk)["filled_qty"] == "0.01"
    desk.later(LONG_MS).hear(Ticked())
    assert (desk.count(Role.TAKER), desk.placed(Role.TAKER).qty) == (2, Decimal("0.01")), "the second slice alone"


def test_nor_by_a_trade_whose_order_nobody_can_name() -> None:
    desk, entry = in_doubt(stop=STOP)
    looked(desk, entry, 30, trades=(of_nobody(desk, entry),))

    assert desk.count(Role.TAKER) == 1
    assert [(lot.intent_id, lot.qty, lot.stop) for lot in desk.holding.position.lots] == [
        (IntentId("i1"), Decimal("0.01"), STOP)
    ]


def test_one_of_which_position_and_trades_show_nothing_is_dead() -> None:
    desk, entry = in_doubt()
    looked(desk, entry, 30, qty="0")

    assert desk.holding.orders[entry.ref].status is Status.REJECTED
    assert desk.count(Role.TAKER) == 2


def test_its_own_word_outranks_what_was_presumed() -> None:
    """The position was somebody else's, and the entry rests: all of it may still fill."""
    desk = Desk()
    desk.submit(an_intent(qty="0.02"), wait_ms=60_000)
    maker = desk.placed(Role.MAKER)
    desk.hear(PlaceUnanswered(ref=maker.ref, dead_after_ms=Millis(desk.now + DEAD_MS)))
    looked(desk, maker, 5)
    assert desk.holding.orders[maker.ref].leaves_qty == Decimal("0.01")
    desk.hear(Found(order=desk.word(maker, Status.NEW)))

    assert desk.holding.orders[maker.ref].leaves_qty == Decimal("0.02")


def test_what_it_filled_by_its_own_word_is_sought_though_it_was_presumed() -> None:
    desk, entry = in_doubt()
    looked(desk, entry, 5)
    desk.hear(Found(order=desk.word(entry, Status.FILLED, cum="0.01")))
    assert desk.holding.orders[entry.ref].owed
    trade = desk.a_fill(entry, "0.01", "65000.1", "77")
    desk.later(500).survey(qty="0.01", trades=(trade,))
    for _ in range(30):
        desk.later(3_000).survey(qty="0.01", trades=(trade,))

    assert [(lot.intent_id, lot.qty) for lot in desk.holding.position.lots] == [(IntentId("i1"), Decimal("0.01"))]
    assert desk.holding.orders[entry.ref].cum_qty == Decimal("0.01")
    assert desk.count(Role.TAKER) == 1


def test_a_reduce_only_intent_in_doubt_is_not_sent_again_once_the_position_has_shrunk() -> None:
    desk = Desk()
    desk.submit(an_intent(qty="0.03"))
    desk.fill(desk.placed(Role.TAKER), "0.03")
    desk.ack(desk.placed(Role.STOP))
    selling = an_intent("i2", qty="0.02", reduce_only=True).but(side=desk.holding.position.lots[0].side.opposite)
    desk.submit(selling, "0.01", "0.01", gap_ms=LONG_MS)
    part = desk.placed(Role.TAKER)
    desk.hear(PlaceUnanswered(ref=part.ref, dead_after_ms=Millis(desk.now + DEAD_MS)))
    for _ in range(40):
        desk.later(3_000).survey(desk.word(desk.placed(Role.STOP), Status.NEW), qty="0.02")
        desk.hear(NotFound(ref=part.ref, asked_server_ms=desk.now))

    assert desk.holding.position.qty == Decimal("0.02")
    assert desk.count(Role.TAKER) == 2, "it was closed twice"


# ── trades that are owed ──


def owed(*slices: str) -> tuple[Desk, NewOrder]:
    desk, entry = a_plan(*slices)
    desk.hear(Found(order=desk.word(entry, Status.FILLED, cum="0.01")))
    desk.ack(desk.placed(Role.STOP))
    return desk, entry


def test_an_entry_whose_trades_are_given_up_has_filled_all_the_same() -> None:
    desk, _ = owed()
    for _ in range(3 * OWED_ASKS):
        desk.later(5_000).survey(desk.word(desk.placed(Role.STOP), Status.NEW), qty="0.01")

    assert desk.count(Role.TAKER) == 1
    assert desk.holding.position.qty == Decimal("0.01"), "the venue's position decides"
    assert told(desk)["filled_qty"] == "0.01"
    assert told(desk)["avg_price"] is None


def test_they_are_not_given_up_while_no_survey_is_answered() -> None:
    """A ban of two minutes, or a list that times out: nobody has looked."""
    desk, entry = owed()
    for _ in range(10 * OWED_ASKS):
        desk.later(5_000).hear(Ticked())

    assert desk.holding.orders[entry.ref].owed
    assert desk.count(Role.TAKER) == 1


@pytest.mark.parametrize("slices", [("0.01", "0.01"), ("0.01",)])
def test_a_trade_that_the_venue_shows_two_minutes_late_is_still_taken(slices: tuple[str, ...]) -> None:
    """The pulls did not reach back to it any more: it was lost for good, and its fee and its price with it."""
    desk, entry = owed(*slices)
    trade = desk.a_fill(entry, "0.01", "65000.1", "77")
    stop = desk.word(desk.placed(Role.STOP), Status.NEW)
    for _ in range(26):
        desk.later(5_000).survey(stop, qty="0.01")
    desk.later(40_000).hear(Ticked())
    [pull] = [command for command in desk.last if isinstance(command, Survey)]
    assert pull.trades_since_ms <= trade.at_ms
    for _ in range(30):
        desk.later(3_000).survey(stop, qty="0.01", trades=(trade,))

    assert [(lot.intent_id, lot.qty) for lot in desk.holding.position.lots] == [(IntentId("i1"), Decimal("0.01"))]
    assert desk.holding.trades_confirmed_ms == desk.now, "nothing is late any more"


# ── spot: no position of a wallet decides ──


@pytest.mark.req("I10", "S4-SPOT-3")
def test_on_spot_what_was_bought_keeps_its_stop_for_as_long_as_its_trades_take() -> None:
    desk = SpotDesk()
    desk.submit(buy())
    entry = desk.placed(Role.TAKER)
    desk.hear(Found(order=desk.word(entry, Status.FILLED, cum=str(entry.qty))))
    stop = desk.placed(Role.STOP)
    desk.ack(stop)
    for _ in range(10 * OWED_ASKS):
        desk.later(5_000).survey(desk.word(stop, Status.NEW), qty="1.01")

    assert desk.canceled() == []
    assert desk.holding.exposure == entry.qty


@pytest.mark.req("I12", "S4-SPOT-3")
def test_on_spot_what_was_sold_is_not_sold_again_out_of_the_users_own() -> None:
    desk = a_spot_long()
    desk.hear(CloseAsked(reason="MANUAL"))
    desk.cancel_list(desk.pairs()[-1])
    close = desk.placed(Role.EXIT)
    desk.hear(Found(order=desk.word(close, Status.FILLED, cum=str(close.qty))))
    for _ in range(10 * OWED_ASKS):
        desk.later(5_000).survey(qty="1")

    assert (desk.count(Role.EXIT), len(desk.pairs())) == (1, 1)
