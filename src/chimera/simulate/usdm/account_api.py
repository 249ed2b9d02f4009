"""What an account has: wallet, positions, margin, as the v2 and v3 queries tell it; listenKeys.

v3 lists positions that are held or have an open order; v2 lists every symbol. Amounts are text with eight decimals.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from chimera.simulate.door.refusals import Refusal
from chimera.simulate.usdm import margin
from chimera.simulate.usdm.accounts import ASSET, CENT, Account, Position
from chimera.simulate.usdm.call import FuturesCall
from chimera.simulate.usdm.floor import FuturesFloor
from chimera.simulate.usdm.payloads import cash
from chimera.simulate.usdm.reports import LISTEN_KEY_MS
from chimera.trading.money import ZERO, text

_LISTEN_KEY_CHARS = 64

Row = dict[str, Any]


# ── positions ───────────────────────────────────────────────────────────────────────────────────────────────────────
def _open(call: FuturesCall) -> list[Position]:
    """Positions held or with open orders."""
    account, orders = call.account, call.floor.orders
    return [
        held
        for listing in call.chosen()
        for held in account.held_in(listing.symbol)
        if held.qty or any(each.position_side is held.side for each in orders.open_of(account, listing.symbol))
    ]


def _every(call: FuturesCall) -> list[Position]:
    """All positions there can be."""
    return [held for listing in call.chosen() for held in call.account.held_in(listing.symbol)]


def position_risk(call: FuturesCall) -> list[Row]:
    """GET v3/positionRisk: no leverage, no marginType."""
    return [_risk_v3(call, held) for held in _open(call)]


def _risk(call: FuturesCall, held: Position) -> Row:
    """What both versions tell."""
    floor, listing = call.floor, call.floor.listings[held.symbol]
    mark = margin.mark_of(floor, held)
    liquidation = margin.liquidation_price(floor, call.account, held)
    return {
        "symbol": held.symbol,
        "positionSide": held.side,
        "positionAmt": listing.q(held.qty),
        "entryPrice": text(held.entry),
        "breakEvenPrice": text(held.break_even),
        "markPrice": cash(mark),
        "unRealizedProfit": cash(held.profit(mark)),
        "liquidationPrice": text(liquidation.quantize(CENT)),
        "isolatedMargin": cash(held.set_aside + held.profit(mark)) if held.isolated else "0",
        "notional": cash(held.qty * mark),
        "isolatedWallet": text(held.set_aside),
        "updateTime": held.updated_ms,
    }


def _risk_v3(call: FuturesCall, held: Position) -> Row:
    mark = margin.mark_of(call.floor, held)
    return _risk(call, held) | {
        "marginAsset": ASSET,
        "initialMargin": cash(held.margin(mark)),
        "maintMargin": cash(margin.maintenance(call.floor, held)),
        "positionInitialMargin": cash(held.position_margin(mark)),
        "openOrderInitialMargin": cash(held.margin(mark) - held.position_margin(mark)),
        "adl": _quantile(call.floor, held),
        "bidNotional": text(held.bids),
        "askNotional": text(held.asks),
    }


def position_risk_v2(call: FuturesCall) -> list[Row]:
    """GET v2/positionRisk: every symbol, with leverage, and the margin type in lower case."""
    return [_risk_v2(call, held) for held in _every(call)]


def _risk_v2(call: FuturesCall, held: Position) -> Row:
    return _risk(call, held) | {
        "leverage": str(held.leverage),
        "marginType": "isolated" if held.isolated else "cross",
        "isAutoAddMargin": "false",
        "maxNotionalValue": text(call.floor.listings[held.symbol].brackets.cap(held.leverage)),
    }


def _quantile(floor: FuturesFloor, held: Position) -> int:
    """Place in the queue of auto-deleveraging, 0 (flat) to 4: by profit over margin, for nobody else is ranked here."""
    if not held.qty:
        return 0
    mark = margin.mark_of(floor, held)
    yield_of_margin = held.profit(mark) / held.position_margin(mark)
    return 1 + sum(yield_of_margin > Decimal(step) for step in ("0", "0.5", "1"))


def adl_quantile(call: FuturesCall) -> list[Row]:
    """GET adlQuantile: symbols with a position."""
    rows = []
    for listing in call.chosen():
        held_now = call.account.held_now(listing.symbol)
        places = {str(held.side): _quantile(call.floor, held) for held in held_now}
        if places:
            blank = {"LONG": 0, "SHORT": 0} | ({} if call.account.hedge else {"BOTH": 0})
            rows.append({"symbol": listing.symbol, "adlQuantile": blank | places})
    return rows


# ── account and balance ─────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(slots=True, frozen=True)
class _Sums:
    """Totals in USDT."""

    profit: Decimal
    cross_profit: Decimal
    initial: Decimal
    own: Decimal
    maintenance: Decimal
    free: Decimal
    withdrawable: Decimal


def _sums(call: FuturesCall) -> _Sums:
    floor, account = call.floor, call.account
    live = [(held, margin.mark_of(floor, held)) for held in account.positions.values() if held.live]
    return _Sums(
        profit=sum((held.profit(mark) for held, mark in live), ZERO),
        cross_profit=sum((held.profit(mark) for held, mark in live if not held.isolated), ZERO),
        initial=sum((held.margin(mark) for held, mark in live), ZERO),
        own=sum((held.position_margin(mark) for held, mark in live), ZERO),
        maintenance=sum((margin.maintenance(floor, held) for held, _ in live), ZERO),
        free=max(ZERO, account.available(floor.marks)),
        withdrawable=margin.withdrawable(floor, account),
    )


def account(call: FuturesCall) -> Row:
    """GET v3/account."""
    return _totals(call) | {"positions": [_position_v3(call, held) for held in _open(call)]}


def account_v2(call: FuturesCall) -> Row:
    """GET v2/account: settings beside the sums, and every symbol."""
    head = {
        "feeTier": 0,
        "canTrade": True,
        "canDeposit": True,
        "canWithdraw": True,
        "feeBurn": call.account.fee_burn,
        "tradeGroupId": -1,
        "updateTime": 0,
        "multiAssetsMargin": False,
    }
    return head | _totals(call) | {"positions": [_position_v2(call, held) for held in _every(call)]}


def _totals(call: FuturesCall) -> Row:
    holder, sums = call.account, _sums(call)
    wallet, whole = holder.wallet, holder.wallet + sums.profit
    asset = {
        "asset": ASSET,
        "walletBalance": cash(wallet),
        "unrealizedProfit": cash(sums.profit),
        "marginBalance": cash(whole),
        "maintMargin": cash(sums.maintenance),
        "initialMargin": cash(sums.initial),
        "positionInitialMargin": cash(sums.own),
        "openOrderInitialMargin": cash(sums.initial - sums.own),
        "crossWalletBalance": cash(holder.cross_wallet),
        "crossUnPnl": cash(sums.cross_profit),
        "availableBalance": cash(sums.free),
        "maxWithdrawAmount": cash(sums.withdrawable),
        "marginAvailable": True,
        "updateTime": call.now_ms,
    }
    return {
        "totalInitialMargin": cash(sums.initial),
        "totalMaintMargin": cash(sums.maintenance),
        "totalWalletBalance": cash(wallet),
        "totalUnrealizedProfit": cash(sums.profit),
        "totalMarginBalance": cash(whole),
        "totalPositionInitialMargin": cash(sums.own),
        "totalOpenOrderInitialMargin": cash(sums.initial - sums.own),
        "totalCrossWalletBalance": cash(holder.cross_wallet),
        "totalCrossUnPnl": cash(sums.cross_profit),
        "availableBalance": cash(sums.free),
        "maxWithdrawAmount": cash(sums.withdrawable),
        "assets": [asset],
    }


def _position_v3(call: FuturesCall, held: Position) -> Row:
    mark, listing = margin.mark_of(call.floor, held), call.floor.listings[held.symbol]
    return {
        "symbol": held.symbol,
        "positionSide": held.side,
        "positionAmt": listing.q(held.qty),
        "unrealizedProfit": cash(held.profit(mark)),
        "isolatedMargin": cash(held.set_aside + held.profit(mark)) if held.isolated else "0",
        "notional": cash(held.qty * mark),
        "isolatedWallet": text(held.set_aside),
        "initialMargin": cash(held.margin(mark)),
        "maintMargin": cash(margin.maintenance(call.floor, held)),
        "updateTime": held.updated_ms,
    }


def _position_v2(call: FuturesCall, held: Position) -> Row:
    mark, listing = margin.mark_of(call.floor, held), call.floor.listings[held.symbol]
    return _position_v3(call, held) | {
        "positionInitialMargin": cash(held.position_margin(mark)),
        "openOrderInitialMargin": cash(held.margin(mark) - held.position_margin(mark)),
        "leverage": str(held.leverage),
        "isolated": held.isolated,
        "entryPrice": text(held.entry),
        "breakEvenPrice": text(held.break_even),
        "maxNotional": text(listing.brackets.cap(held.leverage)),
        "bidNotional": text(held.bids),
        "askNotional": text(held.asks),
    }


def balance(call: FuturesCall) -> list[Row]:
    """GET v2/balance and v3/balance."""
    holder, sums = call.account, _sums(call)
    return [
        {
            "accountAlias": holder.name,
            "asset": ASSET,
            "balance": cash(holder.wallet),
            "crossWalletBalance": cash(holder.cross_wallet),
            "crossUnPnl": cash(sums.cross_profit),
            "availableBalance": cash(sums.free),
            "maxWithdrawAmount": cash(sums.withdrawable),
            "marginAvailable": True,
            "updateTime": call.now_ms,
        }
    ]


# ── what is allowed, listenKeys ─────────────────────────────────────────────────────────────────────────────────────
def account_config(call: FuturesCall) -> Row:
    """GET accountConfig."""
    return {
        "feeTier": 0,
        "canTrade": True,
        "canDeposit": True,
        "canWithdraw": True,
        "dualSidePosition": call.account.hedge,
        "updateTime": 0,
        "multiAssetsMargin": False,
        "tradeGroupId": -1,
    }


def api_trading_status(call: FuturesCall) -> Row:
    """GET apiTradingStatus: no quantitative rule is ever broken here."""
    return {"indicators": {listing.symbol: [] for listing in call.chosen()}, "updateTime": call.now_ms}


def rate_limits(call: FuturesCall) -> list[dict[str, Any]]:
    """GET rateLimit/order."""
    return [limit.row() for limit in call.limits.budget.orders]


def _holder(call: FuturesCall) -> Account:
    """Whose listenKey it is; one whose hour is over ends now."""
    call.wire.expire_keys((call.account,))
    return call.account


def create_listen_key(call: FuturesCall) -> dict[str, Any]:
    """POST listenKey: the live key extended, else a new one."""
    holder = _holder(call)
    if holder.listen_key is None:
        holder.listen_key = call.floor.draw(_LISTEN_KEY_CHARS)
    holder.listen_until_ms = call.floor.now_ms + LISTEN_KEY_MS
    return {"listenKey": holder.listen_key}


def extend_listen_key(call: FuturesCall) -> dict[str, Any]:
    """PUT listenKey."""
    if _holder(call).listen_key is None:
        raise Refusal(-1125)
    return create_listen_key(call)


def close_listen_key(call: FuturesCall) -> dict[str, Any]:
    """DELETE listenKey."""
    if call.account.listen_key is None:
        raise Refusal(-1125)
    call.account.listen_key = None
    return {}
