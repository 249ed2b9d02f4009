"""The twin: a simulated Binance USD-M venue in memory, one entry each for requests, the market and time.

Deterministic: the same seed and the same calls in the same order give the same bytes, frames and audit. It has one
clock, the ``now_ms`` it is given: every timestamp it writes, on public streams too, is of that clock.
Knows nothing of sockets or files; ``services.simulator`` puts it on the wire, the virtual-time world calls it directly.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from chimera.simulate.control import control, picture
from chimera.simulate.door.face import Face
from chimera.simulate.door.keyring import Key, Keyring
from chimera.simulate.door.limits import USDM_BUDGET, Limits
from chimera.simulate.door.messages import Frame, WireRequest, WireResponse
from chimera.simulate.door.params import Params
from chimera.simulate.door.refusals import Refusal
from chimera.simulate.household import READY_ACCOUNT, AccountSpec
from chimera.simulate.keeping import Door, Keeping, Kept, Written, restore
from chimera.simulate.trouble import answers as trouble
from chimera.simulate.trouble.faults import Faults, NoFaults
from chimera.simulate.trouble.post import Post
from chimera.simulate.usdm.accounts import Account
from chimera.simulate.usdm.call import FuturesCall
from chimera.simulate.usdm.endpoints import ENDPOINTS as USDM_ENDPOINTS
from chimera.simulate.usdm.exchange import Exchange
from chimera.simulate.usdm.perpetual import DEMO
from chimera.simulate.usdm.reports import Wire
from chimera.simulate.usdm.streams import route_of
from chimera.simulate.venue.audit import Audit, AuditRecord, Kind
from chimera.trading.instrument import Instrument
from chimera.trading.market import DepthChanged, Marked, MarketEvent, TopOfBook, Traded
from chimera.trading.money import Millis

CONTROL = "/sim/"
USDM = "usdm"


class Twin:
    """One simulated venue.

    ``kept`` is what an earlier life of it kept: the venue carries on from there, each account as it was, and opens only
    those ``accounts`` that are new. ``audit_seq``: the last number an audit written elsewhere has, if that is greater.
    Without ``limits`` requests are weighed and nobody is refused for it.
    Raises ``ValueError`` where ``kept`` contradicts itself.
    """

    def __init__(
        self,
        instruments: Iterable[Instrument] = DEMO,
        *,
        seed: int = 0,
        now_ms: int = 0,
        accounts: Iterable[AccountSpec] = (READY_ACCOUNT,),
        faults: Faults | None = None,
        on_audit: Callable[[AuditRecord], None] | None = None,
        audit_keep: int | None = None,
        kept: Kept | None = None,
        audit_seq: int = 0,
        limits: bool = True,
    ) -> None:
        self._audit = Audit(audit_keep, on_audit)
        self.faults: Faults = faults if faults is not None else NoFaults()  # may be replaced between calls
        self._post = Post()
        self._wire = Wire()
        self.exchange = Exchange(instruments, seed, self._audit, self._wire)
        self.keyring = Keyring()
        self._usdm_limits = Limits(USDM_BUDGET, enforced=limits)
        self._usdm = Face(
            USDM_ENDPOINTS, self._futures_call, keyring=self.keyring, limits=self._usdm_limits, audit=self._audit
        )
        door = Door(self.keyring, {USDM: self._usdm_limits})
        self._keeping = Keeping(self.exchange, self._wire.publisher, door)
        self._at(now_ms)
        self._audit.seq = audit_seq
        if kept is not None:
            restore(kept, self.exchange, self._wire.publisher, door)
            self._audit.add(Kind.RESTART, now_ms, kept_seq=kept.standing.audit_seq)
        for spec in accounts:
            if kept is None or spec.name not in self.exchange.floor.accounts:
                self.admit(spec)

    def admit(self, spec: AccountSpec) -> Account:
        """A new owner with its key and its account; name and key must be new."""
        key = spec.key()
        if spec.name in self.exchange.floor.accounts:
            raise Refusal(-1130, "name")
        self.keyring.add(key)
        return self.exchange.floor.admit(spec)

    @property
    def audit(self) -> Sequence[AuditRecord]:
        """What happened, oldest first (the last ``audit_keep``): the growing record itself, not a copy."""
        return self._audit.records

    def handle(self, request: WireRequest, now_ms: Millis) -> WireResponse:
        """One HTTP request, executed at ``now_ms``."""
        self._at(now_ms)
        if request.path.startswith(CONTROL):
            return control(self.exchange.floor, self._audit, request, self.admit)
        fault = self.faults.on_request(request, now_ms)
        if fault is None or trouble.spares(fault, request):
            return self._answer(request, now_ms)
        self._audit.add(Kind.FAULT, now_ms, method=request.method, path=request.path, reason=fault.trouble)
        done = self._answer(request, now_ms) if fault.runs else None
        return trouble.answer(fault, done)

    def _answer(self, request: WireRequest, now_ms: Millis) -> WireResponse:
        return self._usdm.answer(request, now_ms)

    def _futures_call(self, params: Params, now_ms: int, key: Key | None) -> FuturesCall:
        return FuturesCall(params, now_ms, key, self._usdm_limits, self.exchange, self._wire)

    def market(self, event: MarketEvent, now_ms: Millis) -> None:
        """The market moved: match, trigger, publish. A symbol not listed here is ignored."""
        self._at(now_ms)
        listing = self.exchange.market(event)
        if listing is None:
            return
        publisher = self._wire.publisher
        match event:
            case TopOfBook() | DepthChanged():
                publisher.quoted(listing, now_ms)
            case Traded():
                publisher.trade(listing, event.price, event.qty, event.taker, now_ms)
            case Marked():
                publisher.marked(listing, now_ms)
        if not listing.mark_given and self.exchange.remark(listing):
            publisher.marked(listing, now_ms)
            self.exchange.settle(listing)

    def tick(self, now_ms: Millis) -> None:
        """Time passed: marks the source does not give, depth frames that are due, listenKeys whose hour is over."""
        self._at(now_ms)
        for listing in self.exchange.floor.listings.values():
            if not listing.mark_given and self.exchange.remark(listing):
                self._wire.publisher.marked(listing, now_ms)
                self.exchange.settle(listing)
            self._wire.publisher.tick(listing, now_ms)
        self._wire.expire_keys(self.exchange.floor.accounts.values())

    def subscribe(self, route: str, stream: str) -> bool:
        """One more reader of a public stream; ``False`` (and silence) where ``route`` does not carry it."""
        if route_of(stream) != route:
            return False
        self._wire.publisher.want(stream)
        return True

    def unsubscribe(self, route: str, stream: str) -> None:
        """One reader less."""
        if route_of(stream) == route:
            self._wire.publisher.unwant(stream)

    def drain(self) -> list[Frame]:
        """Stream frames since the last drain, in order."""
        return self._post.out(self._wire.drain(), self.faults, Millis(self._wire.now_ms))

    def state(self) -> dict[str, Any]:
        """A plain picture of accounts, positions and open orders, for people and tests."""
        return picture(self.exchange.floor)

    def keep(self, *, clean: bool = False) -> Written:
        """Everything an account's owner could notice, for a next life; reads back as ``Kept``.

        ``clean`` promises that nothing will happen in this life any more: else the next one leaps over the ids that may
        have been given since.
        """
        return self._keeping.write(clean)

    @property
    def changes(self) -> tuple[int, int]:
        """Moves whenever there is something new to keep; mere questions and the market do not move it."""
        return self._audit.deeds, self.exchange.floor.drawn

    def _at(self, now_ms: int) -> None:
        self.exchange.floor.now_ms = now_ms
        self._wire.now_ms = now_ms
