"""A spot account on the twin, by each way to it; the futures suite has a bench of its own."""

from collections.abc import AsyncIterator

import pytest

from support.spot_bench import WAYS, SpotBench, standing


@pytest.fixture(params=WAYS)
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[SpotBench]:
    async with standing(request.param) as bench:
        yield bench


@pytest.fixture
async def wired() -> AsyncIterator[SpotBench]:
    """Over real HTTP alone, where the way makes no difference."""
    async with standing("wire") as bench:
        yield bench
