"""Rows of a ledger as S4 and S3 write them, cut down to what analysis reads, and intents built from few words."""

from decimal import Decimal
from pathlib import Path
from typing import Any

from chimera.adapters.embedded.ledger import SqliteLedger
from chimera.tca.worked import Traded, Worked
from chimera.trading.ids import AccountId, ClientOrderId, IntentId, StrategyId, Symbol, TradeId
from chimera.trading.market import Market, Side
from chimera.trading.money import Millis, Price, Qty

T0 = 1_795_290_732_000


def price(words: str | None) -> Price | None:
    return None if words is None else Price(Decimal(words))


def a_fill(
    at: str, qty: str, *, mid: str | None, touch: str | None = None, maker: bool = False, fee: str | None = "0"
) -> Traded:
    """One whose fee is in quote asset; ``fee`` None: in an asset without a price."""
    return Traded(
        trade_id=TradeId(f"{at}:{qty}"),
        ref=ClientOrderId("c-t1"),
        price=Price(Decimal(at)),
        qty=Qty(Decimal(qty)),
        maker=maker,
        at_ms=Millis(T0 + 1_000),
        fee=Decimal(fee or "1"),
        fee_asset="USDT" if fee is not None else "BNB",
        fee_quote=None if fee is None else Decimal(fee),
        mid=price(mid),
        touch=price(touch),
    )


def an_intent(
    side: str, qty: str, *fills: Traded, decided: str | None, arrived: str | None, ended: str | None = None,
    status: str = "CANCELED",
) -> Worked:  # fmt: skip
    return Worked(
        intent_id=IntentId("i1"),
        client_order_id=ClientOrderId("c"),
        account_id=AccountId("main"),
        strategy_id=StrategyId("s3"),
        market=Market.FUT,
        symbol=Symbol("BTCUSDT"),
        quote="USDT",
        kind="ENTRY",
        side=Side(side),
        status=status,
        qty=Qty(Decimal(qty)),
        accepted_ms=Millis(T0),
        done_ms=Millis(T0 + 2_000),
        decision_mid=price(decided),
        arrival_mid=price(arrived),
        end_mid=price(ended),
        fills=fills,
    )


def book(bid: str, ask: str, *, bid_qty: str = "1", ask_qty: str = "1") -> dict[str, Any]:
    return {
        "at_ms": T0,
        "bids": [{"price": bid, "qty": bid_qty}],
        "asks": [{"price": ask, "qty": ask_qty}],
    }


def parent(name: str = "c", **known: Any) -> dict[str, Any]:
    """A row of ``orders`` for an intent that has filled whole; its intent is ``NAME-intent``."""
    return {
        "schema_version": 2, "kind": "PARENT", "intent_kind": "ENTRY", "intent_id": f"{name}-intent",
        "client_order_id": name, "account_id": "main", "strategy_id": "s3", "market": "FUT", "symbol": "BTCUSDT",
        "side": "BUY", "qty": "2", "filled_qty": "2", "status": "FILLED", "done": True, "reduce_only": False,
        "accepted_ms": T0, "done_ms": T0 + 2_000, "mid_at_send": "100", "children": [], "legs": [],
        "fills": [], "timeline": [], **known,
    }  # fmt: skip


def unfilled(name: str = "c", **known: Any) -> dict[str, Any]:
    """The same of one that ended without a trade."""
    return parent(name, **{"status": "CANCELED", "filled_qty": "0", **known})


def child(ref: str, name: str = "c", **known: Any) -> dict[str, Any]:
    """A row of ``orders`` for a child that rested and was taken back after a second."""
    return {
        "schema_version": 2, "kind": "CHILD", "client_order_id": ref, "intent_id": f"{name}-intent", "market": "FUT",
        "symbol": "BTCUSDT", "role": "MAKER", "status": "CANCELED", "side": "BUY", "type": "LIMIT", "qty": "2",
        "price": "99", "filled_qty": "0", "created_ms": T0 + 10, "at_ms": T0 + 1_010, **known,
    }  # fmt: skip


def fill(trade_id: str, name: str = "c", **known: Any) -> dict[str, Any]:
    """A row of ``fills``: a taker's, at the touch."""
    return {
        "schema_version": 2, "kind": "FILL", "trade_id": trade_id, "ref": f"{name}-t1", "intent_id": f"{name}-intent",
        "market": "FUT", "symbol": "BTCUSDT", "side": "BUY", "price": "101", "qty": "2", "fee": "0.1",
        "fee_asset": "USDT", "maker": False, "at_ms": T0 + 1_000, "mid_at_send": "100", "slippage_bps": "100",
        "book_top3": book("99", "101"), **known,
    }  # fmt: skip


def signal(name: str = "c", bid: str = "98", ask: str = "100") -> dict[str, Any]:
    """A row of ``signals`` that opened, with the touch it was decided by."""
    touch = {"is": "Touch", "bid": bid, "bid_qty": "1", "ask": ask, "ask_qty": "1", "at_ms": T0 - 60}
    return {
        "schema_version": 2, "signal_id": f"{name}-signal", "t0": T0 - 50, "at_ms": T0 - 50, "symbol": "BTCUSDT",
        "market": "FUT", "decision": "open", "intent_id": f"{name}-intent",
        "case": {"is": "Case", "touches": {"FUT": touch}},
    }  # fmt: skip


async def written(path: Path, rows: list[tuple[str, str, dict[str, Any]]]) -> None:
    """A ledger's file with these: collection, key, document."""
    ledger = await SqliteLedger.open(path)
    try:
        for collection, key, document in rows:
            await ledger.put(collection, key, document)
    finally:
        await ledger.close()
