"""The twin answers every check of the rehearsal as the documents say, over its real HTTP and WebSocket faces."""

import json
from typing import Any

import pytest

from chimera.services.clock import SystemClock
from chimera.services.conform.run import BOOKS, own_simulator, rehearse, unasked
from chimera.services.conform.target import simulator


@pytest.mark.slow
async def test_the_twin_answers_as_documented() -> None:
    said: list[str] = []
    async with own_simulator("BTCUSDT") as address:
        targets = simulator(address)
        rows = await rehearse(targets, SystemClock(), symbol="BTCUSDT", tag="ci", against_twin=False, say=said.append)

    assert [row for row in rows if row["same"] is False] == []
    assert len(rows) == sum(len(book.checks) for book in BOOKS) == len(said)
    assert not [row for row in rows if "unreadable" in row["got"]]
    assert all(secret not in json.dumps(rows) + "".join(said) for secret in secrets_of(targets))
    assert {row["question"] for row in rows if "question" in row} | {row["question"] for row in unasked()} <= set(
        range(1, 14)
    )


def secrets_of(targets: dict[str, Any]) -> list[str]:
    known = targets["FUT"].credentials
    return [known.key, known.secret]
