"""What may be asked of decisions that were made: which of them, a page at a time. Shape only.

Every function raises ``Refused`` naming the question that cannot be read; spans and cursors are ``paging``'s.
"""

import re
from collections.abc import Mapping
from typing import Final

from chimera.trading.errors import Refused
from chimera.trading.money import Millis
from chimera.trading.value import Value
from chimera.wire.paging import FOREVER, count_asked, cursor_asked, known, moment_asked, unread

LIMIT: Final = 50
MOST: Final = 200
REPLAY_LIMIT: Final = 200
REPLAY_MOST: Final = 500
OUTCOMES: Final = ("open", "skip")
_SIGNAL: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


class DecisionsAsk(Value):
    """``since_ms <= at_ms < until_ms``; ``place``: where the page before ended, its moment and number."""

    since_ms: Millis
    until_ms: Millis
    limit: int
    place: tuple[Millis, int] | None = None
    symbol: str | None = None
    outcome: str | None = None

    @property
    def where(self) -> dict[str, str | int]:
        """The fields of a row that are asked for."""
        fields = {"symbol": self.symbol, "decision": self.outcome}
        return {name: value for name, value in fields.items() if value is not None}


def decisions_ask(query: Mapping[str, str]) -> DecisionsAsk:
    """``symbol``, ``outcome``, ``since``, ``until``, ``limit`` (or ``newest``) and ``cursor``."""
    known(query, ("symbol", "outcome", "since", "until", "limit", "newest", "cursor"))
    if "limit" in query and "newest" in query:
        raise Refused("MALFORMED", "limit and newest are one thing", field="newest", accepted="limit or newest")
    limit = count_asked(query, "newest" if "newest" in query else "limit", LIMIT, MOST)
    outcome = query.get("outcome")
    if outcome is not None and outcome not in OUTCOMES:
        raise unread("outcome", outcome, ", ".join(OUTCOMES))
    return _span(query).but(limit=limit, symbol=query.get("symbol"), outcome=outcome)


def replay_ask(query: Mapping[str, str]) -> DecisionsAsk:
    """``symbol``, ``since``, ``until``, ``limit`` and ``cursor``."""
    known(query, ("symbol", "since", "until", "limit", "cursor"))
    return _span(query).but(limit=count_asked(query, "limit", REPLAY_LIMIT, REPLAY_MOST), symbol=query.get("symbol"))


def blockers_ask(query: Mapping[str, str]) -> str | None:
    """``symbol``, or every one."""
    known(query, ("symbol",))
    return query.get("symbol")


def signal_id(given: str) -> str:
    """An id that a decision can have."""
    if not _SIGNAL.fullmatch(given):
        raise unread("signal_id", given, "the signal_id of a decision")
    return given


def _span(query: Mapping[str, str]) -> DecisionsAsk:
    since, until = moment_asked(query, "since", Millis(0)), moment_asked(query, "until", FOREVER)
    if since > until:
        raise unread("since", query.get("since", ""), "a moment before until")
    return DecisionsAsk(since_ms=since, until_ms=until, limit=LIMIT, place=cursor_asked(query))
