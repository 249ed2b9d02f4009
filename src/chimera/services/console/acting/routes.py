"""Putting the proposed route table in force, and going back to an older one. The files are S4's."""

from collections.abc import Mapping
from typing import Any, Final

from chimera.services.console import costing
from chimera.services.console.acts import Act, Desk, Effect, Given, Step
from chimera.services.console.same import Same
from chimera.services.console.screen import Params


async def _approving(desk: Desk, _: Params) -> Effect | None:
    told = await desk.others.router.routes()
    proposed = told.get("proposed")
    if proposed is None:
        return None
    late = (
        "" if proposed["of_rev"] == told["rev"] else f" It was made over revision {proposed['of_rev']}: S4 will refuse."
    )
    return Effect(
        about=f"over revision {told['rev']}",
        title="Put the proposed table in force?",
        lead=f"Orders accepted from now on, on the {desk.seen.mode} account, are planned otherwise:",
        steps=_steps(_in_force(told), proposed["table"]),
        button="Approve the table",
        leave="Leave it proposed",
        note=f"It becomes revision {told['rev'] + 1}. Orders under way keep their plan. It can be gone back.{late}",
        word="APPROVE",
        rests_on=(str(told["rev"]), str(proposed["at_ms"])),
        same=(Same(method="POST", path="/routes/approve", cli="chimera route approve --by NAME"),),
        grave=desk.seen.mode != "SIM",
        basis=proposed["at_ms"],
    )


async def _approve(desk: Desk, effect: Effect, given: Given) -> str:
    return _said(await desk.others.router.approve_routes(effect.basis, by=given.by))


async def _going_back(desk: Desk, params: Params) -> Effect | None:
    told = await desk.others.router.routes()
    rev = int(params["rev"]) if params["rev"].isdecimal() else 0
    found = next((each for each in told["revisions"] if each["table"]["rev"] == rev), None)
    if found is None or rev == told["rev"]:
        return None
    return Effect(
        about=f"revision {rev}",
        title=f"Go back to route table {rev}?",
        lead=f"Orders accepted from now on, on the {desk.seen.mode} account, are planned otherwise:",
        steps=_steps(_in_force(told), found["table"]),
        button=f"Back to revision {rev}",
        leave="Leave it",
        note=f"It becomes revision {told['rev'] + 1}; what is proposed is dropped. Orders under way keep their plan.",
        word="BACK",
        rests_on=(str(told["rev"]),),
        same=(Same(method="POST", path="/routes/rollback", cli=f"chimera route rollback {rev} --by NAME"),),
        grave=desk.seen.mode != "SIM",
        basis=rev,
    )


async def _go_back(desk: Desk, effect: Effect, given: Given) -> str:
    return _said(await desk.others.router.roll_back_routes(effect.basis, by=given.by))


def _in_force(told: Mapping[str, Any]) -> Mapping[str, Any] | None:
    return next((each["table"] for each in told["revisions"] if each["table"]["rev"] == told["rev"]), None)


def _steps(now: Mapping[str, Any] | None, then: Mapping[str, Any]) -> tuple[Step, ...]:
    """Row by row what changes."""
    steps = [
        Step(
            f"{pair.market}, up to {pair.up_to} USDT: "
            f"{_told(pair.now_ms, pair.now_slices)} → {_told(pair.then_ms, pair.then_slices)}"
        )
        for pair in costing.side_by_side(now, then)
        if not pair.same
    ]
    return tuple(steps) or (Step("by the same rows as now"),)


def _told(wait_ms: int | None, slices: str) -> str:
    if wait_ms is None:
        return "as the fees say"
    return f"wait {wait_ms} ms" + ("" if slices == "1" else f", {slices}")


def _said(told: Mapping[str, Any]) -> str:
    return f"revision {told['rev']} is in force; curves {told.get('curves')}"


APPROVE: Final = Act(name="approve-routes", asks=(), effect=_approving, do=_approve)
GO_BACK: Final = Act(name="roll-back-routes", asks=("rev",), effect=_going_back, do=_go_back)
