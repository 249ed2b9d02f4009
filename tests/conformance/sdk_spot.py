"""``binance-sdk-spot`` (and ``binance-sdk-wallet`` for transfers) on the simulated spot market."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

from binance_sdk_spot.spot import Spot
from binance_sdk_wallet.wallet import Wallet
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
from told import Client, Past, Rules, Told, ToldList, ToldTrade, Touch, amount
from venue import Venue
from wire_words import (
    of_symbol,
    spot_words,
    told_balances,
    told_candle,
    told_execution,
    told_list,
    told_order,
    told_past,
    told_position,
    told_rules,
    told_trade,
)

WS_API = "/ws-api/v3"
_AMOUNTS = ("price", "quantity", "qty")


class SdkSpot(Client):
    """The official SDK."""

    def __init__(self, venue: Venue, complaints: list[str], key: ClientKey) -> None:
        self.complaints = complaints
        self.client = Spot(
            config_rest_api=rest_configuration(venue, key),
            config_ws_api=ws_configuration(venue, WS_API, key),
            config_ws_streams=stream_configuration(venue),
        )
        self.rest = self.client.rest_api
        self.wallet = Wallet(config_rest_api=rest_configuration(venue, key)).rest_api

    @classmethod
    @asynccontextmanager
    async def opened(cls, venue: Venue, key: ClientKey) -> AsyncIterator["SdkSpot"]:
        async with complaining() as lines:
            found = cls(venue, lines, key)
            try:
                yield found
            finally:
                found.rest._session.close()  # it offers no way of its own
                found.wallet._session.close()

    # ── market data ─────────────────────────────────────────────────────────────────────────────────────────────────
    async def rules(self, symbol: str) -> Rules:
        return told_rules(of_symbol((await ask(self.rest.exchange_info, symbol=symbol))["symbols"], symbol))

    async def clock(self) -> int:
        return int((await ask(self.rest.time))["serverTime"])

    async def depth(self, symbol: str) -> Touch:
        told = await ask(self.rest.depth, symbol, limit=5)
        return Touch(bid=amount(told["bids"][0][0]), ask=amount(told["asks"][0][0]))

    async def ticker(self, symbol: str) -> Touch:
        told = await ask(self.rest.ticker_book_ticker, symbol=symbol)
        return Touch(bid=amount(told["bidPrice"]), ask=amount(told["askPrice"]))

    async def past(self, symbol: str) -> Past:
        ticker, trades = await ask(self.rest.ticker24hr, symbol), await ask(self.rest.get_trades, symbol)
        return told_past(await ask(self.rest.klines, symbol, "1m"), ticker, trades)

    # ── orders ──────────────────────────────────────────────────────────────────────────────────────────────────────
    async def place(self, client_id: str, **terms: Any) -> Told:
        return told_order(await ask(self.rest.new_order, **_words(spot_words(client_id, terms))))

    async def test(self, client_id: str, **terms: Any) -> None:
        await ask(self.rest.order_test, **_words(spot_words(client_id, terms)))

    async def find(self, symbol: str, order_id: str) -> Told:
        return told_order(await ask(self.rest.get_order, symbol, order_id=int(order_id)))

    async def find_named(self, symbol: str, client_id: str) -> Told:
        return told_order(await ask(self.rest.get_order, symbol, orig_client_order_id=client_id))

    async def open_orders(self, symbol: str) -> list[Told]:
        return [told_order(each) for each in await ask(self.rest.get_open_orders, symbol=symbol)]

    async def all_orders(self, symbol: str) -> list[Told]:
        return [told_order(each) for each in await ask(self.rest.all_orders, symbol)]

    async def cancel(self, symbol: str, order_id: str) -> Told:
        return told_order(await ask(self.rest.delete_order, symbol, order_id=int(order_id)))

    async def cancel_named(self, symbol: str, client_id: str) -> Told:
        return told_order(await ask(self.rest.delete_order, symbol, orig_client_order_id=client_id))

    async def cancel_all(self, symbol: str) -> None:
        await ask(self.rest.delete_open_orders, symbol)

    async def replace(self, order_id: str, client_id: str, **terms: Any) -> Told:
        words = _words(spot_words(client_id, terms)) | {"cancel_replace_mode": "STOP_ON_FAILURE"}
        told = await ask(self.rest.order_cancel_replace, **words, cancel_order_id=int(order_id))
        return told_order(told["newOrderResponse"])

    async def amend(self, symbol: str, order_id: str, qty: str) -> None:
        await ask(self.rest.order_amend_keep_priority, symbol, float(qty), order_id=int(order_id))

    async def trades(self, symbol: str) -> list[ToldTrade]:
        return [told_trade(each) for each in await ask(self.rest.my_trades, symbol)]

    # ── account ─────────────────────────────────────────────────────────────────────────────────────────────────────
    async def balances(self) -> dict[str, tuple[Decimal, Decimal]]:
        return told_balances((await ask(self.rest.get_account))["balances"])

    async def taker_rate(self, symbol: str) -> Decimal:
        return amount((await ask(self.rest.account_commission, symbol))["standardCommission"]["taker"])

    async def order_counts(self) -> list[int]:
        return [int(each["count"]) for each in await ask(self.rest.rate_limit_order)]

    async def transfer(self, asset: str, size: str) -> str:
        told = await ask(self.wallet.user_universal_transfer, "MAIN_UMFUTURE", asset, float(size))
        return str(told["tranId"])

    async def transfers(self) -> list[tuple[str, str, Decimal]]:
        told = await ask(self.wallet.query_user_universal_transfer_history, "MAIN_UMFUTURE")
        return [(str(each["tranId"]), each["asset"], amount(each["amount"])) for each in told["rows"]]

    # ── order lists ─────────────────────────────────────────────────────────────────────────────────────────────────
    async def place_list(self, kind: str, words: dict[str, str]) -> ToldList:
        call = self.rest.order_oco if kind == "old" else getattr(self.rest, f"order_list_{kind}")
        return told_list(await ask(call, **_words(words)))

    async def find_list(self, list_id: str) -> ToldList:
        return told_list(await ask(self.rest.get_order_list, order_list_id=int(list_id)))

    async def open_lists(self) -> list[ToldList]:
        return [told_list(each) for each in await ask(self.rest.open_order_list)]

    async def cancel_list(self, symbol: str, list_id: str) -> ToldList:
        return told_list(await ask(self.rest.delete_order_list, symbol, order_list_id=int(list_id)))

    # ── streams ─────────────────────────────────────────────────────────────────────────────────────────────────────
    @asynccontextmanager
    async def _stream(self, open_it: Callable[[Any], Any], read: Callable[[Any], Any]) -> AsyncIterator[Ears[Any]]:
        ears: Ears[Any] = Ears()
        streams = self.client.websocket_streams
        await streams.create_connection()
        try:
            handle = await open_it(streams)
            handle.on("message", lambda told: ears.note(read(told)))
            yield ears
        finally:
            await streams.close_connection(close_session=True)

    def touches(self, symbol: str) -> Any:
        return self._stream(
            lambda streams: streams.book_ticker(symbol=symbol),
            lambda told: Touch(bid=amount(told.b), ask=amount(told.a)),
        )

    def depths(self, symbol: str) -> Any:
        return self._stream(
            lambda streams: streams.partial_book_depth(symbol=symbol, levels="5", update_speed="100ms"),
            lambda told: Touch(bid=amount(told.bids[0][0]), ask=amount(told.asks[0][0])),
        )

    def candles(self, symbol: str) -> Any:
        return self._stream(
            lambda streams: streams.kline(symbol=symbol, interval="1m"),
            lambda told: told_candle(plain(told)["k"]),
        )

    def prints(self, symbol: str) -> Any:
        return self._stream(
            lambda streams: streams.agg_trade(symbol=symbol), lambda told: (amount(told.p), amount(told.q))
        )

    @asynccontextmanager
    async def _user(self, kind: str, read: Callable[[Any], Any]) -> AsyncIterator[Ears[Any]]:
        """Hear the user events the SDK takes for ``kind``."""
        ears: Ears[Any] = Ears()

        def note(model: Any) -> None:
            name, told = event(model)
            if name == kind:
                ears.note(read(told))

        async with self._ws() as api:
            subscribed = await api.user_data_stream_subscribe_signature()
            subscribed.stream.on("message", note)
            yield ears

    def order_news(self) -> Any:
        return self._user("ExecutionReport", told_execution)

    def balance_news(self) -> Any:
        return self._user("OutboundAccountPosition", told_position)

    def list_news(self) -> Any:
        return self._user("ListStatus", lambda told: (str(told["g"]), told["L"]))

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
            return told_order(await ask_ws(api.order_place, **_words(spot_words(client_id, terms))))

    async def place_logged_on(self, client_id: str, **terms: Any) -> Told:
        async with self._ws() as api:
            assert (await ask_ws(api.session_logon))["apiKey"]
            return told_order(await ask_ws(api.order_place, **_words(spot_words(client_id, terms))))

    async def ws_find(self, symbol: str, order_id: str) -> Told:
        async with self._ws() as api:
            return told_order(await ask_ws(api.order_status, symbol=symbol, order_id=int(order_id)))

    async def ws_open_orders(self, symbol: str) -> list[Told]:
        async with self._ws() as api:
            return [told_order(each) for each in await ask_ws(api.open_orders_status, symbol=symbol)]

    async def ws_cancel(self, symbol: str, order_id: str) -> Told:
        async with self._ws() as api:
            return told_order(await ask_ws(api.order_cancel, symbol=symbol, order_id=int(order_id)))

    async def ws_replace(self, order_id: str, client_id: str, **terms: Any) -> Told:
        async with self._ws() as api:
            words = _words(spot_words(client_id, terms)) | {"cancel_replace_mode": "STOP_ON_FAILURE"}
            told = await ask_ws(api.order_cancel_replace, **words, cancel_order_id=int(order_id))
            return told_order(told["newOrderResponse"])

    async def ws_oco(self, words: dict[str, str]) -> ToldList:
        async with self._ws() as api:
            return told_list(await ask_ws(api.order_list_place_oco, **_words(words)))

    async def ws_balances(self) -> dict[str, tuple[Decimal, Decimal]]:
        async with self._ws() as api:
            return told_balances((await ask_ws(api.account_status))["balances"])


def _words(parameters: dict[str, Any]) -> dict[str, Any]:
    """Binance's parameters as the SDK's arguments: snake case, amounts as float."""
    return {
        re.sub("([A-Z])", lambda found: "_" + found[1].lower(), name): (
            float(value) if name.lower().endswith(_AMOUNTS) else value
        )
        for name, value in parameters.items()
    }
