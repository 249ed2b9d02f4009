"""What a strategy asks for: an order intent with its execution policy, stop, target and time limits.

An intent says *what* is wanted, never how it is going; ``execution.Working`` tells that. Every intent carries its
account, strategy and position side, and its body hash decides whether a repeated id is the same request.
"""

from decimal import Decimal
from enum import StrEnum

from chimera.trading.ids import (
    DEFAULT_ACCOUNT,
    DEFAULT_STRATEGY,
    VENUE,
    AccountId,
    ClientOrderId,
    IntentId,
    PositionKey,
    StrategyId,
    Symbol,
)
from chimera.trading.market import Market, Side
from chimera.trading.money import Millis, Price, Qty, Quote
from chimera.trading.routes import Shape
from chimera.trading.value import Value


class IntentKind(StrEnum):
    ENTRY = "ENTRY"  # may open or add
    EXIT = "EXIT"  # reduce-only
    PROTECT = "PROTECT"  # a stop on its own (S6 sends it)


class PositionSide(StrEnum):
    """Binance's word; BOTH is one-way mode."""

    BOTH = "BOTH"
    LONG = "LONG"
    SHORT = "SHORT"


class WorkingType(StrEnum):
    """Which price triggers a futures stop."""

    MARK_PRICE = "MARK_PRICE"
    CONTRACT_PRICE = "CONTRACT_PRICE"


class MarketNow(Value):
    """Take liquidity at once."""


class MakerThenTaker(Value):
    """Rest at the passive touch for ``wait_ms``, then take the rest; in ``slices`` parts, ``gap_ms`` apart.

    The route table decides whatever is None. ``slice_usdt`` sizes the parts and outranks their number.
    """

    wait_ms: int | None = None
    slices: int | None = None
    gap_ms: int | None = None
    slice_usdt: Quote | None = None
    shape: Shape | None = None


class OrderList(Value):
    """Spot: take at once, then stop and target as one order list for what was bought; done when that stands."""


class StopAlone(Value):
    """No order of its own: where the stop of the position belongs (``Intent.stop``), and nothing else."""


ExecPolicy = MarketNow | MakerThenTaker | OrderList | StopAlone


class StopSpec(Value):
    """A stop at ``price`` (quote per base), or at the default distance where ``price`` is None."""

    price: Price | None = None
    working_type: WorkingType | None = None


class TargetKind(StrEnum):
    PRICE = "price"  # value is the price
    NET_PROFIT_USDT = "net_profit_usdt"  # value is what must be left after both fees
    ATR = "atr"  # value is the distance from the entry: a multiple of a range, reckoned by whoever asked
    ROE = "roe"  # value is net profit over margin


class TargetSpec(Value):
    """A take-profit: what ``value`` means is ``kind``'s to say."""

    kind: TargetKind
    value: Decimal


class Intent(Value):
    """An order intent, checked for shape but not yet admitted. ``qty`` is base asset, > 0.

    Of a stop on its own (PROTECT) ``qty`` says nothing: it is for all of the position; 0 where none was named.
    """

    intent_id: IntentId
    client_order_id: ClientOrderId
    market: Market
    symbol: Symbol
    side: Side
    qty: Qty
    policy: ExecPolicy
    created_ms: Millis
    kind: IntentKind = IntentKind.ENTRY
    account_id: AccountId = DEFAULT_ACCOUNT
    strategy_id: StrategyId = DEFAULT_STRATEGY
    position_side: PositionSide = PositionSide.BOTH
    reduce_only: bool = False
    stop: StopSpec | None = None
    target: TargetSpec | None = None
    leverage: int = 20
    max_hold_s: int | None = None
    valid_until_ms: Millis | None = None  # past it, nothing that adds exposure is sent
    trace_id: str = ""

    @property
    def key(self) -> PositionKey:
        return PositionKey(venue=VENUE, account=self.account_id, market=self.market, symbol=self.symbol)
