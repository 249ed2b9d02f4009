"""The route table's revisions: which was in force when, by whom and why, and one that is proposed.

A log that only grows: going back puts an older table in force again under a new number, so that a plan's ``rev`` names
one table for ever. Nothing is in force because it was proposed.
"""

from typing import Final

from chimera.trading.money import Millis
from chimera.trading.routes import Curves, Measures, RouteTable
from chimera.trading.value import Value

FOUND: Final = "found"  # nobody's name: the table was in force before there was a log, and since when nobody knows


class WrongRevision(ValueError):
    """Why it cannot be."""


class Revision(Value, tag=False):
    table: RouteTable
    at_ms: Millis  # of ``FOUND``: when the log was begun or, without one, looked for
    by: str  # who put it in force
    why: tuple[str, ...] = ()
    curves: Curves | None = None  # of the maker wait, in force with it


class Proposed(Value, tag=False):
    """``of_rev``: in force when it was made; over another it is out of date."""

    table: RouteTable
    of_rev: int
    at_ms: Millis
    why: tuple[str, ...] = ()
    curves: Curves | None = None


class Log(Value, tag=False):
    """Oldest first; the last is in force."""

    revisions: tuple[Revision, ...]
    proposed: Proposed | None = None
    schema_version: int = 1

    @property
    def in_force(self) -> RouteTable:
        return self.revisions[-1].table

    @property
    def curves(self) -> Curves:
        """What ``router:{param}:curves`` should hold now; without points where there is nothing to refine."""
        last = self.revisions[-1]
        return (last.curves or Curves(rev=1, by=Measures())).but(rev=last.table.rev)


def begun(table: RouteTable, now_ms: Millis) -> Log:
    """A log that begins with what is in force."""
    return Log(revisions=(Revision(table=table, at_ms=now_ms, by=FOUND, why=("in force when the log began",)),))


def seen(log: Log, table: RouteTable, now_ms: Millis) -> Log:
    """With the table that is in force by now: somebody may have changed its file by hand."""
    if table == log.in_force:
        return log
    if any(each.table.rev == table.rev for each in log.revisions):
        raise WrongRevision(f"the table in force says rev {table.rev}, and the log has another table of that number")
    changed = Revision(table=table, at_ms=now_ms, by="hand", why=("changed beside the log",))
    return log.but(revisions=(*log.revisions, changed), proposed=None)


def propose(log: Log, table: RouteTable, why: tuple[str, ...], now_ms: Millis, *, curves: Curves | None = None) -> Log:
    """In place of what was proposed before."""
    made = Proposed(table=table, of_rev=log.in_force.rev, at_ms=now_ms, why=why, curves=curves)
    return log.but(proposed=made)


def approve(log: Log, by: str, now_ms: Millis) -> Log:
    """The proposed one is in force, under the next number."""
    found = log.proposed
    if found is None:
        raise WrongRevision("nothing is proposed")
    if found.of_rev != log.in_force.rev:
        raise WrongRevision(f"proposed over rev {found.of_rev}, and rev {log.in_force.rev} is in force: fit again")
    return _put(log, Revision(table=found.table, at_ms=now_ms, by=by, why=found.why, curves=found.curves))


def roll_back(log: Log, rev: int, by: str, now_ms: Millis) -> Log:
    """The table of that revision is in force again, under the next number."""
    found = next((each for each in log.revisions if each.table.rev == rev), None)
    if found is None:
        known = ", ".join(str(each.table.rev) for each in log.revisions)
        raise WrongRevision(f"rev {rev} is not in the log, which has {known}")
    if found == log.revisions[-1]:
        raise WrongRevision(f"rev {rev} is in force")
    return _put(log, found.but(at_ms=now_ms, by=by, why=(f"back to rev {rev}",)))


def _put(log: Log, revision: Revision) -> Log:
    number = max(each.table.rev for each in log.revisions) + 1
    after = revision.but(table=revision.table.but(rev=number))
    return log.but(revisions=(*log.revisions, after), proposed=None)
