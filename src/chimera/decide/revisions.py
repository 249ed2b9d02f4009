"""The numbered log of what decides: each step says who and why, and carries the whole state that it leads to.

Invariants: a revision is one more than every number before it; what a revision says is never changed, so going back
is a new one; the active bundle and the one on trial stand in one value and cannot be mixed. A step is a function
``(standing, what is asked, who) -> revision``. It knows no store: that a number is taken once is the ledger's.
"""

from decimal import Decimal
from enum import StrEnum
from typing import Final

from chimera.decide.trial import Limit
from chimera.trading.errors import Refused
from chimera.trading.money import Millis
from chimera.trading.value import Value

NOTHING: Final = 0  # the revision before the first


class Kind(StrEnum):
    ACTIVATE = "ACTIVATE"
    ROLLBACK = "ROLLBACK"
    SHADOW = "SHADOW"  # a candidate decides beside, and orders nothing
    CANARY = "CANARY"  # a candidate decides a share
    END_TRIAL = "END_TRIAL"


class Deciding(Value, tag=False):
    """A bundle under a revision. ``digest``: of its content; empty where it was written by hand."""

    rev: int
    bundle_id: str
    digest: str = ""


class Trial(Value, tag=False):
    """A candidate. ``share`` of decisions that are its own, 0 to 1; 0 is a shadow."""

    rev: int
    bundle_id: str
    digest: str = ""
    share: Decimal = Decimal(0)
    limit: Limit | None = None

    @property
    def deciding(self) -> Deciding:
        return Deciding(rev=self.rev, bundle_id=self.bundle_id, digest=self.digest)


class Standing(Value, tag=False):
    """What decides now. ``rev``: the newest number of the log."""

    rev: int = NOTHING
    active: Deciding | None = None
    trial: Trial | None = None


class Signature(Value, tag=False):
    """Who does it, why, and when (UTC ms)."""

    who: str
    why: str
    at_ms: Millis


class Revision(Value, tag=False):
    """A line of the log, and the standing after it.

    ``before``: what was active until this line; ``back_to``: the revision whose bundle came back.
    """

    rev: int
    kind: Kind
    bundle_id: str
    who: str
    why: str
    at_ms: Millis
    active: Deciding | None = None
    trial: Trial | None = None
    before: Deciding | None = None
    back_to: int | None = None

    @property
    def standing(self) -> Standing:
        return Standing(rev=self.rev, active=self.active, trial=self.trial)


def activated(standing: Standing, bundle_id: str, digest: str, by: Signature) -> Revision:
    """It decides from now on; a trial ends with what it was compared with."""
    rev = standing.rev + 1
    active = Deciding(rev=rev, bundle_id=bundle_id, digest=digest)
    return _line(rev, Kind.ACTIVATE, bundle_id, by).but(active=active, before=standing.active)


def rolled_back(standing: Standing, to: Deciding, by: Signature) -> Revision:
    """A new revision with the bundle of an earlier one."""
    rev = standing.rev + 1
    return _line(rev, Kind.ROLLBACK, to.bundle_id, by).but(
        active=to.but(rev=rev), before=standing.active, back_to=to.rev
    )


def tried(standing: Standing, candidate: Trial, by: Signature) -> Revision:
    """A candidate beside the active bundle; raises ``Refused`` where nothing is active or one is on trial already."""
    if standing.active is None:
        raise Refused("NOTHING_ACTIVE", "no bundle is active yet, so there is nothing to compare with")
    if standing.trial is not None:
        now = standing.trial
        words = f"{now.bundle_id} is on trial since revision {now.rev}; end it first"
        raise Refused("TRIAL_RUNNING", words, field="bundle_id", value=candidate.bundle_id)
    rev = standing.rev + 1
    kind = Kind.CANARY if candidate.share else Kind.SHADOW
    return _line(rev, kind, candidate.bundle_id, by).but(active=standing.active, trial=candidate.but(rev=rev))


def trial_ended(standing: Standing, by: Signature, *, rev: int | None = None) -> Revision:
    """No candidate any more. ``rev``: the one that is meant; raises ``Refused`` where another or none is on trial."""
    if standing.trial is None or rev not in (None, standing.trial.rev):
        raise Refused("NO_TRIAL", "no candidate is on trial", field="rev", value=rev, accepted="a trial that was begun")
    line = _line(standing.rev + 1, Kind.END_TRIAL, standing.trial.bundle_id, by)
    return line.but(active=standing.active)


def _line(rev: int, kind: Kind, bundle_id: str, by: Signature) -> Revision:
    return Revision(rev=rev, kind=kind, bundle_id=bundle_id, who=by.who, why=by.why, at_ms=by.at_ms)
