"""Scenarios: what is read, what is refused and how it is said, and chance that belongs to each fault alone."""

import json
import re
import tomllib
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chimera.services.simulator.scenario_file import load
from chimera.simulate.door.messages import WireRequest
from chimera.simulate.trouble.catalogue import CATALOGUE
from chimera.simulate.trouble.chance import Spread, draw, happens, wait_ms
from chimera.simulate.trouble.scenario import Fault, Scenario, fault, read
from chimera.simulate.trouble.schedule import Schedule
from chimera.trading.errors import Refused

D = Decimal
ORDER = WireRequest(method="POST", path="/fapi/v1/order", query="symbol=BTCUSDT&newClientOrderId=s3-1")
PAGE = {
    "name": "a bad afternoon",
    "seed": 7,
    "faults": [
        {"name": "unknown_503", "params": {"executed": 0.25}, "match": {"symbol": "BTCUSDT"}, "chance": "0.5"},
        {"name": "latency", "id": "slow", "params": {"spread": "lognormal", "ms": 40}, "when": {"from_ms": 1000}},
    ],
    "accounts": [{"name": "second", "api_key": "second-key-1", "secret": "second-secret", "balance": "5000"}],
    "market": {"symbol": "ETHUSDT", "seed": 3},
}


def test_a_scenario_is_read_whole():
    scenario = read(PAGE)
    first, slow = scenario.faults
    assert (scenario.name, scenario.seed, scenario.market.symbol) == ("a bad afternoon", 7, "ETHUSDT")
    assert first.params == {"executed": D("0.25")}
    assert (first.match.symbol, first.match.path) == ("BTCUSDT", "*rder*"), "the default aim stands beside the given"
    assert first.chance == D("0.5")
    assert (slow.id, slow.when.from_ms, slow.when.to_ms) == ("slow", 1000, None)
    assert slow.params["sigma"] == D("0.5"), "what was not given has the catalogue's default"
    assert scenario.accounts[0].balance == D(5000)


@pytest.mark.parametrize(
    ("given", "field", "value", "accepted"),
    [
        ({"faults": [{"name": "latancy"}]}, "faults[0].name", "latancy", "did you mean latency?"),
        ({"faults": [{}]}, "faults[0].name", None, "frame_drop"),
        ({"faults": [{"name": "latency", "params": {"ms": -1}}]}, "faults[0].params.ms", -1, "whole ms, 0 or more"),
        ({"faults": [{"name": "latency", "params": {"speed": 1}}]}, "faults[0].params.speed", 1, "way, spread, ms"),
        ({"faults": [{"name": "latency", "params": {"spread": "odd"}}]}, "faults[0].params.spread", "odd", "uniform"),
        ({"faults": [{"name": "latency", "match": {"event": "X"}}]}, "faults[0].match.event", "X", "method, path"),
        ({"faults": [{"name": "clock_skew", "match": {"symbol": "B"}}]}, "faults[0].match.symbol", "B", "strikes all"),
        ({"faults": [{"name": "latency", "match": {"place": "X"}}]}, "faults[0].match.place", "X", "method, path"),
        ({"faults": [{"name": "latency", "chance": 2}]}, "faults[0].chance", 2, "0 to 1"),
        ({"faults": [{"name": "latency", "count": 0}]}, "faults[0].count", 0, "above 0"),
        ({"faults": [{"name": "latency", "every": 0}]}, "faults[0].every", 0, "above 0"),
        ({"faults": [{"name": "latency", "every": "x"}]}, "faults[0].every", "x", "docs/faults.md"),
        ({"faults": [{"name": "latency", "when": {"from_ms": 5, "to_ms": 5}}]}, "faults[0].when.to_ms", 5, "above 5"),
        ({"faults": [{"name": "latency", "when": {"at": 5}}]}, "faults[0].when.at", 5, "from_ms, to_ms"),
        ({"faults": [{"name": "stop_refused", "params": {"code": -9999}}]}, "faults[0].params.msg", "", "-9999"),
        ({"faults": {"name": "latency"}}, "faults", ["name"], "a list"),
        ({"faults": [3]}, "faults[0]", 3, "name, params"),
        ({"sead": 1}, "sead", 1, "name, seed, faults"),
        ({"seed": "x"}, "seed", "x", "docs/faults.md"),
        ({"faults": [{"name": "latency", "id": "a"}, {"name": "latency", "id": "a"}]}, "id", "a", "differ"),
        (
            {"faults": [{"name": "latency", "params": {"least_ms": 9, "most_ms": 8}}]},
            "faults[0].params.least_ms",
            9,
            "most_ms",
        ),
    ],
)
def test_what_does_not_fit_is_refused_by_field_value_and_what_is_accepted(given, field, value, accepted):
    with pytest.raises(Refused) as caught:
        read(given)
    assert (caught.value.field, caught.value.value) == (field, value)
    assert accepted in str(caught.value.accepted)


@pytest.mark.parametrize(
    "given",
    [
        {"accounts": [{"name": "x", "secret": "not-for-logs"}]},
        {"account": [{"name": "x", "api_key": "x-key-1234", "secret": "not-for-logs"}]},
        {"faults": {"accounts": [{"secret": "not-for-logs"}]}},
        {"accounts": [{"name": "x", "api_key": "x-key-1234", "secret": 90210}]},
    ],
)
def test_a_refusal_repeats_no_secret(given, tmp_path):
    with pytest.raises(Refused) as caught:
        read(given)
    for text in ("not-for-logs", "90210"):
        assert text not in f"{caught.value} {caught.value.value}"
    page = tmp_path / "s.json"
    page.write_text(json.dumps([given]))
    with pytest.raises(Refused) as caught:
        load(page)
    assert caught.value.value == [sorted(given)]


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_every_fault_can_be_armed_by_its_name_alone(name):
    whole = fault({"name": name})
    assert set(whole.params) == {param.name for param in CATALOGUE[name].params}
    assert fault({"name": name, "params": dict(whole.params)}).params == whole.params


def test_a_file_is_json_or_toml(tmp_path):
    as_json, as_toml = tmp_path / "s.json", tmp_path / "s.toml"
    as_json.write_text(json.dumps(PAGE))
    as_toml.write_text(
        'name = "a bad afternoon"\nseed = 7\n'
        '[[faults]]\nname = "unknown_503"\nchance = 0.5\nparams = {executed = 0.25}\nmatch = {symbol = "BTCUSDT"}\n'
        '[[faults]]\nname = "latency"\nid = "slow"\nparams = {spread = "lognormal", ms = 40}\nwhen = {from_ms = 1000}\n'
        '[[accounts]]\nname = "second"\napi_key = "second-key-1"\nsecret = "second-secret"\nbalance = 5000\n'
        '[market]\nsymbol = "ETHUSDT"\nseed = 3\n'
    )
    assert load(as_json) == load(as_toml) == read(PAGE)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("s.json", "{", "not JSON"),
        ("s.toml", "=", "not TOML"),
        ("s.yaml", "", "no known format"),
        ("s.json", "[]", "no"),
    ],
)
def test_a_file_of_no_use_is_refused_by_name(tmp_path, name, text, says):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(Refused, match=says) as caught:
        load(path)
    assert caught.value.field == "--scenario"


def struck(scenario: Scenario, fault_id: str, times: int = 200) -> list[int]:
    """At which of so many placements the fault of this id struck."""
    schedule = Schedule(scenario, 0)
    found, before = [], 0
    for number in range(times):
        schedule.on_request(ORDER, number)
        now = next(row["struck"] for row in schedule.picture(0) if row["id"] == fault_id)
        found += [number] * (now - before)
        before = now
    return found


def test_a_fault_keeps_its_luck_when_others_come_or_go():
    slow = Fault(name="latency", id="slow", chance=D("0.3"))
    lost = Fault(name="timeout_after", id="lost", chance=D("0.3"))
    alone = struck(Scenario(seed=7, faults=(slow,)), "slow")
    assert alone == struck(Scenario(seed=7, faults=(lost, slow)), "slow")
    assert alone != struck(Scenario(seed=8, faults=(slow,)), "slow")
    assert 30 < len(alone) < 90


def test_an_unnamed_fault_has_an_id_of_its_content():
    one, two = {"name": "latency", "params": {"ms": 5}}, {"name": "latency", "params": {"ms": 6}}
    first, second = read({"faults": [one, two]}).faults
    assert read({"faults": [two]}).faults[0].id == second.id
    assert [each.id for each in read({"faults": [one, one]}).faults] == [first.id, f"{first.id}-2"]


def test_every_count_and_when_bound_what_is_struck():
    assert struck(Scenario(faults=(Fault(name="late_ack", id="a", every=3),)), "a", 10) == [2, 5, 8]
    assert struck(Scenario(faults=(Fault(name="late_ack", id="a", count=2),)), "a", 10) == [0, 1]
    timed = fault({"name": "late_ack", "id": "a", "when": {"from_ms": 4, "to_ms": 6}})
    assert struck(Scenario(faults=(timed,)), "a", 10) == [4, 5]


@given(seed=st.integers(0, 1 << 32), key=st.text(max_size=5))
def test_a_draw_is_a_function_of_seed_and_key(seed, key):
    assert draw(seed, key) == draw(seed, key)
    assert 0 <= draw(seed, key) < 1


@given(
    st.sampled_from(Spread), st.integers(0, 500), st.floats(0, 1, exclude_max=True), st.floats(0, 1, exclude_max=True)
)
def test_a_wait_stays_inside_its_bounds(spread, ms, one, two):
    wait = wait_ms(spread, ms, 0, 1000, D("0.5"), one, two)
    assert 0 <= wait <= 1000
    assert spread is not Spread.FIXED or wait == ms


def test_spreads_have_the_middle_they_promise():
    def middle(spread: Spread) -> float:
        waits = sorted(
            wait_ms(spread, 100, 0, 10_000, D("0.5"), draw(1, "a", n), draw(1, "b", n)) for n in range(2_000)
        )
        return sum(waits) / len(waits) if spread is Spread.EXPONENTIAL else waits[1_000]

    assert 90 < middle(Spread.EXPONENTIAL) < 110
    assert 93 < middle(Spread.LOGNORMAL) < 107
    assert not happens(D(0), 0.0)
    assert happens(D(1), draw(1, "x"))


def test_the_pages_example_is_a_scenario_and_its_commands_name_faults():
    page = (Path(__file__).resolve().parents[3] / "docs" / "faults.md").read_text(encoding="utf-8")
    [example] = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    scenario = read(tomllib.loads(example, parse_float=D))
    assert [each.name for each in scenario.faults] == ["latency", "unknown_503", "stuck_triggering"]
    assert set(re.findall(r"chimera faults arm (\w+)", page)) <= set(CATALOGUE)
