"""The route table as a file: a list of rows (then its revision is 1), or ``{"rev": n, "rows": [...]}``."""

from decimal import Decimal
from typing import Final

import msgspec

from chimera.trading.errors import Refused
from chimera.trading.money import Quote
from chimera.trading.routes import RouteTable, Row, Twap

DEFAULT: Final = RouteTable(
    rev=1,
    rows=(
        Row(notional_usdt_max=Quote(Decimal(200)), maker_wait_ms=1500, twap=Twap(slices=1, gap_ms=0)),
        Row(notional_usdt_max=Quote(Decimal(500)), maker_wait_ms=2000, twap=Twap(slices=2, gap_ms=600)),
    ),
)


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
