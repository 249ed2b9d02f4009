"""How many new orders a second the futures market takes, from NewOrder to the report, as objects: no JSON, no HTTP.

Each order passes filters, duplicates, margin, matching, audit and a reporter that drops what it hears. Every tenth
order fills at once, against a book of twenty levels a side; each of the others is canceled after ``RESTING`` further
orders, so that about half of all commands are cancels and the queues are as full as a busy account's. Only new orders
are counted. Requirement TW-5: at least 15,000 a second.

Run: ``python tests/bench/bench_twin.py [SECONDS]``. Prints, asserts nothing; ``orders_per_second`` is for the proof.
"""

import gc
import sys
from collections import deque
from decimal import Decimal
from time import process_time
from typing import Any, Final

from chimera.simulate.usdm.accounts import Account
from chimera.simulate.usdm.admission import Ticket
from chimera.simulate.usdm.exchange import FuturesExchange
from chimera.simulate.usdm.orders import FuturesOrder, OrderType
from chimera.simulate.usdm.perpetual import DEMO, Perpetual
from chimera.simulate.venue.account_spec import AccountSpec
from chimera.simulate.venue.audit import Audit
from chimera.simulate.venue.orders import Tif
from chimera.trading.market import DepthChanged, Level, Marked, Side
from chimera.trading.money import Millis, Price, Qty

NEEDED: Final = 15_000
RESTING: Final = 100
_ROUND: Final = 2_000  # orders between two looks at the clock
_BID, _ASK, _TICK = Decimal("65799.9"), Decimal("65800.0"), Decimal("0.1")
_LEVELS: Final = 20
_QTY: Final = Decimal("0.010")


class Nobody:
    """Hears every report and keeps none."""

    def order(self, *told: Any) -> None: ...
    def algo(self, *told: Any) -> None: ...
    def printed(self, *told: Any) -> None: ...
    def account(self, *told: Any) -> None: ...
    def margin_call(self, *told: Any) -> None: ...


class Bench:
    """A market and an account on it, and what rests there."""

    def __init__(self) -> None:
        self.exchange = FuturesExchange(DEMO, 0, Audit(keep=10_000), Nobody())
        self.account = _rich(self.exchange)
        self.listing: Perpetual = self.exchange.floor.listings["BTCUSDT"]
        self.resting: deque[FuturesOrder] = deque()
        self.placed = self.canceled = self.filled = 0
        self._prices = {side: self._ladder(side) for side in Side}
        self._quote()

    def _ladder(self, side: Side) -> list[Decimal]:
        """Prices that rest, best first."""
        best = _BID if side is Side.BUY else _ASK
        return [best - _TICK * step * side.sign for step in range(50)]

    def _quote(self) -> None:
        self.exchange.floor.now_ms = 1_763_635_200_000
        bids, asks = (
            tuple(Level(price=Price(price), qty=Qty(Decimal(1_000_000))) for price in self._prices[side][:_LEVELS])
            for side in (Side.BUY, Side.SELL)
        )
        symbol, ask = self.listing.instrument.symbol, Price(_ASK)
        self.exchange.market(DepthChanged(symbol=symbol, at_us=0, bids=bids, asks=asks, snapshot=True))
        self.exchange.market(
            Marked(symbol=symbol, at_us=0, mark=ask, index=ask, funding_rate=Decimal(0), next_funding_ms=Millis(0))
        )

    def round(self) -> None:
        """``_ROUND`` new orders."""
        exchange, account, listing = self.exchange, self.account, self.listing
        for _ in range(_ROUND):
            number = self.placed
            side = Side.BUY if number % 4 < 2 else Side.SELL
            takes = number % 10 == 0
            price = self._prices[side.opposite][0] if takes else self._prices[side][number % 50]
            order = exchange.place(
                Ticket(account, listing, side, OrderType.LIMIT, Tif.GTC, price, _QTY, False, f"b{number}")
            )
            self.placed += 1
            if not order.is_open:
                self.filled += 1
                continue
            self.resting.append(order)
            if len(self.resting) > RESTING:
                exchange.cancel(self.resting.popleft())
                self.canceled += 1


def _rich(exchange: FuturesExchange) -> Account:
    spec = AccountSpec(name="bench", api_key="bench-key", secret="a market in memory", balance=Decimal(10**9))
    return exchange.floor.admit(spec)


def orders_per_second(seconds: float) -> float:
    """New orders a second of processor time, measured for about ``seconds`` of it: other processes do not count."""
    bench = Bench()
    bench.round()  # warm
    begun, before = process_time(), bench.placed
    while (spent := process_time() - begun) < seconds:
        bench.round()
        forget(bench.exchange)
    return (bench.placed - before) / spent


def forget(exchange: FuturesExchange) -> None:
    """Drop what ended, as a long run would want; the market keeps every order for its queries."""
    orders = exchange.floor.orders
    if len(orders.ended) > 50_000:
        for order in orders.ended:
            orders.by_id.pop(order.order_id)
            orders.newest.pop((order.account.name, order.listing.symbol, order.client_id), None)
        orders.ended.clear()


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 3.0
    gc.freeze()
    found = orders_per_second(seconds)
    print(f"{found:,.0f} new orders a second, {NEEDED:,} needed")


if __name__ == "__main__":
    main()
