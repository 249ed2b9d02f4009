"""Ways in which a close took too much, or for ever nothing, that a third hunt found, one test each."""

from decimal import Decimal

import pytest

from chimera.trading.events import Alert, CancelRecorded
from chimera.trading.facts import (
    CancelAsked,
    CloseAsked,
    Found,
    NotFound,
    PlaceRefused,
    PlaceUnanswered,
    Reported,
    Ticked,
)
from chimera.trading.fill import Fill
from chimera.trading.ids import ClientOrderId, IntentId, TradeId, VenueOrderId
from chimera.trading.market import Market, Side
from chimera.trading.money import ZERO, Millis, Price, Qty, Quote
from chimera.trading.order import Role, Status
from chimera.trading.refusal import Refusal
from chimera.trading.venue import VenueOrder
from support.desk import SYMBOL, Desk, a_long, an_intent
from support.spot_desk import SpotDesk, a_spot_long, buy

ONE, TWO = IntentId("i1"), IntentId("i2")


def alerts(desk: Desk) -> list[str]:
    return [event.body.code for event in desk.holding.outbox if isinstance(event.body, Alert)]


def lots(desk: Desk) -> dict[str, Decimal]:
    return {lot.intent_id: Decimal(lot.qty) for lot in desk.holding.position.lots}


def beside(desk: Desk, qty: str = "0.02") -> Desk:
    """A second intent holds ``qty`` on the same symbol."""
    desk.later(10).submit(an_intent("i2", qty=qty))
    entry = desk.placed(Role.TAKER)
    desk.ack(entry)
    desk.fill(entry, qty)
    desk.ack(desk.placed(Role.STOP))
    return desk


# ── a part that no order can close ──


@pytest.mark.req("S4-SPOT-1")
def test_a_part_worth_too_little_on_spot_is_not_tried_for_ever() -> None:
    """The venue refused it every eight seconds; no entry, no other close, no end of a hold got through."""
    desk = a_spot_long(max_hold_s=60)
    desk.hear(CloseAsked(reason="CALLER", qty=Qty(Decimal("0.00005"))))  # 3.25 USDT

    assert desk.holding.exit is None
    assert alerts(desk) == ["CLOSE_TOO_SMALL"]
    assert desk.canceled() == [], "its list stays"

    desk.later(60_000).hear(Ticked())
    assert desk.holding.flattening


@pytest.mark.req("S4-SPOT-1")
def test_what_a_thin_book_left_of_a_part_ends_it() -> None:
    desk = a_spot_long()
    desk.hear(CloseAsked(reason="CALLER", qty=Qty(Decimal("0.005"))))
    desk.cancel_list(desk.pairs()[-1])
    sale = desk.placed(Role.EXIT)
    desk.ack(sale)
    kept = desk.stand(desk.pairs()[-1]).pairs()[-1]
    desk.fill(sale, "0.00495", "65000")
    assert desk.holding.exit is not None, "its order may still fill"
    desk.end(sale, cum="0.00495")

    assert desk.holding.exit is None
    assert desk.count(Role.EXIT) == 1
    assert alerts(desk)[-1] == "CLOSE_TOO_SMALL"
    desk.cancel_list(kept)
    assert desk.pairs()[-1].stop.qty == Decimal("0.00504"), "what stays gets its list"


def test_a_lot_worth_too_little_waits_for_the_rest_and_blocks_nobody() -> None:
    desk = SpotDesk().bought(buy(qty="0.0001", max_hold_s=1))
    desk.stand(desk.pairs()[-1])
    desk.later(10).submit(buy("i2", qty="0.01", max_hold_s=60))
    entry = desk.placed(Role.TAKER)
    desk.ack(entry)
    desk.fill(entry, "0.01")
    desk.stand(desk.pairs()[-1])
    desk.rules = desk.rules.but(min_notional=Decimal(10))  # i1's is worth 6.5 USDT
    desk.later(2_000).hear(Ticked())
    assert (desk.holding.exit, alerts(desk)) == (None, [])

    desk.later(60_000).hear(Ticked())
    assert desk.holding.flattening


@pytest.mark.req("S4-EXIT-1")
def test_below_one_step_is_told() -> None:
    desk = a_long("0.01")
    desk.hear(CloseAsked(reason="CALLER", qty=Qty(Decimal("0.0004"))))
    assert (desk.holding.exit, desk.count(Role.EXIT)) == (None, 0)
    assert alerts(desk) == ["CLOSE_TOO_SMALL"]


def test_futures_need_no_least_notional_to_close_a_part() -> None:
    desk = a_long("0.01")
    desk.rules = desk.rules.but(min_notional=Decimal(100))
    desk.hear(CloseAsked(reason="CALLER", qty=Qty(Decimal("0.001"))))
    assert desk.placed(Role.EXIT).qty == Decimal("0.001")


def test_a_part_refused_for_its_worth_is_tried_again_when_it_is_worth_enough() -> None:
    """The venue's average price is not ours: near the edge its word differs, and the close is not given up for that."""
    desk = a_spot_long()
    desk.hear(CloseAsked(reason="CALLER", qty=Qty(Decimal("0.0001"))))  # 6.5 USDT
    desk.cancel_list(desk.pairs()[-1])
    sale = desk.placed(Role.EXIT)
    desk.hear(PlaceRefused(ref=sale.ref, code=-1013, message="Filter failure: NOTIONAL", refusal=Refusal.NOTIONAL))
    assert desk.holding.exit is not None
    desk.later(1_000).hear(Ticked())
    assert desk.count(Role.EXIT) == 2


# ── whose position is it ──


@pytest.mark.req("S4-API-6")
def test_an_escalated_cancel_closes_nobody_elses_lot() -> None:
    """All 0.03 were sold, and the other's entry was ended."""
    desk = beside(a_long("0.01"))
    desk.hear(CancelAsked(intent_id=ONE, reason="RISK", escalate=True))
    sale = desk.placed(Role.EXIT)

    assert sale.qty == Decimal("0.01")
    desk.fill(sale, "0.01", "64990")
    desk.later(1_000).hear(Ticked())
    assert lots(desk) == {TWO: Decimal("0.02")}
    assert (desk.holding.exit, desk.count(Role.EXIT)) == (None, 1)


@pytest.mark.req("S4-API-6")
def test_an_escalated_cancel_closes_what_still_fills_of_it_too() -> None:
    desk = a_long("0.01")
    desk.later(10).submit(an_intent("i2", qty="0.02"), wait_ms=60_000)
    maker = desk.placed(Role.MAKER)
    desk.ack(maker)
    desk.hear(CancelAsked(intent_id=TWO, reason="RISK", escalate=True))
    assert desk.count(Role.EXIT) == 0
    assert [event.body.escalate for event in desk.holding.outbox if isinstance(event.body, CancelRecorded)] == [True]
    desk.fill(maker, "0.02")

    assert desk.placed(Role.EXIT).qty == Decimal("0.02")
    desk.fill(desk.placed(Role.EXIT), "0.02", "64990")
    assert lots(desk) == {ONE: Decimal("0.01")}


@pytest.mark.req("S4-EXIT-1")
def test_the_end_of_one_hold_does_not_end_anothers_entry() -> None:
    """Its lot was the only one at that moment: everything was closed, and the other's schedule with it."""
    desk = a_long("0.01", max_hold_s=1)
    desk.later(10).submit(an_intent("i2", qty="0.02"), "0.01", "0.01", wait_ms=60_000, gap_ms=5_000)
    desk.ack(desk.placed(Role.MAKER))
    desk.later(1_000).hear(Ticked())

    assert not desk.holding.intents[TWO].canceling
    assert desk.placed(Role.EXIT).qty == Decimal("0.01")
    desk.fill(desk.placed(Role.EXIT), "0.01", "64990")
    assert desk.holding.exit is None
    desk.fill(desk.placed(Role.MAKER), "0.01")
    assert lots(desk) == {TWO: Decimal("0.01")}


def test_a_part_of_one_position_is_not_closed_out_of_the_next() -> None:
    """The close was in doubt when the stop closed everything; then it was made again, of what another had opened."""
    desk = a_long("0.02")
    desk.later(10).submit(an_intent("i2", qty="0.02"), wait_ms=60_000)
    maker, stop = desk.placed(Role.MAKER), desk.placed(Role.STOP)
    desk.ack(maker)
    desk.hear(CloseAsked(reason="CALLER", qty=Qty(Decimal("0.01"))))
    sale = desk.placed(Role.EXIT)
    desk.hear(PlaceUnanswered(ref=sale.ref, dead_after_ms=Millis(desk.now + 5_000)))
    desk.fill(stop, "0.02", "64000")
    desk.fill(maker, "0.02")
    desk.ack(desk.placed(Role.STOP))
    assert desk.holding.exit is not None, "while its order may live, nobody new may enter"
    desk.later(6_000).survey(desk.word(desk.placed(Role.STOP), Status.NEW), qty="0.02")
    desk.later(10).hear(NotFound(ref=sale.ref, asked_server_ms=desk.now))
    desk.later(500).hear(Ticked())

    assert (desk.holding.exit, desk.count(Role.EXIT)) == (None, 1)
    assert lots(desk) == {TWO: Decimal("0.02")}


@pytest.mark.req("S4-POS-1")
def test_an_entry_that_waits_does_not_close_what_came_on_the_other_side() -> None:
    """Both were admitted while flat; the one's maker then bought back what the other had sold, stop and all."""
    desk = Desk()
    desk.submit(an_intent("i1", qty="0.02"), wait_ms=60_000)
    maker = desk.placed(Role.MAKER)
    desk.ack(maker)
    desk.later(10).submit(an_intent("i2", side=Side.SELL, qty="0.01"))
    sale = desk.placed(Role.TAKER)
    desk.ack(sale)
    desk.fill(sale, "0.01", "65000")

    assert maker.ref in desk.canceled()
    desk.hear(Reported(order=desk.word(maker, Status.CANCELED)))
    assert ONE not in desk.holding.intents or not desk.holding.entering
    assert lots(desk) == {TWO: Decimal("0.01")}
    assert desk.holding.exit is None


@pytest.mark.req("S4-POS-1")
def test_a_schedule_does_not_buy_back_what_somebody_sold_by_hand() -> None:
    desk = Desk()
    desk.submit(an_intent(qty="0.02"), "0.01", "0.01", gap_ms=5_000, wait_ms=1_000)
    maker = desk.placed(Role.MAKER)
    desk.ack(maker)
    desk.later(10).hear(by("web_1", desk, "0.05"))
    desk.hear(Reported(order=desk.word(maker, Status.CANCELED)))
    desk.later(6_000).hear(Ticked())

    assert desk.count(Role.MAKER) + desk.count(Role.TAKER) == 1
    assert not desk.holding.entering
    assert desk.holding.position.qty == Decimal("-0.05")


# ── closed by somebody else ──


def by(ref: str, desk: Desk, qty: str) -> Reported:
    """A sale that S4 has not sent."""
    fill = Fill(
        trade_id=TradeId(f"of {ref}"),
        ref=ClientOrderId(ref),
        venue_id=VenueOrderId("77"),
        market=Market.FUT,
        symbol=SYMBOL,
        side=Side.SELL,
        price=Price(desk.bid),
        qty=Qty(Decimal(qty)),
        fee=ZERO,
        fee_asset="USDT",
        realized_pnl=Quote(ZERO),
        maker=False,
        at_ms=desk.now,
    )
    word = VenueOrder(
        symbol=SYMBOL,
        ref=fill.ref,
        conditional=False,
        venue_id=fill.venue_id,
        side=Side.SELL,
        type=None,
        status=Status.FILLED,
        qty=fill.qty,
        cum_qty=fill.qty,
        updated_ms=desk.now,
    )
    return Reported(order=word, fill=fill)


@pytest.mark.parametrize("ref", ["autoclose-1700000000", "adl_autoclose", "web_Ab12"])
def test_what_was_liquidated_or_closed_by_hand_is_not_bought_back(ref: str) -> None:
    """After a liquidation the schedule bought its next slice; after a panic close by hand, too."""
    desk = Desk()
    desk.submit(an_intent(qty="0.01"), "0.005", "0.005", gap_ms=5_000)
    entry = desk.placed(Role.TAKER)
    desk.ack(entry)
    desk.fill(entry, "0.005")
    desk.ack(desk.placed(Role.STOP))
    desk.later(100).hear(by(ref, desk, "0.005"))
    desk.later(6_000).hear(Ticked())

    assert desk.count(Role.TAKER) == 1
    assert not desk.holding.entering


def test_what_was_closed_unseen_is_not_bought_back() -> None:
    """No trade told of it; once the smaller position is believed the schedule is over."""
    desk = Desk()
    desk.submit(an_intent(qty="0.01"), "0.005", "0.005", gap_ms=200_000)
    entry = desk.placed(Role.TAKER)
    desk.ack(entry)
    desk.fill(entry, "0.005")
    stop = desk.placed(Role.STOP)
    desk.ack(stop)
    for _ in range(desk.scene.policy.strikes_to_shrink):
        desk.later(3_000).survey(desk.word(stop, Status.NEW), qty="0")
    assert not desk.holding.position.lots
    desk.later(200_000).hear(Ticked())
    assert desk.count(Role.TAKER) == 1


# ── a target too far for the venue ──


@pytest.mark.req("S4-SPOT-1")
@pytest.mark.parametrize("refusal", [Refusal.PRICE_BAND, Refusal.PRICE_RULE])
def test_a_list_refused_for_a_price_gives_way_to_the_stop_alone(refusal: Refusal) -> None:
    """A target beyond the venue's band had the position sold at market a moment after it was bought."""
    desk = SpotDesk().bought(buy())
    desk.refuse(desk.pairs()[-1], refusal, -1013)
    desk.later(200).hear(Ticked())
    stop = desk.placed(Role.STOP)
    desk.hear(Found(order=desk.word(stop, Status.NEW)))

    assert (desk.holding.exit, desk.holding.covered_qty) == (None, Decimal("0.00999"))
    assert [guard.role for guard in desk.holding.guards] == [Role.TARGET], "S4 watches the target itself"
    desk.later(200)
    desk.bid, desk.ask = Decimal("67000.0"), Decimal("67000.1")
    desk.hear(Ticked())
    assert desk.holding.flattening


def test_a_stop_alone_that_is_refused_for_its_price_means_sell() -> None:
    desk = SpotDesk().bought(buy())
    desk.refuse(desk.pairs()[-1], Refusal.PRICE_BAND, -1013)
    desk.later(200).hear(Ticked())
    stop = desk.placed(Role.STOP)
    desk.hear(PlaceRefused(ref=stop.ref, code=-1013, message="band", refusal=Refusal.PRICE_BAND))
    assert desk.holding.flattening
