"""What several routers of one account promise beyond what one does: no change of who may not act, nobody missed long.

``LEASE``: the venue takes no change but the lease's holder's, while the ledger says that it runs. ``TAKEN_OVER``: while
some router runs and reaches a healthy ledger, one acts within five seconds of the end of the last.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from chimera.simulate.door.messages import WireRequest
from chimera.simulate.venue.audit import AuditRecord, Kind
from chimera.trading.value import Value
from world.machine import Machine
from world.oracle import Violation
from world.spans import Span, minus

TAKEN_OVER_US: Final = 5_000_000
_DONE: Final = {"POST": (Kind.ACCEPT, Kind.SETTING), "DELETE": (Kind.CANCEL,), "PUT": (Kind.AMEND,)}


class Reign(Value):
    """One house. ``ended_us`` None: it runs. ``recovered_us``: each position had the venue's word."""

    owner: str
    fence: int
    begun_us: int
    recovered_us: int | None = None
    ended_us: int | None = None


class Life(NamedTuple):
    """What one machine was able to do: when it was up, when it was stopped, when it was cut off from the ledger."""

    up: list[Span]
    stopped: list[Span]
    cut: list[Span]


def life_of(machine: Machine, cut: Iterable[Span], until_us: int) -> Life:
    """All of a run."""
    ends = [*machine.died_us, until_us]
    return Life(list(zip(machine.born_us, ends, strict=False)), machine.stops(until_us), list(cut))


def changed(request: WireRequest, records: Iterable[AuditRecord]) -> bool:
    """Whether the venue did what ``request`` asked for; ``records``: what came about as it arrived.

    Not read from the answer: that may be a lie or lost. A trigger that was due in the same instant is not its doing.
    """
    asked = f"&{request.query}&{request.body}&"
    wanted = _DONE.get(request.method, ())
    return any(
        record.kind in wanted and (record.kind is Kind.SETTING or f"={record.client_order_id}&" in asked)
        for record in records
    )


def acted(reigns: Sequence[Reign], stopped: Sequence[Sequence[Span]], until_us: int) -> list[Span]:
    """When somebody acted: each house but the time in which its process stood still (``stopped``, by house)."""
    spans = []
    for reign, still in zip(reigns, stopped, strict=True):
        spans += minus((reign.begun_us, until_us if reign.ended_us is None else reign.ended_us), still)
    return spans


def gaps(acting: Sequence[Span], until_us: int) -> list[Span]:
    """When nobody did."""
    return minus((0, until_us), acting)


def taken_over(idle: Iterable[Span], lives: Sequence[Life], excused: Sequence[Span]) -> list[Violation]:
    """``idle``: when nobody acted; ``excused``: when the ledger was away.

    The clock begins anew whenever any router dies or is stopped: it may have had the lease.
    """
    blows = sorted(
        {at for life in lives for at in [*(end for _, end in life.up), *(begun for begun, _ in life.stopped)]}
    )
    able = [span for life in lives for up in life.up for span in minus(up, [*life.stopped, *life.cut])]
    found = []
    for begun, ended in idle:
        lame = minus((begun, ended), able)
        for first, last in minus((begun, ended), [*lame, *excused, *((at, at) for at in blows)]):
            if last - first > TAKEN_OVER_US:
                text = f"nobody acted for {(last - first) // 1000} ms, though a router could have"
                found.append(Violation(invariant="TAKEN_OVER", at_us=first, text=text))
    return found


def take_overs_ms(reigns: Sequence[Reign], idle: Sequence[Span]) -> list[int]:
    """From the end of one to the beginning of the next, each; 0 where the end of one was the beginning of the next."""
    gap = {ended: ended - begun for begun, ended in idle}
    return [gap.get(after.begun_us, 0) // 1000 for _, after in pairwise(reigns)]
