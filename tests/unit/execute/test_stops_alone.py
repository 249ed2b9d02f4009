"""A stop on its own: it takes the place of the position's stop, without a moment in which none stands."""

from decimal import Decimal
from typing import Any

import pytest

from chimera.admit.admission import objections
from chimera.admit.tidying import tidied
from chimera.trading.commands import Cancel, Place
from chimera.trading.events import CancelRecorded, IntentChanged
from chimera.trading.execution import Phase
from chimera.trading.facts import CancelAsked, ChangeAsked, CloseAsked, Restarted, Ticked
from chimera.trading.fill import Fill
from chimera.trading.ids import IntentId
from chimera.trading.intent import Intent, IntentKind, StopAlone, StopSpec, WorkingType
from chimera.trading.market import Market, Side
from chimera.trading.money import Millis, Price, Qty
from chimera.trading.order import NewOrder, Role
from chimera.trading.scene import Scene
from chimera.wire.codec import decode
from chimera.wire.results import done, order_result
from support.desk import BTC, Desk, a_long, an_intent
from support.refusals import said_no
from support.spot_desk import a_spot_long

pytestmark = pytest.mark.req("S4-API-10")

AT_64000 = StopSpec(price=Price(Decimal(64000)))


def a_stop(name: str = "p1", price: str = "64500", **changes: Any) -> Intent:
    spec = StopSpec(price=Price(Decimal(price)), working_type=changes.pop("working_type", None))
    asked = an_intent(name, side=Side.SELL, policy=StopAlone(), stop=spec, reduce_only=True)
    return asked.but(kind=IntentKind.PROTECT, **changes)


def a_held(stop: StopSpec = AT_64000) -> Desk:
    return a_long(stop=stop).later(1_000)


def test_a_lots_stop_that_is_named_anew_afterwards_counts_beside_it() -> None:
    """The change was answered with its price, and the older and wider stop went on standing for the lot."""
    desk = a_held()
    desk.submit(a_stop(price="63000"))
    desk.ack(desk.placed(Role.STOP))
    intent = desk.holding.intents[IntentId("i1")].intent

    desk.later(1_000).hear(ChangeAsked(intent=intent.but(stop=StopSpec(price=Price(Decimal(64500))))))
    desk.ack(desk.placed(Role.STOP))
    assert desk.placed(Role.STOP).trigger_price == 64500

    desk.later(1_000).submit(a_stop("p2", price="63500"))  # the newest word again
    desk.ack(desk.placed(Role.STOP))
    assert desk.placed(Role.STOP).trigger_price == 63500


@pytest.mark.fault("B28")
def test_a_tick_that_grew_since_it_was_asked_rounds_it_and_never_repeats_a_refused_price() -> None:
    """It was made again at the refused price, at once and without end: no try was counted, no pause, no close."""
    desk = a_held()
    desk.submit(a_stop(price="64500.1"))
    first = desk.placed(Role.STOP)
    desk.rules = BTC.but(tick=Decimal("0.5"), min_price=Price(Decimal("0.5")))

    desk.hear(said_no(first.ref, -4014))

    assert desk.placed(Role.STOP).trigger_price == Decimal("64500.5")
    desk.ack(desk.placed(Role.STOP))
    assert stands(desk) == ["64500.5"]
    assert done(desk.holding, IntentId("p1"))
    assert shown(desk)["legs"][0]["stop_price"] == "64500.5"


class Apart(Desk):
    """The venue's clock is not ours."""

    ahead_ms = 0

    @property
    def scene(self) -> Scene:
        return super().scene.but(venue_now_ms=Millis(self.now + self.ahead_ms))

    def a_fill(self, order: NewOrder, qty: str, price: str, trade: str) -> Fill:
        return super().a_fill(order, qty, price, trade).but(at_ms=Millis(self.now + self.ahead_ms))


@pytest.mark.fault("A16")
@pytest.mark.parametrize("ahead_ms", [-900, 0, 900])
def test_which_of_two_stops_came_later_does_not_hang_on_the_venues_clock(ahead_ms: int) -> None:
    """An entry that filled just after it lost its own stop to it; just before, what was asked for did nothing."""
    desk = Apart()
    desk.ahead_ms = ahead_ms
    desk.submit(an_intent(stop=AT_64000))
    desk.fill(desk.placed(Role.TAKER), "0.01")
    desk.ack(desk.placed(Role.STOP))
    desk.later(200).submit(a_stop(price="63000"))
    desk.ack(desk.placed(Role.STOP))
    assert desk.placed(Role.STOP).trigger_price == 63000

    desk.later(200).submit(an_intent("i2", stop=StopSpec(price=Price(Decimal(64500)))))
    desk.fill(desk.placed(Role.TAKER), "0.01")

    assert desk.placed(Role.STOP).trigger_price == 64500


def shown(desk: Desk, name: str = "p1") -> dict[str, Any]:
    return order_result(desk.holding, IntentId(name))


def stands(desk: Desk) -> list[str]:
    return [str(order.request.trigger_price) for order in desk.holding.in_role(Role.STOP) if order.live]


@pytest.mark.parametrize("price", ["64500", "63500"])
def test_the_new_stop_stands_before_the_old_one_goes_tighter_or_not(price: str) -> None:
    desk = a_held()
    old = desk.placed(Role.STOP)

    desk.submit(a_stop(price=price))

    new = desk.placed(Role.STOP)
    assert (str(new.trigger_price), new.qty) == (price, old.qty)
    assert old.ref not in desk.canceled()
    assert (shown(desk)["status"], done(desk.holding, IntentId("p1"))) == ("ACCEPTED", False)
    desk.ack(new)
    assert desk.canceled() == [old.ref]
    assert (shown(desk)["status"], done(desk.holding, IntentId("p1"))) == ("ACCEPTED", True)
    leg = shown(desk)["legs"][0]
    assert (leg["leg"], leg["status"], leg["client_order_id"], leg["stop_price"]) == ("STOP", "NEW", new.ref, price)


def test_a_stop_at_the_price_of_the_one_that_stands_is_that_one() -> None:
    desk = a_held()
    before = desk.count(Role.STOP)

    desk.submit(a_stop(price="64000"))

    assert desk.count(Role.STOP) == before
    assert done(desk.holding, IntentId("p1"))


def test_what_triggers_it_is_its_own_word() -> None:
    desk = a_held()

    desk.submit(a_stop(working_type=WorkingType.CONTRACT_PRICE))

    assert desk.placed(Role.STOP).working_type is WorkingType.CONTRACT_PRICE


def test_at_the_same_price_by_another_gauge_it_is_another_stop() -> None:
    """It was answered as standing, while what stood went by the mark."""
    desk = a_held()
    old = desk.placed(Role.STOP)
    desk.submit(a_stop(price="64000", working_type=WorkingType.CONTRACT_PRICE))

    new = desk.placed(Role.STOP)
    assert (new.trigger_price, new.working_type) == (64000, WorkingType.CONTRACT_PRICE)
    assert not done(desk.holding, IntentId("p1"))
    desk.ack(new)
    assert desk.canceled() == [old.ref]
    assert done(desk.holding, IntentId("p1"))
    assert [leg["client_order_id"] for leg in shown(desk)["legs"]] == [new.ref]


def test_taken_back_the_lots_own_stop_returns() -> None:
    desk = a_held()
    desk.submit(a_stop())
    desk.ack(desk.placed(Role.STOP))

    desk.hear(CancelAsked(intent_id=IntentId("p1"), reason="USER_REQUEST"))

    new = desk.placed(Role.STOP)
    assert new.trigger_price == 64000
    assert stands(desk) == ["64500"]  # until the lots' own is live
    recorded = [event.body for event in desk.holding.outbox if isinstance(event.body, CancelRecorded)]
    assert [(each.intent_id, each.reason) for each in recorded] == [("p1", "USER_REQUEST")]
    desk.ack(new)
    assert IntentId("p1") not in desk.holding.intents
    assert desk.holding.exit is None


def test_the_newest_word_counts() -> None:
    desk = a_held()
    desk.submit(a_stop("p1", "64500"))
    desk.ack(desk.placed(Role.STOP))

    desk.submit(a_stop("p2", "64200"))

    assert desk.placed(Role.STOP).trigger_price == 64200
    assert IntentId("p1") not in desk.holding.intents
    assert desk.holding.intents[IntentId("p2")].phase is Phase.STANDING


def test_a_lot_that_comes_later_keeps_its_own_stop() -> None:
    desk = a_held()
    desk.submit(a_stop(price="63000"))
    desk.ack(desk.placed(Role.STOP))
    desk.later(1_000).submit(an_intent("i2", stop=StopSpec(price=Price(Decimal(64300)))))
    entry = desk.placed(Role.TAKER)

    desk.ack(entry)
    desk.fill(entry, "0.01")

    assert desk.placed(Role.STOP).trigger_price == 64300
    assert desk.placed(Role.STOP).qty == Decimal("0.02")


def test_it_is_filled_where_its_stop_has_closed_the_position() -> None:
    desk = a_held()
    desk.submit(a_stop())
    stop = desk.placed(Role.STOP)
    desk.ack(stop)

    desk.fill(stop, "0.01", "64499")

    row = _last_row(desk, "p1")
    assert (row["status"], row["filled_qty"], row["avg_price"]) == ("FILLED", "0.01", "64499")
    assert IntentId("p1") not in desk.holding.intents


def test_it_ends_with_the_position_it_was_for() -> None:
    desk = a_held()
    desk.submit(a_stop())
    desk.ack(desk.placed(Role.STOP))
    desk.hear(CloseAsked(reason="USER_REQUEST"))
    desk.later(400).hear(Ticked())
    out = desk.placed(Role.EXIT)
    desk.ack(out)

    desk.fill(out, "0.01")

    row = _last_row(desk, "p1")
    assert (row["status"], row["message"], row["filled_qty"]) == ("CANCELED", "USER_REQUEST", "0")
    assert not desk.holding.entering


def test_it_is_no_entry_under_way() -> None:
    """Whoever asks whether something may still open or add is not told of a stop."""
    desk = a_held()
    desk.submit(a_stop())

    assert not desk.holding.entering
    assert IntentId("p1") in desk.holding.engaged


def test_a_restart_keeps_it() -> None:
    desk = a_held()
    desk.submit(a_stop())
    desk.ack(desk.placed(Role.STOP))

    desk.hear(Restarted())
    desk.later(2_000).hear(Ticked())

    assert desk.holding.intents[IntentId("p1")].phase is Phase.STANDING
    assert stands(desk) == ["64500"]


def test_on_spot_the_list_is_cancelled_first_and_placed_anew_when_its_end_is_known() -> None:
    desk = a_spot_long()
    old = desk.pairs()[-1]
    desk.later(1_000)

    asked = a_stop(price="64500", market=Market.SPOT)
    desk.submit(asked)

    assert [type(command) for command in desk.last] == [Cancel]
    desk.cancel_list(old)
    new = desk.pairs()[-1]
    assert (new.stop.trigger_price, new.target.price) == (Decimal(64500), old.target.price)
    desk.stand(new)
    assert shown(desk)["status"] == "ACCEPTED"
    assert [leg["status"] for leg in shown(desk)["legs"]] == ["NEW"]
    assert not [command for command in desk.told if isinstance(command, Place) and command.role is Role.EXIT]


# ── whether it may ──


def codes(desk: Desk, intent: Intent) -> list[tuple[str, str | None]]:
    return [(no.code, no.field) for no in objections(intent, desk.holding, desk.scene)]


def test_it_needs_a_position_of_the_other_side() -> None:
    assert codes(Desk(), a_stop()) == [("REDUCE_ONLY_OPENS", "reduce_only")]
    assert codes(a_held(), a_stop().but(side=Side.BUY)) == [("REDUCE_ONLY_OPENS", "reduce_only")]


def test_its_price_must_stand_on_the_losing_side_and_before_liquidation() -> None:
    desk = a_held()
    assert codes(desk, a_stop(price="65100")) == [("WRONG_SIDE_STOP", "exec_policy.stop_price")]
    assert codes(desk, a_stop(price="64500")) == []
    assert codes(desk, a_stop(price="60000")) == [("STOP_BEYOND_LIQUIDATION", "exec_policy.stop_price")]


def test_one_is_refused_while_the_position_is_being_closed() -> None:
    desk = a_held()
    desk.hear(CloseAsked(reason="USER_REQUEST"))

    assert ("CLOSING", None) in codes(desk, a_stop())


def test_it_is_for_all_of_the_position_whatever_it_names() -> None:
    desk = a_held()

    whole, silent = tidied(a_stop(qty=Qty(Decimal(0))), desk.rules, desk.scene.policy, desk.holding)
    part, told = tidied(a_stop(qty=Qty(Decimal("0.003"))), desk.rules, desk.scene.policy, desk.holding)

    assert (whole.qty, silent) == (Decimal("0.01"), ())
    assert (part.qty, told) == (Decimal("0.01"), ("it is for all of the position, 0.01",))


def _last_row(desk: Desk, name: str) -> dict[str, Any]:
    told = [event.body for event in desk.holding.outbox if isinstance(event.body, IntentChanged)]
    return decode(next(body.row for body in reversed(told) if body.intent_id == name), dict[str, Any])
