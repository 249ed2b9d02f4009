"""A candidate beside what is active: whose decision an intent is, in what two decisions differ, and when to stop.

The share of a canary goes by a stable hash of the signal's id, so that the same signal falls to the same side for ever,
and a larger share keeps all that a smaller one had. It knows neither stores nor time.
"""

import hashlib
from decimal import Decimal
from enum import StrEnum
from typing import Final

from chimera.decide.outcome import outcome, parts
from chimera.trading.decision import Open, Skip
from chimera.trading.value import Value

BUCKETS: Final = 1_000_000


class Metric(StrEnum):
    """What a canary is judged by, each a share from 0 to 1."""

    DIFFER_SHARE = "differ_share"  # of all decisions, those that the two do not decide alike
    OPEN_SHARE = "open_share"  # of the candidate's own decisions, the entries
    SKIP_SHARE = "skip_share"
    REFUSED_SHARE = "refused_share"  # of the candidate's own intents that S4 has answered, those it said no to


class Limit(Value, tag=False):
    """At most ``most`` of ``metric``, judged from ``after`` cases on."""

    metric: Metric
    most: Decimal
    after: int = 20


class Tally(Value, tag=False):
    """Of one trial. ``own``: decided by the candidate for real; ``answered`` and ``refused`` are of its intents."""

    compared: int = 0
    differed: int = 0
    own: int = 0
    own_opens: int = 0
    answered: int = 0
    refused: int = 0


class Difference(Value, tag=False):
    """One part of a decision, as the active bundle and as the candidate has it."""

    what: str
    active: str
    candidate: str


def candidates_turn(signal_id: str, share: Decimal) -> bool:
    """Whether this signal is decided by the candidate."""
    drawn = int.from_bytes(hashlib.sha256(signal_id.encode()).digest()[:8]) % BUCKETS
    return drawn < share * BUCKETS


def differences(active: Open | Skip, candidate: Open | Skip) -> tuple[Difference, ...]:
    """In what would have happened, first; then in which rules fired."""
    return tuple(
        Difference(what=part.what, active=part.one, candidate=part.other)
        for part in parts(outcome(active), outcome(candidate))
    )


def counted(tally: Tally, *, differs: bool, own: Open | Skip | None) -> Tally:
    """One more signal; ``own``: the candidate's decision where it was the one that counts."""
    return tally.but(
        compared=tally.compared + 1,
        differed=tally.differed + differs,
        own=tally.own + (own is not None),
        own_opens=tally.own_opens + isinstance(own, Open),
    )


def answered(tally: Tally, *, refused: bool) -> Tally:
    """S4 has answered for one of the candidate's intents."""
    return tally.but(answered=tally.answered + 1, refused=tally.refused + refused)


def broken(limit: Limit, tally: Tally) -> str | None:
    """Why the canary must end, with the numbers; None while it may go on."""
    part, whole = {
        Metric.DIFFER_SHARE: (tally.differed, tally.compared),
        Metric.OPEN_SHARE: (tally.own_opens, tally.own),
        Metric.SKIP_SHARE: (tally.own - tally.own_opens, tally.own),
        Metric.REFUSED_SHARE: (tally.refused, tally.answered),
    }[limit.metric]
    if whole < max(limit.after, 1) or part <= limit.most * whole:
        return None
    return f"{limit.metric} is {part} of {whole}, more than {limit.most}"
