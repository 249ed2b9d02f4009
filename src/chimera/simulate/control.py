"""The control API under ``/sim/``: accounts, state, audit. Not part of Binance; needs no signature.

``POST /sim/accounts`` (an ``AccountSpec``) · ``POST /sim/keys`` {name, api_key, secret | public_key, permissions?}: one
more key of an owner · ``DELETE /sim/keys?api_key=`` · ``GET /sim/state`` · ``GET /sim/audit?since=SEQ`` (JSON lines).
"""

from collections.abc import Callable
from typing import Any

import msgspec

from chimera.simulate.door.messages import NO_JSON, WireRequest, WireResponse
from chimera.simulate.door.params import Params
from chimera.simulate.door.refusals import Refusal
from chimera.simulate.doors import Keys
from chimera.simulate.spot.floor import SpotFloor
from chimera.simulate.usdm.accounts import Account
from chimera.simulate.usdm.floor import FuturesFloor
from chimera.simulate.venue.account_spec import AccountSpec
from chimera.simulate.venue.audit import Audit
from chimera.trading.intent import PositionSide
from chimera.trading.money import text

_JSON = {"Content-Type": "application/json"}
_LINES = {"Content-Type": "application/x-ndjson"}


encoder = msgspec.json.Encoder(decimal_format="string")


def control(
    audit: Audit,
    request: WireRequest,
    admit: Callable[[AccountSpec], Account],
    keys: Keys,
    state: Callable[[], dict[str, Any]],
) -> WireResponse:
    """Answer one control request; ``admit`` opens an account, ``state`` is the picture of the venue."""
    try:
        match request.method, request.path:
            case "POST", "/sim/accounts":
                spec = _spec(request.body)
                account = admit(spec)
                return answered(200, {"name": account.name, "api_key": spec.api_key, "balance": text(account.wallet)})
            case "POST", "/sim/keys":
                spec = _spec(request.body)
                keys.add(spec)
                return answered(200, {"name": spec.name, "api_key": spec.api_key})
            case "DELETE", "/sim/keys":
                api_key = Params(request).need("api_key")
                keys.revoke(api_key)
                return answered(200, {"api_key": api_key})
            case "GET", "/sim/state":
                return answered(200, state())
            case "GET", "/sim/audit":
                since = Params(request).integer_or("since", 0)
                lines = [encoder.encode(record) for record in audit.records if record.seq > since]
                return WireResponse(status=200, headers=_LINES, body=b"".join(line + b"\n" for line in lines))
            case _:
                raise Refusal(-5000, request.path, request.method)
    except Refusal as refusal:
        return answered(refusal.status, {"code": refusal.code, "msg": refusal.msg})


def _spec(body: str) -> AccountSpec:
    try:
        return msgspec.json.decode(body, type=AccountSpec)
    except NO_JSON as error:
        raise Refusal(-1130, text=str(error)) from error


def picture(floor: FuturesFloor) -> dict[str, Any]:
    """Accounts with wallet, positions, open orders and waiting algos; amounts as text."""
    return {
        "now_ms": floor.now_ms,
        "accounts": {name: _account(floor, account) for name, account in floor.accounts.items()},
        "marks": {symbol: text(mark) for symbol, mark in floor.marks.items()},
    }


def _account(floor: FuturesFloor, account: Account) -> dict[str, Any]:
    return {
        "wallet": text(account.wallet),
        "positions": {
            held.symbol if held.side is PositionSide.BOTH else f"{held.symbol}:{held.side}": {
                "qty": text(held.qty),
                "entry": text(held.entry),
                "leverage": held.leverage,
            }
            for held in account.positions.values()
            if held.qty
        },
        "open_orders": [order.client_id for order in floor.orders.open_of(account)],
        "open_algos": [algo.client_id for algo in floor.algos.waiting_of(account)],
    }


def spot_picture(floor: SpotFloor) -> dict[str, Any]:
    """Spot accounts with free and locked balances and open orders."""
    return {
        name: {
            "balances": {
                asset: {"free": text(held.free), "locked": text(held.locked)}
                for asset, held in account.balances.items()
            },
            "open_orders": [order.client_id for order in floor.orders.open_of(account)],
        }
        for name, account in floor.accounts.items()
    }


def answered(status: int, body: Any) -> WireResponse:
    """A control answer; decimals as text."""
    return WireResponse(status=status, headers=_JSON, body=encoder.encode(body))
