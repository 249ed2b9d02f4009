"""Faults on the spot market: the same names, spot's words."""

from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pytest
from trading_desk import Desk

from chimera.simulate.door.auth import signature
from chimera.simulate.trouble.match import Match
from chimera.simulate.trouble.scenario import Fault, When
from chimera.simulate.venue.account_spec import READY_ACCOUNT
from chimera.simulate.venue.audit import Kind
from chimera.trading.ids import Symbol
from chimera.trading.market import Market, Side, TopOfBook, Traded

D = Decimal
ALWAYS, BTC = When(), Match(symbol="BTCUSDT")


class SpotTrader(Desk):
    """The desk's key on spot."""

    def spot(self, method: str, path: str, **params: Any) -> tuple[int, Any]:
        query = urlencode(params | {"timestamp": self.now})
        query += "&signature=" + signature(self.account.secret.encode(), query)
        return self.raw(method, "/api/v3/" + path, query)

    def order(self, side: str, qty: str, **more: Any) -> tuple[int, Any]:
        terms = {"symbol": "BTCUSDT", "side": side, "type": "MARKET", "quantity": qty, "newOrderRespType": "FULL"}
        return self.spot("POST", "order", **terms | more)

    def price(self, bid: str, ask: str) -> None:
        self.now += 1_500
        for symbol, (low, high) in {"BTCUSDT": (D(bid), D(ask)), "BNBUSDT": (D(600), D("600.1"))}.items():
            sizes = {"bid_qty": D(5), "ask_qty": D(5)}
            event = TopOfBook(symbol=Symbol(symbol), at_us=self.at_us(), bid=low, ask=high, **sizes)
            self.twin.market(event, self.now, Market.SPOT)
        trade = Traded(symbol=Symbol("BTCUSDT"), at_us=self.at_us(), price=D(bid), qty=D("0.01"), taker=Side.SELL)
        self.twin.market(trade, self.now, Market.SPOT)

    def arm(self, name: str, match: Match = BTC, when: When = ALWAYS, **params: Any) -> str:
        return self.twin.faults.arm([Fault(name=name, match=match, when=when, params=params)], self.now)[0]

    def clear(self, fault: str) -> None:
        self.twin.faults.clear([fault])
        self.twin.tick(self.now)

    def events(self, kind: str) -> list[Any]:
        return [frame.json() for frame in self.twin.drain() if frame.route == "spot_private" and frame.event == kind]

    @property
    def status(self) -> str:
        _, info = self.raw("GET", "/api/v3/exchangeInfo", "symbol=BTCUSDT")
        return str(info["symbols"][0]["status"])


@pytest.fixture
def trader() -> SpotTrader:
    wallet = {"USDT": D(100_000), "BTC": D(1), "BNB": D(5)}
    trader = SpotTrader(account=READY_ACCOUNT.but(spot=wallet))
    trader.price("65799.90", "65800.00")
    return trader


def test_commission_falls_back_to_the_base_asset(trader):
    trader.twin.spot.floor.accounts["main"].bnb_discount = True
    fault = trader.arm("fee_in_base", match=Match(account="main"))
    _, bought = trader.order("BUY", "0.1")
    assert {fill["commissionAsset"] for fill in bought["fills"]} == {"BTC"}
    trader.clear(fault)
    _, bought = trader.order("BUY", "0.1")
    assert {fill["commissionAsset"] for fill in bought["fills"]} == {"BNB"}
    assert [record.reason for record in trader.log(Kind.FAULT)] == ["fee_in_base"]


def test_a_pair_takes_cancels_only(trader):
    _, rests = trader.order("BUY", "0.1", type="LIMIT", timeInForce="GTC", price="60000")
    trader.arm("cancel_only", when=When(to_ms=60_000))
    assert trader.status == "CANCEL_ONLY"
    assert trader.order("BUY", "0.1")[1]["code"] in (-1013, -2010)
    assert trader.spot("DELETE", "order", symbol="BTCUSDT", orderId=rests["orderId"])[0] == 200
    trader.now += 60_000
    assert trader.order("BUY", "0.1")[0] == 200


def test_a_delisted_pair_loses_its_orders(trader):
    trader.order("BUY", "0.1", type="LIMIT", timeInForce="GTC", price="60000", newClientOrderId="rests")
    stop = {"type": "STOP_LOSS", "stopPrice": "65000", "newOrderRespType": "ACK"}
    assert trader.order("SELL", "0.1", newClientOrderId="stop", **stop)[0] == 200
    trader.twin.drain()
    trader.arm("delisting")
    assert trader.status == "BREAK"
    ended = {event["c"]: (event["X"], event["eR"]) for event in trader.events("executionReport")}
    assert ended == dict.fromkeys(("rests", "stop"), ("EXPIRED", "EXCHANGE_CANCELED"))
    _, account = trader.spot("GET", "account")
    assert {row["asset"]: D(row["locked"]) for row in account["balances"]}["USDT"] == 0
    assert trader.order("BUY", "0.1")[0] == 400


def test_a_trigger_finds_a_book_for_a_part_only(trader):
    trader.order("SELL", "0.2", newClientOrderId="sl", type="STOP_LOSS", stopPrice="65000", newOrderRespType="ACK")
    trader.arm("trigger_partial_fill", share=D("0.25"))
    trader.price("64990.00", "65000.00")
    _, found = trader.spot("GET", "order", symbol="BTCUSDT", origClientOrderId="sl")
    assert (found["status"], D(found["executedQty"])) == ("EXPIRED", D("0.05"))


def test_a_trigger_is_refused(trader):
    trader.order("SELL", "0.2", newClientOrderId="sl", type="STOP_LOSS", stopPrice="65000", newOrderRespType="ACK")
    trader.arm("trigger_refused")
    trader.price("64990.00", "65000.00")
    _, found = trader.spot("GET", "order", symbol="BTCUSDT", origClientOrderId="sl")
    assert (found["status"], D(found["executedQty"])) == ("EXPIRED", 0)


def test_what_holds_a_futures_stop_leaves_spot_alone(trader):
    trader.order("SELL", "0.2", newClientOrderId="sl", type="STOP_LOSS", stopPrice="65000", newOrderRespType="ACK")
    trader.arm("stuck_triggering")
    trader.price("64990.00", "65000.00")
    _, found = trader.spot("GET", "order", symbol="BTCUSDT", origClientOrderId="sl")
    assert found["status"] == "FILLED"


def test_too_little_balance_is_said_in_spots_words(trader):
    trader.arm("balance_too_low")
    said = {"code": -2010, "msg": "Account has insufficient balance for requested action."}
    assert trader.order("BUY", "0.1") == (400, said)
    assert trader.order("SELL", "0.1")[0] == 200


def test_a_balance_read_answers_zeros_once(trader):
    trader.arm("zero_balance_read", match=Match(market="spot"))
    _, zeros = trader.spot("GET", "account")
    assert {D(row["free"]) for row in zeros["balances"]} == {D(0)}
    _, account = trader.spot("GET", "account")
    assert D("100000") in {D(row["free"]) for row in account["balances"]}


def test_user_events_are_struck_by_account(trader):
    trader.arm("frame_drop", match=Match(account="main", event="outboundAccountPosition"))
    trader.order("BUY", "0.1")
    frames = trader.twin.drain()
    assert "executionReport" in {frame.event for frame in frames}
    assert "outboundAccountPosition" not in {frame.event for frame in frames}


def test_spot_readers_are_told_before_they_are_cut(trader):
    trader.arm("stream_cut", match=Match(route="spot*"), told=True)
    trader.twin.tick(trader.now)
    cuts = [(frame.route, frame.event, frame.ends) for frame in trader.twin.drain() if frame.channel == "*"]
    assert cuts == [("spot", "serverShutdown", False), ("spot_private", "serverShutdown", False), ("spot*", "", True)]
