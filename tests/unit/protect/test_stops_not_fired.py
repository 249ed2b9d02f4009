"""Stops whose price the market has passed, and that the venue does not trigger: they wait, and protect nothing."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from chimera.trading.commands import Ask
from chimera.trading.events import Alert
from chimera.trading.execution import STOP_STUCK
from chimera.trading.facts import Found, Restarted, Ticked
from chimera.trading.intent import StopSpec, WorkingType
from chimera.trading.money import Price
from chimera.trading.order import Order, Role, Status
from chimera.trading.scene import Policy
from support.desk import Desk, a_long
from support.spot_desk import a_spot_long

pytestmark = [pytest.mark.req("I11"), pytest.mark.fault("B41")]

PATIENCE_MS = Policy().passed_patience_ms
STOP = StopSpec(price=Price(Decimal(64500)))
BY_TRADES = STOP.but(working_type=WorkingType.CONTRACT_PRICE)


def at(desk: Desk, bid: str, ask: str | None = None) -> None:
    desk.bid, desk.ask = Decimal(bid), Decimal(ask or bid) + Decimal("0.1") * (ask is None)


def stop_of(desk: Desk) -> Order:
    return desk.holding.orders[desk.placed(Role.STOP).ref]


def waits(desk: Desk, ms: int, every_ms: int = 200) -> None:
    """S4 looks, and the venue says whenever it is asked that the stop waits."""
    until = desk.now + ms
    while desk.now < until:
        desk.later(every_ms).hear(Ticked())
        if any(isinstance(command, Ask) for command in desk.last):
            desk.hear(Found(order=desk.word(desk.placed(Role.STOP), Status.NEW)))


@pytest.mark.parametrize("stop", [STOP, BY_TRADES])
def test_the_position_is_closed_and_the_stop_stays_until_it_is_flat(stop: StopSpec) -> None:
    desk = a_long(stop=stop)
    at(desk, "64400")
    waits(desk, PATIENCE_MS)
    assert not desk.count(Role.EXIT), "the venue may be about to trigger it"
    waits(desk, 400)

    assert desk.holding.exit is not None
    assert desk.holding.exit.reason == STOP_STUCK
    assert desk.placed(Role.EXIT).reduce_only
    assert desk.canceled() == []
    [told] = [event.body for event in desk.holding.outbox if isinstance(event.body, Alert)]
    assert told.text.endswith("ms ago and it has not fired")


def test_on_spot_its_list_goes_first() -> None:
    desk = a_spot_long()
    [pair] = desk.pairs()
    at(desk, "63900")
    for _ in range(PATIENCE_MS // 200 + 2):
        desk.later(200).hear(Ticked())
        for leg in (pair.stop, pair.target) if not desk.canceled() else ():
            desk.hear(Found(order=desk.word(leg, Status.NEW)))
    assert desk.canceled()
    desk.cancel_list(pair)

    assert desk.placed(Role.EXIT).qty == pair.stop.qty


def back(desk: Desk) -> None:
    at(desk, "64600")
    waits(desk, 400)
    at(desk, "64400")


def unseen(desk: Desk) -> None:
    """A machine asleep, or no price: nobody knows where it was."""
    desk.later(5_000)


def restarted(desk: Desk) -> None:
    desk.hear(Restarted())


@pytest.mark.parametrize("broken", [back, unseen, restarted])
def test_its_time_counts_from_where_the_price_was_last_elsewhere(broken: Callable[[Desk], None]) -> None:
    desk = a_long(stop=STOP)
    at(desk, "64400")
    waits(desk, PATIENCE_MS - 1_000)
    broken(desk)
    waits(desk, PATIENCE_MS - 1_000)
    assert desk.holding.exit is None
    waits(desk, 1_400)

    assert desk.holding.exit is not None


def test_one_that_goes_by_trades_waits_while_some_could_be_made_on_its_own_side() -> None:
    """The bid alone is past it: nobody may have traded there."""
    desk = a_long(stop=BY_TRADES)
    at(desk, "64400", "64600")
    waits(desk, 2 * PATIENCE_MS)

    assert desk.holding.exit is None
    assert stop_of(desk).passed_ms is None


def test_what_fires_meanwhile_is_left_to_its_work() -> None:
    desk = a_long(stop=STOP)
    at(desk, "64400")
    waits(desk, PATIENCE_MS - 400)
    desk.hear(Found(order=desk.word(desk.placed(Role.STOP), Status.TRIGGERING)))
    desk.later(800).hear(Ticked())
    assert desk.holding.exit is None
    desk.fill(desk.placed(Role.STOP), "0.01", "64400")

    assert not desk.holding.position.lots
