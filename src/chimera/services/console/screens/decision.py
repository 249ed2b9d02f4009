"""One decision in full: every check with its room, what would have changed it, its factors, and what became of it."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from chimera.services.console import deciding
from chimera.services.console.others import Others
from chimera.services.console.same import Same
from chimera.services.console.screen import Group, Look, Params, Screen, Section, Shown, Span
from chimera.trading.errors import Refused

OTHERS: Final = 20  # to compare it with


def _id(params: Params) -> str:
    return quote(params["signal_id"], safe="")


async def _ask(others: Others, params: Params) -> dict[str, Any]:
    return await others.explain.decision(params["signal_id"])


async def _ask_needed(others: Others, params: Params) -> dict[str, Any]:
    """What cannot be told is told so: an old decision kept no case, its bundle may be refused by now."""
    try:
        return await others.explain.needed(params["signal_id"])
    except Refused as no:
        return {"refused": no.message}


async def _ask_fixture(others: Others, params: Params) -> str:
    try:
        return (await others.explain.fixture(params["signal_id"])).decode()
    except Refused:
        return ""


def _decision(shown: Shown) -> Mapping[str, object]:
    trace = shown.looked["decision"]
    lines = deciding.tree((trace or {}).get("explanation") or {})
    others = [row for row in shown.seen.decisions if row.signal_id != shown.params["signal_id"]]
    return {"trace": trace, "first": deciding.first_failing(trace or {}, lines), "others": others[:OTHERS]}


def _checks(shown: Shown) -> Mapping[str, object]:
    explanation = (shown.looked["decision"] or {}).get("explanation") or {}
    figures = [(part, explanation.get(part)) for part in ("sizing", "levels", "score") if explanation.get(part)]
    return {"lines": deciding.tree(explanation), "figures": figures, "figure": deciding.figure}


def _needed(shown: Shown) -> Mapping[str, object]:
    told, trace = shown.looked["needed"], shown.looked["decision"] or {}
    refused = (told or {}).get("refused", "")
    is_open = trace.get("decision") == "open"
    return {"needed": deciding.needed(told), "refused": refused, "is_open": is_open, "trace": trace}


def _factors(shown: Shown) -> Mapping[str, object]:
    return {"features": (shown.looked["decision"] or {}).get("features") or {}, "figure": deciding.figure}


def _fixture(shown: Shown) -> Mapping[str, object]:
    return {"fixture": shown.looked["fixture"] or ""}


SCREEN: Final = Screen(
    name="decision",
    title="Decision",
    path="/decisions/{signal_id:path}",
    says="One decision, with every check.",
    group=Group.WHY,
    under="why",
    looks=(Look("decision", 2.0, _ask), Look("needed", 60.0, _ask_needed), Look("fixture", 60.0, _ask_fixture)),
    sections=(
        Section(
            "decision",
            "What was decided",
            reads=("decision", "decisions"),
            content=_decision,
            same=lambda params: (
                Same(service="s3", path=f"/decisions/{_id(params)}", cli=f"chimera why {params['signal_id']}"),
            ),
        ),
        Section("checks", "Every check and its room", reads=("decision",), content=_checks, span=Span.WIDE),
        Section(
            "needed",
            "What would have changed it",
            reads=("needed", "decision"),
            content=_needed,
            span=Span.SIDE,
            same=lambda params: (Same(service="s3", path=f"/decisions/{_id(params)}/needed"),),
        ),
        Section("factors", "Factors, as they were", reads=("decision",), content=_factors, span=Span.WIDE),
        Section(
            "fixture",
            "As a test",
            reads=("fixture",),
            content=_fixture,
            span=Span.SIDE,
            same=lambda params: (
                Same(
                    service="s3",
                    path=f"/decisions/{_id(params)}/fixture",
                    cli="chimera replay --fixture decision.json",
                ),
            ),
        ),
    ),
)
