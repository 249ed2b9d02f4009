"""What is in bounds and what is not: clock, loop, queues, and a user stream that may be deaf."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chimera.admit import vigil
from chimera.admit.vigil import BOUNDS, Hearing, Lag, Load
from chimera.trading.fill import Fill
from chimera.trading.ids import ClientOrderId, Symbol, TradeId, VenueOrderId
from chimera.trading.market import Market, Side
from chimera.trading.money import Millis, Price, Qty, Quote

VENUE = 1_800_000_000_000  # the venue's clock when ours stands at 0


def a_fill(trade: str, at_ms: int) -> Fill:
    return Fill(
        trade_id=TradeId(trade), ref=ClientOrderId("a-t1"), venue_id=VenueOrderId("1"), market=Market.FUT,
        symbol=Symbol("BTCUSDT"), side=Side.BUY, price=Price(Decimal(1)), qty=Qty(Decimal(1)), fee=Decimal(0),
        fee_asset="USDT", realized_pnl=Quote(Decimal(0)), maker=False, at_ms=Millis(VENUE + at_ms),
    )  # fmt: skip


def up(at_ms: int = 0) -> Hearing:
    """A stream that has been up, and steady, since ``at_ms``."""
    return Hearing(lost_ms=None).came(Millis(at_ms), Millis(VENUE + at_ms))


@pytest.mark.req("S4-CLOCK-1")
@pytest.mark.parametrize(("offset", "warned", "barred"), [
    (0, False, False), (500, False, False), (501, True, False), (-501, True, False), (1_000, True, False),
    (1_001, True, True), (-1_001, True, True),
])  # fmt: skip
def test_the_clock_warns_at_half_a_second_and_bars_beyond_one(offset: int, warned: bool, barred: bool) -> None:
    assert (vigil.clock_off(offset, vigil.OFFSET_WARN_MS) is not None) is warned
    assert (vigil.clock_off(offset, vigil.OFFSET_LIMIT_MS) is not None) is barred


@pytest.mark.req("I29")
def test_a_clock_unread_for_a_minute_is_not_known() -> None:
    assert vigil.clock_unread(None, Millis(10**9)) is None  # before the first reading nothing is accepted anyway
    assert vigil.clock_unread(Millis(5), Millis(60_005)) is None
    assert vigil.clock_unread(Millis(5), Millis(60_006)) is not None


def test_a_late_loop_is_distrusted_until_it_was_calm_for_a_while() -> None:
    lag = Lag().after(240, Millis(1_000))
    assert lag.over(vigil.LAG_WARN_MS) is None
    lag = lag.after(300, Millis(2_000))
    assert lag.over(vigil.LAG_WARN_MS) is not None
    assert lag.over(vigil.LAG_LIMIT_MS) is None
    lag = lag.after(1_500, Millis(3_000)).after(0, Millis(12_999))
    assert lag.over(vigil.LAG_LIMIT_MS) is not None
    lag = lag.after(0, Millis(13_000))
    assert (lag.over(vigil.LAG_WARN_MS), lag.worst_ms) == (None, 1_500)


@pytest.mark.req("I30")
@pytest.mark.parametrize("name", Load.__struct_fields__)
def test_every_queue_has_a_bound_of_its_own(name: str) -> None:
    bound = getattr(BOUNDS, name)
    assert bound > 0
    assert vigil.overfull(Load().but(**{name: bound})) is None
    why = vigil.overfull(Load().but(**{name: bound + 1}))
    assert why == f"{name} {bound + 1} > {bound}"


# ── the user stream ──


def test_a_stream_that_never_came_is_away_like_one_that_went() -> None:
    assert Hearing(lost_ms=Millis(100)).away(Millis(2_099)) is None
    assert Hearing(lost_ms=Millis(100)).away(Millis(2_100)) is not None
    gone = up().went(Millis(5_000))
    assert gone.away(Millis(6_999)) is None
    assert gone.away(Millis(7_000)) is not None


def test_a_stream_that_comes_and_goes_has_not_come_back() -> None:
    """A storm of connections that live for half a second each (fault C8)."""
    hearing = up().went(Millis(0))
    for number in range(8):
        hearing = hearing.at(Millis(number * 500)).came(Millis(number * 500), Millis(VENUE))
        hearing = hearing.at(Millis(number * 500 + 499)).went(Millis(number * 500 + 499))
    assert hearing.away(Millis(4_000)) is not None
    hearing = hearing.came(Millis(5_000), Millis(VENUE)).at(Millis(5_999))
    assert hearing.away(Millis(5_999)) is not None
    assert hearing.at(Millis(6_000)).away(Millis(6_000)) is None


def test_two_trades_that_it_never_told_are_deafness() -> None:
    hearing = up().counted(a_fill("1", 10_000), Millis(10_100))
    assert not hearing.at(Millis(15_099)).doubtful
    hearing = hearing.at(Millis(15_100))
    assert hearing.doubtful
    assert hearing.deaf is None
    hearing = hearing.counted(a_fill("2", 20_000), Millis(20_100)).at(Millis(25_100))
    assert hearing.deaf is not None


def test_one_lost_frame_is_forgotten_when_the_stream_tells_again() -> None:
    hearing = up().counted(a_fill("1", 10_000), Millis(10_100)).at(Millis(16_000))
    hearing = hearing.told(a_fill("2", 17_000))
    assert not hearing.doubtful
    assert hearing.counted(a_fill("3", 20_000), Millis(20_000)).at(Millis(26_000)).deaf is None


def test_what_it_tells_late_it_has_told() -> None:
    hearing = up().counted(a_fill("1", 10_000), Millis(10_100)).told(a_fill("1", 10_000))
    assert not hearing.at(Millis(30_000)).doubtful


@pytest.mark.parametrize("at_ms", [-60_000, 0, 1_000])
def test_what_happened_before_it_came_up_it_need_not_tell(at_ms: int) -> None:
    assert not up().counted(a_fill("1", at_ms), Millis(3_000)).at(Millis(20_000)).doubtful
    assert up().counted(a_fill("1", 1_001), Millis(3_000)).at(Millis(20_000)).doubtful


def test_while_it_is_down_it_owes_nothing() -> None:
    hearing = up().counted(a_fill("1", 10_000), Millis(10_000)).went(Millis(11_000))
    hearing = hearing.counted(a_fill("2", 12_000), Millis(12_000))
    assert hearing.came(Millis(13_000), Millis(VENUE + 13_000)).at(Millis(60_000)).deaf is None


@given(st.integers(0, 200))
def test_polling_never_uses_more_than_its_share_of_the_weight(busy: int) -> None:
    every_ms = vigil.poll_every_ms(busy)
    assert every_ms >= vigil.POLL_MS
    assert busy * vigil.POLL_WEIGHT * 60_000 <= vigil.POLL_BUDGET * every_ms
