"""Who may act for an account just now: the life of one lease in one process, as a reducer.

Invariants: nothing may be sent but while the lease is held, and then nothing that could arrive after its end; an end
is never later than the ledger's, since it is counted from before the ledger was asked; a lease that has ended here is
never held again without a new grant, and not before everything that was built on it has ended. All moments are of one
clock of this machine that never steps and counts sleep. Knows neither the ledger nor what the holder does.
"""

from typing import Final

from chimera.trading.lease import Holder, Lease
from chimera.trading.money import Millis
from chimera.trading.value import Value

TTL_MS: Final = Millis(3_000)
EVERY_MS: Final = Millis(500)  # renewed, and asked for by whoever stands by


class Standby(Value):
    """Nothing runs here. ``holder``: who has it, where that is known."""

    next_ms: Millis  # when to ask
    holder: Holder | None = None


class Held(Value):
    """It is ours, and what is built on it runs, up to ``until_ms`` at the latest."""

    lease: Lease
    until_ms: Millis
    next_ms: Millis  # when to ask for more


class Ending(Value):
    """Nothing is sent any more; what was built on it is being ended. ``lease``: given back after that, if at all."""

    lease: Lease | None
    again: bool  # stand by afterwards


class Gone(Value):
    """For good."""


Tenure = Standby | Held | Ending | Gone


class Ticked(Value):
    """Time has passed."""


class LeaseTaken(Value):
    lease: Lease
    asked_ms: Millis


class LeaseRefused(Value):
    holder: Holder


class Renewed(Value):
    lease: Lease
    asked_ms: Millis


class RenewFailed(Value):
    """It has ended, by the ledger's word."""

    lease: Lease


class StoreAway(Value):
    """No answer: it may have been granted or not."""


class Resigned(Value):
    """This process is to end."""


class Ended(Value):
    """Nothing of what was built on the lease runs any more."""


Fact = Ticked | LeaseTaken | LeaseRefused | Renewed | RenewFailed | StoreAway | Resigned | Ended


class Take(Value):
    """Ask for it."""


class Renew(Value):
    lease: Lease


class Serve(Value):
    """Build what acts on it, and run it."""

    lease: Lease


class Stop(Value):
    """End that; ``Ended`` tells that it has."""


class Release(Value):
    """Give it back, for the next to take at once."""

    lease: Lease


Command = Take | Renew | Serve | Stop | Release
ASKING: Final = Millis(1 << 62)  # a question is under way


def advance(tenure: Tenure, fact: Fact, now_ms: Millis) -> tuple[Tenure, tuple[Command, ...]]:
    """What follows from ``fact`` at ``now_ms``."""
    match tenure:
        case Standby():
            return _standing_by(tenure, fact, now_ms)
        case Held():
            return _holding(tenure, fact, now_ms)
        case Ending():
            return _ending(tenure, fact, now_ms)
        case Gone():
            return tenure, ()


def left_ms(tenure: Tenure, now_ms: Millis) -> Millis:
    """For how long from ``now_ms`` on this process may act; 0: not at all."""
    return Millis(max(tenure.until_ms - now_ms, 0)) if isinstance(tenure, Held) else Millis(0)


def due_ms(tenure: Tenure) -> Millis | None:
    """When time alone changes something; None: never."""
    match tenure:
        case Standby():
            return None if tenure.next_ms == ASKING else tenure.next_ms
        case Held():
            return min(tenure.next_ms, tenure.until_ms)
        case _:
            return None


def _standing_by(tenure: Standby, fact: Fact, now_ms: Millis) -> tuple[Tenure, tuple[Command, ...]]:
    match fact:
        case Ticked() if now_ms >= tenure.next_ms:
            return tenure.but(next_ms=ASKING), (Take(),)
        case LeaseTaken() if now_ms < fact.asked_ms + fact.lease.ttl_ms:
            until_ms = Millis(fact.asked_ms + fact.lease.ttl_ms)
            return Held(lease=fact.lease, until_ms=until_ms, next_ms=_next(now_ms)), (Serve(lease=fact.lease),)
        case LeaseTaken():  # too late: asked for anew
            return tenure.but(next_ms=now_ms), ()
        case LeaseRefused():
            wait_ms = min(EVERY_MS, fact.holder.left_ms)
            return tenure.but(next_ms=Millis(now_ms + wait_ms), holder=fact.holder), ()
        case StoreAway():
            return tenure.but(next_ms=_next(now_ms)), ()
        case Resigned():
            return Gone(), ()
        case _:
            return tenure, ()


def _holding(tenure: Held, fact: Fact, now_ms: Millis) -> tuple[Tenure, tuple[Command, ...]]:
    match fact:
        case Renewed() if fact.lease == tenure.lease:  # the ledger granted it before the end: nobody came between
            until_ms = Millis(max(tenure.until_ms, fact.asked_ms + fact.lease.ttl_ms))
            tenure = tenure.but(until_ms=until_ms, next_ms=Millis(max(fact.asked_ms + EVERY_MS, now_ms)))
        case RenewFailed() if fact.lease == tenure.lease:
            return Ending(lease=None, again=True), (Stop(),)
        case StoreAway():
            tenure = tenure.but(next_ms=_next(now_ms))
        case Resigned():
            return Ending(lease=tenure.lease, again=False), (Stop(),)
        case Ended():  # by itself: a fault of what was built on it
            return _over(tenure.lease, now_ms, again=True)
        case _:
            pass
    if now_ms >= tenure.until_ms:
        return Ending(lease=None, again=True), (Stop(),)
    if now_ms >= tenure.next_ms:
        return tenure.but(next_ms=ASKING), (Renew(lease=tenure.lease),)
    return tenure, ()


def _ending(tenure: Ending, fact: Fact, now_ms: Millis) -> tuple[Tenure, tuple[Command, ...]]:
    match fact:
        case Resigned():
            return tenure.but(again=False), ()
        case Ended():
            return _over(tenure.lease, now_ms, again=tenure.again)
        case _:
            return tenure, ()


def _over(lease: Lease | None, now_ms: Millis, *, again: bool) -> tuple[Tenure, tuple[Command, ...]]:
    back: tuple[Command, ...] = () if lease is None else (Release(lease=lease),)
    return (Standby(next_ms=_next(now_ms)) if again else Gone()), back


def _next(now_ms: Millis) -> Millis:
    return Millis(now_ms + EVERY_MS)
