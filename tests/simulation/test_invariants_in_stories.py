"""I14 and I29 where chance would rarely look: what is left at the venue once all is flat, and clocks that are set."""

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal

import pytest

from chimera.simulate.venue.audit import AuditRecord, Kind
from chimera.trading.market import Side
from chimera.trading.money import ZERO
from support.incident_stage import Stage, Story, Told, a_wish, play, policy_of, steps
from support.story_deeds import asking, close
from world.plan import FAIR, ClockStep
from world.run import CALLERS, Options, run

WITHIN_US = 10_000_000
_GONE = (Kind.CANCEL, Kind.EXPIRE, Kind.TRIGGER, Kind.REJECT)


def orphans(audit: Sequence[AuditRecord], until_us: int) -> list[str]:
    """Stops and targets of the Algo service that waited for longer than ``WITHIN_US`` while their symbol was flat."""
    live: dict[int, AuditRecord] = {}
    since_us: dict[int, int] = {}  # by algo id: alive, and nothing to guard, from then on
    positions: dict[str, Decimal] = defaultdict(Decimal)
    found = []

    def over(algo_id: int, now_us: int) -> None:
        begun = since_us.pop(algo_id, now_us)
        if now_us - begun > WITHIN_US:
            found.append(f"{live[algo_id].client_order_id} guarded nothing for {(now_us - begun) // 1000} ms")

    for record in audit:
        if record.kind is Kind.FILL:
            positions[record.symbol] += (record.qty or ZERO) * (1 if record.side == "BUY" else -1)
            for algo_id, order in live.items():
                if order.symbol == record.symbol and not positions[record.symbol]:
                    since_us.setdefault(algo_id, record.at_us)
                elif order.symbol == record.symbol:
                    over(algo_id, record.at_us)
        elif record.order_id is None and record.algo_id is not None:
            if record.kind is Kind.ACCEPT:
                live[record.algo_id] = record
                if not positions[record.symbol]:
                    since_us[record.algo_id] = record.at_us
            elif record.kind in _GONE and record.algo_id in live:
                over(record.algo_id, record.at_us)
                del live[record.algo_id]
    for algo_id in live:
        over(algo_id, until_us)
    return found


async def sells_by_hand(stage: Stage) -> None:
    await stage.place("human-1", Side.SELL, steps(10), reduce_only=True)


ENDINGS = {
    "the stop fires": Story(wishes=(a_wish(target_bps=40),), moves=((6.0, -60),)),
    "the target fires": Story(wishes=(a_wish(target_bps=40),), moves=((6.0, 50),)),
    "its time is over": Story(wishes=(a_wish(hold_s=5, target_bps=80),)),
    "a caller closes": Story(wishes=(a_wish(target_bps=80),), hands=((6.0, asking("close", close)),)),
    "its owner sells by hand": Story(wishes=(a_wish(target_bps=80),), hands=((6.0, sells_by_hand),)),
}


@pytest.mark.req("I14")
@pytest.mark.parametrize("ending", list(ENDINGS))
def test_however_a_position_ends_its_stop_and_target_are_gone_soon_after(ending: str) -> None:
    story = ENDINGS[ending]
    told = play(story)

    assert told.broken == []
    assert len(told.only(Kind.ACCEPT, conditional=True)) >= 2
    assert told.position(story.rough_s) == 0
    assert orphans(told.audit, round((story.rough_s + story.calm_s) * 1e6)) == []


@pytest.mark.req("I14")
@pytest.mark.parametrize("seed", range(60, 66))
def test_in_fair_weather_no_stop_outlives_its_position(seed: int) -> None:
    options = Options(who=CALLERS, scenario=FAIR, safety_s=30, liveness_s=60)
    verdict = run(seed, options=options, keep_audit=True)

    assert [each.text for each in verdict.violations] == []
    assert verdict.counters["venue_fill"] > 2
    assert orphans(verdict.audit, verdict.audit[-1].at_us) == []


@pytest.mark.req("I14")
def test_a_stop_that_nobody_takes_away_is_seen() -> None:
    assert orphans(play(ENDINGS["a caller closes"], "dismissal").audit, 64_000_000)


REFUSED = {
    "name": "unavailable_503",
    "match": {"path": "/fapi/v1/order", "method": "POST"},
    "when": {"from_ms": 3_500, "to_ms": 9_000},
}
PLANS: dict[str, Story] = {
    "a breaker that is open": Story(
        wishes=tuple(a_wish(number, 4.0 + number, hold_s=6, policy=policy_of()) for number in range(14)),
        faults=(REFUSED,),
        rough_s=30.0,
    ),
    "slices that wait for their moments": Story(
        wishes=(a_wish(qty=steps(30), policy=policy_of(slices=5, gap_ms=2_000)),), rough_s=30.0
    ),
    "a position whose time runs": Story(wishes=(a_wish(hold_s=9),)),
}


def deeds(told: Told) -> list[tuple[int, str, str]]:
    return [(each.at_us, str(each.kind), each.client_order_id) for each in told.audit]


@pytest.mark.req("I29")
@pytest.mark.parametrize("by_ms", [3_600_000, -3_600_000])
@pytest.mark.parametrize("plan", list(PLANS))
def test_a_step_of_the_wall_clock_moves_no_breaker_no_slice_and_no_close(plan: str, by_ms: int) -> None:
    story = PLANS[plan]
    plain = play(story)
    story = Story(**{**vars(story), "blows": (ClockStep(at_s=7.0, by_ms=by_ms),)})
    stepped = play(story)

    assert stepped.broken == []
    assert deeds(stepped) == deeds(plain)
    assert stepped.alerts == plain.alerts
    if story.faults:
        assert "BREAKER_OPEN" in plain.alerts
