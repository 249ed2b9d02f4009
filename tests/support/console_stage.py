"""A stage for the console: an S4 and an S3 that say what a test tells them, a memory bus, and the page on a socket."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

from console_others import (
    FakeAlerts,
    FakeBundles,
    FakeCosts,
    FakeDoctor,
    FakeExplain,
    FakeReplays,
    FakeSimulator,
    Operated,
)
from fastapi import FastAPI

from chimera.adapters.memory.bus import MemoryBus
from chimera.services.clock import SystemClock
from chimera.services.console.app import Console, build_app
from chimera.services.console.finding import found_at
from chimera.services.serving import address_of, listen, serve_app
from chimera.trading.market import Market
from chimera.trading.money import Millis, Price, Qty
from chimera.trading.standstill import Scope
from chimera.wire import codec
from chimera.wire.board import TickBoard
from chimera.wire.keys import ALERTS, ORDER_RESULTS, ROUTER_EVENTS, tick_key


class HandClock:
    """Both hands by hand."""

    def __init__(self) -> None:
        self.utc_ms = 1_800_000_000_000
        self.mono_ms = 1_000

    def now_ms(self) -> Millis:
        return Millis(self.utc_ms)

    def monotonic_ms(self) -> Millis:
        return Millis(self.mono_ms)

    def pass_ms(self, ms: int) -> None:
        self.utc_ms += ms
        self.mono_ms += ms


HEALTHY: dict[str, Any] = {
    "status": "ok",
    "environment": "sim",
    "checks": {
        "exchange": "ok",
        "user_stream": "ok",
        "redis": "ok",
        "ledger": "ok",
        "recovered": True,
        "own_faults": 0,
    },
    "circuit_breaker": "CLOSED",
    "kill_switch": False,
    "clock_offset_ms": 3,
}


def a_position(**changes: Any) -> dict[str, Any]:
    """A long of 0.02 BTC with stop and target, as S4 shows it."""
    return {
        "symbol": "BTCUSDT", "market": "FUT", "account_id": "main", "position_side": "BOTH", "qty": "0.02",
        "entry_price": "65800.0", "mark_price": "65821.4", "unrealized_pnl": "0.43", "realized_pnl": "-1.20",
        "fees": "0.31", "closed_count": 12,
        "stop": {"client_order_id": "s3-btc-1-s1", "price": "65742.1", "qty": "0.02", "rests": "venue"},
        "target": {"client_order_id": "s3-btc-1-p1", "price": "65968.3", "qty": "0.02", "rests": "venue"},
        "covered_qty": "0.02", "coverage": "1", "unprotected_ms": 0, "max_unprotected_ms": 41, "exit": None,
        "seq": 212, "intents": ["i1"], "strategy_ids": ["s3"], "in_doubt": [],
    } | changes  # fmt: skip


def flat(**changes: Any) -> dict[str, Any]:
    """The same symbol with nothing held."""
    none: dict[str, Any] = {
        "qty": "0", "entry_price": None, "unrealized_pnl": "0.0", "stop": None, "target": None, "covered_qty": "0",
    }  # fmt: skip
    return a_position(**none | changes)


def a_decision(number: int, at_ms: int, **changes: Any) -> dict[str, Any]:
    """A ``signals`` row that opened."""
    gates = [
        {"code": "FUNDING", "passed": True, "text": "ok", "value": "0.0001", "limit": "0.0005", "margin": "0.0004"},
        {"code": "SPREAD", "passed": True, "text": "ok", "value": "0.02", "limit": "3", "margin": "2.98"},
        {"code": "DEPTH", "passed": True, "text": "ok", "value": "411220.5", "limit": "200", "margin": "411020.5"},
    ]
    rule = {
        "rule_id": "R023", "fired": True, "action": "open LONG",
        "clauses": [
            {"path": "$.when[0]", "factor": "spread_bps", "op": "<=", "limits": ["2"], "value": "0.02", "holds": True,
             "margin": "1.98"}
        ],
    }  # fmt: skip
    return {
        "schema_version": 1, "signal_id": f"sig-{number}", "t0": at_ms, "account_id": "main", "strategy_id": "s3",
        "symbol": "BTCUSDT", "market": "FUT", "position_side": "BOTH", "decision": "open",
        "reason": "R023 fired: BUY 0.02 BTCUSDT at about 65800", "reasons": [], "config_rev": 1,
        "rules_fired": ["R023"], "features": {}, "explanation": {"gates": gates, "rules": [rule]},
        "delivery": "DONE", "intent_id": f"i{number}", "client_order_id": f"s3-btc-{at_ms}-ab{number}",
    } | changes  # fmt: skip


def a_skip(
    number: int, at_ms: int, code: str = "CONCURRENT_ENTRIES", text: str = "1 entry is open, 1 is the limit"
) -> dict[str, Any]:
    """What S3 writes when it does not trade."""
    return a_decision(number, at_ms, decision="skip", delivery="NONE", rules_fired=[], client_order_id=None,
        reason=f"{code}: {text}", reasons=[{"code": code, "passed": False, "text": text, "value": "1", "limit": "1"}],
    )  # fmt: skip


class FakeS4(Operated):
    """``RouterSource``; ``error`` is raised by every call while it is set."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[dict[str, Any]] = [a_position()]
        self.told = dict(HEALTHY)
        self.error: Exception | None = None
        self.close_error: Exception | None = None
        self.closed: list[str] = []
        self.orders: dict[str, dict[str, Any]] = {}
        self.in_doubt: list[dict[str, Any]] = []
        self.foreign: list[dict[str, Any]] = []
        self.kills: list[dict[str, Any]] = []
        self.remains: list[str] = []
        self.hears = True
        self.asked: list[tuple[str, Any]] = []
        self.moved: dict[str, Any] = {
            "enabled": False, "assets": ["USDT"], "ceiling": Decimal(100), "day_ceiling": Decimal(300),
            "floor": Decimal(10), "moved_today": [], "present": None, "ended": [],
        }  # fmt: skip

    async def positions(self) -> list[dict[str, Any]]:
        if self.error:
            raise self.error
        return self.rows

    async def health(self) -> dict[str, Any]:
        if self.error:
            raise self.error
        return self.told

    async def order(self, name: str) -> dict[str, Any] | None:
        if self.error:
            raise self.error
        return self.orders.get(name)

    async def _told(self, answer: Any) -> Any:
        if self.error:
            raise self.error
        return answer

    async def doubts(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = await self._told(self.in_doubt)
        return rows

    async def external(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = await self._told(self.foreign)
        return rows

    async def killed(self) -> dict[str, Any]:
        kills = [row | {"confirm": "word1234"} for row in self.kills]
        told: dict[str, Any] = await self._told({"killed": bool(kills), "durable": True, "rev": 1, "kills": kills})
        return told

    async def transfers(self) -> dict[str, Any]:
        told: dict[str, Any] = await self._told(self.moved)
        return told

    async def survey(self, symbol: str, *, market: Market = Market.FUT) -> dict[str, Any]:
        self.asked.append(("survey", symbol))
        return {"heard": self.hears, "position": {"qty": Decimal("0.02"), "coverage": Decimal(1)}}

    async def cancel(self, *, client_order_id: str | None = None) -> dict[str, Any]:
        self.asked.append(("cancel", client_order_id))
        return {"order_id": client_order_id, "status": "CANCELED", "message": "cancel is under way"}

    async def kill(
        self, *, by: str, reason: str, scope: Scope, name: str, flatten: bool, wait_s: int | None
    ) -> dict[str, Any]:
        self.asked.append(("kill", scope.value))
        if self.error:
            raise self.error
        place = {"scope": scope.value, "name": name, "by": by, "reason": reason, "at_ms": 1, "flatten": flatten}
        if not any((row["scope"], row["name"]) == (scope.value, name) for row in self.kills):
            self.kills.append(place)
        return place | {
            "durable": True, "verified": not self.remains, "asked_ms": len(self.asked), "remains": self.remains,
            "positions": {"BTCUSDT": "0.02"}, "key_id": "k", "signature": "s",
        }  # fmt: skip

    async def arm(self, *, by: str, reason: str, scope: Scope, name: str, confirm: str | None) -> dict[str, Any]:
        self.asked.append(("arm", confirm))
        self.kills = [row for row in self.kills if (row["scope"], row["name"]) != (scope.value, name)]
        return {"scope": scope.value}

    async def settle(self, *, happened: bool, by: str) -> dict[str, Any]:
        self.asked.append(("settle", happened))
        return {"status": "DONE"}

    async def close(
        self, symbol: str, qty: Decimal | None = None, *, market: Market = Market.FUT, close_id: str | None = None
    ) -> dict[str, Any]:
        self.closed.append(symbol)
        if self.close_error:
            raise self.close_error
        return {"result": "OK", "symbol": symbol, "position_qty": "0.02", "message": "closing"}


class FakeS3:
    """``StrategySource``."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.status = "ok"
        self.error: Exception | None = None

    async def decisions(self, newest: int = 50) -> list[dict[str, Any]]:
        if self.error:
            raise self.error
        return self.rows[:newest]

    async def health(self) -> dict[str, Any]:
        if self.error:
            raise self.error
        return {"status": self.status, "now_ms": 1}


class Stage:
    """The others, and the application that watches them."""

    def __init__(self, clock: HandClock | SystemClock) -> None:
        self.clock = clock
        self.s4, self.s3, self.bus = FakeS4(), FakeS3(), MemoryBus(clock)
        self.explain, self.bundles, self.sim, self.costs = FakeExplain(), FakeBundles(), FakeSimulator(), FakeCosts()
        self.alerts, self.replays = FakeAlerts(), FakeReplays()
        self.app: FastAPI = build_app(
            router=self.s4, strategy=self.s3, explain=self.explain, bundles=self.bundles, bus=self.bus, clock=clock,
            simulator=self.sim, costs=self.costs, alerts=self.alerts, doctor=FakeDoctor(),
            replays=self.replays,
        )  # fmt: skip
        self.console: Console = self.app.state.console
        self._events = 0

    async def show_tick(self, mid: str = "65820.05") -> None:
        middle, half = Decimal(mid), Decimal("0.05")
        tick = TickBoard(
            symbol="BTCUSDT", at_ms=self.clock.now_ms(), bid=Price(middle - half), bid_qty=Qty(Decimal("6.241")),
            ask=Price(middle + half), ask_qty=Qty(Decimal("4.018")), mid=Price(middle), spread_bps=Decimal("0.015193"),
            last=Price(middle + half), mark=Price(middle + Decimal("1.31")),
        )  # fmt: skip
        await self.bus.put(tick_key("BTCUSDT"), codec.encode(tick))

    async def drawn(self, section: str, path: str = "/") -> str:
        """A section of the page at ``path``, as its stream would send it now."""
        place = found_at(self.console.page.screens, path)
        assert place is not None
        return self.console.page.sections(await self.console.views.glance(place))[section].html

    async def look(self) -> None:
        """One look at everything but the streams, by hand."""
        watch, seen, mono = self.console.watch, self.console.seen, self.clock.monotonic_ms()
        await watch.look_at_positions()
        await watch.look_at_health()
        await watch.look_at_decisions()
        await watch.look_at_market()
        for source in seen.sources:
            seen.heard(source, mono)

    async def tell(self, stream: str, **row: Any) -> None:
        """A record as S4's relay publishes it."""
        self._events += 1
        whole = {"schema_version": 1, "event_id": f"k:{self._events}", "at_ms": self.clock.now_ms(),
                 "symbol": "BTCUSDT"} | row  # fmt: skip
        flat_fields = {name: str(value) for name, value in whole.items() if value is not None}
        await self.bus.publish(stream, str(whole["event_id"]), flat_fields | {"data": json.dumps(whole)})

    async def tell_order(self, ref: str, role: str, status: str, **row: Any) -> None:
        await self.tell(
            ROUTER_EVENTS,
            **{"kind": "CHILD", "client_order_id": ref, "role": role, "status": status, "side": "SELL", "qty": "0.02",
               "type": "STOP_MARKET", "created_ms": self.clock.now_ms(), "filled_qty": "0"} | row,
        )  # fmt: skip

    async def tell_fill(self, trade_id: str, **row: Any) -> None:
        await self.tell(
            ORDER_RESULTS,
            **{"kind": "FILL", "trade_id": trade_id, "ref": "s3-btc-1-t1", "side": "BUY", "price": "65800.1",
               "qty": "0.02", "fee": "0.6580", "fee_asset": "USDT", "maker": False, "realized_pnl": "0",
               "slippage_bps": "0.0076"} | row,
        )  # fmt: skip

    async def tell_alert(self, code: str, text: str, severity: str = "WARN", **row: Any) -> None:
        await self.tell(ALERTS, kind="ALERT", severity=severity, code=code, text=text, **row)


@asynccontextmanager
async def served(stage: Stage, port: int = 0) -> AsyncIterator[str]:
    """The page on a loopback socket, watching; its address. Leaving stops it."""
    bound = listen("console", "127.0.0.1", port)
    stop = asyncio.Event()
    up = asyncio.get_running_loop().create_future()
    console = stage.console
    running = asyncio.create_task(
        serve_app(stage.app, bound, console.keep_watching(), stop=stop, ready=lambda _: up.set_result(None))
    )
    try:
        await asyncio.wait({up, running}, return_when=asyncio.FIRST_COMPLETED)
        yield address_of(bound)
    finally:
        console.end()
        stop.set()
        await running
