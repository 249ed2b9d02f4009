"""A venue's second life: what is kept of it, and that it goes on as if it had never been away."""

import dataclasses
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_properties import act, scripts
from trading_desk import RICH, START_MS, Desk

from chimera.simulate.door.auth import signature
from chimera.simulate.door.messages import WireRequest
from chimera.simulate.keeping import history
from chimera.simulate.keeping.futures import KeptAccount, KeptAlgo, KeptListing, KeptOrder, KeptPosition, KeptTerms
from chimera.simulate.keeping.whole import Kept
from chimera.simulate.twin import Twin
from chimera.simulate.usdm.accounts import Account, Position, Terms
from chimera.simulate.usdm.algos import Algo
from chimera.simulate.usdm.orders import FuturesOrder
from chimera.simulate.usdm.perpetual import DEMO, Perpetual
from chimera.simulate.venue.account_spec import AccountSpec
from chimera.simulate.venue.audit import Kind
from chimera.wire import codec

D = Decimal
SECOND = AccountSpec(name="second", api_key="second-key", secret="second-secret", balance=D(50_000))
BOTH = (RICH, SECOND)
BTC = "BTCUSDT"
ACCOUNT_QUERIES = (
    ("v1/openOrders", {}),
    ("v1/allOrders", {"symbol": BTC, "limit": 1000}),
    ("v1/userTrades", {"symbol": BTC, "limit": 1000}),
    ("v1/openAlgoOrders", {}),
    ("v1/allAlgoOrders", {"symbol": BTC, "limit": 1000}),
    ("v1/income", {"limit": 1000}),
    ("v3/positionRisk", {}),
    ("v3/account", {}),
    ("v3/balance", {}),
    ("v1/symbolConfig", {}),
    ("v1/commissionRate", {"symbol": BTC}),
)


def read_back(twin: Twin, *, clean: bool = True) -> Kept:
    return codec.unseal(codec.seal(twin.keep(clean=clean)), Kept)


def a_next_life(desk: Desk, *, clean: bool = True, **options: Any) -> Desk:
    """A venue that carries on from what ``desk`` kept, as a new process would."""
    terms = {"accounts": BOTH, "now_ms": desk.now} | options
    other = Desk(Twin(**terms, kept=read_back(desk.twin, clean=clean)), account=desk.account)
    other.now = desk.now
    return other


def feel_the_gap(desk: Desk) -> None:
    """What a restart takes from those who stay: the book, the listenKeys, frames nobody heard."""
    for listing in desk.twin.usdm.floor.listings.values():
        listing.go_dark()
    for account in desk.twin.usdm.floor.accounts.values():
        account.listen_key = None
    desk.twin.drain()


def a_life(script: list[Any], more: Any = None) -> Desk:
    desk = Desk(seed=7, accounts=BOTH)
    desk.listen()
    desk.ok("POST", "v1/leverage", symbol=BTC, leverage=33)
    if more is not None:
        more(desk)
    desk.top("65799.9", "65800.0", "0.02", "0.02")
    play(desk, script)
    return desk


def play(desk: Desk, script: list[Any]) -> None:
    """The accounts act in turn, so that they trade with each other, too."""
    for number, action in enumerate(script):
        desk.account = BOTH[number % 2]
        act(desk, action)
    desk.account = RICH


def answers(desk: Desk) -> list[Any]:
    """Every account's answer to every query, byte for byte with its headers."""
    found = []
    for account in BOTH:
        calls = list(ACCOUNT_QUERIES)
        orders = desk.twin.usdm.floor.orders.by_id.values()
        calls += [("v1/order", {"symbol": BTC, "origClientOrderId": order.client_id}) for order in orders]
        algos = desk.twin.usdm.floor.algos.by_id
        calls += [("v1/algoOrder", {"algoId": number}) for number in algos]
        for path, params in calls:
            query = urlencode(params | {"timestamp": desk.now})
            query += "&signature=" + signature(account.secret.encode(), query)
            request = WireRequest(
                method="GET", path=f"/fapi/{path}", query=query, headers={"X-MBX-APIKEY": account.api_key}
            )
            response = desk.twin.handle(request, desk.now)
            found.append((response.status, response.body, response.headers))
        found.append(desk.raw("GET", "/fapi/v1/premiumIndex"))
    return found


def told(desk: Desk, since: int) -> list[Any]:
    return [record.but(seq=record.seq - since) for record in desk.twin.audit if record.seq > since]


gives_marks = st.sampled_from([None, lambda desk: desk.mark("65790")])


@settings(max_examples=60, deadline=None)
@given(scripts, scripts, gives_marks)
def test_a_next_life_answers_the_same_and_goes_on_the_same(before, after, more):
    first = a_life(before, more)
    second = a_next_life(first, seed=7)
    assert answers(second) == answers(first)

    feel_the_gap(first)
    assert answers(second) == answers(first)
    marks = [desk.twin.usdm.floor.audit.seq for desk in (first, second)]
    for desk in (first, second):
        desk.key = desk.listen()
        for route, stream in (("public", "btcusdt@depth@0ms"), ("market", "btcusdt@aggTrade")):
            desk.twin.subscribe(route, stream)
        desk.top("65799.0", "65800.3", "0.02", "0.02", later_ms=13)
        play(desk, after)
    assert second.twin.drain() == first.twin.drain()
    assert told(second, marks[1]) == told(first, marks[0])
    assert answers(second) == answers(first)


@settings(max_examples=30, deadline=None)
@given(scripts, scripts)
def test_what_is_kept_in_steps_is_what_is_kept_at_once(before, after):
    """Pages remember what was written before; a fresh look must find the same."""
    desk = a_life(before)
    desk.twin.keep()
    play(desk, after)
    anew = Twin(accounts=(), kept=read_back(desk.twin), now_ms=desk.now)
    assert read_back(anew).but(standing=None) == read_back(desk.twin).but(standing=None)
    assert msgspec.structs.replace(read_back(anew).standing, audit_seq=0) == msgspec.structs.replace(
        read_back(desk.twin).standing, audit_seq=0
    )


def test_every_field_is_kept_or_left_out_on_purpose():
    """A field added to an order must not be forgotten here."""

    def fields(kind: type) -> set[str]:
        return {field.name for field in dataclasses.fields(kind)}

    by_name = {"account", "listing"}
    assert fields(Position) - {"terms"} == set(KeptPosition.__struct_fields__) - {"symbol"}
    assert fields(Terms) == set(KeptTerms.__struct_fields__)
    of_an_order = set(KeptOrder.__struct_fields__) - {"account", "symbol"}
    assert fields(FuturesOrder) - by_name - {"algo", "resting", "reduces"} == of_an_order
    assert fields(Algo) - by_name == set(KeptAlgo.__struct_fields__) - {"account", "symbol"}
    history = {"trades", "income", "margin_moves", "listen_key", "listen_until_ms"}
    assert fields(Account) - history == set(KeptAccount.__struct_fields__)
    of_the_market = {"book", "queues", "triggers", "traded", "mark_given", "marked_ms", "dark", "symbol"}
    of_the_market |= {"price_places", "qty_places", "trailing", "brackets", "prints", "settled"}
    assert set(vars(Perpetual(DEMO[0]))) - of_the_market == set(KeptListing.__struct_fields__) - {"update_id"}


def held_with_stop() -> Desk:
    desk = Desk(accounts=BOTH)
    desk.top("65799.9", "65800.0")
    desk.mark("65800")
    desk.market("BUY", "0.010", newClientOrderId="entry")
    desk.stop("SELL", "65700", closePosition="true", workingType="MARK_PRICE", clientAlgoId="stop")
    return desk


@pytest.mark.parametrize("lower", ["65000", "64000"])
def test_a_stop_passed_in_the_gap_triggers_at_the_first_quote_and_not_before(lower):
    second = a_next_life(held_with_stop())
    second.mark(lower)
    assert second.algo("stop")["algoStatus"] == "NEW", "there is no book to close on yet"
    second.trade(lower, "1", "SELL")
    assert second.position == D("0.010")
    assert second.code("POST", "v1/order", **second.market_terms("SELL", "0.010")) == -1112

    second.top(lower, str(D(lower) + 1))

    assert second.algo("stop")["algoStatus"] == "FINISHED"
    assert second.position == 0
    [fill] = second.log(Kind.FILL)
    assert (fill.client_order_id, fill.price, fill.position_after) == ("stop", D(lower), 0)


def test_a_market_that_gives_no_marks_is_marked_by_its_mid_though_the_one_before_gave_them():
    second = a_next_life(held_with_stop())
    second.top("65699.0", "65700.0")
    assert second.algo("stop")["algoStatus"] == "FINISHED"
    assert second.raw("GET", "/fapi/v1/premiumIndex", f"symbol={BTC}")[1]["markPrice"] == "65699.50000000"


def test_an_order_keeps_its_place_in_the_queue():
    desk = Desk(accounts=BOTH)
    desk.depth({"65799.0": "2", "65798.0": "2"}, {"65800.0": "2"}, True)
    desk.limit("BUY", "0.010", "65799.0", newClientOrderId="early")
    desk.trade("65799.0", "1.5", "SELL")
    second = a_next_life(desk)
    second.depth({"65799.0": "9", "65798.0": "2"}, {"65800.0": "2"}, True)
    second.trade("65799.0", "0.5", "SELL")
    assert second.order("early")["status"] == "NEW"
    second.trade("65799.0", "0.004", "SELL")
    assert second.order("early")["executedQty"] == "0.004"


def test_after_a_crash_no_id_is_given_again():
    desk = held_with_stop()
    kept = read_back(desk.twin, clean=False)
    lost = desk.market("BUY", "0.001", newClientOrderId="lost")
    lost_algo = desk.stop("SELL", "65600", quantity="0.001", reduceOnly="true")
    lost_trade = desk.ok("GET", "v1/userTrades", symbol=BTC)[-1]["id"]
    lost_draw = desk.listen()

    second = Desk(Twin(accounts=BOTH, kept=kept, now_ms=desk.now, audit_seq=desk.twin.audit[-1].seq))
    second.top("65799.9", "65800.0")
    assert second.position == D("0.010"), "the last moment is lost"
    again = second.market("BUY", "0.001", newClientOrderId="after")
    assert again["orderId"] > lost["orderId"]
    assert second.stop("SELL", "65600", quantity="0.001", reduceOnly="true")["algoId"] > lost_algo["algoId"]
    assert second.ok("GET", "v1/userTrades", symbol=BTC)[-1]["id"] > lost_trade
    assert second.listen() != lost_draw
    [restart] = second.log(Kind.RESTART)
    assert (restart.kept_seq, restart.seq) == (kept.standing.audit_seq, desk.twin.audit[-1].seq + 1)


def test_accounts_stay_as_they_were_and_new_ones_open():
    first = Desk()
    first.top("65799.9", "65800.0")
    first.market("BUY", "0.010")
    second = a_next_life(first, accounts=(RICH.but(balance=D(1)), SECOND))
    assert second.wallet == first.wallet
    assert [record.account for record in second.log(Kind.OPEN_ACCOUNT)] == ["second"]


@pytest.mark.parametrize(("fault", "status"), [("delisting", "SETTLING BREAK"), ("cancel_only", "TRADING TRADING")])
def test_a_symbol_that_was_taken_off_stays_off_and_what_a_fault_closed_opens(fault, status):
    desk = Desk()
    desk.top("65799.9", "65800.0")
    arm = msgspec.json.encode({"name": fault, "match": {"symbol": BTC}}).decode()
    assert desk.raw("POST", "/sim/faults", body=arm)[0] == 200
    desk.twin.tick(desk.now)
    assert desk.code("POST", "v1/order", **desk.limit_terms("BUY", "0.1", "60000")) != -1102
    second = a_next_life(desk)
    rows = [second.raw("GET", path, f"symbol={BTC}")[1] for path in ("/fapi/v1/exchangeInfo", "/api/v3/exchangeInfo")]
    found = [row["status"] for each in rows for row in each["symbols"] if row["symbol"] == BTC]
    assert " ".join(found) == status


def test_a_symbol_no_longer_listed_is_listed_again():
    second = a_next_life(held_with_stop(), instruments=(DEMO[1],))
    assert second.position == D("0.010")
    assert [each["symbol"] for each in second.raw("GET", "/fapi/v1/exchangeInfo")[1]["symbols"]] == ["ETHUSDT", BTC]


def test_the_newest_history_is_kept(monkeypatch):
    monkeypatch.setattr(history, "HISTORY", 20)
    monkeypatch.setattr(history, "PAGE", 8)
    desk = Desk(accounts=BOTH)
    desk.top("65799.9", "65800.0", "5", "5")
    for number in range(50):
        desk.market("BUY" if number % 2 else "SELL", "0.001", newClientOrderId=f"n{number}")
        if number % 7 == 0:
            desk.twin.keep()
    kept = read_back(desk.twin)
    assert 20 <= len(kept.ended_orders) <= 28
    assert [order.client_id for order in kept.ended_orders] == [f"n{n}" for n in range(50)][-len(kept.ended_orders) :]
    assert 20 <= len(kept.trades["main"]) <= 28
    assert kept.trades["main"][-1] == desk.ok("GET", "v1/userTrades", symbol=BTC)[-1]
    assert kept.income["main"][-1] == desk.ok("GET", "v1/income")[-1]
    third = a_next_life(a_next_life(desk))
    assert read_back(third.twin).ended_orders == kept.ended_orders


def test_what_contradicts_itself_is_refused():
    kept = read_back(held_with_stop().twin)
    standing = kept.standing.but(accounts=kept.standing.accounts[1:])
    with pytest.raises(ValueError, match="'main'"):
        Twin(kept=kept.but(standing=standing))


def test_questions_and_quotes_are_nothing_new_to_keep():
    desk = held_with_stop()
    before = desk.twin.changes
    desk.top("65799.8", "65800.1")
    assert desk.position
    assert desk.code("POST", "v1/order", **desk.market_terms("BUY", "900")) < 0
    assert desk.twin.changes[0] == before[0]
    desk.stop("SELL", "65600", quantity="0.001", reduceOnly="true")
    assert desk.twin.changes != before


def test_the_clock_of_the_next_life_is_its_own():
    second = a_next_life(held_with_stop(), now_ms=START_MS + 3_600_000)
    assert second.log(Kind.RESTART)[0].at_us == (START_MS + 3_600_000) * 1000
