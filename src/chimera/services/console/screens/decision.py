"""One decision by its id."""

from collections.abc import Mapping
from typing import Final

from chimera.services.console.same import Same
from chimera.services.console.screen import Group, Params, Screen, Section, Shown


def _decision(shown: Shown) -> Mapping[str, object]:
    named = (row for row in shown.seen.decisions if row.signal_id == shown.params["signal_id"])
    return {"row": next(named, None)}


def _same(params: Params) -> tuple[Same, ...]:
    return (Same(service="s3", path=f"/decisions/{params['signal_id']}", cli=f"chimera why {params['signal_id']}"),)


SCREEN: Final = Screen(
    name="decision",
    title="Decision",
    path="/decisions/{signal_id:path}",
    says="One decision, with every check.",
    group=Group.WHY,
    under="why",
    sections=(Section("decision", "Decision", reads=("decisions",), content=_decision, same=_same),),
)
