"""The doctor of the page, by the command in a process of its own: its findings though it ends badly, kept."""

import asyncio
from pathlib import Path

import pytest
from alert_receivers import receiving
from console_stage import HandClock

from chimera.services.console.doctoring import KEPT_MS, Doctor

pytestmark = pytest.mark.slow

HEALTH = {"status": "degraded", "checks": {"exchange": "down"}}


async def test_of_services_elsewhere_it_says_what_they_say_and_nothing_of_this_machine() -> None:
    clock = HandClock()
    async with receiving() as gone:
        away = gone.url
    async with receiving() as s4:
        s4.answers = [(200, HEALTH, {}), (200, {"positions": []}, {})] * 2
        doctor = Doctor(clock, s3_url=away, s4_url=s4.url, alerts_url="", sim_url="")
        first, second = await asyncio.gather(doctor.examine(), doctor.examine())
        clock.pass_ms(KEPT_MS + 1)
        again = await doctor.examine()

    found = {row["check"]: row for row in first["checks"]}
    assert set(found) == {"S3", "S4", "protection", "Binance"}
    assert (found["S3"]["ok"], found["S4"]["text"].endswith("degraded (exchange)")) == (False, True)
    assert first is second, "one look for all pages"
    assert again is not first


async def test_where_the_house_is_it_looks_at_the_machine_and_tells_what_would_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("S4_MAX_ORDER_NOTIONAL_USDT", "plenty")
    async with receiving() as gone:
        away = gone.url
    doctor = Doctor(HandClock(), s3_url=away, s4_url=away, alerts_url=away, sim_url="", state=tmp_path)

    found = {row["check"]: row for row in (await doctor.examine())["checks"]}
    assert found["state directory"]["ok"]
    assert (found["S4 settings"]["ok"], found["S4 settings"]["needed"]) == (False, True)
