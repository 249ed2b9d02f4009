"""What both ccxt clients share: the exchange object on other base URLs, its unified answers and errors as ours.

``urls`` is ccxt's own place for base URLs. Two options leave out what it would ask of pages no order needs: the
networks of coins, and the pairs of the margin market. Two more only save time: ccxt's own pacing, and a
pause at its end for TLS connections, which we have none of.
"""

import json
import re
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any

import ccxt.pro
from keys import ClientKey
from told import CANCELED, EXPIRED, FILLED, OPEN, PART, Client, Past, Refused, Told, ToldTrade, amount, one_candle
from venue import Venue

DISCOVERY = {"fetchCurrencies": False, "fetchMargins": False}
_STATUS = {"closed": FILLED, "canceled": CANCELED, "expired": EXPIRED}


def here(venue: Venue, urls: Any) -> Any:
    """The same tree of URLs with every host replaced."""
    if isinstance(urls, dict):
        return {name: here(venue, each) for name, each in urls.items()}
    return re.sub(r"^(ws|http)s://[^/]+", lambda found: f"{found[1]}://{venue.host}", urls)


class Ccxt(Client):
    """``ccxt.pro`` (which is ``ccxt.async_support`` and its WebSocket side) for one of its exchange ids."""

    exchange_id: str
    options: dict[str, Any] = {}

    def __init__(self, venue: Venue, key: ClientKey) -> None:
        self.complaints: list[str] = []
        kind = getattr(ccxt.pro, self.exchange_id)
        keys = {"apiKey": key.api_key, "secret": key.private_key or key.secret}
        self.client = kind(
            {**keys, "enableRateLimit": False, "timeout_on_exit": 0, "options": {**DISCOVERY, **self.options}}
        )
        self.client.urls["api"] = here(venue, self.client.urls["api"])

    @classmethod
    @asynccontextmanager
    async def opened(cls, venue: Venue, key: ClientKey) -> AsyncIterator["Ccxt"]:
        found = cls(venue, key)
        try:
            await ask(found.client.load_markets())
            yield found
        finally:
            await found.client.close()


async def ask(call: Awaitable[Any]) -> Any:
    """One call as ccxt's user makes it. Raises ``Refused``."""
    try:
        return await call
    except ccxt.BaseError as error:
        raise _refused(error) from error


def _refused(error: Exception) -> Exception:
    """ccxt wraps the venue's answer in its own words, the code among them; three spot refusals have a class instead."""
    found = re.search(r'\{.*"code".*\}', str(error))
    if found is None and "Filter failure" in str(error):
        return Refused(-1013, str(error))
    if found is None and isinstance(error, ccxt.OrderImmediatelyFillable | ccxt.InsufficientFunds):
        return Refused(-2010, str(error))
    if found is None:
        return error
    body = json.loads(found[0])
    return Refused(int(body.get("code") or body["error"]["code"]), str(error))


def told_order(order: dict[str, Any]) -> Told:
    """A unified order. ccxt's ``price`` of a MARKET order is what it paid on average, so it is left out."""
    filled = amount(order["filled"]) if order["filled"] is not None else None
    status = _STATUS.get(order["status"])
    if order["status"] == "open":
        status = PART if filled else OPEN
    return Told(
        order_id=order["id"],
        client_id=order["clientOrderId"],
        side=order["side"].upper() if order["side"] is not None else None,
        status=status,
        price=amount(order["price"]) if order["price"] is not None and order["type"] == "limit" else None,
        qty=amount(order["amount"]) if order["amount"] is not None else None,
        filled=filled,
    )


async def told_past(client: Any, pair: str) -> Past:
    """The public past by the unified calls."""
    ticker, trades = await ask(client.fetch_ticker(pair)), await ask(client.fetch_trades(pair))
    return Past(
        candle=one_candle(row[1:] for row in await ask(client.fetch_ohlcv(pair, "1m"))),
        last=amount(ticker["last"]),
        volume=amount(ticker["baseVolume"]),
        trades=[(amount(each["price"]), amount(each["amount"]), each["side"] == "buy") for each in trades],
    )


def told_trade(trade: dict[str, Any]) -> ToldTrade:
    """A unified trade of ours."""
    return ToldTrade(
        trade_id=trade["id"],
        order_id=trade["order"],
        price=amount(trade["price"]),
        qty=amount(trade["amount"]),
        fee=amount(trade["fee"]["cost"]),
        fee_asset=trade["fee"]["currency"],
        maker=trade["takerOrMaker"] == "maker",
    )
