"""Binance's wallets as ``ports.Wallets``: universal transfers between spot and USD-M, their history, what is free.

Sources: developers.binance.com, Wallet, "User Universal Transfer" and "Query User Universal Transfer History"; spot,
"Account information". Not on demo or testnet, which answer 403 or 404. A transfer weighs 300 by user, of 180,000 a
minute, which one at a time never comes near: here it counts as one request.
"""

from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct, field

from chimera.adapters.binance.answers import answer
from chimera.adapters.binance.outcomes import judged
from chimera.adapters.binance.payloads import Text
from chimera.adapters.binance.sign import Signer
from chimera.adapters.binance.signed import Dialect, Endpoint, Security, SignedAccount
from chimera.adapters.binance.transport import Reply, Transport
from chimera.ports.clock import Clock
from chimera.trading.errors import ChimeraError, NotSent, OutcomeUnknown, VenueRejected
from chimera.trading.money import ZERO, Millis, text
from chimera.trading.rates import Lane, Metered, RateLimit
from chimera.trading.transfer import Landing, Moved, Route, Wallet
from chimera.trading.venue import Funds

TRANSFER: Final = Endpoint(method="POST", path="/sapi/v1/asset/transfer", order=True, lane=Lane.OPEN)
HISTORY: Final = Endpoint(method="GET", path="/sapi/v1/asset/transfer")
SPOT_ACCOUNT: Final = Endpoint(method="GET", path="/api/v3/account", weight=20)
RIGHTS: Final = Endpoint(method="GET", path="/sapi/v1/account/apiRestrictions")
SERVER_TIME: Final = Endpoint(method="GET", path="/api/v3/time", security=Security.NONE)
PAGE: Final = 100  # the largest
QUOTE: Final = "USDT"  # what the futures wallet is counted in
_LIMITS: Final = (RateLimit(counts=Metered.WEIGHT, span_ms=60_000, most=6_000),)  # spot's, which the balances count in
_TYPES: Final = {Route.SPOT_TO_FUT: "MAIN_UMFUTURE", Route.FUT_TO_SPOT: "UMFUTURE_MAIN"}

# Nothing moved. -1002 the key may not; -11xx parameters; -2014 to -2017 the key; -5000 to -5013 "asset transfer fail".
# Source: developers.binance.com, Wallet, error codes. What is not here may have moved: the history knows.
_REJECTED: Final[tuple[tuple[int, int], ...]] = (
    (-1002, -1002),
    (-1020, -1020),
    (-1023, -1022),
    (-1099, -1099),
    (-1199, -1100),
    (-2017, -2014),
    (-5013, -5000),
)
_NOT_SENT: Final = frozenset({-1003, -1021})  # too many requests; the time stamp


def trouble(reply: Reply, server_ms: Millis) -> ChimeraError | None:
    """What a wallet reply says went wrong, or None."""
    return judged(reply, server_ms, _by_code, lambda status, code, told: OutcomeUnknown(f"HTTP {status} {code} {told}"))


def _by_code(code: int, told: str) -> ChimeraError:
    if code in _NOT_SENT:
        return NotSent(f"{code}: {told}")
    if any(low <= code <= high for low, high in _REJECTED):
        return VenueRejected(code, told)
    return OutcomeUnknown(f"{code}: {told}")


WALLETS: Final = Dialect(
    server_time=SERVER_TIME,
    place=TRANSFER,
    counts=("",),  # what is used is told of several pools under several names; one transfer at a time is far from any
    limits=_LIMITS,
    trouble=trouble,
    throttled=lambda body: False,
)


class _Sent(Struct, rename="camel"):
    tran_id: Annotated[int, Meta(ge=0)]


class _Row(Struct, rename="camel"):
    asset: Text
    amount: Decimal
    status: Literal["PENDING", "CONFIRMED", "FAILED"]
    tran_id: int
    timestamp: int


class _Page(Struct):
    rows: list[_Row] = []


class _Balance(Struct):
    asset: Text
    free: Decimal


class _Account(Struct):
    balances: list[_Balance]


class KeyRights(Struct, frozen=True, kw_only=True):
    """Of an API key (Binance, Wallet, "Get API Key Permission"); what is not told, it has not."""

    bound_to_address: bool = field(name="ipRestrict", default=False)
    withdrawals: bool = field(name="enableWithdrawals", default=False)
    futures: bool = field(name="enableFutures", default=False)
    transfers: bool = field(name="permitsUniversalTransfer", default=False)
    spot: bool = field(name="enableSpotAndMarginTrading", default=False)


class BinanceWallets:
    """``transport`` leads to the spot host. ``futures`` reads what is available of ``QUOTE`` in the futures wallet."""

    def __init__(
        self,
        transport: Transport,
        key: str,
        signer: Signer,
        clock: Clock,
        *,
        futures: Callable[[], Awaitable[Funds]],
    ) -> None:
        self.raw = SignedAccount(WALLETS, transport, key, signer, clock)
        self._futures = futures

    async def free(self, wallet: Wallet, asset: str) -> Decimal:
        if wallet is Wallet.FUT:
            return max((await self._futures()).available, ZERO) if asset == QUOTE else ZERO
        found = answer(await self.raw.call(SPOT_ACCOUNT, {"omitZeroBalances": "true"}), _Account)
        return next((balance.free for balance in found.balances if balance.asset == asset), ZERO)

    async def rights(self) -> "KeyRights":
        """What the key may do. Not on the demo."""
        return answer(await self.raw.call(RIGHTS), KeyRights)

    async def move(self, route: Route, asset: str, amount: Decimal, *, timeout_ms: int) -> str:
        params = {"type": _TYPES[route], "asset": asset, "amount": text(amount)}
        return str(answer(await self.raw.call(TRANSFER, params, timeout_ms=timeout_ms), _Sent).tran_id)

    async def moved(self, route: Route, since_ms: Millis) -> Sequence[Moved]:
        found: dict[str, Moved] = {}
        page = 1
        while True:
            params = {
                "type": _TYPES[route],
                "startTime": str(since_ms),
                "endTime": str(self.raw.server_now_ms() + 1_000),
                "current": str(page),
                "size": str(PAGE),
            }
            rows = answer(await self.raw.call(HISTORY, params), _Page).rows
            found |= {str(row.tran_id): _moved(row, route) for row in rows}
            if len(rows) < PAGE:
                return tuple(found.values())
            page += 1

    def dead_after_ms(self, sent_ms: Millis) -> Millis:
        return self.raw.venue_clock.dead_after_ms(sent_ms, self.raw.recv_window_ms)

    async def close(self) -> None:
        await self.raw.transport.close()


def _moved(row: _Row, route: Route) -> Moved:
    return Moved(
        tran_id=str(row.tran_id),
        route=route,
        asset=row.asset,
        amount=row.amount,
        at_ms=Millis(row.timestamp),
        landing=Landing(row.status),
    )
