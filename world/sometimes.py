"""What a campaign must have met at least once: a fault that never fires and an edge that nobody walks prove nothing.

Product code knows nothing of this: for the length of a run, a few of its functions are wrapped by ones that count, as
``safeguards`` takes them away. Invariant: a wrapper calls what it wraps once, with the same arguments, and changes
nothing. Names: ``edge_NEW_ACKED`` (status and trigger of the order table), ``fact_PlaceRefused`` (what S4 was told),
``fault_drop_reply`` (what fired), ``deed_close`` (what others did), and the stories below.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from itertools import pairwise
from typing import Any, Final

from chimera.admit import breaker
from chimera.services.router import owner
from chimera.trading import facts, order
from chimera.trading.order import TRANSITIONS, Status, Trigger
from world import heirs_plan
from world.composed import World
from world.oracle import Uncovered
from world.plan import MISHAPS, MOST
from world.seams import replaced

SOON_US: Final = 20_000_000
FACTS: Final = (
    facts.Submitted, facts.CloseAsked, facts.CancelAsked, facts.Found, facts.Reported, facts.Surveyed, facts.Restarted,
    facts.Published, facts.Gapped, facts.Ticked, facts.NotFound, facts.PlaceRefused, facts.PlaceNotSent,
    facts.PlaceUnanswered, facts.CancelRefused, facts.CancelUnanswered, facts.CancelNotSent, facts.SurveyUnanswered,
)  # fmt: skip
STORIES: Final = (
    "unknown_then_found", "unknown_then_dead", "held_back", "kill_between_fill_and_stop", "kill_in_recovery",
    "double_kill", "breaker_opened", "breaker_half_open_success", "bus_lost", "operator_kills",
    "by_socket", "cut_in_flight", "parts_begun", "take_overs", "hand_overs", "standbys_struck", "woke_late",
)  # fmt: skip
_DEEDS: Final = ("cancel_all", "close", "rest", "adl", "flip", "add", "target", "take_back")
_FOUND: Final = (
    Trigger.ACKED,
    Trigger.PART_FILLED,
    Trigger.FILLED,
    Trigger.TRIGGERED,
    Trigger.CANCELED,
    Trigger.EXPIRED,
)


@contextmanager
def counted(counts: Counter[str]) -> Iterator[None]:
    """While this is open, edges, facts and the breaker's moves are counted."""
    with replaced(
        (order, "after", lambda real: _edges(real, counts)),
        (owner.Owner, "hear", lambda real: _told(real, counts)),
        (breaker.Breaker, "ended", lambda real: _breaks(real, counts)),
    ):
        yield


def _edges(real: Callable[[Status, Trigger], Status], counts: Counter[str]) -> Callable[[Status, Trigger], Status]:
    @wraps(real)
    def after(status: Status, trigger: Trigger) -> Status:
        counts[edge(status, trigger)] += 1
        return real(status, trigger)

    return after


def _told(real: Callable[[Any, Any], None], counts: Counter[str]) -> Callable[[Any, Any], None]:
    @wraps(real)
    def hear(self: Any, fact: Any) -> None:
        counts[f"fact_{type(fact).__name__}"] += 1
        if getattr(fact, "held", False):
            counts["held_back"] += 1
        real(self, fact)

    return hear


def _breaks(real: Callable[..., breaker.Breaker], counts: Counter[str]) -> Callable[..., breaker.Breaker]:
    @wraps(real)
    def ended(self: breaker.Breaker, **outcome: Any) -> breaker.Breaker:
        after = real(self, **outcome)
        if after.state is not self.state:
            closed = after.state is breaker.State.CLOSED
            counts["breaker_half_open_success" if closed else "breaker_opened"] += 1
        return after

    return ended


def edge(status: Status, trigger: Trigger) -> str:
    return f"edge_{status.value}_{trigger.value}"


def stories(world: World, counts: Mapping[str, int], bare: Sequence[Uncovered]) -> dict[str, int]:
    """What can only be told afterwards."""
    died = sorted(at_us for router in world.routers for at_us in router.died_us)
    return {
        "unknown_then_found": sum(counts.get(edge(Status.IN_DOUBT, trigger), 0) for trigger in _FOUND),
        "unknown_then_dead": counts.get(edge(Status.IN_DOUBT, Trigger.PROVEN_DEAD), 0),
        "kill_between_fill_and_stop": sum(any(span.from_us <= at_us < span.to_us for span in bare) for at_us in died),
        "kill_in_recovery": world.died_in_recovery,
        "double_kill": sum(later - sooner < SOON_US for sooner, later in pairwise(died)),
        "bus_lost": world.blows.bus_lost,
    }


# Edges of the table that no campaign is held to: why, and the triggers. A list of what was not met in 150 worlds, not a
# proof that it cannot be: whoever finds one walked regularly takes it out. The table's own tests walk them all.
_RARE: Final[Mapping[Status, tuple[str, str]]] = {
    Status.PENDING_NEW: (
        "the stream would have to beat the answer with a part, a trigger or an end: seconds between two frames of 6 ms",
        "PART_FILLED TRIGGERED CANCELED EXPIRED MISSING",
    ),
    Status.PARTIALLY_FILLED: (
        "parts follow each other within a second, and nothing is asked or sent in between",
        "ACKED TIMED_OUT RESTARTED TRIGGERED CANCEL_SENT CANCELED MISSING NOT_SENT REFUSED",
    ),
    Status.TRIGGERING: (
        "a stop fires and is done within the same instant, but for stuck ones, which are closed past",
        "ACKED CANCEL_SENT CANCELED MISSING NOT_SENT",
    ),
    Status.PENDING_CANCEL: (
        "a second cancel, a part or a refusal within the few ms of a cancel's way",
        "PART_FILLED CANCEL_SENT REFUSED MISSING NOT_SENT",
    ),
    Status.IN_DOUBT: (
        "nothing is cancelled or resent before the question about it is answered",
        "NOT_SENT PART_FILLED CANCEL_SENT CANCEL_REFUSED CANCEL_NOT_SENT",
    ),
    Status.FILLED: (
        "late news of an order that nobody asks about any more",
        "ACKED NOT_SENT PROVEN_DEAD TRIGGERED CANCELED EXPIRED CANCEL_NOT_SENT REVIVED",
    ),
    Status.CANCELED: (
        "late news of an order that nobody asks about any more",
        "REFUSED NOT_SENT PROVEN_DEAD PART_FILLED TRIGGERED EXPIRED CANCEL_REFUSED CANCEL_NOT_SENT FILLED REVIVED",
    ),
    Status.EXPIRED: (
        "few orders expire here, and nobody asks about them afterwards",
        "ACKED REFUSED NOT_SENT TIMED_OUT PROVEN_DEAD TRIGGERED CANCELED CANCEL_NOT_SENT MISSING FILLED REVIVED",
    ),
    Status.REJECTED: (
        "the venue would have to contradict its own refusal",
        "REVIVED NOT_SENT TIMED_OUT PROVEN_DEAD CANCEL_NOT_SENT TRIGGERED PART_FILLED CANCELED EXPIRED",
    ),
    Status.NEW: (
        "only a resend is not sent while its first sending lives",
        "NOT_SENT",
    ),
}  # fmt: skip
UNWALKED: Final[Mapping[tuple[Status, Trigger], str]] = {
    (status, Trigger[name]): why for status, (why, names) in _RARE.items() for name in names.split()
}


def wanted() -> tuple[str, ...]:
    """Every name that must not be zero after a campaign."""
    return (
        *(f"fault_{name}" for name in MOST),
        *(f"fault_{name}" for name in (*MISHAPS, *heirs_plan.Kind)),
        *(f"deed_{name}" for name in _DEEDS),
        *(f"fact_{kind.__name__}" for kind in FACTS),
        *(edge(*pair) for pair in TRANSITIONS if pair not in UNWALKED),
        *STORIES,
    )


def missing(counts: Mapping[str, int]) -> list[str]:
    """Those that are."""
    return [name for name in wanted() if not counts.get(name)]
