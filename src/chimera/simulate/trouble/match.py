"""At whom a fault is aimed: requests, frames, conditional orders, accounts, symbols, by what can be seen of them.

Every field is a glob (``*``, ``?``), or several joined by ``|``; an empty one fits all; a client id is a prefix. Names
of accounts are the simulator's own (``POST /sim/accounts``).
"""

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any, Final, Protocol
from urllib.parse import parse_qsl

import msgspec

from chimera.simulate.door.auth import KEY_HEADER
from chimera.simulate.door.messages import NO_JSON, Frame, WireRequest
from chimera.simulate.trouble.faults import Triggering
from chimera.trading.value import Value

_CLIENT_IDS: Final = re.compile(r"(?i)(clientorderid|clientalgoid)$")
_BATCH: Final = frozenset({"batchOrders", "orderIdList", "origClientOrderIdList"})
USDM, SPOT = "usdm", "spot"


class Who(Protocol):
    """Whose a key is; "" where nobody's."""

    def of_key(self, api_key: str) -> str: ...

    def of_channel(self, channel: str) -> str: ...


class Nobody:
    """Knows no one."""

    def of_key(self, api_key: str) -> str:
        return ""

    def of_channel(self, channel: str) -> str:
        return ""


class Match(Value, tag=False):
    """``market`` is usdm or spot, ``type`` a conditional order's; ``route``, ``event``, ``channel`` are a frame's."""

    method: str = ""
    path: str = ""
    market: str = ""
    symbol: str = ""
    type: str = ""
    account: str = ""
    client_id: str = ""
    route: str = ""
    event: str = ""
    channel: str = ""

    def fits_request(self, request: WireRequest, who: Who) -> bool:
        """Whether this request is meant."""
        return (
            fits(self.method, request.method)
            and fits(self.path, request.path)
            and (not self.market or fits(self.market, market_of(request.path)))
            and (not self.account or fits(self.account, who.of_key(request.header(KEY_HEADER) or "")))
            and (not self.symbol or any(fits(self.symbol, each) for each in symbols_in(request)))
            and (not self.client_id or any(begins(self.client_id, each) for each in client_ids_in(request)))
        )

    def fits_frame(self, frame: Frame, who: Who) -> bool:
        """Whether this frame is meant."""
        return (
            fits(self.route, frame.route)
            and fits(self.event, frame.event)
            and fits(self.channel, frame.channel)
            and (not self.account or fits(self.account, who.of_channel(frame.channel)))
            and (not self.symbol or fits(self.symbol, _told(frame, "s").upper()))
            and (not self.client_id or begins(self.client_id, _told(frame, "c", "caid")))
        )

    def fits_trigger(self, triggering: Triggering) -> bool:
        """Whether this conditional order is meant."""
        return (
            fits(self.market, triggering.market)
            and fits(self.type, triggering.type)
            and fits(self.account, triggering.account)
            and fits(self.symbol, triggering.symbol)
            and (not self.client_id or begins(self.client_id, triggering.client_id))
        )


@lru_cache(maxsize=1024)
def _parts(pattern: str) -> tuple[str, ...]:
    return tuple(pattern.split("|"))


def fits(pattern: str, text: str) -> bool:
    """Whether one of the globs fits; an empty pattern fits all."""
    return not pattern or any(fnmatchcase(text, each) for each in _parts(pattern))


def begins(pattern: str, text: str) -> bool:
    """Whether ``text`` begins with one of the prefixes."""
    return any(text.startswith(each) for each in _parts(pattern))


def market_of(path: str) -> str:
    """Which market a path belongs to; "" for neither."""
    if path.startswith(("/fapi/", "/futures/", "/ws-fapi")):
        return USDM
    return SPOT if path.startswith(("/api/", "/sapi/", "/ws-api")) else ""


def symbols_in(request: WireRequest) -> list[str]:
    """Every symbol a request names, those of a batch included."""
    return [value for name, value in _told_params(request) if name == "symbol"]


def client_ids_in(request: WireRequest) -> list[str]:
    """Every client id a request names, whatever the parameter is called."""
    return [value for name, value in _told_params(request) if _CLIENT_IDS.search(name)]


def _told_params(request: WireRequest) -> list[tuple[str, str]]:
    told = parse_qsl(request.query) + parse_qsl(request.body)
    for name, value in tuple(told):
        if name in _BATCH:
            told += _inside(value)
    return told


def _inside(batch: str) -> list[tuple[str, str]]:
    try:
        rows = msgspec.json.decode(batch)
    except NO_JSON:
        return []
    rows = rows if isinstance(rows, list) else []
    return [(name, str(value)) for row in rows if isinstance(row, Mapping) for name, value in row.items()]


def _told(frame: Frame, *names: str) -> str:
    """A word of a frame: of its order if it has one, else its own."""
    told: Any = frame.json()
    if not isinstance(told, Mapping):
        return ""
    inner = told.get("o")
    places = [inner, told] if isinstance(inner, Mapping) else [told]
    return next((str(place[name]) for place in places for name in names if name in place), "")
