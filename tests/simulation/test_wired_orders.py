"""Orders by the venue's WebSocket API in the world: the client of production over the world's wire, to a real twin."""

from collections.abc import Awaitable, Callable, Iterator
from random import Random
from typing import Any

import pytest

from chimera.adapters.binance.order_socket import OrderSocket
from chimera.adapters.binance.sign import HmacSigner
from chimera.services.stage.clock import EPOCH_MS, VirtualClock
from chimera.services.stage.loop import DetLoop
from chimera.services.stage.network import Venue
from chimera.services.stage.proc import Proc
from chimera.services.stage.tape import Tape
from chimera.simulate.door.messages import WireRequest
from chimera.simulate.twin import Twin
from chimera.simulate.venue.account_spec import READY_ACCOUNT
from chimera.simulate.venue.audit import Kind
from chimera.trading.errors import NotSent, OutcomeUnknown
from world.run import CAMPAIGN, run

ORDER = "/fapi/v1/order"
BY_SOCKET = CAMPAIGN.but(socket_share=1)


class Bench:
    """One venue, one process, one order socket that connects as soon as anything runs."""

    def __init__(self, **rates: float) -> None:
        self.loop = DetLoop(1)
        self.twin = Twin(now_ms=EPOCH_MS)
        self.clock = VirtualClock(self.loop)
        self.tape = Tape(1)
        self.venue = Venue(self.loop, self.twin, self.clock, self.tape, rates)
        self.proc = Proc(self.loop, "s4", 0)
        transport = self.venue.transport(self.proc)
        self.socket = OrderSocket(transport, READY_ACCOUNT.api_key, HmacSigner(READY_ACCOUNT.secret), Random(1))
        self.proc.spawn("socket", self.socket.run)
        self.loop.run_for(0.5)

    async def ask(self, method: str = "DELETE", *, timeout_ms: int = 1_000) -> int:
        """The status of the answer to a request about an order that is not there."""
        asked = {"symbol": "BTCUSDT", "origClientOrderId": "nobody", "timestamp": str(self.clock.now_ms())}
        return (await self.socket.request(method, ORDER, asked, timeout_ms=timeout_ms)).status

    def run(self, work: Callable[[], Awaitable[Any]]) -> Any:
        async def awaited() -> Any:
            return await work()

        result = self.loop.run_until_complete(self.proc.spawn("test", awaited))
        assert self.loop.unheard() == []
        return result

    @property
    def arrived(self) -> bool:
        return any(record.kind is Kind.REQUEST for record in self.twin.audit)


Benches = Callable[..., Bench]


@pytest.fixture
def benches() -> Iterator[Benches]:
    """Makes benches and ends their processes."""
    made: list[Bench] = []

    def make(**rates: float) -> Bench:
        made.append(Bench(**rates))
        return made[-1]

    yield make
    for bench in made:
        bench.proc.kill()
        bench.loop.close()


def test_a_request_goes_by_the_socket_and_its_answer_comes_back(benches: Benches) -> None:
    bench = benches()
    left: list[WireRequest] = []
    bench.venue.sent = left.append
    assert bench.socket.takes("POST", ORDER)
    assert bench.run(bench.ask) == 400
    assert bench.arrived
    assert bench.venue.by_socket == 1
    assert [(each.method, each.path) for each in left] == [("DELETE", ORDER)]


@pytest.mark.parametrize(
    ("fault", "executed", "at_once"),
    [
        ("drop_request", False, False),
        ("drop_reply", True, False),
        ("reset_reply", True, True),
        ("orders_stall", False, False),
    ],
)
def test_what_is_lost_on_either_way_is_unknown(benches: Benches, fault: str, *, executed: bool, at_once: bool) -> None:
    bench = benches(**{fault: 1.0})
    began = bench.loop.now_us
    with pytest.raises(OutcomeUnknown):
        bench.run(bench.ask)
    assert bench.arrived is executed
    assert (bench.loop.now_us - began < 200_000) is at_once
    assert bench.tape.fired == [f"{fault}:DELETE {ORDER}#0"]


def test_a_cut_leaves_all_in_flight_unknown_and_what_had_left_is_executed(benches: Benches) -> None:
    bench = benches()
    bench.loop.call_later(0.001, bench.venue.cut_all)
    with pytest.raises(OutcomeUnknown):
        bench.run(bench.ask)
    bench.loop.run_for(0.02)
    assert bench.arrived
    assert bench.venue.cut_in_flight == 1
    assert not bench.socket.takes("POST", ORDER)
    bench.loop.run_for(5)
    assert bench.socket.takes("POST", ORDER)


def test_a_connection_is_cut_before_or_behind_the_frame(benches: Benches) -> None:
    outcomes = set()
    for seed in range(12):
        bench = benches(orders_cut=1.0)
        bench.venue.tape = Tape(seed)
        with pytest.raises(OutcomeUnknown):
            bench.run(bench.ask)
        bench.loop.run_for(0.05)
        outcomes.add(bench.arrived)
    assert outcomes == {True, False}


def test_a_dead_connection_is_given_up_and_another_opened(benches: Benches) -> None:
    bench = benches(orders_stall=1.0)
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            bench.run(bench.ask)
    bench.tape.calm = True
    bench.loop.run_for(5)
    assert bench.run(bench.ask) == 400


def test_nothing_gets_in_while_the_venue_is_away(benches: Benches) -> None:
    bench = benches()
    bench.venue.away = True
    bench.venue.cut_all()
    bench.loop.run_for(5)
    assert not bench.socket.takes("POST", ORDER)
    with pytest.raises(NotSent):
        bench.run(bench.ask)
    assert not bench.arrived


def test_a_dead_process_takes_its_connection_with_it(benches: Benches) -> None:
    bench = benches()
    assert len(bench.venue.order_wires) == 1
    bench.proc.kill()
    assert len(bench.venue.order_wires) == 0


@pytest.mark.slow
def test_a_run_by_socket_holds_and_repeats() -> None:
    one, other = (run(500_002, options=BY_SOCKET.but(trace=True)) for _ in range(2))
    assert one.good
    assert one.counters["by_socket"] > 5
    assert (one.trace_hash, one.audit_hash) == (other.trace_hash, other.audit_hash)
    assert run(500_002, options=BY_SOCKET.but(socket_share=0)).counters["by_socket"] == 0
