"""Score sources: a constant, and a model over HTTP that may be late or talk nonsense."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal

import aiohttp
import pytest
from aiohttp import web

from chimera.adapters.scoring.constant import ConstantScorer
from chimera.adapters.scoring.http import HttpScorer
from chimera.trading.errors import NotSent
from chimera.trading.ids import Symbol

BTC = Symbol("BTCUSDT")


@pytest.fixture
async def model() -> AsyncIterator[tuple[dict[str, str], HttpScorer]]:
    reply = {"text": ""}

    async def handle(request: web.Request) -> web.Response:
        assert (await request.json())["features"] == {"atr": "60.5"}
        if reply["text"] == "hang":
            await asyncio.Event().wait()
        return web.Response(text=reply["text"], status=500 if reply["text"] == "broken" else 200)

    app = web.Application()
    app.router.add_post("/score", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession() as session:
        yield reply, HttpScorer(session, f"http://127.0.0.1:{runner.addresses[0][1]}/score")
    await runner.cleanup()


@pytest.mark.req("S3-L2-1")
async def test_the_default_is_the_requirement_s_constant() -> None:
    score = await ConstantScorer().score(BTC, {}, timeout_ms=1)

    assert (score.p, score.size_mult_ml, score.source) == (Decimal("0.65"), Decimal(1), "constant")


@pytest.mark.req("S3-L2-1")
async def test_a_model_s_numbers_are_exact(model: tuple[dict[str, str], HttpScorer]) -> None:
    reply, scorer = model
    reply["text"] = '{"p": 0.7, "size_mult_ml": 0.1, "version": "v9"}'

    score = await scorer.score(BTC, {"atr": Decimal("60.5")}, timeout_ms=1000)

    assert (score.p, score.size_mult_ml, score.version) == (Decimal("0.7"), Decimal("0.1"), "v9")


@pytest.mark.req("S3-L2-1")
@pytest.mark.parametrize(
    "text", ["hang", "broken", "{", "[]", '{"p": 2, "size_mult_ml": 1}', '{"p": NaN, "size_mult_ml": 1}', '{"p": "x"}']
)
async def test_no_answer_to_use_is_not_sent(model: tuple[dict[str, str], HttpScorer], text: str) -> None:
    reply, scorer = model
    reply["text"] = text

    with pytest.raises(NotSent):
        await scorer.score(BTC, {"atr": Decimal("60.5")}, timeout_ms=50)
