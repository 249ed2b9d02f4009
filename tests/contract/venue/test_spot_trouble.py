"""The spot account in trouble: answers that are lost, a clock that is off, a wrong key, a stream that ends."""

import asyncio
import random
from decimal import Decimal

import pytest

from chimera.adapters.binance.spot.account import open_spot
from chimera.ports.venue import Loss, StreamDown, StreamUp
from chimera.simulate.door.messages import WireRequest
from chimera.simulate.trouble.faults import NoFaults, RequestFault, Trouble
from chimera.trading.errors import NotSent, OutcomeUnknown, VenueRejected
from chimera.trading.money import Millis
from chimera.trading.order import Status
from support.spot_bench import SpotBench, a_pair, a_ref, an_order, resting
from support.twin_inside import KEY, SECRET, START, HandClock

D = Decimal


class Once(NoFaults):
    """One trouble for the next request that places or cancels, once."""

    def __init__(self, fault: RequestFault) -> None:
        self.fault: RequestFault | None = fault

    def on_request(self, request: WireRequest, now_ms: Millis) -> RequestFault | None:
        if request.method == "GET":
            return None
        fault, self.fault = self.fault, None
        return fault


UNKNOWN = [
    Trouble.DROP,
    Trouble.UNKNOWN_503,
    Trouble.OVERLOADED_503,
    Trouble.TIMEOUT_1007,
    Trouble.UNEXPECTED_1006,
]


@pytest.mark.req("S4-RETRY-2")
@pytest.mark.parametrize("trouble", UNKNOWN)
@pytest.mark.parametrize("executed", [True, False])
@pytest.mark.fault("B5")
async def test_unknown_is_settled_by_asking(bench: SpotBench, trouble: Trouble, executed: bool) -> None:
    bench.twin.faults = Once(RequestFault(trouble=trouble, executed=executed))

    with pytest.raises(OutcomeUnknown):
        await bench.spot.venue.place(an_order("a-m1", **resting("50000")), timeout_ms=200)

    assert (await bench.find("a-m1") is not None) is executed


@pytest.mark.parametrize("trouble", [Trouble.DROP, Trouble.TIMEOUT_1007])
@pytest.mark.parametrize("executed", [True, False])
async def test_an_unanswered_pair_stands_whole_or_not_at_all(
    bench: SpotBench, trouble: Trouble, executed: bool
) -> None:
    bench.twin.faults = Once(RequestFault(trouble=trouble, executed=executed))

    with pytest.raises(OutcomeUnknown):
        await bench.spot.venue.place_pair(*a_pair("61000", "59000"), timeout_ms=200)

    legs = [await bench.find(ref) for ref in ("a-p1", "a-s1")]
    assert [leg is not None for leg in legs] == [executed, executed]


@pytest.mark.parametrize("executed", [True, False])
async def test_an_unanswered_cancel_is_settled_by_asking(bench: SpotBench, executed: bool) -> None:
    await bench.pair()
    bench.twin.faults = Once(RequestFault(trouble=Trouble.TIMEOUT_1007, executed=executed))

    with pytest.raises(OutcomeUnknown):
        await bench.spot.venue.cancel(a_ref("a-s1"), timeout_ms=200)

    found = await bench.find("a-s1")
    assert found is not None
    assert found.status is (Status.CANCELED if executed else Status.NEW)


@pytest.mark.parametrize("trouble", [Trouble.UNAVAILABLE_503, Trouble.INTERNAL_503])
async def test_on_spot_no_5xx_is_certain(bench: SpotBench, trouble: Trouble) -> None:
    bench.twin.faults = Once(RequestFault(trouble=trouble))

    with pytest.raises(OutcomeUnknown):
        await bench.place("a-m1", **resting("50000"))


@pytest.mark.req("S4-CLOCK-1")
async def test_a_clock_that_is_off_is_measured_and_made_good(wired: SpotBench) -> None:
    class Ahead(HandClock):
        def now_ms(self) -> Millis:
            return Millis(wired.clock.at_ms + 90_000)

    spot = open_spot(wired.transport, KEY, SECRET, Ahead(), jitter=random.Random(0))

    with pytest.raises(NotSent):
        await spot.venue.place(an_order("a-m1", **resting("50000")), timeout_ms=2000)
    assert (await spot.venue.place(an_order("a-m1", **resting("50000")), timeout_ms=2000)).status is Status.NEW
    assert spot.raw.venue_clock.offset_ms == -90_000
    assert spot.venue.dead_after_ms(Millis(START + 90_000)) > START + spot.raw.recv_window_ms


@pytest.mark.parametrize(("key", "secret", "codes"), [("unknown", SECRET, (-2014, -2015)), (KEY, "another", (-1022,))])
async def test_a_wrong_key_is_refused(bench: SpotBench, key: str, secret: str, codes: tuple[int, ...]) -> None:
    with pytest.raises(VenueRejected) as refused:
        await bench.opened(key, secret).venue.place(an_order("a-t1"), timeout_ms=2000)

    assert refused.value.code in codes


# ── the user stream ─────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.req("S4-NET-1")
async def test_a_stream_that_is_ended_comes_back_and_says_so(bench: SpotBench) -> None:
    await bench.place("a-m1", **resting("50000"))
    await bench.told("a-m1", Status.NEW)
    bench.spot.venue.reconnect("deaf")
    await bench.until(lambda heard: [each for each in heard if isinstance(each, StreamUp)] == [StreamUp()] * 2)
    await bench.spot.venue.cancel(a_ref("a-m1"), timeout_ms=2000)
    await bench.told("a-m1", Status.CANCELED)

    assert [each.cause for each in bench.heard if isinstance(each, StreamDown)] == [Loss.ASKED]


@pytest.mark.req("S4-NET-1")
async def test_a_wrong_key_hears_nothing_and_says_why(wired: SpotBench) -> None:
    reports = wired.opened(KEY, "another").venue.reports()
    async with asyncio.timeout(5):
        first = await anext(reports)
    await reports.aclose()

    assert isinstance(first, StreamDown)
    assert first.cause is Loss.KEY_REFUSED
    assert "-1022" in first.reason
