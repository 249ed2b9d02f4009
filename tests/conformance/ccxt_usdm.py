"""``ccxt`` on the simulated USD-M market: unified calls where ccxt has them, its raw calls where it has only those."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from typing import Any, ClassVar

from ccxt_common import Ccxt, ask, told_order, told_past, told_trade
from ears import Ears, pulling
from told import Held, Past, Refused, Rules, Told, ToldAlgo, ToldTrade, Touch, amount, one_candle


class CcxtUsdm(Ccxt):
    """``ccxt.pro.binanceusdm``."""

    exchange_id = "binanceusdm"
    prints_on: ClassVar = "public"  # trade, unless told otherwise
    stop_done: ClassVar = ("closed", "TRIGGERED", "FINISHED", "canceled")
    lacks: ClassVar[dict[str, str]] = {}

    # ── market data ─────────────────────────────────────────────────────────────────────────────────────────────────
    async def rules(self, symbol: str) -> Rules:
        market = self.client.market(_pair(symbol))
        return Rules(
            tick=amount(market["precision"]["price"]),
            step=amount(market["precision"]["amount"]),
            min_qty=amount(market["limits"]["amount"]["min"]),
            min_notional=amount(market["limits"]["cost"]["min"]),
        )

    async def clock(self) -> int:
        return int(await ask(self.client.fetch_time()))

    async def depth(self, symbol: str) -> Touch:
        return _touch_of_book(await ask(self.client.fetch_order_book(_pair(symbol), 5)))

    async def ticker(self, symbol: str) -> Touch:
        told = (await ask(self.client.fetch_bids_asks([_pair(symbol)])))[_pair(symbol)]
        return Touch(bid=amount(told["bid"]), ask=amount(told["ask"]))

    async def mark(self, symbol: str) -> Decimal:
        return amount((await ask(self.client.fetch_mark_price(_pair(symbol))))["markPrice"])

    async def past(self, symbol: str) -> Past:
        return await told_past(self.client, _pair(symbol))

    # ── orders ──────────────────────────────────────────────────────────────────────────────────────────────────────
    async def place(self, client_id: str, **terms: Any) -> Told:
        return told_order(await ask(self.client.create_order(**_words(client_id, terms))))

    async def test(self, client_id: str, **terms: Any) -> None:
        """By its raw call: its ``test`` parameter is for spot, and a futures order would be placed."""
        words = {"symbol": terms["symbol"], "side": terms["side"], "type": terms["type"], "quantity": terms["qty"]}
        words |= {"price": terms["price"], "timeInForce": "GTC", "newClientOrderId": client_id}
        await ask(self.client.fapiPrivatePostOrderTest(words))

    async def find(self, symbol: str, order_id: str) -> Told:
        return told_order(await ask(self.client.fetch_order(order_id, _pair(symbol))))

    async def find_named(self, symbol: str, client_id: str) -> Told:
        return told_order(await ask(self.client.fetch_order("", _pair(symbol), {"clientOrderId": client_id})))

    async def open_orders(self, symbol: str) -> list[Told]:
        return [told_order(each) for each in await ask(self.client.fetch_open_orders(_pair(symbol)))]

    async def all_orders(self, symbol: str) -> list[Told]:
        return [told_order(each) for each in await ask(self.client.fetch_orders(_pair(symbol)))]

    async def modify(self, symbol: str, order_id: str, side: str, qty: str, price: str) -> Told:
        return told_order(
            await ask(self.client.edit_order(order_id, _pair(symbol), "limit", side.lower(), float(qty), float(price)))
        )

    async def place_many(self, orders: Sequence[dict[str, Any]]) -> list[Told | Refused]:
        return _each(await ask(self.client.create_orders([_words(**terms) for terms in orders])))

    async def modify_many(self, symbol: str, changes: Sequence[dict[str, str]]) -> list[Told | Refused]:
        batch = [
            {
                "id": each["order_id"],
                "symbol": _pair(symbol),
                "type": "limit",
                "side": each["side"].lower(),
                "amount": float(each["qty"]),
                "price": float(each["price"]),
            }
            for each in changes
        ]
        return _each(await ask(self.client.edit_orders(batch)))

    async def cancel(self, symbol: str, order_id: str) -> Told:
        return told_order(await ask(self.client.cancel_order(order_id, _pair(symbol))))

    async def cancel_named(self, symbol: str, client_id: str) -> Told:
        return told_order(await ask(self.client.cancel_order("", _pair(symbol), {"clientOrderId": client_id})))

    async def cancel_many(self, symbol: str, order_ids: Sequence[str]) -> list[Told | Refused]:
        return _each(await ask(self.client.cancel_orders(list(order_ids), _pair(symbol))))

    async def cancel_all(self, symbol: str) -> None:
        await ask(self.client.cancel_all_orders(_pair(symbol)))

    async def countdown(self, symbol: str, after_ms: int) -> None:
        await ask(self.client.fapiPrivatePostCountdownCancelAll({"symbol": symbol, "countdownTime": after_ms}))

    async def trades(self, symbol: str) -> list[ToldTrade]:
        return [told_trade(each) for each in await ask(self.client.fetch_my_trades(_pair(symbol)))]

    # ── account ─────────────────────────────────────────────────────────────────────────────────────────────────────
    async def position(self, symbol: str) -> Held:
        (told,) = await ask(self.client.fetch_positions([_pair(symbol)]))
        sign = 1 if told["side"] == "long" else -1
        return Held(qty=sign * amount(told["contracts"]), entry=amount(told["entryPrice"]))

    async def balance(self, asset: str) -> Decimal:
        return amount((await ask(self.client.fetch_balance()))[asset]["total"])

    async def wallet(self) -> Decimal:
        return amount((await ask(self.client.fetch_balance()))["info"]["totalWalletBalance"])

    async def taker_rate(self, symbol: str) -> Decimal:
        return amount((await ask(self.client.fetch_trading_fee(_pair(symbol))))["taker"])

    async def set_leverage(self, symbol: str, leverage: int) -> int:
        return int((await ask(self.client.set_leverage(leverage, _pair(symbol))))["leverage"])

    async def leverage(self, symbol: str) -> int:
        return int((await ask(self.client.fetch_leverage(_pair(symbol))))["longLeverage"])

    async def max_leverage(self, symbol: str) -> int:
        tiers = await ask(self.client.fetch_market_leverage_tiers(_pair(symbol)))
        return max(int(each["maxLeverage"]) for each in tiers)

    async def isolate(self, symbol: str) -> None:
        await ask(self.client.set_margin_mode("isolated", _pair(symbol)))

    async def hedging(self) -> bool:
        return bool((await ask(self.client.fetch_position_mode(_pair("BTCUSDT"))))["hedged"])

    async def set_hedging(self, on: bool) -> None:
        await ask(self.client.set_position_mode(on, _pair("BTCUSDT")))

    async def multi_assets(self) -> bool:
        return bool((await ask(self.client.fapiPrivateGetMultiAssetsMargin()))["multiAssetsMargin"])

    async def income(self, symbol: str) -> list[tuple[str, Decimal]]:
        told = await ask(self.client.fetch_ledger(params={"symbol": symbol}))
        return [
            (each["type"].upper(), amount(each["amount"]) * (-1 if each["direction"] == "out" else 1)) for each in told
        ]

    async def order_limits(self) -> list[int]:
        return sorted(int(each["limit"]) for each in await ask(self.client.fapiPrivateGetRateLimitOrder()))

    # ── conditional orders ──────────────────────────────────────────────────────────────────────────────────────────
    async def place_stop(
        self, client_id: str, *, side: str, type: str, trigger: str, qty: str | None = None
    ) -> ToldAlgo:
        """By its ordinary order call: a stop price turns it to the Algo service."""
        return _algo(await ask(self.client.create_order(**_stop_words(client_id, side, type, trigger, qty))))

    async def find_stop(self, algo: ToldAlgo) -> ToldAlgo:
        return _algo(await ask(self.client.fetch_order(algo.algo_id, _pair("BTCUSDT"), {"trigger": True})))

    async def open_stops(self, symbol: str) -> list[ToldAlgo]:
        told = await ask(self.client.fetch_open_orders(_pair(symbol), params={"trigger": True}))
        return [_algo(each) for each in told]

    async def all_stops(self, symbol: str) -> list[ToldAlgo]:
        return [_algo(each) for each in await ask(self.client.fetch_orders(_pair(symbol), params={"trigger": True}))]

    async def cancel_stop(self, algo: ToldAlgo) -> None:
        told = await ask(self.client.cancel_order(algo.algo_id, _pair("BTCUSDT"), {"trigger": True}))
        assert told["id"] == algo.algo_id

    async def cancel_all_stops(self, symbol: str) -> None:
        await ask(self.client.cancel_all_orders(_pair(symbol), {"trigger": True}))

    # ── streams ─────────────────────────────────────────────────────────────────────────────────────────────────────
    def touches(self, symbol: str) -> AbstractAsyncContextManager[Ears[Any]]:
        async def pull() -> list[Touch]:
            told = await self.client.watch_bids_asks([_pair(symbol)])
            return [Touch(bid=amount(each["bid"]), ask=amount(each["ask"])) for each in told.values()]

        return pulling(pull)

    def depths(self, symbol: str) -> AbstractAsyncContextManager[Ears[Any]]:
        """Its own local book, from snapshot and differences."""

        async def pull() -> list[Touch]:
            return [_touch_of_book(await self.client.watch_order_book(_pair(symbol)))]

        return pulling(pull)

    def candles(self, symbol: str) -> AbstractAsyncContextManager[Ears[Any]]:
        async def pull() -> list[Any]:
            return [one_candle([row[1:]]) for row in await self.client.watch_ohlcv(_pair(symbol), "1m")]

        return pulling(pull)

    def prints(self, symbol: str) -> AbstractAsyncContextManager[Ears[Any]]:
        async def pull() -> list[Any]:
            return [
                (amount(each["price"]), amount(each["amount"]))
                for each in await self.client.watch_trades(_pair(symbol))
            ]

        return pulling(pull)

    def marks(self, symbol: str) -> AbstractAsyncContextManager[Ears[Any]]:
        async def pull() -> list[Decimal]:
            return [amount((await self.client.watch_mark_price(_pair(symbol), {"use1sFreq": True}))["markPrice"])]

        return pulling(pull)

    def order_news(self) -> AbstractAsyncContextManager[Ears[Any]]:
        async def pull() -> list[Told]:
            return [told_order(each) for each in await self.client.watch_orders(_pair("BTCUSDT"))]

        return pulling(pull)

    def position_news(self) -> AbstractAsyncContextManager[Ears[Any]]:
        async def pull() -> list[Any]:
            held = await self.client.watch_positions([_pair("BTCUSDT")])
            return [
                {"BTCUSDT": amount(each["contracts"]) * (-1 if each["side"] == "short" else 1)}
                for each in held
                if each["contracts"] is not None
            ]

        return pulling(pull)

    def stop_news(self) -> AbstractAsyncContextManager[Ears[Any]]:
        async def pull() -> list[Any]:
            orders = await self.client.watch_orders(_pair("BTCUSDT"))
            return [(each["clientOrderId"], each["status"]) for each in orders]

        return pulling(pull)

    async def listen_key_life(self) -> None:
        assert (await ask(self.client.fapiPrivatePostListenKey()))["listenKey"]
        await ask(self.client.fapiPrivatePutListenKey())
        await ask(self.client.fapiPrivateDeleteListenKey())

    # ── the WebSocket API ───────────────────────────────────────────────────────────────────────────────────────────
    async def ws_place(self, client_id: str, **terms: Any) -> Told:
        return told_order(await ask(self.client.create_order_ws(**_ws_words(client_id, terms))))

    async def ws_find(self, symbol: str, order_id: str) -> Told:
        return told_order(await ask(self.client.fetch_order_ws(order_id, _pair(symbol))))

    async def ws_modify(self, symbol: str, order_id: str, side: str, qty: str, price: str) -> Told:
        words = (order_id, _pair(symbol), "limit", side.lower(), float(qty), float(price))
        return told_order(await ask(self.client.edit_order_ws(*words)))

    async def ws_cancel(self, symbol: str, order_id: str) -> Told:
        return told_order(await ask(self.client.cancel_order_ws(order_id, _pair(symbol))))

    async def ws_position(self, symbol: str) -> Held:
        (told,) = await ask(self.client.fetch_position_ws(_pair(symbol)))
        sign = 1 if told["side"] == "long" else -1
        return Held(qty=sign * amount(told["contracts"]), entry=amount(told["entryPrice"]))

    async def ws_balance(self, asset: str) -> Decimal:
        return amount((await ask(self.client.fetch_balance_ws()))[asset]["total"])

    async def ws_place_stop(self, client_id: str, *, side: str, type: str, trigger: str) -> ToldAlgo:
        words = _stop_words(client_id, side, type, trigger, None)
        words["params"] = {"clientAlgoId": client_id, "triggerPrice": trigger, "closePosition": True}
        return _algo(await ask(self.client.create_order_ws(**words)))

    async def ws_cancel_stop(self, algo: ToldAlgo) -> None:
        await ask(self.client.cancel_order_ws(algo.algo_id, _pair("BTCUSDT"), {"trigger": True}))


def _pair(symbol: str) -> str:
    """ccxt's name of a perpetual."""
    return f"{symbol.removesuffix('USDT')}/USDT:USDT"


def _words(client_id: str, terms: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """Our terms as ccxt's arguments."""
    terms = {**(terms or {}), **more}
    params: dict[str, Any] = {"clientOrderId": client_id}
    if "tif" in terms:
        params["timeInForce"] = "PO" if terms["tif"] == "GTX" else terms["tif"]
    if terms.get("reduce_only"):
        params["reduceOnly"] = True
    if "position_side" in terms:
        params["positionSide"] = terms["position_side"]
    return {
        "symbol": _pair(terms["symbol"]),
        "type": terms["type"].lower(),
        "side": terms["side"].lower(),
        "amount": float(terms["qty"]),
        "price": float(terms["price"]) if "price" in terms else None,
        "params": params,
    }


def _ws_words(client_id: str, terms: dict[str, Any]) -> dict[str, Any]:
    """Its WebSocket calls hand ``params`` through as they are, so the client id goes by Binance's own name."""
    words = _words(client_id, terms)
    words["params"]["newClientOrderId"] = words["params"].pop("clientOrderId")
    return words


def _stop_words(client_id: str, side: str, type: str, trigger: str, qty: str | None) -> dict[str, Any]:
    name = "stopLossPrice" if type == "STOP_MARKET" else "takeProfitPrice"
    params: dict[str, Any] = {"clientOrderId": client_id, name: trigger, "workingType": "MARK_PRICE"}
    if qty is None:
        params["closePosition"] = True
    return {
        "symbol": _pair("BTCUSDT"),
        "type": "market",
        "side": side.lower(),
        "amount": float(qty) if qty is not None else 0.0,
        "params": params,
    }


def _algo(order: dict[str, Any]) -> ToldAlgo:
    return ToldAlgo(
        algo_id=order["id"],
        client_id=order["clientOrderId"],
        status=order["status"],
        trigger=amount(order["triggerPrice"]) if order["triggerPrice"] is not None else None,
    )


def _each(orders: list[dict[str, Any]]) -> list[Told | Refused]:
    """ccxt parses a refused row of a batch into an empty order; its ``info`` has the code."""
    return [
        Refused(int(each["info"]["code"]), str(each["info"].get("msg")))
        if each["id"] is None and "code" in each["info"]
        else told_order(each)
        for each in orders
    ]


def _touch_of_book(book: Any) -> Touch:
    return Touch(bid=amount(book["bids"][0][0]), ask=amount(book["asks"][0][0]))
