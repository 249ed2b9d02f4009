"""Account, positions, settings, income, listenKeys."""

from decimal import Decimal
from enum import StrEnum
from typing import Any

from chimera.simulate.door.refusals import Refusal
from chimera.simulate.usdm import payloads
from chimera.simulate.usdm.accounts import ASSET, Account, Position
from chimera.simulate.usdm.call import FuturesCall
from chimera.simulate.usdm.payloads import cash
from chimera.simulate.usdm.reports import LISTEN_KEY_MS
from chimera.simulate.venue.audit import Kind
from chimera.trading.money import ZERO, text

MAX_LEVERAGE = 125
MAX_NOTIONAL = "1000000000"  # one bracket on this floor
_LISTEN_KEY_CHARS = 64


class MarginType(StrEnum):
    """As the wire writes it in settings."""

    CROSSED = "CROSSED"
    ISOLATED = "ISOLATED"


def _live(call: FuturesCall) -> list[Position]:
    """Positions held or with open orders, as v3 lists them."""
    symbol, account = call.maybe_symbol, call.account
    return [
        held
        for held in account.positions.values()
        if symbol in (None, held.symbol) and (held.qty or call.floor.orders.count_open(account, held.symbol))
    ]


def position_risk(call: FuturesCall) -> list[dict[str, Any]]:
    """GET v3/positionRisk: only symbols with a position or an open order."""
    return [payloads.position_risk(call.account, held, call.floor.listings[held.symbol]) for held in _live(call)]


def _mark(call: FuturesCall, held: Position) -> Decimal:
    return call.floor.marks.get(held.symbol, held.entry)


def _sums(call: FuturesCall, account: Account) -> dict[str, Decimal]:
    """Totals in USDT."""
    positions = [held for held in account.positions.values() if held.live]
    profit = sum((held.profit(_mark(call, held)) for held in positions), ZERO)
    initial = sum((held.margin(_mark(call, held)) for held in positions), ZERO)
    own = sum((held.position_margin(_mark(call, held)) for held in positions), ZERO)
    maint = ZERO
    for held in positions:
        rate = call.floor.listings[held.symbol].instrument.maint_margin_rate
        maint += abs(held.qty) * _mark(call, held) * rate
    cross = sum((held.profit(_mark(call, held)) for held in positions if not held.isolated), ZERO)
    free = max(ZERO, account.available(call.floor.marks))
    return {
        "profit": profit,
        "cross_profit": cross,
        "initial": initial,
        "position": own,
        "orders": initial - own,
        "maint": maint,
        "free": free,
        "withdraw": max(ZERO, min(free, account.wallet)),
    }


def account(call: FuturesCall) -> dict[str, Any]:
    """GET v3/account."""
    holder = call.account
    sums = _sums(call, holder)
    wallet, margin = holder.wallet, holder.wallet + sums["profit"]
    asset = {
        "asset": ASSET,
        "walletBalance": cash(wallet),
        "unrealizedProfit": cash(sums["profit"]),
        "marginBalance": cash(margin),
        "maintMargin": cash(sums["maint"]),
        "initialMargin": cash(sums["initial"]),
        "positionInitialMargin": cash(sums["position"]),
        "openOrderInitialMargin": cash(sums["orders"]),
        "crossWalletBalance": cash(holder.cross_wallet),
        "crossUnPnl": cash(sums["cross_profit"]),
        "availableBalance": cash(sums["free"]),
        "maxWithdrawAmount": cash(sums["withdraw"]),
        "updateTime": call.now_ms,
    }
    return {
        "totalInitialMargin": cash(sums["initial"]),
        "totalMaintMargin": cash(sums["maint"]),
        "totalWalletBalance": cash(wallet),
        "totalUnrealizedProfit": cash(sums["profit"]),
        "totalMarginBalance": cash(margin),
        "totalPositionInitialMargin": cash(sums["position"]),
        "totalOpenOrderInitialMargin": cash(sums["orders"]),
        "totalCrossWalletBalance": cash(holder.cross_wallet),
        "totalCrossUnPnl": cash(sums["cross_profit"]),
        "availableBalance": cash(sums["free"]),
        "maxWithdrawAmount": cash(sums["withdraw"]),
        "assets": [asset],
        "positions": [_account_position(call, held) for held in _live(call)],
    }


def _account_position(call: FuturesCall, held: Position) -> dict[str, Any]:
    mark, listing = _mark(call, held), call.floor.listings[held.symbol]
    return {
        "symbol": held.symbol,
        "positionSide": held.side,
        "positionAmt": listing.q(held.qty),
        "unrealizedProfit": cash(held.profit(mark)),
        "isolatedMargin": cash(held.isolated_wallet + held.profit(mark)) if held.isolated else "0",
        "notional": cash(held.qty * mark),
        "isolatedWallet": text(held.isolated_wallet),
        "initialMargin": cash(held.margin(mark)),
        "maintMargin": cash(abs(held.qty) * mark * listing.instrument.maint_margin_rate),
        "updateTime": held.updated_ms,
    }


def balance(call: FuturesCall) -> list[dict[str, Any]]:
    """GET v3/balance."""
    holder, sums = call.account, _sums(call, call.account)
    return [
        {
            "accountAlias": holder.name,
            "asset": ASSET,
            "balance": cash(holder.wallet),
            "crossWalletBalance": cash(holder.cross_wallet),
            "crossUnPnl": cash(sums["cross_profit"]),
            "availableBalance": cash(sums["free"]),
            "maxWithdrawAmount": cash(sums["withdraw"]),
            "marginAvailable": True,
            "updateTime": call.now_ms,
        }
    ]


def set_leverage(call: FuturesCall) -> dict[str, Any]:
    """POST leverage."""
    symbol, leverage = call.listing.symbol, call.params.integer("leverage")
    terms = call.account.on(symbol)
    holds = any(held.qty for held in call.account.held_in(symbol))
    if not 1 <= leverage <= MAX_LEVERAGE:
        raise Refusal(-4028, leverage)
    if terms.isolated and holds and leverage < terms.leverage:
        raise Refusal(-4161)
    if leverage != terms.leverage:
        terms.leverage = leverage
        _log_setting(call, symbol, f"leverage={leverage}")
        call.wire.config(call.account, symbol)
    return {"leverage": leverage, "maxNotionalValue": MAX_NOTIONAL, "symbol": symbol}


def set_margin_type(call: FuturesCall) -> dict[str, Any]:
    """POST marginType."""
    symbol, wanted = call.listing.symbol, call.params.choice("marginType", MarginType, None, -1130)
    terms = call.account.on(symbol)
    if terms.isolated is (wanted is MarginType.ISOLATED):
        raise Refusal(-4046)
    if call.floor.orders.count_open(call.account, symbol):
        raise Refusal(-4047)
    if any(held.qty for held in call.account.held_in(symbol)):
        raise Refusal(-4048)
    terms.isolated = wanted is MarginType.ISOLATED
    _log_setting(call, symbol, f"marginType={wanted}")
    return {"code": 200, "msg": "success"}


def _log_setting(call: FuturesCall, symbol: str, what: str) -> None:
    call.floor.audit.add(Kind.SETTING, call.now_ms, account=call.account.name, symbol=symbol, reason=what)


def dual_side(call: FuturesCall) -> dict[str, Any]:
    """GET positionSide/dual."""
    return {"dualSidePosition": call.account.hedge}


def set_dual_side(call: FuturesCall) -> dict[str, Any]:
    """POST positionSide/dual: between one-way and hedge mode, while nothing is open or held in any symbol."""
    account, wanted = call.account, call.params.flag("dualSidePosition")
    if wanted is account.hedge:
        raise Refusal(-4059)
    if call.floor.orders.open_of(account) or call.floor.algos.waiting_of(account):
        raise Refusal(-4067)
    if any(held.qty for held in account.positions.values()):
        raise Refusal(-4068)
    account.hedge = wanted
    _log_setting(call, "", f"dualSidePosition={str(wanted).lower()}")
    return {"code": 200, "msg": "success"}


def multi_assets(call: FuturesCall) -> dict[str, Any]:
    """GET multiAssetsMargin: single-asset."""
    return {"multiAssetsMargin": False}


def symbol_config(call: FuturesCall) -> list[dict[str, Any]]:
    """GET symbolConfig."""
    rows = []
    for listing in call.chosen():
        terms = call.account.on(listing.symbol)
        rows.append(
            {
                "symbol": listing.symbol,
                "marginType": MarginType.ISOLATED if terms.isolated else MarginType.CROSSED,
                "isAutoAddMargin": False,
                "leverage": terms.leverage,
                "maxNotionalValue": MAX_NOTIONAL,
            }
        )
    return rows


def account_config(call: FuturesCall) -> dict[str, Any]:
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


def commission_rate(call: FuturesCall) -> dict[str, Any]:
    """GET commissionRate."""
    return {
        "symbol": call.listing.symbol,
        "makerCommissionRate": text(call.account.maker_rate),
        "takerCommissionRate": text(call.account.taker_rate),
        "rpiCommissionRate": "0.00005",
    }


def leverage_bracket(call: FuturesCall) -> Any:
    """GET leverageBracket: one bracket. With a symbol too the venue answers an array."""
    rows = []
    for listing in call.chosen():
        bracket = {
            "bracket": 1,
            "initialLeverage": MAX_LEVERAGE,
            "notionalCap": int(MAX_NOTIONAL),
            "notionalFloor": 0,
            "maintMarginRatio": text(listing.instrument.maint_margin_rate),
            "cum": "0",
        }
        rows.append({"symbol": listing.symbol, "notionalCoef": "1.00", "brackets": [bracket]})
    return rows


def income(call: FuturesCall) -> list[dict[str, Any]]:
    """GET income."""
    kind, symbol = call.params.text("incomeType"), call.maybe_symbol
    rows = [row for row in call.account.income if kind in ("", row["incomeType"]) and symbol in (None, row["symbol"])]
    return call.window(rows, default_limit=100)


def rate_limits(call: FuturesCall) -> list[dict[str, Any]]:
    """GET rateLimit/order."""
    return [limit.row() for limit in call.limits.budget.orders]


def create_listen_key(call: FuturesCall) -> dict[str, Any]:
    """POST listenKey: the live key extended, else a new one."""
    holder = call.account
    if holder.listen_key is None:
        holder.listen_key = call.floor.draw(_LISTEN_KEY_CHARS)
    holder.listen_until_ms = call.now_ms + LISTEN_KEY_MS
    return {"listenKey": holder.listen_key}


def extend_listen_key(call: FuturesCall) -> dict[str, Any]:
    """PUT listenKey."""
    if call.account.listen_key is None:
        raise Refusal(-1125)
    return create_listen_key(call)


def close_listen_key(call: FuturesCall) -> dict[str, Any]:
    """DELETE listenKey."""
    if call.account.listen_key is None:
        raise Refusal(-1125)
    call.account.listen_key = None
    return {}
