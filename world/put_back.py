"""A run in whose middle the ledger was put back to an earlier state: what is to hold beyond all else.

Only the venue still knows what was sent between the copy and the death: by its log no name is given out twice.
"""

from collections.abc import Container, Iterable, Sequence

from chimera.simulate.venue.audit import AuditRecord, Kind
from chimera.trading.ids import ClientOrderId, child_of
from world.composed import World
from world.oracle import Violation


def judge(world: World, audit: Sequence[AuditRecord]) -> list[Violation]:
    """Nothing, where no ledger was put back. ``audit`` in the run's own time."""
    at_us = world.blows.put_back_us
    return [] if at_us is None else named_once(audit, world.copied or (), at_us)


def named_once(audit: Iterable[AuditRecord], known: Container[str], from_us: int) -> list[Violation]:
    """No name of ours that was accepted before ``from_us`` is accepted after it, but one that the copy ``known`` has:
    a stop that was pending in it may be sent again under its id, as after each start.
    """
    used: set[str] = set()
    fired: set[str] = set()  # what a trigger places bears the name of its conditional order
    found = []
    for record in audit:
        name = record.client_order_id
        if record.kind is Kind.TRIGGER:
            fired.add(name)
        if record.kind is not Kind.ACCEPT or name in fired or child_of(ClientOrderId(name)) is None:
            continue
        if record.at_us < from_us:
            used.add(name)
        elif name in used and name not in known:
            story = f"{name} was given out a second time, by a life that does not know of the first"
            found.append(Violation(invariant="NAMED_ONCE", at_us=record.at_us, text=story))
    return found
