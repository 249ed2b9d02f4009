"""What if: a decision of this moment with figures supposed. It leaves nothing behind, and asks again as time passes."""

import shlex
from collections.abc import Mapping
from typing import Any, Final

from chimera.services.console import deciding
from chimera.services.console.others import Others
from chimera.services.console.same import Same
from chimera.services.console.screen import Group, Look, Params, Screen, Section, Shown, Span

SIDES: Final = ("", "BUY", "SELL")
MARKETS: Final = ("", "FUT", "SPOT")


async def _ask(others: Others, params: Params) -> dict[str, Any] | None:
    symbol = params.get("symbol")
    if not symbol:
        return None
    wishes: dict[str, object] = {
        "symbol": symbol.upper(),
        "sideHint": params.get("side") or None,
        "market": params.get("market") or None,
        "context": deciding.supposed(params.get("suppose", "")) or None,
    }
    return await others.explain.what_if(wishes)


def _wish(shown: Shown) -> Mapping[str, object]:
    params = shown.params
    return {
        "symbol": params.get("symbol", ""),
        "symbols": shown.seen.symbols,
        "side": params.get("side", ""),
        "market": params.get("market", ""),
        "suppose": params.get("suppose", ""),
        "sides": SIDES,
        "markets": MARKETS,
    }


def _answer(shown: Shown) -> Mapping[str, object]:
    told = shown.looked["answer"]
    lines = deciding.tree((told or {}).get("explanation") or {})
    return {
        "told": told,
        "lines": lines,
        "first": deciding.first_failing(told or {}, lines),
        "figure": deciding.figure,
        "needed": deciding.needed((told or {}).get("needed")),
        "params": shown.params,
    }


def _same(params: Params) -> tuple[Same, ...]:
    words = ["chimera decide", shlex.quote(params.get("symbol", "").upper() or "BTCUSDT"), "--dry-run"]
    if params.get("side"):
        words.append(f"--side {shlex.quote(params['side'].lower())}")
    pairs = [part.strip() for part in params.get("suppose", "").split(",") if part.strip()]
    words += [f"--suppose {shlex.quote(pair)}" for pair in pairs]
    return (Same(service="s3", path="/blockers", cli=" ".join(words)),)


SCREEN: Final = Screen(
    name="whatif",
    title="What if",
    path="/whatif",
    says="A decision of this moment with figures supposed; it leaves nothing behind.",
    group=Group.WHY,
    under="why",
    asks=("symbol", "side", "market", "suppose"),
    looks=(Look("answer", 5.0, _ask),),
    sections=(
        Section("wish", "Suppose", reads=("symbols",), content=_wish, span=Span.SIDE),
        Section("answer", "S3 would", reads=("answer",), content=_answer, span=Span.WIDE, same=_same),
    ),
)
