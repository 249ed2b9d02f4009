"""The wires of the world over a real twin: answers, losses, streams, the S3 link and the stores."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

import msgspec
import pytest

from chimera.adapters.memory.ledger import MemoryLedger
from chimera.ports.ledger import Claim
from chimera.services.stage.clock import EPOCH_MS, VirtualClock
from chimera.services.stage.loop import DetLoop
from chimera.services.stage.network import Venue
from chimera.services.stage.proc import Proc, ProcDead
from chimera.services.stage.stores import StoreWeather
from chimera.services.stage.tape import Tape
from chimera.simulate.twin import Twin
from chimera.simulate.venue.account_spec import READY_ACCOUNT
from chimera.simulate.venue.audit import Kind
from chimera.trading.errors import NotSent, OutcomeUnknown, StoreUnavailable
from chimera.trading.ids import IntentId
from chimera.trading.money import Millis
from world.link import Link
from world.machine import Machine
from world.reach import ledger_of

KEY = {"X-MBX-APIKEY": READY_ACCOUNT.api_key}


SURE = 1_000  # the venue takes a share of a rate for questions that a service asks all the time


class Bench:
    """One loop, one venue, one process."""

    def __init__(self, **rates: float) -> None:
        self.loop = DetLoop(1)
        self.tape = Tape(1)
        self.twin = Twin(now_ms=EPOCH_MS)
        sure = {name: rate * SURE for name, rate in rates.items()}
        self.venue = Venue(self.loop, self.twin, VirtualClock(self.loop), self.tape, sure)
        self.proc = Proc(self.loop, "s4", 0)

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        task = self.proc.spawn("test", lambda: work)
        result = self.loop.run_until_complete(task)
        assert self.loop.unheard() == []
        return result

    async def ask(self, path: str = "/fapi/v1/time", method: str = "GET", timeout_ms: int = 1_000) -> Any:
        reply = await self.venue.transport(self.proc).request(method, path, headers=KEY, timeout_ms=timeout_ms)
        return msgspec.json.decode(reply.body)

    def requests(self) -> list[str]:
        return [record.path for record in self.twin.audit if record.kind is Kind.REQUEST]


def test_a_request_takes_time_both_ways_and_is_stamped_on_arrival() -> None:
    bench = Bench()
    told = bench.run(bench.ask())
    assert EPOCH_MS < told["serverTime"] < EPOCH_MS + 50
    assert bench.loop.now_us > (told["serverTime"] - EPOCH_MS) * 1000


@pytest.mark.parametrize(
    ("fault", "error", "executed"),
    [
        ("connect_refused", NotSent, False),
        ("drop_request", OutcomeUnknown, False),
        ("drop_reply", OutcomeUnknown, True),
        ("reset_reply", OutcomeUnknown, True),
    ],
)
def test_losses_on_the_way(fault: str, error: type[Exception], executed: bool) -> None:
    bench = Bench(**{fault: 1.0})
    with pytest.raises(error):
        bench.run(bench.ask())
    assert bool(bench.requests()) is executed
    assert bench.tape.fired == [f"{fault}:GET /fapi/v1/time#0"]


def test_a_lost_answer_costs_the_whole_time_out_and_a_reset_does_not() -> None:
    for fault, low_us, high_us in (("drop_reply", 1_000_000, 1_000_000), ("reset_reply", 1_000, 200_000)):
        bench = Bench(**{fault: 1.0})
        with suppress(OutcomeUnknown):
            bench.run(bench.ask(timeout_ms=1_000))
        assert low_us <= bench.loop.now_us <= high_us


def test_nothing_gets_in_while_the_venue_is_away() -> None:
    bench = Bench()
    bench.venue.away = True
    with pytest.raises(OutcomeUnknown):
        bench.run(bench.ask())
    assert bench.requests() == []


def test_a_request_in_flight_is_executed_after_its_sender_died() -> None:
    bench = Bench()
    machine = Machine(bench.loop, "s4", _asks(bench), restart_ms=lambda: Millis(60_000))
    machine.start()
    bench.loop.call_later(0.001, machine.kill)
    bench.loop.run_for(5)
    assert bench.requests() == ["/fapi/v1/time"]
    assert machine.deaths == 1
    assert bench.loop.unheard() == []


def _asks(bench: Bench) -> Any:
    async def program(proc: Proc) -> None:
        await bench.venue.transport(proc).request("GET", "/fapi/v1/time", headers=KEY, timeout_ms=1_000)
        raise AssertionError("the dead hear no answer")

    return program


def test_ports_of_the_dead_send_nothing() -> None:
    bench = Bench()
    transport = bench.venue.transport(bench.proc)
    bench.proc.kill()
    with pytest.raises(ProcDead):
        bench.loop.run_until_complete(transport.request("GET", "/fapi/v1/time", headers=KEY, timeout_ms=1_000))
    assert bench.requests() == []


# ── streams ──


async def _listen(bench: Bench, seconds: float) -> list[dict[str, Any]]:
    """Open a user stream, change a setting five times, and say what was heard."""
    key = (await bench.ask("/fapi/v1/listenKey", "POST"))["listenKey"]
    heard = []
    transport = bench.venue.transport(bench.proc)
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds), transport.connect(f"/private/ws?listenKey={key}") as socket:
            account = bench.twin.usdm.floor.accounts[READY_ACCOUNT.name]
            for leverage in range(1, 6):
                account.on("BTCUSDT").leverage = leverage
                bench.twin.usdm.floor.reports.config(account, "BTCUSDT")  # type: ignore[attr-defined]  # the wire
                bench.venue.pump()
                await asyncio.sleep(0.001)
            async for frame in socket.frames():
                heard.append(msgspec.json.decode(frame)["ac"]["l"])
    return heard


def test_frames_of_one_type_arrive_in_order() -> None:
    bench = Bench(frame_delay=0.5)
    assert bench.run(_listen(bench, 30)) == [1, 2, 3, 4, 5]
    assert bench.tape.fired


def test_a_duplicate_comes_again_later() -> None:
    bench = Bench(frame_duplicate=1.0)
    heard = bench.run(_listen(bench, 30))
    assert sorted(heard) == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]


def test_a_cut_ends_the_stream_and_a_stall_only_silences_it() -> None:
    cut = Bench(stream_cut=1.0)
    assert cut.run(_listen(cut, 30)) == []
    assert cut.loop.now_us < 1_000_000
    stalled = Bench(stream_stall=1.0)
    assert stalled.run(_listen(stalled, 30)) == []
    assert stalled.loop.now_us > 29_000_000


def test_a_dead_processs_streams_vanish() -> None:
    bench = Bench()
    got: list[bytes] = []

    async def program(proc: Proc) -> None:
        async with bench.venue.transport(proc).connect("/private/ws?listenKey=k") as socket:
            async for frame in socket.frames():
                got.append(frame)

    machine = Machine(bench.loop, "s4", program, restart_ms=lambda: Millis(60_000))
    machine.start()
    bench.loop.run_for(1)
    assert bench.venue._streams["private", "k"]
    machine.kill()
    assert not bench.venue._streams["private", "k"]
    bench.loop.run_for(1)
    assert got == []


# ── the link from S3 ──


def test_the_link_answers_refuses_and_resets() -> None:
    loop = DetLoop(1)
    link: Link[int, int] = Link(loop, Tape(1), {})
    served: list[int] = []

    async def serve(proc: Proc) -> None:
        async def handler(question: int) -> int:
            served.append(question)
            await asyncio.sleep(question)
            if question == 3:
                raise StoreUnavailable("no")
            return question * 10

        link.serve(proc, handler)
        await asyncio.get_running_loop().create_future()

    machine = Machine(loop, "s4", serve, restart_ms=lambda: Millis(1_000))

    async def ask() -> list[object]:
        answers: list[object] = []
        for question in (1, 3, 2, 1):
            try:
                answers.append(await link.call(None, question, timeout_ms=5_000))
            except (NotSent, OutcomeUnknown, StoreUnavailable) as error:
                answers.append(type(error).__name__)
        return answers

    machine.start()
    loop.run_for(0.1)
    loop.call_later(5.0, machine.kill)
    assert loop.run_until_complete(ask()) == [10, "StoreUnavailable", "OutcomeUnknown", "NotSent"]
    assert served == [1, 3, 2]
    assert loop.unheard() == []
    loop.close()


@pytest.mark.parametrize(
    ("fault", "served", "answer"),
    [("link_lost", 0, None), ("link_answer_lost", 1, None), ("link_double", 2, 70)],
)
def test_calls_get_lost_and_doubled(fault: str, served: int, answer: int | None) -> None:
    loop = DetLoop(1)
    link: Link[int, int] = Link(loop, Tape(1), {fault: 1.0})
    seen: list[int] = []

    async def handler(question: int) -> int:
        seen.append(question)
        return question * 10

    link.serve(Proc(loop, "s4", 0), handler)

    async def ask() -> int | None:
        try:
            return await link.call(None, 7, timeout_ms=1_000)
        except OutcomeUnknown:
            return None

    assert loop.run_until_complete(ask()) == answer
    loop.run_for(1)
    assert seen == [7] * served
    loop.close()


# ── stores ──


def a_claim(number: int, body: str = "h") -> Claim:
    return Claim(id=f"c{number}", intent_id=IntentId("i"), body_hash=body, at_ms=EPOCH_MS)


@pytest.mark.parametrize(("fault", "first"), [("ledger_fail_before", "other"), ("ledger_fail_after", "h")])
def test_a_store_fails_before_or_after_the_change(fault: str, first: str) -> None:
    loop = DetLoop(1)
    tape = Tape(1)
    ledger = MemoryLedger(faults=StoreWeather(loop, "ledger", tape, {fault: 1.0}, typical_us=1_000))
    port = ledger_of(Proc(loop, "s4", 0), ledger)
    with pytest.raises(StoreUnavailable):
        loop.run_until_complete(port.claim(a_claim(1)))
    tape.calm = True
    assert loop.run_until_complete(port.claim(a_claim(1, "other"))).body_hash == first
    loop.close()


def test_a_stall_ends_and_a_write_of_the_dead_is_carried_through() -> None:
    loop = DetLoop(1)
    weather = StoreWeather(loop, "ledger", Tape(1), {}, typical_us=1_000)
    ledger = MemoryLedger(faults=weather)

    async def program(proc: Proc) -> None:
        await ledger_of(proc, ledger).claim(a_claim(1))
        raise AssertionError("the dead hear no answer")

    machine = Machine(loop, "s4", program, restart_ms=lambda: Millis(60_000))
    weather.stall(1.5)
    machine.start()
    loop.call_later(0.5, machine.kill)
    loop.run_for(5)
    port = ledger_of(Proc(loop, "reader", 0), ledger)
    assert loop.run_until_complete(port.claim(a_claim(1, "other"))).body_hash == "h"
    weather.stall(60)
    with pytest.raises(StoreUnavailable, match="outcome unknown"):
        loop.run_until_complete(port.claim(a_claim(2)))
    assert loop.unheard() == []
    loop.close()
