"""Leases of routers on several machines, in ArangoDB: no clock is compared with another (ADR 60).

Invariants: each sign of life leaves a token that was never there before; who waits is granted the lease only on the
token that it has itself watched, since it first saw it, for a tenth longer than the lease; the grant is one statement
that names this token and raises the fence; the holder counts from before it asked, and renews by fence and owner. So
whoever is granted it comes after the holder's own end, if no clock runs a tenth faster than the other.

A question that is not answered is forgotten with all that was seen before it: a database that fails over may come
back with what stood there earlier. After such a loss a fence may be given again, so ``owner`` is named beside it.
"""

import secrets
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, Protocol, TypeVar

import msgspec
from msgspec import Raw

from chimera.adapters.arango import aql
from chimera.adapters.arango.link import Link, Passing
from chimera.trading.lease import Holder, Lease
from chimera.trading.money import Millis
from chimera.trading.value import Value

LONGER: Final = 10  # a tenth of the lease: chronyd slews a clock by up to a twelfth (``maxslewrate``)

T = TypeVar("T")


class Do(Protocol):
    """Works on ``work`` until it is done, within a deadline."""

    async def __call__(self, operation: str, work: Callable[[], Awaitable[T]], /) -> T: ...


class _Record(msgspec.Struct, frozen=True):
    """A lease's document. ``owner`` is empty once it was given back."""

    fence: int
    owner: str
    url: str
    ttl_ms: Millis
    by: str  # the token of the newest sign of life


class _Sight(Value):
    """A token that stands there, and since when: as the answer came that showed it; our own from before we asked."""

    fence: int
    by: str
    since_ms: int
    is_own: bool = False  # we have left it, and heard so

    def left_ms(self, record: _Record, now_ms: int) -> Millis:
        """For how long nobody else may take it."""
        return Millis(self.since_ms + record.ttl_ms + record.ttl_ms // LONGER - now_ms)


def awake_ms() -> int:
    """Of this machine, without its sleep, whose length it may know to a second only: who slept watches the longer.

    That a holder's lease is over when it wakes is its tenancy's to know, by a clock that counts sleep.
    """
    return time.monotonic_ns() // 1_000_000


class ArangoLeases:
    """``chimera.ports.ledger.Leases``, as one process sees them."""

    def __init__(self, link: Link, do: Do, now_ms: Callable[[], int] = awake_ms) -> None:
        self._link = link
        self._do = do
        self._now_ms = now_ms
        self._sights: dict[str, _Sight] = {}

    async def take(self, name: str, owner: str, *, url: str, ttl_ms: Millis) -> Lease | Holder:
        at, asked_ms = aql.key_of(name), self._now_ms()

        async def work() -> Lease | Holder:
            sight, by = self._sights.pop(at, None), _token()
            record = await self._record(at)
            terms = {"key": at, "owner": owner, "url": url, "ttl_ms": ttl_ms, "by": by}
            if record is None:
                fence = 1
                granted = await self._link.run(aql.NEW_LEASE, fence=fence, **terms)
            else:
                sight = self._seen(record, sight)
                if record.owner not in ("", owner) and (left_ms := sight.left_ms(record, self._now_ms())) > 0:
                    self._sights[at] = sight
                    return Holder(owner=record.owner, url=record.url, left_ms=left_ms)
                again = record.owner == owner and sight.is_own and asked_ms < sight.since_ms + record.ttl_ms
                fence = record.fence + (not again)
                granted = await self._link.run(aql.NEXT_LEASE, was=record.by, fence=fence, **terms)
            if not granted:
                raise Passing(f"{name}: somebody else came between")
            self._sights[at] = _Sight(fence=fence, by=by, since_ms=asked_ms, is_own=True)
            return Lease(name=name, owner=owner, fence=fence, ttl_ms=ttl_ms)

        return await self._do("take", work)

    async def renew(self, lease: Lease) -> bool:
        """What is over by our own count is not asked for."""
        at, asked_ms = aql.key_of(lease.name), self._now_ms()
        own = self._own(at, lease)
        if own is None or asked_ms >= own.since_ms + lease.ttl_ms:
            return False
        renewed = await self._do("renew", partial(self._mine, aql.RENEW, lease))
        if not renewed:
            return False
        by = msgspec.json.decode(renewed[0], type=str)
        self._sights[at] = _Sight(fence=lease.fence, by=by, since_ms=asked_ms, is_own=True)
        return True

    async def release(self, lease: Lease) -> None:
        at = aql.key_of(lease.name)
        if self._own(at, lease) is not None:
            del self._sights[at]
        await self._do("release", partial(self._mine, aql.RELEASE, lease))

    def _own(self, at: str, lease: Lease) -> _Sight | None:
        """What we have left there for this lease last."""
        sight = self._sights.get(at)
        return sight if sight is not None and sight.is_own and sight.fence == lease.fence else None

    async def _mine(self, statement: str, lease: Lease) -> list[Raw]:
        """Empty where the lease is another's, or another one."""
        at = aql.key_of(lease.name)
        return await self._link.run(statement, key=at, fence=lease.fence, owner=lease.owner, by=_token())

    async def _record(self, at: str) -> _Record | None:
        found = await self._link.run(aql.LEASE, key=at)
        return msgspec.json.decode(found[0], type=_Record) if found else None

    def _seen(self, record: _Record, sight: _Sight | None) -> _Sight:
        """As it was seen before, or for the first time: the answer has just come."""
        if sight is not None and sight.by == record.by:
            return sight
        return _Sight(fence=record.fence, by=record.by, since_ms=self._now_ms())


def _token() -> str:
    """Of one request alone: of two with one token the late one would bring back what was seen before."""
    return secrets.token_hex(8)
