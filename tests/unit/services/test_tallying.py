"""What an account's troubles are counted from: events, refusals and answers; each alert once, and its end."""

from decimal import Decimal
from typing import Any, cast

import pytest

from chimera.adapters.binance.outcomes import by_code
from chimera.admit.tallies import MAKERS_MIN
from chimera.services.router.tallying import Tallying
from chimera.trading.errors import Refused, StoreUnavailable, VenueRejected
from chimera.trading.events import Alert, Event, Happening, IntentChanged, OrderChanged, Severity
from chimera.trading.ids import DEFAULT_STRATEGY, ClientOrderId, IntentId, VenueOrderId
from chimera.trading.market import Side
from chimera.trading.money import Millis, Qty
from chimera.trading.order import NewOrder, Order, OrderType, Role, Status
from chimera.trading.refusal import Refusal
from chimera.wire.codec import encode
from support.desk import SYMBOL


class Hand:
    now = 0

    def monotonic_ms(self) -> Millis:
        return Millis(self.now)

    now_ms = monotonic_ms


@pytest.fixture
def told() -> list[Alert]:
    return []


@pytest.fixture
def tallies(told: list[Alert]) -> Tallying:
    return Tallying(Decimal("0.2"), cast("Any", Hand()), told.append)


def event(body: Happening) -> tuple[Event, ...]:
    return (Event(seq=1, at_ms=Millis(0), body=body),)


def a_maker(number: int, status: Status, role: Role = Role.MAKER, *, filled: str = "0", rested: bool = True) -> Event:
    request = NewOrder(
        ref=ClientOrderId(f"a-m{number}"), symbol=SYMBOL, side=Side.BUY, type=OrderType.LIMIT, qty=Qty(Decimal(1))
    )
    order = Order(
        request=request, role=role, intent_id=None, created_ms=Millis(0), status=status,
        before_qty=Qty(Decimal(filled)), venue_id=VenueOrderId("1") if rested else None,
    )  # fmt: skip
    return event(OrderChanged(order=order, strategy_id=DEFAULT_STRATEGY))[0]


def ended(status: str, code: str = "", *, done: bool = True, taken: bool = False) -> tuple[Event, ...]:
    order_ids = ["7"] if taken else []
    row = encode({"intent_id": "i1", "status": status, "code": code or None, "order_ids": order_ids})
    return event(IntentChanged(intent_id=IntentId("i1"), client_order_id=ClientOrderId("a"), row=row, done=done))


def codes(told: list[Alert]) -> list[str]:
    return [alert.code for alert in told]


@pytest.mark.req("S4-ALR-1")
def test_makers_that_do_not_fill_warn_once_and_their_recovery_is_told(tallies: Tallying, told: list[Alert]) -> None:
    tallies.heard(tuple(a_maker(number, Status.CANCELED) for number in range(MAKERS_MIN)))
    tallies.look()
    tallies.look()
    assert [(alert.code, alert.severity) for alert in told] == [("MAKER_FILL_RATIO_LOW", Severity.WARN)]
    tallies.heard(tuple(a_maker(number, Status.FILLED, filled="1") for number in range(50, 60)))
    tallies.look()
    assert codes(told)[1:] == ["MAKER_FILL_RATIO_LOW_OVER"]


@pytest.mark.parametrize(
    "spared",
    [a_maker(0, Status.REJECTED), a_maker(0, Status.NEW), a_maker(0, Status.CANCELED, Role.TARGET),
     a_maker(0, Status.EXPIRED, rested=False)],
)  # fmt: skip
def test_what_never_rested_rests_still_or_is_no_maker_counts_not(
    tallies: Tallying, told: list[Alert], spared: Event
) -> None:
    tallies.heard(tuple(a_maker(number, Status.CANCELED) for number in range(1, MAKERS_MIN)))
    tallies.heard((spared,))
    tallies.look()
    assert told == []


@pytest.mark.req("S4-ALR-1")
@pytest.mark.parametrize(
    ("error", "alerts"),
    [
        *((by_code(code, "no"), 1) for code in (-2019, -2018)),
        *((by_code(code, "no"), 0) for code in (-2022, -1111)),
        (by_code(-2010, "Order would immediately match and take."), 0),  # USD-M: refused for whatever reason
        (VenueRejected(-2010, "spot", Refusal.LACKS_BALANCE), 1),  # spot: its adapter reads the sentence
        (VenueRejected(-2010, "spot", Refusal.WOULD_TAKE), 0),
    ],
)
def test_three_refusals_for_lack_of_balance_are_told(
    tallies: Tallying, told: list[Alert], error: VenueRejected, alerts: int
) -> None:
    for _ in range(4):
        tallies.refused(error)
    assert codes(told) == ["INSUFFICIENT_BALANCE_OFTEN"] * alerts


@pytest.mark.req("S4-ALR-1")
@pytest.mark.parametrize(
    ("error", "counts"),
    [(Refused("VENUE_DOWN", "away"), True), (StoreUnavailable("away"), True), (KeyError("a mistake"), True),
     (Refused("OFF_TICK", "his own"), False), (Refused("KILL_SWITCH", "wanted"), False),
     (Refused("USER_STREAM", "a barrier"), False), (Refused("RECOVERING", "a start"), False),
     (Refused("BREAKER_OPEN", "the venue failed that often"), True)],
)  # fmt: skip
def test_answers_of_the_5xx_kind_are_failures_and_neither_mistakes_of_callers_nor_what_we_keep_back_is(
    tallies: Tallying, told: list[Alert], error: Exception, counts: bool
) -> None:
    for _ in range(3):
        with pytest.raises(type(error)), tallies.answering():
            raise error
    assert [(alert.code, alert.severity) for alert in told] == [("ORDERS_FAILING", Severity.ERROR)] * counts


@pytest.mark.req("S4-ALR-1")
def test_intents_that_the_venue_ends_fail_and_one_that_it_took_begins_the_count_anew(
    tallies: Tallying, told: list[Alert]
) -> None:
    for events in (ended("REJECTED", "VENUE_-1111"), ended("REJECTED", "NOT_SENT"), ended("FILLED", taken=True)):
        tallies.heard(events)
    for _ in range(2):
        tallies.heard(ended("REJECTED", "VENUE_-1111"))
        tallies.heard(ended("ACCEPTED", done=False))
    assert told == []
    tallies.heard(ended("REJECTED", "INSUFFICIENT_BALANCE"))
    tallies.heard(ended("REJECTED", "LIMIT_DAILY_LOSS"))
    tallies.heard(ended("CANCELED"))
    assert codes(told) == ["ORDERS_FAILING"], "nothing of these reached the venue"
    tallies.heard(ended("CANCELED", taken=True))
    assert codes(told) == ["ORDERS_FAILING", "ORDERS_FAILING_OVER"]


def of_slices(name: str, *filled: str | None, done: bool = True) -> tuple[Event, ...]:
    """An intent of slices of 2 each; None: one that did not begin."""
    slices = [
        {"qty": "2", "due_ms": 1, "began_ms": None if part is None else 1, "filled_qty": part or "0"} for part in filled
    ]
    row = encode({"intent_id": name, "status": "CANCELED", "code": None, "order_ids": ["7"], "slices": slices})
    return event(IntentChanged(intent_id=IntentId(name), client_order_id=ClientOrderId(name), row=row, done=done))


@pytest.mark.req("S4-MET-1")
def test_what_share_of_makers_and_of_slices_filled_is_known_only_once_some_ended(tallies: Tallying) -> None:
    assert tallies.fill_ratios == {}
    tallies.heard((a_maker(1, Status.FILLED, filled="1"), a_maker(2, Status.CANCELED, filled="0.5")))
    assert tallies.fill_ratios == {"maker_fill_ratio": Decimal("0.75")}
    tallies.heard(of_slices("one", "2"))  # no schedule
    tallies.heard(of_slices("working", "2", "0", done=False))
    assert "twap_slice_fill_ratio" not in tallies.fill_ratios
    tallies.heard(of_slices("i1", "2", "1", None))
    assert tallies.fill_ratios["twap_slice_fill_ratio"] == Decimal("0.75")
    tallies.heard(of_slices("i2", "0", "4"))  # what the first left over rode with the second
    assert tallies.fill_ratios["twap_slice_fill_ratio"] == Decimal("0.625")
    tallies.heard(of_slices("i2", "0", "4"))  # told again
    assert tallies.fill_ratios["twap_slice_fill_ratio"] == Decimal("0.625")


def test_refusals_are_counted_by_the_venue_s_code_and_stay_few(tallies: Tallying) -> None:
    for code in (-2019, -4164, -2019, *range(-9_999, -9_800)):
        tallies.refused(VenueRejected(code, "no"))

    assert tallies.refusals["-2019"] == 2
    assert (len(tallies.refusals), sum(tallies.refusals.values())) == (101, 202)
    assert next(iter(tallies.refusals)) == "other", "most first"
