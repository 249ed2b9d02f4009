"""Plans: the caller's policy over the table's, both capped, slices legal and summing exactly; and why."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chimera.route.plan import RoutePolicy, plan_for
from chimera.trading.errors import Refused
from chimera.trading.execution import Plan
from chimera.trading.intent import Intent, MakerThenTaker, MarketNow
from chimera.trading.money import Price
from chimera.wire.route_table import DEFAULT, read_route_table
from support.desk import BTC, T0, an_intent

PRICE = Price(Decimal(65000))
POLICY = RoutePolicy()


def plan(intent: Intent) -> Plan:
    return plan_for(intent, DEFAULT, BTC, PRICE, POLICY, T0)


@pytest.mark.req("S4-ROUTE-1")
@pytest.mark.parametrize(
    ("qty", "wait", "slices", "gap"),
    [("0.003", 1500, 1, 0), ("0.004", 600, 2, 600), ("0.1", 600, 2, 600)],
)
def test_the_table_decides_by_notional_and_its_last_row_holds_for_larger(
    qty: str, wait: int, slices: int, gap: int
) -> None:
    made = plan(an_intent(qty=qty, policy=MakerThenTaker()))
    assert (made.maker_wait_ms, len(made.slices), made.gap_ms) == (wait, slices, gap)
    assert "route table rev 1" in made.why[0]


@pytest.mark.req("S4-ROUTE-2")
def test_the_requests_own_policy_wins_and_is_capped() -> None:
    made = plan(an_intent(qty="0.1", policy=MakerThenTaker(wait_ms=9_000, slices=9, gap_ms=5_000)))
    assert (made.maker_wait_ms, len(made.slices), made.gap_ms) == (3_000, 4, 5_000)
    assert any("capped" in reason for reason in made.why)


def test_market_takes_at_once() -> None:
    made = plan(an_intent(policy=MarketNow()))
    assert (made.maker_wait_ms, made.slices) == (0, (Decimal("0.01"),))


@pytest.mark.req("S4-ROUTE-5")
@given(steps=st.integers(1, 5_000), slices=st.integers(1, 6), price=st.integers(100, 100_000))
@pytest.mark.fault("F12")
def test_slices_are_legal_and_sum_to_exactly_the_quantity(steps: int, slices: int, price: int) -> None:
    qty = steps * BTC.step
    intent = an_intent(qty=str(qty), policy=MakerThenTaker(wait_ms=0, slices=slices, gap_ms=100))
    made = plan_for(intent, DEFAULT, BTC, Price(Decimal(price)), POLICY, T0)
    assert sum(made.slices) == qty
    assert all(part % BTC.step == 0 and part > 0 for part in made.slices)
    if len(made.slices) > 1:
        assert min(made.slices) * price >= BTC.min_notional


@pytest.mark.parametrize(
    "document",
    [b"[]", b'[{"notional_usdt_max":200}]', b"{", b'{"rev":1,"rows":[]}',
     b'[{"notional_usdt_max":200,"maker_wait_ms":1,"twap":{"slices":0,"gap_ms":0}}]',
     b'[{"notional_usdt_max":200,"maker_wait_ms":1,"twap":{"slices":1,"gap_ms":0}},'
     b'{"notional_usdt_max":100,"maker_wait_ms":1,"twap":{"slices":1,"gap_ms":0}}]'],
)  # fmt: skip
def test_a_bad_table_is_refused_by_name(document: bytes) -> None:
    with pytest.raises(Refused) as refused:
        read_route_table(document)
    assert refused.value.field == "S4_ROUTE_TABLE_PATH"


def test_the_fixture_reads() -> None:
    rows = (
        b'[{"notional_usdt_max":200,"maker_wait_ms":1500,"twap":{"slices":1,"gap_ms":0}},'
        b'{"notional_usdt_max":500,"maker_wait_ms":2000,"twap":{"slices":2,"gap_ms":600}}]'
    )
    assert read_route_table(rows) == DEFAULT
