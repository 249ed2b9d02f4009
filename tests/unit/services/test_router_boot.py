"""What a router refuses to start with: an account whose mode it does not trade in, or a key the venue does not take."""

import asyncio
import subprocess
import sys
from decimal import Decimal
from typing import Any

import pytest

from chimera.adapters.memory.ledger import MemoryLedger
from chimera.admit.limits import LimitBook, Limits
from chimera.services.router import patience, venue_checks
from chimera.services.router.config import RouterConfig
from chimera.services.router.hosting import hosts_of
from chimera.services.router.router import Router
from chimera.services.router.settings import load
from chimera.services.setting_kinds import SettingsFault
from chimera.trading.errors import Refused
from chimera.trading.ids import Symbol
from chimera.trading.money import Quote
from chimera.trading.venue import AccountModes
from chimera.wire.route_table import DEFAULT
from support.desk import BTC, SYMBOL, T0
from support.refusals import rejected

LIMITS = Limits(
    max_order_notional=Quote(Decimal(200)),
    max_position_notional=Quote(Decimal(200)),
    max_gross_notional=Quote(Decimal(200)),
    max_daily_loss=Quote(Decimal(200)),
    price_collar_bps=Decimal(200),
    max_orders_per_10s=10,
)


class Account:
    """A venue that answers three questions; whatever else is asked of it is a failure of the test."""

    def __init__(self, *, hedge: bool = False, multi_asset: bool = False, refuses: tuple[int, ...] = ()) -> None:
        self._modes = AccountModes(hedge=hedge, multi_asset=multi_asset, can_trade=True)
        self._refuses = list(refuses)

    async def server_offset_ms(self) -> int:
        return 0

    async def instruments(self) -> list[Any]:
        return [BTC]

    async def margin_steps(self) -> dict[Any, Any]:
        return {}

    async def modes(self) -> AccountModes:
        if self._refuses:
            raise rejected(self._refuses.pop(0), "Invalid API-key, IP, or permissions for action.")
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


@pytest.mark.req("S4-LIM-3", "I32", "I12")
@pytest.mark.parametrize(
    ("account", "symbol", "code"),
    [
        (Account(hedge=True), "BTCUSDT", "HEDGE_MODE"),
        (Account(multi_asset=True), "BTCUSDT", "MULTI_ASSET"),
        (Account(refuses=(-2015, -2015, -2015)), "BTCUSDT", "WRONG_KEY"),
        (Account(refuses=(-1022, -1022, 401)), "BTCUSDT", "WRONG_KEY"),
        (Account(refuses=(-2015, -2015), hedge=True), "BTCUSDT", "HEDGE_MODE"),  # a good key refused for a moment
    ],
)
async def test_it_refuses_to_start_and_names_the_fix(
    account: Account, symbol: str, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(venue_checks, "KEY_PAUSE_S", 0)
    with pytest.raises(ExceptionGroup) as stopped:
        await start(account, symbol)
    refused = stopped.value.exceptions[0]
    assert isinstance(refused, Refused)
    assert refused.code == code
    assert refused.message


@pytest.mark.fault("G17")
@pytest.mark.req("S4-LIM-3", "I32")
@pytest.mark.parametrize(
    ("code", "environment", "words"),
    [
        (-2015, "demo", ("S4_BINANCE_KEY", "S4_TESTNET=true", "demo.binance.com", "S4_TESTNET=false")),
        (-2014, "live", ("S4_BINANCE_KEY", "S4_TESTNET=false", "binance.com", "S4_TESTNET=true")),
        (-1022, "demo", ("S4_BINANCE_SECRET",)),
        (401, "sim", ("S4_FUT_URL", "unset S4_BINANCE_KEY")),
    ],
)
def test_a_key_of_another_environment_is_named_with_its_fix(
    code: int, environment: str, words: tuple[str, ...]
) -> None:
    fault = venue_checks.key_fault(rejected(code), environment)

    assert fault is not None
    assert fault.field == ("S4_BINANCE_SECRET" if code == -1022 else "S4_BINANCE_KEY")
    assert all(word in fault.message for word in words), fault.message
    assert "\n" not in fault.message


def test_another_refusal_says_nothing_of_the_key() -> None:
    assert venue_checks.key_fault(rejected(-1121, "Invalid symbol."), "live") is None


@pytest.mark.req("S4-LIM-3", "I32")
@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"S4_TESTNET": "true", "S4_FUT_URL": "https://fapi.binance.com"}, ("S4_FUT_URL", "S4_TESTNET=false")),
        ({"S4_TESTNET": "false", "S4_FUT_URL": "https://demo-fapi.binance.com"}, ("S4_FUT_URL", "S4_TESTNET=true")),
        ({"S4_TESTNET": "false", "S4_FUT_WS_URL": "wss://demo-fstream.binance.com"}, ("S4_FUT_WS_URL",)),
        (
            {"S4_FUT_URL": "http://127.0.0.1:9020", "S4_FUT_WS_URL": "wss://fstream.binance.com"},
            ("S4_FUT_WS_URL", "simulator"),
        ),
    ],
)
def test_urls_of_two_environments_are_told_by_their_settings(asked: dict[str, str], words: tuple[str, ...]) -> None:
    with pytest.raises(SettingsFault) as stopped:
        hosts_of(load(asked))

    assert all(word in str(stopped.value) for word in words), str(stopped.value)


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


def test_a_router_loads_nothing_of_the_simulator_but_its_ready_key() -> None:
    code = (
        "import sys, chimera.services.router.main;"
        "print(*sorted(name for name in sys.modules if name.startswith('chimera.simulate')))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.split() == ["chimera.simulate", "chimera.simulate.ready_key"]
