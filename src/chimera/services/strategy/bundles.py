"""Bundles in the ledger: made, looked at, compared, made active, taken back, tried.

Invariants: a bundle is linted before anything of it is written; what is written is never changed, and its head comes
last, so a bundle is whole or is not there; making the same one again changes nothing. Every change has a who and a why.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from chimera.decide import revisions as steps
from chimera.decide.revisions import Deciding, Revision, Signature, Trial
from chimera.decide.rules.difference import BundleDifference, difference
from chimera.decide.rules.finding import Finding, LintFailed
from chimera.decide.trial import Limit
from chimera.ports.clock import Clock
from chimera.ports.ledger import Rows
from chimera.services.strategy.compiling import BadConfig, Content, digesting, in_turns
from chimera.services.strategy.config import ConfigWatcher
from chimera.trading.errors import Refused
from chimera.wire.codec import SCHEMA_VERSION, plain
from chimera.wire.keys import CONFIG_BUNDLES, STRATEGY_RULES

THE_ACTIVE: Final = "active"  # instead of a bundle's id, wherever one is only read
AT_ONCE: Final = 200  # rules written together
LOADED_WITHIN_S: Final = 3.0
FINDINGS_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class Offered:
    """A bundle as somebody wrote it; amounts exact."""

    bundle_id: str
    rules: Sequence[Mapping[str, Any]]
    bounds: Mapping[str, Any] | None = None
    flags: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Linted:
    """``findings`` refuse it, ``advice`` does not."""

    digest: str
    findings: Sequence[Finding] = ()
    advice: Sequence[Finding] = ()


class Bundles:
    """Every method raises ``Refused``, and ``StoreUnavailable`` where the outcome is not known."""

    def __init__(self, ledger: Rows, config: ConfigWatcher, clock: Clock) -> None:
        self._ledger = ledger
        self._config = config
        self._clock = clock

    def signed(self, who: str, why: str) -> Signature:
        return Signature(who=who, why=why, at_ms=self._clock.now_ms())

    # ── bundles ──

    async def lint(self, offered: Offered) -> Linted:
        content, _ = await self._content(offered)
        return await self._linted(content, await self._config.names())

    async def create(self, offered: Offered, by: Signature) -> tuple[dict[str, Any], Linted]:
        """Its head. Raises ``Refused`` (``BUNDLE_REFUSED``, ``BUNDLE_EXISTS``)."""
        content, rules = await self._content(offered)
        linted = await self._linted(content, await self._config.names())
        if linted.findings:
            raise _refused(linted.findings)
        there = await self._ledger.get(CONFIG_BUNDLES, offered.bundle_id)
        if there is None:
            await self._write_rules(offered.bundle_id, rules)
            head = {**content.head, "who": by.who, "why": by.why, "at_ms": by.at_ms}
            await self._ledger.insert(CONFIG_BUNDLES, offered.bundle_id, head)
            there = await self._ledger.get(CONFIG_BUNDLES, offered.bundle_id) or head
        if there.get("digest") != linted.digest:
            raise _taken(offered.bundle_id)
        return there, linted

    async def read(self, bundle_id: str, *, whole: bool = True) -> Content:
        """``active`` is whichever is active. ``whole`` False: without its rules, where a digest stands for them."""
        if bundle_id == THE_ACTIVE:
            bundle_id = (await self._active()).bundle_id
        try:
            return await self._config.content(bundle_id, whole=whole)
        except (BadConfig, LintFailed) as absent:
            known = "one of GET /bundles, or active"
            raise Refused("NOT_FOUND", str(absent), field="bundle_id", value=bundle_id, accepted=known) from absent

    async def listed(self, newest: int) -> Sequence[dict[str, object]]:
        return await self._ledger.find(CONFIG_BUNDLES, newest=newest)

    async def diff(self, first: str, second: str) -> BundleDifference:
        one, other = await self.read(first), await self.read(second)
        return difference(one.head, one.rules or (), other.head, other.rules or ())

    # ── what decides ──

    async def activate(self, bundle_id: str, by: Signature) -> Revision:
        """It decides from the moment the log has it; answers once it is loaded, or after a few seconds."""
        digest = await self._usable(bundle_id)
        return await self._taken(lambda standing: steps.activated(standing, bundle_id, digest, by))

    async def roll_back(self, by: Signature, to_rev: int | None) -> Revision:
        """To what was active before, or under a revision; itself a new revision."""
        to = await self._earlier(to_rev)
        digest = await self._usable(to.bundle_id)
        if to.digest and digest != to.digest:
            words = f"{to.bundle_id} is not what decided under revision {to.rev} any more"
            raise Refused("BUNDLE_REFUSED", words, field="to_rev", value=to.rev, accepted="a bundle that is as it was")
        return await self._taken(lambda standing: steps.rolled_back(standing, to, by))

    async def begin_trial(self, bundle_id: str, share: Decimal, limit: Limit | None, by: Signature) -> Revision:
        digest = await self._usable(bundle_id)
        candidate = Trial(rev=0, bundle_id=bundle_id, digest=digest, share=share, limit=limit)
        return await self._taken(lambda standing: steps.tried(standing, candidate, by))

    async def end_trial(self, by: Signature) -> Revision:
        return await self._taken(lambda standing: steps.trial_ended(standing, by))

    async def _taken(self, step: Any) -> Revision:
        line = await self._config.revisions.take(step)
        try:
            async with asyncio.timeout(LOADED_WITHIN_S):
                await self._config.refresh(line.rev)
        except TimeoutError:
            pass  # a large bundle; the watcher loads it, and the answer says what is loaded
        return line

    async def _active(self) -> Deciding:
        standing = await self._config.revisions.standing()
        if standing.active is None:
            raise Refused("NOTHING_ACTIVE", "no bundle is active yet")
        return standing.active

    async def _earlier(self, to_rev: int | None) -> Deciding:
        revisions = self._config.revisions
        found = await (revisions.before(await self._active()) if to_rev is None else revisions.bundle_of(to_rev))
        if found is None:
            words = "no bundle was active before" if to_rev is None else "no bundle was made active under this revision"
            raise Refused("NOT_FOUND", words, field="to_rev", value=to_rev, accepted="a revision of the history")
        return found

    async def _usable(self, bundle_id: str) -> str:
        """Its digest; raises ``Refused`` where S3 would not decide with it now."""
        names = await self._config.names()
        content = await self.read(bundle_id, whole=False)
        if content.rules is None and not self._config.compiler.knows(content, names):
            content = await self.read(bundle_id)
        linted = await self._linted(content, names)
        if linted.findings:
            raise _refused(linted.findings)
        return str(content.head.get("digest") or "")

    # ── documents ──

    async def _content(self, offered: Offered) -> tuple[Content, Sequence[dict[str, Any]]]:
        rules: list[dict[str, Any]] = [plain(rule) for rule in offered.rules]
        head = {
            "schema_version": SCHEMA_VERSION,
            "bundle_id": offered.bundle_id,
            "rules": [rule.get("rule_id") for rule in rules],
            "bounds": plain(offered.bounds or {}),
            "flags": plain(offered.flags or {}),
        }
        head["digest"] = await in_turns(digesting(head, rules))
        return Content(offered.bundle_id, head, rules), rules

    async def _linted(self, content: Content, names: frozenset[str]) -> Linted:
        digest = str(content.head.get("digest") or "")
        try:
            made = await self._config.compiler.made(content, names)
        except LintFailed as wrong:
            return Linted(digest, findings=wrong.findings)
        except BadConfig as wrong:
            return Linted(digest, findings=(Finding(rule_id="bundle", path="$", message=str(wrong)),))
        return Linted(digest, advice=made.advice)

    async def _write_rules(self, bundle_id: str, rules: Sequence[dict[str, Any]]) -> None:
        for start in range(0, len(rules), AT_ONCE):
            await asyncio.gather(*(self._write_rule(bundle_id, rule) for rule in rules[start : start + AT_ONCE]))

    async def _write_rule(self, bundle_id: str, rule: dict[str, Any]) -> None:
        """A rule that is there already is one of an attempt that broke off, or of another who chose this name."""
        key = f"{bundle_id}:{rule['rule_id']}"
        if await self._ledger.insert(STRATEGY_RULES, key, rule):
            return
        if await self._ledger.get(STRATEGY_RULES, key) != rule:
            raise _taken(bundle_id)


def _taken(bundle_id: str) -> Refused:
    words = f"another bundle was made, or begun, under {bundle_id}; what is written is never changed"
    return Refused("BUNDLE_EXISTS", words, field="bundle_id", value=bundle_id, accepted="a name of its own")


def _refused(findings: Sequence[Finding]) -> Refused:
    first, more = findings[0], len(findings) - FINDINGS_SHOWN
    words = "; ".join(map(str, findings[:FINDINGS_SHOWN])) + (f"; and {more} more" if more > 0 else "")
    field = f"rules[{first.rule_id}]{first.path.removeprefix('$')}"
    return Refused("BUNDLE_REFUSED", words, field=field, accepted="docs/rules.md, docs/rule.schema.json")
