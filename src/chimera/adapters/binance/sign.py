"""Signing: the exact bytes that go out, signed last.

Values are percent-encoded first (RFC 3986, upper-case hex, space as ``%20``) and the result is what is signed and sent:
``-1022`` follows from any re-encoding on the way. Source: Binance rest-api.md "SIGNED request examples" and USD-M
general-info; futures want ``signature`` as the last parameter. RSA keys are not supported: Binance calls Ed25519 the
better choice wherever RSA is one.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Final, Protocol
from urllib.parse import quote, unquote, urlencode

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from chimera.trading.errors import Refused

_NUMBERS: Final = frozenset({"timestamp", "recvWindow", "orderId"})


class Signer(Protocol):
    def sign(self, payload: bytes) -> str:
        """The signature as it stands in a URL, already percent-encoded where it must be."""
        ...


class HmacSigner:
    """HMAC-SHA256, lower-case hex. The secret shows in no ``repr``."""

    __slots__ = ("_secret",)

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def sign(self, payload: bytes) -> str:
        return hmac.new(self._secret, payload, hashlib.sha256).hexdigest()


class Ed25519Signer:
    """Ed25519, base64, percent-encoded."""

    __slots__ = ("_key",)

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    def sign(self, payload: bytes) -> str:
        return quote(base64.b64encode(self._key.sign(payload)).decode(), safe="")


def signer_for(secret: str) -> Signer:
    """A PEM private key signs with Ed25519, anything else is an HMAC secret; raises ``Refused`` for other PEM keys."""
    if not secret.lstrip().startswith("-----BEGIN"):
        return HmacSigner(secret)
    try:
        key = load_pem_private_key(secret.strip().encode(), password=None)
    except (ValueError, TypeError) as error:  # TypeError: the key is encrypted
        raise Refused("BAD_KEY", "the PEM private key cannot be read", accepted="an unencrypted Ed25519 key") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise Refused("BAD_KEY", f"{type(key).__name__} cannot sign here", accepted="Ed25519, or an HMAC secret")
    return Ed25519Signer(key)


def encoded(params: Mapping[str, str]) -> str:
    """``name=value`` joined by ``&`` in the order given, percent-encoded."""
    return urlencode(params, quote_via=quote, safe="")


def signed(params: Mapping[str, str], signer: Signer) -> str:
    """The encoded query with its signature last."""
    query = encoded(params)
    return f"{query}&signature={signer.sign(query.encode())}"


def signed_frame(params: Mapping[str, str], key: str, signer: Signer) -> dict[str, str | int]:
    """A WebSocket API request's parameters: sorted by name, unencoded, the key among them, as the signature has it.

    Whole numbers are numbers on that wire, amounts are text (Binance, websocket-api-general-info).
    """
    whole = sorted({**params, "apiKey": key}.items())
    payload = "&".join(f"{name}={value}" for name, value in whole)
    typed = {name: int(value) if name in _NUMBERS else value for name, value in whole}
    return typed | {"signature": unquote(signer.sign(payload.encode()))}
