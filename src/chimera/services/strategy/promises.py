"""What this process has promised to trade, and what every other one on the account has: nobody promises it twice.

Beside S4's risk budget stands a table with a line for each promise of every S3 on the account. An entry is announced
there and the table read in the same step, before it is durable: of two that meet, one sees the other. Lines are written
anew while their promise counts, and go by themselves when their process is dead; its successor has them in the ledger.
How a promise counts is ``decide.promises``'s to say. In this process it counts from the moment it is decided, whatever
the table says.
"""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import Final, NamedTuple

import structlog

from chimera.decide.promises import is_over, seen_in, sighted
from chimera.ports.clock import Clock
from chimera.ports.streams import Table, Tables
from chimera.trading.budget import Reserve, RiskBudget
from chimera.trading.errors import NewerSchema, StoreUnavailable
from chimera.trading.ids import IntentId, Symbol
from chimera.trading.intent import Intent
from chimera.trading.market import Market
from chimera.trading.money import Millis
from chimera.wire.budget import promise_line, read_budget, read_promise
from chimera.wire.keys import risk_budget_key

LINE_MS: Final = 60_000  # a line's life unless it is written anew, or longer where its intent may be taken for longer
ANEW_MS: Final = 10_000
WATCHED_S: Final = 0.25  # between two looks while S4's figures may not show an answered intent yet
LATE_MS: Final = 5_000  # figures that are later than this come from an S4 with another clock
GONE_MAX: Final = 10_000
KEPT_S: Final = 1.0  # while anything is promised
CLOSE_MS: Final = 60_000  # S4's time to close a position past its longest hold

log = structlog.get_logger(__name__)


class Told(NamedTuple):
    """The table as an announcement found it: S4's figures, and what others and we have promised beside it."""

    budget: RiskBudget | None
    reserved: tuple[Reserve, ...]
    unreadable: str = ""  # a line or the budget
    others: tuple[Reserve, ...] = ()  # of them, those of other processes


class Promises:
    """Of one account."""

    def __init__(self, tables: Tables, clock: Clock, account_id: str) -> None:
        self._tables = tables
        self._clock = clock
        self._key = risk_budget_key(account_id)
        self._kept: dict[IntentId, Reserve] = {}
        self._answered: dict[IntentId, Millis | None] = {}  # and the first figures read since
        self._over: dict[IntentId, Millis] = {}  # S4's moment since when nothing of it counts
        self._newest: tuple[RiskBudget, int] | None = None  # and since when it is known (monotonic)
        self._unbounded: dict[tuple[Market, Symbol], IntentId] = {}
        self._owed: set[IntentId] = set()  # lines to be lifted
        self._gone: dict[str, None] = {}  # what came to nothing, the newest last: a slow reading may still show a line
        self._laid: dict[IntentId, tuple[Reserve, int]] = {}  # as it stands in the table, and since when (monotonic)
        self._known: dict[str, tuple[bytes, Reserve]] = {}  # lines as the table had them last, and what they say
        self._wake = asyncio.Event()

    # ── what deciding and delivering say ──

    def keep(self, reserve: Reserve, intent: Intent) -> None:
        """Count it from now on; there is no await between its decision and this."""
        self._kept[reserve.intent_id] = promised(reserve, intent)
        self._gone.pop(reserve.intent_id, None)

    def recall(self, reserve: Reserve, intent: Intent, *, is_answered: bool) -> None:
        """One of an earlier run's, as the ledger has it; to be called from the oldest to the newest.

        Of those that may be held for ever only the newest of a symbol is: no more can be known of the others.
        """
        kept = promised(reserve, intent)
        if kept.gone_by_ms is not None and self._clock.now_ms() > kept.gone_by_ms:
            return
        if kept.gone_by_ms is None and is_answered:
            former = self._unbounded.get((kept.market, kept.symbol))
            if former is not None:
                self.drop(former)
            self._unbounded[kept.market, kept.symbol] = kept.intent_id
        self.keep(reserve, intent)
        if is_answered:
            self.answered(kept.intent_id)

    def drop(self, intent_id: IntentId) -> None:
        """It comes to nothing: S4 refused it, or it was never sent and never will be."""
        if self._kept.pop(intent_id, None) is not None:
            self._answered.pop(intent_id, None)
            self._over.pop(intent_id, None)
            self._laid.pop(intent_id, None)
            self._owed.add(intent_id)
            self._gone[intent_id] = None
            if len(self._gone) > GONE_MAX:
                del self._gone[next(iter(self._gone))]
            self._wake.set()

    def answered(self, intent_id: IntentId) -> None:
        """S4 has taken it."""
        if intent_id in self._kept:
            self._answered.setdefault(intent_id, None)
            self._wake.set()

    def counted(self) -> tuple[Reserve, ...]:
        return tuple(self._kept.values())

    async def announce(self, intent_id: IntentId) -> Told:
        """Tell of it and read what everybody told. Raises ``StoreUnavailable``."""
        told = await self._exchange([intent_id])
        return told._replace(reserved=tuple(each for each in told.reserved if each.intent_id != intent_id))

    async def others(self) -> Told:
        """What everybody told, ourselves too, and no word from us: a dry run's look. Raises ``StoreUnavailable``."""
        return self._read(await self._tables.table(self._key))

    # ── the work ──

    async def run(self) -> None:
        """For ever: keeps our lines as they should be. While the bus is away they stay as they were."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(WATCHED_S if self._answered else KEPT_S):
                    await self._wake.wait()
            self._wake.clear()
            if not self._kept and not self._owed:
                continue
            try:
                await self.look()
            except StoreUnavailable as away:
                log.info("promises_not_told", why=str(away))

    async def look(self) -> None:
        """One look at S4's figures, and our lines as they follow from it. Raises ``StoreUnavailable``."""
        asked = tuple(self._answered)
        told = self._read(await self._tables.table(self._key))
        if told.budget is not None:
            self._saw(told.budget, asked)
        await self._tables.lift(self._key, lifted := sorted(self._owed))
        self._owed.difference_update(lifted)
        now_ms = self._clock.monotonic_ms()
        stale = [name for name, kept in self._kept.items() if _differs(self._laid.get(name), kept, now_ms)]
        if stale:
            await self._exchange(stale)

    def _saw(self, budget: RiskBudget, asked: Iterable[IntentId]) -> None:
        for intent_id in asked:
            if intent_id not in self._answered:
                continue
            self._answered[intent_id], is_shown = sighted(self._answered[intent_id], budget)
            if is_shown:
                self._kept[intent_id] = self._kept[intent_id].but(shown_ms=budget.at_ms)
        for intent_id, kept in list(self._kept.items()):
            now = self._kept[intent_id] = seen_in(kept, budget)
            if now.shown_ms is not None:
                self._answered.pop(intent_id, None)
            if not is_over(now, budget):
                self._over.pop(intent_id, None)
            elif budget.at_ms >= self._over.setdefault(intent_id, budget.at_ms) + LATE_MS:
                self.drop(intent_id)

    async def _exchange(self, ours: Iterable[IntentId]) -> Told:
        """Lay these lines and read the table."""
        laid = {name: self._kept[name] for name in ours if name in self._kept}
        lines = {str(name): promise_line(kept) for name, kept in laid.items()}
        now_ms = self._clock.now_ms()
        until_ms = max((kept.valid_until_ms or 0 for kept in laid.values()), default=0)
        table = await self._tables.lay(self._key, lines, ttl_ms=max(LINE_MS, until_ms - now_ms + ANEW_MS))
        began_ms = self._clock.monotonic_ms()
        for name, kept in laid.items():
            if name in self._kept:
                self._laid[name] = kept, began_ms
            else:  # dropped meanwhile, and perhaps lifted before it was laid
                self._owed.add(name)
                self._wake.set()
        return self._read(table)

    def _read(self, table: Table) -> Told:
        """Every line there is, and of ours those that are not there yet, or no more."""
        try:
            budget = None if table.snapshot is None else self._not_late(read_budget(table.snapshot))
            lines = table.lines.items()
            self._known = {name: self._line(name, line) for name, line in lines if name not in self._gone}
        except (ValueError, NewerSchema) as wrong:
            return Told(None, self.counted(), f"what stands beside {self._key} cannot be read: {wrong}")
        told = {name: promise for name, (_, promise) in self._known.items()}
        ours = [kept for name, kept in self._kept.items() if name not in told]
        others = tuple(each for name, each in told.items() if name not in self._kept)
        return Told(budget, (*told.values(), *ours), others=others)

    def _line(self, name: str, line: bytes) -> tuple[bytes, Reserve]:
        """Read once: it says the same until it is laid anew. Raises ``ValueError`` or ``NewerSchema``."""
        known = self._known.get(name)
        return known if known is not None and known[0] == line else (line, read_promise(line))

    def _not_late(self, budget: RiskBudget) -> RiskBudget:
        """These figures, or the newer ones that they came after: S4's writes may overtake each other."""
        now_ms = self._clock.monotonic_ms()
        if self._newest is not None and budget.at_ms <= self._newest[0].at_ms and now_ms < self._newest[1] + LATE_MS:
            return self._newest[0]
        self._newest = budget, now_ms
        return budget


def promised(reserve: Reserve, intent: Intent) -> Reserve:
    """With the moments that its intent has."""
    until_ms, hold_s = intent.valid_until_ms, intent.max_hold_s
    gone_ms = None if until_ms is None or hold_s is None else Millis(until_ms + hold_s * 1_000 + CLOSE_MS)
    return reserve.but(valid_until_ms=until_ms, gone_by_ms=gone_ms)


def _differs(laid: tuple[Reserve, int] | None, kept: Reserve, now_ms: Millis) -> bool:
    """Whether its line is to be written: it is not there, says something else, or was written long ago."""
    return laid is None or laid[0] != kept or now_ms - laid[1] >= ANEW_MS
