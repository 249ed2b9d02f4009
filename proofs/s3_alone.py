"""S3 as it runs, with a router that answers at once: what is timed is the decision, its record and the wire.

The router says no, so that nothing of one decision stands in the next one's way: taken, each would hold a promise for
some twenty seconds, and a thousand of them stand in the last row and in its table. While a file ``take`` lies beside
``--swap`` it says yes; what a decision costs beside many promises is measured so.

Its stores are those of the product, SQLite, synced, and Redis; so are its logs. This process writes the board itself,
as feed and router do, with room for every entry. While ``--swap FILE`` exists, one bundle after the other is activated
without a pause: each a revision of its own, written, read back, compiled and swapped.
"""

import argparse
import asyncio
import random
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from chimera.adapters.embedded.ledger import SqliteLedger
from chimera.adapters.scoring.constant import ConstantScorer
from chimera.ports.intents import OrderAnswer
from chimera.ports.streams import Bus
from chimera.services import logs, serving
from chimera.services.clock import SystemClock
from chimera.services.stores import open_bus
from chimera.services.strategy.bundles import Offered
from chimera.services.strategy.demo import demo_bundle, ensure_demo_bundle
from chimera.services.strategy.engine import Strategy
from chimera.services.strategy.http import build_app
from chimera.services.strategy.settings import read_settings
from chimera.trading.budget import MarketBudget, RiskBudget
from chimera.trading.decision import Feature
from chimera.trading.errors import Refused
from chimera.trading.ids import DEFAULT_ACCOUNT
from chimera.trading.intent import Intent
from chimera.trading.market import Market
from chimera.trading.money import Price, Qty, Quote
from chimera.trading.venue import FeeRates
from chimera.wire import codec
from chimera.wire.board import FeatureBoard, TickBoard
from chimera.wire.budget import budget_document
from chimera.wire.keys import features_key, risk_budget_key, tick_key

SYMBOL: Final = "BTCUSDT"
BUNDLES: Final = ("swap-a", "swap-b")
BOARD_S: Final = 0.2
PLENTY: Final = Quote(Decimal(10**9))
FACTORS: Final = {"atr": "60", "funding_next_abs": "0.0001", "funding_rate": "0.0001", "rv_pctile_30d": "0.2"}


class AtOnce:
    """``chimera.ports.intents.IntentSink`` that refuses everything, or takes it while a file is there."""

    def __init__(self, takes: Path) -> None:
        self._takes = takes

    async def submit(self, intent: Intent) -> OrderAnswer:
        if not self._takes.exists():
            raise Refused("NOT_READY", "this router only says no")
        return OrderAnswer(result="OK", status="ACCEPTED", order_id="o", client_order_id=intent.client_order_id)


async def serve(folder: Path, redis: str, swap: Path) -> None:
    settings = read_settings({"S3_SYMBOLS": SYMBOL, "S3_CONCURRENT_ENTRIES_PER_MARKET": "1000"})
    clock = SystemClock()
    ledger = await SqliteLedger.open(folder / "s3.sqlite")
    await ensure_demo_bundle(ledger)
    async with open_bus((redis,), folder / "redis") as bus:
        strategy = Strategy(
            ledger=ledger,
            bus=bus,
            clock=clock,
            score=ConstantScorer(Decimal("0.65"), Decimal(1)),
            router=AtOnce(swap.with_name("take")),
            settings=settings,
            rng=random.SystemRandom(),
        )

        async def work() -> None:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_keep_board(bus, clock))
                tasks.create_task(strategy.run())
                tasks.create_task(_keep_swapping(strategy, swap))

        bound = serving.listen("s3", "127.0.0.1", 0)
        stop = serving.told_to_stop()
        await serving.serve_app(build_app(strategy), bound, work(), stop=stop, ready=_say)
    await ledger.close()


def _say(address: str) -> None:
    serving.say_ready("s3", address=address)


async def _keep_board(bus: Bus, clock: SystemClock) -> None:
    share = MarketBudget(
        fees=FeeRates(maker=Decimal("0.0002"), taker=Decimal("0.0005")),
        remaining_margin_usdt=PLENTY,
        remaining_notional_usdt=PLENTY,
    )
    bid, ask = Price(Decimal(65_800)), Price(Decimal(65_801))
    while True:
        now = clock.now_ms()
        values = {**FACTORS, "rho_usdttwd_14": "-0.4"}
        features = {name: Feature(value=Decimal(value), at_ms=now) for name, value in values.items()}
        budget = RiskBudget(
            account_id=DEFAULT_ACCOUNT, at_ms=now, remaining_loss_usdt=PLENTY, markets=dict.fromkeys(Market, share)
        )
        touch: dict[str, Any] = {"bid": bid, "bid_qty": Qty(Decimal(1)), "ask": ask, "ask_qty": Qty(Decimal(1))}
        spread = (ask - bid) / bid * 10_000
        tick = TickBoard(symbol=SYMBOL, at_ms=now, mid=bid, spread_bps=spread, **touch)
        await bus.put(tick_key(SYMBOL), codec.encode(tick))
        await bus.put(features_key(SYMBOL), codec.encode(FeatureBoard(symbol=SYMBOL, at_ms=now, features=features)))
        await bus.put(risk_budget_key(DEFAULT_ACCOUNT), budget_document(budget))
        await asyncio.sleep(BOARD_S)


async def _keep_swapping(strategy: Strategy, asked: Path) -> None:
    """While the file is there. Revisions that were made stand in the file ``swapped`` beside it."""
    while not await strategy.ready():  # noqa: ASYNC110  # it tells no event
        await asyncio.sleep(BOARD_S)
    demo = demo_bundle()
    by = strategy.bundles.signed("bench", "swaps without a pause")
    for bundle_id in BUNDLES:
        offered = Offered(bundle_id=bundle_id, rules=demo["rules"], bounds=demo["bounds"])
        await strategy.bundles.create(offered, by)
    made = 0
    while True:
        if asked.exists():  # noqa: ASYNC240  # a look at one name, in a bench
            await strategy.bundles.activate(BUNDLES[made % 2], by)
            made += 1
            asked.with_name("swapped").write_text(str(made), encoding="ascii")
        else:
            await asyncio.sleep(BOARD_S)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--redis", required=True)
    parser.add_argument("--swap", type=Path, required=True)
    told = parser.parse_args()
    logs.to_stderr("s3-strategy")
    serving.run(lambda: serve(told.folder, told.redis, told.swap))


if __name__ == "__main__":
    main()
