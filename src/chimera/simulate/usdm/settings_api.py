"""What an account chooses: leverage, margin type, position mode, margin of an isolated position, fees in BNB.

One asset backs everything here, so Multi-Assets mode is refused as what the venue does not support (-1020) after
Binance's own reasons. Numbers in answers that Binance writes as JSON numbers are written so.
"""

from decimal import Decimal
from enum import StrEnum
from typing import Any

import msgspec

from chimera.simulate.door.refusals import Refusal
from chimera.simulate.usdm import margin
from chimera.simulate.usdm.accounts import Position, money
from chimera.simulate.usdm.call import FuturesCall
from chimera.simulate.venue.audit import Kind
from chimera.trading.intent import PositionSide
from chimera.trading.money import ZERO, text

DONE = {"code": 200, "msg": "success"}
ADD, REMOVE = 1, 2  # ``type`` of positionMargin


class MarginType(StrEnum):
    """As the wire writes it in settings."""

    CROSSED = "CROSSED"
    ISOLATED = "ISOLATED"


def number(amount: Decimal) -> msgspec.Raw:
    """A JSON number with every digit."""
    return msgspec.Raw(text(amount).encode())


def _log(call: FuturesCall, symbol: str, what: str) -> None:
    call.floor.audit.add(Kind.SETTING, call.now_ms, account=call.account.name, symbol=symbol, reason=what)


# ── of a symbol ─────────────────────────────────────────────────────────────────────────────────────────────────────
def set_leverage(call: FuturesCall) -> dict[str, Any]:
    """POST leverage."""
    listing, leverage = call.listing, call.params.integer("leverage")
    margin.check_leverage(call.floor, call.account, listing, leverage)
    terms = call.account.on(listing.symbol)
    if leverage != terms.leverage:
        terms.leverage = leverage
        _log(call, listing.symbol, f"leverage={leverage}")
        call.wire.config(call.account, listing.symbol)
    cap = text(listing.brackets.cap(leverage))
    return {"leverage": leverage, "maxNotionalValue": cap, "symbol": listing.symbol}


def set_margin_type(call: FuturesCall) -> dict[str, Any]:
    """POST marginType."""
    symbol, wanted = call.listing.symbol, call.params.choice("marginType", MarginType, None, -1130)
    terms = call.account.on(symbol)
    if terms.isolated is (wanted is MarginType.ISOLATED):
        raise Refusal(-4046)
    if call.floor.orders.count_open(call.account, symbol):
        raise Refusal(-4047)
    if call.account.held_now(symbol):
        raise Refusal(-4048)
    terms.isolated = wanted is MarginType.ISOLATED
    _log(call, symbol, f"marginType={wanted}")
    return DONE


def set_position_margin(call: FuturesCall) -> dict[str, Any]:
    """POST positionMargin: margin to an isolated position, or back as far as its initial margin allows."""
    amount, kind = money(call.params.amount("amount")), call.params.integer("type")
    if kind not in (ADD, REMOVE):
        raise Refusal(-1130, "type")
    held = _position(call)
    if not held.isolated:
        raise Refusal(-4049)
    if not held.qty:
        raise Refusal(-4054)
    if amount <= ZERO:
        raise Refusal(-4055)
    if kind == ADD and amount > margin.withdrawable(call.floor, call.account):
        raise Refusal(-4050)
    if kind == REMOVE and amount > margin.removable(call.floor, held):
        raise Refusal(-4051)
    call.exchange.cash.set_aside(call.account, held, amount if kind == ADD else -amount)
    return {"amount": number(amount), "code": 200, "msg": "Successfully modify position margin.", "type": kind}


def _position(call: FuturesCall) -> Position:
    """The position named by symbol and positionSide."""
    side = call.params.choice("positionSide", PositionSide, PositionSide.BOTH, -4060)
    if side not in call.account.sides:
        raise Refusal(-4061)
    return call.account.position(call.listing.symbol, side)


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
                "maxNotionalValue": text(listing.brackets.cap(terms.leverage)),
            }
        )
    return rows


def leverage_bracket(call: FuturesCall) -> list[dict[str, Any]]:
    """GET leverageBracket. With a symbol too the venue answers an array."""
    return [
        {
            "symbol": listing.symbol,
            "notionalCoef": number(Decimal("1.0")),
            "brackets": [
                {
                    "bracket": step.number,
                    "initialLeverage": step.leverage,
                    "notionalCap": int(step.cap),
                    "notionalFloor": int(step.floor),
                    "maintMarginRatio": number(step.rate),
                    "cum": msgspec.Raw(f"{step.cum:.1f}".encode()),
                }
                for step in listing.brackets.steps
            ],
        }
        for listing in call.chosen()
    ]


def commission_rate(call: FuturesCall) -> dict[str, Any]:
    """GET commissionRate."""
    return {
        "symbol": call.listing.symbol,
        "makerCommissionRate": text(call.account.maker_rate),
        "takerCommissionRate": text(call.account.taker_rate),
        "rpiCommissionRate": "0.00005",
    }


# ── of the account ──────────────────────────────────────────────────────────────────────────────────────────────────
def dual_side(call: FuturesCall) -> dict[str, Any]:
    """GET positionSide/dual."""
    return {"dualSidePosition": call.account.hedge}


def set_dual_side(call: FuturesCall) -> dict[str, Any]:
    """POST positionSide/dual: between one-way and hedge mode, while nothing is open or held in any symbol."""
    account, wanted = call.account, call.params.flag("dualSidePosition")
    if wanted is account.hedge:
        raise Refusal(-4059)
    if call.floor.orders.open_of(account) or call.floor.algos.open_of(account):
        raise Refusal(-4067)
    if any(held.qty for held in account.positions.values()):
        raise Refusal(-4068)
    account.hedge = wanted
    _log(call, "", f"dualSidePosition={str(wanted).lower()}")
    return DONE


def multi_assets(call: FuturesCall) -> dict[str, Any]:
    """GET multiAssetsMargin: single-asset."""
    return {"multiAssetsMargin": False}


def set_multi_assets(call: FuturesCall) -> dict[str, Any]:
    """POST multiAssetsMargin: stays off."""
    if not call.params.flag("multiAssetsMargin"):
        raise Refusal(-4171)
    if any(terms.isolated for terms in call.account.terms.values()):
        raise Refusal(-4167)
    raise Refusal(-1020)


def fee_burn(call: FuturesCall) -> dict[str, Any]:
    """GET feeBurn."""
    return {"feeBurn": call.account.fee_burn}


def set_fee_burn(call: FuturesCall) -> dict[str, Any]:
    """POST feeBurn: kept and told; the futures wallet holds no BNB, so fees stay in USDT, as Binance falls back."""
    call.account.fee_burn = call.params.flag("feeBurn")
    _log(call, "", f"feeBurn={str(call.account.fee_burn).lower()}")
    return DONE
