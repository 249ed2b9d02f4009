"""Carries out in the venue what a fault asks for: a symbol's state, a listenKey's end, a held stop, a thin book.

The markets know nothing of it: each act is something that can happen to them on any day. Invariant: a conditional order
is held only by a fault that is armed; whatever else left it in TRIGGERING (a restart), it goes on at the first market.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from chimera.simulate.door.messages import SPOT_PRIVATE, Frame
from chimera.simulate.door.refusals import Refusal
from chimera.simulate.trouble.faults import (
    Act,
    CutStreams,
    Faults,
    FeeInBase,
    LoseListenKey,
    ReleaseTriggers,
    SetStatus,
    SymbolState,
    TriggerFault,
    Triggering,
)
from chimera.simulate.trouble.match import USDM, fits
from chimera.simulate.usdm.algos import Algo
from chimera.simulate.usdm.exchange import Exchange
from chimera.simulate.usdm.perpetual import Perpetual, SymbolStatus
from chimera.simulate.usdm.reports import Wire
from chimera.simulate.venue.audit import Kind
from chimera.trading.market import Side
from chimera.trading.money import Millis

ANY: Final = "*"
SHUTDOWN: Final = "serverShutdown"
_STATUS: Final = {
    SymbolState.TRADING: SymbolStatus.TRADING,
    SymbolState.CANCEL_ONLY: SymbolStatus.TRADING_CANCEL_ONLY,
}


@dataclass(slots=True, frozen=True)
class Hold:
    """Why a conditional order does not go on, and until when (``None``: until its fault is over)."""

    fault: str
    until_ms: int | None
    cancel_code: int


class Hands:
    """One twin's. ``faults`` tells whom to ask, for they may be replaced."""

    def __init__(self, exchange: Exchange, wire: Wire, faults: Callable[[], Faults]) -> None:
        self._exchange = exchange
        self._wire = wire
        self._faults = faults
        self._holds: dict[int, Hold] = {}
        self._cuts: list[Frame] = []
        exchange.desk.gate = self._gate
        exchange.desk.cancel_code = self._cancel_code

    def move(self, now_ms: Millis) -> None:
        """Do what is due by ``now_ms``."""
        for act in self._faults().due(now_ms):
            self._do(act)
        if self._exchange.desk.held:
            self._let_go(now_ms)

    def cuts(self) -> list[Frame]:
        """Frames that end connections, since this was last asked."""
        cuts, self._cuts = self._cuts, []
        return cuts

    def _do(self, act: Act) -> None:
        match act:
            case CutStreams():
                self._cut(act)
            case LoseListenKey():
                for account in self._exchange.floor.accounts.values():
                    if fits(act.account, account.name) and account.listen_key is not None:
                        self._log("listen_key_lost", account=account.name)
                        self._wire.end_key(account, told=act.told)
            case SetStatus():
                for listing in self._exchange.floor.listings.values():
                    if fits(act.symbol, listing.symbol) and fits(act.market, USDM):
                        self._log(act.to.value, symbol=listing.symbol)
                        self._set(listing, act.to)
            case ReleaseTriggers():
                for algo_id, hold in tuple(self._holds.items()):
                    if hold.fault == act.fault:
                        del self._holds[algo_id]
            case FeeInBase():
                pass

    def _set(self, listing: Perpetual, to: SymbolState) -> None:
        if to is SymbolState.DELISTED:
            self._exchange.delist(listing)
            self._exchange.settle_symbol(listing.symbol)
        else:
            listing.status = _STATUS[to]
            self._exchange.settle(listing)

    def _cut(self, act: CutStreams) -> None:
        self._log("stream_cut", path=act.route)
        if act.told:
            event = b'{"event":{"e":"%b","E":%d}}' % (SHUTDOWN.encode(), self._exchange.floor.now_ms)
            self._cuts.append(Frame(route=SPOT_PRIVATE, channel=ANY, event=SHUTDOWN, payload=event))
        self._cuts.append(Frame(route=act.route or ANY, channel=ANY, event="", payload=b"", ends=True))

    def _log(self, reason: str, **more: str) -> None:
        floor = self._exchange.floor
        floor.audit.add(Kind.FAULT, floor.now_ms, reason=reason, **more)

    # ── conditional orders ──────────────────────────────────────────────────────────────────────────────────────────
    def _gate(self, algo: Algo) -> bool:
        floor = self._exchange.floor
        about = Triggering(account=algo.account.name, symbol=algo.listing.symbol, client_id=algo.client_id)
        fault = self._faults().on_trigger(about, Millis(floor.now_ms))
        if fault is None:
            return True
        floor.log_algo(Kind.FAULT, algo, reason=fault.name)
        if fault.code:
            raise Refusal(fault.code, text=fault.msg)
        if fault.thin is not None:
            self._thin(algo, fault.thin)
        if fault.held:
            self._holds[algo.algo_id] = _hold(fault, floor.now_ms)
        return not fault.held

    def _cancel_code(self, algo: Algo) -> int:
        hold = self._holds.get(algo.algo_id)
        return -2011 if hold is None else hold.cancel_code

    def _let_go(self, now_ms: Millis) -> None:
        desk = self._exchange.desk
        for algo in tuple(desk.held.values()):
            hold = self._holds.get(algo.algo_id)
            waits = hold is not None and (hold.until_ms is None or now_ms < hold.until_ms)
            if not waits and not algo.listing.dark:
                self._holds.pop(algo.algo_id, None)
                desk.go_on(algo)
                self._exchange.settle(algo.listing)

    def _thin(self, algo: Algo, share: Decimal) -> None:
        """Leave its child only ``share`` of its quantity in the book, best prices first."""
        listing, now_ms = algo.listing, self._exchange.floor.now_ms
        held = algo.account.position(listing.symbol, algo.position_side)
        wanted = held.room_to_reduce(algo.side) if algo.close_position else algo.qty
        thin_out(listing, algo.side, listing.instrument.floor_to_step(wanted * share), now_ms)


def thin_out(listing: Perpetual, taker: Side, left: Decimal, now_ms: int) -> None:
    """Take from the book what a taker would find beyond ``left``."""
    for price, size in tuple(listing.book.offers(taker, now_ms)):
        stays = min(left, size)
        left -= stays
        if size > stays:
            listing.book.take(taker, price, size - stays, now_ms)


def _hold(fault: TriggerFault, now_ms: int) -> Hold:
    return Hold(fault.fault, now_ms + fault.hold_ms if fault.hold_ms else None, fault.cancel_code)
