"""Spot: what is in doubt keeps what is held bare, so the proof is sought at once, and a leg's own word is asked for."""

import pytest

from chimera.protect.pairs import DEAREST
from chimera.trading.commands import Ask, Place, PlacePair, Survey, hurries, waits_for_save
from chimera.trading.facts import CloseAsked, Found, NotFound, PlaceUnanswered, Restarted, Ticked
from chimera.trading.form import Form
from chimera.trading.ids import ClientOrderId, child_id, child_of
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

    rate = max(desk.scene.fees.taker, desk.scene.fees.maker, DEAREST)
    assert desk.holding.exposure == entry.qty
    assert desk.placed(Role.EXIT).qty == SPOT.floor_to_step(entry.qty * (1 - rate)) < entry.qty


@pytest.mark.req("I12", "I15")
def test_after_a_restart_nothing_is_sold_until_a_survey_has_shown_what_of_ours_stands() -> None:
    """Seed 5 of slow_disk: a list had left and its state was not on disk; the close sold beside it, twice the lot."""
    desk = a_spot_long()
    [pair] = desk.pairs()
    late = pair.stop.but(ref=child_id(*_root(pair.stop.ref), 9))
    desk.hear(Restarted())
    desk.end(pair.stop, Status.CANCELED)
    desk.end(pair.target, Status.CANCELED)
    desk.hear(CloseAsked(reason="MANUAL"))
    assert len(desk.pairs()) == 1
    assert not desk.count(Role.EXIT)
    desk.later(50)
    desk.survey(desk.word(late, Status.NEW), qty="1")

    assert not desk.count(Role.EXIT), "the list that nobody remembered has all of it"
    assert desk.canceled()[-1] == late.ref
    desk.end(late, Status.CANCELED)
    assert desk.placed(Role.EXIT).qty == pair.stop.qty


def _root(ref: ClientOrderId) -> tuple[ClientOrderId, str]:
    found = child_of(ref)
    assert found is not None
    return found[0], found[1]


@pytest.mark.req("I12")
def test_on_spot_what_sells_waits_for_the_disk_and_what_protects_or_closes_all_for_a_moment_only() -> None:
    desk = a_spot_long()
    [pair] = desk.pairs()
    alone = Place(order=pair.stop.but(form=Form.ALONE, group=None), role=Role.STOP)
    desk.hear(CloseAsked(reason="MANUAL"))
    desk.cancel_list(pair)
    [whole] = [each for each in desk.told if isinstance(each, Place) and each.role is Role.EXIT]

    for command in (pair, alone, whole):
        assert waits_for_save(command)
        assert hurries(command)
    assert waits_for_save(whole.but(urgent=False))
    assert not hurries(whole.but(urgent=False)), "a part waits for as long as it takes"
