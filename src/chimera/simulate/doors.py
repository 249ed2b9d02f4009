"""The doors of one twin: for each market its limits, its REST face and its WebSocket API; the keys are common to all.

Deliberately unaware of faults and of how requests travel: the twin asks the doors once it is settled that a request is
judged at all.
"""

from collections.abc import Callable
from typing import Any, Final

from chimera.simulate.door.face import Asked, Face
from chimera.simulate.door.keyring import Key, Keyring
from chimera.simulate.door.limits import SPOT_BUDGET, USDM_BUDGET, Limits
from chimera.simulate.door.messages import WireRequest, WireResponse
from chimera.simulate.door.refusals import Refusal
from chimera.simulate.door.session import Session
from chimera.simulate.door.sessions import LOGON, USER_DATA, SessionCall
from chimera.simulate.door.ws_api import WsApi, WsReply
from chimera.simulate.markets import FuturesMarket, SpotMarket
from chimera.simulate.spot import endpoints as spot
from chimera.simulate.spot.call import SpotCall
from chimera.simulate.spot.time_unit import answer_in_micros, wants_micros
from chimera.simulate.usdm.call import FuturesCall
from chimera.simulate.usdm.endpoints import ENDPOINTS
from chimera.simulate.usdm.floor import FuturesFloor
from chimera.simulate.usdm.ws_methods import METHODS
from chimera.simulate.venue.account_spec import AccountSpec
from chimera.simulate.venue.audit import Audit, Kind
from chimera.simulate.wallet.endpoints import ENDPOINTS as WALLET_ENDPOINTS
from chimera.simulate.wallet.endpoints import WALLET_BUDGET, WalletCall
from chimera.simulate.wallet.transfers import Transfers

USDM: Final = "usdm"
SPOT: Final = "spot"
WALLET: Final = "wallet"
_SPOT_PATHS: Final = "/api/"
_WALLET_PATHS: Final = "/sapi/"
_GONE_ON_SPOT: Final = frozenset({"userDataStream.start", "userDataStream.ping", "userDataStream.stop"})
FIRST_FILL: Final = {True: -5, False: -1}  # unfilled orders given back, by whether it came as maker; Binance's example
_WS_POOL: Final = "ws:"  # futures count the WebSocket API's weight apart from REST's (one witness, binance.md 7.1)


class Doors:
    """``enforced``: whether anybody is refused for asking too much."""

    def __init__(self, futures: FuturesMarket, spot_market: SpotMarket, audit: Audit, *, enforced: bool) -> None:
        self.keyring = Keyring()
        self.limits = {
            door: Limits(budget if enforced else budget.roomy(), enforced=enforced)
            for door, budget in ((USDM, USDM_BUDGET), (SPOT, SPOT_BUDGET), (WALLET, WALLET_BUDGET))
        }
        self._futures_market = futures
        self._spot_market = spot_market
        spot_market.exchange.floor.on_first_fill = self._give_back
        told: Any = {"keyring": self.keyring, "limits": self.limits[USDM], "audit": audit}
        self.futures: Face[FuturesCall] = Face(ENDPOINTS, self._futures_call, **told)
        about: Face[SessionCall] = Face(LOGON, self._futures_session, **told)
        told = told | {"limits": self.limits[SPOT], "market": "SPOT", "time_units": _in_unit}
        self.spot: Face[SpotCall] = Face(spot.ENDPOINTS, self._spot_call, **told)
        self.transfers = Transfers(futures.exchange, spot_market.exchange)
        wallet = told | {"limits": self.limits[WALLET], "time_units": None}
        self.wallet: Face[WalletCall] = Face(WALLET_ENDPOINTS, self._wallet_call, **wallet)
        hears: Face[SessionCall] = Face({**LOGON, **USER_DATA}, self._spot_session, **told)
        self._ws: dict[str, WsApi[Any]] = {
            USDM: WsApi(self.futures, about, METHODS, pool=_WS_POOL),
            SPOT: WsApi(self.spot, hears, spot.METHODS, version="v3/", gone=_GONE_ON_SPOT),
        }

    def answer(self, request: WireRequest, now_ms: int, late_ms: int = 0) -> WireResponse:
        """A REST request, by the market its path names; it reaches the matching engine ``late_ms`` later."""
        if request.path.startswith(_SPOT_PATHS):
            return self.spot.answer(request, now_ms, late_ms)
        if request.path.startswith(_WALLET_PATHS):
            return self.wallet.answer(request, now_ms)
        return self.futures.answer(request, now_ms, late_ms)

    @property
    def bans(self) -> int:
        """How often anybody was banned."""
        return sum(limits.bans for limits in self.limits.values())

    def ws_open(self, market: str, session: Session, now_ms: int) -> None:
        """A WebSocket API connection begins. Raises ``Refusal`` where it may not."""
        self._ws[market].open(session, now_ms)

    def ws_answer(self, market: str, session: Session, text: str | bytes, now_ms: int, late_ms: int = 0) -> WsReply:
        """What is sent back for one text frame; its request reaches the matching engine ``late_ms`` later."""
        return self._ws[market].answer(session, text, now_ms, late_ms)

    def ws_as_rest(self, market: str, session: Session, text: str | bytes) -> tuple[Any, WireRequest | None]:
        """The frame's id and the REST request it stands for; ``None`` where it stands for none."""
        return self._ws[market].as_rest(session, text)

    def _futures_call(self, asked: Asked, now_ms: int, key: Key | None) -> FuturesCall:
        market = self._futures_market
        return FuturesCall(asked.params, now_ms, key, self.limits[USDM], market.exchange, market.wire)

    def _spot_call(self, asked: Asked, now_ms: int, key: Key | None) -> SpotCall:
        return SpotCall(asked.params, now_ms, key, self.limits[SPOT], self._spot_market.exchange)

    def _wallet_call(self, asked: Asked, now_ms: int, key: Key | None) -> WalletCall:
        return WalletCall(asked.params, now_ms, key, self.limits[WALLET], self.transfers)

    def _futures_session(self, asked: Asked, now_ms: int, key: Key | None) -> SessionCall:
        return SessionCall(asked.params, now_ms, key, self.limits[USDM], asked.on_session, hears=False)

    def _spot_session(self, asked: Asked, now_ms: int, key: Key | None) -> SessionCall:
        return SessionCall(asked.params, now_ms, key, self.limits[SPOT], asked.on_session, hears=True)

    def _give_back(self, owner: str, maker: bool) -> None:
        back = FIRST_FILL[maker]
        self.limits[SPOT].count_orders(owner, (back, back), self._spot_market.exchange.floor.now_ms)


class Keys:
    """Changes to who may come in, each in the audit. ``floor`` knows the owners and the time."""

    def __init__(self, keyring: Keyring, audit: Audit, floor: FuturesFloor) -> None:
        self._keyring = keyring
        self._audit = audit
        self._floor = floor

    def add(self, spec: AccountSpec) -> None:
        """One more key for an owner who has an account; -1130 if there is no such owner, or the key exists."""
        if spec.name not in self._floor.accounts:
            raise Refusal(-1130, "name")
        self._keyring.add(spec.key())
        self._log(spec.name, "key added")

    def revoke(self, api_key: str) -> None:
        """The key is valid no longer; -1130 if it was not."""
        owner = self._keyring.owner_of(api_key)
        if not self._keyring.revoke(api_key):
            raise Refusal(-1130, "api_key")
        self._log(owner, "key revoked")

    def _log(self, owner: str, reason: str) -> None:
        self._audit.add(Kind.SETTING, self._floor.now_ms, account=owner, reason=reason)


def _in_unit(unit: str | None) -> Callable[[Any], Any] | None:
    return answer_in_micros if wants_micros(unit) else None
