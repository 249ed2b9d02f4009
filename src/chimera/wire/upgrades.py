"""Steps from one schema version to the next: plain functions from document to document, kept for ever."""

from typing import Any, Final

_CHASE_OF_1: Final = 0  # version 1 had no chase: what it began, it ends so


def to_2(document: dict[str, Any]) -> dict[str, Any]:
    """A plan's slices carry their own moments, its maker's terms are a part of their own."""
    if document.get("is") != "Holding":
        return document
    intents = {name: work | {"plan": _plan_2(work["plan"])} for name, work in document.get("intents", {}).items()}
    return document | {"intents": intents} if intents else document


def _plan_2(plan: dict[str, Any]) -> dict[str, Any]:
    kept = {field: value for field, value in plan.items() if field not in ("slices", "gap_ms", "maker_wait_ms")}
    slices = [{"qty": qty, "after_ms": number * plan["gap_ms"]} for number, qty in enumerate(plan["slices"])]
    return kept | {"slices": slices, "maker": {"wait_ms": plan["maker_wait_ms"], "chase_ms": _CHASE_OF_1}}
