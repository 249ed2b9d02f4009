"""An order's whole store work, from the intent on the stream to the position's last row: what each store's share takes.

A desk's reducer works an order (entry, fill, stop, close) and S4's own relay tells of it; the ledger is SQLite, synced
as in production. Orders go by turns over one Redis and over a Cluster, so that a busy machine is busy for both.

Run: ``python tests/bench/bench_order_stores.py``. Prints, asserts nothing; ``measure`` is for the proof.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from chimera.adapters.embedded.ledger import SqliteLedger
from chimera.adapters.redis.bus import connect
from chimera.ports.ledger import Claim
from chimera.ports.streams import Bus
from chimera.services.router.relay import Relay
from chimera.trading.facts import CloseAsked, Found, Published
from chimera.trading.ids import AccountId
from chimera.trading.order import Role, Status
from chimera.wire import keys
from chimera.wire.intents import intent_record
from proofs.shards import alone, shards
from support.desk import KEY, Desk, an_intent

ORDERS: Final = 50  # over each
EACH: Final = 25  # of one position, which remembers its orders
WARM: Final = 5
SIDES: Final = ("single", "cluster")


class Share(NamedTuple):
    """Of an order's calls to one store: milliseconds, and how many they are."""

    p50_ms: float
    p99_ms: float
    calls: int


class Timed:
    """A store whose calls are timed, one after another or at once: time during which at least one was under way."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.spent_s = 0.0
        self.calls = 0
        self._under_way = 0
        self._since_s = 0.0

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        whole = getattr(self._store, name)

        async def timed(*words: Any, **terms: Any) -> Any:
            self.calls += 1
            if not self._under_way:
                self._since_s = time.perf_counter()
            self._under_way += 1
            try:
                return await whole(*words, **terms)
            finally:
                self._under_way -= 1
                if not self._under_way:
                    self.spent_s += time.perf_counter() - self._since_s

        return timed


class Book:
    """One position, whose orders go over one bus; saved and told as its owner does it."""

    def __init__(self, name: str, ledger: Any, bus: Bus) -> None:
        self.ledger, self.bus = Timed(ledger), Timed(bus)
        self._name = name
        self._desk = Desk()
        self._desk.holding = self._desk.holding.but(key=KEY.but(account=AccountId(name)))
        self._relay: Any = Relay(self.ledger, self.bus)  # type: ignore[arg-type]  # each call is passed on
        self._rev = self._fence = 0

    async def order(self, number: int) -> None:
        """S3 hands it over, S4 takes it, enters, protects, closes, and tells all of it."""
        intent = an_intent(f"{self._name}-{number}")
        lock, token = keys.position_lock_key(f"{intent.symbol}:{self._name}"), f"t{number}"
        await self.bus.acquire(lock, token, 3_000)
        await self.bus.remember(keys.idempotency_key(intent.client_order_id), "RESERVED", 3_600_000)
        await self.bus.publish(keys.ORDERS_INTENT, intent.intent_id, intent_record(intent))
        await self.bus.release(lock, token)
        entries = await self.bus.read(keys.ORDERS_INTENT, "s4", "bench", count=10, block_ms=1_000)
        claims = (f"intent:{intent.intent_id}", f"order:{intent.client_order_id}")
        asked = (Claim(id=each, intent_id=intent.intent_id, body_hash="h", at_ms=self._desk.now) for each in claims)
        await asyncio.gather(*map(self.ledger.claim, asked))
        await self.bus.ack(keys.ORDERS_INTENT, "s4", [entry.id for entry in entries])
        await self._work(lambda desk: desk.submit(intent))
        await self._work(lambda desk: desk.fill(desk.placed(Role.TAKER), "0.01"))
        await self._work(lambda desk: desk.ack(desk.placed(Role.STOP)))
        await self._work(lambda desk: desk.hear(CloseAsked(reason="bench")))
        await self._work(lambda desk: desk.fill(desk.placed(Role.EXIT), "0.01"))
        stop = self._desk.placed(Role.STOP)
        await self._work(lambda desk: desk.hear(Found(order=desk.word(stop, Status.CANCELED))))

    async def _work(self, step: Callable[[Desk], object]) -> None:
        """A step of the order: decided, on disk, told."""
        desk = self._desk.later(50)
        step(desk)
        if not self._fence:
            self._fence = await self.ledger.fence(desk.holding.key, "bench")
        self._rev = await self.ledger.save(desk.holding, rev=self._rev, fence=self._fence)
        if events := desk.holding.outbox:
            kept = await asyncio.gather(*(self._relay.keep(desk.holding.key, event) for event in events))
            await self._relay.spread([news for of_event in kept for news in of_event])
            desk.hear(Published(through=events[-1].seq))


async def _side(ledger: SqliteLedger, bus: Bus, name: str, number: int, books: dict[str, Book]) -> tuple[Book, float]:
    """An order over this bus, and how long the whole of it took."""
    called = f"{name}{number // EACH}"
    book = books.get(called) or books.setdefault(called, Book(called, ledger, bus))
    began = time.perf_counter()
    await book.order(number)
    return book, (time.perf_counter() - began) * 1000


async def _orders(folder: Path, addresses: dict[str, str]) -> dict[str, Share]:
    ledgers = {name: await SqliteLedger.open(folder / f"{name}.sqlite") for name in SIDES}
    buses = {name: connect(addresses[name]) for name in SIDES}
    taken: defaultdict[str, list[float]] = defaultdict(list)
    calls: dict[str, int] = {}
    books: dict[str, Book] = {}
    for number in range(WARM + ORDERS):
        for name in SIDES if number % 2 else SIDES[::-1]:
            book, whole_ms = await _side(ledgers[name], buses[name], name, number, books)
            for store, timed in ((f"sqlite beside {name}", book.ledger), (f"redis {name}", book.bus)):
                if number >= WARM:
                    taken[store].append(timed.spent_s * 1000)
                    calls[store] = timed.calls
                timed.spent_s, timed.calls = 0.0, 0
            if number >= WARM:
                taken[f"whole order, {name}"].append(whole_ms)
    for name in SIDES:
        await buses[name].close()
        await ledgers[name].close()
    return {
        store: Share(
            round(statistics.median(found), 2), round(sorted(found)[len(found) * 99 // 100], 2), calls.get(store, 0)
        )
        for store, found in taken.items()
    }


def measure() -> dict[str, Share]:
    with tempfile.TemporaryDirectory(prefix="order-stores-") as name:
        folder = Path(name)
        with alone(folder / "alone") as single, shards(folder / "six") as six:
            return asyncio.run(_orders(folder, {"single": single.address, "cluster": six.addresses}))


if __name__ == "__main__":
    for what, share in measure().items():
        print(f"{what:<28} p50 {share.p50_ms:>8.2f} ms   p99 {share.p99_ms:>8.2f} ms   {share.calls:>4} calls")
