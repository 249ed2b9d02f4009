"""S3, S4, the feed and the simulated exchange as they are served, over real HTTP, on a market that moves by hand."""

import asyncio
import json
import math
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import aiohttp

from chimera.adapters.binance.hosts import Hosts
from chimera.adapters.embedded.ledger import SqliteLedger
from chimera.adapters.embedded.server import EmbeddedRedis, free_port
from chimera.adapters.redis.bus import connect
from chimera.services.feed import main as feed
from chimera.services.feed.settings import FIXTURE_FACTORS, FeedSettings
from chimera.services.router import main as router
from chimera.services.router import settings as router_settings
from chimera.services.simulator.server import SimulatorServer
from chimera.services.simulator.settings import SimulatorSettings
from chimera.services.strategy import main as strategy
from chimera.services.strategy import settings as strategy_settings
from chimera.tape.beside import Placed
from chimera.trading.market import DepthChanged, Level, Marked, Market, TopOfBook
from chimera.trading.money import Millis, Price, Qty

D = Decimal
PATIENCE_S: Final = 30.0
BEAT_S: Final = 0.05
SYMBOL: Final = "BTCUSDT"
Document = dict[str, Any]


class HandMarket:
    """Both markets of one symbol, shown again and again so that nothing of them is stale."""

    def __init__(self) -> None:
        self.bids = {Market.FUT: D("65800.0"), Market.SPOT: D("65790.00")}
        self.spread = {Market.FUT: D("0.1"), Market.SPOT: D("0.01")}
        self.wobble = D(0)  # up and down again, beat by beat
        self.size = {Market.FUT: D(20), Market.SPOT: D(20)}

    async def events(self) -> AsyncIterator[Placed]:
        beat = 0
        began_ns = time.monotonic_ns()
        while True:
            at_us = 1_800_000_000_000_000 + (time.monotonic_ns() - began_ns) // 1_000  # however late the loop is
            beat += 1
            for market, quoted in self.bids.items():
                bid = quoted + self.wobble * (beat % 2)
                ask, size = bid + self.spread[market], Qty(self.size[market])
                sides = {"bids": (Level(price=Price(bid), qty=size),), "asks": (Level(price=Price(ask), qty=size),)}
                yield market, DepthChanged(symbol=SYMBOL, at_us=at_us, snapshot=True, **sides)
                yield (
                    market,
                    TopOfBook(symbol=SYMBOL, at_us=at_us, bid=Price(bid), bid_qty=size, ask=Price(ask), ask_qty=size),
                )
            mark = Price(self.bids[Market.FUT])
            yield (
                Market.FUT,
                Marked(
                    symbol=SYMBOL, at_us=at_us, mark=mark, index=mark, funding_rate=D("0.0001"),
                    next_funding_ms=Millis(2_000_000_000_000),
                ),
            )  # fmt: skip
            await asyncio.sleep(BEAT_S)


class WholeHouse:
    """Made by ``whole_house``."""

    def __init__(
        self,
        folder: Path,
        redis: EmbeddedRedis,
        factors: Mapping[str, Decimal],
        settings: Mapping[str, str],
        s3: Mapping[str, str],
        tls: ssl.SSLContext | None,
    ) -> None:
        self.folder = folder
        self.market = HandMarket()
        self._factors = factors
        self._settings = settings
        self._settings_of_s3 = s3
        self.redis = redis
        scheme = "http" if tls is None else "https"
        self.s3, self.s4 = (f"{scheme}://127.0.0.1:{free_port()}" for _ in range(2))
        self.feed = f"http://127.0.0.1:{free_port()}"
        self.http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls or True))
        told = SimulatorSettings(port=0, spot_port=0, speed=math.inf)
        self.simulator = SimulatorServer(told, self.market.events())
        self._stop = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        await self.simulator.start()
        venue, spot = (f"http://127.0.0.1:{each[1]}" for each in (self.simulator.address, self.simulator.spot_address))
        stores = self.redis.unix_address
        s4 = {
            "S4_FUT_URL": venue,
            "S4_SPOT_URL": spot,
            "S4_SPOT_SYMBOLS": SYMBOL,
            "S4_REDIS_ADDRESSES": stores,
            "S4_LEDGER_PATH": str(self.folder / "s4.sqlite"),
            "S4_RECEIPT_KEY_PATH": str(self.folder / "receipt.key"),
            "PORT": _port(self.s4),
            **self._settings,
        }
        s3 = {
            "S3_S4_URL": self.s4,
            "S3_REDIS_ADDRESSES": stores,
            "S3_LEDGER_PATH": str(self.folder / "s3.sqlite"),
            "PORT": _port(self.s3),
            **self._settings_of_s3,
        }
        of_feed = FeedSettings(constants={**FIXTURE_FACTORS, **self._factors}, atr_bar_ms=100)
        hosts = [Hosts(name="sim", rest=each, streams="ws" + each.removeprefix("http")) for each in (venue, spot)]
        self._begin(
            feed.serve(
                hosts[0], [SYMBOL], [stores], stop=self._stop, embedded_dir=self.folder, settings=of_feed,
                spot=feed.Spot(hosts=hosts[1], symbols=(SYMBOL,)), port=int(_port(self.feed)),
            )
        )  # fmt: skip
        self._begin(router.serve(router_settings.load(s4), stop=self._stop))
        settings = strategy_settings.read_settings(s3)
        self._begin(strategy.serve(settings, stop=self._stop, venue_url=venue))
        for url in (self.s4, self.s3):
            await self.until(lambda url=url: self._ready(url), bool)
        await self.until(lambda: self.ask("GET", "/health"), lambda told: not told[1]["barriers"])

    def _begin(self, work: Any) -> None:
        self._tasks.append(asyncio.create_task(work))

    async def _ready(self, url: str) -> bool:
        for task in self._tasks:
            if task.done():
                task.result()
        try:
            return (await self.ask("GET", "/ready", at=url))[0] == 200
        except aiohttp.ClientError:
            return False

    async def close(self) -> None:
        self._stop.set()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.http.close()
        await self.simulator.stop()

    # ── asking ──

    async def ask(self, method: str, path: str, body: object = None, *, at: str | None = None) -> tuple[int, Any]:
        data = None if body is None else json.dumps(body).encode()
        head = {"content-type": "application/json"}
        async with self.http.request(method, (at or self.s4) + path, data=data, headers=head) as answer:
            return answer.status, json.loads(await answer.read() or b"null")

    async def order(self, name: str) -> Document:
        row: Document = (await self.ask("GET", f"/orders/{name}"))[1]
        return row

    async def until(self, ask: Callable[[], Any], good: Callable[[Any], bool]) -> Any:
        """Asked again until it is good; raises ``TimeoutError``."""
        told: Any = None
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not good(told := await ask()):  # noqa: ASYNC110 - another's state, over HTTP
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise TimeoutError(f"not in {PATIENCE_S:g} s; the last was {told}") from None
        return told

    async def row(self, market: Market) -> Document:
        """Of the position."""
        rows = (await self.ask("GET", "/positions"))[1]["positions"]
        return next(row for row in rows if row["market"] == market)

    # ── the venue ──

    def quote(self, market: Market, bid: Decimal) -> None:
        self.market.bids[market] = bid

    async def fault(self, name: str, **more: Any) -> None:
        url = f"http://127.0.0.1:{self.simulator.address[1]}"
        status, told = await self.ask("POST", "/sim/faults", {"name": name, **more}, at=url)
        assert status == 200, told

    async def at_venue(self) -> Document:
        """The account's positions and orders there."""
        url = f"http://127.0.0.1:{self.simulator.address[1]}"
        account: Document = (await self.ask("GET", "/sim/state", at=url))[1]["accounts"]["main"]
        return account

    # ── what is kept ──

    async def stream(self, name: str) -> list[Document]:
        """All of its records."""
        bus = connect(self.redis.unix_address)
        try:
            entries = await bus.tail(name, after="0-0", count=1_000, block_ms=10)
        finally:
            await bus.close()
        return [json.loads(entry.fields["data"]) for entry in entries]

    async def kept(self, collection: str, **where: Any) -> list[Document]:
        """Rows of S4's ledger; only once the house is closed."""
        ledger = await SqliteLedger.open(self.folder / "s4.sqlite")
        try:
            return [dict(row) for row in await ledger.find(collection, where=where, newest=1_000)]
        finally:
            await ledger.close()


def _port(url: str) -> str:
    return url.rpartition(":")[2]


@asynccontextmanager
async def whole_house(
    folder: Path,
    settings: Mapping[str, str] | None = None,
    s3: Mapping[str, str] | None = None,
    tls: ssl.SSLContext | None = None,
    begun: Callable[[WholeHouse], None] = lambda house: None,
    **factors: Decimal,
) -> AsyncIterator[WholeHouse]:
    """Everything up and ready; all of it is stopped. ``settings``: more of S4's; ``s3``: more of S3's.

    ``tls``: how both are asked where they are told to serve HTTPS. ``begun`` hears of the house before it is up.
    ``factors``: what no market shows, as the feed is to tell it.
    """
    redis = await EmbeddedRedis.start(folder / "redis")
    house = WholeHouse(folder, redis, factors, settings or {}, s3 or {}, tls)
    begun(house)
    try:
        await house.open()
        yield house
    finally:
        await house.close()
        await redis.stop()
