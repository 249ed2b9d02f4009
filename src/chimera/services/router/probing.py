"""Which forms of stop the venue takes just now, found out before one is needed: at the start, daily, after a refusal.

There is no test endpoint for conditional orders, so a form is asked for in a symbol that is flat and quiet, by an order
that could only reduce what is not there: QTY far away and withdrawn at once; WHOLE, which without a position can only
be refused, with -4509 where the form is taken; REGULAR through ``order/test``. Ids are of our own pattern: what a crash
leaves behind the next survey adopts and cancels. Real stops teach the same: taken, or refused for their form.

Never in the way of protection: it begins when every holding has the venue's word, beside everything else. Entries wait
for the first answer (barrier PROBING), and for any form to work (NO_PROTECTIVE_FORM).
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from chimera.ports.venue import Rulebook, Venue
from chimera.protect.rehearsal import FormBook, question, quiet
from chimera.services.router.ground import Ground
from chimera.services.router.market import MarketView
from chimera.services.router.owner import Owner
from chimera.services.router.rules import Rules
from chimera.trading.errors import ChimeraError, OutcomeUnknown, VenueRejected
from chimera.trading.events import Severity
from chimera.trading.facts import Gapped
from chimera.trading.form import FORMS, Form
from chimera.trading.ids import ClientOrderId
from chimera.trading.money import Price
from chimera.trading.order import NewOrder
from chimera.trading.venue import OrderRef

log = structlog.get_logger()

PROBING: Final = "PROBING"
NO_FORM: Final = "NO_PROTECTIVE_FORM"
DAILY_S: Final = 86_400.0
AGAIN_S: Final = 600.0  # while the first choice is refused, or nothing could be asked for
FIRST_PATIENCE_S: Final = 5.0  # of the entries that wait for the first answer
TIMEOUT_MS: Final = 1_000
CANCELS: Final = 3
KEPT: Final = 16


class Probing:
    """The book of forms of one router."""

    def __init__(
        self,
        ground: Ground,
        venue: Venue,
        rulebook: Rulebook,
        market: MarketView,
        rules: Rules,
        after: Callable[[], Awaitable[None]] | None,
    ) -> None:
        """``after``: waits until every holding has the venue's word; None: nothing is ever asked."""
        self.own: deque[ClientOrderId] = deque(maxlen=KEPT)  # what the stream says of these no owner need hear
        self._ground = ground
        self._venue = venue
        self._rulebook = rulebook
        self._market = market
        self._rules = rules
        self._after = after
        self._number = 0
        self._again = asyncio.Event()
        self._book = FormBook()

    # ── what is known ──

    @property
    def forms(self) -> tuple[Form, ...]:
        """What is not known to be refused, the first choice first: for ``Scene.forms``."""
        return self._book.forms

    def shown(self) -> list[dict[str, object]]:
        return [
            {"form": str(each.form), "works": each.works, "why": each.why, "at_ms": each.at_ms}
            for each in self._book.known
        ]

    def took(self, order: NewOrder) -> None:
        """A real order was accepted."""
        self._learn(self._book.took(order, self._ground.clock.now_ms()))

    def refused(self, order: NewOrder, no: VenueRejected) -> None:
        """A real order was refused."""
        before = self._book.forms
        self._learn(self._book.refused(order, no, self._ground.clock.now_ms()))
        if self._book.forms != before:
            self._again.set()

    def _learn(self, book: FormBook) -> None:
        before, self._book = self._book, book
        news = book.news(before)
        if news is not None:
            self._ground.tell(news)
        self._ground.barriers.level(NO_FORM, book.none_left, severity=Severity.FATAL)

    # ── asking ──

    def hold(self) -> None:
        """Entries wait for the first answer; said before anything is loaded."""
        if self._after is not None:
            self._ground.barriers.level(PROBING, "which stops the venue takes is being asked", severity=Severity.INFO)

    async def run(self) -> None:
        """For ever."""
        if self._after is None:
            await asyncio.Event().wait()
            return
        await self._after()
        while True:
            self._again.clear()
            try:
                async with asyncio.timeout(FIRST_PATIENCE_S):
                    await self._ask_all()
            except (TimeoutError, ChimeraError) as error:
                log.warning("probe_unanswered", error=str(error) or "no answer in time")
            finally:
                self._ground.barriers.level(PROBING, None)
            try:
                async with asyncio.timeout(DAILY_S if self._book.sure else AGAIN_S):
                    await self._again.wait()
            except TimeoutError:
                continue

    async def _ask_all(self) -> None:
        owner = self._quiet()
        if owner is None:
            log.info("probe_waits", why="no symbol is flat and quiet: real stops tell")
            return
        symbol = owner.holding.key.symbol
        mark = self._market.mark(symbol) or await self._rulebook.mark(symbol)
        for form in FORMS:
            if owner is not self._quiet(owner):
                return
            await self._ask(owner, form, mark)

    def _quiet(self, wanted: Owner | None = None) -> Owner | None:
        """An owner at whose symbol an order could do nothing."""
        for owner in self._ground.owners.values() if wanted is None else (wanted,):
            rules = self._ground.instruments[owner.holding.key.symbol]
            if owner.recovered.is_set() and quiet(owner.holding, rules):
                return owner
        return None

    async def _ask(self, owner: Owner, form: Form, mark: Price) -> None:
        key, now_ms = owner.holding.key, self._ground.clock.now_ms()
        self._number += 1
        order = question(key, form, mark, self._ground.instruments[key.symbol], now_ms=now_ms, number=self._number)
        self.own.append(order.ref)
        try:
            if form is Form.REGULAR:
                await self._venue.rehearse(order, timeout_ms=TIMEOUT_MS)
            else:
                await self._venue.place(order, timeout_ms=TIMEOUT_MS)
                await self._withdraw(owner, order)
            self._learn(self._book.learned(form, True, "taken", self._ground.clock.now_ms()))
        except VenueRejected as error:
            self._learn(self._book.answered(form, error, self._ground.clock.now_ms()))
            await self._rules.refused(order.symbol, error)
        except OutcomeUnknown as error:
            log.warning("probe_in_doubt", form=form, error=str(error))
            if form is not Form.REGULAR:
                await self._withdraw(owner, order)
        except ChimeraError as error:
            log.info("probe_not_sent", form=form, error=str(error))

    async def _withdraw(self, owner: Owner, order: NewOrder) -> None:
        """It may rest there; where it cannot be seen to go, a survey of the symbol finds and cancels it."""
        named = OrderRef(symbol=order.symbol, ref=order.ref, conditional=True)
        for _ in range(CANCELS):
            try:
                await self._venue.cancel(named, timeout_ms=TIMEOUT_MS)
                return
            except ChimeraError as error:
                log.info("probe_uncanceled", ref=order.ref, error=str(error))
        self.own.remove(order.ref)
        owner.hear(Gapped())
