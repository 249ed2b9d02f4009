"""One statement to ArangoDB and what its answer means: done, there already, try again, or never.

Invariants: the driver sends each request once (its own retries have no pause and send writes twice); what is tried
again is a whole operation, which finds its own earlier try by its token. Each operation ends within its deadline or
raises ``StoreUnavailable``. Errors are told apart by their numbers, never by their classes.

It does not know what is written. Rows come back as raw JSON: ``wire.codec`` reads them.
"""

import asyncio
import base64
import random
import ssl
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import aiohttp
import msgspec
from arangoasync import ArangoClient, errno
from arangoasync.connection import BaseConnection
from arangoasync.database import StandardDatabase
from arangoasync.exceptions import ArangoClientError, ArangoServerError, ClientConnectionError, DeserializationError
from arangoasync.http import AioHTTPClient
from arangoasync.request import Method, Request
from arangoasync.resolver import SingleHostResolver
from arangoasync.response import Response
from arangoasync.serialization import Deserializer, Serializer
from msgspec import Raw

from chimera.adapters.arango.address import Address
from chimera.trading.errors import StoreUnavailable
from chimera.trading.money import Millis
from chimera.wire import codec

DEADLINE_MS: Final = Millis(2000)
TRY_MS: Final = Millis(900)  # of one request: a host that went silent leaves time for another
CONNECT_S: Final = 0.25
FIRST_PAUSE_S: Final = 0.005
LONGEST_PAUSE_S: Final = 0.250
BATCH: Final = 5_000  # rows in one answer
TOKEN_LIFE: Final = 0.8  # of its life a token is used
TOKEN_LIFE_S: Final = 3600.0  # where it does not say

_PASSING: Final = frozenset({
    errno.CONFLICT, errno.LOCK_TIMEOUT, errno.LOCKED, errno.SHUTTING_DOWN, errno.READ_ONLY, errno.RESOURCE_LIMIT,
    errno.REPLICATION_WRITE_CONCERN_NOT_FULFILLED, errno.CLUSTER_TIMEOUT, errno.CLUSTER_SHARD_GONE,
    errno.CLUSTER_CONNECTION_LOST, errno.CLUSTER_BACKEND_UNAVAILABLE, errno.CLUSTER_AQL_COMMUNICATION,
    errno.CLUSTER_AQL_COLLECTION_OUT_OF_SYNC, errno.CLUSTER_SHARD_LEADER_REFUSES_REPLICATION,
    errno.CLUSTER_SHARD_FOLLOWER_REFUSES_OPERATION, errno.CLUSTER_SHARD_LEADER_RESIGNED,
    errno.CLUSTER_AGENCY_COMMUNICATION_FAILED, errno.CLUSTER_LEADERSHIP_CHALLENGE_ONGOING, errno.CLUSTER_NOT_LEADER,
})  # fmt: skip
_PASSING_HTTP: Final = frozenset({401, 408, 412, 429})  # 401: the token ran out; a fresh one is fetched
_NOT_MADE: Final = frozenset({errno.DATA_SOURCE_NOT_FOUND, errno.DATABASE_NOT_FOUND})

T = TypeVar("T")


class Passing(Exception):
    """Try the operation again: it was refused for now, or nobody knows whether it was done."""


class Exists(Passing):
    """A unique index refused it: nothing was written by this try."""


class Made(Passing):
    """A collection or database of that name is there: an earlier try made it."""


class Away(StoreUnavailable):
    """Nobody answered in time: what was asked may be asked again."""


class NotMade(StoreUnavailable):
    """No such database or collection: ``chimera init`` was not run."""


class Link:
    """The database of ``address``."""

    def __init__(self, address: Address, *, deadline_ms: Millis = DEADLINE_MS, try_ms: Millis = TRY_MS) -> None:
        self.address = address
        self._deadline_s = deadline_ms / 1000
        self._hosts = SingleHostResolver(len(address.hosts))  # one until it fails us
        self._http = _Http(
            timeout=aiohttp.ClientTimeout(total=try_ms / 1000, sock_connect=CONNECT_S), ssl_context=_tls(address)
        )
        self._client = ArangoClient(hosts=address.hosts, host_resolver=self._hosts, http_client=self._http)
        self._closed = False
        self.db = self.database(address.database)

    def database(self, name: str) -> StandardDatabase:
        """Another database of the same server, signed in alike."""
        return StandardDatabase(_SignedIn(list(self._client.sessions), self._hosts, self._http, name, self.address))

    async def close(self) -> None:
        self._closed = True
        await self._client.close()

    async def run(self, statement: str, **bind: Any) -> list[Raw]:
        """Once. Raises ``Exists``, ``Passing`` (outcome unknown) or ``StoreUnavailable`` (refused for good)."""
        return await self.ask(lambda: self._rows(statement, bind))

    async def _rows(self, statement: str, bind: dict[str, Any]) -> list[Raw]:
        named = {"@rows" if name == "rows" else name: value for name, value in bind.items()}
        async with await self.db.aql.execute(statement, bind_vars=named, batch_size=BATCH) as cursor:
            return [row async for row in cursor]

    async def ask(self, call: Callable[[], Awaitable[T]]) -> T:
        """One call of the driver, its errors in our three words."""
        if self._closed:
            raise StoreUnavailable(f"the ledger {self.address} is closed")
        try:
            return await call()
        except ArangoServerError as error:
            raise self._meaning(error) from error
        except (ArangoClientError, aiohttp.ClientError, OSError, TimeoutError) as error:
            self._hosts.change_host()
            raise Passing(str(error) or "no answer in time") from error

    def _meaning(self, error: ArangoServerError) -> Exception:
        number, status = error.error_code, error.http_code
        if number == errno.UNIQUE_CONSTRAINT_VIOLATED:
            return Exists(str(error))
        if number in _NOT_MADE:
            return NotMade(f"the ledger {self.address} is not made: run `chimera init` ({error})")
        if number == errno.DUPLICATE_NAME:
            return Made(str(error))
        if status == 401 and not self.address.jwt:
            return StoreUnavailable(f"the ledger {self.address} does not take user and password ({error})")
        if number in _PASSING or status in _PASSING_HTTP or status >= 500:
            if number != errno.CONFLICT:
                self._hosts.change_host()
            return Passing(str(error))
        return StoreUnavailable(f"the ledger {self.address} refused it: {error}")

    async def until_done(self, operation: str, work: Callable[[], Awaitable[T]], within_s: float | None = None) -> T:
        """The answer of ``work``, tried anew after ``Passing`` until the deadline; then ``Away``."""
        within_s = within_s or self._deadline_s
        last: Passing | None = None
        try:
            async with asyncio.timeout(within_s):
                pause_s = FIRST_PAUSE_S
                while True:
                    try:
                        return await work()
                    except Passing as passing:
                        last = passing
                    await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - spreads retries, guards nothing
                    pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
        except TimeoutError as error:
            why = f": {last}" if last else ""
            raise Away(
                f"the ledger {self.address} did not finish {operation!r} in {within_s:g} s; outcome unknown{why}"
            ) from (last or error)


class _Http(AioHTTPClient):
    """What breaks off gets past the driver, which would send it again at once and forget why it broke."""

    async def send_request(self, session: Any, request: Request) -> Response:
        try:
            return await super().send_request(session, request)
        except ClientConnectionError as broken:
            raise ConnectionError(str(broken)) from broken


class _SignedIn(BaseConnection):
    """Signs each request: by user and password, or by a token that they bought and that is renewed before it ends.

    The driver's own token connection asks the renewed token's first request under a path that does not exist (1.2.7).
    """

    def __init__(
        self, sessions: list[Any], hosts: SingleHostResolver, http: AioHTTPClient, database: str, address: Address
    ) -> None:
        super().__init__(sessions, hosts, http, database, None, _Writer(), _Reader())
        self._user, self._password = address.user, str(address.password)
        self._uses_token = address.jwt
        self._header = "" if address.jwt else _basic(self._user, self._password)
        self._renew_at_s = 0.0

    async def send_request(self, request: Request) -> Response:
        if self._uses_token and (not self._header or time.monotonic() >= self._renew_at_s):
            await self._sign_in()
        request.headers["authorization"] = self._header
        response = await self.process_request(request)
        if response.status_code == 401 and self._uses_token:
            self._header = ""
        return response

    async def _sign_in(self) -> None:
        asked_s = time.monotonic()
        data = self.serializer.dumps({"username": self._user, "password": self._password})
        request = Request(method=Method.POST, endpoint="/_open/auth", data=data, prefix_needed=False)
        response = await self.process_request(request)
        if response.status_code in (401, 403):
            raise StoreUnavailable("ArangoDB gives no token for this user and password")
        self.raise_for_status(request, response)
        token = str(self.deserializer.loads(response.raw_body)["jwt"])
        self._header, self._renew_at_s = f"bearer {token}", asked_s + TOKEN_LIFE * _life_s(token)


class _Writer(Serializer[Any]):
    def dumps(self, data: Any) -> str:
        return codec.encode(data).decode()


class _Reader(Deserializer[Any, Any]):
    """The rows of a query stay as the bytes they came in."""

    def loads(self, data: bytes) -> Any:
        try:
            fields = msgspec.json.decode(data, type=dict[str, Raw])
            is_cursor = "hasMore" in fields
            return {
                name: msgspec.json.decode(raw, type=list[Raw] if is_cursor and name == "result" else Any)
                for name, raw in fields.items()
            }
        except msgspec.DecodeError as wrong:
            raise DeserializationError(f"not the answer of an ArangoDB: {wrong}") from wrong

    def loads_many(self, data: bytes) -> Any:
        return self.loads(data)


def _tls(address: Address) -> bool | ssl.SSLContext:
    """Certificates are always checked."""
    if not address.hosts[0].startswith("https"):
        return False
    if address.ca is None:
        return True
    try:
        return ssl.create_default_context(cafile=address.ca)
    except OSError as error:
        raise StoreUnavailable(f"the ledger {address}: {address.ca} is no certificate authority: {error}") from error


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _life_s(token: str) -> float:
    """Of a token, by its own two times: no clock of ours is compared with the server's."""
    try:
        claims = token.split(".")[1]
        said = msgspec.json.decode(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
        return float(said["exp"]) - float(said["iat"])
    except (IndexError, KeyError, TypeError, ValueError):
        return TOKEN_LIFE_S
