"""What would have to change for a skip to be an entry: each miss with its nearest value, and ways that were tried.

Nothing is told to let it trade that was not decided again and opened (``Way``). A single change is sought among the
values at which a gate or a rule changes its answer, nearest first, so no nearer value of that figure would do, at the
numbers' own last digit; where size or stop depend on a figure without such points it is found by probing (``about``).
The search is bounded by ``MOST_TRIED`` decisions and says when that ended it (``complete``). It is a generator that
rests after each decision and each rule it looks at, so that whoever drives it may do other things in between.
"""

from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from decimal import Context, Decimal
from heapq import nsmallest
from typing import Final

from chimera.decide.decision import Case, Trail, decide
from chimera.decide.features import ATR, SIDE_HINT, Features
from chimera.decide.nearest import Change, alone, breakpoints, changed, passing, repair
from chimera.decide.rules.bundle import Bundle, Rule
from chimera.decide.rules.clause import inverse
from chimera.decide.rules.fire import ask_each
from chimera.decide.rules.flags import Flags, under
from chimera.decide.suppose import FIGURES, figure, supposing
from chimera.trading.decision import ClauseVerdict, Code, Open, RuleVerdict, Skip, Verdict
from chimera.trading.errors import Refused
from chimera.trading.money import ONE, ZERO
from chimera.trading.value import Value

MOST_TRIED: Final = 1_000
POINTS_MAX: Final = 500  # of one figure, the nearest
RULES_TOLD: Final = 20  # those that came nearest
STEPS_TOGETHER: Final = 6
SIZE: Final = "score.size_mult_ml"
SIZED: Final = (
    Code.BELOW_STEP, Code.MIN_NOTIONAL, Code.MAX_QTY, Code.MAX_LOSS, Code.STOP_INSIDE_SPREAD, Code.TARGET_UNREACHABLE,
    Code.BUDGET_LOSS, Code.BUDGET_MARGIN, Code.BUDGET_NOTIONAL,
)  # fmt: skip
RATIOS: Final = tuple(Decimal(2) ** (Decimal(quarter) / 4) for quarter in range(1, 41))  # up to a thousand-fold
HALVINGS: Final = 16
SHOWN: Final = Context(prec=6)  # of what is found by probing
ATR_GUESS: Final = Decimal("0.001")  # of the price, where there is none to begin with

Ask = Generator[None, None, "Open | Skip"]


class Miss(Value, tag=False, omit_defaults=False):
    """One check that failed. ``change`` None: no value of one figure would do, ``text`` says what it was."""

    code: str
    text: str
    name: str = ""
    value: Decimal | None = None
    op: str = ""
    limits: tuple[Decimal, ...] = ()
    margin: Decimal | None = None
    path: str = ""  # inside a rule
    change: Change | None = None


class RuleMiss(Value, tag=False, omit_defaults=False):
    """A rule that stood in the way: it did not fire (``misses``), or it fired and said ``skip_entry``.

    ``alone``: each of these changes by itself turns the rule; ``together``: these as one, where none alone does.
    """

    rule_id: str
    fired: bool
    action: str
    misses: tuple[Miss, ...] = ()
    alone: tuple[Change, ...] = ()
    together: tuple[Change, ...] = ()
    idle: str = ""


class Way(Value, tag=False, omit_defaults=False):
    """Changes under which it opens: deciding again with them did. ``reason``: what that entry would have been."""

    changes: tuple[Change, ...]
    reason: str


class Needed(Value, tag=False, omit_defaults=False):
    """``single``: each alone lets it trade, the smallest first. ``together``: where none alone does."""

    reasons: tuple[Miss, ...] = ()
    rules: tuple[RuleMiss, ...] = ()
    rules_left: int = 0
    single: tuple[Way, ...] = ()
    together: Way | None = None
    tried: int = 0
    complete: bool = True


def seeking(bundle: Bundle, flags: Flags, case: Case) -> Generator[None, None, Needed]:
    """Of a case that is skipped; of one that opens nothing is needed."""
    search = _Search(bundle, flags, case)
    skip = yield from search.ask({})
    if isinstance(skip, Open):
        return Needed(tried=search.tried)
    rules = sorted((yield from _rules(skip)), key=_nearness)
    single = yield from _singles(search, skip)
    together = None if single else (yield from _together(search, skip))
    return Needed(
        reasons=tuple(_reason(reason, case) for reason in skip.reasons),
        rules=tuple(rules[:RULES_TOLD]),
        rules_left=max(len(rules) - RULES_TOLD, 0),
        single=tuple(sorted(single, key=lambda way: (way.changes[0].share, way.changes[0].name))),
        together=together,
        tried=search.tried,
        complete=not search.spent,
    )


class _Search:
    """Asks again, and counts."""

    def __init__(self, bundle: Bundle, flags: Flags, case: Case) -> None:
        self.bundle = bundle
        self.flags = flags
        self.case = case
        self.tried = 0
        self.spent = False  # the bound kept something from being tried

    def ask(self, given: Mapping[str, Decimal]) -> Ask:
        yield
        self.tried += 1
        return under(self.flags, decide(self.bundle, supposing(self.case, given)))

    def way(self, changes: Sequence[Change]) -> Generator[None, None, Way | None]:
        """The way, if it is one."""
        if self.tried >= MOST_TRIED:
            self.spent = True
            return None
        try:
            decision = yield from self.ask({change.name: change.needed for change in changes})
        except Refused:  # such a figure cannot be
            return None
        return Way(changes=tuple(changes), reason=decision.reason) if isinstance(decision, Open) else None


# ── one change ──


def _singles(search: _Search, skip: Skip) -> Generator[None, None, list[Way]]:
    """The nearest of each figure."""
    found: dict[str, Way] = {}
    if any(reason.code in SIZED for reason in skip.reasons):
        for name in (SIZE, ATR):
            if (way := (yield from _probed(search, name))) is not None:
                found[name] = way
    candidates = yield from _candidates(search, skip)
    for change in _nearest_first(candidates):
        if change.name not in found and (way := (yield from search.way([change]))) is not None:
            found[change.name] = way
    return list(found.values())


def _nearest_first(changes: Iterable[Change]) -> list[Change]:
    """Each figure's by distance; figures beside each other by the part of them that it is, which is no distance."""
    of_name: dict[str, list[Change]] = {}
    for change in changes:
        of_name.setdefault(change.name, []).append(change)
    ranked: list[tuple[Decimal, str, int, Change]] = []
    for name, own in of_name.items():
        rank = ZERO
        for place, change in enumerate(sorted(own, key=_distance)):
            rank = max(rank, change.share)
            ranked.append((rank, name, place, change))
    return [change for *_, change in sorted(ranked, key=lambda entry: entry[:3])]


def _distance(change: Change) -> Decimal:
    return abs(change.needed if change.difference is None else change.difference)


def _candidates(search: _Search, skip: Skip) -> Generator[None, None, list[Change]]:
    """Values at which something changes its answer. Behind a gate that is shut only what opens it can help."""
    case, trail = search.case, skip.trace
    found = [change for reason in skip.reasons if (change := _reason(reason, case).change) is not None]
    if not isinstance(trail, Trail) or not trail.entered:
        return found
    names = {reason.name for reason in skip.reasons}
    if trail.asked is None and len(names) > 1:
        return found
    if trail.asked is not None:
        names |= set(search.bundle.sieve_for(case.symbol).factors) | {SIDE_HINT}
        found += [changed(SIDE_HINT, figure(case, SIDE_HINT), side) for side in (ONE, -ONE)]
    for name in sorted(names):
        found += yield from _points(search, name)
    return found


def _points(search: _Search, name: str) -> Generator[None, None, list[Change]]:
    """Of one figure, the nearest where some rule changes its answer."""
    value = figure(search.case, name)
    points: set[Decimal] = set()
    for rule in search.bundle.for_symbol(search.case.symbol):
        if name in rule.clause.factors:
            points.update(breakpoints(rule.clause.condition, name, value or ZERO))
            yield
    wanted = [point for point in points if point != value]
    near = nsmallest(POINTS_MAX, wanted, key=lambda point: abs(point - (value or ZERO)))
    search.spent = search.spent or len(near) < len(wanted)
    return [changed(name, value, point) for point in near]


def _probed(search: _Search, name: str) -> Generator[None, None, Way | None]:
    """A multiple of what is there, then the edge between what does and what does not."""
    value = figure(search.case, name)
    if not value:
        value = (figure(search.case, "touch.ask") or ZERO) * ATR_GUESS if name == ATR else ONE
    for before, ratio in zip((ONE, *RATIOS), RATIOS, strict=False):
        for point, shut in ((value * ratio, value * before), (value / ratio, value / before)):
            way = yield from search.way([changed(name, figure(search.case, name), SHOWN.plus(point), about=True)])
            if way is not None:
                return (yield from _edge(search, way, shut))
    return None


def _edge(search: _Search, way: Way, shut: Decimal) -> Generator[None, None, Way]:
    """The nearest that still does, as far as halving goes."""
    for _ in range(HALVINGS):
        change = way.changes[0]
        middle = SHOWN.plus((shut + change.needed) / 2)
        nearer = yield from search.way([changed(change.name, change.value, middle, about=True)])
        if nearer is None:
            shut = middle
        else:
            way = nearer
    return way


# ── several changes ──


def _together(search: _Search, skip: Skip) -> Generator[None, None, Way | None]:
    """One obstacle after the other, each by its smallest change; then those are dropped that it does not take."""
    given: dict[str, Change] = {}
    for _ in range(STEPS_TOGETHER):
        more = yield from _next(search, skip, given)
        if not more:
            return None
        given |= {change.name: change for change in more}
        try:
            decision = yield from search.ask({name: change.needed for name, change in given.items()})
        except Refused:
            return None
        if isinstance(decision, Open):
            return (yield from _fewest(search, list(given.values())))
        skip = decision
    return None


def _fewest(search: _Search, changes: list[Change]) -> Generator[None, None, Way | None]:
    way = yield from search.way(changes)
    for change in changes:
        rest = [other for other in (way.changes if way else changes) if other.name != change.name]
        if rest and (fewer := (yield from search.way(rest))) is not None:
            way = fewer
    return way


def _next(search: _Search, skip: Skip, given: Mapping[str, Change]) -> Generator[None, None, Sequence[Change]]:
    """What the reasons of this skip ask for, as changes from the case as it was."""
    case = search.case
    wanted: list[Change] = []
    for reason in skip.reasons:
        change = _reason(reason, case).change
        if change is not None:
            wanted.append(change)
        elif reason.code is Code.NO_SIDE:
            wanted.append(changed(SIDE_HINT, figure(case, SIDE_HINT), ONE))
    if isinstance(skip.trace, Trail) and skip.trace.asked is not None:
        turned = yield from _of_rules(skip, skip.trace, given)
        wanted += turned or (yield from _of_rules(skip, skip.trace, ()))
    fresh = [change for change in wanted if change.name not in given or given[change.name].needed != change.needed]
    return [changed(change.name, figure(case, change.name), change.needed) if not change.fresh else change
            for change in fresh]  # fmt: skip


def _of_rules(skip: Skip, trail: Trail, fixed: Collection[str]) -> Generator[None, None, tuple[Change, ...]]:
    """What would let some rule fire, or the one that said ``skip_entry`` be silent; what is fixed stays."""
    codes = {reason.code for reason in skip.reasons}
    if trail.asked is None or not codes & {Code.NO_RULE_FIRED, Code.SKIP_ENTRY}:
        return ()
    if Code.SKIP_ENTRY in codes:
        ending = next(rule for rule in trail.rules if rule.ends and rule.rule_id in skip.rules_fired)
        return repair(inverse(ending.clause.condition), _usable(ending, trail.asked), fixed) or ()
    best: tuple[Change, ...] = ()
    for rule in trail.rules:
        yield
        values = _usable(rule, trail.asked)
        if rule.ends or rule.window.closed(trail.asked.now_ms) or len(values) < len(rule.clause.factors):
            continue
        changes = repair(rule.clause.condition, values, fixed)
        if changes and (not best or _weight(changes) < _weight(best)):
            best = changes
    return best


def _weight(changes: tuple[Change, ...]) -> tuple[int, Decimal]:
    return len(changes), sum((change.share for change in changes), ZERO)


# ── what was missed ──


def _reason(verdict: Verdict, case: Case) -> Miss:
    limits = () if verdict.limit is None else (verdict.limit,)
    change: Change | None = None
    if verdict.code is Code.FEATURE_STALE and (value := figure(case, verdict.name)) is not None:
        change = changed(verdict.name, value, value).but(fresh=True)
    elif verdict.value is not None and verdict.limit is not None and _is_figure(verdict.name, case):
        change = passing(verdict.name, verdict.op, limits, verdict.value)
    return Miss(
        code=verdict.code.value,
        text=verdict.text,
        name=verdict.name,
        value=verdict.value,
        op=verdict.op,
        limits=limits,
        margin=verdict.margin,
        change=change,
    )


def _is_figure(name: str, case: Case) -> bool:
    return name in FIGURES or figure(case, name) is not None


def _rules(skip: Skip) -> Generator[None, None, list[RuleMiss]]:
    """Each rule that did not fire, and the one that said ``skip_entry``: nothing after it was asked."""
    trail, found = skip.trace, []
    if not isinstance(trail, Trail) or trail.asked is None:
        return []
    for rule in trail.rules:
        (verdict,) = ask_each((rule,), trail.asked).verdicts
        if verdict.idle:
            found.append(RuleMiss(rule_id=rule.rule_id, fired=False, action=verdict.action, idle=verdict.idle))
        elif not verdict.fired or rule.ends:
            found.append(_rule_miss(rule, verdict, _usable(rule, trail.asked)))
        if verdict.fired and rule.ends:
            break
        yield
    return found


def _rule_miss(rule: Rule, verdict: RuleVerdict, values: Mapping[str, Decimal]) -> RuleMiss:
    wanted = inverse(rule.clause.condition) if verdict.fired else rule.clause.condition
    each = [alone(wanted, factor, values) for factor in rule.clause.factors]
    single = tuple(sorted((change for change in each if change is not None), key=lambda change: change.share))
    return RuleMiss(
        rule_id=rule.rule_id,
        fired=verdict.fired,
        action=verdict.action,
        misses=tuple(_clause(clause) for clause in verdict.clauses if clause.holds == verdict.fired),
        alone=single,
        together=() if single else repair(wanted, values) or (),
    )


def _clause(clause: ClauseVerdict) -> Miss:
    shown = ", ".join(format(limit, "f") for limit in clause.limits)
    held = "" if clause.holds else "not "
    return Miss(
        code="CLAUSE",
        text=f"{clause.factor} {clause.value:f} is {held}{clause.op} {shown}",
        name=clause.factor,
        value=clause.value,
        op=clause.op,
        limits=clause.limits,
        margin=clause.margin,
        path=clause.path,
        change=None if clause.holds else passing(clause.factor, clause.op, clause.limits, clause.value),
    )


def _usable(rule: Rule, features: Features) -> dict[str, Decimal]:
    found = ((name, features.usable(name)) for name in rule.clause.factors)
    return {name: value for name, value in found if value is not None}


def _nearness(miss: RuleMiss) -> tuple[bool, int, Decimal, str]:
    """What turned it into a skip first, then what is turned most easily."""
    easiest = miss.alone[:1] or miss.together
    return not miss.fired, len(easiest) or RULES_TOLD, sum((change.share for change in easiest), ZERO), miss.rule_id
