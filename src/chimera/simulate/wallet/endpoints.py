"""The ``/sapi`` calls: transfers between wallets, their history, what a key may do.

Weights are as listed (a transfer 300 by UID), counted here against one budget as all of a face's calls are. Unlike the
markets, the wallets do not mind parameters they do not know (witness: ccxt sends some).
"""

from dataclasses import dataclass
from typing import Any, Final

from chimera.simulate.door.auth import Security
from chimera.simulate.door.call import Call, Endpoint, endpoint
from chimera.simulate.door.keyring import Permission
from chimera.simulate.door.limits import SPOT_BUDGET, Budget, Limit, LimitKind
from chimera.simulate.door.refusals import Refusal
from chimera.simulate.wallet.transfers import Route, Transfer, Transfers
from chimera.trading.money import DAY_MS, text

DEFAULT_DAYS: Final = 7
OLDEST_DAYS: Final = 183  # "6 months"
PAGE: Final = 10
PAGE_MAX: Final = 100
WALLET_BUDGET: Final[Budget] = SPOT_BUDGET.but(
    weight=Limit(kind=LimitKind.REQUEST_WEIGHT, interval="MINUTE", num=1, limit=180_000), raw=None
)
_WALLETS: Final = frozenset(
    {"MAIN", "UMFUTURE", "CMFUTURE", "MARGIN", "ISOLATEDMARGIN", "FUNDING", "OPTION", "PORTFOLIO_MARGIN"}
)


@dataclass(slots=True)
class WalletCall(Call):
    """``Call`` on the wallets."""

    transfers: Transfers


def transfer(call: WalletCall) -> dict[str, int]:
    """POST asset/transfer."""
    route = _route(call)
    sent = call.transfers.send(
        call.owner, route, call.params.need("asset").upper(), call.params.amount("amount"), call.now_ms
    )
    return {"tranId": sent.tran_id}


def history(call: WalletCall) -> dict[str, Any]:
    """GET asset/transfer: newest first, by pages; the last week unless a period is given, six months at most."""
    params, now = call.params, call.now_ms
    oldest = now - OLDEST_DAYS * DAY_MS
    start, end = params.maybe_integer("startTime"), params.integer_or("endTime", now)
    since = end - DEFAULT_DAYS * DAY_MS if start is None else start
    if since > end:
        raise Refusal(-1023)
    size = params.integer_or("size", PAGE)
    page = params.integer_or("current", 1)
    if not 1 <= size <= PAGE_MAX:
        raise Refusal(-1130, "size")
    if page < 1:
        raise Refusal(-1130, "current")
    found = call.transfers.of(call.owner, _route(call), max(since, oldest), end)
    return {"total": len(found), "rows": [_row(each) for each in found[(page - 1) * size : page * size]]}


def _route(call: WalletCall) -> Route:
    """-1102 for what is no pair of wallets, -1020 for wallets the twin does not have."""
    text = call.params.need("type")
    if text in Route.__members__:
        return Route(text)
    pairs = {f"{one}_{other}" for one in _WALLETS for other in _WALLETS}
    raise Refusal(-1020) if text in pairs else Refusal(-1102, "type")


def _row(each: Transfer) -> dict[str, Any]:
    return {
        "asset": each.asset,
        "amount": text(each.amount),
        "type": each.route,
        "status": each.status,
        "tranId": each.tran_id,
        "timestamp": each.at_ms,
    }


def restrictions(call: WalletCall) -> dict[str, Any]:
    """GET account/apiRestrictions."""
    assert call.key is not None, "a signed call has a key"
    may = call.key.permissions
    return {
        "ipRestrict": False,
        "createTime": 0,  # keys of the twin have no birthday
        "enableReading": Permission.READ in may,
        "enableWithdrawals": Permission.WITHDRAW in may,
        "enableInternalTransfer": False,
        "enableMargin": False,
        "enableFutures": Permission.FUTURES in may,
        "permitsUniversalTransfer": Permission.TRANSFER in may,
        "enableVanillaOptions": False,
        "enableFixApiTrade": False,
        "enableFixReadOnly": False,
        "enableSpotAndMarginTrading": Permission.SPOT in may,
        "enablePortfolioMarginTrading": False,
    }


_PERIOD = "startTime endTime current size fromSymbol toSymbol"
ENDPOINTS: Final[dict[tuple[str, str], Endpoint[WalletCall]]] = {
    ("POST", "/sapi/v1/asset/transfer"): endpoint(
        transfer,
        Security.SIGNED,
        300,
        "type asset amount",
        "fromSymbol toSymbol",
        permission=Permission.TRANSFER,
        strict=False,
    ),
    ("GET", "/sapi/v1/asset/transfer"): endpoint(history, Security.SIGNED, 1, "type", _PERIOD, strict=False),
    ("GET", "/sapi/v1/account/apiRestrictions"): endpoint(restrictions, Security.SIGNED, 1, strict=False),
}
