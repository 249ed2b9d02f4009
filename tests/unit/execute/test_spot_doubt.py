"""Spot: what is in doubt keeps what is held bare, so the proof is sought at once, and a leg's own word is asked for."""

import pytest

from chimera.trading.commands import Ask, PlacePair, Survey
from chimera.trading.facts import CloseAsked, Found, NotFound, PlaceUnanswered, Ticked
from chimera.trading.money import Millis
from chimera.trading.order import Role, Status
from support.desk import T0
from support.spot_desk import SPOT, SpotDesk, a_spot_long, buy

DEAD_MS = 12_500  # after the sending: recvWindow, engine time-out, clock error


def asked(desk: SpotDesk) -> list[str]:
    return [command.order.ref for command in desk.last if isinstance(command, Ask)]


@pytest.mark.req("ACC-4", "S4-SPOT-3")
def test_a_cancelled_list_whose_other_leg_never_said_that_it_ended_is_asked_about() -> None:
    """Seed 17 of the spot world: the frame of the target's end was lost, and the close waited for it for ever."""
    desk = a_spot_long()
    [pair] = desk.pairs()
    desk.hear(CloseAsked(reason="MANUAL"))
    assert desk.canceled() == [pair.stop.ref]
    desk.hear(Found(order=desk.word(pair.stop, Status.CANCELED)))

    assert asked(desk) == [pair.target.ref]
    assert not desk.count(Role.EXIT), "what the target may have sold is not known yet"
    desk.hear(Found(order=desk.word(pair.target, Status.CANCELED)))
    assert desk.placed(Role.EXIT).qty == pair.stop.qty


def _doubted() -> tuple[SpotDesk, PlacePair]:
    desk = SpotDesk().bought()
    [pair] = desk.pairs()
    for leg in (pair.stop, pair.target):
        desk.hear(PlaceUnanswered(ref=leg.ref, dead_after_ms=Millis(T0 + DEAD_MS)))
    return desk, pair


@pytest.mark.req("S4-SPOT-3")
def test_a_list_in_doubt_is_asked_for_at_the_moment_from_which_silence_is_proof() -> None:
    """Seed 21: asked at a pace of its own, with surveys half a minute apart, it was in doubt for 44 s."""
    desk, pair = _doubted()
    order = lambda: desk.holding.orders[pair.stop.ref]  # noqa: E731  # read anew each time
    while desk.now < T0 + DEAD_MS:
        due = order().ask_at_ms
        assert due is not None
        desk.later(max(due - desk.now, 1)).hear(Ticked())
        desk.hear(NotFound(ref=pair.stop.ref, asked_server_ms=desk.now))
    assert desk.now == T0 + DEAD_MS + 1


@pytest.mark.req("S4-SPOT-3")
def test_its_silence_calls_for_a_survey_and_the_survey_for_a_last_question() -> None:
    desk, pair = _doubted()
    desk.later(DEAD_MS + 1)
    desk.hear(NotFound(ref=pair.stop.ref, asked_server_ms=desk.now))
    assert any(isinstance(command, Survey) for command in desk.last), "now, not when the next one is due"
    desk.later(5)
    desk.survey(qty=str(desk.holding.position.qty))

    assert set(asked(desk)) == {pair.stop.ref, pair.target.ref}
    for leg in (pair.stop, pair.target):
        desk.hear(NotFound(ref=leg.ref, asked_server_ms=desk.now))
    assert len(desk.pairs()) == 2, "a new list, as the first is proven dead"


@pytest.mark.req("I12")
@pytest.mark.incident(18)
def test_a_close_before_the_trades_are_told_sells_what_the_fee_may_have_left_and_no_more() -> None:
    """Seed 125: the answer told of 0.01, the fee was not known yet, and the close sold 0.00001 of the user's own."""
    desk = SpotDesk()
    desk.submit(buy())
    entry = desk.placed(Role.TAKER)
    desk.hear(CloseAsked(reason="MANUAL"))
    desk.hear(Found(order=desk.word(entry, Status.FILLED, str(entry.qty))))

    rate = max(desk.scene.fees.taker, desk.scene.fees.maker)
    assert desk.holding.exposure == entry.qty
    assert desk.placed(Role.EXIT).qty == SPOT.floor_to_step(entry.qty * (1 - rate)) < entry.qty
