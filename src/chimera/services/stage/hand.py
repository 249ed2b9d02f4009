"""From S3's hand to S4's door: the body that would go over HTTP, read and answered as the HTTP face reads and answers.

Invariants: S4 sees nothing but the bytes of ``POST /orders``; a refusal that HTTP would answer with 503 is ``NotSent``
to the caller, as the client makes it. It does not know what wire lies between them.
"""

import json
from http import HTTPStatus

import msgspec

from chimera.ports.intents import OrderAnswer
from chimera.services.router.api import Outcome, instruments_of
from chimera.services.router.router import Router
from chimera.trading.errors import NotSent, Refused, StoreUnavailable
from chimera.trading.intent import Intent
from chimera.trading.money import Millis
from chimera.wire import failures, request_json, requests
from chimera.wire.intents import order_body

REJECTED = "REJECTED"


def body_of(intent: Intent) -> bytes:
    """As the client sends it."""
    return json.dumps(order_body(intent)).encode()


async def post_order(router: Router, body: bytes, now_ms: Millis, *, allow_unprotected: bool = False) -> OrderAnswer:
    """``POST /orders`` with ``Prefer: respond-async``; raises what the client would."""
    try:
        intent = requests.order_intent(
            request_json.read_object(body),
            instruments=instruments_of(router),
            now_ms=now_ms,
            allow_unprotected=allow_unprotected,
        )
        return _answer(await router.submit(intent, requests.body_hash(intent), wait_ms=0))
    except StoreUnavailable as away:
        raise NotSent(str(away)) from away
    except Refused as no:
        if failures.status_of(no.code) == HTTPStatus.SERVICE_UNAVAILABLE:
            raise NotSent(f"{no.code}: {no.message}") from no
        raise


def _answer(outcome: Outcome) -> OrderAnswer:
    row = outcome.row
    if outcome.done and row["status"] == REJECTED:
        raise Refused(str(row.get("code") or "VENUE_REFUSED"), str(row.get("message") or "rejected"))
    return msgspec.convert(row, OrderAnswer, strict=False)


class Hand:
    """``chimera.ports.intents.IntentSink`` without a wire."""

    def __init__(self, router: Router, *, allow_unprotected: bool) -> None:
        self._router = router
        self._allow_unprotected = allow_unprotected

    async def submit(self, intent: Intent) -> OrderAnswer:
        return await post_order(
            self._router, body_of(intent), intent.created_ms, allow_unprotected=self._allow_unprotected
        )
