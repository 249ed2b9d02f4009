"""Where an ArangoDB is, and who we are there: one URI, so that settings alone choose it.

``http[s]://host:port[,host:port…][/database][?auth=basic|jwt][&ca=/path.pem]``. Several hosts are the coordinators of
one cluster. ``ca``: the certificate authority of a server that no public one signed.
"""

from typing import Final
from urllib.parse import parse_qsl, urlsplit

import msgspec

from chimera.trading.value import Value

DATABASE: Final = "chimera"
PORT: Final = 8529
_OPTIONS: Final = ("auth", "ca")


class Address(Value):
    """``password`` is in no ``repr``."""

    hosts: tuple[str, ...]  # base URLs
    database: str = DATABASE
    user: str = "root"
    password: "Password" = msgspec.field(default_factory=lambda: Password(""))
    jwt: bool = False
    ca: str | None = None

    def __str__(self) -> str:
        return f"{','.join(self.hosts)}/{self.database}"


class Password(str):
    """Prints as stars."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


def address_of(uri: str, user: str | None, password: str | None) -> Address:
    """Raises ``ValueError`` with a sentence about the URI; never with the password."""
    parts = urlsplit(uri)
    names = [name for name in parts.netloc.split(",") if name]
    if parts.scheme not in ("http", "https") or not names:
        raise ValueError("give http://host:8529/database or https://..., several hosts with commas")
    if "@" in parts.netloc:
        raise ValueError("user and password have settings of their own")
    database = parts.path.strip("/") or DATABASE
    if "/" in database:
        raise ValueError(f"{database!r} is not the name of a database")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if odd := sorted(set(options) - set(_OPTIONS)):
        raise ValueError(f"{odd[0]!r} is not an option; there are {' and '.join(_OPTIONS)}")
    if options.get("auth", "basic") not in ("basic", "jwt"):
        raise ValueError("auth is basic or jwt")
    if "ca" in options and parts.scheme != "https":
        raise ValueError("ca is for https")
    return Address(
        hosts=tuple(f"{parts.scheme}://{name if _has_port(name) else f'{name}:{PORT}'}" for name in names),
        database=database,
        user=user or "root",
        password=Password(password or ""),
        jwt=options.get("auth") == "jwt",
        ca=options.get("ca"),
    )


def _has_port(name: str) -> bool:
    return name.rpartition(":")[2].isdigit() and not name.endswith("]")
