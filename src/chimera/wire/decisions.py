"""S3's HTTP bodies as models: what is asked of ``/decide``, and what it answers.

Shape only: whether a symbol or factor is known is the strategy's to say. Requests are read by ``request_json``, so
amounts are exact; every model refuses names it does not know. An answer here carries amounts as strings of plain
digits, as its ``signals`` row does; ``answers`` writes them as numbers.
"""

from decimal import Decimal
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, WithJsonSchema
from pydantic_core import PydanticCustomError

from chimera.trading.market import Market, Side
from chimera.wire import request_json
from chimera.wire.bodies import Words

BATCH_MAX: Final = 100
CONTEXT_MAX: Final = 200
_SIDES: Final = {"BUY": Side.BUY, "SELL": Side.SELL, "LONG": Side.BUY, "SHORT": Side.SELL}


def _side(given: object) -> object:
    """LONG and SHORT are the position's words for the same wish."""
    return _SIDES.get(given, given) if isinstance(given, str) else given


def _figure(given: object) -> Decimal:
    if isinstance(given, Decimal) and given.is_finite():
        return given  # of a caller in this process
    try:
        return request_json.amount(given)
    except ValueError as wrong:
        raise PydanticCustomError("malformed", "{why}", {"why": str(wrong)}) from wrong


Figure = Annotated[
    Decimal,
    BeforeValidator(_figure),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"}]}),
]
SideHint = Annotated[
    Side,
    BeforeValidator(_side),
    WithJsonSchema({"type": "string", "enum": list(_SIDES)}),
]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DecideRequest(_Asked):
    """One symbol, one decision."""

    symbol: Words
    sideHint: SideHint | None = Field(None, description="used where no rule that fires names a side")
    market: Market | None = Field(None, description="FUT where neither caller nor rule says")
    dry_run: StrictBool = Field(False, description="run everything, leave nothing behind")
    context: dict[str, Figure] | None = Field(
        None,
        description="a what-if: factors and figures by name, instead of what is seen; with dry_run only",
        max_length=CONTEXT_MAX,
    )
    explain: StrictBool = Field(False, description="with dry_run: what would have to change, as `needed`")


class BatchRequest(_Asked):
    """Many symbols with the same wishes (``symbols``), or one request each (``requests``)."""

    symbols: Annotated[list[Words], Field(min_length=1, max_length=BATCH_MAX)] | None = None
    requests: Annotated[list[DecideRequest], Field(min_length=1, max_length=BATCH_MAX)] | None = None
    sideHint: SideHint | None = None
    market: Market | None = None
    dry_run: StrictBool = False
    context: dict[str, Figure] | None = Field(None, max_length=CONTEXT_MAX)


class DecisionAnswer(BaseModel):
    """``reason`` is for people, ``reasons`` for programs; ``intent`` is the body that S4 gets."""

    model_config = ConfigDict(extra="allow", frozen=True)

    decision: Literal["open", "skip"]
    symbol: str
    market: Market
    intent: dict[str, Any] | None = None
    reason: str
    config_rev: int
    rules_fired: list[str]
    reasons: list[dict[str, Any]] = Field(description="every verdict that stood against it, with value and limit")
    explanation: dict[str, Any] = Field(description="gates, rules, clamps, score, sizing, levels as far as it got")
    dry_run: bool
    signal_id: str | None = Field(None, description="the durable row; none for a dry run")
    overridden: list[dict[str, Any]] = Field([], description="each figure of context, what was given and what is seen")
    needed: dict[str, Any] | None = Field(None, description="of a skip, where explain was asked: the nearest misses")


class BatchAnswer(BaseModel):
    """One result for each request, in its order: an answer, or the error body of that symbol alone."""

    results: list[dict[str, Any]]
