"""The largest position that may come of a holding: one reckoning for the answer, the preview and the last hop."""

from decimal import Decimal as D

import pytest
from desk import SYMBOL, Desk, a_long, an_intent
from hypothesis import given
from hypothesis import strategies as st

from chimera.admit.limits import Exposure
from chimera.trading.ids import Symbol
from chimera.trading.market import Side
from chimera.trading.money import Price

NEAR = Price(D("65000.1"))
STEPS = st.integers(0, 400).map(lambda steps: D(steps) / 1000)


def of_others(symbol: Symbol, side: Side) -> D:
    return {Side.BUY: D("0.5"), Side.SELL: D("0.25")}[side] if symbol == SYMBOL else D(9)


@pytest.mark.req("S4-LIM-1", "I22")
@given(held=STEPS, ours=STEPS, more=STEPS, side=st.sampled_from(Side))
def test_on_its_own_side_an_entry_adds_to_all_that_is_held_and_on_its_way(
    held: D, ours: D, more: D, side: Side
) -> None:
    opens = "open_buy_qty" if side is Side.BUY else "open_sell_qty"
    none = Exposure(position_qty=held * side.sign, open_buy_qty=D(0), open_sell_qty=D(0), near=NEAR)
    exposure = none.but(**{opens: ours})

    assert exposure.and_open(side, more).reach(side) == held + ours + more
    assert exposure.and_open(side, more).worst_notional == (held + ours + more) * NEAR
    assert exposure.reach(side.opposite) == held


@pytest.mark.req("S4-LIM-1", "I22")
@given(held=STEPS, against=STEPS)
def test_against_what_is_held_it_is_what_is_left_or_what_turns_round(held: D, against: D) -> None:
    long = Exposure(position_qty=held, open_buy_qty=D(0), open_sell_qty=against, near=NEAR)

    assert long.reach(Side.SELL) == abs(held - against)
    assert long.worst_notional == max(held, abs(held - against)) * NEAR


@pytest.mark.req("S4-LIM-1", "I22")
def test_it_counts_what_is_held_what_is_on_its_way_and_what_others_may_add() -> None:
    desk = a_long("0.01")
    desk.submit(an_intent("i2", qty="0.004"))

    alone, among_others = Exposure.of(desk.holding, NEAR), Exposure.of(desk.holding, NEAR, of_others)
    assert (alone.position_qty, alone.open_buy_qty, alone.open_sell_qty) == (D("0.010"), D("0.004"), D(0))
    assert (among_others.open_buy_qty, among_others.open_sell_qty) == (D("0.504"), D("0.25"))
    assert Exposure.of(Desk().holding, NEAR).worst_notional == 0
