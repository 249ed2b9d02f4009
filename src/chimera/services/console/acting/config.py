"""Changing what decides: activating a bundle, going back, a candidate beside it, and its end.

The effect is S3's own word of this moment: what the active bundle and the other differ in, rule by rule. A confirmation
rests on the revision that was active and on the other's digest.
"""

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from chimera.services.console.acts import Act, Desk, Effect, Field, Given, Step
from chimera.services.console.same import Same
from chimera.services.console.screen import Params
from chimera.trading.errors import Refused

PARTS_SHOWN: Final = 12
WHY: Final = Field("why", "Why, for the history")
SHARES: Final = (
    ("0", "shadow: it orders nothing"),
    ("0.05", "5 %"),
    ("0.1", "10 %"),
    ("0.25", "25 %"),
    ("0.5", "50 %"),
)


def differing(diff: Mapping[str, Any]) -> tuple[Step, ...]:
    """What would be otherwise, rule by rule; the first of many."""
    steps = list(_parts(diff))
    left = len(steps) - PARTS_SHOWN
    return (*steps[:PARTS_SHOWN], *((Step(f"and {left} more: see the difference"),) if left > 0 else ()))


def _parts(diff: Mapping[str, Any]) -> Iterator[Step]:
    if diff.get("same"):
        yield Step("decide by the same rules, bounds and flags as now")
    for part in diff.get("head") or ():
        yield Step(f"{str(part['path']).removeprefix('$.')}: {part['before']} becomes {part['after']}")
    for rule in diff.get("added") or ():
        yield Step("begin to ask the rule", str(rule))
    for rule in diff.get("removed") or ():
        yield Step("ask no longer the rule", str(rule))
    for rule in diff.get("changed") or ():
        told = "; ".join(
            f"{str(part['path']).removeprefix('$.')}: {_short(part['before'])} becomes {_short(part['after'])}"
            for part in rule["parts"]
        )
        yield Step(f"change {told}", str(rule["rule_id"]))


def _short(value: object) -> str:
    words = value if isinstance(value, str) else json.dumps(value, default=str)
    return words if len(words) <= 60 else f"{words[:60]}…"


def _trial_ends(standing: Mapping[str, Any]) -> tuple[Step, ...]:
    trial = standing.get("trial")
    return (Step("end the trial of", str(trial["bundle_id"])),) if trial else ()


def _active(standing: Mapping[str, Any]) -> Mapping[str, Any]:
    active = standing.get("active")
    return active if isinstance(active, Mapping) else {}


def _cli(words: str) -> tuple[Same, ...]:
    return (Same(service="s3", path="/config", cli=f'chimera bundle {words} --why "…"'),)


# ── activate ──


async def _activating(desk: Desk, params: Params) -> Effect | None:
    bundle_id = params["bundle"]
    standing = await desk.others.bundles.standing()
    active = _active(standing)
    if active.get("bundle_id") == bundle_id:
        return None
    head = (await desk.others.bundles.show(bundle_id))["bundle"]
    steps: tuple[Step, ...] = (Step("decide by this bundle: none is active"),)
    if active:
        steps = differing(await desk.others.bundles.diff(str(active["bundle_id"]), bundle_id))
    return Effect(
        about=bundle_id,
        title=f"Let {bundle_id} decide?",
        lead=f"From its next decision on, on the {desk.seen.mode} account, S3 will:",
        steps=(*steps, *_trial_ends(standing)),
        button=f"Activate {bundle_id}",
        leave="Leave it",
        note="Decisions under way end with what they began with. Positions that are open are not touched.",
        word=bundle_id,
        rests_on=(str(standing.get("rev")), str(head.get("digest"))),
        fields=(WHY,),
        same=_cli(f"activate {bundle_id}"),
        grave=desk.seen.mode != "SIM",
        basis=bundle_id,
    )


async def _activate(desk: Desk, effect: Effect, given: Given) -> str:
    return _told(await desk.others.bundles.activate(effect.basis, who=given.by, why=_why(given)))


# ── roll back ──


async def _rolling_back(desk: Desk, params: Params) -> Effect | None:
    standing = await desk.others.bundles.standing()
    active = _active(standing)
    history = (await desk.others.bundles.history(50))["history"]
    to_rev = int(params["rev"]) if params.get("rev", "").isdecimal() else None
    back = _before(history, active, to_rev)
    if back is None:
        return None
    diff = await desk.others.bundles.diff(str(active.get("bundle_id")), str(back["bundle_id"]))
    return Effect(
        about=f"revision {back['rev']}",
        title=f"Go back to {back['bundle_id']}?",
        lead=f"As a new revision, on the {desk.seen.mode} account, S3 will:",
        steps=(*differing(diff), *_trial_ends(standing)),
        button=f"Roll back to {back['bundle_id']}",
        leave="Leave it",
        note=f"It is what decided under revision {back['rev']}. Twice is there and back.",
        word="BACK",
        rests_on=(str(standing.get("rev")), str(back["rev"])),
        fields=(WHY,),
        same=_cli(f"rollback{'' if to_rev is None else f' --to {to_rev}'}"),
        grave=desk.seen.mode != "SIM",
        basis=to_rev,
    )


def _before(history: list[dict[str, Any]], active: Mapping[str, Any], to_rev: int | None) -> Mapping[str, Any] | None:
    """What would decide again: under that revision, or before the one that made ``active`` so."""
    if to_rev is not None:
        found = next((line.get("active") for line in history if line["rev"] == to_rev), None)
        return None if found is None or found.get("rev") == active.get("rev") else found
    told = (line["before"] for line in history if line["kind"] in ("ACTIVATE", "ROLLBACK") and line.get("before"))
    return next((before for before in told if before["bundle_id"] != active.get("bundle_id")), None)


async def _roll_back(desk: Desk, effect: Effect, given: Given) -> str:
    return _told(await desk.others.bundles.roll_back(who=given.by, why=_why(given), to_rev=effect.basis))


# ── a candidate beside ──


async def _trying(desk: Desk, params: Params) -> Effect | None:
    bundle_id = params["bundle"]
    standing = await desk.others.bundles.standing()
    active = _active(standing)
    if not active or active.get("bundle_id") == bundle_id or standing.get("trial"):
        return None
    diff = await desk.others.bundles.diff(str(active["bundle_id"]), bundle_id)
    return Effect(
        about=bundle_id,
        title=f"Try {bundle_id} beside {active['bundle_id']}?",
        lead="For each decision from now on S3 will decide twice, and keep where they differ. The candidate would:",
        steps=differing(diff),
        button=f"Try {bundle_id}",
        leave="Leave it",
        note="A shadow orders nothing. With a share, that share of decisions is the candidate's own, for real.",
        rests_on=(str(standing.get("rev")),),
        fields=(Field("share", "Of decisions, for real", SHARES, "0"), WHY),
        same=_cli(f"shadow {bundle_id}"),
        grave=False,
        basis=bundle_id,
    )


async def _try(desk: Desk, effect: Effect, given: Given) -> str:
    share = given.fields.get("share", "0")
    if share not in dict(SHARES):
        raise Refused("SHARE", f"{share} is no share that is offered here", field="share")
    begun = await desk.others.bundles.begin_trial(effect.basis, who=given.by, why=_why(given), share=Decimal(share))
    return _told(begun)


async def _ending(desk: Desk, _: Params) -> Effect | None:
    standing = await desk.others.bundles.standing()
    trial = standing.get("trial")
    if not trial:
        return None
    return Effect(
        about=str(trial["bundle_id"]),
        title=f"End the trial of {trial['bundle_id']}?",
        lead="From its next decision on S3 will:",
        steps=(Step("decide by the active bundle alone", str(_active(standing).get("bundle_id"))),),
        button="End the trial",
        leave="Let it go on",
        note="What differed stays in the list.",
        rests_on=(str(standing.get("rev")),),
        fields=(WHY,),
        same=_cli("end"),
        grave=False,
    )


async def _end(desk: Desk, _: Effect, given: Given) -> str:
    return _told(await desk.others.bundles.end_trial(who=given.by, why=_why(given)))


def _why(given: Given) -> str:
    return given.fields.get("why", "").strip() or "by the console"


def _told(answer: Mapping[str, Any]) -> str:
    line = answer["revision"]
    loaded = "decides already" if answer.get("loaded") else "is being loaded"
    return f"revision {line['rev']}, {str(line['kind']).lower().replace('_', ' ')}, {loaded}"


ACTIVATE: Final = Act(name="activate", asks=("bundle",), effect=_activating, do=_activate)
ROLL_BACK: Final = Act(name="roll-back", asks=("rev",), effect=_rolling_back, do=_roll_back)
TRY: Final = Act(name="try-bundle", asks=("bundle",), effect=_trying, do=_try)
END_TRIAL: Final = Act(name="end-trial", asks=(), effect=_ending, do=_end)
