"""Execution quality: what trading cost and where it arose, what resting was worth, and the route table."""

import shlex
from collections.abc import Mapping
from typing import Any, Final

from chimera.services.console import costing
from chimera.services.console.acting.routes import APPROVE, GO_BACK
from chimera.services.console.deciding import figure, number
from chimera.services.console.others import Others
from chimera.services.console.same import Same
from chimera.services.console.screen import Group, Look, Params, Screen, Section, Shown, Span
from chimera.tca.shortfall import PARTS

NOT_HERE: Final = {"away": True}


async def _ask_costs(others: Others, _: Params) -> dict[str, Any]:
    return dict(NOT_HERE) if others.costs is None else await others.costs.report()


async def _ask_routes(others: Others, _: Params) -> dict[str, Any]:
    return await others.router.routes()


def _report(shown: Shown) -> Mapping[str, Any]:
    return shown.looked["costs"] or {}


def _shortfall(shown: Shown) -> Mapping[str, object]:
    report = _report(shown)
    groups = report.get("groups") or ()
    whole = next((group for group in groups if group["by"] == "quote"), None)
    others = [(group, costing.parts(group)) for group in groups if group["by"] != "quote"]
    return {"report": report, "parts": costing.parts(whole), "whole": whole, "groups": others, "names": PARTS}


def _markouts(shown: Shown) -> Mapping[str, object]:
    told = _report(shown).get("markouts") or ()
    return {"report": _report(shown), "marks": costing.marks(told[0] if told else None)}


def _waiting(shown: Shown) -> Mapping[str, object]:
    report = _report(shown)
    rests = (report.get("resting") or (None,))[0]
    drawn = {"wide": costing.WIDE, "high": costing.HIGH, "figure": figure, "number": number}
    return {"report": report, "rests": rests, "curve": costing.curve(rests), **drawn}


def _routes(shown: Shown) -> Mapping[str, object]:
    told = shown.looked["routes"] or {}
    revisions = told.get("revisions") or []
    now = next((each for each in revisions if each["table"]["rev"] == told.get("rev")), None)
    proposed = told.get("proposed")
    pairs = costing.side_by_side(now and now["table"], proposed and proposed["table"])
    return {"told": told, "now": now, "proposed": proposed, "pairs": pairs, "revisions": revisions}


def _orders(shown: Shown) -> Mapping[str, object]:
    rows = _report(shown).get("orders") or ()
    return {
        "report": _report(shown),
        "orders": tuple(reversed(rows[-costing.ROWS :])),
        "number": number,
        "parts": PARTS,
    }


def _same(words: str = "") -> Any:
    return lambda _: (Same(path="/routes", cli=shlex.join(["chimera", "report", "tca"]) + words),)


SCREEN: Final = Screen(
    name="execution",
    title="Execution",
    path="/execution",
    key="e",
    says="What trading cost against the market, where it arose, and what the route table makes of it.",
    group=Group.WHY,
    looks=(Look("costs", 60.0, _ask_costs), Look("routes", 10.0, _ask_routes)),
    acts=(APPROVE, GO_BACK),
    sections=(
        Section("shortfall", "Shortfall and its parts", reads=("costs",), content=_shortfall, span=Span.WIDE,
                same=_same()),
        Section("markouts", "Markouts", reads=("costs",), content=_markouts, span=Span.SIDE),
        Section("waiting", "What resting was worth", reads=("costs",), content=_waiting, span=Span.WIDE),
        Section("routes", "Route table", reads=("routes",), content=_routes, span=Span.SIDE,
                same=lambda _: (Same(path="/routes", cli="chimera route show"),)),
        Section("costs", "Intents, the newest first", reads=("costs",), content=_orders),
    ),
)  # fmt: skip
