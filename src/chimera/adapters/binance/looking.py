"""Surveys of many symbols at once as one look at the whole account.

A few looks go side by side; whoever comes then waits for a turn, and once as many wait as make the whole account
cheaper than each symbol, one of them asks for all. So a start with a hundred positions sees all stops and positions
with its first questions. Invariant: what a caller hears was asked for after the call came. It starts no task: each
look is some caller's own, and a look that fails fails for all who waited for it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from chimera.adapters.binance import translate
from chimera.trading.errors import OutcomeUnknown
from chimera.trading.ids import Symbol
from chimera.trading.money import Millis
from chimera.trading.venue import AccountSnapshot, VenueOrder, VenuePosition

SIDE_BY_SIDE: Final = 4
MANY: Final = 12  # on USD-M the whole account weighs 85, open orders and position of one symbol 7
GATHER_S: Final = 0.1  # whoever asks for all waits so long for others: a start reads its holdings one after the other


class Look(NamedTuple):
    """Open orders and position of one symbol. ``paid``: its trades' first page was paid for with it."""

    asked_ms: Millis
    orders: tuple[VenueOrder, ...]
    position: VenuePosition
    paid: bool


class Looking:
    """``one``: asks for one symbol; ``whole``: for all of them, which is cheaper from ``many`` on."""

    def __init__(
        self,
        one: Callable[[Symbol], Awaitable[Look]],
        whole: Callable[[], Awaitable[AccountSnapshot]],
        *,
        many: int = MANY,
    ) -> None:
        self._many = many
        self._one = one
        self._whole = whole
        self._under_way = 0
        self._gathering = False
        self._waiting: list[asyncio.Future[AccountSnapshot | None]] = []  # None: it is your turn

    async def at(self, symbol: Symbol) -> Look:
        """Raises what the venue's ports raise."""
        while self._gathering or self._under_way >= SIDE_BY_SIDE:
            told = await self._turn()
            if told is not None:
                return _part(told, symbol)
        self._under_way += 1
        try:
            if 1 + len(self._waiting) < self._many:
                return await self._one(symbol)
            return _part(await self._for_all(), symbol)
        finally:
            self._under_way -= 1
            self._next()

    async def _turn(self) -> AccountSnapshot | None:
        place: asyncio.Future[AccountSnapshot | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            return await place
        except asyncio.CancelledError:
            if place in self._waiting:
                self._waiting.remove(place)
            elif place.done() and not place.cancelled() and place.exception() is None and place.result() is None:
                self._next()  # the turn was given to somebody who is gone
            raise

    async def _for_all(self) -> AccountSnapshot:
        self._gathering = True
        try:
            await asyncio.sleep(GATHER_S)
        finally:
            self._gathering = False
        followers, self._waiting = self._waiting, []
        failed: BaseException = OutcomeUnknown("whoever asked for all was stopped")
        try:
            told = await self._whole()
        except Exception as error:  # whatever it is, whoever waits for the same answer hears the same
            failed = error
            raise
        else:
            for place in followers:
                if not place.done():
                    place.set_result(told)
            return told
        finally:
            for place in followers:
                if not place.done():
                    place.set_exception(failed)

    def _next(self) -> None:
        while self._waiting and not self._gathering and self._under_way < SIDE_BY_SIDE:
            place = self._waiting.pop(0)
            if not place.done():
                place.set_result(None)
                return


def _part(told: AccountSnapshot, symbol: Symbol) -> Look:
    held = {each.symbol: each for each in told.positions}
    return Look(
        asked_ms=told.asked_ms,
        orders=tuple(order for order in told.orders if order.symbol == symbol),
        position=held.get(symbol) or translate.flat(symbol, told.asked_ms),
        paid=False,
    )
