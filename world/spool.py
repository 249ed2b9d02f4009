"""The venue's log of a long run, packed as it grows: what a day writes must not fill the memory that is being watched.

Invariants: what comes out is what went in, in order, as often as it is asked for; questions, which change nothing and
which no invariant reads, are left out.
"""

import zlib
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from chimera.simulate.venue.audit import ASKED, AuditRecord, Kind
from world.tallied import of_the_run

_CHUNK: Final = 512  # records packed together
_DECODER: Final = msgspec.json.Decoder(list[AuditRecord])


class Spool(Sequence[AuditRecord]):
    """An audit sink that reads back as a sequence of records in the run's own time: in order, or the last alone."""

    def __init__(self) -> None:
        self._packed: list[bytes] = []
        self._fresh: list[AuditRecord] = []
        self._last: AuditRecord | None = None
        self._count = 0
        self.accepted = 0

    def add(self, record: AuditRecord) -> None:
        """One more, with the venue's time."""
        if record.kind in ASKED:
            return
        self._last = of_the_run(record)
        self._fresh.append(self._last)
        self._count += 1
        self.accepted += record.kind is Kind.ACCEPT
        if len(self._fresh) == _CHUNK:
            self._packed.append(zlib.compress(msgspec.json.encode(self._fresh), level=1))
            self._fresh = []

    def __iter__(self) -> Iterator[AuditRecord]:
        for chunk in self._packed:
            yield from _DECODER.decode(zlib.decompress(chunk))
        yield from self._fresh

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, place: Any) -> Any:
        """The last record alone: ``spool[-1]``."""
        if place != -1 or self._last is None:
            raise IndexError(place)
        return self._last
