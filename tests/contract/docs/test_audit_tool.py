"""The stranger who reads the audit alone: by hand-made logs, and against the oracle on a simulated world."""

import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from chimera.wire.codec import encode
from world import oracle
from world.run import Options, run

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tools"))

import audit_summary  # noqa: E402  (found by the line above)


def line(at_ms: int, kind: str, **fields: Any) -> dict[str, Any]:
    return {"at_us": at_ms * 1000, "kind": kind, "account": "main", "symbol": "BTCUSDT", **fields}


def fill(at_ms: int, side: str, qty: str, pnl: str = "0", fee: str = "0.01") -> dict[str, Any]:
    return line(at_ms, "fill", order_id=1, side=side, qty=qty, realized_pnl=pnl, fee=fee)


def stop(at_ms: int, algo_id: int, qty: str, side: str = "SELL") -> dict[str, Any]:
    return line(at_ms, "accept", algo_id=algo_id, type="STOP_MARKET", side=side, qty=qty, reduce_only=True)


def test_a_position_opened_protected_and_closed() -> None:
    log = [
        fill(1000, "BUY", "0.02"),
        stop(1010, 7, "0.02"),
        fill(2000, "SELL", "0.02", pnl="1.5"),
        line(2000, "cancel", algo_id=7),
    ]

    told = audit_summary.summary(log)

    assert (told["closed"], told["protected"], told["max_unprotected_ms"]) == (1, 1, 10)
    assert (told["fills_venue"], told["pnl_usdt"], told["open_qty"]) == (2, "1.48", "0")


@pytest.mark.parametrize(
    ("log", "bare_ms"),
    [
        ([fill(0, "BUY", "2"), stop(5, 1, "1"), stop(9, 2, "1")], 9),  # half a cover is none
        ([fill(0, "BUY", "1"), stop(5, 1, "1", side="BUY"), stop(8, 2, "1")], 8),  # a stop of the wrong side
        ([fill(0, "BUY", "1"), stop(0, 1, "1"), line(20, "trigger", algo_id=1), stop(50, 2, "1")], 30),
        ([fill(0, "BUY", "1"), stop(3, 1, "1"), fill(10, "BUY", "1"), stop(30, 2, "2")], 20),
    ],
)
def test_how_long_a_position_was_bare(log: list[dict[str, Any]], bare_ms: int) -> None:
    assert audit_summary.summary(log)["max_unprotected_ms"] == bare_ms


def test_what_never_had_a_stop_is_told() -> None:
    told = audit_summary.summary([fill(0, "SELL", "1"), fill(90, "BUY", "1")])

    assert (told["closed"], told["protected"], told["max_unprotected_ms"]) == (1, 0, 90)


def test_another_account_is_not_counted() -> None:
    assert audit_summary.summary([{**fill(0, "BUY", "1"), "account": "other"}])["fills_venue"] == 0


def test_an_entry_accepted_twice_is_told() -> None:
    entry = line(0, "accept", order_id=1, client_order_id="s3-1-t1", qty="1", side="BUY")

    assert audit_summary.summary([entry, {**entry, "order_id": 2}])["entries_twice"] == 1


@pytest.mark.slow
def test_it_agrees_with_the_oracle(tmp_path: Path) -> None:
    verdict = run(3, options=Options(faults=False), keep_audit=True)
    file = tmp_path / "a.jsonl"
    file.write_bytes(b"".join(encode(record) + b"\n" for record in verdict.audit))

    told = audit_summary.summary(audit_summary.read(file))

    spans = oracle.uncovered_spans(verdict.audit, verdict.audit[-1].at_us)
    wallets = [record.wallet_after for record in verdict.audit if record.wallet_after is not None]
    assert told["fills_venue"] == verdict.counters["venue_fill"] > 0
    assert told["max_unprotected_ms"] == oracle.longest_us(spans) // 1000
    assert told["closed"] == told["protected"] > 0
    assert Decimal(told["pnl_usdt"]) == wallets[-1] - wallets[0]
    assert told["open_qty"] == "0"


def test_it_imports_nothing_of_chimera() -> None:
    assert "chimera" not in (ROOT / "tools" / "audit_summary.py").read_text(encoding="utf-8").replace("Chimera", "")
    assert json.loads(json.dumps(audit_summary.summary([])))["closed"] == 0
