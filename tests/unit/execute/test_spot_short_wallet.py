"""Spot: the wallet has a little less than ours (fees are taken in the asset that is held, or somebody has spent of it):
what is there is sold, instead of asking for all of it until the surveys have agreed for a minute.
"""

from decimal import Decimal

import pytest

from chimera.trading.events import Alert
from chimera.trading.facts import CloseAsked, PlaceRefused, Ticked
from chimera.trading.money import Qty
from chimera.trading.order import NewOrder, Role, Status
from chimera.trading.refusal import Refusal
from support.spot_desk import SpotDesk, a_spot_long

pytestmark = pytest.mark.req("S4-SPOT-3", "I15")
LACKING = "Account has insufficient balance for requested action."


def closing() -> tuple[SpotDesk, NewOrder]:
    desk = a_spot_long()
    desk.hear(CloseAsked(reason="MANUAL"))
    desk.cancel_list(desk.pairs()[-1])
    return desk, desk.placed(Role.EXIT)


def lacks(desk: SpotDesk, order: NewOrder) -> None:
    desk.hear(PlaceRefused(ref=order.ref, code=-2010, message=LACKING, refusal=Refusal.LACKS_BALANCE))


def test_a_close_that_lacks_a_little_sells_what_the_wallet_has() -> None:
    desk, whole = closing()
    lacks(desk, whole)
    desk.later(50).survey(qty="0.00995")
    desk.later(500).hear(Ticked())
    less = desk.placed(Role.EXIT)

    assert (whole.qty, less.qty) == (Decimal("0.00999"), Decimal("0.00995"))
    desk.fill(less, "0.00995")
    assert desk.holding.exit is None, "what is missing is too little for the venue, and given up"
    assert not desk.holding.position.lots


@pytest.mark.parametrize("wallet", ["0", "0.00001"])
def test_a_reading_that_leaves_nothing_to_sell_is_not_gone_by(wallet: str) -> None:
    """A zero that is read once is a mistake of the venue's (B26)."""
    desk, whole = closing()
    lacks(desk, whole)
    desk.later(50).survey(qty=wallet)
    desk.later(500).hear(Ticked())

    assert desk.placed(Role.EXIT).qty == whole.qty
    assert desk.count(Role.EXIT) == 2


def test_without_a_refusal_no_reading_makes_a_close_smaller() -> None:
    desk = a_spot_long()
    pair = desk.pairs()[-1]
    desk.later(50).survey(*[], qty="0.005")
    desk.hear(CloseAsked(reason="MANUAL"))
    desk.cancel_list(pair)

    assert desk.placed(Role.EXIT).qty == Decimal("0.00999")


def test_it_is_told_as_any_close_that_fails() -> None:
    desk, order = closing()
    for _ in range(3):
        lacks(desk, order)
        desk.later(4_000).hear(Ticked())
        order = desk.placed(Role.EXIT)
    assert "EXIT_FAILING" in [event.body.code for event in desk.holding.outbox if isinstance(event.body, Alert)]


# ── and its list is made for what is there ──


def refused_list() -> SpotDesk:
    desk = SpotDesk().bought()
    desk.refuse(desk.pairs()[-1], Refusal.LACKS_BALANCE)
    assert desk.holding.exit is None
    return desk


def test_a_list_that_lacks_a_little_is_made_for_what_the_wallet_has() -> None:
    """It was refused a second time, and the position was closed for a fee."""
    desk = refused_list()
    desk.later(300).survey(qty="0.00995")
    desk.later(1_000).hear(Ticked())
    less = desk.pairs()[-1]
    assert (len(desk.pairs()), less.stop.qty) == (2, Decimal("0.00995"))

    desk.stand(less)
    for _ in range(5):
        desk.later(3_000).survey(desk.word(less.stop, Status.NEW), desk.word(less.target, Status.NEW), qty="0.00995")
    assert (len(desk.pairs()), desk.canceled(), desk.holding.exit) == (2, [], None)


@pytest.mark.parametrize("wallet", ["0", "0.00001", "0.00999"])
def test_a_reading_that_leaves_nothing_or_lacks_nothing_changes_no_list(wallet: str) -> None:
    desk = refused_list()
    desk.later(300).survey(qty=wallet)
    desk.later(1_000).hear(Ticked())
    whole = desk.pairs()[-1]
    assert (len(desk.pairs()), whole.stop.qty) == (2, Decimal("0.00999"))

    desk.refuse(whole, Refusal.LACKS_BALANCE)
    assert desk.holding.exit is not None, "refused again it is closed: bare it does not stay"


def test_one_that_stands_is_not_taken_away_for_a_reading() -> None:
    desk = a_spot_long()
    pair = desk.pairs()[-1]
    desk.holding = desk.holding.but(stop_tries=1)
    for wallet in ("0.00995", "0"):
        desk.later(3_000).survey(desk.word(pair.stop, Status.NEW), desk.word(pair.target, Status.NEW), qty=wallet)
    assert (desk.canceled(), len(desk.pairs())) == ([], 1)


@pytest.mark.parametrize(("wallet", "sent"), [("0.009989", 1), ("0.00997", 0)])
def test_a_part_is_closed_though_less_than_a_step_is_missing(wallet: str, sent: int) -> None:
    """Each fee of another symbol's trade held up a part for a minute. A step or more may be that very part."""
    desk = a_spot_long()
    pair = desk.pairs()[-1]
    desk.later(50).survey(desk.word(pair.stop, Status.NEW), desk.word(pair.target, Status.NEW), qty=wallet)
    assert desk.holding.strikes
    desk.hear(CloseAsked(reason="MANUAL", qty=Qty(Decimal("0.005"))))
    desk.cancel_list(pair)

    assert desk.count(Role.EXIT) == sent
