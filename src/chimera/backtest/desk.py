"""One intent at S4's desk: S4's plan, S4's reducer, and a venue of the replay that answers after its latency.

What the reducer commands reaches the floor ``latency_ms`` later, and the answer comes back after as much again; the
reducer's own alarms (``execute.due``) wake it as they wake its owner. Stops are taken and rest; nobody reaches them.

What reduces (a SELL on spot always does) is planned as what it is, an exit, and worked as an order that may open: S4's
ways to rest, follow, chase and take are the same code for both, and only the protection, which is not measured here,
differs.
"""

from collections.abc import Callable
from typing import Final

from chimera.backtest.floor import Floor, Hit, Rest
from chimera.backtest.trials import CUT_SHORT, Arrival, Outcome, Way
from chimera.execute.advance import advance
from chimera.execute.due import next_due_ms
from chimera.route.plan import Sight, plan_for
from chimera.trading.commands import Ask, Cancel, Command, Place, PlacePair, Survey
from chimera.trading.execution import Phase
from chimera.trading.facts import Fact, Found, PlaceRefused, Reported, Submitted, SurveyUnanswered, Ticked
from chimera.trading.fill import Fill
from chimera.trading.holding import Holding
from chimera.trading.ids import DEFAULT_ACCOUNT, VENUE, ClientOrderId, IntentId, PositionKey, TradeId, VenueOrderId
from chimera.trading.instrument import Instrument
from chimera.trading.intent import Intent
from chimera.trading.market import Market, Side
from chimera.trading.money import ZERO, Millis, Qty, Quote, text
from chimera.trading.order import NewOrder, OrderType, Role, Status, TimeInForce
from chimera.trading.refusal import Refusal
from chimera.trading.scene import Scene
from chimera.trading.venue import FeeRates, VenueOrder

At = Callable[[int, Callable[[], None]], None]  # do this at that time, us
Note = Callable[[int, str], None]  # what happened, at that time, us
_NEVER: Final = Millis(10**15)


class _Child:
    """What the venue knows of one order."""

    __slots__ = ("cum", "order", "rest", "status", "told")

    def __init__(self, order: NewOrder) -> None:
        self.order, self.status = order, Status.NEW
        self.cum, self.told = Qty(ZERO), 0
        self.rest: Rest | None = None


def _unnoted(_at_us: int, _what: str) -> None:
    """Of hundreds of intents nobody reads the steps."""


class Desk:
    """``ended`` is called once, with the outcome; ``note`` with each thing that becomes of an order at the venue."""

    def __init__(
        self, arrival: Arrival, way: Way, instrument: Instrument, fees: FeeRates, floor: Floor, at: At,
        ended: Callable[[Outcome], None], note: Note = _unnoted,
    ) -> None:  # fmt: skip
        self.why: tuple[str, ...] = ()  # of the plan
        self._arrival, self._way, self._instrument, self._fees = arrival, way, instrument, fees
        self._floor, self._at, self._ended, self._note = floor, at, ended, note
        self._now_us = arrival.at_us
        self._children: dict[ClientOrderId, _Child] = {}
        self._hits: list[Hit] = []
        self._telling = 0  # facts on their way
        self._alarm = 0
        self._done = False
        key = PositionKey(venue=VENUE, account=DEFAULT_ACCOUNT, market=Market.FUT, symbol=instrument.symbol)
        self._holding = Holding(key=key, survey_due_ms=_NEVER)

    def begin(self) -> None:
        """The intent is admitted: it is planned, and the reducer hears of it."""
        intent, scene = self._intent(), self._scene()
        plan = plan_for(
            intent,
            self._way.table,
            self._instrument,
            self._arrival.touch.mid,
            self._way.caps,
            self._fees,
            scene.now_ms,
            sight=Sight(touch=scene.touch, book=scene.book, hour=self._arrival.hour),
        )
        self.why = plan.why
        worked = intent.but(market=Market.FUT, reduce_only=False)
        self._hear(Submitted(intent=worked, plan=plan, body_hash=""))

    def cut_short(self) -> None:
        """The tape ends: what is left counts as taken now."""
        if not self._done:
            self._end(CUT_SHORT)

    def filled(self, rest: Rest, qty: Qty, at_us: int) -> None:
        """The market met an order of ours that rests."""
        child = self._children[rest.order.ref]
        rest.left = Qty(rest.left - qty)
        if not rest.left:
            self._floor.leave(rest)
            child.rest = None
        self._now_us = max(self._now_us, at_us)
        self._fill(child, Hit(price=rest.price, qty=qty, maker=True))

    # ── what the reducer hears ──

    def _hear(self, fact: Fact) -> None:
        if self._done:
            return
        self._holding, commands = advance(self._holding, fact, self._scene())
        for command in commands:
            self._send(command)
        working = next(iter(self._holding.intents.values()), None)
        if not self._telling and (working is None or working.phase is Phase.DONE):
            self._end("" if working is None else working.reason)
            return
        due = next_due_ms(self._holding, self._now_ms)
        if due is not None and due < _NEVER:
            self._alarm += 1
            number = self._alarm
            self._at(due * 1_000, lambda: self._ring(number))

    def _ring(self, number: int) -> None:
        if number == self._alarm and not self._done:  # a later look has set a later alarm
            self._now_us = self._floor_time()
            self._hear(Ticked())

    def _tell(self, fact: Fact) -> None:
        """After the way back."""
        self._telling += 1

        def arrives() -> None:
            self._telling -= 1
            self._now_us = self._floor_time()
            self._hear(fact)

        self._at(self._now_us + self._way.latency_ms * 1_000, arrives)

    def _send(self, command: Command) -> None:
        self._telling += 1

        def arrives() -> None:
            self._telling -= 1
            self._now_us = self._floor_time()
            self._carry_out(command)

        self._at(self._now_us + self._way.latency_ms * 1_000, arrives)

    def _floor_time(self) -> int:
        return max(self._now_us, self._floor.at_us)

    # ── what the venue does ──

    def _carry_out(self, command: Command) -> None:
        match command:
            case Place(order=order, role=role):
                self._place(order, role)
            case PlacePair(stop=stop, target=target):
                for leg in (stop, target):
                    self._place(leg, Role.STOP)
            case Cancel(order=ref):
                self._cancel(self._children[ref.ref])
            case Ask(order=ref):
                self._tell(Found(order=self._word(self._children[ref.ref])))
            case Survey():
                self._tell(SurveyUnanswered(retry_after_ms=Millis(60_000)))

    def _place(self, order: NewOrder, role: Role) -> None:
        side, price = order.side, order.price
        if order.time_in_force is TimeInForce.GTX and price is not None and self._floor.crosses(side, price):
            self._happened(f"{_words(order)} is refused: it would take")
            self._tell(PlaceRefused(ref=order.ref, code=0, message="would take", refusal=Refusal.WOULD_TAKE))
            return
        child = self._children[order.ref] = _Child(order)
        self._tell(Found(order=self._word(child)))
        if role.protective:
            return
        if order.time_in_force is not TimeInForce.GTX:
            self._happened(f"{_words(order)} arrives")
            limit = None if order.type is OrderType.MARKET else price
            for hit in self._floor.walk(side, order.qty, limit):
                self._fill(child, hit)
        left = Qty(order.qty - child.cum)
        if left and price is not None and order.time_in_force is not TimeInForce.IOC:
            child.rest = self._floor.join(self, order, price, left, self._way.queue)
            self._happened(f"{_words(order)} rests behind {text(child.rest.ahead)}")
        elif left:
            child.status = Status.EXPIRED
            self._tell(Reported(order=self._word(child)))

    def _cancel(self, child: _Child) -> None:
        if child.rest is not None:
            self._floor.leave(child.rest)
            child.rest = None
        if not child.status.final:
            child.status = Status.CANCELED
            self._happened(f"{text(Qty(child.order.qty - child.cum))} is taken back")
        self._tell(Found(order=self._word(child)))

    def _fill(self, child: _Child, hit: Hit) -> None:
        order = child.order
        child.cum, child.told = Qty(child.cum + hit.qty), child.told + 1
        child.status = Status.FILLED if child.cum == order.qty else Status.PARTIALLY_FILLED
        self._hits.append(hit)
        self._happened(f"{text(hit.qty)} fills at {text(hit.price)} as {'maker' if hit.maker else 'taker'}")
        rate = self._fees.maker if hit.maker else self._fees.taker
        fill = Fill(
            trade_id=TradeId(f"{order.ref}:{child.told}"),
            ref=order.ref,
            venue_id=VenueOrderId(order.ref),
            market=Market.FUT,
            symbol=order.symbol,
            side=order.side,
            price=hit.price,
            qty=hit.qty,
            fee=hit.qty * hit.price * rate,
            fee_asset=self._instrument.quote,
            realized_pnl=Quote(ZERO),
            maker=hit.maker,
            at_ms=self._now_ms,
        )
        self._tell(Reported(order=self._word(child), fill=fill))

    def _happened(self, what: str) -> None:
        self._note(self._now_us, what)

    # ── values ──

    @property
    def _now_ms(self) -> Millis:
        return Millis(self._now_us // 1_000)

    def _scene(self) -> Scene:
        return Scene(
            now_ms=self._now_ms,
            venue_now_ms=self._now_ms,
            instrument=self._instrument,
            fees=self._fees,
            touch=self._floor.touch,
            book=self._floor.book,
        )

    def _intent(self) -> Intent:
        arrival, spot_sale = self._arrival, self._instrument.market is Market.SPOT and self._arrival.side is Side.SELL
        name = arrival.intent_id or f"{arrival.side[0].lower()}{arrival.number}"
        return Intent(
            intent_id=IntentId(name),
            client_order_id=ClientOrderId(f"rr-{name}"),
            market=self._instrument.market,
            symbol=self._instrument.symbol,
            side=arrival.side,
            qty=arrival.qty,
            policy=self._way.policy,
            created_ms=self._now_ms,
            reduce_only=spot_sale or arrival.reduces,
        )

    def _word(self, child: _Child) -> VenueOrder:
        order = child.order
        return VenueOrder(
            symbol=order.symbol,
            ref=order.ref,
            conditional=order.conditional,
            venue_id=VenueOrderId(order.ref),
            side=order.side,
            type=order.type,
            status=child.status,
            qty=order.qty,
            cum_qty=child.cum,
            price=order.price,
            trigger_price=order.trigger_price,
            reduce_only=order.reduce_only,
            updated_ms=self._now_ms,
        )

    def _end(self, reason: str) -> None:
        self._done = True
        for child in self._children.values():
            if child.rest is not None:
                self._floor.leave(child.rest)
        left = Qty(self._arrival.qty - sum((hit.qty for hit in self._hits), ZERO))
        given_up = self._floor.walk(self._arrival.side, left) if left else ()
        self._ended(
            Outcome(
                arrival=self._arrival,
                way=self._way.label,
                hits=(*self._hits, *given_up),
                left=left,
                done_us=self._now_us,
                children=sum(not child.order.reduce_only for child in self._children.values()),
                reason=reason,
            )
        )


def _words(order: NewOrder) -> str:
    kind = "post-only" if order.time_in_force is TimeInForce.GTX else order.type.lower()
    at = "" if order.price is None else f" at {text(order.price)}"
    return f"{kind} {order.side} {text(order.qty)}{at}"
