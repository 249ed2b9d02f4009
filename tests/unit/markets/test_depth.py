"""The ladder against a plain dictionary."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from chimera.tape.depth import Depth, Ladder
from chimera.trading.market import DepthChanged, Level, TopOfBook
from chimera.trading.money import Price, Qty

PRICES = st.integers(1, 12).map(lambda ticks: Price(Decimal(ticks) / 10))
SIZES = st.integers(0, 3).map(lambda steps: Qty(Decimal(steps)))
STEPS = st.lists(st.tuples(st.sampled_from(["set", "lead"]), PRICES, SIZES), max_size=40)


@given(steps=STEPS, best_is_high=st.booleans())
def test_ladder_equals_a_dictionary(steps: list[tuple[str, Price, Qty]], best_is_high: bool) -> None:
    ladder, naive = Ladder(best_is_high=best_is_high), dict[Price, Qty]()
    for kind, price, qty in steps:
        if kind == "lead" and qty > 0:
            ladder.lead(price, qty)
            naive = {p: q for p, q in naive.items() if (p < price if best_is_high else p > price)} | {price: qty}
        else:
            ladder.set(price, qty)
            naive = {p: q for p, q in (naive | {price: qty}).items() if q > 0}

    expected = sorted(naive.items(), reverse=best_is_high)
    assert [(level.price, level.qty) for level in ladder.top(len(ladder))] == expected
    assert [level.price for level in ladder.top(3)] == [price for price, _ in expected[:3]]


def test_a_touch_removes_what_it_passed_and_a_snapshot_replaces_all() -> None:
    depth = Depth()
    depth.apply(_depth(bids=[("99", "1"), ("98", "2")], asks=[("101", "1"), ("102", "2")]))
    depth.apply(_touch("98.5", "5", "101.5", "6"))

    assert [str(level.price) for level in depth.bids.top(9)] == ["98.5", "98"]
    assert [str(level.price) for level in depth.asks.top(9)] == ["101.5", "102"]

    depth.apply(_depth(bids=[("90", "1")], asks=[("91", "1")], snapshot=True))
    assert (len(depth.bids), len(depth.asks), depth.crossed) == (1, 1, False)


def _depth(bids: list[tuple[str, str]], asks: list[tuple[str, str]], snapshot: bool = False) -> DepthChanged:
    return DepthChanged(symbol="BTCUSDT", at_us=1, bids=_levels(bids), asks=_levels(asks), snapshot=snapshot)


def _levels(pairs: list[tuple[str, str]]) -> tuple[Level, ...]:
    return tuple(Level(price=Price(Decimal(price)), qty=Qty(Decimal(qty))) for price, qty in pairs)


def _touch(bid: str, bid_qty: str, ask: str, ask_qty: str) -> TopOfBook:
    return TopOfBook(
        symbol="BTCUSDT",
        at_us=1,
        bid=Price(Decimal(bid)),
        bid_qty=Qty(Decimal(bid_qty)),
        ask=Price(Decimal(ask)),
        ask_qty=Qty(Decimal(ask_qty)),
    )
