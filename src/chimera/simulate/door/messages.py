"""What passes between the twin and whoever drives it: a request, its answer, a stream frame.

``WireRequest`` keeps the query and the body exactly as sent (percent-encoded): the signature is over those bytes.
Knows nothing of HTTP libraries or sockets; the service and the virtual-time world both speak this.
"""

from typing import Any, Final

import msgspec

from chimera.trading.money import Millis
from chimera.trading.value import Value

PUBLIC, MARKET, PRIVATE = "public", "market", "private"  # the futures routes
SPOT, SPOT_PRIVATE = "spot", "spot_private"
ANY = "*"  # as a frame's channel or route
NO_JSON: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)  # the last: nested too deeply


class WireRequest(Value):
    """One HTTP request. Header names are compared without regard to case. ``origin``: the IP it came from, if known."""

    method: str
    path: str
    query: str = ""
    headers: dict[str, str] = {}
    body: str = ""
    origin: str = ""

    def header(self, name: str) -> str | None:
        """The value of header ``name``, ``None`` if it was not sent."""
        wanted = name.lower()
        return next((value for key, value in self.headers.items() if key.lower() == wanted), None)


class WireResponse(Value):
    """One answer. ``dropped``: the connection ends without it. ``delay_ms``: it arrives that much later."""

    status: int
    headers: dict[str, str]
    body: bytes
    dropped: bool = False
    delay_ms: Millis = Millis(0)

    def json(self) -> Any:
        """The body parsed: numbers on Binance's wire are strings or integers, so nothing becomes a float."""
        return msgspec.json.decode(self.body)


class Frame(Value):
    """One stream message: on ``route`` (public, market, private) for ``channel`` (a stream name or a listenKey).

    ``payload`` is the raw JSON; a combined connection wraps it. ``event`` is its ``e``. ``delay_ms`` comes from faults;
    so does ``ends``: connections that hear this channel (``ANY``: all of it) end with it, an empty payload unsent.
    """

    route: str
    channel: str
    event: str
    payload: bytes
    delay_ms: Millis = Millis(0)
    ends: bool = False

    def json(self) -> Any:
        """The payload parsed."""
        return msgspec.json.decode(self.payload)
