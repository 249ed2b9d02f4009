"""The stall: what fills while the stores are away is covered within one round trip, and no entry leaves."""

import pytest

from chimera.services.router.barriers import Barriers
from chimera.trading.market import Side
from world import stall
from world.safeguards import switched_off
from world.stall import PARTS_S, Scene, play


@pytest.mark.req("FL-5")
@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("one_way_ms", [2, 20, 60])
@pytest.mark.fault("E1", "E8")
def test_every_fill_in_a_stall_is_covered_within_a_round_trip(one_way_ms: int, side: Side) -> None:
    scene = Scene(one_way_ms=one_way_ms, market_before_ms=10, side=side)
    seen = play(scene)
    took = [cover.took_us for cover in seen.cover]
    assert seen.maker_parts == len(PARTS_S)
    assert all(us is not None and us <= scene.bound_us for us in took), took
    assert max(us for us in took if us is not None) >= 2 * one_way_ms * 1000, "faster than the wire: not measured"
    assert (seen.left_us, seen.accepted_late_us, seen.own_faults) == ((), (), ())


@pytest.mark.req("FL-5")
def test_a_market_order_that_left_just_before_the_stall_is_covered_in_it() -> None:
    seen = [play(Scene(one_way_ms=20, market_before_ms=before)) for before in (8, 12, 16)]
    assert sum(each.market_fills for each in seen) >= 2
    assert all(cover.took_us is not None and cover.took_us <= 45_000 for each in seen for cover in each.cover)


@pytest.mark.fault("B31")
def test_a_stop_taken_away_at_the_venue_is_replaced_in_the_stall() -> None:
    (replaced_us,) = play(Scene(one_way_ms=20, market_before_ms=10)).stops_replaced_us
    assert replaced_us <= 250_000


def test_the_scene_notices_what_it_is_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without protection no fill is covered; when entries wait neither for the disk nor for its return, they leave."""
    scene = Scene(one_way_ms=5, market_before_ms=10)
    with switched_off("protect_fills"):
        assert all(cover.took_us is None for cover in stall.play(scene).cover)
    with switched_off("save_before_send"):
        assert stall.play(scene).left_us == (), "LEDGER_AWAY keeps them"
        monkeypatch.setattr(Barriers, "before", lambda barriers, symbol: None)
        assert stall.play(scene).left_us
