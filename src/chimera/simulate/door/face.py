"""How one request becomes one answer, on either market and by either door: REST here, the WebSocket API in ``ws_api``.

A request is weighed, its key and signature are checked, its parameters are read, then its handler runs; a refusal is an
answer too. Invariants: what is refused changed nothing but the counters; every request is in the audit before it is
judged. A path the twin does not implement gets the venue's own refusal for an unknown path.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic

import msgspec

from chimera.simulate.door.auth import KEY_HEADER, Claim, authenticate, payload
from chimera.simulate.door.call import Answer, C, Endpoint
from chimera.simulate.door.keyring import Key, Keyring
from chimera.simulate.door.limits import Limits, Overrun
from chimera.simulate.door.messages import WireRequest, WireResponse
from chimera.simulate.door.params import Params
from chimera.simulate.door.refusals import Refusal
from chimera.simulate.venue.audit import Audit, Kind

_encode = msgspec.json.Encoder().encode
_CLIENT_IDS: Final = ("newClientOrderId", "clientAlgoId", "origClientOrderId")
_UNKNOWN_WEIGHT: Final = 1
Table = Mapping[tuple[str, str], Endpoint[C]]
MakeCall = Callable[[Params, int, Key | None], C]


@dataclass(slots=True, frozen=True)
class Asked:
    """A request, whichever way it came. ``pool``: what its weight is counted under, an IP and perhaps more."""

    method: str
    path: str
    params: Params
    claim: Claim
    pool: str


@dataclass(slots=True, frozen=True)
class Outcome:
    """What came of it. ``used``: weight of the pool after it; ``placed``: whose orders it counted, "" if none."""

    status: int
    body: Any
    used: int
    refusal: Refusal | None = None
    placed: str = ""


class Face(Generic[C]):
    """Answers the requests of one market. ``fine``: its time may be in microseconds."""

    def __init__(
        self,
        table: Table[C],
        make_call: MakeCall[C],
        *,
        keyring: Keyring,
        limits: Limits,
        audit: Audit,
        market: str = "",
        fine: bool = False,
    ) -> None:
        self.table = table
        self.limits = limits
        self.keyring = keyring
        self.fine = fine
        self._make_call = make_call
        self._audit = audit
        self._market = market

    def answer(self, request: WireRequest, now_ms: int) -> WireResponse:
        """One HTTP request."""
        claim = Claim(api_key=request.header(KEY_HEADER), payload=payload(request))
        asked = Asked(request.method, request.path, Params(request), claim, request.origin)
        outcome = self.settle(asked, now_ms)
        return WireResponse(status=outcome.status, headers=self._headers(outcome, now_ms), body=_encode(outcome.body))

    def settle(self, asked: Asked, now_ms: int) -> Outcome:
        """Execute one request."""
        found = self.table.get((asked.method, asked.path))
        weight = found.weigh(asked.params) if found is not None else _UNKNOWN_WEIGHT
        self._log(Kind.REQUEST, asked, now_ms)
        try:
            used = self.limits.enter(asked.pool, weight, now_ms)
            if found is None:
                raise Refusal(-5000, asked.path, asked.method)
            outcome = self._execute(found, asked, used, now_ms)
        except Refusal as refusal:
            self._log(Kind.REFUSE, asked, now_ms, code=refusal.code, reason=refusal.msg)
            body = {"code": refusal.code, "msg": refusal.msg}
            return Outcome(refusal.status, body, self.limits.weight_used(asked.pool, now_ms), refusal)
        if found.weight_on_success is None:
            return outcome
        used = self.limits.correct(asked.pool, found.weight_on_success - weight, now_ms)
        return Outcome(outcome.status, outcome.body, used, placed=outcome.placed)

    def _execute(self, found: Endpoint[C], asked: Asked, used: int, now_ms: int) -> Outcome:
        params = asked.params
        key = authenticate(asked.claim, params, found.security, found.permission, self.keyring, now_ms, fine=self.fine)
        params.expect(found.mandatory, found.optional, found.unwanted)
        counts = key is not None and any(found.orders)
        if key is not None and counts:
            self.limits.room_for(key.owner, found.orders, now_ms)
        body, status = found.handler(self._make_call(params, now_ms, key)), 200
        if isinstance(body, Answer):
            body, status = body.body, body.status
        if key is not None and counts:
            self.limits.count_orders(key.owner, found.orders, now_ms)
        return Outcome(status, body, used, placed=key.owner if key is not None and counts else "")

    def _headers(self, outcome: Outcome, now_ms: int) -> dict[str, str]:
        limits = self.limits
        headers = {
            "Content-Type": "application/json",
            f"X-MBX-USED-WEIGHT-{limits.budget.weight.tag}": str(outcome.used),
        }
        if outcome.placed:
            for limit in limits.budget.orders:
                headers[f"X-MBX-ORDER-COUNT-{limit.tag}"] = str(limits.orders_used(outcome.placed, limit, now_ms))
        if isinstance(outcome.refusal, Overrun):
            headers["Retry-After"] = str(-(-(outcome.refusal.until_ms - now_ms) // 1_000))
        return headers

    def _log(self, kind: Kind, asked: Asked, now_ms: int, **more: Any) -> None:
        params, claim = asked.params, asked.claim
        client_id = next((params.text(name) for name in _CLIENT_IDS if params.has(name)), "")
        owner = claim.session.owner if claim.session is not None else self.keyring.owner_of(claim.api_key or "")
        self._audit.add(
            kind,
            now_ms,
            account=owner,
            symbol=params.text("symbol"),
            client_order_id=client_id,
            side=params.text("side"),
            type=params.text("type"),
            method=asked.method,
            path=asked.path,
            **more,
        )
