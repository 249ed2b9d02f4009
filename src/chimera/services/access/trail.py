"""What operators did, written into the ledger: who, what, when, from where, and how it was answered.

Between their entries stand the lives of the service itself: when a process began to act, of which build and under
which fence. So an order's moment says which code sent it.

What only protects or kills is never held up: it is written once it is answered, and where the ledger is away then,
later from memory (``MOST_WAITING``; the log has each at once). Where tokens are asked for, anything else is written
before it begins, and refused where that cannot be; its answer is a second entry. One process writes one ledger's chain.
"""

import asyncio
import hashlib
import secrets
from collections import deque
from typing import Any, Final

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chimera.ports.clock import Clock
from chimera.ports.ledger import Rows
from chimera.services.logs import redacted
from chimera.trading.errors import Refused, StoreUnavailable
from chimera.trading.value import Value
from chimera.wire import keys
from chimera.wire.trail import Head, head_of, key_of, linked

BODY_KEPT: Final = 2_048  # bytes of a body that are written; its SHA-256 is of all of it
MOST_WAITING: Final = 1_000
_TRIES: Final = 3
AGAIN_S: Final = 1.0

log = structlog.get_logger(__name__)


class Act(Value, tag=False):
    """``source``: the address that asked. ``waits``: it begins when the ledger has it."""

    service: str
    who: str
    role: str
    source: str
    act: str
    path: str
    waits: bool = False


class Life(Value, tag=False):
    """A process that begins to act. ``fence`` of its lease, 0 where it needs none; ``environment``: sim, demo, live."""

    service: str
    name: str
    build: str
    environment: str = ""
    fence: int = 0


class Trail:
    """The writer of one ledger's trail."""

    def __init__(self, rows: Rows, clock: Clock) -> None:
        self._rows = rows
        self._clock = clock
        self._head: Head | None = None
        self._lock = asyncio.Lock()
        self._waiting: deque[dict[str, Any]] = deque()
        self._later: asyncio.Task[None] | None = None

    async def around(self, act: Act, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the application answer, and write it. Raises ``Refused`` STORE_DOWN before anything began."""
        told = {"id": secrets.token_hex(8), **_row(act)}
        if act.waits:
            await self._begin({**told, "stage": "asked", "at_ms": self._clock.now_ms()})
        hearing = _Hearing(receive, send)
        try:
            await app(scope, hearing.receive, hearing.send)
        finally:
            await self._end({**told, "stage": "answered", "at_ms": self._clock.now_ms(), **hearing.told()})

    def begins(self, life: Life) -> None:
        """Written within a moment, or once the ledger takes it: who has to protect waits for neither."""
        self._queue(
            {
                "id": secrets.token_hex(8), "service": life.service, "who": life.name, "act": "began",
                "stage": "began", "build": life.build, "environment": life.environment, "fence": life.fence,
                "at_ms": self._clock.now_ms(),
            }
        )  # fmt: skip
        self._write_later()

    @property
    def waiting(self) -> int:
        """Entries that the ledger has not taken yet."""
        return len(self._waiting)

    async def _begin(self, entry: dict[str, Any]) -> None:
        try:
            async with self._lock:
                await self._flush()
                await self._append(entry)
        except StoreUnavailable as away:
            raise Refused("STORE_DOWN", "the audit trail cannot be written: nothing was started") from away

    async def _end(self, entry: dict[str, Any]) -> None:
        log.info("operator_act", **{name: entry[name] for name in ("who", "act", "path", "from", "status")})
        async with self._lock:
            self._queue(entry)
            try:
                await self._flush()
            except StoreUnavailable as away:
                log.error("audit_waits", waiting=len(self._waiting), why=str(away))
                self._write_later()

    def _queue(self, entry: dict[str, Any]) -> None:
        if len(self._waiting) == MOST_WAITING:
            log.error("audit_entry_dropped", entry=self._waiting.popleft())
        self._waiting.append(entry)

    def _write_later(self) -> None:
        if self._later is None or self._later.done():
            self._later = asyncio.create_task(self._until_written(), name="audit")

    async def _until_written(self) -> None:
        while self._waiting:
            await asyncio.sleep(AGAIN_S)
            async with self._lock:
                try:
                    await self._flush()
                except StoreUnavailable:
                    continue

    async def _flush(self) -> None:
        while self._waiting:
            try:
                await self._append(self._waiting[0])
            except StoreUnavailable:
                raise
            except (
                Exception
            ):  # one that cannot be written must hold up neither the next nor what has to be written first
                self._head = None
                log.exception("audit_entry_dropped", entry=self._waiting[0])
            self._waiting.popleft()

    async def _append(self, entry: dict[str, Any]) -> None:
        """Raises ``StoreUnavailable``; asked again, an entry that was written after all is not written twice."""
        for _ in range(_TRIES):
            if self._head is None:
                newest = await self._rows.find(keys.AUDIT, newest=1)
                self._head = head_of(newest[0] if newest else None)
                if newest and _same(newest[0], entry):
                    return
            document, head = linked(entry, self._head)
            self._head = None  # until it is known to be written
            if await self._rows.insert(keys.AUDIT, key_of(head.seq), document):
                self._head = head
                log.info("audit_head", seq=head.seq, hash=head.hash)
                await self._rows.put(keys.AUDIT_HEAD, "head", {"seq": head.seq, "hash": head.hash})
                return
        raise StoreUnavailable("another process writes the same trail")


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return (one.get("id"), one.get("stage")) == (other["id"], other["stage"])


def _row(act: Act) -> dict[str, Any]:
    return {
        "service": act.service, "who": act.who, "role": act.role, "from": act.source, "act": act.act, "path": act.path,
    }  # fmt: skip


class _Hearing:
    """What goes in and comes out, as far as the trail tells it."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._kept = bytearray()
        self._digest = hashlib.sha256()
        self._status = 0  # no answer

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            part = message.get("body", b"")
            self._digest.update(part)
            self._kept += part[: BODY_KEPT - len(self._kept)]
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = int(message["status"])
        await self._send(message)

    def told(self) -> dict[str, Any]:
        body = redacted(self._kept.decode("utf-8", "replace"))
        return {"status": self._status, "body": body, "body_sha256": self._digest.hexdigest()}
