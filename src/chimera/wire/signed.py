"""Requests between services that prove who sent them, once: HMAC-SHA256 over what is asked, when, and a nonce.

Signed are the method, the path with its query as sent, the SHA-256 of the body, the moment and the nonce; the key goes
nowhere. Both sides use this module. ``Nonces`` is bounded and never forgets one that could still count: when it is
full it refuses, and what was signed before this process began is refused, since nobody remembers those nonces.
"""

import hashlib
import hmac
import re
from collections import deque
from typing import Final

from chimera.trading.errors import Refused
from chimera.trading.money import Millis
from chimera.trading.value import Value

SCHEME: Final = "Chimera-HMAC"
WINDOW_MS: Final = 30_000  # either way: as far as two clocks may be apart, the way included
NONCES_MOST: Final = 100_000  # of one key within two windows: 1,600 requests a second
_FORM: Final = re.compile(
    r"Chimera-HMAC name=([a-z0-9][a-z0-9._-]{0,31}),ts=([0-9]{1,15}),nonce=([0-9a-f]{32}),sig=([0-9a-f]{64})"
)


class Signature(Value, tag=False):
    """What the header ``Authorization`` says. ``ts``: UTC ms by the sender's clock."""

    name: str
    ts: Millis
    nonce: str
    sig: str

    def header(self) -> str:
        return f"{SCHEME} name={self.name},ts={self.ts},nonce={self.nonce},sig={self.sig}"


def signing_key(token: str) -> bytes:
    """Of a token; it does not lead back to it."""
    return hmac.digest(token.encode(), b"chimera: a key that signs requests, 1", "sha256")


def sign(key: bytes, name: str, method: str, target: str, body: bytes, *, now_ms: Millis, nonce: str) -> Signature:
    """``target``: the path and its query, as they go out; ``nonce``: 128 drawn bits, 32 hex digits."""
    return Signature(name=name, ts=now_ms, nonce=nonce, sig=_mac(key, name, method, target, body, now_ms, nonce))


def read_signature(header: str) -> Signature:
    """Raises ``Refused`` SIGNATURE_MALFORMED."""
    found = _FORM.fullmatch(header)
    if found is None:
        raise _no("SIGNATURE_MALFORMED", "the signature is not in its form")
    name, ts, nonce, sig = found.groups()
    return Signature(name=name, ts=Millis(int(ts)), nonce=nonce, sig=sig)


def _mac(key: bytes, name: str, method: str, target: str, body: bytes, ts: Millis, nonce: str) -> str:
    parts = (SCHEME, name, method, target, hashlib.sha256(body).hexdigest(), str(ts), nonce)
    return hmac.new(key, "\n".join(parts).encode(), "sha256").hexdigest()


class Nonces:
    """Those of one key that were used and could be used again."""

    def __init__(self, began_ms: Millis, most: int = NONCES_MOST) -> None:
        self._began_ms = began_ms
        self._most = most
        self._used: set[str] = set()
        self._by_age: deque[tuple[Millis, str]] = deque()  # until when each could count

    def take(self, signature: Signature, now_ms: Millis, *, protects: bool = False) -> None:
        """Use it, once. Raises ``Refused``: too old, too early, used before, or too many of them.

        ``protects``: where there is no room it is taken all the same, unremembered; done twice it does no harm.
        """
        if signature.ts < now_ms - WINDOW_MS or signature.ts < self._began_ms:
            raise _no("SIGNATURE_EXPIRED", f"it was signed more than {WINDOW_MS} ms ago, or before this process began")
        if signature.ts > now_ms + WINDOW_MS:
            raise _no("SIGNATURE_EARLY", f"the sender's clock is more than {WINDOW_MS} ms ahead of ours")
        while self._by_age and self._by_age[0][0] < now_ms:
            self._used.discard(self._by_age.popleft()[1])
        if signature.nonce in self._used:
            raise _no("SIGNATURE_REPLAYED", "this very request came before")
        if len(self._used) >= self._most:
            if protects:
                return
            raise Refused("TOO_MANY_REQUESTS", "too many signed requests of this key at a time")
        self._used.add(signature.nonce)
        self._by_age.append((Millis(now_ms + 2 * WINDOW_MS), signature.nonce))


def verify(
    signature: Signature,
    key: bytes,
    method: str,
    target: str,
    body: bytes,
    *,
    nonces: Nonces,
    now_ms: Millis,
    protects: bool = False,
) -> None:
    """Raises ``Refused``. Nobody without the key can use a nonce up."""
    wanted = _mac(key, signature.name, method, target, body, signature.ts, signature.nonce)
    if not hmac.compare_digest(wanted, signature.sig):
        raise _no("SIGNATURE_WRONG", "the signature is not this request's")
    nonces.take(signature, now_ms, protects=protects)


def _no(code: str, message: str) -> Refused:
    return Refused(code, message, field="Authorization")
