"""Callers over real HTTP: each intent is posted under its id until it has a final answer, across S4's deaths.

What they hold S4 to: the same id gives the same answer, in flight, finished and after a restart; another body under a
used id is refused; a cancel asked again means the same. What does not hold is kept in ``broken``. Of several routers
each asks the one that it believes to act, and turns as the answers say (``docs/wire.md``), with a client of its own.
"""

import asyncio
import random
import time
from collections.abc import Callable
from decimal import ROUND_DOWN, ROUND_UP, Decimal
from typing import Any, Final

import aiohttp

from chimera.wire.failures import LEASE_LOST, STANDBY
from proofs.real import Document, Stage

CALL: Final = aiohttp.ClientTimeout(total=6)
AGAIN_S: Final = (0.05, 0.4)
LATER: Final = 503  # nothing was started: again with the same ids
UNKNOWN: Final = 500
REFUSED: Final = (400, 404, 409, 422)
STANDS: Final = ("status", "filled_qty", "avg_price", "order_ids", "order_id", "accepted_ms", "done_ms")
NOTIONAL: Final = Decimal(60)  # USDT of the smallest intent
SIDES: Final = ("BUY", "SELL")
TALLIED: Final = (
    "posts", "repeats", "other_bodies", "cancels", "decides", "refused", "in_vain", "stood_by", "lease_lost",
)  # fmt: skip


class Callers:
    """``count`` of them; ``run`` ends when told to and everything asked for has its answer."""

    def __init__(self, stage: Stage, seed: int, count: int, *, s3: bool) -> None:
        self.intended: dict[str, Decimal] = {}  # by client id, of what S4 took
        self.answers: dict[str, Document] = {}  # final, by client id
        self.broken: list[str] = []
        self.tally = dict.fromkeys(TALLIED, 0)
        self.on_post: list[Callable[[], None]] = []
        self._stage = stage
        self._seed = seed
        self._count = count
        self._s3 = s3
        self._stop = asyncio.Event()
        self._bodies: dict[str, Document] = {}
        self._marks: dict[str, Decimal] = {}
        self._rules: dict[str, tuple[Decimal, Decimal]] = {}  # tick, step
        self._urls = [router.url for router in stage.routers]  # the first is believed to act

    async def run(self) -> None:
        """Until ``finish``, and then until each intent has its end."""
        await self._learn()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch_marks())
            for number in range(self._count):
                group.create_task(self._call(number))
            if self._s3:
                group.create_task(self._decide())

    def finish(self) -> None:
        """Begin nothing new."""
        self._stop.set()

    # ── the market, from the control API: it is no part of S4's budget ──

    async def _learn(self) -> None:
        _, info = await self._stage.ask("GET", f"{self._stage.venue_url}/fapi/v1/exchangeInfo")
        for row in info["symbols"]:
            filters = {each["filterType"]: each for each in row["filters"]}
            tick, step = filters["PRICE_FILTER"]["tickSize"], filters["LOT_SIZE"]["stepSize"]
            self._rules[row["symbol"]] = Decimal(tick), Decimal(step)
        await self._look()

    async def _look(self) -> None:
        _, state = await self._stage.ask("GET", f"{self._stage.venue_url}/sim/state")
        self._marks = {symbol: Decimal(str(mark)) for symbol, mark in state["marks"].items() if mark}

    async def _watch_marks(self) -> None:
        while not self._stop.is_set():
            await self._look()
            await asyncio.sleep(0.3)

    # ── intents ──

    async def _call(self, number: int) -> None:
        chance = random.Random(f"{self._seed}:{number}")  # noqa: S311 - a seeded load
        mine: list[str] = []
        made = 0
        while not self._stop.is_set():
            made += 1
            name = f"soak-{number}-{made}"
            self._bodies[name] = self._body(chance, name)
            canceling = asyncio.create_task(self._cancel(chance, name)) if chance.random() < 0.12 else None
            if await self._insist(chance, name):
                mine.append(name)
            if canceling is not None:
                await canceling
            if mine and chance.random() < 0.5:
                await self._repeat(chance, chance.choice(mine[-20:]))
            await asyncio.sleep(chance.uniform(0, 0.6))

    def _body(self, chance: random.Random, name: str) -> Document:
        symbol = chance.choice(self._stage.symbols)
        mark, (tick, step) = self._marks[symbol], self._rules[symbol]
        side = SIDES[int(time.monotonic() / 15) % 2] if chance.random() < 0.9 else chance.choice(SIDES)
        away = 1 if side == "BUY" else -1
        stop = mark * (1 - away * Decimal(chance.randint(6, 60)) / 10_000)
        target = mark * (1 + away * Decimal(chance.randint(5, 50)) / 10_000)
        least = (NOTIONAL / mark / step).to_integral_value(ROUND_UP) * step
        kind = chance.random()
        policy: Document = {"type": "MARKET"}
        if kind > 0.4:
            policy = {"type": "MakerThenTaker", "maker_wait_ms": chance.randint(100, 1_500)}
        if kind > 0.85:
            policy["twap"] = {"slices": chance.randint(2, 3), "gap_ms": chance.randint(200, 900)}
        body: Document = {
            "intent_id": f"i-{name}",
            "client_order_id": name,
            "market": "FUT",
            "symbol": symbol,
            "side": side,
            "qty": str(least * chance.randint(1, 4)),
            "exec_policy": policy,
            "sl": {"price": _on(stop, tick)},
            "max_hold_s": chance.randint(1, 6),
        }
        if chance.random() < 0.6:
            body["tp"] = {"price": _on(target, tick)}
        return body

    async def _insist(self, chance: random.Random, name: str) -> bool:
        """Post it until its answer is final; whether S4 took it."""
        self.intended[name] = Decimal(self._bodies[name]["qty"])
        headers = {"idempotency-key": f"i-{name}"} if chance.random() < 0.5 else {}
        headers |= chance.choice(({}, {}, {"prefer": "respond-async"}, {"prefer": "wait=1"}))
        while True:
            status, row = await self._post(self._bodies[name], headers)
            if status in (200, 202) and row["client_order_id"] != name:
                self.broken.append(f"{name} was answered with {row['client_order_id']}")
            if status == 200 or (status in REFUSED and row.get("intent_id") == f"i-{name}"):
                return self._final(name, row)
            if status in REFUSED:
                self.tally["refused"] += 1
                del self.intended[name]
                return False
            await asyncio.sleep(chance.uniform(*AGAIN_S))

    def _final(self, name: str, row: Document) -> bool:
        self.answers[name] = row
        return True

    async def _repeat(self, chance: random.Random, name: str) -> None:
        """Finished, perhaps many lives of S4 ago: the same answer; and another body is refused."""
        other = chance.random() < 0.3
        body = self._bodies[name]
        if other:
            body = body | {"max_hold_s": body["max_hold_s"] + 1}
        while True:
            status, row = await self._post(body, {})
            if status not in (0, LATER):
                break
            await asyncio.sleep(chance.uniform(*AGAIN_S))
        if other:
            self.tally["other_bodies"] += 1
            if status not in (409, 422):
                self.broken.append(f"{name} with another body was answered {status}")
            return
        self.tally["repeats"] += 1
        first = self.answers[name]
        changed = [field for field in STANDS if row.get(field) != first.get(field)]
        if changed:
            told = {field: (first.get(field), row.get(field)) for field in changed}
            self.broken.append(f"{name} was answered otherwise: {told}")

    async def _cancel(self, chance: random.Random, name: str) -> None:
        """Asked twice, it means the same: an end that stands, or "filled"."""
        await asyncio.sleep(chance.uniform(0, 1.5))
        for _ in range(2):
            status, row = await self._send("/cancel", {"client_order_id": name, "reason": "TIMEOUT"}, {})
            self.tally["cancels"] += 1
            if status not in (0, 200, 202, 404, 409, LATER):
                self.broken.append(f"cancel of {name} was answered {status} {row}")

    async def _post(self, body: Document, headers: Document) -> tuple[int, Any]:
        self.tally["posts"] += 1
        return await self._send("/orders", body, headers)

    async def _send(self, path: str, body: Document, headers: Document) -> tuple[int, Any]:
        """0 where nobody answered, or one that acts no more: whether it was done is not known."""
        for hook in self.on_post:
            hook()
        url = self._urls[0]
        try:
            status, row = await self._stage.ask("POST", url + path, body, headers=headers, timeout=CALL)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            self._turn(url)
            self.tally["in_vain"] += 1
            return 0, None
        if status == LATER and row["code"] == STANDBY:
            self._turn(url, row["accepted"])
            self.tally["stood_by"] += 1
        elif status == UNKNOWN and row["code"] == LEASE_LOST:
            self._turn(url)
            self.tally["lease_lost"] += 1
            return 0, None
        return status, row

    def _turn(self, url: str, to: str | None = None) -> None:
        """Away from ``url``, where nobody has done so meanwhile."""
        if self._urls[0] == url:
            self._urls.append(self._urls.pop(0))
            if to in self._urls:
                self._urls.remove(to)
                self._urls.insert(0, to)

    # ── S3 ──

    async def _decide(self) -> None:
        chance = random.Random(f"{self._seed}:s3")  # noqa: S311 - a seeded load
        while not self._stop.is_set():
            side = SIDES[int(time.monotonic() / 15) % 2]
            body = {"symbol": chance.choice(self._stage.symbols), "sideHint": side}
            try:
                await self._stage.ask("POST", f"{self._stage.s3_url}/decide", body, timeout=CALL)
                self.tally["decides"] += 1
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
                self.tally["in_vain"] += 1
            await asyncio.sleep(chance.uniform(0.8, 2.0))


def _on(price: Decimal, tick: Decimal) -> str:
    return format((price / tick).to_integral_value(ROUND_DOWN) * tick, "f")
