"""What a channel is to be told now, by comparing the tickets with what it was told before. Pure.

Nothing is queued: a channel that was away is told of what stands when it is back, in one message, so a storm and an
outage cost the same few messages. FATAL goes at once, at any hour. What is bad enough (``at_once``) goes at once
outside the quiet hours; the rest waits for the digest. The last messages of a minute are kept for FATAL.
"""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from typing import Final, NamedTuple

from chimera.services.alerts.ticket import State, Ticket, What
from chimera.trading.events import Severity
from chimera.trading.money import MINUTE_MS, Millis
from chimera.trading.value import Value
from chimera.wire.alerts import rank

PARTS_MOST: Final = 20  # of one message; of the others it says how many
AGAIN_MS: Final = 600_000  # one that was over and is back goes at once no sooner; FATAL does after a minute
FATAL_AGAIN_MS: Final = 60_000


class Kind(StrEnum):
    ALERT = "ALERT"
    DIGEST = "DIGEST"
    TEST = "TEST"


class Quiet(NamedTuple):
    """Minutes of the day, from and until; the one may be after the other."""

    from_min: int
    until_min: int
    zone: tzinfo

    def holds(self, now_ms: int) -> bool:
        there = datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(self.zone)
        minute = there.hour * 60 + there.minute
        if self.from_min <= self.until_min:
            return self.from_min <= minute < self.until_min
        return minute >= self.from_min or minute < self.until_min


class Policy(NamedTuple):
    """``least``: below it nobody is told. ``digest_ms`` between two digests; ``remind_ms`` 0: no reminders."""

    least: Severity = Severity.WARN
    at_once: Severity = Severity.ERROR
    digest_ms: int = 3_600_000
    quiet: Quiet | None = None
    most_per_minute: int = 6
    remind_ms: int = 900_000

    @property
    def kept_for_fatal(self) -> int:
        """Of a minute's messages."""
        return self.most_per_minute // 3


class Part(Value, tag=False):
    ticket: Ticket
    what: What


class Message(Value, tag=False):
    """``id`` is the same for the same news, however often it is sent. ``more``: told by number alone."""

    id: str
    kind: Kind
    at_ms: Millis
    parts: tuple[Part, ...] = ()
    more: tuple[Part, ...] = ()
    silent: bool = False


class Pace(NamedTuple):
    """What went out before: moments of the last minute, and when the last digest did."""

    sent_ms: Sequence[int]
    digested_ms: int


def due(tickets: Iterable[Ticket], channel: str, policy: Policy, pace: Pace, now_ms: int) -> Message | None:
    """None: nothing now."""
    quiet = policy.quiet is not None and policy.quiet.holds(now_ms)
    urgent: list[Part] = []
    others: list[Part] = []
    for ticket in tickets:
        what = _untold(ticket, channel, policy, now_ms)
        if what is not None:
            at_once = _is_urgent(ticket, what, channel, policy, now_ms, quiet=quiet)
            (urgent if at_once else others).append(Part(ticket=ticket, what=what))
    if urgent:
        fatal = any(part.ticket.severity is Severity.FATAL for part in urgent)
        if not _has_room(policy, pace, now_ms, fatal=fatal):
            return None
        return _message(Kind.ALERT, channel, urgent, now_ms, silent=all(part.what is What.RESOLVED for part in urgent))
    is_time = not quiet and now_ms - pace.digested_ms >= policy.digest_ms
    if others and is_time and _has_room(policy, pace, now_ms, fatal=False):
        return _message(Kind.DIGEST, channel, others, now_ms, silent=True)
    return None


def untold(tickets: Iterable[Ticket], channel: str, policy: Policy, now_ms: int) -> tuple[Ticket, ...]:
    """Of which this channel is still to hear, sooner or later."""
    return tuple(ticket for ticket in tickets if _untold(ticket, channel, policy, now_ms) is not None)


def _untold(ticket: Ticket, channel: str, policy: Policy, now_ms: int) -> What | None:
    if rank(ticket.severity) < rank(policy.least):
        return None
    told = ticket.told.get(channel)
    if ticket.state is State.RESOLVED:
        seen_by_someone = told is None and ticket.acknowledged is not None
        return None if seen_by_someone or (told is not None and told.what is What.RESOLVED) else What.RESOLVED
    if ticket.state is State.ACKNOWLEDGED:
        return None
    if told is None or told.what is What.RESOLVED or rank(told.severity) < rank(ticket.severity):
        return What.OPENED
    fatal = ticket.severity is Severity.FATAL
    if fatal and policy.remind_ms and now_ms - told.at_ms >= policy.remind_ms:
        return What.REMINDER
    return None


def _is_urgent(ticket: Ticket, what: What, channel: str, policy: Policy, now_ms: int, *, quiet: bool) -> bool:
    fatal = ticket.severity is Severity.FATAL
    told = ticket.told.get(channel)
    if what is What.RESOLVED and told is None:
        return fatal  # it came and went; only of the worst somebody must hear all the same
    is_back = told is not None and told.what is What.RESOLVED
    if told is not None and is_back and now_ms - told.at_ms < (FATAL_AGAIN_MS if fatal else AGAIN_MS):
        return False
    return fatal or (not quiet and rank(ticket.severity) >= rank(policy.at_once))


def _has_room(policy: Policy, pace: Pace, now_ms: int, *, fatal: bool) -> bool:
    of_late = sum(now_ms - sent < MINUTE_MS for sent in pace.sent_ms)
    return of_late < policy.most_per_minute - (0 if fatal else policy.kept_for_fatal)


def _message(kind: Kind, channel: str, parts: Sequence[Part], now_ms: int, *, silent: bool) -> Message:
    ordered = sorted(parts, key=lambda part: (part.what is What.RESOLVED, -rank(part.ticket.severity)))
    news = [f"{part.ticket.id}:{part.what}:{part.ticket.severity}:{part.ticket.told.get(channel)}" for part in ordered]
    name = hashlib.sha256("\n".join((channel, kind, *news)).encode()).hexdigest()[:24]
    return Message(
        id=f"msg_{name}",
        kind=kind,
        at_ms=Millis(now_ms),
        parts=tuple(ordered[:PARTS_MOST]),
        more=tuple(ordered[PARTS_MOST:]),
        silent=silent,
    )
