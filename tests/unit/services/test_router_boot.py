"""What a router refuses to start with: an account whose mode it does not trade in, or a symbol the venue lacks."""

import asyncio
from typing import Any

import pytest

from chimera.adapters.memory.ledger import MemoryLedger
from chimera.admit.limits import LimitBook, Limits
from chimera.services.router import patience
from chimera.services.router.router import Router, RouterConfig
from chimera.trading.errors import Refused
from chimera.trading.ids import Symbol
from chimera.trading.money import Quote
from chimera.trading.venue import AccountModes
from chimera.wire.route_table import DEFAULT
from support.desk import BTC, SYMBOL, T0

LIMITS = Limits(
    max_order_notional=Quote(DEFAULT.rows[0].notional_usdt_max),
    max_position_notional=Quote(DEFAULT.rows[0].notional_usdt_max),
    max_daily_loss=Quote(DEFAULT.rows[0].notional_usdt_max),
    price_collar_bps=DEFAULT.rows[0].notional_usdt_max,
    max_orders_per_10s=10,
)


class Account:
    """A venue that answers three questions; whatever else is asked of it is a failure of the test."""

    def __init__(self, *, hedge: bool = False, multi_asset: bool = False) -> None:
        self._modes = AccountModes(hedge=hedge, multi_asset=multi_asset, can_trade=True)

    async def server_offset_ms(self) -> int:
        return 0

    async def instruments(self) -> list[Any]:
        return [BTC]

    async def margin_steps(self) -> dict[Any, Any]:
        return {}

    async def modes(self) -> AccountModes:
        return self._modes


class Still:
    def now_ms(self) -> int:
        return T0

    def monotonic_ms(self) -> int:
        return 0


async def start(account: Account, symbol: str = SYMBOL) -> None:
    venue: Any = account
    nothing: Any = None
    empty: Any = MemoryLedger()
    clock: Any = Still()
    config = RouterConfig(symbols=(Symbol(symbol),), table=DEFAULT)
    router = Router(
        config,
        venue=venue,
        records=venue,
        rulebook=venue,
        ledger=empty,
        bus=nothing,
        limits=LimitBook(LIMITS),
        clock=clock,
        seal=nothing,
    )
    await router.run()


@pytest.mark.req("S4-LIM-3")
@pytest.mark.parametrize(
    ("account", "symbol", "code"),
    [
        (Account(hedge=True), "BTCUSDT", "HEDGE_MODE"),
        (Account(multi_asset=True), "BTCUSDT", "MULTI_ASSET"),
        (Account(), "NOUSDT", "UNKNOWN_SYMBOL"),
    ],
)
async def test_it_refuses_to_start_and_names_the_fix(account: Account, symbol: str, code: str) -> None:
    with pytest.raises(ExceptionGroup) as stopped:
        await start(account, symbol)
    refused = stopped.value.exceptions[0]
    assert isinstance(refused, Refused)
    assert refused.code == code
    assert refused.message


async def test_a_look_that_fails_begins_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "LOOK_AGAIN_S", 0)
    looks: list[int] = []

    async def look() -> None:
        looks.append(1)
        if len(looks) == 1:
            raise KeyError("a mistake of ours")
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await patience.going_on("test", look)
    assert len(looks) == 2
