"""``binance-sdk-derivatives-trading-usds-futures`` on the simulated exchange: REST, streams, WebSocket API."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, ClassVar

from binance_sdk_derivatives_trading_usds_futures.derivatives_trading_usds_futures import DerivativesTradingUsdsFutures
from binance_sdk_derivatives_trading_usds_futures.rest_api.models import (
    ModifyMultipleOrdersBatchOrdersParameterInner,
    PlaceMultipleOrdersBatchOrdersParameterInner,
)
from ears import Ears
from keys import ClientKey
from sdk_common import (
    ask,
    ask_ws,
    complaining,
    event,
    plain,
    rest_configuration,
    stream_configuration,
    ws_configuration,
)
from told import Client, Held, Past, Refused, Rules, Told, ToldAlgo, ToldTrade, Touch, amount
from venue import Venue
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

WS_API = "/ws-fapi/v1"


class SdkUsdm(Client):
    """The official SDK."""

    prints_on: ClassVar = "market"  # aggTrade
    stop_done: ClassVar = ("TRIGGERED", "FINISHED")

    def __init__(self, venue: Venue, complaints: list[str], key: ClientKey) -> None:
        self.complaints = complaints
        self.client = DerivativesTradingUsdsFutures(
            config_rest_api=rest_configuration(venue, key),
            config_ws_api=ws_configuration(venue, WS_API, key),
            config_ws_streams=stream_configuration(venue),
        )
        self.rest = self.client.rest_api

    @classmethod
    @asynccontextmanager
    async def opened(cls, venue: Venue, key: ClientKey) -> AsyncIterator["SdkUsdm"]:
        async with complaining() as lines:
            found = cls(venue, lines, key)
            try:
                yield found
            finally:
                found.rest._session.close()  # it offers no way of its own

    # ── market data ─────────────────────────────────────────────────────────────────────────────────────────────────
    async def rules(self, symbol: str) -> Rules:
        told = await ask(self.rest.exchange_information)
        return told_rules(of_symbol(told["symbols"], symbol))

    async def clock(self) -> int:
        return int((await ask(self.rest.check_server_time))["serverTime"])

    async def depth(self, symbol: str) -> Touch:
        told = await ask(self.rest.order_book, symbol, limit=5)
        return Touch(bid=amount(told["bids"][0][0]), ask=amount(told["asks"][0][0]))

    async def ticker(self, symbol: str) -> Touch:
        told = await ask(self.rest.symbol_order_book_ticker, symbol)
        return Touch(bid=amount(told["bidPrice"]), ask=amount(told["askPrice"]))

    async def mark(self, symbol: str) -> Decimal:
        return amount((await ask(self.rest.mark_price, symbol))["markPrice"])

    async def past(self, symbol: str) -> Past:
        ticker = await ask(self.rest.ticker24hr_price_change_statistics, symbol)
        trades = await ask(self.rest.recent_trades_list, symbol)
        return told_past(await ask(self.rest.kline_candlestick_data, symbol, "1m"), ticker, trades)

    # ── orders ──────────────────────────────────────────────────────────────────────────────────────────────────────
    async def place(self, client_id: str, **terms: Any) -> Told:
        return told_order(await ask(self.rest.new_order, **_words(client_id, terms), new_order_resp_type="RESULT"))

    async def test(self, client_id: str, **terms: Any) -> None:
        await ask(self.rest.test_order, **_words(client_id, terms))

    async def find(self, symbol: str, order_id: str) -> Told:
        return told_order(await ask(self.rest.query_order, symbol, order_id=int(order_id)))

    async def find_named(self, symbol: str, client_id: str) -> Told:
        return told_order(await ask(self.rest.query_order, symbol, orig_client_order_id=client_id))

    async def open_orders(self, symbol: str) -> list[Told]:
        return [told_order(each) for each in await ask(self.rest.current_all_open_orders, symbol)]

    async def all_orders(self, symbol: str) -> list[Told]:
        return [told_order(each) for each in await ask(self.rest.all_orders, symbol)]

    async def modify(self, symbol: str, order_id: str, side: str, qty: str, price: str) -> Told:
        words = {"side": side, "quantity": float(qty), "price": float(price), "order_id": int(order_id)}
        return told_order(await ask(self.rest.modify_order, symbol, **words))

    async def place_many(self, orders: Sequence[dict[str, Any]]) -> list[Told | Refused]:
        batch = [PlaceMultipleOrdersBatchOrdersParameterInner(**_words(**terms)) for terms in orders]
        return each_order(await ask(self.rest.place_multiple_orders, batch))

    async def modify_many(self, symbol: str, changes: Sequence[dict[str, str]]) -> list[Told | Refused]:
        batch = [
            ModifyMultipleOrdersBatchOrdersParameterInner(
                symbol=symbol,
                side=each["side"],
                order_id=int(each["order_id"]),
                quantity=float(each["qty"]),
                price=float(each["price"]),
            )
            for each in changes
        ]
        return each_order(await ask(self.rest.modify_multiple_orders, batch))

    async def cancel(self, symbol: str, order_id: str) -> Told:
        return told_order(await ask(self.rest.cancel_order, symbol, order_id=int(order_id)))

    async def cancel_named(self, symbol: str, client_id: str) -> Told:
        return told_order(await ask(self.rest.cancel_order, symbol, orig_client_order_id=client_id))

    async def cancel_many(self, symbol: str, order_ids: Sequence[str]) -> list[Told | Refused]:
        return each_order(
            await ask(self.rest.cancel_multiple_orders, symbol, order_id_list=[int(each) for each in order_ids])
        )

    async def cancel_all(self, symbol: str) -> None:
        assert (await ask(self.rest.cancel_all_open_orders, symbol))["code"] == 200

    async def countdown(self, symbol: str, after_ms: int) -> None:
        told = await ask(self.rest.auto_cancel_all_open_orders, symbol, after_ms)
        assert (told["symbol"], int(told["countdownTime"])) == (symbol, after_ms)

    async def trades(self, symbol: str) -> list[ToldTrade]:
        return [told_trade(each) for each in await ask(self.rest.account_trade_list, symbol)]

    # ── account ─────────────────────────────────────────────────────────────────────────────────────────────────────
    async def position(self, symbol: str) -> Held:
        told = of_symbol(await ask(self.rest.position_information_v3, symbol), symbol)
        return Held(qty=amount(told["positionAmt"]), entry=amount(told["entryPrice"]))

    async def balance(self, asset: str) -> Decimal:
        told = await ask(self.rest.futures_account_balance_v3)
        return amount(next(each for each in told if each["asset"] == asset)["balance"])

    async def wallet(self) -> Decimal:
        return amount((await ask(self.rest.account_information_v3))["totalWalletBalance"])

    async def taker_rate(self, symbol: str) -> Decimal:
        return amount((await ask(self.rest.user_commission_rate, symbol))["takerCommissionRate"])

    async def set_leverage(self, symbol: str, leverage: int) -> int:
        return int((await ask(self.rest.change_initial_leverage, symbol, leverage))["leverage"])

    async def leverage(self, symbol: str) -> int:
        return int(of_symbol(await ask(self.rest.symbol_configuration, symbol), symbol)["leverage"])

    async def max_leverage(self, symbol: str) -> int:
        told = await ask(self.rest.notional_and_leverage_brackets, symbol)
        rows = told if isinstance(told, list) else [told]
        return max(int(each["initialLeverage"]) for each in of_symbol(rows, symbol)["brackets"])

    async def isolate(self, symbol: str) -> None:
        await ask(self.rest.change_margin_type, symbol, "ISOLATED")

    async def hedging(self) -> bool:
        return bool((await ask(self.rest.get_current_position_mode))["dualSidePosition"])

    async def set_hedging(self, on: bool) -> None:
        await ask(self.rest.change_position_mode, "true" if on else "false")

    async def multi_assets(self) -> bool:
        return bool((await ask(self.rest.get_current_multi_assets_mode))["multiAssetsMargin"])

    async def income(self, symbol: str) -> list[tuple[str, Decimal]]:
        told = await ask(self.rest.get_income_history, symbol)
        return [(each["incomeType"], amount(each["income"])) for each in told]

    async def order_limits(self) -> list[int]:
        return sorted(int(each["limit"]) for each in await ask(self.rest.query_user_rate_limit))

    # ── conditional orders ──────────────────────────────────────────────────────────────────────────────────────────
    async def place_stop(
        self, client_id: str, *, side: str, type: str, trigger: str, qty: str | None = None
    ) -> ToldAlgo:
        words = {"quantity": float(qty)} if qty is not None else {"close_position": "true"}
        return told_algo(
            await ask(
                self.rest.new_algo_order,
                "CONDITIONAL",
                "BTCUSDT",
                side,
                type,
                trigger_price=float(trigger),
                client_algo_id=client_id,
                working_type="MARK_PRICE",
                **words,
            )
        )

    async def find_stop(self, algo: ToldAlgo) -> ToldAlgo:
        return told_algo(await ask(self.rest.query_algo_order, algo_id=int(algo.algo_id)))

    async def open_stops(self, symbol: str) -> list[ToldAlgo]:
        return [told_algo(each) for each in await ask(self.rest.current_all_algo_open_orders, symbol=symbol)]

    async def all_stops(self, symbol: str) -> list[ToldAlgo]:
        return [told_algo(each) for each in await ask(self.rest.query_all_algo_orders, symbol)]

    async def cancel_stop(self, algo: ToldAlgo) -> None:
        told = await ask(self.rest.cancel_algo_order, client_algo_id=algo.client_id)
        assert str(told["algoId"]) == algo.algo_id

    async def cancel_all_stops(self, symbol: str) -> None:
        await ask(self.rest.cancel_all_algo_open_orders, symbol)

    # ── streams ─────────────────────────────────────────────────────────────────────────────────────────────────────
    @asynccontextmanager
    async def _stream(self, open_it: Callable[[Any], Any], read: Callable[[Any], Any]) -> AsyncIterator[Ears[Any]]:
        """Connect on every route as the SDK does, subscribe, hand what comes to ``read`` (``None``: not for us)."""
        ears: Ears[Any] = Ears()
        streams = self.client.websocket_streams
        await streams.create_connection()
        try:
            handle = await open_it(streams)

            def note(message: Any) -> None:
                told = read(message)
                if told is not None:
                    ears.note(told)

            handle.on("message", note)
            yield ears
        finally:
            await streams.close_connection(close_session=True)

    def touches(self, symbol: str) -> Any:
        return self._stream(
            lambda streams: streams.individual_symbol_book_ticker_streams(symbol=symbol),
            lambda told: Touch(bid=amount(told.b), ask=amount(told.a)),
        )

    def depths(self, symbol: str) -> Any:
        return self._stream(
            lambda streams: streams.partial_book_depth_streams(symbol=symbol, levels="5", update_speed="100ms"),
            lambda told: Touch(bid=amount(told.b[0][0]), ask=amount(told.a[0][0])),
        )

    def candles(self, symbol: str) -> Any:
        return self._stream(
            lambda streams: streams.kline_candlestick_streams(symbol=symbol, interval="1m"),
            lambda told: told_candle(plain(told)["k"]),
        )

    def prints(self, symbol: str) -> Any:
        return self._stream(
            lambda streams: streams.aggregate_trade_streams(symbol=symbol),
            lambda told: (amount(told.p), amount(told.q)),
        )

    def marks(self, symbol: str) -> Any:
        return self._stream(
            lambda streams: streams.mark_price_stream(symbol=symbol, update_speed="1s"),
            lambda told: amount(told.p),
        )

    @asynccontextmanager
    async def _user(self, kind: str, read: Callable[[Any], Any]) -> AsyncIterator[Ears[Any]]:
        """Hear the events the SDK takes for ``kind``."""

        def sift(model: Any) -> Any:
            name, told = event(model)
            return read(told) if name == kind else None

        key = (await ask(self.rest.start_user_data_stream))["listenKey"]
        async with self._stream(lambda streams: streams.user_data(key), sift) as ears:
            yield ears

    def order_news(self) -> Any:
        return self._user("OrderTradeUpdate", lambda told: told_update(told["o"]))

    def position_news(self) -> Any:
        return self._user("AccountUpdate", lambda told: {each["s"]: amount(each["pa"]) for each in told["a"]["P"]})

    def stop_news(self) -> Any:
        return self._user("AlgoUpdate", lambda told: (told["o"]["caid"], told["o"]["X"]))

    async def listen_key_life(self) -> None:
        """Make, keep, drop a listenKey."""
        assert (await ask(self.rest.start_user_data_stream))["listenKey"]
        await ask(self.rest.keepalive_user_data_stream)
        await ask(self.rest.close_user_data_stream)

    # ── the WebSocket API ───────────────────────────────────────────────────────────────────────────────────────────
    @asynccontextmanager
    async def _ws(self) -> AsyncIterator[Any]:
        api = self.client.websocket_api
        await api.create_connection()
        try:
            yield api
        finally:
            await api.close_connection(close_session=True)

    async def ws_place(self, client_id: str, **terms: Any) -> Told:
        async with self._ws() as api:
            words = _words(client_id, terms) | {"new_order_resp_type": "RESULT"}
            return told_order(await ask_ws(api.new_order, **words))

    async def ws_find(self, symbol: str, order_id: str) -> Told:
        async with self._ws() as api:
            return told_order(await ask_ws(api.query_order, symbol=symbol, order_id=int(order_id)))

    async def ws_modify(self, symbol: str, order_id: str, side: str, qty: str, price: str) -> Told:
        async with self._ws() as api:
            words = {"side": side, "quantity": float(qty), "price": float(price), "order_id": int(order_id)}
            return told_order(await ask_ws(api.modify_order, symbol=symbol, **words))

    async def ws_cancel(self, symbol: str, order_id: str) -> Told:
        async with self._ws() as api:
            return told_order(await ask_ws(api.cancel_order, symbol=symbol, order_id=int(order_id)))

    async def ws_position(self, symbol: str) -> Held:
        async with self._ws() as api:
            told = of_symbol(await ask_ws(api.position_information_v2, symbol=symbol), symbol)
            return Held(qty=amount(told["positionAmt"]), entry=amount(told["entryPrice"]))

    async def ws_balance(self, asset: str) -> Decimal:
        async with self._ws() as api:
            told = await ask_ws(api.futures_account_balance_v2)
            return amount(next(each for each in told if each["asset"] == asset)["balance"])

    async def ws_place_stop(self, client_id: str, *, side: str, type: str, trigger: str) -> ToldAlgo:
        async with self._ws() as api:
            return told_algo(
                await ask_ws(
                    api.new_algo_order,
                    algo_type="CONDITIONAL",
                    symbol="BTCUSDT",
                    side=side,
                    type=type,
                    trigger_price=float(trigger),
                    close_position="true",
                    client_algo_id=client_id,
                )
            )

    async def ws_cancel_stop(self, algo: ToldAlgo) -> None:
        async with self._ws() as api:
            await ask_ws(api.cancel_algo_order, algo_id=int(algo.algo_id))


def _words(client_id: str, terms: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """Our terms as the SDK's arguments; it types prices and quantities as float."""
    terms = {**(terms or {}), **more}
    words: dict[str, Any] = {"symbol": terms["symbol"], "side": terms["side"], "type": terms["type"]}
    words["new_client_order_id"] = client_id
    words["quantity"] = float(terms["qty"])
    if "price" in terms:
        words |= {"price": float(terms["price"]), "time_in_force": terms.get("tif", "GTC")}
    if terms.get("reduce_only"):
        words["reduce_only"] = "true"
    if "position_side" in terms:
        words["position_side"] = terms["position_side"]
    return words
