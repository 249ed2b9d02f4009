"""Where a rehearsal may run: the simulator, or Binance's demo environment with the user's own demo keys.

A production host is refused whoever names it, and demo without keys is refused before anything is sent. Keys are read
from the environment or from files, are held by the signers alone, and appear in no message.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from yarl import URL

from chimera.adapters.binance.hosts import Hosts, checked
from chimera.simulate.venue.account_spec import READY_ACCOUNT
from chimera.trading.errors import Refused
from chimera.trading.value import Value

CODE: Final = "CONFORM"
ENVIRONMENTS: Final = ("sim", "demo")
_DEMO_HOSTS: Final = frozenset(
    {
        "demo-fapi.binance.com", "demo-fstream.binance.com", "testnet.binancefuture.com", "fstream.binancefuture.com",
        "demo-api.binance.com", "demo-ws-api.binance.com", "testnet.binance.vision", "ws-api.testnet.binance.vision",
    }
)  # fmt: skip
_FUT_DEMO: Final = Hosts(
    name="demo", rest="https://demo-fapi.binance.com", streams="wss://demo-fstream.binance.com"
)  # reference 1.2
_SPOT_DEMO: Final = Hosts(
    name="demo", rest="https://demo-api.binance.com", streams="wss://demo-ws-api.binance.com"
)  # 1.1; the WebSocket API is where spot user data comes from
_VARIABLES: Final = {"FUT": "BINANCE_DEMO_FUT", "SPOT": "BINANCE_DEMO_SPOT"}


class Credentials(Value):
    """A key and what it signs with: an HMAC secret, or a PEM private key (Ed25519). No ``repr`` shows either."""

    key: str
    secret: str

    def __repr__(self) -> str:
        return "Credentials(…)"


class Target(Value):
    """One market of one environment. Without credentials only public questions can be asked."""

    hosts: Hosts
    credentials: Credentials | None


def simulator(base: str, credentials: Credentials | None = None) -> dict[str, Target]:
    """Both markets of a simulator at ``base`` (``http://127.0.0.1:PORT``), by default with its ready account."""
    hosts = checked(Hosts(name="sim", rest=base, streams="ws" + base.removeprefix("http")))
    known = credentials or Credentials(key=READY_ACCOUNT.api_key, secret=READY_ACCOUNT.secret)
    return {"FUT": Target(hosts=hosts, credentials=known), "SPOT": Target(hosts=hosts, credentials=known)}


def demo(environ: Mapping[str, str], base: str | None = None) -> dict[str, Target]:
    """Binance's demo environment, those markets that ``environ`` has keys for.

    ``BINANCE_DEMO_FUT_KEY`` and ``BINANCE_DEMO_FUT_SECRET``, or ``…_KEY_FILE`` and ``…_SECRET_FILE``; likewise
    ``BINANCE_DEMO_SPOT_…``. ``base`` replaces the futures REST host. Raises ``Refused``.
    """
    targets = {
        market: Target(hosts=hosts, credentials=found)
        for market, hosts in (("FUT", _futures_hosts(base)), ("SPOT", _SPOT_DEMO))
        if (found := _read(environ, _VARIABLES[market])) is not None
    }
    if not targets:
        names = " and ".join(
            f"{prefix}_KEY, {prefix}_SECRET (or …_KEY_FILE, …_SECRET_FILE)" for prefix in _VARIABLES.values()
        )
        raise Refused(CODE, "there are no demo keys to rehearse with", field="environment", accepted=names)
    for target in targets.values():
        _refuse_production(target.hosts)
    return targets


def _futures_hosts(base: str | None) -> Hosts:
    hosts = _FUT_DEMO if base is None else _FUT_DEMO.but(rest=base)
    _refuse_production(hosts)
    return hosts


def _refuse_production(hosts: Hosts) -> None:
    for address in (hosts.rest, hosts.streams):
        if URL(address).host not in _DEMO_HOSTS:
            raise Refused(
                CODE, "a rehearsal never runs against production", field="--base", value=address,
                accepted=", ".join(sorted(_DEMO_HOSTS)),
            )  # fmt: skip
    checked(hosts)


def _read(environ: Mapping[str, str], prefix: str) -> Credentials | None:
    key, secret = (_word(environ, f"{prefix}_{part}") for part in ("KEY", "SECRET"))
    if not key and not secret:
        return None
    if not key or not secret:
        raise Refused(CODE, f"{prefix}_KEY and {prefix}_SECRET belong together", field="environment")
    return Credentials(key=key, secret=secret)


def _word(environ: Mapping[str, str], name: str) -> str:
    file = environ.get(f"{name}_FILE")
    if not file:
        return environ.get(name, "")
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise Refused(CODE, f"{name}_FILE cannot be read: {error.strerror}", field=f"{name}_FILE") from error
