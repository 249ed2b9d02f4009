"""The route table as a file and its curves as a key: both JSON, both with a revision.

The table is a list of rows (then its revision is 1), or ``{"rev": n, "rows": [...]}``; a market without rows goes
by the fees. The curves of the maker wait are ``{"rev": n, "by": {"notional_usdt": [[at, factor], ...],
"spread_bps": [...], "depth_usdt": [...]}, "least_ms": 0, "most_ms": null}`` under
``router:{param}:curves``; a measure that is absent does not count.
"""

import re
from typing import Final

import msgspec

from chimera.trading.errors import Refused
from chimera.trading.routes import Curves, RouteTable, Row, WrongCurve, check
from chimera.wire.keys import ROUTE_CURVES

DEFAULT: Final = RouteTable(rev=2, rows=())  # the fees decide; rev 1 was a table with rows
_CURVES_ACCEPTED: Final = (
    "{rev, by: {notional_usdt, spread_bps, depth_usdt: [[at, factor], ...]}, least_ms, most_ms}, numbers or strings"
)
_PATH: Final = re.compile(r" - at `\$\.?(?P<path>[^`]*)`")


def read_route_table(document: bytes) -> RouteTable:
    """Raises ``Refused`` with the JSON path and what is accepted."""
    try:
        if document.lstrip()[:1] == b"[":
            return RouteTable(rev=1, rows=msgspec.json.decode(document, type=tuple[Row, ...], strict=False))
        return msgspec.json.decode(document, type=RouteTable, strict=False)
    except (msgspec.DecodeError, ValueError) as error:
        raise Refused(
            "ROUTE_TABLE", str(error), field="S4_ROUTE_TABLE_PATH", accepted="rows with ascending notional_usdt_max"
        ) from error


def read_curves(document: bytes) -> Curves:
    """The curves of the maker wait; raises ``Refused`` with the field, what it held, and what is accepted."""
    key = ROUTE_CURVES
    try:
        return check(msgspec.json.decode(document, type=Curves, strict=False))
    except WrongCurve as wrong:
        message = f"{wrong.field} of {key} must be {wrong.accepted}"
        raise Refused(
            "ROUTE_CURVES", message, field=f"{key} {wrong.field}", value=str(wrong.value), accepted=wrong.accepted
        ) from wrong
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        found = _PATH.search(str(error))
        field = f"{key} {found['path']}" if found and found["path"] else key
        shown = document[:80].decode("utf-8", "backslashreplace")
        raise Refused("ROUTE_CURVES", f"{key}: {error}", field=field, value=shown, accepted=_CURVES_ACCEPTED) from error
