"""What the console reads of the others' answers and records, typed, so that a strange record is one error and no crash.

Unknown fields are let through: the writers are other processes and may be newer. Amounts are exact.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from chimera.trading.money import ZERO, Millis
from chimera.trading.value import Value
from chimera.wire.codec import SCHEMA_VERSION, check_version

R = TypeVar("R", bound=Value)


def position_name(symbol: str, market: str) -> str:
    """A symbol may be traded on both markets: futures go by it alone."""
    return symbol if market == "FUT" else f"{symbol}:{market}"


class Resting(Value, tag=False, forbid_unknown_fields=False):
    """A stop or target: its trigger price, its open quantity (base asset), and where it rests."""

    client_order_id: str
    price: Decimal
    qty: Decimal
    rests: str = "venue"


class PositionRow(Value, tag=False, forbid_unknown_fields=False):
    """One row of S4's ``GET /positions``; ``qty`` is signed, ``coverage`` a share, P&L quote asset before fees."""

    symbol: str
    qty: Decimal
    market: str = "FUT"
    entry_price: Decimal | None = None
    mark_price: Decimal | None = None
    unrealized_pnl: Decimal = Decimal(0)
    realized_pnl: Decimal = Decimal(0)
    fees: Decimal = Decimal(0)
    closed_count: int = 0
    stop: Resting | None = None
    target: Resting | None = None
    covered_qty: Decimal = Decimal(0)
    coverage: Decimal = Decimal(1)
    unprotected_ms: int = 0
    max_unprotected_ms: int = 0
    exit: str | None = None
    strategy_ids: tuple[str, ...] = ()
    in_doubt: tuple[str, ...] = ()
    seq: int = 0

    @property
    def name(self) -> str:
        return position_name(self.symbol, self.market)

    @property
    def is_open(self) -> bool:
        """Something is or may be held; coverage says so while the trades of a fill are still to come."""
        return bool(self.qty) or self.coverage < 1

    @property
    def bare(self) -> bool:
        return self.is_open and (self.coverage < 1 or self.unprotected_ms > 0)

    @property
    def net_pnl(self) -> Decimal:
        """Realised of the whole past less fees, quote asset."""
        return self.realized_pnl - self.fees


class Totals(Value, tag=False):
    """Of all positions, quote asset; ``net_pnl`` is realised less fees."""

    open_pnl: Decimal
    net_pnl: Decimal
    fees: Decimal
    closed: int


def totals(rows: Iterable[PositionRow]) -> Totals:
    held = tuple(rows)
    return Totals(
        open_pnl=sum((row.unrealized_pnl for row in held), ZERO),
        net_pnl=sum((row.net_pnl for row in held), ZERO),
        fees=sum((row.fees for row in held), ZERO),
        closed=sum(row.closed_count for row in held),
    )


class Check(Value, tag=False, forbid_unknown_fields=False):
    """One verdict of a decision; ``margin`` is + for room left and - for how far it failed."""

    code: str
    text: str = ""
    passed: bool = False
    name: str = ""
    value: Decimal | None = None
    limit: Decimal | None = None
    margin: Decimal | None = None


class ClauseSeen(Value, tag=False, forbid_unknown_fields=False):
    factor: str
    op: str
    value: Decimal
    holds: bool
    limits: tuple[Decimal, ...] = ()


class RuleSeen(Value, tag=False, forbid_unknown_fields=False):
    rule_id: str
    fired: bool
    action: str = ""
    clauses: tuple[ClauseSeen, ...] = ()


class Why(Value, tag=False, forbid_unknown_fields=False):
    gates: tuple[Check, ...] = ()
    rules: tuple[RuleSeen, ...] = ()


class DecisionRow(Value, tag=False, forbid_unknown_fields=False):
    """One row of S3's ``GET /decisions``: a ``signals`` document."""

    signal_id: str
    t0: Millis
    symbol: str
    decision: str  # open or skip
    reason: str = ""
    market: str = "FUT"
    reasons: tuple[Check, ...] = ()
    rules_fired: tuple[str, ...] = ()
    config_rev: int = 0
    delivery: str = "NONE"
    client_order_id: str | None = None
    intent_id: str | None = None
    explanation: Why = Why()

    @property
    def codes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(check.code for check in self.reasons))


class OrderRow(Value, tag=False, forbid_unknown_fields=False):
    """A child order on ``router:events``."""

    event_id: str
    client_order_id: str
    symbol: str
    role: str
    status: str
    side: str
    type: str
    qty: Decimal
    at_ms: Millis
    created_ms: Millis
    market: str = "FUT"
    strategy_id: str = ""
    intent_id: str | None = None
    filled_qty: Decimal = Decimal(0)
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    avg_price: Decimal | None = None
    refusal: str | None = None

    @property
    def seq(self) -> int:
        """Of the event, counted per position key: the order's newest word has the largest."""
        return int(self.event_id.rpartition(":")[2])

    @property
    def position(self) -> str:
        return position_name(self.symbol, self.market)


class FillRow(Value, tag=False, forbid_unknown_fields=False):
    """A fill on ``ord:{results}``; fee > 0 is paid, ``realized_pnl`` is the venue's, before fees."""

    trade_id: str
    ref: str
    symbol: str
    side: str
    price: Decimal
    qty: Decimal
    fee: Decimal
    fee_asset: str
    maker: bool
    at_ms: Millis
    market: str = "FUT"
    realized_pnl: Decimal = Decimal(0)
    slippage_bps: Decimal | None = None

    @property
    def position(self) -> str:
        return position_name(self.symbol, self.market)


class TicketMark(Value, tag=False, forbid_unknown_fields=False):
    """Who acknowledged or resolved an alert."""

    by: str
    at_ms: Millis
    note: str = ""


class TicketRow(Value, tag=False, forbid_unknown_fields=False):
    """An alert as it is kept; ``lasts``: its end will be told. ``runbook``: page and anchor, or empty."""

    id: str
    state: str
    severity: str
    code: str
    since_ms: Millis
    last_ms: Millis
    subject: str = ""
    service: str = ""
    text: str = ""
    count: int = 1
    lasts: bool = False
    runbook: str = ""
    acknowledged: TicketMark | None = None


class Moment(Value, tag=False, forbid_unknown_fields=False):
    """One line of an order's timeline."""

    at_ms: Millis
    what: str


class OrderFill(Value, tag=False, forbid_unknown_fields=False):
    """A fill of an order's answer; ``timestamp`` is the venue's clock, ``slip_bps`` above 0 when adverse."""

    fill_id: str
    client_order_id: str
    price: Decimal
    qty: Decimal
    fee: Decimal
    fee_asset: str
    maker: bool
    timestamp: Millis
    slip_bps: Decimal | None = None


class ChildSeen(Value, tag=False, forbid_unknown_fields=False):
    """A child order, or a stop or target of the position that the order opened."""

    leg: str
    client_order_id: str
    status: str
    side: str
    qty: Decimal
    type: str = ""
    order_id: str | None = None
    filled_qty: Decimal = ZERO
    price: Decimal | None = None
    stop_price: Decimal | None = None
    in_doubt: bool = False
    message: str | None = None
    mid_at_send: Decimal | None = None


class OrderSeen(Value, tag=False, forbid_unknown_fields=False):
    """S4's answer about one order."""

    client_order_id: str
    intent_id: str
    symbol: str
    side: str
    status: str
    qty: Decimal
    market: str = "FUT"
    strategy_id: str = ""
    kind: str = ""
    reduce_only: bool = False
    in_doubt: bool = False
    filled_qty: Decimal = ZERO
    avg_price: Decimal | None = None
    mid_at_send: Decimal | None = None
    slip_bps: Decimal | None = None
    trace_id: str | None = None
    message: str | None = None
    code: str | None = None
    fills: tuple[OrderFill, ...] = ()
    legs: tuple[ChildSeen, ...] = ()
    children: tuple[ChildSeen, ...] = ()
    notes: tuple[str, ...] = ()
    why: tuple[str, ...] = ()
    timeline: tuple[Moment, ...] = ()
    accepted_ms: Millis | None = None
    first_ack_ms: Millis | None = None
    done_ms: Millis | None = None


class DoubtRow(Value, tag=False, forbid_unknown_fields=False):
    """One row of S4's ``GET /doubts``."""

    client_order_id: str
    symbol: str
    role: str
    about: str
    qty: Decimal
    since_ms: Millis
    settles: str
    market: str = "FUT"
    intent_id: str | None = None
    asks: int = 0
    dead_after_ms: Millis | None = None
    notional_counted: Decimal | None = None

    @property
    def position(self) -> str:
        return position_name(self.symbol, self.market)


class ExternalRow(Value, tag=False, forbid_unknown_fields=False):
    """An open order on the account that is not ours."""

    client_order_id: str
    symbol: str
    side: str
    status: str
    qty: Decimal
    type: str | None = None
    filled_qty: Decimal = ZERO
    price: Decimal | None = None
    stop_price: Decimal | None = None


class KillRow(Value, tag=False, forbid_unknown_fields=False):
    """One kill in force."""

    scope: str
    name: str
    by: str
    reason: str
    at_ms: Millis
    flatten: bool = False

    @property
    def place(self) -> str:
        return f"{self.scope}:{self.name}" if self.name else self.scope


class TransferRow(Value, tag=False, forbid_unknown_fields=False):
    """Money between the wallets."""

    transfer_id: str
    asset: str
    amount: Decimal
    status: str
    asked_ms: Millis
    why: str = ""
    reason: str = ""
    ended_ms: Millis | None = None
    to: str = ""
    source: str = msgspec.field(name="from", default="")


def read_row(document: Mapping[str, Any], kind: type[R]) -> R:
    """Raises ``msgspec.ValidationError`` or ``NewerSchema``."""
    check_version(int(document.get("schema_version", SCHEMA_VERSION)))
    return msgspec.convert(dict(document), kind, strict=False)


def read_record(fields: Mapping[str, str], kind: type[R]) -> R:
    """A stream record, from its whole row in ``data`` where it has one, else from its flat fields."""
    data = fields.get("data")
    return read_row(msgspec.json.decode(data, type=dict[str, Any]) if data else fields, kind)
