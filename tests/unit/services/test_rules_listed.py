"""A symbol that is to be traded and is not listed: it pages, and is owned as soon as it is listed."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from chimera.services.router.ground import Ground
from chimera.services.router.rules import NOT_TRADING, Rules
from chimera.trading.instrument import Instrument
from support.desk import BTC

pytestmark = [pytest.mark.fault("B29"), pytest.mark.req("I12")]
ETH = BTC.but(symbol="ETHUSDT", base="ETH")


class Here:
    """Two symbols that are to be traded; owners, barriers and listing as a test sets them."""

    def __init__(self) -> None:
        self.listed: list[Instrument] = [BTC]
        self.owned: list[str] = []
        self.levels: dict[str, str | None] = {}
        self.ground = cast(
            "Ground",
            SimpleNamespace(
                symbols=(BTC.symbol, ETH.symbol), instruments={}, clock=SimpleNamespace(monotonic_ms=lambda: 0),
                owner_of=self.owner_of, barriers=SimpleNamespace(level=self.level),
            ),
        )  # fmt: skip
        self.rules = Rules(self.ground, cast("Any", self), self.take_over)

    def owner_of(self, symbol: str) -> Any:
        return SimpleNamespace(holding=SimpleNamespace(exposure=0)) if symbol in self.owned else None

    def level(self, code: str, why: str | None, *, symbol: str, severity: object) -> None:
        assert code == NOT_TRADING
        self.levels[symbol] = why

    async def instruments(self) -> list[Instrument]:
        return self.listed

    async def margin_steps(self) -> dict[Any, Any]:
        return {}

    async def take_over(self, symbol: str) -> None:
        if symbol not in self.owned:
            self.owned.append(symbol)


async def test_it_stands_before_itself_alone() -> None:
    here = Here()
    await here.rules.read()
    assert here.levels == {"BTCUSDT": None, "ETHUSDT": "the venue does not list ETHUSDT; the settings name it"}


async def test_a_dated_contract_stands_before_itself_where_the_settings_name_it() -> None:
    """One that they do not name may be held by hand, and is no fault of theirs."""
    here = Here()
    here.listed = [BTC, ETH.but(dated=True), BTC.but(symbol="BTCUSDT_261225", dated=True)]
    here.owned = ["BTCUSDT", "ETHUSDT", "BTCUSDT_261225"]
    await here.rules.read()

    why = "ETHUSDT is a dated contract: what is held there is protected, and only perpetual ones are entered"
    assert here.levels == {"BTCUSDT": None, "ETHUSDT": why, "BTCUSDT_261225": None}


@pytest.mark.req("S4-LIM-1")
async def test_what_is_not_paid_in_dollars_stands_before_itself() -> None:
    """A limit of 20,000 would let 20,000 bitcoin through."""
    here = Here()
    here.listed = [BTC, ETH.but(quote="BTC")]
    await here.rules.read()

    why = "ETHUSDT is paid in BTC, and limits are in dollars: what is held there is protected, and nothing enters"
    assert here.levels == {"BTCUSDT": None, "ETHUSDT": why}


async def test_it_is_looked_for_each_minute_and_owned_once_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    here, waits = Here(), []
    await here.rules.read()
    here.owned.append("BTCUSDT")

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            here.listed = [BTC, ETH]
        if len(waits) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("chimera.services.router.rules.asyncio.sleep", sleep)
    with pytest.raises(KeyboardInterrupt):
        await here.rules.daily()

    assert waits == [60.0, 60.0, 86_400.0]
    assert here.owned == ["BTCUSDT", "ETHUSDT"]
    assert here.levels["ETHUSDT"] is None
