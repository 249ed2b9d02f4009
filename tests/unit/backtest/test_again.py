"""One order traded again on a tape: step by step, as the replay of many does it, and only where the tape covers it."""

from collections.abc import Sequence
from decimal import Decimal

import pytest

from chimera.backtest.again import Again, Asked, Cost, again, at_once, cost
from chimera.backtest.floor import Queue
from chimera.backtest.replay import Replay
from chimera.backtest.trials import Draw
from chimera.backtest.ways import BASE, STRICT, named, tried
from chimera.tape.synthetic import START_US, Synthetic
from chimera.trading.market import MarketEvent, Side, TopOfBook, Traded
from chimera.trading.money import Price, Qty, Quote
from chimera.trading.venue import FeeRates
from chimera.wire.route_table import DEFAULT
from support.desk import BTC

FEES = FeeRates(maker=Decimal("0.0002"), taker=Decimal("0.0005"))
MID = Price(Decimal("65000.05"))


def top(at_ms: int) -> TopOfBook:
    return TopOfBook(
        symbol="BTCUSDT", at_us=START_US + at_ms * 1_000, bid=Price(Decimal("65000.0")), bid_qty=Qty(Decimal(5)),
        ask=Price(Decimal("65000.1")), ask_qty=Qty(Decimal(5)),
    )  # fmt: skip


def sale(at_ms: int, qty: str) -> Traded:
    return Traded(
        symbol="BTCUSDT", at_us=START_US + at_ms * 1_000, price=Price(Decimal("65000.0")), qty=Qty(Decimal(qty)),
        taker=Side.SELL,
    )  # fmt: skip


def asked(at_ms: int = 1_000, qty: str = "0.010", side: Side = Side.BUY, **more: object) -> Asked:
    return Asked(
        intent_id=str(more.pop("intent_id", "i1")), side=side, qty=Qty(Decimal(qty)), at_us=START_US + at_ms * 1_000,
        reduces=bool(more.pop("reduces", False)),
    )  # fmt: skip


def traded(events: Sequence[MarketEvent], *names: str, of: Asked | None = None) -> Again:
    return again(of or asked(), [named(name, DEFAULT) for name in names], BTC, FEES, events)


QUIET = [top(at_ms) for at_ms in range(0, 20_000, 100)]
SOLD = sorted([*QUIET, sale(2_050, "5.004"), sale(2_350, "3")], key=lambda event: event.at_us)


def test_each_step_is_told_with_its_moment() -> None:
    """Five are displayed before ours: four thousandths of the first sale come to us, the rest of the second."""
    (maker,) = traded(SOLD, "maker:3000").trials

    assert [(step.after_ms, step.what) for step in maker.steps] == [
        (10, "post-only BUY 0.01 at 65000 rests behind 5"),
        (1_050, "0.004 fills at 65000 as maker"),
        (1_350, "0.006 fills at 65000 as maker"),
    ]
    assert (maker.maker_share, maker.orders, maker.left, maker.reason) == (1, 1, 0, "FILLED")
    assert maker.cost.fees_bps == Decimal("2.0000")
    assert maker.cost.price_bps == Decimal("-0.0077"), "half of the spread is earned"
    assert maker.cost.cost_bps == Decimal("1.9923")


def test_nothing_filled_has_no_cost() -> None:
    """One side of the book may be empty when the way ends."""
    assert cost(Side.BUY, (), Decimal(0), MID) == Cost(price_bps=None, fees_bps=None, cost_bps=None)


def test_what_nobody_meets_is_taken_back_and_taken() -> None:
    (maker,) = traded(QUIET, "maker:3000").trials

    assert [step.what for step in maker.steps] == [
        "post-only BUY 0.01 at 65000 rests behind 5", "0.01 is taken back", "market BUY 0.01 arrives",
        "0.01 fills at 65000.1 as taker",
    ]  # fmt: skip
    assert any("maker_wait_ms" in line for line in maker.why)
    assert (maker.maker_share, maker.orders) == (0, 2)


@pytest.mark.parametrize("queue", Queue)
def test_it_is_what_the_replay_of_many_does_with_the_same_intent(queue: Queue) -> None:
    """The same machine: an arrival of the replay, asked for by its name, comes to the same fills."""
    events = [event for number, event in zip(range(30_000), Synthetic(5), strict=False)]
    way = named("twap:sqrt:3:1000:600", DEFAULT).but(queue=queue)
    many = Replay([way], BTC, FEES)
    many.run(events, [Draw(number=7, at_us=START_US + 5_000_000, notional=Quote(Decimal(2_000)))])

    for outcome in many.outcomes:
        arrival = outcome.arrival
        name = f"{arrival.side[0].lower()}7"
        one = again(Asked(intent_id=name, side=arrival.side, qty=arrival.qty, at_us=arrival.at_us), [way], BTC, FEES,
                    events)  # fmt: skip
        (trial,) = one.trials
        assert one.touch == arrival.touch
        assert float(trial.cost.cost_bps or 0) == pytest.approx(outcome.cost_bps(FEES), abs=2e-4)
        assert (trial.took_ms, trial.orders, trial.reason) == (
            round(outcome.took_ms), outcome.children, outcome.reason,
        )  # fmt: skip


def test_the_jitter_of_slices_is_the_order_s_own() -> None:
    whole = asked(qty="0.040")
    first, again_, other = (
        traded(QUIET, "twap:equal:4:1000", of=whole.but(intent_id=name)).trials[0].steps for name in ("i1", "i1", "i2")
    )

    assert first == again_
    assert first != other


def test_what_reduces_is_planned_as_what_it_is() -> None:
    (exit_,) = traded(QUIET, "market", of=asked(reduces=True)).trials

    assert "it reduces: no liquidity terms" in exit_.why
    assert exit_.left == 0


@pytest.mark.parametrize(
    "events",
    [[], QUIET[50:], QUIET[:5], [*QUIET[:3], *(top(at_ms) for at_ms in range(11_000, 20_000, 100))]],
    ids=["nothing", "begins later", "ends before", "a hole"],
)
def test_a_moment_that_is_not_recorded_is_not_guessed(events: Sequence[MarketEvent]) -> None:
    assert traded(events, "market") == Again(touch=None, trials=())


def test_a_recording_that_ends_before_the_order_says_so() -> None:
    cut = traded(QUIET[:20], "maker:3000")
    (maker,) = cut.trials

    assert (cut.complete, traded(QUIET, "maker:3000").complete) == (False, True)
    assert maker.reason == "END_OF_TAPE"
    assert maker.left == Decimal("0.010"), "and is priced as taken then"


def test_no_more_is_read_than_is_needed() -> None:
    read = []

    def heard() -> object:
        for event in QUIET:
            read.append(event)
            yield event

    again(asked(), [named("market", DEFAULT)], BTC, FEES, heard())  # type: ignore[arg-type]  # a generator of events

    assert len(read) < 20


def test_every_way_is_told_under_both_queues_market_first() -> None:
    names = [(trial.way, trial.queue) for trial in again(asked(), tried(["table"], DEFAULT, (BASE, STRICT)), BTC, FEES,
             SOLD).trials]  # fmt: skip

    assert names == [("market", "trades"), ("table", "trades"), ("market", "strict"), ("table", "strict")]


def test_costs_by_hand() -> None:
    levels = [(Price(Decimal(101)), Qty(Decimal(1))), (Price(Decimal(102)), Qty(Decimal(4)))]

    taken = at_once(Side.BUY, Qty(Decimal(2)), levels, Decimal("0.001"), Price(Decimal(100)))
    assert taken is not None
    assert (taken.price_bps, taken.fees_bps) == (150, Decimal("10.15"))
    assert at_once(Side.BUY, Qty(Decimal(6)), levels, Decimal(0), Price(Decimal(100))) is None, "nobody knows more"
    sold = cost(Side.SELL, [(Price(Decimal(101)), Qty(Decimal(2)))], None, Price(Decimal(100)))
    assert (sold.price_bps, sold.fees_bps, sold.cost_bps) == (-100, None, None)
