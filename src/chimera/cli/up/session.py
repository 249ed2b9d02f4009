"""The demo's trader and its watcher: asks S3 to decide while flat, and tells what happens, one event at a time.

It is a client like any other: it knows S3's and S4's answers and the streams, nothing of how the house is run, so the
same session plays against real processes and inside the virtual-time stage. It places no order itself.
"""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, Protocol

from chimera.ports.streams import Streams
from chimera.trading.errors import ChimeraError, StoreUnavailable
from chimera.trading.market import Market, Side
from chimera.trading.money import ZERO, text
from chimera.trading.value import Value
from chimera.wire.keys import ALERTS, ORDER_RESULTS, ORDERS_EXECUTED, RISK_SL_ARM

LOOK_S: Final = 0.25  # between two looks at the positions
BUSY_S: Final = 20.0  # an intent that has neither filled nor ended by then holds the next decision up no longer
TAIL_MS: Final = 1_000
TAIL_COUNT: Final = 100
AWAY_S: Final = 0.5
SETTLE_S: Final = 1.0  # after the last close, or the market: what S4 tells its ledger is told
_SHOWN: Final = Decimal("1E-8")  # of what a position gained, quote asset

Event = dict[str, Any]
Tell = Callable[[Event], None]
Look = Callable[[Mapping[str, Any]], None]  # every row of every look, for a screen


class House(Protocol):
    """What the session asks of whoever runs the services."""

    market_ended: asyncio.Event

    @property
    def streams(self) -> Streams: ...

    async def decide(self, symbol: str, side: Side | None) -> dict[str, Any]: ...

    async def positions(self) -> Sequence[Mapping[str, Any]]: ...

    def now_ms(self) -> int: ...


class SessionPlan(Value):
    """``exit_after``: end after so many closed positions. ``sides`` are wished for in turn; None lets the rules say."""

    symbols: tuple[str, ...]
    every_s: float = 3.0
    sides: tuple[Side | None, ...] = (Side.BUY, Side.SELL)
    exit_after: int | None = None


class End(StrEnum):
    ENOUGH = "ENOUGH"
    MARKET_ENDED = "MARKET_ENDED"


class _Seen:
    """One symbol as last looked at."""

    def __init__(self, row: Mapping[str, Any]) -> None:
        self.row = row
        self.closed_before = int(row["closed_count"])
        self.net_when_flat = _net(row)
        self.busy_until_s = 0.0
        self.decisions = 0

    @property
    def flat(self) -> bool:
        return not Decimal(self.row["qty"])

    @property
    def closed(self) -> int:
        return int(self.row["closed_count"]) - self.closed_before


class Session:
    def __init__(self, house: House, plan: SessionPlan, tell: Tell, *, on_look: Look | None = None) -> None:
        self._house = house
        self._on_look = on_look
        self._plan = plan
        self._tell = tell
        self._seen: dict[str, _Seen] = {}
        self._enough = asyncio.Event()
        self._looked = asyncio.Event()

    @property
    def closed(self) -> int:
        """Positions closed since the session began, over all symbols."""
        return sum(seen.closed for seen in self._seen.values())

    async def run(self) -> End:
        """Until enough is closed or the market ends."""
        tailing = [
            asyncio.create_task(self._tail(stream, read))
            for stream, read in (
                (RISK_SL_ARM, _protected),
                (ORDER_RESULTS, _fill),
                (ORDERS_EXECUTED, _executed),
                (ALERTS, _alert),
            )
        ]
        tasks = [asyncio.create_task(self._watch()), asyncio.create_task(self._trade()), *tailing]
        ends = {
            asyncio.create_task(self._enough.wait()): End.ENOUGH,
            asyncio.create_task(self._house.market_ended.wait()): End.MARKET_ENDED,
        }
        try:
            done, _ = await asyncio.wait({*tasks, *ends}, return_when=asyncio.FIRST_COMPLETED)
            for task in done - set(ends):
                task.result()  # none of them ends by itself
            tasks[1].cancel()  # nothing more is begun, while the last fills are still being told
            await asyncio.sleep(SETTLE_S)
            return next(end for task, end in ends.items() if task in done)
        finally:
            for task in (*tasks, *ends):
                task.cancel()
            await asyncio.gather(*tasks, *ends, return_exceptions=True)

    # ── deciding ──

    async def _trade(self) -> None:
        await self._looked.wait()
        while True:
            for symbol in self._plan.symbols:
                if self._may_decide(symbol):
                    await self._decide(symbol)
            await asyncio.sleep(self._plan.every_s)

    def _may_decide(self, symbol: str) -> bool:
        seen = self._seen.get(symbol)
        if seen is None or not seen.flat or asyncio.get_running_loop().time() < seen.busy_until_s:
            return False
        open_now = sum(not other.flat for other in self._seen.values())
        return self._plan.exit_after is None or self.closed + open_now < self._plan.exit_after

    async def _decide(self, symbol: str) -> None:
        seen = self._seen[symbol]
        side = self._plan.sides[seen.decisions % len(self._plan.sides)]
        try:
            answer = await self._house.decide(symbol, side)
        except ChimeraError as error:
            self._say("decision", symbol=symbol, decision="error", reason=f"{type(error).__name__}: {error}")
            return
        self._say("decision", **_decision(symbol, side, answer))
        if answer.get("decision") == "open":
            seen.decisions += 1
            seen.busy_until_s = asyncio.get_running_loop().time() + BUSY_S

    # ── watching ──

    async def _watch(self) -> None:
        while True:
            try:
                for row in await self._house.positions():
                    self._look(row)
                self._looked.set()
            except ChimeraError:
                pass  # S4 is away for a moment; whoever runs it says so
            if self._plan.exit_after is not None and self.closed >= self._plan.exit_after:
                self._enough.set()
            await asyncio.sleep(LOOK_S)

    def _look(self, row: Mapping[str, Any]) -> None:
        if self._on_look is not None:
            self._on_look(row)
        if row.get("market") == Market.SPOT:  # nobody here decides on it
            return
        symbol = str(row["symbol"])
        seen = self._seen.get(symbol)
        if seen is None:
            seen = self._seen[symbol] = _Seen(row)
            if not seen.flat:
                self._say("position", **_position(row), carried=True)
            return
        before, seen.row = seen.row, row
        if int(row["closed_count"]) > int(before["closed_count"]):
            seen.busy_until_s = 0.0
            gained = (_net(row) - seen.net_when_flat).quantize(_SHOWN)
            self._say("closed", symbol=symbol, closed=self.closed, pnl_usdt=text(gained))
        if any(row[part] != before[part] for part in ("qty", "stop", "target", "exit")):
            self._say("position", **_position(row))
        if seen.flat:
            seen.net_when_flat = _net(row)

    async def _tail(self, stream: str, read: Callable[[Mapping[str, Any]], Event | None]) -> None:
        after = f"{self._house.now_ms() - 1}-0"
        while True:
            try:
                entries = await self._house.streams.tail(stream, after=after, count=TAIL_COUNT, block_ms=TAIL_MS)
            except StoreUnavailable:
                await asyncio.sleep(AWAY_S)
                continue
            for entry in entries:
                after = entry.id
                event = read(json.loads(entry.fields["data"]) if "data" in entry.fields else entry.fields)
                if event is None:
                    continue
                if event["event"] == "executed" and not Decimal(event["filled_qty"] or "0"):
                    self._free(event["symbol"])
                self._tell({"at_ms": self._house.now_ms(), **event})

    def _free(self, symbol: str) -> None:
        """An intent ended without a fill: the next decision may come."""
        if symbol in self._seen:
            self._seen[symbol].busy_until_s = 0.0

    def _say(self, event: str, **about: Any) -> None:
        self._tell({"at_ms": self._house.now_ms(), "event": event, **about})


def _net(row: Mapping[str, Any]) -> Decimal:
    """Realised, less fees."""
    return Decimal(row["realized_pnl"]) - Decimal(row["fees"]) if row.get("fees") is not None else ZERO


def _decision(symbol: str, side: Side | None, answer: Mapping[str, Any]) -> Event:
    intent = answer.get("intent") or {}
    return {
        "symbol": symbol,
        "side_hint": None if side is None else side.value,
        "decision": answer.get("decision"),
        "reason": answer.get("reason"),
        "rules_fired": list(answer.get("rules_fired") or ()),
        "side": intent.get("side"),
        "qty": intent.get("qty"),
        "intent_id": intent.get("intent_id"),
        "config_rev": answer.get("config_rev"),
    }


def _position(row: Mapping[str, Any]) -> Event:
    """S4's row, the parts that people watch."""
    parts = (
        "symbol", "qty", "entry_price", "mark_price", "unrealized_pnl", "realized_pnl", "fees", "stop", "target",
        "covered_qty", "unprotected_ms", "max_unprotected_ms", "exit", "closed_count",
    )  # fmt: skip
    return {part: row.get(part) for part in parts}


def _protected(row: Mapping[str, Any]) -> Event:
    return {
        "event": "protected",
        "symbol": row.get("symbol"),
        "stop": row.get("trigger_price"),
        "qty": row.get("qty"),
        "position_qty": row.get("position_qty"),
        "client_order_id": row.get("ref"),
    }


def _fill(row: Mapping[str, Any]) -> Event | None:
    if row.get("kind") != "FILL":
        return None
    parts = ("symbol", "side", "price", "qty", "fee", "fee_asset", "maker", "realized_pnl", "trade_id", "slippage_bps")
    return {"event": "fill", **{part: row.get(part) for part in parts}, "client_order_id": row.get("ref")}


def _executed(row: Mapping[str, Any]) -> Event:
    parts = ("symbol", "side", "status", "filled_qty", "avg_price", "slippage_bps", "message", "intent_id")
    return {"event": "executed", **{part: row.get(part) for part in parts}}


def _alert(row: Mapping[str, Any]) -> Event:
    parts = ("severity", "code", "symbol", "subject", "text", "service")
    return {"event": "alert", **{part: row[part] for part in parts if part in row}}
