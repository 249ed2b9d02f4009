"""The raw storey: redis-py clients with the settings that were measured to be safe.

One address is a single server, several are the seeds of a Cluster; both answer the same calls. RESP2, because
XREADGROUP has another shape in RESP3. No driver retries: ``patience`` retries.
"""

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from redis.asyncio import Redis
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

Client: TypeAlias = "Redis | RedisCluster"

ANSWER_S: Final = 0.6  # longest silence on a socket before the call is tried anew
CONNECT_S: Final = 0.25
CONNECTIONS_MAX: Final = 64
DEFAULT_PORT: Final = 6379
UNIX: Final = "unix:"


def client(addresses: Sequence[str], *, cluster: bool, answer_s: float, password: str | None) -> Client:
    """A client that has not connected yet. ``host:port`` each; a single server may be ``unix:/path`` instead."""
    settings: dict[str, Any] = {
        "password": password,
        "socket_timeout": answer_s,
        "socket_connect_timeout": CONNECT_S,
        "max_connections": CONNECTIONS_MAX,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
        "health_check_interval": 0,
    }
    if cluster:
        nodes = [ClusterNode(*host_and_port(address)) for address in addresses]
        return RedisCluster(startup_nodes=nodes, reinitialize_steps=0, require_full_coverage=False, **settings)
    [address] = addresses
    if address.startswith(UNIX):
        return Redis(unix_socket_path=address.removeprefix(UNIX), **settings)
    host, port = host_and_port(address)
    return Redis(host=host, port=port, **settings)


def host_and_port(address: str) -> tuple[str, int]:
    """``ValueError`` says what an address looks like."""
    host, colon, port = address.rpartition(":")
    if not colon:
        host, port = address, str(DEFAULT_PORT)
    if not host or not port.isdigit():
        raise ValueError(f"{address!r} is not a Redis address: host:port or unix:/path")
    return host.strip("[]"), int(port)
