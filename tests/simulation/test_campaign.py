"""Campaigns that stop and go on, and the crash sweep by forks."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from chimera.trading.order import TRANSITIONS
from world import campaign, forks, soaks, sweeps
from world.days import DAYS
from world.run import CAMPAIGN, LEAST, run
from world.sometimes import UNWALKED, missing, wanted


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_seed_of_a_campaign_has_what_is_promised(seed: int) -> None:
    verdict = run(seed, options=CAMPAIGN)
    assert [f"{each.invariant}: {each.text}" for each in verdict.violations] == []
    assert all(verdict.counters[name] >= least for name, least in LEAST.items())


def test_where_chance_has_nothing_the_rest_comes_late_and_shrinking_can_leave_it_out() -> None:
    calm = CAMPAIGN.but(most_kills=0, safety_s=20, liveness_s=30)
    told = {violation.invariant for violation in run(3, options=calm, only=[]).violations}
    assert told == {"COVERAGE"}


@pytest.mark.slow
def test_a_stopped_campaign_goes_on_and_says_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaign, "BLOCK", 1)
    monkeypatch.setattr(campaign, "CAMPAIGN", CAMPAIGN.but(safety_s=20, liveness_s=40))
    lines: list[str] = []
    whole = campaign.play(1, 3, place=tmp_path / "whole", processes=1, say=lines.append)
    campaign.play(1, 1, place=tmp_path / "parts", processes=1, say=lines.append)
    (record,) = (tmp_path / "parts").iterdir()
    record.write_bytes(record.read_bytes() + b'{"first":2,"cou')  # killed while it wrote
    again = campaign.play(1, 3, place=tmp_path / "parts", processes=1, say=lines.append)
    campaign.play(1, 3, place=tmp_path / "parts", processes=1, say=lines.append)
    assert [line.partition(", the others")[0] for line in lines if ", the others" in line] == [
        "3 seeds from 1: 3 to play",
        "1 seeds from 1: 1 to play",
        "3 seeds from 1: 2 to play",
        "3 seeds from 1: 0 to play",
    ]
    assert again.but(cpu_s=0.0) == whole.but(cpu_s=0.0)
    assert '"seeds":3' in campaign.line(again)


def test_a_stopped_sweep_goes_on_and_says_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def swept(seed: int, **_: object) -> forks.Swept:
        asked.append(seed)
        bad = (("step 7", "I1 twice"),) if seed == 2 else ()
        return forks.Swept(seed=seed, steps=100, points=10, doubles=1, failed=bad, good_without=seed != 3)

    monkeypatch.setattr(sweeps, "swept", swept)
    sweeps.play(1, 2, place=tmp_path, processes=1, say=lambda _: None)
    found = sweeps.play(1, 3, place=tmp_path, processes=1, say=lambda _: None)
    sweeps.play(1, 1, place=tmp_path, processes=1, stride=5, say=lambda _: None)

    assert asked == [1, 2, 3, 1]
    assert (found.seeds, found.steps, found.points, found.doubles) == (3, 300, 30, 3)
    assert found.failed == ((2, "step 7", "I1 twice"), (3, "", "the world breaks without any kill"))
    assert not found.good


@pytest.mark.slow
def test_stopped_soaks_go_on_and_say_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = soaks.soaks(2, hours=1, processes=2, place=tmp_path, say=lambda _: None)
    monkeypatch.setattr(soaks, "spread", lambda _, wanted, *__, **___: pytest.fail(str(wanted)) if wanted else ())

    assert soaks.soaks(2, hours=1, place=tmp_path, say=lambda _: None) == whole
    assert [each.day for each in whole] == list(DAYS)[:2]


def test_what_never_happened_is_named() -> None:
    everything = dict.fromkeys(wanted(), 1)
    assert missing(everything) == []
    assert missing(everything | {"double_kill": 0}) == ["double_kill"]
    assert UNWALKED.keys() <= TRANSITIONS.keys()


@pytest.mark.slow
@pytest.mark.req("I26")
def test_merged_kill_points_end_as_every_step_of_theirs() -> None:
    with ProcessPoolExecutor(
        1, mp_context=get_context("spawn")
    ) as fresh:  # a fork of a process with much in it is dear
        merged, steps, _ = fresh.submit(forks.branches, 2, until_s=0.7).result()
        every, all_steps, _ = fresh.submit(forks.branches, 2, until_s=0.7, merge=False).result()
    assert steps == all_steps == len(every)
    assert len(merged) < steps
    point = {int(child.at): child.audit_hash for child in merged}
    held = ""
    for child in every:
        held = point.get(int(child.at), held)
        assert child.audit_hash == held, f"step {child.at}"
