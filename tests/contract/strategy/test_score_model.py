"""S3 with a model that is a process of its own: killed, frozen, late, talking nonsense; and what the decision says."""

import asyncio
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import aiohttp
import pytest
from strategy_world import D, Stage, ask, until

from chimera.adapters.scoring import http as model
from chimera.services.strategy.engine import Strategy
from chimera.trading.errors import NotSent
from chimera.trading.ids import Symbol
from chimera.wire.keys import ALERTS
from support.model_server import ANSWERS, Model, model_at_work

pytestmark = [pytest.mark.slow, pytest.mark.req("S3-L2-1")]

BTC = Symbol("BTCUSDT")
PATIENT_MS = 5_000  # what is refused is refused for what it says, not for being late
NONSENSE = {
    **dict.fromkeys(ANSWERS, "of no use"),
    "broken": "status is 500",
    "busy": "status is 503",
    "nothing": "status is 204",
    "redirect": "status is 307",
    "packed": "it is packed",
    "huge/20000": "longer than 16384 bytes",
    "endless": "longer than 16384 bytes",
    "half": "away",
    "no-http": "away",
} | {"deep": "of no use", "nan": "p is nan", "long-version": "version is", "odd-version": "version is"}
GOOD = ("good", "forty-times")  # the second is the decision's to refuse


@pytest.fixture
def process() -> Iterator[Model]:
    with model_at_work() as found:
        yield found


async def scored(url: str, timeout_ms: int = PATIENT_MS) -> Any:
    async with asyncio.timeout(60), model.session() as session:
        return await model.HttpScorer(session, url).score(BTC, {"atr": D("60.50")}, timeout_ms=timeout_ms)


async def test_a_model_is_asked_with_exact_words_and_answers_with_its_version(process: Model) -> None:
    score = await scored(process.url("good"))

    assert (score.p, score.size_mult_ml) == (D("0.7"), D("0.5"))
    assert (score.source, score.version, score.fallback) == ("http", "gbm-2026-11-20", "")
    async with aiohttp.ClientSession() as session, session.get(process.url("asked")) as answer:
        asked = json.loads(await answer.read())
    assert json.loads(asked["body"]) == {"symbol": "BTCUSDT", "features": {"atr": "60.5"}}


@pytest.mark.parametrize("path", sorted(NONSENSE.keys() - GOOD))
async def test_what_is_no_score_is_never_taken_for_one(process: Model, path: str) -> None:
    with pytest.raises(NotSent, match=NONSENSE[path]):
        await scored(process.url(path))


@pytest.mark.parametrize("path", ["hang", "slow/60000"])
async def test_the_time_out_ends_it(process: Model, path: str) -> None:
    with pytest.raises(NotSent, match="did not answer in 1 ms"):
        await scored(process.url(path), timeout_ms=1)


async def test_a_frozen_process_is_a_time_out_and_a_dead_one_is_away(process: Model) -> None:
    process.freeze()
    with pytest.raises(NotSent, match="did not answer in 50 ms"):
        await scored(process.url("good"), timeout_ms=50)
    process.thaw()
    assert (await scored(process.url("good"))).version
    process.kill()
    with pytest.raises(NotSent, match="away"):
        await scored(process.url("good"))


class Desk:
    """A strategy that asks the model; each decision a minute and a half after the one before, so that no alert is held
    back for being a repetition."""

    def __init__(self, stage: Stage, strategy: Strategy) -> None:
        self.stage, self.strategy = stage, strategy

    async def decided(self, **wishes: Any) -> dict[str, Any]:
        self.stage.clock.ms += 90_000
        await self.stage.show()
        answer = await self.strategy.decide(ask(**wishes))
        assert answer.decision == "open", answer.reason
        await until(self._delivered)
        score: dict[str, Any] = answer.explanation["score"]
        return score

    async def alerts(self) -> list[str]:
        return [alert["code"] for alert in await self.stage.streamed(ALERTS)]

    async def health(self) -> tuple[str, dict[str, Any]]:
        told: Any = await self.strategy.health()
        return told["status"], told["checks"]["score"]

    async def _delivered(self) -> bool:
        return self.strategy._dispatcher.pending == 0


@pytest.mark.req("S3-API-1", "S3-PER-1")
async def test_killed_it_is_a_fallback_that_shows_and_an_alert_each_way_however_many_decide(process: Model) -> None:
    async with model.session() as session:
        stage = Stage(S3_SCORE_TIMEOUT_MS=str(PATIENT_MS))
        stage.scorer = model.HttpScorer(session, process.url("good"))
        async with stage.process() as strategy:
            desk = Desk(stage, strategy)
            assert (await desk.decided())["version"] == "gbm-2026-11-20"
            assert await desk.health() == ("ok", {"status": "ok"})

            process.kill()
            fallen = [await desk.decided() for _ in range(4)]
            since_ms = stage.clock.now_ms() - 3 * 90_000
            status, check = await desk.health()

            with model_at_work(process.port):
                again = await desk.decided()
                assert await desk.health() == ("ok", {"status": "ok"})
            codes = await desk.alerts()
            rows = [row["explanation"]["score"] for row in await stage.rows()]  # type: ignore[index]

    assert all((score["p"], score["size_mult_ml"], score["source"]) == ("0.65", "1", "constant") for score in fallen)
    assert all("the model is away" in score["fallback"] for score in fallen)
    assert (status, check["status"], check["since_ms"]) == ("degraded", "down", since_ms)
    assert again["version"] == "gbm-2026-11-20"
    assert codes == ["SCORE_FALLBACK", "SCORE_FALLBACK_OVER"]
    assert [row.get("version", "") for row in rows] == ["gbm-2026-11-20", "", "", "", "", "gbm-2026-11-20"]


@pytest.mark.req("S3-API-4")
async def test_a_dry_run_says_that_it_fell_back_and_leaves_no_level(process: Model) -> None:
    async with model.session() as session:
        stage = Stage(S3_SCORE_TIMEOUT_MS="1")
        stage.scorer = model.HttpScorer(session, process.url("hang"))
        async with stage.process() as strategy:
            desk = Desk(stage, strategy)
            assert "did not answer in 1 ms" in (await desk.decided(dry_run=True))["fallback"]
            assert await desk.health() == ("ok", {"status": "ok"})
            assert await desk.alerts() == []


async def test_a_multiplier_that_nobody_allowed_is_not_believed(process: Model) -> None:
    async with model.session() as session:
        stage = Stage(S3_SCORE_TIMEOUT_MS=str(PATIENT_MS), S3_SCORE_SIZE_MULT_MAX="2")
        stage.scorer = model.HttpScorer(session, process.url("forty-times"))
        async with stage.process() as strategy:
            score = await Desk(stage, strategy).decided()

    assert score["fallback"] == "size_mult_ml 40 is not between 0 and 2"
    assert Decimal(score["size_mult_ml"]) == 1


async def test_the_model_is_told_of_factors_that_can_be_used_alone(process: Model) -> None:
    """A stale factor, or one that is no number, would be a decision on it by another way."""
    async with model.session() as session:
        stage = Stage(S3_SCORE_TIMEOUT_MS=str(PATIENT_MS))
        stage.scorer = model.HttpScorer(session, process.url("good"))
        await stage.show()
        await stage.features(atr=("60", 0), rv=("NaN", 0), old=("1", 60_001))
        async with stage.process() as strategy:
            await strategy.decide(ask(dry_run=True))
        async with aiohttp.ClientSession() as asking, asking.get(process.url("asked")) as answer:
            asked = json.loads(await answer.read())

    assert json.loads(asked["body"])["features"] == {"atr": "60"}
