"""FL-3: the curl calls of the specification work as written, and every row of the error tables gets its answer.

Real ``curl`` processes against a ``chimera up --headless`` that decides once and is flat again, at the fixed addresses.
"""

import json
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import yaml  # type: ignore[import-untyped]  # its stubs are not in the lock

from proofs.house import ROOT, S3, S4, needs, running
from proofs.measured import Measured

BAR: Final = (
    "4 curl calls answered as specified; every row of errors.yaml and errors_strategy.yaml: status, code, field"
)
ONE_DECISION: Final = ("--every", "86400", "--max-hold", "1", "--no-console")  # then the desk is ours
TABLES: Final = ROOT / "tests" / "contract"
ORDER: Final = (
    '{"intent_id":"uuid-1","market":"FUT","symbol":"BTCUSDT","side":"BUY","qty":0.002,'
    '"exec_policy":{"maker_wait_ms":2000,"twap":{"slices":2,"gap_ms":600}},'
    '"sl":{"type":"STOP_MARKET","price":64800},"client_order_id":"s3-btc-16900001"}'
)


def prove() -> Measured:
    needs("curl")
    with tempfile.TemporaryDirectory(prefix="chimera-proof-") as folder:
        rows, scratch = list(_rows()), Path(folder)
        of_eth = [row for row in rows if b"ETHUSDT" in row["sent"]]  # needs a house that trades it
        with _desk(scratch / "btc", "BTCUSDT"):
            wrong = [fault for row in rows if row not in of_eth and (fault := _try(row, scratch))]
            calls = _calls()
        market = scratch / "eth.capture"
        market.write_text(_cheap_market("ETHUSDT", "2600.00", "2600.01"), encoding="utf-8")
        with _desk(scratch / "eth", "ETHUSDT", "--market", str(market)):
            wrong += [fault for row in of_eth if (fault := _try(row, scratch))]
    failed = [name for name, (good, _) in calls.items() if not good]
    measured = {
        "rows": len(rows),
        "wrong": wrong[:10],
        "calls": {name: answer for name, (_, answer) in calls.items()},
        "failed": failed,
    }
    return Measured(measured, BAR, passed=bool(rows) and not wrong and not failed)


@contextmanager
def _desk(folder: Path, symbol: str, *more: str) -> Iterator[None]:
    """A running house, flat, whose demo will not decide again."""
    folder.mkdir()
    command = [str(ROOT / ".venv" / "bin" / "chimera"), "up", "--headless", "--symbol", symbol, *ONE_DECISION, *more]
    with running(command, folder) as house:
        house.wait_ready()
        if house.wait_event("decision", 60)[1].get("decision") == "open":
            house.wait_event("closed", 60)
        yield


def _cheap_market(symbol: str, bid: str, ask: str) -> str:
    """A capture of two quiet minutes at a price where one step is worth less than the least notional."""
    lines = []
    for number in range(1200):
        at_ms = 1_760_000_000_000 + number * 100
        size = str(50 + number % 2)  # a touch that does not change is no news
        data = {"e": "bookTicker", "u": number + 1, "s": symbol, "b": bid, "B": size, "a": ask, "A": size}
        frame = {"stream": f"{symbol.lower()}@bookTicker", "data": {**data, "T": at_ms, "E": at_ms}}
        lines.append(f"{at_ms * 1_000_000} {json.dumps(frame)}\n")
    return "".join(lines)


def _calls() -> dict[str, tuple[bool, Any]]:
    """Name to whether it is as specified, and what was answered. The refusals went first: S4 is flat."""
    status3, health3 = curl("GET", f"{S3}/health")
    status4, health4 = curl("GET", f"{S4}/health")
    status_d, decided = curl("POST", f"{S3}/decide", '{"symbol":"BTCUSDT","dry_run":true}')
    status_o, ordered = curl("POST", f"{S4}/orders", ORDER)
    again, repeated = curl("POST", f"{S4}/orders", ORDER)
    found = _until_done("uuid-1")
    _, board = curl("GET", f"{S4}/positions")
    closed, _ = curl("POST", f"{S4}/positions/BTCUSDT/close", "{}")
    return {
        "S3 /health": (status3 == 200 and {"status", "checks", "config_rev"} <= set(health3), status3),
        "S4 /health": (status4 == 200 and {"status", "checks"} <= set(health4), status4),
        "S3 /decide": (
            status_d == 200 and decided.get("decision") in ("open", "skip"),
            [status_d, decided.get("decision"), decided.get("reason")],
        ),
        "S4 /orders": (
            (status_o, ordered.get("result"), ordered.get("status")) == (202, "OK", "ACCEPTED"),  # slices: at once
            [status_o, ordered.get("result"), ordered.get("status")],
        ),
        "S4 /orders/{id}": (
            found.get("status") == "FILLED" and str(found.get("filled_qty")) == "0.002",
            [found.get("status"), found.get("filled_qty"), found.get("avg_price"), found.get("why")],
        ),
        "S4 /orders again": (
            again in (200, 202) and repeated.get("order_id") == ordered.get("order_id"),
            [again, repeated.get("status"), repeated.get("filled_qty")],
        ),
        "protected": _stop(board),
        "close": (closed in (200, 202), closed),
    }


def _stop(board: Any) -> tuple[bool, Any]:
    """The position of the order has the stop that was asked for, on all of it, once and not twice."""
    rows = board.get("positions", []) if isinstance(board, dict) else board
    row: dict[str, Any] = next((row for row in rows if row.get("symbol") == "BTCUSDT"), {})
    told = [row.get("qty"), row.get("covered_qty"), row.get("stop")]
    stop = row.get("stop") or {}
    whole = _is(row.get("qty"), "0.002") and _is(row.get("covered_qty"), "0.002")
    return whole and _is(stop.get("price"), "64800"), told


def _until_done(name: str) -> dict[str, Any]:
    """The order once it has ended, or as it stands after a while."""
    until = time.monotonic() + 20
    while True:
        _, row = curl("GET", f"{S4}/orders/{name}")
        if row.get("status") in ("FILLED", "CANCELED", "REJECTED") or time.monotonic() > until:
            return dict(row)
        time.sleep(0.2)


def _is(shown: Any, amount: str) -> bool:
    """Whether a JSON number is this amount."""
    return isinstance(shown, int | float) and Decimal(str(shown)) == Decimal(amount)


def _rows() -> Iterator[dict[str, Any]]:
    """Every row as method, url, body, headers and what is expected."""
    table = yaml.safe_load((TABLES / "errors.yaml").read_text(encoding="utf-8"))
    for row in table["orders"]:
        yield {**row, "method": "POST", "url": f"{S4}/orders", "sent": _order_body(row, table["good"])}
    for row in table["other"]:
        yield {**row, "url": S4 + row["path"], "sent": str(row["body"]).encode() if "body" in row else b""}
    table = yaml.safe_load((TABLES / "errors_strategy.yaml").read_text(encoding="utf-8"))
    for section, path in (("decide", "/decide"), ("batch", "/decide/batch")):
        for row in table[section]:
            sent = b" " * row["pad"] if "pad" in row else row["body"].encode() * row.get("deep", 1)
            yield {**row, "method": "POST", "url": S3 + path, "sent": sent}
    for row in table["paths"]:
        method = "DELETE" if row["status"] == 405 else "GET"
        yield {**row, "method": method, "url": S3 + row["path"], "sent": b""}


def _order_body(row: Mapping[str, Any], good: Mapping[str, str]) -> bytes:
    if "pad" in row:
        return b'{"intent_id":"' + b"x" * (int(row["pad"]) - 16) + b'"}'
    if "body" in row:
        return str(row["body"]).encode()
    members = {**good, **row.get("with", {})}
    kept = {name: value for name, value in members.items() if name not in row.get("without", ())}
    return "{{{}}}".format(",".join(f'"{name}":{value}' for name, value in kept.items())).encode()


def _try(row: Mapping[str, Any], folder: Path) -> str | None:
    """What is wrong with the answer to this row; None when nothing is."""
    body = folder / "body"
    body.write_bytes(row["sent"])
    status, told = curl(row["method"], row["url"], f"@{body}", row.get("headers") or {})
    got = (status, told.get("code"), told.get("field"), told.get("result"))
    return None if got == (row["status"], row["code"], row["field"], "FAIL") else f"{row['name']}: {got}"


def curl(method: str, url: str, body: str = "", headers: Mapping[str, str] | None = None) -> tuple[int, Any]:
    """Status and JSON of one real curl call."""
    words = ["curl", "-sS", "-m", "30", "-X", method, "-w", "\n%{http_code}", "-H", "Content-Type: application/json"]
    for name, value in (headers or {}).items():
        words += ["-H", f"{name}: {value}"]
    if body and method != "GET":
        words += ["--data-binary", body]
    done = subprocess.run([*words, url], capture_output=True, check=True, stdin=subprocess.DEVNULL)
    told, _, status = done.stdout.rpartition(b"\n")
    return int(status), json.loads(told) if told.strip() else {}
