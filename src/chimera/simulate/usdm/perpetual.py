"""One perpetual contract: a listing with mark and index price, funding, and the triggers waiting on it.

Also ``DEMO``, the instruments the twin knows by default.
"""

from collections import deque
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from chimera.simulate.usdm.algos import Algo
from chimera.simulate.usdm.brackets import brackets_of
from chimera.simulate.usdm.orders import FuturesOrder
from chimera.simulate.venue.listing import Listing
from chimera.simulate.venue.triggers import Triggers
from chimera.trading.ids import Symbol
from chimera.trading.instrument import Instrument
from chimera.trading.intent import WorkingType
from chimera.trading.market import Market, Side, next_funding_ms
from chimera.trading.money import ZERO, Price, Qty

_DEFAULT_FUNDING = Decimal("0.0001")
_STEP = Decimal("0.001")
SETTLEMENTS: Final = 1_000  # remembered, as many as may be asked for at once
LIQUIDATION_FEE: Final = Decimal("0.0125")  # of what a liquidation traded, as far as margin is left for it
TRIGGER_PROTECT: Final = Decimal("0.05")  # the most that last and mark price may differ for a price-protected trigger
_WORKING: Final = (WorkingType.CONTRACT_PRICE, WorkingType.MARK_PRICE)  # triggers are looked at in this order


@dataclass(slots=True, frozen=True)
class Settlement:
    """Funding as it was paid, whether anybody had to or not."""

    at_ms: int
    rate: Decimal
    mark: Decimal


class SymbolStatus(StrEnum):
    """Binance's contract status. Orders are taken and matched while TRADING; they can be canceled at any time."""

    PENDING_TRADING = "PENDING_TRADING"
    TRADING = "TRADING"
    PRE_DELIVERING = "PRE_DELIVERING"
    DELIVERING = "DELIVERING"
    DELIVERED = "DELIVERED"
    PRE_SETTLE = "PRE_SETTLE"
    SETTLING = "SETTLING"
    CLOSE = "CLOSE"
    TRADING_HALT = "TRADING_HALT"
    TRADING_CANCEL_ONLY = "TRADING_CANCEL_ONLY"


def _usdt_perpetual(base: str, *, tick: str, max_price: str, max_qty: str) -> Instrument:
    return Instrument(
        symbol=Symbol(f"{base}USDT"),
        market=Market.FUT,
        base=base,
        quote="USDT",
        tick=Decimal(tick),
        step=_STEP,
        min_price=Price(Decimal(tick)),
        max_price=Price(Decimal(max_price)),
        min_qty=Qty(_STEP),
        max_qty=Qty(Decimal(max_qty)),
        market_max_qty=Qty(Decimal(max_qty) / 10),
        min_notional=Decimal(5),  # quote asset; production has 50 on BTCUSDT, 20 on ETHUSDT
    )


DEMO = (
    _usdt_perpetual("BTC", tick="0.1", max_price="4529764", max_qty="1000"),
    _usdt_perpetual("ETH", tick="0.01", max_price="306177", max_qty="10000"),
)


class Perpetual(Listing[FuturesOrder]):
    """A perpetual contract on the venue."""

    def __init__(self, instrument: Instrument) -> None:
        super().__init__(instrument)
        self.triggers: dict[WorkingType, Triggers[Algo]] = {working: Triggers() for working in _WORKING}
        self.trailing: list[Algo] = []  # their triggers move, so they stand in no order
        self.status = SymbolStatus.TRADING if instrument.trading else SymbolStatus.TRADING_HALT
        self.mark: Decimal | None = None
        self.index: Decimal | None = None
        self.mark_given = False  # the source gives marks; until then the mid stands for it
        self.marked_ms = 0
        self.funding_rate = _DEFAULT_FUNDING
        self.next_funding_ms = 0
        self.funding_due_ms = 0  # the coming settlement; 0 before time was ever told
        self.settled: deque[Settlement] = deque(maxlen=SETTLEMENTS)
        self.brackets = brackets_of(instrument)

    def price(self, working: WorkingType) -> Decimal | None:
        """The price a trigger looks at; none while dark or halted, for there is nothing to trade on."""
        if self.dark or not self.takes_orders:
            return None
        return self.mark if working is WorkingType.MARK_PRICE else self.last

    @property
    def takes_orders(self) -> bool:
        """Cancels it takes in every state."""
        return self.status is SymbolStatus.TRADING

    @property
    def shielded(self) -> bool:
        """Last and mark price are further apart than a price-protected trigger may see."""
        if self.mark is None or self.last is None:
            return False
        return abs(self.last - self.mark) > self.mark * TRIGGER_PROTECT

    def go_dark(self) -> None:
        super().go_dark()
        self.mark_given = False

    def funding_at(self, now_ms: int) -> int:
        """The coming settlement: the source's, else the next whole eight hours."""
        return self.next_funding_ms if self.next_funding_ms > now_ms else next_funding_ms(now_ms)

    def band(self, side: Side) -> Decimal:
        """PERCENT_PRICE: the worst price an order of ``side`` may name or take; needs a mark."""
        mark = self.mark if self.mark is not None else ZERO
        return mark * (self.instrument.price_up if side is Side.BUY else self.instrument.price_down)
