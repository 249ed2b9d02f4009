"""The last hop: carry out one command at the venue and turn whatever comes of it into a fact.

Every outcome is a fact; nothing is retried here. Whether an order may leave is asked of ``admit.last_hop`` in the step
in which it leaves; limits are reserved there. An entry's id leaves this process once, whatever the caller believes.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import NamedTuple, Protocol

import structlog

from chimera.admit import last_hop
from chimera.admit.limits import Exposure, LimitBook
from chimera.ports.clock import Clock
from chimera.ports.venue import Pairs, Records, Venue
from chimera.protect.pairs import locked_qty
from chimera.services.router import breaking
from chimera.services.router.barriers import HELD_MS, Barriers
from chimera.services.router.breaking import Breaking
from chimera.trading.commands import Ask, Cancel, Command, Place, PlacePair, Survey
from chimera.trading.errors import ChimeraError, NotSent, OutcomeUnknown, Refused, VenueRejected
from chimera.trading.facts import (
    CancelNotSent,
    CancelRefused,
    CancelUnanswered,
    Fact,
    Found,
    NotFound,
    PairAnswered,
    PlaceNotSent,
    PlaceRefused,
    PlaceUnanswered,
    Surveyed,
    SurveyUnanswered,
)
from chimera.trading.holding import Holding
from chimera.trading.ids import ClientOrderId
from chimera.trading.intent import Intent
from chimera.trading.money import Millis, Price
from chimera.trading.order import NewOrder, Status
from chimera.trading.refusal import Refusal
from chimera.trading.standstill import Standstill
from chimera.trading.venue import VenueOrder

log = structlog.get_logger()

PROTECT_TIMEOUT_MS = 500
ENTRY_TIMEOUT_MS = 3_000
CANCEL_TIMEOUT_MS = 1_000
TOPPED_UP = "TOPPED_UP: refused for lack of balance, for which money has been moved since"
TERMS_MS = Millis(1_000)  # the leverage could not be told: how long the entry waits
SENT_MS = 3_600_000  # how long an entry's id is remembered here; its ``not_after_ms`` is seconds


class Learner(Protocol):
    """Hears how the venue took each order; of a refusal before the owner does."""

    def took(self, order: NewOrder) -> None: ...

    async def broke(self, order: NewOrder, error: VenueRejected) -> None: ...


class Funding(Protocol):
    """Finds money for an entry that the venue has refused for the lack of it."""

    async def found(self, order: NewOrder, holding: Holding, near: Price | None) -> bool:
        """Whether it may go out again, as it was."""
        ...


class Terms(Protocol):
    """Knows the leverage at which a symbol is traded."""

    async def differs(self, intent: Intent) -> Refused | None:
        """Why the intent may not go on at its own; raises ``Refused`` while that cannot be told."""
        ...


class Gates(NamedTuple):
    """Who is asked before an entry leaves, beside the limits."""

    breaker: Breaking
    barriers: Barriers
    standstill: Callable[[], Standstill]
    exposure: Callable[[Holding, Price], Exposure | None] = Exposure.of
    refused: Callable[[VenueRejected], None] = lambda error: None  # hears why the venue says no
    capability: Learner | None = None
    funding: Funding | None = None
    terms: Terms | None = None


class Sender:
    """Sends for one account on one market."""

    def __init__(
        self,
        venue: Venue,
        records: Records,
        limits: LimitBook,
        gates: Gates,
        clock: Clock,
        venue_now: Callable[[], Millis],
        pairs: Pairs | None = None,
    ) -> None:
        """``venue_now``: the venue's clock by our estimate; ``pairs``: where the venue takes order lists."""
        self._venue = venue
        self._pairs = pairs
        self._records = records
        self._limits = limits
        self._gates = gates
        self.breaker = gates.breaker
        self._clock = clock
        self._venue_now = venue_now
        self._entries_sent: dict[ClientOrderId, Millis] = {}  # when each left, monotonic, in that order

    async def carry_out(
        self, command: Command, holding: Callable[[], Holding], near: Callable[[], Price | None]
    ) -> Fact | None:
        """The outcome of one command; None where there is nothing to tell (a query that failed is asked again)."""
        began_ms = self._clock.now_ms()
        try:
            match command:
                case Place():
                    return await self._at_other_terms(command, holding()) or await self._place(
                        command, holding(), near()
                    )
                case PlacePair():
                    return await self._place_pair(command, holding())
                case Cancel():
                    return await self._cancel(command, holding())
                case Ask():
                    return await self._ask(command)
                case Survey():
                    return await self._survey(command, holding())
        except Exception:  # a mistake of ours: an order without an outcome would be waited for for ever
            log.exception("command_fault", command=type(command).__name__)
            dead_after_ms = self._venue.dead_after_ms(began_ms)
            if isinstance(command, Place):
                return PlaceUnanswered(ref=command.order.ref, dead_after_ms=dead_after_ms)
            if isinstance(command, PlacePair):
                stop, target = (
                    PlaceUnanswered(ref=leg.ref, dead_after_ms=dead_after_ms) for leg in (command.stop, command.target)
                )
                return PairAnswered(stop=stop, target=target)
            return CancelUnanswered(ref=command.order.ref) if isinstance(command, Cancel) else None

    async def _at_other_terms(self, command: Place, holding: Holding) -> Fact | None:
        """What keeps an entry back whose stop was judged by another leverage than stands there by now."""
        order, terms = command.order, None if command.order.reduce_only else self._gates.terms
        known = holding.orders.get(order.ref)
        working = None if known is None else holding.working_of(known)
        if terms is None or working is None or order.ref in self._entries_sent:
            return None
        try:
            no = await terms.differs(working.intent)
        except Refused as untold:
            return last_hop.held(order, f"{untold.code}: {untold.message}", TERMS_MS)
        return None if no is None else last_hop.kept_back(order, f"{no.code}: {no.message}")

    async def _place(self, command: Place, holding: Holding, near: Price | None) -> Fact | None:
        order = command.order
        known = holding.orders.get(order.ref)
        if known is None or known.status.final:  # it waited for the disk, and went out and ended without it
            return None
        refusal = self._objection(command, holding, near)
        if refusal is not None:
            return refusal
        [fact] = await self._send((order,), partial(self._place_one, order))
        if isinstance(fact, PlaceRefused) and fact.refusal is Refusal.LACKS_BALANCE and not order.reduce_only:
            funding = self._gates.funding
            if funding is not None and await funding.found(order, holding, near):
                return last_hop.held(order, TOPPED_UP)
        return fact

    async def _place_one(self, order: NewOrder, timeout_ms: int) -> tuple[VenueOrder, ...]:
        return (await self._venue.place(order, timeout_ms=timeout_ms),)

    async def _place_pair(self, command: PlacePair, holding: Holding) -> Fact | None:
        """Both legs hear the one answer; a list that would sell more than is held does not leave."""
        legs = (command.stop, command.target)
        known = [holding.orders.get(leg.ref) for leg in legs]
        if any(order is None or order.status.final for order in known) or self._pairs is None:
            return None
        if (over := last_hop.oversold(holding, locked_qty(holding))) is not None:
            facts: tuple[Fact, ...] = tuple(last_hop.kept_back(leg, over) for leg in legs)
        else:
            for leg in legs:
                self._limits.count(leg, self._clock.now_ms())
            facts = await self._send(legs, partial(self._place_both, command, self._pairs))
        return PairAnswered(stop=facts[0], target=facts[1])

    @staticmethod
    async def _place_both(command: PlacePair, pairs: Pairs, timeout_ms: int) -> tuple[VenueOrder, ...]:
        target, stop = await pairs.place_pair(command.target, command.stop, timeout_ms=timeout_ms)
        return stop, target

    async def _send(
        self, orders: tuple[NewOrder, ...], send: Callable[[int], Awaitable[tuple[VenueOrder, ...]]]
    ) -> tuple[Fact, ...]:
        """One request, and what its outcome means for each order in it."""
        first = orders[0]
        sent_ms = self._clock.now_ms()
        try:
            words = await send(PROTECT_TIMEOUT_MS if first.reduce_only else ENTRY_TIMEOUT_MS)
            self._ended(first, good=True)
            if self._gates.capability is not None:
                for order in orders:
                    self._gates.capability.took(order)
            return tuple(Found(order=word) for word in words)
        except VenueRejected as error:
            self._ended(first, good=True)  # it answers, and means it
            self._gates.refused(error)
            if self._gates.capability is not None:
                await self._gates.capability.broke(first, error)
            return tuple(
                PlaceRefused(ref=order.ref, code=error.code, message=error.message, refusal=error.refusal)
                for order in orders
            )
        except NotSent as error:
            if error.held:
                for order in orders:
                    self._limits.release(order)
                if not first.reduce_only:
                    self.breaker.held_back()
            else:
                self._ended(first, good=False)
            self._entries_sent.pop(first.ref, None)
            wait_ms = error.retry_after_ms
            return tuple(
                PlaceNotSent(ref=order.ref, reason=error.reason, retry_after_ms=wait_ms, held=error.held)
                for order in orders
            )
        except OutcomeUnknown as error:
            self._ended(first, good=False)
            log.warning("place_unanswered", ref=first.ref, error=str(error))
        except Exception:  # a fault of ours after the send: the order may be live, so it is unknown
            log.exception("place_fault", ref=first.ref)
        dead_after_ms = self._venue.dead_after_ms(sent_ms)
        return tuple(PlaceUnanswered(ref=order.ref, dead_after_ms=dead_after_ms) for order in orders)

    def _objection(self, command: Place, holding: Holding, near: Price | None) -> Fact | None:
        """What stops it here, with no wait between these checks and the send."""
        order = command.order
        now_ms = self._clock.now_ms()
        if order.reduce_only:
            over = last_hop.reduction(order, holding, locked_qty(holding), now_ms)
            if over is None:
                self._limits.count(order, now_ms)
            return over
        if order.ref in self._entries_sent:  # asked first: what has left is never called held back
            return PlaceUnanswered(ref=order.ref, dead_after_ms=self._venue.dead_after_ms(now_ms))
        exposure = None if near is None else self._gates.exposure(holding, near)
        seen = last_hop.Seen(now_ms, exposure, self._closed(order), self._gates.standstill())
        no = last_hop.entry(order, holding, seen, self._limits)
        if no is None:
            self._remember(order.ref)
            self.breaker.entering()
        return no

    def _closed(self, order: NewOrder) -> tuple[str, Millis | None] | None:
        """Why nothing may enter just now, and for how long."""
        blocked = self.breaker.objection()
        if blocked is not None:
            return f"{breaking.CODE}: {blocked[0]}", blocked[1]
        barrier = self._gates.barriers.before(order.symbol)
        return None if barrier is None else (f"{barrier.code}: {barrier}", HELD_MS)

    def _remember(self, ref: ClientOrderId) -> None:
        """That this entry has left. A day of ids need not be kept: past ``not_after_ms`` no order leaves anyway."""
        now_ms = self._clock.monotonic_ms()
        while self._entries_sent and next(iter(self._entries_sent.values())) < now_ms - SENT_MS:
            del self._entries_sent[next(iter(self._entries_sent))]
        self._entries_sent[ref] = now_ms

    def _ended(self, order: NewOrder, *, good: bool) -> None:
        self.breaker.ended(entry=not order.reduce_only, good=good)

    async def _cancel(self, command: Cancel, holding: Holding) -> Fact:
        ref = command.order.ref
        if last_hop.bares(command.role, holding):
            return CancelNotSent(ref=ref, reason=last_hop.BARE)
        try:
            word = await self._venue.cancel(command.order, timeout_ms=CANCEL_TIMEOUT_MS)
            self.breaker.ended(entry=False, good=True)
        except VenueRejected as error:
            self.breaker.ended(entry=False, good=True)
            return CancelRefused(ref=ref, code=error.code, message=error.message, refusal=error.refusal)
        except NotSent as error:
            if not error.held:
                self.breaker.ended(entry=False, good=False)
            return CancelNotSent(ref=ref, reason=error.reason)
        except OutcomeUnknown as error:
            self.breaker.ended(entry=False, good=False)
            log.warning("cancel_unanswered", ref=ref, error=str(error))
            return CancelUnanswered(ref=ref)
        except Exception:  # a fault of ours after the send: the cancel may have worked
            log.exception("cancel_fault", ref=ref)
            return CancelUnanswered(ref=ref)
        return Found(order=word) if word is not None else self._canceled(ref, holding)

    def _canceled(self, ref: ClientOrderId, holding: Holding) -> Fact:
        """The Algo service says "success" and no more."""
        order = holding.orders.get(ref)
        if order is None:
            return CancelUnanswered(ref=ref)
        return Found(
            order=VenueOrder(
                symbol=order.request.symbol,
                ref=ref,
                conditional=order.request.conditional,
                venue_id=order.venue_id,
                side=order.request.side,
                type=order.request.type,
                status=Status.CANCELED,
                qty=order.qty,
                cum_qty=order.venue_cum_qty,
                updated_ms=self._clock.now_ms(),
            )
        )

    async def _ask(self, command: Ask) -> Fact | None:
        asked_ms = self._venue_now()
        try:
            found = await self._venue.find(command.order)
        except ChimeraError as error:
            log.info("ask_failed", ref=command.order.ref, error=str(error))
            return None
        return NotFound(ref=command.order.ref, asked_server_ms=asked_ms) if found is None else Found(order=found)

    async def _survey(self, command: Survey, holding: Holding) -> Fact:
        try:
            symbol, booked = holding.key.symbol, frozenset(holding.seen_trades)
            snapshot = await self._records.survey(symbol, command.trades_since_ms, booked=booked)
        except ChimeraError as error:
            log.info("survey_failed", symbol=holding.key.symbol, error=str(error))
            return SurveyUnanswered(retry_after_ms=error.retry_after_ms if isinstance(error, NotSent) else None)
        return Surveyed(snapshot=snapshot)
