"""FL-5: ledger and Redis stalled for a minute: every fill has its stop in time all the same, and no entry leaves.

Every message to and from the venue takes the same time, so a round trip is exactly two of them: a fill's way to us and
its stop's way back. Makers fill in six parts while the stores are away, MARKET orders that left just before fill in it,
a stop is taken away by hand, and more entries are asked for. Times are virtual and read from the venue's log.
"""

from typing import Final

from chimera.trading.market import Side
from proofs.measured import Measured
from world.stall import PARTS_S, Scene, Seen, play

BAR: Final = "stores stalled 60 s: every fill covered within a round trip + 5 ms of the venue's clock; no entry leaves"
ONE_WAY_MS: Final = (1, 5, 20, 60)
BEFORE_MS: Final = range(4, 19)
FEWEST_MARKET_FILLS: Final = 20


def prove() -> Measured:
    scenes = [
        Scene(one_way_ms=one_way, market_before_ms=before, side=side)
        for one_way in ONE_WAY_MS
        for before in BEFORE_MS
        for side in Side
    ]
    seen = [(scene, play(scene)) for scene in scenes]
    fills = [(scene, cover) for scene, each in seen for cover in each.cover]
    late = [
        f"{cover.client_order_id} at {cover.fill_us} us with {scene.one_way_ms} ms one way: {cover.took_us} us"
        for scene, cover in fills
        if cover.took_us is None or cover.took_us > scene.bound_us
    ]
    unwanted = [fault for _, each in seen for fault in _faults(each)]
    market_fills = sum(each.market_fills for _, each in seen)
    measured = {
        "worlds": len(scenes),
        "maker_parts_filled_while_stalled": sum(each.maker_parts for _, each in seen),
        "market_fills_while_stalled": market_fills,
        "longest_to_stop_ms_by_one_way_ms": {str(one_way): _longest_ms(seen, one_way) for one_way in ONE_WAY_MS},
        "longest_beyond_round_trip_ms": max(
            ((cover.took_us or 0) / 1000 - 2 * scene.one_way_ms for scene, cover in fills), default=0
        ),
        "longest_to_replace_a_stop_taken_away_ms": max(us for _, each in seen for us in each.stops_replaced_us) / 1000,
        "late": late[:5],
        "entries_that_left": unwanted[:5],
    }
    whole = all(each.maker_parts == len(PARTS_S) and each.stops_replaced_us for _, each in seen)
    passed = whole and market_fills >= FEWEST_MARKET_FILLS and not late and not unwanted
    return Measured(measured, BAR, passed=passed)


def _longest_ms(seen: list[tuple[Scene, Seen]], one_way_ms: int) -> float:
    took = [cover.took_us or 0 for scene, each in seen if scene.one_way_ms == one_way_ms for cover in each.cover]
    return max(took, default=0) / 1000


def _faults(seen: Seen) -> list[str]:
    left = [f"an entry left at {at_us} us" for at_us in seen.left_us]
    return [*left, *(f"an entry was accepted at {at_us} us" for at_us in seen.accepted_late_us), *seen.own_faults]
