"""Who may talk to the console: its own page, on its own address, and nothing in it runs that we did not serve.

Around every request. A ``Host`` that is not ours is refused (a name that was rebound to this machine shows another),
and whatever changes something must carry our header, our ``Origin`` and JSON, so that no other page can do it: a
foreign page cannot set the header without asking first, and it is never told yes.
"""

import hmac
from collections.abc import Callable, Iterable
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chimera.services.access.gate import LOOPBACK
from chimera.trading.errors import Refused
from chimera.wire import failures

OWN_HEADER: Final = "x-chimera-console"
BODY_MOST: Final = 4_096
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
)
HEADERS: Final = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


class Guard:
    """ASGI middleware; ``hosts`` are further names under which the console is reached.

    ``own_word``: what our header must hold, by the request's headers: ``1``, or the word of a session's page.
    """

    def __init__(
        self, app: ASGIApp, hosts: Iterable[str] = (), own_word: Callable[[Headers], str] = lambda _: "1"
    ) -> None:
        self._app = app
        self._own_word = own_word
        self._hosts = frozenset({*LOOPBACK, *hosts})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def armed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        refused = self._objection(scope["method"], Headers(scope=scope))
        if refused is None:
            await self._app(scope, receive, armed)
        else:
            answer = JSONResponse(failures.error_body(refused), failures.status_of(refused.code))
            await answer(scope, receive, armed)

    def _objection(self, method: str, headers: Headers) -> Refused | None:
        host = headers.get("host", "")
        if urlsplit(f"//{host}").hostname not in self._hosts:
            return _no("Host", "this console is not reached under that name")
        if method in ("GET", "HEAD"):
            return None
        if headers.get("origin") not in (f"http://{host}", f"https://{host}"):
            return _no("Origin", "only the console's own page may do this")
        if headers.get("sec-fetch-site", "same-origin") != "same-origin":
            return _no("Sec-Fetch-Site", "only the console's own page may do this")
        if not hmac.compare_digest(headers.get(OWN_HEADER, "").encode(), self._own_word(headers).encode()):
            return _no(OWN_HEADER, "only the console's own script may do this")
        if headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return _no("Content-Type", "send JSON")
        length = headers.get("content-length", "")
        if not length.isdecimal() or int(length) > BODY_MOST:
            return Refused("TOO_LARGE", "say how long the body is", accepted=f"at most {BODY_MOST} bytes")
        return None


def _no(field: str, message: str) -> Refused:
    return Refused("CROSS_ORIGIN", message, field=field)
