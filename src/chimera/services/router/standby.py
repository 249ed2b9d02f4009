"""The HTTP face of a process that may stand by: the house's while it acts, and else where the one is that does.

Invariants: who stands by answers at once, is never ready, and does nothing it is asked for; 503 ``STANDBY`` means that
nothing was started, and names the holder's URL where that is known. What was asked of a house that ended before it
answered is 500 ``LEASE_LOST``: whether it was done is not known, and asking the holder with the same ids tells.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chimera.services import face
from chimera.services.build import build
from chimera.trading.errors import Refused
from chimera.trading.lease import Holder
from chimera.wire.failures import LEASE_LOST, STANDBY

T = TypeVar("T")


class HouseEnded(Exception):
    """It ended before it answered."""


async def while_open(ended: asyncio.Event, work: Awaitable[T]) -> T:
    """What the house answers; raises ``HouseEnded``. After its end its owners do nothing, and answer about nothing."""
    working = asyncio.ensure_future(work)
    ending = asyncio.create_task(ended.wait())
    try:
        await asyncio.wait({working, ending}, return_when=asyncio.FIRST_COMPLETED)
        if ended.is_set():
            raise HouseEnded
        return working.result()
    finally:
        working.cancel()
        ending.cancel()


class StandbyFace:
    """ASGI. ``holder``: who acts instead of us, where that is known."""

    def __init__(self, holder: Callable[[], Holder | None]) -> None:
        self._holder = holder
        self._inside: tuple[ASGIApp, asyncio.Event] | None = None

    @contextmanager
    def open(self, app: ASGIApp) -> Iterator[None]:
        """``app`` answers for as long as this lasts."""
        ended = asyncio.Event()
        self._inside = app, ended
        try:
            yield
        finally:
            self._inside = None
            ended.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._inside is None:
            await self._standing_by(scope, receive, send)
            return
        app, ended = self._inside
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            if not ended.is_set() or started:
                started = True
                await send(message)

        try:
            await while_open(ended, app(scope, receive, watched))
        except HouseEnded:
            if not started and scope["type"] == "http":
                why = "this router acts no more: whether it was done is not known; ask again with the same ids"
                await face.no(Refused(LEASE_LOST, why))(scope, receive, send)

    async def _standing_by(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        holder, path = self._holder(), scope["path"]
        if path == "/health":
            await JSONResponse(_health(holder))(scope, receive, send)
        elif path == "/ready":
            await JSONResponse({"ready": False}, 503)(scope, receive, send)
        else:
            await face.no(_refusal(holder))(scope, receive, send)


def _health(holder: Holder | None) -> dict[str, object]:
    lease: object = "unknown" if holder is None else {"owner": holder.owner, "url": holder.url}
    return {"status": "standby", "checks": {"lease": lease}, "build": build()}


def _refusal(holder: Holder | None) -> Refused:
    if holder is None:
        return Refused(STANDBY, "no router acts for this account just now; nothing was started, try again")
    where = f"{holder.owner} at {holder.url}" if holder.url else holder.owner
    told = f"this router stands by: {where} acts for the account; nothing was started"
    return Refused(STANDBY, told, accepted=holder.url or None)
