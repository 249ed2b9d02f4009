"""Whole runs: S4 over the twin, from one seed. The campaign of thousands is ``make sim``; here is a sample of it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from chimera.services.world import oracle, quiet
from chimera.services.world.main import campaign, sim
from chimera.services.world.plan import Away, KillAfterOrder, Plan
from chimera.services.world.run import Options, Verdict, run
from chimera.services.world.safeguards import SAFEGUARDS, _owner, switched_off
from chimera.simulate.audit import AuditRecord, Kind
from chimera.wire.codec import encode

CALM = Options(faults=False)


def told(verdict: Verdict) -> list[str]:
    return [f"{violation.invariant}: {violation.text}" for violation in verdict.violations]


def entries(audit: Iterable[AuditRecord]) -> list[AuditRecord]:
    return [record for record in audit if record.kind is Kind.ACCEPT and not record.reduce_only]


@pytest.mark.req("I10")
def test_in_fair_weather_every_fill_has_its_stop_at_once_and_all_ends_flat() -> None:
    verdict = run(1, options=CALM, keep_audit=True)
    assert told(verdict) == []
    assert verdict.fired == ()
    assert "FILLED" in verdict.answers.values()
    assert entries(verdict.audit)
    assert 0 < verdict.counters["longest_bare_ms"] < 200


def test_a_verdict_is_a_function_of_its_seed() -> None:
    first, again, other = (run(seed, options=Options(trace=True)) for seed in (5, 5, 6))
    assert first == again
    assert first.trace_hash != other.trace_hash


@pytest.mark.slow
@pytest.mark.req("I33")
def test_same_seed_same_hashes_in_fresh_processes_under_any_hash_seed() -> None:
    program = (
        "from chimera.services.world.run import Options, run\n"
        "for seed in range(3, 6):\n"
        "    v = run(seed, options=Options(trace=True)); print(v.trace_hash, v.audit_hash, v.fired)"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": str(hash_seed), "PYTHONPATH": str(Path("src").absolute())},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in (0, 1, 2)
    }
    assert len(outputs) == 1


@pytest.mark.slow
@pytest.mark.req("I1", "I4", "I6", "I7", "I10", "I12", "I26")
def test_a_sample_of_rough_seeds_holds_every_invariant() -> None:
    lines: list[str] = []
    found = campaign(0, 24, processes=1, say=lines.append)
    assert found.failed == (), "\n".join(lines)
    for happened in ("kills", "fault_drop_reply", "fault_frame_delay", "fault_stream_cut", "venue_trigger"):
        assert found.counters[happened] > 0, f"{happened} never happened: the sample proves little"


@pytest.mark.req("I26")
@pytest.mark.parametrize("steps", [1, 3, 8, 20])
def test_killed_around_its_first_order_it_comes_back_and_finishes(steps: int) -> None:
    plan = Plan(rates={}, blows=(KillAfterOrder(order_no=1, steps=steps),), offset_ms=120)
    verdict = run(2, options=CALM, plan=plan)
    assert verdict.counters["kills"] == 1
    assert told(verdict) == []


def relative(verdict: Verdict) -> list[AuditRecord]:
    """The log with time from the run's begin."""
    return [record.but(at_us=record.at_us - quiet.EPOCH_US) for record in verdict.audit]


def moments_of_rest(audit: list[AuditRecord]) -> list[float]:
    """Half way through the life of each entry that rested at least 30 ms before its first fill, in seconds."""
    accepted = {record.order_id: record.at_us for record in entries(audit)}
    moments = []
    for record in audit:
        begun = accepted.pop(record.order_id, None) if record.kind is Kind.FILL else None
        if begun is not None and record.at_us - begun > 30_000:
            moments.append((begun + record.at_us) / 2e6)
    return moments


@pytest.mark.req("FL-5")
def test_with_both_stores_away_fills_get_their_stops_and_no_entry_leaves() -> None:
    """Ledger and Redis stall for 60 s while a maker rests; it fills during the stall."""
    away_s, options, guarded = 60.0, Options(faults=False, safety_s=100, liveness_s=60), 0
    for seed in range(8):
        rests = moments_of_rest(relative(run(seed, options=options, keep_audit=True)))
        for begin_s in [moment for moment in rests if moment < options.safety_s - away_s][:1]:
            blows = tuple(Away(what=what, at_s=begin_s, for_s=away_s) for what in ("ledger", "bus"))
            verdict = run(seed, options=options, plan=Plan(rates={}, blows=blows, offset_ms=0), keep_audit=True)
            assert told(verdict) == []
            audit, begin_us, end_us = relative(verdict), begin_s * 1e6, (begin_s + away_s) * 1e6
            spans = [s for s in oracle.uncovered_spans(audit, round(160e6)) if begin_us < s.from_us < end_us]
            assert all(span.to_us - span.from_us < 100_000 for span in spans), spans
            assert [entry for entry in entries(audit) if begin_us + 50_000 < entry.at_us < end_us] == []
            guarded += len(spans)
    assert guarded > 0, "no fill came while the stores were away: the scenario proves nothing"


# ── safeguards ──


@pytest.mark.parametrize("name", SAFEGUARDS)
def test_a_safeguard_is_taken_away_and_put_back(name: str) -> None:
    seams = SAFEGUARDS[name].seams
    before = [vars(_owner(seam.place))[seam.attribute] for seam in seams]
    with switched_off(name):
        assert all(vars(_owner(seam.place))[seam.attribute] is not old for seam, old in zip(seams, before, strict=True))
    assert [vars(_owner(seam.place))[seam.attribute] for seam in seams] == before


@pytest.mark.slow
@pytest.mark.req("FL-4")
@pytest.mark.parametrize(
    ("name", "invariants"),
    [("protect_fills", {"I10"}), ("trade_history", {"I6"}), ("recover_pending", {"I1", "I2", "I4", "I14"})],
)
def test_the_world_notices_a_missing_safeguard(name: str, invariants: set[str]) -> None:
    for seed in range(60):
        verdict = run(seed, off=name)
        if invariants & {violation.invariant for violation in verdict.violations}:
            return
    pytest.fail(f"no seed of 60 notices that {name} is gone")


@pytest.mark.slow
def test_a_failure_is_shrunk_and_told_with_its_replay() -> None:
    lines: list[str] = []
    code = next(code for seed in range(40) if (code := sim(seed, "trade_history", say=lines.append)))
    text = "\n".join(lines)
    assert code == 1
    assert "OFF=trade_history" in text
    assert "faults needed" in text


def test_with_no_fault_allowed_nothing_fires() -> None:
    verdict = run(3, only=[])
    assert verdict.fired == ()
    assert verdict.counters["kills"] == 0
    assert told(verdict) == []


def test_an_unknown_safeguard_is_refused_by_name() -> None:
    lines: list[str] = []
    assert sim(1, "no_such_thing", say=lines.append) == 2
    assert "protect_fills" in lines[0]


def test_a_verdict_is_json() -> None:
    assert json.loads(encode(run(1, options=CALM)))["seed"] == 1
