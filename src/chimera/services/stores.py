"""The stores that a service's settings name, opened: Redis or ArangoDB at an address, or the embedded ones.

The embedded server belongs to whichever process of this machine started it first; the others find its unix socket.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

from chimera.adapters.embedded.ledger import SqliteLedger
from chimera.adapters.embedded.server import EmbeddedRedis
from chimera.adapters.redis.bus import RedisBus, connect
from chimera.ports.ledger import Ledger
from chimera.trading.errors import StoreUnavailable

log = structlog.get_logger(__name__)


async def open_ledger(
    path: Path, uri: str | None, user: str | None, password: str | None, *, waits: bool = False
) -> Ledger:
    """ArangoDB where ``uri`` names one, else the file. Raises ``StoreUnavailable``, ``NewerSchema``; ``ValueError`` for
    a ``uri`` that is none, or that this installation has no driver for. ``waits``: a server that is away may be.
    """
    if not uri:
        return await SqliteLedger.open(path)
    try:
        from chimera.adapters.arango.address import address_of  # noqa: PLC0415 - its driver is an extra
        from chimera.adapters.arango.ledger import ArangoLedger  # noqa: PLC0415 - likewise, and a start need not pay
    except ImportError as missing:
        raise ValueError(f"ArangoDB's driver is not installed ({missing.name}): install chimera[arango]") from missing
    return await ArangoLedger.open(address_of(uri, user, password), waits=waits)


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
