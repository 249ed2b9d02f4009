"""A stop that is believed to stand is asked for: now and then, and at once where the market has passed its price."""

from decimal import Decimal

import pytest

from chimera.trading.commands import Ask
from chimera.trading.facts import Found, NotFound, Ticked
from chimera.trading.intent import MakerThenTaker, MarketNow, StopSpec, WorkingType
from chimera.trading.money import Price
from chimera.trading.order import Role, Status
from chimera.trading.venue import OrderRef
from support.desk import Desk, a_long, an_intent


def asks(desk: Desk) -> int:
    stop = desk.placed(Role.STOP)
    return sum(isinstance(command, Ask) and command.order.ref == stop.ref for command in desk.told)


@pytest.mark.fault("B31")
@pytest.mark.req("I11")
def test_its_end_is_found_though_nobody_told_of_it() -> None:
    """World seed 200168: the venue cancelled all stops, and the stream lost the frame that said so."""
    desk = a_long()
    every_ms = desk.scene.policy.stop_check_ms
    for looked in (1, 2):
        desk.later(every_ms).hear(Ticked())
        assert asks(desk) == looked
        desk.hear(Found(order=desk.word(desk.placed(Role.STOP), Status.NEW)))
    desk.later(every_ms).hear(Ticked())
    desk.hear(Found(order=desk.word(desk.placed(Role.STOP), Status.CANCELED)))
    desk.later(200).hear(Ticked())
    assert desk.count(Role.STOP) == 2, "another is placed"


def test_a_question_without_an_answer_is_asked_again_soon() -> None:
    desk = a_long()
    desk.later(desk.scene.policy.stop_check_ms).hear(Ticked())
    desk.later(400).hear(Ticked())
    assert asks(desk) == 2


@pytest.mark.fault("B21")
@pytest.mark.parametrize("working", [WorkingType.MARK_PRICE, WorkingType.CONTRACT_PRICE])
def test_one_whose_price_was_passed_is_asked_for_at_once_and_then_every_second(working: WorkingType) -> None:
    """World seed 200091: it fired, its child was refused, and the stream was silent."""
    desk = a_long(stop=StopSpec(price=Price(Decimal("64000.0")), working_type=working))
    desk.hear(Ticked())
    assert asks(desk) == 0
    desk.bid, desk.ask = Decimal("63999.9"), Decimal("64000.0")
    for looked, later_ms in ((1, 0), (1, 100), (2, 1_000)):
        desk.later(later_ms).hear(Ticked())
        assert asks(desk) == looked
        if later_ms == 0:
            desk.hear(Found(order=desk.word(desk.placed(Role.STOP), Status.NEW)))
    for _ in range(2):  # its end contradicts what was known: asked for once more
        desk.hear(Found(order=desk.word(desk.placed(Role.STOP), Status.REJECTED)))
    desk.later(300).hear(Ticked())
    assert desk.holding.flattening or desk.count(Role.STOP) == 2, "never without either"


@pytest.mark.req("I11")
def test_not_found_is_no_end() -> None:
    desk = a_long()
    desk.later(desk.scene.policy.stop_check_ms).hear(Ticked())
    desk.hear(NotFound(ref=desk.placed(Role.STOP).ref, asked_server_ms=desk.now))
    [stop] = desk.holding.in_role(Role.STOP)
    assert stop.status is Status.IN_DOUBT


@pytest.mark.incident(20)
@pytest.mark.parametrize(("role", "wait_ms"), [(Role.TAKER, 0), (Role.MAKER, 60_000)])
def test_an_entry_that_is_open_as_far_as_we_know_is_asked_for(role: Role, wait_ms: int) -> None:
    """World seed 880059: the ack came, the fill's frame and the answer were lost, and it was bare for 30 s."""
    desk = Desk()
    policy = MakerThenTaker(wait_ms=wait_ms, slices=1, gap_ms=0) if wait_ms else MarketNow()
    desk.submit(an_intent(policy=policy), wait_ms=wait_ms)
    entry = desk.placed(role)
    desk.ack(entry)
    desk.later(desk.scene.policy.maker_check_ms if wait_ms else 500).hear(Ticked())
    assert desk.last == (Ask(order=OrderRef(symbol=entry.symbol, ref=entry.ref, conditional=False)),)
    desk.hear(Found(order=desk.word(entry, Status.FILLED, "0.01")))
    assert desk.count(Role.STOP) == 1, "what filled by its word is guarded, though its trade is still to come"
