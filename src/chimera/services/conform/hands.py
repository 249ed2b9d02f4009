"""What a rehearsal does with its hands: signed calls on one market, streams heard, tiny sizes, and tidying up.

Invariants: every order and conditional order is of ``symbol`` alone and worth at most ``WORTH_MAX`` quote units; one
request leaves once; what came back is told as facts (status, code, text without digits, names of fields), never as a
key, an id, a signature or a balance.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from decimal import ROUND_CEILING, Decimal
from typing import Any, Final
from urllib.parse import unquote

import msgspec

from chimera.adapters.binance.http import AiohttpTransport
from chimera.adapters.binance.sign import encoded, signed, signer_for
from chimera.adapters.binance.transport import Reply, Socket, Transport
from chimera.services.conform.target import CODE, Credentials, Target
from chimera.trading.errors import Refused
from chimera.trading.money import text
from chimera.trading.value import Value

WORTH_MAX: Final = Decimal(400)  # quote asset: the largest minimum notional met on demo is 100
TIMEOUT_MS: Final = 10_000
POLL_S: Final = 0.2
_AWAY: Final = Decimal("0.03")  # of the price: inside every price band, and not reached while a check runs
_DIGITS: Final = re.compile(r"\d+(?:\.\d+)?")
Facts = dict[str, Any]


class Answer(Value):
    """One HTTP answer, its body parsed."""

    status: int
    body: Any

    @property
    def code(self) -> int | None:
        """Binance's error code, if the body is an error."""
        found = self.body.get("code") if isinstance(self.body, dict) else None
        return int(found) if isinstance(found, int | str) and str(found).lstrip("-").isdigit() else None

    @property
    def refused(self) -> bool:
        return self.status >= 400

    def facts(self) -> Facts:
        """Status and, of a refusal, code and text; of anything else the names of its fields."""
        if self.refused or (self.code or 0) < 0:
            said = self.body.get("msg", "") if isinstance(self.body, dict) else ""
            return {"status": self.status, "code": self.code, "msg": _DIGITS.sub("#", str(said))}
        return {"status": self.status, "fields": fields(self.body)}


def fields(body: Any) -> list[str]:
    """The names in a body, of a list those of its first row."""
    row = body[0] if isinstance(body, list) and body else body
    return sorted(row) if isinstance(row, dict) else []


class Caller:
    """Signs and sends on one market of one environment. ``base`` is ``/fapi/v1`` or ``/api/v3``."""

    def __init__(self, transport: Transport, known: Credentials, base: str, now_ms: Callable[[], int]) -> None:
        self.transport = transport
        self.base = base
        self._known = known
        self._signer = signer_for(known.secret)
        self._now_ms = now_ms
        self._apart_ms = 0

    async def sync(self) -> None:
        """Take over the venue's clock."""
        served = await self.public("GET", f"{self.base}/time")
        self._apart_ms = int(served.body["serverTime"]) - self._now_ms()

    def stamp_ms(self) -> int:
        return self._now_ms() + self._apart_ms

    async def public(self, method: str, path: str, params: Mapping[str, str] | None = None) -> Answer:
        """Without key or signature."""
        return await self._send(method, f"{path}?{encoded(params)}" if params else path, {})

    async def keyed(self, method: str, path: str, params: Mapping[str, str] | None = None) -> Answer:
        """With the key alone (listenKey)."""
        return await self._send(method, f"{path}?{encoded(params)}" if params else path, self._header())

    async def call(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        late_ms: int = 0,
        key: str | None = None,
        spoilt: bool = False,
    ) -> Answer:
        """Signed. ``late_ms`` of age; another ``key``; a signature that is ``spoilt``."""
        stamped = {**(params or {}), "recvWindow": "5000", "timestamp": str(self.stamp_ms() - late_ms)}
        query = signed(stamped, self._signer)
        if spoilt:
            query = query[:-1] + ("0" if query[-1] != "0" else "1")
        return await self._send(method, f"{path}?{query}", self._header() if key is None else {"X-MBX-APIKEY": key})

    def ws_params(self) -> dict[str, Any]:
        """Signed parameters of a WebSocket API request that has none of its own."""
        params: dict[str, Any] = {"apiKey": self._known.key, "timestamp": self.stamp_ms()}
        payload = "&".join(f"{name}={params[name]}" for name in sorted(params))
        return params | {"signature": unquote(self._signer.sign(payload.encode()))}

    def _header(self) -> dict[str, str]:
        return {"X-MBX-APIKEY": self._known.key}

    async def _send(self, method: str, target: str, headers: Mapping[str, str]) -> Answer:
        reply: Reply = await self.transport.request(method, target, headers=headers, timeout_ms=TIMEOUT_MS)
        return Answer(status=reply.status, body=_parsed(reply.body))


def _parsed(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        return body.decode("utf-8", "replace")


class Listening:
    """A stream being heard: every frame so far, parsed."""

    def __init__(self) -> None:
        self.frames: list[Any] = []

    def of(self, kind: str) -> list[Any]:
        """Events of one type, out of whichever wrapper."""
        return [event for event in map(_unwrapped, self.frames) if event.get("e") == kind]

    async def speaks(self, wait_s: float) -> bool:
        """Whether anything came in time."""
        return await eventually(lambda: bool(self.frames), wait_s)

    async def until(self, there: Callable[[], bool], wait_s: float) -> bool:
        """Whether ``there`` came true in time."""
        return await eventually(there, wait_s)


async def eventually(there: Callable[[], bool], wait_s: float) -> bool:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + wait_s
    while not there():
        if loop.time() >= deadline:
            return False
        await asyncio.sleep(POLL_S / 4)
    return True


@asynccontextmanager
async def listening(transport: Transport, target: str, *first: Mapping[str, Any]) -> AsyncIterator[Listening]:
    """Hear ``target``; ``first`` is sent once connected."""
    heard = Listening()
    async with transport.connect(target) as socket:
        for message in first:
            await socket.send(msgspec.json.encode(message))
        hearing = asyncio.create_task(_hear(socket, heard))
        try:
            yield heard
        finally:
            hearing.cancel()
            with suppress(asyncio.CancelledError):
                await hearing


async def _hear(socket: Socket, heard: Listening) -> None:
    async for frame in socket.frames():
        heard.frames.append(_parsed(frame))


def _unwrapped(frame: Any) -> dict[str, Any]:
    inner = frame.get("data") or frame.get("event") or frame if isinstance(frame, dict) else {}
    return inner if isinstance(inner, dict) else {}


class Rules(Value):
    """What orders of a symbol must keep, from ``exchangeInfo``."""

    tick: Decimal
    step: Decimal
    min_qty: Decimal
    min_notional: Decimal
    base: str = ""
    quote: str = ""


class Desk:
    """One market's caller with a symbol, its rules and its touch."""

    def __init__(self, caller: Caller, symbol: str, tag: str) -> None:
        self.caller = caller
        self.symbol = symbol
        self.rules = Rules(tick=Decimal(1), step=Decimal(1), min_qty=Decimal(1), min_notional=Decimal(0))
        self.bid = self.ask = Decimal(0)
        self.held = Decimal(0)  # of the base asset before we came (spot)
        self._tag = tag
        self._named = 0

    async def open(self) -> None:
        """Learn the clock and the rules. Raises ``Refused`` where the symbol is not there."""
        await self.caller.sync()
        info = await self.caller.public("GET", f"{self.caller.base}/exchangeInfo")
        rows = info.body.get("symbols", []) if isinstance(info.body, dict) else []
        row = next((row for row in rows if row["symbol"] == self.symbol), None)
        if row is None:
            raise Refused(CODE, f"{self.symbol} is not listed there", field="--symbol", value=self.symbol)
        self.rules = _rules(row["filters"]).but(base=row.get("baseAsset", ""), quote=row.get("quoteAsset", ""))
        await self.look()

    async def look(self) -> None:
        """See the touch."""
        seen = await self.caller.public("GET", f"{self.caller.base}/ticker/bookTicker", {"symbol": self.symbol})
        self.bid, self.ask = Decimal(seen.body["bidPrice"]), Decimal(seen.body["askPrice"])

    def fresh(self) -> str:
        """A client id that this run has not used."""
        self._named += 1
        return f"cf-{self._tag}-{self._named}"

    @property
    def far_bid(self) -> Decimal:
        """A price that rests: well under the market, inside the band."""
        return self.on_tick(self.bid * (1 - _AWAY))

    @property
    def far_ask(self) -> Decimal:
        return self.on_tick(self.ask * (1 + _AWAY))

    @property
    def qty(self) -> Decimal:
        """The least that every order here may have, a quarter above the minimum notional at ``far_bid``."""
        wanted = max(self.rules.min_qty, self.rules.min_notional * Decimal("1.25") / self.far_bid)
        qty = (wanted / self.rules.step).to_integral_value(ROUND_CEILING) * self.rules.step
        if qty * self.ask > WORTH_MAX:
            raise Refused(
                CODE, f"the smallest order is worth more than {WORTH_MAX}", field="--symbol", value=self.symbol
            )
        return qty

    @property
    def small(self) -> Decimal:
        """A few steps: for what is refused by its price alone, wherever the price is."""
        return self.qty / 4 // self.rules.step * self.rules.step

    def on_tick(self, price: Decimal) -> Decimal:
        return (price / self.rules.tick).to_integral_value() * self.rules.tick

    def terms(self, **changes: Decimal | str | None) -> dict[str, str]:
        """A LIMIT BUY that rests, changed; ``None`` leaves a parameter out."""
        base: dict[str, Decimal | str | None] = {
            "symbol": self.symbol, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": self.qty,
            "price": self.far_bid, "newClientOrderId": self.fresh(),
        }  # fmt: skip
        return words(base | changes)

    def taking(self, side: str, **changes: Decimal | str | None) -> dict[str, str]:
        """A MARKET order, changed."""
        return self.terms(**{"side": side, "type": "MARKET", "timeInForce": None, "price": None} | changes)


def words(terms: Mapping[str, Decimal | str | None]) -> dict[str, str]:
    """Parameters as they are sent."""
    return {
        name: text(value) if isinstance(value, Decimal) else value for name, value in terms.items() if value is not None
    }


def _rules(filters: Iterable[Mapping[str, Any]]) -> Rules:
    named = {row["filterType"]: row for row in filters}
    lot, least = named["LOT_SIZE"], named.get("NOTIONAL") or named.get("MIN_NOTIONAL") or {}
    return Rules(
        tick=Decimal(named["PRICE_FILTER"]["tickSize"]),
        step=Decimal(lot["stepSize"]),
        min_qty=Decimal(lot["minQty"]),
        min_notional=Decimal(str(least.get("minNotional") or least.get("notional") or 0)),
    )


def transport_of(target: Target) -> AiohttpTransport:
    """Inside the loop that uses it; its owner closes it."""
    return AiohttpTransport(target.hosts)
