"""The raw storey: redis-py clients with the settings that were measured to be safe.

One address is a single server, several are the seeds of a Cluster; both answer the same calls. RESP2, because
XREADGROUP has another shape in RESP3. No driver retries: ``patience`` retries.
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, NamedTuple, Protocol, TypeAlias
from urllib.parse import parse_qs, unquote, urlsplit

from redis.asyncio import Redis
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as NotConnected
from redis.exceptions import ResponseError

from chimera.adapters.redis.cluster import ClusterClient

Client: TypeAlias = "Redis | ClusterClient"
Met: TypeAlias = Callable[[str, str], bool]  # told where, and the run id there ("": it does not tell); False: not now

ANSWER_S: Final = 0.6  # longest silence on a socket before the call is tried anew
CONNECT_S: Final = 0.25
CONNECTIONS_MAX: Final = 64
DEFAULT_PORT: Final = 6379
UNIX: Final = "unix:"
_DATABASE: Final = re.compile("/?([0-9]{0,4})")
_SHAPE: Final = "a Redis address is host:port, unix:/path or redis[s]://user:password@host:port/database"


class Raw(Protocol):
    """What takes a command as it stands; either client."""

    async def execute_command(self, *args: Any, **options: Any) -> Any: ...


class Address(NamedTuple):
    """Where one server is, and as whom to come. ``path``: a unix socket, in place of host and port."""

    host: str = ""
    port: int = DEFAULT_PORT
    path: str = ""
    user: str | None = None
    password: str | None = None
    tls: bool = False
    ca: str | None = None  # the file of the authority, in place of the machine's own list
    db: int = 0  # of one server's; a Cluster has no other

    @property
    def manner(self) -> tuple[object, ...]:
        """What the servers of one Cluster have in common."""
        return self.user, self.password, self.tls, self.ca

    @property
    def name(self) -> str:
        """As a connection names where it goes."""
        return self.path or f"{self.host}:{self.port}"


def client(addresses: Sequence[str], *, cluster: bool, answer_s: float, met: Met | None = None) -> Client:
    """A client that has not connected yet. What an address looks like, ``address_of`` says.

    ``met`` is asked at each connection (a dead one is made anew without a word) before anything else is sent on it;
    where it says no, that connection is given up and the call fails as on a broken one.
    """
    found = [address_of(address) for address in addresses]
    first = found[0]
    if any(each.manner != first.manner for each in found):
        raise ValueError("the addresses of one Redis Cluster must name the same user, password and encryption")
    settings: dict[str, Any] = {
        "username": first.user,
        "password": first.password,
        "socket_timeout": answer_s,
        "socket_connect_timeout": CONNECT_S,
        "max_connections": CONNECTIONS_MAX,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
        "health_check_interval": 0,
    }
    if first.tls:
        settings |= {"ssl": True, "ssl_ca_certs": first.ca}
    if cluster and any(each.db for each in found):
        raise ValueError("a Redis Cluster has database 0 alone; leave the number out")
    if cluster:
        nodes = [ClusterNode(each.host, each.port) for each in found]
        made = ClusterClient(nodes, reinitialize_steps=0, **settings)
        return _asking(made, met) if met else made
    if met is not None:
        settings["redis_connect_func"] = _greeting(met)
    settings["db"] = first.db
    if first.path:
        return Redis(unix_socket_path=first.path, **settings)
    return Redis(host=first.host, port=first.port, **settings)


def _asking(made: ClusterClient, met: Met) -> ClusterClient:
    """Its constructor takes no greeting; of the nodes it knows and will know, each has settings of its own."""
    nodes = made.nodes_manager
    for each in (nodes.connection_kwargs, *(node.connection_kwargs for node in nodes.startup_nodes.values())):
        each["redis_connect_func"] = _greeting(met)
    return made


def _greeting(met: Met) -> Callable[[AbstractConnection], Awaitable[None]]:
    async def greet(connection: AbstractConnection) -> None:
        await connection.on_connect()
        await connection.send_command("INFO", "server")
        try:
            told = bytes(await connection.read_response())
        except ResponseError:  # a user who may not ask
            told = b""
        _, _, rest = told.partition(b"run_id:")
        where = (
            getattr(connection, "path", None) or f"{getattr(connection, 'host', '')}:{getattr(connection, 'port', '')}"
        )
        if not met(where, rest.partition(b"\r")[0].decode("ascii", "replace")):
            raise NotConnected("another server answers than before")

    return greet


def address_of(address: str) -> Address:
    """``host:port``, ``unix:/path``, or ``redis://user:password@host:port``; ``rediss`` is over TLS, ``?ca=file``.

    ``/1`` behind it is that database of the server's. A user may be left out (``redis://:password@host``); what has a
    meaning in a URL is percent-encoded. Raises ``ValueError``, which says what an address looks like and never repeats
    one with a password in it.
    """
    scheme, colon, _ = address.partition("://")
    if not colon:
        return _plain(address)
    try:
        url = urlsplit(address)
        port, asked = url.port, parse_qs(url.query, strict_parsing=True) if url.query else {}
    except ValueError:
        raise ValueError(_SHAPE) from None
    authority = asked.pop("ca", [None])[0]
    tls = scheme == "rediss"
    database = _DATABASE.fullmatch(url.path)
    if scheme not in ("redis", "rediss") or not url.hostname or database is None or asked or url.fragment:
        raise ValueError(_SHAPE)
    if authority is not None and not tls:
        raise ValueError("ca goes with rediss://")
    user, password = (unquote(each) if each else None for each in (url.username, url.password))
    db = int(database[1] or 0)
    return Address(url.hostname, port or DEFAULT_PORT, user=user, password=password, tls=tls, ca=authority, db=db)


def _plain(address: str) -> Address:
    if address.startswith(UNIX):
        return Address(path=address.removeprefix(UNIX))
    if "@" in address:
        raise ValueError(_SHAPE)
    host, colon, port = address.rpartition(":")
    if not colon:
        host, port = address, str(DEFAULT_PORT)
    if not host or not port.isdigit():
        raise ValueError(f"{address!r} is not a Redis address: host:port or unix:/path")
    return Address(host.strip("[]"), int(port))
