"""One signed account of Binance, whichever market: stamping, signing, weights. Bytes out, bytes in, errors by a table.

Invariants: one call is one request, never repeated here; the time stamp is ours plus the measured offset, taken as the
request leaves; nothing leaves that the rate governor holds back, and the governor hears of every answer. Where we
act by a lease, nothing that changes something can be accepted after its end: the stamp comes first, then the receive
window is cut to what is left. Knows no domain value. What differs between the markets is a ``Dialect``.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import nullcontext
from enum import Enum
from typing import Final, NamedTuple

from chimera.adapters.binance.answers import answer
from chimera.adapters.binance.governor import Cost, Governor, Moment
from chimera.adapters.binance.in_flight import InFlight
from chimera.adapters.binance.order_socket import OrderSocket
from chimera.adapters.binance.outcomes import BAN_MS, BANNED, CLOCK_CODES, LIMITED, TOO_MANY, said
from chimera.adapters.binance.payloads import ServerTime
from chimera.adapters.binance.sign import Signer, encoded, signed, signed_frame
from chimera.adapters.binance.transport import Reply, Transport
from chimera.adapters.binance.venue_clock import VenueClock
from chimera.ports.clock import Clock
from chimera.trading.errors import ChimeraError, NotSent
from chimera.trading.money import Millis
from chimera.trading.rates import Lane, RateLimit, RateUse
from chimera.trading.value import Value

ORDER_RECV_WINDOW_MS: Final = 2_000  # small: it bounds how long a lost order can still be accepted
READ_RECV_WINDOW_MS: Final = 5_000  # Binance's default; a late answer to a question hurts nobody
READ_TIMEOUT_MS: Final = 2_000  # a lost answer to a question is noticed no later: positions may be bare meanwhile
SLOW_TIMEOUT_MS: Final = 5_000  # for answers of megabytes
HELD_BACK: Final = "RATE_GOVERNOR"
NO_LEASE: Final = "LEASE"
LEAST_WINDOW_MS: Final = 200  # a shorter one would be refused on most ways there
LEASE_AGAIN_MS: Final = Millis(250)
_CLOCK_TIMEOUT_MS: Final = 1_000


class Security(Enum):
    """Binance's security types, by what they need."""

    NONE = 0
    KEY = 1  # USER_STREAM
    SIGNED = 2  # TRADE and USER_DATA


class Endpoint(Value):
    """``weight`` is of a call that names its symbol, where there is one to name; ``weight_all`` of one that does not.

    ``orders``: what it adds to the order counts. Sources: Binance's page of each endpoint.
    """

    method: str
    path: str
    security: Security = Security.SIGNED
    order: bool = False  # it changes orders: the small receive window
    weight: int = 1
    weight_all: int | None = None
    orders: int = 0
    lane: Lane = Lane.QUERY  # where the caller names none
    slow: bool = False  # its answer is large

    @property
    def changes(self) -> bool:
        """Whether it changes something of the account's, and not only asks."""
        return self.order or (self.security is Security.SIGNED and self.method != "GET")

    def cost(self, params: Mapping[str, str]) -> Cost:
        """Of this call."""
        plain = self.weight_all is None or "symbol" in params
        return Cost(weight=self.weight if plain else self.weight_all or 0, orders=self.orders)


class Dialect(NamedTuple):
    """What one market's door has of its own."""

    server_time: Endpoint
    place: Endpoint  # an entry
    counts: tuple[str, ...]  # the headers that tell what is used, in the order of the governor's limits
    limits: tuple[RateLimit, ...]  # until ``exchangeInfo`` was read
    trouble: Callable[[Reply, Millis], ChimeraError | None]  # what an answer says went wrong; the venue's clock
    throttled: Callable[[bytes], bool]  # whether this error body says that the venue sheds load


class SignedAccount:
    """One account's calls. ``governor`` and ``venue_clock`` hold what the answers taught.

    ``tenure_ms``: for how long from now on we may act here, by a clock that never steps; None: for ever.
    """

    def __init__(
        self,
        dialect: Dialect,
        transport: Transport,
        key: str,
        signer: Signer,
        clock: Clock,
        *,
        recv_window_ms: int = ORDER_RECV_WINDOW_MS,
        governor: Governor | None = None,
        socket: OrderSocket | None = None,
    ) -> None:
        self.dialect = dialect
        self.transport = transport
        self.socket = socket
        self.clock = clock
        self.venue_clock = VenueClock()
        self.recv_window_ms = recv_window_ms
        self.tenure_ms: Callable[[], Millis] | None = None
        self.governor = governor or Governor(limits=dialect.limits)
        self.in_flight = InFlight(clock)
        self._key = key
        self._signer = signer

    def sign_as(self, key: str, signer: Signer) -> None:
        """From the next request on, also by the order socket; what is under way ends under the key that signed it."""
        self._key, self._signer = key, signer
        if self.socket is not None:
            self.socket.sign_as(key, signer)

    async def call(
        self,
        endpoint: Endpoint,
        params: Mapping[str, str] | None = None,
        *,
        timeout_ms: int | None = None,
        lane: Lane | None = None,
        weight: int | None = None,
    ) -> bytes:
        """The body of a 2xx; raises one of the three venue errors for everything else.

        ``weight``: where this call pays for others too, or was paid for by another (0). ``NotSent.held``: nothing left.
        """
        window_ms = self._window_ms(endpoint)  # what our lease holds back costs the governor nothing
        given = params or {}
        waits_ms = timeout_ms or (SLOW_TIMEOUT_MS if endpoint.slow else READ_TIMEOUT_MS)
        cost = endpoint.cost(given)
        if weight is not None:
            cost = cost.but(weight=weight)
        changing = self.in_flight.until(window_ms + self.venue_clock.error_ms) if endpoint.changes else nullcontext()
        with changing:
            return await self.through(lane or endpoint.lane, cost, lambda: self._send(endpoint, given, waits_ms))

    async def through(self, lane: Lane, cost: Cost, send: Callable[[], Awaitable[Reply]]) -> bytes:
        """What ``send`` brings back, by whichever way it goes: past the governor, and its errors by the table."""
        sent = self.moment()
        held = self.governor.ask(lane, cost, sent)
        if held is not None:
            raise NotSent(f"{HELD_BACK}: {held.why}", held.wait_ms, held=True)
        reply = await send()
        error = self.dialect.trouble(reply, self.server_now_ms())
        self._learn(reply, error, sent)
        if error is None:
            return reply.body
        if said(reply.body)[0] in CLOCK_CODES:
            await self._resync()
        raise error

    async def _send(self, endpoint: Endpoint, params: Mapping[str, str], timeout_ms: int) -> Reply:
        """By the order socket what it takes while it is connected, else by REST: once, by either."""
        method, path = endpoint.method, endpoint.path
        if self.socket is not None and self.socket.takes(method, path):
            return await self.socket.request(method, path, self._stamped(endpoint, params), timeout_ms=timeout_ms)
        headers = {} if endpoint.security is Security.NONE else {"X-MBX-APIKEY": self._key}
        return await self.transport.request(
            method, self._target(endpoint, params), headers=headers, timeout_ms=timeout_ms
        )

    async def sync_clock(self, *, timeout_ms: int = READ_TIMEOUT_MS) -> int:
        """Measure the venue's clock once; its offset to ours."""
        sent_ms, began = self.clock.now_ms(), self.clock.monotonic_ms()
        body = await self.call(self.dialect.server_time, timeout_ms=timeout_ms)
        round_trip_ms = self.clock.monotonic_ms() - began
        return self.venue_clock.measured(answer(body, ServerTime).server_time, sent_ms, round_trip_ms)

    def server_now_ms(self) -> Millis:
        """The venue's clock now, as far as we know it."""
        return Millis(self.clock.now_ms() + self.venue_clock.offset_ms)

    def moment(self) -> Moment:
        """Now, as the governor reckons."""
        return Moment(mono_ms=self.clock.monotonic_ms(), venue_ms=self.server_now_ms())

    # ── ports.rates.Rates ──

    def uses(self) -> tuple[RateUse, ...]:
        return self.governor.uses(self.moment())

    def entries_held(self) -> str | None:
        held = self.governor.objection(Lane.OPEN, self.dialect.place.cost({}), self.moment())
        return None if held is None else held.why

    def expect(self, stops: int) -> None:
        self.governor.expect(stops)

    def banned_ms(self) -> Millis:
        return self.governor.banned_ms(self.moment())

    def frame(self, endpoint: Endpoint) -> dict[str, str | int]:
        """The parameters of a WebSocket API request that has none of its own, stamped and signed."""
        return signed_frame(self._stamped(endpoint, {}), self._key, self._signer)

    def _target(self, endpoint: Endpoint, params: Mapping[str, str]) -> str:
        if endpoint.security is Security.SIGNED:
            return f"{endpoint.path}?{signed(self._stamped(endpoint, params), self._signer)}"
        return f"{endpoint.path}?{encoded(params)}" if params else endpoint.path

    def _stamped(self, endpoint: Endpoint, params: Mapping[str, str]) -> dict[str, str]:
        stamp = str(self.server_now_ms())  # first: whoever is stopped behind it comes too late by it
        return {**params, "recvWindow": str(self._window_ms(endpoint)), "timestamp": stamp}

    def _window_ms(self, endpoint: Endpoint) -> int:
        """For how long after its stamp the venue may take it; raises ``NotSent`` where our lease has no room for it."""
        usual = self.recv_window_ms if endpoint.order else READ_RECV_WINDOW_MS
        if self.tenure_ms is None or not endpoint.changes:
            return usual
        left_ms = self.tenure_ms()
        room_ms = left_ms - self.venue_clock.error_ms if self.venue_clock.is_known else 0
        if room_ms < LEAST_WINDOW_MS:
            raise NotSent(f"{NO_LEASE}: it would outlive our lease of {left_ms} ms", LEASE_AGAIN_MS, held=True)
        return min(usual, room_ms)

    async def _resync(self) -> None:
        try:
            await self.sync_clock(timeout_ms=_CLOCK_TIMEOUT_MS)
        except ChimeraError:
            return  # the refusal that led here is the news; the next one tries again

    def _learn(self, reply: Reply, error: ChimeraError | None, sent: Moment) -> None:
        """Tell the governor what the venue counts, and how it took our haste."""
        at, governor = self.moment(), self.governor
        governor.hear(tuple(_count(reply, name) for name in self.dialect.counts), sent, at)
        if error is None:
            governor.taken(sent.mono_ms)
            return
        wait_ms = error.retry_after_ms if isinstance(error, NotSent) else None
        if reply.status == BANNED:
            governor.banned(wait_ms or BAN_MS, at)
        elif reply.status in LIMITED or said(reply.body)[0] in TOO_MANY:
            governor.limited(wait_ms, sent.mono_ms, at)
        elif self.dialect.throttled(reply.body):
            governor.throttled(at)


def _count(reply: Reply, header: str) -> int | None:
    text = reply.headers.get(header, "")
    return int(text[:9]) if text.isascii() and text.isdigit() else None
