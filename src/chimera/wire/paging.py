"""Questions in a query that lists have in common: from when, how many, and where the page before ended.

A cursor is a moment and a number, ``1795000000000.42``: what comes after it, in the order of the answer, is the next
page. Every function raises ``Refused`` naming the question that cannot be read. It knows no list.
"""

import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from chimera.trading.errors import Refused
from chimera.trading.money import Millis

FOREVER: Final = Millis(9_999_999_999_999)
MOMENT: Final = "a UTC date (2026-11-21), a UTC moment (2026-11-21T08:00:00Z), or milliseconds since the epoch"
SHOWN_CHARS: Final = 80  # of what a refused question held
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)
_MILLIS: Final = re.compile(r"[0-9]{1,13}", re.ASCII)
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,3})?)?Z)?", re.ASCII)
_CURSOR: Final = re.compile(r"([0-9]{1,13})\.([0-9]{1,18})", re.ASCII)


def known(query: Mapping[str, str], names: Collection[str]) -> None:
    """Nothing beyond these is asked."""
    for name in query:
        if name not in names:
            accepted = ", ".join(names)
            raise Refused("UNKNOWN_FIELD", "no such question", field=name[:SHOWN_CHARS], accepted=accepted)


def moment_asked(query: Mapping[str, str], name: str, default: Millis) -> Millis:
    """As ``MOMENT`` says."""
    given = query.get(name)
    if given is None:
        return default
    if _MILLIS.fullmatch(given):
        return Millis(int(given))
    if _DATE.fullmatch(given):
        try:
            at_ms = (datetime.fromisoformat(given.removesuffix("Z")).replace(tzinfo=UTC) - _EPOCH) // _MS
        except ValueError as wrong:  # the 30th of February
            raise unread(name, given, MOMENT) from wrong
        if at_ms >= 0:
            return Millis(at_ms)
    raise unread(name, given, MOMENT)


def count_asked(query: Mapping[str, str], name: str, default: int, most: int) -> int:
    """From 1 to ``most``."""
    given = query.get(name, str(default))
    if not (given.isascii() and given.isdecimal() and len(given) < 6 and 1 <= int(given) <= most):
        raise unread(name, given, f"1 to {most}")
    return int(given)


def cursor_asked(query: Mapping[str, str]) -> tuple[Millis, int] | None:
    """Moment and number of the last of the page before; None: from the beginning."""
    given = query.get("cursor")
    if given is None:
        return None
    found = _CURSOR.fullmatch(given)
    if found is None:
        raise unread("cursor", given, "a cursor of an answer of ours")
    return Millis(int(found.group(1))), int(found.group(2))


def cursor_text(at_ms: int, number: int) -> str:
    """What ``cursor_asked`` reads."""
    return f"{at_ms}.{number}"


def unread(name: str, given: str, accepted: str) -> Refused:
    """The refusal of a question that cannot be read."""
    return Refused("MALFORMED", f"{name} cannot be read", field=name, value=given[:SHOWN_CHARS], accepted=accepted)
