"""The rate governor: nothing beyond a limit in any window, and never protection behind anything less urgent."""

import random
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chimera.adapters.binance import raw as raw_module
from chimera.adapters.binance.governor import (
    BOOKED,
    CLOCK_MS,
    FALLBACK,
    GIVES_WAY_MS,
    LIMITED_MS,
    SLOWEST_TRICKLE_MS,
    THROTTLED_MS,
    TRICKLE_MS,
    Cost,
    Governor,
    Moment,
)
from chimera.adapters.binance.signed import Endpoint
from chimera.simulate.door.messages import WireRequest
from chimera.simulate.door.params import Params
from chimera.simulate.usdm.endpoints import ENDPOINTS
from chimera.trading.money import MINUTE_MS
from chimera.trading.rates import Lane, Metered, RateLimit

EPOCH = 1_800_000_000_000  # a whole minute
LANES = tuple(Lane)
ENTRY, STOP, CANCEL, QUESTION = Cost(orders=1), Cost(orders=1), Cost(weight=1), Cost(weight=5)
USUAL = {
    Lane.PROTECT: STOP,
    Lane.CANCEL: CANCEL,
    Lane.CLOSE: STOP,
    Lane.TARGET: STOP,
    Lane.SIGHT: QUESTION,
    Lane.QUERY: QUESTION,
    Lane.OPEN: ENTRY,
}


def at(ms: int) -> Moment:
    return Moment(mono_ms=ms, venue_ms=EPOCH + ms)


def sent_until_held(governor: Governor, lane: Lane, ms: int, cost: Cost | None = None) -> int:
    number = 0
    while governor.ask(lane, cost or USUAL[lane], at(ms)) is None:
        number += 1
    return number


asked = st.tuples(st.sampled_from(LANES), st.integers(0, 12), st.integers(0, 3), st.integers(0, 900))


class TestBudgets:
    @pytest.mark.req("S4-RETRY-1")
    @settings(max_examples=60, deadline=None)
    @given(st.integers(0, 10**6), st.sampled_from([Decimal(1), Decimal("0.5"), Decimal("0.13")]))
    def test_no_window_holds_more_than_a_limit(self, seed: int, share: Decimal) -> None:
        """Whatever is asked for, and however much of it: sliding windows of each limit, over all lanes."""
        chance = random.Random(seed)
        limits = tuple(limit.but(most=limit.most // 20) for limit in FALLBACK)
        governor = Governor(share)
        governor.learn(limits)
        sent: list[tuple[int, Lane, Cost]] = []
        now = 0
        for _ in range(1_500):
            now += chance.choice((0, 0, 0, 1, 40, 300, 2_000))
            lane = chance.choice(LANES)
            cost = Cost(weight=chance.randrange(6), orders=chance.randrange(3))
            if governor.ask(lane, cost, at(now)) is None:
                sent.append((now, lane, cost))
        assert len({lane for _, lane, _ in sent}) == len(LANES)
        for limit in limits:
            window: list[tuple[int, Lane, int]] = []
            for moment, lane, cost in sent:
                window = [each for each in window if each[0] > moment - limit.span_ms]
                window.append((moment, lane, cost.of(limit.counts)))
                assert sum(each[2] for each in window) <= limit.most
                others = sum(each[2] for each in window if each[1] is not Lane.PROTECT)
                assert others <= limit.most * share

    @settings(max_examples=100, deadline=None)
    @given(st.lists(asked, max_size=600))
    @example(
        [(Lane.CANCEL, 0, 2, 0)] * 2
        + [(Lane.CANCEL, 0, 3, 0)] * 3
        + [(Lane.OPEN, 0, 3, 0)]
        + [(Lane.CANCEL, 0, 3, 0)] * 3
    )
    @example(  # targets of before the entry are not the entry's
        [(Lane.CANCEL, 0, 1, 0)] * 2
        + [(Lane.CANCEL, 0, 2, 0), (Lane.CANCEL, 0, 3, 0)]
        + [(Lane.TARGET, 0, 3, 0)] * 2
        + [(Lane.OPEN, 0, 3, 0)]
        + [(Lane.CANCEL, 0, 3, 0)] * 4
    )
    def test_protection_is_never_held_back_by_lower_lanes(self, traffic: list[tuple[Lane, int, int, int]]) -> None:
        """Any traffic of the others as the governor lets through: a stop and a target for each entry leave at once."""
        governor, now, owed = Governor(), 0, 0
        governor.learn([limit.but(most=limit.most // 10) for limit in FALLBACK])
        for lane, weight, orders, wait_ms in traffic:
            now += wait_ms
            if lane is Lane.PROTECT:
                for _ in range(owed):
                    assert governor.ask(Lane.PROTECT, STOP, at(now)) is None
                owed = 0
            elif governor.ask(lane, Cost(weight=weight, orders=orders), at(now)) is None:
                owed += BOOKED * orders if lane is Lane.OPEN else 0
                owed -= min(orders, owed) if lane is Lane.TARGET else 0  # one of those that were owed
        for _ in range(owed):
            assert governor.ask(Lane.PROTECT, STOP, at(now)) is None

    @settings(max_examples=100, deadline=None)
    @given(st.lists(asked, max_size=300), st.integers(0, 5), st.integers(0, 3))
    def test_where_a_lane_may_go_every_higher_one_may(
        self, traffic: list[tuple[Lane, int, int, int]], weight: int, orders: int
    ) -> None:
        """But a target, whose room was booked by its entry: of that no close may take any."""
        governor, now = Governor(), 0
        governor.learn([limit.but(most=limit.most // 20) for limit in FALLBACK])
        ranks = [lane for lane in LANES if lane is not Lane.TARGET]
        for lane, spent_weight, spent_orders, wait_ms in traffic:
            now += wait_ms
            governor.ask(lane, Cost(weight=spent_weight, orders=spent_orders), at(now))
            free = [governor.objection(each, Cost(weight=weight, orders=orders), at(now)) is None for each in ranks]
            assert all(higher or not lower for higher, lower in pairwise(free)), free

    def test_each_lane_stops_below_the_next(self) -> None:
        governor = Governor()
        heights = []
        for lane in reversed(LANES):
            sent_until_held(governor, lane, 0, Cost(weight=1))
            heights.append(governor.uses(at(0))[0].used)
        assert heights == [1_440, 1_920, 2_160, 2_160, 2_160, 2_280, 2_400]

    def test_a_quarter_of_the_orders_is_never_for_entries(self) -> None:
        """I23; and an entry counts with its stop and its target, so that 75 leave at once and 225 a minute in all."""
        governor = Governor()
        assert sent_until_held(governor, Lane.OPEN, 0) == 75
        assert sent_until_held(governor, Lane.PROTECT, 0) == 225
        assert governor.uses(at(0))[1].used == 300

    def test_what_an_entry_booked_is_not_for_closes_either(self) -> None:
        governor = Governor()
        entries = sent_until_held(governor, Lane.OPEN, 0)
        assert sent_until_held(governor, Lane.CLOSE, 0) == 300 * 9 // 10 - 3 * entries
        assert sent_until_held(governor, Lane.PROTECT, 0) >= BOOKED * entries

    @pytest.mark.req("S4-RETRY-1", "I23")
    @pytest.mark.parametrize("share", ["1", "0.1"])
    @pytest.mark.parametrize("makers", [1, 30, 75])
    def test_makers_that_fill_long_after_their_bookings_find_room_for_their_stops(
        self, makers: int, share: str
    ) -> None:
        """Placed over two minutes ago; whatever leaves now leaves as much as the rules of its lane let it."""
        governor = Governor(Decimal(share))
        governor.expect(makers)
        for lane in (Lane.OPEN, Lane.TARGET, Lane.CLOSE, Lane.CANCEL):
            for ms in range(120_000, 130_000, 100):
                sent_until_held(governor, lane, ms, Cost(orders=1))
        assert governor.uses(at(130_000))[1].used > 20, "the others did send"
        assert sent_until_held(governor, Lane.PROTECT, 130_000, STOP) >= makers

    def test_without_their_booking_the_last_tenth_is_theirs_all_the_same(self) -> None:
        """Between two looks at what rests (half a second): thirty stops in ten seconds depend on nothing."""
        governor = Governor()
        for lane in (Lane.OPEN, Lane.TARGET, Lane.CLOSE):
            sent_until_held(governor, lane, 0)
        assert sent_until_held(governor, Lane.PROTECT, 0) >= 30

    def test_however_much_rests_closes_find_room(self) -> None:
        governor = Governor()
        governor.expect(10_000)
        assert sent_until_held(governor, Lane.CLOSE, 0) == 300 * 9 // 10 - 300 // 4
        governor = Governor(Decimal("0.1"))
        governor.expect(10_000)
        assert sent_until_held(governor, Lane.CLOSE, 0) == 27, "a share is of what we may use, protection apart"

    @settings(max_examples=100, deadline=None)
    @given(st.lists(asked, max_size=400), st.integers(0, 75))
    def test_what_rests_is_guarded_at_once_in_any_traffic(
        self, traffic: list[tuple[Lane, int, int, int]], makers: int
    ) -> None:
        governor, now = Governor(), 0
        governor.learn([limit.but(most=limit.most // 10) for limit in FALLBACK])
        expected = makers // 10
        governor.expect(expected)
        for lane, weight, orders, wait_ms in traffic:
            now += wait_ms
            if lane is not Lane.PROTECT:
                governor.ask(lane, Cost(weight=weight, orders=orders), at(now))
        for _ in range(expected):
            assert governor.ask(Lane.PROTECT, STOP, at(now)) is None

    def test_a_sustained_stream_of_round_trips_is_not_strangled(self) -> None:
        """Entry, stop, target, close: 4 placements each, up to three quarters of 1,200 a minute."""
        governor, done = Governor(), 0
        for second in range(600):
            for _ in range(10):
                if governor.ask(Lane.OPEN, ENTRY, at(second * 1_000)) is None:
                    done += 1
                    for lane in (Lane.PROTECT, Lane.PROTECT, Lane.CLOSE):
                        assert governor.ask(lane, STOP, at(second * 1_000)) is None
        assert 200 * 10 <= done <= 225 * 10

    def test_what_costs_nothing_passes_a_full_meter_but_no_entry_does(self) -> None:
        """A survey has paid with its first question; an entry needs questions after it."""
        governor = Governor()
        sent_until_held(governor, Lane.QUERY, 0)
        assert governor.ask(Lane.QUERY, Cost(), at(0)) is None
        assert governor.ask(Lane.PROTECT, STOP, at(0)) is None
        assert governor.ask(Lane.OPEN, ENTRY, at(0)) is not None

    def test_the_window_slides(self) -> None:
        governor = Governor()
        assert sent_until_held(governor, Lane.OPEN, 0) == 75
        held = governor.ask(Lane.OPEN, ENTRY, at(5_000))
        assert held is not None
        assert 0 < held.wait_ms <= 1_000
        assert governor.ask(Lane.OPEN, ENTRY, at(12_000)) is None

    def test_a_share_binds_all_but_protection(self) -> None:
        governor = Governor(Decimal("0.1"))
        assert sent_until_held(governor, Lane.CLOSE, 0) == 27
        assert sent_until_held(governor, Lane.PROTECT, 0) == 300 - 27


class TestTheVenuesWord:
    def test_what_others_use_counts_until_the_venues_interval_ends(self) -> None:
        governor = Governor()
        governor.hear((2_100, None, None), at(50_000), at(50_100))
        assert governor.ask(Lane.QUERY, QUESTION, at(50_200)) is not None
        assert governor.ask(Lane.CANCEL, CANCEL, at(50_200)) is None
        assert governor.uses(at(50_200))[0].used == 2_101
        assert governor.ask(Lane.QUERY, QUESTION, at(60_000 + CLOCK_MS - 1)) is not None
        assert governor.ask(Lane.QUERY, QUESTION, at(60_000 + CLOCK_MS)) is None

    @pytest.mark.req("I23")
    @pytest.mark.parametrize("skew_ms", [-CLOCK_MS, -20, -1, 0, 1, 20, CLOCK_MS - 1])
    def test_a_full_interval_never_holds_back_the_next_one_however_we_read_the_clock(self, skew_ms: int) -> None:
        """Others have used up the venue's minute; we look again as soon as we are told to, by a clock that is off."""
        governor, used, ms = Governor(), {0: 2_100}, 50_000
        governor.hear((2_100, None, None), at(ms + skew_ms), at(ms + skew_ms))
        while ms < 119_000:
            held = governor.ask(Lane.QUERY, QUESTION, at(ms + skew_ms))
            if held is not None:
                assert ms < 60_000 + 2 * CLOCK_MS, held
                ms += min(held.wait_ms, 1_000)
                continue
            used[ms // MINUTE_MS] = used.get(ms // MINUTE_MS, 0) + QUESTION.weight
            governor.hear((used[ms // MINUTE_MS], None, None), at(ms + skew_ms), at(ms + skew_ms + 2))
            assert used[0] <= 2_400
            ms += 1_000

    def test_our_own_since_is_added_and_not_counted_twice(self) -> None:
        governor = Governor()
        governor.ask(Lane.QUERY, Cost(weight=10), at(0))
        governor.hear((110, None, None), at(0), at(50))
        governor.ask(Lane.QUERY, Cost(weight=10), at(100))
        assert governor.uses(at(100))[0].used == 120
        governor.hear((120, None, None), at(100), at(150))
        assert governor.uses(at(150))[0].used == 120

    def test_an_answer_from_over_the_edge_of_an_interval_says_nothing(self) -> None:
        governor = Governor()
        edge = 60_000 + CLOCK_MS
        governor.hear((2_390, None, None), at(edge - 10), at(edge + 10))
        assert governor.uses(at(edge + 10))[0].used == 0

    def test_a_share_does_not_starve_us_for_what_others_use(self) -> None:
        governor = Governor(Decimal("0.5"))
        governor.hear((1_300, None, None), at(0), at(10))  # the others' half
        assert governor.ask(Lane.QUERY, QUESTION, at(20)) is None

    def test_limits_are_learnt(self) -> None:
        governor = Governor()
        governor.learn(
            [
                RateLimit(counts=Metered.WEIGHT, span_ms=MINUTE_MS, most=6_000),  # demo
                RateLimit(counts=Metered.ORDERS, span_ms=MINUTE_MS, most=0),
                RateLimit(counts=Metered.ORDERS, span_ms=7, most=1),
            ]
        )
        assert [use.limit.most for use in governor.uses(at(0))] == [6_000, 300, 1_200]


class TestPatience:
    def limited(self, wait_ms: int | None = 30_000) -> Governor:
        governor = Governor()
        governor.limited(wait_ms, 0, at(10))
        return governor

    def test_questions_and_entries_stop_until_it_is_over(self) -> None:
        governor = self.limited()
        for lane in (Lane.SIGHT, Lane.QUERY, Lane.OPEN):
            held = governor.ask(lane, USUAL[lane], at(11))
            assert held is not None
            assert held.wait_ms == 29_999
            assert governor.ask(lane, USUAL[lane], at(30_009)) is not None
            assert governor.ask(lane, USUAL[lane], at(30_010)) is None

    def test_targets_do_not_hold_up_a_close(self) -> None:
        """Ten of them on their way: a bare position whose stop was crossed would have waited 12 s behind them."""
        governor, targets, ms = Governor(), 10, 0
        governor.limited(600_000, 0, at(0))
        while governor.ask(Lane.CLOSE, STOP, at(ms)) is not None:
            ms += 50
            if ms % 250 == 0 and targets and governor.ask(Lane.TARGET, STOP, at(ms)) is None:
                targets -= 1
                governor.taken(ms)
        assert ms <= 3 * TRICKLE_MS

    @pytest.mark.parametrize("lane", [Lane.PROTECT, Lane.CANCEL, Lane.CLOSE])
    def test_the_rest_goes_on_one_at_a_time(self, lane: Lane) -> None:
        governor = self.limited()
        sent = [ms for ms in range(11, 30_010) if governor.ask(lane, USUAL[lane], at(ms)) is None]
        assert sent == list(range(10 + TRICKLE_MS, 30_010, TRICKLE_MS))

    def test_each_refusal_on_the_way_makes_it_slower(self) -> None:
        """About ten tries in a minute whatever happens: a ban must not be earned by trying."""
        governor, sent = self.limited(60_000), []
        for ms in range(11, 60_010):
            if governor.ask(Lane.PROTECT, STOP, at(ms)) is None:
                sent.append(ms)
                governor.limited(60_000 - ms, ms, at(ms))
        gaps = [later - earlier for earlier, later in pairwise(sent)]
        assert gaps[:4] == [2_000, 4_000, SLOWEST_TRICKLE_MS, SLOWEST_TRICKLE_MS]
        assert len(sent) < 10

    def test_what_was_under_way_makes_it_no_slower_and_success_makes_it_faster(self) -> None:
        governor = self.limited()
        for _ in range(20):
            governor.limited(30_000, 5, at(20))
        assert governor.ask(Lane.PROTECT, STOP, at(20 + TRICKLE_MS)) is None
        governor.limited(28_000, 1_020, at(1_030))
        assert governor.ask(Lane.PROTECT, STOP, at(3_030)) is None
        governor.taken(3_030)
        assert governor.ask(Lane.PROTECT, STOP, at(5_031)) is None
        assert governor.ask(Lane.PROTECT, STOP, at(6_031)) is None

    def test_the_more_urgent_goes_first(self) -> None:
        governor = self.limited()
        assert governor.ask(Lane.PROTECT, STOP, at(500)) is not None
        assert governor.ask(Lane.CLOSE, STOP, at(1_010)) is not None
        assert governor.ask(Lane.PROTECT, STOP, at(1_020)) is None
        assert governor.ask(Lane.CLOSE, STOP, at(1_010 + GIVES_WAY_MS)) is None

    @pytest.mark.parametrize("wait_ms", [0, 1])
    def test_a_refusal_whose_wait_is_over_slows_us_all_the_same(self, wait_ms: int) -> None:
        governor = Governor()
        governor.limited(wait_ms, 0, at(10))
        assert governor.ask(Lane.OPEN, ENTRY, at(11)) is not None
        assert governor.ask(Lane.PROTECT, STOP, at(11)) is not None
        assert governor.ask(Lane.PROTECT, STOP, at(10 + TRICKLE_MS)) is None

    def test_without_a_word_it_lasts_to_the_end_of_the_venues_minute(self) -> None:
        governor = self.limited(None)
        assert governor.ask(Lane.QUERY, QUESTION, at(60_000 + CLOCK_MS - 1)) is not None
        assert governor.ask(Lane.QUERY, QUESTION, at(60_000 + CLOCK_MS)) is None
        late = Governor()
        late.limited(None, 59_000, at(59_000))
        assert late.ask(Lane.QUERY, QUESTION, at(59_000 + LIMITED_MS - 1)) is not None

    @pytest.mark.parametrize("lane", LANES)
    @pytest.mark.fault("B8")
    @pytest.mark.incident(24)
    def test_a_ban_holds_everything(self, lane: Lane) -> None:
        governor = Governor()
        governor.banned(120_000, at(0))
        governor.banned(60_000, at(0))
        held = governor.ask(lane, Cost(), at(119_999))
        assert held is not None
        assert held.wait_ms == 1
        assert governor.ask(lane, Cost(), at(120_000)) is None

    def test_shed_load_holds_entries_alone(self) -> None:
        governor = Governor()
        governor.throttled(at(0))
        free = [lane for lane in LANES if governor.ask(lane, USUAL[lane], at(THROTTLED_MS - 1)) is None]
        assert free == [lane for lane in LANES if lane is not Lane.OPEN]
        assert governor.ask(Lane.OPEN, ENTRY, at(THROTTLED_MS)) is None


def test_a_call_does_not_cost_more_after_an_hour_of_traffic() -> None:
    """Its memory is two rings and a few numbers, whatever has passed through."""
    governor = Governor()
    before = [len(meter._ring) for meter in governor._meters]
    for ms in range(0, 3_600_000, 97):
        governor.ask(LANES[ms % 5], USUAL[LANES[ms % 5]], at(ms))
    assert [len(meter._ring) for meter in governor._meters] == before
    assert len(governor._held_at) <= len(LANES)


OURS = {name: value for name, value in vars(raw_module).items() if isinstance(value, Endpoint)}


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("query", ["", "symbol=BTCUSDT"])
def test_our_weights_are_the_venues(name: str, query: str) -> None:
    """Each endpoint costs here what the twin, by Binance's pages, takes for it."""
    ours = OURS[name]
    theirs = ENDPOINTS[ours.method, ours.path]
    request = WireRequest(method=ours.method, path=ours.path, query=query, headers={}, body="")
    cost = ours.cost({"symbol": "BTCUSDT"} if query else {})
    assert (cost.weight, (cost.orders,) * 2) == (theirs.weigh(Params(request)), theirs.orders)
