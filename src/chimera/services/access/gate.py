"""The gate in front of a service's application: who asks, whether they may, how often, and what is written of it.

Nothing that is not in the table of endpoints passes. Without a token the answer is 401, with too little of a role 403,
with too many requests 429; what protects or kills is never counted. Where no tokens are configured (then every
listener is on loopback) it lets everything by, and only writes what operators did. It reads a body where it was
signed, and never for longer than ``Terms.body_most``. It knows no money.
"""

from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chimera.ports.clock import Clock
from chimera.services.access.rates import Buckets
from chimera.services.access.table import Endpoint, Role, endpoint_of, may, methods_of
from chimera.services.access.tokens import Token, TokenBook
from chimera.services.access.trail import Act, Trail
from chimera.services.service import Service
from chimera.trading.errors import Refused
from chimera.trading.value import Value
from chimera.wire import failures
from chimera.wire.signed import SCHEME, Nonces, Signature, read_signature, verify

BODY_MOST: Final = 8_388_608  # a bundle of ten thousand rules
FAILURES_PER_S: Final = 5
HEADERS: Final = {  # where the application has none of its own: nothing of it is kept, framed, run or taken for a page
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")  # names under which a service without tokens is asked
PROBES: Final = ("/health", "/ready")
ON_BEHALF: Final = "x-chimera-on-behalf"

log = structlog.get_logger(__name__)


class Who(Value, tag=False):
    """Whoever asks. ``name`` is what the trail says."""

    name: str
    role: Role
    key_of: str = ""


LOCAL: Final = Who(name="loopback", role=Role.ADMIN)


class Sessions(Protocol):
    """Who is behind a page of a browser: the console has them."""

    def who(self, headers: Headers) -> str | None:
        """The token's name; None: there is no session."""
        ...


class Terms(Value, tag=False):
    """``rate``: requests per second of one token; one address has twice that. ``signs``: a key that can sign must."""

    rate: int = 100
    signs: bool = False
    body_most: int = BODY_MOST


USUAL: Final = Terms()


class Gate:
    """ASGI middleware, the outermost. ``book`` None: everybody on this machine is ``LOCAL``."""

    def __init__(
        self,
        app: ASGIApp,
        service: Service,
        *,
        clock: Clock,
        book: TokenBook | None = None,
        trail: Trail | None = None,
        sessions: Sessions | None = None,
        terms: Terms = USUAL,
    ) -> None:
        self._app = app
        self._service = service
        self._clock = clock
        self._book = book
        self._trail = trail
        self._sessions = sessions
        self._terms = terms
        self._by_token = Buckets(terms.rate, clock)
        self._by_address = Buckets(2 * terms.rate, clock)
        self._wrong = Buckets(FAILURES_PER_S, clock)
        self._began_ms = clock.now_ms()
        self._nonces: dict[str, Nonces] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._book is None:
            await self._open(scope, receive, send)
        elif scope["type"] == "http":
            sending = _armed(send)
            try:
                await self._kept(self._book, scope, receive, sending)
            except _No as no:
                await no.answer()(scope, receive, sending)
        elif scope["type"] == "websocket":  # no service has one; whoever adds one has to let it in here
            await send({"type": "websocket.close", "code": 1008})
        else:
            await self._app(scope, receive, send)

    async def _open(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Nobody is asked who they are. Orders are not written here: S3's and a person's look alike.

        A page of a browser whose name was rebound to this machine says that name: it is no caller of ours. The console,
        which may have other names, looks for itself (``console.guard``).
        """
        if (
            scope["type"] == "http"
            and self._service is not Service.CONSOLE
            and not _names_us(Headers(scope=scope).get("host", ""))
        ):
            page = Refused("CROSS_ORIGIN", "this is not our name", field="Host", accepted=", ".join(LOOPBACK))
            await _No(page).answer()(scope, receive, send)
            return
        if self._trail is None or scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        endpoint = endpoint_of(self._service, scope["method"], scope["path"])
        if endpoint is None or not endpoint.act or endpoint.act == "submit":
            await self._app(scope, receive, send)
        else:
            await self._written(endpoint, LOCAL, scope, receive, send)

    async def _kept(self, book: TokenBook, scope: Scope, receive: Receive, send: Send) -> None:
        method, path, headers = scope["method"], scope["path"], Headers(scope=scope)
        endpoint = endpoint_of(self._service, method, path)
        open_to_all = endpoint is not None and endpoint.least is Role.NOBODY
        try:
            who, receive = await self._who(book, scope, headers, receive, endpoint)
        except _No as no:
            if endpoint is None or not open_to_all:
                if endpoint is not None and self._sessions is not None and no.status == 401 and _is_page(path, headers):
                    await RedirectResponse("/login", 303)(scope, receive, send)
                    return
                raise self._after_failure(no, scope) from None
            who = None
        self._sized(headers)
        if endpoint is None:
            allowed = methods_of(self._service, path)
            if allowed:
                raise _No(Refused("METHOD_NOT_ALLOWED", "this path has no such method"), {"Allow": ", ".join(allowed)})
            raise _No(Refused("NOT_FOUND", "no such path"))
        if who is None or open_to_all:
            await self._to_anyone(endpoint, who, scope, receive, send)
            return
        if not may(who.role, who.key_of, endpoint):
            log.warning("access_refused", who=who.name, method=method, path=path, least=endpoint.least.word)
            needs = f"the key of {who.key_of} may not" if who.key_of else f"this needs the role {endpoint.least.word}"
            raise _No(Refused("ROLE_TOO_LOW", f"{who.name} has the role {who.role.word}; {needs}"))
        if not endpoint.protects:
            self._count(who, scope)
        scope["chimera.who"] = who.name
        if endpoint.act and not (endpoint.act == "submit" and who.key_of):
            await self._written(endpoint, who, scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _to_anyone(self, endpoint: Endpoint, who: Who | None, scope: Scope, receive: Receive, send: Send) -> None:
        """Whoever is not known hears of a service's health that it answers, and no more."""
        known = who is not None and (not who.key_of or may(who.role, who.key_of, endpoint))
        probed = endpoint.path in PROBES  # whoever ends a process that does not answer must not be told to wait
        wait_ms = 0 if known or probed else self._wait_ms(self._by_address, scope)
        if wait_ms:
            raise _too_many(wait_ms)
        if endpoint.path == "/health" and not known:
            await JSONResponse({"status": "up", "checks": {}})(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    # ── who ──

    async def _who(
        self, book: TokenBook, scope: Scope, headers: Headers, receive: Receive, endpoint: Endpoint | None
    ) -> tuple[Who, Receive]:
        """Raises ``_No`` with 401."""
        given = headers.get("authorization", "")
        scheme, _, word = given.partition(" ")
        if scheme == SCHEME:
            return await self._signer(book, given, scope, receive, protects=endpoint is not None and endpoint.protects)
        if scheme.lower() == "bearer" and word:
            row = book.holder(word.strip())
            if row is None:
                raise _No(Refused("TOKEN_WRONG", "nobody has this token", field="Authorization"))
            if row.signing and self._terms.signs:
                raise _No(Refused("SIGNATURE_NEEDED", "over a network this key signs", field="Authorization"))
            return self._holder(row, headers), receive
        if self._sessions is not None:
            name = self._sessions.who(headers)
            if name is not None:
                return self._in_session(book, name), receive
        words = "ask with the header Authorization: Bearer and a token; `chimera token new` makes one"
        raise _No(Refused("TOKEN_NEEDED", words, field="Authorization"))

    def _in_session(self, book: TokenBook, name: str) -> Who:
        row = book.named(name)
        if row is None:
            raise _No(Refused("TOKEN_WRONG", "the token of this session was revoked"))
        return self._holder(row, None)

    def _holder(self, row: Token, headers: Headers | None) -> Who:
        if row.state(self._clock.now_ms()) == "expired":
            raise _No(Refused("TOKEN_EXPIRED", f"the token {row.name} has expired", field="Authorization"))
        role = Role[row.role.upper()]
        behalf = "" if headers is None else headers.get(ON_BEHALF, "")[:64]
        name = f"{behalf} by {row.name}" if behalf else row.name
        return Who(name=name, role=role, key_of=row.key_of)

    async def _signer(
        self, book: TokenBook, header: str, scope: Scope, receive: Receive, *, protects: bool
    ) -> tuple[Who, Receive]:
        try:
            signature: Signature = read_signature(header)
            row = book.named(signature.name)
            if row is None or not row.signing:
                raise Refused("SIGNATURE_WRONG", "the signature is not this request's", field="Authorization")
            body, again = await self._whole(receive)
            target = scope["raw_path"].decode("latin-1")
            target += "?" + scope["query_string"].decode("latin-1") if scope["query_string"] else ""
            verify(
                signature,
                bytes.fromhex(row.signing),
                scope["method"],
                target,
                body,
                nonces=self._nonces.setdefault(row.name, Nonces(self._began_ms)),
                now_ms=self._clock.now_ms(),
                protects=protects,
            )
        except Refused as refused:
            raise _No(refused) from None
        return self._holder(row, None), again

    def _sized(self, headers: Headers) -> None:
        """A body that says that it is too large is not read; one that does not say so is the application's to bound."""
        declared = headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > self._terms.body_most:
            raise _No(Refused("TOO_LARGE", "the body is too large", accepted=f"at most {self._terms.body_most} bytes"))

    async def _whole(self, receive: Receive) -> tuple[bytes, Receive]:
        held = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                break
            held += message.get("body", b"")
            if len(held) > self._terms.body_most:
                raise Refused("TOO_LARGE", "the body is too large", accepted=f"at most {self._terms.body_most} bytes")
            if not message.get("more_body"):
                break
        return bytes(held), _replayed(bytes(held), receive)

    # ── how often ──

    def _count(self, who: Who, scope: Scope) -> None:
        wait_ms = self._by_token.take(who.name.rpartition(" by ")[2]) or self._wait_ms(self._by_address, scope)
        if wait_ms:
            raise _too_many(wait_ms)

    def _after_failure(self, no: "_No", scope: Scope) -> "_No":
        """A wrong token is answered as such, and after a few of them from one address as too many."""
        wait_ms = self._wait_ms(self._wrong, scope)
        return _too_many(wait_ms) if wait_ms else no

    @staticmethod
    def _wait_ms(buckets: Buckets, scope: Scope) -> int:
        return buckets.take(_address_of(scope))

    # ── what was done ──

    async def _written(self, endpoint: Endpoint, who: Who, scope: Scope, receive: Receive, send: Send) -> None:
        if self._trail is None:
            await self._app(scope, receive, send)
            return
        act = Act(
            service=str(self._service), who=who.name, role=who.role.word, source=_address_of(scope),
            act=endpoint.act, path=scope["path"], waits=self._book is not None and not endpoint.protects,
        )  # fmt: skip
        try:
            await self._trail.around(act, self._app, scope, receive, send)
        except Refused as refused:
            raise _No(refused) from None


class _No(Exception):
    """An answer of the gate's own."""

    def __init__(self, refused: Refused, headers: dict[str, str] | None = None) -> None:
        super().__init__(refused.code)
        self._refused = refused
        self.status = failures.status_of(refused.code)
        self._headers = dict(headers or {})
        if self.status == 401:
            self._headers["WWW-Authenticate"] = "Bearer"
        elif self.status == 429:
            self._headers.setdefault("Retry-After", "1")

    def answer(self) -> JSONResponse:
        return JSONResponse(failures.error_body(self._refused), self.status, self._headers)


def _too_many(wait_ms: int) -> _No:
    wait_s = max(1, -(-wait_ms // 1000))
    return _No(Refused("TOO_MANY_REQUESTS", f"too many requests; again in {wait_s} s"), {"Retry-After": str(wait_s)})


def _is_page(path: str, headers: Headers) -> bool:
    """Whether somebody looks at it: what a script asks for is told no, and the page goes to sign in by itself."""
    return path == "/" or "text/html" in headers.get("accept", "")


def _names_us(host: str) -> bool:
    """Whether a ``Host`` is one of this machine's own names; one that is missing was written by no browser."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
    return not name or name.strip("[]") in LOOPBACK


def _address_of(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def _armed(send: Send) -> Send:
    async def armed(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return armed


def _replayed(body: bytes, receive: Receive) -> Callable[[], Awaitable[Message]]:
    """What was read, once more; then whatever comes (that the client went)."""
    told = False

    async def again() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
