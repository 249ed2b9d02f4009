"""S4's answers about the account as models, as ``shown`` has those about orders: what OpenAPI shows of them.

Positions, doubts, the kill switch, transfers, the cash ledger. They describe and carry none; an answer may have more.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from chimera.trading.cash import Account, Kind
from chimera.trading.form import Form
from chimera.trading.market import Market, Side
from chimera.trading.standstill import Scope
from chimera.trading.transfer import Stage, Wallet
from chimera.wire.shown import Signed, Unsigned


class _Answer(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)


# ── positions ──


class RestingShown(_Answer):
    """A stop or a target that rests at the venue."""

    client_order_id: str
    price: Unsigned
    qty: Unsigned
    rests: Literal["venue"]
    form: Form


class GuardShown(_Answer):
    """A price that S4 watches itself; it covers nothing."""

    kind: Literal["STOP", "TARGET"]
    price: Unsigned
    qty: Unsigned
    gauge: str
    armed_ms: int
    rests: Literal["chimera"]


class PositionShown(_Answer):
    symbol: str
    market: Market
    account_id: str
    position_side: str
    qty: Signed = Field(description="base asset, below 0 when short")
    entry_price: Unsigned | None
    mark_price: Unsigned | None
    unrealized_pnl: Signed
    realized_pnl: Signed
    fees: Signed
    closed_count: int
    stop: RestingShown | None
    target: RestingShown | None
    covered_qty: Unsigned
    coverage: Unsigned = Field(description="share of what is held that live stops cover, 0 to 1")
    unprotected_ms: int = Field(description="0 when covered")
    max_unprotected_ms: int
    guards: list[GuardShown]
    guarded_ms: int
    heard: bool = Field(description="whether the venue has been asked about it since this S4 took it over")
    exit: str | None = Field(description="why it is being closed; null: it is not")
    seq: int
    intents: list[str]
    strategy_ids: list[str]
    in_doubt: list[str]


class ExternalShown(_Answer):
    """An open order of the account that is not ours."""

    client_order_id: str
    symbol: str
    side: Side
    type: str | None
    status: str
    qty: Unsigned
    filled_qty: Unsigned
    price: Unsigned | None
    stop_price: Unsigned | None
    reduce_only: bool
    close_position: bool


class PositionsResponse(_Answer):
    positions: list[PositionShown]
    external: list[ExternalShown]


class SurveyResponse(_Answer):
    symbol: str
    market: Market
    heard: bool = Field(description="false: the venue did not answer in time; what follows is as it was")
    surveyed_ms: int | None = Field(description="when the newest survey that was answered was asked")
    position: PositionShown


class DoubtShown(_Answer):
    client_order_id: str
    intent_id: str | None
    market: Market
    symbol: str
    role: str
    about: Literal["OUTCOME", "CANCEL", "TRADES"]
    qty: Unsigned
    since_ms: int
    asks: int
    dead_after_ms: int | None = Field(description="by the venue's clock")
    notional_counted: Unsigned | None
    settles: str


class DoubtsResponse(_Answer):
    doubts: list[DoubtShown]


class ReadyResponse(_Answer):
    ready: bool


# ── the kill switch ──


class _Receipt(_Answer):
    """The signature is over the JSON of all fields but the last two."""

    account_id: str
    scope: Scope
    name: str
    by: str
    reason: str
    at_ms: int
    rev: int
    key_id: str = Field(description="the public key, base64")
    signature: str = Field(description="Ed25519, base64")


class KillReceipt(_Receipt):
    flatten: bool
    durable: bool = Field(description="on disk")
    verified: bool = Field(description="the venue shows nothing that should be gone")
    asked_ms: int
    remains: list[str]
    positions: dict[str, str] = Field(description="symbol to signed quantity, base asset")


class ArmReceipt(_Receipt):
    """Entries are taken again."""


class ArmWord(_Answer):
    """The first of two steps: nothing has changed."""

    scope: Scope
    name: str
    status: Literal["CONFIRM"]
    confirm: str
    message: str


class KillShown(_Answer):
    scope: Scope
    name: str
    by: str
    reason: str
    at_ms: int
    flatten: bool
    confirm: str = Field(description="the word that arms it again")


class KilledResponse(_Answer):
    killed: bool
    durable: bool
    rev: int
    kills: list[KillShown]


# ── money ──


class TransferShown(_Answer):
    transfer_id: str
    from_: Wallet = Field(alias="from")
    to: Wallet
    asset: str
    amount: Unsigned
    status: Stage
    why: str
    reason: str
    venue_transfer_id: str | None
    asked_ms: int
    ended_ms: int | None


class MovedShown(_Answer):
    asset: str
    amount: Unsigned


class TransfersResponse(_Answer):
    enabled: bool
    assets: list[str]
    ceiling: Unsigned
    day_ceiling: Unsigned
    floor: Unsigned
    moved_today: list[MovedShown]
    present: TransferShown | None
    ended: list[TransferShown]


class PostingShown(_Answer):
    account: Account
    asset: str
    amount: Signed
    strategy_id: str | None = None
    intent_id: str | None = None


class EntryShown(_Answer):
    """Its postings sum to zero per asset; what is empty is left out."""

    id: str
    kind: Kind
    account_id: str
    market: Market
    at_ms: int
    postings: list[PostingShown]
    symbol: str | None = None
    position: str = Field("", description="names an opening of the symbol, from flat to flat")
    of: str = Field("", description="the venue's word: the side of a trade, the type of a movement")
    venue_id: str = ""
    note: str = ""


class EntriesResponse(_Answer):
    entries: list[EntryShown]
    cursor: str | None = Field(description="null: there is no more")


class BalanceShown(_Answer):
    account_id: str
    market: Market
    account: Account
    asset: str
    amount: Signed


class BalancesResponse(_Answer):
    balances: list[BalanceShown]


class PnlLine(_Answer):
    """``day``, ``strategy`` or ``position`` names what it is about."""

    market: Market
    asset: str
    realized: Signed
    fees: Signed
    funding: Signed
    liquidation: Signed
    other: Signed
    net: Signed
    venue_realized: Signed
    trades: int
    first_ms: int
    last_ms: int


class PnlResponse(_Answer):
    by: Literal["day", "strategy", "position"]
    lines: list[PnlLine]
    cursor: str | None


# ── what operators change ──


class RouteRevision(_Answer):
    """Amounts of a table are strings of plain digits, as in its file."""

    table: dict[str, object] = Field(description="`{rev, rows, terms?}`, as in S4_ROUTE_TABLE_PATH")
    at_ms: int
    by: str
    why: list[str]


class RoutesProposed(_Answer):
    table: dict[str, object]
    of_rev: int = Field(description="in force when it was made; over another it is out of date")
    at_ms: int = Field(description="names it, for an approval")
    why: list[str]


class RoutesResponse(_Answer):
    rev: int = Field(description="in force by the file")
    planned_by: list[int] = Field(description="what plans go by; the same within five seconds")
    writable: bool = Field(description="false: the file is not S4's to write, nothing can be approved here")
    revisions: list[RouteRevision] = Field(description="the newest 50, newest first")
    proposed: RoutesProposed | None
    curves: str | None = Field(None, description="after a change: whether the curves that belong to it are published")


class BreakerChange(_Answer):
    at_ms: int
    state: Literal["CLOSED", "OPEN", "HALF_OPEN"]
    why: str


class BreakerShown(_Answer):
    market: Market
    state: Literal["CLOSED", "OPEN", "HALF_OPEN"]
    why: str
    next_try_in_ms: int | None
    history: list[BreakerChange]
