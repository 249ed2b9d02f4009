"""One decision: gates, rules, side and policy, size, stop and target, in that order, over values of one moment.

It holds no state and asks nobody. A skip names every reason of the stage it ended in. What a decision keeps is the
values it was made of (``Trail``); the verdicts on every gate, rule and comparison are written from them when they are
read, which takes many times as long as deciding. Each market is judged by its own touch. A rule may move the entry to
the other market: that market's gates are then judged, too, and the rules are not asked again, since a rule that moves
an entry would else have to hold in both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from chimera.decide.features import ATR, Features, built_in, supposed
from chimera.decide.gates import (
    GateLimits,
    Needs,
    Room,
    at_most,
    budget_gates,
    failed,
    market_gates,
    market_open,
    room,
)
from chimera.decide.rules.bundle import Bundle, Rule
from chimera.decide.rules.fire import Fired, ask_each, fire
from chimera.decide.sizing import SizePolicy, size
from chimera.decide.sltp import LevelPolicy, levels, profit_wanted, stop_distance
from chimera.trading.budget import Reserve, RiskBudget
from chimera.trading.decision import Clamp, Code, Explanation, Levels, Open, Score, Sizing, Skip, Verdict
from chimera.trading.ids import Symbol
from chimera.trading.instrument import Instrument
from chimera.trading.intent import ExecPolicy, MakerThenTaker, OrderList, StopSpec, TargetKind, TargetSpec
from chimera.trading.market import Market, Side, Touch
from chimera.trading.members import FUT, SELL, SPOT
from chimera.trading.money import ZERO, Millis, sound, text
from chimera.trading.value import Value


class Terms(Value):
    """Trading one symbol on one market: its rules and our limits."""

    instrument: Instrument
    gates: GateLimits


class Policy(Value):
    """What does not depend on the symbol. How it is traded where no rule says is one for each market."""

    sizes: SizePolicy
    levels: LevelPolicy
    touch_max_age_ms: Millis
    execution: ExecPolicy = MakerThenTaker()
    spot_execution: ExecPolicy = OrderList()


class Case(Value):
    """All that is known when a decision is asked for. ``asked_market`` None: FUT unless a rule says otherwise."""

    symbol: Symbol
    asked_market: Market | None
    side_hint: Side | None
    features: Features
    touches: dict[Market, Touch]
    terms: dict[Market, Terms]
    policy: Policy
    budget: RiskBudget | None
    reserved: tuple[Reserve, ...]
    score: Score
    supposed: dict[str, Decimal] = {}  # a caller's what-if (``suppose``): factors, over features and touch
    supposed_room: dict[str, Decimal] = {}  # and what the budget has left

    @property
    def now_ms(self) -> Millis:
        return self.features.now_ms


class View(Value):
    """One market as it is seen: its touch, the factors that its touch is part of, and what its budget has left.

    ``plain`` is what an entry would use that no rule scales.
    """

    market: Market
    touch: Touch
    limits: GateLimits
    features: Features
    left: Room | None
    plain: Needs

    @property
    def is_open(self) -> bool:
        """Whether every gate is."""
        return (
            self.left is not None
            and self.left.fits(self.plain, self.limits)
            and market_open(self.market, self.features, self.limits)
            and (self.market is not FUT or self.features.usable(ATR) is not None)
        )

    def gates(self) -> tuple[Verdict, ...]:
        """L0 with what a plain entry would use: every gate's verdict."""
        verdicts = market_gates(self.market, self.features, self.limits) + budget_gates(
            self.market, self.left, self.plain, self.limits
        )
        if self.market is FUT and isinstance(atr := self.features.need(ATR), Verdict):
            return (*verdicts, atr)
        return verdicts


class Trail(Value):
    """How a decision came about, in the values it was made of: a ``chimera.trading.decision.Trace``.

    ``rules`` were asked with ``asked``; ``asked`` None: it did not come so far.
    """

    entered: tuple[View, ...]
    rules: tuple[Rule, ...]
    asked: Features | None
    clamps: tuple[Clamp, ...]
    score: Score | None
    sizing: Sizing | None
    levels: Levels | None

    def written(self) -> Explanation:
        return Explanation(
            gates=tuple(verdict for view in self.entered for verdict in view.gates()),
            rules=() if self.asked is None else ask_each(self.rules, self.asked).verdicts,
            clamps=self.clamps,
            score=self.score,
            sizing=self.sizing,
            levels=self.levels,
        )


def decide(bundle: Bundle, case: Case) -> Open | Skip:
    """Yes or no, with everything that led to it."""
    trace = _Trace(bundle, case)
    view = trace.enter(case.asked_market or FUT)
    if isinstance(view, Skip):
        return view
    fired = trace.rules(view.features)
    if fired.against:
        return trace.skip(fired.against)
    if fired.market is not None and fired.market is not trace.market:
        view = trace.move(fired.market)
        if isinstance(view, Skip):
            return view
    side = _side(trace.market, fired, case.side_hint)
    if isinstance(side, Verdict):
        return trace.skip((side,))
    policy = _execution(trace.market, fired, case.policy)
    if isinstance(policy, Verdict):
        return trace.skip((policy,))
    return _open(trace, view, fired, side, policy)


def still(
    decision: Open, budget: RiskBudget | None, reserved: Sequence[Reserve], limits: GateLimits, now_ms: Millis
) -> Open | Skip:
    """Judged against the budget again, by later figures and what others have promised meanwhile."""
    left = room(decision.market, budget, reserved, now_ms)
    needs = _needs(decision.sizing, decision.levels)
    if left is not None and left.fits(needs, limits):
        return decision
    return Skip(
        symbol=decision.symbol,
        market=decision.market,
        config_rev=decision.config_rev,
        reasons=failed(budget_gates(decision.market, left, needs, limits)),
        rules_fired=decision.rules_fired,
        trace=decision.trace,
    )


def _needs(sizing: Sizing, bars: Levels) -> Needs:
    return Needs(margin_usdt=sizing.margin_usdt, notional_usdt=sizing.notional_usdt, loss_usdt=bars.loss_at_stop)


def _seen(case: Case, touch: Touch) -> Features:
    """What the producer says, under what the touch shows, under what the caller supposes."""
    now_ms, told = case.now_ms, case.features
    values = told.values | built_in(touch, case.side_hint, now_ms)
    if case.supposed:
        values |= supposed(case.supposed, now_ms)
    return Features(values=values, ages=told.ages, now_ms=now_ms)


def _open(trace: "_Trace", view: View, fired: Fired, side: Side, policy: ExecPolicy) -> Open | Skip:
    case, market = trace.case, trace.market
    terms = case.terms[market]
    sizing = size(
        terms.instrument, case.policy.sizes, view.touch.aggressive(side), fired.size_mult * case.score.size_mult_ml
    )
    trace.score = case.score
    if isinstance(sizing, Verdict):
        return trace.skip((sizing,))
    trace.sizing = sizing
    bars = _levels(trace, view, fired, side, sizing)
    if isinstance(bars, Verdict):
        return trace.skip((bars,))
    trace.levels = bars
    needs = _needs(sizing, bars)
    if view.left is None or not view.left.fits(needs, view.limits):
        return trace.skip(failed(budget_gates(market, view.left, needs, view.limits)))
    if market is FUT:
        target = TargetSpec(kind=TargetKind.NET_PROFIT_USDT, value=bars.profit_wanted)
    else:
        target = TargetSpec(kind=TargetKind.PRICE, value=bars.target_price)
    return Open(
        symbol=case.symbol,
        market=market,
        config_rev=trace.bundle.rev,
        side=side,
        qty=sizing.qty,
        policy=policy,
        stop=StopSpec(price=bars.stop_price),
        target=target,
        leverage=sizing.leverage,
        rules_fired=fired.rule_ids,
        sizing=sizing,
        levels=bars,
        trace=trace.trail(),
    )


def _levels(trace: "_Trace", view: View, fired: Fired, side: Side, sizing: Sizing) -> Levels | Verdict:
    case, market, policy = trace.case, trace.market, trace.case.policy.levels
    atr: Decimal | None = None
    if market is FUT:
        found = view.features.need(ATR)
        if isinstance(found, Verdict):
            return found
        atr = found
    if case.budget is None:
        raise AssertionError("a decision passed the budget gate without a budget")
    return levels(
        case.terms[market].instrument,
        policy,
        sizing,
        side,
        view.touch,
        taker_fee=case.budget.markets[market].fees_for(case.terms[market].instrument.symbol).taker,
        d_wanted=stop_distance(market, policy, sizing.price, atr, fired.sl_mult),
        wanted=profit_wanted(market, policy, sizing, fired.tp_mult),
    )


def _side(market: Market, fired: Fired, hint: Side | None) -> Side | Verdict:
    """A rule's word, else the caller's hint."""
    side = fired.side or hint
    if side is None:
        words = "no rule that fired names a side, and the caller gave no sideHint"
        return Verdict(code=Code.NO_SIDE, passed=False, text=words)
    if market is SPOT and side is SELL:
        return Verdict(code=Code.SPOT_LONG_ONLY, passed=False, text="spot opens long only, the side is SELL")
    return side


def _execution(market: Market, fired: Fired, policy: Policy) -> ExecPolicy | Verdict:
    """A rule's word, else the market's own way. An order list is a form that spot alone has."""
    if fired.policy is None:
        return policy.execution if market is FUT else policy.spot_execution
    if isinstance(fired.policy, OrderList) and market is not SPOT:
        words = f"the rules say exec_policy OCO, which is of SPOT, and the market is {market}"
        return Verdict(code=Code.POLICY_CONFLICT, passed=False, name="exec_policy", text=words)
    return fired.policy


def _stale(case: Case, touch: Touch) -> Verdict | None:
    age, limit = abs(case.now_ms - touch.at_ms), case.policy.touch_max_age_ms
    if age <= limit:
        return None
    return at_most(Code.MARKET_STALE, "touch.age_ms", Decimal(age), Decimal(limit))


def _no_book(touch: Touch) -> Verdict | None:
    """Why this touch is none to decide by: no prices, or sides that meet (locked) or cross."""
    bid, ask, bid_qty, ask_qty = touch.bid, touch.ask, touch.bid_qty, touch.ask_qty
    known = sound(bid) and sound(ask) and sound(bid_qty) and sound(ask_qty)
    if not known or bid <= ZERO or ask < ZERO or bid_qty < ZERO or ask_qty < ZERO:
        words = f"bid {bid} x {bid_qty}, ask {ask} x {ask_qty} is no touch"
        return Verdict(code=Code.MARKET_INVALID, passed=False, name="touch", text=words)
    if bid < ask:
        return None
    return Verdict(
        code=Code.MARKET_CROSSED,
        passed=False,
        name="touch.bid",
        value=touch.bid,
        op="<",
        limit=touch.ask,
        margin=touch.ask - touch.bid,
        text=f"bid {text(touch.bid)} is not < ask {text(touch.ask)}: the book is locked or crossed",
    )


@dataclass(slots=True)
class _Trace:
    """The trail as it grows; one per decision."""

    bundle: Bundle
    case: Case
    market: Market = FUT
    entered: tuple[View, ...] = ()
    asked: Features | None = None
    fired: tuple[str, ...] = ()
    clamps: tuple[Clamp, ...] = ()
    score: Score | None = None
    sizing: Sizing | None = None
    levels: Levels | None = None

    def trail(self) -> Trail:
        return Trail(
            entered=self.entered,
            rules=self.bundle.for_symbol(self.case.symbol),
            asked=self.asked,
            clamps=self.clamps,
            score=self.score,
            sizing=self.sizing,
            levels=self.levels,
        )

    def skip(self, reasons: Sequence[Verdict]) -> Skip:
        return Skip(
            symbol=self.case.symbol,
            market=self.market,
            config_rev=self.bundle.rev,
            reasons=tuple(reasons),
            rules_fired=self.fired,
            trace=self.trail(),
        )

    def enter(self, market: Market) -> View | Skip:
        """Its view, once its touch is there and fresh and its gates are open."""
        self.market = market
        touch = self.case.touches.get(market)
        if touch is None:
            words = f"no touch of {self.case.symbol} on {market}"
            return self.skip((Verdict(code=Code.MARKET_MISSING, passed=False, name="touch", text=words),))
        if unfit := _stale(self.case, touch) or _no_book(touch):
            return self.skip((unfit,))
        terms = self.case.terms.get(market)
        if terms is None:
            words = f"{self.case.symbol} has no instrument on {market}"
            return self.skip((Verdict(code=Code.NOT_LISTED, passed=False, text=words),))
        if not terms.instrument.in_dollars:
            quote = terms.instrument.quote
            words = f"{self.case.symbol} is paid in {quote or 'what is not known'}, and sizes and limits are in dollars"
            return self.skip((Verdict(code=Code.NOT_LISTED, passed=False, name="quote", text=words),))
        if not terms.instrument.trading:
            words = f"{self.case.symbol} does not trade on {market} now"
            return self.skip((Verdict(code=Code.NOT_TRADING, passed=False, text=words),))
        view = View(
            market=market,
            touch=touch,
            limits=terms.gates,
            features=_seen(self.case, touch),
            left=self._left(market),
            plain=_plain_needs(market, self.case.policy),
        )
        self.entered += (view,)
        return view if view.is_open else self.skip(failed(view.gates()))

    def _left(self, market: Market) -> Room | None:
        left = room(market, self.case.budget, self.case.reserved, self.case.now_ms)
        return left.supposing(self.case.supposed_room) if left and self.case.supposed_room else left

    def move(self, market: Market) -> View | Skip:
        """To the market the rules say, unless the caller has asked for this one."""
        asked = self.case.asked_market
        if asked is not None:
            words = f"asked for {asked}, the rules say {market}"
            return self.skip((Verdict(code=Code.MARKET_CONFLICT, passed=False, name="market", text=words),))
        return self.enter(market)

    def rules(self, features: Features) -> Fired:
        fired = fire(self.bundle, self.case.symbol, features)
        self.asked, self.fired, self.clamps = features, fired.rule_ids, fired.clamps
        return fired


def _plain_needs(market: Market, policy: Policy) -> Needs:
    """Of an entry that no rule scales."""
    sizes, loss = policy.sizes, policy.levels.max_loss_usdt
    if market is SPOT:
        budget = sizes.spot_quote_budget_usdt
        return Needs(margin_usdt=budget, notional_usdt=budget, loss_usdt=loss)
    margin = sizes.margin_base_usdt
    return Needs(margin_usdt=margin, notional_usdt=margin * sizes.leverage, loss_usdt=loss)
