"""What befalls several routers of one account, and when: drawn per seed, each under a name on the tape.

A blow is aimed at whoever acts at its moment, or at one that stands by. All of it lies in the safety phase.
"""

from enum import StrEnum
from typing import Final

from chimera.services.stage.tape import Tape
from chimera.trading.value import Value

FIRST_S: Final = 4.0
LEDGER, BUS = "ledger", "bus"


class Kind(StrEnum):
    """As on the tape."""

    KILL = "heir_kill"
    FREEZE = "heir_freeze"
    HAND_OVER = "heir_hand_over"
    CUT_LEDGER = "heir_cut_ledger"
    CUT_BUS = "heir_cut_bus"
    CLOCK = "heir_clock"


DECK: Final = (
    *(Kind.KILL,) * 3, *(Kind.FREEZE,) * 3, *(Kind.HAND_OVER,) * 2, *(Kind.CUT_LEDGER,) * 2, Kind.CUT_BUS, Kind.CLOCK,
)  # fmt: skip
STANDBY_SHARE: Final = 0.25
LONGEST_S: Final = (3.0, 10.0, 60.0)  # of a freeze: within a lease, and well beyond it
OFFSETS_MS: Final = ((-300, 300), (-300, 300), (-5_000, 5_000))


class Strike(Value):
    """So many of its steps after ``at_s``, or after the first order that leaves from then on.

    ``for_s`` None: killed, else stopped (SIGSTOP) for so long.
    """

    at_s: float
    steps: int
    for_s: float | None
    standby: bool = False
    at_order: bool = False  # of whoever acts: there it has begun something, and is waited for


class HandOver(Value):
    """SIGTERM, as in a rolling restart: it ends what it has begun, gives the lease back, and is started again."""

    at_s: float


class CutOff(Value):
    """It cannot reach this store for so long, while the others can; ``at_order`` as of a strike."""

    at_s: float
    for_s: float
    store: str
    standby: bool = False
    at_order: bool = False


class ClockSet(Value):
    """Its machine's clock jumps by so much: every life of it from then on begins with that."""

    at_s: float
    by_ms: int


HeirBlow = Strike | HandOver | CutOff | ClockSet


def drawn(tape: Tape, last_s: float) -> tuple[HeirBlow, ...]:
    """A few."""
    blows = []
    for number in range(tape.whole("heirs", 2, 6)):
        kind = tape.pick("heir_kind", DECK)
        blow = _drawn(tape, kind, tape.between("heir_at", FIRST_S, last_s))  # in any case: it leaves the others alone
        if tape.event(f"{kind}#{number}"):
            blows.append(blow)
    return tuple(blows)


def cuts(tape: Tape, last_s: float) -> tuple[HeirBlow, ...]:
    """Whoever acts loses the ledger as an order leaves, and what follows that order leaves while its lease runs out."""
    blows = []
    for number in range(tape.whole("heir_cuts", 3, 5)):
        at_s, for_s = tape.between("heir_cut_at", FIRST_S, last_s), tape.between("heir_cut_for", 3, 6)
        if tape.event(f"{Kind.CUT_LEDGER}#{number}"):
            blows.append(CutOff(at_s=at_s, for_s=for_s, store=LEDGER, at_order=True))
    return tuple(blows)


def _drawn(tape: Tape, kind: Kind, at_s: float) -> HeirBlow:
    standby = tape.u("heir_standby") < STANDBY_SHARE
    for_s = tape.between("heir_for", 0, tape.pick("heir_longest", LONGEST_S))
    steps, soon = tape.whole("heir_steps", 1, 400), 1 + int(59 * tape.u("heir_soon") ** 2)
    at_order, by_ms = tape.u("heir_at_order") < 0.6 and not standby, tape.whole("heir_clock", -5_000, 5_000)
    struck = Strike(at_s=at_s, steps=soon if at_order else steps, for_s=None, standby=standby, at_order=at_order)
    match kind:
        case Kind.HAND_OVER:
            return HandOver(at_s=at_s)
        case Kind.CLOCK:
            return ClockSet(at_s=at_s, by_ms=by_ms)
        case Kind.CUT_LEDGER:
            return CutOff(at_s=at_s, for_s=for_s, store=LEDGER, standby=standby)
        case Kind.CUT_BUS:
            return CutOff(at_s=at_s, for_s=for_s, store=BUS, standby=standby)
        case Kind.FREEZE:
            return struck.but(for_s=for_s)
        case Kind.KILL:
            return struck
