"""``python-binance`` on the simulated USD-M market: REST, sockets, WebSocket API."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from typing import Any, ClassVar

from ears import Ears
from pb_common import PythonBinance, ask
from told import Held, Past, Refused, Rules, Told, ToldAlgo, ToldTrade, Touch, amount
from wire_words import (
    each_order,
    of_symbol,
    told_algo,
    told_candle,
    told_order,
    told_past,
    told_rules,
    told_trade,
    told_update,
)


class PythonBinanceUsdm(PythonBinance):
    """The futures calls of python-binance."""

    prints_on: ClassVar = "market"  # aggTrade
    stop_done: ClassVar = ("TRIGGERED", "FINISHED")
    lacks: ClassVar[dict[str, str]] = {
        "modify_many": "its raw call signs the list before encoding it, which Binance refuses (-1022)",
    }

    # ── market data ─────────────────────────────────────────────────────────────────────────────────────────────────
    async def rules(self, symbol: str) -> Rules:
        told = await ask(self.client.futures_exchange_info())
        return told_rules(of_symbol(told["symbols"], symbol))

    async def clock(self) -> int:
        return int((await ask(self.client.futures_time()))["serverTime"])

    async def depth(self, symbol: str) -> Touch:
        told = await ask(self.client.futures_order_book(symbol=symbol, limit=5))
        return Touch(bid=amount(told["bids"][0][0]), ask=amount(told["asks"][0][0]))

    async def ticker(self, symbol: str) -> Touch:
        told = await ask(self.client.futures_orderbook_ticker(symbol=symbol))
        return Touch(bid=amount(told["bidPrice"]), ask=amount(told["askPrice"]))

    async def mark(self, symbol: str) -> Decimal:
        return amount((await ask(self.client.futures_mark_price(symbol=symbol)))["markPrice"])

    async def past(self, symbol: str) -> Past:
        ticker = await ask(self.client.futures_ticker(symbol=symbol))
        trades = await ask(self.client.futures_recent_trades(symbol=symbol))
        return told_past(await ask(self.client.futures_klines(symbol=symbol, interval="1m")), ticker, trades)

    # ── orders ──────────────────────────────────────────────────────────────────────────────────────────────────────
    async def place(self, client_id: str, **terms: Any) -> Told:
        words = _words(client_id, terms)
        return told_order(await ask(self.client.futures_create_order(**words, newOrderRespType="RESULT")))

    async def test(self, client_id: str, **terms: Any) -> None:
        await ask(self.client.futures_create_test_order(**_words(client_id, terms)))

    async def find(self, symbol: str, order_id: str) -> Told:
        return told_order(await ask(self.client.futures_get_order(symbol=symbol, orderId=order_id)))

    async def find_named(self, symbol: str, client_id: str) -> Told:
        return told_order(await ask(self.client.futures_get_order(symbol=symbol, origClientOrderId=client_id)))

    async def open_orders(self, symbol: str) -> list[Told]:
        return [told_order(each) for each in await ask(self.client.futures_get_open_orders(symbol=symbol))]

    async def all_orders(self, symbol: str) -> list[Told]:
        return [told_order(each) for each in await ask(self.client.futures_get_all_orders(symbol=symbol))]

    async def modify(self, symbol: str, order_id: str, side: str, qty: str, price: str) -> Told:
        words = {"symbol": symbol, "orderId": order_id, "side": side, "quantity": qty, "price": price}
        return told_order(await ask(self.client.futures_modify_order(**words)))

    async def place_many(self, orders: Sequence[dict[str, Any]]) -> list[Told | Refused]:
        batch = [_words(**terms) for terms in orders]
        return each_order(await ask(self.client.futures_place_batch_order(batchOrders=batch)))

    async def cancel(self, symbol: str, order_id: str) -> Told:
        return told_order(await ask(self.client.futures_cancel_order(symbol=symbol, orderId=order_id)))

    async def cancel_named(self, symbol: str, client_id: str) -> Told:
        return told_order(await ask(self.client.futures_cancel_order(symbol=symbol, origClientOrderId=client_id)))

    async def cancel_many(self, symbol: str, order_ids: Sequence[str]) -> list[Told | Refused]:
        numbers = [int(each) for each in order_ids]
        return each_order(await ask(self.client.futures_cancel_orders(symbol=symbol, orderidlist=numbers)))

    async def cancel_all(self, symbol: str) -> None:
        assert (await ask(self.client.futures_cancel_all_open_orders(symbol=symbol)))["code"] == 200

    async def countdown(self, symbol: str, after_ms: int) -> None:
        told = await ask(self.client.futures_countdown_cancel_all(symbol=symbol, countdownTime=after_ms))
        assert (told["symbol"], int(told["countdownTime"])) == (symbol, after_ms)

    async def trades(self, symbol: str) -> list[ToldTrade]:
        return [told_trade(each) for each in await ask(self.client.futures_account_trades(symbol=symbol))]

    # ── account ─────────────────────────────────────────────────────────────────────────────────────────────────────
    async def position(self, symbol: str) -> Held:
        told = of_symbol(await ask(self.client.futures_position_information(symbol=symbol)), symbol)
        return Held(qty=amount(told["positionAmt"]), entry=amount(told["entryPrice"]))

    async def balance(self, asset: str) -> Decimal:
        told = await ask(self.client.futures_account_balance())
        return amount(next(each for each in told if each["asset"] == asset)["balance"])

    async def wallet(self) -> Decimal:
        return amount((await ask(self.client.futures_account()))["totalWalletBalance"])

    async def taker_rate(self, symbol: str) -> Decimal:
        return amount((await ask(self.client.futures_commission_rate(symbol=symbol)))["takerCommissionRate"])

    async def set_leverage(self, symbol: str, leverage: int) -> int:
        return int((await ask(self.client.futures_change_leverage(symbol=symbol, leverage=leverage)))["leverage"])

    async def leverage(self, symbol: str) -> int:
        return int(of_symbol(await ask(self.client.futures_symbol_config(symbol=symbol)), symbol)["leverage"])

    async def max_leverage(self, symbol: str) -> int:
        told = await ask(self.client.futures_leverage_bracket(symbol=symbol))
        rows = told if isinstance(told, list) else [told]
        return max(int(each["initialLeverage"]) for each in of_symbol(rows, symbol)["brackets"])

    async def isolate(self, symbol: str) -> None:
        assert (await ask(self.client.futures_change_margin_type(symbol=symbol, marginType="ISOLATED")))["code"] == 200

    async def hedging(self) -> bool:
        return bool((await ask(self.client.futures_get_position_mode()))["dualSidePosition"])

    async def set_hedging(self, on: bool) -> None:
        await ask(self.client.futures_change_position_mode(dualSidePosition="true" if on else "false"))

    async def multi_assets(self) -> bool:
        return bool((await ask(self.client.futures_get_multi_assets_mode()))["multiAssetsMargin"])

    async def income(self, symbol: str) -> list[tuple[str, Decimal]]:
        told = await ask(self.client.futures_income_history(symbol=symbol))
        return [(each["incomeType"], amount(each["income"])) for each in told]

    async def order_limits(self) -> list[int]:
        return sorted(int(each["limit"]) for each in await ask(self.client.futures_v1_get_rate_limit_order()))

    # ── conditional orders ──────────────────────────────────────────────────────────────────────────────────────────
    async def place_stop(
        self, client_id: str, *, side: str, type: str, trigger: str, qty: str | None = None
    ) -> ToldAlgo:
        """By its ordinary order call: it turns a stop to the Algo service by itself."""
        words = {"quantity": qty} if qty is not None else {"closePosition": "true"}
        words |= {"symbol": "BTCUSDT", "side": side, "type": type, "stopPrice": trigger, "clientAlgoId": client_id}
        return told_algo(await ask(self.client.futures_create_order(**words, workingType="MARK_PRICE")))

    async def find_stop(self, algo: ToldAlgo) -> ToldAlgo:
        return told_algo(await ask(self.client.futures_get_order(algoId=algo.algo_id)))

    async def open_stops(self, symbol: str) -> list[ToldAlgo]:
        told = await ask(self.client.futures_get_open_orders(symbol=symbol, conditional=True))
        return [told_algo(each) for each in told]

    async def all_stops(self, symbol: str) -> list[ToldAlgo]:
        return [told_algo(each) for each in await ask(self.client.futures_get_all_algo_orders(symbol=symbol))]

    async def cancel_stop(self, algo: ToldAlgo) -> None:
        told = await ask(self.client.futures_cancel_order(clientAlgoId=algo.client_id))
        assert str(told["algoId"]) == algo.algo_id

    async def cancel_all_stops(self, symbol: str) -> None:
        await ask(self.client.futures_cancel_all_open_orders(symbol=symbol, conditional=True))

    # ── streams ─────────────────────────────────────────────────────────────────────────────────────────────────────
    def touches(self, symbol: str) -> AbstractAsyncContextManager[Ears[Any]]:
        return self._stream(
            self.sockets.symbol_ticker_futures_socket(symbol),
            lambda told: Touch(bid=amount(told["b"]), ask=amount(told["a"])),
        )

    def depths(self, symbol: str) -> AbstractAsyncContextManager[Ears[Any]]:
        return self._stream(
            self.sockets.futures_depth_socket(symbol, depth="5"),
            lambda told: Touch(bid=amount(told["b"][0][0]), ask=amount(told["a"][0][0])),
        )

    def candles(self, symbol: str) -> AbstractAsyncContextManager[Ears[Any]]:
        return self._stream(
            self.sockets.futures_multiplex_socket([f"{symbol.lower()}@kline_1m"]), lambda told: told_candle(told["k"])
        )

    def prints(self, symbol: str) -> AbstractAsyncContextManager[Ears[Any]]:
        socket = self.sockets.aggtrade_futures_socket(symbol)
        return self._stream(socket, lambda told: (amount(told["p"]), amount(told["q"])))

    def marks(self, symbol: str) -> AbstractAsyncContextManager[Ears[Any]]:
        return self._stream(self.sockets.symbol_mark_price_socket(symbol), lambda told: amount(told["p"]))

    def order_news(self) -> AbstractAsyncContextManager[Ears[Any]]:
        return self._stream(
            self.sockets.futures_user_socket(),
            lambda told: told_update(told["o"]) if told["e"] == "ORDER_TRADE_UPDATE" else None,
        )

    def position_news(self) -> AbstractAsyncContextManager[Ears[Any]]:
        return self._stream(
            self.sockets.futures_user_socket(),
            lambda told: (
                {each["s"]: amount(each["pa"]) for each in told["a"]["P"]} if told["e"] == "ACCOUNT_UPDATE" else None
            ),
        )

    def stop_news(self) -> AbstractAsyncContextManager[Ears[Any]]:
        return self._stream(
            self.sockets.futures_user_socket(),
            lambda told: (told["o"]["caid"], told["o"]["X"]) if told["e"] == "ALGO_UPDATE" else None,
        )

    async def listen_key_life(self) -> None:
        key = await ask(self.client.futures_stream_get_listen_key())
        await ask(self.client.futures_stream_keepalive(key))
        await ask(self.client.futures_stream_close(key))

    # ── the WebSocket API ───────────────────────────────────────────────────────────────────────────────────────────
    async def ws_place(self, client_id: str, **terms: Any) -> Told:
        words = _words(client_id, terms)
        return told_order(await ask(self.client.ws_futures_create_order(**words, newOrderRespType="RESULT")))

    async def ws_find(self, symbol: str, order_id: str) -> Told:
        return told_order(await ask(self.client.ws_futures_get_order(symbol=symbol, orderId=int(order_id))))

    async def ws_modify(self, symbol: str, order_id: str, side: str, qty: str, price: str) -> Told:
        words = {"symbol": symbol, "orderId": int(order_id), "side": side, "quantity": qty, "price": price}
        return told_order(await ask(self.client.ws_futures_edit_order(**words)))

    async def ws_cancel(self, symbol: str, order_id: str) -> Told:
        return told_order(await ask(self.client.ws_futures_cancel_order(symbol=symbol, orderId=int(order_id))))

    async def ws_position(self, symbol: str) -> Held:
        told = of_symbol(await ask(self.client.ws_futures_v2_account_position(symbol=symbol)), symbol)
        return Held(qty=amount(told["positionAmt"]), entry=amount(told["entryPrice"]))

    async def ws_balance(self, asset: str) -> Decimal:
        told = await ask(self.client.ws_futures_v2_account_balance())
        return amount(next(each for each in told if each["asset"] == asset)["balance"])

    async def ws_place_stop(self, client_id: str, *, side: str, type: str, trigger: str) -> ToldAlgo:
        words = {"symbol": "BTCUSDT", "side": side, "type": type, "triggerPrice": trigger, "closePosition": "true"}
        return told_algo(await ask(self.client.ws_futures_create_order(**words, clientAlgoId=client_id)))

    async def ws_cancel_stop(self, algo: ToldAlgo) -> None:
        await ask(self.client.ws_futures_cancel_order(algoId=int(algo.algo_id)))


def _words(client_id: str, terms: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """Our terms as Binance's parameters; it hands them through."""
    terms = {**(terms or {}), **more}
    words = {"symbol": terms["symbol"], "side": terms["side"], "type": terms["type"], "quantity": terms["qty"]}
    words["newClientOrderId"] = client_id
    if "price" in terms:
        words |= {"price": terms["price"], "timeInForce": terms.get("tif", "GTC")}
    if terms.get("reduce_only"):
        words["reduceOnly"] = "true"
    if "position_side" in terms:
        words["positionSide"] = terms["position_side"]
    return words
