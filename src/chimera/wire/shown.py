"""S4's HTTP answers as models: what OpenAPI shows of them.

``results`` builds the answers and ``answers`` writes their amounts as numbers; these models describe them and carry
none, since pydantic reads numbers as floats. An answer may carry more than its model names.
"""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from chimera.trading.intent import WorkingType
from chimera.trading.market import Side


class _Answer(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)


Signed = Annotated[Decimal, WithJsonSchema({"type": "number"})]
Unsigned = Annotated[Decimal, Field(ge=0), WithJsonSchema({"type": "number", "minimum": 0})]


class OrderStatus(StrEnum):
    """The statuses an answer shows; CLOSED, a state of ours, shows as FILLED."""

    NEW = "NEW"
    ACCEPTED = "ACCEPTED"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"


class FillShown(_Answer):
    fill_id: str
    order_id: str
    price: Unsigned
    qty: Unsigned
    size: Unsigned
    fee: Signed
    fee_asset: str
    mid_at_send: Unsigned | None = Field(
        None, description="middle of the touch when its order was sent; null: not known"
    )
    slip_bps: Signed | None = Field(
        None, description="(price - mid_at_send) / mid_at_send in bps, above 0 when adverse"
    )
    slippage_bps: Unsigned | None = Field(description="slip_bps where adverse, else 0; null: not known")
    timestamp: int


class LevelShown(_Answer):
    price: Unsigned
    qty: Unsigned


class TopShown(_Answer):
    """The three best levels of each side, the best first."""

    at_ms: int
    bids: list[LevelShown]
    asks: list[LevelShown]


class LegShown(_Answer):
    """A child order, or a stop or target of the position that the intent opened."""

    leg: Literal["MAKER", "TAKER", "STOP", "TARGET", "EXIT"]
    order_id: str | None
    client_order_id: str
    status: str
    side: Side
    qty: Unsigned
    filled_qty: Unsigned


class ChildShown(LegShown):
    """A child order, with the market as it was when it was sent."""

    mid_at_send: Unsigned | None = None
    book_top3: TopShown | None = Field(None, description="null: nobody showed the book then")


class OrderResult(_Answer):
    """The one answer about an order, at once or later."""

    result: Literal["OK", "FAIL"]
    status: OrderStatus
    in_doubt: bool
    order_id: str
    intent_id: str
    client_order_id: str
    order_ids: list[str]
    filled_qty: Unsigned
    avg_price: Unsigned | None = Field(None, description="of the trades told; null also where what filled was not told")
    filled_avg: Unsigned | None = None
    mid_at_send: Unsigned | None = Field(None, description="when the first child was sent")
    slip_bps: Signed | None = Field(None, description="of the mean price against `mid_at_send`, above 0 when adverse")
    slippage_bps: Unsigned | None = Field(None, description="slip_bps where adverse, else 0")
    fills: list[FillShown]
    legs: list[LegShown]
    children: list[ChildShown]
    reduce_only: bool
    working_type: WorkingType | None = None
    message: str | None = None
    code: str | None = None
    field: str | None = Field(None, description="of a refusal of ours: what of the request decides it")
    value: Unsigned | str | None = None
    accepted: str | None = Field(None, description="what would be taken instead")
    notes: list[str]


class ExpectedShown(_Answer):
    """Estimates against the book as it is now; costs in bps of the mid, above 0 when they cost; shares from 0 to 1."""

    mid: Unsigned
    fill_probability: Unsigned = Field(description="of the maker leg, by the plain model that `model` names")
    maker_share: Unsigned
    taker_share: Unsigned
    maker_bps: Signed
    taker_bps: Signed
    spread_bps: Signed
    slippage_bps: Signed
    fees_bps: Signed
    cost_bps: Signed
    avg_price: Unsigned
    model: str


class LimitShown(_Answer):
    limit: str
    used: Unsigned
    of: Unsigned


class PreviewResult(_Answer):
    """What would come of an intent; nothing was kept or sent."""

    would: Literal["ACCEPT", "REFUSE"]
    refusal: dict[str, object] | None = Field(None, description="as `POST /orders` would answer")
    qty: Unsigned
    plan: dict[str, object]
    why: list[str]
    notes: list[str]
    expected: ExpectedShown | None = None
    protection: dict[str, object] | None = Field(None, description="stop and target once all of it has filled")
    limits: list[LimitShown]


class CancelResponse(_Answer):
    order_id: str
    status: str
    message: str


class CloseResponse(_Answer):
    result: Literal["OK"]
    symbol: str
    status: Literal["CLOSING", "CLOSED", "FLAT"]
    position_qty: Signed = Field(description="base asset, signed; what was held when the close began")
    message: str
    in_doubt: bool = Field(description="the ledger has not taken it in time: ask again by the same close_id")
    close_id: str | None = None


class HealthResponse(_Answer):
    """S4's alone: ``environment`` (``sim``, ``demo`` or ``live``), whose money it trades, and ``account``."""

    status: str
    checks: dict[str, Any]
    build: str = Field(description="version and digest of the sources that run")
    environment: str | None = None
    account: str | None = Field(None, description="what S4 claims its Redis database by; null: not known yet")


class ErrorBody(BaseModel):
    """Every refusal."""

    result: Literal["FAIL"] = "FAIL"
    code: str
    message: str
    field: str | None = None
    value: Any = None
    accepted: str | None = None
