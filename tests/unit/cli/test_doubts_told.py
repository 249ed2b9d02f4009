"""``chimera doubts``: what S4 does not know, as a person and a program read it."""

import json
from typing import Any

import pytest

from chimera.cli import orders
from chimera.cli.codes import Stop
from chimera.client import RouterClient
from chimera.trading.errors import OutcomeUnknown

ROW: dict[str, Any] = {
    "client_order_id": "s3-btc-i1-t1", "intent_id": "i1", "market": "SPOT", "symbol": "BTCUSDT", "role": "TAKER",
    "about": "OUTCOME", "qty": "0.02", "since_ms": 1_800_000_000_000, "asks": 3, "dead_after_ms": 1_800_000_014_000,
    "notional_counted": "1300", "settles": "the venue's word on it",
}  # fmt: skip


def answering(monkeypatch: pytest.MonkeyPatch, answer: list[dict[str, Any]] | Exception) -> None:
    async def doubts(client: RouterClient) -> list[dict[str, Any]]:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(RouterClient, "doubts", doubts)


def test_each_doubt_says_what_it_counts_for_and_what_settles_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answering(monkeypatch, [ROW])
    orders.doubts("http://127.0.0.1:1", False)
    assert capsys.readouterr().out == (
        "BTCUSDT SPOT s3-btc-i1-t1 taker 0.02: outcome unknown since 08:00:00.000, asked 3 times, 1300 counted\n"
        "  it takes the venue's word on it\n"
    )
    orders.doubts("http://127.0.0.1:1", True)
    [row] = json.loads(capsys.readouterr().out)["doubts"]
    assert (row["notional_counted"], row["qty"], row["client_order_id"]) == (1300, 0.02, "s3-btc-i1-t1")


def test_nothing_in_doubt_is_said_and_no_answer_is_no_news(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answering(monkeypatch, [])
    orders.doubts("http://127.0.0.1:1", False)
    assert capsys.readouterr().out == "nothing is in doubt\n"
    answering(monkeypatch, OutcomeUnknown("cut"))
    with pytest.raises(Stop, match="it was only a question"):
        orders.doubts("http://127.0.0.1:1", False)
