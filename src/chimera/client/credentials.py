"""How a client of ours says who it is: a token, or a signature over each request where it goes over a network.

The token comes from a file that only its owner may read, never from an argument or a variable. A key that signs never
sends its token off this machine. Nothing else in this package knows of tokens.
"""

import ipaddress
import secrets
import ssl
import stat
import time
from contextvars import ContextVar
from pathlib import Path
from typing import Final

from yarl import URL

from chimera.trading.errors import ChimeraError, NotSent
from chimera.trading.money import Millis
from chimera.wire.signed import sign, signing_key

ON_BEHALF: Final = "X-Chimera-On-Behalf"
ACTING_FOR: ContextVar[str] = ContextVar("acting_for", default="")  # whom a service of ours asks for, if for anybody


class CredentialsFault(ChimeraError):
    """The file of a token or a CA cannot be used; what is in it is never shown."""


class Credentials:
    """``name``: the token's, for one that signs. Nothing given: nobody says who they are."""

    def __init__(self, token: str = "", name: str = "", *, tls: ssl.SSLContext | bool = True) -> None:
        self._token = token
        self._name = name
        self._key = signing_key(token) if name else b""
        self.tls = tls

    @property
    def secret(self) -> str:
        """For the redaction of logs."""
        return self._token

    def headers(self, method: str, url: URL, body: bytes) -> dict[str, str]:
        """Of one request, which may be sent once: a signature is not good twice. Raises ``NotSent``."""
        if not self._token:
            return {}
        behalf = {ON_BEHALF: ACTING_FOR.get()} if ACTING_FOR.get() else {}
        near = _on_loopback(url)
        if not self._name and not near and url.scheme != "https":
            raise NotSent(
                f"a token does not go over a network unencrypted: {url.origin()}; use https, or a key that signs"
            )
        if not self._name or near:
            return {"Authorization": f"Bearer {self._token}", **behalf}
        now_ms = Millis(time.time_ns() // 1_000_000)
        signed = sign(self._key, self._name, method, url.raw_path_qs, body, now_ms=now_ms, nonce=secrets.token_hex(16))
        return {"Authorization": signed.header()}


OF_PROGRAM: ContextVar[Credentials] = ContextVar("credentials", default=Credentials())  # noqa: B039 - it never changes


def credentials(
    token_path: Path | None, ca_path: Path | None = None, pair: tuple[Path, Path] | None = None
) -> Credentials | None:
    """From the files that settings name; None where they name none. Raises ``CredentialsFault``.

    ``pair``: our own certificate and its key, for a service that has a CA of clients.
    """
    if token_path is None and ca_path is None and pair is None:
        return None
    tls: ssl.SSLContext | bool = True
    if ca_path is not None or pair is not None:
        try:
            tls = ssl.create_default_context(cafile=None if ca_path is None else str(ca_path))
            if pair is not None:
                tls.load_cert_chain(*pair)
        except OSError as error:
            named = ", ".join(str(path) for path in (ca_path, *(pair or ())) if path is not None)
            raise CredentialsFault(f"{named}: not what TLS can be made of ({error.strerror or error})") from error
    if token_path is None:
        return Credentials(tls=tls)
    return Credentials(*_read(token_path), tls=tls)


def _read(path: Path) -> tuple[str, str]:
    """Token and name from a file of ``chimera token new --out``: ``TOKEN``, or ``NAME TOKEN`` for a key that signs."""
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise CredentialsFault(f"{path}: others may read it; chmod 600 it")
        words = path.read_text(encoding="ascii").split()
    except OSError as error:
        raise CredentialsFault(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError:
        raise CredentialsFault(f"{path} is no file of a token; `chimera token new --out` makes one") from None
    if len(words) not in (1, 2):
        raise CredentialsFault(f"{path} is no file of a token; `chimera token new --out` makes one")
    return words[-1], words[0] if len(words) == 2 else ""


def _on_loopback(url: URL) -> bool:
    try:
        return ipaddress.ip_address(url.host or "").is_loopback
    except ValueError:
        return url.host == "localhost"
