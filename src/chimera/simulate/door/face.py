"""How one request becomes one answer, on either market and by either door: REST here, the WebSocket API in ``ws_api``.

A request is weighed, its key and signature are checked, its parameters are read, then its handler runs; a refusal is an
answer too. Invariants: what is refused changed nothing but the counters; every request is in the audit before it is
judged. A path the twin does not implement gets the venue's own refusal for an unknown path.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, Generic

import msgspec

from chimera.simulate.door.auth import KEY_HEADER, Claim, authenticate, check_time, payload
from chimera.simulate.door.call import Answer, C, Endpoint
from chimera.simulate.door.keyring import Key, Keyring, Permission
from chimera.simulate.door.limits import Limits, Overrun
from chimera.simulate.door.messages import WireRequest, WireResponse
from chimera.simulate.door.params import Params
from chimera.simulate.door.refusals import Refusal
from chimera.simulate.door.session import Session
from chimera.simulate.venue.audit import Audit, Kind

_encode = msgspec.json.Encoder().encode
_CLIENT_IDS: Final = ("newClientOrderId", "clientAlgoId", "origClientOrderId")
_UNKNOWN_WEIGHT: Final = 1
TRADING: Final = frozenset({Permission.FUTURES, Permission.SPOT})
Table = Mapping[tuple[str, str], Endpoint[C]]
UNIT_HEADER: Final = "X-MBX-TIME-UNIT"


@dataclass(slots=True, frozen=True)
class Asked:
    """A request, whichever way it came.

    ``pool``: what its weight is counted under, an IP and perhaps more. ``unit``: the time unit it wants. ``late_ms``:
    how much later it reaches the matching engine, which judges its time again. ``session``: the connection it came on.
    """

    method: str
    path: str
    params: Params
    claim: Claim
    pool: str
    unit: str | None = None
    late_ms: int = 0
    session: Session | None = None

    @property
    def on_session(self) -> Session:
        """The connection, where only one can have asked."""
        assert self.session is not None, "only a connection asks this"
        return self.session


MakeCall = Callable[[Asked, int, Key | None], C]
TimeUnits = Callable[[str | None], Callable[[Any], Any] | None]


@dataclass(slots=True, frozen=True)
class Outcome:
    """What came of it. ``used``: weight of the pool after it; ``placed``: whose orders it counted, "" if none."""

    status: int
    body: Any
    used: int
    refusal: Refusal | None = None
    placed: str = ""


class Face(Generic[C]):
    """Answers the requests of one market.

    ``time_units``: how to write times in the unit asked for, or a refusal of it; without, all is in milliseconds.
    """

    def __init__(
        self,
        table: Table[C],
        make_call: MakeCall[C],
        *,
        keyring: Keyring,
        limits: Limits,
        audit: Audit,
        market: str = "",
        time_units: TimeUnits | None = None,
    ) -> None:
        self.table = table
        self.limits = limits
        self.keyring = keyring
        self.fine = time_units is not None
        self._time_units = time_units
        self._make_call = make_call
        self._audit = audit
        self._market = market

    def answer(self, request: WireRequest, now_ms: int, late_ms: int = 0) -> WireResponse:
        """One HTTP request, which reaches the matching engine ``late_ms`` later."""
        claim = Claim(api_key=request.header(KEY_HEADER), payload=payload(request))
        unit = None if self._time_units is None else request.header(UNIT_HEADER)
        asked = Asked(request.method, request.path, Params(request), claim, request.origin, unit, late_ms)
        outcome = self.settle(asked, now_ms)
        return WireResponse(status=outcome.status, headers=self._headers(outcome, now_ms), body=_encode(outcome.body))

    def settle(self, asked: Asked, now_ms: int) -> Outcome:
        """Execute one request."""
        found = self.table.get((asked.method, asked.path))
        if found is None:
            return self.refuse(asked, Refusal(-5000, asked.path, asked.method), now_ms)
        weight = found.weigh(asked.params)
        self._log(Kind.REQUEST, asked, now_ms)
        try:
            used = self.limits.enter(asked.pool, weight, now_ms)
            outcome = self._execute(found, asked, used, now_ms)
        except Refusal as refusal:
            return self._refused(asked, refusal, now_ms)
        if found.weight_on_success is None or outcome.status != HTTPStatus.OK:
            return outcome
        used = self.limits.correct(asked.pool, found.weight_on_success - weight, now_ms)
        return Outcome(outcome.status, outcome.body, used, placed=outcome.placed)

    def refuse(self, asked: Asked, refusal: Refusal, now_ms: int) -> Outcome:
        """A request for which there is no handler."""
        self._log(Kind.REQUEST, asked, now_ms)
        try:
            self.limits.enter(asked.pool, _UNKNOWN_WEIGHT, now_ms)
        except Overrun as overrun:
            refusal = overrun
        return self._refused(asked, refusal, now_ms)

    def in_unit(self, unit: str | None) -> Callable[[Any], Any] | None:
        """How to write an answer's times in this unit; ``None``: as they are. Raises ``Refusal`` for an unknown one."""
        return None if self._time_units is None else self._time_units(unit)

    def _refused(self, asked: Asked, refusal: Refusal, now_ms: int) -> Outcome:
        self._log(Kind.REFUSE, asked, now_ms, code=refusal.code, reason=refusal.msg)
        body = {"code": refusal.code, "msg": refusal.msg}
        return Outcome(refusal.status, body, self.limits.weight_used(asked.pool, now_ms), refusal)

    def _execute(self, found: Endpoint[C], asked: Asked, used: int, now_ms: int) -> Outcome:
        params = asked.params
        rewrite = self.in_unit(asked.unit)
        key = authenticate(asked.claim, params, found.security, found.permission, self.keyring, now_ms, fine=self.fine)
        params.expect(found.mandatory, found.optional, found.unwanted, strict=found.strict)
        counts = key is not None and any(found.orders)
        if key is not None and counts:
            self.limits.room_for(key.owner, found.orders, now_ms)
        if asked.late_ms and found.permission in TRADING:
            self._check_again(params, asked.late_ms, now_ms)
        owner = key.owner if key is not None and counts else ""
        body, status = self._handled(found, asked, key, owner, now_ms), 200
        if isinstance(body, Answer):
            body, status, owner = body.body, body.status, owner or body.placed
        return Outcome(status, body if rewrite is None else rewrite(body), used, placed=owner)

    def _handled(self, found: Endpoint[C], asked: Asked, key: Key | None, owner: str, now_ms: int) -> Any:
        """Run the handler. Its orders count from before, for what fills at once gives counts back (spot)."""
        call = self._make_call(asked, now_ms, key)
        if not owner:
            return found.handler(call)
        self.limits.count_orders(owner, found.orders, now_ms)
        try:
            return found.handler(call)
        except Refusal:
            self.limits.count_orders(owner, (-found.orders[0], -found.orders[1]), now_ms)
            raise

    def _check_again(self, params: Params, late_ms: int, now_ms: int) -> None:
        """The matching engine's own look at the time: -5028 on futures, -1021 on spot."""
        try:
            check_time(params, now_ms, fine=self.fine, late_ms=late_ms)
        except Refusal:
            raise Refusal(-1021 if self.fine else -5028) from None

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
            market=self._market,
            **more,
        )
