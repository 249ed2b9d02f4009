"""One Binance Spot account, opened: three ports over one signed connection, and pairs beside them."""

import random
from dataclasses import dataclass
from decimal import Decimal

from chimera.adapters.binance.governor import Governor
from chimera.adapters.binance.order_names import OrderNames
from chimera.adapters.binance.order_socket import OrderSocket
from chimera.adapters.binance.sign import signer_for
from chimera.adapters.binance.signed import ORDER_RECV_WINDOW_MS, SignedAccount
from chimera.adapters.binance.spot.raw import API_PATH, METHODS, SPOT
from chimera.adapters.binance.spot.records import SpotRecords
from chimera.adapters.binance.spot.rulebook import SpotRulebook
from chimera.adapters.binance.spot.stream import SpotStreamTimes, SpotUserStream
from chimera.adapters.binance.spot.venue import SpotVenue
from chimera.adapters.binance.transport import Transport
from chimera.ports.clock import Clock


@dataclass(frozen=True, slots=True)
class BinanceSpot:
    """``venue`` (``Pairs`` too), ``records`` and ``rulebook`` are ports, ``raw`` is one (``Rates``)."""

    venue: SpotVenue
    records: SpotRecords
    rulebook: SpotRulebook
    raw: SignedAccount

    async def close(self) -> None:
        """Close the transports; a reader of ``venue.reports()`` ends it first."""
        await self.raw.transport.close()
        if self.raw.socket is not None:
            await self.raw.socket.close()


def open_spot(
    transport: Transport,
    key: str,
    secret: str,
    clock: Clock,
    *,
    jitter: random.Random,
    recv_window_ms: int = ORDER_RECV_WINDOW_MS,
    times: SpotStreamTimes | None = None,
    quote: str = "USDT",
    rate_share: Decimal = Decimal(1),
    orders_by: Transport | None = None,
) -> BinanceSpot:
    """The account of ``key``; nothing is sent yet.

    The streams of ``transport`` are the WebSocket API's host (``hosts.SPOT_PRESETS``), for user data comes that way;
    ``orders_by`` is another connection to it, by which orders go while it is connected; None: by REST.
    ``rate_share``, ``secret`` and the clock are as in ``open_futures``.
    """
    governor = Governor(rate_share, SPOT.limits)
    signer = signer_for(secret)
    socket = None
    if orders_by is not None:
        socket = OrderSocket(orders_by, key, signer, jitter, path=API_PATH, methods=METHODS)
    raw = SignedAccount(
        SPOT, transport, key, signer, clock, recv_window_ms=recv_window_ms, governor=governor, socket=socket
    )
    names = OrderNames()
    rulebook = SpotRulebook(raw, quote)
    return BinanceSpot(
        venue=SpotVenue(raw, names, SpotUserStream(raw, names, jitter, times)),
        records=SpotRecords(raw, names, rulebook, quote),
        rulebook=rulebook,
        raw=raw,
    )
