"""Parameter curves: read from their key with errors that help, and what they make of a wait."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chimera.route.curves import factor, refined_wait
from chimera.trading.errors import Refused
from chimera.trading.routes import Curves, Measures, Point
from chimera.wire.route_table import read_curves

RISING = (
    Point(at=Decimal(100), factor=Decimal("0.5")),
    Point(at=Decimal(200), factor=Decimal(1)),
    Point(at=Decimal(400), factor=Decimal(3)),
)


@pytest.mark.req("S4-ROUTE-2")
@pytest.mark.parametrize(
    ("at", "expected"),
    [("0", "0.5"), ("100", "0.5"), ("150", "0.75"), ("200", "1"), ("300", "2"), ("400", "3"), ("9999", "3")],
)
def test_a_curve_is_straight_between_its_points_and_level_beyond_them(at: str, expected: str) -> None:
    assert factor(RISING, Decimal(at)) == Decimal(expected)


@pytest.mark.req("S4-ROUTE-2")
@given(
    shares=st.lists(st.decimals(0, 5, places=2), min_size=1, max_size=6),
    at=st.decimals(0, 700, places=3),
)
def test_a_factor_lies_between_those_of_its_neighbours(shares: list[Decimal], at: Decimal) -> None:
    points = tuple(Point(at=Decimal(100 * number), factor=share) for number, share in enumerate(shares))
    left = min(int(at // 100), len(shares) - 1)
    around = shares[left : left + 2]
    assert min(around) <= factor(points, at) <= max(around)


@pytest.mark.req("S4-ROUTE-2")
def test_the_factors_multiply_and_bounds_hold() -> None:
    curves = Curves(rev=3, by=Measures(notional_usdt=RISING, spread_bps=RISING, depth_usdt=RISING), most_ms=4_000)
    wait = {"notional": Decimal(300), "spread_bps": Decimal(150), "depth": Decimal(100)}
    assert refined_wait(1_000, curves, **wait)[0] == 750  # 2 x 0.75 x 0.5
    assert refined_wait(1_000, curves, **wait | {"depth": Decimal(999)})[0] == 4_000  # 4500, at most 4000
    assert refined_wait(1_000, curves.but(least_ms=800), **wait)[0] == 800
    assert refined_wait(1_000, curves, notional=Decimal(300), spread_bps=None, depth=None)[0] == 2_000
    assert refined_wait(0, curves, **wait)[0] == 0


@pytest.mark.req("S4-ROUTE-2")
def test_curves_read_from_numbers_or_strings() -> None:
    document = b'{"rev":7,"by":{"spread_bps":[["0",1],[2.5,"0.4"]]},"least_ms":100}'
    read = read_curves(document)
    assert read.by.spread_bps == (
        Point(at=Decimal(0), factor=Decimal(1)),
        Point(at=Decimal("2.5"), factor=Decimal("0.4")),
    )
    assert (read.rev, read.least_ms, read.most_ms) == (7, 100, None)


@pytest.mark.req("S4-ROUTE-2")
@pytest.mark.parametrize(
    ("document", "field"),
    [
        (b"{", ""),
        (b"\xff", ""),
        (b'{"rev":1}', ""),
        (b'{"rev":1,"by":{"spread_bps":7}}', "by.spread_bps"),
        (b'{"rev":1,"by":{"moon":[]}}', "by"),
        (b'{"rev":1,"by":{"spread_bps":[[1]]}}', "by.spread_bps[0]"),
        (b'{"rev":0,"by":{}}', "rev"),
        (b'{"rev":1,"by":{},"least_ms":-1}', "least_ms"),
        (b'{"rev":1,"by":{},"least_ms":9,"most_ms":8}', "most_ms"),
        (b'{"rev":1,"by":{"depth_usdt":[[2,1],[2,1]]}}', "by.depth_usdt[1][0]"),
        (b'{"rev":1,"by":{"depth_usdt":[[-1,1]]}}', "by.depth_usdt[0][0]"),
        (b'{"rev":1,"by":{"notional_usdt":[[1,"NaN"]]}}', "by.notional_usdt[0][1]"),
        (b'{"rev":1,"by":{"notional_usdt":[[1,101]]}}', "by.notional_usdt[0][1]"),
        (b'{"rev":1,"by":{"notional_usdt":[%b]}}' % b",".join(b"[%d,1]" % at for at in range(65)), "by.notional_usdt"),
    ],
)
def test_a_bad_curve_is_refused_with_field_value_and_what_is_accepted(document: bytes, field: str) -> None:
    with pytest.raises(Refused) as refused:
        read_curves(document)
    assert refused.value.code == "ROUTE_CURVES"
    assert refused.value.field == f"router:{{param}}:curves {field}".strip()
    assert refused.value.value is not None
    assert refused.value.accepted
