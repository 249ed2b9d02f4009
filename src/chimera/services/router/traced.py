"""S4's spans: taken in (``admit``), each call to the venue (``send``), each trade (``fill``), a stop (``stop armed``).

They are told beside what is done, from commands, facts and events that are there anyway; all are children of ``admit``,
whose name is a function of the intent's, so a router that was restarted goes on with the same trace.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Protocol

from chimera.services.tracing import Attribute, Tracing, caller_in
from chimera.trading.commands import Ask, Cancel, Command, Place, PlacePair, Survey
from chimera.trading.errors import Refused
from chimera.trading.events import Event, FillRecorded, PairArmed, ProtectionArmed
from chimera.trading.execution import Working
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
)
from chimera.trading.holding import Holding
from chimera.trading.ids import ClientOrderId, IntentId, PositionKey
from chimera.trading.intent import Intent
from chimera.trading.money import Price, Qty, text
from chimera.trading.order import NewOrder, Role
from chimera.trading.trace import ADMIT, SpanId, intent_behind, span_id, trace_of

SEND: Final = "send"
FILL: Final = "fill"
ARMED: Final = "stop armed"
_MS: Final = 1_000_000  # ns

About = dict[str, Attribute]


class Carrier(Protocol):
    """Carries out a command at the venue."""

    async def carry_out(
        self, command: Command, holding: Callable[[], Holding], near: Callable[[], Price | None]
    ) -> Fact | None: ...


class Admissions:
    """``admit``: from the call to the moment at which the intent is owned, or refused."""

    def __init__(self, tracing: Tracing | None) -> None:
        self._tracing = tracing
        self._began_ns: dict[IntentId, int] = {}

    @contextmanager
    def asked(self, intent: Intent) -> Iterator[None]:
        """Around one call; of several with one intent the first counts."""
        if self._tracing is None:
            yield
            return
        began_ns = self._tracing.now_ns()
        first = self._began_ns.setdefault(intent.intent_id, began_ns) == began_ns
        try:
            yield
        except Refused as no:
            self._tell(self._tracing, intent, f"{ADMIT}:{began_ns}", began_ns, f"{no.code}: {no.message}")
            raise
        finally:
            if first:
                self._began_ns.pop(intent.intent_id, None)

    def taken(self, intent: Intent) -> None:
        """It is owned: this one, and once."""
        if self._tracing is not None:
            began_ns = self._began_ns.get(intent.intent_id, self._tracing.now_ns())
            self._tell(self._tracing, intent, ADMIT, began_ns)

    def _tell(self, tracing: Tracing, intent: Intent, name: str, began_ns: int, fault: str = "") -> None:
        with tracing.apart(ADMIT):
            self._put(tracing, intent, name, began_ns, fault)

    def _put(self, tracing: Tracing, intent: Intent, name: str, began_ns: int, fault: str) -> None:
        trace = trace_of(intent)
        about: About = {
            "intent_id": intent.intent_id,
            "client_order_id": intent.client_order_id,
            "market": str(intent.market),
            "symbol": intent.symbol,
            "side": str(intent.side),
            "qty": text(intent.qty),
            "policy": type(intent.policy).__name__,
            "strategy_id": intent.strategy_id,
        }
        named, parent = span_id(trace, name, intent.intent_id), caller_in(trace)
        tracing.tell(trace, named, ADMIT, began_ns, parent=parent, fault=fault, about=about)


class TracedCarrier:
    """``Carrier``: another one, and a span of each call that it made for an order."""

    def __init__(self, inner: Carrier, tracing: Tracing) -> None:
        self._inner = inner
        self._tracing = tracing

    async def carry_out(
        self, command: Command, holding: Callable[[], Holding], near: Callable[[], Price | None]
    ) -> Fact | None:
        began_ns = self._tracing.now_ns()
        fact = await self._inner.carry_out(command, holding, near)
        if fact is not None and not isinstance(command, Survey):
            with self._tracing.apart(SEND):  # the fact is of money: it comes back whatever becomes of its span
                self._tell(command, fact, holding(), began_ns)
        return fact

    def _tell(self, command: Place | PlacePair | Cancel | Ask, fact: Fact, holding: Holding, began_ns: int) -> None:
        if _kept_back(fact):
            return
        ref = ref_of(command)
        order = holding.orders.get(ref)
        work = intent_behind(holding, ref, None if order is None else order.intent_id)
        if work is None:
            return
        what, trace = type(command).__name__.lower(), trace_of(work.intent)
        fault, said = _outcome(fact)
        about: About = {"command": what, "outcome": said, "role": None if order is None else order.role.name}
        about |= _about(holding.key, ref, work) | _terms(command.order if isinstance(command, Place) else None)
        named = span_id(trace, SEND, f"{what}:{ref}:{began_ns}")
        self._tracing.tell(trace, named, SEND, began_ns, parent=admitted(work), asks=True, fault=fault, about=about)


class Heard:
    """A listener of one owner's events: trades, and stops that stand."""

    def __init__(self, key: PositionKey, holding: Callable[[], Holding], tracing: Tracing) -> None:
        self._key = key
        self._holding = holding
        self._tracing = tracing
        self._bare_ns: int | None = None  # since the first trade that no stop has followed

    def __call__(self, events: tuple[Event, ...]) -> None:
        for event in events:
            body = event.body
            if isinstance(body, FillRecorded):
                self._fill(body)
            elif isinstance(body, PairArmed):
                self._armed(body.stop_ref, body.qty, body.stop_price)
            elif isinstance(body, ProtectionArmed) and body.kind == Role.STOP.name:
                self._armed(body.ref, body.qty, body.trigger_price)

    def _fill(self, body: FillRecorded) -> None:
        fill = body.fill
        began_ns = fill.at_ms * _MS
        if body.intent_id is not None and self._bare_ns is None:
            self._bare_ns = began_ns
        about: About = {
            "trade_id": fill.trade_id,
            "qty": text(fill.qty),
            "price": text(fill.price),
            "maker": fill.maker,
            "slip_bps": None if body.slippage_bps is None else text(body.slippage_bps),
        }
        self._tell(FILL, fill.trade_id, fill.ref, body.intent_id, began_ns, about)

    def _armed(self, ref: ClientOrderId, qty: Qty, trigger: Price) -> None:
        began_ns = self._bare_ns or self._tracing.now_ns()
        self._bare_ns = None
        self._tell(ARMED, ref, ref, None, began_ns, {"qty": text(qty), "trigger_price": text(trigger)})

    def _tell(
        self, what: str, of: str, ref: ClientOrderId, intent_id: IntentId | None, began_ns: int, about: About
    ) -> None:
        work = intent_behind(self._holding(), ref, intent_id)
        if work is not None:
            trace, about = trace_of(work.intent), {**_about(self._key, ref, work), **about}
            self._tracing.tell(trace, span_id(trace, what, of), what, began_ns, parent=admitted(work), about=about)


def admitted(work: Working) -> SpanId:
    """The span of its taking in."""
    return span_id(trace_of(work.intent), ADMIT, work.intent.intent_id)


def _about(key: PositionKey, ref: ClientOrderId, work: Working) -> About:
    """Whose it is."""
    names = {"client_order_id": ref, "intent_id": work.intent.intent_id}
    return {**names, "market": str(key.market), "symbol": key.symbol}


def ref_of(command: Place | PlacePair | Cancel | Ask) -> ClientOrderId:
    """The order that it is about; of a pair its stop."""
    match command:
        case Place(order=order) | PlacePair(stop=order):
            return order.ref
        case Cancel(order=named) | Ask(order=named):
            return named.ref


def _kept_back(fact: Fact) -> bool:
    """By ourselves: the venue was not called."""
    return isinstance(fact, CancelNotSent) or (isinstance(fact, PlaceNotSent) and fact.held)


def _outcome(fact: Fact) -> tuple[str, str]:
    """What went wrong, empty where nothing did; and what the venue said."""
    match fact:
        case Found(order=order):
            return "", str(order.status)
        case PlaceRefused() | CancelRefused():
            return f"{fact.code}: {fact.message}", "refused"
        case PlaceUnanswered() | CancelUnanswered():
            return "no answer: it may have happened", "unanswered"
        case PlaceNotSent(reason=reason):
            return reason, "not sent"
        case NotFound():
            return "", "not known"
        case PairAnswered(stop=stop):
            return _outcome(stop)
        case _:
            return "", type(fact).__name__


def _terms(order: NewOrder | None) -> About:
    """Of what is placed."""
    if order is None:
        return {}
    return {
        "type": str(order.type),
        "side": str(order.side),
        "qty": text(order.qty),
        "price": None if order.price is None else text(order.price),
        "trigger_price": None if order.trigger_price is None else text(order.trigger_price),
        "reduce_only": order.reduce_only,
    }
