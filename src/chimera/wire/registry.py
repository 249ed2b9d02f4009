"""A document of ``instrument_registry``: one symbol of one market, its trading rules and our own tighter limits.

The names are the requirement's fixture's (``tickSize``, ``stepSize``, ``minNotional``, ``spread_bp_limit``,
``depth_top1_usdt_min``); what a document leaves out is as wide as it can be. Amounts are decimal strings, or JSON
integers. Stored under ``registry_key``.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from chimera.trading.ids import Symbol
from chimera.trading.instrument import Instrument
from chimera.trading.market import Market
from chimera.trading.money import Price, Qty, sound, text
from chimera.trading.value import Value

QUOTES: Final = ("USDT", "USDC", "FDUSD", "BUSD", "BTC", "ETH")
_NO_MAX: Final = Decimal(1_000_000_000)


class Listed(Value):
    """An instrument with the limits that hold for it instead of the environment's defaults."""

    instrument: Instrument
    spread_bp_limit: Decimal | None = None
    depth_top1_usdt_min: Decimal | None = None
    max_funding_abs: Decimal | None = None


def registry_key(market: Market, symbol: str) -> str:
    return f"{market}:{symbol}"


def registry_document(listed: Listed) -> dict[str, Any]:
    """For the store; what reads back as ``listed``."""
    rules = listed.instrument
    document: dict[str, Any] = {
        "symbol": rules.symbol,
        "market": rules.market.value,
        "base": rules.base,
        "quote": rules.quote,
        "tickSize": text(rules.tick),
        "stepSize": text(rules.step),
        "minPrice": text(rules.min_price),
        "maxPrice": text(rules.max_price),
        "minQty": text(rules.min_qty),
        "maxQty": text(rules.max_qty),
        "marketMaxQty": text(rules.market_max_qty),
        "minNotional": text(rules.min_notional),
        "status": "TRADING" if rules.trading else "BREAK",
    }
    for name in ("spread_bp_limit", "depth_top1_usdt_min", "max_funding_abs"):
        limit = getattr(listed, name)
        if limit is not None:
            document[name] = text(limit)
    return document


def read_listed(document: Mapping[str, Any]) -> Listed:
    """Raises ``ValueError`` naming the field."""
    symbol = document.get("symbol")
    if not isinstance(symbol, str) or not symbol:
        raise ValueError(f"symbol: needs a name, has {symbol!r}")
    quote = _asset(document, "quote") or next((known for known in QUOTES if symbol.endswith(known)), "")
    tick, step = _above_zero(document, "tickSize"), _above_zero(document, "stepSize")
    instrument = Instrument(
        symbol=Symbol(symbol),
        market=Market(document.get("market", "FUT")),
        base=_asset(document, "base") or symbol.removesuffix(quote),
        quote=quote,
        tick=tick,
        step=step,
        min_price=Price(_amount(document, "minPrice", tick)),
        max_price=Price(_amount(document, "maxPrice", _NO_MAX)),
        min_qty=Qty(_amount(document, "minQty", step)),
        max_qty=Qty(_amount(document, "maxQty", _NO_MAX)),
        market_max_qty=Qty(_amount(document, "marketMaxQty", _NO_MAX)),
        min_notional=_amount(document, "minNotional", Decimal(0)),
        trading=document.get("status", "TRADING") == "TRADING",
    )
    return Listed(
        instrument=instrument,
        spread_bp_limit=_limit(document, "spread_bp_limit"),
        depth_top1_usdt_min=_limit(document, "depth_top1_usdt_min"),
        max_funding_abs=_limit(document, "max_funding_abs"),
    )


def _asset(document: Mapping[str, Any], name: str) -> str:
    given = document.get(name) or ""
    if not isinstance(given, str):
        raise ValueError(f"{name}: needs a name, has {given!r}")
    return given


def _limit(document: Mapping[str, Any], name: str) -> Decimal | None:
    return _amount(document, name, Decimal(0)) if document.get(name) is not None else None


def _above_zero(document: Mapping[str, Any], name: str) -> Decimal:
    amount = _amount(document, name, Decimal(0))
    if amount <= 0:
        raise ValueError(f"{name}: needs an amount > 0, has {document.get(name)!r}")
    return amount


def _amount(document: Mapping[str, Any], name: str, default: Decimal) -> Decimal:
    given = document.get(name, default)
    if isinstance(given, bool) or not isinstance(given, str | int | Decimal):
        raise ValueError(f"{name}: needs an amount, has {given!r}")
    try:
        amount = Decimal(given)
    except ArithmeticError as error:
        raise ValueError(f"{name}: needs an amount, has {given!r}") from error
    if not sound(amount) or amount < 0:
        raise ValueError(f"{name}: needs an amount >= 0, has {given!r}")
    return amount
