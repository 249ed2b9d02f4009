"""What a venue keeps across its own restart: everything an account's owner could notice, as one value and back.

Kept here is what is of no market: keys, limits, transfers, the audit's number; ``futures`` and ``spot`` keep the rest.
Not kept: listenKeys and stream readers (clients reconnect), faults (their schedule is the caller's), and the books: the
market is another's and starts anew, so a restored venue is dark until its first quotes and then goes on as after a gap.

Invariants: no id is given twice, not even after a crash (what was kept in passing is up to a moment old, so the
counters leap ahead of it); ended orders, trades and income never change, so each is turned into JSON once in its
life, and writing costs what is open, not what ever was.
Deliberately unaware of files and schema versions: ``services.simulator.state_file`` has both.
"""

from typing import NamedTuple

from chimera.simulate.door.keyring import Key, Keyring
from chimera.simulate.door.limits import Counted, Limits
from chimera.simulate.keeping.futures import FuturesKeeping, FuturesStanding, KeptFutures, WrittenFutures
from chimera.simulate.keeping.history import LEAP, same
from chimera.simulate.keeping.spot import KeptSpot, SpotKeeping, WrittenSpot
from chimera.simulate.venue.audit import Audit
from chimera.simulate.wallet.transfers import Transfer, Transfers


class Standing(FuturesStanding, tag=False, kw_only=True):
    """What may still change, futures' beside what is of no market.

    ``clean``: kept at rest, nothing happened after it. ``limits``: by the face they are of.
    """

    clean: bool
    audit_seq: int
    keys: tuple[Key, ...]
    limits: dict[str, Counted]


class Kept(KeptFutures, tag=False, kw_only=True):
    """A venue between two lives. What futures keeps stands at its top, as it did before there was a spot market."""

    standing: Standing
    spot: KeptSpot | None = None  # what was written before there was a spot market has none
    transfers: tuple[Transfer, ...] = ()


class Written(WrittenFutures, tag=False, kw_only=True):
    """``Kept`` on its way out: field by field the same JSON, with the history already encoded."""

    standing: Standing
    spot: WrittenSpot
    transfers: tuple[Transfer, ...]


class Door(NamedTuple):
    """What is of no market: the keys, by face what is used of its limits, transfers between the markets, the audit."""

    keyring: Keyring
    limits: dict[str, Limits]
    transfers: Transfers
    audit: Audit


class Keeping:
    """Turns one venue into what is written of it, as often as asked; and once back."""

    def __init__(self, futures: FuturesKeeping, spot: SpotKeeping, door: Door) -> None:
        self._futures = futures
        self._spot = spot
        self._door = door

    def write(self, *, clean: bool) -> Written:
        """The venue now; between two calls of its entry points only."""
        futures, door = self._futures.write(), self._door
        standing = same(
            Standing,
            futures.standing,
            clean=clean,
            audit_seq=door.audit.seq,
            keys=tuple(door.keyring),
            limits={name: limits.kept() for name, limits in door.limits.items()},
        )
        return same(Written, futures, standing=standing, spot=self._spot.write(), transfers=tuple(door.transfers.book))

    def restore(self, kept: Kept) -> None:
        """Carry on from ``kept``, in a venue that has no account yet. Each market is dark after it.

        Raises ``ValueError`` where ``kept`` contradicts itself.
        """
        clean = kept.standing.clean
        try:
            self._restore_door(kept.standing)
            self._futures.restore(kept, clean=clean)
            if kept.spot is not None:
                self._spot.restore(kept.spot, clean=clean)
            self._door.transfers.restore(kept.transfers, 0 if clean else LEAP)
        except KeyError as missing:
            raise ValueError(f"it speaks of {missing} and does not hold it") from missing

    def _restore_door(self, standing: Standing) -> None:
        door = self._door
        door.audit.seq = max(door.audit.seq, standing.audit_seq)
        for key in standing.keys:
            door.keyring.add(key)
        for name, counted in standing.limits.items():
            if name in door.limits:
                door.limits[name].restore(counted)
