"""A stand-in believes the venue at once, shares no id with any other life, and proves nothing about the ledger."""

from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import pytest

from chimera.execute.advance import advance
from chimera.reconcile import lost
from chimera.services.router.patience import STORE_AGAIN_S, until_kept
from chimera.services.router.standing_in import StandingIn
from chimera.services.stage.loop import DetLoop
from chimera.trading.commands import waits_for_save
from chimera.trading.errors import NewerSchema, StoreUnavailable
from chimera.trading.execution import Exit
from chimera.trading.facts import CloseAsked, Fact
from chimera.trading.holding import Holding
from chimera.trading.ids import child_of, stand_in_root, stands_in
from chimera.trading.intent import TargetKind, TargetSpec
from chimera.trading.money import Millis, Qty
from chimera.trading.order import Role, Status
from chimera.trading.scene import Scene
from support.desk import KEY, SYMBOL, T0, Desk, a_long
from support.grounds import a_ground


class Blank(Desk):
    """A desk of somebody who stands in, begun at a moment of his own."""

    def __init__(self, began_ms: int = T0) -> None:
        super().__init__()
        self.now = Millis(began_ms)
        nobody = cast("Any", None)
        self.scenes = StandingIn(
            a_ground(scene=lambda _: Desk.scene.fget(self)),  # type: ignore[attr-defined]
            records=nobody, ledger=nobody, sender=nobody, relay=nobody, watch=nobody, watchdogs=nobody, begin=nobody,
            take_over=nobody,
        )  # fmt: skip
        self.holding = Holding(
            key=KEY, root=stand_in_root(KEY, began_ms), survey_due_ms=Millis(T0 + 10**9), trades_confirmed_ms=self.now
        )

    def hear(self, fact: Fact) -> Any:
        scene: Scene = self.scenes._scene(self.holding)
        self.holding, self.last = advance(self.holding, fact, scene)
        self.told += self.last
        return self.last


@pytest.mark.req("S4-REC-1")
def test_one_word_of_the_venue_is_enough_for_a_stop() -> None:
    desk = Blank()
    desk.survey(qty="0.01")
    stop = desk.placed(Role.STOP)
    assert stop.reduce_only
    assert not any(waits_for_save(command) for command in desk.last)


@pytest.mark.incident(26)
def test_a_zero_afterwards_is_not_believed_so_fast() -> None:
    desk = Blank()
    desk.survey(qty="0.01")
    desk.ack(desk.placed(Role.STOP))
    desk.later(500).survey(desk.word(desk.placed(Role.STOP), Status.NEW))
    assert desk.holding.position.qty == Decimal("0.01")
    assert desk.canceled() == []


@pytest.mark.incident(19)
def test_two_lives_that_see_the_same_share_no_id() -> None:
    first, second = Blank(T0), Blank(T0 + 700)
    for desk in (first, second):
        desk.now = Millis(T0 + 1_000)
        desk.survey(qty="0.01")
    assert first.placed(Role.STOP).ref != second.placed(Role.STOP).ref


def test_a_position_that_opens_again_in_one_life_uses_no_number_twice() -> None:
    desk = Blank()
    desk.survey(qty="0.01")
    stop = desk.placed(Role.STOP)
    desk.ack(stop)
    desk.later(500).fill(stop, "0.01")
    desk.later(500).survey(qty="0.02")
    again = desk.placed(Role.STOP)
    one, two = child_of(stop.ref), child_of(again.ref)
    assert one is not None
    assert two is not None
    assert one[0] == two[0]
    assert stands_in(one[0])
    assert two[2] > one[2]


@pytest.mark.req("S4-REC-1")
def test_a_stop_and_a_target_of_an_earlier_life_are_kept() -> None:
    before = a_long(target=TargetSpec(kind=TargetKind.PRICE, value=Decimal(66_000)))
    words = [before.word(before.placed(role), Status.NEW) for role in (Role.STOP, Role.TARGET)]
    desk = Blank(before.now + 500)
    desk.later(100).survey(*words, qty="0.01")
    assert desk.told == []


@pytest.mark.req("S4-REC-2")
def test_what_a_stand_in_sent_does_not_prove_that_the_ledger_forgot() -> None:
    desk, other = Blank(), a_long()
    desk.survey(qty="0.01")
    his, ours = desk.word(desk.placed(Role.STOP), Status.NEW), other.word(other.placed(Role.STOP), Status.NEW)
    assert lost.ours((his, ours)) == (ours,)


@pytest.mark.parametrize(("qty", "goes_on"), [(None, True), (Qty(Decimal("0.005")), False)])
def test_a_whole_close_goes_on_with_who_takes_over(qty: Qty | None, goes_on: bool) -> None:
    """A part would be closed twice: nothing of it has left."""
    desk = Blank()
    owner = SimpleNamespace(holding=desk.holding.but(exit=Exit(reason="MANUAL", asked_ms=T0, qty=qty)), deposed=False)
    ended: list[bool] = []
    post = cast("Any", (owner, SimpleNamespace(cancel=lambda: ended.append(True))))
    desk.scenes._posts[KEY] = post
    close = desk.scenes.relieve(KEY)
    assert close == (CloseAsked(reason="MANUAL") if goes_on else None)
    assert (owner.deposed, ended, desk.scenes.at(KEY), desk.scenes.on) == (True, [True], False, False)


def test_nobody_is_relieved_where_nobody_stood_in() -> None:
    assert Blank().scenes.relieve(KEY) is None


def test_a_ledger_that_is_away_is_asked_until_it_answers() -> None:
    loop = DetLoop(1)
    asked_s: list[float] = []

    async def question() -> str:
        asked_s.append(loop.time())
        if len(asked_s) < 4:
            raise StoreUnavailable(f"away: {SYMBOL}")
        return "answer"

    assert loop.run_until_complete(until_kept(question)) == "answer"
    assert asked_s == pytest.approx([number * STORE_AGAIN_S for number in range(4)])


def test_what_cannot_be_read_does_not_change_by_asking() -> None:
    async def question() -> str:
        raise NewerSchema("start the version that wrote it")

    with pytest.raises(NewerSchema):
        DetLoop(1).run_until_complete(until_kept(question))
