"""A dry run leaves nothing: everything in a real Redis and in the ledger's file, before and after, is the same."""

import asyncio
import os
import signal
import sqlite3
from collections.abc import AsyncIterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from strategy_world import Stage, ask, until

from chimera.adapters.embedded.ledger import SqliteLedger
from chimera.adapters.embedded.server import EmbeddedRedis
from chimera.adapters.redis.bus import connect
from chimera.services.clock import SystemClock
from chimera.services.strategy.engine import Strategy
from chimera.trading.decision import Score
from chimera.trading.errors import NotSent
from chimera.trading.ids import Symbol
from chimera.wire.decisions import BatchRequest
from chimera.wire.keys import (
    ORDERS_INTENT,
    features_key,
    position_lock_key,
    risk_budget_key,
    tick_key,
)

pytestmark = [pytest.mark.req("S3-API-3", "S3-API-4"), pytest.mark.slow]


class NoModel:
    async def score(self, symbol: Symbol, features: Mapping[str, Decimal], *, timeout_ms: int) -> Score:
        raise NotSent("the model is away")


class Real(Stage):
    """The stage on a Redis and a ledger of its own, by the wall's clock."""

    def __init__(self, folder: Path, redis: EmbeddedRedis, ledger: SqliteLedger, **environ: str) -> None:
        super().__init__(**environ)
        self.file = folder / "s3.sqlite"
        self.clock = SystemClock()  # type: ignore[assignment]  # nobody moves it here
        self.redis = redis
        self.ledger = ledger  # type: ignore[assignment]
        self.bus = connect(redis.unix_address)  # type: ignore[assignment]
        self.server = Redis(unix_socket_path=redis.unix_address.removeprefix("unix:"))

    def in_redis(self) -> dict[str, Any]:
        """Every key: what stands there and when it goes; and how many changes the server has ever made."""
        told = self.server.info("persistence")
        found: dict[str, Any] = {"changes": told["rdb_changes_since_last_save"]}  # type: ignore[index]
        for key in self.server.scan_iter(count=1_000):
            kind = self.server.type(key)
            if kind == b"stream":
                groups = [(each["name"], each["pending"], each["last-delivered-id"])
                          for each in self.server.xinfo_groups(key)]  # fmt: skip
                content: Any = (self.server.xrange(key), self.server.xinfo_stream(key)["last-generated-id"], groups)
            else:
                content = self.server.dump(key)
            found[key.decode()] = (kind, content, self.server.pexpiretime(key))
        return found

    def in_ledger(self) -> list[str]:
        """Every table and row of the file."""
        with sqlite3.connect(self.file) as file:
            return list(file.iterdump())


@pytest.fixture
async def real(tmp_path: Path) -> AsyncIterator[Real]:
    redis = await EmbeddedRedis.start(tmp_path / "redis")
    ledger = await SqliteLedger.open(tmp_path / "s3.sqlite")
    stage = Real(tmp_path, redis, ledger, S3_SYMBOLS="BTCUSDT,ETHUSDT", S3_TOUCH_MAX_AGE_MS="600000",
                 S3_BUDGET_MAX_AGE_MS="600000", S3_FEATURE_MAX_AGE_MS="600000")  # fmt: skip
    await stage.show()
    yield stage
    await stage.bus.close()
    stage.server.close()
    await ledger.close()
    await redis.stop()


async def at_rest(stage: Real) -> None:
    """What S3 does at its start is done."""
    before = None
    async with asyncio.timeout(20):
        while before != (before := (stage.in_redis(), stage.in_ledger())):  # noqa: ASYNC110 - stores, of which nobody tells
            await asyncio.sleep(0.3)


BATCH = [
    {"symbol": "BTCUSDT", "sideHint": "BUY", "dry_run": True},
    {"symbol": "BTCUSDT", "sideHint": "SELL", "dry_run": True, "explain": True},
    {"symbol": "BTCUSDT", "sideHint": "BUY", "dry_run": True, "context": {"rv_pctile_30d": "0.9"}},
    {"symbol": "ETHUSDT", "dry_run": True},  # of which nothing is shown
    {"symbol": "XRPUSDT", "dry_run": True},  # not decided on here
    {"symbol": "BTCUSDT", "dry_run": True, "context": {"no_such": "1"}},
]


async def every_dry_run(strategy: Strategy) -> list[str]:
    """Alone, in a batch, many at once; what came of the batch."""
    answers = await asyncio.gather(*(strategy.decide(ask(dry_run=True)) for _ in range(20)))
    assert {answer.signal_id for answer in answers} == {None}
    assert (await strategy.decide(ask(dry_run=True, explain=True))).dry_run
    batch = await strategy.decide_batch(BatchRequest.model_validate({"requests": BATCH}))
    return [str(each.get("decision", each.get("code"))) for each in batch.results]


def same(before: tuple[dict[str, Any], list[str]], after: tuple[dict[str, Any], list[str]]) -> None:
    assert {key: value for key, value in after[0].items() if before[0].get(key) != value} == {}
    assert before[0].keys() == after[0].keys()
    assert before[1] == after[1]


async def test_dry_runs_leave_both_stores_as_they_were(real: Real) -> None:
    async with real.process() as strategy:
        await at_rest(real)
        before = real.in_redis(), real.in_ledger()
        assert await every_dry_run(strategy) == ["open", "open", "skip", "skip", "UNKNOWN_SYMBOL", "UNKNOWN_FACTOR"]
        same(before, (real.in_redis(), real.in_ledger()))
        assert real.router.got == []
        assert (await strategy.decide(ask())).decision == "open", "and hold no budget, lock or id back"
        await until(lambda: asyncio.sleep(0.01, ORDERS_INTENT in real.in_redis()))
        after = real.in_redis(), real.in_ledger()
    assert after[0].keys() - before[0].keys() >= {ORDERS_INTENT}
    assert any(key.startswith("idem:order:") for key in after[0])
    assert len(after[1]) > len(before[1])


@pytest.mark.req("S3-ALR-1")
async def test_a_dry_run_alerts_nobody_of_what_is_wrong(real: Real) -> None:
    """A model that is away, a board that cannot be read, a thing that is missing: the answer says so, and it alone."""
    real.scorer = NoModel()
    for key in (features_key("BTCUSDT"), tick_key("ETHUSDT")):
        await real.bus.put(key, b"not a document")
    async with real.process() as strategy:
        await at_rest(real)
        before = real.in_redis(), real.in_ledger()
        await every_dry_run(strategy)
        await asyncio.sleep(0.5)
        same(before, (real.in_redis(), real.in_ledger()))
        assert (await strategy.decide(ask())).decision == "skip"
        await until(lambda: asyncio.sleep(0.01, not real.server.exists(position_lock_key("BTCUSDT"))))
        assert real.in_redis().keys() - before[0].keys() == {"alerts"} | _seen(real)


def _seen(stage: Real) -> set[str]:
    return {key.decode() for key in stage.server.scan_iter("{alerts}*")}


async def test_with_the_budget_away_a_dry_run_leaves_nothing_either(real: Real) -> None:
    real.server.delete(risk_budget_key("main"))
    async with real.process() as strategy:
        await at_rest(real)
        before = real.in_redis(), real.in_ledger()
        await every_dry_run(strategy)
        same(before, (real.in_redis(), real.in_ledger()))
        assert real.server.exists(position_lock_key("BTCUSDT")) == 0


@pytest.mark.req("S3-API-1")
async def test_what_is_away_shows_at_health_and_comes_back(real: Real) -> None:
    async with real.process() as strategy:
        assert await strategy.ready()
        assert real.redis.pid is not None
        os.kill(real.redis.pid, signal.SIGSTOP)
        told: Any = await strategy.health()
        assert (told["status"], told["checks"]["redis"]["status"]) == ("degraded", "down")
        assert told["checks"]["document_store"]["status"] == "ok"
        assert not await strategy.ready()
        os.kill(real.redis.pid, signal.SIGCONT)
        await until(strategy.ready)
        told = await strategy.health()
        assert (told["status"], told["checks"]["redis"]["status"]) == ("ok", "ok")
