"""Protection on spot: lists that lock what is held, one stop and one target each, never both filled."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera.protect.pairs import LISTS_MAX, locked_qty, pairs_of
from chimera.trading.commands import Ask, Cancel, Place
from chimera.trading.events import DustLeft, PairArmed, PairResolved
from chimera.trading.facts import CancelRefused, CloseAsked, Found, NotFound, PlaceUnanswered, Restarted, Ticked
from chimera.trading.form import Form
from chimera.trading.market import Market
from chimera.trading.money import Millis, Price, Qty
from chimera.trading.order import OrderType, Role, Status
from chimera.trading.refusal import Refusal
from support.spot_desk import SpotDesk, a_spot_long, buy


def bodies(desk: SpotDesk, kind: type) -> list[object]:
    return [event.body for event in desk.holding.outbox if isinstance(event.body, kind)]


# ── size ──


@pytest.mark.req("S4-SPOT-1")
@pytest.mark.incident(18)
def test_a_list_sells_what_the_fee_has_left() -> None:
    """Incident 18: 0.01 bought, 0.1 % of it taken as fee; a sale of 0.01 would be refused for ever."""
    desk = SpotDesk().bought()
    [pair] = desk.pairs()

    assert desk.holding.position.qty == Decimal("0.00999")
    assert pair.stop.qty == pair.target.qty == Decimal("0.00999")
    assert (pair.stop.type, pair.stop.trigger_price, pair.stop.price) == (
        OrderType.STOP_LOSS_LIMIT,
        Decimal(64000),
        Decimal(63360),
    )
    assert (pair.target.type, pair.target.price) == (OrderType.LIMIT, Decimal(67000))
    assert pair.stop.group == pair.target.group


@pytest.mark.incident(18)
@pytest.mark.parametrize("fee", ["0", "0.00075", "0.001", "0.0033"])
def test_whatever_the_fee_no_more_is_sold_than_is_held(fee: str) -> None:
    desk = SpotDesk(fee).bought()
    [pair] = desk.pairs()

    assert 0 <= desk.holding.position.qty - pair.stop.qty < desk.rules.step


def test_a_fee_in_base_is_paid_once_and_leaves_the_entry_price_alone() -> None:
    position = SpotDesk().bought().holding.position

    assert position.entry_px == Decimal("65000.1")
    assert position.fees == Decimal("0.01") * Decimal("0.001") * Decimal("65000.1")


# ── the normal life ──


@pytest.mark.req("S4-SPOT-1")
def test_a_standing_list_is_told_once() -> None:
    desk = a_spot_long()
    desk.later(500).hear(Ticked())

    [armed] = bodies(desk, PairArmed)
    assert isinstance(armed, PairArmed)
    assert (armed.qty, armed.stop_price, armed.limit_price, armed.target_price) == (
        Decimal("0.00999"), Decimal(64000), Decimal(63360), Decimal(67000),
    )  # fmt: skip
    assert desk.holding.covered_qty >= desk.rules.floor_to_step(desk.holding.exposure)


@pytest.mark.req("ACC-7", "S4-SPOT-3")
def test_the_target_fills_the_stop_ends_and_that_is_told() -> None:
    desk = a_spot_long()
    [pair] = desk.pairs()
    desk.end(pair.stop)
    desk.fill(pair.target, "0.00999", "67000")

    assert desk.holding.position.qty == 0
    [told] = bodies(desk, PairResolved)
    assert isinstance(told, PairResolved)
    assert (told.filled_ref, told.ended_ref, told.ended_as, told.both) == (
        pair.target.ref, pair.stop.ref, "EXPIRED", False,
    )  # fmt: skip
    assert len(desk.pairs()) == 1
    assert not desk.count(Role.EXIT)


@pytest.mark.req("ACC-8", "S4-SPOT-3")
def test_the_mate_of_a_leg_that_filled_is_cancelled_where_the_venue_has_not_said_that_it_ended() -> None:
    desk = a_spot_long()
    [pair] = desk.pairs()
    desk.fill(pair.target, "0.00999", "67000")
    assert desk.canceled() == [pair.stop.ref]
    desk.hear(CancelRefused(ref=pair.stop.ref, code=-2011, message="Unknown order sent.", refusal=Refusal.NOT_OPEN))

    assert any(isinstance(command, Ask) and command.order.ref == pair.stop.ref for command in desk.last)


def test_a_stop_that_fired_is_left_to_its_work_and_then_sold_at_market() -> None:
    desk = a_spot_long()
    [pair] = desk.pairs()
    desk.bid, desk.ask = Decimal("63990.0"), Decimal("63990.1")
    desk.end(pair.target)
    desk.end(pair.stop, Status.TRIGGERING)
    assert desk.canceled() == []
    desk.later(1_500).hear(Ticked())
    assert desk.canceled() == [pair.stop.ref], "its patience is over: cancel, then sell"
    assert not desk.count(Role.EXIT)
    desk.end(pair.stop, Status.CANCELED)

    assert desk.placed(Role.EXIT).qty == Decimal("0.00999")
    assert desk.placed(Role.EXIT).type is OrderType.MARKET


# ── what grows, shrinks and moves ──


def test_what_is_bought_later_gets_a_list_beside_the_first() -> None:
    desk = a_spot_long()
    desk.submit(buy("i2", qty="0.02"))
    entry = desk.placed(Role.TAKER)
    desk.fill(entry, "0.02")

    assert [pair.stop.qty for pair in desk.pairs()] == [Decimal("0.00999"), Decimal("0.01998")]
    assert desk.canceled() == []


def test_more_than_three_lists_are_merged_into_the_newest() -> None:
    desk = SpotDesk()
    for number in range(LISTS_MAX + 1):
        desk.bought(buy(f"i{number}"))
        if len(desk.pairs()) == number + 1:
            desk.stand(desk.pairs()[-1])

    assert len(desk.pairs()) == LISTS_MAX
    newest = desk.pairs()[-1]
    assert desk.canceled() == [newest.stop.ref]
    desk.cancel_list(newest)
    assert desk.pairs()[-1].stop.qty == 2 * Decimal("0.00999")
    assert locked_qty(desk.holding) == 4 * Decimal("0.00999")


@pytest.mark.req("S4-SPOT-3")
def test_a_target_that_fills_in_part_has_lost_its_stop_so_the_rest_gets_a_new_list() -> None:
    """Binance ends the stop at the first fill of the target, however small; the rest would rest bare."""
    desk = a_spot_long()
    [pair] = desk.pairs()
    desk.end(pair.stop)
    desk.fill(pair.target, "0.004", "67000")
    assert desk.canceled() == [pair.target.ref]
    assert len(desk.pairs()) == 1, "what the target may still sell is locked"
    desk.end(pair.target, Status.CANCELED, "0.004")

    anew = desk.pairs()[-1]
    assert (anew.stop.qty, anew.target.price) == (Decimal("0.00599"), Decimal(67000))
    assert not desk.count(Role.EXIT)


def test_while_no_stop_stands_the_price_is_watched() -> None:
    desk = a_spot_long()
    [pair] = desk.pairs()
    desk.end(pair.stop)
    desk.fill(pair.target, "0.004", "67000")
    desk.bid, desk.ask = Decimal("63999.8"), Decimal("63999.9")
    desk.hear(Ticked())
    desk.end(pair.target, Status.CANCELED, "0.004")

    assert desk.holding.exit is not None
    assert desk.placed(Role.EXIT).qty == Decimal("0.00599")
    assert len(desk.pairs()) == 1


# ── closing ──


@pytest.mark.req("S4-SPOT-2")
def test_a_close_sells_when_the_end_of_the_list_is_known_and_not_before() -> None:
    desk = a_spot_long()
    [pair] = desk.pairs()
    desk.hear(CloseAsked(reason="HAND"))
    assert desk.canceled() == [pair.stop.ref]
    for _ in range(5):
        desk.later(1_000).hear(Ticked())
    assert not desk.count(Role.EXIT), "what the list may still sell would be sold twice"
    desk.cancel_list(pair)

    assert desk.placed(Role.EXIT).qty == Decimal("0.00999")


def test_what_the_list_sold_before_it_was_cancelled_is_not_sold_again() -> None:
    desk = a_spot_long()
    [pair] = desk.pairs()
    desk.hear(CloseAsked(reason="HAND"))
    desk.end(pair.stop, Status.CANCELED)
    desk.fill(pair.target, "0.007", "67000")
    desk.end(pair.target, Status.CANCELED, "0.007")

    assert desk.placed(Role.EXIT).qty == Decimal("0.00299")


def test_a_part_is_closed_and_the_rest_is_guarded_again() -> None:
    desk = a_spot_long()
    [pair] = desk.pairs()
    desk.hear(CloseAsked(reason="HAND", qty=Qty(Decimal("0.004"))))
    desk.cancel_list(pair)

    assert desk.placed(Role.EXIT).qty == Decimal("0.004")
    assert desk.pairs()[-1].stop.qty == Decimal("0.00599")


def test_a_close_in_doubt_is_asked_for_and_never_sent_again() -> None:
    """Nothing is reduce-only on spot: a second sale would take coins that are the user's own."""
    desk = a_spot_long()
    desk.hear(CloseAsked(reason="HAND"))
    desk.cancel_list(desk.pairs()[0])
    out = desk.placed(Role.EXIT)
    dead_after = Millis(desk.now + 20_000)
    desk.hear(PlaceUnanswered(ref=out.ref, dead_after_ms=dead_after))
    for _ in range(15):
        desk.later(1_000).hear(Ticked())
        desk.hear(NotFound(ref=out.ref, asked_server_ms=desk.now))
    assert desk.count(Role.EXIT) == 1
    desk.later(10_000).hear(NotFound(ref=out.ref, asked_server_ms=desk.now))
    assert desk.count(Role.EXIT) == 1, "one silence of four"
    desk.later(1).survey(qty="0.00999")
    desk.later(1).hear(NotFound(ref=out.ref, asked_server_ms=desk.now))
    desk.later(10_000).hear(Ticked())

    assert desk.count(Role.EXIT) == 2
    assert desk.placed(Role.EXIT).ref != out.ref


# ── doubt and refusal ──


def test_a_list_in_doubt_is_asked_for_and_never_sent_again() -> None:
    desk = SpotDesk().bought()
    [pair] = desk.pairs()
    dead_after = Millis(desk.now + 20_000)
    for leg in (pair.stop, pair.target):
        desk.hear(PlaceUnanswered(ref=leg.ref, dead_after_ms=dead_after))
    for _ in range(15):
        desk.later(1_000).hear(Ticked())
    assert len(desk.pairs()) == 1
    for leg in (pair.stop, pair.target):
        desk.hear(Found(order=desk.word(leg, Status.NEW)))

    assert desk.holding.covered_qty == Decimal("0.00999")


def test_a_list_that_never_was_is_placed_anew_under_other_ids() -> None:
    desk = SpotDesk().bought()
    [pair] = desk.pairs()
    for leg in (pair.stop, pair.target):
        desk.hear(PlaceUnanswered(ref=leg.ref, dead_after_ms=desk.now))
    desk.later(10).survey(qty="0.00999")
    for leg in (pair.stop, pair.target):
        desk.later(10).hear(NotFound(ref=leg.ref, asked_server_ms=desk.now))
    desk.later(1_000).hear(Ticked())

    assert len({each.stop.ref for each in desk.pairs()}) == 2


@pytest.mark.req("S4-SPOT-2")
def test_where_lists_are_refused_a_stop_rests_alone_and_the_target_is_watched() -> None:
    desk = SpotDesk().bought()
    desk.refuse(desk.pairs()[0], Refusal.UNSUPPORTED)
    stop = desk.placed(Role.STOP)
    assert (stop.form, stop.qty, stop.trigger_price) == (Form.ALONE, Decimal("0.00999"), Decimal(64000))
    desk.ack(stop)
    assert len(desk.pairs()) == 1
    desk.bid, desk.ask = Decimal("67000.0"), Decimal("67000.1")
    desk.hear(Ticked())
    assert desk.canceled() == [stop.ref]
    desk.end(stop, Status.CANCELED)

    assert desk.placed(Role.EXIT).qty == Decimal("0.00999")


def test_a_list_whose_prices_have_been_passed_means_sell_now() -> None:
    desk = SpotDesk().bought()
    desk.refuse(desk.pairs()[0], Refusal.WOULD_TRIGGER)

    assert desk.placed(Role.EXIT).qty == Decimal("0.00999")


def test_a_stop_that_is_refused_again_means_sell() -> None:
    desk = SpotDesk().bought()
    for _ in range(2):
        desk.refuse(desk.pairs()[-1], Refusal.TOO_MANY)
        desk.later(1_000).hear(Ticked())

    assert desk.count(Role.EXIT) == 1


# ── what is the user's own ──


def test_trades_by_hand_change_nothing_of_ours() -> None:
    desk = a_spot_long()
    [pair] = desk.pairs()
    by_hand = pair.stop.but(ref="web_1", group=None)
    desk.survey(
        desk.word(pair.stop, Status.NEW),
        desk.word(pair.target, Status.NEW),
        qty="5",
        trades=(desk.a_fill(by_hand, "0.5", "65000", "77"),),
    )

    assert desk.holding.position.qty == Decimal("0.00999")
    assert desk.holding.strikes == 0


def test_a_wallet_that_holds_less_is_believed_in_time() -> None:
    desk = a_spot_long()
    [pair] = desk.pairs()
    words = (desk.word(pair.stop, Status.NEW), desk.word(pair.target, Status.NEW))
    for _ in range(desk.scene.policy.strikes_to_shrink):
        desk.later(3_000).survey(*words, qty="0.004")

    assert desk.holding.position.qty == Decimal("0.004")


# ── dust ──


@pytest.mark.fault("G13")
def test_what_cannot_be_sold_any_more_leaves_the_books_and_is_told() -> None:
    desk = a_spot_long()
    [pair] = desk.pairs()
    desk.end(pair.stop)
    desk.fill(pair.target, "0.00999", "67000")
    assert bodies(desk, DustLeft) == []
    odd = SpotDesk("0.0015").bought(buy(qty="0.01001"))
    [pair] = odd.pairs()
    odd.stand(pair)
    odd.end(pair.stop)
    odd.fill(pair.target, str(pair.target.qty), "67000")

    assert odd.holding.position.qty == 0
    [dust] = bodies(odd, DustLeft)
    assert isinstance(dust, DustLeft)
    assert 0 < dust.qty < odd.rules.step


# ── restarts, and any order of things ──


@pytest.mark.fault("A6")
def test_a_restart_asks_for_both_legs_and_sends_nothing_twice() -> None:
    desk = SpotDesk().bought()
    [pair] = desk.pairs()
    desk.hear(Restarted())
    desk.later(100).hear(Ticked())
    asked = {command.order.ref for command in desk.told if isinstance(command, Ask)}
    assert asked >= {pair.stop.ref, pair.target.ref}
    for leg in (pair.stop, pair.target):
        desk.hear(Found(order=desk.word(leg, Status.NEW)))
    desk.later(30_000).hear(Ticked())

    assert len(desk.pairs()) == 1


STEPS = st.lists(
    st.sampled_from(
        ["tick", "ack", "lose", "refuse", "target", "part", "stop", "cancel", "close", "more", "restart", "down", "up"]
    ),
    max_size=40,
)


@settings(max_examples=300)
@given(STEPS)
def test_never_more_is_for_sale_than_is_held(steps: list[str]) -> None:
    """Whatever the venue does to the lists: what is sold, and what may still be, is never more than was bought."""
    desk = SpotDesk().bought()
    names = iter(range(2, 1000))
    for step in steps:
        desk.later(300)
        _do(desk, step, names)
        offered = locked_qty(desk.holding)
        assert offered <= desk.holding.exposure
        assert desk.holding.exposure >= 0
        assert desk.holding.key.market is Market.SPOT


def _do(desk: SpotDesk, step: str, names: "iter[int]") -> None:  # type: ignore[valid-type]  # an iterator
    pairs = pairs_of(desk.holding)
    pair = pairs[0] if pairs else None
    legs = () if pair is None else pair.legs
    stop = None if pair is None else pair.stop
    target = None if pair is None else pair.target
    match step:
        case "ack":
            for leg in legs:
                if leg.status in (Status.PENDING_NEW, Status.IN_DOUBT):
                    desk.hear(Found(order=desk.word(leg.request, Status.NEW)))
        case "lose":
            for leg in legs:
                desk.hear(PlaceUnanswered(ref=leg.ref, dead_after_ms=Millis(desk.now + 500)))
        case "refuse":
            desk.later(10).survey(qty="9")
            for leg in legs:
                desk.hear(NotFound(ref=leg.ref, asked_server_ms=Millis(desk.now + 20_000)))
        case "target" if target is not None and target.status is Status.NEW:
            desk.fill(target.request, str(target.leaves_qty), "67000")
            if stop is not None:
                desk.end(stop.request)
        case "part" if target is not None and target.status is Status.NEW and target.leaves_qty > Decimal("0.001"):
            desk.fill(target.request, "0.001", "67000")
            if stop is not None:
                desk.end(stop.request)
        case "stop" if stop is not None and stop.status is Status.NEW:
            if target is not None:
                desk.end(target.request)
            desk.fill(stop.request, str(stop.leaves_qty), "64000")
        case "cancel":
            for leg in legs:
                if leg.status is Status.PENDING_CANCEL:
                    desk.end(leg.request, Status.CANCELED, str(leg.cum_qty))
        case "close":
            desk.hear(CloseAsked(reason="HAND"))
            for order in desk.holding.in_role(Role.EXIT):
                if order.status is Status.PENDING_NEW:
                    desk.fill(order.request, str(order.leaves_qty), "65000")
        case "more":
            desk.submit(buy(f"m{next(names)}"))
            last = [c for c in desk.last if isinstance(c, Place) and c.role is Role.TAKER]
            for command in last:
                desk.fill(command.order, str(command.order.qty))
        case "restart":
            desk.hear(Restarted())
        case "down":
            desk.bid, desk.ask = Decimal("63900.0"), Decimal("63900.1")
            desk.hear(Ticked())
        case "up":
            desk.bid, desk.ask = Decimal("65000.0"), Decimal("65000.1")
            desk.hear(Ticked())
        case _:
            desk.hear(Ticked())


def test_cancels_name_one_leg_and_end_both() -> None:
    desk = a_spot_long()
    desk.hear(CloseAsked(reason="HAND"))

    [cancel] = [command for command in desk.told if isinstance(command, Cancel)]
    assert cancel.role is Role.STOP
    assert all(leg.status is Status.PENDING_CANCEL for leg in pairs_of(desk.holding)[0].legs)
    assert Price(desk.bid) > 0
