"""How the router tells of the rate governor: a barrier that does not flap, and a ban that wakes somebody."""

import pytest

from chimera.services.router.barriers import Barriers
from chimera.services.router.governing import CALM_MS, FULL_MS, Governing
from chimera.trading.events import Alert, Severity
from chimera.trading.ids import Symbol
from chimera.trading.money import Millis
from chimera.trading.order import Role
from chimera.trading.rates import Lane, Metered, RateLimit, RateUse
from support.desk import Desk, a_long, an_intent

BTC = Symbol("BTCUSDT")


class HandClock:
    at_ms = 1_000

    def now_ms(self) -> Millis:
        return Millis(self.at_ms)

    def monotonic_ms(self) -> Millis:
        return Millis(self.at_ms)


class Told:
    """``Rates`` by hand."""

    why: str | None = None
    ban_ms = expected = 0

    def uses(self) -> tuple[RateUse, ...]:
        limit = RateLimit(counts=Metered.ORDERS, span_ms=10_000, most=300)
        return (RateUse(limit=limit, used=7, ours=dict.fromkeys(Lane, 1), ceiling=dict.fromkeys(Lane, 225)),)

    def entries_held(self) -> str | None:
        return self.why

    def expect(self, stops: int) -> None:
        self.expected = stops

    def banned_ms(self) -> Millis:
        return Millis(self.ban_ms)


class Bench:
    def __init__(self) -> None:
        self.clock, self.rates, self.alerts = HandClock(), Told(), list[Alert]()
        self.barriers = Barriers(self.clock, self.alerts.append)
        self.governing = Governing(self.rates, self.barriers, self.clock)

    def after(self, ms: int, why: str | None) -> bool:
        """Whether entries are barred when it has been like this since the last look, and for ``ms``."""
        self.rates.why = why
        self.governing.look()
        self.clock.at_ms += ms
        self.governing.look()
        return self.barriers.before(BTC) is not None

    @property
    def codes(self) -> list[tuple[str, Severity]]:
        return [(alert.code, alert.severity) for alert in self.alerts]


@pytest.mark.req("S4-RETRY-1")
def test_entries_that_wait_for_long_are_told_no_early() -> None:
    bench = Bench()
    assert not bench.after(FULL_MS - 1, "full")
    assert bench.after(1, "full")
    refused = bench.barriers.before(BTC)
    assert refused is not None
    assert (refused.code, str(refused)) == ("RATE_GOVERNOR", "entries wait: full")
    assert bench.codes == [("RATE_GOVERNOR", Severity.WARN)]


def test_room_for_a_moment_ends_nothing() -> None:
    bench = Bench()
    bench.after(FULL_MS, "full")
    for _ in range(20):
        assert bench.after(CALM_MS - 1, None)
        assert bench.after(1, "full")
    assert not bench.after(CALM_MS, None)
    assert [code for code, _ in bench.codes] == ["RATE_GOVERNOR", "RATE_GOVERNOR_OVER"]
    assert not bench.after(FULL_MS - 1, "full")  # counted anew


def test_a_moment_without_room_is_no_news() -> None:
    bench = Bench()
    for _ in range(20):
        assert not bench.after(FULL_MS - 1, "full")
        assert not bench.after(CALM_MS, None)
    assert bench.codes == []


def test_a_ban_wakes_somebody_at_once() -> None:
    bench = Bench()
    bench.rates.ban_ms = 120_000
    bench.governing.look()
    assert bench.codes == [("VENUE_BAN", Severity.FATAL)]
    assert bench.barriers.before(BTC) is not None
    bench.rates.ban_ms = 0
    bench.governing.look()
    assert [code for code, _ in bench.codes] == ["VENUE_BAN", "VENUE_BAN_OVER"]


def test_what_is_shown() -> None:
    bench = Bench()
    (shown,) = bench.governing.shown()
    assert (shown["counts"], shown["limit"], shown["used"]) == ("ORDERS", 300, 7)
    assert shown["lanes"] == {lane.value: {"ours": 1, "ceiling": 225} for lane in Lane}
    assert Governing(None, bench.barriers, bench.clock).shown() == []


@pytest.mark.req("S4-RETRY-1")
def test_the_governor_hears_how_many_positions_may_need_a_stop_at_any_moment() -> None:
    """One whose maker rests, one that has filled and is bare, one that is guarded, one that is flat."""
    bench = Bench()
    resting, bare, guarded, flat = Desk(), Desk(), a_long(), Desk()
    resting.submit(an_intent(), wait_ms=60_000)
    resting.ack(resting.placed(Role.MAKER))
    bare.submit(an_intent())
    bare.fill(bare.placed(Role.TAKER), "0.01")
    desks = [resting, bare, guarded, flat]
    governing = Governing(bench.rates, bench.barriers, bench.clock, lambda: [desk.holding for desk in desks])
    governing.look()
    assert bench.rates.expected == 2
    bare.ack(bare.placed(Role.STOP))
    guarded.ack(guarded.placed(Role.STOP))
    governing.look()
    assert bench.rates.expected == 1
