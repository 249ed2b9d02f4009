"""The aggregate of one position key: position, intents, child orders, protection, exit and outbox in one document.

This is the ledger's only atomic unit. It holds what is alive; a finished intent or order leaves it once its events are
published, and lives on as a row. It is changed by its owner alone, through ``execute.advance``.
"""

from chimera.trading.events import Event
from chimera.trading.execution import Exit, Working
from chimera.trading.ids import ClientOrderId, IntentId, PositionKey, TradeId
from chimera.trading.money import Millis
from chimera.trading.order import Order
from chimera.trading.position import Position
from chimera.trading.value import Value


class Holding(Value):
    """Everything its owner must remember across a crash."""

    key: PositionKey
    position: Position = Position()
    intents: dict[IntentId, Working] = {}
    orders: dict[ClientOrderId, Order] = {}
    exit: Exit | None = None
    root: ClientOrderId | None = None  # parent of this position's protective and exit ids; new with each opening
    child_no: int = 0  # last protective or exit child under ``root``
    seen_trades: dict[TradeId, Millis] = {}  # trades not older than the confirmed cursor, for de-duplication
    trades_confirmed_ms: Millis = Millis(0)  # every trade before this was pulled by query (never by stream)
    surveyed_ms: Millis = Millis(0)  # when the last survey was asked
    survey_asked_ms: Millis | None = None  # one is under way since
    strikes: int = 0  # surveys in a row whose position disagreed with ours
    event_seq: int = 0
    outbox: tuple[Event, ...] = ()
