"""Steps from one schema version to the next: plain functions from document to document, kept for ever."""

from typing import Any, Final

_CHASE_OF_1: Final = 0  # version 1 had no chase: what it began, it ends so


def to_2(document: dict[str, Any]) -> dict[str, Any]:
    """A plan's slices carry their own moments, its maker's terms are a part of their own."""
    if document.get("is") != "Holding":
        return document
    intents = {name: _working_2(work) for name, work in document.get("intents", {}).items()}
    return document | {"intents": intents} if intents else document


def _working_2(work: dict[str, Any]) -> dict[str, Any]:
    """Slices began at their time, as far as version 1 knew; what had filled by then it did not keep."""
    tried = work.get("maker_tries", 0) or work.get("taker_tries", 0)
    begun = work.get("slice_no", 0) + (1 if tried else 0)
    moments = [work["accepted_ms"] + number * work["plan"]["gap_ms"] for number in range(begun)]
    return work | {
        "plan": _plan_2(work["plan"]),
        "begun": [{"at_ms": moment, "filled": "0"} for moment in moments],
    }


def _plan_2(plan: dict[str, Any]) -> dict[str, Any]:
    kept = {field: value for field, value in plan.items() if field not in ("slices", "gap_ms", "maker_wait_ms")}
    slices = [{"qty": qty, "after_ms": number * plan["gap_ms"]} for number, qty in enumerate(plan["slices"])]
    return kept | {"slices": slices, "maker": {"wait_ms": plan["maker_wait_ms"], "chase_ms": _CHASE_OF_1}}
