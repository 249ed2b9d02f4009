"""What ``doctor`` says of what it found: a right too many warns, what is missing is named, a fault says what to do."""

from pathlib import Path
from typing import Any

import pytest
from alert_receivers import receiving
from desk import BTC

from chimera.adapters.binance.wallets import KeyRights
from chimera.cli import doctor, doctor_services
from chimera.cli.doctor_checks import Check
from chimera.cli.doctor_venue import judged, tradable

pytestmark = pytest.mark.req("S4-API-1")

BARE = {
    "symbol": "BTCUSDT", "market": "FUT", "qty": "0.01", "covered_qty": "0", "unprotected_ms": 3_000, "guards": [],
}  # fmt: skip
GUARDED = {**BARE, "symbol": "ETHUSDT", "covered_qty": "0.01", "unprotected_ms": 0}
HEALTH = {
    "status": "degraded",
    "checks": {"exchange": "ok", "redis": "down", "recovered": True, "own_faults": 0},
    "markets": {"FUT": {"barriers": [{"code": "CLOCK", "symbol": None, "why": "2 s off", "since_ms": 1}]}},
}


def test_a_key_that_may_withdraw_works_and_warns() -> None:
    check = judged(KeyRights(withdrawals=True, futures=True, bound_to_address=True), transfers=False, live=True)

    assert (check.ok, check.warns) == (True, True)
    assert check.line.startswith("warn key's rights: it may WITHDRAW\n       do: take the right to withdraw away")


def test_a_key_that_may_not_trade_is_a_fault_and_one_that_fits_is_well() -> None:
    assert judged(KeyRights(), transfers=False, live=False).needed
    assert judged(KeyRights(futures=True, bound_to_address=True), transfers=False, live=True) == Check(
        "key's rights", True, "what S4 needs, and no withdrawal"
    )


def test_from_any_address_and_no_transfers_are_told_where_they_matter() -> None:
    rights = KeyRights(futures=True)

    assert judged(rights, transfers=False, live=False).warns is False
    assert "from any address" in judged(rights, transfers=False, live=True).text
    assert "S4_TRANSFER_ENABLED" in judged(rights, transfers=True, live=False).do


async def test_services_tell_what_is_wrong_and_what_is_not_protected() -> None:
    async with receiving() as s4:
        s4.answers = [(200, HEALTH, {}), (200, {"positions": [BARE, GUARDED, {**BARE, "qty": "0"}]}, {})]
        first, barrier, bare = await doctor_services.checks({"S4": s4.url}, s4.url)

    assert (first.ok, first.warns, first.text) == (True, True, f"answers at {s4.url}: degraded (redis)")
    assert (barrier.check, barrier.do) == ("S4 FUT CLOCK", "docs/runbook.md#clock-skew")
    assert (bare.ok, bare.text) == (False, "BTCUSDT FUT 0.01: a live stop covers 0, for 3 s")
    assert bare.do == "docs/runbook.md#a-naked-position"


@pytest.mark.req("I20")
async def test_services_of_different_builds_are_told_and_those_of_one_too() -> None:
    async with receiving() as s3, receiving() as s4:
        none_held: Any = (200, {"positions": []}, {})
        well = {"status": "ok", "checks": {}, "build": "0.1.0+aa"}
        s3.answers, s4.answers = [(200, well, {})], [(200, {**well, "build": "0.1.0+bb"}, {}), none_held]
        *_, differ, _ = await doctor_services.checks({"S3": s3.url, "S4": s4.url}, s4.url)
        s3.answers, s4.answers = [(200, well, {})], [(200, well, {}), none_held]
        *_, same, _ = await doctor_services.checks({"S3": s3.url, "S4": s4.url}, s4.url)

    assert (differ.check, differ.warns, differ.text) == ("builds", True, "S3 0.1.0+aa, S4 0.1.0+bb")
    assert (same.check, same.warns, same.text) == ("builds", False, "all of 0.1.0+aa")


async def test_who_does_not_answer_is_told_with_how_to_start_or_find_it() -> None:
    async with receiving() as gone:
        url = gone.url
    down, protection = await doctor_services.checks({"S3": url}, url)

    assert (down.ok, down.needed, down.do) == (False, False, "start it, or say where it is (--s3)")
    assert protection.ok is None


def test_a_disk_with_little_room_warns(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert not doctor._disk(tmp_path / "not" / "there").warns
    monkeypatch.setattr(doctor, "LEAST_ROOM_GIB", 10**9)
    assert doctor._disk(tmp_path).do.startswith("make room")


def test_a_symbol_that_s4_would_not_enter_is_named_with_the_reason() -> None:
    listed = {"BTCUSDT": BTC, "ETHUSDT": BTC.but(trading=False), "BTCUSDT_261225": BTC.but(dated=True)}
    listed["ETHBTC"] = BTC.but(quote="BTC")

    assert tradable(["BTCUSDT"], listed).ok
    assert tradable(["BTCUSDT", "ETHUSDT", "BTCUSDT_261225", "XUSDT", "ETHBTC"], listed).text == (
        "XUSDT is not listed, ETHUSDT is halted, BTCUSDT_261225 is a dated contract, which is not entered,"
        " ETHBTC is not paid in dollars, and not entered"
    )
