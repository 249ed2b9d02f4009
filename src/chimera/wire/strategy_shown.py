"""S3's answers as models, beside those of ``decisions``: bundles, what decides, what was decided. OpenAPI shows them.

They describe and carry none; an answer may have more. What is empty is often left out.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from chimera.trading.market import Market

Verb = Literal["ACTIVATE", "ROLLBACK", "SHADOW", "CANARY", "END_TRIAL"]
Digits = str  # an amount as a string of plain digits


class _Answer(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)


class ReadyShown(_Answer):
    ready: bool


# ── bundles ──


class FindingShown(_Answer):
    rule_id: str
    path: str = Field(description="where in the document, as `$.when.allOf[1].op`")
    message: str


class LintResponse(_Answer):
    ok: bool
    digest: str
    findings: list[FindingShown] = Field(description="each refuses the bundle")
    advice: list[FindingShown]


class BundleHead(_Answer):
    """Not of one that was written by hand: `digest`, `who`, `why`, `at_ms`."""

    bundle_id: str
    digest: str | None = None
    who: str | None = None
    why: str | None = None
    at_ms: int | None = None
    bounds: dict[str, Any] | None = None
    flags: dict[str, Any] | None = None


class BundleNamed(BundleHead):
    rules: list[str] = Field(description="rule ids")


class BundleCounted(BundleHead):
    rules: int


class BundleWhole(BundleHead):
    rules: list[dict[str, Any]]


class BundleCreated(LintResponse):
    bundle: BundleNamed


class BundlesResponse(_Answer):
    bundles: list[BundleCounted]


class BundleResponse(_Answer):
    bundle: BundleWhole


class PartShown(_Answer):
    path: str
    before: Any
    after: Any


class RuleChanged(_Answer):
    rule_id: str
    parts: list[PartShown]


class BundleDiff(_Answer):
    from_: str = Field(alias="from")
    to: str
    same: bool
    added: list[str]
    removed: list[str]
    changed: list[RuleChanged]
    head: list[PartShown] = Field(description="bounds and flags")


# ── what decides ──


class DecidingShown(_Answer):
    rev: int
    bundle_id: str
    digest: str | None = None


class LimitOfTrial(_Answer):
    metric: Literal["differ_share", "open_share", "skip_share", "refused_share"]
    most: Digits
    after: int = 20


class TrialShown(DecidingShown):
    share: Digits = Field("0", description="of decisions that are the candidate's own; 0 is a shadow")
    limit: LimitOfTrial | None = None


class TallyShown(_Answer):
    compared: int = 0
    differed: int = 0
    own: int = 0
    own_opens: int = 0
    answered: int = 0
    refused: int = 0


class TrialStanding(TrialShown):
    deciding: bool
    fault: str | None
    tally: TallyShown
    dropped: int


class ConfigResponse(_Answer):
    rev: int
    active: DecidingShown | None
    loaded_rev: int | None
    rules_loaded: int
    differs_since_ms: int | None
    fault: str | None
    trial: TrialStanding | None


class RevisionShown(_Answer):
    """``back_to``: the revision whose bundle came back."""

    rev: int
    kind: Verb
    bundle_id: str
    who: str
    why: str
    at_ms: int
    active: DecidingShown | None = None
    trial: TrialShown | None = None
    before: DecidingShown | None = None
    back_to: int | None = None


class ChangeResponse(_Answer):
    revision: RevisionShown
    loaded_rev: int | None
    loaded: bool


class HistoryResponse(_Answer):
    history: list[RevisionShown]


class PartDiffering(_Answer):
    what: str
    active: str
    candidate: str


class DifferenceShown(_Answer):
    trial: int
    bundle_id: str
    active_rev: int
    signal_id: str
    symbol: str
    at_ms: int
    decided_by: Literal["active", "candidate"]
    differences: list[PartDiffering]
    active_reason: str
    candidate_reason: str


class DifferencesResponse(_Answer):
    differences: list[DifferenceShown]


# ── what was decided ──


class DecidedShown(_Answer):
    signal_id: str
    symbol: str
    market: Market
    decision: Literal["open", "skip"]
    reason: str
    reasons: list[dict[str, Any]]
    config_rev: int
    rules_fired: list[str]
    explanation: dict[str, Any]
    intent: dict[str, Any] | None = None


class DecisionsResponse(_Answer):
    decisions: list[DecidedShown]
    cursor: str | None = Field(None, description="null: there is no more")


class DispatchShown(_Answer):
    state: str
    says: str
    rest: str
    stream: str
    tries: int
    answered_ms: int | None
    status: str | None
    code: str | None
    message: str | None
    said: list[dict[str, Any]]


class DecisionTrace(DecidedShown):
    """All that led to it, and what became of its intent."""

    features: dict[str, dict[str, Any]]
    touch: dict[str, Any] | None
    budget: dict[str, Any] | None
    reserved: list[dict[str, Any]]
    dispatch: DispatchShown
    replayable: bool


class NeededResponse(_Answer):
    """What would have had to be otherwise for it to trade."""

    signal_id: str
    bundle_id: str | None
    decision: Literal["open", "skip"]
    same_today: bool


class FixtureResponse(_Answer):
    """A decision as a file: `chimera replay --fixture FILE` decides it again, and needs no service."""

    schema_version: int
    signal_id: str
    at_ms: int
    symbol: str
    bundle_id: str
    rules: list[dict[str, Any]]
    bounds: dict[str, Any] = Field(description="those that held, the environment's included")
    flags: dict[str, Any]
    factors: list[str] = Field(description="what the registry knew")
    case: dict[str, Any]
    decided: dict[str, str] = Field(description="what came of it, part by part")


class HourOfDecisions(_Answer):
    hour_ms: int = Field(description="its beginning")
    decisions: int
    skips: int
    codes: dict[str, int] = Field(description="skips by each code among their reasons, most first")


class SkipsResponse(_Answer):
    decisions: int
    hours: list[HourOfDecisions]
    cursor: str | None = Field(None, description="null: there is no more; else the last hour goes on")


class ReplayPart(_Answer):
    what: str
    decided: str
    replayed: str


class ReplayRow(_Answer):
    signal_id: str
    kind: str
    differences: list[ReplayPart] | None = None


class ReplayResponse(_Answer):
    bundle_id: str
    decisions: int
    tally: dict[str, int]
    differences: list[ReplayRow]
    cursor: str | None


class BlockerShown(_Answer):
    """One thing that is so, since when."""

    code: str
    kind: str
    text: str
    since_ms: int
    for_ms: int
    name: str = Field(description="the figure, where it is one")
    market: Market | None


class SymbolBlocked(_Answer):
    symbol: str
    decision: Literal["open", "skip"] | None
    looked_ms: int | None
    blocked: bool
    blockers: list[BlockerShown] = Field(description="the oldest first")


class BlockersResponse(_Answer):
    now_ms: int
    symbols: list[SymbolBlocked]
