"""One codec: domain values to JSON and back, under an envelope that carries the schema version.

Version rules (LED-3): a newer version is refused (``NewerSchema``), an older one is carried up step by step by
``MIGRATIONS``, each step a plain function from document to document.
"""

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, Final, TypeVar

import msgspec

from chimera.trading.errors import NewerSchema
from chimera.trading.holding import Holding
from chimera.trading.money import text
from chimera.trading.order import Order
from chimera.wire.upgrades import to_2

SCHEMA_VERSION: Final = 2
MIGRATIONS: Final[dict[int, Callable[[dict[str, Any]], dict[str, Any]]]] = {1: to_2}  # from version n to n + 1

MANY: Final = 8  # orders of a holding, from which on it pays to keep what each is written as: 0.5 kB

V = TypeVar("V")

_CHANGING: Final = frozenset((Decimal, dict, list, tuple))

_encoder = msgspec.json.Encoder(decimal_format="string", order="deterministic")


class Envelope(msgspec.Struct, frozen=True):
    schema_version: int
    body: msgspec.Raw


def encode(value: object) -> bytes:
    """JSON of a value, decimals as strings; the same value gives the same bytes."""
    return _encoder.encode(value)


def decode(document: bytes | str, kind: type[V]) -> V:
    """The value; raises ``msgspec.ValidationError`` naming the JSON path."""
    return msgspec.json.decode(document, type=kind)


def seal(value: object) -> bytes:
    """A document for a store: the value and the version that wrote it."""
    return b'{"schema_version":%d,"body":%b}' % (SCHEMA_VERSION, encode(value))


def seal_holding(holding: Holding) -> bytes:
    """What ``unseal`` reads as this holding; of many orders those that have not changed are not written anew."""
    if len(holding.orders) < MANY:
        return seal(holding)
    rest = encode(holding.but(orders={}))
    orders = b",".join([_entry(holding.orders[ref]) for ref in sorted(holding.orders)])
    return b'{"schema_version":%d,"body":%b,"orders":{%b}}}' % (SCHEMA_VERSION, rest[:-1], orders)


def _entry(order: Order) -> bytes:
    """Name and value, kept beside the order, which never changes: many lie in a holding, a step changes few."""
    kept: dict[str, Any] = vars(order)
    known: bytes | None = kept.get("_json")
    if known is None:
        known = kept["_json"] = b"%b:%b" % (encode(order.ref), encode(order))
    return known


def unseal(document: bytes | str, kind: type[V]) -> V:
    """The value of a stored document, migrated to the present version."""
    envelope = msgspec.json.decode(document, type=Envelope)
    check_version(envelope.schema_version)
    if envelope.schema_version == SCHEMA_VERSION:
        return msgspec.json.decode(envelope.body, type=kind)
    body: dict[str, Any] = msgspec.json.decode(envelope.body)
    for version in range(envelope.schema_version, SCHEMA_VERSION):
        body = MIGRATIONS[version](body)
    return msgspec.convert(body, kind, strict=False)


def check_version(version: int) -> None:
    """Raises ``NewerSchema`` for a document from the future."""
    if version > SCHEMA_VERSION:
        raise NewerSchema(f"schema_version {version} is newer than {SCHEMA_VERSION}, the newest this build reads")


def must_be_fields(names: Iterable[str]) -> None:
    """Names of a document's fields become SQL and AQL, so only identifiers pass. Raises ``ValueError``."""
    for name in names:
        if not name.isidentifier() or not name.isascii():
            raise ValueError(f"{name!r} is not the name of a field")


def plain(value: object) -> Any:
    """Builtins for a JSON row or body: decimals as plain digits, no exponent."""
    return _plain(msgspec.to_builtins(value, builtin_types=(Decimal,)))


def _plain(node: Any) -> Any:
    """Of builtins as ``to_builtins`` makes them. It stands on the way of every record: what stays is not called on."""
    kind = type(node)
    if kind is Decimal:
        return text(node)
    if kind is dict:
        return {key: _plain(inner) if type(inner) in _CHANGING else inner for key, inner in node.items()}
    if kind is list or kind is tuple:
        return [_plain(inner) if type(inner) in _CHANGING else inner for inner in node]
    return node
