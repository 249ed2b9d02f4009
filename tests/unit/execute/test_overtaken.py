"""The price of its own stop comes before an entry has filled: nothing more of it is entered (S4-SPOT-3)."""

import json
from collections.abc import Callable
from decimal import Decimal

import pytest

from chimera.execute.overtaken import STOP_FIRST, any_overtaken
from chimera.trading.events import Alert, Happening, IntentChanged, Severity
from chimera.trading.execution import STOP_CROSSED, Phase, Working
from chimera.trading.facts import CancelRefused, PauseAsked, Reported, Restarted, Ticked
from chimera.trading.holding import Holding
from chimera.trading.ids import IntentId
from chimera.trading.intent import Intent, IntentKind, StopAlone, StopSpec, WorkingType
from chimera.trading.market import Side
from chimera.trading.money import Price
from chimera.trading.order import NewOrder, OrderType, Role, Status, TimeInForce
from chimera.wire.codec import seal, unseal
from chimera.wire.results import order_result
from support.desk import Desk, an_intent
from support.spot_desk import SpotDesk, buy

pytestmark = pytest.mark.req("S4-SPOT-3")

AT_64000 = StopSpec(price=Price(Decimal(64000)))
WAIT_MS = 5_000
I1 = IntentId("i1")


def futures(**wishes: object) -> tuple[Desk, Intent]:
    return Desk(), an_intent(**{"stop": AT_64000, **wishes})  # type: ignore[arg-type]  # forwarded to the builder


def spot(**wishes: object) -> tuple[Desk, Intent]:
    return SpotDesk(), buy(**{"stop": AT_64000, **wishes})  # type: ignore[arg-type]  # forwarded to the builder


Making = Callable[..., tuple[Desk, Intent]]
BOTH = pytest.mark.parametrize("market", [futures, spot])


def resting(market: Making, *slices: str, **wishes: object) -> Desk:
    """A post-only entry rests at 65000; its stop belongs at 64000."""
    desk, intent = market(**wishes)
    desk.submit(intent, *slices, wait_ms=WAIT_MS, gap_ms=1_000)
    maker = desk.placed(Role.MAKER)
    assert (maker.type, maker.time_in_force) == (OrderType.LIMIT, TimeInForce.GTX)
    desk.ack(maker)
    return desk


def goes_to(desk: Desk, bid: str) -> Desk:
    desk.bid = Decimal(bid)
    desk.ask = desk.bid + Decimal("0.1")
    desk.later(200).hear(Ticked())
    return desk


def work(desk: Desk) -> Working:
    return desk.holding.intents[I1]


def orders_of(desk: Desk) -> int:
    return sum(desk.count(role) for role in Role)


def guarded(desk: Desk) -> None:
    """What stands guard over the fill stands at the venue."""
    if isinstance(desk, SpotDesk):
        desk.stand(desk.pairs()[-1])
    else:
        desk.ack(desk.placed(Role.STOP))


def told_of(desk: Desk) -> list[str]:
    """The messages of the intent's rows, as they were told."""
    return [json.loads(body.row)["message"] for body in bodies(desk) if isinstance(body, IntentChanged)]


def bodies(desk: Desk) -> list[Happening]:
    return [event.body for event in desk.holding.outbox]


def ended(desk: Desk, order: NewOrder, cum: str = "0") -> None:
    desk.hear(Reported(order=desk.word(order, Status.CANCELED, cum)))


@BOTH
def test_the_resting_entry_is_cancelled_and_nothing_follows_it(market: Making) -> None:
    desk = resting(market)
    goes_to(desk, "64000.1")
    assert desk.canceled() == []

    goes_to(desk, "63999.9")
    maker = desk.placed(Role.MAKER)
    assert desk.canceled() == [maker.ref]
    ended(desk, maker)
    goes_to(desk.later(2 * WAIT_MS), "65000")

    assert work(desk).phase is Phase.DONE
    assert orders_of(desk) == 1, "neither a taker, nor anything the other way"
    row = order_result(desk.holding, I1)
    assert (row["status"], row["code"]) == ("CANCELED", None)
    assert row["message"].startswith(STOP_FIRST)
    assert [step["what"] for step in row["timeline"] if "what" in step and STOP_FIRST in str(step["what"])]


@BOTH
def test_it_is_told_once_and_says_why(market: Making) -> None:
    desk = goes_to(resting(market), "63990")
    goes_to(desk, "63980")
    alerts = [body for body in bodies(desk) if isinstance(body, Alert)]
    price = "63990" if market is futures else "63990.05"
    gauge = "mark" if market is futures else "mid"

    assert [(each.severity, each.code) for each in alerts] == [(Severity.WARN, STOP_FIRST)]
    assert alerts[0].text == f"i1: {STOP_FIRST}: the {gauge} price {price} reached the stop 64000"
    assert told_of(desk)[-1].startswith(STOP_FIRST)


@BOTH
def test_an_entry_that_fills_as_it_is_cancelled_is_protected_or_closed_at_once(market: Making) -> None:
    desk = goes_to(resting(market), "63990")
    maker = desk.placed(Role.MAKER)
    desk.fill(maker, "0.01", price="65000")
    desk.hear(CancelRefused(ref=maker.ref, code=-2011, message="Unknown order sent."))

    assert desk.holding.exit is not None or desk.count(Role.STOP), "its stop's price is passed: it cannot stand"
    assert work(desk).phase is Phase.DONE
    assert work(desk).reason == "FILLED", "it was too late to cancel anything"


@BOTH
def test_the_part_that_filled_first_keeps_its_protection(market: Making) -> None:
    desk = resting(market)
    maker = desk.placed(Role.MAKER)
    desk.fill(maker, "0.004", price="65000")
    guarded(desk)
    goes_to(desk, "63990")
    ended(desk, maker, "0.004")
    goes_to(desk, "63980")

    assert maker.ref in desk.canceled()
    assert work(desk).reason.startswith(STOP_FIRST)
    assert desk.count(Role.TAKER) == 0
    assert order_result(desk.holding, I1)["filled_qty"] == "0.004"


@BOTH
def test_slices_yet_to_come_do_not_come(market: Making) -> None:
    desk, intent = market()
    desk.submit(intent, "0.005", "0.005", gap_ms=1_000)
    taker = desk.placed(Role.TAKER)
    desk.ack(taker)
    desk.fill(taker, "0.005")
    guarded(desk)
    goes_to(desk, "63990")
    goes_to(desk.later(60_000), "65000")

    assert desk.count(Role.TAKER) == 1
    assert work(desk).reason.startswith(STOP_FIRST)


@BOTH
def test_a_pause_does_not_hide_it(market: Making) -> None:
    desk = resting(market)
    desk.hear(PauseAsked(intent_id=I1, reason="look"))
    ended(desk, desk.placed(Role.MAKER))
    goes_to(desk, "63990")

    assert work(desk).phase is Phase.DONE


@BOTH
def test_a_restart_goes_on_with_the_cancel(market: Making) -> None:
    desk = goes_to(resting(market), "63990")
    desk.holding = unseal(seal(desk.holding), Holding)
    desk.hear(Restarted())
    maker = desk.placed(Role.MAKER)
    desk.ack(maker)
    goes_to(desk.later(1_000), "65000")
    ended(desk, maker)

    assert desk.canceled() == [maker.ref, maker.ref]
    assert work(desk).phase is Phase.DONE
    assert orders_of(desk) == 1


def test_futures_go_by_the_price_that_their_stop_goes_by() -> None:
    by_last = resting(futures, stop=AT_64000.but(working_type=WorkingType.CONTRACT_PRICE))
    by_last.bid, by_last.ask = Decimal(63999), Decimal(64002)
    assert not any_overtaken(by_last.holding, by_last.scene), "the mid is what it goes by, and that is above"

    by_mark = resting(futures)
    scene = by_mark.scene
    assert any_overtaken(by_mark.holding, scene.but(mark=Price(Decimal(64000))))
    assert not any_overtaken(by_mark.holding, scene.but(touch=None, mark=None)), "blind, it knows nothing"


def test_a_short_is_its_mirror() -> None:
    desk, intent = futures(side=Side.SELL, stop=StopSpec(price=Price(Decimal(66000))))
    desk.submit(intent, wait_ms=WAIT_MS)
    desk.ack(desk.placed(Role.MAKER))
    goes_to(desk, "65999.9")
    assert desk.canceled() == []
    goes_to(desk, "66000")
    assert desk.canceled() == [desk.placed(Role.MAKER).ref]


@BOTH
def test_a_default_stop_begins_with_what_has_filled(market: Making) -> None:
    """150 bps of the entry: before there is one nobody knows where."""
    desk = resting(market, stop=StopSpec())
    goes_to(desk, "63000")
    assert desk.canceled() == []

    desk.fill(desk.placed(Role.MAKER), "0.004", price="65000")
    desk.later(200).hear(Ticked())
    assert desk.placed(Role.MAKER).ref in desk.canceled()


def test_what_reduces_has_no_stop_to_mind() -> None:
    desk, intent = futures()
    desk.submit(intent)
    desk.fill(desk.placed(Role.TAKER), "0.01")
    desk.submit(an_intent("i2", side=Side.SELL, reduce_only=True, stop=None), wait_ms=WAIT_MS)
    desk.ack(desk.placed(Role.MAKER))

    assert not any_overtaken(desk.holding, desk.scene.but(mark=Price(Decimal(1))))


def test_a_taker_under_way_is_waited_for() -> None:
    desk, intent = spot()
    desk.submit(intent)
    goes_to(desk, "63990")
    taker = desk.placed(Role.TAKER)
    assert (desk.canceled(), work(desk).canceling) == ([], False)

    desk.fill(taker, "0.01", price="63990")
    assert order_result(desk.holding, I1)["status"] == "FILLED"
    assert desk.holding.exit is not None
    assert desk.holding.exit.reason == STOP_CROSSED


def test_a_stop_asked_for_on_its_own_gives_the_rest_of_the_entry_room_too() -> None:
    desk, intent = futures()
    desk.submit(intent, "0.005", "0.005", gap_ms=1_000)
    desk.fill(desk.placed(Role.TAKER), "0.005")
    guarded(desk)
    word = an_intent(
        "p1", side=Side.SELL, policy=StopAlone(), stop=StopSpec(price=Price(Decimal(63000))), reduce_only=True
    )
    desk.later(10).submit(word.but(kind=IntentKind.PROTECT))
    guarded(desk)
    goes_to(desk, "63990")
    assert not work(desk).canceling

    goes_to(desk, "63000")
    assert work(desk).reason.startswith(STOP_FIRST)
