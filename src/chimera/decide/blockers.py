"""What keeps a symbol from being entered just now, as levels: each with its code, its numbers and since when.

A level is one thing that is so: the same code about the same figure on the same market. While it stands, its moment
stays and its text and numbers follow. A decision tells of the stage that it ended in: what lies behind a gate that is
shut is not judged, and begins anew when it is. What passes by itself (another process was deciding) is no level.
"""

from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Final

from chimera.trading.decision import Code, Open, Skip
from chimera.trading.market import Market
from chimera.trading.money import Millis
from chimera.trading.value import Value


class Kind(StrEnum):
    """Where it stands in the way."""

    GATE = "gate"
    BUDGET = "budget"  # S4's figures, missing or used up
    FACTOR = "factor"  # missing, stale or no number
    MARKET = "market"  # no market to look at, or a symbol that does not trade
    RULES = "rules"
    SIZE = "size"
    CONFIG = "config"  # no bundle, a flag
    S3 = "s3"  # our own stores
    S4 = "s4"  # a barrier or a kill, or nobody answers there


KINDS: Final = {
    **dict.fromkeys((Code.FUNDING, Code.SPREAD, Code.DEPTH, Code.CONCURRENT_ENTRIES), Kind.GATE),
    **dict.fromkeys(
        (Code.BUDGET_MISSING, Code.BUDGET_STALE, Code.BUDGET_LOSS, Code.BUDGET_MARGIN, Code.BUDGET_NOTIONAL),
        Kind.BUDGET,
    ),
    **dict.fromkeys((Code.FEATURE_MISSING, Code.FEATURE_STALE, Code.FEATURE_INVALID), Kind.FACTOR),
    **dict.fromkeys(
        (Code.MARKET_MISSING, Code.MARKET_STALE, Code.MARKET_INVALID, Code.MARKET_CROSSED, Code.NOT_LISTED,
         Code.NOT_TRADING),
        Kind.MARKET,
    ),
    **dict.fromkeys(
        (Code.NO_RULE, Code.NO_RULE_FIRED, Code.SKIP_ENTRY, Code.SIDE_CONFLICT, Code.MARKET_CONFLICT,
         Code.POLICY_CONFLICT, Code.NO_SIDE, Code.SPOT_LONG_ONLY),
        Kind.RULES,
    ),
    **dict.fromkeys(
        (Code.BELOW_STEP, Code.MIN_NOTIONAL, Code.MAX_QTY, Code.MAX_LOSS, Code.STOP_INSIDE_SPREAD,
         Code.TARGET_UNREACHABLE),
        Kind.SIZE,
    ),
    **dict.fromkeys((Code.NO_CONFIG, Code.FLAG_OFF), Kind.CONFIG),
    Code.BUS_AWAY: Kind.S3,
}  # fmt: skip
PASSING: Final = (Code.LOCKED,)
EXPECTED: Final = frozenset(
    (Code.NO_RULE_FIRED, Code.SKIP_ENTRY, Code.NO_SIDE, Code.CONCURRENT_ENTRIES)
)  # a strategy that sees nothing to do, or has done it: shown, and told to nobody


class Blocker(Value, tag=False, omit_defaults=False):
    """One level. ``since_ms`` is UTC; ``name`` is the figure, where it is one."""

    code: str
    kind: Kind
    text: str
    since_ms: Millis
    name: str = ""
    market: Market | None = None
    value: Decimal | None = None
    limit: Decimal | None = None
    margin: Decimal | None = None

    @property
    def key(self) -> tuple[str, str, Market | None]:
        return self.code, self.name, self.market

    @property
    def expected(self) -> bool:
        return self.code in EXPECTED


def of_decision(decision: Open | Skip, now_ms: Millis) -> tuple[Blocker, ...] | None:
    """None: it says nothing of how things stand."""
    if isinstance(decision, Open):
        return ()
    if any(reason.code in PASSING for reason in decision.reasons):
        return None
    return tuple(
        Blocker(
            code=reason.code.value,
            kind=KINDS[reason.code],
            text=reason.text,
            since_ms=now_ms,
            name=reason.name,
            market=decision.market,
            value=reason.value,
            limit=reason.limit,
            margin=reason.margin,
        )
        for reason in decision.reasons
    )


def standing(before: Sequence[Blocker], now: Sequence[Blocker]) -> tuple[Blocker, ...]:
    """What is so now, each since it first was; the oldest first."""
    since = {blocker.key: blocker.since_ms for blocker in before}
    kept: dict[tuple[str, str, Market | None], Blocker] = {}
    for blocker in now:
        kept.setdefault(
            blocker.key, blocker.but(since_ms=min(since.get(blocker.key, blocker.since_ms), blocker.since_ms))
        )
    return tuple(sorted(kept.values(), key=lambda blocker: (blocker.since_ms, blocker.code, blocker.name)))
