"""How a promise counts, stage by stage, by S4's figures alone."""

from decimal import Decimal
from typing import Any

import pytest
from decide_cases import BTC, D, a_budget, a_share
from hypothesis import given
from hypothesis import strategies as st

from chimera.decide.gates import room
from chimera.decide.promises import FUNDS_MS, SHARE_MS, SHOWN_MS, is_over, seen_in, sighted
from chimera.trading.budget import Reserve, RiskBudget
from chimera.trading.ids import IntentId
from chimera.trading.market import Market
from chimera.trading.money import Millis, Quote

pytestmark = pytest.mark.req("S3-L0-3")

T0 = a_budget().at_ms
PROMISE = Reserve(
    intent_id=IntentId("i-1"), market=Market.FUT, symbol=BTC, margin_usdt=Quote(D(20)), notional_usdt=Quote(D(400)),
    loss_usdt=Quote(D("1.2")), valid_until_ms=Millis(T0 + 15_000), gone_by_ms=Millis(T0 + 135_000),
)  # fmt: skip


def figures(after_ms: int = 0, **share: Any) -> RiskBudget:
    return a_budget(at_ms=T0 + after_ms, markets={Market.FUT: a_share(**share), Market.SPOT: a_share()})


def taken(promise: Reserve, budget: RiskBudget, market: Market = Market.FUT) -> tuple[int, Decimal, Decimal, Decimal]:
    """What the promise takes of the room: entries, notional, margin, loss."""
    without, with_it = (room(market, budget, held, budget.at_ms) for held in ((), (promise,)))
    assert without is not None
    assert with_it is not None
    return (
        with_it.entries - without.entries,
        without.notional - with_it.notional,
        without.margin - with_it.margin,
        without.loss - with_it.loss,
    )


def test_each_stage_takes_what_the_figures_do_not_hold() -> None:
    ahead = figures()
    flying = figures(500, inflight={"i-1": BTC})
    seen = seen_in(PROMISE, flying)
    held = figures(1_000, open_symbols=(BTC,))
    done = seen_in(seen, held)
    settled = figures(1_000 + FUNDS_MS, open_symbols=(BTC,))
    gone = figures(2_000 + FUNDS_MS)

    assert taken(PROMISE, ahead) == (1, 400, 20, D("1.2"))
    assert taken(PROMISE, ahead, Market.SPOT) == (0, 0, 0, D("1.2")), "the loss is of the account"
    assert taken(seen, flying) == (0, 400, 20, D("1.2")), "S4 counts the entry"
    assert taken(done, held) == (0, 0, 20, D("1.2")), "balances may not have been read since"
    assert taken(done, settled) == (0, 0, 0, D("1.2")), "it may still lose at its stop"
    assert taken(done, gone) == (0, 0, 0, 0)
    assert [is_over(done, budget) for budget in (held, settled, gone)] == [False, False, True]


def test_an_intent_that_ended_before_it_was_listed_counts_as_what_came_of_it() -> None:
    closed, held = figures(400, ended=("i-1",)), figures(400, ended=("i-1",), open_symbols=(BTC,))

    assert taken(PROMISE, closed) == (0, 0, 20, 0), "its margin, until balances were read since"
    assert taken(PROMISE, held) == (0, 0, 20, D("1.2")), "S4 counts the position as the entry"
    assert taken(seen_in(PROMISE, closed), figures(900))[0] == 0, "and stays so where its end is told no more"
    assert taken(seen_in(PROMISE, closed), figures(399))[0] == 1, "but in figures from before"


def test_figures_from_before_what_was_seen_do_not_hold_it() -> None:
    """S4's writes may overtake each other."""
    seen = seen_in(PROMISE, figures(500, inflight={"i-1": BTC}))

    assert taken(seen, figures(499))[0] == 1
    assert taken(seen, figures(501))[0] == 0


def test_an_intent_that_never_arrived_counts_until_it_can_no_longer() -> None:
    """Its share may be older than the document."""
    assert taken(PROMISE, figures(15_000 + SHARE_MS))[0] == 1
    assert taken(PROMISE, figures(15_000 + SHARE_MS + 1))[0] == 0
    assert taken(PROMISE.but(valid_until_ms=None), figures(10**9))[0] == 1


def test_an_answered_intent_that_was_never_listed_is_shown_by_figures_that_are_young_enough() -> None:
    first, is_shown = sighted(None, figures(100))
    assert (first, is_shown) == (T0 + 100, False)
    assert sighted(first, figures(99 + SHOWN_MS)) == (first, False)
    assert sighted(first, figures(100 + SHOWN_MS)) == (first, True)
    assert sighted(first, figures(-5_000)) == (T0 - 5_000, False), "another S4 with another clock: from the start"


def test_a_position_that_must_be_closed_by_now_is_another_s() -> None:
    done = seen_in(seen_in(PROMISE, figures(1, inflight={"i-1": BTC})), figures(2, open_symbols=(BTC,)))

    assert taken(done, figures(135_000, open_symbols=(BTC,)))[3] == D("1.2")
    assert taken(done, figures(135_001, open_symbols=(BTC,)))[3] == 0


@given(
    st.lists(st.tuples(st.integers(0, 60_000), st.booleans(), st.booleans(), st.booleans()), max_size=12),
    st.integers(0, 60_000),
)
def test_nothing_that_was_counted_as_done_becomes_an_entry_again(
    looks: list[tuple[int, bool, bool, bool]], late_ms: int
) -> None:
    """Whatever is seen, in whatever order: what is over for good stays over with newer figures."""
    promise = PROMISE
    for after_ms, flies, holds, ends in looks:
        share: dict[str, Any] = {"inflight": {"i-1": BTC} if flies else {}, "open_symbols": (BTC,) if holds else ()}
        share["ended"] = ("i-1",) if ends else ()
        promise = seen_in(promise, figures(after_ms, **share))
    if promise.done_ms is None:
        return
    later = figures(promise.done_ms - T0 + late_ms)

    assert taken(promise, later)[0] == 0
    assert taken(promise, later)[1] == 0
