"""One request on its way to the venue and back, by either kind of wire.

Invariants: from ``begin`` on it does not depend on its sender; what arrived is executed whatever becomes of the answer;
a request is never delivered twice (``network`` says why). The venue works on the requests of one connection side by
side, so they may overtake each other, as over REST.
"""

from collections.abc import Callable
from contextvars import Context
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from chimera.simulate.door.messages import WireRequest, WireResponse
from chimera.simulate.door.ws_api import WsReply

if TYPE_CHECKING:
    from chimera.services.stage.network import Venue

ONE_WAY_US: Final = 4_000  # typical, each way
_PLACES: Final = ("rder", "/orderList", "/oco")  # how the paths of orders and lists end
QUESTION_SHARE: Final = 0.25  # of the rates for a question: a run in which nothing is ever learnt tests nothing

A = TypeVar("A", bound=WireResponse | WsReply)


def is_order(request: WireRequest) -> bool:
    """Whether it places or cancels an order, in either service."""
    return request.method in ("POST", "DELETE") and request.path.endswith(_PLACES)


def is_entry(request: WireRequest) -> bool:
    """Whether it places an order that may add exposure; on spot, where nothing says so, one that buys."""
    asked = f"{request.query}&{request.body}"
    if request.method != "POST" or not request.path.endswith("/order"):
        return False
    return "side=BUY" in asked if request.path.startswith("/api/") else "reduceOnly=true" not in asked


def is_stop(request: WireRequest) -> bool:
    """Whether it places a stop, of whatever form: alone, or in a list with a target."""
    asked = f"{request.query}&{request.body}".lower()
    return request.method == "POST" and is_order(request) and "type=stop" in asked


def share(about: str) -> float:
    """Of a fault's rate, for what is named so (method and path, or an event)."""
    asked = "/fapi" in about or "/api" in about
    return QUESTION_SHARE if asked and (about.startswith("GET") or not about.endswith(_PLACES)) else 1.0


class Trip(Generic[A]):
    """``request`` is what the venue will be asked, in terms of REST; ``execute`` has it done where it arrives."""

    def __init__(self, venue: "Venue", request: WireRequest, execute: Callable[[], A]) -> None:
        self._venue = venue
        self._request = request
        self._execute = execute
        self._about = f"{request.method} {request.path}"
        self._tell: Callable[[A | None], None] = lambda answer: None

    def refused(self) -> bool:
        """Whether not a byte gets through."""
        return self._venue.fires("connect_refused", self._about)

    def begin(self, tell: Callable[[A | None], None]) -> None:
        """Leave; ``tell`` hears the answer when it is back, None for a reset, and nothing where it was lost."""
        venue = self._venue
        self._tell = tell
        if venue.sent is not None:
            venue.sent(self._request)
        wait_us = venue.wait_us(f"there:{self._about}", ONE_WAY_US)
        wait_us += venue.twin.lag_ms(self._request, venue.now_ms) * 1000
        if venue.fires("slow_request", self._about):
            wait_us += venue.tape.whole(f"slow_request_us:{self._about}", 200_000, 9_000_000)
        if is_entry(self._request) and venue.fires("slow_entry", self._about):
            wait_us += venue.tape.whole("slow_entry_us", 800_000, 4_900_000)  # the venue takes it for 5 s
        if not (venue.fires("drop_request", self._about) or venue.away):
            self._later(wait_us, self._arrive)

    def _arrive(self) -> None:
        venue = self._venue
        if venue.away:
            return
        answer = self._execute()
        wait_us = venue.wait_us(f"back:{self._about}", ONE_WAY_US) + answer.delay_ms * 1000
        if venue.fires("slow_reply", self._about):
            wait_us += venue.tape.whole(f"slow_reply_us:{self._about}", 200_000, 5_000_000)
        reset = venue.fires("reset_reply", self._about)
        lost = answer.dropped if isinstance(answer, WireResponse) else not answer.payloads
        if not (lost or venue.fires("drop_reply", self._about)):
            self._later(wait_us, self._tell, None if reset else answer)

    def _later(self, wait_us: int, callback: Callable[..., None], *args: object) -> None:
        self._venue.loop.call_later(wait_us / 1_000_000, callback, *args, context=Context())
