"""Several S4 processes over one ledger and one twin: one acts, another takes over, and never do two.

The world's judge (``heirs_judge``) looks at each change as the venue accepts it: only of the lease that the ledger
calls the newest, and only while it runs. The campaign is ``make sim-long HEIRS=1``; here are samples of it.
"""

from collections import Counter
from typing import Any

import pytest

from chimera.admit import tenure
from chimera.admit.tenure import Command, Fact, Held, Tenure
from chimera.trading.money import Millis
from support.incident_stage import a_wish, policy_of, without
from world.heirs import HeirsWorld
from world.heirs_plan import BUS, LEDGER, ClockSet, CutOff, HandOver, HeirBlow, Kind, Strike
from world.plan import LATE_SENDS
from world.run import CALLERS, Options, Verdict, run
from world.tallied import add
from world.workload import Wish

pytestmark = [pytest.mark.req("S4-ROUTE-6"), pytest.mark.req("S4-NET-2"), pytest.mark.req("I19")]

HEIRS = Options(heirs_share=1)
CALM = Options(heirs_share=1, faults=False, recovery_s=1, who=CALLERS, safety_s=30, liveness_s=50)
TAKEN_OVER_US = 5_000_000
HANDED_OVER_US = 1_500_000  # a poll of the lease, and a slow moment of the ledger
SAMPLE = range(60, 78)
HAPPENS = ("take_overs", "hand_overs", "woke_late", "standbys_struck", *(f"fault_{kind}" for kind in Kind))
SHORT = CALM.but(safety_s=16, liveness_s=16, market_stops_s=2)
ASLEEP = (Strike(at_s=4.2, steps=20, for_s=6.0),)
MAKER = a_wish(at_s=4.0, policy=policy_of(wait_ms=2_500), stop_bps=60, target_bps=80, hold_s=9)
CAUGHT = (1, 3, 4)
ADVANCE = tenure.advance


def played(
    seed: int, options: Options, strikes: tuple[HeirBlow, ...] | None = None, wish: Wish | None = None
) -> tuple[Verdict, HeirsWorld]:
    worlds: list[HeirsWorld] = []

    def begin(world: Any) -> None:
        worlds.append(world)
        if strikes is not None:
            world.strikes = strikes

    story = None if wish is None else [wish]
    return run(seed, options=options, story=story, branch=begin), worlds[0]


def told(verdict: Verdict) -> list[str]:
    return [f"{each.invariant}: {each.text}" for each in verdict.violations]


@pytest.mark.slow
@pytest.mark.parametrize("for_s", [None, 6.0, 20.0])
@pytest.mark.parametrize("at_s", [3.99, 4.2, 6.0, 9.9])
def test_a_holder_that_dies_or_sleeps_is_replaced_within_five_seconds(at_s: float, for_s: float | None) -> None:
    """In the life of one position, from before its entry on, at another step each time."""
    for steps in range(1, 300, 60):
        verdict, world = played(1, SHORT, (Strike(at_s=at_s, steps=steps, for_s=for_s),), MAKER)
        assert told(verdict) == []
        assert len(world.struck_us) == 1
        heir = world.reigns[1]
        assert heir.recovered_us is not None
        assert heir.recovered_us - world.struck_us[0] <= TAKEN_OVER_US
        assert heir.owner != world.reigns[0].owner
        assert world.accepted > 0


def test_a_short_stop_changes_no_holder() -> None:
    verdict, world = played(0, CALM, (Strike(at_s=8.0, steps=40, for_s=1.0),))
    assert told(verdict) == []
    assert len(world.struck_us) == len(world.reigns) == 1


@pytest.mark.slow
def test_a_sample_of_rough_seeds_holds_every_invariant_with_several_processes() -> None:
    counters: Counter[str] = Counter()
    for seed in SAMPLE:
        verdict = run(seed, options=HEIRS)
        assert told(verdict) == [], seed
        add(counters, verdict.counters)
    for happened in HAPPENS:
        assert counters[happened] > 0, f"{happened} never happened: the sample proves little"
    assert counters["changes"] > len(SAMPLE)


@pytest.mark.parametrize("store", [LEDGER, BUS])
def test_who_is_cut_off_from_a_store_alone_is_replaced_only_where_it_is_the_ledger(store: str) -> None:
    """Without the ledger nobody knows whether his lease still runs; without Redis he trades on."""
    verdict, world = played(1, SHORT, (CutOff(at_s=4.2, for_s=9.0, store=store),), MAKER)
    assert told(verdict) == []
    assert [reign.owner != world.reigns[0].owner for reign in world.reigns[1:]] == [True] * (store == LEDGER)
    assert world.accepted > 0


@pytest.mark.fault("A9")
def test_a_router_told_to_end_hands_over_at_once() -> None:
    """It gives its lease back, so nobody waits for the end of it."""
    verdict, world = played(1, SHORT, (HandOver(at_s=6.0),), MAKER)
    assert told(verdict) == []
    first, heir = world.reigns
    assert first.ended_us is not None
    assert heir.begun_us - first.ended_us <= HANDED_OVER_US
    assert heir.owner != first.owner
    assert verdict.counters["hand_overs"] == 1
    assert verdict.counters["crashes"] == 0


@pytest.mark.fault("A9")
@pytest.mark.parametrize("at_s", [0.59, 0.597])
def test_a_lease_is_not_given_back_while_the_venue_may_yet_do_anything_of_ours(at_s: float) -> None:
    """Told to end while it tries whether the account takes stops: nobody asked for that, and it is in flight."""
    verdict, world = played(1, SHORT, (HandOver(at_s=at_s),))
    assert told(verdict) == []
    assert len(world.reigns) > 1


def test_clocks_apart_change_nobodys_mind_about_who_acts() -> None:
    """Ends are counted by clocks that never step; a stamp follows the venue's clock."""
    blows = (ClockSet(at_s=3.0, by_ms=-5_000), Strike(at_s=4.2, steps=20, for_s=None), ClockSet(at_s=8, by_ms=5_000))
    verdict, world = played(1, SHORT, blows, MAKER)
    assert told(verdict) == []
    assert len(world.reigns) == 2


@pytest.mark.fault("A11", "D4")
@pytest.mark.parametrize("seed", CAUGHT)
def test_who_wakes_up_late_is_heard_and_noticed_where_nobody_looks_at_the_end(seed: int) -> None:
    """A maker order's time is over when the process wakes: its cancel, and what follows, is due before all else."""
    assert told(played(seed, SHORT, ASLEEP, MAKER)[0]) == []
    with without(("chimera.admit.tenure", "advance", endless)):
        verdict, _ = played(seed, SHORT, ASLEEP, MAKER)
    assert {each.invariant for each in verdict.violations} == {"LEASE"}


def endless(state: Tenure, fact: Fact, now_ms: Millis) -> tuple[Tenure, tuple[Command, ...]]:
    """As ``advance``, but that a lease lasts until the ledger says that it does not."""
    after, commands = ADVANCE(state, fact, now_ms)
    return (after.but(until_ms=Millis(1 << 61)) if isinstance(after, Held) else after), commands


def test_who_loses_the_ledger_with_requests_under_way_sends_nothing_that_outlives_his_lease() -> None:
    """The worlds in which ``lease_at_send`` is missed, with it in place."""
    for seed in range(6, 8):
        verdict, world = played(seed, HEIRS.but(scenario=LATE_SENDS))
        assert told(verdict) == []
        assert len(world.reigns) > 1


@pytest.mark.slow
def test_a_verdict_on_two_processes_is_a_function_of_its_seed() -> None:
    first, again = (run(2, options=HEIRS.but(trace=True)) for _ in range(2))
    assert first == again


def test_the_first_to_ask_acts_and_the_other_stands_by() -> None:
    verdict, world = played(1, CALM, ())
    assert told(verdict) == []
    assert [reign.fence for reign in world.reigns] == [1]
    assert world.reigns[0].recovered_us is not None
    assert world.clock.monotonic_ms() > Millis(0)
