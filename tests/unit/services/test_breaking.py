"""The breaker at the last hop: entries wait, exits pass, each change is an alert."""

from decimal import Decimal
from typing import Any, cast

import pytest
from desk import Desk, a_long, an_intent

from chimera.admit.breaker import BreakerPolicy, State
from chimera.admit.limits import LimitBook, Limits
from chimera.execute.pruning import LINGER_MS
from chimera.ports.clock import Clock
from chimera.services.router.barriers import Barriers
from chimera.services.router.breaking import Breaking
from chimera.services.router.sender import Gates, Sender
from chimera.trading.commands import Place
from chimera.trading.errors import NotSent, OutcomeUnknown
from chimera.trading.events import Alert
from chimera.trading.facts import CloseAsked, Fact, PlaceNotSent, PlaceUnanswered, Ticked
from chimera.trading.market import Side
from chimera.trading.money import Millis, Price, Qty, Quote
from chimera.trading.order import NewOrder, Role
from chimera.trading.standstill import Standstill

LIMITS = Limits(
    max_order_notional=Quote(Decimal(10**9)),
    max_position_notional=Quote(Decimal(10**9)),
    max_gross_notional=Quote(Decimal(10**9)),
    max_daily_loss=Quote(Decimal(10**9)),
    price_collar_bps=Decimal(10**4),
    max_orders_per_10s=1_000,
)


class HandClock:
    def __init__(self) -> None:
        self.at_ms = Millis(1_800_000_000_000)

    def now_ms(self) -> Millis:
        return self.at_ms

    def monotonic_ms(self) -> Millis:
        return self.at_ms


class Venue:
    """Fails as told, and counts what reached it."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.placed: list[NewOrder] = []

    async def place(self, order: NewOrder, *, timeout_ms: int) -> Any:
        self.placed.append(order)
        if self.failures:
            raise self.failures.pop(0)
        return Desk().word(order, cast("Any", "NEW"))

    def dead_after_ms(self, sent_ms: Millis) -> Millis:
        return Millis(sent_ms + 1)


def a_sender(venue: Venue, clock: HandClock) -> tuple[Sender, list[Alert]]:
    alerts: list[Alert] = []
    hand = cast("Clock", clock)
    breaking = Breaking(BreakerPolicy(pause_ms=1_000), hand, alerts.append)
    gates = Gates(breaking, Barriers(hand, alerts.append), Standstill)
    return Sender(cast("Any", venue), cast("Any", None), LimitBook(LIMITS), gates, hand, hand.now_ms), alerts


async def enter(sender: Sender, name: str) -> Fact | None:
    desk = Desk()
    desk.submit(an_intent(name))
    command = Place(order=desk.placed(Role.TAKER), role=Role.TAKER)
    return await sender.carry_out(command, lambda: desk.holding, lambda: Price(desk.bid))


@pytest.mark.req("S4-CB-1", "I18")
async def test_three_failures_stop_entries_and_nothing_else() -> None:
    venue, clock = Venue(OutcomeUnknown("?"), NotSent("503"), OutcomeUnknown("?")), HandClock()
    sender, alerts = a_sender(venue, clock)
    for name in ("a", "b", "c"):
        assert isinstance(await enter(sender, name), PlaceNotSent | PlaceUnanswered)
    blocked = await enter(sender, "d")
    assert isinstance(blocked, PlaceNotSent)
    assert (blocked.reason.split(":")[0], blocked.retry_after_ms) == ("BREAKER_OPEN", 1_000)
    assert len(venue.placed) == 3
    stop = a_long().placed(Role.STOP)
    await sender.carry_out(Place(order=stop, role=Role.STOP), lambda: a_long().holding, lambda: None)
    assert venue.placed[-1] is stop
    assert [(alert.code, alert.text.split(":")[0]) for alert in alerts] == [
        ("BREAKER_OPEN", "3 entries in a row failed")
    ]


@pytest.mark.req("S4-CB-1", "I18")
async def test_one_that_goes_well_after_the_pause_closes_it() -> None:
    venue, clock = Venue(NotSent("503"), NotSent("503"), NotSent("503")), HandClock()
    sender, alerts = a_sender(venue, clock)
    for name in ("a", "b", "c"):
        await enter(sender, name)
    clock.at_ms = Millis(clock.at_ms + 1_000)
    await enter(sender, "d")
    await enter(sender, "e")
    assert [order.side for order in venue.placed] == [Side.BUY] * 5
    assert [alert.code for alert in alerts] == ["BREAKER_OPEN", "BREAKER_HALF_OPEN", "BREAKER_CLOSED"]


@pytest.mark.req("S4-CB-1", "I18")
async def test_an_attempt_that_the_governor_held_back_passes_its_place_on() -> None:
    """It never left, so nobody would hear of it: half open for 15 s, for want of room in the rate limits."""
    held = NotSent("no room", Millis(1_000), held=True)
    venue, clock = Venue(NotSent("503"), NotSent("503"), NotSent("503"), held), HandClock()
    sender, alerts = a_sender(venue, clock)
    for name in ("a", "b", "c"):
        await enter(sender, name)
    clock.at_ms = Millis(clock.at_ms + 1_000)
    kept = await enter(sender, "d")
    assert isinstance(kept, PlaceNotSent)
    assert kept.held
    assert sender.breaker.now.state is State.HALF_OPEN, "it was no failure of the venue's"
    clock.at_ms = Millis(clock.at_ms + 1)
    await enter(sender, "e")
    assert [alert.code for alert in alerts] == ["BREAKER_OPEN", "BREAKER_HALF_OPEN", "BREAKER_CLOSED"]


@pytest.mark.req("S4-CB-1", "I18")
async def test_a_close_that_was_held_back_is_nobodys_attempt() -> None:
    """One entry is trying; another would be too many, whatever happens to closes meanwhile."""
    venue, clock = Venue(NotSent("503"), NotSent("503"), NotSent("503")), HandClock()
    sender, _ = a_sender(venue, clock)
    for name in ("a", "b", "c"):
        await enter(sender, name)
    clock.at_ms = Millis(clock.at_ms + 1_000)
    assert sender.breaker.objection() is None
    sender.breaker.entering()
    desk = a_long()
    venue.failures.append(NotSent("no room", held=True))
    stop = desk.placed(Role.STOP)
    desk.hear(PlaceNotSent(ref=stop.ref, reason="no room", held=True))
    await sender.carry_out(Place(order=stop, role=Role.STOP), lambda: desk.holding, lambda: None)
    assert sender.breaker.objection() is not None


async def test_what_ended_while_it_waited_for_the_disk_does_not_leave() -> None:
    venue = Venue()
    sender, _ = a_sender(venue, HandClock())
    desk = a_long("0.03")
    desk.hear(CloseAsked(reason="OPERATOR", qty=Qty(Decimal("0.01"))))
    part = desk.placed(Role.EXIT)
    desk.fill(part, "0.01")
    assert await sender.carry_out(Place(order=part, role=Role.EXIT), lambda: desk.holding, lambda: None) is None
    assert venue.placed == []


async def test_what_is_known_no_more_does_not_leave() -> None:
    """A part that waited for the disk until its end was forgotten: by now it would close a later position."""
    venue = Venue()
    sender, _ = a_sender(venue, HandClock())
    desk = a_long("0.03")
    desk.hear(CloseAsked(reason="OPERATOR", qty=Qty(Decimal("0.01"))))
    part = desk.placed(Role.EXIT)
    desk.fill(part, "0.01")
    desk.later(LINGER_MS).hear(Ticked())
    assert part.ref not in desk.holding.orders
    assert await sender.carry_out(Place(order=part, role=Role.EXIT), lambda: desk.holding, lambda: None) is None
    assert venue.placed == []


@pytest.mark.req("S4-IDEM-2")
async def test_what_has_left_is_never_called_held_back() -> None:
    venue, clock = Venue(OutcomeUnknown("?")), HandClock()
    sender, _ = a_sender(venue, clock)
    desk = Desk()
    desk.submit(an_intent())
    command = Place(order=desk.placed(Role.TAKER), role=Role.TAKER)
    for _ in range(2):  # the second time its moment is over, too
        fact = await sender.carry_out(command, lambda: desk.holding, lambda: Price(desk.bid))
        assert isinstance(fact, PlaceUnanswered)
        clock.at_ms = Millis(clock.at_ms + 60_000)
    assert len(venue.placed) == 1


@pytest.mark.req("S4-LIM-1")
async def test_what_the_governor_holds_back_uses_up_no_orders() -> None:
    venue, clock = Venue(*[NotSent("full", held=True)] * 900), HandClock()
    sender, _ = a_sender(venue, clock)
    for number in range(900):
        fact = await enter(sender, f"i{number}")
        assert isinstance(fact, PlaceNotSent), fact
        assert fact.held
