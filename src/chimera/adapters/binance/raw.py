"""Binance USD-M as it is: endpoints, stamping, signing, weights. Bytes out, bytes in, errors by ``outcomes``.

Invariants: one call is one request, never repeated here; the time stamp is ours plus the measured offset, taken as the
request leaves; while the venue has banned this address nothing leaves at all. Knows no domain value.
"""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Final, TypeVar

from chimera.adapters.binance.outcomes import CLOCK_CODES, said, trouble
from chimera.adapters.binance.payloads import ServerTime, Unreadable, decoded
from chimera.adapters.binance.sign import Signer, encoded, signed
from chimera.adapters.binance.transport import Reply, Transport
from chimera.adapters.binance.venue_clock import VenueClock
from chimera.ports.clock import Clock
from chimera.trading.errors import ChimeraError, NotSent, OutcomeUnknown
from chimera.trading.money import Millis
from chimera.trading.value import Value

ORDER_RECV_WINDOW_MS: Final = 2_000  # small: it bounds how long a lost order can still be accepted
READ_RECV_WINDOW_MS: Final = 5_000  # Binance's default; a late answer to a question hurts nobody
READ_TIMEOUT_MS: Final = 5_000
BAN_MS: Final = Millis(120_000)  # the shortest ban (reference 7.2), where neither header nor text dates it
_CLOCK_TIMEOUT_MS: Final = 1_000

R = TypeVar("R")
V = TypeVar("V")


class Security(Enum):
    """Binance's security types, by what they need."""

    NONE = 0
    KEY = 1  # USER_STREAM
    SIGNED = 2  # TRADE and USER_DATA


class Endpoint(Value):
    method: str
    path: str
    security: Security = Security.SIGNED
    order: bool = False  # it changes orders: the small receive window


PLACE_ORDER: Final = Endpoint(method="POST", path="/fapi/v1/order", order=True)
CANCEL_ORDER: Final = Endpoint(method="DELETE", path="/fapi/v1/order", order=True)
GET_ORDER: Final = Endpoint(method="GET", path="/fapi/v1/order")
ALL_ORDERS: Final = Endpoint(method="GET", path="/fapi/v1/allOrders")
OPEN_ORDERS: Final = Endpoint(method="GET", path="/fapi/v1/openOrders")
PLACE_ALGO: Final = Endpoint(method="POST", path="/fapi/v1/algoOrder", order=True)
CANCEL_ALGO: Final = Endpoint(method="DELETE", path="/fapi/v1/algoOrder", order=True)
GET_ALGO: Final = Endpoint(method="GET", path="/fapi/v1/algoOrder")
OPEN_ALGOS: Final = Endpoint(method="GET", path="/fapi/v1/openAlgoOrders")
POSITION_RISK: Final = Endpoint(method="GET", path="/fapi/v3/positionRisk")
USER_TRADES: Final = Endpoint(method="GET", path="/fapi/v1/userTrades")
BALANCE: Final = Endpoint(method="GET", path="/fapi/v3/balance")
INCOME: Final = Endpoint(method="GET", path="/fapi/v1/income")
COMMISSION_RATE: Final = Endpoint(method="GET", path="/fapi/v1/commissionRate")
ACCOUNT_CONFIG: Final = Endpoint(method="GET", path="/fapi/v1/accountConfig")
SYMBOL_CONFIG: Final = Endpoint(method="GET", path="/fapi/v1/symbolConfig")
SET_MARGIN_TYPE: Final = Endpoint(method="POST", path="/fapi/v1/marginType")
SET_LEVERAGE: Final = Endpoint(method="POST", path="/fapi/v1/leverage")
OPEN_LISTEN_KEY: Final = Endpoint(method="POST", path="/fapi/v1/listenKey", security=Security.KEY)
KEEP_LISTEN_KEY: Final = Endpoint(method="PUT", path="/fapi/v1/listenKey", security=Security.KEY)
SERVER_TIME: Final = Endpoint(method="GET", path="/fapi/v1/time", security=Security.NONE)
EXCHANGE_INFO: Final = Endpoint(method="GET", path="/fapi/v1/exchangeInfo", security=Security.NONE)
BOOK_TICKER: Final = Endpoint(method="GET", path="/fapi/v1/ticker/bookTicker", security=Security.NONE)
PREMIUM_INDEX: Final = Endpoint(method="GET", path="/fapi/v1/premiumIndex", security=Security.NONE)


class Budget(Value):
    """What the venue last said we used: request weight this minute (per address), orders in 10 s and this minute."""

    weight_1m: int = 0
    orders_10s: int = 0
    orders_1m: int = 0
    at_ms: Millis = Millis(0)


class RawFutures:
    """One account's calls. ``budget`` and ``venue_clock`` hold what the answers taught."""

    def __init__(
        self,
        transport: Transport,
        key: str,
        signer: Signer,
        clock: Clock,
        *,
        recv_window_ms: int = ORDER_RECV_WINDOW_MS,
    ) -> None:
        self.transport = transport
        self.clock = clock
        self.venue_clock = VenueClock()
        self.recv_window_ms = recv_window_ms
        self.budget = Budget()
        self._key = key
        self._signer = signer
        self._banned_until_ms = 0  # monotonic

    async def call(
        self, endpoint: Endpoint, params: Mapping[str, str] | None = None, *, timeout_ms: int = READ_TIMEOUT_MS
    ) -> bytes:
        """The body of a 2xx; raises one of the three venue errors for everything else."""
        self._check_ban()
        reply = await self.transport.request(
            endpoint.method,
            self._target(endpoint, params or {}),
            headers={} if endpoint.security is Security.NONE else {"X-MBX-APIKEY": self._key},
            timeout_ms=timeout_ms,
        )
        self._learn(reply)
        error = trouble(reply, self.server_now_ms())
        if error is None:
            return reply.body
        if reply.status == 418:
            error = self._ban(error)
        elif said(reply.body)[0] in CLOCK_CODES:
            await self._resync()
        raise error

    async def sync_clock(self, *, timeout_ms: int = READ_TIMEOUT_MS) -> int:
        """Measure the venue's clock once; its offset to ours."""
        sent_ms, began = self.clock.now_ms(), self.clock.monotonic_ms()
        body = await self.call(SERVER_TIME, timeout_ms=timeout_ms)
        round_trip_ms = self.clock.monotonic_ms() - began
        return self.venue_clock.measured(answer(body, ServerTime).server_time, sent_ms, round_trip_ms)

    def server_now_ms(self) -> Millis:
        """The venue's clock now, as far as we know it."""
        return Millis(self.clock.now_ms() + self.venue_clock.offset_ms)

    def _target(self, endpoint: Endpoint, params: Mapping[str, str]) -> str:
        if endpoint.security is Security.SIGNED:
            window = self.recv_window_ms if endpoint.order else READ_RECV_WINDOW_MS
            stamped = {**params, "recvWindow": str(window), "timestamp": str(self.server_now_ms())}
            return f"{endpoint.path}?{signed(stamped, self._signer)}"
        return f"{endpoint.path}?{encoded(params)}" if params else endpoint.path

    async def _resync(self) -> None:
        try:
            await self.sync_clock(timeout_ms=_CLOCK_TIMEOUT_MS)
        except ChimeraError:
            return  # the refusal that led here is the news; the next one tries again

    def _check_ban(self) -> None:
        left = self._banned_until_ms - self.clock.monotonic_ms()
        if left > 0:
            raise NotSent("the venue has banned this address", Millis(left))

    def _ban(self, error: ChimeraError) -> ChimeraError:
        """418: every further request lengthens it (2 minutes to 3 days), so none leaves until it is over."""
        wait_ms = (error.retry_after_ms if isinstance(error, NotSent) else None) or BAN_MS
        self._banned_until_ms = self.clock.monotonic_ms() + wait_ms
        return NotSent(str(error), Millis(wait_ms))

    def _learn(self, reply: Reply) -> None:
        def count(name: str, before: int) -> int:
            text = reply.headers.get(name, "")
            return int(text[:9]) if text.isascii() and text.isdigit() else before

        self.budget = Budget(
            weight_1m=count("x-mbx-used-weight-1m", self.budget.weight_1m),
            orders_10s=count("x-mbx-order-count-10s", self.budget.orders_10s),
            orders_1m=count("x-mbx-order-count-1m", self.budget.orders_1m),
            at_ms=self.clock.now_ms(),
        )


def answer(body: bytes, kind: type[V]) -> V:
    """A 2xx body as ``kind``; one that is not raises ``OutcomeUnknown``, since the request was accepted."""
    try:
        return decoded(body, kind)
    except Unreadable as error:
        raise OutcomeUnknown(f"unreadable answer: {error}") from error


def understood(translate: Callable[[R], V], row: R) -> V:
    """``translate(row)``; a row that makes no sense raises ``OutcomeUnknown``, too."""
    try:
        return translate(row)
    except Unreadable as error:
        raise OutcomeUnknown(f"unreadable answer: {error}") from error
