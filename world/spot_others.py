"""The user himself, on the account that S4 trades on: he sells coins of his own, and cancels what he does not know.

Invariant: what he sells was his; coins that S4 has bought are touched by nobody here.
"""

from decimal import Decimal
from typing import Final

from chimera.services.stage.clock import VirtualClock
from chimera.simulate.door.refusals import Refusal
from chimera.simulate.twin import Twin
from chimera.simulate.venue.account_spec import READY_ACCOUNT
from chimera.trading.instrument import Instrument
from chimera.trading.money import ZERO, text
from world.others import FAR, Others
from world.plan import Deed

BY_HAND: Final = "web_by_hand"
_MOST: Final = Decimal("0.05")  # base asset that he sells at once
_KEEP: Final = Decimal(20)  # quote asset that stays where the rest is moved away


class SpotOthers(Others):
    """``own``: what is left of his coins."""

    def __init__(self, twin: Twin, clock: VirtualClock, instrument: Instrument, own: Decimal) -> None:
        super().__init__(twin, clock, instrument)
        self.own = own
        self.moved: set[int] = set()  # what he moved between his wallets, by the venue's ids
        self._away = ZERO  # quote asset that is in the other wallet

    def _did(self, deed: Deed) -> bool:
        match deed.what:
            case "cancel_all":
                return self._cancel_all()
            case "close":
                return self._sell_own(deed.share)
            case "money_out" | "money_back":
                return self._move_money(out=deed.what == "money_out")
            case "flip" | "add" | "target" | "take_back":
                return False  # of a position, and here is none
            case _:
                return self._rest_and_take_back()

    def _cancel_all(self) -> bool:
        exchange = self._twin.spot
        try:
            ended = exchange.cancel_all(
                exchange.floor.accounts[READY_ACCOUNT.name], exchange.floor.listings[self._symbol]
            )
        except Refusal:  # nothing is open
            return False
        return bool(ended)

    def _move_money(self, *, out: bool) -> bool:
        """Nearly all that is free goes to the futures' wallet; or so much comes back."""
        if out:
            free = self._twin.spot.floor.accounts[READY_ACCOUNT.name].balance(self._instrument.quote).free
            self._away = max(free - _KEEP, ZERO).quantize(_KEEP)
        route = "MAIN_UMFUTURE" if out else "UMFUTURE_MAIN"
        told = {"type": route, "asset": self._instrument.quote, "amount": text(self._away)}
        if not self._away or self._ask("POST", "/sapi/v1/asset/transfer", **told).status != 200:
            return False
        self.moved.add(self._twin.transfers.book[-1].tran_id)
        return True

    def _sell_own(self, share: float) -> bool:
        qty = self._instrument.floor_to_step(min(self.own, _MOST) * Decimal(str(share)))
        if not qty:
            return False
        order = {"side": "SELL", "type": "MARKET", "quantity": text(qty)}
        sold = self._ask("POST", "/api/v3/order", newClientOrderId=BY_HAND, **order).status == 200
        self.own -= qty if sold else ZERO
        return sold

    def _rest_and_take_back(self) -> bool:
        """A purchase of his own, far from the market: its lock and its news are all there is of it."""
        mid = self._twin.spot.floor.listings[self._symbol].book.mid or ZERO
        price = self._instrument.price_at_or_below(mid * FAR)
        order = {"side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01", "price": text(price)}
        placed = self._ask("POST", "/api/v3/order", newClientOrderId=BY_HAND, **order)
        self._ask("DELETE", "/api/v3/order", origClientOrderId=BY_HAND)
        return placed.status == 200
