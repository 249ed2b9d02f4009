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
from chimera.protect.verdicts import Verdict, takes_form, verdict
from chimera.services.router.ground import Ground
from chimera.services.router.market import MarketView
from chimera.services.router.owner import Owner
from chimera.services.router.rules import Rules
from chimera.trading.errors import ChimeraError, OutcomeUnknown, VenueRejected
from chimera.trading.events import Alert, Severity
from chimera.trading.facts import Gapped
from chimera.trading.form import FORMS, Form
from chimera.trading.ids import ClientOrderId, derived_id, probe_id
from chimera.trading.instrument import Instrument
from chimera.trading.intent import WorkingType
from chimera.trading.market import Side
from chimera.trading.money import ZERO, Millis, Price, Qty
from chimera.trading.order import NewOrder, OrderType
from chimera.trading.value import Value
from chimera.trading.venue import OrderRef

log = structlog.get_logger()

PROBING: Final = "PROBING"
NO_FORM: Final = "NO_PROTECTIVE_FORM"
_TAKEN: Final = (Severity.INFO, "PROTECTIVE_FORM_TAKEN")
_REFUSED: Final = (Severity.WARN, "PROTECTIVE_FORM_REFUSED")
DAILY_S: Final = 86_400.0
AGAIN_S: Final = 600.0  # while the first choice is refused, or nothing could be asked for
FIRST_PATIENCE_S: Final = 5.0  # of the entries that wait for the first answer
TIMEOUT_MS: Final = 1_000
CANCELS: Final = 3
KEPT: Final = 16
FAR: Final = 5  # one part in so many of the way from the venue's price bound to the mark


class Known(Value):
    """Whether a form is taken, by whom we know and since when; ``works`` None: nobody could say."""

    form: Form
    works: bool | None
    why: str
    at_ms: Millis


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
        self._known = {form: Known(form=form, works=None, why="not asked yet", at_ms=Millis(0)) for form in FORMS}

    # ── what is known ──

    @property
    def forms(self) -> tuple[Form, ...]:
        """What is not known to be refused, the first choice first: for ``Scene.forms``."""
        return tuple(form for form in FORMS if self._known[form].works is not False)

    def shown(self) -> list[dict[str, object]]:
        return [
            {"form": str(each.form), "works": each.works, "why": each.why, "at_ms": each.at_ms}
            for each in self._known.values()
        ]

    def took(self, order: NewOrder) -> None:
        """A real stop or target was accepted."""
        if order.type.conditional and self._known[order.form].works is not True:
            self._learn(order.form, works=True, why=f"{order.ref} was taken")

    def refused(self, order: NewOrder, code: int, message: str) -> None:
        """A real stop was refused: for its form means that no other symbol need try it first."""
        if order.type is OrderType.STOP_MARKET and verdict(code) is Verdict.FORM:
            if self._known[order.form].works is not False:
                self._again.set()
            self._learn(order.form, works=False, why=f"{code}: {message}")

    def _learn(self, form: Form, *, works: bool | None, why: str) -> None:
        before = self._known[form].works
        self._known[form] = Known(form=form, works=works, why=why, at_ms=self._ground.clock.now_ms())
        if form is FORMS[0] and works is not before and (works is False or before is False):
            severity, code = _TAKEN if works else _REFUSED
            rest = ", ".join(self.forms) or "none"
            self._ground.tell(Alert(severity=severity, code=code, text=f"stop as {form}: {why}; left: {rest}"))
        told = "; ".join(f"{each.form}: {each.why}" for each in self._known.values())
        self._ground.barriers.level(NO_FORM, None if self.forms else told, severity=Severity.FATAL)

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
            sure = self._known[FORMS[0]].works is True
            try:
                async with asyncio.timeout(DAILY_S if sure else AGAIN_S):
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
        """An owner with nothing held, nothing working and no order of its own, in a symbol that trades."""
        for owner in self._ground.owners.values() if wanted is None else (wanted,):
            holding = owner.holding
            busy = holding.exposure or holding.entering or holding.exit is not None or holding.strikes
            if busy or any(not order.status.final for order in holding.orders.values()):
                continue
            if owner.recovered.is_set() and self._ground.instruments[holding.key.symbol].trading:
                return owner
        return None

    async def _ask(self, owner: Owner, form: Form, mark: Price) -> None:
        order = self._order(owner, form, mark)
        self.own.append(order.ref)
        try:
            if form is Form.REGULAR:
                await self._venue.rehearse(order, timeout_ms=TIMEOUT_MS)
            else:
                await self._venue.place(order, timeout_ms=TIMEOUT_MS)
                await self._withdraw(owner, order)
            self._learn(form, works=True, why="taken")
        except VenueRejected as error:
            self._learn(form, works=takes_form(error.code), why=str(error))
            await self._rules.refused(order.symbol, error.code)
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

    def _order(self, owner: Owner, form: Form, mark: Price) -> NewOrder:
        """The smallest stop, as far below the market as the venue takes one and some of the way back."""
        rules = self._ground.instruments[owner.holding.key.symbol]
        self._number += 1
        root = derived_id("cx", f"probe:{owner.holding.key}:{self._ground.clock.now_ms()}:{self._number}")
        return NewOrder(
            ref=probe_id(root),
            symbol=rules.symbol,
            side=Side.SELL,
            type=OrderType.STOP_MARKET,
            qty=Qty(ZERO) if form is Form.WHOLE else Qty(max(rules.min_qty, rules.step)),
            trigger_price=_far_below(mark, rules),
            working_type=WorkingType.MARK_PRICE,
            reduce_only=True,
            form=form,
        )


def _far_below(mark: Price, rules: Instrument) -> Price:
    bound = mark * rules.price_down
    return rules.price_at_or_above(max(bound + (mark - bound) / FAR, rules.min_price))
