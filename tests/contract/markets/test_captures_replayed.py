"""TW-4: the real captures replay without a crossed book, a size that is not above zero, or a lost sequence."""

from pathlib import Path

import pytest
from capture_replay import FORBIDDEN, replay

CAPTURES = Path(__file__).resolve().parents[4] / "shared" / "data"
NAMES = ["usdm-btcusdt_20240808", "spot-btcusdt_20240808", "usdm-btcusdt_20230405", "spot-btcusdt_20230405"]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_real_capture_through_every_book(name: str) -> None:
    path = CAPTURES / f"{name}.gz"
    if not path.exists():
        pytest.skip(f"NOT PROVED: no capture {path} on this machine")
    counts = replay(path)

    assert {what: counts[what] for what in FORBIDDEN} == dict.fromkeys(FORBIDDEN, 0)
    assert min(counts["diffs"], counts["frames"]) > 3_000
