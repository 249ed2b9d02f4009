"""One order traded again on its recorded market, in other ways, beside what it really came to."""

import shlex
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from chimera.backtest.floor import Queue
from chimera.backtest.trials import CUT_SHORT
from chimera.services.console.deciding import number
from chimera.services.console.others import Others
from chimera.services.console.same import Same
from chimera.services.console.screen import Group, Look, Params, Screen, Section, Shown, Span

NOT_HERE: Final = {"away": True}
EVERY_S: Final = 30.0
WAYS: Final = ("fees:10000", "maker:1000", "maker:10000", "twap:equal:4:1000", "twap:sqrt:4:2000:1500")


async def _ask(others: Others, params: Params) -> dict[str, Any]:
    if others.replays is None:
        return dict(NOT_HERE)
    return await others.replays.replay(params["name"], params.get("way", ""))


def _wish(shown: Shown) -> Mapping[str, object]:
    return {"name": shown.params["name"], "way": shown.params.get("way", ""), "ways": WAYS}


def _answer(shown: Shown) -> Mapping[str, object]:
    told = shown.looked["replay"] or {}
    rows = told.get("ways") or []
    strict = {row["way"]: row for row in rows if row["queue"] == Queue.STRICT}
    pairs = [(row, strict.get(row["way"])) for row in rows if row["queue"] != Queue.STRICT]
    return {"told": told, "pairs": pairs, "number": number, "cut_short": CUT_SHORT}


def _steps(shown: Shown) -> Mapping[str, object]:
    told = shown.looked["replay"] or {}
    return {"told": told, "rows": [row for row in told.get("ways") or [] if row["queue"] != Queue.STRICT]}


def _same(params: Params) -> tuple[Same, ...]:
    words = ["chimera", "replay-order", params["name"], "--market", "captures"]
    words += ["--way", params["way"]] if params.get("way") else []
    return (Same(path=f"/orders/{quote(params['name'], safe='')}", cli=shlex.join(words)),)


SCREEN: Final = Screen(
    name="replay",
    title="Replay",
    path="/replays/{name:path}",
    says="One order traded again on the market recorded around it. Nothing is placed anywhere.",
    group=Group.NOW,
    under="orders",
    asks=("way",),
    looks=(Look("replay", EVERY_S, _ask),),
    sections=(
        Section("answer", "What it came to, and would have", reads=("replay",), content=_answer, same=_same),
        Section("steps", "Step by step", reads=("replay",), content=_steps, span=Span.WIDE),
        Section("wish", "In another way", reads=(), content=_wish, span=Span.SIDE),
    ),
)  # fmt: skip
