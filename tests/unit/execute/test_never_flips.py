"""I12 over any order of facts: what protects or exits never opens or flips, and on spot never sells the user's own.

A street of its own: what S4 sent arrives late, is lost, is taken without a word, fills in parts that may go untold, or
is cancelled on its way; S4 asks, surveys and restarts. What it may sell is counted by what is true, not what S4 heard.
"""

from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera.trading.commands import Ask, Cancel, Command, Place, PlacePair, Survey
from chimera.trading.facts import (
    CancelAsked,
    CancelUnanswered,
    CloseAsked,
    Fact,
    Found,
    NotFound,
    PauseAsked,
    PlaceNotSent,
    PlaceRefused,
    PlaceUnanswered,
    Reported,
    Restarted,
    ResumeAsked,
    Ticked,
)
from chimera.trading.fill import Fill
from chimera.trading.form import Form
from chimera.trading.ids import ClientOrderId, IntentId
from chimera.trading.intent import Intent
from chimera.trading.market import Side
from chimera.trading.money import ZERO, Millis, Qty
from chimera.trading.order import NewOrder, OrderType, Role, Status
from chimera.trading.refusal import Refusal
from support.desk import Desk, an_intent
from support.spot_desk import SpotDesk, buy

ARRIVES_MS = 5_000  # the venue takes nothing that is older
CLOSING = (Role.STOP, Role.TARGET, Role.EXIT)
FEE = Decimal("0.001")
STEPS = st.lists(st.tuples(st.integers(0, 15), st.integers(0, 99)), min_size=30, max_size=90)


class Sent:
    """One order on its way to the venue, live there, or over."""

    def __init__(self, order: NewOrder, role: Role, by_ms: int, group: str) -> None:
        self.order, self.role, self.by_ms, self.group = order, role, by_ms, group
        self.cum = ZERO
        self.live = self.over = False
        self.status = Status.NEW

    @property
    def leaves(self) -> Decimal:
        return ZERO if self.over else self.order.qty - self.cum

    def end(self, status: Status) -> None:
        self.live, self.over, self.status = False, True, status


class Street:
    """The venue as it truly is, and one desk of S4 that hears of it in any order."""

    def __init__(self, desk: Desk, *, spot: bool) -> None:
        self.desk, self.spot = desk, spot
        self.held = ZERO  # truly: signed on futures, ours on spot
        self.sent: list[Sent] = []
        self.cancels: list[ClientOrderId] = []
        self.asks: list[ClientOrderId] = []
        self.surveys = 0
        self.trades: list[Fill] = []
        self.intents: list[IntentId] = []
        self.sold = 0  # by orders that close

    # ── what S4 does ──

    def tell(self, fact: Fact) -> None:
        for command in self.desk.hear(fact):
            self._take(command)
        self.check()

    def _take(self, command: Command) -> None:
        match command:
            case Place(order=order, role=role):
                self._closes_only(order, role, again=any(each.order == order for each in self.sent))
                self._send(order, role, order.ref)
            case PlacePair(stop=stop, target=target):
                for leg, role in ((stop, Role.STOP), (target, Role.TARGET)):
                    self._closes_only(leg, role, again=False)
                    self._send(leg, role, stop.ref)
            case Cancel(order=order):
                self.cancels.append(order.ref)
            case Ask(order=order):
                self.asks.append(order.ref)
            case Survey():
                self.surveys += 1

    def _send(self, order: NewOrder, role: Role, group: str) -> None:
        known = self.known(order.ref)
        if known is not None and not known.over and not self.spot:
            return  # the venue refuses an id that lives
        self.sent.append(Sent(order, role, self.desk.now + ARRIVES_MS, group))

    def _closes_only(self, order: NewOrder, role: Role, *, again: bool) -> None:
        """By S4's own state as it sends: marked so on futures, the right side, and no more than is held.

        What is sent again is the same to the last digit, whatever has become of the position; a caller's sale may be of
        more than there is on futures, where the mark bounds it.
        """
        working = self.desk.holding.working_of(self.desk.holding.orders[order.ref])
        if role not in CLOSING and (working is None or not working.intent.reduce_only):
            return
        assert self.spot or order.reduce_only or order.form is Form.WHOLE, f"{order.ref} may open"
        if again:
            return
        held = self.desk.holding.exposure
        assert held * order.side.sign < 0, f"{order.ref} does not close {held}"
        assert order.qty <= abs(held) or (not self.spot and role not in CLOSING), f"{order.ref}: {order.qty} of {held}"

    def check(self) -> None:
        """What may still be sold on spot is ours, by what is true: a list sells by one of its legs."""
        if not self.spot:
            return
        groups: dict[str, Decimal] = {}
        for each in self.sent:
            if each.order.side is Side.SELL:
                groups[each.group] = max(groups.get(each.group, ZERO), each.leaves)
        selling = sum(groups.values(), ZERO)
        assert selling <= self.held, f"{selling} may be sold of {self.held}"

    # ── what the venue does ──

    def known(self, ref: ClientOrderId) -> Sent | None:
        return next((each for each in reversed(self.sent) if each.order.ref == ref), None)

    def word(self, each: Sent) -> Reported:
        return Reported(order=self.desk.word(each.order, each.status, str(each.cum)))

    def coming(self) -> list[Sent]:
        for each in self.sent:
            if not (each.live or each.over) and self.desk.now > each.by_ms:
                each.end(Status.EXPIRED)  # it never came: nobody will ever know it
                each.group = ""
        return [each for each in self.sent if not (each.live or each.over)]

    def arrive(self, at: int) -> Sent | None:
        waiting = self.coming()
        if not waiting:
            return None
        first = waiting[at % len(waiting)]
        for each in waiting:
            if each.group == first.group:
                each.live = True
        return first

    def fill(self, each: Sent, share: int) -> Fill | None:
        """A part, or all; what only reduces is held to what is there."""
        order = each.order
        qty = self.desk.rules.floor_to_step(Qty(each.leaves * (share + 1) / 100)) or each.leaves
        if not self.spot and order.reduce_only:
            room = max(-self.held * order.side.sign, ZERO)
            if not room:
                each.end(Status.EXPIRED)
                return None
            qty = min(qty, room)
        for other in self.sent:
            if other.group == each.group and other is not each and other.live:
                other.end(Status.EXPIRED)
        each.cum += qty
        fee = qty * FEE if self.spot and order.side is Side.BUY else ZERO
        self.held += order.side.sign * qty - fee
        self.sold += each.role in CLOSING or order.reduce_only
        if each.cum == order.qty:
            each.end(Status.FILLED)
        else:
            each.status = Status.PARTIALLY_FILLED
        made = self.desk.a_fill(order, str(qty), str(self.desk.bid), str(len(self.trades) + 1))
        self.trades.append(made)
        return made

    def survey(self) -> None:
        live = [self.word(each).order for each in self.sent if each.live]
        told = self.desk.survey(*live, qty=str(self.held), trades=tuple(self.trades))
        for command in told:
            self._take(command)
        self.check()

    # ── one step of anything ──

    def step(self, what: int, at: int) -> None:
        self.desk.later(at * at // 4)
        steps: tuple[Callable[[int], None], ...] = (
            self._submit, self._sale, self._close, self._steer,
            self._acked, self._unanswered, self._acked, self._lost,
            self._filled, self._filled, self._canceled, self._asked,
            self._surveyed, self._time, self._move, self._restart,
        )  # fmt: skip
        steps[what](at)

    def _submit(self, at: int) -> None:
        self._want(self._entry(f"e{len(self.intents)}", Side.BUY if self.spot or at % 4 else Side.SELL, at), at)

    def _entry(self, name: str, side: Side, at: int) -> Intent:
        qty = str(Decimal(at % 20 + 2) / 1_000)
        return buy(name, qty) if self.spot else an_intent(name, side=side, qty=qty)

    def _sale(self, at: int) -> None:
        side = Side.SELL if self.desk.holding.exposure >= 0 else Side.BUY
        wanted = self._entry(f"r{len(self.intents)}", side, at)
        self._want(wanted.but(side=side, reduce_only=True, stop=None, target=None), at)

    def _want(self, intent: Intent, at: int) -> None:
        self.intents.append(intent.intent_id)
        for command in self.desk.submit(intent, wait_ms=1_000 if at % 3 == 0 else 0):
            self._take(command)
        self.check()

    def _close(self, at: int) -> None:
        part = None if at % 2 else Qty(Decimal(at % 10 + 1) / 1_000)
        self.tell(CloseAsked(reason="BY_HAND", qty=part))

    def _steer(self, at: int) -> None:
        if not self.intents:
            return
        name = self.intents[at % len(self.intents)]
        words: tuple[Fact, ...] = (
            CancelAsked(intent_id=name, reason="CALLER", escalate=at % 2 == 0),
            PauseAsked(intent_id=name, reason="look"),
            ResumeAsked(intent_id=name),
        )
        self.tell(words[at % 3])

    def _acked(self, at: int) -> None:
        first = self.arrive(at)
        if first is None:
            return
        for each in [each for each in self.sent if each.group == first.group and each.live]:
            self.tell(Found(order=self.word(each).order))
        if first.order.type is OrderType.MARKET:
            self._told(first, self.fill(first, 99))

    def _unanswered(self, at: int) -> None:
        """It is taken, or will be, and nobody hears of it."""
        waiting = self.coming()
        if not waiting:
            return
        each = waiting[at % len(waiting)]
        if at % 2:
            self.arrive(self.coming().index(each))
        for leg in [leg for leg in self.sent if leg.group == each.group and not leg.over]:
            self.tell(PlaceUnanswered(ref=leg.order.ref, dead_after_ms=Millis(leg.by_ms)))

    def _lost(self, at: int) -> None:
        """It never left, or was refused."""
        waiting = self.coming()
        if not waiting:
            return
        each = waiting[at % len(waiting)]
        legs = [leg for leg in waiting if leg.group == each.group]
        for leg in legs:
            leg.end(Status.REJECTED)
        for leg in legs:
            refused = PlaceRefused(ref=leg.order.ref, code=-2010, message="no", refusal=Refusal.LACKS_BALANCE)
            self.tell(PlaceNotSent(ref=leg.order.ref, reason="no wire") if at % 3 else refused)

    def _filled(self, at: int) -> None:
        live = [each for each in self.sent if each.live]
        if live:
            each = live[at % len(live)]
            self._told(each, self.fill(each, at), quietly=at % 5 == 0)

    def _told(self, each: Sent, made: Fill | None, *, quietly: bool = False) -> None:
        """The other leg of a list is over, which may be heard first."""
        if quietly:
            self.check()
            return
        for other in self.sent:
            if other.group == each.group and other is not each and other.over:
                self.tell(self.word(other))
        self.tell(self.word(each) if made is None else Reported(order=self.word(each).order, fill=made))

    def _canceled(self, at: int) -> None:
        if not self.cancels:
            return
        ref = self.cancels.pop(at % len(self.cancels))
        found = self.known(ref)
        if found is None or not found.live or at % 4 == 0:
            self.tell(CancelUnanswered(ref=ref))
            return
        legs = [leg for leg in self.sent if leg.group == found.group and leg.live]
        for leg in legs:
            leg.end(Status.CANCELED)
        for leg in legs:
            self.tell(self.word(leg))

    def _asked(self, at: int) -> None:
        if not self.asks:
            return
        ref = self.asks.pop(at % len(self.asks))
        self.coming()
        found = self.known(ref)
        arrived = found is not None and (found.live or found.cum or found.status is Status.CANCELED)
        if found is not None and arrived:
            self.tell(Found(order=self.word(found).order))
        else:
            self.tell(NotFound(ref=ref, asked_server_ms=self.desk.now))

    def _surveyed(self, at: int) -> None:
        if self.surveys:
            self.surveys = 0
            self.coming()
            self.survey()

    def _time(self, at: int) -> None:
        self.tell(Ticked())

    def _move(self, at: int) -> None:
        self.desk.bid = Decimal(63_950 + at * 32)
        self.desk.ask = self.desk.bid + Decimal("0.1")
        self.tell(Ticked())

    def _restart(self, at: int) -> None:
        """What was asked for and not answered is answered to nobody."""
        if at < 30:
            self.cancels, self.asks, self.surveys = [], [], 0
            self.tell(Restarted())


def played(steps: list[tuple[int, int]], *, spot: bool) -> Street:
    street = Street(SpotDesk() if spot else Desk(), spot=spot)
    for what, at in steps:
        street.step(what, at)
    return street


@pytest.mark.req("I12")
@pytest.mark.parametrize("spot", [False, True])
@settings(max_examples=60, deadline=None)
@given(steps=STEPS)
def test_what_protects_or_exits_never_opens_flips_or_sells_the_user_s_own(
    spot: bool, steps: list[tuple[int, int]]
) -> None:
    played(steps, spot=spot)


@pytest.mark.req("I12")
@pytest.mark.parametrize("spot", [False, True])
def test_the_street_reaches_stops_that_sell_and_closes(spot: bool) -> None:
    """Or the property would hold of nothing."""
    street = played([(0, 7), (4, 1), (4, 1), (8, 1), (9, 2), (2, 1), (4, 1), (10, 1), (4, 1), (4, 1)], spot=spot)
    assert street.sold
