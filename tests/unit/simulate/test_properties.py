"""What holds after any history: cash, positions, audit, margin, determinism, an uncrossed book."""

from collections import defaultdict
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trading_desk import Desk

from chimera.simulate.door.messages import WireRequest
from chimera.simulate.venue.account_spec import READY_ACCOUNT
from chimera.simulate.venue.audit import AuditRecord, Kind
from chimera.simulate.venue.book import Book
from chimera.trading.market import DepthChanged, Level, TopOfBook

D = Decimal
TICK = D("0.1")

sides = st.sampled_from(["BUY", "SELL"])
lots = st.integers(1, 40).map(lambda n: f"{D(n) / 1000}")
ticks = st.integers(-30, 30)
actions = st.one_of(
    st.tuples(st.just("market"), sides, lots, st.booleans()),
    st.tuples(st.just("limit"), sides, lots, ticks, st.booleans(), st.sampled_from(["GTC", "IOC", "FOK", "GTX"])),
    st.tuples(
        st.just("stop"), sides, lots, ticks, st.booleans(), st.sampled_from(["STOP_MARKET", "TAKE_PROFIT_MARKET"])
    ),
    st.tuples(st.just("top"), ticks, st.integers(1, 30), st.integers(1, 40)),
    st.tuples(st.just("trade"), sides, ticks, lots),
    st.tuples(st.just("cancel"), st.integers(0, 5)),
    st.tuples(st.just("modify"), st.integers(0, 5), lots, ticks),
    st.tuples(
        st.just("child"),
        sides,
        lots,
        ticks,
        st.sampled_from(["STOP", "TAKE_PROFIT"]),
        st.sampled_from(["GTC", "IOC", "FOK", "GTX"]),
    ),
    st.tuples(st.just("trail"), sides, lots, ticks),
    st.tuples(st.just("dated"), sides, lots, ticks),
    st.tuples(st.just("countdown"), st.sampled_from([0, 40, 5_000])),
    st.tuples(st.just("wait"), st.sampled_from([13, 5_000, 700_000])),
)

scripts = st.lists(actions, min_size=15, max_size=50)  # short ones rarely hold a position


def price(offset: int) -> str:
    return str(D(65800) + offset * TICK)


def act(desk: Desk, action: tuple) -> None:
    """One step; a refusal is as good as an acceptance."""
    match action:
        case ("market", side, qty, reduce):
            desk.call("POST", "v1/order", **desk.market_terms(side, qty) | {"reduceOnly": str(reduce).lower()})
        case ("limit", side, qty, offset, reduce, tif):
            more = {"timeInForce": tif, "reduceOnly": str(reduce).lower()}
            desk.call("POST", "v1/order", **desk.limit_terms(side, qty, price(offset)) | more)
        case ("stop", side, qty, offset, whole, kind):
            how = {"closePosition": "true"} if whole else {"quantity": qty, "reduceOnly": "true"}
            desk.call("POST", "v1/algoOrder", **desk.stop_terms(side, price(offset), **how) | {"type": kind})
        case ("top", offset, spread, size):
            desk.top(price(offset), price(offset + spread), f"{D(size) / 1000}", "0.02", later_ms=13)
        case ("trade", side, offset, qty):
            desk.trade(price(offset), qty, side)
        case ("cancel", index):
            found = desk.ok("GET", "v1/openOrders", symbol="BTCUSDT")
            if index < len(found):
                desk.ok("DELETE", "v1/order", symbol="BTCUSDT", orderId=found[index]["orderId"])
        case ("modify", index, qty, offset):
            found = desk.ok("GET", "v1/openOrders", symbol="BTCUSDT")
            if index < len(found):
                ref = {"symbol": "BTCUSDT", "orderId": found[index]["orderId"], "side": found[index]["side"]}
                desk.call("PUT", "v1/order", **ref, quantity=qty, price=price(offset))
        case ("child", side, qty, offset, kind, tif):
            more = {"quantity": qty, "price": price(-offset), "timeInForce": tif}
            desk.call("POST", "v1/algoOrder", **desk.stop_terms(side, price(offset), **more) | {"type": kind})
        case ("trail", side, qty, offset):
            more = {"type": "TRAILING_STOP_MARKET", "quantity": qty, "callbackRate": "0.1"}
            more |= {"activatePrice": price(offset)} if offset else {}
            terms = desk.stop_terms(side, "") | more
            del terms["triggerPrice"]
            desk.call("POST", "v1/algoOrder", **terms)
        case ("dated", side, qty, offset):
            more = {"timeInForce": "GTD", "goodTillDate": desk.now + 650_000}
            desk.call("POST", "v1/order", **desk.limit_terms(side, qty, price(offset)) | more)
        case ("countdown", span_ms):
            desk.ok("POST", "v1/countdownCancelAll", symbol="BTCUSDT", countdownTime=span_ms)
        case ("wait", span_ms):
            desk.now += span_ms
            desk.twin.tick(desk.now)


def played(script: list[tuple], seed: int = 0) -> Desk:
    desk = Desk(seed=seed)
    desk.listen()
    desk.top("65799.9", "65800.0", "0.02", "0.02")
    for action in script:
        act(desk, action)
    return desk


@settings(max_examples=150, deadline=None)
@given(scripts)
def test_cash_and_positions_are_the_sum_of_fills(script):
    desk = played(script)
    fills = desk.log(Kind.FILL)
    held = D(0)
    wallet = D(100_000)
    for fill in fills:
        held += fill.qty if fill.side == "BUY" else -fill.qty
        wallet += fill.realized_pnl - fill.fee
        assert (fill.position_after, fill.wallet_after) == (held, wallet)
    assert desk.position == held
    assert desk.wallet == wallet
    income = sum((D(row["income"]) for row in desk.ok("GET", "v1/income", limit=1000)), D(0))
    assert income == wallet - 100_000


@settings(max_examples=150, deadline=None)
@given(scripts)
def test_an_oracle_that_reads_only_the_audit_sees_the_same_state(script):
    desk = played(script)
    oracle = Oracle()
    for record in desk.twin.audit:
        oracle.read(record)
    state = desk.twin.state()["accounts"]["main"]
    assert sorted(oracle.open_orders.values()) == sorted(state["open_orders"])
    assert sorted(oracle.algos) == sorted(
        algo["algoId"] for algo in desk.ok("GET", "v1/openAlgoOrders", symbol="BTCUSDT")
    )
    rows = {row["clientOrderId"]: D(row["origQty"]) - D(row["executedQty"]) for row in desk.ok("GET", "v1/openOrders")}
    assert {oracle.open_orders[i]: leaves for i, leaves in oracle.leaves.items()} == rows


class Oracle:
    """Rebuilds what is live from the records alone."""

    def __init__(self) -> None:
        self.open_orders: dict[int, str] = {}
        self.leaves: dict[int, D] = {}
        self.algos: dict[int, AuditRecord] = {}
        self.seq = 0

    def read(self, record: AuditRecord) -> None:
        assert record.seq == self.seq + 1
        self.seq = record.seq
        match record.kind:
            case Kind.ACCEPT if record.order_id is None:
                self.algos[record.algo_id] = record
            case Kind.ACCEPT:
                self.open_orders[record.order_id] = record.client_order_id
                self.leaves[record.order_id] = record.qty
            case Kind.FILL:
                self.leaves[record.order_id] -= record.qty
                if record.status == "FILLED":
                    assert self.leaves.pop(record.order_id) == 0
                    del self.open_orders[record.order_id]
            case Kind.SHRINK | Kind.AMEND:
                self.leaves[record.order_id] = record.qty - record.cum_qty
            case Kind.CANCEL | Kind.EXPIRE if record.order_id is not None:
                del self.open_orders[record.order_id], self.leaves[record.order_id]
            case Kind.TRIGGER | Kind.CANCEL | Kind.EXPIRE:
                del self.algos[record.algo_id]


@settings(max_examples=60, deadline=None)
@given(scripts, st.integers(0, 2**32))
def test_the_same_seed_and_calls_give_the_same_bytes(script, seed):
    one, two = played(script, seed), played(script, seed)
    assert [f.payload for f in one.twin.drain()] == [f.payload for f in two.twin.drain()]
    ask = WireRequest(method="GET", path="/sim/audit")
    assert one.twin.handle(ask, one.now).body == two.twin.handle(ask, two.now).body


def test_another_seed_draws_other_ids():
    assert Desk(seed=1).listen() != Desk(seed=2).listen()


@settings(max_examples=150, deadline=None)
@given(scripts)
def test_reduce_only_never_opens_or_reverses(script):
    desk = played(script)
    held = D(0)
    for fill in desk.log(Kind.FILL):
        if fill.reduce_only:
            assert abs(fill.position_after) < abs(held)
            assert fill.position_after * held >= 0
        held = fill.position_after


@settings(max_examples=150, deadline=None)
@given(scripts)
def test_open_order_margin_is_exactly_that_of_the_open_orders(script):
    desk = played(script)
    account = desk.twin.usdm.floor.accounts["main"]
    sums: dict[str, D] = defaultdict(D)
    for order in desk.twin.usdm.floor.orders.open_of(account):
        if not order.reduce_only:
            sums[order.side] += order.leaves * order.price
    held = account.position("BTCUSDT")
    assert (held.bids, held.asks) == (sums["BUY"], sums["SELL"])


hedged = st.tuples(st.sampled_from(["market", "limit", "stop"]), sides, st.sampled_from(["LONG", "SHORT"]), lots, ticks)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(hedged, st.tuples(st.just("top"), ticks, st.integers(1, 30))), max_size=40))
def test_in_hedge_mode_neither_side_ever_turns(script):
    desk = Desk()
    desk.ok("POST", "v1/positionSide/dual", dualSidePosition="true")
    desk.top("65799.9", "65800.0", "0.02", "0.02")
    for action in script:
        if action[0] == "top":
            desk.top(price(action[1]), price(action[1] + action[2]), "0.02", "0.02", later_ms=13)
            continue
        kind, side, of, qty, offset = action
        if kind == "stop":
            desk.call("POST", "v1/algoOrder", **desk.stop_terms(side, price(offset), quantity=qty, positionSide=of))
        else:
            terms = desk.market_terms(side, qty) if kind == "market" else desk.limit_terms(side, qty, price(offset))
            desk.call("POST", "v1/order", **terms | {"positionSide": of})
    held = {"LONG": D(0), "SHORT": D(0)}
    for fill in desk.log(Kind.FILL):
        held[fill.position_side] += fill.qty if fill.side == "BUY" else -fill.qty
        assert held["LONG"] >= 0 >= held["SHORT"]
        assert fill.position_after == held[fill.position_side]
    account = desk.twin.usdm.floor.accounts["main"]
    for held_now in account.held_in("BTCUSDT"):
        resting = [order for order in desk.twin.usdm.floor.orders.open_of(account) if order.reduces]
        leaves = sum((order.leaves for order in resting if order.position_side is held_now.side), D(0))
        assert leaves <= abs(held_now.qty)


levels = st.dictionaries(st.integers(900, 1100), st.integers(0, 9), max_size=6).map(
    lambda found: tuple(Level(price=D(p) / 10, qty=D(q)) for p, q in found.items())
)
changes = st.one_of(
    st.tuples(levels, levels, st.booleans()), st.tuples(st.integers(900, 1099), st.integers(1, 9), st.integers(1, 30))
)


@settings(max_examples=200, deadline=None)
@given(st.lists(changes, max_size=30))
def test_the_book_never_crosses_and_holds_no_empty_level(script):
    book = Book(TICK)
    for change in script:
        if isinstance(change[0], tuple):
            bids, asks, snapshot = change
            book.apply_depth(DepthChanged(symbol="X", at_us=0, bids=bids, asks=asks, snapshot=snapshot))
        else:
            bid, size, spread = change
            event = TopOfBook(
                symbol="X", at_us=0, bid=D(bid) / 10, bid_qty=D(size), ask=D(bid + spread) / 10, ask_qty=D(size)
            )
            book.apply_top(event)
            assert book.touch == (event.bid, event.bid_qty, event.ask, event.ask_qty)
        for ladder in (book.bids, book.asks):
            assert ladder.prices == sorted(ladder.shown)
            assert all(qty > 0 for qty in ladder.shown.values())
        touch = book.touch
        assert touch is None or touch[0] < touch[2]


@pytest.mark.parametrize("isolated", [False, True])
def test_margin_moves_between_orders_and_position(isolated):
    """10,000 USDT at 20x: orders reserve, a reducing order costs nothing, cancel gives back."""
    desk = Desk(account=READY_ACCOUNT)
    desk.top("65799.9", "65800.0")
    desk.mark("65800")
    if isolated:
        desk.ok("POST", "v1/marginType", symbol="BTCUSDT", marginType="ISOLATED")

    def free() -> D:
        return D(desk.ok("GET", "v3/balance")[0]["availableBalance"])

    assert free() == 10_000
    desk.limit("BUY", "1", "65000", newClientOrderId="r")
    assert free() == 10_000 - 65_000 / D(20)
    desk.ok("DELETE", "v1/order", symbol="BTCUSDT", origClientOrderId="r")
    assert free() == 10_000
    desk.market("BUY", "1")
    fee = D("65800") * D("0.0005")
    assert free() == 10_000 - fee - 65_800 / D(20)
    desk.limit("SELL", "2", "66000")
    assert abs(free() - (10_000 - fee - 65_800 / D(20) - 400 / D(20))) == 0
    risk = desk.ok("GET", "v3/positionRisk")[0]
    assert D(risk["isolatedWallet"]) == (65_800 / D(20) if isolated else 0)
    assert (0 < D(risk["liquidationPrice"]) < 65_800) is True
