"""The twin's own account of what happened, for an oracle that reads nothing else.

One flat record per happening, in the order it happened (``seq`` without gaps). From these alone one recomputes
positions, fills, fees, realised profit and which quantity live stops covered at any instant (``docs/wire.md``).
"""

from collections import deque
from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum
from typing import Any

from chimera.trading.value import Value


class Kind(StrEnum):
    """What happened."""

    OPEN_ACCOUNT = "open_account"  # an account exists, with wallet_after
    REQUEST = "request"  # a request reached the venue; what it caused follows, a refusal included
    ACCEPT = "accept"  # an order (order_id) or an algo order (algo_id) is live
    REFUSE = "refuse"  # a placement or cancel was refused; nothing happened
    FILL = "fill"  # one execution, with the position and wallet after it
    TRIGGER = "trigger"  # an algo order left the waiting list (its quantity now belongs to its child, or is refused)
    REJECT = "reject"  # the triggered algo's child was refused: the algo is dead without an order
    CANCEL = "cancel"
    EXPIRE = "expire"
    SHRINK = "shrink"  # a resting reduce-only order was cut to the position; qty is the new total
    FINISH = "finish"  # an algo order's child has ended
    FUNDING = "funding"  # a position paid (qty of asset below zero) or received funding
    INSURANCE = "insurance"  # its fund paid qty of asset for a loss beyond margin, or (below zero) took its fee
    LIQUIDATE = "liquidate"  # a position is closed by the venue at ``price`` or better; its order and fills follow
    SETTING = "setting"  # leverage or margin type of a symbol
    AMEND = "amend"  # an open order has other terms now: qty is the new total, on futures the price may be new too
    TRANSFER = "transfer"  # qty of asset came in, or went out below zero; wallet_after is its balance
    FAULT = "fault"  # an injected fault acted on a request or a frame
    RESTART = "restart"  # the venue carries on from what it kept; records after ``kept_seq`` and before it are void


ASKED = frozenset({Kind.REQUEST, Kind.REFUSE, Kind.FAULT})  # these alone change nothing an owner would miss


class AuditRecord(Value, tag=False):
    """One happening. Amounts of base asset: qty, position_after; of quote asset: prices, fee, pnl, wallet_after."""

    seq: int
    at_us: int
    kind: Kind
    market: str = ""  # SPOT; empty for futures
    account: str = ""
    symbol: str = ""
    client_order_id: str = ""
    order_id: int | None = None
    algo_id: int | None = None
    list_id: int | None = None
    asset: str = ""
    side: str = ""
    position_side: str = ""  # LONG or SHORT in hedge mode
    type: str = ""
    time_in_force: str = ""
    price: Decimal | None = None
    qty: Decimal | None = None
    reduce_only: bool = False
    close_position: bool = False
    trigger_price: Decimal | None = None
    working_type: str = ""
    status: str = ""
    code: int = 0
    reason: str = ""
    method: str = ""
    path: str = ""
    trade_id: int | None = None
    maker: bool | None = None
    cum_qty: Decimal | None = None
    fee: Decimal | None = None
    fee_asset: str = ""
    realized_pnl: Decimal | None = None
    position_after: Decimal | None = None
    entry_price: Decimal | None = None
    wallet_after: Decimal | None = None
    kept_seq: int | None = None


class Audit:
    """Appends records. ``keep`` bounds what stays in memory (``None``: all); ``sink`` sees every record at once.

    ``seq`` is the last number given; ``deeds`` counts what changed something: records, and ``stir``.
    """

    def __init__(self, keep: int | None = None, sink: Callable[[AuditRecord], None] | None = None) -> None:
        self.records: list[AuditRecord] | deque[AuditRecord] = [] if keep is None else deque(maxlen=keep)
        self._sink = sink
        self.seq = 0
        self.deeds = 0

    def stir(self) -> None:
        """Something that an owner would miss changed by the market alone, as a trailing stop's best price does."""
        self.deeds += 1

    def add(self, kind: Kind, now_ms: int, **fields: Any) -> None:
        """Write one record at ``now_ms``."""
        self.seq += 1
        self.deeds += kind not in ASKED
        record = AuditRecord(seq=self.seq, at_us=now_ms * 1000, kind=kind, **fields)
        self.records.append(record)
        if self._sink is not None:
            self._sink(record)
