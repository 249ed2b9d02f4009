"""The HTTP face of a process that may stand by: the house's while it acts, and else where the one is that does.

Invariants: who stands by answers at once, is never ready, and does nothing it is asked for; 503 ``STANDBY`` means that
nothing was started, and names the holder's URL where that is known.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from chimera.services import face
from chimera.trading.errors import Refused
from chimera.trading.lease import Holder

CODE: Final = "STANDBY"


class Door:
    """ASGI. ``holder``: who acts instead of us, where that is known."""

    def __init__(self, holder: Callable[[], Holder | None]) -> None:
        self._holder = holder
        self._inside: ASGIApp | None = None

    @contextmanager
    def open(self, app: ASGIApp) -> Iterator[None]:
        """``app`` answers for as long as this lasts."""
        self._inside = app
        try:
            yield
        finally:
            self._inside = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._inside or self._standing_by
        await app(scope, receive, send)

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
    return {"status": "standby", "checks": {"lease": lease}}


def _refusal(holder: Holder | None) -> Refused:
    if holder is None:
        return Refused(CODE, "no router acts for this account just now; nothing was started, try again")
    where = f"{holder.owner} at {holder.url}" if holder.url else holder.owner
    return Refused(
        CODE, f"this router stands by: {where} acts for the account; nothing was started", accepted=holder.url or None
    )
