"""``chimera sim``: whose word decides about the market, accounts from a file, and what a person is told."""

import json
from itertools import islice
from pathlib import Path

import pytest

from chimera.cli.sim import SimOptions, market_of
from chimera.services.simulator.accounts_file import load
from chimera.services.simulator.pointing import pointed_at
from chimera.simulate.trouble import scenario
from chimera.simulate.venue.account_spec import READY_ACCOUNT
from chimera.tape.synthetic import Synthetic
from chimera.trading.errors import Refused
from chimera.trading.market import Market


def accounts(path: Path, *rows: dict[str, object]) -> Path:
    path.write_text(json.dumps(rows))
    return path


def test_the_command_line_wins_over_the_scenario_and_that_over_the_default() -> None:
    told = scenario.Scenario(market=scenario.Market(symbol="ETHUSDT", seed=9))

    assert market_of(SimOptions(), None).symbols == ("BTCUSDT",)
    assert market_of(SimOptions(), told).symbols == ("ETHUSDT",)
    assert market_of(SimOptions(symbols="solusdt,bnbusdt"), told).symbols == ("SOLUSDT", "BNBUSDT")
    only_futures = market_of(SimOptions(markets="fut", symbols="BTCUSDT"), told)
    assert [event for _, event in islice(only_futures.events, 50)] == list(islice(Synthetic(9), 50))


def test_each_market_can_be_had_alone() -> None:
    for words, markets in (("fut", {Market.FUT}), ("spot", {Market.SPOT}), ("both", set(Market))):
        events = market_of(SimOptions(markets=words), None).events
        assert {market for market, _ in islice(events, 200)} == markets
    with pytest.raises(Refused, match="no such market"):
        market_of(SimOptions(markets="options"), None)


def test_accounts_of_a_file_stand_beside_the_ready_one_or_in_its_place(tmp_path: Path) -> None:
    one = {"name": "bot", "api_key": "key-of-one", "secret": "s", "balance": "5", "spot": {"BNB": "1"}}
    assert [each.name for each in load(accounts(tmp_path / "a", one))] == ["main", "bot"]
    assert load(accounts(tmp_path / "b", one | {"name": "main"}))[0].api_key == "key-of-one"
    assert load(accounts(tmp_path / "c", one | {"api_key": READY_ACCOUNT.api_key}))[0].name == "bot"


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([{"name": "a"}], "api_key"),
        (
            [{"name": "a", "api_key": "short", "secret": "s"}],
            r"no caller could use the api_key 'short'; one is .*8,128",
        ),
        ([{"name": "a", "api_key": "key-of-one"}], "either a secret or a public_key"),
        (
            [
                {"name": "a", "api_key": "key-of-one", "secret": "s"},
                {"name": "a", "api_key": "key-of-two", "secret": "s"},
            ],
            "the name 'a'",
        ),
        (
            [
                {"name": "a", "api_key": "key-of-one", "secret": "s"},
                {"name": "b", "api_key": "key-of-one", "secret": "s"},
            ],
            "api_key 'key-of-one'",
        ),
    ],
)
def test_a_file_of_no_use_is_refused_with_what_is_wrong(
    tmp_path: Path, rows: list[dict[str, object]], says: str
) -> None:
    with pytest.raises(Refused, match=says):
        load(accounts(tmp_path / "a", *rows))
    with pytest.raises(Refused, match="cannot be read"):
        load(tmp_path / "absent")


def test_a_person_is_told_every_address() -> None:
    told = pointed_at("http://127.0.0.1:9020", "http://127.0.0.1:9021")
    for needed in (
        READY_ACCOUNT.api_key, READY_ACCOUNT.secret, "ws://127.0.0.1:9020/ws-fapi/v1", "ws://127.0.0.1:9021/stream",
        "http://127.0.0.1:9020/api", "ccxt", "python-binance", "SDK",
    ):  # fmt: skip
        assert needed in told
    assert "$" not in told
