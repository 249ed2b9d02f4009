"""What the venue can do for this account just now: its rules, the forms of stop it takes, the account's mode and key.

Read before anything is sent (``learn``), kept fresh beside everything else (``looks``), corrected by what orders meet
(``took``, ``broke``). Each part knows its own; here they are joined.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import structlog

from chimera.admit.places import OF_ENTRY, OF_SPOT_ENTRY, no_place
from chimera.ports.venue import Records, Rulebook, Venue
from chimera.services.router import venue_checks
from chimera.services.router.ground import Ground
from chimera.services.router.market import MarketView
from chimera.services.router.patience import Looks, until_answered
from chimera.services.router.probing import Probing
from chimera.services.router.rules import Rules
from chimera.services.router.sweeping import Sweeping
from chimera.trading.errors import ChimeraError, Refused, VenueRejected
from chimera.trading.events import Severity
from chimera.trading.form import SPOT_FORMS, Form
from chimera.trading.ids import Symbol
from chimera.trading.order import NewOrder, Role
from chimera.trading.refusal import Refusal

log = structlog.get_logger()

MODE_CHANGED: Final = "ACCOUNT_MODE"
MODES_EVERY_S: Final = 600.0
MODES_AGAIN_S: Final = 10.0  # while they are not as they must be, and where they were not answered
MODES_APART_S: Final = 5.0  # however often they are doubted


class Capability:
    """Of one router."""

    def __init__(
        self,
        ground: Ground,
        venue: Venue,
        records: Records,
        rulebook: Rulebook,
        market: MarketView,
        sweeping: Sweeping,
        environment: str,
        probed_after: Callable[[], Awaitable[None]] | None,
        take_over: Callable[[Symbol], Awaitable[None]],
    ) -> None:
        """``environment``: whose hosts these are. ``probed_after``: nothing is asked by orders before; None: never.

        ``take_over``: own a symbol that is listed again.
        """
        self._ground = ground
        self._records = records
        self._sweeping = sweeping
        self._environment = environment
        self._doubted = asyncio.Event()  # the modes are to be looked at now
        self.rules = Rules(ground, rulebook, take_over)
        self._of_futures = ground.market.reduces_only  # the forms of spot are in its rules: nothing is probed there
        self.probing = Probing(ground, venue, rulebook, market, self.rules, probed_after)

    def forms_of(self, symbol: Symbol) -> tuple[Form, ...]:
        """Of stops and targets, the best first: by the probe's word on futures, by the symbol's rules on spot."""
        if self._of_futures:
            return self.probing.forms
        return SPOT_FORMS if self.rules.instruments[symbol].takes_pairs else (Form.ALONE,)

    @property
    def looks(self) -> Looks:
        """What goes on for ever, by name."""
        looks: Looks = {"rules": self.rules.daily, "modes": self._modes}
        return looks | {"probe": self.probing.run} if self._of_futures else looks

    async def learn(self, read_clock: Callable[[], Awaitable[None]]) -> None:
        """Clock, rules and modes, for as long as it takes; raises ``Refused`` for what we do not trade with."""
        modes, *_ = await asyncio.gather(
            venue_checks.ask_modes(self._records, self._environment),
            until_answered(read_clock),
            until_answered(self.rules.read),
        )
        venue_checks.watch_permission(self._ground.barriers, modes)
        if self._of_futures:
            self.probing.hold()

    def took(self, order: NewOrder) -> None:
        """The venue accepted it."""
        if self._of_futures:
            self.probing.took(order)

    async def broke(self, order: NewOrder, error: VenueRejected) -> None:
        """The venue refused it: what that teaches is learned before the owner hears of it."""
        try:
            if self._of_futures:
                self.probing.refused(order, error)
            if error.refusal is Refusal.ACCOUNT_MODE:
                self.doubt_modes(str(error))
            await self.rules.refused(order.symbol, error)
        except Exception:  # a mistake of ours: the owner must hear of the refusal all the same
            log.exception("lesson_fault", ref=order.ref, code=error.code)

    def key(self, error: ChimeraError | None) -> None:
        """How a signed question about the account was answered; None: well."""
        venue_checks.watch_key(self._ground.barriers, self._environment, error)

    def no_slots(self, symbol: Symbol) -> Refused | None:
        """An entry's stop and target may find no place at the venue; others' conditional orders take some, too."""
        others = self._sweeping.externals.orders.values()
        standing = Counter(order.symbol for order in others if order.conditional)
        for key, owner in self._ground.owners.items():
            waiting = owner.holding.conditional
            if waiting:
                standing[key.symbol] += sum(self._of_futures or order.role is Role.STOP for order in waiting)
        rules = self.rules.instruments.get(symbol)
        needs = OF_ENTRY if self._of_futures else OF_SPOT_ENTRY
        return no_place(symbol, standing, None if rules is None else rules.max_conditional, needs)

    def doubt_modes(self, why: str) -> None:
        """Something was told or refused as in another mode of the account: the venue is asked for it now."""
        if not self._doubted.is_set():
            log.warning("modes_doubted", why=why)
        self._doubted.set()

    async def _modes(self) -> None:
        """For ever: somebody may change the account's mode while we run, and then every order is refused."""
        self.rules.look()  # the owners are there now
        pause_s = MODES_EVERY_S
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._doubted.wait()
            self._doubted.clear()
            pause_s = MODES_EVERY_S if await self._modes_are_right() else MODES_AGAIN_S
            await asyncio.sleep(MODES_APART_S)

    async def _modes_are_right(self) -> bool:
        """By the venue's word of now; False also where it gives none."""
        try:
            modes = await self._records.modes()
        except ChimeraError as error:
            self.key(error)
            return False
        fault = venue_checks.account_fault(modes)
        why = None if fault is None else f"{fault.message} (it was changed while S4 ran)"
        self._ground.barriers.level(MODE_CHANGED, why, severity=Severity.FATAL)
        venue_checks.watch_permission(self._ground.barriers, modes)
        return fault is None and modes.can_trade
