"""A candidate bundle at work: in the shadow of the active one, or as a canary that decides a share.

Invariants: a comparison happens after the decision stands and never delays, changes or breaks it; a shadow orders
nothing; both decide the same case. A canary that breaks its limit decides nothing from that moment on, and the ledger
is told so until it knows. Differences and tallies are read by people: under load the oldest comparisons are dropped and
counted, and several processes of S3 each keep a tally of their own decisions.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import structlog

from chimera.decide.decision import Case, decide
from chimera.decide.revisions import Signature, Trial, trial_ended
from chimera.decide.rules.flags import under
from chimera.decide.trial import Tally, answered, broken, candidates_turn, counted, differences
from chimera.ports.clock import Clock
from chimera.ports.ledger import Rows
from chimera.services.strategy.alerts import Alerts
from chimera.services.strategy.config import ConfigWatcher, Loaded, OnTrial, Snapshot
from chimera.services.strategy.dispatch import Item
from chimera.trading.decision import Open, Skip
from chimera.trading.errors import Refused, StoreUnavailable
from chimera.trading.events import Severity
from chimera.wire.codec import SCHEMA_VERSION, plain
from chimera.wire.keys import CONFIG_DIFFERENCES, CONFIG_TALLIES

WAITING_MAX: Final = 1_000
RETRY_S: Final = 2.0
ITSELF: Final = "chimera"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Pair:
    """One case, and who decided it."""

    loaded: Loaded
    on_trial: OnTrial
    signal_id: str
    case: Case
    decision: Open | Skip
    by_candidate: bool


class Trials:
    """``tally`` is of the newest trial this process has seen; ``dropped`` were not compared."""

    def __init__(self, ledger: Rows, config: ConfigWatcher, alerts: Alerts, clock: Clock) -> None:
        self._ledger = ledger
        self._config = config
        self._alerts = alerts
        self._clock = clock
        self._pairs: deque[_Pair] = deque()
        self._answers: deque[tuple[int, bool]] = deque(maxlen=WAITING_MAX)  # revision, whether S4 said no
        self._wake = asyncio.Event()
        self._of: Trial | None = None
        self._over: tuple[int, str] | None = None  # a trial that is still to be ended in the ledger, and why
        self._unsaved = False
        self.tally = Tally()
        self.dropped = 0

    # ── what decisions ask: nothing here waits ──

    def drawn(self, loaded: Loaded, new_id: Callable[[], str]) -> tuple[str | None, Snapshot]:
        """Who decides. Under a canary the signal's id is made now, since it tells."""
        on_trial = loaded.on_trial
        if on_trial is None or not on_trial.trial.share:
            return None, loaded.active
        signal_id = new_id()
        own = candidates_turn(signal_id, on_trial.trial.share)
        return signal_id, on_trial.snapshot if own else loaded.active

    def compare(self, loaded: Loaded, by: Snapshot, signal_id: str, case: Case | None, decision: Open | Skip) -> None:
        """The decision stands; let the other one decide the same case when there is time."""
        if loaded.on_trial is None or case is None:
            return
        if len(self._pairs) >= WAITING_MAX:
            self._pairs.popleft()
            self.dropped += 1
        self._pairs.append(_Pair(loaded, loaded.on_trial, signal_id, case, decision, by is loaded.on_trial.snapshot))
        self._wake.set()

    def delivered(self, item: Item) -> None:
        """An intent's delivery is over."""
        rev = item.row.get("config_rev")
        if isinstance(rev, int) and (item.tracks.taken or item.tracks.refused):
            self._answers.append((rev, item.tracks.refused))
            self._wake.set()

    # ── the work ──

    async def run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self._work()
                await self._end()
            except StoreUnavailable as away:
                log.warning("trial_not_recorded", why=str(away))
                await asyncio.sleep(RETRY_S)
                self._wake.set()

    async def different(self, newest: int, *, trial: int | None = None) -> Sequence[dict[str, object]]:
        """Recorded differences, newest first, of one trial or all."""
        where = None if trial is None else {"trial": trial}
        return await self._ledger.find(CONFIG_DIFFERENCES, where=where, newest=newest)

    async def tally_of(self, rev: int) -> Tally:
        """As stored, or as far as this process has come."""
        if self._of is not None and self._of.rev == rev:
            return self.tally
        row = await self._ledger.get(CONFIG_TALLIES, str(rev))
        return Tally() if row is None else msgspec.convert(row["tally"], Tally)

    async def _work(self) -> None:
        while self._pairs:
            pair = self._pairs[0]
            await self._take_up(pair.on_trial.trial)
            await self._compared(pair)
            with suppress(IndexError):  # dropped meanwhile
                if self._pairs[0] is pair:
                    self._pairs.popleft()
            self._unsaved = True
            await asyncio.sleep(0)
        while self._answers:
            rev, refused = self._answers.popleft()
            if self._of is not None and rev == self._of.rev:
                self.tally, self._unsaved = answered(self.tally, refused=refused), True
        if self._unsaved and self._of is not None:
            await self._judge(self._of)
            row = {"schema_version": SCHEMA_VERSION, "trial": self._of.rev, "tally": plain(self.tally)}
            await self._ledger.put(CONFIG_TALLIES, str(self._of.rev), row)
            self._unsaved = False

    async def _take_up(self, trial: Trial) -> None:
        """Its tally from the ledger, where an earlier process has begun it."""
        if self._of is None or self._of.rev != trial.rev:
            self.tally, self._of = await self.tally_of(trial.rev), trial

    async def _compared(self, pair: _Pair) -> None:
        active, candidate = pair.loaded.active, pair.on_trial.snapshot
        other = active if pair.by_candidate else candidate
        decided = under(other.flags, decide(other.bundle, pair.case))
        ours, theirs = (decided, pair.decision) if pair.by_candidate else (pair.decision, decided)
        found = differences(ours, theirs)
        if found:
            row: dict[str, Any] = {
                "schema_version": SCHEMA_VERSION,
                "trial": pair.on_trial.trial.rev,
                "bundle_id": candidate.bundle.bundle_id,
                "active_rev": active.bundle.rev,
                "signal_id": pair.signal_id,
                "symbol": str(pair.case.symbol),
                "at_ms": pair.case.now_ms,
                "decided_by": "candidate" if pair.by_candidate else "active",
                "differences": plain(found),
                "active_reason": ours.reason,
                "candidate_reason": theirs.reason,
            }
            await self._ledger.insert(CONFIG_DIFFERENCES, f"{pair.on_trial.trial.rev}:{pair.signal_id}", row)
        self.tally = counted(self.tally, differs=bool(found), own=theirs if pair.by_candidate else None)

    async def _judge(self, trial: Trial) -> None:
        why = None if trial.limit is None else broken(trial.limit, self.tally)
        if why is None or (self._over is not None and self._over[0] == trial.rev):
            return
        self._config.set_trial_aside(trial.rev)
        self._over = trial.rev, why
        words = f"{trial.bundle_id} (revision {trial.rev}) decides nothing any more: {why}"
        await self._alerts.say(Severity.ERROR, "CANARY_ROLLED_BACK", trial.bundle_id, words)

    async def _end(self) -> None:
        """Tell the ledger what is so already."""
        if self._over is None:
            return
        rev, why = self._over
        by = Signature(who=ITSELF, why=why, at_ms=self._clock.now_ms())
        with suppress(Refused):  # somebody has ended it, or begun another
            await self._config.revisions.take(lambda standing: trial_ended(standing, by, rev=rev))
        self._over = None
