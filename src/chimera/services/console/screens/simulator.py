"""The simulated exchange, where there is one: its market run by hand, and trouble to rehearse with."""

from collections.abc import Mapping
from typing import Any, Final

from chimera.services.console.acting.simulator import ARM, CLEAR, MOVE, TURN, at_hand
from chimera.services.console.others import Others
from chimera.services.console.same import Same
from chimera.services.console.screen import Group, Look, Params, Screen, Section, Shown, Span
from chimera.trading.errors import NotSent

FIRST: Final = (  # what an operator rehearses with, before all the others
    "timeout_after", "unknown_503", "clock_skew", "stream_cut", "stuck_triggering", "rate_limit_storm",
)  # fmt: skip


def _here(others: Others) -> Any:
    if others.simulator is None:
        raise NotSent("the console was not told where the simulator is (--sim)")
    return others.simulator


async def _ask_market(others: Others, _: Params) -> dict[str, Any]:
    found: dict[str, Any] = await _here(others).market()
    return found


async def _ask_faults(others: Others, _: Params) -> dict[str, Any]:
    found: dict[str, Any] = await _here(others).faults()
    return found


def _market(shown: Shown) -> Mapping[str, object]:
    return {"market": shown.looked["market"]}


def _faults(shown: Shown) -> Mapping[str, object]:
    told = shown.looked["faults"] or {}
    catalogue = sorted(told.get("catalogue") or (), key=lambda each: _place(str(each["name"])))
    return {"armed": told.get("armed") or [], "catalogue": catalogue, "first": len(FIRST)}


def _place(name: str) -> tuple[int, str]:
    return (FIRST.index(name) if name in FIRST else len(FIRST), name)


SCREEN: Final = Screen(
    name="simulator",
    title="Simulator",
    path="/simulator",
    key="x",
    says="The simulated exchange: its market by hand, and trouble to rehearse with.",
    group=Group.HOUSE,
    open=at_hand,
    looks=(Look("market", 1.0, _ask_market), Look("faults", 2.0, _ask_faults)),
    acts=(ARM, CLEAR, MOVE, TURN),
    sections=(
        Section("knobs", "The market", reads=("market",), content=_market, span=Span.SIDE),
        Section("armed", "At work", reads=("faults",), content=_faults, span=Span.WIDE,
                same=lambda _: (Same(service="sim", path="/sim/faults", cli="chimera faults list --armed"),)),
        Section("faults", "Trouble", reads=("faults",), content=_faults,
                same=lambda _: (Same(service="sim", path="/sim/faults", cli="chimera faults list"),)),
    ),
)  # fmt: skip
