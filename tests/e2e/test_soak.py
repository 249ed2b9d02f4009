"""The soak of real processes, short: a handful of kills under load. ``make soak`` is the long one."""

from pathlib import Path

import pytest

from proofs.soak.run import soak

pytestmark = pytest.mark.slow


@pytest.mark.req("S4-IDEM-1", "ACC-9", "S4-REC-1", "S4-RETRY-2", "I1", "I26")
async def test_a_handful_of_kills_under_load_costs_nothing(tmp_path: Path) -> None:
    told = await soak(3, seed=2, callers=3, folder=tmp_path)

    assert told.good, told
    assert told["kills"] >= 3
    assert told["repeats"] > 0
    assert told["fills"] > 0
