"""How often resting orders fill: shares by group, and waiting with those that were taken back early."""

from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chimera.tca.resting import by_wait, resting
from chimera.tca.rows import Rested
from chimera.trading.ids import ClientOrderId, IntentId, Symbol
from chimera.trading.market import Side
from chimera.trading.money import Millis, Price, Qty

MIDNIGHT = 1_795_219_200_000  # 2026-11-21T00:00:00Z


def rest(waited_ms: int, *, filled: str = "0", qty: str = "2", **known: Any) -> Rested:
    """One that filled, so far as it did, at the end of its wait, or was taken back then."""
    base: dict[str, Any] = {"price": Price(Decimal(100)), "spread_bps": Decimal(1), "depth": Decimal(2_000)}
    return Rested(
        ref=ClientOrderId("c-m1"), intent_id=IntentId("i"), symbol=Symbol("BTCUSDT"), quote="USDT", side=Side.BUY,
        qty=Qty(Decimal(qty)), sent_ms=Millis(MIDNIGHT), ended_ms=Millis(MIDNIGHT + waited_ms),
        first_fill_ms=Millis(MIDNIGHT + waited_ms) if Decimal(filled) else None, maker_qty=Qty(Decimal(filled)),
        **base | known,
    )  # fmt: skip


def test_shares_are_of_notional_and_count_what_filled_in_part() -> None:
    told = resting([rest(10, filled="2"), rest(10, filled="1"), rest(10)]).all

    assert (told.orders, told.touched, told.filled, told.filled_share) == (3, 2, 1, Decimal("0.5"))


def test_groups_begin_at_their_edge_and_what_nobody_saw_has_its_own() -> None:
    told = resting([
        rest(10, spread_bps=Decimal("0.49")), rest(10, spread_bps=Decimal("0.5"), filled="2"),
        rest(10, spread_bps=None), rest(10, spread_bps=Decimal("99")),
    ])  # fmt: skip

    assert [(share.group, share.orders, share.filled) for share in told.by_spread_bps] == [
        ("0.1 - 0.5", 1, 0), ("0.5 - 1", 1, 1), (">= 10", 1, 0), ("unknown", 1, 0),
    ]  # fmt: skip
    assert [(share.group, share.orders) for share in told.by_notional] == [("100 - 500", 4)]
    assert [(share.group, share.orders) for share in told.by_depth] == [("1000 - 5000", 4)]


def test_hours_are_utc() -> None:
    later = rest(10).but(sent_ms=Millis(MIDNIGHT + 23 * 3_600_000), ended_ms=Millis(MIDNIGHT + 23 * 3_600_000 + 5))

    assert [share.group for share in resting([later, rest(10)]).by_hour] == ["00", "23"]


def test_of_nothing_nothing_is_known() -> None:
    told = resting([])

    assert told.all.filled_share is None
    assert [wait.chance for wait in told.by_wait] == [None] * len(told.by_wait)


def test_the_product_limit_estimate_by_hand() -> None:
    """Of 4: filled after 1 s, taken back after 2 s, filled after 3 s, taken back after 5 s.

    1/4 by 1 s; then 1 of the 2 still waiting at 3 s: 1 - 3/4 x 1/2 = 0.625. A plain share would say 0.5.
    """
    rests = [rest(1_000, filled="2"), rest(2_000), rest(3_000, filled="1"), rest(5_000)]
    told = by_wait(rests, (500, 1_000, 2_500, 3_000, 5_000, 6_000))

    assert [wait.chance for wait in told] == [
        Decimal(0), Decimal("0.25"), Decimal("0.25"), Decimal("0.625"), Decimal("0.625"), None,
    ]  # fmt: skip
    assert [wait.at_risk for wait in told] == [4, 4, 2, 2, 1, 0]


def shown(share: Fraction) -> Decimal:
    return (Decimal(share.numerator) / share.denominator).quantize(Decimal("0.0001"), ROUND_HALF_EVEN)


@given(st.lists(st.tuples(st.integers(min_value=0, max_value=40_000), st.booleans()), max_size=40))
def test_chances_never_fall_and_without_early_ends_they_are_plain_shares(trials: list[tuple[int, bool]]) -> None:
    rests = [rest(waited, filled="1" if filled else "0") for waited, filled in trials]
    chances = [wait.chance for wait in by_wait(rests) if wait.chance is not None]

    assert chances == sorted(chances)
    all_filled = [rest(waited, filled="1") for waited, _ in trials]
    for wait in by_wait(all_filled):
        share = sum(waited <= wait.wait_ms for waited, _ in trials)
        assert wait.chance is None if not trials else wait.chance == shown(Fraction(share, len(trials)))
