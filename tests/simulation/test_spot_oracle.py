"""The oracle of spot can say no: each of its checks, on records written by hand."""

from decimal import Decimal
from typing import Any

import pytest

from chimera.simulate.venue.audit import AuditRecord, Kind
from world import spot_oracle
from world.spot_judge import unwatched
from world.spot_world import SPOT_INSTRUMENT

BASE = "BTC"
_SELL: dict[str, Any] = {"side": "SELL", "list_id": 1, "qty": Decimal("0.01")}
STOP, TARGET = "s3-w0-s1", "s3-w0-p1"


def record(at_s: float, kind: Kind, ref: str, **more: Any) -> AuditRecord:
    number = {"s": 2, "p": 3}.get(ref[-2], 1)
    told: dict[str, Any] = {"side": "BUY", "qty": Decimal("0.01"), "market": "SPOT", "order_id": number} | more
    return AuditRecord(seq=1, at_us=round(at_s * 1_000_000), kind=kind, client_order_id=ref, **told)


def bought(fee: str = "0.00001") -> list[AuditRecord]:
    told: dict[str, Any] = {"price": Decimal(65_000), "status": "FILLED"}
    return [
        record(1, Kind.ACCEPT, "s3-w0-t1"),
        record(1, Kind.FILL, "s3-w0-t1", fee=Decimal(fee), fee_asset=BASE, **told),
    ]


def listed(qty: str = "0.00999") -> list[AuditRecord]:
    told = _SELL | {"qty": Decimal(qty)}
    return [
        record(1.01, Kind.ACCEPT, STOP, type="STOP_LOSS_LIMIT", **told),
        record(1.01, Kind.ACCEPT, TARGET, type="LIMIT_MAKER", **told),
    ]


def sold(at_s: float, ref: str, qty: str = "0.00999", *, status: str = "FILLED") -> AuditRecord:
    return record(at_s, Kind.FILL, ref, price=Decimal(65_100), status=status, **(_SELL | {"qty": Decimal(qty)}))


def ended(at_s: float, ref: str) -> AuditRecord:
    return record(at_s, Kind.EXPIRE, ref, **_SELL)


def numbers(found: list[Any]) -> list[str]:
    return [violation.invariant for violation in found]


@pytest.mark.req("I12")
@pytest.mark.incident(18)
def test_a_sale_of_all_that_was_bought_takes_the_fee_from_the_user() -> None:
    assert spot_oracle.never_oversold([*bought(), sold(2, STOP)], BASE) == []
    found = spot_oracle.never_oversold([*bought(), sold(2, STOP, "0.01")], BASE)
    assert numbers(found) == ["I12"]
    assert "0.00001" in found[0].text


@pytest.mark.req("I15", "ACC-4")
def test_of_a_list_one_leg_sells_and_the_other_is_over_at_once() -> None:
    good = [*bought(), *listed(), sold(2, TARGET), ended(2, STOP)]
    both = [*good, sold(2.1, STOP)]
    lives_on = [*bought(), *listed(), sold(2, TARGET)]
    late = [*bought(), *listed(), sold(2, TARGET), ended(3, STOP)]
    twice = [*bought(), *listed(), sold(2, TARGET, status="PARTIALLY_FILLED"), ended(2, STOP), sold(3, TARGET)]

    assert spot_oracle.one_leg(good) == []
    for story in (both, lives_on, late, twice):
        assert set(numbers(spot_oracle.one_leg(story))) == {"I15"}


@pytest.mark.req("I1")
def test_an_id_taken_a_second_time_is_seen_whoever_sells() -> None:
    assert spot_oracle.taken_once([*bought(), *listed()]) == []
    assert numbers(spot_oracle.taken_once([*bought(), *listed(), ended(2, STOP), listed()[0]])) == ["I1"]


@pytest.mark.req("I1")
def test_an_id_that_died_with_s4_may_guard_again_if_nothing_was_sold_by_it() -> None:
    """Sent before it was saved, ended by hand, S4 killed: what it does next is the same step, by the same name."""
    again, lost = listed()[0], {STOP}
    assert spot_oracle.taken_once([*bought(), *listed(), ended(2, STOP), again], lost) == []
    assert numbers(spot_oracle.taken_once([*bought(), *listed(), again], lost)) == ["I1"], "the first still lives"
    part = sold(2, STOP, "0.001", status="PARTIALLY_FILLED")
    assert numbers(spot_oracle.taken_once([*bought(), *listed(), part, ended(2, STOP), again], lost)) == ["I1"]


@pytest.mark.req("I10")
def test_what_could_be_sold_and_has_no_stop_is_bare_and_dust_is_not() -> None:
    bare = lambda audit: spot_oracle.uncovered_spans(audit, 9_000_000, SPOT_INSTRUMENT)  # noqa: E731  # a short name
    [span] = bare(bought())
    assert (span.from_us, span.to_us, span.qty) == (1_000_000, 9_000_000, Decimal("0.00999"))
    [span] = bare([*bought(), *listed()])
    assert span.to_us == 1_010_000
    assert len(bare([*bought(), *listed("0.00993")])) == 1, "six steps are worth less than an order must be"
    fired = [*bought(), *listed(), record(3, Kind.TRIGGER, STOP, type="STOP_LOSS_LIMIT", **_SELL)]
    assert len(bare(fired)) == 2, "a stop that fires is no stop"
    off = lambda at_us: spot_oracle.uncovered_spans(  # noqa: E731  # a short name
        bought(), 9_000_000, SPOT_INSTRUMENT, [(at_us, Decimal("0.00999"))]
    )
    assert (len(off(1_000_000)), len(off(1_000_001))) == (0, 1), "what was written off is ours until then"


@pytest.mark.req("I7", "I14")
def test_what_is_left_is_seen_whoever_forgot_it() -> None:
    over = [*bought(), *listed(), sold(2, TARGET), ended(2, STOP)]
    none, some = Decimal(0), Decimal("0.001")
    assert spot_oracle.ends_flat(over, BASE, none, none) == []
    assert numbers(spot_oracle.ends_flat(over, BASE, some, none)) == ["I7", "I14"]
    assert numbers(spot_oracle.ends_flat([*over, *listed()], BASE, none, none)) == ["I14", "I14"]
    assert spot_oracle.own_untouched(Decimal("1.001"), Decimal(1), some, 0) == []
    assert numbers(spot_oracle.own_untouched(Decimal("1.00099999"), Decimal(1), some, 0)) == ["OWN"]


def test_a_moment_that_nobody_minds_what_is_held_is_told_where_it_lasts() -> None:
    assert unwatched([(0, 1_000_000)], []) == []
    assert numbers(unwatched([(0, 2_000_000)], [])) == ["WATCH"]
    assert unwatched([(0, 2_000_000)], [(0, 2_000_000)]) == []
