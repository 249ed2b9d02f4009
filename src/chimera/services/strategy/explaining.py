"""Decisions that were made, asked for: one with its trace, a page of them, what would have changed one, and a replay.

Only questions: nothing is written, no lock is taken, and no score model is asked. What is decided again is the stored
case, exactly, in turns with decisions that count. Bundles are compiled by a compiler of this desk's own, so that
whoever looks back never unloads what decides.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

from chimera.decide.decision import Case, decide
from chimera.decide.outcome import Outcome, outcome, parts
from chimera.decide.rules.finding import LintFailed
from chimera.decide.rules.flags import under
from chimera.decide.seek import seeking
from chimera.ports.ledger import Row, Rows
from chimera.services.strategy.bundles import Bundles
from chimera.services.strategy.compiling import BadConfig, Compiler, Made, in_turns
from chimera.services.strategy.config import ConfigWatcher
from chimera.services.strategy.fixture import exported
from chimera.services.strategy.hours import by_hour
from chimera.services.strategy.settings import StrategySettings
from chimera.services.strategy.tracing import decided, read_case, shown, traced
from chimera.trading.errors import NewerSchema, Refused
from chimera.trading.money import Millis
from chimera.wire.codec import plain
from chimera.wire.decided import DecisionsAsk
from chimera.wire.keys import SIGNALS
from chimera.wire.paging import cursor_text

AT_ONCE: Final = 8  # decisions made anew between two turns of the loop
FINDINGS_SHOWN: Final = 5


class Kind(StrEnum):
    """What a replayed decision comes to beside the one that was made."""

    SAME = "same"
    OPENS = "opens"  # it would trade, and did not
    SKIPS = "skips"  # it would not trade, and did
    CHANGED = "changed"  # it trades either way, otherwise
    REASONS = "reasons"  # the same would have happened, for other reasons
    NO_CASE = "no_case"  # it was not made of a case that is kept: before they were, or ended by a lock
    UNREADABLE = "unreadable"  # of another version, or damaged


class Explaining:
    """Every method raises ``Refused`` and ``StoreUnavailable``."""

    def __init__(self, ledger: Rows, bundles: Bundles, config: ConfigWatcher, settings: StrategySettings) -> None:
        self._ledger = ledger
        self._bundles = bundles
        self._config = config
        self._compiler = Compiler(settings)

    # ── what was decided ──

    async def trace(self, signal_id: str) -> dict[str, Any]:
        return traced(await self._row(signal_id))

    async def listed(self, ask: DecisionsAsk) -> tuple[list[dict[str, Any]], str | None]:
        """Newest first, and the cursor of the next page if there is one."""
        found = await self._newest_first(ask)
        page = found[: ask.limit]
        return [shown(row.document) for row in page], _cursor(page[-1]) if len(found) > ask.limit else None

    async def skips(self, ask: DecisionsAsk) -> dict[str, Any]:
        """A page, newest first, counted by hour and code: an hour may go on in the next page."""
        found = await self._newest_first(ask)
        page = found[: ask.limit]
        return {
            "decisions": len(page),
            "hours": by_hour(row.document for row in page),
            "cursor": _cursor(page[-1]) if len(found) > ask.limit else None,
        }

    async def fixture(self, signal_id: str) -> dict[str, Any]:
        """Everything that deciding it again takes, and what came of it."""
        row = await self._row(signal_id)
        if _case(row) is None:
            raise _no_case(signal_id)
        bundle_id = str(row.get("bundle_id"))
        content, factors = await self._bundles.read(bundle_id), await self._config.names()
        return exported(row, content.rules or (), await self._made(bundle_id), factors)

    async def needed(self, signal_id: str) -> dict[str, Any]:
        """What would have to have been otherwise, judged by the bundle that decided."""
        row = await self._row(signal_id)
        case = _case(row)
        if case is None:
            raise _no_case(signal_id)
        made = await self._made(str(row.get("bundle_id")))
        found = await in_turns(seeking(made.bundle, made.flags, case))
        again = outcome(under(made.flags, decide(made.bundle, case)))
        return {
            "signal_id": signal_id,
            "bundle_id": row.get("bundle_id"),
            "decision": row.get("decision"),
            "same_today": not parts(decided(row), again),
            **plain(found),
        }

    # ── another bundle ──

    async def replay(self, bundle_id: str, ask: DecisionsAsk) -> dict[str, Any]:
        """A page of stored decisions, oldest first, as this bundle would have made them."""
        made = await self._made(bundle_id)
        rows = await self._oldest_first(ask)
        tally: Counter[str] = Counter()
        found = []
        for number, row in enumerate(rows[: ask.limit]):
            kind, told = _replayed(made, row.document)
            tally[kind] += 1
            if kind is not Kind.SAME:
                found.append(told)
            if number % AT_ONCE == AT_ONCE - 1:
                await asyncio.sleep(0)
        return {
            "bundle_id": made.bundle.bundle_id,
            "decisions": sum(tally.values()),
            "tally": {kind.value: tally[kind] for kind in Kind},
            "differences": found,
            "cursor": _cursor(rows[ask.limit - 1]) if len(rows) > ask.limit else None,
        }

    # ── rows and bundles ──

    async def _row(self, signal_id: str) -> dict[str, object]:
        row = await self._ledger.get(SIGNALS, signal_id)
        if row is None:
            accepted = "a signal_id of GET /decisions (chimera decisions)"
            raise Refused("NOT_FOUND", "no such decision", field="signal_id", value=signal_id, accepted=accepted)
        return row

    async def _newest_first(self, ask: DecisionsAsk) -> Sequence[Row]:
        """One more than asked for, where there is one. Rows of one moment are cut by their numbers."""
        until_ms = ask.until_ms if ask.place is None else Millis(min(ask.until_ms, ask.place[0] + 1))
        most = ask.limit + 1
        while True:
            rows = await self._ledger.span(
                SIGNALS, since_ms=ask.since_ms, until_ms=until_ms, where=ask.where, limit=most, backwards=True
            )
            left = [row for row in rows if ask.place is None or _place(row) < ask.place]
            if len(left) > ask.limit or len(rows) < most:
                return left
            most += ask.limit + 1

    async def _oldest_first(self, ask: DecisionsAsk) -> Sequence[Row]:
        since_ms, after = (ask.since_ms, 0) if ask.place is None else ask.place
        return await self._ledger.span(
            SIGNALS, since_ms=since_ms, until_ms=ask.until_ms, where=ask.where, after=after, limit=ask.limit + 1
        )

    async def _made(self, bundle_id: str) -> Made:
        """Compiled; raises ``Refused`` (``NOT_FOUND``, ``BUNDLE_REFUSED``)."""
        content = await self._bundles.read(bundle_id)
        try:
            return await self._compiler.made(content, await self._config.names())
        except LintFailed as wrong:
            words = "; ".join(map(str, wrong.findings[:FINDINGS_SHOWN]))
            raise Refused("BUNDLE_REFUSED", words, field="bundle_id", value=bundle_id) from wrong
        except BadConfig as wrong:
            raise Refused("BUNDLE_REFUSED", str(wrong), field="bundle_id", value=bundle_id) from wrong


def _replayed(made: Made, row: Mapping[str, Any]) -> tuple[Kind, dict[str, Any]]:
    told = {name: row.get(name) for name in ("signal_id", "at_ms", "symbol", "bundle_id", "config_rev", "decision")}
    try:
        case, before = read_case(row), decided(row)
    except (ValueError, KeyError, NewerSchema) as wrong:
        return Kind.UNREADABLE, {**told, "kind": Kind.UNREADABLE.value, "why": str(wrong)}
    if case is None:
        return Kind.NO_CASE, {**told, "kind": Kind.NO_CASE.value, "why": row.get("reason")}
    again = under(made.flags, decide(made.bundle, case))
    after = outcome(again)
    differences = [{"what": part.what, "decided": part.one, "replayed": part.other} for part in parts(before, after)]
    kind = _kind(before, after, [part["what"] for part in differences])
    return kind, {**told, "kind": kind.value, "replayed": again.reason, "differences": differences}


def _kind(before: Outcome, after: Outcome, differing: Sequence[str]) -> Kind:
    if not differing:
        return Kind.SAME
    if before.decision != after.decision:
        return Kind.OPENS if after.decision == "open" else Kind.SKIPS
    if after.decision == "open" and set(differing) - {"rules_fired"}:
        return Kind.CHANGED
    return Kind.REASONS


def _case(row: Mapping[str, Any]) -> Case | None:
    try:
        return read_case(row)
    except (ValueError, NewerSchema):
        return None


def _no_case(signal_id: str) -> Refused:
    why = "no case is kept of this decision: it is of an earlier version, or a lock ended it"
    return Refused("NOT_REPLAYABLE", why, field="signal_id", value=signal_id)


def _place(row: Row) -> tuple[Millis, int]:
    at_ms = row.document.get("at_ms")
    return Millis(at_ms if isinstance(at_ms, int) else 0), row.number


def _cursor(row: Row) -> str:
    return cursor_text(*_place(row))
