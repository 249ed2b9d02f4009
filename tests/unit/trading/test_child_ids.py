"""Child ids: functions of their parent, of the exchange's length and alphabet, never shared by two parents."""

import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chimera.trading.ids import (
    CLIENT_ID_MAX,
    ClientOrderId,
    child_id,
    child_of,
    derived_id,
    is_client_order_id,
    stem_of,
)

ALPHABET = string.ascii_letters + string.digits + "_-"
roots = st.text(ALPHABET, min_size=1, max_size=CLIENT_ID_MAX).map(ClientOrderId)
roles = st.sampled_from("mtspx")
numbers = st.integers(0, 9999)


@pytest.mark.req("I27")
@given(root=roots, role=roles, number=numbers)
def test_a_child_is_a_function_of_its_parent(root: ClientOrderId, role: str, number: int) -> None:
    child = child_id(root, role, number)

    assert is_client_order_id(child)
    assert child == child_id(root, role, number)
    assert child_of(child) == (stem_of(root), role, number)


@pytest.mark.req("I27")
@given(
    one=st.tuples(roots, roles, numbers),
    two=st.tuples(roots, roles, numbers),
)
def test_no_two_steps_share_an_id(one: tuple[ClientOrderId, str, int], two: tuple[ClientOrderId, str, int]) -> None:
    assume(one != two)

    assert child_id(*one) != child_id(*two)


def test_long_roots_that_differ_at_their_end_have_other_children() -> None:
    one, two = (ClientOrderId("s3-btc-" + "7" * 28 + last) for last in "12")

    assert child_id(one, "t", 1) != child_id(two, "t", 1)


@pytest.mark.parametrize(("role", "number"), [("t", 10_000), ("tt", 1000)])
def test_a_suffix_past_its_room_is_our_own_mistake(role: str, number: int) -> None:
    with pytest.raises(ValueError, match="longer than"):
        child_id(ClientOrderId("root"), role, number)


@pytest.mark.parametrize("foreign", ["", "abc", "root-t", "root-z1", "root-t12345", "ro.ot-t1", "root-t1\n"])
def test_somebody_elses_order_is_no_child(foreign: str) -> None:
    assert child_of(ClientOrderId(foreign)) is None


@given(st.text(max_size=300))
def test_a_root_is_made_from_any_intent_id(parent: str) -> None:
    made = derived_id("s4", parent)

    assert is_client_order_id(made)
    assert made == derived_id("s4", parent)
    assert stem_of(made) == made


@pytest.mark.parametrize("bad", ["", "a" * 37, "a b", "é", "a.b", "a/b", "a\n"])
def test_what_the_exchange_would_not_take(bad: str) -> None:
    assert not is_client_order_id(bad)
