"""The cash ledger's window: pages that follow each other, filters, and profit and loss that adds up over pages."""

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from chimera.adapters.memory.ledger import MemoryLedger
from chimera.reconcile.cash import of_fill, of_income
from chimera.services.router import cash_desk
from chimera.services.router.bookkeeping import Bookkeeping
from chimera.services.router.cash_book import CashBook
from chimera.services.router.cash_desk import CashDesk
from chimera.trading.booking import Booking, Effect, Share
from chimera.trading.cash import Account, Entry
from chimera.trading.events import Alert, FillRecorded
from chimera.trading.fill import Fill
from chimera.trading.ids import DEFAULT_ACCOUNT, ClientOrderId, IntentId, StrategyId, Symbol, TradeId, VenueOrderId
from chimera.trading.market import Market, Side
from chimera.trading.money import Millis, Price, Qty, Quote
from chimera.trading.venue import Funds, Income
from chimera.wire import keys
from chimera.wire.cash import CashAsk, entry_document, pnl_ask
from chimera.wire.paging import FOREVER
from support.grounds import a_ground

pytestmark = pytest.mark.req("LED-1", "LED-2")

T0 = 1_795_000_000_000
BTC = Symbol("BTCUSDT")
ALL = CashAsk(since_ms=Millis(0), until_ms=FOREVER)


def trade(number: int, side: Side, realized: str = "0", market: Market = Market.FUT) -> Entry:
    fill = Fill(
        trade_id=TradeId(str(number)), ref=ClientOrderId("a-t1"), venue_id=VenueOrderId("1"), market=market, symbol=BTC,
        side=side, price=Price(Decimal(100)), qty=Qty(Decimal(1)), fee=Decimal("0.1"), fee_asset="USDT",
        realized_pnl=Quote(Decimal(realized)), maker=False, at_ms=Millis(T0 + number),
    )  # fmt: skip
    effect = Effect(
        intent_id=IntentId("i"), strategy_id=StrategyId("s"), qty=Decimal(side.sign), realized=Quote(Decimal(realized))
    )
    held = (Share(strategy_id=StrategyId("s"), qty=Decimal(1)),) if side is Side.BUY else ()
    booking = Booking(position="p1", base="BTC", quote="USDT", effects=(effect,), held=held)
    told = FillRecorded(
        fill=fill, intent_id=None, strategy_id=StrategyId("s"), mid_at_send=None, slippage_bps=None, booking=booking
    )
    return of_fill(DEFAULT_ACCOUNT, told)


def moved(number: int, kind: str, amount: str, symbol: Symbol | None = None) -> Entry:
    row = Income(
        id=f"{kind}:{number}", kind=kind, amount=Decimal(amount), asset="USDT", at_ms=Millis(T0 + number), symbol=symbol
    )
    return of_income(DEFAULT_ACCOUNT, Market.FUT, row)


STORY = (
    trade(1, Side.BUY),
    moved(2, "FUNDING_FEE", "-0.25", BTC),
    moved(2, "TRANSFER", "50"),
    moved(3, "FUNDING_FEE", "-0.5", BTC),
    trade(4, Side.SELL, "3"),
    moved(5, "INSURANCE_CLEAR", "-0.125", BTC),
)


async def a_desk(entries: Sequence[Entry] = STORY) -> CashDesk:
    ledger = MemoryLedger()
    for entry in reversed(entries):
        assert await ledger.insert(keys.CASH, entry.id, entry_document(entry))
    book = CashBook(a_ground(), ledger, "USDT")
    await book.load()
    return CashDesk(ledger, (book,))


async def every_page(desk: CashDesk, ask: CashAsk) -> tuple[list[Entry], int]:
    found: list[Entry] = []
    for pages in range(1, 50):
        page, cursor = await desk.entries(ask)
        found += page
        if cursor is None:
            return found, pages
        at_ms, number = cursor.split(".")
        ask = ask.but(since_ms=Millis(int(at_ms)), after=int(number))
    raise AssertionError("no end")


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_pages_follow_each_other_in_time_and_none_is_missing(limit: int) -> None:
    async def story() -> None:
        desk = await a_desk()
        found, pages = await every_page(desk, ALL.but(limit=limit))
        assert {entry.id for entry in found} == {entry.id for entry in STORY}
        assert [entry.at_ms for entry in found] == [entry.at_ms for entry in STORY]
        assert len(found) == len(STORY)
        assert pages == (1 if limit == 100 else len(STORY) // limit + 1)

    asyncio.run(story())


def test_only_what_was_asked_for() -> None:
    async def story() -> None:
        desk = await a_desk()
        funding, _ = await desk.entries(ALL.but(account=Account.FUNDING))
        assert [entry.of for entry in funding] == ["FUNDING_FEE", "FUNDING_FEE"]
        some, _ = await desk.entries(ALL.but(since_ms=Millis(T0 + 2), until_ms=Millis(T0 + 4)))
        assert len(some) == 3
        assert await desk.entries(ALL.but(asset="BNB")) == ([], None)

    asyncio.run(story())


def test_an_answer_reads_no_more_than_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cash_desk, "MOST_READ", 2)

    async def story() -> None:
        desk = await a_desk()
        nothing, cursor = await desk.entries(ALL.but(asset="BNB"))
        assert (nothing, cursor is None) == ([], False)
        assert await every_page(desk, ALL.but(asset="BNB")) == ([], 4)

    asyncio.run(story())


@pytest.mark.parametrize("by", ["day", "strategy", "position"])
@pytest.mark.parametrize("most", [1, 2, 10_000])
def test_profit_and_loss_adds_up_over_pages(monkeypatch: pytest.MonkeyPatch, by: str, most: int) -> None:
    monkeypatch.setattr(cash_desk, "MOST_READ", most)
    monkeypatch.setattr(cash_desk, "PAGE", most)

    async def story() -> None:
        desk, ask, net, keys_seen = await a_desk(), ALL, Decimal(0), set[object]()
        while True:
            lines, cursor = await desk.pnl(by, ask)
            net += sum(Decimal(str(line["net"])) for line in lines)
            keys_seen |= {line[by] for line in lines}
            if cursor is None:
                break
            ask = pnl_ask({"cursor": cursor}, Millis(T0), ["day"])[1]
        assert net == Decimal("3") - Decimal("0.2") - Decimal("0.75") - Decimal("0.125")
        assert keys_seen == {{"day": "2026-11-18", "strategy": "s", "position": "p1"}[by]}

    asyncio.run(story())


def test_balances_are_those_of_all_symbols() -> None:
    async def story() -> None:
        told: dict[Any, Any] = {
            (row["account"], row["asset"]): row["amount"] for row in await (await a_desk()).balances()
        }
        assert told["wallet", "USDT"] == "49.125"
        assert told["funding", "USDT"] == "0.75"
        assert told["trades", "USDT"] == "2.8"

    asyncio.run(story())


def test_spots_wallet_is_its_owners_too_and_is_not_compared() -> None:
    class Venue:
        async def funds(self) -> Funds:
            raise AssertionError("nobody asks")

        async def income(self, since_ms: Millis, *, kind: str | None = None) -> tuple[Income, ...]:
            return ()

    async def story() -> None:
        alerts: list[Alert] = []
        venue: Any = Venue()
        books = Bookkeeping(a_ground(tell=alerts.append)._replace(market=Market.SPOT), venue, MemoryLedger())
        for _ in range(5):
            await books._look()
        assert alerts == []

    asyncio.run(story())
