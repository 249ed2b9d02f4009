"""Config studio: what decides and since when, a candidate beside it, every bundle, every change with who and why."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final
from urllib.parse import quote

from chimera.services.console.acting.config import ACTIVATE, END_TRIAL, ROLL_BACK, TRY
from chimera.services.console.deciding import figure
from chimera.services.console.others import Others
from chimera.services.console.same import Same
from chimera.services.console.screen import Group, Look, Params, Screen, Section, Shown, Span

NEWEST: Final = 50


async def _ask_standing(others: Others, _: Params) -> dict[str, Any]:
    return await others.bundles.standing()


async def _ask_bundles(others: Others, _: Params) -> list[dict[str, Any]]:
    return list((await others.bundles.bundles(NEWEST))["bundles"])


async def _ask_history(others: Others, _: Params) -> list[dict[str, Any]]:
    return list((await others.bundles.history(NEWEST))["history"])


async def _ask_differences(others: Others, _: Params) -> list[dict[str, Any]]:
    return list((await others.bundles.differences(NEWEST))["differences"])


def _active(shown: Shown) -> Mapping[str, object]:
    standing = shown.looked["standing"] or {}
    active, history = standing.get("active") or {}, shown.looked["history"] or []
    made = next((line for line in history if line["rev"] == active.get("rev")), None)
    return {"standing": standing, "active": active, "made": made, "history": history}


def _trial(shown: Shown) -> Mapping[str, object]:
    trial = (shown.looked["standing"] or {}).get("trial")
    tally = (trial or {}).get("tally") or {}
    compared = int(tally.get("compared", 0))
    share = Decimal(int(tally.get("differed", 0))) / compared if compared else Decimal(0)
    differences = [row for row in shown.looked["differences"] or () if trial is None or row["trial"] == trial["rev"]]
    told = {"trial": trial, "tally": tally, "compared": compared, "share": share}
    return {**told, "differences": differences[:20], "figure": figure}


def _bundles(shown: Shown) -> Mapping[str, object]:
    active = (shown.looked["standing"] or {}).get("active") or {}
    trial = (shown.looked["standing"] or {}).get("trial") or {}
    return {
        "bundles": shown.looked["bundles"] or [],
        "active": active.get("bundle_id"),
        "trial": trial.get("bundle_id"),
    }


def _history(shown: Shown) -> Mapping[str, object]:
    active = (shown.looked["standing"] or {}).get("active") or {}
    return {"history": shown.looked["history"] or [], "rev": active.get("rev")}


def _same(path: str, words: str) -> Any:
    return lambda _: (Same(service="s3", path=path, cli=f"chimera bundle {words}"),)


SCREEN: Final = Screen(
    name="config",
    title="Config studio",
    path="/config",
    key="c",
    says="What decides, since when and by whom; what was tried beside it.",
    group=Group.STEER,
    looks=(
        Look("standing", 2.0, _ask_standing),
        Look("history", 5.0, _ask_history),
        Look("bundles", 10.0, _ask_bundles),
        Look("differences", 5.0, _ask_differences),
    ),
    acts=(ACTIVATE, ROLL_BACK, TRY, END_TRIAL),
    sections=(
        Section("active", "What decides", reads=("standing", "history"), content=_active, span=Span.WIDE,
                same=_same("/config", "status")),
        Section("trial", "Beside it", reads=("standing", "differences"), content=_trial, span=Span.SIDE,
                same=_same("/config/differences", "differences")),
        Section("bundles", "Bundles", reads=("bundles", "standing"), content=_bundles, same=_same("/bundles", "list")),
        Section("history", "Every change", reads=("history", "standing"), content=_history,
                same=_same("/config/history", "history")),
    ),
)  # fmt: skip


# ── one bundle ──


async def _ask_bundle(others: Others, params: Params) -> dict[str, Any]:
    """The bundle with its rules, and what lint says of it."""
    bundle: dict[str, Any] = (await others.bundles.show(params["bundle_id"]))["bundle"]
    offered = {name: bundle.get(name) for name in ("bundle_id", "rules", "bounds", "flags") if bundle.get(name)}
    return {"bundle": bundle, "lint": await others.bundles.lint(offered)}


async def _ask_diff(others: Others, params: Params) -> dict[str, Any] | None:
    active = (await others.bundles.standing()).get("active") or {}
    against = params.get("against") or active.get("bundle_id")
    return None if not against else await others.bundles.diff(str(against), params["bundle_id"])


def _bundle(shown: Shown) -> Mapping[str, object]:
    return {"told": shown.looked["bundle"], "diff": shown.looked["diff"]}


BUNDLE: Final = Screen(
    name="bundle",
    title="Bundle",
    path="/config/{bundle_id:path}",
    says="One bundle: what it would change, what lint says, and its rules.",
    group=Group.STEER,
    under="config",
    asks=("against",),
    looks=(Look("bundle", 60.0, _ask_bundle), Look("diff", 10.0, _ask_diff)),
    sections=(
        Section("diff", "Against what decides", reads=("diff", "bundle"), content=_bundle, span=Span.WIDE,
                same=lambda params: (
                    Same(service="s3", path=f"/bundles/active/diff/{quote(params['bundle_id'], safe='')}",
                         cli=f"chimera bundle diff active {params['bundle_id']}"),)),
        Section("lint", "What lint says", reads=("bundle",), content=_bundle, span=Span.SIDE),
        Section("rules", "Its rules", reads=("bundle",), content=_bundle,
                same=lambda params: (
                    Same(service="s3", path=f"/bundles/{quote(params['bundle_id'], safe='')}",
                         cli=f"chimera bundle show {params['bundle_id']}"),)),
    ),
)  # fmt: skip
