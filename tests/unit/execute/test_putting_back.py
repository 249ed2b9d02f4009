"""A state that was put back: what it wished is over, what it knows is asked for, and it names nothing twice."""

from decimal import Decimal

import pytest

from chimera.trading.commands import Place
from chimera.trading.execution import Phase
from chimera.trading.facts import CloseAsked, Restarted, Restored
from chimera.trading.ids import ClientOrderId, IntentId, child_of
from chimera.trading.market import Side
from chimera.trading.money import Millis, Qty
from chimera.trading.order import Role, Status
from chimera.trading.position import ADOPTED
from support.desk import T0, Desk, a_long, an_intent

pytestmark = pytest.mark.req("LED-4", "S4-REC-1")

ONE, TWO = IntentId("i1"), IntentId("i2")


def put_back(desk: Desk, after_ms: int = 60_000) -> None:
    """As the router does at its start."""
    desk.later(after_ms).hear(Restored(at_ms=desk.now))
    desk.later(500).hear(Restarted())


def test_no_intent_sends_another_child_and_its_resting_one_is_asked_for() -> None:
    desk = Desk()
    desk.submit(an_intent(qty="0.02"), "0.01", "0.01", gap_ms=30_000, wait_ms=50_000)
    resting = desk.placed(Role.MAKER)
    desk.ack(resting)
    desk.told.clear()
    put_back(desk)

    assert desk.holding.intents[ONE].canceling
    assert not [each for each in desk.told if isinstance(each, Place)]
    desk.survey(desk.word(resting, Status.NEW))
    assert set(desk.canceled()) == {resting.ref}


def test_a_close_of_a_part_goes_no_further() -> None:
    """The part was closed by the life that is forgotten: closed once more, the position would be gone."""
    desk = a_long("0.01")
    desk.hear(CloseAsked(reason="TEST", qty=Qty(Decimal("0.004"))))
    put_back(desk)

    assert desk.holding.exit is None
    assert desk.count(Role.EXIT) == 1


def test_what_protects_gets_names_that_no_other_life_has_given() -> None:
    roots = []
    for after_ms in (60_000, 60_001):
        desk = a_long("0.01")
        put_back(desk, after_ms)
        desk.survey(qty="0.01")  # its stop is not there any more
        desk.hear(CloseAsked(reason="TEST"))
        roots.append(child_of(desk.placed(Role.EXIT).ref))

    assert [root is not None and root[0].startswith("rs-") for root in roots] == [True, True]
    assert roots[0] != roots[1]


def test_events_are_numbered_beyond_what_any_life_has_told() -> None:
    desk = a_long("0.01")
    counted = desk.holding.event_seq
    put_back(desk)
    desk.hear(CloseAsked(reason="TEST"))

    assert counted < 1_000
    assert desk.holding.event_seq > T0
    assert [event.seq for event in desk.holding.outbox] == sorted({event.seq for event in desk.holding.outbox})


def test_a_forgotten_child_is_its_intents_and_what_nobody_knows_is_adopted_at_the_stop_that_stands() -> None:
    desk = Desk()
    desk.submit(an_intent(qty="0.02"), "0.01", "0.01", gap_ms=60_000)
    first = desk.placed(Role.TAKER)
    desk.fill(first, "0.01")
    stop = desk.placed(Role.STOP)
    desk.ack(stop)
    put_back(desk)
    mine = first.but(ref=ClientOrderId("s3-btc-i1-t2"))
    unknown = first.but(ref=ClientOrderId("s3-eth-i9-t1"))
    bigger = stop.but(ref=ClientOrderId("s3-btc-i1-s2"), qty=Qty(Decimal("0.03")))
    trades = (desk.a_fill(mine, "0.01", "65100", "901"), desk.a_fill(unknown, "0.01", "65200", "902"))
    old = tuple(each.but(at_ms=Millis(desk.now - 30_000)) for each in trades)
    desk.survey(desk.word(bigger, Status.NEW), qty="0.03", trades=old)

    lots = {lot.intent_id: lot for lot in desk.holding.position.lots}
    assert {name: lot.qty for name, lot in lots.items()} == {ONE: Decimal("0.02"), ADOPTED: Decimal("0.01")}
    assert lots[ADOPTED].stop is not None
    assert lots[ADOPTED].stop.price == stop.trigger_price
    assert desk.holding.covered_qty == Decimal("0.03")


def test_an_intent_of_this_life_lends_its_own_name_again() -> None:
    desk = Desk()
    put_back(desk)
    desk.survey()
    desk.later(1_000).submit(an_intent("i2"))
    desk.fill(desk.placed(Role.TAKER), "0.01")

    assert desk.placed(Role.STOP).ref.startswith("s3-btc-i2-")
    assert desk.holding.intents[TWO].phase in (Phase.WORKING, Phase.DONE)


def test_it_is_heard_once_for_each_restore() -> None:
    desk = Desk()
    put_back(desk)
    at_ms = desk.holding.restored_ms
    desk.later(1_000).submit(an_intent("i2", side=Side.BUY))
    desk.hear(Restored(at_ms=at_ms))

    assert not desk.holding.intents[TWO].canceling
    desk.hear(Restored(at_ms=Millis(desk.now + 1)))
    assert desk.holding.intents[TWO].canceling
