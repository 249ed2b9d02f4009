"""How urgent an order is, and that none leaves after its moment."""

from decimal import Decimal

import pytest

from chimera.adapters.binance.placing import in_time, lane_of
from chimera.trading.errors import NotSent
from chimera.trading.ids import ClientOrderId, Symbol
from chimera.trading.market import Side
from chimera.trading.money import Millis, Price, Qty
from chimera.trading.order import NewOrder, OrderType, TimeInForce
from chimera.trading.rates import Lane

ENTRY = NewOrder(
    ref=ClientOrderId("a-p1"),
    symbol=Symbol("BTCUSDT"),
    side=Side.BUY,
    type=OrderType.LIMIT,
    qty=Qty(Decimal("0.01")),
    price=Price(Decimal(60_000)),
    time_in_force=TimeInForce.GTX,
)
EXIT = ENTRY.but(side=Side.SELL, reduce_only=True)


@pytest.mark.parametrize(
    ("order", "lane"),
    [
        (ENTRY, Lane.OPEN),
        (ENTRY.but(side=Side.SELL), Lane.OPEN),
        (ENTRY.but(type=OrderType.MARKET, price=None, time_in_force=None), Lane.OPEN),
        (EXIT, Lane.TARGET),
        (EXIT.but(type=OrderType.TAKE_PROFIT_MARKET, price=None, time_in_force=None), Lane.TARGET),
        (EXIT.but(type=OrderType.MARKET, price=None, time_in_force=None), Lane.CLOSE),
        (EXIT.but(time_in_force=TimeInForce.IOC), Lane.CLOSE),
        (EXIT.but(side=Side.BUY, time_in_force=TimeInForce.IOC), Lane.CLOSE),
        (EXIT.but(type=OrderType.STOP_MARKET, price=None, time_in_force=None), Lane.PROTECT),
        (EXIT.but(type=OrderType.STOP_LOSS_LIMIT, time_in_force=TimeInForce.GTC), Lane.PROTECT),
    ],
)
def test_what_gets_out_goes_before_what_gets_in(order: NewOrder, lane: Lane) -> None:
    assert lane_of(order) is lane


def test_what_is_too_late_is_kept_back_by_us() -> None:
    in_time(ENTRY, Millis(9))
    in_time(ENTRY.but(not_after_ms=Millis(5)), Millis(5))
    with pytest.raises(NotSent, match="LATE") as late:
        in_time(ENTRY.but(not_after_ms=Millis(5)), Millis(6))
    assert late.value.held
