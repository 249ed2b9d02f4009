"""The audit trail as a chain: each entry has the hash of the one before it, and the head is told elsewhere, too.

A change of an entry, one taken out, put in or moved is found by reading the chain; entries cut off its end by the head,
which is a row of its own and stands in the log, and which whoever checks may have kept. Whoever may write the ledger
can make a whole new chain: only a head that was kept where they do not reach tells that.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from chimera.trading.value import Value

FIRST: Final = "0" * 64  # what the first entry has before it
_HASH: Final = "hash"


class Head(Value, tag=False):
    """The newest entry; of an empty chain ``seq`` 0."""

    seq: int = 0
    hash: str = FIRST


class Verdict(Value, tag=False):
    """``faults`` in words, each with the entry's number; none: the chain is whole."""

    entries: int
    head: Head
    faults: tuple[str, ...] = ()


def key_of(seq: int) -> str:
    return f"{seq:012d}"


def linked(entry: Mapping[str, Any], head: Head) -> tuple[dict[str, Any], Head]:
    """The entry as the next of the chain, and the new head. Its values are text, whole numbers, truth or null."""
    document = {**entry, "seq": head.seq + 1, "prev": head.hash}
    new = Head(seq=head.seq + 1, hash=_hash_of(document))
    return {**document, _HASH: new.hash}, new


def head_of(document: Mapping[str, Any] | None) -> Head:
    """Of the newest entry, or of the row that tells the head."""
    return Head() if document is None else Head(seq=int(document["seq"]), hash=str(document[_HASH]))


def verify(entries: Iterable[Mapping[str, Any]], *known: Head | None) -> Verdict:
    """``entries`` as they were inserted; ``known``: heads that the chain must contain."""
    faults: list[str] = []
    head, hashes, count = Head(), {0: FIRST}, 0
    for document in entries:
        count += 1
        seq = document.get("seq")
        if seq != head.seq + 1:
            faults.append(f"after entry {head.seq} comes entry {seq}: one is missing, moved or put in")
        if document.get("prev") != head.hash:
            faults.append(f"entry {seq} does not follow the entry before it")
        content = {name: value for name, value in document.items() if name != _HASH}
        if document.get(_HASH) != _hash_of(content):
            faults.append(f"entry {seq} was changed after it was written")
        head = Head(seq=seq if isinstance(seq, int) else head.seq + 1, hash=str(document.get(_HASH)))
        hashes[head.seq] = head.hash
    for told in known:
        if told is not None and hashes.get(told.seq) != told.hash:
            faults.append(f"entry {told.seq} was the head once and is not there as it was: cut off, or another chain")
    return Verdict(entries=count, head=head, faults=tuple(faults))


def _hash_of(document: Mapping[str, Any]) -> str:
    return hashlib.sha256(msgspec.json.encode(document, order="sorted")).hexdigest()
