"""What the judge of S3's signals sees, on hand-made rows."""

from decimal import Decimal
from typing import Any

import pytest

from chimera.trading.market import Market
from chimera.wire.decisions import DecisionAnswer
from world import decided


def signal(name: str = "i-1", *, delivery: str = "DONE", rest: str = "ANSWERED", **more: Any) -> dict[str, Any]:
    row = {
        "signal_id": f"s-{name}",
        "decision": "open",
        "delivery": delivery,
        "intent_id": name,
        "client_order_id": f"s3-{name}",
        "intent": {"qty": "0.5"},
        "tracks": {"rest": rest, "status": "ACCEPTED"},
    }
    return row | more


def answer(signal_id: str, decision: str = "open") -> DecisionAnswer:
    return DecisionAnswer.model_validate(
        {
            "decision": decision, "symbol": "BTCUSDT", "market": Market.FUT, "reason": "", "config_rev": 1,
            "rules_fired": [], "reasons": [], "explanation": {}, "dry_run": False, "signal_id": signal_id,
        }
    )  # fmt: skip


@pytest.mark.req("I2")
@pytest.mark.parametrize(
    ("row", "known", "story"),
    [
        (signal(), {"i-1"}, ""),
        (signal(delivery="REFUSED", rest="REFUSED"), set(), ""),
        (signal(delivery="FAILED", rest="EXPIRED"), set(), ""),
        (signal(delivery="VOID", rest="WAITING"), set(), ""),
        (signal(delivery="PENDING", rest="WAITING"), set(), "still PENDING"),
        (signal(), set(), "S4 does not know it"),
        (signal(delivery="VOID", rest="WAITING"), {"i-1"}, "taken back, and S4 has it"),
    ],
)
def test_each_intent_has_its_end_and_both_ledgers_say_so(row: dict[str, Any], known: set[str], story: str) -> None:
    found = decided.judge([row], [], known, 7)
    assert [violation.invariant for violation in found] == (["I2"] if story else [])
    assert all(story in violation.text for violation in found)


@pytest.mark.req("I2")
def test_an_answer_without_its_durable_signal_is_seen() -> None:
    rows = [signal(), signal("i-2", delivery="VOID", rest="WAITING")]
    assert decided.judge(rows, [answer("s-i-1")], {"i-1"}, 7) == []
    assert "no such signal" in decided.judge(rows, [answer("s-i-9")], {"i-1"}, 7)[0].text
    assert "VOID" in decided.judge(rows, [answer("s-i-2")], {"i-1"}, 7)[0].text
    assert len(decided.judge(rows, [answer("s-i-1", "skip")], {"i-1"}, 7)) == 1


def test_one_intent_id_belongs_to_one_signal() -> None:
    rows = [signal(), signal() | {"signal_id": "s-other"}]
    assert "two signals" in decided.judge(rows, [], {"i-1"}, 7)[0].text


def test_what_was_taken_back_was_never_intended() -> None:
    rows = [signal(), signal("i-2", delivery="VOID"), {"signal_id": "s", "decision": "skip", "delivery": "NONE"}]
    assert decided.intended(rows) == {"s3-i-1": Decimal("0.5")}
