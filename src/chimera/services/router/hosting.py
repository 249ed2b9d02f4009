"""Where S4's requests go and who signs them, by the settings: the simulator, Binance's demo or the live market."""

from typing import NamedTuple

from yarl import URL

from chimera.adapters.binance.hosts import SIM, Hosts, environment_of, hosts_named
from chimera.services.router.settings import RouterSettings
from chimera.services.setting_kinds import SettingsFault
from chimera.simulate import ready_key
from chimera.trading.errors import Refused
from chimera.trading.market import Market


class Pair(NamedTuple):
    """Who signs."""

    key: str
    secret: str


def hosts_of(settings: RouterSettings, market: Market = Market.FUT) -> Hosts:
    """The simulator where ``S4_FUT_URL`` is of this machine, else Binance's demo or the live market.

    Both markets are of one environment: spot's own URLs, where they are set, must agree with what futures' say.
    """
    environment = _environment(settings)
    if market is Market.FUT:
        rest, streams = settings.fut_url, settings.fut_ws_url
    else:
        rest = settings.spot_url or (settings.fut_url if environment == "sim" else None)
        streams = settings.spot_ws_url
    if environment == SIM.name and rest is not None:
        streams = streams or _as_socket(rest)
    try:
        return hosts_named(environment, rest=rest, streams=streams, market=market)
    except Refused as refused:
        raise SettingsFault(_misplaced(settings, market, environment, refused)) from refused


def _environment(settings: RouterSettings) -> str:
    if settings.fut_url is not None and environment_of(settings.fut_url) == SIM.name:
        return SIM.name
    return "demo" if settings.testnet else "live"


def _misplaced(settings: RouterSettings, market: Market, environment: str, refused: Refused) -> str:
    """Which setting names a host of another environment, and how it would be right."""
    of = {"rest": f"S4_{market}_URL", "streams": f"S4_{market}_WS_URL"}
    name = of.get(str(refused.field), of["rest"])
    if environment == "sim":
        asked = f"S4_FUT_URL={settings.fut_url} asks for the simulator"
        return f"{name}={refused.value}: {asked}; unset {name}, or name all hosts of one environment"
    asked = f"S4_TESTNET={str(settings.testnet).lower()} asks for {environment}"
    fix = f"unset {name}, or set S4_TESTNET={str(not settings.testnet).lower()}"
    whose = environment_of(str(refused.value)) or "nobody's we know"
    return f"{name}={refused.value} ({whose}), and {asked}; {fix}"


def _as_socket(rest: str) -> str:
    url = URL(rest)
    return str(url.with_scheme("wss" if url.scheme == "https" else "ws")).rstrip("/")


def keys_of(settings: RouterSettings) -> Pair:
    """Key and secret; against the simulator its ready key will do."""
    if settings.binance_key is not None and settings.binance_secret is not None:
        return Pair(settings.binance_key.get_secret_value(), settings.binance_secret.get_secret_value())
    if hosts_of(settings).name == "sim":
        return Pair(ready_key.API_KEY, ready_key.SECRET)
    raise SettingsFault(
        "S4_BINANCE_KEY and S4_BINANCE_SECRET are needed to trade on Binance; for the simulator set"
        " S4_FUT_URL=http://127.0.0.1:9020"
    )
