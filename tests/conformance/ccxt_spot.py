"""``ccxt`` on the simulated spot market: unified calls where ccxt has them, its raw calls where it has only those."""

from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from typing import Any, ClassVar

from ccxt_common import Ccxt, ask, told_order, told_past, told_trade
from ears import Ears, pulling
from told import Past, Rules, Told, ToldList, ToldTrade, Touch, amount, one_candle
from wire_words import told_balances, told_list

PAIR = "BTC/USDT"


class CcxtSpot(Ccxt):
    """``ccxt.pro.binance``, told to load spot markets only."""

    exchange_id = "binance"
    options: ClassVar[dict[str, Any]] = {"defaultType": "spot", "fetchMarkets": {"types": ["spot"]}}
    lacks: ClassVar[dict[str, str]] = {
        "list_news": "its stream side does not hand on listStatus",
        "amend": "it has no call for order/amend/keepPriority",
        "ws_oco": "it has no order lists on the WebSocket API",
        "place_logged_on": "it knows no session.logon",
    }

    # ── market data ─────────────────────────────────────────────────────────────────────────────────────────────────
    async def rules(self, symbol: str) -> Rules:
        market = self.client.market(PAIR)
        return Rules(
            tick=amount(market["precision"]["price"]),
            step=amount(market["precision"]["amount"]),
            min_qty=amount(market["limits"]["amount"]["min"]),
            min_notional=amount(market["limits"]["cost"]["min"]),
        )

    async def clock(self) -> int:
        return int(await ask(self.client.fetch_time()))

    async def depth(self, symbol: str) -> Touch:
        return _touch_of_book(await ask(self.client.fetch_order_book(PAIR, 5)))

    async def ticker(self, symbol: str) -> Touch:
        told = (await ask(self.client.fetch_bids_asks([PAIR])))[PAIR]
        return Touch(bid=amount(told["bid"]), ask=amount(told["ask"]))

    async def past(self, symbol: str) -> Past:
        return await told_past(self.client, PAIR)

    # ── orders ──────────────────────────────────────────────────────────────────────────────────────────────────────
    async def place(self, client_id: str, **terms: Any) -> Told:
        return told_order(await ask(self.client.create_order(**_words(client_id, terms))))

    async def test(self, client_id: str, **terms: Any) -> None:
        words = _words(client_id, terms)
        words["params"]["test"] = True
        await ask(self.client.create_order(**words))

    async def find(self, symbol: str, order_id: str) -> Told:
        return told_order(await ask(self.client.fetch_order(order_id, PAIR)))

    async def find_named(self, symbol: str, client_id: str) -> Told:
        return told_order(await ask(self.client.fetch_order("", PAIR, {"clientOrderId": client_id})))

    async def open_orders(self, symbol: str) -> list[Told]:
        return [told_order(each) for each in await ask(self.client.fetch_open_orders(PAIR))]

    async def all_orders(self, symbol: str) -> list[Told]:
        return [told_order(each) for each in await ask(self.client.fetch_orders(PAIR))]

    async def cancel(self, symbol: str, order_id: str) -> Told:
        return told_order(await ask(self.client.cancel_order(order_id, PAIR)))

    async def cancel_named(self, symbol: str, client_id: str) -> Told:
        return told_order(await ask(self.client.cancel_order("", PAIR, {"clientOrderId": client_id})))

    async def cancel_all(self, symbol: str) -> None:
        await ask(self.client.cancel_all_orders(PAIR))

    async def replace(self, order_id: str, client_id: str, **terms: Any) -> Told:
        """Its ``editOrder`` is Binance's cancelReplace."""
        words = _words(client_id, terms)
        return told_order(await ask(self.client.edit_order(order_id, **words)))

    async def trades(self, symbol: str) -> list[ToldTrade]:
        return [told_trade(each) for each in await ask(self.client.fetch_my_trades(PAIR))]

    # ── account ─────────────────────────────────────────────────────────────────────────────────────────────────────
    async def balances(self) -> dict[str, tuple[Decimal, Decimal]]:
        return _balances(await ask(self.client.fetch_balance()))

    async def taker_rate(self, symbol: str) -> Decimal:
        told = await ask(self.client.privateGetAccountCommission({"symbol": symbol}))
        return amount(told["standardCommission"]["taker"])

    async def order_counts(self) -> list[int]:
        return [int(each["count"]) for each in await ask(self.client.privateGetRateLimitOrder())]

    async def transfer(self, asset: str, size: str) -> str:
        return str((await ask(self.client.transfer(asset, float(size), "spot", "linear")))["id"])

    async def transfers(self) -> list[tuple[str, str, Decimal]]:
        told = await ask(self.client.fetch_transfers("USDT", params={"type": "MAIN_UMFUTURE"}))
        return [(each["id"], each["currency"], amount(each["amount"])) for each in told]

    # ── order lists ─────────────────────────────────────────────────────────────────────────────────────────────────
    async def place_list(self, kind: str, words: dict[str, str]) -> ToldList:
        call = self.client.privatePostOrderOco if kind == "old" else None
        call = call or getattr(self.client, f"privatePostOrderList{kind.capitalize()}")
        return told_list(await ask(call(dict(words))))

    async def find_list(self, list_id: str) -> ToldList:
        return told_list(await ask(self.client.privateGetOrderList({"orderListId": list_id})))

    async def open_lists(self) -> list[ToldList]:
        return [told_list(each) for each in await ask(self.client.privateGetOpenOrderList())]

    async def cancel_list(self, symbol: str, list_id: str) -> ToldList:
        return told_list(await ask(self.client.privateDeleteOrderList({"symbol": symbol, "orderListId": list_id})))

    # ── streams ─────────────────────────────────────────────────────────────────────────────────────────────────────
    def touches(self, symbol: str) -> AbstractAsyncContextManager[Ears[Any]]:
        async def pull() -> list[Touch]:
            told = await self.client.watch_bids_asks([PAIR])
            return [Touch(bid=amount(each["bid"]), ask=amount(each["ask"])) for each in told.values()]

        return pulling(pull)

    def depths(self, symbol: str) -> AbstractAsyncContextManager[Ears[Any]]:
        """Its own local book, from snapshot and differences."""

        async def pull() -> list[Touch]:
            return [_touch_of_book(await self.client.watch_order_book(PAIR))]

        return pulling(pull)

    def candles(self, symbol: str) -> AbstractAsyncContextManager[Ears[Any]]:
        async def pull() -> list[Any]:
            return [one_candle([row[1:]]) for row in await self.client.watch_ohlcv(PAIR, "1m")]

        return pulling(pull)

    def prints(self, symbol: str) -> AbstractAsyncContextManager[Ears[Any]]:
        async def pull() -> list[Any]:
            return [(amount(each["price"]), amount(each["amount"])) for each in await self.client.watch_trades(PAIR)]

        return pulling(pull)

    def order_news(self) -> AbstractAsyncContextManager[Ears[Any]]:
        async def pull() -> list[Told]:
            return [told_order(each) for each in await self.client.watch_orders(PAIR)]

        return pulling(pull)

    def balance_news(self) -> AbstractAsyncContextManager[Ears[Any]]:
        async def pull() -> list[Any]:
            return [_balances(await self.client.watch_balance())]

        return pulling(pull)

    # ── the WebSocket API ───────────────────────────────────────────────────────────────────────────────────────────
    async def ws_place(self, client_id: str, **terms: Any) -> Told:
        return told_order(await ask(self.client.create_order_ws(**_ws_words(client_id, terms))))

    async def ws_find(self, symbol: str, order_id: str) -> Told:
        return told_order(await ask(self.client.fetch_order_ws(order_id, PAIR)))

    async def ws_open_orders(self, symbol: str) -> list[Told]:
        return [told_order(each) for each in await ask(self.client.fetch_open_orders_ws(PAIR))]

    async def ws_cancel(self, symbol: str, order_id: str) -> Told:
        return told_order(await ask(self.client.cancel_order_ws(order_id, PAIR)))

    async def ws_replace(self, order_id: str, client_id: str, **terms: Any) -> Told:
        return told_order(await ask(self.client.edit_order_ws(order_id, **_ws_words(client_id, terms))))

    async def ws_balances(self) -> dict[str, tuple[Decimal, Decimal]]:
        """By ``info``: its unified balances stay empty for the spot answer."""
        return told_balances((await ask(self.client.fetch_balance_ws()))["info"]["balances"])


def _words(client_id: str, terms: dict[str, Any]) -> dict[str, Any]:
    """Our terms as ccxt's arguments: a stop is a ``triggerPrice``, post-only a parameter."""
    kind = terms["type"]
    params: dict[str, Any] = {"clientOrderId": client_id}
    if "tif" in terms:
        params["timeInForce"] = terms["tif"]
    if kind == "LIMIT_MAKER":
        params["postOnly"] = True
    if "stop" in terms:
        params["stopLossPrice"] = terms["stop"]
    if "quote_qty" in terms:
        params["cost"] = terms["quote_qty"]
    return {
        "symbol": PAIR,
        "type": "market" if kind == "MARKET" else "limit",
        "side": terms["side"].lower(),
        "amount": float(terms.get("qty", 0)),
        "price": float(terms["price"]) if "price" in terms else None,
        "params": params,
    }


def _ws_words(client_id: str, terms: dict[str, Any]) -> dict[str, Any]:
    """Its WebSocket calls hand ``params`` through as they are, so the client id goes by Binance's own name."""
    words = _words(client_id, terms)
    words["params"]["newClientOrderId"] = words["params"].pop("clientOrderId")
    return words


def _balances(told: Any) -> dict[str, tuple[Decimal, Decimal]]:
    names = [name for name in told if isinstance(told[name], dict) and told[name].get("free") is not None]
    return {name: (amount(told[name]["free"]), amount(told[name]["used"])) for name in names}


def _touch_of_book(book: Any) -> Touch:
    return Touch(bid=amount(book["bids"][0][0]), ask=amount(book["asks"][0][0]))
