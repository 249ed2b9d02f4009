"""Plans as they are worked: following the touch, chasing, slices that never burst, poor markets, a caller's hand."""

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chimera.execute.due import next_due_ms
from chimera.trading.commands import Cancel, Place
from chimera.trading.execution import Maker, Phase, Plan, Slice, Working
from chimera.trading.facts import (
    CancelAsked,
    CancelRefused,
    FinishAsked,
    Found,
    NotFound,
    PauseAsked,
    PlaceNotSent,
    PlaceUnanswered,
    Restarted,
    ResumeAsked,
    Ticked,
)
from chimera.trading.ids import IntentId
from chimera.trading.liquidity import Liquidity
from chimera.trading.market import Side
from chimera.trading.money import Millis, Price, Qty, Quote
from chimera.trading.order import NewOrder, OrderType, Role, Status, TimeInForce
from chimera.wire.results import order_result
from support.desk import T0, Desk, an_intent
from support.refusals import said_no

I1 = IntentId("i1")
RESTS = Maker(wait_ms=2_000, reprices=2, theta=Decimal("0.5"), chase_ms=500)
TERMS = Liquidity(spread_max_bps=Decimal(4), depth_min=Quote(Decimal(6_500)), slip_max_bps=Decimal(10))


def worked(
    *parts: str,
    side: Side = Side.BUY,
    gap_ms: int = 0,
    maker: Maker = Maker(),  # noqa: B008 - a value, never changed
    liquidity: Liquidity | None = None,
    worst: str | None = None,
    slack_ms: int = 60_000,
    valid_until_ms: int | None = None,
) -> Desk:
    desk = Desk()
    slices = tuple(Slice(qty=Qty(Decimal(part)), after_ms=number * gap_ms) for number, part in enumerate(parts))
    plan = Plan(
        slices=slices,
        deadline_ms=Millis(T0 + slices[-1].after_ms + maker.wait_ms + maker.chase_ms + 10_000),
        maker=maker,
        liquidity=liquidity,
        worst_price=None if worst is None else Price(Decimal(worst)),
        slack_ms=slack_ms,
    )
    until = None if valid_until_ms is None else Millis(valid_until_ms)
    desk.work(an_intent(qty=str(plan.total), side=side).but(valid_until_ms=until), plan)
    return desk


def entries(desk: Desk) -> list[NewOrder]:
    return [c.order for c in desk.told if isinstance(c, Place) and c.role in (Role.MAKER, Role.TAKER)]


def work_of(desk: Desk) -> Working:
    return desk.holding.intents[I1]


def taken(desk: Desk) -> None:
    """The newest child fills at once."""
    newest = entries(desk)[-1]
    desk.ack(newest)
    desk.fill(newest, str(newest.qty))


def canceled(desk: Desk, order: NewOrder) -> None:
    cum = desk.holding.orders[order.ref].cum_qty
    desk.hear(Found(order=desk.word(order, Status.CANCELED, str(cum))))


def timeline(desk: Desk) -> list[str]:
    return [entry["what"] for entry in order_result(desk.holding, I1)["timeline"]]


# ── following the touch ──


@pytest.mark.req("S4-ROUTE-3")
def test_a_resting_maker_follows_a_touch_that_moves_away_a_bounded_number_of_times() -> None:
    desk = worked("0.01", maker=RESTS.but(reprices=4, wait_ms=1_500))
    for number in range(5):
        maker = desk.placed(Role.MAKER)
        assert (maker.price, maker.time_in_force) == (desk.bid, TimeInForce.GTX)
        desk.ack(maker)
        desk.fill(maker, "0.001", "65000.0")
        desk.bid += Decimal("0.3")
        desk.ask += Decimal("0.3")
        assert not any(isinstance(c, Cancel) for c in desk.later(200).hear(Ticked())), "it stands for a moment at least"
        gone = desk.later(50).hear(Ticked())
        if number == 4:
            assert not gone
            break
        assert [type(c) for c in gone] == [Cancel]
        assert desk.count(Role.MAKER) == number + 1, "nothing is sent before its end is known"
        canceled(desk, maker)
        assert desk.placed(Role.MAKER).qty == Decimal("0.009") - number * Decimal("0.001")
    assert desk.count(Role.MAKER) == 5


@pytest.mark.req("S4-ROUTE-3")
def test_a_maker_waits_for_a_touch_to_come_back_by_how_much_of_its_wait_is_left() -> None:
    desk = worked("0.01", maker=RESTS.but(reprices=4, wait_ms=12_000))
    for stands_ms in (2_000, 1_666, 1_389):  # a sixth of 12, of 10, of 8.334 s
        maker = desk.placed(Role.MAKER)
        desk.ack(maker)
        desk.bid += Decimal("0.3")
        desk.ask += Decimal("0.3")
        assert not any(isinstance(command, Cancel) for command in desk.later(stands_ms - 1).hear(Ticked()))
        assert any(isinstance(command, Cancel) for command in desk.later(1).hear(Ticked()))
        canceled(desk, maker)


@pytest.mark.req("S4-ROUTE-3")
@pytest.mark.parametrize(("inside", "rests_at"), [("0.3", "65000.7"), ("0.01", "65000.3")])
def test_a_maker_rests_first_inside_the_spread_or_joins_the_touch_where_that_is_dear(
    inside: str, rests_at: str
) -> None:
    desk = worked("0.01", maker=RESTS.but(inside_bps=Decimal(inside)))
    joined = desk.placed(Role.MAKER)
    assert joined.price == desk.bid, "a tick wide: there is no room inside"
    desk.ack(joined)
    desk.bid, desk.ask = desk.bid + Decimal("0.3"), desk.ask + Decimal("0.7")
    desk.later(250).hear(Ticked())
    canceled(desk, joined)

    first = desk.placed(Role.MAKER)
    assert (first.price, first.time_in_force) == (Decimal(rests_at), TimeInForce.GTX)
    desk.ack(first)
    desk.bid = Decimal(rests_at)  # by ours
    desk.ask += Decimal("0.2")
    assert not desk.later(900).hear(Ticked()), "it is the touch itself: it outbids nobody"


def test_a_maker_at_the_better_price_stays() -> None:
    """The touch has come to it: whoever leaves loses the place in the queue."""
    desk = worked("0.01", maker=RESTS)
    desk.ack(desk.placed(Role.MAKER))
    desk.bid -= Decimal("0.5")
    assert not desk.later(900).hear(Ticked())


def test_the_clock_wakes_a_maker_that_may_have_to_follow() -> None:
    desk = worked("0.01", maker=RESTS)
    desk.ack(desk.placed(Role.MAKER))
    assert next_due_ms(desk.holding, desk.now) == desk.now + 250


# ── theta and the chase ──


@pytest.mark.req("S4-ROUTE-3")
@pytest.mark.parametrize("side", list(Side))
def test_with_theta_filled_the_rest_chases_once_by_a_tick_and_then_takes(side: Side) -> None:
    desk = worked("0.01", maker=RESTS, side=side)
    maker = desk.placed(Role.MAKER)
    desk.ack(maker)
    desk.fill(maker, "0.005", "65000.0")
    desk.later(2_000).hear(Ticked())
    canceled(desk, maker)

    chase = desk.placed(Role.MAKER)
    touch = desk.bid if side is Side.BUY else desk.ask
    assert (chase.type, chase.time_in_force, chase.qty) == (OrderType.LIMIT, TimeInForce.GTC, Decimal("0.005"))
    assert chase.price == touch + side.sign * Decimal("0.1")
    desk.ack(chase)
    assert desk.count(Role.TAKER) == 0
    assert [type(c) for c in desk.later(500).hear(Ticked())] == [Cancel]
    canceled(desk, chase)

    taker = desk.placed(Role.TAKER)
    assert (taker.type, taker.qty) == (OrderType.MARKET, Decimal("0.005"))
    assert desk.count(Role.MAKER) == 2
    assert any("chases at" in what for what in timeline(desk))


@pytest.mark.req("S4-ROUTE-3")
def test_below_theta_the_rest_goes_at_market() -> None:
    desk = worked("0.01", maker=RESTS)
    maker = desk.placed(Role.MAKER)
    desk.ack(maker)
    desk.fill(maker, "0.004", "65000.0")
    desk.later(2_000).hear(Ticked())
    canceled(desk, maker)

    assert desk.placed(Role.TAKER).qty == Decimal("0.006")
    assert desk.count(Role.MAKER) == 1


@pytest.mark.req("S4-ROUTE-3")
def test_theta_is_judged_slice_by_slice() -> None:
    """The first slice filled as a whole, the second not at all: it takes."""
    desk = worked("0.01", "0.01", maker=RESTS, gap_ms=3_000)
    first = desk.placed(Role.MAKER)
    desk.ack(first)
    desk.fill(first, "0.01", "65000.0")
    desk.later(3_000).hear(Ticked())
    second = desk.placed(Role.MAKER)
    desk.ack(second)
    desk.later(2_000).hear(Ticked())
    canceled(desk, second)

    assert desk.count(Role.TAKER) == 1
    assert [row["filled_qty"] for row in order_result(desk.holding, I1)["slices"]] == ["0.01", "0"]


def test_a_chase_that_never_left_is_not_tried_again() -> None:
    desk = worked("0.01", maker=RESTS.but(theta=Decimal(0)))
    maker = desk.placed(Role.MAKER)
    desk.ack(maker)
    desk.later(2_000).hear(Ticked())
    canceled(desk, maker)
    desk.hear(PlaceNotSent(ref=desk.placed(Role.MAKER).ref, reason="x"))
    desk.later(500).hear(Ticked())
    assert desk.placed(Role.TAKER).qty == Decimal("0.01")


# ── slices ──


@pytest.mark.req("S4-ROUTE-5", "S4-ROUTE-6")
@pytest.mark.fault("A7")
def test_after_a_downtime_slices_keep_their_distance_and_the_rest_is_exact() -> None:
    desk = worked("0.004", "0.003", "0.002", "0.001", gap_ms=1_000)
    taken(desk)
    desk.later(12_000).hear(Restarted())  # two seconds before the deadline, three slices overdue
    desk.survey(qty="0.004")
    sent = []
    for _ in range(12):
        if len(entries(desk)) > len(sent) + 1:
            sent.append(desk.now - T0)
            taken(desk)
        desk.later(500).hear(Ticked())

    assert [later - sooner for sooner, later in pairwise(sent)] == [1_000, 1_000]
    assert desk.holding.position.qty == Decimal("0.01")
    assert work_of(desk).phase is Phase.DONE
    assert work_of(desk).reason == "FILLED"


@pytest.mark.parametrize(("away_ms", "reason"), [(59_000, "FILLED"), (90_000, "DEADLINE")])
def test_the_deadline_moves_with_late_slices_and_no_further_than_its_slack(away_ms: int, reason: str) -> None:
    desk = worked("0.005", "0.005", gap_ms=1_000)
    taken(desk)
    desk.later(away_ms).hear(Ticked())
    if reason == "FILLED":
        taken(desk)
    assert work_of(desk).reason == reason


def test_the_intents_own_deadline_does_not_move() -> None:
    desk = worked("0.005", "0.005", gap_ms=1_000, valid_until_ms=T0 + 20_000)
    taken(desk)
    desk.later(20_000).hear(Ticked())
    assert (work_of(desk).reason, len(entries(desk))) == ("DEADLINE", 1)


# ── poor markets ──


@pytest.mark.req("S4-ROUTE-7", "S4-ROUTE-8", "ACC-3")
def test_a_wide_spread_postpones_a_slice_until_it_is_over_and_the_timeline_says_so() -> None:
    desk = worked("0.005", "0.005", gap_ms=1_000, liquidity=TERMS)
    taken(desk)
    desk.ask = Decimal("65100.0")  # 15 bps
    desk.later(1_000).hear(Ticked())
    assert len(entries(desk)) == 1
    assert timeline(desk)[-1] == "slice 2 of 2: postponed 5000 ms: spread 15.37 bps is above 4"
    assert next_due_ms(desk.holding, desk.now) == desk.now + 5_000

    desk.ask = Decimal("65000.1")
    assert not desk.later(4_999).hear(Ticked())
    desk.later(1).hear(Ticked())
    assert (entries(desk)[-1].type, len(entries(desk))) == (OrderType.MARKET, 2)


@pytest.mark.req("S4-ROUTE-7", "S4-ROUTE-9", "ACC-3")
def test_a_spread_that_stays_wide_degrades_to_a_bounded_order_in_the_end() -> None:
    desk = Desk()
    desk.ask = Decimal("65100.0")
    desk.work(an_intent(), Plan(
        slices=(Slice(qty=Qty(Decimal("0.01"))),), deadline_ms=Millis(T0 + 10_000), liquidity=TERMS, slack_ms=60_000,
    ))  # fmt: skip
    for _ in range(3):
        assert not entries(desk)
        desk.later(5_000).hear(Ticked())
    order = entries(desk)[-1]
    assert (order.type, order.time_in_force, order.qty) == (OrderType.LIMIT, TimeInForce.IOC, Decimal("0.01"))
    assert order.price == Decimal("65115.0")  # 10 bps from the mid, 65050
    assert work_of(desk).waited_ms == 15_000


@pytest.mark.req("S4-ROUTE-7", "S4-ROUTE-9", "ACC-3")
def test_a_thin_touch_splits_a_child_into_what_it_holds() -> None:
    desk = Desk()
    desk.depth = Decimal("0.004")
    desk.work(an_intent(qty="0.018"), Plan(
        slices=(Slice(qty=Qty(Decimal("0.018"))),), deadline_ms=Millis(T0 + 10_000), liquidity=TERMS,
    ))  # fmt: skip
    sizes = []
    while work_of(desk).phase is Phase.WORKING:
        sizes.append(str(entries(desk)[-1].qty))
        taken(desk)
        if work_of(desk).phase is Phase.WORKING:
            assert len(entries(desk)) == len(sizes), "not before the touch had time to fill up"
            desk.later(500).hear(Ticked())
    assert sizes == ["0.004", "0.004", "0.004", "0.004", "0.002"]
    assert [what for what in timeline(desk) if "cut from 0.018 to 0.004" in what]


@pytest.mark.req("S4-ROUTE-9")
def test_nothing_is_sent_beyond_the_worst_price_and_an_unfilled_rest_is_tried_again_a_little_later() -> None:
    desk = worked("0.01", worst="65000.0")
    for number in range(1, 4):
        order = entries(desk)[-1]
        assert (len(entries(desk)), order.price, order.time_in_force) == (number, Decimal("65000.0"), TimeInForce.IOC)
        desk.hear(Found(order=desk.word(order, Status.EXPIRED)))
        desk.later(500).hear(Ticked())
    assert (len(entries(desk)), work_of(desk).phase, work_of(desk).reason) == (3, Phase.DONE, "LEFT_OVER")


@pytest.mark.parametrize(("side", "worst"), [(Side.BUY, "64999.0"), (Side.SELL, "65001.0")])
def test_a_maker_and_its_chase_keep_to_the_worst_price(side: Side, worst: str) -> None:
    desk = worked("0.01", side=side, worst=worst, maker=RESTS.but(theta=Decimal(0)))
    maker = desk.placed(Role.MAKER)
    assert maker.price == Decimal(worst)
    desk.ack(maker)
    desk.later(2_000).hear(Ticked())
    canceled(desk, maker)
    assert desk.placed(Role.MAKER).price == Decimal(worst)


# ── a caller's hand ──


def test_a_pause_takes_what_rests_from_the_book_and_sends_nothing_until_it_is_over() -> None:
    desk = worked("0.005", "0.005", maker=RESTS, gap_ms=3_000)
    maker = desk.placed(Role.MAKER)
    desk.ack(maker)
    assert [type(c) for c in desk.later(400).hear(PauseAsked(intent_id=I1, reason="OPERATOR"))] == [Cancel]
    canceled(desk, maker)
    for _ in range(60):
        desk.later(1_000).hear(Ticked())
    assert (len(entries(desk)), work_of(desk).phase) == (1, Phase.WORKING)

    desk.hear(ResumeAsked(intent_id=I1))
    assert len(entries(desk)) == 2
    assert work_of(desk).maker_until_ms == desk.now + 1_600
    assert work_of(desk).ends_ms(desk.now) == work_of(desk).plan.deadline_ms + 60_000
    assert timeline(desk)[-3:] == ["paused: OPERATOR", "resumed after 60000 ms", "order s3-btc-i1-m2 made"]


def test_a_pause_that_is_forgotten_ends_at_last() -> None:
    desk = worked("0.01", maker=RESTS)
    maker = desk.placed(Role.MAKER)
    desk.ack(maker)
    desk.hear(PauseAsked(intent_id=I1, reason="x"))
    canceled(desk, maker)
    desk.later(3_600_000).hear(Ticked())
    assert work_of(desk).phase is Phase.WORKING
    desk.later(12_500).hear(Ticked())
    assert I1 not in desk.holding.engaged


def test_finishing_takes_all_that_is_left_at_once() -> None:
    desk = worked("0.005", "0.004", "0.001", maker=RESTS, gap_ms=60_000, liquidity=TERMS)
    maker = desk.placed(Role.MAKER)
    desk.ack(maker)
    desk.fill(maker, "0.002", "65000.0")
    desk.ask = Decimal("65200.0")
    desk.hear(PauseAsked(intent_id=I1, reason="OPERATOR"))
    assert not any(isinstance(c, Place) for c in desk.hear(FinishAsked(intent_id=I1, reason="OPERATOR")))
    canceled(desk, maker)

    assert (desk.placed(Role.TAKER).type, desk.placed(Role.TAKER).qty) == (OrderType.MARKET, Decimal("0.008"))
    taken(desk)
    assert (work_of(desk).reason, desk.holding.position.qty) == ("FILLED", Decimal("0.01"))


@pytest.mark.parametrize("fact", [PauseAsked(intent_id=I1, reason="x"), FinishAsked(intent_id=I1, reason="x")])
def test_a_hand_on_what_is_over_changes_nothing(fact: PauseAsked | FinishAsked) -> None:
    desk = worked("0.01")
    taken(desk)
    before = work_of(desk)
    assert not desk.hear(fact)
    assert work_of(desk) is before


# ── whatever happens ──

_STORY = st.lists(
    st.sampled_from(
        ["ack", "part", "full", "gone", "unanswered", "not_found", "crosses", "not_sent", "restart", "up", "down",
         "wide", "narrow", "thin", "deep", "pause", "resume", "finish", "cancel", "cancel_refused", "late"]
    ),
    max_size=40,
)  # fmt: skip


@pytest.mark.req("S4-LIM-1", "S4-ROUTE-3", "S4-ROUTE-5")
@pytest.mark.fault("A7")
@given(
    story=_STORY,
    slices=st.integers(1, 4),
    wait=st.sampled_from([0, 700]),
    worst=st.sampled_from([None, "65001.0", "64999.0"]),
    side=st.sampled_from(Side),
)
def test_never_more_than_intended_never_out_of_turn_and_never_beyond_the_worst_price(
    story: list[str], slices: int, wait: int, worst: str | None, side: Side
) -> None:
    desk = worked(
        *["0.004"] * slices, gap_ms=800, side=side, worst=worst, liquidity=TERMS,
        maker=Maker(wait_ms=wait, reprices=2, theta=Decimal("0.3"), chase_ms=100 if wait else 0),
    )  # fmt: skip
    intended, begun = Decimal("0.004") * slices, 0
    for event in story:
        _happen(desk, event)
        desk.later(300).hear(Ticked())
        orders = desk.holding.of_intent(I1)
        assert sum((order.cum_qty + order.leaves_qty for order in orders), Decimal(0)) <= intended
        assert abs(desk.holding.position.qty) <= intended
        resting = [order for order in orders if not order.status.final]
        assert len(resting) <= 1, "one child at a time"
        if worst is not None:
            assert all(order.price is not None for order in entries(desk))
            assert all((order.price - Decimal(worst)) * side.sign <= 0 for order in entries(desk) if order.price)
        if I1 in desk.holding.intents:
            marks = work_of(desk).begun
            assert len(marks) <= begun + 1 or work_of(desk).finishing
            gaps = [later.at_ms - sooner.at_ms for sooner, later in pairwise(marks)]
            assert work_of(desk).finishing or all(gap >= 800 for gap in gaps)
            begun = len(marks)


def _happen(desk: Desk, event: str) -> None:
    order = entries(desk)[-1] if entries(desk) else None
    known = desk.holding.orders.get(order.ref) if order else None
    match event:
        case "up" | "down":
            desk.bid, desk.ask = (price + (1 if event == "up" else -1) for price in (desk.bid, desk.ask))
        case "wide":
            desk.ask = desk.bid + 80
        case "narrow":
            desk.ask = desk.bid + Decimal("0.1")
        case "thin" | "deep":
            desk.depth = Decimal("0.002") if event == "thin" else Decimal(5)
        case "pause":
            desk.hear(PauseAsked(intent_id=I1, reason="x"))
        case "resume":
            desk.hear(ResumeAsked(intent_id=I1))
        case "finish":
            desk.hear(FinishAsked(intent_id=I1, reason="x"))
        case "cancel":
            desk.hear(CancelAsked(intent_id=I1, reason="x"))
        case "restart":
            desk.hear(Restarted())
        case "late":
            desk.later(4_000)
        case _ if order is not None and known is not None:
            _answered(desk, event, order, known.leaves_qty)


def _answered(desk: Desk, event: str, order: NewOrder, leaves: Decimal) -> None:
    match event:
        case "ack":
            desk.ack(order)
        case "part" if leaves > Decimal("0.001"):
            desk.fill(order, "0.001")
        case "full" if leaves:
            desk.fill(order, str(leaves))
        case "gone":
            canceled(desk, order)
        case "unanswered":
            desk.hear(PlaceUnanswered(ref=order.ref, dead_after_ms=Millis(desk.now + 1_000)))
        case "not_found":
            desk.hear(NotFound(ref=order.ref, asked_server_ms=desk.now))
        case "crosses":
            desk.hear(said_no(ref=order.ref, code=-5022, message="x"))
        case "not_sent":
            desk.hear(PlaceNotSent(ref=order.ref, reason="x"))
        case "cancel_refused":
            desk.hear(CancelRefused(ref=order.ref, code=-2011, message="x"))
