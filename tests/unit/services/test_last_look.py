"""What waited for the disk is looked at once more as it leaves; a fault of ours costs one fact, never the next look."""

import asyncio
from decimal import Decimal
from typing import Any, cast

import pytest
from desk import KEY, Desk, a_long, an_intent
from standing import CLOCK, StubOwner

from chimera.services.router.closing import Closing
from chimera.services.router.owner import RETRY_FAULT_S, Owner
from chimera.services.router.sender import Sender
from chimera.trading.commands import Cancel, Place
from chimera.trading.errors import Refused
from chimera.trading.execution import Phase, Plan, Slice
from chimera.trading.facts import (
    CancelAsked,
    CancelNotSent,
    ChangeAsked,
    CloseAsked,
    Fact,
    Found,
    PlaceNotSent,
    PlaceRefused,
    PlaceUnanswered,
    Reported,
    Ticked,
)
from chimera.trading.ids import IntentId
from chimera.trading.intent import Intent
from chimera.trading.market import Market, Side
from chimera.trading.money import Millis, Qty
from chimera.trading.order import NewOrder, Role, Status
from chimera.trading.scene import Scene
from chimera.trading.venue import OrderRef
from support.grounds import a_ground


class Recorder:
    """A venue, a book of limits and a breaker that take everything and remember what reached the venue."""

    def __init__(self) -> None:
        self.reached: list[str] = []

    async def place(self, order: NewOrder, *, timeout_ms: int) -> Any:
        self.reached.append(order.ref)
        return Desk().word(order, Status.NEW)

    async def cancel(self, order: OrderRef, *, timeout_ms: int) -> None:
        self.reached.append(order.ref)

    def dead_after_ms(self, sent_ms: Millis) -> Millis:
        return sent_ms

    def ended(self, *, entry: bool, good: bool) -> None: ...

    def count(self, order: NewOrder, now_ms: Millis) -> None: ...


class DeskClock:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def now_ms(self) -> Millis:
        return self._desk.now

    monotonic_ms = now_ms


async def carried_out(
    desk: Desk, command: Place | Cancel, venue: Recorder | None = None, terms: object = None
) -> tuple[Fact | None, list[str]]:
    """The outcome, and what reached the venue, as the desk stands now."""
    venue = venue or Recorder()
    gates = type("Gates", (), {"breaker": venue, "capability": None, "terms": terms})()
    sender = Sender(*cast("Any", [venue, None, venue, gates, DeskClock(desk), None]))
    fact = await sender.carry_out(command, lambda: desk.holding, lambda: None)
    return fact, venue.reached


def moved_stop() -> tuple[Desk, Cancel, NewOrder]:
    """A position that grew: the second stop lives, and the cancel of the first waits for the disk."""
    desk = a_long("0.01")
    desk.submit(an_intent("i2", qty="0.01"))
    entry = desk.placed(Role.TAKER)
    desk.ack(entry)
    desk.fill(entry, "0.01")
    second = desk.placed(Role.STOP)
    desk.ack(second)
    [cancel] = [command for command in desk.last if isinstance(command, Cancel)]
    return desk, cancel, second


@pytest.mark.req("S4-FUT-3")
async def test_a_stop_is_not_cancelled_when_its_successor_has_gone_meanwhile() -> None:
    desk, cancel, second = moved_stop()
    assert (await carried_out(desk, cancel))[1] == [cancel.order.ref]

    desk.hear(Reported(order=desk.word(second, Status.EXPIRED)))
    fact, reached = await carried_out(desk, cancel)

    assert reached == []
    assert isinstance(fact, CancelNotSent)
    desk.hear(fact)
    desk.hear(Found(order=desk.word(desk.holding.orders[cancel.order.ref].request, Status.NEW)))
    assert desk.holding.covered_qty == Decimal("0.01"), "it guards as before"


async def test_the_stop_of_a_position_that_is_gone_is_cancelled() -> None:
    desk, cancel, second = moved_stop()
    desk.fill(second, "0.02", "64000")

    assert (await carried_out(desk, cancel))[1] == [cancel.order.ref]


def reducing() -> tuple[Desk, Place]:
    """A reduce-only intent whose order waits for the disk."""
    desk = a_long("0.02")
    desk.submit(an_intent("i2", side=Side.SELL, qty="0.01", reduce_only=True, stop=None))
    [place] = [command for command in desk.last if isinstance(command, Place)]
    return desk, place


@pytest.mark.req("S4-EXIT-1")
async def test_a_reduce_only_intent_does_not_leave_after_its_moment() -> None:
    desk, place = reducing()
    assert (await carried_out(desk, place))[1] == [place.order.ref]
    fact, reached = await carried_out(desk.later(60_000), place)

    assert reached == []
    assert isinstance(fact, PlaceNotSent)
    desk.hear(fact)
    assert IntentId("i2") not in desk.holding.engaged, "past its deadline it is over"


@pytest.mark.req("S4-EXIT-1")
async def test_a_reduce_only_intent_that_was_cancelled_does_not_leave() -> None:
    desk, place = reducing()
    desk.hear(CancelAsked(intent_id=IntentId("i2"), reason="CALLER"))
    fact, reached = await carried_out(desk, place)

    assert reached == []
    assert isinstance(fact, PlaceRefused)
    desk.hear(fact)
    assert IntentId("i2") not in desk.holding.engaged


@pytest.mark.req("S4-API-11", "S4-EXIT-1")
async def test_an_order_that_waited_while_its_intent_was_changed_makes_way_for_the_next() -> None:
    """Made smaller meanwhile, it was refused as more than was intended, and the exit was given up."""
    desk, place = reducing()
    less = Qty(Decimal("0.005"))
    plan = Plan(slices=(Slice(qty=less),), deadline_ms=Millis(desk.now + 10_000))
    intent = desk.holding.intents[IntentId("i2")].intent
    desk.hear(ChangeAsked(intent=intent.but(qty=less), plan=plan))
    fact, reached = await carried_out(desk, place)

    assert reached == []
    assert fact is not None
    [after] = [c for c in desk.hear(fact) if isinstance(c, Place)]
    assert (after.order.qty, after.order.ref[-1]) == (less, "2")


async def test_after_a_fault_of_ours_the_duties_look_again() -> None:
    """The timer that brought the fact is used up, and nothing else may ever happen here."""
    desk, faulty = a_long(), [True]

    def scene(_: object) -> Scene:
        if faulty.pop():
            raise RuntimeError("a mistake of ours")
        return desk.scene

    parts = cast("Any", dict.fromkeys(("ledger", "sender", "relay")))
    owner = Owner(desk.holding, rev=1, fence=1, clock=CLOCK, scene=scene, **parts)
    loop, asked = asyncio.get_running_loop(), list[float]()
    later = loop.call_later

    def call_later(delay: float, callback: Any, *args: Any) -> asyncio.TimerHandle:
        asked.append(delay)
        return later(delay, callback, *args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "call_later", call_later)
        owner.hear(Ticked())

    assert owner.faults == 1
    assert asked == [RETRY_FAULT_S]


@pytest.mark.req("S4-EXIT-1")
async def test_a_part_is_measured_by_what_has_filled_though_its_trades_are_late() -> None:
    """Asked to close 0.004 of 0.01 while only the answer had told of the fill, it closed everything."""
    desk = Desk()
    desk.submit(an_intent(qty="0.01"))
    desk.hear(Found(order=desk.word(desk.placed(Role.TAKER), Status.FILLED, cum="0.01")))
    assert not desk.holding.position.qty

    class StandingOwner(StubOwner):
        async def saved_soon(self) -> bool:
            return True

    owner = StandingOwner(desk.holding)
    ground = a_ground({KEY: owner}, scene=lambda holding: desk.scene)
    nobody = cast("Any", None)  # stands in, and no name is looked for
    told = await Closing(ground, nobody, nobody).close(Market.FUT, "BTCUSDT", Decimal("0.004"), "OPERATOR")

    assert owner.heard == [CloseAsked(reason="OPERATOR", qty=Qty(Decimal("0.004")))]
    assert told["position_qty"] == "0.01"


class Broken(Recorder):
    """Whose book of limits has a fault of ours."""

    def count(self, order: NewOrder, now_ms: Millis) -> None:
        raise RuntimeError("a mistake of ours")


@pytest.mark.req("S4-FUT-3")
async def test_a_stop_whose_sending_met_a_fault_of_ours_is_in_doubt_and_not_pending_for_ever() -> None:
    desk = Desk()
    desk.submit(an_intent())
    desk.fill(desk.placed(Role.TAKER), "0.01")
    [place] = [command for command in desk.last if isinstance(command, Place) and command.role is Role.STOP]
    fact, _ = await carried_out(desk, place, Broken())

    assert isinstance(fact, PlaceUnanswered)
    desk.hear(fact)
    desk.later(300).hear(Ticked())
    assert desk.count(Role.STOP) == 2, "it is sent again"


async def test_who_fails_to_hear_the_news_costs_no_look_at_the_time() -> None:
    desk = a_long()

    def deaf(events: object) -> None:
        raise RuntimeError("a mistake of ours")

    parts = cast("Any", dict.fromkeys(("ledger", "sender", "relay")))
    owner = Owner(desk.holding, rev=1, fence=1, clock=DeskClock(desk), scene=lambda _: desk.scene, **parts)
    owner.listeners.append(deaf)
    desk.later(5)
    owner.hear(CancelAsked(intent_id=IntentId("i1"), reason="CALLER", escalate=True))

    assert owner.faults == 1
    assert owner._timer is not None
    owner._timer.cancel()
    assert owner.under_way


@pytest.mark.req("S4-EXIT-1", "I12")
async def test_after_a_start_a_schedule_that_reduces_waits_for_the_venue_too() -> None:
    """What it was to reduce may be gone, and another opened by hand; a close of everything is not held up by it."""
    desk, place = reducing()
    parts = cast("Any", dict.fromkeys(("ledger", "sender", "relay")))
    owner = Owner(desk.holding, rev=1, fence=1, clock=CLOCK, scene=lambda _: desk.scene, **parts)
    early = owner._too_early(place)

    assert isinstance(early, PlaceNotSent)
    assert early.held
    assert owner._too_early(place.but(role=Role.EXIT)) is None
    owner.recovered.set()
    assert owner._too_early(place) is None


class Leverage:
    """Of the symbol, as whoever keeps it tells."""

    def __init__(self, says: Refused | None, *, known: bool = True) -> None:
        self._says = says
        self._known = known

    async def differs(self, intent: Intent) -> Refused | None:
        if self._known or self._says is None:
            return self._says
        raise self._says


@pytest.mark.req("S4-RULE-2")
@pytest.mark.fault("F13")
async def test_no_child_of_a_schedule_goes_at_another_leverage_than_its_stop_was_judged_by() -> None:
    desk = Desk()
    desk.submit(an_intent(qty="0.02"), "0.01", "0.01", gap_ms=5_000)
    [place] = [command for command in desk.last if isinstance(command, Place)]
    other = Refused("LEVERAGE_IN_USE", "BTCUSDT is traded at leverage 100")
    untold, reached = await carried_out(desk, place, terms=Leverage(other, known=False))
    assert isinstance(untold, PlaceNotSent)
    assert (untold.held, untold.retry_after_ms, reached) == (True, 1_000, [])

    no, reached = await carried_out(desk, place, terms=Leverage(other))
    assert reached == []
    assert isinstance(no, PlaceRefused)
    desk.hear(no)
    working = desk.holding.intents[IntentId("i1")]
    assert (working.phase, working.refusal_code) == (Phase.DONE, "LEVERAGE_IN_USE")
