"""The WebSocket API of one market: a JSON request becomes the call that REST knows, and its outcome a JSON answer.

Each method stands for a method and path of the REST table, so every handler is written once; what speaks of the
connection itself (``session.*``, user data of spot) is in ``sessions``. The signature covers the parameters sorted by
name, unencoded. Ids are echoed as they came. Numbers in parameters may be JSON numbers or strings: what either is worth
is decided where REST decides it. Chosen, for no page gives it: an unknown method is -1020, a frame that is no request
-1135.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from http import HTTPStatus
from typing import Any, Final, Generic
from urllib.parse import urlencode

import msgspec

from chimera.simulate.door.auth import KEY_HEADER, Claim
from chimera.simulate.door.call import C
from chimera.simulate.door.face import Asked, Face, Outcome
from chimera.simulate.door.limits import Overrun
from chimera.simulate.door.messages import NO_JSON, WireRequest, WireResponse
from chimera.simulate.door.params import Params
from chimera.simulate.door.refusals import Refusal
from chimera.simulate.door.session import Session
from chimera.simulate.door.sessions import VERB, SessionCall

Methods = Mapping[str, tuple[str, str]]
_encode = msgspec.json.Encoder(decimal_format="string").encode
_decode = msgspec.json.Decoder(float_hook=Decimal).decode
_NOT_HANDED_ON: Final = ("apiKey", "returnRateLimits")
_BANNED: Final = 418
_REVOKED: Final = {"id": None, "status": 401, "error": {"code": -2015, "msg": Refusal(-2015).msg}}


@dataclass(slots=True, frozen=True)
class WsReply:
    """What is sent back for one frame, in order, ``delay_ms`` late; nothing: the answer was lost.

    ``ends``: the connection ends after it, for its IP is banned.
    """

    payloads: list[bytes]
    delay_ms: int = 0
    ends: bool = False


class WsApi(Generic[C]):
    """Answers one market's WebSocket API. ``version``: what a method's name may be prefixed with, as ``v3/``.

    ``pool``: prefixed to the IP under which weight is counted, where it is counted apart from REST. ``gone``: methods
    that were retired, answered with 410.
    """

    def __init__(
        self,
        face: Face[C],
        sessions: Face[SessionCall],
        methods: Methods,
        *,
        version: str = "",
        pool: str = "",
        gone: frozenset[str] = frozenset(),
    ) -> None:
        self._face = face
        self._sessions = sessions
        self._methods = methods
        self._version = version
        self._pool = pool
        self._gone = gone

    def open(self, session: Session, now_ms: int) -> None:
        """A connection begins: its weight, and the unit it asks for. Raises ``Refusal`` where it may not."""
        self._face.in_unit(session.unit)
        limits = self._face.limits
        limits.enter(self._pool + session.ip, limits.budget.handshake, now_ms)

    def answer(self, session: Session, text: str | bytes, now_ms: int, late_ms: int = 0) -> WsReply:
        """What is sent back for one text frame; its request reaches the matching engine ``late_ms`` later."""
        try:
            number, method, params, shows = _read(text, session.shows_limits)
        except Refusal as refusal:
            return WsReply([_encode({"id": None, "status": refusal.status, "error": _error(refusal)})])
        if session.key is not None and self._face.keyring.get(session.key.api_key) is None:
            session.log_out()
            return WsReply([_encode(_REVOKED), *session.endings(now_ms)])
        asked, outcome = self._settle(session, method, params, now_ms, late_ms)
        answer: dict[str, Any] = {"id": number, "status": outcome.status}
        if outcome.status >= HTTPStatus.BAD_REQUEST:
            answer["error"] = _with_data(outcome, now_ms)
        else:
            answer["result"] = outcome.body
        if shows:
            answer["rateLimits"] = self._rows(asked, outcome, now_ms)
        banned = outcome.status == _BANNED
        return WsReply([_encode(answer), *session.endings(now_ms)], ends=banned)

    def as_rest(self, session: Session, text: str | bytes) -> tuple[Any, WireRequest | None]:
        """The frame's id and the REST request it stands for; ``None`` where it stands for none."""
        try:
            number, method, params, _ = _read(text, session.shows_limits)
        except Refusal:
            return None, None
        found = self._methods.get(method.removeprefix(self._version))
        if found is None:
            return number, None
        key = params.pop("apiKey", "" if session.key is None else session.key.api_key)
        headers = {KEY_HEADER: key}
        return number, WireRequest(
            method=found[0], path=found[1], query=urlencode(params), headers=headers, origin=session.ip
        )

    def _settle(
        self, session: Session, method: str, params: dict[str, str], now_ms: int, late_ms: int
    ) -> tuple[Asked, Outcome]:
        name = method.removeprefix(self._version)
        own = (VERB, name) in self._sessions.table
        verb, path = self._methods.get(name, (VERB, name))
        claim = Claim(api_key=params.get("apiKey"), payload=_payload(params), session=session.key, key_param="apiKey")
        for each in _NOT_HANDED_ON:
            params.pop(each, None)
        asked = Asked(verb, path, Params.given(params), claim, self._pool + session.ip, session.unit, late_ms, session)
        if not own and name not in self._methods:
            refusal = Refusal(-1020)
            refusal.status = HTTPStatus.GONE if name in self._gone else refusal.status
            return asked, self._face.refuse(asked, refusal, now_ms)
        return asked, (self._sessions if own else self._face).settle(asked, now_ms)

    def _rows(self, asked: Asked, outcome: Outcome, now_ms: int) -> list[dict[str, str | int]]:
        limits = self._face.limits
        orders = limits.order_rows(outcome.placed, now_ms) if outcome.placed else []
        return [*orders, limits.weight_row(asked.pool, now_ms)]


def struck(number: Any, done: WsReply | None, trouble: Callable[[WireResponse | None], WireResponse]) -> WsReply:
    """What is left of an answer (empty: not executed) after ``trouble``, which is told in terms of REST."""
    first = None if done is None else WireResponse(status=HTTPStatus.OK, headers={}, body=done.payloads[0])
    answer = trouble(first)
    if answer.dropped:
        return WsReply([], answer.delay_ms)
    if done is not None and answer.status == HTTPStatus.OK:
        return WsReply([answer.body, *done.payloads[1:]], answer.delay_ms, done.ends)
    body = {"id": number, "status": answer.status, "error": msgspec.Raw(answer.body)}
    return WsReply([_encode(body)], answer.delay_ms)


def _read(text: str | bytes, shows_limits: bool) -> tuple[Any, str, dict[str, str], bool]:
    """Id, method, parameters as text, whether the answer shows limits. Raises -1135 for what is no request."""
    try:
        request = _decode(text)
    except NO_JSON as error:
        raise Refusal(-1135, text="Invalid JSON Request") from error
    if not isinstance(request, dict):
        raise Refusal(-1135, text="Invalid JSON Request")
    number, method, params = request.get("id"), request.get("method"), request.get("params")
    if not isinstance(method, str):
        raise Refusal(-1135, text="Invalid 'method' in JSON request; expected a string.")
    if params is not None and not isinstance(params, dict):
        raise Refusal(-1135, text="Invalid 'params' in JSON request; expected an object.")
    if isinstance(number, bool) or not isinstance(number, int | str | None):
        raise Refusal(-1135, text="Invalid 'id' in JSON request; expected an integer, a string or null.")
    written = {name: _text(value) for name, value in (params or {}).items()}
    shows = written.get("returnRateLimits", "true" if shows_limits else "false").lower() == "true"
    return number, method, written, shows


def _text(value: Any) -> str:
    """A parameter as REST would have it: 0.10 stays 0.10, a list is JSON text."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case Decimal():
            return format(value, "f")
        case None:
            return ""
        case int():
            return str(value)
        case _:
            return _encode(value).decode()


def _payload(params: dict[str, str]) -> str:
    return "&".join(f"{name}={params[name]}" for name in sorted(params) if name != "signature")


def _error(refusal: Refusal) -> dict[str, Any]:
    return {"code": refusal.code, "msg": refusal.msg}


def _with_data(outcome: Outcome, now_ms: int) -> Any:
    if isinstance(outcome.refusal, Overrun):
        return outcome.body | {"data": {"serverTime": now_ms, "retryAfter": outcome.refusal.until_ms}}
    return outcome.body
