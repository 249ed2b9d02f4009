"""The account's own fee rates: read, kept, known after a restart, published to S3, which sizes with them."""

import asyncio
from decimal import Decimal
from typing import Any, cast

import pytest

from chimera.adapters.memory.ledger import MemoryLedger
from chimera.services.router.fee_book import USUAL_FEES, FeeBook
from chimera.trading.budget import MarketBudget
from chimera.trading.errors import StoreUnavailable
from chimera.trading.ids import Symbol
from chimera.trading.market import Market
from chimera.trading.money import Quote
from chimera.trading.venue import FeeRates
from support.grounds import a_ground

pytestmark = pytest.mark.req("LED-2")

BTC, ETH = Symbol("BTCUSDT"), Symbol("ETHUSDT")
OURS = FeeRates(maker=Decimal("0.00018"), taker=Decimal("0.00045"), discount_asset="BNB")


class Venue:
    def __init__(self, rates: FeeRates) -> None:
        self.rates = rates

    async def fee_rates(self, symbol: Symbol) -> FeeRates:
        return self.rates


class Away(MemoryLedger):
    async def get(self, *_: Any) -> Any:
        raise StoreUnavailable("away")

    async def put(self, *_: Any) -> None:
        raise StoreUnavailable("away")


def a_book(rows: Any, rates: FeeRates = OURS) -> FeeBook:
    return FeeBook(a_ground(), cast("Any", Venue(rates)), rows)


@pytest.mark.req("S4-SPOT-1")
def test_until_they_are_read_spot_pays_what_spot_usually_does() -> None:
    """Futures' half stood for them: an entry was taken of which the fee would leave too little to be protected."""
    book = FeeBook(a_ground()._replace(market=Market.SPOT), cast("Any", Venue(OURS)), cast("Any", MemoryLedger()))
    book.expect(BTC)
    assert (book.rates[BTC].maker, book.rates[BTC].taker) == (Decimal("0.001"), Decimal("0.001"))


@pytest.mark.parametrize("rates", [OURS, USUAL_FEES], ids=["its own", "the usual"])
def test_what_was_read_is_known_after_a_restart(rates: FeeRates) -> None:
    async def story() -> None:
        ledger = MemoryLedger()
        first = a_book(ledger, rates)
        first.expect(BTC)
        assert first.rates[BTC] == USUAL_FEES
        await first.read(BTC)
        assert first.rates[BTC] == rates
        second = a_book(ledger)
        second.expect(BTC)
        second.expect(ETH)
        await second.recall()
        assert second.rates == {BTC: rates, ETH: USUAL_FEES}
        assert len(await ledger.find("fee_rates")) == 1

    asyncio.run(story())


def test_a_ledger_that_is_away_holds_up_nothing_and_is_told_later() -> None:
    async def story() -> None:
        ledger = MemoryLedger()
        book = a_book(Away())
        book.expect(BTC)
        await book.recall()
        await book.read(BTC)
        assert book.rates[BTC] == OURS
        book._rows = ledger
        await book.read(BTC)
        assert len(await ledger.find("fee_rates")) == 1

    asyncio.run(story())


def test_what_was_read_of_the_venue_outranks_what_was_kept() -> None:
    async def story() -> None:
        ledger = MemoryLedger()
        former = a_book(ledger)
        await former.read(BTC)
        book = a_book(ledger, USUAL_FEES.but(taker=Decimal("0.0007")))
        book.expect(BTC)
        await book.read(BTC)
        await book.recall()
        assert book.rates[BTC].taker == Decimal("0.0007")

    asyncio.run(story())


def test_s3_sizes_with_the_symbols_own_rates_and_with_the_dearest_where_none_are_told() -> None:
    nothing = Quote(Decimal(0))
    share = MarketBudget(
        fees=USUAL_FEES, remaining_margin_usdt=nothing, remaining_notional_usdt=nothing, fees_of={BTC: OURS}
    )
    assert (share.fees_for(BTC), share.fees_for(ETH)) == (OURS, USUAL_FEES)
