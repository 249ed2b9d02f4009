"""A sale that only reduces, on spot: its quantity leaves the list when it goes, and not a moment longer (I12)."""

from decimal import Decimal

import pytest

from chimera.admit.last_hop import oversold
from chimera.protect.pairs import locked_qty
from chimera.trading.commands import Command
from chimera.trading.facts import CancelAsked, CloseAsked, Found, PauseAsked, Reported, ResumeAsked, Ticked
from chimera.trading.ids import IntentId
from chimera.trading.intent import Intent
from chimera.trading.market import Side
from chimera.trading.money import ZERO, Qty
from chimera.trading.order import NewOrder, Role, Status
from support.spot_desk import SpotDesk, a_spot_long, buy

pytestmark = pytest.mark.req("I12", "S4-SPOT-2")

HELD = Qty(Decimal("0.00999"))  # 0.01 bought, the fee taken in base
SALE = IntentId("x1")


def sale(qty: str) -> Intent:
    return buy("x1", qty, stop=None, target=None, side=Side.SELL, reduce_only=True)


def free(desk: SpotDesk) -> tuple[Command, ...]:
    """The venue has ended the newest list, and says so."""
    return desk.cancel_list(desk.pairs()[-1])


def listed(desk: SpotDesk) -> Decimal:
    """What lists that stand, or are being placed, would sell."""
    stops = (order for order in desk.holding.in_role(Role.STOP) if not order.status.final)
    return sum((order.leaves_qty for order in stops), ZERO)


def canceled(desk: SpotDesk, order: NewOrder) -> None:
    desk.hear(Reported(order=desk.word(order, Status.CANCELED)))


def test_more_than_is_held_sells_what_is_held() -> None:
    """Seed 215 of the world: its list was ended for a sale that then waited for coins that nobody had."""
    desk = a_spot_long()
    desk.submit(sale("0.05"))
    assert desk.count(Role.TAKER) == 1, "the list holds it"
    free(desk)

    sold = desk.placed(Role.TAKER)
    assert (sold.side, sold.qty) == (Side.SELL, HELD)
    desk.ack(sold)
    desk.fill(sold, str(sold.qty))
    desk.later(200).hear(Ticked())
    assert desk.holding.exposure == 0
    assert desk.count(Role.TAKER) == 2, "the purchase and one sale"


def test_two_sales_at_once_sell_what_is_held_and_no_more() -> None:
    desk = a_spot_long()
    desk.submit(sale("0.006"))
    desk.submit(sale("0.006").but(intent_id=IntentId("x2"), client_order_id="s3-btc-x2"))
    free(desk)
    first = desk.placed(Role.TAKER)
    assert desk.count(Role.TAKER) == 2
    desk.ack(first)
    desk.fill(first, "0.006")

    second = desk.placed(Role.TAKER)
    assert (first.qty, second.qty) == (Decimal("0.006"), HELD - Decimal("0.006"))
    assert desk.count(Role.TAKER) == 3


def test_a_sale_that_pauses_gives_its_quantity_back_to_the_list() -> None:
    desk = a_spot_long()
    desk.submit(sale("0.005"), wait_ms=60_000)
    free(desk)
    desk.stand(desk.pairs()[-1])
    maker = desk.placed(Role.MAKER)
    desk.ack(maker)
    desk.hear(PauseAsked(intent_id=SALE, reason="look"))
    assert listed(desk) == HELD - maker.qty, "not before the end of what rests is known"
    canceled(desk, maker)
    assert listed(desk) == HELD

    desk.stand(desk.pairs()[-1])
    desk.hear(ResumeAsked(intent_id=SALE))
    desk.later(1_000).hear(Ticked())
    assert desk.canceled(), "and makes room again"


def test_slices_to_come_stay_protected_until_their_time() -> None:
    desk = a_spot_long()
    desk.submit(sale("0.008"), "0.004", "0.004", gap_ms=30_000)
    free(desk)
    desk.stand(desk.pairs()[-1])
    first = desk.placed(Role.TAKER)
    desk.ack(first)
    desk.fill(first, "0.004")
    before = desk.canceled()
    desk.later(1_000).hear(Ticked())
    desk.later(1_000).hear(Ticked())

    assert first.qty == Decimal("0.004")
    assert listed(desk) == HELD - first.qty
    assert desk.canceled() == before


def test_a_cancelled_sale_is_not_listed_again_before_it_is_known_to_be_over() -> None:
    """Both would sell: the second sells the user's own coins."""
    desk = a_spot_long()
    desk.submit(sale("0.005"), wait_ms=60_000)
    free(desk)
    desk.stand(desk.pairs()[-1])
    maker = desk.placed(Role.MAKER)
    desk.ack(maker)
    desk.hear(CancelAsked(intent_id=SALE, reason="CALLER", escalate=False))
    assert listed(desk) + maker.qty == HELD
    desk.fill(maker, "0.005")
    desk.later(200).hear(Ticked())

    assert listed(desk) == desk.holding.exposure == HELD - maker.qty


@pytest.mark.req("S4-EXIT-1", "S4-SPOT-3")
def test_what_it_has_sold_by_its_answer_keeps_back_nothing_of_the_rest() -> None:
    """Its trades were not told yet: it counted as still for sale, and the rest could neither be listed nor sold."""
    desk = a_spot_long()
    desk.submit(sale("0.004"))
    free(desk)
    desk.stand(desk.pairs()[-1])
    sold = desk.placed(Role.TAKER)
    desk.hear(Found(order=desk.word(sold, Status.FILLED, cum=str(sold.qty))))
    assert oversold(desk.holding, locked_qty(desk.holding)) is None, "a list for the rest may leave"
    desk.later(200).hear(CloseAsked(reason="MANUAL"))
    free(desk)

    assert desk.placed(Role.EXIT).qty == HELD - sold.qty
    assert oversold(desk.holding, locked_qty(desk.holding)) is None


@pytest.mark.req("S4-EXIT-1", "S4-SPOT-3", "I10")
def test_a_part_that_is_closed_by_its_answer_leaves_the_rest_its_list() -> None:
    """Its trades were not told yet: it was to be closed once more, and the list of the rest was taken away for that."""
    desk = a_spot_long()
    desk.hear(CloseAsked(reason="MANUAL", qty=Qty(Decimal("0.004"))))
    free(desk)
    desk.stand(rest := desk.pairs()[-1])
    part = desk.placed(Role.EXIT)
    desk.later(50).hear(Found(order=desk.word(part, Status.FILLED, cum=str(part.qty))))

    assert rest.stop.qty == HELD - part.qty
    assert rest.stop.ref not in desk.canceled()
    assert listed(desk) == rest.stop.qty
    desk.fill(part, str(part.qty))
    assert desk.holding.exit is None
    assert listed(desk) == rest.stop.qty
