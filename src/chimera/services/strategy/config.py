"""What S3 decides with, loaded from the ledger and swapped in one assignment.

A ``Snapshot`` is whole: rules, factor ages and instruments of one reading. A bundle that fails lint never becomes one:
the old stays and an alert names the rule and the path. What lint finds and does not refuse (``advice``) is an alert,
too. A revision is compiled once: a look that reads what is loaded already compiles nothing. A decision keeps the
snapshot it began with.

Documents: ``config_active/active`` ``{rev, bundle_id}``; ``config_bundles/{bundle_id}`` ``{bundle_id, rules[],
bounds?}``; ``strategy_rules/{bundle_id}:{rule_id}``, never changed once written, so that a revision is never mixed;
``factor_registry/{f}`` ``{f, max_age_ms?}``; ``instrument_registry/{market}:{symbol}``.
"""

import asyncio
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import msgspec
import structlog

from chimera.decide.features import BUILT_IN, FROM_TOUCH, Ages
from chimera.decide.rules.advice import advise
from chimera.decide.rules.bundle import Bound, Bounds, Bundle, compile_bundle
from chimera.decide.rules.finding import Finding, LintFailed
from chimera.ports.ledger import Rows
from chimera.ports.streams import Bus
from chimera.services.strategy.alerts import Alerts
from chimera.services.strategy.settings import StrategySettings
from chimera.trading.errors import NewerSchema, StoreUnavailable
from chimera.trading.events import Severity
from chimera.trading.market import Market
from chimera.trading.money import Millis
from chimera.wire.keys import (
    CFG_ACTIVE_REV,
    CFG_EVENTS,
    CONFIG_ACTIVE,
    CONFIG_BUNDLES,
    FACTOR_REGISTRY,
    INSTRUMENT_REGISTRY,
    STRATEGY_RULES,
)
from chimera.wire.registry import Listed, read_listed

ACTIVE: Final = "active"
FACTORS_MAX: Final = 10_000
INSTRUMENTS_MAX: Final = 10_000
DIFFERS_POLLS: Final = 3  # looks in a row at another rev than ours before it is an alert

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything a decision takes from configuration."""

    bundle: Bundle
    ages: Ages
    listed: Mapping[tuple[Market, str], Listed]


class BadConfig(ValueError):
    """A configuration document that is missing or not in its form."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """The documents of one look, before anything is made of them."""

    rev: int
    bundle_id: str
    head: Mapping[str, Any]
    rules: Sequence[Mapping[str, Any]]
    factors: Sequence[Mapping[str, Any]]
    instruments: Sequence[Mapping[str, Any]]

    @property
    def fingerprint(self) -> str:
        parts = [self.rev, self.bundle_id, self.head, list(self.rules), list(self.factors), list(self.instruments)]
        return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()

    def compiled(self, settings: StrategySettings) -> Snapshot:
        """Raises ``LintFailed`` and ``BadConfig``."""
        bundle = compile_bundle(
            self.rules,
            bundle_id=self.bundle_id,
            rev=self.rev,
            bounds=_bounds(self.head.get("bounds"), settings),
            factors={str(factor["f"]) for factor in self.factors if "f" in factor} | set(BUILT_IN),
        )
        return Snapshot(bundle=bundle, ages=_ages(self.factors, settings), listed=_listed(self.instruments))


class ConfigWatcher:
    """Owns the current snapshot."""

    def __init__(self, ledger: Rows, bus: Bus, alerts: Alerts, settings: StrategySettings) -> None:
        self._ledger = ledger
        self._bus = bus
        self._alerts = alerts
        self._settings = settings
        self._loaded = ""  # fingerprint of what the snapshot was made from
        self._differs = 0
        self.snapshot: Snapshot | None = None
        self.wanted_rev: int | None = None
        self.fault = ""

    async def run(self) -> None:
        """Look at each event and at least every ``S3_CONFIG_POLL_SEC``."""
        after = "$"
        while True:
            try:
                entries = await self._bus.tail(
                    CFG_EVENTS, after=after, count=100, block_ms=self._settings.config_poll_sec * 1000
                )
                if entries:
                    after = entries[-1].id
            except StoreUnavailable:
                await asyncio.sleep(self._settings.config_poll_sec)
            await self.refresh()

    async def refresh(self) -> None:
        """Load what is active; anything wrong leaves the old snapshot and says so."""
        try:
            reading = await self._read()
            fresh = None if reading.fingerprint == self._loaded else reading.compiled(self._settings)
        except StoreUnavailable as away:
            self.fault = f"the ledger is away: {away}"
        except LintFailed as wrong:
            self.fault = str(wrong)
            for finding in wrong.findings:
                await self._alerts.say(Severity.ERROR, "CONFIG_REFUSED", finding.rule_id, str(finding))
        except (BadConfig, NewerSchema, msgspec.ValidationError) as wrong:
            self.fault = str(wrong)
            await self._alerts.say(Severity.ERROR, "CONFIG_REFUSED", "config", str(wrong))
        else:
            self.fault = ""
            if fresh is not None:
                self._loaded, self.snapshot = reading.fingerprint, fresh
                log.info("config_swapped", rev=fresh.bundle.rev, rules=len(fresh.bundle.rules))
                for finding in advise(fresh.bundle):
                    await self._alerts.say(Severity.WARN, "CONFIG_ADVICE", finding.rule_id, str(finding))
        await self._compare_revs()

    async def _read(self) -> "_Reading":
        active = await self._ledger.get(CONFIG_ACTIVE, ACTIVE)
        if active is None:
            raise BadConfig("config_active: nothing is active")
        rev, bundle_id = active.get("rev"), active.get("bundle_id")
        if not isinstance(rev, int) or not isinstance(bundle_id, str):
            raise BadConfig(f"config_active: needs rev and bundle_id, has {rev!r} and {bundle_id!r}")
        self.wanted_rev = rev
        document = await self._ledger.get(CONFIG_BUNDLES, bundle_id)
        names = (document or {}).get("rules")
        if document is None or not isinstance(names, list):
            raise BadConfig(f"config_bundles: {bundle_id} is missing or has no rules")
        return _Reading(
            rev=rev,
            bundle_id=bundle_id,
            head=document,
            rules=await self._rules(bundle_id, names),
            factors=await self._ledger.find(FACTOR_REGISTRY, newest=FACTORS_MAX),
            instruments=await self._ledger.find(INSTRUMENT_REGISTRY, newest=INSTRUMENTS_MAX),
        )

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

    async def _compare_revs(self) -> None:
        """Redis may know of a newer revision than the ledger shows us, and ours may be refused: both end here."""
        try:
            cached = await self._bus.get(CFG_ACTIVE_REV)
        except StoreUnavailable:
            return
        if cached is not None and cached.isdigit():
            self.wanted_rev = max(self.wanted_rev or 0, int(cached))
        ours = self.snapshot.bundle.rev if self.snapshot else None
        self._differs = 0 if ours == self.wanted_rev else self._differs + 1
        if self._differs >= DIFFERS_POLLS:
            words = f"active rev {self.wanted_rev}, loaded rev {ours}: {self.fault or 'the ledger does not have it'}"
            await self._alerts.say(Severity.ERROR, "CONFIG_REV_DIFFERS", "config", words)


def _bounds(given: object, settings: StrategySettings) -> Bounds:
    """The bundle's own, each product apart, else the environment's."""
    own = given if isinstance(given, Mapping) else {}
    defaults = {
        "size_mult": Bound(low=settings.size_mult_min, high=settings.size_mult_max),
        "sl_mult": Bound(low=settings.sl_mult_min, high=settings.sl_mult_max),
        "tp_mult": Bound(low=Decimal(1), high=settings.tp_mult_max),
    }
    bounds = {}
    for name, default in defaults.items():
        bound = msgspec.convert(own[name], Bound, strict=False) if name in own else default
        if not 0 < bound.low <= bound.high or (name == "tp_mult" and bound.low < 1):
            raise BadConfig(f"bounds.{name}: {bound.low}..{bound.high} is no range here")
        bounds[name] = bound
    return Bounds(**bounds)


def _ages(factors: Sequence[Mapping[str, Any]], settings: StrategySettings) -> Ages:
    named = {
        str(factor["f"]): Millis(factor["max_age_ms"])
        for factor in factors
        if isinstance(factor.get("max_age_ms"), int) and "f" in factor
    }
    touch = dict.fromkeys(FROM_TOUCH, Millis(settings.touch_max_age_ms))
    return Ages(default_ms=Millis(settings.feature_max_age_ms), by_name={**named, **touch})


def _listed(documents: Sequence[Mapping[str, Any]]) -> dict[tuple[Market, str], Listed]:
    listed = {}
    for document in documents:
        try:
            item = read_listed(document)
        except ValueError as wrong:
            raise BadConfig(f"instrument_registry {document.get('symbol')!r}: {wrong}") from wrong
        listed[item.instrument.market, str(item.instrument.symbol)] = item
    return listed
