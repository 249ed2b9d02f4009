"""Where each environment lives, and the only hosts a signed request may go to.

The same adapter talks to the simulator, Binance demo and Binance: base URLs and keys are all that differs. A key sent
to a wrong host is a key given away, so a base URL outside its environment's list is refused; plain text only inside
this machine.
Source: developers.binance.com, USD-M general-info and "Important WebSocket Change Notice" (2026-03-06).
"""

from typing import Final

from yarl import URL

from chimera.trading.errors import Refused
from chimera.trading.market import Market
from chimera.trading.value import Value

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_BINANCE: Final = {
    "live": frozenset(
        {
            "fapi.binance.com",
            "fstream.binance.com",
            "ws-fapi.binance.com",
            "api.binance.com",  # spot
            "ws-api.binance.com",
            "stream.binance.com",
        }
    ),
    "demo": frozenset(  # one backend under its old and its new name
        {
            "demo-fapi.binance.com",
            "demo-fstream.binance.com",
            "testnet.binancefuture.com",
            "fstream.binancefuture.com",
            "demo-api.binance.com",  # spot, demo and testnet
            "demo-ws-api.binance.com",
            "demo-stream.binance.com",
            "testnet.binance.vision",
            "ws-api.testnet.binance.vision",
        }
    ),
}


class Hosts(Value):
    """Base URLs of one environment, without a trailing slash: ``rest`` for ``/fapi``, ``streams`` for ``/private``.

    ``orders`` is the WebSocket API's, for ``/ws-fapi``; empty: that of the streams.
    """

    name: str
    rest: str
    streams: str
    orders: str = ""

    @property
    def of_orders(self) -> "Hosts":
        """The same with the WebSocket API where streams are looked for."""
        return self.but(streams=self.orders or self.streams)


SIM: Final = Hosts(name="sim", rest="http://127.0.0.1:9020", streams="ws://127.0.0.1:9020")
DEMO: Final = Hosts(
    name="demo",
    rest="https://demo-fapi.binance.com",
    streams="wss://demo-fstream.binance.com",
    orders="wss://testnet.binancefuture.com",
)
LIVE: Final = Hosts(
    name="live",
    rest="https://fapi.binance.com",
    streams="wss://fstream.binance.com",
    orders="wss://ws-fapi.binance.com",
)
PRESETS: Final = {hosts.name: hosts for hosts in (SIM, DEMO, LIVE)}
SPOT_DEMO: Final = Hosts(name="demo", rest="https://demo-api.binance.com", streams="wss://demo-ws-api.binance.com")
SPOT_LIVE: Final = Hosts(name="live", rest="https://api.binance.com", streams="wss://ws-api.binance.com")
SPOT_PRESETS: Final = {hosts.name: hosts for hosts in (SIM, SPOT_DEMO, SPOT_LIVE)}  # streams: the WebSocket API


SPOT_STREAMS: Final = {  # the public market's; no key goes there
    SIM.name: SIM.streams,
    SPOT_DEMO.name: "wss://demo-stream.binance.com",
    SPOT_LIVE.name: "wss://stream.binance.com",
}


def hosts_named(
    name: str, *, rest: str | None = None, streams: str | None = None, market: Market = Market.FUT
) -> Hosts:
    """The preset ``name`` with base URLs replaced where given; raises ``Refused`` for what is not allowed."""
    presets = PRESETS if market is Market.FUT else SPOT_PRESETS
    if name not in presets:
        raise Refused(
            "UNKNOWN_ENVIRONMENT", f"no environment {name!r}", field="env", value=name, accepted=", ".join(presets)
        )
    preset = presets[name]
    return checked(preset.but(rest=rest or preset.rest, streams=streams or preset.streams))


def environment_of(address: str) -> str | None:
    """Whose host that is, ``sim`` for this machine; None for nobody's we know."""
    try:
        host = URL(address).host
    except ValueError:
        return None
    if host in _LOOPBACK:
        return SIM.name
    return next((name for name, hosts in _BINANCE.items() if host in hosts), None)


def checked(hosts: Hosts) -> Hosts:
    """The same hosts, trailing slashes off; raises ``Refused`` unless each is a host of that environment.

    ``sim`` is loopback, the others are Binance's over TLS: a live key never reaches a simulator or the demo, nor
    the key of one of these the live market.
    """
    return hosts.but(
        rest=_checked(hosts.rest, "rest", ("http", "https"), hosts.name),
        streams=_checked(hosts.streams, "streams", ("ws", "wss"), hosts.name),
        orders=hosts.orders and _checked(hosts.orders, "orders", ("ws", "wss"), hosts.name),
    )


def _checked(text: str, field: str, schemes: tuple[str, str], environment: str) -> str:
    plain, tls = schemes
    local, hosts = environment == SIM.name, _BINANCE.get(environment, frozenset())
    try:
        url = URL(text)
        allowed = (
            (url.host in _LOOPBACK and url.scheme in schemes)
            if local
            else (url.host in hosts and url.scheme == tls and url.explicit_port in (None, 443))
        )
    except ValueError:
        allowed = False
    if not allowed or url.user or url.query_string or url.path not in ("", "/"):
        accepted = f"{plain}://127.0.0.1:PORT" if local else f"{tls}:// and one of {', '.join(sorted(hosts))}"
        of = environment_of(text)
        why = f"is of {of}" if of not in (None, environment) else "is not allowed"
        raise Refused(
            "HOST_NOT_ALLOWED", f"{environment}: {field} base URL {why}", field=field, value=text, accepted=accepted
        )
    return text.rstrip("/")
