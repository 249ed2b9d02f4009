"""What the venue can do for this account just now: its rules, the forms of stop it takes, the account's mode and key.

Read before anything is sent (``learn``), kept fresh beside everything else (``looks``), corrected by what orders meet
(``took``, ``broke``). Each part knows its own; here they are joined to the router.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final

import structlog

from chimera.admit.places import no_place
from chimera.ports.venue import Records, Rulebook, Venue
from chimera.services.router import venue_checks
from chimera.services.router.patience import until_answered
from chimera.services.router.probing import Probing
from chimera.services.router.rules import Rules
from chimera.trading.errors import ChimeraError, Refused, VenueRejected
from chimera.trading.events import Severity
from chimera.trading.form import Form
from chimera.trading.ids import Symbol
from chimera.trading.order import NewOrder

if TYPE_CHECKING:
    from chimera.services.router.router import Router

log = structlog.get_logger()

MODE_CHANGED: Final = "ACCOUNT_MODE"
MODES_EVERY_S: Final = 600.0


class Capability:
    """Of one router."""

    def __init__(self, router: "Router", *, venue: Venue, records: Records, rulebook: Rulebook) -> None:
        self._router = router
        self._records = records
        self._environment = router.config.environment
        self.rules = Rules(rulebook, router.barriers, router.clock, held=self._held)
        self.probing = Probing(router, venue, rulebook, on=router.config.probe)

    @property
    def forms(self) -> tuple[Form, ...]:
        return self.probing.forms

    @property
    def looks(self) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
        """What goes on for ever, by name."""
        return {"rules": self.rules.daily, "probe": self.probing.run, "modes": self._modes}

    async def learn(self) -> None:
        """Clock, rules and modes, for as long as it takes; raises ``Refused`` for what we do not trade with."""
        modes, *_ = await asyncio.gather(
            venue_checks.ask_modes(self._records, self._environment),
            until_answered(self._router.watch.read_clock),
            until_answered(self.rules.read),
        )
        fault = venue_checks.symbol_fault(self._router.config.symbols, self.rules.instruments)
        if fault is not None:
            raise fault
        venue_checks.watch_permission(self._router.barriers, modes)
        self.probing.hold()

    def took(self, order: NewOrder) -> None:
        """The venue accepted it."""
        self.probing.took(order)

    async def broke(self, order: NewOrder, error: VenueRejected) -> None:
        """The venue refused it: what that teaches is learned before the owner hears of it."""
        try:
            self.probing.refused(order, error.code, error.message)
            await self.rules.refused(order.symbol, error.code)
        except Exception:  # a mistake of ours: the owner must hear of the refusal all the same
            log.exception("lesson_fault", ref=order.ref, code=error.code)

    def key(self, error: ChimeraError | None) -> None:
        """How a signed question about the account was answered; None: well."""
        venue_checks.watch_key(self._router.barriers, self._environment, error)

    def no_slots(self, symbol: Symbol) -> Refused | None:
        """An entry's stop and target may find no place at the venue; others' conditional orders take some, too."""
        others = self._router.reconciling.sweeping.externals.orders.values()
        standing = Counter(order.symbol for order in others if order.conditional)
        for key, owner in self._router.owners.items():
            standing[key.symbol] += len(owner.holding.conditional())
        rules = self.rules.instruments.get(symbol)
        return no_place(symbol, standing, None if rules is None else rules.max_conditional)

    def _held(self, symbol: Symbol) -> bool | None:
        owner = self._router.owner_of(symbol)
        return None if owner is None else bool(owner.holding.exposure)

    async def _modes(self) -> None:
        """For ever: somebody may change the account's mode while we run, and then every order is refused."""
        self.rules.look()  # the owners are there now
        while True:
            await asyncio.sleep(MODES_EVERY_S)
            try:
                modes = await self._records.modes()
            except ChimeraError as error:
                self.key(error)
                continue
            fault = venue_checks.account_fault(modes)
            why = None if fault is None else f"{fault.message} (it was changed while S4 ran)"
            self._router.barriers.level(MODE_CHANGED, why, severity=Severity.FATAL)
            venue_checks.watch_permission(self._router.barriers, modes)
