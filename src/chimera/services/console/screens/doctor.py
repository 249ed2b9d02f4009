"""The doctor: one look at the machine, the settings, the venue and the services, and what to do about each fault."""

from collections.abc import Mapping
from typing import Any, Final

from chimera.services.console.others import Others
from chimera.services.console.same import Same
from chimera.services.console.screen import Group, Look, Params, Screen, Section, Shown
from chimera.trading.errors import NotSent

WELL: Final = 2
EVERY_S: Final = 20.0  # it takes a few seconds of a processor each time


async def _ask(others: Others, _: Params) -> dict[str, Any]:
    if others.doctor is None:
        raise NotSent("this console has no doctor")
    return await others.doctor.examine()


def _found(shown: Shown) -> Mapping[str, object]:
    told = shown.looked["doctor"]
    checks = [] if told is None else sorted(told["checks"], key=_rank)
    return {"checks": checks, "looked": told is not None, "bad": [row for row in checks if _rank(row) < WELL]}


def _rank(row: Mapping[str, Any]) -> int:
    """What is wrong first, then what warns, then what is well, then what was not tried."""
    if row["ok"] is False:
        return 0
    return 1 if row["ok"] and row["warns"] else WELL if row["ok"] else WELL + 1


SCREEN: Final = Screen(
    name="doctor",
    title="Doctor",
    path="/doctor",
    says="One look at everything, again every twenty seconds, and what to do about each fault.",
    group=Group.HOUSE,
    under="system",
    looks=(Look("doctor", EVERY_S, _ask),),
    sections=(
        Section(
            "found",
            "What it found",
            reads=("doctor",),
            content=_found,
            same=lambda _: (Same(path="/health", cli="chimera doctor"),),
        ),
    ),
)
