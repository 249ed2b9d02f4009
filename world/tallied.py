"""What really happened in one run, counted: a campaign in which one of these stays at zero proves little.

Read from the venue's log, the tape and what the ledgers hold in the end. Knows no promise and judges nothing.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from chimera.simulate.venue.audit import AuditRecord
from world import decided, house_judge, oracle, quiet, spot_oracle
from world.composed import World
from world.heirs import HeirsWorld
from world.house_world import HouseWorld
from world.sometimes import stories
from world.spot_world import SpotWorld
from world.workload import WORKLOAD

_KILLS: Final = ("kill", "s3_kill", "rekill", "heir_kill")


def of_the_run(record: AuditRecord) -> AuditRecord:
    """With the run's own time, which begins at zero."""
    return record.but(at_us=record.at_us - quiet.EPOCH_US)


def faults(fired: Iterable[str]) -> int:
    """Without the kills."""
    return sum(not name.startswith(_KILLS) for name in fired)


def add(sums: Counter[str], counts: Mapping[str, int]) -> None:
    """To what was counted before: the longest of all of what is a longest, else the sum."""
    longest = {name: max(sums[name], count) for name, count in counts.items() if name.startswith("longest_")}
    sums.update(counts)
    sums.update({name: count - sums[name] for name, count in longest.items()})


def tallied(world: World, kept: quiet.Kept, counted: Mapping[str, int]) -> dict[str, int]:
    """What really happened, for coverage: a campaign in which one stays at zero proves little."""
    counts: dict[str, int] = {"steps": world.loop.steps, "requests": world.venue.requests}
    counts |= {**counted, **world.taken}
    counts |= {
        "intents": len(world.callers.intended) + len(decided.opens(kept.signals)),
        "faults": faults(world.tape.fired),
        "kills": sum(router.deaths - router.ended for router in world.routers),
        "crashes": sum(machine.deaths - machine.ended for machine in world.machines),
        "s4_rough_steps": world.rough_steps,
        "s3_kills": world.s3.machine.deaths,
        "s3_asks": world.s3.asks,
        "operator_kills": world.operator.kills,
        "s3_signals": len(kept.signals),
        "parts_begun": sum(each.qty is not None and each.reason == WORKLOAD for each in world.closes),
        "by_socket": world.venue.by_socket,
        "cut_in_flight": world.venue.cut_in_flight,
    }
    for did in world.others.done:
        counts[f"deed_{did}"] = counts.get(f"deed_{did}", 0) + 1
    for signal in decided.opens(kept.signals):
        name = f"s3_{signal['delivery'].lower()}"
        counts[name] = counts.get(name, 0) + 1
    for record in world.twin.audit:
        name = f"venue_{record.kind}"
        counts[name] = counts.get(name, 0) + 1
    for fired in world.tape.fired:
        name = "fault_" + fired.split("#")[0].split(":")[0]
        counts[name] = counts.get(name, 0) + 1
    audit = [of_the_run(record) for record in world.twin.audit]
    if isinstance(world, HouseWorld):
        counts |= house_judge.counted(world)
        spans = house_judge.bare(world, audit)
    elif isinstance(world, SpotWorld):
        spans = spot_oracle.uncovered_spans(spot_oracle.of_ours(audit), world.loop.now_us, world.instrument)
    else:
        spans = oracle.uncovered_spans(audit, world.loop.now_us)
    counts |= stories(world, counts, spans)
    counts |= world.counted() if isinstance(world, HeirsWorld) else {}
    exits = sum(len(router.exits) for router in world.routers)
    return counts | {"longest_bare_ms": oracle.longest_us(spans) // 1000, "exits": exits}
