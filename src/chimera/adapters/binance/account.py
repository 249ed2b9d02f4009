"""One Binance USD-M account, opened: three ports over one signed connection."""

import random
from dataclasses import dataclass
from decimal import Decimal

from chimera.adapters.binance.futures import FuturesVenue
from chimera.adapters.binance.governor import Governor
from chimera.adapters.binance.order_names import OrderNames
from chimera.adapters.binance.order_socket import OrderSocket
from chimera.adapters.binance.raw import RawFutures
from chimera.adapters.binance.records import FuturesRecords
from chimera.adapters.binance.rulebook import FuturesRulebook
from chimera.adapters.binance.sign import signer_for
from chimera.adapters.binance.signed import ORDER_RECV_WINDOW_MS
from chimera.adapters.binance.transport import Transport
from chimera.adapters.binance.user_stream import StreamTimes, UserStream
from chimera.ports.clock import Clock


@dataclass(frozen=True, slots=True)
class BinanceFutures:
    """``venue``, ``records`` and ``rulebook`` are ports, ``raw`` is one (``Rates``) and knows the venue's clock."""

    venue: FuturesVenue
    records: FuturesRecords
    rulebook: FuturesRulebook
    raw: RawFutures

    async def close(self) -> None:
        """Close the transports; a reader of ``venue.reports()`` ends it first."""
        await self.raw.transport.close()
        if self.raw.socket is not None:
            await self.raw.socket.close()


def open_futures(
    transport: Transport,
    key: str,
    secret: str,
    clock: Clock,
    *,
    jitter: random.Random,
    recv_window_ms: int = ORDER_RECV_WINDOW_MS,
    times: StreamTimes | None = None,
    quote: str = "USDT",
    rate_share: Decimal = Decimal(1),
    orders_by: Transport | None = None,
) -> BinanceFutures:
    """The account of ``key``; nothing is sent yet.

    ``rate_share`` (0 to 1): how much of the venue's limits is ours where others use the address or the account too.
    ``orders_by``: its streams are the WebSocket API's host, and orders go there while it is connected; None: by REST.
    ``secret`` is an HMAC secret or the PEM of an Ed25519 private key. Ask ``rulebook.server_offset_ms()`` before
    the first order and every minute or so: its answers stamp what follows.
    """
    governor = Governor(rate_share)
    signer = signer_for(secret)
    socket = None if orders_by is None else OrderSocket(orders_by, key, signer, jitter)
    raw = RawFutures(transport, key, signer, clock, recv_window_ms=recv_window_ms, governor=governor, socket=socket)
    names = OrderNames()
    return BinanceFutures(
        venue=FuturesVenue(raw, names, UserStream(raw, names, jitter, times)),
        records=FuturesRecords(raw, names, quote),
        rulebook=FuturesRulebook(raw),
        raw=raw,
    )
