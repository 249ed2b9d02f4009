"""The whole analysis as one document: rows and recordings in, plain JSON out, the same for the same.

Amounts are strings of plain digits, as in the ledger; those in basis points to 1e-4, mean prices to 1e-8, all others
exact. What is not known is null, and ``unknown`` counts it. Amounts of different quote assets are never added: every
group is of one. A group's parts are sums over its intents of which every part is known, so they add up to its total;
``incomplete`` counts the others.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any, Final

from chimera.tca import markouts, resting
from chimera.tca.quotes import Quotes
from chimera.tca.rows import Ledgered
from chimera.tca.shortfall import EXACT, PARTS, PARTS_SINCE_ARRIVAL, Cost, Shortfall, in_bps, shortfall
from chimera.tca.worked import Traded, Worked
from chimera.trading.market import Market, MarketEvent
from chimera.trading.money import ZERO, Price, text
from chimera.wire.codec import plain

REPORT_VERSION: Final = 1
_PX_DIGITS: Final = 8
_FEE_MARKETS: Final = (Market.SPOT, Market.FUT)  # where a fee's asset is priced, the first that knows it

Recording = tuple[Market, Iterable[MarketEvent]]
Done = tuple[Worked, Shortfall]


def report(ledgered: Ledgered, recordings: Iterable[Recording], prices: Mapping[str, Decimal]) -> dict[str, Any]:
    """``prices`` by pair (``BNBUSDT``), for fees in neither asset of the symbol; they go before recordings."""
    quotes = Quotes()
    _ask(ledgered.intents, quotes)
    for market, events in recordings:
        quotes.hear(market, events)
    done = [(work, shortfall(work)) for work in (_seen(work, quotes, prices) for work in ledgered.intents)]
    works = [work for work, _ in done]
    assets = sorted({work.quote for work in works})
    return {
        "report_version": REPORT_VERSION,
        "sign": "above 0 is a cost",
        "intents": len(done),
        "fills": sum(len(work.fills) for work in works),
        "left_out": dict(ledgered.left_out),
        "unknown": _unknown(works, quotes),
        "groups": [*_groups("quote", done, lambda work: ""), *_groups("symbol", done, _symbol),
                   *_groups("strategy", done, lambda work: str(work.strategy_id))],
        "markouts": [_marks(asset, [work for work in works if work.quote == asset], quotes) for asset in assets],
        "resting": [_rests(asset, ledgered) for asset in sorted({rest.quote for rest in ledgered.rests})],
        "refused_posts": ledgered.refused_posts,
        "orders": [_row(work, short, quotes) for work, short in done],
    }  # fmt: skip


def _ask(works: Iterable[Worked], quotes: Quotes) -> None:
    markouts.asked_for(works, quotes)
    for work in works:
        for at_ms in (work.decided_ms, work.accepted_ms, work.done_ms):
            if at_ms is not None:
                quotes.ask(work.market, work.symbol, at_ms)
        for fill in work.fills:
            for market in _FEE_MARKETS:
                quotes.ask(market, fill.fee_asset + work.quote, fill.at_ms)


def _seen(work: Worked, quotes: Quotes, prices: Mapping[str, Decimal]) -> Worked:
    """With what the recordings tell where the ledger does not, and every fee in quote asset."""
    return work.but(
        decision_mid=work.decision_mid or quotes.mid(work.market, work.symbol, work.decided_ms),
        arrival_mid=work.arrival_mid or quotes.mid(work.market, work.symbol, work.accepted_ms),
        end_mid=quotes.mid(work.market, work.symbol, work.done_ms),
        fills=tuple(fill.but(fee_quote=_fee(work, fill, quotes, prices)) for fill in work.fills),
    )


def _fee(work: Worked, fill: Traded, quotes: Quotes, prices: Mapping[str, Decimal]) -> Decimal | None:
    """In quote asset: as it is, at the fill's own price, or at the price of its asset at that moment; else None."""
    with localcontext(EXACT):
        if not fill.fee:
            return ZERO
        if not work.quote:
            return None
        if fill.fee_asset == work.quote:
            return fill.fee
        if fill.fee_asset == work.symbol.removesuffix(work.quote):
            return fill.fee * fill.price
        price = prices.get(fill.fee_asset + work.quote) or _priced(fill, work.quote, quotes)
        return None if price is None else fill.fee * price


def _priced(fill: Traded, quote: str, quotes: Quotes) -> Price | None:
    seen = (quotes.mid(market, fill.fee_asset + quote, fill.at_ms) for market in _FEE_MARKETS)
    return next((mid for mid in seen if mid is not None), None)


def _unknown(works: Sequence[Worked], quotes: Quotes) -> dict[str, int]:
    fills = [fill for work in works for fill in work.fills]
    return {
        "decision_mid": sum(work.decision_mid is None for work in works),
        "arrival_mid": sum(work.arrival_mid is None for work in works),
        "end_mid": sum(work.end_mid is None and work.rest > 0 for work in works),
        "fill_mid": sum(fill.mid is None for fill in fills),
        "fill_touch": sum(fill.touch is None and not fill.maker for fill in fills),
        "fee_price": sum(fill.fee_quote is None for fill in fills),
        **{f"markout_{mark.horizon_ms}_ms": mark.unknown for mark in markouts.markouts(works, quotes)},
    }


def _groups(by: str, done: Sequence[Done], name: Callable[[Worked], str]) -> list[dict[str, Any]]:
    groups: dict[tuple[str, str], list[Done]] = {}
    for work, short in done:
        groups.setdefault((work.quote, name(work)), []).append((work, short))
    return [
        {"by": by, "name": label, "quote": quote, **_group(groups[quote, label])} for quote, label in sorted(groups)
    ]


def _symbol(work: Worked) -> str:
    return f"{work.market} {work.symbol}"


def _group(done: Sequence[Done]) -> dict[str, Any]:
    outcomes = Counter("whole" if not work.rest else "part" if work.fills else "none" for work, _ in done)
    return {
        "intents": len(done),
        "filled": {word: outcomes[word] for word in ("whole", "part", "none")},
        "decided": _sums([short.decided for _, short in done], PARTS),
        "arrived": _sums([short.arrived for _, short in done], PARTS_SINCE_ARRIVAL),
    }


def _sums(costs: Sequence[Cost], names: Sequence[str]) -> dict[str, Any]:
    """Over the costs of which every part is known; None of none."""
    whole = [cost for cost in costs if cost.basis is not None and None not in cost.parts(names)]
    with localcontext(EXACT):
        sums = [
            sum((part or ZERO for part in column), ZERO)
            for column in zip(*(cost.parts(names) for cost in whole), strict=True)
        ]
        basis = sum((cost.basis or ZERO for cost in whole), ZERO)
        total = sum(sums, ZERO)
    known: Sequence[Decimal | None] = sums or [None] * len(names)
    return {
        "complete": len(whole),
        "incomplete": len(costs) - len(whole),
        "basis": plain(basis) if whole else None,
        **_told(names, known, total if whole else None, basis if whole else None),
    }


def _told(
    names: Sequence[str], parts: Sequence[Decimal | None], total: Decimal | None, basis: Decimal | None
) -> dict[str, Any]:
    """Quote amounts under ``cost``, basis points under ``bps``, each with its total."""
    shown = in_bps(parts, basis)
    whole = None not in shown
    sum_bps = sum((part for part in shown if part is not None), ZERO) if whole else in_bps((total,), basis)[0]
    return {
        "cost": plain(dict(zip(names, parts, strict=True)) | {"total": total}),
        "bps": plain(dict(zip(names, shown, strict=True)) | {"total": sum_bps}),
    }


def _marks(asset: str, works: Sequence[Worked], quotes: Quotes) -> dict[str, Any]:
    of = {"all": None, "maker": True, "taker": False}
    return {
        "quote": asset,
        **{word: [plain(mark) for mark in markouts.markouts(works, quotes, maker=maker)] for word, maker in of.items()},
    }


def _rests(asset: str, ledgered: Ledgered) -> dict[str, Any]:
    told: dict[str, Any] = plain(resting.resting([rest for rest in ledgered.rests if rest.quote == asset]))
    return {"quote": asset, **told}


def _row(work: Worked, short: Shortfall, quotes: Quotes) -> dict[str, Any]:
    decided, arrived = short.decided, short.arrived
    return {
        "intent_id": work.intent_id,
        "client_order_id": work.client_order_id,
        "account_id": work.account_id,
        "strategy_id": work.strategy_id,
        "market": str(work.market),
        "symbol": work.symbol,
        "quote": work.quote,
        "kind": work.kind,
        "side": str(work.side),
        "status": work.status,
        "qty": text(work.qty),
        "filled_qty": text(work.filled),
        "maker_qty": text(sum((fill.qty for fill in work.fills if fill.maker), ZERO)),
        "vwap": _price(work.vwap),
        "decided_ms": work.decided_ms,
        "accepted_ms": work.accepted_ms,
        "done_ms": work.done_ms,
        "decision_mid": plain(work.decision_mid),
        "arrival_mid": plain(work.arrival_mid),
        "end_mid": plain(work.end_mid),
        "basis": plain(decided.basis),
        **_told(PARTS, decided.parts(), decided.total, decided.basis),
        "drift": plain(short.drift),
        "walk": plain(short.walk),
        "arrived": {
            "basis": plain(arrived.basis),
            **_told(PARTS_SINCE_ARRIVAL, arrived.parts(PARTS_SINCE_ARRIVAL), arrived.total, arrived.basis),
        },
        "markouts": [plain(mark) for mark in markouts.markouts([work], quotes)],
    }


def _price(mean: Fraction | None) -> str | None:
    return None if mean is None else text(Decimal(round(mean * 10**_PX_DIGITS)).scaleb(-_PX_DIGITS))
