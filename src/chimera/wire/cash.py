"""The cash ledger on the wire: entries as documents and as CSV, what may be asked of it, and lines of profit and loss.

Amounts are plain digits.
"""

import csv
import io
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from chimera.trading.cash import Account, Entry
from chimera.trading.money import DAY_MS, Millis
from chimera.trading.value import Value
from chimera.wire.codec import SCHEMA_VERSION, check_version, plain
from chimera.wire.paging import FOREVER, count_asked, cursor_asked, known, moment_asked, unread

LIMIT: Final = 100
MOST: Final = 1_000
DEFAULT_DAYS: Final = 31
_FORMULA: Final = ("=", "+", "@", "\t", "\r")  # what a spreadsheet would run
COLUMNS: Final = (
    "at", "at_ms", "entry", "kind", "of", "account_id", "market", "symbol", "position", "account", "asset", "amount",
    "strategy_id", "intent_id", "note",
)  # fmt: skip


def entry_document(entry: Entry) -> dict[str, Any]:
    """For a store."""
    document: dict[str, Any] = plain(entry)
    return {"schema_version": SCHEMA_VERSION, **document}


def read_entry(document: Mapping[str, object]) -> Entry:
    """Raises ``NewerSchema`` or ``msgspec.ValidationError``."""
    body = dict(document)
    version = body.pop("schema_version")
    check_version(version if isinstance(version, int) else SCHEMA_VERSION + 1)
    return msgspec.convert(body, Entry)


class CashAsk(Value):
    """``since_ms <= at_ms < until_ms``; of those at ``since_ms`` only numbers after ``after``."""

    since_ms: Millis
    until_ms: Millis
    after: int = 0
    limit: int = LIMIT
    asset: str | None = None
    account: Account | None = None

    def wants(self, entry: Entry) -> bool:
        """Whether one of its postings is of the asset and the account."""
        if self.asset is None and self.account is None:
            return True
        return any(
            self.asset in (None, posting.asset) and self.account in (None, posting.account)
            for posting in entry.postings
        )


_SPAN: Final = ("from", "to", "cursor")


def cash_ask(query: Mapping[str, str], now_ms: Millis) -> CashAsk:
    """``from``, ``to`` (a UTC date or ms), ``asset``, ``account``, ``limit``, ``cursor``. Raises ``Refused``."""
    known(query, (*_SPAN, "asset", "account", "limit"))
    ask = _span(query, now_ms)
    account = query.get("account")
    if account is not None and account not in tuple(Account):
        raise unread("account", account, ", ".join(Account))
    limit = count_asked(query, "limit", LIMIT, MOST)
    return ask.but(asset=query.get("asset"), account=None if account is None else Account(account), limit=limit)


def pnl_ask(query: Mapping[str, str], now_ms: Millis, keys: Iterable[str]) -> tuple[str, CashAsk]:
    """``by`` (one of ``keys``, the first unless given) and the span. Raises ``Refused``."""
    known(query, (*_SPAN, "by"))
    accepted = tuple(keys)
    by = query.get("by", accepted[0])
    if by not in accepted:
        raise unread("by", by, ", ".join(accepted))
    return by, _span(query, now_ms)


def entries_csv(entries: Iterable[Entry], *, header: bool) -> str:
    """One line for each posting."""
    rows = (
        (
            moment(entry.at_ms), entry.at_ms, entry.id, entry.kind, entry.of, entry.account_id, entry.market,
            entry.symbol, entry.position, posting.account, posting.asset, plain(posting.amount),
            posting.strategy_id, posting.intent_id, entry.note,
        )
        for entry in entries
        for posting in entry.postings
    )  # fmt: skip
    return _csv(COLUMNS if header else None, rows)


def rows_csv(rows: Iterable[Mapping[str, object]]) -> str:
    """Rows of one shape, with their names as the first line."""
    written = list(rows)
    return _csv(tuple(written[0]), (tuple(row.values()) for row in written)) if written else ""


def moment(at_ms: int) -> str:
    """ISO 8601, UTC, with its milliseconds."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _csv(header: tuple[str, ...] | None, rows: Iterable[Iterable[object]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    if header is not None:
        writer.writerow(header)
    for row in rows:
        writer.writerow([_cell(value) for value in row])
    return out.getvalue()


def _cell(value: object) -> str:
    """Nothing that a caller may have named is a formula."""
    told = "" if value is None else str(value)
    return f"'{told}" if told.startswith(_FORMULA) else told


def _span(query: Mapping[str, str], now_ms: Millis) -> CashAsk:
    until = moment_asked(query, "to", FOREVER)
    since = moment_asked(query, "from", Millis(min(now_ms, until) - DEFAULT_DAYS * DAY_MS))
    since, after = cursor_asked(query) or (since, 0)
    if since > until:
        raise unread("from", query.get("from", ""), "a moment before to")
    return CashAsk(since_ms=since, until_ms=until, after=after)
