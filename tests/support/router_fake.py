"""A router behind the HTTP face that remembers what it was asked, and holdings made by hand."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml

from chimera.reconcile.cash import of_income
from chimera.reconcile.pnl import By, Line
from chimera.services.exposition import Sample
from chimera.services.router.cash_desk import line_row
from chimera.services.router.http import Outcome
from chimera.trading.cash import Entry
from chimera.trading.errors import Refused
from chimera.trading.execution import CloseName, Maker, Phase, Plan, Slice, Working
from chimera.trading.fill import Fill
from chimera.trading.holding import Holding
from chimera.trading.ids import (
    DEFAULT_ACCOUNT,
    VENUE,
    ClientOrderId,
    IntentId,
    PositionKey,
    Symbol,
    TradeId,
    VenueOrderId,
)
from chimera.trading.instrument import Instrument
from chimera.trading.intent import Intent, MakerThenTaker, StopSpec
from chimera.trading.market import Market, Side
from chimera.trading.money import Millis, Price, Qty, Quote, text
from chimera.trading.order import NewOrder, Order, OrderType, Role, Status
from chimera.trading.position import Lot
from chimera.trading.standstill import Kill, Scope
from chimera.trading.transfer import Route, Stage, Transfer
from chimera.trading.venue import Income
from chimera.wire.cash import CashAsk
from chimera.wire.results import order_result
from chimera.wire.transfers import transfer_row

NOW = Millis(1_795_000_000_000)
ERRORS = Path(__file__).parent.parent / "contract" / "errors.yaml"


def dec(written: str) -> Decimal:
    return Decimal(written)


BTC = Instrument(
    symbol=Symbol("BTCUSDT"),
    market=Market.FUT,
    base="BTC",
    quote="USDT",
    tick=dec("0.1"),
    step=dec("0.001"),
    min_price=Price(dec("0.1")),
    max_price=Price(dec("4529764")),
    min_qty=Qty(dec("0.001")),
    max_qty=Qty(dec("1000")),
    market_max_qty=Qty(dec("100")),
    min_notional=dec("5"),
)


def instruments(market: Market, symbol: str) -> Instrument | None:
    return BTC if (market, symbol) == (Market.FUT, "BTCUSDT") else None


def an_intent(**changes: Any) -> Intent:
    intent = Intent(
        intent_id=IntentId("uuid-1"),
        client_order_id=ClientOrderId("s3-btc-1"),
        market=Market.FUT,
        symbol=Symbol("BTCUSDT"),
        side=Side.BUY,
        qty=Qty(dec("0.002")),
        policy=MakerThenTaker(),
        created_ms=NOW,
        stop=StopSpec(price=Price(dec("64800"))),
    )
    return intent.but(**changes)


def a_working(intent: Intent, **changes: Any) -> Working:
    plan = Plan(slices=(Slice(qty=intent.qty),), maker=Maker(wait_ms=1500), deadline_ms=Millis(NOW + 60_000))
    return Working(intent=intent, body_hash="h", plan=plan, accepted_ms=NOW).but(**changes)


def a_fill(qty: str, price: str, trade_id: str = "t1", side: Side = Side.BUY) -> Fill:
    return Fill(
        trade_id=TradeId(trade_id),
        ref=ClientOrderId("s3-btc-1-m1"),
        venue_id=VenueOrderId("77"),
        market=Market.FUT,
        symbol=Symbol("BTCUSDT"),
        side=side,
        price=Price(dec(price)),
        qty=Qty(dec(qty)),
        fee=dec("0.0264"),
        fee_asset="USDT",
        realized_pnl=Quote(dec("0")),
        maker=True,
        at_ms=Millis(NOW + 5),
    )


def an_order(role: Role, status: Status, *fills: Fill, **changes: Any) -> Order:
    ref = ClientOrderId(f"s3-btc-1-{role.value}1")
    side = Side.SELL if role.protective else Side.BUY
    kind = {Role.STOP: OrderType.STOP_MARKET, Role.TARGET: OrderType.TAKE_PROFIT_MARKET, Role.MAKER: OrderType.LIMIT}
    request = NewOrder(
        ref=ref, symbol=Symbol("BTCUSDT"), side=side, type=kind.get(role, OrderType.MARKET), qty=Qty(dec("0.002"))
    )
    order = Order(
        request=request,
        role=role,
        intent_id=None if role.protective else IntentId("uuid-1"),
        created_ms=Millis(NOW + 1),
        status=status,
        venue_id=None if status in (Status.PENDING_NEW, Status.IN_DOUBT) else VenueOrderId("77"),
        fills={fill.trade_id: fill for fill in fills},
    )
    return order.but(**changes)


def a_holding(work: Working, *orders: Order, **changes: Any) -> Holding:
    holding = Holding(
        key=PositionKey(venue=VENUE, account=work.intent.account_id, market=Market.FUT, symbol=Symbol("BTCUSDT")),
        intents={work.intent_id: work},
        orders={order.ref: order for order in orders},
    )
    return holding.but(**changes)


def a_lot(intent: Intent) -> Lot:
    return Lot(
        intent_id=intent.intent_id,
        side=intent.side,
        qty=intent.qty,
        cost=Quote(dec("65800") * intent.qty),
        opened_ms=NOW,
    )


class FixedClock:
    def now_ms(self) -> Millis:
        return NOW

    def monotonic_ms(self) -> Millis:
        return NOW


class FakeCash:
    """Two entries, one page each."""

    def __init__(self) -> None:
        self.asks: list[tuple[str, CashAsk]] = []

    async def entries(self, ask: CashAsk) -> tuple[list[Entry], str | None]:
        self.asks.append(("entries", ask))
        row = Income(id="TRANSFER:7", kind="TRANSFER", amount=dec("12.50"), asset="USDT", at_ms=NOW)
        entry = of_income(DEFAULT_ACCOUNT, Market.FUT, row)
        return [entry.but(note="=1+1")], f"{NOW}.1" if not ask.after else None

    async def pnl(self, by: str, ask: CashAsk) -> tuple[list[dict[str, object]], str | None]:
        self.asks.append((by, ask))
        line = Line(key=str(NOW), asset="USDT", market=Market.FUT, realized=dec("1.50"), fees=dec("-0.25"), trades=2)
        return [line_row(By(by), line)], None

    async def balances(self) -> list[dict[str, object]]:
        return [{"account_id": "main", "market": "FUT", "account": "wallet", "asset": "USDT", "amount": "12.5"}]


def a_transfer(stage: Stage = Stage.TAKEN, reason: str = "") -> dict[str, Any]:
    transfer = Transfer(
        number=3,
        route=Route.SPOT_TO_FUT,
        asset="USDT",
        amount=Decimal("12.5"),
        why="me: test",
        asked_ms=Millis(1),
        asked_venue_ms=Millis(1),
        not_after_ms=Millis(1),
        stage=stage,
        reason=reason,
    )
    return transfer_row(DEFAULT_ACCOUNT, transfer)


class FakeTransfers:
    """Answers with a stage, and remembers what it was asked."""

    def __init__(self, stage: Stage = Stage.TAKEN, refused: Refused | None = None) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self._stage = stage
        self._refused = refused

    async def ask(self, route: Route, asset: str, amount: Decimal, why: str) -> Mapping[str, Any]:
        if self._refused is not None:
            raise self._refused
        self.asked.append((route, asset, amount, why))
        return a_transfer(self._stage)

    async def settle(self, *, happened: bool, by: str) -> Mapping[str, Any]:
        self.asked.append((happened, by))
        return a_transfer(Stage.DONE)

    def shown(self) -> Mapping[str, Any]:
        limits = {"ceiling": "100", "day_ceiling": "500", "floor": "0"}
        moved = [{"asset": "USDT", "amount": "12.5"}]
        return {
            "enabled": True,
            "assets": ["USDT"],
            **limits,
            "moved_today": moved,
            "present": a_transfer(),
            "ended": [],
        }


RESTING: dict[str, Any] = {
    "client_order_id": "s3-btc-1-s1",
    "price": "64800",
    "qty": "0.002",
    "rests": "venue",
    "form": "QTY",
}
BOARD: dict[str, Any] = {
    "symbol": "BTCUSDT", "market": "FUT", "account_id": "main", "position_side": "BOTH", "qty": "-0.002",
    "entry_price": "65800", "mark_price": None, "unrealized_pnl": "-1.5", "realized_pnl": "0", "fees": "0.02",
    "closed_count": 0, "stop": RESTING, "target": None, "covered_qty": "0.002", "coverage": "1", "unprotected_ms": 0,
    "max_unprotected_ms": 80, "guards": [], "guarded_ms": 0, "heard": True, "exit": None, "seq": 4,
    "intents": ["uuid-1"], "strategy_ids": ["s3"], "in_doubt": [],
}  # fmt: skip
DOUBT: dict[str, Any] = {
    "client_order_id": "s3-btc-1-t1", "intent_id": "uuid-1", "market": "FUT", "symbol": "BTCUSDT", "role": "TAKER",
    "about": "OUTCOME", "qty": "0.002", "since_ms": NOW, "asks": 1, "dead_after_ms": NOW, "notional_counted": None,
    "settles": "a question",
}  # fmt: skip


HEALTH: dict[str, Any] = {
    "status": "ok",
    "checks": {"exchange": "ok", "user_stream": "down", "redis": "ok", "ledger": "ok", "recovered": True},
    "circuit_breaker": "HALF_OPEN",
    "barriers": [
        {"code": "MARKET_STALE", "symbol": symbol, "why": "old", "since_ms": NOW} for symbol in ("BTCUSDT", "ETHUSDT")
    ],
    "rates": [
        {
            "counts": "WEIGHT", "span_ms": 60_000, "limit": 2_400, "used": 600,
            "lanes": {"PROTECT": {"ours": 1, "ceiling": 2_400}, "OPEN": {"ours": 9, "ceiling": 500}},
        }
    ],
    "clock_offset_ms": -7,
    "watchdogs": {
        "polling": True, "loop_worst_lag_ms": 40, "loop_lag_ms": 0, "notices": {"LOOP_SLOW": "it was"},
        "queues": {"outbox": 3, "held": 0, "tasks": 0, "alarms": 0, "callers": 1},
    },
}  # fmt: skip


class FakeRouter:
    """Fills every intent at once unless told otherwise, and keeps what it was asked."""

    def __init__(self) -> None:
        self.cash = FakeCash()
        self.transferring = FakeTransfers()
        self.asked: list[tuple[Intent, str, int | None]] = []
        self.previews: list[Intent] = []
        self.steered: list[tuple[str, str]] = []
        self.replaced: list[tuple[str, Mapping[str, object]]] = []
        self.cancels: list[dict[str, Any]] = []
        self.closes: list[tuple[Any, ...]] = []
        self.close_names: list[CloseName | None] = []
        self.kills: list[Kill] = []
        self.surveys: list[tuple[Market, str]] = []
        self.rows: dict[str, dict[str, Any]] = {}
        self.board = BOARD
        self.is_ready = True
        self.markets: tuple[Market, ...] = (Market.FUT,)
        self.knows = instruments
        self.answer: Callable[[Intent], Outcome] = self.filled

    def filled(self, intent: Intent) -> Outcome:
        fill = a_fill(format(intent.qty, "f"), "65800", side=intent.side)
        work = a_working(intent, phase=Phase.DONE, done_ms=Millis(NOW + 9))
        order = an_order(Role.MAKER, Status.FILLED, fill, intent_id=intent.intent_id)
        row = order_result(a_holding(work, order), intent.intent_id)
        return Outcome(row=row, done=True, in_doubt=False)

    async def submit(self, intent: Intent, body_hash: str, *, wait_ms: int | None) -> Outcome:
        self.asked.append((intent, body_hash, wait_ms))
        outcome = self.answer(intent)
        self.rows[intent.client_order_id] = outcome.row
        return outcome

    async def preview(self, intent: Intent) -> dict[str, object]:
        self.previews.append(intent)
        return {"would": "ACCEPT", "qty": text(intent.qty), "why": ["route table rev 1"]}

    async def steer(self, name: str, ask: str) -> dict[str, object]:
        self.steered.append((name, ask))
        if name not in self.rows:
            raise Refused("NOT_FOUND", "no such order", field="order_id", value=name)
        return self.rows[name]

    async def replace(self, name: str, document: Mapping[str, object]) -> Outcome:
        if name not in self.rows:
            raise Refused("NOT_FOUND", "no such order", field="order_id", value=name)
        self.replaced.append((name, document))
        return Outcome(row=self.rows[name], done=False, in_doubt=False)

    async def cancel(self, name: str, **how: Any) -> dict[str, object]:
        self.cancels.append({"name": name, **how})
        if name not in self.rows:
            raise Refused("NOT_FOUND", "no such order", field=how["by"], value=name)
        return {"order_id": name, "status": "CANCELED", "message": "canceled"}

    async def close(
        self, market: Market, symbol: str, qty: Decimal | None, reason: str, name: CloseName | None = None
    ) -> dict[str, object]:
        self.close_names.append(name)
        self.closes.append((market, symbol, qty, reason))
        return {"symbol": symbol, "position_qty": "-0.002", "status": "ACCEPTED", "message": "closing"}

    async def survey(self, market: Market, symbol: str) -> dict[str, object]:
        self.surveys.append((market, symbol))
        return {"symbol": symbol, "market": str(market), "heard": True, "surveyed_ms": 7, "position": self.board}

    async def order(self, name: str) -> dict[str, object] | None:
        return self.rows.get(name)

    def external(self) -> list[dict[str, object]]:
        return []

    def doubts(self) -> list[dict[str, object]]:
        return [DOUBT]

    async def positions(self) -> list[dict[str, object]]:
        return [self.board]

    async def kill(self, kill: Kill, *, wait_ms: int | None) -> dict[str, object]:
        self.kills.append(kill)
        came = {"flatten": kill.flatten, "durable": True, "verified": not kill.flatten, "asked_ms": NOW}
        return self._signed(kill.scope, kill.name, kill.by, kill.reason) | came | {"remains": [], "positions": {}}

    async def arm(self, scope: Scope, name: str, *, by: str, reason: str, confirm: str | None) -> dict[str, object]:
        if confirm not in (None, "w0rd"):
            raise Refused("CONFIRM", "that is not this kill's word", field="confirm", value=confirm)
        word = {"scope": str(scope), "name": name, "status": "CONFIRM", "confirm": "w0rd", "message": "again"}
        return word if confirm is None else self._signed(scope, name, by, reason)

    def _signed(self, scope: Scope, name: str, by: str, reason: str) -> dict[str, object]:
        body = {"scope": str(scope), "name": name, "by": by, "reason": reason, "at_ms": NOW, "rev": len(self.kills)}
        return body | {"account_id": DEFAULT_ACCOUNT, "key_id": "a2V5", "signature": "c2ln"}

    def killed(self) -> dict[str, object]:
        kills = [
            {name: getattr(kill, name) for name in ("scope", "name", "by", "reason", "at_ms", "flatten")}
            | {"scope": str(kill.scope), "confirm": "w0rd"}
            for kill in self.kills
        ]
        return {"killed": bool(self.kills), "durable": True, "rev": len(self.kills), "kills": kills}

    def health(self) -> dict[str, object]:
        return HEALTH

    def tallied(self) -> dict[Market, Any]:
        one = SimpleNamespace(measured=lambda: [Sample("maker_fill_ratio", (), Decimal("0.25"))])
        return {Market.FUT: one, Market.SPOT: SimpleNamespace(measured=tuple)}

    def ready(self) -> bool:
        return self.is_ready

    def instrument(self, market: Market, symbol: str) -> Instrument | None:
        return self.knows(market, symbol)


@cache
def _errors() -> dict[str, Any]:
    return dict(yaml.safe_load(ERRORS.read_text(encoding="utf-8")))


def good_order() -> dict[str, str]:
    """Members of the good order of ``errors.yaml``, each as raw JSON."""
    return dict(_errors()["good"])


def raw(members: dict[str, str]) -> bytes:
    """A JSON object of raw members, so that NaN and long numbers arrive as written."""
    inside = ",".join(f'"{name}":{value}' for name, value in members.items())
    return ("{" + inside + "}").encode("utf-8")
