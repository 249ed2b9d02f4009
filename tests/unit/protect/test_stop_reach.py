"""Stops that belong beyond the venue's price band: they stand at its edge, and nothing is closed for it."""

from decimal import Decimal
from itertools import pairwise

import pytest

from chimera.trading.commands import Place
from chimera.trading.events import Alert
from chimera.trading.execution import STOP_REFUSED
from chimera.trading.facts import ChangeAsked, Reported, Ticked
from chimera.trading.ids import IntentId
from chimera.trading.intent import StopSpec
from chimera.trading.market import Side
from chimera.trading.money import Price
from chimera.trading.order import NewOrder, Role, Status
from support.desk import BTC, Desk, an_intent
from support.refusals import said_no

pytestmark = pytest.mark.req("S4-FUT-3")

BELOW, ABOVE = -4211, -4210  # a trigger beyond the band
WIDTH = Decimal("0.05")  # of the mark, each way


class BandedDesk(Desk):
    """A venue that answers each stop at once, by the band around the market as it is then."""

    def answer(self) -> None:
        for command in [c for c in self.last if isinstance(c, Place) and c.role is Role.STOP]:
            self.answered(command.order)

    def answered(self, order: NewOrder) -> None:
        assert order.trigger_price is not None
        if order.side is Side.SELL and order.trigger_price < self.bid * (1 - WIDTH):
            self.hear(said_no(ref=order.ref, code=BELOW, message="below the band"))
        elif order.side is Side.BUY and order.trigger_price > self.bid * (1 + WIDTH):
            self.hear(said_no(ref=order.ref, code=ABOVE, message="above the band"))
        else:
            self.ack(order)

    def market(self, price: str) -> None:
        """It has gone there; a moment later somebody looks."""
        self.bid, self.ask = Decimal(price), Decimal(price) + Decimal("0.1")
        self.later(200).hear(Ticked())
        self.answer()

    @property
    def stop(self) -> Decimal:
        """Where the one that covers everything stands."""
        assert self.holding.covered
        [live] = [order for order in self.holding.in_role(Role.STOP) if order.live]
        assert live.request.trigger_price is not None
        return live.request.trigger_price


def filled(desk: BandedDesk, name: str, side: Side, stop: str) -> None:
    desk.submit(an_intent(name, side=side, stop=StopSpec(price=Price(Decimal(stop)))))
    desk.fill(desk.placed(Role.TAKER), "0.01")
    desk.answer()


def codes(desk: Desk) -> list[str]:
    return [event.body.code for event in desk.holding.outbox if isinstance(event.body, Alert)]


@pytest.mark.parametrize(
    ("side", "stop", "away", "edge"),
    [(Side.BUY, "64000", "68000", "64668.0"), (Side.SELL, "66000", "62000", "65038.0")],
)
def test_what_a_market_has_gone_from_is_covered_at_the_edge_of_the_band(
    side: Side, stop: str, away: str, edge: str
) -> None:
    """In profit by a twentieth, and a second fill needs a stop of its own: it was closed after two refusals."""
    desk = BandedDesk()
    filled(desk, "i1", side, stop)
    desk.market(away)
    assert desk.stop == Decimal(stop), "the venue lets stand what stands"
    filled(desk, "i2", side, stop)

    assert desk.stop == Decimal(edge)
    assert desk.holding.exit is None
    assert codes(desk) == ["STOP_NEARER"]


def test_it_goes_where_it_belongs_as_the_market_comes_back() -> None:
    desk = BandedDesk()
    filled(desk, "i1", Side.BUY, "64000")
    desk.market("68000")
    filled(desk, "i2", Side.BUY, "64000")
    stops = [desk.stop]
    for price in ("67900", "68500", "67400", "67300", "68000"):
        desk.market(price)
        desk.later(3_000).hear(Ticked())
        desk.answer()
        stops.append(desk.stop)

    assert [stop <= earlier for earlier, stop in pairwise(stops)] == [True] * 5, "never up again"
    assert stops[-1] == Decimal(64000)
    assert desk.count(Role.STOP) < 7, "it does not run after every tick"
    assert desk.count(Role.EXIT) == 0


def test_a_mark_that_we_see_late_costs_one_refusal_and_no_position() -> None:
    """The venue's band has moved on: what we think it takes it refuses, and the next is well inside."""
    desk = BandedDesk()
    desk.submit(an_intent(stop=StopSpec(price=Price(Decimal(62000)))))
    desk.fill(desk.placed(Role.TAKER), "0.01")
    desk.hear(said_no(ref=desk.placed(Role.STOP).ref, code=BELOW, message="below the band"))
    desk.later(200).hear(Ticked())
    order = desk.placed(Role.STOP)

    assert order.trigger_price == Decimal("62400.0")
    desk.ack(order)
    assert desk.stop == Decimal("62400.0")
    assert desk.holding.exit is None


def test_a_stop_that_cannot_be_moved_leaves_the_one_that_stands_and_closes_nothing() -> None:
    desk = BandedDesk()
    filled(desk, "i1", Side.BUY, "64000")
    work = desk.holding.intents[IntentId("i1")]
    nearer = work.intent.but(stop=StopSpec(price=Price(Decimal(64500))))
    desk.hear(ChangeAsked(intent=nearer, plan=None))
    for _ in range(20):
        asked = desk.placed(Role.STOP)
        assert asked.trigger_price == Decimal(64500)
        desk.hear(said_no(ref=asked.ref, code=-4045, message="too many"))
        desk.later(5_000).hear(Ticked())

    assert desk.stop == Decimal(64000)
    assert desk.holding.exit is None
    assert codes(desk) == ["STOP_TRY_REFUSED"]
    assert desk.count(Role.STOP) == 22, "it goes on trying, and not in haste"

    desk.ack(desk.placed(Role.STOP))
    assert desk.stop == Decimal(64500)


def test_what_fills_while_a_stop_cannot_be_moved_is_covered_at_once() -> None:
    """The pause is for the move: it holds up no stop that something bare needs."""
    desk = BandedDesk()
    filled(desk, "i1", Side.BUY, "64000")
    work = desk.holding.intents[IntentId("i1")]
    desk.hear(ChangeAsked(intent=work.intent.but(stop=StopSpec(price=Price(Decimal(64500)))), plan=None))
    desk.hear(said_no(ref=desk.placed(Role.STOP).ref, code=-4045, message="too many"))
    before = desk.count(Role.STOP)
    desk.later(100).hear(Ticked())
    assert desk.count(Role.STOP) == before, "nothing is bare: not in haste"
    filled(desk, "i2", Side.BUY, "64000")

    assert desk.stop == Decimal(64500)
    assert desk.holding.covered_qty == Decimal("0.02")


def test_one_that_the_venue_ends_each_time_is_not_sent_in_haste() -> None:
    desk = BandedDesk()
    filled(desk, "i1", Side.BUY, "64000")
    work = desk.holding.intents[IntentId("i1")]
    desk.hear(ChangeAsked(intent=work.intent.but(stop=StopSpec(price=Price(Decimal(64500)))), plan=None))
    for _ in range(3):
        asked = desk.placed(Role.STOP)
        desk.hear(Reported(order=desk.word(asked, Status.EXPIRED)))
        sent = desk.count(Role.STOP)
        desk.later(1_000).hear(Ticked())
        assert desk.count(Role.STOP) == sent
        desk.later(4_000).hear(Ticked())
        assert desk.count(Role.STOP) == sent + 1

    assert desk.stop == Decimal(64000)
    assert desk.holding.exit is None


def test_what_is_bare_is_closed_after_two_refusals_as_ever() -> None:
    desk = BandedDesk()
    desk.submit(an_intent(stop=StopSpec(price=Price(Decimal(64000)))))
    desk.fill(desk.placed(Role.TAKER), "0.01")
    for _ in range(2):
        desk.hear(said_no(ref=desk.placed(Role.STOP).ref, code=-4045, message="too many"))
        desk.later(200).hear(Ticked())

    assert desk.holding.exit is not None
    assert desk.holding.exit.reason == STOP_REFUSED


def test_the_band_is_the_one_of_the_rules() -> None:
    assert (BTC.price_down, BTC.price_up) == (1 - WIDTH, 1 + WIDTH)
