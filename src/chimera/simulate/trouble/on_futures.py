"""What a fault changes on the futures market: a symbol's state, a listenKey's end, a held stop, a thin book.

The market knows nothing of it: each act is something that can happen to it on any day. Invariant: a conditional order
is held only by a fault that is armed; whatever else left it in TRIGGERING (a restart), it goes on at the first market.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from chimera.simulate.door.refusals import Refusal
from chimera.simulate.markets import FuturesMarket
from chimera.simulate.trouble.faults import Faults, LoseListenKey, SetStatus, SymbolState, TriggerFault, Triggering
from chimera.simulate.trouble.match import USDM, fits
from chimera.simulate.trouble.thin import thin_out
from chimera.simulate.usdm.algos import Algo
from chimera.simulate.usdm.perpetual import Perpetual, SymbolStatus
from chimera.simulate.venue.audit import Kind
from chimera.trading.money import Millis

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


class FuturesHands:
    """Acts on one futures market. ``faults`` tells whom to ask, for they may be replaced."""

    def __init__(self, market: FuturesMarket, faults: Callable[[], Faults]) -> None:
        self._exchange = market.exchange
        self._wire = market.wire
        self._faults = faults
        self._holds: dict[int, Hold] = {}
        self._exchange.desk.gate = self._gate
        self._exchange.desk.cancel_code = self._cancel_code

    def lose_key(self, act: LoseListenKey) -> None:
        """The listenKeys of these accounts end."""
        for account in self._exchange.floor.accounts.values():
            if fits(act.account, account.name) and account.listen_key is not None:
                self._log("listen_key_lost", account=account.name)
                self._wire.end_key(account, told=act.told)

    def set_status(self, act: SetStatus) -> None:
        """These symbols go to another state."""
        if not fits(act.market, USDM):
            return
        for listing in self._exchange.floor.listings.values():
            if fits(act.symbol, listing.symbol):
                self._log(act.to.value, symbol=listing.symbol)
                self._set(listing, act.to)

    def _set(self, listing: Perpetual, to: SymbolState) -> None:
        if to is SymbolState.DELISTED:
            self._exchange.delist(listing)
            self._exchange.settle_symbol(listing.symbol)
        else:
            listing.status = _STATUS[to]
            self._exchange.settle(listing)

    def _log(self, reason: str, **more: Any) -> None:
        floor = self._exchange.floor
        floor.audit.add(Kind.FAULT, floor.now_ms, reason=reason, **more)

    # ── conditional orders ──────────────────────────────────────────────────────────────────────────────────────────
    def _gate(self, algo: Algo) -> bool:
        floor, listing = self._exchange.floor, algo.listing
        about = Triggering(
            market=USDM, account=algo.account.name, symbol=listing.symbol, client_id=algo.client_id, type=algo.type
        )
        fault = self._faults().on_trigger(about, Millis(floor.now_ms))
        if fault is None:
            return True
        floor.log_algo(Kind.FAULT, algo, reason=fault.name)
        if fault.code:
            raise Refusal(fault.code, text=fault.msg)
        if fault.thin is not None:
            held = algo.account.position(listing.symbol, algo.position_side)
            wanted = held.room_to_reduce(algo.side) if algo.close_position else algo.qty
            thin_out(listing, algo.side, wanted * fault.thin, floor.now_ms)
        if fault.held:
            self._holds[algo.algo_id] = _hold(fault, floor.now_ms)
        return not fault.held

    def _cancel_code(self, algo: Algo) -> int:
        hold = self._holds.get(algo.algo_id)
        return -2011 if hold is None else hold.cancel_code

    def release(self, fault: str) -> None:
        """What this fault holds may go on."""
        for algo_id, hold in tuple(self._holds.items()):
            if hold.fault == fault:
                del self._holds[algo_id]

    def let_go(self, now_ms: Millis) -> None:
        """Let on what nothing holds any more."""
        desk = self._exchange.desk
        for algo in tuple(desk.held.values()):
            hold = self._holds.get(algo.algo_id)
            waits = hold is not None and (hold.until_ms is None or now_ms < hold.until_ms)
            if not waits and not algo.listing.dark:
                self._holds.pop(algo.algo_id, None)
                desk.go_on(algo)
                self._exchange.settle(algo.listing)


def _hold(fault: TriggerFault, now_ms: int) -> Hold:
    return Hold(fault.fault, now_ms + fault.hold_ms if fault.hold_ms else None, fault.cancel_code)
