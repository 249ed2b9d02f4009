"""Order lists: what each event does to the other orders, what is locked, what is refused."""

import pytest
from spot_desk import FREE_OF_FEES, D, SpotDesk

from chimera.simulate.door.refusals import Refusal
from chimera.simulate.spot.lists import ListOrderStatus, OrderList
from chimera.simulate.venue.orders import Status
from chimera.trading.market import Side


@pytest.fixture
def desk() -> SpotDesk:
    """59,999.99 / 60,000.01, last trade at 60,000, the usual commission."""
    return _desk()


@pytest.fixture
def free_desk() -> SpotDesk:
    """As ``desk``, without commission."""
    return _desk(**FREE_OF_FEES)


def _desk(**spec: object) -> SpotDesk:
    desk = SpotDesk(**spec)
    desk.top("59999.99", "60000.01")
    desk.trade("60000")
    return desk


def _statuses(held: OrderList) -> list[str]:
    return [str(order.status) for order in held.orders]


# ── OCO ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_an_oco_locks_one_legs_funds(desk: SpotDesk) -> None:
    held = desk.oco("0.1")
    assert desk.money("BTC") == (D("0.9"), D("0.1"))
    stop, target = held.orders
    assert (stop.type, stop.working_ms, target.working) == ("STOP_LOSS", -1, True)
    assert desk.heard_since(len(desk.heard.said) - 4) == [
        ("list", "list", "EXEC_STARTED"),
        ("NEW", stop.client_id, "NEW"),
        ("NEW", target.client_id, "NEW"),
    ]


def test_a_buy_oco_locks_the_dearer_leg(desk: SpotDesk) -> None:
    stop = desk.ticket("BUY", "STOP_LOSS_LIMIT", "0.1", price="62000", stop_price="61000")
    held = desk.place_list("OCO", stop, desk.ticket("BUY", "LIMIT_MAKER", "0.1", price="59000")).order_list
    assert desk.money("USDT")[1] == D(6_200)
    desk.trade("58999", "1", Side.SELL)
    assert _statuses(held) == ["EXPIRED", "FILLED"]
    assert desk.money("USDT") == (D(10_000) - D(5_900), D(0))


def test_any_fill_of_the_target_expires_the_stop_and_leaves_the_rest_bare(desk: SpotDesk) -> None:
    held = desk.oco("0.1")
    stop, target = held.orders
    target.ahead = D(0)
    start = len(desk.heard.said)
    desk.trade("61000", "0.04")
    assert (stop.status, stop.expiry) == (Status.EXPIRED, "OCO_TRIGGER")
    assert (target.status, target.leaves, held.is_open) == (Status.PARTIALLY_FILLED, D("0.06"), True)
    assert desk.money("BTC")[1] == D("0.06")
    assert [each[0] for each in desk.heard_since(start)] == ["TRADE", "EXPIRED"]
    desk.trade("58000", "1", Side.SELL)
    assert target.leaves == D("0.06")  # nothing stands guard any more
    desk.trade("61000.01", "1")
    assert (held.order_status, held.is_open) == (ListOrderStatus.ALL_DONE, False)


def test_a_triggered_stop_expires_the_target(desk: SpotDesk) -> None:
    held = desk.oco("0.1")
    start = len(desk.heard.said)
    desk.trade("59000", "0.001", Side.SELL)
    assert _statuses(held) == ["FILLED", "EXPIRED"]
    assert held.orders[1].expiry == "OCO_TRIGGER"
    assert [each[0] for each in desk.heard_since(start)] == ["EXPIRED", "NEW", "TRADE", "list"]
    assert desk.heard_since(start)[-1] == ("list", "list", "ALL_DONE")


def test_a_triggered_stop_limit_that_rests_is_all_that_is_left(desk: SpotDesk) -> None:
    stop = desk.ticket("SELL", "STOP_LOSS_LIMIT", "0.1", price="60500", stop_price="59000")
    held = desk.place_list("OCO", desk.ticket("SELL", "LIMIT_MAKER", "0.1", price="61000"), stop).order_list
    desk.trade("59000", "0.001", Side.SELL)
    assert _statuses(held) == ["NEW", "EXPIRED"]
    assert (held.orders[0].resting, held.is_open, desk.money("BTC")[1]) == (True, True, D("0.1"))


@pytest.mark.parametrize("leg", [0, 1])
def test_a_cancel_of_one_leg_cancels_the_list(desk: SpotDesk, leg: int) -> None:
    held = desk.oco("0.1")
    assert desk.exchange.cancel(held.orders[leg], "mine") is held
    assert _statuses(held) == ["CANCELED", "CANCELED"]
    assert {order.cancel_id for order in held.orders} == {"mine"}
    assert (desk.money("BTC"), held.is_open) == ((D(1), D(0)), False)


def test_a_list_id_is_free_again_when_its_list_is_done(desk: SpotDesk) -> None:
    held = desk.oco("0.1")
    legs = (
        desk.ticket("SELL", "LIMIT_MAKER", "0.1", price="61000"),
        desk.ticket("SELL", "STOP_LOSS", "0.1", stop_price="59000"),
    )
    assert desk.refused_list("OCO", *legs) == (-2010, "Duplicate order sent.")
    desk.exchange.cancel_list(held)
    assert desk.place_list("OCO", *legs).order_list.is_open


@pytest.mark.parametrize(
    ("side", "above", "below", "code"),
    [
        ("SELL", "LIMIT", "STOP_LOSS", -1158),
        ("SELL", "LIMIT_MAKER", "MARKET", -1158),
        ("SELL", "LIMIT_MAKER", "LIMIT_MAKER", -1168),
        ("BUY", "LIMIT_MAKER", "STOP_LOSS", -1165),
        ("SELL", "STOP_LOSS", "LIMIT_MAKER", -1166),
        ("BUY", "STOP_LOSS", "STOP_LOSS", -1196),
        ("SELL", "STOP_LOSS", "STOP_LOSS", -1197),
        ("BUY", "TAKE_PROFIT", "LIMIT_MAKER", -1198),
        ("SELL", "LIMIT_MAKER", "TAKE_PROFIT", -1199),
    ],
)
def test_what_belongs_above_and_below(desk: SpotDesk, side: str, above: str, below: str, code: int) -> None:
    legs = [
        desk.ticket(side, type_, "0.01", price=price, stop_price=price)
        for type_, price in ((above, "61000"), (below, "59000"))
    ]
    assert desk.refused_list("OCO", *legs)[0] == code


@pytest.mark.parametrize(("target", "stop"), [("60000", "59000"), ("61000", "60000"), ("59500", "59000")])
def test_the_last_price_lies_between_the_legs(desk: SpotDesk, target: str, stop: str) -> None:
    legs = (
        desk.ticket("SELL", "LIMIT_MAKER", "0.01", price=target),
        desk.ticket("SELL", "STOP_LOSS", "0.01", stop_price=stop),
    )
    text = "The relationship of the prices for the orders is not correct."
    assert desk.refused_list("OCO", *legs) == (-2010, text)
    assert desk.money("BTC") == (D(1), D(0))


def test_an_oco_beyond_the_balance(desk: SpotDesk) -> None:
    legs = (
        desk.ticket("SELL", "LIMIT_MAKER", "1.1", price="61000"),
        desk.ticket("SELL", "STOP_LOSS", "1.1", stop_price="59000"),
    )
    assert desk.refused_list("OCO", *legs)[1] == "Account has insufficient balance for requested action."
    assert desk.floor.lists.by_id == {}


# ── OTO ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def _oto(desk: SpotDesk, price: str = "59000", kind: str = "OTO", pending: str = "0.1") -> OrderList:
    working = desk.ticket("BUY", "LIMIT", "0.1", price=price)
    target = desk.ticket("SELL", "LIMIT_MAKER", pending, price="61000")
    stop = desk.ticket("SELL", "STOP_LOSS", pending, stop_price="58000")
    legs = (target, stop) if kind in ("OTOCO", "OPOCO") else (stop,)
    return desk.place_list(kind, working, *legs).order_list


def test_pending_orders_wait_for_the_last_fill(free_desk: SpotDesk) -> None:
    held = _oto(free_desk)
    held.orders[0].ahead = D(0)
    free_desk.trade("59000", "0.06", Side.SELL)
    assert _statuses(held) == ["PARTIALLY_FILLED", "PENDING_NEW"]
    assert free_desk.money("BTC")[1] == 0
    free_desk.trade("59000", "0.04", Side.SELL)
    assert _statuses(held) == ["FILLED", "NEW"]
    assert (held.legs[0].waits, free_desk.money("BTC")[1]) == (True, D("0.1"))


def test_the_reply_shows_pending_where_the_working_order_fills_at_once(free_desk: SpotDesk) -> None:
    working = free_desk.ticket("BUY", "LIMIT", "0.1", price="60000.01")
    placed = free_desk.place_list("OTO", working, free_desk.ticket("SELL", "STOP_LOSS", "0.1", stop_price="58000"))
    assert [order.status for order in placed.orders] == ["FILLED", "PENDING_NEW"]
    assert _statuses(placed.order_list) == ["FILLED", "NEW"]


def test_pending_orders_end_with_an_expired_working_order(desk: SpotDesk) -> None:
    desk.depth({"59999": "0.05"}, {"60001": "0.05"})
    working = desk.ticket("BUY", "LIMIT", "0.1", price="60001", tif="IOC")
    held = desk.place_list("OTO", working, desk.ticket("SELL", "STOP_LOSS", "0.1", stop_price="58000")).order_list
    assert _statuses(held) == ["EXPIRED", "EXPIRED"]
    assert (held.legs[0].expiry, held.is_open) == ("OTO_PHASE_ONE_EXPIRED", False)


@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_cancel_of_any_order_ends_an_otoco(desk: SpotDesk, which: int) -> None:
    held = _oto(desk, kind="OTOCO")
    desk.exchange.cancel(held.orders[which])
    assert _statuses(held) == ["CANCELED", "CANCELED", "CANCELED"]
    assert desk.money("USDT") == (D(10_000), D(0))


def test_a_pending_order_the_engine_refuses_leaves_the_position_bare() -> None:
    """The typical cause: as much to sell as was bought, but commission was taken from it."""
    desk = SpotDesk(spot={"USDT": D(10_000)})
    desk.top("59999.99", "60000.01")
    held = _oto(desk, price="60000.01")
    assert (held.legs[0].status, held.legs[0].expiry) == (Status.EXPIRED, "REJECTED")
    assert (desk.money("BTC"), held.is_open) == ((D("0.0999"), D(0)), False)


def test_a_stop_the_price_has_passed_is_refused_at_the_release(free_desk: SpotDesk) -> None:
    held = _oto(free_desk, kind="OTOCO")
    free_desk.trade("57000", "9", Side.SELL)
    assert _statuses(held) == ["FILLED", "EXPIRED", "EXPIRED"]
    assert {leg.expiry for leg in held.legs} == {"REJECTED"}


def test_an_otoco_released_is_an_oco(free_desk: SpotDesk) -> None:
    held = _oto(free_desk, kind="OTOCO")
    free_desk.trade("58999", "9", Side.SELL)
    assert (_statuses(held), free_desk.money("BTC")) == (["FILLED", "NEW", "NEW"], (D(1), D("0.1")))
    free_desk.trade("61001", "9")
    assert (_statuses(held), held.is_open) == (["FILLED", "EXPIRED", "FILLED"], False)


def test_the_working_and_the_pending_order_are_amended_apart(desk: SpotDesk) -> None:
    held = _oto(desk)
    desk.exchange.amend(held.orders[1], D("0.05"))
    assert [order.qty for order in held.orders] == [D("0.1"), D("0.05")]
    assert held.orders[1].status is Status.PENDING_NEW


def test_what_an_oto_may_work_with(desk: SpotDesk) -> None:
    working = desk.ticket("BUY", "MARKET", "0.1")
    assert desk.refused_list("OTO", working, desk.ticket("SELL", "MARKET", "0.1"))[0] == -2010


# ── OPO ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_an_opo_sells_what_was_bought_net_of_commission_in_whole_steps() -> None:
    """Nothing free to pay commission from: 0.1 less 0.0001, which the steps allow."""
    desk = SpotDesk(spot={"USDT": D(10_000)})
    desk.top("59999.99", "60000.01")
    held = _oto(desk, price="60000.01", kind="OPOCO", pending="0")
    assert [leg.qty for leg in held.legs] == [D("0.0999"), D("0.0999")]
    assert (_statuses(held), desk.money("BTC")) == (["FILLED", "NEW", "NEW"], (D(0), D("0.0999")))


def test_an_opo_frees_what_no_step_holds() -> None:
    desk = SpotDesk(spot={"USDT": D(10_000)}, spot_taker_rate=D("0.00123"))
    desk.top("59999.99", "60000.01")
    held = _oto(desk, price="60000.01", kind="OPO", pending="0")
    assert held.legs[0].qty == D("0.09987")
    assert desk.money("BTC") == (D("0.000007"), D("0.09987"))


def test_an_opos_commission_comes_from_what_is_free(desk: SpotDesk) -> None:
    held = _oto(desk, price="60000.01", kind="OPO", pending="0")
    assert (held.legs[0].qty, desk.money("BTC")) == (D("0.1"), (D("0.9999"), D("0.1")))


def test_received_funds_are_locked_until_the_release_and_freed_by_a_cancel(free_desk: SpotDesk) -> None:
    held = _oto(free_desk, kind="OPOCO", pending="0")
    held.orders[0].ahead = D(0)
    free_desk.trade("59000", "0.06", Side.SELL)
    assert free_desk.money("BTC") == (D(1), D("0.06"))
    free_desk.exchange.cancel_list(held)
    assert free_desk.money("BTC") == (D("1.06"), D(0))
    assert held.order_status is ListOrderStatus.ALL_DONE


def test_the_shape_of_an_opo(desk: SpotDesk) -> None:
    sell = desk.ticket("SELL", "LIMIT", "0.1", price="61000")
    buy = desk.ticket("BUY", "LIMIT", "0.1", price="59000")
    assert desk.refused_list("OPO", sell, desk.ticket("SELL", "STOP_LOSS", stop_price="58000"))[0] == -1222
    assert desk.refused_list("OPO", buy, desk.ticket("BUY", "STOP_LOSS", stop_price="62000"))[0] == -1223


def test_a_pending_opo_order_is_not_amended(desk: SpotDesk) -> None:
    held = _oto(desk, kind="OPO", pending="0")
    with pytest.raises(Refusal, match="pending OPO order"):
        desk.exchange.amend(held.orders[1], D("0.05"))
