"""Whoever else acts on the account under test: its owner at the venue's own page, and the venue itself.

Invariants: nothing here goes over the wire of S4 or meets its faults; a deed whose position is gone by then does
nothing; what an owner opens here he closes by hand himself, so every position has somebody who ends it.
"""

from decimal import Decimal
from typing import Final
from urllib.parse import urlencode

from chimera.adapters.binance.sign import HmacSigner
from chimera.services.stage.clock import VirtualClock
from chimera.simulate.door.messages import WireRequest, WireResponse
from chimera.simulate.twin import Twin
from chimera.simulate.venue.account_spec import READY_ACCOUNT
from chimera.trading.instrument import Instrument
from chimera.trading.money import ZERO, text
from world.oracle import BY_HAND
from world.plan import Deed

FAR: Final = Decimal("0.97")  # of the market: an order that rests there does not fill
FLIPS, ADDS, RESTS = f"{BY_HAND}flip", f"{BY_HAND}add", f"{BY_HAND}rest"


class Others:
    """``done`` tells which deeds found something to do."""

    def __init__(self, twin: Twin, clock: VirtualClock, instrument: Instrument) -> None:
        self.done: list[str] = []
        self._twin = twin
        self._clock = clock
        self._instrument = instrument
        self._own = ZERO  # of the position, what he has opened by hand and not closed yet; base asset, signed

    def do(self, deed: Deed) -> bool:
        """Now; whether there was something to do. What it sends to streams waits to be pumped."""
        self._twin.tick(self._clock.now_ms())
        did = self._did(deed)
        if did:
            self.done.append(deed.what)
        return did

    def _did(self, deed: Deed) -> bool:
        match deed.what:
            case "cancel_all":
                return self._cancel_all()
            case "close":
                return self._close(deed.share)
            case "adl":
                return self._deleverage(deed.share)
            case "flip":
                return self._flip(deed.share)
            case "add":
                return self._add(deed.share)
            case "target":
                return self._rest(deed.share)
            case "take_back":
                return self._take_back()
            case _:
                return self._rest_and_take_back()

    def _cancel_all(self) -> bool:
        exchange = self._twin.usdm
        waiting = tuple(exchange.floor.algos.waiting_of(exchange.floor.accounts[READY_ACCOUNT.name], self._symbol))
        for algo in waiting:
            exchange.cancel_algo(algo)
        return bool(waiting)

    def _close(self, share: float) -> bool:
        held = self._held()
        qty = self._part(share)
        if not qty:
            return False
        side = "SELL" if held > 0 else "BUY"
        answer = self._ask("POST", "/fapi/v1/order", side=side, type="MARKET", quantity=text(qty), reduceOnly="true")
        return answer.status == 200

    def _flip(self, share: float) -> bool:
        """All that is held and ``share`` of it beyond, in one trade."""
        held, beyond = self._held(), self._part(share)
        return bool(beyond) and self._open(FLIPS, abs(held) + beyond, -held)

    def _add(self, share: float) -> bool:
        """So much more of what is held."""
        held, more = self._held(), self._part(share)
        return bool(more) and self._open(ADDS, more, held)

    def _open(self, ref: str, qty: Decimal, towards: Decimal) -> bool:
        """At market, by hand: what it leaves beyond what was held is his."""
        if self._own:
            return False
        held, side = self._held(), "BUY" if towards > 0 else "SELL"
        order = {"side": side, "type": "MARKET", "quantity": text(qty)}
        answer = self._ask("POST", "/fapi/v1/order", newClientOrderId=ref, **order)
        if answer.status == 200:
            self._own = self._held() - (held if held * towards > 0 else ZERO)
        return answer.status == 200

    def _take_back(self) -> bool:
        """What he left to rest, and then what he opened, as far as it is there still."""
        went = self._ask("DELETE", "/fapi/v1/order", origClientOrderId=RESTS).status == 200
        held, own = self._held(), self._own
        self._own = ZERO
        if held * own > 0:
            side, qty = ("SELL" if held > 0 else "BUY"), text(min(abs(held), abs(own)))
            self._ask("POST", "/fapi/v1/order", side=side, type="MARKET", quantity=qty, reduceOnly="true")
        return went or held * own > 0

    def _deleverage(self, share: float) -> bool:
        qty = self._part(share)
        if qty:
            exchange = self._twin.usdm
            exchange.deleverage(exchange.floor.accounts[READY_ACCOUNT.name], self._symbol, qty=qty)
        return bool(qty)

    def _rest_and_take_back(self) -> bool:
        """Its margin and its news are all there is of it."""
        placed = self._rest(1.0)
        self._ask("DELETE", "/fapi/v1/order", origClientOrderId=RESTS)
        return placed

    def _rest(self, share: float) -> bool:
        """An order of his own, reduce-only and far from the market."""
        qty = self._part(share)
        if not qty:
            return False
        held = self._held()
        listing = self._twin.usdm.floor.listings[self._symbol]
        mid = listing.book.mid or ZERO
        price = self._instrument.price_at_or_below(mid * (FAR if held < 0 else 2 - FAR))
        side = "SELL" if held > 0 else "BUY"
        order = {"side": side, "type": "LIMIT", "timeInForce": "GTC", "quantity": text(qty), "price": text(price)}
        placed = self._ask("POST", "/fapi/v1/order", newClientOrderId=RESTS, reduceOnly="true", **order)
        return placed.status == 200

    def _part(self, share: float) -> Decimal:
        return self._instrument.floor_to_step(abs(self._held()) * Decimal(str(share)))

    def _held(self) -> Decimal:
        return self._twin.usdm.floor.accounts[READY_ACCOUNT.name].position(self._symbol).qty

    @property
    def _symbol(self) -> str:
        return str(self._instrument.symbol)

    def _ask(self, method: str, path: str, **sent: str) -> WireResponse:
        """Signed, and past every fault: the page's own way to the engine."""
        now_ms = self._clock.now_ms()
        query = urlencode({"symbol": self._symbol, **sent, "timestamp": str(now_ms)})
        signature = HmacSigner(READY_ACCOUNT.secret).sign(query.encode())
        headers = {"X-MBX-APIKEY": READY_ACCOUNT.api_key}
        request = WireRequest(
            method=method, path=path, query=f"{query}&signature={signature}", headers=headers, body=""
        )
        return self._twin.doors.answer(request, now_ms)
