"""Two hours of an ordinary day: nothing that S4 holds grows with history. ``make sim-soak`` runs whole days."""

from collections.abc import Iterator

import pytest

from chimera.simulate.venue.audit import AuditRecord, Kind
from chimera.trading.market import Marked, TopOfBook
from world.paths import HOUR_S, PATHS, day_market
from world.soak import Hour, Soaked, hour_of_wishes, soak
from world.spool import Spool
from world.weigh import Weight
from world.young import Young


@pytest.fixture(scope="module")
def two_hours() -> Soaked:
    """As long as the slowest caches need to forget, with an intent every half minute."""
    return soak("mixed", 3, hours=2, every_s=30)


@pytest.mark.slow
@pytest.mark.req("I30")
def test_what_is_over_leaves_the_router(two_hours: Soaked) -> None:
    assert two_hours.violations == ()
    assert two_hours.intents > 200
    for hour in two_hours.hours:
        assert hour.weight.orders <= 40
        assert hour.weight.intents <= 4
        assert hour.weight.trades <= 60
        assert hour.weight.untold <= 10
        assert hour.weight.tasks <= 10


@pytest.mark.slow
@pytest.mark.req("I30")
def test_the_second_hour_is_as_many_steps_as_the_first(two_hours: Soaked) -> None:
    """Steps of the loop, not seconds: what repeats itself ever more often would show."""
    first, second = two_hours.hours
    assert second.steps <= first.steps * 1.1


def test_every_hour_of_a_day_has_the_same_market_and_the_same_intents() -> None:
    events = list(day_market(1, PATHS["whipsaw"], hours=2))
    hours = [
        [
            event.but(at_us=event.at_us % (HOUR_S * 1_000_000))
            for event in events
            if not isinstance(event, Marked) and (event.at_us // (HOUR_S * 1_000_000)) % 2 == parity
        ]
        for parity in (0, 1)
    ]
    assert hours[0] == hours[1]
    assert len({event.bid for event in events if isinstance(event, TopOfBook)}) > 500
    first, second = ([wish.but(number=0) for wish in hour_of_wishes(1, hour, 75.0)] for hour in (0, 1))
    assert first == second


def test_a_spool_gives_back_what_it_was_given() -> None:
    spool = Spool()
    assert list(spool) == []
    for seq in range(1_300):
        spool.add(AuditRecord(seq=seq, at_us=1_767_225_600_000_000 + seq, kind=Kind.FILL))
        spool.add(AuditRecord(seq=seq, at_us=0, kind=Kind.REQUEST))
    assert [record.seq for record in spool] == list(range(1_300))
    assert [record.at_us for record in spool][:2] == [0, 1]
    assert len(spool) == 1_300
    assert spool[-1].seq == 1_299


def test_what_sleeps_since_early_tells_what_each_part_costs_it_and_leaves_its_parent_alone() -> None:
    """The child draws its own copy; the parent's stays where it was."""
    drawn: list[float] = []

    def parts() -> Iterator[float]:
        for cost in (0.25, 0.5):
            drawn.append(cost)
            yield cost

    young = Young(parts())
    assert [young.part(), young.part()] == [0.25, 0.5]
    with pytest.raises(RuntimeError, match="died"):  # there is no third part
        young.part()
    young.end()
    assert drawn == []


def an_hour(parts: tuple[float, ...], early: tuple[float, ...] = ()) -> Hour:
    weight = Weight(size=1, objects=1, orders=0, intents=0, trades=0, untold=0, tasks=0)
    return Hour(parts=parts, rss_mb=1.0, steps=1, weight=weight, early=early)


def test_the_last_hour_is_measured_beside_the_second_and_not_against_the_machine_of_the_morning() -> None:
    """The machine has become twice as slow, and one burst of others fell into one part."""
    hours = (an_hour((1.0, 1.0, 1.0)), an_hour((1.0, 1.0, 1.0)), an_hour((2.1, 2.1, 9.0), (2.0, 2.0, 2.0)))
    day = Soaked(day="calm", seed=1, hours=hours, violations=(), intents=1, orders=1, fills=1, kills=0, faults=0)
    assert day.cost_ratio == pytest.approx(1.05)
    assert day.good
    dearer = day.but(hours=(*hours[:2], an_hour((2.4, 2.4, 2.4), (2.0, 2.0, 2.0))))
    assert not dearer.good
