"""Whole runs: S4 over the twin, from one seed. The campaign of thousands is ``make sim``; here is a sample of it."""

import datetime
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from chimera.simulate.venue.audit import AuditRecord, Kind
from chimera.trading.ids import ClientOrderId, stem_of
from chimera.wire.codec import encode
from chimera.wire.route_table import DEFAULT
from world import composed
from world.plan import DRAWN, SCENARIOS, KillAfterAsk, KillAfterOrder, Plan
from world.run import Options, Verdict, run
from world.safeguards import SAFEGUARDS, every, switched_off
from world.seams import place_of
from world.seeds import campaign, first_to_miss, sim, sweep
from world.sweep import STORIES, killed_at, steps_of, undisturbed

CALM = Options(faults=False, who="callers")
DECIDED = Options(faults=False, who="s3")

FIXED_SEEDS, FRESH_SEEDS = 100, 50
HAPPENS = (
    "kills", "s3_kills", "s3_done", "s3_refused", "fault_drop_reply", "fault_frame_delay", "fault_stream_cut",
    "fault_slow_entry", "fault_read_lag", "fault_link_double", "venue_trigger",
)  # fmt: skip


def told(verdict: Verdict) -> list[str]:
    return [f"{violation.invariant}: {violation.text}" for violation in verdict.violations]


def fills(audit: Iterable[AuditRecord]) -> list[AuditRecord]:
    return [record for record in audit if record.kind is Kind.FILL and not record.reduce_only]


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


@pytest.mark.req("I2")
def test_in_fair_weather_s3_decides_by_s4s_budget_and_its_intents_become_protected_positions() -> None:
    verdict = run(1, options=DECIDED, keep_audit=True)
    assert told(verdict) == []
    assert verdict.counters["s3_done"] > 3
    assert set(verdict.answers.values()) <= {"DONE", "REFUSED"}
    stems = {stem_of(ClientOrderId(record.client_order_id)) for record in entries(verdict.audit)}
    assert stems
    assert all(stem.startswith("s3-btc-") for stem in stems)


@pytest.mark.req("I26")
@pytest.mark.parametrize("steps", [1, 20, 45, 60, 75, 90, 120])
def test_s3_killed_while_it_decides_delivers_what_it_made_durable_and_nothing_else(steps: int) -> None:
    plan = Plan(rates={}, blows=tuple(KillAfterAsk(ask_no=no, steps=steps) for no in (2, 3)), offset_ms=0)
    verdict = run(4, options=DECIDED, plan=plan)
    assert verdict.counters["s3_kills"] == 2
    assert told(verdict) == []


def test_a_verdict_is_a_function_of_its_seed() -> None:
    first, again, other = (run(seed, options=Options(trace=True)) for seed in (5, 5, 6))
    assert first == again
    assert first.trace_hash != other.trace_hash


@pytest.mark.slow
@pytest.mark.req("I33")
def test_same_seed_same_hashes_in_fresh_processes_under_any_hash_seed() -> None:
    program = (
        "from world.run import Options, run\n"
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
    found = campaign(0, FIXED_SEEDS, say=lines.append)
    assert found.failed == (), "\n".join(lines)
    for happened in HAPPENS:
        assert found.counters[happened] > 0, f"{happened} never happened: the sample proves little"


@pytest.mark.slow
@pytest.mark.req("I26")
def test_seeds_that_nobody_has_run_before_hold_every_invariant() -> None:
    """Fifty more, named by the commit: each change of the code meets other worlds. The message has their replay."""
    lines: list[str] = []
    first = fresh_seed()
    found = campaign(first, FRESH_SEEDS, options=Options(heirs_share=0.3), say=lines.append)
    assert found.failed == (), f"seeds from {first}\n" + "\n".join(lines)


def fresh_seed() -> int:
    """Of the commit, or of the day where there is none."""
    asked = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    name = asked.stdout.strip() if asked.returncode == 0 else datetime.datetime.now(datetime.UTC).date().isoformat()
    return 10_000 + int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")


@pytest.mark.slow
@pytest.mark.req("I26")
@pytest.mark.parametrize("story", STORIES)
@pytest.mark.fault("A1", "A3", "A4", "A5")
def test_s4_killed_at_every_sixteenth_step_of_a_story_comes_back_and_finishes(story: str) -> None:
    """``make sim-sweep`` takes every step."""
    lines: list[str] = []
    assert undisturbed(story).good
    found = sweep(story, stride=16, say=lines.append)
    assert found.failed == (), "\n".join(lines)
    assert found.counters["kills"] == found.count


@pytest.mark.parametrize("story", STORIES)
def test_the_last_step_of_a_story_is_the_last_that_a_blow_can_strike(story: str) -> None:
    last = steps_of(story)
    assert [killed_at(step, story).counters["kills"] for step in (last, last + 1)] == [1, 0]


def test_the_stories_are_the_ones_they_are_named_for() -> None:
    makers = {story: {fill.maker for fill in fills(undisturbed(story).audit)} for story in STORIES}
    assert makers == {"market": {False}, "maker_taker": {True, False}, "twap": {True, False}}


@pytest.mark.req("I26")
@pytest.mark.parametrize("steps", [1, 3, 8, 20])
@pytest.mark.fault("A2", "A3", "A4", "A5")
def test_killed_around_its_first_order_it_comes_back_and_finishes(steps: int) -> None:
    plan = Plan(rates={}, blows=(KillAfterOrder(order_no=1, steps=steps),), offset_ms=120)
    verdict = run(2, options=CALM, plan=plan)
    assert verdict.counters["kills"] == 1
    assert told(verdict) == []


# ── safeguards ──


@pytest.mark.parametrize("name", every())
def test_a_safeguard_is_taken_away_and_put_back(name: str) -> None:
    seams = every()[name].seams
    places = [(place_of(seam.place), seam.attribute) for seam in seams]
    before = [vars(place)[attribute] for place, attribute in places]
    with switched_off(name):
        within = [vars(place)[attribute] for place, attribute in places]
        assert all(now is not old for now, old in zip(within, before, strict=True))
    assert [vars(place)[attribute] for place, attribute in places] == before


NOTICED: dict[str, tuple[set[str], int]] = {  # which invariants break, and within how many seeds
    "save_before_send": ({"I1", "I4", "I6", "I14", "CLOSED"}, 60),
    "dedupe_trades": ({"I6", "I7"}, 60),
    "protect_fills": ({"I10"}, 20),
    "ask_before_resend": ({"I1", "I4"}, 60),
    "recover_pending": ({"I1", "I2", "I4", "I14"}, 60),
    "wait_out_window": ({"I1", "I4", "I14"}, 60),
    "trade_history": ({"I6"}, 60),
    "ask_after_restart": ({"LIVED_ONCE"}, 60),
    "limits_at_last_hop": ({"I22"}, 60),
    "gross_limit": ({"I22"}, 60),
    "parent_cap": ({"I4"}, 20),
    "kill_switch": ({"I17"}, 60),
    "keep_kills": ({"I17"}, 60),
    "overlap": ({"I6"}, 60),
    "strikes": ({"I7", "I10", "I14"}, 20),
    "adoption": ({"I14"}, 60),
    "doubt_counts": ({"I22"}, 60),
    "new_stop_first": ({"BARED"}, 20),
    "stop_until_flat": ({"BARED"}, 20),
    "dismissal": ({"I14"}, 20),
    "patience": ({"I10"}, 20),
    "refused_stops": ({"I10"}, 20),
    "reduce_only_exits": ({"I4"}, 20),
    "breaker": ({"I18"}, 20),
    "lease_at_send": ({"LEASE"}, 60),
    "lease_ends": ({"LEASE"}, 60),
}


KNOWN = {  # of the rare ones
    "recover_pending": 76, "ask_after_restart": 7, "limits_at_last_hop": 55, "gross_limit": 24, "doubt_counts": 55,
    "keep_kills": 9, "lease_at_send": 6, "lease_ends": 3,
}  # fmt: skip


@pytest.mark.parametrize("scenario", SCENARIOS[len(DRAWN) :])
def test_a_world_that_is_never_drawn_holds_with_everything_in_place(scenario: str) -> None:
    for seed in range(3):
        assert told(run(seed, options=Options(scenario=scenario))) == []


def test_every_safeguard_has_a_row() -> None:
    assert NOTICED.keys() == SAFEGUARDS.keys()


@pytest.mark.slow
@pytest.mark.req("FL-4")
@pytest.mark.parametrize("name", SAFEGUARDS)
def test_the_world_notices_a_missing_safeguard(name: str) -> None:
    invariants, seeds = NOTICED[name]
    found = first_to_miss(name, most_seeds=seeds, known=KNOWN.get(name), processes=1)
    assert found is not None, f"no seed of {seeds} notices that {name} is gone"
    assert invariants & {violation.invariant for violation in found.violations}, told(found)


@pytest.mark.req("I4")
def test_a_planner_that_slips_is_held_by_the_parent_cap() -> None:
    for seed in range(4):
        verdict = run(seed, off="double_children")
        assert told(verdict) == []
        assert any(answer == "REJECTED" or answer.startswith("REFUSED") for answer in verdict.answers.values())


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


@pytest.mark.slow
@pytest.mark.req("S4-ROUTE-1")
@pytest.mark.parametrize("spot", [False, True])
def test_where_the_fees_decide_the_world_holds_too(monkeypatch: pytest.MonkeyPatch, spot: bool) -> None:
    """Faults and kills over the built-in table: on futures it rests, and spot pays the same either way."""
    monkeypatch.setattr(composed, "TABLE", DEFAULT)
    verdict = run(2, options=Options(spot=spot), keep_audit=True)

    assert told(verdict) == []
    posted = [record for record in verdict.audit if record.time_in_force in ("GTX", "LIMIT_MAKER")]
    assert spot or posted
