"""A few examples of every operation of S3 and S4, as ``make proof ID=DE-3`` makes thousands of them."""

import pytest

from proofs.de_3 import FIXED, fuzzed, stands

EXAMPLES = 2


@pytest.mark.slow
@pytest.mark.req("DE-3")
async def test_no_request_is_answered_5xx_or_outside_its_schema_and_no_4xx_trades() -> None:
    measured = await fuzzed(EXAMPLES, FIXED)

    assert stands(measured, EXAMPLES), {name: measured[name] for name in ("found", "leaks", "unforeseen", "answers")}
    assert measured["operations"] > 40
