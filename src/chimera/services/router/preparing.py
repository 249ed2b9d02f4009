"""What the venue must be told of a symbol before an entry may go there: isolated margin, and the intent's leverage.

One at a time for each symbol, so that many entries at once tell it once; while it is being told nothing is known, and
no entry that was admitted at another leverage goes on. What stands there keeps the leverage that it has, whoever opened
it. Whoever sets another beside us is heard: then the venue is asked again before the next entry.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable

from chimera.admit import leverage
from chimera.ports.clock import Clock
from chimera.ports.venue import Rulebook
from chimera.trading.errors import ChimeraError, NotSent, Refused, VenueRejected
from chimera.trading.holding import Holding
from chimera.trading.ids import Symbol
from chimera.trading.intent import Intent


class Preparing:
    """Of one account; told once per symbol and leverage (S4-RULE-2)."""

    def __init__(self, rulebook: Rulebook, clock: Clock) -> None:
        self._rulebook = rulebook
        self._clock = clock
        self._prepared: dict[Symbol, int] = {}
        self._news: dict[Symbol, int | None] = {}  # what was heard while the venue was being told
        self._changes = leverage.Changes()
        self._telling: defaultdict[Symbol, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def prepare(self, intent: Intent, holding: Callable[[], Holding]) -> None:
        """Raises ``Refused`` where it may not change, and where the venue says no or nothing; exits need none.

        ``holding``: as it is at the moment of asking.
        """
        if intent.reduce_only:
            return
        self._object(intent, holding())
        if self._prepared.get(intent.symbol) == intent.leverage:
            return
        async with self._telling[intent.symbol]:
            self._object(intent, holding())
            if self._prepared.get(intent.symbol) != intent.leverage:
                await self._tell(intent, change=not _stands(holding()))

    async def differs(self, intent: Intent) -> Refused | None:
        """For a child of an intent that is worked: what stands at the venue in place of its leverage, if another does.

        The venue is asked where nobody knows: after a start, after a gap, where another was set. Nothing is changed.
        Raises ``Refused`` while it cannot be told.
        """
        if self._prepared.get(intent.symbol) == intent.leverage:
            return None
        async with self._telling[intent.symbol]:
            if self._prepared.get(intent.symbol) == intent.leverage:
                return None
            found = await self._ask(intent, change=False)
        return None if found == intent.leverage else leverage.refused(intent, {found})

    def hold(self, intent: Intent) -> None:
        """Raises ``Refused`` where the leverage is another's by now; asked with no wait before the entry is taken."""
        if not intent.reduce_only and self._prepared.get(intent.symbol) != intent.leverage:
            raise _being_set(intent)

    def heard(self, symbol: Symbol, leverage: int | None) -> None:
        """The user stream tells that it was set; None: the margin type was, or nobody knows. By us it is no news."""
        self._news[symbol] = leverage
        if self._prepared.get(symbol) != leverage:
            self._prepared.pop(symbol, None)

    def doubt(self) -> None:
        """The user stream was away: it may have been set meanwhile."""
        self._prepared.clear()
        self._news |= dict.fromkeys(self._telling)

    def _object(self, intent: Intent, holding: Holding) -> None:
        standing = leverage.in_use(intent, holding, self._prepared.get(intent.symbol))
        if standing is not None:
            raise standing

    async def _tell(self, intent: Intent, *, change: bool) -> None:
        symbol, now_ms = intent.symbol, self._clock.monotonic_ms()
        too_many = self._changes.too_many(symbol, now_ms)
        if too_many is not None:
            raise too_many
        left = True
        try:
            found = await self._ask(intent, change=change)
        except Refused as no:
            left = not isinstance(no.__cause__, NotSent)  # that has cost nothing
            raise
        finally:
            if left:
                self._changes.count(symbol, now_ms)
        if found != intent.leverage:
            raise leverage.refused(intent, {found})

    async def _ask(self, intent: Intent, *, change: bool) -> int:
        symbol = intent.symbol
        self._prepared.pop(symbol, None)
        self._news.pop(symbol, None)
        try:
            found = await self._rulebook.prepare(symbol, intent.leverage, change=change)
        except NotSent as error:
            raise Refused("VENUE_DOWN", f"the venue was not asked: {error}") from error
        except VenueRejected as error:
            raise Refused("VENUE_REFUSED", f"leverage {intent.leverage}: {error}", field="leverage") from error
        except ChimeraError as error:
            raise Refused("VENUE_DOWN", f"the venue did not answer: {error}") from error
        if self._news.get(symbol, found) != found:  # somebody has set it while the venue answered: its answer is old
            raise _being_set(intent)
        self._prepared[symbol] = found
        return found


def _being_set(intent: Intent) -> Refused:
    told = f"the leverage of {intent.symbol} is being set, by another intent or by somebody else; try again"
    return Refused(leverage.IN_USE, told, field="leverage", value=intent.leverage)


def _stands(holding: Holding) -> bool:
    return bool(holding.exposure) or holding.entering
