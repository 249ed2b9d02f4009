"""Weights, order counts, 429 and 418: whom the venue stops, for how long, and what it shows of it."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chimera.simulate.door.limits import (
    FIRST_BAN_MS,
    GROWTH,
    LONGEST_BAN_MS,
    SPOT_BUDGET,
    TOLERATED,
    USDM_BUDGET,
    Limits,
    Overrun,
)
from chimera.simulate.door.messages import WireRequest
from chimera.simulate.keeping.whole import Kept
from chimera.simulate.twin import Twin
from chimera.simulate.venue.account_spec import READY_ACCOUNT
from chimera.wire import codec

MINUTE = 60_000
NOW = 1_763_635_200_000  # the first moment of a minute, of a day too
HERE, THERE = "10.0.0.1", "10.0.0.2"


def refused(limits: Limits, ip: str, weight: int, now_ms: int) -> Overrun:
    with pytest.raises(Overrun) as caught:
        limits.enter(ip, weight, now_ms)
    return caught.value


class TestWeight:
    def test_is_counted_by_ip_in_fixed_minutes(self):
        limits = Limits(USDM_BUDGET)
        assert limits.enter(HERE, 40, NOW) == 40
        assert limits.enter(HERE, 1, NOW + MINUTE - 1) == 41
        assert limits.enter(THERE, 5, NOW + MINUTE - 1) == 5
        assert limits.enter(HERE, 1, NOW + MINUTE) == 1

    @pytest.mark.parametrize("budget", [USDM_BUDGET, SPOT_BUDGET])
    def test_the_last_unit_is_given_and_the_next_refused_until_the_minute_ends(self, budget):
        limits, most = Limits(budget), budget.weight.limit
        assert limits.enter(HERE, most, NOW) == most
        overrun = refused(limits, HERE, 1, NOW + 1_000)
        assert (overrun.status, overrun.code, overrun.until_ms) == (429, -1003, NOW + MINUTE)
        assert str(most) in overrun.msg
        assert limits.enter(THERE, 1, NOW) == 1
        assert limits.enter(HERE, 1, NOW + MINUTE) == 1

    def test_who_goes_on_is_banned_and_each_ban_is_longer(self):
        limits, now = Limits(USDM_BUDGET), NOW
        lasted = []
        for _ in range(8):
            limits.enter(HERE, USDM_BUDGET.weight.limit, now)
            for _ in range(TOLERATED):
                assert refused(limits, HERE, 1, now).status == 429
            ban = refused(limits, HERE, 1, now)
            assert (ban.status, ban.code) == (418, -1003)
            assert str(ban.until_ms) in ban.msg
            assert refused(limits, HERE, 1, ban.until_ms - 1).until_ms == ban.until_ms, "asking does not lengthen it"
            lasted.append(ban.until_ms - now)
            now = -(-ban.until_ms // MINUTE) * MINUTE
        assert lasted[:3] == [FIRST_BAN_MS, FIRST_BAN_MS * GROWTH, FIRST_BAN_MS * GROWTH**2]
        assert lasted[-1] == LONGEST_BAN_MS

    def test_a_ban_is_forgotten_in_time(self):
        limits = Limits(USDM_BUDGET)
        limits.enter(HERE, USDM_BUDGET.weight.limit, NOW)
        until = [refused(limits, HERE, 1, NOW).until_ms for _ in range(TOLERATED + 1)][-1]
        later = until + LONGEST_BAN_MS
        limits.enter(HERE, USDM_BUDGET.weight.limit, later)
        again = [refused(limits, HERE, 1, later).until_ms for _ in range(TOLERATED + 1)][-1]
        assert again - later == FIRST_BAN_MS

    def test_raw_requests_have_a_limit_of_their_own_on_spot(self):
        small = SPOT_BUDGET.raw.but(limit=3)
        limits = Limits(SPOT_BUDGET.but(raw=small))
        for _ in range(3):
            limits.enter(HERE, 0, NOW)
        assert refused(limits, HERE, 0, NOW).until_ms == NOW + 5 * MINUTE

    def test_switched_off_it_counts_and_refuses_nobody(self):
        limits = Limits(USDM_BUDGET, enforced=False)
        for _ in range(TOLERATED + 5):
            used = limits.enter(HERE, 2_000, NOW)
        assert used == 2_000 * (TOLERATED + 5)
        limits.count_orders("a", (2_000, 2_000), NOW)
        limits.room_for("a", (1, 1), NOW)

    @pytest.mark.parametrize(("enforced", "weight", "orders"), [(True, 2_400, 300), (False, 2_400_000, 300_000)])
    def test_whoever_governs_himself_is_told_what_holds(self, enforced, weight, orders):
        told = Twin(now_ms=NOW, limits=enforced).doors.futures.limits.budget
        assert (told.weight.limit, told.orders[0].limit) == (weight, orders)

    @given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 20_000)), max_size=60))
    def test_no_more_than_the_limit_is_ever_let_through_in_one_minute(self, calls):
        budget = USDM_BUDGET.but(weight=USDM_BUDGET.weight.but(limit=50))
        limits, now, passed = Limits(budget), NOW, {}
        for weight, later in calls:
            now += later
            try:
                limits.enter(HERE, weight, now)
            except Overrun:
                continue
            passed[now // MINUTE] = passed.get(now // MINUTE, 0) + weight
        assert all(used <= 50 for used in passed.values())


class TestOrders:
    def test_the_shorter_count_stops_first_and_then_the_longer(self):
        limits = Limits(USDM_BUDGET)
        for burst in range(4):
            limits.count_orders("a", (300, 300), NOW + burst * 10_000)
        with pytest.raises(Overrun) as caught:
            limits.room_for("a", (1, 1), NOW + 40_000)
        assert (caught.value.status, caught.value.code, caught.value.until_ms) == (429, -1015, NOW + MINUTE)
        assert caught.value.msg == "Too many new orders; current limit is 1200 orders per 1 MINUTE."
        with pytest.raises(Overrun) as caught:
            limits.room_for("a", (1, 0), NOW + 30_001)
        assert caught.value.until_ms == NOW + 40_000
        limits.room_for("b", (1, 1), NOW + 40_000)

    def test_what_filled_is_given_back_and_never_under_none(self):
        limits = Limits(SPOT_BUDGET)
        limits.count_orders("a", (2, 2), NOW)
        limits.count_orders("a", (-5, -5), NOW)
        assert [row["count"] for row in limits.order_rows("a", NOW)] == [0, 0]


def test_headers_and_retry_after(new_desk):
    desk = new_desk()
    ask = WireRequest(method="GET", path="/fapi/v1/depth", query="symbol=BTCUSDT", origin=HERE)
    first = desk.twin.handle(ask, NOW)
    assert first.headers["X-MBX-USED-WEIGHT-1M"] == "10"
    for _ in range(239):
        assert desk.twin.handle(ask, NOW).status == 200
    over = desk.twin.handle(ask, NOW + 30_500)
    assert over.status == 429
    assert over.headers["Retry-After"] == "30"
    assert over.headers["X-MBX-USED-WEIGHT-1M"] == "2410"
    assert desk.twin.handle(ask.but(origin=THERE), NOW).status == 200


def test_a_refused_placement_is_not_executed_and_says_when_to_come_back(desk):
    count = 0
    while True:
        status, body = desk.call("POST", "v1/order", **desk.limit_terms("BUY", "0.001", "60000"))
        if status != 200:
            break
        desk.ok("DELETE", "v1/order", symbol="BTCUSDT", orderId=body["orderId"])
        count += 1
    assert (status, body["code"], count) == (429, -1015, 300)
    assert desk.ok("GET", "v1/openOrders", symbol="BTCUSDT") == []
    desk.now += 10_000
    desk.limit("BUY", "0.001", "60000")


def test_counts_and_bans_outlive_a_restart():
    first = Twin(now_ms=NOW, accounts=(READY_ACCOUNT.but(balance=Decimal(1)),))
    ask = WireRequest(method="GET", path="/fapi/v1/income", query="symbol=BTCUSDT", origin=HERE)
    answers = [first.handle(ask, NOW).status for _ in range(TOLERATED + 2_401)]
    assert answers[-1] == 418
    kept = codec.unseal(codec.seal(first.keep(clean=True)), Kept)
    second = Twin(now_ms=NOW + 1, accounts=(), kept=kept)
    answer = second.handle(ask, NOW + 1)
    assert answer.status == 418
    assert str(NOW + FIRST_BAN_MS) in answer.json()["msg"]
