"""Bundles from documents: compiled in turns with everything else, each content once, whether it was good or refused.

A revision is made of what stands in the ledger; its number is no part of the work, so a bundle that comes back (a
roll-back, a candidate that is activated) costs nothing. What was refused stays refused without being read again.
"""

import asyncio
import gc
import hashlib
import json
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from difflib import get_close_matches
from typing import Any, Final, TypeVar

import msgspec

from chimera.decide.rules.advice import advising
from chimera.decide.rules.bundle import Bound, Bounds, Bundle, compiling
from chimera.decide.rules.finding import Finding, Lint, LintFailed
from chimera.decide.rules.flags import NOBODY, Flags, read_flags
from chimera.services.strategy.settings import StrategySettings
from chimera.trading.money import sound

AT_ONCE: Final = 16  # rules, or pairs of rules, between two turns of the loop: some milliseconds
UNCOLLECTED_FROM: Final = 1_000  # rules: below it a collection is a matter of milliseconds
LIMITS: Final = ("bounds", "flags")  # of a bundle's head
KEPT_MAX: Final = 4  # contents: active, candidate, one that was just made, one that was refused

T = TypeVar("T")


class BadConfig(ValueError):
    """A configuration document that is missing or not in its form."""


@dataclass(frozen=True, slots=True)
class Content:
    """The documents of one bundle. ``rules`` None: not read, because ``head`` has the digest of them all."""

    bundle_id: str
    head: Mapping[str, Any]
    rules: Sequence[Mapping[str, Any]] | None

    @property
    def key(self) -> str:
        digest = self.head.get("digest")
        return _hashed([self.bundle_id, digest] if digest else [self.bundle_id, self.head, list(self.rules or ())])


@dataclass(frozen=True, slots=True)
class Made:
    """What came of a content: a bundle without its revision, and what lint only advises."""

    bundle: Bundle
    flags: Flags
    advice: tuple[Finding, ...]

    def under(self, rev: int) -> Bundle:
        return replace(self.bundle, rev=rev)


class Compiler:
    """Keeps the few contents that were asked for last."""

    def __init__(self, settings: StrategySettings) -> None:
        self._settings = settings
        self._kept: dict[tuple[str, frozenset[str]], Made | LintFailed] = {}

    def knows(self, content: Content, factors: frozenset[str]) -> bool:
        return (content.key, factors) in self._kept

    async def made(self, content: Content, factors: frozenset[str]) -> Made:
        """Raises ``LintFailed`` and ``BadConfig``."""
        key = content.key, factors
        kept = self._kept.pop(key, None)
        if kept is None:
            kept = await self._make(content, factors)
        self._kept[key] = kept  # the newest, last
        while len(self._kept) > KEPT_MAX:
            self._kept.pop(next(iter(self._kept)))
        if isinstance(kept, LintFailed):
            raise LintFailed(kept.findings)
        return kept

    async def _make(self, content: Content, factors: frozenset[str]) -> Made | LintFailed:
        with _kept_from_collection(len(content.rules or ())):
            return await self._read(content, factors)

    async def _read(self, content: Content, factors: frozenset[str]) -> Made | LintFailed:
        rules = content.rules or ()
        digest = content.head.get("digest")
        if digest and digest != await in_turns(digesting(content.head, rules)):
            raise BadConfig(f"config_bundles: {content.bundle_id} is not what it was when it was made: digest {digest}")
        _check_names(content.head)
        bounds = bounds_of(content.head.get("bounds"), self._settings)
        lint = Lint(NOBODY)
        flags = read_flags(content.head.get("flags"), lint)
        try:
            bundle = await in_turns(
                compiling(rules, bundle_id=content.bundle_id, rev=0, bounds=bounds, factors=factors)
            )
        except LintFailed as wrong:
            return LintFailed([*lint.findings, *wrong.findings])
        if lint.findings:
            return LintFailed(lint.findings)
        return Made(bundle, flags, await in_turns(advising(bundle)))


@contextmanager
def _kept_from_collection(rules: int) -> Iterator[None]:
    """While many rules are read no collector walks over them again and again, and afterwards never: what is compiled
    has no cycles and lives as long as its revision. One walk over 10,000 rules takes a tenth of a second or two, in
    which nobody decides. Cycles that others leave meanwhile wait; what is garbage at the end is not collected any more,
    so this is for a load now and then.
    """
    if rules < UNCOLLECTED_FROM or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


async def in_turns(work: Generator[None, None, T]) -> T:
    """Drive it to its end; whoever else is on the loop waits for ``AT_ONCE`` steps at most."""
    while True:
        try:
            for _ in range(AT_ONCE):
                next(work)
        except StopIteration as done:
            answer: T = done.value
            return answer
        await asyncio.sleep(0)


def digesting(head: Mapping[str, Any], rules: Sequence[Mapping[str, Any]]) -> Generator[None, None, str]:
    """SHA-256 of what a bundle says, rule by rule: not of its name, nor of who made it."""
    hashing = hashlib.sha256(_text(_worded([head.get("bounds") or {}, head.get("flags") or {}])))
    for rule in sorted(rules, key=lambda rule: str(rule.get("rule_id"))):
        hashing.update(_text(_worded(rule)))
        yield
    return hashing.hexdigest()


def _check_names(head: Mapping[str, Any]) -> None:
    """Raises ``BadConfig`` for a limit of a head written by hand that was misspelt, and would hold nothing back."""
    for name in head:
        if name not in LIMITS and (near := get_close_matches(str(name).lower(), LIMITS, n=1, cutoff=0.8)):
            raise BadConfig(f"config_bundles: {name} is not known; did you mean {near[0]}?")


def bounds_of(given: object, settings: StrategySettings) -> Bounds:
    """The bundle's own, each product apart, else the environment's; raises ``BadConfig``, also for a name that no
    product has: a bound that was misspelt would otherwise not hold.
    """
    own = {} if given is None else given
    if not isinstance(own, Mapping):
        raise BadConfig(f"bounds: needs an object, has {given!r}")
    defaults = {
        "size_mult": Bound(low=settings.size_mult_min, high=settings.size_mult_max),
        "sl_mult": Bound(low=settings.sl_mult_min, high=settings.sl_mult_max),
        "tp_mult": Bound(low=Decimal(1), high=settings.tp_mult_max),
    }
    if unknown := sorted(str(name) for name in own if name not in defaults):
        raise BadConfig(f"bounds.{unknown[0]} is not known; known are {', '.join(defaults)}")
    bounds = {}
    for name, default in defaults.items():
        try:
            bound = msgspec.convert(own[name], Bound, strict=False) if name in own else default
        except msgspec.ValidationError as wrong:
            raise BadConfig(f"bounds.{name}: {wrong}") from wrong
        is_range = sound(bound.low) and sound(bound.high) and 0 < bound.low <= bound.high
        if not is_range or (name == "tp_mult" and bound.low < 1):
            raise BadConfig(f"bounds.{name}: {bound.low}..{bound.high} is no range here")
        bounds[name] = bound
    return Bounds(**bounds)


def _worded(node: object) -> object:
    """Numbers as words: ``1`` and ``"1"`` say the same in a rule."""
    match node:
        case Mapping():
            return {name: _worded(inner) for name, inner in node.items()}
        case list() | tuple():
            return [_worded(inner) for inner in node]
        case bool() | None:
            return node
        case _:
            return str(node)


def _text(node: object) -> bytes:
    return json.dumps(node, sort_keys=True, default=str).encode()


def _hashed(node: object) -> str:
    return hashlib.sha256(_text(node)).hexdigest()
