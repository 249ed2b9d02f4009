"""From a request to a decision: the facts of the moment, the score, and the pure function over both.

It writes nothing and takes no lock, so that a dry run, a real decision and a look at what stands in the way share it.
Between the pure function and the decision's return there is no await: a caller may reserve what it decides.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NamedTuple

from chimera.decide import score as scores
from chimera.decide.decision import Case, Policy, decide
from chimera.decide.features import ATR, FUNDING, Features
from chimera.decide.rules.flags import under
from chimera.decide.seek import Needed, seeking
from chimera.decide.suppose import FIGURES, Supposed, supposing, told
from chimera.ports.clock import Clock
from chimera.services.strategy.answers import skip
from chimera.services.strategy.compiling import in_turns
from chimera.services.strategy.config import Snapshot
from chimera.services.strategy.facts import Board, Facts
from chimera.services.strategy.limits import terms
from chimera.services.strategy.promises import Promises
from chimera.services.strategy.scoring import Scoring
from chimera.services.strategy.settings import StrategySettings
from chimera.trading.decision import Code, Open, Score, Skip, Verdict
from chimera.trading.errors import Refused, StoreUnavailable
from chimera.trading.ids import Symbol
from chimera.wire.decisions import DecideRequest

NEEDED_BY_GATES: Final = (ATR, FUNDING)  # whatever the registry holds


class Judged(NamedTuple):
    """A decision, and what it was made from; no case where the market could not be looked at."""

    decision: Open | Skip
    facts: Facts
    case: Case | None
    supposed: tuple[Supposed, ...] = ()


@dataclass(frozen=True, slots=True)
class Judge:
    """``promises``: a real decision is judged by those of others when it is announced, a dry run at once."""

    board: Board
    scoring: Scoring
    clock: Clock
    promises: Promises
    settings: StrategySettings
    policy: Policy

    async def look(self, request: DecideRequest) -> Facts:
        """The facts of the moment, or that they cannot be had."""
        try:
            return await self.board.look(request.symbol)
        except StoreUnavailable as away:
            return Facts(away=str(away))

    async def judge(
        self, snapshot: Snapshot, request: DecideRequest, facts: Facts, *, asks_score: bool = True
    ) -> Judged:
        """Raises ``Refused`` for a what-if that cannot be. Without its score it is judged as if the model were away."""
        symbol, away, beside = Symbol(request.symbol), facts.away, None
        if request.dry_run and not away:
            try:
                beside = await self.promises.others()
            except StoreUnavailable as gone:
                away = str(gone)
        if away:
            words = f"what the market shows cannot be read: {away}"
            blind = Verdict(code=Code.BUS_AWAY, passed=False, text=words)
            return Judged(skip(snapshot.bundle.rev, request, blind), Facts(), None)
        known = Features(values=dict(facts.features), ages=snapshot.ages, now_ms=self.clock.now_ms())
        if asks_score:
            score = await self.scoring.of(symbol, known.all_usable(), leaves_trace=not request.dry_run)
        else:
            score = scores.fallback("not asked")
        seen = self._case(snapshot, request, facts, known, score)
        if beside is not None:
            seen = seen.but(budget=beside.budget, reserved=beside.reserved)
        given: Mapping[str, Decimal] = request.context or {}
        case = supposing(seen, given)
        decision = under(snapshot.flags, decide(snapshot.bundle, case))
        return Judged(decision, facts, case, told(seen, given))

    async def needed(self, snapshot: Snapshot, case: Case | None) -> Needed | None:
        """What would have to change; in turns with everything else."""
        return None if case is None else await in_turns(seeking(snapshot.bundle, snapshot.flags, case))

    def _case(self, snapshot: Snapshot, request: DecideRequest, facts: Facts, known: Features, score: Score) -> Case:
        return Case(
            symbol=Symbol(request.symbol),
            asked_market=request.market,
            side_hint=request.sideHint,
            features=known.but(now_ms=self.clock.now_ms()),
            touches=dict(facts.touches),
            terms=terms(snapshot, request.symbol, self.settings),
            policy=self.policy,
            budget=facts.budget,
            reserved=self.promises.counted(),
            score=score,
        )


def check_dry(snapshot: Snapshot, request: DecideRequest) -> None:
    """Raises ``Refused``: a what-if is of a dry run, and of figures that a decision looks at."""
    if request.explain and not request.dry_run:
        raise Refused(
            "EXPLAIN_IS_DRY_RUN",
            "a decision that counts does not wait for its explanation",
            field="explain",
            accepted="explain with dry_run: true; or GET /decisions/SIGNAL_ID/needed",
        )
    if request.context is None:
        return
    if not request.dry_run:
        raise Refused(
            "CONTEXT_IS_WHAT_IF",
            "context supposes what is not so; no order follows from it",
            field="context",
            accepted="context with dry_run: true",
        )
    known = snapshot.bundle.factors.union(FIGURES, NEEDED_BY_GATES)
    unknown = sorted(set(request.context) - known)
    if unknown:
        raise Refused(
            "UNKNOWN_FACTOR",
            "no such factor or figure",
            field=f"context.{unknown[0]}",
            value=unknown[0],
            accepted=", ".join(sorted(known)),
        )
