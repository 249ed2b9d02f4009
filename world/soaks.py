"""Behind ``make sim-soak``: so many days, of each kind in turn, over all cores; what came of each, and of all.

Outside the simulated runs: processes are allowed here. Where others use the machine as well, run fewer at a time:
``processes`` 1 measures best.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from world.cores import spread
from world.days import DAYS
from world.kept import Kept
from world.soak import CPU_MOST, GROWTH_MOST, HOURS, WARM_H, Soaked, soak

COUNT: Final = 20
PLACE: Final = Path("build/sim-soak")

Say = Callable[[str], None]


def soaks(
    count: int = COUNT,
    *,
    hours: int = HOURS,
    processes: int | None = None,
    place: Path = PLACE,
    say: Say = print,
) -> tuple[Soaked, ...]:
    """Every kind of day once, then again with another seed; those on record (``kept``) are not played again."""
    names = tuple(DAYS)
    asked = [(names[number % len(names)], number // len(names) + 1) for number in range(count)]
    record = Kept(Soaked, place)
    known = {(each.day, each.seed): each for each in record.read() if len(each.hours) == hours}
    found = {day: known[day] for day in asked if day in known}
    wanted = [(*day, hours) for day in asked if day not in known]
    for each in spread(_one, wanted, processes, life=1, apart=True):  # so that each day's memory is its own
        record.add(each)
        found[each.day, each.seed] = each
        say(told(each))
        for violation in each.violations[:5]:
            say(f"  {violation.invariant} at {violation.at_us / 3.6e9:.3f} h: {violation.text}")
    return tuple(found[day] for day in asked)


def told(each: Soaked) -> str:
    """One line about one day."""
    first, last = each.hours[min(1, len(each.hours) - 1)], each.hours[-1]
    return (
        f"{each.day} {each.seed}: {'good' if each.good else 'BAD'}; {len(each.violations)} violations; "
        f"CPU {first.cpu_s:.1f} -> {last.cpu_s:.1f} s/h, x{each.cost_ratio:.2f} side by side; "
        f"S4 {first.weight.size / 1e6:.2f} -> {last.weight.size / 1e6:.2f} MB, x{each.growth:.2f} since warm; "
        f"{each.intents} intents, {each.orders} orders, {each.fills} fills, {each.kills} kills, {each.faults} faults"
    )


def summary(days: tuple[Soaked, ...]) -> dict[str, Any]:
    """What a proof states."""
    return {
        "soaks": len(days),
        "hours": sum(len(each.hours) for each in days),
        "violations": sum(len(each.violations) for each in days),
        "bad": [f"{each.day} {each.seed}" for each in days if not each.good],
        "cpu_last_by_second": _most(each.cost_ratio for each in days),
        "cpu_last_by_second_raw": _most(each.cpu_ratio for each in days),
        "cpu_most": CPU_MOST,
        "growth_since_warm": _most(each.growth for each in days),
        "growth_most": GROWTH_MOST,
        "warm_hours": WARM_H,
        "cpu_s_per_soak": _most(sum(hour.cpu_s for hour in each.hours) for each in days),
        **{
            name: sum(getattr(each, name) for each in days)
            for name in ("intents", "orders", "fills", "kills", "faults")
        },
        "days": [
            {"day": each.day, "seed": each.seed, "cpu": round(each.cost_ratio, 3), "growth": round(each.growth, 3)}
            for each in days
        ],
    }


def _most(numbers: Iterator[float]) -> float:
    return round(max(numbers, default=0.0), 3)


def _one(wanted: tuple[str, int, int]) -> Soaked:
    day, seed, hours = wanted
    return soak(day, seed, hours=hours)
