"""Keyed chance, swarm rates, shrinking, and the virtual clock."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chimera.services.stage.clock import EPOCH_MS, VirtualClock
from chimera.services.stage.loop import DetLoop
from chimera.services.stage.proc import Proc, ProcDead
from chimera.services.stage.tape import Tape
from world.machine import ProcClock
from world.plan import swarm
from world.shrink import ddmin


def test_a_decision_depends_on_its_label_and_count_alone() -> None:
    alone, mixed = Tape(7), Tape(7)
    plain = [alone.u("drop") for _ in range(5)]
    woven = []
    for number in range(5):
        mixed.u(f"other{number}")
        woven.append(mixed.u("drop"))
    assert plain == woven
    assert len(set(plain)) == 5
    assert all(0 <= drawn < 1 for drawn in plain)
    assert Tape(8).u("drop") != plain[0]


def test_fired_faults_are_named_and_can_be_switched_off() -> None:
    first = Tape(3)
    hits = [first.fires("drop", 0.5) for _ in range(20)]
    assert first.fired == [f"drop#{number}" for number, hit in enumerate(hits) if hit]
    off = first.fired[0]
    second = Tape(3, disabled=[off])
    again = [second.fires("drop", 0.5) for _ in range(20)]
    assert second.fired == first.fired[1:]
    assert [number for number in range(20) if hits[number] != again[number]] == [int(off.removeprefix("drop#"))]


def test_a_calm_tape_fires_nothing_and_leaves_other_draws_as_they_were() -> None:
    tape, other = Tape(3), Tape(3)
    tape.calm = True
    assert not any(tape.fires("drop", 1.0) for _ in range(5))
    assert tape.fired == []
    assert tape.u("wait") == other.u("wait")


def test_a_hand_placed_fault_can_be_switched_off() -> None:
    assert Tape(1).event("kill#1")
    assert not Tape(1, disabled=["kill#1"]).event("kill#1")


def test_swarm_leaves_each_fault_out_of_four_seeds_in_ten() -> None:
    rates = [swarm(Tape(seed), {"drop": 0.3, "delay": 0.5}) for seed in range(1000)]
    for name, limit in (("drop", 0.3), ("delay", 0.5)):
        assert 350 < sum(each[name] == 0 for each in rates) < 450
        assert limit / 2 < max(each[name] for each in rates) <= limit


@given(st.lists(st.integers(0, 60), unique=True, min_size=1, max_size=60), st.data())
def test_ddmin_finds_exactly_the_faults_that_matter(numbers: list[int], data: st.DataObject) -> None:
    faults = [f"f{number}" for number in numbers]
    culprits = set(data.draw(st.lists(st.sampled_from(faults), unique=True, min_size=1, max_size=3)))

    def fails(allowed: Sequence[str]) -> bool:
        return culprits <= set(allowed)

    assert set(ddmin(faults, fails, runs=2000)) == culprits


def test_ddmin_says_when_no_fault_is_needed_and_keeps_to_its_budget() -> None:
    runs = 0

    def fails(allowed: Sequence[str]) -> bool:
        nonlocal runs
        runs += 1
        return len(allowed) >= 10

    assert ddmin(["a", "b"], lambda _: True) == []
    kept = ddmin([str(number) for number in range(100)], fails, runs=30)
    assert runs <= 31
    assert 10 <= len(kept) < 100


def test_wall_time_steps_and_monotonic_time_does_not() -> None:
    loop = DetLoop(1)
    clock = VirtualClock(loop, offset_ms=250)
    loop.run_for(1.5)
    assert (clock.now_ms(), clock.monotonic_ms()) == (EPOCH_MS + 1750, 1500)
    clock.step(-3_600_000)
    assert (clock.now_ms(), clock.monotonic_ms()) == (EPOCH_MS + 1750 - 3_600_000, 1500)
    loop.close()


def test_the_dead_read_no_clock() -> None:
    loop = DetLoop(1)
    proc = Proc(loop, "s4", 0)
    clock = ProcClock(proc, VirtualClock(loop))
    assert clock.now_ms() == EPOCH_MS
    proc.kill()
    with pytest.raises(ProcDead):
        clock.monotonic_ms()
    loop.close()
