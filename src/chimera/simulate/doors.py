"""The doors of one twin: for each market its limits, its REST face and its WebSocket API; the keys are common to all.

Deliberately unaware of faults and of how requests travel: the twin asks the doors once it is settled that a request is
judged at all.
"""

from collections.abc import Iterable
from typing import Any, Final

from chimera.simulate.door.face import Asked, Face
from chimera.simulate.door.keyring import Key, Keyring
from chimera.simulate.door.limits import USDM_BUDGET, Limits
from chimera.simulate.door.messages import WireRequest, WireResponse
from chimera.simulate.door.session import Session
from chimera.simulate.door.sessions import LOGON, SessionCall
from chimera.simulate.door.ws_api import WsApi
from chimera.simulate.usdm.call import FuturesCall
from chimera.simulate.usdm.endpoints import ENDPOINTS
from chimera.simulate.usdm.exchange import Exchange
from chimera.simulate.usdm.reports import Wire
from chimera.simulate.usdm.ws_methods import METHODS
from chimera.simulate.venue.audit import Audit

USDM: Final = "usdm"
_WS_POOL: Final = "ws:"  # futures count the WebSocket API's weight apart from REST's (one witness, binance.md 7.1)


class Doors:
    """``enforced``: whether anybody is refused for asking too much."""

    def __init__(self, exchange: Exchange, wire: Wire, audit: Audit, *, enforced: bool) -> None:
        self.keyring = Keyring()
        self.limits = {USDM: Limits(USDM_BUDGET, enforced=enforced)}
        self._exchange = exchange
        self._wire = wire
        told: Any = {"keyring": self.keyring, "limits": self.limits[USDM], "audit": audit}
        self.futures: Face[FuturesCall] = Face(ENDPOINTS, self._futures_call, **told)
        sessions: Face[SessionCall] = Face(LOGON, self._futures_session, **told)
        self._ws = {USDM: WsApi(self.futures, sessions, METHODS, pool=_WS_POOL)}

    def answer(self, request: WireRequest, now_ms: int, late_ms: int = 0) -> WireResponse:
        """A REST request, by the market its path names."""
        return self.futures.answer(request, now_ms, late_ms)

    def ws_open(self, market: str, session: Session, now_ms: int) -> None:
        """A WebSocket API connection begins. Raises ``Refusal`` where it may not."""
        self._ws[market].open(session, now_ms)

    def ws_answer(self, market: str, session: Session, text: str | bytes, now_ms: int) -> list[bytes]:
        """What is sent back for one text frame, in order."""
        return self._ws[market].answer(session, text, now_ms)

    def ws_as_rest(self, market: str, session: Session, text: str | bytes) -> tuple[Any, WireRequest | None]:
        """The frame's id and the REST request it stands for; ``None`` where it stands for none."""
        return self._ws[market].as_rest(session, text)

    def owners(self) -> Iterable[str]:
        """Everybody who has a key."""
        return dict.fromkeys(key.owner for key in self.keyring)

    def _futures_call(self, asked: Asked, now_ms: int, key: Key | None) -> FuturesCall:
        return FuturesCall(asked.params, now_ms, key, self.limits[USDM], self._exchange, self._wire)

    def _futures_session(self, asked: Asked, now_ms: int, key: Key | None) -> SessionCall:
        assert asked.session is not None, "only a connection asks this"
        return SessionCall(asked.params, now_ms, key, self.limits[USDM], asked.session, hears=False)
