"""TW-3: the same seed and the same calls are the same bytes, frames and audit, on both markets at once."""

import pytest
from same_bytes import digest

pytestmark = pytest.mark.req("TW-3")

STEPS = 600


def test_a_seed_is_all_it_depends_on() -> None:
    assert digest(7, STEPS) == digest(7, STEPS)
    assert digest(7, STEPS) != digest(8, STEPS)
