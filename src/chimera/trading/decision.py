"""A decision and why: every verdict is a value with its numbers, so that a skip can be answered for years later.

``margin`` always reads the same way: + is the room that was left, - is by how much it failed. A decision keeps its
``trace``, from which ``why`` writes the explanation whenever it is read: always the same one.
"""

from decimal import Decimal
from enum import StrEnum
from typing import Protocol, Self

from chimera.trading.ids import Symbol
from chimera.trading.intent import ExecPolicy, StopSpec, TargetSpec
from chimera.trading.market import Market, Side
from chimera.trading.money import Millis, Price, Qty, Quote
from chimera.trading.value import Value


class Feature(Value, tag=False):
    """One factor's value and the moment it was true."""

    value: Decimal
    at_ms: Millis


class Score(Value, tag=False):
    """L2: the chance that the trade is good, and the multiplier asked for. ``fallback``: why it is not the model's."""

    p: Decimal
    size_mult_ml: Decimal
    source: str
    version: str = ""
    fallback: str = ""


class Code(StrEnum):
    """Why we did not trade, or which check this is. Stable: dashboards and tests read them."""

    FUNDING = "FUNDING"
    SPREAD = "SPREAD"
    DEPTH = "DEPTH"
    BUDGET_MISSING = "BUDGET_MISSING"
    BUDGET_STALE = "BUDGET_STALE"
    BUDGET_LOSS = "BUDGET_LOSS"
    BUDGET_MARGIN = "BUDGET_MARGIN"
    BUDGET_NOTIONAL = "BUDGET_NOTIONAL"
    CONCURRENT_ENTRIES = "CONCURRENT_ENTRIES"
    FEATURE_MISSING = "FEATURE_MISSING"
    FEATURE_STALE = "FEATURE_STALE"
    FEATURE_INVALID = "FEATURE_INVALID"  # NaN, infinite, or of a size that no factor has
    MARKET_MISSING = "MARKET_MISSING"  # no touch
    MARKET_STALE = "MARKET_STALE"
    MARKET_INVALID = "MARKET_INVALID"  # prices or quantities that are none
    MARKET_CROSSED = "MARKET_CROSSED"  # bid and ask meet or cross: a book that nobody trades on
    NOT_LISTED = "NOT_LISTED"  # no instrument for this market
    NOT_TRADING = "NOT_TRADING"
    NO_RULE = "NO_RULE"  # nothing enabled applies to the symbol
    NO_RULE_FIRED = "NO_RULE_FIRED"
    SKIP_ENTRY = "SKIP_ENTRY"
    SIDE_CONFLICT = "SIDE_CONFLICT"
    MARKET_CONFLICT = "MARKET_CONFLICT"
    POLICY_CONFLICT = "POLICY_CONFLICT"  # an execution policy that the market does not have
    NO_SIDE = "NO_SIDE"
    SPOT_LONG_ONLY = "SPOT_LONG_ONLY"
    BELOW_STEP = "BELOW_STEP"
    MIN_NOTIONAL = "MIN_NOTIONAL"
    MAX_QTY = "MAX_QTY"
    MAX_LOSS = "MAX_LOSS"  # fees at the stop alone reach it
    STOP_INSIDE_SPREAD = "STOP_INSIDE_SPREAD"
    TARGET_UNREACHABLE = "TARGET_UNREACHABLE"
    LOCKED = "LOCKED"
    BUS_AWAY = "BUS_AWAY"
    NO_CONFIG = "NO_CONFIG"
    FLAG_OFF = "FLAG_OFF"  # a flag of the bundle: nothing of this kind is opened


class Verdict(Value, tag=False):
    """One check: what was compared, with what, and how far it was from the other answer."""

    code: Code
    passed: bool
    text: str
    name: str = ""  # the figure or factor
    value: Decimal | None = None
    op: str = ""
    limit: Decimal | None = None
    margin: Decimal | None = None


class ClauseVerdict(Value, tag=False):
    """One comparison of a rule, by its JSON path inside the rule's document.

    ``op`` is as it counts there: under a ``not`` the inverse of what is written (``not in``, ``outside``).
    """

    path: str
    factor: str
    op: str
    limits: tuple[Decimal, ...]
    value: Decimal
    holds: bool
    margin: Decimal


class RuleVerdict(Value, tag=False):
    """``idle``: why the rule was not asked at all (its time, or a factor that is not there)."""

    rule_id: str
    fired: bool
    action: str  # type and value of each, as text
    clauses: tuple[ClauseVerdict, ...] = ()
    idle: str = ""


class Clamp(Value, tag=False):
    """A bound that bit."""

    name: str
    asked: Decimal
    given: Decimal
    low: Decimal
    high: Decimal


class Sizing(Value, tag=False):
    """How the quantity (base asset) came about. ``margin_usdt`` is the larger of planned and really locked."""

    price: Price
    qty: Qty
    notional_usdt: Quote
    margin_usdt: Quote
    leverage: int
    size_mult: Decimal


class Levels(Value, tag=False):
    """Stop and target. Distances and prices quote per base, fees and profit quote asset; both legs pay taker fees.

    Slippage past the stop is not in ``loss_at_stop``: it has no bound before the fact. ``slippage_per_bp`` is what each
    basis point of it would add, fee included.
    """

    entry_price: Price
    stop_price: Price
    target_price: Price
    d_wanted: Decimal  # ATR_mult x ATR, or the fixed distance on SPOT
    d_cap: Decimal
    fees_at_stop: Quote
    loss_at_stop: Quote
    slippage_per_bp: Quote
    fees_at_target: Quote
    profit_at_target: Quote
    profit_wanted: Quote


class Explanation(Value, tag=False):
    """Everything that led to a decision, as far as it got, in words and numbers."""

    gates: tuple[Verdict, ...] = ()
    rules: tuple[RuleVerdict, ...] = ()
    clamps: tuple[Clamp, ...] = ()
    score: Score | None = None
    sizing: Sizing | None = None
    levels: Levels | None = None

    def written(self) -> Self:
        """Already an explanation."""
        return self


class Trace(Protocol):
    """What a decision keeps of how it came about."""

    def written(self) -> Explanation:
        """All of it in words and numbers: for a durable record, not for the hot path."""
        ...


class Skip(Value):
    """No, with all its reasons."""

    symbol: Symbol
    market: Market
    config_rev: int
    reasons: tuple[Verdict, ...]
    rules_fired: tuple[str, ...] = ()
    trace: Trace = Explanation()

    @property
    def why(self) -> Explanation:
        return self.trace.written()

    @property
    def reason(self) -> str:
        return "; ".join(f"{reason.code}: {reason.text}" for reason in self.reasons)


class Open(Value):
    """Yes: everything an intent needs but its ids and times, which are made at the edge."""

    symbol: Symbol
    market: Market
    config_rev: int
    side: Side
    qty: Qty
    policy: ExecPolicy
    stop: StopSpec
    target: TargetSpec
    leverage: int
    rules_fired: tuple[str, ...]
    sizing: Sizing
    levels: Levels
    trace: Trace

    @property
    def why(self) -> Explanation:
        return self.trace.written()

    @property
    def reason(self) -> str:
        return f"{', '.join(self.rules_fired)} fired: {self.side} {self.qty} {self.symbol} at about {self.sizing.price}"
