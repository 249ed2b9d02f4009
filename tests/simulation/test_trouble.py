"""The venue's own faults on the tape, and what is done to processes, stores and the account by hand."""

import asyncio
from typing import Any

import pytest

from chimera.adapters.memory.bus import MemoryBus
from chimera.adapters.memory.ledger import MemoryLedger
from chimera.services.stage.clock import EPOCH_MS, VirtualClock
from chimera.services.stage.loop import DetLoop
from chimera.services.stage.proc import Proc
from chimera.services.stage.stores import StoreWeather
from chimera.services.stage.tape import Tape
from chimera.simulate.door.messages import PRIVATE, WireRequest
from chimera.simulate.venue.audit import Kind
from chimera.trading.money import Millis
from world.machine import Machine
from world.plan import Deed, Failover, Pause, Plan
from world.reach import ledger_of
from world.run import CALLERS, Options, Verdict, run
from world.trouble import KINDS, Spell, Troubles

ENTRY = WireRequest(method="POST", path="/fapi/v1/order", query="symbol=BTCUSDT&side=BUY&newClientOrderId=a")
EXIT = ENTRY.but(query=ENTRY.query + "&reduceOnly=true")
SOLE = Options(who=CALLERS, safety_s=40, liveness_s=60)


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_can_be_armed_with_whatever_is_drawn_for_it(name: str) -> None:
    for seed in range(20):
        assert Troubles(Tape(seed), {name: 0.5}).ids == (name,)


def test_a_strike_is_on_the_tape_and_can_be_left_out_alone() -> None:
    def struck(tape: Tape) -> list[bool]:
        troubles = Troubles(tape, {"unavailable_503": 0.5})
        return [troubles.on_request(ENTRY, EPOCH_MS) is not None for _ in range(20)]

    tape = Tape(1)
    hits = struck(tape)
    assert tape.fired == [f"unavailable_503:POST /fapi/v1/order#{number}" for number, hit in enumerate(hits) if hit]
    without = struck(Tape(1, disabled=tape.fired[:1]))
    assert [number for number in range(20) if hits[number] != without[number]] == [hits.index(True)]


def test_nothing_strikes_a_calm_world_nor_a_healed_one() -> None:
    tape = Tape(1)
    troubles = Troubles(tape, {"unavailable_503": 1.0}, [Spell(name="maintenance", at_s=0, for_s=60)])
    assert troubles.on_request(ENTRY, EPOCH_MS) is not None
    assert not troubles.admits(PRIVATE, EPOCH_MS)
    tape.calm = True
    troubles.heal()
    assert troubles.on_request(ENTRY, EPOCH_MS) is None
    assert troubles.admits(PRIVATE, EPOCH_MS)


@pytest.mark.parametrize("name", ["balance_too_low", "throttled_503"])
def test_what_spares_exits_does_not_count_as_fired_for_them(name: str) -> None:
    tape = Tape(1)
    troubles = Troubles(tape, {name: 1.0})
    assert troubles.on_request(EXIT, EPOCH_MS) is None
    assert tape.fired == []
    assert troubles.on_request(ENTRY, EPOCH_MS) is not None


def test_a_stopped_process_takes_no_step_and_finds_its_timers_late() -> None:
    loop, ticks = DetLoop(1), []

    async def program(proc: Proc) -> None:
        while True:
            await asyncio.sleep(1)
            ticks.append(loop.now_us // 1_000_000)

    machine = Machine(loop, "s4", program, restart_ms=lambda: Millis(100))
    machine.start()
    loop.run_for(2.5)
    machine.stop()
    loop.run_for(5)
    assert ticks == [1, 2]
    machine.go_on()
    loop.run_for(2)
    assert ticks == [1, 2, 7, 8]


def test_a_write_under_way_may_be_torn_by_its_askers_death_and_an_acknowledged_one_never() -> None:
    def kept(*, rate: float, die_after_s: float) -> dict[str, object] | None:
        loop = DetLoop(1)
        weather = StoreWeather(loop, "ledger", Tape(1), {"ledger_torn": rate}, typical_us=2_000)
        ledger, proc = MemoryLedger(faults=weather), Proc(loop, "s4", 0)
        proc.spawn("write", lambda: ledger_of(proc, ledger).put("orders", "o", {"a": 1}))
        loop.call_later(die_after_s, proc.kill)
        loop.run_for(1)
        found: dict[str, object] | None = loop.run_until_complete(ledger.get("orders", "o"))
        return found

    assert kept(rate=0.0, die_after_s=0.0005) == {"a": 1}
    assert kept(rate=1.0, die_after_s=0.0005) is None
    assert kept(rate=1.0, die_after_s=0.1) == {"a": 1}


def _plan(*blows: Any) -> Plan:
    return Plan(rates={}, blows=blows, offset_ms=0)


def _told(verdict: Verdict) -> list[str]:
    return [f"{violation.invariant}: {violation.text}" for violation in verdict.violations]


def test_a_failover_loses_what_the_bus_acknowledged_last() -> None:
    loop = DetLoop(1)
    bus = MemoryBus(VirtualClock(loop))
    loop.run_until_complete(bus.put("old", b"1"))
    kept = bus.snapshot()
    loop.run_until_complete(bus.put("new", b"2"))
    assert bus.rollback(bus.snapshot() - kept) == 1
    assert loop.run_until_complete(bus.get("new")) is None
    assert loop.run_until_complete(bus.get("old")) == b"1"
    verdict = run(3, options=SOLE, plan=_plan(Failover(at_s=20, for_s=2, lose_s=3)))
    assert _told(verdict) == []
    assert verdict.counters["bus_lost"] > 0


@pytest.mark.parametrize(
    ("what", "for_s"),
    [("cancel_all", 0), ("close", 0), ("adl", 0), ("rest", 0), ("flip", 1.5), ("add", 4), ("target", 5)],
)
def test_deeds_of_others_find_something_to_do_and_the_account_is_right_in_the_end(what: str, for_s: float) -> None:
    share = 1.0 if what == "target" else 0.6
    deeds = [Deed(what=what, at_s=at_s, share=share, for_s=for_s) for at_s in range(6, 34, 2)]
    verdict = run(3, options=SOLE, plan=_plan(*deeds), keep_audit=True)
    assert _told(verdict) == []
    assert verdict.counters[f"deed_{what}"] > 0


@pytest.mark.fault("A11")
def test_a_pause_of_s4_is_outlived() -> None:
    verdict = run(3, options=SOLE, plan=_plan(Pause(at_s=12, for_s=15)))
    assert _told(verdict) == []


@pytest.mark.parametrize("name", ["maintenance", "rate_limit_storm", "cancel_only", "clock_skew", "listen_key_lost"])
def test_a_spell_strikes_and_is_outlived(name: str) -> None:
    params = {"rate_limit_storm": {"ban_ms": 3_000, "retry_ms": 3_000}, "clock_skew": {"ms": -1_500}}.get(name, {})
    spell = Spell(name=name, at_s=8, for_s=4, params=params)
    verdict = run(3, options=SOLE, plan=_plan(spell), keep_audit=True)
    assert _told(verdict) == []
    if name != "clock_skew":
        assert any(record.kind is Kind.FAULT for record in verdict.audit)
