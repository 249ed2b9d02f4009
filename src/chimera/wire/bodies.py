"""S4's HTTP bodies as models: the shape that is checked is the shape that OpenAPI shows.

Only shape lives here: names, kinds, bounds that hold for every market. What the fields mean together, aliases and the
symbol's own rules are ``requests``'s; what is answered is ``shown``. Amounts arrive as ``request_json.Number`` or
a string and become exact decimals; every model refuses names that it does not know.
"""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, RootModel, StrictBool, WithJsonSchema
from pydantic_core import PydanticCustomError

from chimera.trading import ids
from chimera.trading.intent import IntentKind, PositionSide, TargetKind, WorkingType
from chimera.trading.market import Market, Side
from chimera.trading.routes import Shape
from chimera.trading.standstill import Scope
from chimera.trading.transfer import Route
from chimera.wire import request_json

ID_PATTERN = r"^[A-Za-z0-9_.:@~-]{1,128}$"
CLIENT_ID_PATTERN = f"^{ids.CLIENT_ID_PATTERN.pattern}$"
_PLAIN = r"^[0-9]+(\.[0-9]+)?$"
_LONG_MS = 3_600_000


def _amount(given: object) -> Decimal:
    try:
        value = request_json.amount(given)
    except ValueError as wrong:
        raise PydanticCustomError("malformed", "{why}", {"why": str(wrong)}) from wrong
    if value <= 0:
        raise PydanticCustomError("out_of_range", "must be greater than 0")
    return value


def _whole(given: object) -> int:
    try:
        return request_json.whole(given)
    except ValueError as wrong:
        raise PydanticCustomError("malformed", "{why}", {"why": str(wrong)}) from wrong


def _words(given: object) -> str:
    try:
        return request_json.words(given)
    except ValueError as wrong:
        raise PydanticCustomError("malformed", "{why}", {"why": str(wrong)}) from wrong


def _name(given: object) -> str:
    return _words(given).strip().upper().replace(" ", "_").replace("-", "_")


Amount = Annotated[
    Decimal,
    BeforeValidator(_amount),
    WithJsonSchema({"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string", "pattern": _PLAIN}]}),
]
Whole = BeforeValidator(_whole)
Words = Annotated[str, BeforeValidator(_words)]
Id = Annotated[str, Field(pattern=ID_PATTERN), BeforeValidator(_words)]  # constraints first: OpenAPI shows them


class CancelReason(StrEnum):
    """Why a caller cancels; case, spaces and hyphens do not matter."""

    UNSPECIFIED = "UNSPECIFIED"
    USER_REQUEST = "USER_REQUEST"
    STRATEGY_EXIT = "STRATEGY_EXIT"
    RISK_MANAGEMENT = "RISK_MANAGEMENT"
    RECONCILIATION = "RECONCILIATION"
    STALE_ORDER = "STALE_ORDER"
    ORPHAN = "ORPHAN"
    TIMEOUT = "TIMEOUT"
    REPLACE = "REPLACE"
    KILL_SWITCH = "KILL_SWITCH"
    EMERGENCY = "EMERGENCY"
    OTHER = "OTHER"


class Escalate(StrEnum):
    """What to do with the position that a cancelled order leaves."""

    NONE = "NONE"
    MARKET = "MARKET"


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Twap(_Asked):
    """Slices of the whole quantity, ``gap_ms`` apart: so many, or of a size."""

    slices: Annotated[int, Field(ge=1, le=1000), Whole] | None = None
    gap_ms: Annotated[int, Field(ge=0, le=_LONG_MS), Whole] | None = None
    slice_usdt: Amount | None = Field(None, description="notional of one slice, above 0; instead of `slices`")
    curve: Shape | None = Field(None, description="equal slices, or growing with the square root of their number")


class ExecPolicyBody(_Asked):
    """How to trade it. Without ``type``, and with nothing else, the route table decides (``MakerThenTaker``)."""

    type: Words | None = Field(None, description="MakerThenTaker or MARKET; on SPOT also OCO with both prices")
    order_type: Words | None = Field(None, description="alias of `type` in the wrapped shape: MARKET")
    time_in_force: Words | None = Field(None, description="IOC, with MARKET")
    maker_wait_ms: Annotated[int, Field(ge=0, le=_LONG_MS), Whole] | None = None
    post_only_wait_ms: Annotated[int, Field(ge=0, le=_LONG_MS), Whole] | None = Field(
        None, description="alias of `maker_wait_ms`"
    )
    twap: Twap | None = None
    tp_price: Amount | None = Field(None, description="OCO target")
    tp_px: Amount | None = Field(None, description="alias of `tp_price`")
    sl_price: Amount | None = Field(None, description="OCO stop")
    sl_px: Amount | None = Field(None, description="alias of `sl_price`")
    stop_price: Amount | None = Field(None, description="of a stop on its own")
    working_type: WorkingType | None = None


class StopBody(_Asked):
    type: Literal["STOP_MARKET"] = "STOP_MARKET"
    price: Amount | None = Field(None, description="required; quote asset per base asset, on the venue's tick")
    stop_price: Amount | None = Field(None, description="alias of `price`")
    working_type: WorkingType | None = None


class TargetBody(_Asked):
    type: Literal["TAKE_PROFIT_MARKET"] = "TAKE_PROFIT_MARKET"
    target: TargetKind | None = Field(None, description="what `value` means")
    value: Amount | None = None
    price: Amount | None = Field(None, description='short for `target: "price"`')
    m: Amount | None = Field(None, description="alias of `value` with `atr`: the target is `m` x `atr` from the entry")
    atr: Amount | None = Field(None, description='with `target: "atr"`: the range, quote asset per base asset')


class Wishes(_Asked):
    """What an order and a change of one have in common."""

    exec_policy: ExecPolicyBody | None = None
    sl: StopBody | None = Field(None, description="absent: the default stop; null: none, where that is allowed")
    tp: TargetBody | None = None


class ReplaceRequest(Wishes):
    """What is to change of an order that lives; what is absent stays as it was."""

    qty: Amount | None = Field(None, description="of the whole order, what has filled included")
    sl: StopBody | None = Field(None, description="where its stop is to be")
    tp: TargetBody | None = Field(None, description="where its target is to be; null: none")


class OrderIntentBody(Wishes):
    """The flat shape."""

    intent_id: Id | None = Field(None, description="required, unless client_order_id or Idempotency-Key stands in")
    client_order_id: Words | None = Field(
        None, description=f"{CLIENT_ID_PATTERN}; without it, a function of `intent_id`"
    )
    kind: IntentKind | None = None
    market: Market
    symbol: Words
    side: Side
    qty: Amount | None = Field(None, description="required; base asset")
    size: Amount | None = Field(None, description="alias of `qty`")
    reduce_only: StrictBool | None = None
    leverage: Annotated[int, Field(ge=1, le=125), Whole] | None = None
    max_hold_s: Annotated[int, Field(ge=1, le=31_536_000), Whole] | None = None
    valid_until_ms: Annotated[int, Field(ge=1), Whole] | None = None
    created_ms: Annotated[int, Field(ge=1), Whole] | None = None
    account_id: Id | None = None
    strategy_id: Id | None = None
    position_side: PositionSide | None = None
    trace_id: Id | None = Field(
        None,
        description="W3C trace id or UUID; any other name is made one; default: `traceparent`'s, else the intent's",
    )


class WrappedOrder(_Asked):
    """The wrapped shape: the same fields under ``intent``."""

    intent: OrderIntentBody


class OrderCmdRequest(RootModel[OrderIntentBody | WrappedOrder]):
    """``POST /orders``: either shape, the same meaning."""


class CancelRequest(_Asked):
    """Exactly one of the two ids."""

    order_id: Id | None = None
    client_order_id: Id | None = None
    cascade_oco: StrictBool = Field(
        True, description="the legs of an OCO go, too; what was bought keeps a stop at the same price"
    )
    reason: Annotated[CancelReason, BeforeValidator(_name)] = CancelReason.UNSPECIFIED
    escalate: Annotated[Escalate, BeforeValidator(_name)] = Escalate.NONE


class CloseRequest(_Asked):
    """Close a position, or ``qty`` (base asset) of it."""

    close_id: Id | None = Field(
        None, description="the same id and body again closes nothing more; `Idempotency-Key` may stand in"
    )
    qty: Amount | None = None
    market: Market = Market.FUT
    reason: Annotated[CancelReason, BeforeValidator(_name)] = CancelReason.UNSPECIFIED


class SurveyRequest(_Asked):
    """Ask the venue about a symbol."""

    market: Market = Market.FUT


class _OfControls(_Asked):
    """``name`` names the market, symbol or strategy; GLOBAL has none. ``by`` and ``reason`` stand in the receipt."""

    scope: Annotated[Scope, BeforeValidator(_name)] = Scope.GLOBAL
    name: Annotated[str, BeforeValidator(_words), Field(max_length=64)] = ""
    by: Annotated[str, BeforeValidator(_words), Field(min_length=1, max_length=64)]
    reason: Annotated[str, BeforeValidator(_words), Field(min_length=1, max_length=200)]


class KillRequest(_OfControls):
    """Forbid entries and cancel those that work; ``flatten``: close what is held, too."""

    flatten: StrictBool = False


class ArmRequest(_OfControls):
    """Take entries again. Without ``confirm`` nothing changes, and the answer names the word to repeat."""

    confirm: Annotated[str, BeforeValidator(_words), Field(max_length=64)] | None = None


class TransferRequest(_Asked):
    """Move ``amount`` of ``asset`` (in its own unit, at most eight decimals) from one wallet to the other."""

    route: Annotated[Route, BeforeValidator(_name)]
    asset: Annotated[str, BeforeValidator(_words), Field(min_length=1, max_length=16)] = "USDT"
    amount: Amount
    by: Annotated[str, BeforeValidator(_words), Field(min_length=1, max_length=64)]
    reason: Annotated[str, BeforeValidator(_words), Field(min_length=1, max_length=200)]


class SettleRequest(_Asked):
    """What became of an AMBIGUOUS transfer, by the word of whoever has looked at the venue."""

    happened: StrictBool
    by: Annotated[str, BeforeValidator(_words), Field(min_length=1, max_length=64)]


_By = Annotated[str, BeforeValidator(_words), Field(min_length=1, max_length=64)]


class ApproveRoutes(_Asked):
    """The proposed route table, named by the moment at which it was proposed: what was looked at, and no other."""

    proposed_ms: Annotated[int, Field(ge=0), Whole]
    by: _By


class RollBackRoutes(_Asked):
    """The revision whose table is to be in force again."""

    rev: Annotated[int, Field(ge=1), Whole]
    by: _By


class RetryBreaker(_Asked):
    """Whose open breaker is to let one entry try at once."""

    market: Market = Market.FUT
    by: _By
    reason: Annotated[str, BeforeValidator(_words), Field(min_length=1, max_length=200)]
