"""Spot: the wallet holds the user's coins, too; what it has gained or lost since an order left speaks for it all the
same, where the venue's lists are late for longer than an order can be on its way (S4-RETRY-2: the position's delta).
"""

from decimal import Decimal

import pytest

from chimera.execute.wallet import BOUGHT_PATIENCE_MS, SOLD_PATIENCE_MS
from chimera.trading.facts import CloseAsked, NotFound, PlaceUnanswered, Reported, Ticked
from chimera.trading.ids import ClientOrderId
from chimera.trading.market import Side
from chimera.trading.money import Millis, Qty
from chimera.trading.order import NewOrder, Role, Status
from support.spot_desk import SpotDesk, a_spot_long, buy

WINDOW_MS = 14_000
pytestmark = pytest.mark.req("S4-RETRY-2", "I4")


def a_wallet(own: str) -> SpotDesk:
    """Heard once, flat: that much in it is the user's."""
    desk = SpotDesk()
    desk.survey(qty=own)
    return desk


def doubted(desk: SpotDesk, order: NewOrder) -> None:
    """Sent, no answer, and its window is over."""
    desk.hear(PlaceUnanswered(ref=order.ref, dead_after_ms=Millis(desk.now + WINDOW_MS)))
    desk.later(WINDOW_MS + 1)


def silent_but_for(desk: SpotDesk, order: NewOrder, wallet: str) -> Status:
    """Neither its query nor any list knows it; the wallet shows so much."""
    desk.hear(NotFound(ref=order.ref, asked_server_ms=desk.now))
    desk.later(50).survey(qty=wallet)
    desk.hear(NotFound(ref=order.ref, asked_server_ms=desk.now))
    desk.later(2_000).hear(Ticked())
    return desk.holding.orders[order.ref].status


def entered(desk: SpotDesk) -> NewOrder:
    desk.submit(buy(), "0.01", "0.01", gap_ms=600_000)
    entry = desk.placed(Role.TAKER)
    doubted(desk, entry)
    return entry


@pytest.mark.parametrize("own", ["0", "5"])
def test_a_purchase_that_only_the_wallet_shows_is_not_bought_again(own: str) -> None:
    desk = a_wallet(own)
    entry = entered(desk)
    status = silent_but_for(desk, entry, wallet=str(Decimal(own) + Decimal("0.00999")))

    assert status is Status.IN_DOUBT
    assert desk.count(Role.TAKER) == 1


def sold(desk: SpotDesk) -> NewOrder:
    """A list's coins, closed by hand; the close is in doubt."""
    desk.bought()
    [pair] = desk.pairs()
    desk.stand(pair)
    desk.survey(desk.word(pair.stop, Status.NEW), desk.word(pair.target, Status.NEW), qty="5.00999")
    desk.hear(CloseAsked(reason="MANUAL"))
    desk.cancel_list(pair)
    sale = desk.placed(Role.EXIT)
    doubted(desk, sale)
    return sale


def test_a_sale_that_only_the_wallet_shows_does_not_sell_the_users_own() -> None:
    desk = a_wallet("5")
    sale = sold(desk)
    status = silent_but_for(desk, sale, wallet=str(Decimal("5.00999") - sale.qty))
    assert status is Status.IN_DOUBT
    assert desk.count(Role.EXIT) == 1

    desk.later(SOLD_PATIENCE_MS)
    silent_but_for(desk, sale, wallet=str(Decimal("5.00999") - sale.qty))
    assert desk.count(Role.EXIT) == 2, "it is bare meanwhile"


@pytest.mark.parametrize("wallet", ["5.00999", "5.00899", "4.9"])
def test_what_may_have_been_a_fee_holds_up_no_close(wallet: str) -> None:
    desk = a_wallet("5")
    sale = sold(desk)
    silent_but_for(desk, sale, wallet)
    assert desk.count(Role.EXIT) == 2


@pytest.mark.parametrize("wallet", ["5", "4.99001", "5.000009", "6"])
def test_a_wallet_that_has_gained_less_than_a_step_or_more_than_was_asked_for_says_nothing(wallet: str) -> None:
    desk = a_wallet("5")
    assert silent_but_for(desk, entered(desk), wallet) is Status.REJECTED


def test_what_the_user_buys_by_hand_meanwhile_says_nothing_for_it() -> None:
    desk = a_wallet("5")
    entry = entered(desk)
    hand = entry.but(ref=ClientOrderId("web_1"), side=Side.BUY, qty=Qty(Decimal(1)))
    trade = desk.a_fill(hand, "1", "65000", "h-1")
    desk.hear(Reported(order=desk.word(hand, Status.FILLED, "1"), fill=trade))
    desk.survey(qty="5.999", trades=(trade,))  # told twice, and counted once

    assert silent_but_for(desk, entry, wallet="5.999") is Status.REJECTED


def test_it_does_not_speak_for_ever() -> None:
    """Coins may come from elsewhere in that very moment; then nobody ever finds an order or a trade."""
    desk = a_wallet("5")
    entry = entered(desk)
    assert silent_but_for(desk, entry, wallet="5.005") is Status.IN_DOUBT
    desk.later(BOUGHT_PATIENCE_MS)

    assert silent_but_for(desk, entry, wallet="5.005") is Status.REJECTED


def test_nor_for_a_list_what_it_guards_is_bare_meanwhile() -> None:
    """Its coins may be gone another way; its own silence is enough for the next list."""
    desk = a_wallet("5").bought()
    [pair] = desk.pairs()
    for leg in (pair.stop, pair.target):
        desk.hear(PlaceUnanswered(ref=leg.ref, dead_after_ms=Millis(desk.now + WINDOW_MS)))
    desk.later(WINDOW_MS + 1)

    assert silent_but_for(desk, pair.stop, wallet="5.005") is Status.REJECTED


def test_what_is_in_it_before_counts_only_as_long_as_nothing_is_in_doubt() -> None:
    """A position of ours whose list stands: each survey says anew what of the wallet is the user's."""
    desk = a_spot_long()
    [pair] = desk.pairs()
    standing = (desk.word(pair.stop, Status.NEW), desk.word(pair.target, Status.NEW))
    desk.later(1_000).survey(*standing, qty="3.00999")
    desk.later(1_000).survey(*standing, qty="4.00999")

    assert (desk.holding.own_qty, desk.holding.own_moved) == (Decimal(4), Decimal(0))


def test_what_was_left_unsold_is_the_users_and_says_nothing_for_the_next_purchase() -> None:
    desk = a_wallet("5").bought()
    [pair] = desk.pairs()
    desk.stand(pair)
    desk.survey(desk.word(pair.stop, Status.NEW), desk.word(pair.target, Status.NEW), qty="5.00999")
    desk.fill(pair.target, "0.00995", "67000")
    desk.end(pair.target, Status.CANCELED, "0.00995")
    desk.end(pair.stop)
    assert desk.holding.position.dust_qty == Decimal("0.00004")
    desk.submit(buy("i2"))
    entry = desk.placed(Role.TAKER)
    doubted(desk, entry)

    assert silent_but_for(desk, entry, wallet="5.00004") is Status.REJECTED


def test_a_wallet_that_was_read_before_what_we_know_is_not_gone_by() -> None:
    """A purchase is told while a survey is under way: by its answer the user seemed to have so much less."""
    desk = a_wallet("5")
    asked = desk.now
    desk.later(20)
    desk.bought()
    now, desk.now = desk.now, asked
    desk.survey(qty="5")
    desk.now = now

    assert desk.holding.own_qty == Decimal(5)
