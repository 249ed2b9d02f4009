"""What all positions of an account may come to: every symbol, every market, what is on its way included; or unknown."""

from decimal import Decimal as D
from types import SimpleNamespace
from typing import Any, cast

import pytest
from desk import KEY, Desk, a_long, an_intent

from chimera.services.router.exposing import Exposing
from chimera.trading.holding import Holding
from chimera.trading.ids import PositionKey, Symbol
from chimera.trading.market import Market, Side
from chimera.trading.money import Price
from support.grounds import a_ground

ETH = KEY.but(symbol=Symbol("ETHUSDT"))
ON_SPOT = KEY.but(market=Market.SPOT)
NEAR = Price(D(65_000))


class Account:
    """``btc`` and ``eth`` on futures, ``spot`` beside them; prices by symbol, the same on both markets."""

    def __init__(self, btc: Holding, eth: Holding, spot: Holding) -> None:
        self.prices: dict[Symbol, Price | None] = {KEY.symbol: NEAR, ETH.symbol: Price(D(2_000))}
        self.others: dict[tuple[Symbol, Side], D] = {}
        self.complete = True
        self.futures = self._market({KEY: btc, ETH: eth}, everywhere := {})
        self._market({ON_SPOT: spot}, everywhere)

    def _market(self, holdings: dict[PositionKey, Holding], everywhere: dict[Market, Exposing]) -> Exposing:
        owners = {key: SimpleNamespace(holding=holding) for key, holding in holdings.items()}
        ground = a_ground(owners)._replace(market=next(iter(holdings)).market)

        def of_others(symbol: Symbol, side: Side) -> D:
            return self.others.get((symbol, side), D(0)) if ground.market is Market.FUT else D(0)

        market = cast("Any", SimpleNamespace(worth=self.prices.get))
        return Exposing(ground, market, of_others, everywhere, lambda: self.complete)


def entering(qty: str) -> Holding:
    """An order of that much is in the holding, and has not left."""
    desk = Desk()
    desk.submit(an_intent(qty=qty))
    return desk.holding


@pytest.mark.req("I22", "S4-LIM-1")
def test_what_is_held_and_what_is_on_its_way_counts_whatever_the_symbol_and_the_market() -> None:
    account = Account(btc=a_long("0.01").holding, eth=entering("0.5"), spot=a_long("0.02").holding)

    assert account.futures.gross() == D(650) + D(1_000) + D(1_300)
    assert account.futures.gross(beside=KEY) == D(1_000) + D(1_300)
    exposure = account.futures.of(a_long("0.01").holding, NEAR)
    assert exposure is not None
    assert (exposure.worst_notional, exposure.elsewhere) == (D(650), D(2_300))


@pytest.mark.req("I22", "S4-REC-2")
def test_orders_of_others_count_where_nothing_of_ours_stands() -> None:
    account = Account(btc=a_long("0.01").holding, eth=Holding(key=ETH), spot=Holding(key=ON_SPOT))
    account.others[ETH.symbol, Side.SELL] = D("0.25")

    assert account.futures.gross(beside=KEY) == D(500)


@pytest.mark.req("I22")
def test_until_every_position_is_known_with_a_price_nothing_is_said_and_nothing_enters() -> None:
    account = Account(btc=Holding(key=KEY), eth=entering("0.5"), spot=Holding(key=ON_SPOT))
    account.complete = False
    assert account.futures.of(Holding(key=KEY), NEAR) is None

    account.complete = True
    account.prices[ETH.symbol] = None
    assert account.futures.of(Holding(key=KEY), NEAR) is None

    account.prices[ETH.symbol] = Price(D(2_000))
    assert account.futures.of(Holding(key=KEY), NEAR) is not None


@pytest.mark.req("I22")
def test_a_position_without_a_price_of_now_counts_at_its_entry() -> None:
    account = Account(btc=a_long("0.01").holding, eth=Holding(key=ETH), spot=Holding(key=ON_SPOT))
    account.prices[KEY.symbol] = None

    assert account.futures.gross() == D("0.01") * D("65000.1")
