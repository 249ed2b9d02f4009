"""Why not: what keeps each symbol out just now, and since when; what was decided; why it was skipped, by hour."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from chimera.services.console import deciding
from chimera.services.console.others import Others
from chimera.services.console.rows import DecisionRow
from chimera.services.console.same import Same
from chimera.services.console.screen import Group, Look, Params, Screen, Section, Shown, Span

RUNS_SHOWN: Final = 12


@dataclass(frozen=True)
class Run:
    """Decisions in a row with the same outcome: the newest of them, how many, and since when."""

    newest: DecisionRow
    count: int
    since_ms: int


def _decisions(shown: Shown) -> Mapping[str, object]:
    decisions = shown.seen.decisions
    latest = _latest(decisions)
    earlier = tuple(decision for decision in decisions if decision not in latest)
    return {"latest": latest, "runs": tuple(islice(_runs(earlier), RUNS_SHOWN))}


def _latest(decisions: tuple[DecisionRow, ...]) -> tuple[DecisionRow, ...]:
    """The newest of each symbol; ``decisions`` stand newest first."""
    found: dict[str, DecisionRow] = {}
    for decision in decisions:
        found.setdefault(decision.symbol, decision)
    return tuple(found[symbol] for symbol in sorted(found))


def _runs(decisions: tuple[DecisionRow, ...]) -> Iterator[Run]:
    """Newest first; a symbol's own run is not broken by another symbol's decision."""
    open_runs: dict[str, list[DecisionRow]] = {}
    done: list[list[DecisionRow]] = []
    for decision in decisions:
        run = open_runs.get(decision.symbol)
        if run is not None and decision.decision == "skip" and _outcome(run[0]) == _outcome(decision):
            run.append(decision)
        else:
            open_runs[decision.symbol] = [decision]
            done.append(open_runs[decision.symbol])
    return (Run(run[0], len(run), run[-1].t0) for run in done)


def _outcome(decision: DecisionRow) -> tuple[str, tuple[str, ...]]:
    return decision.decision, decision.codes


async def _ask_blockers(others: Others, _: Params) -> dict[str, Any]:
    return await others.explain.blockers()


async def _ask_hours(others: Others, _: Params) -> dict[int, dict[str, Any]]:
    return await others.hours.read(others.explain, others.clock.now_ms())


def _blockers(shown: Shown) -> Mapping[str, object]:
    return {"told": shown.looked["blockers"] or {}, "figure": deciding.figure}


def _hours(shown: Shown) -> Mapping[str, object]:
    hours = shown.looked["hours"]
    return {"grid": None if hours is None else deciding.grid(hours, shown.now_ms)}


DECISIONS: Final = Section(
    "decisions",
    "Decisions, and why",
    reads=("decisions",),
    content=_decisions,
    span=Span.SIDE,
    same=lambda _: (Same(service="s3", path="/decisions?newest=50", cli="chimera decisions"),),
)

SCREEN: Final = Screen(
    name="why",
    title="Why not",
    path="/why",
    key="w",
    says="What keeps entries out, and what S3 decided.",
    group=Group.WHY,
    looks=(Look("blockers", 2.0, _ask_blockers), Look("hours", 30.0, _ask_hours)),
    sections=(
        Section(
            "blockers",
            "What stands in the way now",
            reads=("blockers",),
            content=_blockers,
            span=Span.WIDE,
            same=lambda _: (Same(service="s3", path="/blockers", cli="chimera why BTCUSDT"),),
        ),
        DECISIONS,
        Section(
            "hours",
            "Why it skipped, by hour",
            reads=("hours",),
            content=_hours,
            span=Span.WIDE,
            same=lambda _: (Same(service="s3", path="/skips?limit=500"),),
        ),
    ),
)
