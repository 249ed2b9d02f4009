"""The daily fit of the route table: when it is due, what it is handed, and what is told of it. The process is real."""

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest

from chimera.adapters.embedded.ledger import SqliteLedger
from chimera.services.router.fitting import FitMode, FitPolicy, Fitting, next_ms
from chimera.services.router.settings import load
from chimera.services.setting_kinds import SettingsFault
from chimera.trading.events import Alert
from chimera.trading.ids import Symbol
from chimera.trading.market import Market
from chimera.trading.money import DAY_MS, Millis
from chimera.trading.venue import FeeRates
from support.standing import CLOCK

HALF_PAST_3 = 12_600_000
FEES = {Symbol("BTCUSDT"): FeeRates(maker=Decimal("0.00018"), taker=Decimal("0.00045"))}


def a_fitting(folder: Path, mode: FitMode = FitMode.PROPOSE) -> tuple[Fitting, list[Alert]]:
    told: list[Alert] = []
    policy = FitPolicy(
        mode=mode, at_ms=HALF_PAST_3, ledger=folder / "s4.sqlite", table=folder / "route.json", most_ms=3_000
    )
    return Fitting(policy, Market.FUT, FEES, CLOCK, told.append), told


@pytest.mark.req("S4-ROUTE-11")
def test_it_is_due_once_a_day_at_its_time_and_off_unless_asked_for(tmp_path: Path) -> None:
    midnight = Millis(20_000 * DAY_MS)

    assert next_ms(HALF_PAST_3, midnight) == midnight + HALF_PAST_3
    assert next_ms(HALF_PAST_3, Millis(midnight + HALF_PAST_3)) == midnight + DAY_MS + HALF_PAST_3
    assert not a_fitting(tmp_path, FitMode.OFF)[0].looks
    assert list(a_fitting(tmp_path)[0].looks) == ["route fit"]
    assert load({}).route_fit is FitMode.OFF
    asked = load({"S4_ROUTE_FIT": "automatic", "S4_ROUTE_FIT_AT": "23:05"})
    assert (asked.route_fit, asked.route_fit_at) == (FitMode.AUTOMATIC, 83_100_000)
    with pytest.raises(SettingsFault, match="S4_ROUTE_FIT_AT"):
        load({"S4_ROUTE_FIT_AT": "24:00"})


def test_it_is_handed_what_the_account_pays_and_puts_in_force_only_where_that_is_asked(tmp_path: Path) -> None:
    words = " ".join(a_fitting(tmp_path)[0].words())

    assert "--of FUT --maker-bps 1.8 --taker-bps 4.5 --most-ms 3000" in words
    assert "--auto" not in words
    assert "--auto" in a_fitting(tmp_path, FitMode.AUTOMATIC)[0].words()


@pytest.mark.slow
@pytest.mark.req("S4-ROUTE-11")
async def test_what_goes_wrong_is_told_until_it_goes_well_and_changes_nothing(tmp_path: Path) -> None:
    fitting, told = a_fitting(tmp_path)
    await fitting.once()
    store = await SqliteLedger.open(tmp_path / "s4.sqlite")
    await store.close()
    await fitting.once()

    assert [alert.code for alert in told] == ["ROUTE_FIT_FAILED", "ROUTE_FIT_FAILED_OVER"]
    assert "there is no such file" in told[0].text
    assert not (tmp_path / "route.json").exists(), "nothing to learn from: nothing is proposed"
    assert not asyncio.all_tasks() - {asyncio.current_task()}
