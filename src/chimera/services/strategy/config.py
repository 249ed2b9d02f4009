"""What S3 decides with, loaded from the ledger and swapped in one assignment.

A ``Snapshot`` is whole: rules, flags, factor ages and instruments of one reading; ``Loaded`` is the active one and the
candidate beside it. A bundle that fails lint never becomes one: the old stays and an alert names the rule and the path.
What lint finds and does not refuse (``advice``) is an alert, too. A decision keeps what it began with.

Documents: ``config_active/active`` ``{rev, bundle_id, digest?, log?, trial?}``; ``config_bundles/{bundle_id}``
``{bundle_id, rules[], bounds?, flags?, digest?}``; ``strategy_rules/{bundle_id}:{rule_id}``, never changed once
written, so that a revision is never mixed; ``factor_registry/{f}`` ``{f, max_age_ms?}``;
``instrument_registry/{market}:{symbol}``.
"""

import asyncio
import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import structlog

from chimera.decide.features import BUILT_IN, FROM_TOUCH, Ages
from chimera.decide.revisions import Deciding, Standing, Trial
from chimera.decide.rules.bundle import Bundle
from chimera.decide.rules.finding import Finding, LintFailed
from chimera.decide.rules.flags import Flags
from chimera.ports.ledger import Rows
from chimera.ports.streams import Bus
from chimera.services.strategy.alerts import Alerts
from chimera.services.strategy.compiling import BadConfig, Compiler, Content
from chimera.services.strategy.revisions import Revisions
from chimera.services.strategy.settings import StrategySettings
from chimera.trading.errors import NewerSchema, StoreUnavailable
from chimera.trading.events import Severity
from chimera.trading.market import Market
from chimera.trading.money import Millis
from chimera.wire.keys import (
    CFG_ACTIVE_REV,
    CFG_EVENTS,
    CONFIG_BUNDLES,
    FACTOR_REGISTRY,
    INSTRUMENT_REGISTRY,
    STRATEGY_RULES,
)
from chimera.wire.registry import Listed, read_listed

FACTORS_MAX: Final = 10_000
INSTRUMENTS_MAX: Final = 10_000
DIFFERS_POLLS: Final = 3  # looks in a row at another rev than ours before it is an alert
FINDINGS_TOLD: Final = 20  # of a refused bundle, one alert each

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything a decision takes from configuration."""

    bundle: Bundle
    ages: Ages
    listed: Mapping[tuple[Market, str], Listed]
    flags: Flags


@dataclass(frozen=True, slots=True)
class OnTrial:
    """A candidate, compiled."""

    trial: Trial
    snapshot: Snapshot


@dataclass(frozen=True, slots=True)
class Loaded:
    """What decides, and what decides beside it; swapped as one."""

    active: Snapshot
    on_trial: OnTrial | None = None


@dataclass(frozen=True, slots=True)
class _Registries:
    """Factors and instruments of one look."""

    factors: Sequence[Mapping[str, Any]]
    instruments: Sequence[Mapping[str, Any]]

    @property
    def names(self) -> frozenset[str]:
        return frozenset(str(factor["f"]) for factor in self.factors if "f" in factor) | frozenset(BUILT_IN)

    @property
    def fingerprint(self) -> str:
        parts = [list(self.factors), list(self.instruments)]
        return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


class ConfigWatcher:
    """Owns what is loaded. ``differs_since_ms``: since when it is not what is active, after a few looks."""

    def __init__(self, ledger: Rows, bus: Bus, alerts: Alerts, settings: StrategySettings) -> None:
        self._ledger = ledger
        self._bus = bus
        self._alerts = alerts
        self._settings = settings
        self._turn = asyncio.Lock()
        self._fingerprints: tuple[str, ...] = ()  # of what ``loaded`` was made from
        self._looked_rev = 0  # the log's newest line when what it says was loaded last
        self._differs = 0
        self._aside: set[int] = set()  # trials that decide nothing any more
        self.revisions = Revisions(ledger, bus)
        self.compiler = Compiler(settings)
        self.loaded: Loaded | None = None
        self.wanted_rev: int | None = None
        self.fault = ""
        self.trial_fault = ""
        self.differs_since_ms: Millis | None = None

    @property
    def snapshot(self) -> Snapshot | None:
        """The active one."""
        return self.loaded.active if self.loaded else None

    async def run(self) -> None:
        """Look at each event, and at least every ``S3_CONFIG_POLL_SEC`` without one."""
        after = "$"
        while True:
            own: int | None = None
            try:
                entries = await self._bus.tail(
                    CFG_EVENTS, after=after, count=100, block_ms=self._settings.config_poll_sec * 1000
                )
                if entries:
                    after = entries[-1].id
                    if all(entry.fields == self.revisions.announced for entry in entries):
                        own = int(entries[-1].fields["rev"])
            except StoreUnavailable:
                await asyncio.sleep(self._settings.config_poll_sec)
            await self.refresh(own)

    async def refresh(self, line: int | None = None) -> None:
        """Load what is active; anything wrong leaves the old snapshot and says so.

        ``line``: not where that one of the log, or a later one, is loaded already.
        """
        async with self._turn:
            if line is not None and self._looked_rev >= line:
                return
            try:
                standing = await self.revisions.look()
                if standing.active is None:
                    raise BadConfig("config_active: nothing is active")
                self.wanted_rev = standing.active.rev
                await self._load(standing, standing.active)
                self._looked_rev = standing.rev
            except StoreUnavailable as away:
                self.fault = f"the ledger is away: {away}"
            except LintFailed as wrong:
                self.fault = _short(wrong)
                await self._refuse("CONFIG_REFUSED", wrong)
            except (BadConfig, NewerSchema, msgspec.ValidationError) as wrong:
                self.fault = str(wrong)
                await self._alerts.say(Severity.ERROR, "CONFIG_REFUSED", "config", str(wrong))
            except Exception as wrong:  # whatever others wrote there, what is loaded goes on deciding
                self.fault = f"the configuration cannot be read: {wrong!r}"
                log.exception("config_unreadable")
                await self._alerts.say(Severity.ERROR, "CONFIG_REFUSED", "config", self.fault)
            else:
                self.fault = ""
            await self._compare_revs()

    async def names(self) -> frozenset[str]:
        """Every factor that a rule may name now."""
        return (await self._registries(instruments=False)).names

    async def content(self, bundle_id: str, *, whole: bool = False) -> Content:
        """A bundle's documents; its rules only where there is no digest to know them by, or all are wanted."""
        head = await self._ledger.get(CONFIG_BUNDLES, bundle_id)
        names = (head or {}).get("rules")
        if head is None or not isinstance(names, list):
            raise BadConfig(f"no bundle {bundle_id} is kept (config_bundles), or it has no list of rules")
        rules = await self._rules(bundle_id, names) if whole or not head.get("digest") else None
        return Content(bundle_id, head, rules)

    def set_trial_aside(self, rev: int) -> None:
        """It decides nothing from now on, whatever the ledger still says."""
        self._aside.add(rev)
        if self.loaded is not None and self.loaded.on_trial is not None and self.loaded.on_trial.trial.rev == rev:
            self.loaded = Loaded(self.loaded.active)

    async def _load(self, standing: Standing, active: Deciding) -> None:
        content = _activated(active, await self.content(active.bundle_id))
        registries = await self._registries()
        fingerprints = (str(standing.active), str(standing.trial), content.key, registries.fingerprint)
        if fingerprints == self._fingerprints and not self.trial_fault:
            return
        fresh, advice = await self._snapshot(active, content, registries)
        on_trial = await self._on_trial(standing.trial, registries)
        swapped = self.snapshot is None or self.snapshot.bundle.rev != active.rev
        self._fingerprints, self.loaded = fingerprints, Loaded(fresh, on_trial)
        if swapped:
            log.info("config_swapped", rev=active.rev, rules=len(fresh.bundle.rules))
        for finding in advice:
            await self._alerts.say(Severity.WARN, "CONFIG_ADVICE", finding.rule_id, str(finding))

    async def _snapshot(
        self, deciding: Deciding, content: Content, registries: _Registries
    ) -> tuple[Snapshot, Sequence[Finding]]:
        if content.rules is None and not self.compiler.knows(content, registries.names):
            content = await self.content(content.bundle_id, whole=True)
        made = await self.compiler.made(content, registries.names)
        ages, listed = _ages(registries.factors, self._settings), _listed(registries.instruments)
        return Snapshot(made.under(deciding.rev), ages, listed, made.flags), made.advice

    async def _on_trial(self, trial: Trial | None, registries: _Registries) -> OnTrial | None:
        """A candidate that cannot be loaded harms nobody: it does not decide, and an alert says why."""
        self.trial_fault = ""
        if trial is None:
            return None
        try:
            content = _activated(trial.deciding, await self.content(trial.bundle_id))
            snapshot, _ = await self._snapshot(trial.deciding, content, registries)
        except (LintFailed, BadConfig) as wrong:
            self.trial_fault = _short(wrong) if isinstance(wrong, LintFailed) else str(wrong)
            words = f"the candidate {trial.bundle_id} does not decide: {self.trial_fault}"
            await self._alerts.say(Severity.ERROR, "TRIAL_REFUSED", trial.bundle_id, words)
            return None
        return None if trial.rev in self._aside else OnTrial(trial, snapshot)

    async def _registries(self, *, instruments: bool = True) -> _Registries:
        factors = await self._ledger.find(FACTOR_REGISTRY, newest=FACTORS_MAX)
        listed = await self._ledger.find(INSTRUMENT_REGISTRY, newest=INSTRUMENTS_MAX) if instruments else ()
        return _Registries(factors, listed)

    async def _rules(self, bundle_id: str, names: Sequence[Any]) -> list[dict[str, Any]]:
        rules = []
        for name in names:
            document = await self._ledger.get(STRATEGY_RULES, f"{bundle_id}:{name}")
            if document is None:
                raise LintFailed(
                    [Finding(rule_id=str(name), path="$", message=f"is not in strategy_rules of {bundle_id}")]
                )
            rules.append(document)
        return rules

    async def _refuse(self, code: str, wrong: LintFailed) -> None:
        for finding in wrong.findings[:FINDINGS_TOLD]:
            await self._alerts.say(Severity.ERROR, code, finding.rule_id, str(finding))
        if (more := len(wrong.findings) - FINDINGS_TOLD) > 0:
            await self._alerts.say(Severity.ERROR, code, "config", f"and {more} more findings")

    async def _compare_revs(self) -> None:
        """Redis may know of a newer revision than the ledger shows us, and ours may be refused: both end here."""
        with suppress(StoreUnavailable):  # the ledger's word is there all the same
            cached = await self._bus.get(CFG_ACTIVE_REV)
            if cached is not None and cached.isdigit():
                self.wanted_rev = max(self.wanted_rev or 0, int(cached))
        ours = self.snapshot.bundle.rev if self.snapshot else None
        if ours == self.wanted_rev:
            if self.differs_since_ms is not None:
                await self._alerts.say(Severity.INFO, "CONFIG_REV_DIFFERS_OVER", "config", f"rev {ours} is loaded")
            self._differs, self.differs_since_ms = 0, None
            return
        self._differs += 1
        if self._differs >= DIFFERS_POLLS:
            self.differs_since_ms = self.differs_since_ms or self._alerts.now_ms()
            words = f"active rev {self.wanted_rev}, loaded rev {ours}: {self.fault or 'the ledger does not have it'}"
            await self._alerts.say(Severity.ERROR, "CONFIG_REV_DIFFERS", "config", words, lasts=True)


def _activated(deciding: Deciding, content: Content) -> Content:
    """Raises ``BadConfig`` where another content stands under the name than the one that was made active."""
    there = str(content.head.get("digest") or "")
    if deciding.digest and there != deciding.digest:
        words = f"is not what was made active: digest {there or 'none'}, not {deciding.digest}"
        raise BadConfig(f"config_bundles: {content.bundle_id} {words}")
    return content


def _short(wrong: LintFailed) -> str:
    """Of ten thousand findings the first few: it stands at ``/health``."""
    more = len(wrong.findings) - FINDINGS_TOLD
    words = "; ".join(map(str, wrong.findings[:FINDINGS_TOLD]))
    return f"{words}; and {more} more" if more > 0 else words


def _ages(factors: Sequence[Mapping[str, Any]], settings: StrategySettings) -> Ages:
    """Raises ``BadConfig``: an age that cannot be read would be the environment's, which may be longer."""
    named = {
        str(factor["f"]): _age(factor) for factor in factors if "f" in factor and factor.get("max_age_ms") is not None
    }
    touch = dict.fromkeys(FROM_TOUCH, Millis(settings.touch_max_age_ms))
    return Ages(default_ms=Millis(settings.feature_max_age_ms), by_name={**named, **touch})


def _age(factor: Mapping[str, Any]) -> Millis:
    age = factor["max_age_ms"]
    if isinstance(age, str) and age.isascii() and age.isdigit():
        age = int(age)
    if isinstance(age, bool) or not isinstance(age, int) or age < 0:
        raise BadConfig(f"factor_registry {factor.get('f')!r}: max_age_ms needs whole milliseconds, has {age!r}")
    return Millis(age)


def _listed(documents: Sequence[Mapping[str, Any]]) -> dict[tuple[Market, str], Listed]:
    listed = {}
    for document in documents:
        try:
            item = read_listed(document)
        except ValueError as wrong:
            raise BadConfig(f"instrument_registry {document.get('symbol')!r}: {wrong}") from wrong
        listed[item.instrument.market, str(item.instrument.symbol)] = item
    return listed
