"""Guards between market and owners: in step with the holdings, heard of once, told apart from bare time."""

from decimal import Decimal

import pytest

from chimera.services.router.covering import Cover
from chimera.services.router.guarding import Guarding
from chimera.trading.execution import STOP_CROSSED
from chimera.trading.facts import Restarted, Ticked, Touched
from chimera.trading.holding import Holding
from chimera.trading.ids import AccountId
from chimera.trading.intent import StopSpec
from chimera.trading.market import Touch
from chimera.trading.money import Millis, Price, Qty
from chimera.trading.order import Role
from chimera.wire.codec import seal, unseal
from support.desk import KEY, SYMBOL, Desk, a_long, an_intent
from support.refusals import said_no

AT_64000 = StopSpec(price=Price(Decimal(64000)))


class OwnerDesk(Desk):
    """A desk that passes for an owner, and tells his listeners as he does."""

    def __init__(self, account: str = "main") -> None:
        super().__init__()
        self.holding = self.holding.but(key=self.holding.key.but(account=AccountId(account)))
        self.touches: list[Touched] = []
        self.deaf = False

    def hear(self, fact):  # type: ignore[no-untyped-def]  # as Desk's
        if isinstance(fact, Touched):
            self.touches.append(fact)
            if self.deaf:
                return ()
        return super().hear(fact)


def a_refused(account: str = "main") -> OwnerDesk:
    """A long at 65000 whose first stop, at 64000, was refused."""
    desk = OwnerDesk(account)
    desk.submit(an_intent(stop=AT_64000))
    desk.fill(desk.placed(Role.TAKER), "0.01")
    desk.hear(said_no(ref=desk.placed(Role.STOP).ref, code=-4045, message="no"))
    return desk


def guarding(*desks: OwnerDesk) -> Guarding:
    made = Guarding({desk.holding.key: desk for desk in desks}, lambda symbol: KEY)
    for desk in desks:
        made.keep(desk.holding)
    return made


def look(made: Guarding, mark: str | None, mid: str = "65000") -> None:
    one, half = Qty(Decimal(1)), Decimal("0.05")
    touch = Touch(
        bid=Price(Decimal(mid) - half), bid_qty=one, ask=Price(Decimal(mid) + half), ask_qty=one, at_ms=Millis(0)
    )
    made.looked(SYMBOL, touch, None if mark is None else Price(Decimal(mark)))


@pytest.mark.req("S4-SPOT-4")
def test_a_look_at_the_market_reaches_whoever_it_touches() -> None:
    desk, other = a_refused(), a_refused("other")
    made = guarding(desk, other)
    look(made, "64000.1")
    assert made.armed == 2
    assert desk.touches == []

    look(made, "63999")
    assert [fact.price for fact in desk.touches + other.touches] == [63999, 63999]
    assert desk.holding.exit is not None
    assert desk.holding.exit.reason == STOP_CROSSED
    look(made, "63999")
    assert (len(desk.touches), made.armed) == (1, 0)


@pytest.mark.req("S4-SPOT-4")
def test_without_a_mark_the_mid_is_watched() -> None:
    desk = a_refused()
    made = guarding(desk)
    look(made, "64001", mid="63990")
    assert desk.touches == []

    look(made, None, mid="63990")
    assert len(desk.touches) == 1


@pytest.mark.req("S4-SPOT-4")
def test_what_an_owner_disarms_is_watched_no_more() -> None:
    desk = a_refused()
    made = guarding(desk)
    desk.later(200).hear(Ticked())
    desk.ack(desk.placed(Role.STOP))
    look(made, "63000")

    assert (made.armed, desk.touches) == (0, [])


def test_an_owner_who_could_not_take_it_in_hears_it_again() -> None:
    desk = a_refused()
    made = guarding(desk)
    desk.deaf = True
    look(made, "63999")
    desk.deaf = False
    look(made, "63999")

    assert len(desk.touches) == 2
    assert desk.holding.exit is not None


@pytest.mark.req("S4-SPOT-4")
def test_after_a_restart_the_first_look_fires() -> None:
    before, after = a_refused(), OwnerDesk()
    after.now = before.now
    after.holding = unseal(seal(before.holding), Holding)
    made = Guarding({KEY: after}, lambda symbol: KEY)
    after.hear(Restarted())
    look(made, "63000")

    assert len(after.touches) == 1


@pytest.mark.req("S4-FUT-3")
def test_guarded_time_is_told_apart_and_is_unprotected_time_all_the_same() -> None:
    class HandClock:
        at_ms = 0

        def now_ms(self) -> Millis:
            return Millis(self.at_ms)

        monotonic_ms = now_ms

    clock = HandClock()
    cover = Cover(clock)
    refused, covered = a_refused().holding, a_long().holding
    bare = refused.but(guards=())
    for at_ms, holding in ((0, covered), (100, bare), (150, refused), (450, bare), (500, refused)):
        clock.at_ms = at_ms
        cover.look(holding, Decimal("0.001"))
    clock.at_ms = 600
    assert (cover.unprotected_ms(), cover.guarded_ms()) == (500, 400)

    clock.at_ms = 1_000
    cover.look(covered, Decimal("0.001"))
    assert (cover.unprotected_ms(), cover.guarded_ms()) == (0, 0)
    assert (cover.max_unprotected_ms, cover.max_unwatched_ms) == (900, 100)
