"""What ended without a doubt leaves the holding soon; its late news is known for what it is, and hides nothing."""

from decimal import Decimal

import pytest

from chimera.execute.pruning import ENDS_MOST, LINGER_MS, SETTLED_MS
from chimera.execute.setback import rebased
from chimera.reconcile.survey import LISTING_LAG_MS
from chimera.trading.facts import CancelAsked, CloseAsked, Found, PlaceUnanswered, Ticked
from chimera.trading.ids import IntentId
from chimera.trading.money import Millis
from chimera.trading.order import NewOrder, Role, Status
from chimera.wire.codec import seal_holding
from support.desk import Desk, a_long, an_intent

pytestmark = pytest.mark.req("I30")


def close(desk: Desk) -> None:
    desk.hear(CloseAsked(reason="TEST"))
    closing = desk.placed(Role.EXIT)
    desk.fill(closing, str(closing.qty))
    desk.hear(Found(order=desk.word(desk.placed(Role.STOP), Status.CANCELED)))


def in_and_out() -> tuple[Desk, NewOrder, NewOrder]:
    """Flat again, each order ended; the entry and the stop that was cancelled."""
    desk = a_long()
    close(desk)
    assert not desk.holding.exposure
    return desk, desk.placed(Role.TAKER), desk.placed(Role.STOP)


def test_what_settled_leaves_and_its_end_is_remembered_for_a_while() -> None:
    desk, entry, stop = in_and_out()
    closing, ended = desk.placed(Role.EXIT), desk.now
    desk.later(SETTLED_MS - 1).hear(Ticked())
    assert set(desk.holding.orders) == {entry.ref, stop.ref, closing.ref}

    desk.later(1).hear(Ticked())
    assert not desk.holding.orders
    assert {ref: (end.at_ms, end.qty) for ref, end in desk.holding.ended.items()} == {
        entry.ref: (ended, entry.qty),
        stop.ref: (ended, Decimal(0)),
        closing.ref: (ended, closing.qty),
    }
    desk.later(LINGER_MS).hear(Ticked())
    assert not desk.holding.ended


def test_a_minute_of_much_trade_is_no_large_document() -> None:
    desk, sizes = Desk(), []
    for number in range(240):
        desk.submit(an_intent(f"i{number}", qty="0.01"))
        desk.fill(desk.placed(Role.TAKER), "0.01")
        desk.ack(desk.placed(Role.STOP))
        close(desk)
        desk.holding = desk.holding.but(outbox=())
        desk.later(250).hear(Ticked())
        sizes.append(len(seal_holding(desk.holding)))
    assert len(desk.holding.orders) <= 3 * (SETTLED_MS // 250 + 1)
    assert len(desk.holding.ended) == ENDS_MOST
    assert desk.placed(Role.EXIT).ref in {*desk.holding.orders, *desk.holding.ended}, "the newest are known"
    assert max(sizes) < 60_000


def test_a_trades_id_is_remembered_until_the_cursor_alone_keeps_it_from_being_counted_twice() -> None:
    desk, entry, _ = in_and_out()
    again = desk.a_fill(entry, "0.01", "65000.1", "1")
    overlap_ms = desk.scene.policy.trades_overlap_ms
    desk.later(2 * overlap_ms).survey(trades=(again,))
    assert len(desk.holding.seen_trades) == 2
    desk.later(1).survey(trades=(again,))
    assert not desk.holding.seen_trades
    desk.survey(trades=(again,))
    assert not desk.holding.position.lots
    assert not desk.holding.seen_trades


@pytest.mark.parametrize("status", [Status.NEW, Status.PARTIALLY_FILLED, Status.FILLED])
def test_its_late_news_makes_no_order_of_it_again(status: Status) -> None:
    desk, entry, _ = in_and_out()
    desk.later(SETTLED_MS).hear(Ticked())
    before = desk.holding
    desk.hear(Found(order=desk.word(entry, status, "0" if status is Status.NEW else "0.01")))
    assert desk.holding == before


@pytest.mark.parametrize("role", [Role.TAKER, Role.STOP])
def test_the_venues_word_that_more_of_it_filled_is_asked_after(role: Role) -> None:
    desk, _, _ = in_and_out()
    order = desk.placed(role)
    desk.later(SETTLED_MS).hear(Ticked())
    desk.survey()
    assert desk.holding.survey_asked_ms is None
    desk.hear(Found(order=desk.word(order, Status.FILLED, "0.02")))
    assert desk.holding.survey_asked_ms == desk.now, "a survey tells of all trades"


def test_a_trade_of_it_is_counted_all_the_same() -> None:
    """A venue that contradicts itself: the stop it had cancelled has sold."""
    desk, _, stop = in_and_out()
    desk.later(SETTLED_MS).hear(Ticked())
    desk.fill(stop, "0.01", "64000")
    assert desk.holding.position.qty == Decimal("-0.01")
    assert desk.holding.exposure == Decimal("-0.01")


@pytest.mark.parametrize("later_ms", [0, LISTING_LAG_MS - 1, LISTING_LAG_MS])
def test_one_that_is_listed_long_after_its_end_lives_again_and_is_taken_away(later_ms: int) -> None:
    desk, _, stop = in_and_out()
    ended = desk.now
    desk.later(SETTLED_MS).hear(Ticked())
    desk.now = Millis(ended + later_ms)  # the survey was asked then
    desk.survey(desk.word(stop, Status.NEW))
    assert (stop.ref in desk.holding.orders) is (later_ms == LISTING_LAG_MS)
    assert (stop.ref in desk.canceled()[1:]) is (later_ms == LISTING_LAG_MS)


def test_what_was_in_doubt_stays() -> None:
    desk = Desk()
    desk.submit(an_intent(qty="0.01"))
    entry = desk.placed(Role.TAKER)
    desk.hear(PlaceUnanswered(ref=entry.ref, dead_after_ms=Millis(desk.now + 5_000)))
    desk.fill(entry, "0.01")
    desk.ack(desk.placed(Role.STOP))
    close(desk)
    assert desk.holding.exit is None
    desk.later(LINGER_MS - 1).hear(Ticked())
    assert set(desk.holding.orders) == {entry.ref}
    desk.later(1).hear(Ticked())
    assert not desk.holding.orders


def test_an_entry_that_ended_short_of_its_size_stays_with_its_intent() -> None:
    desk = Desk()
    desk.submit(an_intent(qty="0.02"), wait_ms=60_000)
    maker = desk.placed(Role.MAKER)
    desk.ack(maker)
    desk.fill(maker, "0.005")
    desk.ack(desk.placed(Role.STOP))
    desk.hear(CancelAsked(intent_id=IntentId("i1"), reason="CLIENT"))
    desk.hear(Found(order=desk.word(maker, Status.CANCELED, "0.005")))
    close(desk)
    assert desk.holding.exit is None
    desk.later(LINGER_MS - 1).hear(Ticked())
    assert set(desk.holding.orders) == {maker.ref}
    assert set(desk.holding.intents) == {"i1"}


def test_one_whose_trades_are_to_come_stays() -> None:
    desk = Desk()
    desk.submit(an_intent(qty="0.01"))
    entry = desk.placed(Role.TAKER)
    desk.hear(Found(order=desk.word(entry, Status.FILLED, "0.01")))
    desk.hear(CloseAsked(reason="TEST"))
    closing = desk.placed(Role.EXIT)
    desk.hear(Found(order=desk.word(closing, Status.FILLED, "0.01")))
    desk.later(2 * LINGER_MS).hear(Ticked())
    assert {entry.ref, closing.ref} <= set(desk.holding.orders)


def test_while_a_close_is_on_nothing_hurries() -> None:
    desk, entry, _ = in_and_out()
    desk.submit(an_intent("i2", qty="0.02"))
    desk.fill(desk.placed(Role.TAKER), "0.02")
    desk.hear(CloseAsked(reason="TEST"))
    assert desk.holding.exit is not None
    desk.later(SETTLED_MS).hear(Ticked())
    assert entry.ref in desk.holding.orders


def test_a_clock_that_is_set_back_moves_what_is_remembered_too() -> None:
    desk, entry, _ = in_and_out()
    desk.later(SETTLED_MS).hear(Ticked())
    ahead = desk.holding.filled_ms - 3_600_000
    back = rebased(desk.holding.but(outbox=(), intents={}, surveyed_ms=Millis(0)), Millis(ahead))
    assert back.ended[entry.ref].at_ms == ahead
