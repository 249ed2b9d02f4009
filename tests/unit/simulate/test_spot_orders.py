"""Spot orders: each type, time in force, locks, commission, self-trade prevention, cancel, replace, amend."""

from typing import Any

import pytest
from spot_desk import FREE_OF_FEES, D, SpotDesk

from chimera.simulate.door.refusals import Refusal
from chimera.simulate.spot.exchange import ReplaceMode, Restriction
from chimera.simulate.spot.orders import Peg, PegOffset, PegPrice, SpotOrder
from chimera.simulate.spot.pair import PairStatus
from chimera.simulate.venue.orders import Status, Step
from chimera.trading.market import Side

INSUFFICIENT = (-2010, "Account has insufficient balance for requested action.")


@pytest.fixture
def desk() -> SpotDesk:
    """59,999.99 / 60,000.01 with five on each side and unseen ticks behind; last trade at 60,000."""
    desk = SpotDesk()
    desk.top("59999.99", "60000.01")
    desk.trade("60000")
    return desk


@pytest.fixture
def free_desk() -> SpotDesk:
    """As ``desk``, without commission."""
    desk = SpotDesk(**FREE_OF_FEES)
    desk.top("59999.99", "60000.01")
    desk.trade("60000")
    return desk


# ── locks ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_resting_buy_locks_its_cost_and_a_cancel_frees_it(desk: SpotDesk) -> None:
    order = desk.limit("BUY", "0.1", "50000")
    assert desk.money("USDT") == (D(5_000), D(5_000))
    desk.exchange.cancel(order)
    assert desk.money("USDT") == (D(10_000), D(0))
    assert order.status is Status.CANCELED


def test_a_resting_sell_locks_the_base_asset(desk: SpotDesk) -> None:
    desk.limit("SELL", "0.3", "70000")
    assert desk.money("BTC") == (D("0.7"), D("0.3"))


def test_what_is_locked_cannot_be_used_again(desk: SpotDesk) -> None:
    desk.limit("SELL", "0.8", "70000")
    assert desk.refused("SELL", "LIMIT", "0.3", price="70000") == INSUFFICIENT


def test_a_crossing_buy_pays_the_better_price_and_frees_the_rest(free_desk: SpotDesk) -> None:
    order = free_desk.limit("BUY", "0.1", "61000")
    assert order.status is Status.FILLED
    assert free_desk.money("USDT") == (D(10_000) - D("6000.001"), D(0))


def test_a_waiting_stop_buy_locks_at_its_stop_price_and_its_trigger_frees_what_is_left(free_desk: SpotDesk) -> None:
    order = free_desk.place("BUY", "STOP_LOSS", "0.1", stop_price="61000")
    assert free_desk.money("USDT") == (D(3_900), D(6_100))
    free_desk.top("60999.99", "61000.01")
    free_desk.trade("61000")
    assert order.status is Status.FILLED
    assert free_desk.money("USDT") == (D(10_000) - D("6100.001"), D(0))


# ── types and times in force ────────────────────────────────────────────────────────────────────────────────────────
def test_market_by_quote_buys_what_the_amount_gives_in_whole_steps(free_desk: SpotDesk) -> None:
    order = free_desk.place("BUY", "MARKET", quote_qty="100")
    assert (order.qty, order.status) == (D("0.00166"), Status.FILLED)
    assert order.cum_quote <= D(100) < order.cum_quote + D("0.00001") * D("60000.01")


def test_market_by_quote_sells_for_at_most_the_amount(free_desk: SpotDesk) -> None:
    order = free_desk.place("SELL", "MARKET", quote_qty="100")
    assert (order.qty, order.side, order.status) == (D("0.00166"), Side.SELL, Status.FILLED)


def test_market_beyond_the_book_expires_with_what_it_got() -> None:
    desk = SpotDesk()
    desk.depth({"59999": "0.05"}, {"60001": "0.05"})
    order = desk.place("SELL", "MARKET", "0.2")
    assert (order.status, order.cum_qty, order.expiry) == (Status.EXPIRED, D("0.05"), "INSUFFICIENT_LIQUIDITY")
    assert desk.money("BTC")[1] == 0


def test_market_beyond_the_balance_is_refused_and_nothing_trades(desk: SpotDesk) -> None:
    before = len(desk.audit.records)
    assert desk.refused("BUY", "MARKET", "0.2") == INSUFFICIENT
    assert len(desk.audit.records) == before


def test_market_by_quote_on_an_empty_book_is_refused() -> None:
    desk = SpotDesk()
    code, text = desk.refused("BUY", "MARKET", quote_qty="100")
    assert (code, text) == (-2010, "Order book liquidity is less than symbol minimum quantity.")


def test_ioc_and_fok_remainders_say_why(desk: SpotDesk) -> None:
    desk.depth({"59999": "0.05"}, {"60001": "0.05"})
    ioc = desk.limit("BUY", "0.1", "60001", tif="IOC")
    assert (ioc.status, ioc.cum_qty, ioc.expiry) == (Status.EXPIRED, D("0.05"), "UNFILLED_IOC_QUANTITY_EXPIRED")
    desk.depth({"59999": "0.05"}, {"60001": "0.05"})
    fok = desk.limit("SELL", "0.1", "59999", tif="FOK")
    assert (fok.status, fok.cum_qty, fok.expiry) == (Status.EXPIRED, D(0), "UNFILLED_FOK_ORDER_EXPIRED")
    assert desk.money("BTC")[1] == 0


def test_a_limit_maker_that_would_take_is_refused(desk: SpotDesk) -> None:
    refused = desk.refused("BUY", "LIMIT_MAKER", "0.01", price="60000.01")
    assert refused == (-2010, "Order would immediately match and take.")
    assert desk.place("BUY", "LIMIT_MAKER", "0.01", price="60000").status is Status.NEW


@pytest.mark.parametrize(
    ("side", "type_", "price", "stop"),
    [
        ("SELL", "STOP_LOSS", None, "60000"),
        ("BUY", "STOP_LOSS", None, "60000"),
        ("SELL", "TAKE_PROFIT_LIMIT", "59000", "59000"),
        ("BUY", "TAKE_PROFIT", None, "60500"),
        ("SELL", "STOP_LOSS_LIMIT", "60000", "60500"),
    ],
)
def test_a_condition_already_met_is_refused(
    desk: SpotDesk, side: str, type_: str, price: str | None, stop: str
) -> None:
    more: dict[str, Any] = {"stop_price": stop} | ({} if price is None else {"price": price})
    assert desk.refused(side, type_, "0.01", **more) == (-2010, "Order would trigger immediately.")


@pytest.mark.parametrize(
    ("side", "type_", "stop", "not_yet", "at"),
    [
        ("SELL", "STOP_LOSS", "59000", "59000.01", "59000"),
        ("BUY", "STOP_LOSS", "61000", "60999.99", "61000"),
        ("SELL", "TAKE_PROFIT", "61000", "60999.99", "61000"),
        ("BUY", "TAKE_PROFIT", "59000", "59000.01", "59000"),
    ],
)
def test_a_condition_triggers_on_the_last_trade_at_its_price(
    desk: SpotDesk, side: str, type_: str, stop: str, not_yet: str, at: str
) -> None:
    order = desk.place(side, type_, "0.01", stop_price=stop)
    assert (order.status, order.working, order.working_ms) == (Status.NEW, False, -1)
    desk.trade(not_yet)
    assert order.status is Status.NEW
    desk.trade(at)
    assert (order.status, order.working) == (Status.FILLED, True)


def test_a_quote_alone_triggers_nothing_once_trades_are_printed(desk: SpotDesk) -> None:
    order = desk.place("SELL", "STOP_LOSS", "0.01", stop_price="59000")
    desk.top("58000", "58000.01")
    assert order.status is Status.NEW


def test_a_triggered_stop_limit_may_rest_and_is_reported_working(desk: SpotDesk) -> None:
    order = desk.place("SELL", "STOP_LOSS_LIMIT", "0.01", price="60500", stop_price="59000")
    start = len(desk.heard.said)
    desk.trade("59000")
    assert (order.status, order.resting, order.working) == (Status.NEW, True, True)
    assert desk.heard_since(start) == [("NEW", order.client_id, "NEW")]
    assert desk.money("BTC") == (D("0.99"), D("0.01"))


def test_trailing_stop_follows_the_highest_price_down(desk: SpotDesk) -> None:
    """S/faqs/trailing-stop-faq.md scenario E, in small: 100 basis points below the best last price."""
    order = desk.place("SELL", "STOP_LOSS", "0.01", trailing_delta=100)
    assert order.trailing_ms == desk.floor.now_ms
    desk.trade("62000")
    desk.trade("61380.01")
    assert order.status is Status.NEW
    desk.trade("61380")
    assert order.status is Status.FILLED


def test_trailing_begins_at_the_stop_price_where_there_is_one(desk: SpotDesk) -> None:
    """Scenario D: a TAKE_PROFIT SELL with stopPrice and trailingDelta."""
    order = desk.place("SELL", "TAKE_PROFIT", "0.01", stop_price="61000", trailing_delta=100)
    desk.trade("59000")
    assert (order.status, order.trailing_ms) == (Status.NEW, -1)
    desk.trade("61000")
    assert (order.status, order.trailing_ms) == (Status.NEW, desk.floor.now_ms)
    desk.trade("60390")
    assert order.status is Status.FILLED


def test_a_trailing_buy_rises_from_the_lowest(desk: SpotDesk) -> None:
    order = desk.place("BUY", "TAKE_PROFIT_LIMIT", "0.01", price="60000", trailing_delta=200)
    desk.trade("50000")
    desk.trade("50999.99")
    assert order.status is Status.NEW
    desk.trade("51000")
    assert order.working


def test_a_canceled_stop_never_triggers(desk: SpotDesk) -> None:
    plain = desk.place("SELL", "STOP_LOSS", "0.01", stop_price="59000")
    trailing = desk.place("SELL", "STOP_LOSS", "0.01", trailing_delta=50)
    desk.exchange.cancel(plain)
    desk.exchange.cancel(trailing)
    desk.trade("50000")
    assert (plain.status, trailing.status) == (Status.CANCELED, Status.CANCELED)
    assert desk.money("BTC") == (D(1), D(0))


def test_a_triggered_buy_beyond_the_balance_expires_rejected(desk: SpotDesk) -> None:
    """Locked at the stop price, but the market asks more than there is."""
    order = desk.place("BUY", "STOP_LOSS", "0.16", stop_price="61000")
    desk.top("65000", "65000.01")
    desk.trade("65000")
    assert (order.status, order.cum_qty, order.expiry) == (Status.EXPIRED, D(0), "REJECTED")
    assert desk.money("USDT") == (D(10_000), D(0))


# ── pegs and icebergs ───────────────────────────────────────────────────────────────────────────────────────────────
def test_a_peg_takes_the_best_price_of_its_side(desk: SpotDesk) -> None:
    order = desk.place("BUY", "LIMIT", "0.01", peg=Peg(PegPrice.PRIMARY_PEG))
    assert (order.price, order.given_price, order.pegged_price) == (D("59999.99"), D(0), D("59999.99"))
    assert desk.money("USDT")[1] == D("599.9999")


def test_a_peg_deeper_into_the_book(desk: SpotDesk) -> None:
    desk.depth({"59999": "1", "59990": "1", "59980": "1"}, {"60001": "1"})
    peg = Peg(PegPrice.PRIMARY_PEG, PegOffset.PRICE_LEVEL, 2)
    assert desk.place("BUY", "LIMIT_MAKER", "0.01", peg=peg).price == D(59980)
    thin = desk.refused("BUY", "LIMIT_MAKER", "0.01", peg=Peg(PegPrice.PRIMARY_PEG, PegOffset.PRICE_LEVEL, 3))
    assert thin == (-2010, "Order book liquidity is too low for this pegged order.")


def test_a_market_peg_takes_and_a_limit_maker_may_not(desk: SpotDesk) -> None:
    peg = Peg(PegPrice.MARKET_PEG)
    assert desk.place("BUY", "LIMIT", "0.01", tif="IOC", peg=peg).status is Status.FILLED
    wrong = desk.refused("BUY", "LIMIT_MAKER", "0.01", peg=peg)
    assert wrong == (-2010, "This price peg cannot be used with this order type.")
    assert desk.refused("BUY", "MARKET", "0.01", peg=peg)[1] == "This order type may not use pegged price."


def test_a_pegged_stop_limit_takes_its_price_at_the_trigger(desk: SpotDesk) -> None:
    order = desk.place("SELL", "STOP_LOSS_LIMIT", "0.01", stop_price="59000", peg=Peg(PegPrice.PRIMARY_PEG))
    assert order.pegged_price is None
    desk.top("58999", "59001")
    desk.trade("59000")
    assert (order.pegged_price, order.resting) == (D(59001), True)


def test_an_iceberg_shows_one_slice_at_a_time(free_desk: SpotDesk) -> None:
    order = free_desk.limit("SELL", "0.3", "60500", iceberg_qty="0.1")
    order.ahead = D(0)
    free_desk.trade("60500", "5")
    assert (order.cum_qty, order.status) == (D("0.1"), Status.PARTIALLY_FILLED)
    free_desk.trade("60500.01", "5")
    assert order.status is Status.FILLED


def test_a_pegged_stop_buy_locks_what_its_peg_costs(desk: SpotDesk) -> None:
    """At the stop price while it waits, at the price chosen from its trigger on."""
    order = desk.place("BUY", "STOP_LOSS_LIMIT", "0.1", stop_price="61000", peg=Peg(PegPrice.PRIMARY_PEG))
    assert desk.money("USDT")[1] == D(6_100)
    desk.top("61500", "61501")
    desk.trade("61500")
    assert (order.pegged_price, desk.money("USDT")[1]) == (D(61_500), D(6_150))


# ── commission ──────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_buyer_pays_in_base_and_a_seller_in_quote(desk: SpotDesk) -> None:
    bought = desk.place("BUY", "MARKET", "0.1")
    assert (bought.fills[0].fee, bought.fills[0].fee_asset) == (D("0.0001"), "BTC")
    assert desk.money("BTC")[0] == D("1.0999")
    sold = desk.place("SELL", "MARKET", "0.1")
    assert (sold.fills[0].fee, sold.fills[0].fee_asset) == (D("5.999999"), "USDT")


def test_bnb_pays_with_a_discount_until_there_is_too_little(desk: SpotDesk) -> None:
    desk.trade("600", symbol="BNBUSDT")
    desk.me.bnb_discount = True
    first = desk.place("SELL", "MARKET", "0.1").fills[0]
    assert (first.fee_asset, first.fee) == ("BNB", D("0.00749999"))  # 5.999999 USDT less a quarter, at 600
    desk.me.balance("BNB").free = D("0.007")
    second = desk.place("SELL", "MARKET", "0.1").fills[0]
    assert (second.fee_asset, second.fee) == ("USDT", D("5.999999"))
    assert desk.money("BNB")[0] == D("0.007")


def test_without_a_bnb_price_the_received_asset_pays(desk: SpotDesk) -> None:
    desk.me.bnb_discount = True
    assert desk.place("BUY", "MARKET", "0.1").fills[0].fee_asset == "BTC"


def test_who_buys_bnb_pays_it_from_what_was_bought(desk: SpotDesk) -> None:
    desk.top("599.99", "600.01", symbol="BNBUSDT")
    desk.me.bnb_discount = True
    desk.place("BUY", "MARKET", "1", pair=desk.floor.listings["BNBUSDT"])
    assert desk.money("BNB")[0] == D(3) - D("0.00075")


# ── self-trade prevention ───────────────────────────────────────────────────────────────────────────────────────────
def _meet(desk: SpotDesk, stp: str, maker_qty: str = "0.03", taker_qty: str = "0.02") -> tuple[SpotOrder, SpotOrder]:
    maker = desk.limit("BUY", maker_qty, "60000", stp="NONE")
    return maker, desk.limit("SELL", taker_qty, "60000", stp=stp)


def test_expire_maker(desk: SpotDesk) -> None:
    maker, taker = _meet(desk, "EXPIRE_MAKER")
    assert (maker.status, maker.prevented_qty) == (Status.EXPIRED_IN_MATCH, D("0.03"))
    assert (taker.status, taker.prevented_qty, taker.resting) == (Status.NEW, D(0), True)
    assert ("TRADE_PREVENTION", maker.client_id, "EXPIRED_IN_MATCH") in desk.heard.said


def test_expire_taker(desk: SpotDesk) -> None:
    maker, taker = _meet(desk, "EXPIRE_TAKER")
    assert (maker.status, taker.status) == (Status.NEW, Status.EXPIRED_IN_MATCH)
    assert taker.preventions[0].counter_order_id == maker.order_id


def test_expire_both(desk: SpotDesk) -> None:
    maker, taker = _meet(desk, "EXPIRE_BOTH")
    assert (maker.status, taker.status) == (Status.EXPIRED_IN_MATCH, Status.EXPIRED_IN_MATCH)
    assert desk.money("USDT") == (D(10_000), D(0))
    assert desk.money("BTC") == (D(1), D(0))


def test_decrement_lessens_both_and_ends_the_smaller(desk: SpotDesk) -> None:
    """S/faqs/stp_faq.md scenario G."""
    maker, taker = _meet(desk, "DECREMENT")
    assert (maker.status, maker.prevented_qty, maker.leaves) == (Status.NEW, D("0.02"), D("0.01"))
    assert (taker.status, taker.prevented_qty) == (Status.EXPIRED_IN_MATCH, D("0.02"))
    assert maker.preventions[0].match_id == taker.preventions[0].match_id
    assert desk.money("USDT")[1] == D(600)
    desk.trade("59000", "1", Side.SELL)
    assert (maker.status, maker.cum_qty) == (Status.FILLED, D("0.01"))


def test_none_lets_them_trade(desk: SpotDesk) -> None:
    maker, taker = _meet(desk, "NONE")
    assert (maker.cum_qty, taker.status) == (D("0.02"), Status.FILLED)


def test_another_account_is_not_self(desk: SpotDesk) -> None:
    maker = desk.limit("BUY", "0.02", "60000", account=desk.other)
    taker = desk.limit("SELL", "0.02", "60000", stp="EXPIRE_BOTH")
    assert (maker.status, taker.status) == (Status.FILLED, Status.FILLED)


@pytest.mark.parametrize("status", list(Status))
@pytest.mark.parametrize("step", list(Step))
def test_a_status_changes_only_along_the_table(desk: SpotDesk, status: Status, step: Step) -> None:
    order = desk.limit("BUY", "0.01", "50000")
    order.status = status
    if status in (Status.NEW, Status.PARTIALLY_FILLED):
        legal = set(Step) - {Step.RELEASE} - ({Step.TRIGGER} if status is not Status.NEW else set())
    elif status is Status.PENDING_NEW:
        legal = {Step.RELEASE, Step.LESSEN, Step.CANCEL, Step.EXPIRE}
    else:
        legal = set()
    if step in legal:
        order.move(step, 1)
        assert order.updated_ms == 1
    else:
        with pytest.raises(KeyError):
            order.move(step, 1)
        assert order.status is status


# ── ids, cancel, status ─────────────────────────────────────────────────────────────────────────────────────────────
def test_a_client_id_is_refused_while_its_order_is_open_and_free_after(desk: SpotDesk) -> None:
    first = desk.limit("BUY", "0.01", "50000", client_id="mine")
    assert desk.refused("BUY", "LIMIT", "0.01", price="50000", client_id="mine") == (-2010, "Duplicate order sent.")
    desk.exchange.cancel(first)
    assert desk.limit("BUY", "0.01", "50000", client_id="mine").status is Status.NEW
    filled = desk.place("BUY", "MARKET", "0.001", client_id="again")
    assert filled.status is Status.FILLED
    assert desk.place("BUY", "MARKET", "0.001", client_id="again").status is Status.FILLED


def test_a_cancel_may_demand_a_status(desk: SpotDesk) -> None:
    order = desk.limit("SELL", "0.02", "60500")
    restricted = (-2011, "Order was not canceled due to cancel restrictions.")
    assert _refusal(lambda: desk.exchange.cancel(order, "", Restriction.ONLY_PARTIALLY_FILLED)) == restricted
    order.ahead = D(0)
    desk.trade("60500", "0.01")
    assert _refusal(lambda: desk.exchange.cancel(order, "", Restriction.ONLY_NEW)) == restricted
    desk.exchange.cancel(order, "by-me", Restriction.ONLY_PARTIALLY_FILLED)
    assert (order.status, order.cancel_id, order.cum_qty) == (Status.CANCELED, "by-me", D("0.01"))


def test_what_has_ended_cannot_be_canceled(desk: SpotDesk) -> None:
    order = desk.place("BUY", "MARKET", "0.001")
    assert _refusal(lambda: desk.exchange.cancel(order)) == (-2011, "Unknown order sent.")
    assert _refusal(lambda: desk.exchange.cancel_all(desk.me, desk.pair)) == (-2011, "Unknown order sent.")


def test_cancel_all_names_each_order_and_each_list_once(desk: SpotDesk) -> None:
    held = desk.oco()
    alone = desk.limit("BUY", "0.01", "50000")
    assert desk.exchange.cancel_all(desk.me, desk.pair) == [held, alone]
    assert (desk.money("BTC")[1], desk.money("USDT")[1]) == (D(0), D(0))


@pytest.mark.parametrize("status", [PairStatus.HALT, PairStatus.BREAK, PairStatus.CANCEL_ONLY])
def test_a_closed_pair_takes_nothing_and_matches_nothing(desk: SpotDesk, status: PairStatus) -> None:
    resting = desk.limit("BUY", "0.01", "59000")
    stop = desk.place("SELL", "STOP_LOSS", "0.01", stop_price="58000")
    desk.exchange.set_status(desk.pair, status)
    desk.trade("57000", "9", Side.SELL)
    assert (resting.status, stop.status) == (Status.NEW, Status.NEW)
    assert desk.refused("BUY", "MARKET", "0.01") == (-1013, "Market is closed.")
    desk.exchange.set_status(desk.pair, PairStatus.TRADING)
    assert stop.status is Status.FILLED


def test_cancel_only_lets_cancel_and_break_does_not(desk: SpotDesk) -> None:
    first, second = desk.limit("BUY", "0.01", "50000"), desk.limit("BUY", "0.01", "50000")
    desk.exchange.set_status(desk.pair, PairStatus.CANCEL_ONLY)
    desk.exchange.cancel(first)
    desk.exchange.set_status(desk.pair, PairStatus.BREAK)
    assert _refusal(lambda: desk.exchange.cancel(second)) == (-2011, "Market is closed.")


# ── cancel-replace ──────────────────────────────────────────────────────────────────────────────────────────────────
def test_replace_frees_what_the_new_order_needs(desk: SpotDesk) -> None:
    old = desk.limit("BUY", "0.18", "50000")
    ticket = desk.ticket("BUY", "LIMIT", "0.18", price="50001")
    done = desk.exchange.replace(lambda: old, ticket, ReplaceMode.STOP_ON_FAILURE)
    assert (done.cancel_result, done.new_result) == ("SUCCESS", "SUCCESS")
    assert desk.money("USDT")[1] == D("9000.18")


def test_a_failed_cancel_stops_or_does_not(desk: SpotDesk) -> None:
    gone = desk.place("BUY", "MARKET", "0.001")
    stop = desk.exchange.replace(
        lambda: gone, desk.ticket("BUY", "LIMIT", "0.01", price="50000"), ReplaceMode.STOP_ON_FAILURE
    )
    assert (stop.cancel_result, stop.new_result, stop.placed) == ("FAILURE", "NOT_ATTEMPTED", None)
    both = desk.exchange.replace(
        lambda: gone, desk.ticket("BUY", "LIMIT", "0.01", price="50000"), ReplaceMode.ALLOW_FAILURE
    )
    assert (both.cancel_result, both.new_result) == ("FAILURE", "SUCCESS")


def test_a_new_order_refused_by_the_engine_leaves_the_cancel_done(desk: SpotDesk) -> None:
    old = desk.limit("BUY", "0.01", "50000")
    ticket = desk.ticket("BUY", "LIMIT_MAKER", "0.01", price="60001")
    done = desk.exchange.replace(lambda: old, ticket, ReplaceMode.STOP_ON_FAILURE)
    assert (done.cancel_result, done.new_result) == ("SUCCESS", "FAILURE")
    assert done.new_refusal is not None
    assert (done.new_refusal.code, old.status) == (-2010, Status.CANCELED)


def test_filters_are_judged_before_the_cancel(desk: SpotDesk) -> None:
    old = desk.limit("BUY", "0.01", "50000")
    ticket = desk.ticket("BUY", "LIMIT", "0.01", price="50000.001")
    refused = _refusal(lambda: desk.exchange.replace(lambda: old, ticket, ReplaceMode.ALLOW_FAILURE))
    assert (refused[0], old.status) == (-1013, Status.NEW)


# ── amend ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_amend_keeps_the_place_and_frees_the_difference(desk: SpotDesk) -> None:
    order, behind = desk.limit("BUY", "0.1", "50000"), desk.limit("BUY", "0.02", "50000")
    done = desk.exchange.amend(order, D("0.06"), "renamed")
    assert (order.qty, order.client_id, done.old_qty) == (D("0.06"), "renamed", D("0.1"))
    assert desk.money("USDT")[1] == D(4_000)
    assert desk.pair.queues[Side.BUY].in_order() == [order, behind]
    assert ("REPLACED", "renamed", "NEW") in desk.heard.said
    assert not desk.floor.orders.has_open("me", "BTCUSDT", done.old_client_id)


def test_amend_refuses_more_the_same_and_too_often(desk: SpotDesk) -> None:
    order = desk.limit("BUY", "0.1", "50000")

    def amend(qty: str) -> tuple[int, str]:
        return _refusal(lambda: desk.exchange.amend(order, D(qty)))

    assert amend("0.11") == (-2038, "Order amend (quantity increase) is not supported.")
    assert amend("0.1") == (-2038, "The requested action would change no state; rejecting.")
    assert amend("0.00001") == (-1013, "Filter failure: NOTIONAL")
    for at in range(10):
        desk.exchange.amend(order, D("0.099") - D(at) / 1000)
    assert amend("0.05") == (-2038, "Filter failure: MAX_NUM_ORDER_AMENDS")


def test_amend_of_one_leg_is_of_both(desk: SpotDesk) -> None:
    held = desk.oco("0.1")
    desk.exchange.amend(held.legs[1], D("0.04"), "new-name")
    assert [leg.qty for leg in held.legs] == [D("0.04"), D("0.04")]
    assert desk.money("BTC") == (D("0.96"), D("0.04"))
    assert desk.heard.said[-2] == ("list", "list", "UPDATED")


def test_the_ready_made_id_is_drawn(desk: SpotDesk) -> None:
    order = desk.limit("BUY", "0.1", "50000", client_id="old")
    desk.exchange.amend(order, D("0.05"))
    assert order.client_id != "old"
    assert desk.floor.orders.find(desk.me, "BTCUSDT", None, order.client_id) is order


def test_a_first_fill_gives_order_counts_back_once(desk: SpotDesk) -> None:
    told: list[tuple[str, bool]] = []
    desk.floor.on_first_fill = lambda owner, maker: told.append((owner, maker))
    desk.place("BUY", "MARKET", "0.01")
    order = desk.limit("SELL", "0.02", "60500")
    order.ahead = D(0)
    desk.trade("60500", "0.01")
    desk.trade("60500", "0.01")
    assert told == [("me", False), ("me", True)]


def test_a_transfer_moves_what_is_free_and_no_more(desk: SpotDesk) -> None:
    desk.limit("SELL", "0.4", "70000")
    desk.floor.credit(desk.me, "BTC", D("-0.6"))
    assert desk.money("BTC") == (D(0), D("0.4"))
    assert _refusal(lambda: desk.floor.credit(desk.me, "BTC", D("-0.1"))) == INSUFFICIENT


def _refusal(act: Any) -> tuple[int, str]:
    with pytest.raises(Refusal) as caught:
        act()
    return caught.value.code, caught.value.msg


def test_a_stop_limit_that_a_print_jumped_over_rests_unfilled(desk: SpotDesk) -> None:
    """The bid displayed above its limit is older than the print that triggered it."""
    desk.trade("60000")
    stop = desk.place("SELL", "STOP_LOSS_LIMIT", "0.1", stop_price="59000", price="58950")
    desk.trade("58900", "1", Side.SELL)
    assert (stop.working, stop.resting, stop.cum_qty) == (True, True, 0)
    desk.trade("58951", "1", Side.BUY)
    assert stop.status is Status.FILLED
