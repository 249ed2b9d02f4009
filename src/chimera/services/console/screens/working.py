"""Orders that are worked in slices, the schedule against what is done; and the prices that S4 watches itself."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from chimera.services.console import scheduling
from chimera.services.console.acting.steer import DISARM, FINISH, PAUSE, RESUME
from chimera.services.console.others import Others
from chimera.services.console.same import Same
from chimera.services.console.screen import Group, Look, Params, Screen, Section, Shown

MOST: Final = 40  # orders that are asked about at once


async def _ask(others: Others, _: Params) -> dict[str, Any]:
    """With the second in which it was asked: what is due goes on while nothing fills."""
    positions = await others.router.positions()
    names = list(dict.fromkeys(str(intent) for row in positions for intent in row.get("intents") or ()))[:MOST]
    orders = await asyncio.gather(*(others.router.order(name) for name in names))
    return {"positions": positions, "orders": list(orders), "at_s": others.clock.now_ms() // 1_000}


def _plans(shown: Shown) -> Mapping[str, object]:
    looked = shown.looked["working"]
    return {"orders": scheduling.working((looked or {}).get("orders") or (), shown.now_ms)}


def _guards(shown: Shown) -> Mapping[str, object]:
    looked = shown.looked["working"]
    return {"guards": scheduling.armed((looked or {}).get("positions") or ())}


SCREEN: Final = Screen(
    name="working",
    title="TWAP and guards",
    path="/working",
    key="t",
    says="What is worked in slices, and the prices that S4 watches itself.",
    group=Group.NOW,
    looks=(Look("working", 1.0, _ask),),
    acts=(PAUSE, RESUME, FINISH, DISARM),
    sections=(
        Section("plans", "Worked now", reads=("working",), content=_plans,
                same=lambda _: (Same(path="/positions", cli="chimera show"),)),
        Section("guards", "Guards armed", reads=("working",), content=_guards),
    ),
)  # fmt: skip
