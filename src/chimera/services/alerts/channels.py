"""Where messages go: a signed webhook, Telegram. One attempt each; who tries again, and when, is ``desk``'s.

Invariants: an attempt ends within ``TIMEOUT_S``, well or in ``Undelivered``; neither a secret nor an address that has
one in it is in an error's words. The webhook is signed as Standard Webhooks are, so receivers have libraries for it:
HMAC-SHA256 over ``id.timestamp.body``, base64, in ``webhook-signature: v1,...``. The id is the same at each attempt.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any, Final, Protocol

import aiohttp
from yarl import URL

from chimera.ports.clock import Clock
from chimera.services.alerts.telling import Message
from chimera.services.alerts.words import document, lines

TIMEOUT_S: Final = 10.0
TELEGRAM_CHARS: Final = 4_096
ANSWER_BYTES: Final = 65_536  # read of an answer
LONGEST_ASKED_MS: Final = 3_600_000  # that a receiver may ask us to wait
_WORTH_TRYING: Final = (408, 425, 429)
_PREFIX: Final = "whsec_"


class Undelivered(Exception):
    """It was not taken, or nobody knows. ``retry_ms``: the receiver's wish; ``hopeless``: the same would fail again."""

    def __init__(self, why: str, *, retry_ms: int | None = None, hopeless: bool = False) -> None:
        super().__init__(why)
        self.retry_ms = retry_ms
        self.hopeless = hopeless


class Channel(Protocol):
    @property
    def name(self) -> str: ...

    async def send(self, message: Message) -> str:
        """What the receiver said, in a word; raises ``Undelivered``."""
        ...


def signing_key(secret: str) -> bytes:
    """``whsec_`` and base64, as Standard Webhooks write one; anything else is its own bytes. Raises ``ValueError``."""
    if not secret.startswith(_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        raise ValueError(f"begins with {_PREFIX} and is no base64") from None


def signature(key: bytes, message_id: str, timestamp_s: int, body: bytes) -> str:
    """What ``webhook-signature`` has to be."""
    signed = f"{message_id}.{timestamp_s}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


class Webhook:
    """``key``: the receiver's, of ``signing_key``."""

    name = "webhook"

    def __init__(self, url: str, key: bytes, session: aiohttp.ClientSession, clock: Clock, runbook_url: str) -> None:
        self._url = URL(url)
        self._key = key
        self._session = session
        self._clock = clock
        self._runbook_url = runbook_url

    async def send(self, message: Message) -> str:
        body = json.dumps(document(message, self._runbook_url), separators=(",", ":")).encode()
        at_s = self._clock.now_ms() // 1000
        headers = {
            "Content-Type": "application/json",
            "webhook-id": message.id,
            "webhook-timestamp": str(at_s),
            "webhook-signature": signature(self._key, message.id, at_s, body),
        }
        status, _, asked_ms = await _post(self._session, self._url, body, headers)
        if 200 <= status < 300:
            return str(status)
        raise Undelivered(f"the webhook answered {status}", retry_ms=asked_ms, hopeless=_is_hopeless(status))


class Telegram:
    """A bot's ``sendMessage``; the text is plain, so nothing in it is markup."""

    name = "telegram"

    def __init__(self, base_url: str, token: str, chat: str, session: aiohttp.ClientSession, runbook_url: str) -> None:
        self._url = URL(base_url) / f"bot{token}" / "sendMessage"
        self._chat = chat
        self._session = session
        self._runbook_url = runbook_url

    async def send(self, message: Message) -> str:
        text = lines(message, self._runbook_url, "Chimera")
        asked = {
            "chat_id": self._chat,
            "text": text if len(text) <= TELEGRAM_CHARS else text[: TELEGRAM_CHARS - 1] + "…",
            "disable_notification": message.silent,
            "link_preview_options": {"is_disabled": True},
        }
        headers = {"Content-Type": "application/json"}
        status, told, asked_ms = await _post(self._session, self._url, json.dumps(asked).encode(), headers)
        if status == 200 and told.get("ok") is True:
            return "ok"
        wait = told.get("parameters")
        wait_s = wait.get("retry_after") if isinstance(wait, dict) else None
        why = f"Telegram answered {status}: {str(told.get('description', ''))[:200]}".rstrip(": ")
        raise Undelivered(
            why, retry_ms=_bounded_ms(wait_s) if wait_s is not None else asked_ms, hopeless=_is_hopeless(status)
        )


async def asked(session: aiohttp.ClientSession, url: URL) -> None:
    """A GET that is answered well; raises ``Undelivered``."""
    status, _, _ = await _ask(session, "GET", url)
    if not 200 <= status < 300:
        raise Undelivered(f"{url.host} answered {status}")


async def _post(
    session: aiohttp.ClientSession, url: URL, body: bytes, headers: Mapping[str, str]
) -> tuple[int, dict[str, Any], int | None]:
    return await _ask(session, "POST", url, data=body, headers=dict(headers))


async def _ask(
    session: aiohttp.ClientSession, method: str, url: URL, **what: Any
) -> tuple[int, dict[str, Any], int | None]:
    """Status, the answer's object (empty where it is none), and for how long the receiver asks us to wait."""
    try:
        async with (
            asyncio.timeout(TIMEOUT_S),
            session.request(method, url, allow_redirects=False, **what) as answer,
        ):
            read = await answer.content.read(ANSWER_BYTES)
            return answer.status, _object(read), _bounded_ms(answer.headers.get("Retry-After"))
    except TimeoutError:
        raise Undelivered(f"{url.host} did not answer in {TIMEOUT_S:g} s") from None
    except aiohttp.ClientConnectorError as away:
        raise Undelivered(f"nothing answers at {away.host}:{away.port}") from None
    except (aiohttp.ClientError, OSError) as broken:  # its words may have the address, and that a token
        raise Undelivered(f"the connection to {url.host} failed ({type(broken).__name__})") from None


def _object(body: bytes) -> dict[str, Any]:
    try:
        told = json.loads(body)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _bounded_ms(seconds: object) -> int | None:
    text = str(seconds)
    return min(int(text[:9]) * 1000, LONGEST_ASKED_MS) if text.isascii() and text.isdigit() else None


def _is_hopeless(status: int) -> bool:
    """A redirect or a refusal of this very request: the same again would end alike."""
    return 300 <= status < 500 and status not in _WORTH_TRYING
