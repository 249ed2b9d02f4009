"""What may be asked of decisions that were made: which of them, a page at a time. Shape only.

A cursor is a moment and a number, ``1795000000000.42``: what comes after it, in the order of the answer, is the next
page. Every function raises ``Refused`` naming the question that cannot be read.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from chimera.trading.errors import Refused
from chimera.trading.money import Millis
from chimera.trading.value import Value

LIMIT: Final = 50
MOST: Final = 200
REPLAY_LIMIT: Final = 200
REPLAY_MOST: Final = 500
FOREVER: Final = Millis(9_999_999_999_999)
OUTCOMES: Final = ("open", "skip")
MOMENT: Final = "a UTC date (2026-11-21), a UTC moment (2026-11-21T08:00:00Z), or milliseconds since the epoch"
_MILLIS: Final = re.compile(r"[0-9]{1,13}", re.ASCII)
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,3})?)?Z)?", re.ASCII)
_CURSOR: Final = re.compile(r"([0-9]{1,13})\.([0-9]{1,18})", re.ASCII)
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
    _known(query, ("symbol", "outcome", "since", "until", "limit", "newest", "cursor"))
    if "limit" in query and "newest" in query:
        raise Refused("MALFORMED", "limit and newest are one thing", field="newest", accepted="limit or newest")
    limit = _count(query, "newest" if "newest" in query else "limit", LIMIT, MOST)
    outcome = query.get("outcome")
    if outcome is not None and outcome not in OUTCOMES:
        raise _refused("outcome", outcome, ", ".join(OUTCOMES))
    return _span(query).but(limit=limit, symbol=query.get("symbol"), outcome=outcome)


def replay_ask(query: Mapping[str, str]) -> DecisionsAsk:
    """``symbol``, ``since``, ``until``, ``limit`` and ``cursor``."""
    _known(query, ("symbol", "since", "until", "limit", "cursor"))
    return _span(query).but(limit=_count(query, "limit", REPLAY_LIMIT, REPLAY_MOST), symbol=query.get("symbol"))


def blockers_ask(query: Mapping[str, str]) -> str | None:
    """``symbol``, or every one."""
    _known(query, ("symbol",))
    return query.get("symbol")


def signal_id(given: str) -> str:
    """An id that a decision can have."""
    if not _SIGNAL.fullmatch(given):
        raise _refused("signal_id", given, "the signal_id of a decision")
    return given


def cursor_text(at_ms: int, number: int) -> str:
    """What ``cursor`` takes."""
    return f"{at_ms}.{number}"


def _span(query: Mapping[str, str]) -> DecisionsAsk:
    since, until = _moment(query, "since", Millis(0)), _moment(query, "until", FOREVER)
    if since > until:
        raise _refused("since", query.get("since", ""), "a moment before until")
    place: tuple[Millis, int] | None = None
    if (cursor := query.get("cursor")) is not None:
        found = _CURSOR.fullmatch(cursor)
        if found is None:
            raise _refused("cursor", cursor, "a cursor of an answer of ours")
        place = Millis(int(found.group(1))), int(found.group(2))
    return DecisionsAsk(since_ms=since, until_ms=until, limit=LIMIT, place=place)


def _moment(query: Mapping[str, str], name: str, default: Millis) -> Millis:
    given = query.get(name)
    if given is None:
        return default
    if _MILLIS.fullmatch(given):
        return Millis(int(given))
    if _DATE.fullmatch(given):
        try:
            at = datetime.fromisoformat(given.removesuffix("Z")).replace(tzinfo=UTC)
        except ValueError as wrong:
            raise _refused(name, given, MOMENT) from wrong
        if at.year >= 1970:
            return Millis(int(at.timestamp() * 1000))
    raise _refused(name, given, MOMENT)


def _count(query: Mapping[str, str], name: str, default: int, most: int) -> int:
    given = query.get(name, str(default))
    if not (given.isascii() and given.isdecimal() and len(given) < 6 and 1 <= int(given) <= most):
        raise _refused(name, given, f"1 to {most}")
    return int(given)


def _known(query: Mapping[str, str], names: tuple[str, ...]) -> None:
    for name in query:
        if name not in names:
            raise Refused("UNKNOWN_FIELD", "no such question", field=name[:80], accepted=", ".join(names))


def _refused(name: str, given: str, accepted: str) -> Refused:
    return Refused("MALFORMED", f"{name} cannot be read", field=name, value=given[:80], accepted=accepted)
