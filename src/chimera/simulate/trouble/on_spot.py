"""What a fault changes on the spot market: a pair's status, the asset commission is paid in, a trigger's book.

The market knows nothing of it: each act is something that can happen to it on any day. Spot has no TRIGGERING: what
holds a conditional futures order does nothing here.
"""

from collections.abc import Callable
from typing import Any, Final

from chimera.simulate.door.refusals import Refusal
from chimera.simulate.markets import SpotMarket
from chimera.simulate.spot.orders import SpotOrder
from chimera.simulate.spot.pair import Pair, PairStatus
from chimera.simulate.trouble.faults import Faults, FeeInBase, SetStatus, SymbolState, Triggering
from chimera.simulate.trouble.match import SPOT, fits
from chimera.simulate.trouble.thin import thin_out
from chimera.simulate.venue.audit import Kind
from chimera.simulate.venue.orders import Step
from chimera.trading.money import Millis

DELISTED: Final = "EXCHANGE_CANCELED"  # Binance ``eR``
_STATUS: Final = {
    SymbolState.TRADING: PairStatus.TRADING,
    SymbolState.CANCEL_ONLY: PairStatus.CANCEL_ONLY,
    SymbolState.DELISTED: PairStatus.BREAK,
}


class SpotHands:
    """Acts on one spot market."""

    def __init__(self, market: SpotMarket, faults: Callable[[], Faults]) -> None:
        self._exchange = market.exchange
        self._faults = faults
        self._in_bnb: set[str] = set()  # accounts that paid so before a fault changed it
        self._exchange.desk.gate = self._gate

    def set_status(self, act: SetStatus) -> None:
        """These pairs go to another state."""
        if not fits(act.market, SPOT):
            return
        for pair in self._exchange.floor.listings.values():
            if fits(act.symbol, pair.symbol):
                self._log(act.to.value, symbol=pair.symbol)
                if act.to is SymbolState.DELISTED:
                    self._expire(pair)
                self._exchange.set_status(pair, _STATUS[act.to])

    def _expire(self, pair: Pair) -> None:
        exchange = self._exchange
        for account in exchange.floor.accounts.values():
            for order in reversed(exchange.floor.orders.open_of(account, pair.symbol)):
                if order.is_open:  # the end of one may have ended it
                    exchange.matcher.end(order, Step.EXPIRE, DELISTED)

    def pay_in_base(self, act: FeeInBase) -> None:
        """These accounts pay commission in what they receive, or again as they chose."""
        for account in self._exchange.floor.accounts.values():
            if not fits(act.account, account.name):
                continue
            if act.on and account.bnb_discount:
                self._log("fee_in_base", account=account.name)
                self._in_bnb.add(account.name)
                account.bnb_discount = False
            elif not act.on and account.name in self._in_bnb:
                self._in_bnb.discard(account.name)
                account.bnb_discount = True

    def _log(self, reason: str, **more: Any) -> None:
        floor = self._exchange.floor
        floor.audit.add(Kind.FAULT, floor.now_ms, reason=reason, **more)

    def _gate(self, order: SpotOrder) -> None:
        floor = self._exchange.floor
        about = Triggering(
            market=SPOT,
            account=order.account.name,
            symbol=order.listing.symbol,
            client_id=order.client_id,
            type=order.type,
        )
        fault = self._faults().on_trigger(about, Millis(floor.now_ms))
        if fault is None:
            return
        floor.log_order(Kind.FAULT, order, reason=fault.name)
        if fault.code:
            raise Refusal(fault.code, text=fault.msg)
        if fault.thin is not None:
            thin_out(order.listing, order.side, order.leaves * fault.thin, floor.now_ms)
