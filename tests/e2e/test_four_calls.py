"""The four curl calls of the requirements, as they are written there, on ``chimera up``: real processes, real HTTP."""

import json
import urllib.error
import urllib.request
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest

from support.running_house import FREE_PORTS, PATIENCE_S, Up, ask, until, up

pytestmark = [pytest.mark.slow, pytest.mark.req("DEL-6")]

STILL: Final = ("--every", "600", "--max-hold", "600")  # the demo's trader decides once, and then leaves it to us


@pytest.mark.req("S4-EXIT-1", "S3-API-1", "S3-API-4", "S4-API-1", "S4-API-2", "S4-API-3", "DEL-1")
def test_the_four_calls_work_as_they_are_written(tmp_path: Path) -> None:
    with up(*STILL, "--state", str(tmp_path / "state"), *FREE_PORTS) as house:
        at = house.wait_for("ready")
        health = [call("GET", f"{at[service]}/health") for service in ("s3", "s4")]
        decided = until(
            lambda: call("POST", f"{at['s3']}/decide", {"symbol": "BTCUSDT", "dry_run": True}),
            lambda told: told[1]["decision"] == "open",  # ATR needs three bars
        )
        futures, spot = (marks(house, market) for market in ("FUT", "SPOT"))
        first = call(
            "POST",
            f"{at['s4']}/orders",
            {
                "intent_id": "uuid-1", "market": "FUT", "symbol": "BTCUSDT", "side": "BUY", "qty": 0.002,
                "exec_policy": {"maker_wait_ms": 2000, "twap": {"slices": 2, "gap_ms": 600}},
                "sl": {"type": "STOP_MARKET", "price": round(futures * Decimal("0.985"))},
                "client_order_id": "s3-btc-16900001",
            },
        )  # fmt: skip
        second = call(
            "POST",
            f"{at['s4']}/orders",
            {
                "intent_id": "uuid-2", "market": "SPOT", "symbol": "BTCUSDT", "side": "BUY", "qty": 0.003,
                "exec_policy": {
                    "type": "OCO",
                    "tp_price": round(spot * Decimal("1.02")),
                    "sl_price": round(spot * Decimal("0.98")),
                },
                "client_order_id": "s3-btc-16900002",
            },
        )  # fmt: skip
        sold = ask("close", "BTCUSDT", "--market", "spot", "--s4", at["s4"], "--json")
        listed = until(
            lambda: call("GET", f"{at['s4']}/orders/uuid-2"), lambda told: told[1]["status"] in ("FILLED", "CANCELED")
        )
        ended = until(lambda: call("GET", f"{at['s4']}/orders/uuid-1"), lambda told: told[1]["status"] == "FILLED")
        code = house.stop()

    assert [status for status, _ in health] == [200, 200]
    assert [told["status"] for _, told in health] == ["ok", "ok"]
    assert all(told["checks"] for _, told in health)
    assert health[1][1]["markets"].keys() == {"FUT", "SPOT"}
    assert decided[0] == 200
    assert (decided[1]["dry_run"], decided[1]["signal_id"]) == (True, None)
    assert decided[1]["intent"]["side"]
    assert first[0] in (200, 202)
    assert (first[1]["result"], first[1]["client_order_id"]) == ("OK", "s3-btc-16900001")
    assert (ended[1]["filled_qty"], ended[1]["avg_price"] > 0) == (0.002, True)
    assert [leg["leg"] for leg in ended[1]["legs"]] == ["STOP"]
    assert second[0] == 200
    assert (second[1]["result"], second[1]["status"], second[1]["filled_qty"]) == ("OK", "ACCEPTED", 0.003)
    assert {leg["leg"]: bool(leg["order_id"]) for leg in second[1]["legs"]} == {"STOP": True, "TARGET": True}
    assert sold.returncode == 0, sold.stderr
    assert (listed[1]["status"], listed[1]["legs"]) == ("FILLED", [])
    summary = house.named("summary")[-1]
    assert code < PATIENCE_S
    assert (summary["qty_diff"], summary["fee_diff"], summary["violations"]) == ("0", "0", 0)
    assert summary["fills_venue"] == summary["fills_ledger"] >= 2


def test_the_markets_of_one_symbol_are_told_apart(tmp_path: Path) -> None:
    """Each has its own price and its own position; a close names the market it means."""
    with up(*STILL, "--state", str(tmp_path / "state"), *FREE_PORTS) as house:
        at = house.wait_for("ready")
        rows = until(
            lambda: call("GET", f"{at['s4']}/positions")[1]["positions"],
            lambda told: all(row["mark_price"] for row in told),
        )
        closed = call("POST", f"{at['s4']}/positions/BTCUSDT/close", {"market": "SPOT"})

    assert [(row["market"], row["symbol"]) for row in rows] == [("FUT", "BTCUSDT"), ("SPOT", "BTCUSDT")]
    assert rows[0]["mark_price"] != rows[1]["mark_price"]
    assert (closed[0], closed[1]["status"]) == (200, "FLAT")


def marks(house: Up, market: str) -> Decimal:
    """About where the market is."""
    s4 = house.named("ready")[0]["s4"]
    rows = call("GET", f"{s4}/positions")[1]["positions"]
    return next(Decimal(str(row["mark_price"])) for row in rows if row["market"] == market)


def call(method: str, url: str, body: object = None) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, method=method, data=data, headers={"content-type": "application/json"})  # noqa: S310 - http of this machine
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:  # noqa: S310 - likewise
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as no:
        with no:
            return no.code, json.loads(no.read())
