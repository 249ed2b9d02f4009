"""Many accounts of many positions on one machine: every router killed at once, and started again at once.

The venue tells limits so large that none is met (``proofs.stamped``): by Binance's own, 2,400 of weight a minute for
one address, a thousand positions behind one address could not be asked for within minutes, whoever asks. What is timed
is the machine's and the routers' part, as if each account had an address. Positions and their stops are made by hand
beside S4, with names of S4's kind, and taken over by a first life, so that the second finds them in its ledger.
"""

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from chimera.adapters.binance.account import open_futures
from chimera.adapters.binance.hosts import hosts_named
from chimera.adapters.binance.http import AiohttpTransport
from chimera.adapters.embedded.server import EmbeddedRedis, free_port
from chimera.services.clock import SteadyClock, SystemClock
from chimera.trading.ids import ClientOrderId, Symbol
from chimera.trading.market import Side
from chimera.trading.money import Price, Qty
from chimera.trading.order import NewOrder, OrderType
from proofs.real import Document, Service, Stage, stage

QTY: Final = Qty(Decimal("0.2"))
BALANCE: Final = "100000"
PATIENCE_S: Final = 300.0
PLACE_MS: Final = 10_000
POLL_S: Final = 0.1
LEGS: Final = {OrderType.STOP_MARKET: ("s1", Decimal("0.97")), OrderType.TAKE_PROFIT_MARKET: ("p1", Decimal("1.05"))}


async def recovered(accounts: int, positions: int, folder: Path) -> dict[str, Any]:
    """How long until the last of them knows all its positions, and what the venue says of it."""
    symbols = [f"S{number:03d}USDT" for number in range(positions)]
    names = [f"account-{number}" for number in range(accounts)]
    path = folder / "accounts.json"
    path.write_text(json.dumps([{"name": name, "api_key": name, "secret": name, "balance": BALANCE} for name in names]))
    async with stage(folder, symbols, limits=False, more=("--accounts", str(path)), venue="proofs.stamped") as house:
        await asyncio.gather(*(_open(house, name) for name in names))
        async with _routers(house, names) as routers:
            await _started(house, routers)
            before = await _held(house, names)
            await asyncio.gather(*(router.kill() for router in routers))
            ready_s = await _started(house, routers)
            after = await _held(house, names)
    return {
        "accounts": accounts,
        "positions": sum(len(held) for held, _ in after),
        "stops_and_targets": sum(len(algos) for _, algos in after),
        "as_before": before == after,
        "first_ready_s": round(min(ready_s), 2),
        "last_ready_s": round(max(ready_s), 2),
    }


@asynccontextmanager
async def _routers(house: Stage, names: Sequence[str]) -> AsyncIterator[list[Service]]:
    """One for each account, with a ledger and a Redis of its own; the Redis outlives it."""
    async with AsyncExitStack() as open_:
        routers = []
        for name in names:
            folder = house.folder / name
            redis = await EmbeddedRedis.start(folder / "redis")
            open_.push_async_callback(redis.stop)
            own = {
                "S4_BINANCE_KEY": name,
                "S4_BINANCE_SECRET": name,
                "S4_REDIS_ADDRESSES": redis.unix_address,
                "S4_LEDGER_PATH": str(folder / "s4.sqlite"),
                "S4_RECEIPT_KEY_PATH": str(folder / "receipt.key"),
                "PORT": str(free_port()),
            }
            router = house.router(name, **own)
            open_.push_async_callback(router.stop)
            routers.append(router)
        yield routers


async def _started(house: Stage, routers: Sequence[Service]) -> list[float]:
    """All at once; how long until each was ready: all its positions have the venue's word."""
    began = time.monotonic()

    async def ready(router: Service) -> float:
        await router.wait_ready(PATIENCE_S)
        async with asyncio.timeout(PATIENCE_S):
            while not await house.is_ready(router.url):  # noqa: ASYNC110 - another process
                await asyncio.sleep(POLL_S)
        return time.monotonic() - began

    await asyncio.gather(*(router.start() for router in routers))
    return await asyncio.gather(*map(ready, routers))


async def _open(house: Stage, name: str) -> None:
    """A position on each symbol, with a stop and a target, by somebody who has the account's key."""
    hosts = hosts_named("sim", rest=house.venue_url, streams=house.venue_url.replace("http", "ws", 1))
    account = open_futures(AiohttpTransport(hosts), name, name, SteadyClock(SystemClock()), jitter=random.Random(1))  # noqa: S311
    try:
        await account.rulebook.server_offset_ms()
        await account.rulebook.instruments()  # the venue's limits come with them
        for symbol in map(Symbol, house.symbols):
            mark = await account.rulebook.mark(symbol)
            bought = NewOrder(
                ref=ClientOrderId(f"hand-{symbol}"), symbol=symbol, side=Side.BUY, type=OrderType.MARKET, qty=QTY
            )
            legs = [
                bought.but(
                    ref=ClientOrderId(f"hand-{symbol}-{step}"),
                    side=Side.SELL,
                    type=kind,
                    trigger_price=Price((mark * share).quantize(Decimal("0.01"))),
                    reduce_only=True,
                )
                for kind, (step, share) in LEGS.items()
            ]
            for order in (bought, *legs):
                await account.venue.place(order, timeout_ms=PLACE_MS)
    finally:
        await account.close()


async def _held(house: Stage, names: Sequence[str]) -> list[tuple[Document, list[str]]]:
    """Of each account: what is held of each symbol, and the names of stops and targets."""
    _, state = await house.ask("GET", f"{house.venue_url}/sim/state")
    held = [state["accounts"][name] for name in names]
    return [(account["positions"], sorted(account["open_algos"])) for account in held]
