"""``python-binance`` on the simulated spot market: REST, sockets, WebSocket API."""

from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from typing import Any, ClassVar

from ears import Ears
from pb_common import PythonBinance, ask
from told import Past, Rules, Told, ToldList, ToldTrade, Touch, amount
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


class PythonBinanceSpot(PythonBinance):
    """The spot calls of python-binance."""

    lacks: ClassVar[dict[str, str]] = {
        "place_list opo": "it has no call for orderList/opo",
        "place_list opoco": "it has no call for orderList/opoco",
        "place_list old": "it has no call for the old order/oco",
        "amend": "it has no call for order/amend/keepPriority",
        "place_logged_on": "it knows no session.logon",
    }

    # ── market data ─────────────────────────────────────────────────────────────────────────────────────────────────
    async def rules(self, symbol: str) -> Rules:
        return told_rules(of_symbol((await ask(self.client.get_exchange_info()))["symbols"], symbol))

    async def clock(self) -> int:
        return int((await ask(self.client.get_server_time()))["serverTime"])

    async def depth(self, symbol: str) -> Touch:
        told = await ask(self.client.get_order_book(symbol=symbol, limit=5))
        return Touch(bid=amount(told["bids"][0][0]), ask=amount(told["asks"][0][0]))

    async def ticker(self, symbol: str) -> Touch:
        told = await ask(self.client.get_orderbook_ticker(symbol=symbol))
        return Touch(bid=amount(told["bidPrice"]), ask=amount(told["askPrice"]))

    async def past(self, symbol: str) -> Past:
        ticker = await ask(self.client.get_ticker(symbol=symbol))
        trades = await ask(self.client.get_recent_trades(symbol=symbol))
        return told_past(await ask(self.client.get_klines(symbol=symbol, interval="1m")), ticker, trades)

    # ── orders ──────────────────────────────────────────────────────────────────────────────────────────────────────
    async def place(self, client_id: str, **terms: Any) -> Told:
        return told_order(await ask(self.client.create_order(**spot_words(client_id, terms))))

    async def test(self, client_id: str, **terms: Any) -> None:
        await ask(self.client.create_test_order(**spot_words(client_id, terms)))

    async def find(self, symbol: str, order_id: str) -> Told:
        return told_order(await ask(self.client.get_order(symbol=symbol, orderId=order_id)))

    async def find_named(self, symbol: str, client_id: str) -> Told:
        return told_order(await ask(self.client.get_order(symbol=symbol, origClientOrderId=client_id)))

    async def open_orders(self, symbol: str) -> list[Told]:
        return [told_order(each) for each in await ask(self.client.get_open_orders(symbol=symbol))]

    async def all_orders(self, symbol: str) -> list[Told]:
        return [told_order(each) for each in await ask(self.client.get_all_orders(symbol=symbol))]

    async def cancel(self, symbol: str, order_id: str) -> Told:
        return told_order(await ask(self.client.cancel_order(symbol=symbol, orderId=order_id)))

    async def cancel_named(self, symbol: str, client_id: str) -> Told:
        return told_order(await ask(self.client.cancel_order(symbol=symbol, origClientOrderId=client_id)))

    async def cancel_all(self, symbol: str) -> None:
        await ask(self.client.cancel_all_open_orders(symbol=symbol))

    async def replace(self, order_id: str, client_id: str, **terms: Any) -> Told:
        words = spot_words(client_id, terms) | {"cancelReplaceMode": "STOP_ON_FAILURE", "cancelOrderId": order_id}
        return told_order((await ask(self.client.cancel_replace_order(**words)))["newOrderResponse"])

    async def trades(self, symbol: str) -> list[ToldTrade]:
        return [told_trade(each) for each in await ask(self.client.get_my_trades(symbol=symbol))]

    # ── account ─────────────────────────────────────────────────────────────────────────────────────────────────────
    async def balances(self) -> dict[str, tuple[Decimal, Decimal]]:
        return told_balances((await ask(self.client.get_account()))["balances"])

    async def taker_rate(self, symbol: str) -> Decimal:
        told = await ask(self.client.v3_get_account_commission(symbol=symbol))
        return amount(told["standardCommission"]["taker"])

    async def order_counts(self) -> list[int]:
        return [int(each["count"]) for each in await ask(self.client.get_current_order_count())]

    async def transfer(self, asset: str, size: str) -> str:
        told = await ask(self.client.make_universal_transfer(type="MAIN_UMFUTURE", asset=asset, amount=size))
        return str(told["tranId"])

    async def transfers(self) -> list[tuple[str, str, Decimal]]:
        told = await ask(self.client.query_universal_transfer_history(type="MAIN_UMFUTURE"))
        return [(str(each["tranId"]), each["asset"], amount(each["amount"])) for each in told["rows"]]

    # ── order lists ─────────────────────────────────────────────────────────────────────────────────────────────────
    async def place_list(self, kind: str, words: dict[str, str]) -> ToldList:
        """OCO by its own call, the newer ones by its raw calls."""
        calls = {
            "oco": self.client.create_oco_order,
            "oto": self.client.v3_post_order_list_oto,
            "otoco": self.client.v3_post_order_list_otoco,
        }
        if kind not in calls:
            self.cannot(f"place_list {kind}")
        return told_list(await ask(calls[kind](**words)))

    async def find_list(self, list_id: str) -> ToldList:
        return told_list(await ask(self.client.v3_get_order_list(orderListId=list_id)))

    async def open_lists(self) -> list[ToldList]:
        return [told_list(each) for each in await ask(self.client.get_open_oco_orders())]

    async def cancel_list(self, symbol: str, list_id: str) -> ToldList:
        return told_list(await ask(self.client.v3_delete_order_list(symbol=symbol, orderListId=list_id)))

    # ── streams ─────────────────────────────────────────────────────────────────────────────────────────────────────
    def touches(self, symbol: str) -> AbstractAsyncContextManager[Ears[Any]]:
        return self._stream(
            self.sockets.symbol_book_ticker_socket(symbol),
            lambda told: Touch(bid=amount(told["b"]), ask=amount(told["a"])),
        )

    def depths(self, symbol: str) -> AbstractAsyncContextManager[Ears[Any]]:
        return self._stream(
            self.sockets.depth_socket(symbol, depth="5", interval=100),
            lambda told: Touch(bid=amount(told["bids"][0][0]), ask=amount(told["asks"][0][0])),
        )

    def candles(self, symbol: str) -> AbstractAsyncContextManager[Ears[Any]]:
        return self._stream(self.sockets.kline_socket(symbol), lambda told: told_candle(told["k"]))

    def prints(self, symbol: str) -> AbstractAsyncContextManager[Ears[Any]]:
        socket = self.sockets.aggtrade_socket(symbol)
        return self._stream(socket, lambda told: (amount(told["p"]), amount(told["q"])))

    def order_news(self) -> AbstractAsyncContextManager[Ears[Any]]:
        return self._stream(
            self.sockets.user_socket(), lambda told: told_execution(told) if told["e"] == "executionReport" else None
        )

    def balance_news(self) -> AbstractAsyncContextManager[Ears[Any]]:
        return self._stream(
            self.sockets.user_socket(),
            lambda told: told_position(told) if told["e"] == "outboundAccountPosition" else None,
        )

    def list_news(self) -> AbstractAsyncContextManager[Ears[Any]]:
        return self._stream(
            self.sockets.user_socket(),
            lambda told: (str(told["g"]), told["L"]) if told["e"] == "listStatus" else None,
        )

    # ── the WebSocket API ───────────────────────────────────────────────────────────────────────────────────────────
    async def ws_place(self, client_id: str, **terms: Any) -> Told:
        return told_order(await ask(self.client.ws_create_order(**spot_words(client_id, terms))))

    async def ws_find(self, symbol: str, order_id: str) -> Told:
        return told_order(await ask(self.client.ws_get_order(symbol=symbol, orderId=int(order_id))))

    async def ws_open_orders(self, symbol: str) -> list[Told]:
        return [told_order(each) for each in await ask(self.client.ws_get_open_orders(symbol=symbol))]

    async def ws_cancel(self, symbol: str, order_id: str) -> Told:
        return told_order(await ask(self.client.ws_cancel_order(symbol=symbol, orderId=int(order_id))))

    async def ws_replace(self, order_id: str, client_id: str, **terms: Any) -> Told:
        words = spot_words(client_id, terms) | {"cancelReplaceMode": "STOP_ON_FAILURE", "cancelOrderId": int(order_id)}
        return told_order((await ask(self.client.ws_cancel_and_replace_order(**words)))["newOrderResponse"])

    async def ws_oco(self, words: dict[str, str]) -> ToldList:
        return told_list(await ask(self.client.ws_create_oco_order(**words)))

    async def ws_balances(self) -> dict[str, tuple[Decimal, Decimal]]:
        return told_balances((await ask(self.client.ws_get_account()))["balances"])
