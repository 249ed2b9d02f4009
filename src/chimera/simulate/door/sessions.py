"""What a WebSocket API connection can be told about itself: log on and out, and on spot whose user events it hears.

Sources: Binance web-socket-api, "Session Authentication" and "User Data Stream requests". Chosen, for no page gives
them: -4056 for a key that cannot log on, -1002 for ``userDataStream.subscribe`` before a logon.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from chimera.simulate.door.auth import Security
from chimera.simulate.door.call import Call, Endpoint, endpoint
from chimera.simulate.door.keyring import KeyKind
from chimera.simulate.door.refusals import Refusal
from chimera.simulate.door.session import Session

VERB: Final = "WS"  # stands where REST has GET or POST
_WEIGHT: Final = 2


@dataclass(slots=True)
class SessionCall(Call):
    """``Call`` about the connection it came on."""

    session: Session
    hears: bool  # whether user events come on this connection at all


def log_on(call: SessionCall) -> dict[str, Any]:
    """session.logon: Ed25519 keys only."""
    key = call.key
    if key is None or key.kind is not KeyKind.ED25519:
        raise Refusal(-4056, "HMAC_SHA256" if key is None or key.kind is KeyKind.HMAC else "RSA")
    call.session.log_on(key, call.now_ms)
    return status(call)


def log_out(call: SessionCall) -> dict[str, Any]:
    """session.logout."""
    call.session.log_out()
    return status(call)


def status(call: SessionCall) -> dict[str, Any]:
    """session.status."""
    session = call.session
    return {
        "apiKey": None if session.key is None else session.key.api_key,
        "authorizedSince": session.authorized_ms,
        "connectedSince": session.connected_ms,
        "returnRateLimits": session.shows_limits,
        "serverTime": call.now_ms,
        "userDataStream": bool(session.subscriptions) if call.hears else None,
    }


def subscribe(call: SessionCall) -> dict[str, Any]:
    """userDataStream.subscribe: events of the owner who is logged on."""
    if call.session.key is None:
        raise Refusal(-1002)
    return {"subscriptionId": call.session.subscribe(call.session.key.owner, by_logon=True)}


def subscribe_by_signature(call: SessionCall) -> dict[str, Any]:
    """userDataStream.subscribe.signature: events of the owner who signed this."""
    return {"subscriptionId": call.session.subscribe(call.owner, by_logon=False)}


def unsubscribe(call: SessionCall) -> dict[str, Any]:
    """userDataStream.unsubscribe: one, or all."""
    call.session.unsubscribe(call.params.maybe_integer("subscriptionId"))
    return {}


def subscriptions(call: SessionCall) -> list[dict[str, int]]:
    """session.subscriptions."""
    return [{"subscriptionId": number} for number in call.session.subscriptions]


_NONE, _SIGNED = Security.NONE, Security.SIGNED
Table = Mapping[tuple[str, str], Endpoint[SessionCall]]
LOGON: Final[Table] = {
    (VERB, "session.logon"): endpoint(log_on, _SIGNED, _WEIGHT),
    (VERB, "session.status"): endpoint(status, _NONE, _WEIGHT),
    (VERB, "session.logout"): endpoint(log_out, _NONE, _WEIGHT),
}
USER_DATA: Final[Table] = {
    (VERB, "session.subscriptions"): endpoint(subscriptions, _NONE, _WEIGHT),
    (VERB, "userDataStream.subscribe"): endpoint(subscribe, _NONE, _WEIGHT),
    (VERB, "userDataStream.subscribe.signature"): endpoint(subscribe_by_signature, _SIGNED, _WEIGHT),
    (VERB, "userDataStream.unsubscribe"): endpoint(unsubscribe, _NONE, _WEIGHT, "", "subscriptionId"),
}
