"""The content of the memory bus: streams with consumer groups, and values that expire. Plain state, no waiting.

Invariants: record ids grow strictly, as Redis makes them (``<ms>-<n>``); every change leaves its undo behind, so that
the latest changes can be lost as a Redis fail-over loses them. Time is an argument.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from chimera.adapters.memory.queues import Queues
from chimera.adapters.memory.tables import Tables
from chimera.ports.streams import SEEN_MS, Entry
from chimera.trading.money import Millis

UNDO_MAX: Final = 10_000  # changes that can be taken back

Id = tuple[int, int]
K = TypeVar("K")
V = TypeVar("V")
NOTHING_READ: Final[Id] = (0, 0)


@dataclass
class _Pending:
    consumer: str
    since_ms: int
    deliveries: int


@dataclass
class _Group:
    last: Id = NOTHING_READ
    had: int = 0  # records of the stream up to ``last``, counted from its first
    pending: dict[Id, _Pending] = field(default_factory=dict)


@dataclass
class _Stream:
    records: dict[Id, dict[str, str]] = field(default_factory=dict)
    trimmed: int = 0  # records that went by its length
    last: Id = NOTHING_READ
    seen: dict[str, int] = field(default_factory=dict)  # event id -> forgotten at, ms
    groups: dict[str, _Group] = field(default_factory=dict)


@dataclass(frozen=True)
class _Held:
    value: bytes
    gone_ms: int | None


class Content:
    """All streams and values of one bus."""

    def __init__(self, maxlen: int) -> None:
        self._maxlen = maxlen
        self._streams: dict[str, _Stream] = {}
        self._values: dict[str, _Held] = {}
        self._undo: deque[Callable[[], None]] = deque(maxlen=UNDO_MAX)
        self.changes = 0  # ever made and not lost
        self.queues = Queues(self._changed)
        self.tables = Tables(self._changed)

    def lose(self, changes: int) -> int:
        """Take back the latest ``changes``; how many there were to take back."""
        lost = 0
        while lost < changes and self._undo:
            self._undo.pop()()
            lost += 1
        self.changes -= lost
        return lost

    # ── streams ──

    def publish(self, stream: str, event_id: str, fields: Mapping[str, str], now_ms: int) -> bool:
        """Append; False when the event id was seen within the hour."""
        kept = self._stream(stream)
        if kept.seen.get(event_id, 0) > now_ms:
            return False
        _forget(kept.seen, now_ms)
        former_seen, former_last = kept.seen.get(event_id), kept.last
        new = (now_ms, 0) if now_ms > kept.last[0] else (kept.last[0], kept.last[1] + 1)
        kept.records[new] = dict(fields)
        kept.last = new
        kept.seen[event_id] = now_ms + SEEN_MS
        trimmed: dict[Id, dict[str, str]] = {}
        while len(kept.records) > self._maxlen:
            oldest = next(iter(kept.records))
            trimmed[oldest] = kept.records.pop(oldest)
        kept.trimmed += len(trimmed)

        def undo() -> None:
            kept.records.pop(new, None)
            kept.records = {**trimmed, **kept.records}
            kept.trimmed -= len(trimmed)
            kept.last = former_last
            _restore(kept.seen, event_id, former_seen)

        self._changed(undo)
        return True

    def gone(self, stream: str, group: str, consumer: str) -> int:
        """Records that went by the stream's length before the group had them, or while ``consumer`` had them."""
        kept, place = self._stream(stream), self._group(stream, group)
        return max(kept.trimmed - place.had, 0) + len(_lost(kept, place, lambda of: of.consumer == consumer))

    def gone_idle(self, stream: str, group: str, consumer: str, idle_ms: int, now_ms: int) -> int:
        """Of what ``reclaim`` would take over, what is there no more."""
        place = self._group(stream, group)
        return len(_lost(self._stream(stream), place, lambda of: _is_idle(of, consumer, idle_ms, now_ms)))

    def go_on(self, stream: str, group: str) -> None:
        """Behind what the group never had."""
        kept, place = self._stream(stream), self._group(stream, group)
        former = place.had

        def undo() -> None:
            place.had = former

        if place.had < kept.trimmed:
            place.had = kept.trimmed
            self._changed(undo)

    def own(self, stream: str, group: str, consumer: str, count: int, now_ms: int) -> list[Entry]:
        """What ``consumer`` took and never acknowledged, delivered once more; records trimmed meanwhile are dropped."""
        kept = self._group(stream, group)
        mine = sorted(entry for entry, pending in kept.pending.items() if pending.consumer == consumer)
        return self._deliver(self._stream(stream), kept, mine[:count], consumer, now_ms)

    def new(self, stream: str, group: str, consumer: str, count: int, now_ms: int) -> list[Entry]:
        """Records nobody of the group has taken."""
        records, kept = self._stream(stream), self._group(stream, group)
        return self._deliver(records, kept, _after(records.records, kept.last, count), consumer, now_ms)

    def reclaim(self, stream: str, group: str, consumer: str, idle_ms: int, count: int, now_ms: int) -> list[Entry]:
        kept = self._group(stream, group)
        idle = sorted(entry for entry, pending in kept.pending.items() if _is_idle(pending, consumer, idle_ms, now_ms))
        return self._deliver(self._stream(stream), kept, idle[:count], consumer, now_ms)

    def ack(self, stream: str, group: str, ids: Sequence[str]) -> None:
        kept = self._group(stream, group)
        gone = {entry: kept.pending.pop(entry) for entry in map(parse_id, ids) if entry in kept.pending}
        if gone:
            self._changed(lambda: kept.pending.update(gone))

    def after(self, stream: str, start: Id, count: int) -> list[Entry]:
        records = self._stream(stream).records
        return [Entry(id=_text(entry), fields=dict(records[entry])) for entry in _after(records, start, count)]

    def last(self, stream: str) -> Id:
        return self._stream(stream).last

    # ── values ──

    def value(self, key: str, now_ms: int) -> bytes | None:
        held = self._values.get(key)
        if held is None or (held.gone_ms is not None and held.gone_ms <= now_ms):
            return None
        return held.value

    def set(self, key: str, value: bytes, ttl_ms: Millis | int | None, now_ms: int) -> None:
        former = self._values.get(key)
        self._values[key] = _Held(value, None if ttl_ms is None else now_ms + ttl_ms)
        self._changed(lambda: _restore(self._values, key, former))

    def delete(self, key: str) -> None:
        former = self._values.pop(key, None)
        self._changed(lambda: _restore(self._values, key, former))

    # ── how ──

    def _stream(self, name: str) -> _Stream:
        return self._streams.setdefault(name, _Stream())

    def _group(self, stream: str, group: str) -> _Group:
        """Made now it begins with what is there: it never had what went before."""
        kept = self._stream(stream)
        return kept.groups.setdefault(group, _Group(had=kept.trimmed))

    def _deliver(self, stream: _Stream, group: _Group, ids: Iterable[Id], consumer: str, now_ms: int) -> list[Entry]:
        wanted = list(ids)
        former, former_last = {entry: group.pending.get(entry) for entry in wanted}, (group.last, group.had)
        found: list[Entry] = []
        for entry in wanted:
            before = group.pending.pop(entry, None)
            if entry not in stream.records:
                continue
            deliveries = before.deliveries + 1 if before else 1
            group.pending[entry] = _Pending(consumer, now_ms, deliveries)
            group.had += entry > group.last
            group.last = max(group.last, entry)
            found.append(Entry(id=_text(entry), fields=dict(stream.records[entry]), deliveries=deliveries))

        def undo() -> None:
            group.last, group.had = former_last
            for entry, pending in former.items():
                _restore(group.pending, entry, pending)

        if wanted:
            self._changed(undo)
        return found

    def _changed(self, undo: Callable[[], None]) -> None:
        self.changes += 1
        self._undo.append(undo)


def parse_id(text: str) -> Id:
    """``"5"`` is ``"5-0"``, as Redis reads it."""
    millis, _, number = text.partition("-")
    return int(millis), int(number or 0)


def _is_idle(pending: _Pending, consumer: str, idle_ms: int, now_ms: int) -> bool:
    """Another's, for so long."""
    return pending.consumer != consumer and now_ms - pending.since_ms >= idle_ms


def _lost(stream: _Stream, group: _Group, whose: Callable[[_Pending], bool]) -> list[Id]:
    """Handed out, not acknowledged, and there no more."""
    return [entry for entry, pending in group.pending.items() if entry not in stream.records and whose(pending)]


def _text(entry: Id) -> str:
    return f"{entry[0]}-{entry[1]}"


def _after(records: dict[Id, dict[str, str]], start: Id, count: int) -> list[Id]:
    """Up to ``count`` ids after ``start``, walking back from the end, where readers usually are."""
    found: deque[Id] = deque(maxlen=count)
    for entry in reversed(records):
        if entry <= start:
            break
        found.appendleft(entry)
    return list(found)


def _forget(seen: dict[str, int], now_ms: int) -> None:
    """Drop what the hour has passed over; the oldest stand first."""
    while seen and next(iter(seen.values())) <= now_ms:
        del seen[next(iter(seen))]


def _restore(mapping: dict[K, V], key: K, former: V | None) -> None:
    if former is None:
        mapping.pop(key, None)
    else:
        mapping[key] = former
