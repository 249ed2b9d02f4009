"""Intents of every kind, one after another, as a caller sends them: four lanes, two symbols on each market.

A lane goes through its round again and again; each intent gets a final answer before the next. The wishes are far from
the market, so that what ends a position is the next intent. Asked of S4 over HTTP alone; prices come from the venue's
control API, which is no part of S4's budget.
"""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from decimal import ROUND_DOWN, ROUND_UP, Decimal
from typing import Any, Final

from proofs.real import Document, Stage

D = Decimal
WORTH: Final = D(60)  # USDT of the smallest intent
PATIENCE_S: Final = 30.0
AGAIN_S: Final = 0.1
PACE_S: Final = {"FUT": 0.8, "SPOT": 1.6}  # Binance's own limits on orders: 1,200 a minute there, 100 in 10 s here
FINAL: Final = ("FILLED", "CANCELED", "REJECTED")
MARKET: Final = {"type": "MARKET"}
REST: Final = {"type": "MakerThenTaker", "maker_wait_ms": 300}
SLICES: Final = {"type": "MakerThenTaker", "maker_wait_ms": 0, "twap": {"slices": 2, "gap_ms": 500}}


class Lanes:
    """Of one house. ``placed`` and ``asked`` count intents; ``ack_ms``: request to the venue's first word."""

    def __init__(self, house: Stage, count: int) -> None:
        self.asked = 0
        self.placed = 0
        self.kinds: Counter[str] = Counter()
        self.ack_ms: dict[str, list[float]] = defaultdict(list)  # by kind
        self.stops: dict[str, tuple[str, float]] = {}  # kind and moment, by the id of the stop that does it
        self.broken: list[str] = []
        self.later = 0
        self._house = house
        self._count = count
        self._marks: dict[str, Decimal] = {}
        self._rules: dict[tuple[str, str], tuple[Decimal, Decimal]] = {}

    async def run(self) -> None:
        """Until so many intents were asked for; then everything is closed."""
        await self._learn()
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(self._watch())
            lanes = [group.create_task(self._lane("FUT", symbol)) for symbol in self._house.symbols]
            lanes += [group.create_task(self._lane("SPOT", symbol)) for symbol in self._house.spot_symbols]
            await asyncio.wait(lanes)
            watching.cancel()

    async def _lane(self, market: str, symbol: str) -> None:
        rounds = self._futures_round if market == "FUT" else self._spot_round
        number = 0
        while self.asked < self._count:
            side = "BUY" if market == "SPOT" or number % 2 == 0 else "SELL"
            await rounds(f"{market.lower()}-{symbol[:3].lower()}-{number}", symbol, side)
            await self._close(market, symbol)
            number += 1

    # ── rounds ──

    async def _futures_round(self, name: str, symbol: str, side: str) -> None:
        other, unit = _other(side), self._unit("FUT", symbol)
        wishes = self._wishes("FUT", symbol, side)
        alone = {"order_type": "STOP_MARKET", "stop_price": self._away("FUT", symbol, side, "-0.02")}
        profit = {"tp": {"type": "TAKE_PROFIT_MARKET", "target": "net_profit_usdt", "value": 20}}
        wrapped = {"kind": "ENTRY", "size": str(unit), "exec_policy": {"order_type": "MARKET", "time_in_force": "IOC"}}
        steps: list[tuple[str, Document]] = [
            ("market", {"side": side, "qty": 2 * unit, "exec_policy": MARKET, **wishes}),
            ("protect", {"side": other, "qty": 2 * unit, "reduce_only": True, "exec_policy": alone}),
            ("reduce-only", {"side": other, "qty": unit, "reduce_only": True, "exec_policy": MARKET}),
            ("maker-taker", {"side": side, "qty": unit, "exec_policy": REST, **profit}),
            ("twap", {"side": side, "qty": 2 * unit, "exec_policy": SLICES, "sl": wishes["sl"]}),
            ("wrapped", {"side": side, **wrapped}),
            ("reduce-only", {"side": other, "qty": 4 * unit, "reduce_only": True, "exec_policy": REST}),
        ]
        await self._steps(name, "FUT", symbol, steps)

    async def _spot_round(self, name: str, symbol: str, side: str) -> None:
        unit = self._unit("SPOT", symbol)
        up, down = self._away("SPOT", symbol, side, "0.05"), self._away("SPOT", symbol, side, "-0.05")
        oco = {"type": "OCO", "tp_price": up, "sl_price": down}
        await self._steps(name, "SPOT", symbol, [("oco", {"side": side, "qty": unit, "exec_policy": oco})])
        await self._close("SPOT", symbol)
        wishes = self._wishes("SPOT", symbol, side)
        steps: list[tuple[str, Document]] = [
            ("market", {"side": side, "qty": 2 * unit, "exec_policy": MARKET, **wishes}),
            ("reduce-only", {"side": "SELL", "qty": unit, "reduce_only": True, "exec_policy": MARKET}),
            ("maker-taker", {"side": side, "qty": unit, "exec_policy": REST, **wishes}),
            ("twap", {"side": side, "qty": 2 * unit, "exec_policy": SLICES, **wishes}),
        ]
        await self._steps(f"{name}-b", "SPOT", symbol, steps)

    async def _steps(self, name: str, market: str, symbol: str, steps: list[tuple[str, Document]]) -> None:
        for number, (kind, wish) in enumerate(steps):
            if self.asked >= self._count:
                return
            began = time.monotonic()
            body = {field: str(value) if isinstance(value, Decimal) else value for field, value in wish.items()}
            about = {"intent_id": f"i-{name}-{number}", "client_order_id": f"{name}-{number}"}
            intent = {**about, "market": market, "symbol": symbol, **body}
            await self._intent(f"{market} {kind}", f"{name}-{number}", {"intent": intent} if "size" in body else intent)
            await asyncio.sleep(max(0.0, PACE_S[market] - (time.monotonic() - began)))

    async def _intent(self, kind: str, name: str, body: Document) -> None:
        self.asked += 1
        self.kinds[kind] += 1
        sent_ms = time.time_ns() / 1e6
        status, row = await self._post("/orders", body)
        while status == 503:  # nothing was started; the same ids again
            self.later += 1
            await asyncio.sleep(AGAIN_S)
            sent_ms = time.time_ns() / 1e6
            status, row = await self._post("/orders", body)
        if status not in (200, 202):
            self.broken.append(f"{kind} {name}: {status} {row}")
            return
        ended = await self._until(lambda: self._order(name), lambda told: told["status"] in _ends(kind))
        stands = next((leg["client_order_id"] for leg in ended["legs"] if leg["leg"] == "STOP" and leg["order_id"]), "")
        acked_ms = ended.get("first_ack_ms")
        if ended["status"] not in _ends(kind) or ended["status"] == "REJECTED" or not (acked_ms or stands):
            self.broken.append(f"{kind} {name}: {ended}"[:900])
            return
        self.placed += 1
        if acked_ms:
            self.ack_ms[kind].append(acked_ms - sent_ms)
        else:  # a stop on its own: the position's, not the intent's child
            self.stops[stands] = (kind, sent_ms)

    async def _close(self, market: str, symbol: str) -> None:
        """All of it, as a hand would."""
        path = f"/positions/{symbol}/close"

        async def ask() -> Any:
            return await self._post(path, {"market": market})

        status, row = await self._until(ask, lambda told: told[0] == 200)
        if status != 200:
            self.broken.append(f"close {market} {symbol}: {status} {row}"[:900])

    # ── asking ──

    async def _post(self, path: str, body: Document) -> tuple[int, Any]:
        return await self._house.ask("POST", self._house.s4_url + path, body)

    async def _order(self, name: str) -> Document:
        row: Document = (await self._house.ask("GET", f"{self._house.s4_url}/orders/{name}"))[1]
        return row

    async def _until(self, ask: Callable[[], Awaitable[Any]], good: Callable[[Any], bool]) -> Any:
        deadline = time.monotonic() + PATIENCE_S
        while not good(told := await ask()) and time.monotonic() < deadline:  # noqa: ASYNC110  # another process
            await asyncio.sleep(0.05)
        return told

    # ── the market ──

    async def _learn(self) -> None:
        await self._look()
        for market, path in (("FUT", "/fapi/v1/exchangeInfo"), ("SPOT", "/api/v3/exchangeInfo")):
            _, info = await self._house.ask("GET", self._house.venue_url + path)
            for row in info["symbols"]:
                filters = {each["filterType"]: each for each in row["filters"]}
                steps = [filters[name]["stepSize"] for name in ("LOT_SIZE", "MARKET_LOT_SIZE") if name in filters]
                tick = D(filters["PRICE_FILTER"]["tickSize"])
                self._rules[market, row["symbol"]] = tick, max(map(D, steps))

    async def _look(self) -> None:
        _, state = await self._house.ask("GET", f"{self._house.venue_url}/sim/state")
        self._marks = {symbol: D(str(mark)) for symbol, mark in state["marks"].items() if mark}

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(0.5)
            await self._look()

    def _unit(self, market: str, symbol: str) -> Decimal:
        step = self._rules[market, symbol][1]
        return (WORTH / self._marks[symbol] / step).to_integral_value(ROUND_UP) * step

    def _away(self, market: str, symbol: str, side: str, share: str) -> str:
        """So far from the mark, on the side of profit where ``share`` is above zero."""
        wanted = self._marks[symbol] * (1 + D(share) * (1 if side == "BUY" else -1))
        tick = self._rules[market, symbol][0]
        return format((wanted / tick).to_integral_value(ROUND_DOWN) * tick, "f")

    def _wishes(self, market: str, symbol: str, side: str) -> Document:
        stop, target = (self._away(market, symbol, side, share) for share in ("-0.03", "0.05"))
        return {"sl": {"price": stop}, "tp": {"price": target}}


def _other(side: str) -> str:
    return "SELL" if side == "BUY" else "BUY"


def _ends(kind: str) -> tuple[str, ...]:
    """A stop on its own and an OCO have done what was asked when they stand."""
    return (*FINAL, "ACCEPTED") if kind.split()[1] in ("protect", "oco") else FINAL
