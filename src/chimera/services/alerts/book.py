"""All tickets that count just now: those that stand, and those that are over and not yet told or may come back.

Bounded: where more would stand than ``MOST``, the least severe and oldest gives way, and that is counted. Plain state;
each change is answered with the tickets that must be saved.
"""

from collections.abc import Iterable
from typing import Final

from chimera.services.alerts import ticket as tickets
from chimera.services.alerts.ticket import COMES_BACK_MS, Mark, State, Ticket, Told, What
from chimera.trading.errors import Refused
from chimera.trading.events import Severity
from chimera.trading.money import Millis
from chimera.wire.alerts import AlertRecord, rank

MOST: Final = 1_000
OLD_MS: Final = 3_600_000  # what happened longer ago and is heard only now is nobody's news


class Book:
    def __init__(self, known: Iterable[Ticket] = ()) -> None:
        self._tickets = {ticket.dedupe: ticket for ticket in known}
        self._lives: dict[str, int] = {}
        self.crowded_out = 0

    @property
    def all(self) -> tuple[Ticket, ...]:
        return tuple(self._tickets.values())

    @property
    def standing(self) -> tuple[Ticket, ...]:
        """Worst first, then newest."""
        found = [ticket for ticket in self._tickets.values() if ticket.stands]
        return tuple(sorted(found, key=lambda each: (-rank(each.severity), -each.last_ms)))

    def counts(self) -> dict[str, int]:
        states = [ticket.state for ticket in self.standing]
        return {"open": states.count(State.OPEN), "acknowledged": states.count(State.ACKNOWLEDGED)}

    @property
    def worst(self) -> Severity | None:
        return next((ticket.severity for ticket in self.standing), None)

    def hear(self, record: AlertRecord, entry: str, now_ms: int) -> tuple[Ticket, ...]:
        """What changed."""
        changed = self._anew(record, now_ms)
        if not record.lasts and now_ms - (record.at_ms or now_ms) > OLD_MS:
            known = self._tickets.get(tickets.key_of(record))
            if known is None:
                return changed
        after = tickets.heard(self._tickets.get(tickets.key_of(record)), record, entry, now_ms)
        return changed if after is None else (*changed, *self._put(after, now_ms))

    def _anew(self, record: AlertRecord, now_ms: int) -> tuple[Ticket, ...]:
        """A later life of a service than any before: what its earlier ones have left standing is doubted."""
        whose = f"{record.service}:{record.account_id}"
        if record.life_ms <= self._lives.get(whose, 0):
            return ()
        self._lives[whose] = record.life_ms
        changed: list[Ticket] = []
        for ticket in self.all:
            if (ticket.service, ticket.account_id) == (record.service, record.account_id):
                changed += self._put(tickets.doubted(ticket, record.life_ms, now_ms), now_ms)
        return tuple(changed)

    def acknowledge(self, name: str, by: str, note: str, now_ms: int) -> Ticket:
        """Raises ``Refused`` NOT_FOUND. One that is over, or acknowledged already, stays as it is."""
        known = self.by_id(name)
        if known.state is State.OPEN:
            known = known.but(acknowledged=Mark(by=by, at_ms=Millis(now_ms), note=note))
            self._tickets[known.dedupe] = known
        return known

    def resolve(self, name: str, by: str, note: str, now_ms: int, *, force: bool) -> Ticket:
        """Raises ``Refused`` NOT_FOUND, and STILL_STANDS for a level, whose end its service will tell."""
        known = self.by_id(name)
        if known.stands and known.lasts and not force:
            words = f"{known.service} says that it stands, and will say when it is over: acknowledge it instead"
            raise Refused("STILL_STANDS", words, field="id", value=name, accepted='"force": true')
        self._tickets[known.dedupe] = known = known.over(by, now_ms, note)
        return known

    def by_id(self, name: str) -> Ticket:
        """Raises ``Refused`` NOT_FOUND."""
        for ticket in self._tickets.values():
            if ticket.id == name:
                return ticket
        accepted = "an id of GET /alerts?state=all (chimera alerts list --state all)"
        raise Refused("NOT_FOUND", "no such alert", field="id", value=name, accepted=accepted)

    def told(self, as_told: Ticket, channel: str, what: What, now_ms: int) -> tuple[Ticket, ...]:
        """A channel has been told of the ticket as it was then; it may be otherwise by now."""
        known = self._tickets.get(as_told.dedupe)
        if known is None or known.id != as_told.id:
            return ()
        mark = Told(what=what, severity=as_told.severity, at_ms=Millis(now_ms))
        self._tickets[known.dedupe] = known = known.but(told={**known.told, channel: mark})
        return (known,)

    def age(self, now_ms: int, untold: Iterable[str]) -> tuple[Ticket, ...]:
        """What time alone has ended. Forgets what is long over, but for ``untold``: of it somebody must still hear."""
        changed: list[Ticket] = []
        for ticket in self.all:
            after = tickets.aged(ticket, now_ms)
            if after is not ticket:
                changed += self._put(after, now_ms)
        kept = frozenset(untold)
        for ticket in self.all:
            ended = ticket.resolved
            if ended is not None and now_ms - ended.at_ms > COMES_BACK_MS and ticket.dedupe not in kept:
                del self._tickets[ticket.dedupe]
        return tuple(changed)

    def _put(self, ticket: Ticket, now_ms: int) -> tuple[Ticket, ...]:
        if self._tickets.get(ticket.dedupe) == ticket:
            return ()
        gone: tuple[Ticket, ...] = ()
        standing = self.standing
        if ticket.dedupe not in self._tickets and ticket.stands and len(standing) >= MOST:
            last = standing[-1]
            self._tickets[last.dedupe] = last = last.over("alerts", now_ms, f"more than {MOST} alerts stand")
            self.crowded_out += 1
            gone = (last,)
        self._tickets[ticket.dedupe] = ticket
        return (*gone, ticket)
