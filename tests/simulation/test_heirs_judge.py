"""The judge of several routers: what it lets pass, and what it does not."""

import pytest

from chimera.simulate.door.messages import WireRequest
from chimera.simulate.venue.audit import AuditRecord, Kind
from world.heirs_judge import Life, Reign, acted, changed, gaps, take_overs_ms, taken_over

S = 1_000_000
END = 30 * S
UP = Life(up=[(0, END)], stopped=[], cut=[])
DEAD = Life(up=[(0, 10 * S)], stopped=[], cut=[])


def of(kind: Kind, ref: str = "x-1-t1") -> AuditRecord:
    return AuditRecord(seq=1, at_us=0, kind=kind, client_order_id=ref)


@pytest.mark.parametrize(
    ("method", "query", "record", "done"),
    [
        ("POST", "newClientOrderId=x-1-t1&signature=0", of(Kind.ACCEPT), True),
        ("POST", "newClientOrderId=x-1-t1&signature=0", of(Kind.REFUSE), False),
        ("POST", "newClientOrderId=x-1-t1", of(Kind.ACCEPT, "x-1-t10"), False),
        ("POST", "newClientOrderId=x-1-t10", of(Kind.ACCEPT), False),
        ("DELETE", "clientAlgoId=x-1-t1&signature=0", of(Kind.CANCEL), True),
        ("DELETE", "clientAlgoId=x-1-t1&signature=0", of(Kind.TRIGGER), False),
        ("PUT", "origClientOrderId=x-1-t1", of(Kind.AMEND), True),
        ("POST", "leverage=5", of(Kind.SETTING, ""), True),
        ("GET", "origClientOrderId=x-1-t1", of(Kind.CANCEL), False),
    ],
)
def test_what_the_venue_did_is_read_from_its_log(method: str, query: str, record: AuditRecord, done: bool) -> None:
    assert changed(WireRequest(method=method, path="/fapi/v1/order", query=query), [record]) is done


def test_a_house_whose_process_stands_still_does_not_act() -> None:
    reigns = [Reign(owner="a", fence=1, begun_us=1 * S, ended_us=20 * S), Reign(owner="b", fence=2, begun_us=13 * S)]
    acting = acted(reigns, [[(10 * S, 19 * S)], []], END)
    idle = gaps(acting, END)

    assert idle == [(0, 1 * S), (10 * S, 13 * S)]
    assert take_overs_ms(reigns, idle) == [3_000]


@pytest.mark.parametrize(
    ("lives", "excused", "missed"),
    [
        ([UP], [], [10 * S]),
        ([DEAD], [], []),  # nobody could have
        ([DEAD, UP], [], [10 * S]),
        ([UP._replace(stopped=[(11 * S, 14 * S)])], [], []),
        ([UP._replace(cut=[(0, END)])], [], []),
        ([UP], [(12 * S, 13 * S)], []),  # the ledger was away
        ([UP], [(11 * S, 12 * S)], [12 * S]),
        ([UP, Life(up=[(0, 13 * S), (14 * S, END)], stopped=[], cut=[])], [], []),  # it may have had the lease
    ],
)
def test_who_could_have_acted_and_did_not_is_missed_after_five_seconds(
    lives: list[Life], excused: list[tuple[int, int]], missed: list[int]
) -> None:
    found = taken_over([(10 * S, 17 * S + 500_000)], lives, excused)

    assert [each.at_us for each in found] == missed
    assert taken_over([(10 * S, 14 * S)], lives, excused) == []
