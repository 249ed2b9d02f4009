"""What S4 tells beside the risk budget of what ended, so that S3 need not wait; and what is left where it is unsure."""

from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import pytest

from chimera.services.router.budget import ENDED_MOST, ENDED_MS, Budgeting
from chimera.trading.budget import MarketBudget
from chimera.trading.events import Event, IntentChanged
from chimera.trading.holding import Holding
from chimera.trading.ids import ClientOrderId, IntentId, Symbol
from chimera.trading.market import Market
from chimera.trading.money import Millis, Quote
from chimera.trading.venue import FeeRates, Funds
from chimera.wire.budget import read_budget
from support.grounds import a_ground

BTC = Symbol("BTCUSDT")
KEY = a_ground().key(BTC)


class Hand:
    ms = Millis(1_000)

    def now_ms(self) -> Millis:
        return self.ms

    monotonic_ms = now_ms


class Board:
    document = b""

    async def put(self, key: str, document: bytes, *, ttl_ms: int | None = None) -> None:
        self.document = document


def a_budget(hand: Hand, board: Board, *, gross_known: bool = True) -> Budgeting:
    usdt = Decimal(9)
    some: Any = SimpleNamespace(
        gross=lambda: Quote(usdt) if gross_known else None,
        each=lambda: (),
        notional_left=lambda *_: Quote(usdt),
        loss_today=lambda: Decimal(0),
        limits=SimpleNamespace(max_daily_loss=usdt),
        fees={BTC: FeeRates(maker=Decimal(0), taker=Decimal(0))},
        funds=Funds(wallet=Quote(usdt), available=Quote(usdt), at_ms=hand.ms),
        on=False,
    )
    owners = {KEY: SimpleNamespace(holding=Holding(key=KEY))}
    ground = a_ground(owners, clock=hand)
    return Budgeting(ground, cast("Any", board), some, some, some, some, {}, some)


def an_end(name: str, *, done: bool = True) -> Event:
    body = IntentChanged(intent_id=IntentId(name), client_order_id=ClientOrderId(name), row=b"{}", done=done)
    return Event(seq=1, at_ms=Millis(1), body=body)


async def told(budget: Budgeting, board: Board) -> MarketBudget:
    assert await budget.publish()
    return read_budget(board.document).markets[Market.FUT]


async def ended(budget: Budgeting, board: Board) -> tuple[IntentId, ...]:
    return (await told(budget, board)).ended


@pytest.mark.req("S3-L0-3")
async def test_what_ended_is_told_for_a_while_and_what_only_moved_is_not() -> None:
    hand, board = Hand(), Board()
    budget = a_budget(hand, board)
    budget.heard((an_end("moved", done=False), an_end("ended")))
    assert await ended(budget, board) == ("ended",)
    hand.ms = Millis(hand.ms + ENDED_MS)
    assert await ended(budget, board) == ("ended",)
    hand.ms = Millis(hand.ms + 1)
    assert await ended(budget, board) == ()


@pytest.mark.req("S3-L0-3", "I30")
async def test_of_many_the_newest_are_told() -> None:
    hand, board = Hand(), Board()
    budget = a_budget(hand, board)
    budget.heard(tuple(an_end(f"i-{number}") for number in range(ENDED_MOST + 1)))
    assert await ended(budget, board) == tuple(f"i-{number}" for number in range(1, ENDED_MOST + 1))


@pytest.mark.req("S3-L0-3", "I22")
async def test_while_nobody_knows_what_all_positions_come_to_nothing_is_left() -> None:
    hand, board = Hand(), Board()
    assert (await told(a_budget(hand, board), board)).remaining_notional_usdt == 9
    assert (await told(a_budget(hand, board, gross_known=False), board)).remaining_notional_usdt == 0
