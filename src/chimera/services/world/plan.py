"""What goes wrong in one run, and when: rates drawn per seed, kills, outages, stalls and clock steps by hand.

Each hand-placed fault has a name on the tape (``kill#1``, ``outage#0``), so that shrinking can leave it out.
"""

from typing import Final

from chimera.services.world import link, network, stores
from chimera.services.world.tape import Tape, swarm
from chimera.trading.value import Value

MOST: Final = {
    **network.MOST,
    **link.MOST,
    **{f"ledger_{name}": rate for name, rate in stores.MOST.items()},
    **{f"bus_{name}": rate for name, rate in stores.MOST.items()},
}


class KillAt(Value):
    """Strike at this moment of virtual time."""

    at_s: float


class KillAfterOrder(Value):
    """Strike this many steps of S4 after its n-th placement or cancel left: where it hurts."""

    order_no: int
    steps: int


class KillAtBirth(Value):
    """Strike this many steps into the incarnation that follows the n-th death: during recovery."""

    death_no: int
    steps: int


class Away(Value):
    """A stretch in which the venue (outage) or a store (stall) does not answer."""

    what: str  # "venue", "ledger", "bus"
    at_s: float
    for_s: float


class ClockStep(Value):
    """S4's wall clock jumps by so much, as NTP may."""

    at_s: float
    by_ms: int


Blow = KillAt | KillAfterOrder | KillAtBirth | Away | ClockStep


class Plan(Value):
    """``rates`` by fault; ``blows`` by hand; ``offset_ms`` is S4's clock against the venue's."""

    rates: dict[str, float]
    blows: tuple[Blow, ...]
    offset_ms: int


CALM: Final = Plan(rates={}, blows=(), offset_ms=0)


def draw(tape: Tape, *, safety_s: float, most_kills: int = 3) -> Plan:
    """The plan of this seed. Everything drawn happens inside the safety phase."""
    blows: list[Blow] = []
    for number in range(tape.whole("kills", 0, most_kills)):
        blow = _kill(tape, safety_s)  # drawn in any case, so that leaving one out changes no other
        if tape.event(f"kill#{number}"):
            blows.append(blow)
    for what, chance, longest_s in (("venue", 0.25, 8.0), ("ledger", 0.3, 20.0), ("bus", 0.3, 20.0)):
        drawn = tape.u(f"away?{what}") < chance
        away = Away(
            what=what, at_s=tape.between(f"away:{what}", 1, safety_s), for_s=tape.between(f"for:{what}", 0.3, longest_s)
        )
        if drawn and tape.event(f"away_{what}#0"):
            blows.append(away)
    step = ClockStep(at_s=tape.between("clock_at", 1, safety_s), by_ms=tape.whole("clock_by", -150, 150))
    if tape.u("clock?") < 0.2 and tape.event("clock_step#0"):
        blows.append(step)
    return Plan(rates=swarm(tape, MOST), blows=tuple(blows), offset_ms=tape.whole("offset_ms", -300, 300))


def _kill(tape: Tape, safety_s: float) -> KillAt | KillAfterOrder | KillAtBirth:
    at_s = tape.between("kill_at", 0.5, safety_s)
    order_no, steps = tape.whole("kill_order", 1, 14), 1 + int(59 * tape.u("kill_steps") ** 2)  # mostly soon
    death_no, birth_steps = tape.whole("kill_death", 1, 2), tape.whole("kill_birth", 1, 600)
    drawn = tape.u("kill_kind")
    if drawn < 0.3:
        return KillAt(at_s=at_s)
    if drawn < 0.8:
        return KillAfterOrder(order_no=order_no, steps=steps)
    return KillAtBirth(death_no=death_no, steps=birth_steps)
