"""Every AQL statement of ours, and how a document is named.

Each statement writes at most one document of one collection, so it is atomic on a single server and in a cluster
alike. What replaces names what it replaces (``FILTER``) and is refused by the server when the document changed since
it was read (``ignoreRevs: false``): a request that was given up and arrives late finds nothing to do.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Final
from urllib.parse import quote

from chimera.trading.ids import PositionKey
from chimera.wire import codec

LONGEST_KEY: Final = 254  # bytes of a ``_key``
_SAFE: Final = "_-:.@()+,=$*'"  # what a ``_key`` may hold besides letters and digits, but for our own signs ; ! and %
_ALSO_TRUTH: Final = (0, 1)
_SYNCED: Final = "OPTIONS {ignoreRevs: false, waitForSync: true}"

LAYOUT: Final = "FOR l IN chimera_layout FILTER l._key == 'layout' RETURN l.version"
NEW_LAYOUT: Final = (
    "INSERT {_key: 'layout', version: @version} INTO chimera_layout"
    " OPTIONS {overwriteMode: 'replace', waitForSync: true} RETURN NEW.version"
)
PING: Final = (
    "INSERT {_key: @me, at: DATE_NOW() / 1000} INTO heartbeats"
    " OPTIONS {overwriteMode: 'replace', waitForSync: true} RETURN NEW._key"
)

# ── holdings: one document a position, its fence and its body together ──

SEAT: Final = "FOR h IN holdings FILTER h._key == @key RETURN h"
KEYS: Final = "FOR h IN holdings FILTER h.body != null RETURN h.position"
NEW_SEAT: Final = (
    "INSERT {_key: @key, position: @position, fence: 1, owner: @owner, by: @by, rev: 0} INTO holdings"
    " OPTIONS {waitForSync: true} RETURN NEW.fence"
)
NEXT_FENCE: Final = (
    "FOR h IN holdings FILTER h._key == @key AND h.fence == @was"
    " UPDATE h WITH {fence: h.fence + 1, owner: @owner, by: @by}"
    f" IN holdings {_SYNCED} RETURN NEW.fence"
)
SAVE: Final = (
    "FOR h IN holdings FILTER h._key == @key AND h.rev == @rev AND h.fence == @fence"
    " REPLACE h WITH MERGE(@sealed,"
    " {position: h.position, fence: h.fence, owner: h.owner, by: h.by, rev: h.rev + 1})"
    f" IN holdings {_SYNCED} RETURN NEW.rev"
)

# ── leases: one document a name; ``by`` is the token of the request that wrote it last, a sign of life ──

LEASE: Final = "FOR l IN leases FILTER l._key == @key RETURN l"
NEW_LEASE: Final = (
    "INSERT {_key: @key, fence: @fence, owner: @owner, url: @url, ttl_ms: @ttl_ms, by: @by} INTO leases"
    " OPTIONS {waitForSync: true} RETURN NEW.fence"
)
NEXT_LEASE: Final = (
    "FOR l IN leases FILTER l._key == @key AND l.by == @was"
    " UPDATE l WITH {fence: @fence, owner: @owner, url: @url, ttl_ms: @ttl_ms, by: @by}"
    f" IN leases {_SYNCED} RETURN NEW.fence"
)
_MINE: Final = "FOR l IN leases FILTER l._key == @key AND l.fence == @fence AND l.owner == @owner"
RENEW: Final = f"{_MINE} UPDATE l WITH {{by: @by}} IN leases {_SYNCED} RETURN NEW.by"
RELEASE: Final = f"{_MINE} UPDATE l WITH {{owner: '', by: @by}} IN leases {_SYNCED} RETURN NEW.by"

# ── claims ──

NEW_CLAIM: Final = "INSERT MERGE(@sealed, {_key: @key}) INTO claims OPTIONS {waitForSync: true} RETURN NEW._key"
CLAIM: Final = "FOR c IN claims FILTER c._key == @key RETURN c"

# ── rows: ``number`` is the place in the order of insertion, one above the highest there is; a unique index refuses the
#    second of two that saw the same highest, so whoever sees number n sees every smaller one ──

ROW: Final = "FOR r IN @@rows FILTER r._key == @key RETURN r"


def new_row(*, synced: bool) -> str:
    return (
        "LET last = FIRST(FOR r IN @@rows FILTER r.part == @part SORT r.number DESC LIMIT 1 RETURN r.number)"
        " INSERT MERGE(@sealed, {_key: @key, part: @part, number: last + 1, seq: @seq, stamp: @stamp, by: @by,"
        f" born_by: @by}}) INTO @@rows OPTIONS {{waitForSync: {_true(synced)}}} RETURN NEW.number"
    )


def newer_row(*, synced: bool) -> str:
    """Replaces what has a smaller stamp and, where ``@seq`` is given, no greater or equal ``seq``."""
    return (
        "FOR r IN @@rows FILTER r._key == @key AND r.stamp < @stamp"
        " AND (@seq == null OR r.seq == null OR r.seq < @seq)"
        " REPLACE r WITH MERGE(@sealed, {part: r.part, number: r.number, seq: @seq, stamp: @stamp, by: @by,"
        f" born_by: r.born_by}}) IN @@rows OPTIONS {{ignoreRevs: false, waitForSync: {_true(synced)}}}"
        " RETURN NEW.number"
    )


def find(where: Mapping[str, str | int]) -> str:
    return f"FOR r IN @@rows FILTER r.part == @part{_terms(where)} SORT r.number DESC LIMIT @limit RETURN r"


PAGE: Final = "FOR r IN @@rows FILTER r.part == @part AND r.number > @after SORT r.number ASC LIMIT @limit RETURN r"


def span(where: Mapping[str, str | int], *, backwards: bool) -> str:
    order = "DESC" if backwards else "ASC"
    return (
        "FOR r IN @@rows FILTER r.part == @part AND r.body.at_ms >= @since AND r.body.at_ms < @until"
        f" AND (r.body.at_ms > @since OR r.number > @after){_terms(where)}"
        f" SORT r.body.at_ms {order}, r.number {order} LIMIT @limit RETURN r"
    )


def where_values(where: Mapping[str, str | int]) -> dict[str, object]:
    """The bind variables of ``where``."""
    values = [[int(value), bool(value)] if value in _ALSO_TRUTH else value for value in where.values()]
    return {f"value{place}": value for place, value in enumerate(values)}


def _terms(where: Mapping[str, str | int]) -> str:
    """AQL's == tells 1 from true; the other ledgers do not, so there both are asked for."""
    codec.must_be_fields(where)
    signs = ["IN" if value in _ALSO_TRUTH else "==" for value in where.values()]
    return "".join(f" AND r.body.`{name}` {signs[place]} @value{place}" for place, name in enumerate(where))


def _true(synced: bool) -> str:
    return "true" if synced else "false"


# ── names ──


def key_of(*parts: str) -> str:
    """A ``_key`` that no other parts have: what may not stand in one is percent-encoded, what is too long is hashed."""
    key = ";".join(quote(part, safe=_SAFE) for part in parts)
    if 0 < len(key) <= LONGEST_KEY:
        return key
    return f"{key[:160]}!{sha256(key.encode()).hexdigest()}"


def seat_key(key: PositionKey) -> str:
    return key_of(key.venue, key.account, str(key.market), key.symbol)


def place_of(collection: str) -> tuple[str, str]:
    """The database's collection and the part of it: ``alerts_outbox:main`` is part ``main`` of ``alerts_outbox``."""
    name, _, part = collection.partition(":")
    return name, part


def row_key(part: str, key: str) -> str:
    return key_of(part, key) if part else key_of(key)
