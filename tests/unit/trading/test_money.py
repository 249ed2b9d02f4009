"""Amounts: exact splitting, plain text, and the trap that keeps ``float`` out."""

import decimal
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chimera.trading.money import sound, split, text, told

steps = st.sampled_from([Decimal(1), Decimal("0.1"), Decimal("0.001"), Decimal("0.00000001"), Decimal(5)])
shares = st.decimals("0.001", 1000, places=3) | st.integers(1, 40).map(
    lambda n: Decimal(n).sqrt()
)  # TWAP's root weights
weights = st.lists(shares, min_size=1, max_size=40)


@given(lots=st.integers(0, 10**9), weights=weights, step=steps)
def test_split_leaves_nothing_over(lots: int, weights: list[Decimal], step: Decimal) -> None:
    total = lots * step
    parts = split(total, weights, step)

    assert sum(parts) == total
    assert len(parts) == len(weights)
    assert all(part >= 0 and part % step == 0 for part in parts)


@given(lots=st.integers(0, 10**6), weights=weights, step=steps)
def test_no_part_strays_a_step_from_its_share(lots: int, weights: list[Decimal], step: Decimal) -> None:
    total = lots * step
    for part, weight in zip(split(total, weights, step), weights, strict=True):
        share = Fraction(total) * Fraction(weight) / sum(map(Fraction, weights))  # as decimals it would be rounded
        assert abs(Fraction(part) - share) < Fraction(step)


def test_equal_weights_of_an_uneven_total() -> None:
    assert split(Decimal("0.010"), [Decimal(1)] * 3, Decimal("0.001")) == (
        Decimal("0.003"),
        Decimal("0.003"),
        Decimal("0.004"),
    )


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=12))
def test_text_is_the_same_amount_in_plain_digits(amount: Decimal) -> None:
    written = text(amount)

    assert Decimal(written) == amount
    assert "E" not in written
    assert not ("." in written and written.endswith(("0", ".")))


@pytest.mark.parametrize(
    ("amount", "written"),
    [("0E-8", "0"), ("-0", "0"), ("1E+3", "1000"), ("1E-8", "0.00000001"), ("100", "100"), ("1.50", "1.5")],
)
def test_text_of_what_str_gets_wrong(amount: str, written: str) -> None:
    assert text(Decimal(amount)) == written


@given(st.decimals(allow_nan=True).filter(lambda amount: not amount.is_snan() and abs(amount.adjusted()) < 400))
@example(Decimal("0E+3"))
@example(Decimal("-0.00"))
@example(Decimal("1E-7"))
@example(Decimal("120E+2"))
def test_text_is_fixed_point_without_trailing_zeros(amount: Decimal) -> None:
    written = "0" if amount == 0 else format(amount, "f")

    assert text(amount) == (written.rstrip("0").rstrip(".") if "." in written else written)


@pytest.mark.req("I9")
def test_a_float_never_becomes_an_amount() -> None:
    with pytest.raises(decimal.FloatOperation):
        Decimal(0.1)  # noqa: RUF032  # that is the point
    with pytest.raises(decimal.FloatOperation):
        _ = Decimal("0.1") < 0.2


@pytest.mark.req("I9")
def test_the_trap_is_armed_in_other_threads() -> None:
    with ThreadPoolExecutor(1) as pool, pytest.raises(decimal.FloatOperation):
        pool.submit(Decimal, 0.1).result()


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        ("0.1519757405137324467135540361344923", "0.15197574"),
        ("65800.50", "65800.5"),
        ("0.0005", "0.0005"),
        ("0.00000000123456", "0.000000001235"),
        ("-12.345678901", "-12.3456789"),
        ("0E-20", "0"),
        ("1E+19", "10000000000000000000"),
    ],
)
def test_a_reader_is_told_eight_places(amount: str, words: str) -> None:
    assert told(Decimal(amount)) == words


@given(st.decimals(allow_nan=False, allow_infinity=False).filter(sound), st.decimals(-1000, 1000, places=3))
def test_what_a_reader_is_told_is_never_far_from_it(one: Decimal, other: Decimal) -> None:
    """Products and quotients of anything that can be reckoned with."""
    amount = one * other / 3
    assert abs(Decimal(told(amount)) - amount) <= max(abs(amount) / 1000, Decimal("1E-34"))
