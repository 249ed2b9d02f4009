"""The bus that a service's settings name, opened: Redis at an address, or the embedded one.

The embedded server belongs to whichever process of this machine started it first; the others find its unix socket.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

from chimera.adapters.embedded.server import EmbeddedRedis
from chimera.adapters.redis.bus import RedisBus, connect
from chimera.trading.errors import StoreUnavailable

log = structlog.get_logger(__name__)


@asynccontextmanager
async def open_bus(addresses: Sequence[str], embedded_dir: Path) -> AsyncIterator[RedisBus]:
    """Raises ``StoreUnavailable`` when no address is given and no server can be had in ``embedded_dir``."""
    own: EmbeddedRedis | None = None
    if not addresses:
        try:
            own = await EmbeddedRedis.start(embedded_dir)
            addresses = (own.unix_address,)
        except StoreUnavailable as refused:
            addresses = (await _neighbours(embedded_dir, refused),)
    bus = connect(addresses)
    try:
        yield bus
    finally:
        await bus.close()
        if own is not None:
            await own.stop()


async def _neighbours(embedded_dir: Path, refused: StoreUnavailable) -> str:
    """The address of a server that another process of ours keeps there; else the refusal stands."""
    address = _socket_address(embedded_dir)
    bus = connect(address)
    try:
        await bus.ping()
    except StoreUnavailable:
        raise refused from None
    finally:
        await bus.close()
    log.info("embedded_redis_shared", address=address)
    return address


def _socket_address(embedded_dir: Path) -> str:
    return f"unix:{embedded_dir.absolute() / 'redis.sock'}"
