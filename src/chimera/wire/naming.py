"""A refusal names its field as the caller wrote it: the router judges an intent, which has one name for each thing.

It knows the aliases of a request and its two shapes, and nothing of why something was refused.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from chimera.trading.errors import Refused
from chimera.wire.bodies import OrderIntentBody


@contextmanager
def by_caller(document: Mapping[str, object]) -> Iterator[None]:
    """What is refused inside names its field by ``document``, the request's body."""
    try:
        yield
    except Refused as no:
        if no.field is not None:
            no.field = called(no.field, document)
        raise


def row_by_caller(row: Mapping[str, object], document: Mapping[str, object]) -> dict[str, object]:
    """A preview likewise, which tells of its refusal inside."""
    no = row.get("refusal")
    if not isinstance(no, Mapping) or not no.get("field"):
        return dict(row)
    return {**row, "refusal": {**no, "field": called(str(no["field"]), document)}}


def called(field: str, document: Mapping[str, object]) -> str:
    """The name under which ``field`` stands in the request; the same where it is not there."""
    inner = document.get("intent")
    body, prefix = (inner, "intent.") if isinstance(inner, Mapping) else (document, "")
    target = body.get("tp")
    if field == "tp.value" and isinstance(target, Mapping) and target.get("value") is None:
        field = "tp.price"
    if field == "qty" and body.get("qty") is None and body.get("size") is not None:
        field = "size"
    return prefix + field if field.partition(".")[0] in OrderIntentBody.model_fields else field
