"""``chimera up`` as its user has it: a real process tree, its JSON lines, Ctrl-C, a second start."""

import gzip
import json
import os
import signal
import socket
from decimal import Decimal
from pathlib import Path

import pytest

from support.running_house import FREE_PORTS, STOP_S, ask, gone, until, up

pytestmark = pytest.mark.slow


def test_a_position_is_protected_and_closed_and_nothing_is_left_behind(tmp_path: Path) -> None:
    audit, captures = tmp_path / "audit.jsonl", str(tmp_path / "captures")
    words = ("--exit-after", "1", "--max-hold", "3", "--state", str(tmp_path / "state"), "--audit", str(audit))
    with up(*words, "--record", captures, *FREE_PORTS) as house:
        house.wait_for("ready")
        family = house.family()
        code = house.wait()

    assert code == 0, house.complaints()
    assert len(family) >= 6  # redis, simulator, feed, S3, S4, console
    assert gone(family)
    told = house.events[-1]
    assert told["event"] == "summary"
    assert (told["closed"], told["protected"], told["violations"]) == (1, 1, 0)
    assert (told["qty_diff"], told["fee_diff"]) == ("0", "0")
    assert told["fills_venue"] == told["fills_ledger"] == len(house.named("fill")) >= 2
    recomputed = json.loads(ask("audit", str(audit), "--json").stdout)
    for part in ("closed", "protected", "max_unprotected_ms", "fills_venue", "pnl_usdt"):
        assert told[part] == recomputed[part]
    recorded = {path.name.partition("-")[0] for path in Path(captures).glob("*.gz")}
    assert recorded == {"usdm", "spot"}, "what is traded"
    order, ledger = house.named("executed")[0]["intent_id"], str(tmp_path / "state" / "s4.sqlite")
    words = ("--ledger", ledger, "--market", captures, "--way", "market", "--json")
    replayed = json.loads(ask("replay-order", order, *words).stdout)
    assert replayed["complete"], replayed["missing"]
    assert [row["reason"] for row in replayed["ways"]] == ["FILLED", "FILLED"]
    assert replayed["was"]["filled_qty"] == replayed["order"]["qty"]
    opened = next(event for event in house.named("decision") if event["decision"] == "open")
    assert opened["reason"]
    assert Decimal(opened["qty"]) > 0
    assert all(event["reason"] for event in house.named("decision"))


@pytest.mark.fault("A9")
@pytest.mark.req("S4-EXIT-1")
def test_ctrl_c_stops_all_and_a_second_start_carries_on(tmp_path: Path) -> None:
    words = ("--max-hold", "600", "--state", str(tmp_path / "state"), *FREE_PORTS)
    with up(*words) as house:
        bought = house.wait_for("executed")["filled_qty"]
        held = house.wait_for("position", qty=bought)
        family = house.family()
        took_s = house.stop()
    last = [event for event in house.named("position") if Decimal(event["qty"])][-1]
    assert house.process.returncode == 0, house.complaints()
    assert took_s < STOP_S
    assert gone(family, 0.5)
    assert house.events[-1]["violations"] == 0
    assert Decimal(held["qty"])

    with up(*words, "--exit-after", "1") as again:
        s4 = again.wait_for("ready")["s4"]
        carried = again.wait_for("position", carried=True)
        shown = ask("show", "--s4", s4)
        part = ask("close", "BTCUSDT", "--qty", "0.001", "--s4", s4, "--json")
        whole = ask("close", "BTCUSDT", "--s4", s4)
        code = again.wait()

    assert (Decimal(carried["qty"]), carried["entry_price"]) == (Decimal(last["qty"]), last["entry_price"])
    assert carried["stop"]["price"] == last["stop"]["price"]
    assert "BTCUSDT" in shown.stdout
    assert "stop" in shown.stdout
    assert (part.returncode, whole.returncode, code) == (0, 0, 0), part.stderr + whole.stderr + again.complaints()
    assert again.events[-1]["closed"] == 1
    assert again.events[-1]["violations"] == 0


@pytest.mark.fault("A10")
def test_no_child_outlives_a_house_that_is_killed(tmp_path: Path) -> None:
    with up("--state", str(tmp_path / "state"), *FREE_PORTS) as house:
        house.wait_for("ready")
        family = house.family()
        house.stop(signal.SIGKILL)

    assert len(family) >= 6
    assert gone(family)


@pytest.mark.fault("A14", "A17", "A4")
def test_a_service_that_is_killed_is_started_again_and_the_position_stays_protected(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with up("--max-hold", "600", "--state", str(state), *FREE_PORTS) as house:
        s4 = house.wait_for("ready")["s4"]
        house.wait_for("executed")
        born = [pid for pid in house.family() if " s4" in _command(pid)]
        os.kill(born[0], signal.SIGKILL)
        fell = house.wait_for("alert", code="FELL")
        shown = until(lambda: ask("show", "--s4", s4, "--json"), lambda told: told.returncode == 0)
        row = json.loads(shown.stdout)["positions"][0]
        house.stop()

    assert "s4" in fell["text"]
    assert row["covered_qty"] == row["qty"] or row["qty"] == 0
    assert house.events[-1]["violations"] == 0
    assert house.events[-1]["qty_diff"] == "0"


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().rstrip()
    except OSError:
        return ""


def test_a_port_in_use_is_a_sentence_with_the_port_and_nothing_starts(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = ask("up", "--headless", "--state", str(tmp_path / "state"), *FREE_PORTS[:4], "--s4-port", str(port))

    assert done.returncode == 7
    assert f"port {port} on 127.0.0.1 is in use" in done.stderr
    assert "--s4-port" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.fault("A13")
def test_two_houses_on_one_state_directory_are_refused(tmp_path: Path) -> None:
    with up("--state", str(tmp_path / "state"), *FREE_PORTS) as house:
        house.wait_for("ready")
        second = ask("up", "--headless", "--state", str(tmp_path / "state"), *FREE_PORTS)

    assert second.returncode == 7
    assert f"in use by process {house.process.pid}" in second.stderr


def test_the_verbs_work_against_a_running_house(tmp_path: Path) -> None:
    with up("--state", str(tmp_path / "state"), "--every", "1000", *FREE_PORTS) as house:
        at = house.wait_for("ready")
        s3, s4, sim = at["s3"], at["s4"], at["simulator"]
        decided = ask("decide", "BTCUSDT", "--dry-run", "--json", "--s3", s3)
        before = ask("preview", "BTCUSDT", "BUY", "0.004", "--sl", "64800", "--s4", s4, "--json")
        bought = ask("order", "BTCUSDT", "BUY", "0.004", "--sl", "64800", "--id", "cli-1", "--s4", s4, "--json")
        again = ask("order", "BTCUSDT", "BUY", "0.004", "--sl", "64800", "--id", "cli-1", "--s4", s4, "--json")
        one = ask("show", "cli-1", "--s4", s4, "--json")
        none = ask("show", "nobody", "--s4", s4)
        refused = ask("order", "BTCUSDT", "BUY", "0", "--s4", s4)
        ended = ask("cancel", "cli-1", "--s4", s4)
        unknown = ask("decide", "NOPEUSDT", "--s3", s3)
        closed = ask("close", "BTCUSDT", "--s4", s4, "--json")
        quiet = [ask(*verb, "--s4", s4, "--json") for verb in (("guards",), ("breaker",), ("twap", "list"))]
        looked = ask("doctor", "--sim", sim, "--s3", s3, "--s4", s4, "--state", str(tmp_path), "--json")
        captures = tmp_path / "captures"
        recorded = ask("record", "--seconds", "3", "--url", sim, "--out", str(captures), "--json")
        house.stop()
    away = ask("show", "--s4", s4)

    assert json.loads(decided.stdout)["decision"] in ("open", "skip")
    assert json.loads(bought.stdout)["status"] == "FILLED", bought.stderr
    assert json.loads(bought.stdout)["order_ids"] == json.loads(again.stdout)["order_ids"]
    assert json.loads(one.stdout)["timeline"]
    assert (none.returncode, "NOT_FOUND" in none.stderr, "accepted: order_id" in none.stderr) == (4, True, True)
    assert (refused.returncode, "qty" in refused.stderr) == (4, True)
    assert (ended.returncode, "ALREADY_FILLED" in ended.stderr) == (4, True)
    assert (unknown.returncode, "UNKNOWN_SYMBOL" in unknown.stderr) == (4, True)
    assert closed.returncode == 0
    assert json.loads(before.stdout)["would"] == "ACCEPT", before.stderr
    assert [json.loads(each.stdout) for each in quiet] == [
        {"guards": []}, {"breakers": [{"market": name, "state": "CLOSED"} for name in ("FUT", "SPOT")]}, {"orders": []},
    ]  # fmt: skip
    checks = {check["check"]: check for check in json.loads(looked.stdout)["checks"]}
    assert all(checks[name]["ok"] for name in ("simulator", "S3", "S4", "redis binary", "state directory"))
    assert checks["protection"]["ok"] is not None, "S4 told how its positions are covered"
    assert "not yet run against Binance" in checks["Binance"]["text"]
    assert json.loads(recorded.stdout)["events"] > 0, recorded.stderr
    assert (away.returncode, "not reached" in away.stderr) == (5, True)


# ── virtual time ──


def test_in_virtual_time_the_same_house_trades_and_the_audit_says_the_same(tmp_path: Path) -> None:
    audit = tmp_path / "audit.jsonl"
    with up("--speed", "max", "--exit-after", "2", "--audit", str(audit), "--seed", "3") as house:
        assert house.wait() == 0, house.complaints()
    told = house.events[-1]

    assert (told["closed"], told["protected"], told["violations"]) == (2, 2, 0)
    assert told["fills_venue"] == told["fills_ledger"]
    recomputed = json.loads(ask("audit", str(audit), "--json").stdout)
    assert told["pnl_usdt"] == recomputed["pnl_usdt"]
    assert told["max_unprotected_ms"] == recomputed["max_unprotected_ms"] < 100


def test_the_same_seed_gives_the_same_run(tmp_path: Path) -> None:
    audits = []
    for name in ("a", "b"):
        audits.append(tmp_path / name)
        with up("--speed", "max", "--exit-after", "1", "--audit", str(audits[-1]), "--seed", "5") as house:
            assert house.wait() == 0, house.complaints()

    assert audits[0].read_bytes() == audits[1].read_bytes()


def test_a_market_that_ends_first_is_exit_3(tmp_path: Path) -> None:
    capture = tmp_path / "short.gz"
    _write_capture(capture, symbol="XYZUSDT", seconds=25)
    with up("--speed", "max", "--market", str(capture), "--exit-after", "3") as house:
        code = house.wait()

    assert code == 3, house.complaints()
    assert house.events[-1]["event"] == "summary"
    assert {event["symbol"] for event in house.named("decision")} == {"XYZUSDT"}  # a symbol nobody had listed
    assert any(event["decision"] == "open" for event in house.named("decision"))


def test_a_file_that_is_no_capture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "no.gz").write_text("hello\n")
    done = ask("up", "--headless", "--speed", "max", "--market", str(tmp_path / "no.gz"))

    assert done.returncode == 4
    assert "no.gz has no market event" in done.stderr


def _write_capture(path: Path, *, symbol: str, seconds: int) -> None:
    """A book that breathes a little, with trades on both sides, ten times a second."""
    begin_us = 1_700_000_000_000_000
    with gzip.open(path, "wt") as file:
        for step in range(seconds * 10):
            at_us, middle = begin_us + step * 100_000, 10_000 + (step * 7) % 40
            bid, ask_ = f"{middle / 100:.2f}", f"{(middle + 1) / 100:.2f}"
            stamp = at_us // 1000
            book = {"e": "bookTicker", "u": step, "s": symbol, "b": bid, "B": "90", "a": ask_, "A": "90"}
            book |= {"T": stamp, "E": stamp}
            trade = {"e": "trade", "E": stamp, "T": stamp, "s": symbol, "t": step, "p": bid, "q": "1.5", "X": "MARKET"}
            for stream, data in (("bookTicker", book), ("trade", trade | {"m": step % 2 == 0})):
                frame = {"stream": f"{symbol.lower()}@{stream}", "data": data}
                file.write(f"{at_us} {json.dumps(frame)}\n")
