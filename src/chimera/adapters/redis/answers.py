"""What a server answers, as values of the port."""

from typing import Any

from chimera.ports.streams import Entry


def delivered(found: Any) -> list[Entry]:
    """Answers of our scripts: id, deliveries, flat fields."""
    return [
        Entry(id=entry.decode(), deliveries=int(deliveries), fields=_fields(zip(flat[::2], flat[1::2], strict=True)))
        for entry, deliveries, flat in found
    ]


def records(found: Any) -> list[Entry]:
    """Answers of XREAD and XREADGROUP in RESP2: one stream, its records."""
    if not found:
        return []
    [(_, records)] = found
    return [Entry(id=entry.decode(), fields=_fields(fields.items())) for entry, fields in records]


def _fields(pairs: Any) -> dict[str, str]:
    """Others write streams, too: bytes that are no text are kept as surrogates, and hold up no reader."""
    return {name.decode("utf-8", "surrogateescape"): value.decode("utf-8", "surrogateescape") for name, value in pairs}


def maybe_bytes(value: Any) -> bytes | None:
    return None if value is None else bytes(value)
