"""A signed request goes to a host of the list or nowhere."""

import pytest

from chimera.adapters.binance.hosts import DEMO, LIVE, PRESETS, SIM, SPOT_PRESETS, checked, environment_of, hosts_named
from chimera.trading.errors import Refused
from chimera.trading.market import Market


def test_every_preset_is_allowed() -> None:
    assert [checked(hosts) for hosts in PRESETS.values()] == [SIM, DEMO, LIVE]
    assert hosts_named("sim", rest="http://127.0.0.1:1234/").rest == "http://127.0.0.1:1234"
    for name, hosts in SPOT_PRESETS.items():
        assert hosts_named(name, market=Market.SPOT) == checked(hosts) == hosts
        assert {environment_of(hosts.rest), environment_of(hosts.streams)} == {name}


@pytest.mark.parametrize(
    ("name", "rest"),
    [
        ("live", "http://fapi.binance.com"),  # plain text
        ("live", "https://fapi.binance.com.evil.example"),
        ("live", "https://evil.example/fapi.binance.com"),
        ("live", "https://fapi.binance.com@evil.example"),
        ("live", "https://key@fapi.binance.com"),
        ("live", "https://fapi.binance.com:8443"),
        ("live", "http://127.0.0.1:9020"),  # a live key never goes to a simulator
        ("demo", "https://fapi.binance.com/fapi"),
        ("sim", "https://fapi.binance.com"),  # nor the simulator's to Binance
        ("sim", "http://192.168.0.2:9020"),
        ("sim", "http://127.0.0.1:port"),
        ("sim", "ws://127.0.0.1:9020"),
        ("sim", ""),
        ("paper", None),
        ("live", "https://demo-fapi.binance.com"),  # I32: a live key never reaches the demo, nor the demo's the market
        ("live", "https://testnet.binancefuture.com"),
        ("demo", "https://fapi.binance.com"),
        ("live", "https://demo-api.binance.com"),
        ("demo", "https://api.binance.com"),
    ],
)
@pytest.mark.fault("B37")
def test_other_hosts_are_refused(name: str, rest: str | None) -> None:
    if rest == "":
        with pytest.raises(Refused):
            checked(SIM.but(rest=rest))
        return
    with pytest.raises(Refused):
        hosts_named(name, rest=rest)


@pytest.mark.req("S4-LIM-3", "I32")
def test_hosts_of_two_environments_are_never_mixed() -> None:
    with pytest.raises(Refused) as stopped:
        hosts_named("live", streams="wss://fstream.binancefuture.com")

    assert stopped.value.message == "live: streams base URL is of demo"
    assert "fstream.binance.com" in str(stopped.value.accepted)


def test_the_demo_is_one_backend_under_two_names() -> None:
    assert hosts_named("demo", rest="https://testnet.binancefuture.com").streams == DEMO.streams
