"""Nothing that changes the account can be accepted after our lease has ended, and questions need none."""

import asyncio
import random
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chimera.adapters.binance.account import open_futures
from chimera.adapters.binance.raw import CANCEL_ORDER, GET_ORDER, PLACE_ALGO, PLACE_ORDER, SET_LEVERAGE
from chimera.adapters.binance.signed import LEAST_WINDOW_MS, READ_RECV_WINDOW_MS, Endpoint
from chimera.trading.errors import NotSent, OutcomeUnknown, VenueRejected
from chimera.trading.money import Millis
from support.lookups import Answers

pytestmark = pytest.mark.req("S4-ROUTE-6")

CHANGES = (PLACE_ORDER, PLACE_ALGO, CANCEL_ORDER, SET_LEVERAGE)


class Hand:
    """A clock that moves when told; ``jumps`` once, right behind a reading, as if the process was stopped there."""

    def __init__(self) -> None:
        self.ms = 50_000
        self.jumps = 0

    def now_ms(self) -> Millis:
        told, self.ms, self.jumps = self.ms, self.ms + self.jumps, 0
        return Millis(told)

    monotonic_ms = now_ms


class Bench:
    """One account at a venue whose clock is 7,000 ms ahead."""

    def __init__(self, tenure_ms: Callable[[int], int] | None, *, measured: bool = True) -> None:
        self.clock = Hand()
        self.venue = Answers(order={}, algoOrder={}, leverage={})
        self.raw = open_futures(self.venue, "key", "secret", self.clock, jitter=random.Random(0)).raw
        if measured:
            self.raw.venue_clock.measured(57_000, Millis(50_000), 40)
        if tenure_ms is not None:
            self.raw.tenure_ms = lambda: Millis(tenure_ms(self.clock.monotonic_ms()))

    async def sent(self, endpoint: Endpoint) -> dict[str, Any]:
        await self.raw.call(endpoint)
        asked: dict[str, Any] = self.venue.asked[-1][1]
        return asked


@pytest.mark.parametrize("endpoint", CHANGES)
async def test_the_receive_window_ends_with_the_lease(endpoint: Endpoint) -> None:
    bench = Bench(lambda now_ms: 51_000 - now_ms)
    asked = await bench.sent(endpoint)
    assert int(asked["recvWindow"]) == 1_000 - bench.raw.venue_clock.error_ms
    whole = Bench(lambda now_ms: 60_000 - now_ms)
    assert int((await whole.sent(endpoint))["recvWindow"]) >= whole.raw.recv_window_ms


@pytest.mark.parametrize("endpoint", CHANGES)
@pytest.mark.parametrize("left_ms", [0, 300])
async def test_what_does_not_fit_is_held_by_us(endpoint: Endpoint, left_ms: int) -> None:
    bench = Bench(lambda now_ms: left_ms)
    with pytest.raises(NotSent, match="LEASE") as held:
        await bench.sent(endpoint)
    assert held.value.held
    assert bench.venue.asked == []
    assert all(use.used == 0 for use in bench.raw.uses())


async def test_a_clock_that_was_never_measured_proves_nothing() -> None:
    bench = Bench(lambda now_ms: 60_000, measured=False)
    with pytest.raises(NotSent, match="LEASE"):
        await bench.sent(PLACE_ORDER)


async def test_questions_need_no_lease() -> None:
    asked = await Bench(lambda now_ms: 0).sent(GET_ORDER)
    assert asked["recvWindow"] == "5000"


async def test_without_leases_nothing_is_cut() -> None:
    asked = await Bench(None, measured=False).sent(PLACE_ORDER)
    assert asked["recvWindow"] == "2000"


@given(left_ms=st.integers(0, 4_000), stopped_ms=st.integers(0, 60_000))
async def test_who_is_stopped_between_stamp_and_look_is_too_late_by_either(left_ms: int, stopped_ms: int) -> None:
    """The venue takes it up to stamp plus window: never after the end, wherever the process was stopped."""
    bench = Bench(lambda now_ms: 50_000 + left_ms - now_ms)
    end_ms = 50_000 + left_ms + 7_000 - 20  # of the lease, by the venue's clock, as it was measured
    try:
        bench.raw.governor.ask = _stopped(bench, stopped_ms, bench.raw.governor.ask)  # type: ignore[method-assign]  # the process stops here
        asked = await bench.sent(PLACE_ORDER)
    except NotSent:
        return
    assert int(asked["timestamp"]) + int(asked["recvWindow"]) + bench.raw.venue_clock.error_ms <= end_ms
    assert int(asked["recvWindow"]) >= LEAST_WINDOW_MS


@pytest.mark.parametrize("endpoint", CHANGES)
@pytest.mark.parametrize(
    ("end", "lasts"),
    [
        (None, False),
        (NotSent("no way there"), False),
        (VenueRejected(-2019, "Margin is insufficient."), False),
        (OutcomeUnknown("-1007"), True),
        (asyncio.CancelledError(), True),
    ],
)
async def test_a_change_is_in_flight_until_its_end_is_known_or_its_window_closed(
    endpoint: Endpoint, end: BaseException | None, lasts: bool
) -> None:
    bench = Bench(None)
    in_flight, began_ms, answer = bench.raw.in_flight, bench.clock.ms, bench.venue.request

    async def request(*what: Any, **how: Any) -> Any:
        bench.clock.ms = began_ms + 60_000  # however long it takes
        assert in_flight.any()
        bench.clock.ms = began_ms
        if end is not None:
            raise end
        return await answer(*what, **how)

    bench.venue.request = request  # type: ignore[method-assign]  # ends as told
    with nullcontext() if end is None else pytest.raises(type(end)):
        await bench.raw.call(endpoint)
    assert in_flight.any() is lasts
    window_ms = bench.raw.recv_window_ms if endpoint.order else READ_RECV_WINDOW_MS
    bench.clock.ms += window_ms + bench.raw.venue_clock.error_ms
    assert in_flight.any() is lasts
    bench.clock.ms += 1
    assert not in_flight.any()


async def test_a_question_is_never_in_flight() -> None:
    bench = Bench(None)
    await bench.sent(GET_ORDER)
    assert not bench.raw.in_flight.any()


def _stopped(bench: Bench, ms: int, ask: Callable[..., Any]) -> Callable[..., Any]:
    """Of the two readings of the clock that follow, the stamp's and the lease's, it stops behind the first."""

    def asked(*what: Any) -> Any:
        told = ask(*what)
        bench.clock.jumps = ms
        return told

    return asked
