"""The projection: every way an intent can stand or end has one answer, and it fits the published model."""

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from router_fake import BTC, NOW, a_fill, a_holding, a_lot, a_working, an_intent, an_order

from chimera.services.router.at_rest import Moment
from chimera.services.router.board import position_row
from chimera.trading.execution import Phase, Plan, Slice, Working
from chimera.trading.intent import StopSpec, WorkingType
from chimera.trading.liquidity import Book
from chimera.trading.market import Level, Side
from chimera.trading.money import Millis, Price, Qty
from chimera.trading.order import Order, Role, Status
from chimera.trading.position import Position
from chimera.wire.answers import encode_answer, exact
from chimera.wire.failures import REMEDIES
from chimera.wire.results import done, in_doubt, order_result
from chimera.wire.shown import OrderResult

HALF, WHOLE = a_fill("0.001", "65800"), a_fill("0.002", "65800")
SEEN = (("bids", (65800, 65799, 65798, 65797)), ("asks", (65801, 65802, 65803, 65804)))
DONE = {"phase": Phase.DONE, "done_ms": Millis(NOW + 9)}


def shown(work: Working, *orders: Order, **changes: Any) -> dict[str, Any]:
    row = order_result(a_holding(work, *orders, **changes), work.intent_id)
    OrderResult.model_validate_json(encode_answer(row))
    assert digits_left(exact(row)) <= {"order_id", "order_ids", "fill_id"}
    return row


def digits_left(node: Any, name: str = "") -> set[str]:
    """Names of the fields whose digits are still a string."""
    match node:
        case dict():
            return set().union(*(digits_left(inner, key) for key, inner in node.items()))
        case list():
            return set().union(*(digits_left(inner, name) for inner in node))
        case str() if node.lstrip("-").replace(".", "", 1).isdigit():
            return {name}
        case _:
            return set()


@pytest.mark.req("S4-API-5", "S4-REC-1")
@pytest.mark.parametrize(
    ("work", "orders", "result", "status", "doubt"),
    [
        ({}, [], "OK", "ACCEPTED", False),
        ({}, [an_order(Role.MAKER, Status.PENDING_NEW)], "OK", "ACCEPTED", False),
        ({}, [an_order(Role.MAKER, Status.NEW)], "OK", "NEW", False),
        ({}, [an_order(Role.MAKER, Status.PENDING_CANCEL)], "OK", "NEW", False),
        ({}, [an_order(Role.MAKER, Status.PARTIALLY_FILLED, HALF)], "OK", "PARTIALLY_FILLED", False),
        ({}, [an_order(Role.TAKER, Status.IN_DOUBT)], "OK", "ACCEPTED", True),
        (
            {},
            [an_order(Role.MAKER, Status.CANCELED, HALF), an_order(Role.TAKER, Status.IN_DOUBT)],
            "OK", "PARTIALLY_FILLED", True,
        ),
        ({**DONE, "refused": True}, [an_order(Role.TAKER, Status.IN_DOUBT)], "OK", "ACCEPTED", True),
        (DONE, [an_order(Role.MAKER, Status.FILLED, WHOLE)], "OK", "FILLED", False),
        ({**DONE, "canceling": True}, [an_order(Role.MAKER, Status.CANCELED)], "OK", "CANCELED", False),
        (DONE, [an_order(Role.MAKER, Status.CANCELED, HALF)], "OK", "CANCELED", False),
        ({**DONE, "refused": True}, [an_order(Role.TAKER, Status.REJECTED)], "FAIL", "REJECTED", False),
        ({**DONE, "refused": True}, [an_order(Role.MAKER, Status.CANCELED, HALF)], "OK", "CANCELED", False),
    ],
)  # fmt: skip
def test_status(work: dict[str, Any], orders: list[Order], result: str, status: str, doubt: bool) -> None:
    working = a_working(an_intent(), **work)
    holding = a_holding(working, *orders)

    row = shown(working, *orders)

    assert (row["result"], row["status"], row["in_doubt"]) == (result, status, doubt)
    assert in_doubt(holding, working.intent_id) == doubt
    assert done(holding, working.intent_id) == ("phase" in work and not doubt)


@pytest.mark.req("S4-API-7", "S4-LIM-1")
@pytest.mark.parametrize(
    ("code", "field", "value"),
    [
        ("LIMIT_ORDER_NOTIONAL", "qty", "0.002"),
        ("KILL_SWITCH", "kind", "ENTRY"),
        ("LIMIT_PRICE_COLLAR", "exec_policy", None),
    ],
)
def test_a_refusal_at_the_last_hop_says_what_to_write_instead(code: str, field: str, value: str | None) -> None:
    work = a_working(an_intent(), refused=True, refusal_code=code, reason=f"{code}: 131 > 100", **DONE)

    row = shown(work, an_order(Role.TAKER, Status.REJECTED))
    filled = shown(work, an_order(Role.MAKER, Status.CANCELED, HALF))

    assert (row["code"], row["field"], row["value"]) == (code, field, value)
    assert row["accepted"] == REMEDIES[code][1]
    assert (filled["code"], filled["field"], filled["accepted"]) == (code, None, None)  # an order, of which a part was


def test_what_was_filled() -> None:
    fills = (a_fill("0.001", "65799", "t1"), a_fill("0.001", "65802", "t2"))
    work = a_working(an_intent(), mid_at_send=Decimal("65800"), **DONE)

    row = shown(work, an_order(Role.MAKER, Status.FILLED, *fills, mid_at_send=Decimal("65800")))

    assert (row["filled_qty"], row["avg_price"], row["filled_avg"]) == ("0.002", "65800.5", "65800.5")
    assert (row["mid_at_send"], row["slip_bps"], row["slippage_bps"]) == ("65800", "0.076", "0.076")
    assert [fill["slippage_bps"] for fill in row["fills"]] == ["0", "0.304"]  # price improvement shows as 0
    assert [fill["slip_bps"] for fill in row["fills"]] == ["-0.152", "0.304"]  # ... and here with its sign
    assert [fill["mid_at_send"] for fill in row["fills"]] == ["65800", "65800"]
    assert [fill["qty"] == fill["size"] == "0.001" for fill in row["fills"]] == [True, True]
    assert row["fills"][0]["timestamp"] == NOW + 5
    assert row["order_ids"] == ["77"]
    assert row["order_id"] == row["client_order_id"] == "s3-btc-1"


def test_a_sellers_slippage_is_the_other_way_round() -> None:
    work = a_working(an_intent(side=Side.SELL), mid_at_send=Decimal("65800"), **DONE)

    better = shown(work, an_order(Role.TAKER, Status.FILLED, a_fill("0.002", "65802", side=Side.SELL)))
    worse = shown(work, an_order(Role.TAKER, Status.FILLED, a_fill("0.002", "65798", side=Side.SELL)))

    assert (better["slippage_bps"], worse["slippage_bps"]) == ("0", "0.304")
    assert (better["slip_bps"], worse["slip_bps"]) == ("-0.304", "0.304")


def test_before_the_first_fill_there_is_no_price() -> None:
    row = shown(a_working(an_intent(), mid_at_send=Decimal(65800)), an_order(Role.MAKER, Status.NEW))

    assert (row["filled_qty"], row["avg_price"], row["slippage_bps"], row["fills"]) == ("0", None, None, [])


def test_a_fill_without_a_known_mid_has_no_slippage() -> None:
    row = shown(a_working(an_intent(), **DONE), an_order(Role.MAKER, Status.FILLED, WHOLE))

    assert (row["avg_price"], row["slippage_bps"], row["fills"][0]["slippage_bps"]) == ("65800", None, None)
    assert (row["mid_at_send"], row["slip_bps"]) == (None, None)


@pytest.mark.req("S4-ROUTE-10")
def test_a_child_sent_without_a_known_mid_borrows_none_from_the_one_before_it() -> None:
    """A mid of another moment would measure what the market did, not what this order cost."""
    maker = an_order(Role.MAKER, Status.CANCELED, a_fill("0.001", "65800", "t1"), mid_at_send=Decimal("65800"))
    taker = an_order(Role.TAKER, Status.FILLED, a_fill("0.001", "65802", "t2"))

    row = shown(a_working(an_intent(), mid_at_send=Decimal("65800"), **DONE), maker, taker)

    assert [fill["mid_at_send"] for fill in row["fills"]] == ["65800", None]
    assert [fill["slip_bps"] for fill in row["fills"]] == ["0", None]


@pytest.mark.req("S4-ROUTE-10")
def test_a_child_shows_the_best_of_the_book_it_was_sent_into() -> None:
    levels = {side: tuple(Level(price=Price(Decimal(n)), qty=Qty(Decimal(1))) for n in prices) for side, prices in SEEN}
    seen = an_order(Role.TAKER, Status.FILLED, WHOLE, book_at_send=Book(at_ms=Millis(NOW), **levels).best())

    row = shown(a_working(an_intent(), **DONE), seen)
    blind = shown(a_working(an_intent(), **DONE), an_order(Role.TAKER, Status.FILLED, WHOLE))

    (book,) = (child["book_top3"] for child in row["children"])
    assert [level["price"] for level in book["bids"]] == ["65800", "65799", "65798"]
    assert [level["price"] for level in book["asks"]] == ["65801", "65802", "65803"]
    assert book["at_ms"] == NOW
    assert blind["children"][0]["book_top3"] is None


def test_each_fill_is_measured_from_its_own_child() -> None:
    maker = an_order(Role.MAKER, Status.CANCELED, a_fill("0.001", "65800", "t1"), mid_at_send=Decimal("65800"))
    taker = an_order(Role.TAKER, Status.FILLED, a_fill("0.001", "65802", "t2"), mid_at_send=Decimal("65802"))

    row = shown(a_working(an_intent(), mid_at_send=Decimal("65800"), **DONE), maker, taker)

    assert [fill["slippage_bps"] for fill in row["fills"]] == ["0", "0"]
    assert row["slippage_bps"] == "0.152"  # waiting cost something, and the whole says so


def test_guards_are_legs_while_the_intent_holds_a_lot() -> None:
    work = a_working(an_intent(stop=StopSpec()), **DONE)
    stop = an_order(Role.STOP, Status.NEW)
    stop = stop.but(request=stop.request.but(working_type=WorkingType.MARK_PRICE, trigger_price=Decimal("64800")))
    old = an_order(Role.TARGET, Status.CANCELED)
    entry = an_order(Role.MAKER, Status.FILLED, WHOLE)
    lots = Position(lots=(a_lot(work.intent),))

    held, flat = shown(work, entry, stop, old, position=lots), shown(work, entry, stop, old)

    assert [(leg["leg"], leg["status"], leg["stop_price"]) for leg in held["legs"]] == [("STOP", "NEW", "64800")]
    assert held["working_type"] == "MARK_PRICE"
    assert [child["leg"] for child in held["children"]] == ["MAKER"]
    assert (flat["legs"], flat["status"]) == ([], "FILLED")  # closed shows as filled


def test_another_intents_orders_are_not_shown() -> None:
    other = an_order(Role.TAKER, Status.FILLED, WHOLE, intent_id=None)

    row = shown(a_working(an_intent()), other)

    assert (row["filled_qty"], row["children"], row["status"]) == ("0", [], "ACCEPTED")


def test_notes_and_reasons_are_told() -> None:
    work = a_working(
        an_intent(qty=Qty(Decimal("0.0025"))), refused=True, refusal_code="VENUE_REFUSED", reason="no", **DONE
    )
    plan = Plan(
        slices=(Slice(qty=Qty(Decimal("0.002"))),), deadline_ms=Millis(NOW), why=("row 1",),
        notes=("rounded down to 0.002",),
    )  # fmt: skip

    row = shown(work.but(plan=plan))

    assert (row["notes"], row["why"], row["code"], row["message"]) == (
        ["rounded down to 0.002"], ["row 1"], "VENUE_REFUSED", "no",
    )  # fmt: skip
    filled = shown(work.but(plan=plan), an_order(Role.TAKER, Status.FILLED, WHOLE))
    assert (filled["status"], filled["qty"]) == ("FILLED", "0.0025")  # what was planned, not what was asked


def test_every_amount_of_a_position_is_a_number() -> None:
    work = a_working(an_intent(stop=StopSpec()), **DONE)
    stop = an_order(Role.STOP, Status.NEW)
    stop = stop.but(request=stop.request.but(trigger_price=Decimal("64800")))
    holding = a_holding(work, stop, position=Position(lots=(a_lot(work.intent),)))
    scene: Any = SimpleNamespace(near=Decimal("65900.5"), instrument=BTC)
    cover = SimpleNamespace(unprotected_ms=lambda: 0, guarded_ms=lambda: 0, max_unprotected_ms=7)
    recovered = Moment()
    owner: Any = SimpleNamespace(holding=holding, cover=cover, recovered=recovered)

    row = exact(position_row(owner, scene))

    assert digits_left(row) == set()
    assert (row["qty"], row["stop"]["price"], row["coverage"]) == (Decimal("0.002"), Decimal(64800), Decimal(1))
    assert row["heard"] is False
    recovered.set()
    assert position_row(owner, scene)["heard"] is True
    assert (type(row["max_unprotected_ms"]), row["market"]) == (int, "FUT")


@settings(max_examples=60, deadline=None)
@given(
    status=st.sampled_from(Status),
    role=st.sampled_from([Role.MAKER, Role.TAKER]),
    parts=st.lists(st.tuples(st.integers(1, 2000), st.integers(600_000, 700_000)), max_size=4),
    phase=st.sampled_from(Phase),
    mid=st.none() | st.integers(600_000, 700_000).map(lambda ticks: Decimal(ticks) / 10),
    refused=st.booleans(),
    side=st.sampled_from(Side),
)
def test_every_answer_keeps_the_promises(
    status: Status, role: Role, parts: list[tuple[int, int]], phase: Phase, mid: Any, refused: bool, side: Side
) -> None:
    fills = [a_fill(f"{lots / 1000}", f"{ticks / 10}", f"t{n}", side) for n, (lots, ticks) in enumerate(parts)]
    work = a_working(an_intent(side=side), phase=phase, mid_at_send=mid, refused=refused)

    row = shown(work, an_order(role, status, *fills))

    assert Decimal(row["filled_qty"]) == sum((fill.qty for fill in fills), Decimal(0))
    assert (row["avg_price"] is None) == (not fills)
    assert row["avg_price"] is None or Decimal(row["avg_price"]) > 0
    assert row["slippage_bps"] is None or Decimal(row["slippage_bps"]) >= 0
    assert (row["result"] == "FAIL") == (row["status"] == "REJECTED")
    assert not (fills and row["status"] in ("NEW", "ACCEPTED", "REJECTED"))
    assert not (row["in_doubt"] and row["status"] in ("REJECTED", "CANCELED"))
