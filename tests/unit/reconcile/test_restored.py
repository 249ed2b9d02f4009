"""Ledger and venue after a restore: compared both ways, trade by trade, and by what is held."""

from decimal import Decimal
from typing import Any

import pytest

from chimera.reconcile import restored
from chimera.trading.fill import Fill
from chimera.trading.ids import ClientOrderId, TradeId
from chimera.trading.market import Market
from chimera.trading.money import Millis
from chimera.trading.venue import VenuePosition, VenueSnapshot
from support.desk import SYMBOL, T0, Desk, a_long, an_intent

pytestmark = pytest.mark.req("LED-4")

BACKUP_MS = Millis(T0 + 1_000)


def the_trade(desk: Desk, trade: str = "t9", qty: str = "0.01", ref: str = "s3-btc-i1-t1") -> Fill:
    order = next(iter(desk.holding.orders.values())).request.but(ref=ClientOrderId(ref))
    return desk.a_fill(order, qty, "65000.1", trade).but(at_ms=Millis(T0 + 2_000))


def row_of(trade: Fill, **changes: Any) -> dict[str, Any]:
    row = {"trade_id": trade.trade_id, "qty": str(trade.qty), "price": str(trade.price), "at_ms": trade.at_ms}
    return row | changes


def shown(desk: Desk, *trades: Fill, qty: str = "0.01") -> VenueSnapshot:
    held = VenuePosition(
        symbol=SYMBOL, qty=Decimal(qty), entry_px=None, mark_px=None, liquidation_px=None, updated_ms=desk.now
    )
    return VenueSnapshot(
        symbol=SYMBOL, asked_ms=desk.now, orders=(), position=held, trades=trades, trades_since_ms=BACKUP_MS
    )


def differs(desk: Desk, snapshot: VenueSnapshot, *rows: dict[str, Any]) -> str | None:
    recorded = {TradeId(row["trade_id"]): row for row in rows}
    return restored.disagreement(desk.holding, snapshot, recorded, rows, BACKUP_MS)


def test_they_agree_where_each_has_what_the_other_shows() -> None:
    desk = a_long("0.01")
    trade = the_trade(desk)
    assert differs(desk, shown(desk, trade), row_of(trade)) is None


def test_a_trade_that_the_ledger_lacks_or_has_otherwise() -> None:
    desk = a_long("0.01")
    trade = the_trade(desk)
    assert "t9 of s3-btc-i1-t1 is not in the ledger" in str(differs(desk, shown(desk, trade)))
    assert "t9 is 0.01 at" in str(differs(desk, shown(desk, trade), row_of(trade, qty="0.02")))


def test_a_trade_that_the_venue_does_not_show_is_of_another_account_or_was_inferred() -> None:
    desk = a_long("0.01")
    trade = the_trade(desk)
    guessed = row_of(trade, trade_id="inferred-1-0.01", at_ms=BACKUP_MS - 1)
    assert "the ledger has trade t9" in str(differs(desk, shown(desk), row_of(trade)))
    assert differs(desk, shown(desk, trade), row_of(trade), guessed) is None, "it was believed before the copy"
    late = guessed | {"at_ms": BACKUP_MS}
    assert "inferred-1" in str(differs(desk, shown(desk, trade), row_of(trade), late))


def test_a_position_that_no_trade_explains() -> None:
    desk = a_long("0.01")
    assert "the venue holds +0.01" in str(differs(desk, shown(desk, qty="0.02")))


def test_what_is_still_asked_for_is_no_difference_and_no_agreement() -> None:
    desk = Desk()
    assert restored.unheard(desk.holding) is None
    desk.submit(an_intent())
    assert "i1" in str(restored.unheard(desk.holding))


def test_the_newest_trade_before_the_copy_has_to_be_shown_too() -> None:
    rows = [{"trade_id": str(number), "at_ms": at_ms} for number, at_ms in enumerate((5, 7, 12))]
    assert restored.first_known_ms(rows, Millis(10)) == 7
    assert restored.first_known_ms([{"trade_id": "inferred-1", "at_ms": 7}], Millis(10)) == 10


def test_the_names_that_are_spent_and_the_trades_that_are_ours() -> None:
    desk = a_long("0.01")
    mine, his = the_trade(desk), the_trade(desk, ref="web_1")
    order = next(iter(desk.holding.orders.values())).request
    placed = [desk.word(order.but(ref=ClientOrderId(ref)), Any) for ref in ("a-t1", "a-m2", "web_1", "b-x1")]  # type: ignore[arg-type]  # any status
    assert restored.spent(placed) == ("a", "b")
    assert restored.ours((mine, his), Market.SPOT) == (mine,)
    assert restored.ours((mine, his), Market.FUT) == (mine, his)
