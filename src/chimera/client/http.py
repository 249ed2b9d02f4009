"""One HTTP call to a service of Chimera, ending in a value or in the error that says what may have happened.

A connection that never opened is ``NotSent``. A request that may have left and has no whole answer is
``OutcomeUnknown``, never a failure. 429 and 503 are ``NotSent`` (the services answer them only when nothing was
started), any other 5xx is ``OutcomeUnknown``, and a 4xx is ``Refused`` with the body's code and field. Where another
process of the service may know more, the error is of a kind of its own: ``Unreached``, ``StandsBy``, ``Gone``.
"""

import asyncio
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, NoReturn, TypeVar
from urllib.parse import quote

import aiohttp
import msgspec
from yarl import URL

from chimera.client.credentials import OF_PROGRAM, Credentials
from chimera.trading import money
from chimera.trading.errors import NotSent, OutcomeUnknown, Refused
from chimera.trading.money import Millis
from chimera.wire.answers import exact
from chimera.wire.failures import LEASE_LOST, STANDBY

TIMEOUT_MS: Final = 5_000

V = TypeVar("V")


class Unreached(NotSent):
    """Nobody listens there."""


class StandsBy(NotSent):
    """Another process acts instead; ``at``: where, by the word of the one that stands by, empty where it knows none."""

    def __init__(self, reason: str, retry_after_ms: Millis | None = None, at: str = "") -> None:
        super().__init__(reason, retry_after_ms, code=STANDBY)
        self.at = at


class Gone(OutcomeUnknown):
    """Whoever was asked did not answer, or acts no more: another process may act by now."""


class Http(ABC):
    """Calls to a service, wherever it is."""

    async def get(self, path: str) -> bytes:
        return await self.call("GET", path, again=True)

    async def post(
        self, path: str, body: Mapping[str, Any], *, headers: Mapping[str, str] | None = None, again: bool = False
    ) -> bytes:
        return await self.call("POST", path, body=body, headers=headers, again=again)

    @abstractmethod
    async def call(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        accept: tuple[int, ...] = (),
        again: bool = False,
    ) -> bytes:
        """The answer's body; ``accept`` names statuses that are an answer although they are no success.

        ``again``: asked twice it means the same, so it may be.
        """

    @abstractmethod
    async def close(self) -> None: ...


class ServiceHttp(Http):
    """Calls under one base URL; each is sent once. It owns its session unless one is given."""

    def __init__(
        self,
        base_url: str,
        *,
        timeout_ms: int = TIMEOUT_MS,
        session: aiohttp.ClientSession | None = None,
        credentials: Credentials | None = None,
    ) -> None:
        """``credentials`` None: those of this program, where it has any."""
        self._credentials = credentials or OF_PROGRAM.get()
        self._base = URL(base_url)
        self._timeout_ms = timeout_ms
        self._session = session
        self._owns = session is None

    async def close(self) -> None:
        if self._owns and self._session is not None:
            await self._session.close()
            self._session = None

    async def call(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        accept: tuple[int, ...] = (),
        again: bool = False,
        within_ms: int | None = None,
    ) -> bytes:
        """``within_ms``: of this call alone."""
        timeout_ms = self._timeout_ms if within_ms is None else within_ms
        if self._session is None:
            self._session = aiohttp.ClientSession()
        data = None if body is None else json.dumps(body, default=_digits).encode()
        sent = {"Content-Type": "application/json"} if data is not None else {}
        where, url = f"{method} {path}", self._base.join(URL(path, encoded=True))
        proof = self._credentials.headers(method, url, data or b"")
        try:
            async with (
                asyncio.timeout(timeout_ms / 1000),
                self._session.request(
                    method,
                    url,
                    data=data,
                    headers={**sent, **(headers or {}), **proof},
                    allow_redirects=False,
                    ssl=self._credentials.tls,
                ) as answer,
            ):
                text = await answer.read()
                if answer.status < 300 or answer.status in accept:
                    return text
                raise _said_no(where, answer.status, text, answer.headers.get("Retry-After"))
        except TimeoutError as error:
            raise Gone(f"{where} was not answered in {timeout_ms} ms") from error
        except aiohttp.InvalidURL as error:
            raise NotSent(f"{where}: {self._base} is no address such as http://127.0.0.1:8084") from error
        except aiohttp.ClientSSLError as error:  # before anything was sent
            raise NotSent(f"{where}: no encrypted connection to {error.host}:{error.port} ({error})") from error
        except aiohttp.ClientConnectorError as error:
            why = os.strerror(error.os_error.errno) if error.os_error.errno else str(error.os_error)
            raise Unreached(f"{where}: nothing answers at {error.host}:{error.port} ({why})") from error
        except aiohttp.ClientError as error:
            raise Gone(f"{where} broke off: {error}") from error


def read(body: bytes, kind: type[V]) -> V:
    """The typed answer; one that is not in its form says nothing about what happened: ``OutcomeUnknown``."""
    try:
        return msgspec.convert(read_plain(body), kind)
    except msgspec.ValidationError as error:
        raise OutcomeUnknown(f"the answer is not in its form: {error}") from error


def read_plain(body: bytes) -> dict[str, Any]:
    """A JSON object with exact numbers: amounts are ``Decimal`` to the last digit, counts and moments whole numbers."""
    try:
        document = json.loads(body, parse_float=Decimal, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise OutcomeUnknown(f"the answer is no JSON: {error}") from error
    if not isinstance(document, dict):
        raise OutcomeUnknown("the answer is no JSON object")
    amounts: dict[str, Any] = exact(document)
    return amounts


def in_path(name: str) -> str:
    """A name as one part of a path, whatever is in it."""
    return quote(name, safe="")


def _no_number(given: str) -> NoReturn:
    raise ValueError(f"{given} is no number")


def _digits(given: object) -> str:
    """An amount of a request, as a string of plain digits; raises ``TypeError`` for what has no JSON form."""
    if not isinstance(given, Decimal):
        raise TypeError(f"{type(given).__name__} has no JSON form")
    return money.text(given)


def _said_no(where: str, status: int, text: bytes, retry_after: str | None) -> Exception:
    try:
        body = read_plain(text)
    except OutcomeUnknown:
        body = {}
    message = str(body.get("message") or f"{where}: HTTP {status}")
    if status in (429, 503):
        wait = Millis(int(retry_after) * 1000) if retry_after and retry_after.isdecimal() else None
        if body.get("code") == STANDBY:
            return StandsBy(f"{STANDBY}: {message}", wait, str(body.get("accepted") or ""))
        return NotSent(f"{body.get('code', status)}: {message}", wait, code=str(body.get("code") or ""))
    if 400 <= status < 500:
        return Refused(
            str(body.get("code") or f"HTTP_{status}"),
            message,
            field=body.get("field"),
            value=body.get("value"),
            accepted=body.get("accepted"),
        )
    unknown = Gone if body.get("code") == LEASE_LOST else OutcomeUnknown
    return unknown(f"{where}: HTTP {status}: {message}")
