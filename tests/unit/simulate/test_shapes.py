"""TW-2, shapes: every documented payload shape is shown by some life of an order, and goes round field by field."""

from collections import defaultdict
from typing import Any

import pytest
from shapes import SHAPES, fault, shown

pytestmark = pytest.mark.req("TW-2")


@pytest.fixture(scope="module")
def payloads() -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = defaultdict(list)
    for name, payload in shown():
        found[name].append(payload)
    return found


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_goes_round(payloads: dict[str, list[Any]], name: str) -> None:
    assert payloads[name], "never shown"
    for payload in payloads[name]:
        assert fault(name, payload) is None, payload


def test_the_judge_can_say_no(payloads: dict[str, list[Any]]) -> None:
    placed = payloads["usdm place"][0]
    assert fault("usdm place", placed | {"avgPrice": "0.00"})
    assert fault("usdm place", {name: value for name, value in placed.items() if name != "cumQty"})
    assert fault("usdm place", placed | {"cumQty": 0})
    assert fault("usdm place", placed | {"price": "cheap"})
