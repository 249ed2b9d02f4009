"""S3's HTTP bodies about bundles: made, linted, activated, taken back, tried. Shape only: what a rule means is lint's.

Rules arrive as JSON of any form; their numbers become exact ones (whole numbers, or decimals), and strings stay so.
"""

from decimal import Decimal
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from chimera.wire import request_json
from chimera.wire.bodies import Whole, Words
from chimera.wire.decisions import Figure

RULES_MAX: Final = 10_000
RESERVED: Final = "active"
BUNDLE_ID: Final = r"^[A-Za-z0-9_.-]{1,64}$"


def exact(given: object) -> Any:
    """The same document with its numbers as numbers; raises ``ValueError`` for one that is none."""
    match given:
        case request_json.Number():
            return _number(given)
        case list():
            return [exact(item) for item in given]
        case dict():
            return {name: exact(item) for name, item in given.items()}
        case _:
            return given


def _number(given: request_json.Number) -> int | Decimal:
    try:
        return request_json.whole(given)
    except ValueError:
        pass  # a fraction, an exponent, or too long to be a count
    try:
        return request_json.amount(given)
    except ValueError as wrong:
        raise PydanticCustomError("malformed", "{why}", {"why": str(wrong)}) from wrong


def _name(given: object) -> str:
    try:
        name = request_json.words(given)
    except ValueError as wrong:
        raise PydanticCustomError("malformed", "{why}", {"why": str(wrong)}) from wrong
    if name == RESERVED:
        raise PydanticCustomError("malformed", "{why}", {"why": "must be another name: active is whichever is active"})
    return name


Document = Annotated[dict[str, Any], BeforeValidator(exact)]
BundleId = Annotated[str, Field(pattern=BUNDLE_ID, description="any name but `active`"), BeforeValidator(_name)]
Share = Annotated[Figure, Field(ge=0, le=1)]
Who = Annotated[Words, Field(min_length=1, max_length=64, description="who does it; it stands in the history")]
Why = Annotated[Words, Field(min_length=1, max_length=500, description="why; it stands in the history")]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Written(_Asked):
    bundle_id: BundleId
    rules: Annotated[
        list[Document], Field(min_length=1, max_length=RULES_MAX, description="documents of docs/rule.schema.json")
    ]
    bounds: Document | None = Field(None, description="size_mult, sl_mult, tp_mult, each {low, high}")
    flags: Document | None = Field(None, description="entries, long, short, fut, spot: true or false")


class LintBody(_Written):
    """A bundle to be looked at."""

    who: Who | None = None
    why: Why | None = None


class BundleBody(_Written):
    """A bundle to be kept, for ever under this name."""

    who: Who
    why: Why


class ActivateBody(_Asked):
    """What decides from now on."""

    bundle_id: BundleId
    who: Who
    why: Why


class RollbackBody(_Asked):
    """Back to what was active before, or under a revision."""

    who: Who
    why: Why
    to_rev: Annotated[int, Field(ge=1), Whole] | None = None


class LimitBody(_Asked):
    """At most ``most`` of a metric, judged from ``after`` cases on."""

    metric: Literal["differ_share", "open_share", "skip_share", "refused_share"]
    most: Share
    after: Annotated[int, Field(ge=1, le=1_000_000), Whole] = 20


class TrialBody(_Asked):
    """A candidate beside what is active: with a share of 0 a shadow, else a canary."""

    bundle_id: BundleId
    who: Who
    why: Why
    share: Share = Field(Decimal(0), description="of decisions that are the candidate's own, 0 to 1")
    limit: LimitBody | None = Field(None, description="a candidate beyond it ends by itself")


class EndTrialBody(_Asked):
    """No candidate any more."""

    who: Who
    why: Why


BODIES: Final[tuple[type[BaseModel], ...]] = (
    LintBody, BundleBody, ActivateBody, RollbackBody, TrialBody, EndTrialBody,
)  # fmt: skip
