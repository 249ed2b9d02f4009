"""One spot pair: a listing with its status, the filters an ``Instrument`` does not have, average price and triggers.

Also the instruments the twin knows by default. Where a filter's value differs by pair on Binance, ``PairRules`` has
BTCUSDT's as last seen; the values an ``Instrument`` has (tick, steps, minimum notional) are always its own.
"""

from collections import deque
from decimal import Decimal
from enum import StrEnum
from typing import Final

from chimera.simulate.spot.orders import SpotOrder
from chimera.simulate.venue.listing import Listing
from chimera.simulate.venue.triggers import Triggers
from chimera.trading.ids import Symbol
from chimera.trading.instrument import Instrument
from chimera.trading.market import Market, Side
from chimera.trading.money import MINUTE_MS, ZERO, Price, Qty
from chimera.trading.value import Value

PRECISION: Final = 8  # decimal places of every asset, price and quantity on the wire
_BUCKET_MS = 1_000


class PairStatus(StrEnum):
    """Symbol status."""

    TRADING = "TRADING"
    END_OF_DAY = "END_OF_DAY"
    HALT = "HALT"
    BREAK = "BREAK"
    CANCEL_ONLY = "CANCEL_ONLY"


class PairRules(Value):
    """Filters beside those of the instrument; ``None`` where the pair does not have one. Counts are per account."""

    bid_up: Decimal = Decimal(5)  # PERCENT_PRICE_BY_SIDE, of the average price
    bid_down: Decimal = Decimal("0.2")
    ask_up: Decimal = Decimal(5)
    ask_down: Decimal = Decimal("0.2")
    avg_price_mins: int = 5
    max_notional: Decimal = Decimal(9_000_000)  # quote asset
    min_to_market: bool = True
    max_to_market: bool = False
    iceberg_parts: int = 100
    min_trailing_above: int = 10  # basis points
    max_trailing_above: int = 2_000
    min_trailing_below: int = 10
    max_trailing_below: int = 2_000
    max_orders: int = 200
    max_algo_orders: int = 5
    max_iceberg_orders: int | None = None
    max_order_lists: int = 20
    max_order_amends: int = 10
    max_position: Decimal | None = None  # base asset


def _spot(base: str, *, tick: str, step: str, max_price: str, max_qty: str, market_max_qty: str) -> Instrument:
    return Instrument(
        symbol=Symbol(f"{base}USDT"),
        market=Market.SPOT,
        base=base,
        quote="USDT",
        tick=Decimal(tick),
        step=Decimal(step),
        min_price=Price(Decimal(tick)),
        max_price=Price(Decimal(max_price)),
        min_qty=Qty(Decimal(step)),
        max_qty=Qty(Decimal(max_qty)),
        market_max_qty=Qty(Decimal(market_max_qty)),
        min_notional=Decimal(5),
    )


SPOT_DEMO = (
    _spot("BTC", tick="0.01", step="0.00001", max_price="1000000", max_qty="9000", market_max_qty="100"),
    _spot("ETH", tick="0.01", step="0.0001", max_price="1000000", max_qty="9000", market_max_qty="2000"),
    _spot("BNB", tick="0.01", step="0.001", max_price="100000", max_qty="900000", market_max_qty="8000"),
)


class Pair(Listing[SpotOrder]):
    """A pair on the venue."""

    def __init__(self, instrument: Instrument, rules: PairRules | None = None) -> None:
        super().__init__(instrument)
        self.rules = rules if rules is not None else PairRules()
        self.status = PairStatus.TRADING
        self.triggers: Triggers[SpotOrder] = Triggers()
        self.trailing: dict[int, SpotOrder] = {}  # those that trail now, by order id
        self.prevented_id = 0
        self._prints: deque[tuple[int, Decimal, Decimal]] = deque()  # second, quote, base; oldest first
        self._quote = self._base = ZERO

    def go_dark(self) -> None:
        super().go_dark()
        self._prints.clear()
        self._quote = self._base = ZERO

    @property
    def base(self) -> str:
        return self.instrument.base

    @property
    def quote(self) -> str:
        return self.instrument.quote

    @property
    def is_trading(self) -> bool:
        """Orders are taken and match."""
        return self.status is PairStatus.TRADING

    @property
    def may_cancel(self) -> bool:
        """Orders can be canceled. That HALT allows it and BREAK does not is an assumption."""
        return self.status is not PairStatus.BREAK

    def pays(self, side: Side) -> str:
        """The asset an order of ``side`` gives."""
        return self.quote if side is Side.BUY else self.base

    def gets(self, side: Side) -> str:
        """The asset an order of ``side`` receives."""
        return self.base if side is Side.BUY else self.quote

    @property
    def trigger_price(self) -> Decimal | None:
        """The price conditions look at: the last trade's; none while dark."""
        return None if self.dark else self.last

    def printed(self, price: Decimal, qty: Decimal, now_ms: int) -> None:
        """A trade, for the average price."""
        second = now_ms // _BUCKET_MS
        quote = price * qty
        if self._prints and self._prints[-1][0] == second:
            _, held_quote, held_base = self._prints.pop()
            self._prints.append((second, held_quote + quote, held_base + qty))
        else:
            self._prints.append((second, quote, qty))
        self._quote += quote
        self._base += qty
        self._forget(now_ms)

    def _forget(self, now_ms: int) -> None:
        oldest = (now_ms - self.rules.avg_price_mins * MINUTE_MS) // _BUCKET_MS
        while self._prints and self._prints[0][0] < oldest:
            _, quote, base = self._prints.popleft()
            self._quote -= quote
            self._base -= base

    def average(self, now_ms: int) -> Decimal | None:
        """What filters measure by: volume-weighted over ``avg_price_mins``, the last price without trades in them."""
        self._forget(now_ms)
        return self._quote / self._base if self._base else self.last

    def p(self, price: Decimal) -> str:
        return f"{price:.{PRECISION}f}"

    def q(self, qty: Decimal) -> str:
        return f"{qty:.{PRECISION}f}"

    def worth(self, amount: Decimal) -> str:
        return f"{amount:.{PRECISION}f}"
