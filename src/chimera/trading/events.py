"""What Chimera tells the world: the outbox of a holding, published at least once and in order, numbered for readers.

``wire.events`` says on which streams and in which collections each one lands.
"""

from decimal import Decimal
from enum import StrEnum

from chimera.trading.booking import Booking
from chimera.trading.execution import CloseName
from chimera.trading.fill import Fill
from chimera.trading.guard import Guard
from chimera.trading.ids import ClientOrderId, IntentId, StrategyId
from chimera.trading.liquidity import Book
from chimera.trading.market import Side
from chimera.trading.money import Millis, Price, Qty, Quote
from chimera.trading.order import Order
from chimera.trading.value import Value


class Severity(StrEnum):
    INFO = "INFO"
    WARN = "WARN"
    ERROR = "ERROR"
    FATAL = "FATAL"


class OrderChanged(Value):
    """A child order took a new status or filled."""

    order: Order
    strategy_id: StrategyId


class FillRecorded(Value):
    """A trade of ours, with what the market looked like when its order was sent."""

    fill: Fill
    intent_id: IntentId | None
    strategy_id: StrategyId
    mid_at_send: Price | None
    slippage_bps: Decimal | None  # signed, positive when adverse
    book_top3: Book | None = None  # three best levels of each side at that moment; None: not seen
    booking: Booking | None = None  # None: told by a version that kept no cash ledger


class IntentChanged(Value):
    """The parent order's row: the whole answer to whoever asks for it."""

    intent_id: IntentId
    client_order_id: ClientOrderId
    row: bytes  # JSON of the OrderResult at that moment
    done: bool


class ProtectionArmed(Value):
    """A stop or target is live on the venue."""

    ref: ClientOrderId
    kind: str  # "STOP" or "TARGET"
    side: Side
    qty: Qty
    trigger_price: Price
    position_qty: Decimal


class PairArmed(Value):
    """Both legs of an order list stand (spot)."""

    group: ClientOrderId
    stop_ref: ClientOrderId
    target_ref: ClientOrderId
    side: Side
    qty: Qty
    stop_price: Price
    limit_price: Price
    target_price: Price
    position_qty: Decimal


class PairResolved(Value):
    """One leg of an order list sold, the other is over; ``both`` sold only if the venue broke its own rule."""

    group: ClientOrderId
    filled_ref: ClientOrderId
    ended_ref: ClientOrderId
    filled_qty: Qty
    ended_as: str
    both: bool


class DustLeft(Value):
    """What could no longer be sold has left the books at what it cost; the coins are still in the wallet."""

    qty: Decimal
    cost: Quote
    position: str = ""  # the opening that it is left of
    base: str = ""
    quote: str = ""


class GuardChanged(Value):
    """S4 watches a price itself, or no longer. ``reason``: why it ended; empty while armed."""

    guard: Guard
    armed: bool
    reason: str = ""


class PositionChanged(Value):
    """After a fill or the venue's word, and as each UTC day begins with it open.

    Signed quantity, entry price, realised P&L before fees, fees paid; ``why``: CHANGE or DAY.
    """

    qty: Decimal
    entry_px: Price | None
    realized: Decimal
    fees: Decimal
    flat: bool
    why: str = "CHANGE"


class CancelRecorded(Value):
    """A cancel asked for by a caller or by policy, for the audit trail."""

    intent_id: IntentId
    reason: str
    escalate: bool


class CloseTaken(Value):
    """A close that its caller named. ``held``: signed position at that moment, base asset; ``qty`` None: all of it."""

    name: CloseName
    held: Decimal
    qty: Qty | None
    reason: str


class Alert(Value):
    """Somebody should know. ``code`` is stable; ``text`` carries the numbers; ``subject``: what it is about.

    ``lasts``: it stands until its end is told; ``since_ms``: when it began, where that was not just now.
    """

    severity: Severity
    code: str
    text: str
    subject: str = ""
    since_ms: Millis | None = None
    lasts: bool = False


Happening = (
    OrderChanged
    | FillRecorded
    | IntentChanged
    | ProtectionArmed
    | PairArmed
    | PairResolved
    | DustLeft
    | GuardChanged
    | PositionChanged
    | CancelRecorded
    | CloseTaken
    | Alert
)


class Event(Value):
    """One entry of the outbox; ``seq`` counts up per position key and makes the event's id."""

    seq: int
    at_ms: Millis
    body: Happening
