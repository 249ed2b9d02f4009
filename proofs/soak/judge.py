"""The verdict over a soak: the venue's audit, the ledgers' files and the callers' answers; S4's memory is gone."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

from chimera.ports.ledger import Ledger
from chimera.simulate.venue.audit import AuditRecord, Kind
from chimera.trading.holding import Holding
from chimera.trading.ids import ClientOrderId, child_of, stem_of
from chimera.trading.money import ZERO
from chimera.wire import keys
from proofs.real import SHARED_LIMIT_USDT, Stage, ledger_of
from proofs.soak.blows import HEALTHY_US, Struck
from proofs.soak.callers import Callers
from world import ceilings, decided, oracle, quiet
from world.oracle import Uncovered, Violation
from world.spans import Span, minus

_ALL: Final = 1_000_000


class Verdict(NamedTuple):
    """``naked_*_ms``: the longest stretch without a stop, in good weather, and counted from a kill in any weather.

    ``bare_ms``: of each fill that a blow found or left without a stop, how long it was so in all, in order.
    """

    violations: list[Violation]
    broken: list[str]
    naked_healthy_ms: int
    naked_after_kill_ms: int
    bare_ms: list[int]
    fills: int
    orders: int

    @property
    def good(self) -> bool:
        return not (self.violations or self.broken)


class _Kept(NamedTuple):
    holdings: list[Holding]
    fills: list[oracle.FillKey]
    intents: frozenset[str]
    signals: list[dict[str, Any]]


async def judge(stage: Stage, callers: Callers, blows: Struck) -> Verdict:
    """Once everything has stopped."""
    kept, audit = await _kept(stage), stage.audit()
    until_us = audit[-1].at_us
    spans = oracle.uncovered_spans(audit, until_us)
    excused = [*blows.troubles, *blows.rough]
    cuts = [(at_us, at_us) for at_us in blows.killed_us]
    callers_intended = {stem_of(ClientOrderId(name)): qty for name, qty in callers.intended.items()}
    held = {str(holding.key.symbol): holding.position.qty for holding in kept.holdings}
    violations = [
        *oracle.entered_once(audit),
        *oracle.within_parents(audit, callers_intended | decided.intended(kept.signals)),
        *oracle.never_flips(audit),
        *(ceilings.within_limits(audit, Decimal(SHARED_LIMIT_USDT)) if len(stage.routers) > 1 else ()),
        *oracle.fills_agree(audit, kept.fills),
        *oracle.positions_agree(audit, held),
        *oracle.protected(spans, bound_us=HEALTHY_US, excused=excused),
        *oracle.protected(spans, bound_us=blows.after_us, excused=cuts),
        *quiet.left_over(audit),
        *(found for holding in kept.holdings for found in quiet.undone(holding, until_us)),
        *decided.judge(kept.signals, (), kept.intents, until_us),
    ]
    return Verdict(
        violations=violations,
        broken=[*callers.broken, *blows.fell, *_told_amiss(audit, callers.answers)],
        naked_healthy_ms=_longest_ms(spans, excused),
        naked_after_kill_ms=_longest_ms(spans, cuts),
        bare_ms=bare_over(spans, blows.troubles),
        fills=sum(record.kind is Kind.FILL for record in audit),
        orders=sum(record.kind is Kind.ACCEPT for record in audit),
    )


async def _kept(stage: Stage) -> _Kept:
    async with ledger_of(stage.ledger_path("s4")) as ledger:
        stored = [await ledger.load(key) for key in await ledger.keys()]
        fills = await ledger.find(keys.FILLS, newest=_ALL)
        parents = await ledger.find(keys.ORDERS, where={"kind": "PARENT"}, newest=_ALL)
    return _Kept(
        holdings=[each.holding for each in stored if each is not None],
        fills=[(str(row["symbol"]), str(row["trade_id"])) for row in fills],
        intents=frozenset(str(row["intent_id"]) for row in parents),
        signals=await _signals(stage),
    )


async def _signals(stage: Stage) -> list[dict[str, Any]]:
    path = stage.ledger_path("s3")
    if not path.exists():
        return []
    ledger: Ledger
    async with ledger_of(path) as ledger:
        return [dict(row) for row in await ledger.find(keys.SIGNALS, newest=_ALL)]


def _told_amiss(audit: Sequence[AuditRecord], answers: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """I5: what a caller was told has filled is what filled."""
    filled: dict[str, Decimal] = defaultdict(Decimal)
    for record in audit:
        child = child_of(ClientOrderId(record.client_order_id))
        if record.kind is Kind.FILL and child is not None and oracle.is_entry(record):
            filled[child[0]] += record.qty or ZERO
    return [
        f"{name} was told {row['filled_qty']} filled, the venue filled {filled[stem_of(ClientOrderId(name))]}"
        for name, row in answers.items()
        if Decimal(str(row["filled_qty"])) != filled[stem_of(ClientOrderId(name))]
    ]


def bare_over(spans: Sequence[Uncovered], gaps: Sequence[Span]) -> list[int]:
    """How long each of ``spans`` lasted that reached into one of ``gaps``, nothing excused; ms, in order."""
    met = [span for span in spans if any(span.from_us < ended and begun < span.to_us for begun, ended in gaps)]
    return sorted((span.to_us - span.from_us) // 1000 for span in met)


def _longest_ms(spans: Sequence[Uncovered], excused: Sequence[Span]) -> int:
    pieces = [piece for span in spans for piece in minus((span.from_us, span.to_us), excused)]
    return max((ended - begun for begun, ended in pieces), default=0) // 1000
