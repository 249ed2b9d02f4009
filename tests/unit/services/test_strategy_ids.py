"""The root ids of S3: never so long that a child's suffix would have to shorten them."""

from random import Random

import pytest

from chimera.services.strategy.ids import ROOT_MAX, new_client_order_id
from chimera.trading.ids import child_id, is_client_order_id
from chimera.trading.money import Millis


@pytest.mark.req("S3-INT-1")
@pytest.mark.parametrize("service", ["s", "s3", "abcd"])
@pytest.mark.parametrize("base", ["BTC", "1000PEPE", "币安", ""])
def test_a_root_leaves_room_for_its_children(service: str, base: str) -> None:
    root = new_client_order_id(service, base, Millis(1_800_000_000_000), Random(7))

    assert len(root) <= ROOT_MAX
    assert is_client_order_id(root)
    assert child_id(root, "t", 9_999) == f"{root}-t9999"
