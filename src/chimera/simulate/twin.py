"""The twin: a simulated Binance venue in memory, USD-M and spot, one entry each for requests, the market and time.

Deterministic: the same seed and the same calls in the same order give the same bytes, frames and audit. It has one
clock, the ``now_ms`` it is given: every timestamp it writes, on public streams too, is of that clock.
Knows nothing of sockets or files; ``services.simulator`` puts it on the wire, the virtual-time world calls it directly.
"""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any

from chimera.simulate.control import answered, control, picture, spot_picture
from chimera.simulate.door.auth import KEY_HEADER
from chimera.simulate.door.messages import PRIVATE, SPOT_PRIVATE, Frame, WireRequest, WireResponse
from chimera.simulate.door.refusals import Refusal
from chimera.simulate.door.session import Session
from chimera.simulate.door.ws_api import WsReply, struck
from chimera.simulate.doors import Doors, Keys
from chimera.simulate.keeping.futures import FuturesKeeping
from chimera.simulate.keeping.spot import SpotKeeping
from chimera.simulate.keeping.whole import Door, Keeping, Kept, Written
from chimera.simulate.markets import FuturesMarket, SpotMarket
from chimera.simulate.spot.pair import SPOT_DEMO
from chimera.simulate.trouble import answers as trouble
from chimera.simulate.trouble import face as faults_face
from chimera.simulate.trouble.faults import Faults, RequestFault
from chimera.simulate.trouble.hands import Hands
from chimera.simulate.trouble.match import client_ids_in, symbols_in
from chimera.simulate.trouble.post import Post
from chimera.simulate.trouble.scenario import Scenario, unfit
from chimera.simulate.trouble.schedule import Schedule
from chimera.simulate.usdm import deeds
from chimera.simulate.usdm.accounts import Account
from chimera.simulate.usdm.perpetual import DEMO
from chimera.simulate.venue.account_spec import READY_ACCOUNT, AccountSpec
from chimera.simulate.venue.audit import Audit, AuditRecord, Kind
from chimera.trading.instrument import Instrument
from chimera.trading.market import Market, MarketEvent
from chimera.trading.money import Millis

CONTROL = "/sim/"


class Twin:
    """One simulated venue.

    ``kept`` is what an earlier life of it kept: the venue carries on from there, each account as it was, and opens only
    those ``accounts`` that are new. ``audit_seq``: the last number an audit written elsewhere has, if that is greater.
    Without ``limits`` requests are weighed and nobody is refused for it.
    ``countdown_takes_algos``: futures' countdownCancelAll also ends waiting conditional orders (Binance does not say).
    ``queue_share``: how much of the displayed size stands before an order that begins to rest, 1 (all) to 0.
    Raises ``ValueError`` where ``kept`` contradicts itself.
    """

    def __init__(
        self,
        instruments: Iterable[Instrument] = DEMO,
        *,
        spot: Iterable[Instrument] = SPOT_DEMO,
        seed: int = 0,
        now_ms: int = 0,
        accounts: Iterable[AccountSpec] = (READY_ACCOUNT,),
        faults: Faults | None = None,
        on_audit: Callable[[AuditRecord], None] | None = None,
        audit_keep: int | None = None,
        kept: Kept | None = None,
        audit_seq: int = 0,
        limits: bool = True,
        countdown_takes_algos: bool = False,
        queue_share: Decimal = Decimal(1),
    ) -> None:
        self._audit = Audit(audit_keep, on_audit)
        self._post = Post()
        self.journal: Callable[[], dict[str, Any]] = dict  # what who keeps our files says of them
        self._futures = FuturesMarket(instruments, seed, self._audit)
        self._spot = SpotMarket(spot, seed, self._audit)
        self._markets: dict[Market, FuturesMarket | SpotMarket]
        self._markets = {Market.FUT: self._futures, Market.SPOT: self._spot}
        self.usdm = self._futures.exchange
        self.usdm.countdown_takes_algos = countdown_takes_algos
        self.spot = self._spot.exchange
        self.usdm.floor.queue_share = self.spot.floor.queue_share = queue_share
        self.doors = Doors(self._futures, self._spot, self._audit, enforced=limits)
        self.keyring = self.doors.keyring
        self.keys = Keys(self.keyring, self._audit, self.usdm.floor)
        self.faults: Faults  # may be replaced between calls
        self.faults = faults if faults is not None else Schedule(Scenario(seed=seed), Millis(now_ms), self)
        self.transfers = self.doors.transfers
        self._hands = Hands(self._futures, self._spot, self.transfers, lambda: self.faults)
        door = Door(self.keyring, self.doors.limits, self.transfers, self._audit)
        futures_keeping = FuturesKeeping(self.usdm, self._futures.wire.publisher)
        spot_keeping = SpotKeeping(self.spot, self._spot.wire.publisher)
        self._keeping = Keeping(futures_keeping, spot_keeping, door)
        self._at(now_ms)
        self._audit.seq = audit_seq
        if kept is not None:
            self._keeping.restore(kept)
            self._audit.add(Kind.RESTART, now_ms, kept_seq=kept.standing.audit_seq)
        for spec in accounts:
            if kept is None or spec.name not in self.usdm.floor.accounts:
                self.admit(spec)
        self._spot.open_unknown(self.usdm.floor.accounts)

    def admit(self, spec: AccountSpec) -> Account:
        """A new owner with its key and its account; name and key must be new."""
        key = spec.key()
        if spec.name in self.usdm.floor.accounts:
            raise Refusal(-1130, "name")
        self.keyring.add(key)
        self.spot.floor.admit(spec)
        return self.usdm.floor.admit(spec)

    @property
    def audit(self) -> Sequence[AuditRecord]:
        """What happened, oldest first (the last ``audit_keep``): the growing record itself, not a copy."""
        return self._audit.records

    def handle(self, request: WireRequest, now_ms: Millis) -> WireResponse:
        """One HTTP request, executed at ``now_ms``."""
        self._at(now_ms)
        if request.path in faults_face.PATHS:
            return answered(*faults_face.answer(request, self.faults, now_ms, self.begin))
        if request.path == deeds.PATH:
            return answered(*deeds.answer(request, self.usdm))
        if request.path.startswith(CONTROL):
            return control(self._audit, request, self.admit, self.keys, self.state)
        fault = self.faults.on_request(request, now_ms)
        if fault is None or trouble.spares(fault, request):
            return self._answer(request, now_ms)
        self._log_fault(fault, request, now_ms)
        done = self._answer(request, now_ms, fault.engine_ms) if fault.runs else None
        return trouble.answer(fault, done)

    def _answer(self, request: WireRequest, now_ms: Millis, late_ms: int = 0) -> WireResponse:
        return self.doors.answer(request, now_ms + self.faults.skew_ms(now_ms), late_ms)

    def _log_fault(self, fault: RequestFault, request: WireRequest, now_ms: Millis) -> None:
        self._audit.add(
            Kind.FAULT,
            now_ms,
            account=self.of_key(request.header(KEY_HEADER) or ""),
            symbol=next(iter(symbols_in(request)), ""),
            client_order_id=next(iter(client_ids_in(request)), ""),
            method=request.method,
            path=request.path,
            reason=fault.name or fault.trouble,
            status="executed" if fault.runs else "not executed",
        )

    def begin(self, scenario: Scenario) -> Schedule:
        """A scenario begins now, in the place of all that is armed; accounts it names that are new are opened.

        Raises ``Refused`` for an account that cannot be; then none of its faults is armed.
        """
        now_ms = Millis(self.usdm.floor.now_ms)
        for place, spec in enumerate(scenario.accounts):
            if spec.name not in self.usdm.floor.accounts:
                try:
                    self.admit(spec)
                except Refusal as refusal:
                    raise unfit(place, spec, refusal) from refusal
        begun = Schedule(scenario, now_ms, self)
        if isinstance(self.faults, Schedule):
            self.faults.clear(None)
            self._hands.move(now_ms)
        self.faults = begun
        self._hands.move(now_ms)
        return begun

    def of_key(self, api_key: str) -> str:
        """Whose key it is; "" where nobody's."""
        return self.keyring.owner_of(api_key)

    def of_channel(self, channel: str) -> str:
        """Whose user stream it is; "" where nobody's."""
        return self._futures.owner_of(channel) or self._spot.owner_of(channel)

    def lag_ms(self, request: WireRequest, now_ms: Millis) -> Millis:
        """How long this request is still under way: who carries it asks once, waits, and calls ``handle``."""
        return self.faults.on_arrival(request, now_ms)

    def admits(self, route: str, now_ms: Millis) -> bool:
        """Whether a new stream connection is let in."""
        return self.faults.admits(route, now_ms)

    def ws_lag_ms(self, market: str, session: Session, text: str, now_ms: Millis) -> Millis:
        """As ``lag_ms``, of a frame to the WebSocket API."""
        request = self.doors.ws_as_rest(market, session, text)[1]
        return Millis(0) if request is None else self.faults.on_arrival(request, now_ms)

    def ws_open(self, market: str, session: Session, now_ms: Millis) -> None:
        """A connection to the WebSocket API of ``market`` (usdm, spot) begins. Raises ``Refusal`` where it may not."""
        self._at(now_ms)
        self.doors.ws_open(market, session, now_ms + self.faults.skew_ms(now_ms))

    def ws(self, market: str, session: Session, text: str | bytes, now_ms: Millis) -> WsReply:
        """One text frame of such a connection. Faults strike it as they would the REST call it stands for."""
        self._at(now_ms)
        number, request = self.doors.ws_as_rest(market, session, text)
        fault = None if request is None else self.faults.on_request(request, now_ms)
        venue_ms = now_ms + self.faults.skew_ms(now_ms)
        if request is None or fault is None or trouble.spares(fault, request):
            return self.doors.ws_answer(market, session, text, venue_ms)
        self._log_fault(fault, request, now_ms)
        done = self.doors.ws_answer(market, session, text, venue_ms, fault.engine_ms) if fault.runs else None
        return struck(number, done, lambda first: trouble.answer(fault, first))

    def market(self, event: MarketEvent, now_ms: Millis, market: Market = Market.FUT) -> None:
        """One market moved: match, trigger, publish. A symbol not listed there is ignored."""
        self._at(now_ms)
        self._markets[market].market(event, now_ms)

    def tick(self, now_ms: Millis) -> None:
        """Time passed on both markets and between them."""
        self._at(now_ms)
        for market in self._markets.values():
            market.tick(now_ms)
        self.transfers.tick(now_ms)

    def subscribe(self, route: str, stream: str) -> bool:
        """One more reader of a public stream; ``False`` (and silence) where ``route`` does not carry it."""
        carrying = self._carrying(route, stream)
        if carrying is None:
            return False
        carrying.wire.publisher.want(stream)
        return True

    def unsubscribe(self, route: str, stream: str) -> None:
        """One reader less."""
        carrying = self._carrying(route, stream)
        if carrying is not None:
            carrying.wire.publisher.unwant(stream)

    def _carrying(self, route: str, stream: str) -> FuturesMarket | SpotMarket | None:
        return next((each for each in self._markets.values() if each.carries(route, stream)), None)

    def drain(self) -> list[Frame]:
        """Stream frames since the last drain, in order."""
        now_ms = Millis(self.usdm.floor.now_ms)
        frames = self._post.out(self._futures.drain() + self._spot.drain(), self.faults, now_ms)
        self._log_frames(now_ms)
        return frames + self._hands.cuts()

    def _log_frames(self, now_ms: Millis) -> None:
        """User frames that a fault struck; public ones are too many."""
        for frame, fault in self._post.struck:
            if frame.route in (PRIVATE, SPOT_PRIVATE):
                owner, reason = self.of_channel(frame.channel), fault.name or fault.trouble
                self._audit.add(Kind.FAULT, now_ms, account=owner, path=frame.route, type=frame.event, reason=reason)
        self._post.struck.clear()

    def state(self) -> dict[str, Any]:
        """A plain picture of accounts, positions and open orders, for people and tests."""
        return picture(self.usdm.floor) | {"spot": spot_picture(self.spot.floor)} | {"journal": self.journal()}

    def keep(self, *, clean: bool = False) -> Written:
        """Everything an account's owner could notice, for a next life; reads back as ``Kept``.

        ``clean`` promises that nothing will happen in this life any more: else the next one leaps over the ids that may
        have been given since.
        """
        return self._keeping.write(clean=clean)

    @property
    def changes(self) -> tuple[int, int]:
        """Moves whenever there is something new to keep; mere questions and the market do not move it."""
        return self._audit.deeds, self.usdm.floor.drawn + self.spot.floor.drawn + self.doors.bans

    def _at(self, now_ms: int) -> None:
        self._futures.at(now_ms)
        self._spot.at(now_ms)
        self._hands.move(Millis(now_ms))
