"""S3's percentiles: by the times themselves, of the last minutes, no bucket's bound."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chimera.services.objectives import ENOUGH
from chimera.services.strategy import telemetry
from chimera.services.strategy.telemetry import RECENT_MAX, RECENT_MS, Promised, Telemetry, percentile
from chimera.trading.decision import Code, Skip, Verdict
from chimera.trading.ids import Symbol
from chimera.trading.market import Market
from chimera.trading.money import Millis

pytestmark = pytest.mark.req("S3-MET-1")

times = st.lists(st.floats(0, 10_000, allow_nan=False), min_size=1, max_size=200)
LINE = re.compile(r'^strategy_decide_latency_ms_recent\{decision="skip",quantile="([^"]+)"\} (\S+)$', re.M)


class HandClock:
    def __init__(self) -> None:
        self.ms = 0

    def now_ms(self) -> Millis:
        return Millis(self.ms)

    def monotonic_ms(self) -> Millis:
        return Millis(self.ms)


def a_skip() -> Any:
    reason = Verdict(code=Code.SPREAD, passed=False, text="wide")
    return Skip(symbol=Symbol("BTCUSDT"), market=Market.FUT, config_rev=1, reasons=(reason,))


def shown(of: Telemetry) -> dict[str, float]:
    return {share: float(value) for share, value in LINE.findall(of.page().decode())}


@given(times=times, share=st.floats(0.001, 1))
def test_a_percentile_is_the_least_that_so_many_do_not_exceed(times: list[float], share: float) -> None:
    found = percentile(sorted(times), share)
    assert found in times
    assert sum(each <= found for each in times) >= share * len(times)
    assert sum(each < found for each in times) < share * len(times)


@given(times=times)
def test_the_page_shows_those_of_what_was_decided(times: list[float]) -> None:
    of = Telemetry(HandClock())
    for each in times:
        of.decided(a_skip(), each)
    ordered = sorted(times)
    assert shown(of) == {f"{share:g}": percentile(ordered, share) for share in telemetry.SHARES}
    assert shown(of)["1"] == max(times)
    assert f'strategy_decide_latency_ms_recent_count{{decision="skip"}} {float(len(times))}' in of.page().decode()


def test_before_the_first_decision_there_is_none() -> None:
    assert shown(Telemetry(HandClock())) == {}


def test_what_is_older_than_five_minutes_counts_no_more() -> None:
    clock = HandClock()
    of = Telemetry(clock)
    of.decided(a_skip(), 900.0)
    clock.ms = RECENT_MS
    of.decided(a_skip(), 1.5)
    assert shown(of)["1"] == 900.0
    clock.ms += 1
    assert shown(of)["1"] == 1.5
    clock.ms += RECENT_MS
    assert shown(of) == {}
    assert 'strategy_decide_latency_ms_count{decision="skip"} 2.0' in of.page().decode(), "the histogram has them all"


def test_memory_is_bounded() -> None:
    of = Telemetry(HandClock())
    for _ in range(RECENT_MAX + 5):
        of.decided(a_skip(), 2.0)
    assert len(of._recent["skip"].values) == RECENT_MAX


def test_rules_beyond_a_bound_are_told_together() -> None:
    of = Telemetry(HandClock())
    for number in range(telemetry.RULES_MAX + 3):
        of.decided(a_skip().but(rules_fired=(f"R-{number}",)), 1.0)
    of.decided(a_skip().but(rules_fired=("R-0",)), 1.0)
    page = of.page().decode()
    assert 'rules_fired_count_total{rule_id="R-0"} 2.0' in page
    assert 'rules_fired_count_total{rule_id="other"} 3.0' in page
    assert page.count("rules_fired_count_total{") == telemetry.RULES_MAX + 1


class Said:
    """``Alerts`` that remember."""

    def __init__(self) -> None:
        self.codes: list[str] = []

    async def say(self, severity: object, code: str, subject: str, text: str, *, lasts: bool = False) -> None:
        self.codes.append(f"{severity} {code} {subject}")


@pytest.mark.req("DEL-4")
async def test_a_level_that_breaks_is_said_once_and_so_is_its_end() -> None:
    clock, said = HandClock(), Said()
    of = Telemetry(clock)
    looks: Any = Promised(of, said)  # type: ignore[arg-type]  # the one method that is used
    await looks.look()
    for took_ms in (20.0, *[700.0] * (ENOUGH - 2)):
        of.decided(a_skip(), took_ms)
    await looks.look()
    assert said.codes == [], "too few"
    of.decided(a_skip(), 700.0)
    await looks.look()
    await looks.look()
    assert said.codes == ["WARN SLI_DECIDE_LATENCY decide_latency"]
    clock.ms += RECENT_MS + 1
    await looks.look()
    assert len(said.codes) == 1, "nothing is measured: neither broken nor kept"
    for _ in range(ENOUGH):
        of.decided(a_skip(), 3.0)
    await looks.look()
    assert said.codes[1:] == ["INFO SLI_DECIDE_LATENCY_OVER decide_latency"]
