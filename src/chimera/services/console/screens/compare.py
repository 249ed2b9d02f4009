"""Two decisions beside one another: what differs first, then what is the same."""

from collections.abc import Mapping
from typing import Any, Final

from chimera.services.console import deciding
from chimera.services.console.others import Others
from chimera.services.console.screen import Group, Look, Params, Screen, Section, Shown


async def _ask(others: Others, params: Params) -> list[dict[str, Any]]:
    return [await others.explain.decision(params[name]) for name in ("a", "b") if params.get(name)]


def _compared(shown: Shown) -> Mapping[str, object]:
    found = shown.looked["two"] or []
    if len(found) < 2:
        return {"one": None}
    parts = deciding.compared(found[0], found[1])
    return {
        "one": found[0],
        "other": found[1],
        "differing": [part for part in parts if not part.same],
        "alike": [part for part in parts if part.same],
    }


SCREEN: Final = Screen(
    name="compare",
    title="Two decisions",
    path="/compare",
    says="What differs between them, part by part.",
    group=Group.WHY,
    under="why",
    asks=("a", "b"),
    looks=(Look("two", 30.0, _ask),),
    sections=(Section("compared", "Beside one another", reads=("two",), content=_compared),),
)
