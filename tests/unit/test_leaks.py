"""The judge of ``make proof ID=DE-3`` sees an order, a cancel, a request to trade that no answer accounts for."""

from typing import Any

import pytest

from chimera.simulate.venue.audit import AuditRecord, Kind
from proofs.leaks import Deed, leaks, moved

DEEDS = (
    Deed(0, 100, "start"),
    Deed(1_000, 2_000, "submit_order 200", frozenset({"a-m1"})),
    Deed(5_000, 6_000, "kill 200"),
)
ENTRY: dict[str, Any] = {"kind": Kind.ACCEPT, "client_order_id": "a-m1", "side": "BUY", "type": "LIMIT"}


def a_record(at_us: int, **fields: Any) -> AuditRecord:
    return AuditRecord(**{"seq": 7, "at_us": at_us, "symbol": "BTCUSDT", **ENTRY, **fields})


@pytest.mark.parametrize(
    "record",
    [
        a_record(1_000),
        a_record(2_000),
        a_record(1_500, client_order_id="a-x1", reduce_only=True),
        a_record(1_500, client_order_id="a-s1", close_position=True),
        a_record(5_500, market="SPOT", side="SELL", client_order_id="any"),
        a_record(5_500, kind=Kind.CANCEL, client_order_id="any"),
        a_record(3_000, kind=Kind.REQUEST, method="GET", path="/fapi/v3/positionRisk"),
        a_record(3_000, kind=Kind.REQUEST, method="PUT", path="/fapi/v1/listenKey"),
        a_record(3_000, kind=Kind.FUNDING),
    ],
)
def test_what_a_deed_accounts_for_is_no_leak(record: AuditRecord) -> None:
    assert list(leaks([record], DEEDS)) == []


@pytest.mark.req("DE-3")
@pytest.mark.parametrize(
    ("record", "why"),
    [
        (a_record(3_000), "nothing was under way; before it: submit_order 200"),
        (a_record(2_001), "nothing was under way"),
        (a_record(3_000, kind=Kind.CANCEL), "nothing was under way"),
        (a_record(3_000, kind=Kind.SETTING), "nothing was under way"),
        (a_record(3_000, kind=Kind.TRANSFER), "nothing was under way"),
        (a_record(3_000, kind=Kind.REFUSE, method="POST", path="/fapi/v1/order"), "nothing was under way"),
        (a_record(3_000, kind=Kind.REQUEST, method="DELETE", path="/fapi/v1/order"), "nothing was under way"),
        (a_record(1_500, client_order_id="b-m1"), "of no order that was answered 2xx; meanwhile: submit_order 200"),
        (a_record(5_500, market="SPOT", client_order_id="b-m1"), "of no order that was answered 2xx"),
        (a_record(9_000), "before it: kill 200"),
    ],
)
def test_what_no_answer_accounts_for_is_a_leak(record: AuditRecord, why: str) -> None:
    """A 4xx that leaked an order, early, late or under the cover of another's deed."""
    (line,) = leaks([record], DEEDS)

    assert why in line


def test_what_moves_while_a_request_is_refused_is_told_but_for_what_protects() -> None:
    resting, stop = a_record(3_000, kind=Kind.CANCEL), a_record(3_000, algo_id=5, close_position=True)

    assert len(list(moved([resting, stop], 2_000, 4_000))) == 1
    assert list(moved([resting, stop], 3_000, 4_000)) == []
