"""What a service's settings say of its door, made: the gate, and TLS. A door to the network without tokens is refused.

On loopback without tokens everything is as if there were no gate. With TLS and an own CA of clients, whoever has no
certificate of it does not even reach the gate.
"""

import ipaddress
from pathlib import Path
from typing import Final, Protocol

from starlette.types import ASGIApp

from chimera.ports.clock import Clock
from chimera.services.access.gate import BODY_MOST, Gate, Sessions, Terms
from chimera.services.access.tokens import TokenBook
from chimera.services.access.trail import Trail
from chimera.services.clock import SteadyClock
from chimera.services.service import Service
from chimera.trading.errors import ChimeraError
from chimera.trading.value import Value

RATE: Final = 100


class DoorFault(ChimeraError):
    """The door cannot be made as it is asked for; one sentence."""


class Tls(Value, tag=False):
    """``client_ca``: whoever connects must show a certificate of it."""

    cert: Path
    key: Path
    client_ca: Path | None = None


class Faced(Protocol):
    """A service's settings, as far as they are about its door."""

    @property
    def host(self) -> str: ...

    @property
    def api_tokens_path(self) -> Path | None: ...

    @property
    def api_rate(self) -> int: ...

    @property
    def tls_cert_path(self) -> Path | None: ...

    @property
    def tls_key_path(self) -> Path | None: ...

    @property
    def tls_client_ca_path(self) -> Path | None: ...


class Door(Value, tag=False):
    """``tokens``: the file of ``chimera token``; None: nobody is asked, which only loopback may have."""

    host: str
    tokens: Path | None = None
    rate: int = RATE
    tls_cert: Path | None = None
    tls_key: Path | None = None
    tls_client_ca: Path | None = None

    @classmethod
    def of(cls, settings: Faced) -> "Door":
        return cls(
            host=settings.host,
            tokens=settings.api_tokens_path,
            rate=settings.api_rate,
            tls_cert=settings.tls_cert_path,
            tls_key=settings.tls_key_path,
            tls_client_ca=settings.tls_client_ca_path,
        )

    @property
    def on_loopback(self) -> bool:
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def checked(self, service: Service) -> "Door":
        """Raises ``DoorFault``."""
        if not self.on_loopback and self.tokens is None:
            raise DoorFault(
                f"{service} is to listen on {self.host}, which others can reach, and no API tokens are configured: make"
                f" them with `chimera token new`, and name their file ({TOKENS_NAMED[service]}), or listen on 127.0.0.1"
            )
        if (self.tls_cert is None) != (self.tls_key is None) or (self.tls_client_ca and self.tls_cert is None):
            raise DoorFault(f"{service}: TLS needs a certificate and its key, and a CA of clients needs both")
        return self

    def tls(self) -> Tls | None:
        """Raises ``DoorFault`` for a file that is not there."""
        if self.tls_cert is None or self.tls_key is None:
            return None
        for path in (self.tls_cert, self.tls_key, self.tls_client_ca):
            if path is not None and not path.is_file():
                raise DoorFault(f"TLS: there is no file {path}")
        return Tls(cert=self.tls_cert, key=self.tls_key, client_ca=self.tls_client_ca)

    def book(self, clock: Clock) -> TokenBook | None:
        """Raises ``TokensFault``."""
        return None if self.tokens is None else TokenBook(self.tokens, clock)


TOKENS_NAMED: Final = {
    Service.S3: "S3_API_TOKENS_PATH",
    Service.S4: "S4_API_TOKENS_PATH",
    Service.ALERTS: "ALERTS_API_TOKENS_PATH",
    Service.CONSOLE: "--tokens, CHIMERA_TOKENS_PATH",
}


def gated(
    app: ASGIApp,
    service: Service,
    door: Door,
    clock: Clock,
    *,
    trail: Trail | None = None,
    book: TokenBook | None = None,
    sessions: Sessions | None = None,
    body_most: int = BODY_MOST,
) -> Gate:
    """The application behind its gate. ``book``: read already."""
    steady = SteadyClock(clock)
    book = door.checked(service).book(clock) if book is None else book
    terms = Terms(rate=door.rate, signs=not door.on_loopback, body_most=body_most)
    return Gate(app, service, clock=steady, book=book, trail=trail, sessions=sessions, terms=terms)
