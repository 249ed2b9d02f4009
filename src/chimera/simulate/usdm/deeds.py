"""What a person can make the futures venue do through the control API: auto-deleverage a position.

``POST /sim/adl`` {account, symbol, side?, qty?}: takes ``qty`` (base asset; all of it by default) of the position at
the mark, as Binance does to a winner whose counterpart could not pay. ``side`` LONG or SHORT in hedge mode.
"""

from decimal import Decimal
from typing import Any, Final

import msgspec

from chimera.simulate.door.messages import NO_JSON, WireRequest
from chimera.simulate.door.refusals import Refusal
from chimera.simulate.usdm.exchange import FuturesExchange
from chimera.trading.intent import PositionSide
from chimera.trading.money import text
from chimera.trading.value import Value

PATH: Final = "/sim/adl"


class Deleverage(Value, tag=False, forbid_unknown_fields=True):
    """The body."""

    account: str
    symbol: str
    side: PositionSide = PositionSide.BOTH
    qty: Decimal | None = None


def answer(request: WireRequest, exchange: FuturesExchange) -> tuple[int, Any]:
    """Status and body."""
    try:
        return 200, _deleverage(request, exchange)
    except Refusal as refusal:
        return refusal.status, {"code": refusal.code, "msg": refusal.msg}


def _deleverage(request: WireRequest, exchange: FuturesExchange) -> dict[str, Any]:
    if request.method != "POST":
        raise Refusal(-5000, request.path, request.method)
    try:
        asked = msgspec.json.decode(request.body, type=Deleverage)
    except NO_JSON as error:
        raise Refusal(-1130, text=str(error)) from error
    account = exchange.floor.accounts.get(asked.account)
    if account is None:
        raise Refusal(-1130, "account")
    order = exchange.deleverage(account, asked.symbol, asked.side, asked.qty)
    return {"order_id": order.order_id, "price": text(order.price), "qty": text(order.qty)}
