"""How to point a client library at a simulator: its base URLs, and for ccxt what it asks for before the first order.

Tried by ``tests/conformance``; its ccxt part, as printed, by ``tests/integration/simulator/test_pointing.py``.
"""

from string import Template
from typing import Final

from chimera.simulate.venue.account_spec import READY_ACCOUNT

_TEXT: Final = Template("""\
The simulated exchange answers at $http, and for spot's streams at $spot_http

  account        $name   key $key   secret $secret
  USD-M REST     $http/fapi/...
  USD-M streams  $ws/public  $ws/market  $ws/private   (then /ws/... or /stream?streams=...)
  USD-M WebSocket API  $ws/ws-fapi/v1
  Spot REST      $http/api/v3/...
  Spot streams   $spot_ws/ws/...
  Spot WebSocket API   $ws/ws-api/v3   (user data comes there)
  Wallet         $http/sapi/v1/asset/transfer
  control        $http/sim/state  /sim/audit  /sim/faults  (docs/simulator.md)

ccxt (async or pro)
  here = {"fetchCurrencies": False, "fetchMargins": False, "fetchMarkets": {"types": ["spot", "linear"]}}
  exchange = ccxt.pro.binance({"apiKey": "$key", "secret": "$secret", "options": here})
  def pointed(url):   # dictionaries inside, too
      if isinstance(url, dict): return {name: pointed(each) for name, each in url.items()}
      scheme, _, rest = url.partition("://")
      return ("$ws" if scheme == "wss" else "$http") + "/" + rest.partition("/")[2]
  exchange.urls["api"] = pointed(exchange.urls["api"])
  exchange.urls["api"]["ws"]["spot"] = "$spot_ws/stream"   # by /stream ccxt knows spot from futures

official SDKs (binance-sdk-spot, binance-sdk-derivatives-trading-usds-futures)
  ConfigurationRestAPI(api_key="$key", api_secret="$secret", base_path="$http")
  ConfigurationWebSocketAPI(api_key="$key", api_secret="$secret", stream_url="$ws/ws-fapi/v1")   # spot: /ws-api/v3
  ConfigurationWebSocketStreams(stream_url="$ws")   # spot: "$spot_ws"

python-binance
  class Client(binance.AsyncClient):
      API_URL, MARGIN_API_URL, FUTURES_URL = "$http/api", "$http/sapi", "$http/fapi"
      WS_API_URL, WS_FUTURES_URL = "$ws/ws-api/v3", "$ws/ws-fapi/v1"
  class Sockets(binance.BinanceSocketManager):
      STREAM_URL, FSTREAM_URL = "$spot_ws/", "$ws/"

Chimera
  S4_FUT_URL=$http chimera s4
""")


def pointed_at(address: str, spot: str) -> str:
    """For people: everything needed to trade at the simulator that answers at these two (``http://host:port``)."""
    return _TEXT.substitute(
        http=address,
        ws="ws" + address.removeprefix("http"),
        spot_http=spot,
        spot_ws="ws" + spot.removeprefix("http"),
        name=READY_ACCOUNT.name,
        key=READY_ACCOUNT.api_key,
        secret=READY_ACCOUNT.secret,
    )
